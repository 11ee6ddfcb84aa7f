package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// routes is every path that people can reach.
func (s *Site) routes(home http.Handler) {
	if home == nil {
		home = s.Serve(s.home)
	}
	s.mux.Handle("GET /{$}", home)
	s.mux.Handle("GET /static/{file}", serveStatic(func(w http.ResponseWriter, r *http.Request) { s.fault(w, r, proofing.ErrNotFound) }))

	s.mux.Handle("GET /c/{ref}", s.look(s.showCase))
	s.mux.Handle("POST /c/{ref}/begin", s.actByLink(s.begin))
	s.mux.Handle("POST /c/{ref}/resend", s.actByLink(s.resend))
	s.mux.Handle("POST /c/{ref}/enrol", s.actByLink(s.enrol))
	s.mux.Handle("POST /c/{ref}/answer", s.actByLink(s.answer))
	// A page with a mistake in an address, or one that says no, stands at the path it was posted to. Whoever opens that path means the case.
	s.mux.Handle("GET /c/{ref}/begin", s.Serve(s.toCase))
	s.mux.Handle("GET /c/{ref}/resend", s.Serve(s.toCase))
	s.mux.Handle("GET /c/{ref}/enrol", s.Serve(s.toCase))
	s.mux.Handle("GET /c/{ref}/answer", s.Serve(s.toCase))

	s.mux.Handle("GET /o/{issuer}", s.look(s.showReturned))
	s.mux.Handle("POST /o/{issuer}", s.actByLink(s.returned))

	s.mux.Handle("GET /m/{ref}", s.look(s.showLink))
	s.mux.Handle("POST /m/{ref}", s.actByLink(s.followLink))
	s.mux.Handle("GET /n/{ref}", s.look(s.showDisown))
	s.mux.Handle("POST /n/{ref}", s.actByLink(s.disown))

	s.mux.Handle("GET /x/{ref}", s.look(s.showCertificate))
	s.mux.Handle("POST /x/{ref}", s.actByLink(s.disownCertificate))

	s.mux.Handle("GET /apply/{ca}/{profile}", s.look(s.showApply))
	s.mux.Handle("POST /apply/{ca}/{profile}", s.act(s.apply))

	s.mux.Handle("POST /c/{ref}/key", s.actByLink(s.makeKey))
	s.mux.Handle("GET /c/{ref}/key", s.Serve(s.toCase))
	s.mux.Handle("POST /c/{ref}/restore", s.actByLink(s.giveBack))
	s.mux.Handle("GET /c/{ref}/restore", s.Serve(s.toCase))

	s.mux.Handle("POST /c/{ref}/representative", s.actByLink(s.askInPerson))
	s.mux.Handle("GET /c/{ref}/representative", s.Serve(s.toCase))

	s.meRoutes()
	s.recordRoutes()
	s.recoveryRoutes()
	s.adminRoutes()
	s.mux.Handle("/", s.Serve(s.nothing))
}

// returnPath is where identity providers send people back to.
const returnPath = "/o/"

// The paths of a case, as they stand in links and forms.
func casePath(ref string) string   { return proofing.CasePath + url.PathEscape(ref) }
func linkPath(ref string) string   { return proofing.MessagePath + url.PathEscape(ref) }
func disownPath(ref string) string { return proofing.DisownPath + url.PathEscape(ref) }
func certificatePath(ref string) string {
	return proofing.CertificatePath + url.PathEscape(ref)
}

// backTo is the page that a request with a ref was about.
func backTo(r *http.Request, ref string) string {
	switch {
	case strings.Contains(r.Pattern, proofing.MessagePath):
		return linkPath(ref)
	case strings.Contains(r.Pattern, proofing.DisownPath):
		return disownPath(ref)
	case strings.Contains(r.Pattern, proofing.CertificatePath):
		return certificatePath(ref)
	case strings.Contains(r.Pattern, proofing.JoinPath):
		return joinPath(ref)
	}
	return casePath(ref)
}

// nothing answers for every path without a route, and for a route that has no
// such method.
func (s *Site) nothing(w http.ResponseWriter, r *http.Request) error {
	var allowed []string
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		other := r.Clone(r.Context())
		other.Method = m
		if _, pattern := s.mux.Handler(other); strings.Contains(pattern, " ") {
			allowed = append(allowed, m)
		}
	}
	if len(allowed) == 0 {
		return proofing.ErrNotFound
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	return errMethod
}

func (s *Site) toCase(w http.ResponseWriter, r *http.Request) error {
	s.see(w, r, casePath(r.PathValue("ref")))
	return nil
}

func (s *Site) showCase(w http.ResponseWriter, r *http.Request) error {
	c, err := s.service.CaseByLink(r.Context(), s.visit(r).Link)
	if err != nil {
		return err
	}
	return s.renderCase(w, r, c, s.told(w, r))
}

func (s *Site) begin(w http.ResponseWriter, r *http.Request) error {
	method, address := r.PostForm.Get("method"), r.PostForm.Get("address")
	c, a, err := s.service.Begin(r.Context(), s.visit(r), method, address)
	return s.asked(w, r, c, a, mistake{err: err, method: method, address: address})
}

func (s *Site) enrol(w http.ResponseWriter, r *http.Request) error {
	method := r.PostForm.Get("method")
	c, a, err := s.service.Enrol(r.Context(), s.visit(r), method)
	return s.asked(w, r, c, a, mistake{err: err, method: method})
}

// asked is afterwards for a challenge that the browser or another site has to answer: the page's script
// begins with it at once where it comes right after the person has asked for it.
func (s *Site) asked(w http.ResponseWriter, r *http.Request, c *proofing.Case, a *proofing.Attempt, m mistake) error {
	if m.err != nil || a.Ask == nil && a.Away == "" {
		if m.err == nil && !c.Own() {
			if next := s.workOf(c, s.profile(c)).pick(c, ""); next != nil && next.Name() != a.Method { // a code that was on its way already
				s.seeAt(w, r, s.methodLink(r, a.Method), "work")
				return nil
			}
		}
		return s.afterwards(w, r, c, m)
	}
	if s.homeOf(w, r, c) == mePath {
		s.seeAt(w, r, s.meLink(r, a.Method), "ask")
	} else {
		s.seeAt(w, r, s.methodLink(r, a.Method), "ask")
	}
	return nil
}

func (s *Site) resend(w http.ResponseWriter, r *http.Request) error {
	c, a, err := s.service.Resend(r.Context(), s.visit(r), r.PostForm.Get("attempt"))
	return s.asked(w, r, c, a, mistake{err: err, method: methodOf(a)})
}

func (s *Site) answer(w http.ResponseWriter, r *http.Request) error {
	attempt, v := r.PostForm.Get("attempt"), s.visit(r)
	var c *proofing.Case
	var a *proofing.Attempt
	var err error
	if response := r.PostForm.Get("response"); response != "" {
		c, a, err = s.service.Respond(r.Context(), v, attempt, []byte(response))
	} else {
		c, a, err = s.service.Answer(r.Context(), v, attempt, proofing.Secret(r.PostForm.Get("code")))
	}
	return s.answered(w, r, c, mistake{err: err, method: methodOf(a)})
}

// answered is afterwards for what perhaps signs somebody in who wanted something else.
func (s *Site) answered(w http.ResponseWriter, r *http.Request, c *proofing.Case, m mistake) error {
	if m.err == nil && s.homeOf(w, r, c) == mePath {
		if back := s.goBack(w, r); back != "" {
			s.see(w, r, back)
			return nil
		}
	}
	return s.afterwards(w, r, c, m)
}

// brought are the members of an answer of an OpenID provider (OpenID Connect Core 3.1.2.5 and 3.1.2.6; RFC 9207).
var brought = []string{"code", "state", "iss", "error"}

// showReturned is where a provider sends people back to. To open it does nothing: the answer
// is sent on by the person, or by the page's script.
func (s *Site) showReturned(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	if _, _, err := s.service.AttemptByLink(r.Context(), proofing.Secret(q.Get("state"))); err != nil {
		return err
	}
	page := templates.Returned{Frame: s.Frame(r, "/"), Action: r.URL.EscapedPath()}
	for _, name := range brought {
		for _, value := range q[name] {
			page.Fields = append(page.Fields, templates.Field{Name: name, Value: value})
		}
	}
	return s.Render(w, r, http.StatusOK, page)
}

// returned hands on what a provider said.
func (s *Site) returned(w http.ResponseWriter, r *http.Request) error {
	said := map[string]string{"issuer": r.PathValue("issuer")}
	for _, name := range brought {
		if values := r.PostForm[name]; len(values) > 1 { // OAuth 2.0 (RFC 6749) 3.1: no parameter twice
			return &proofing.InputError{Field: name, Code: "form_malformed"}
		} else if len(values) == 1 {
			said[name] = values[0]
		}
	}
	response, err := json.Marshal(said)
	if err != nil {
		return err
	}
	ref := proofing.Secret(r.PostForm.Get("state"))
	c, a, err := s.service.AttemptByLink(r.Context(), ref)
	if err != nil {
		return err
	}
	if a.Browser != s.service.BrowserHash(s.browser(r)) {
		return proofing.ErrOtherBrowser // which is told nothing of the case, and least of all its link: the provider has the reference too
	}
	after, a, err := s.service.Returned(r.Context(), s.visit(r), ref, response)
	r.SetPathValue("ref", c.ID+"."+c.LinkSecret.Reveal())
	m := mistake{err: err, method: methodOf(a)}
	if m.method == "" {
		m.method = "oidc"
	}
	return s.answered(w, r, after, m)
}

func methodOf(a *proofing.Attempt) string {
	if a == nil {
		return ""
	}
	return a.Method
}

// mistake is what went wrong with a form on the page of a case.
type mistake struct {
	err     error
	method  string  // that the form was about
	address string  // as it was typed
	told    *answer // what it is, where a redirect has led to the page; err is nil then
}

// afterwards answers a form on the page of a case: with a redirect to the page, which tells the mistake if there is
// one, or, where an address was typed that is to be put right, with the page as it stands now and the mistake in its place.
func (s *Site) afterwards(w http.ResponseWriter, r *http.Request, c *proofing.Case, m mistake) error {
	if m.err == nil {
		s.see(w, r, s.homeOf(w, r, c))
		return nil
	}
	a := s.answerTo(m.err)
	if a.problem == nil {
		return m.err
	}
	if m.address == "" {
		s.reword(m, &a)
		path := s.Keep(r, casePath(r.PathValue("ref")))
		if s.service.Methods[m.method] != nil {
			path = s.methodLink(r, m.method)
		}
		s.tell(w, path, a)
		return nil
	}
	c, err := s.service.CaseByLink(r.Context(), s.visit(r).Link)
	if err != nil {
		return err
	}
	return s.renderCase(w, r, c, m)
}

// renderCase shows a case as it stands: to work on, as it ended, or, to a browser that
// came second, nothing of it.
func (s *Site) renderCase(w http.ResponseWriter, r *http.Request, c *proofing.Case, m mistake) error {
	if c.Own() {
		return s.renderOwn(w, r, c, m)
	}
	ref := r.PathValue("ref")
	status, a := s.statusOf(w, m)
	own := c.Browser == "" || c.Browser == s.service.BrowserHash(s.browser(r))
	frame := s.Frame(r, casePath(ref))
	switch {
	case c.Status != proofing.CaseOpen || c.Frozen != nil:
		page := s.viewOutcome(r, c, own)
		if err := s.viewGiveBack(r, c, &page); err != nil {
			return err
		}
		var err error
		if own {
			if page.Token, err = s.viewToken(r, c); err != nil {
				return err
			}
		}
		if own && c.EndsInKey() {
			if page.Key, err = s.viewKeyPanel(r, c); err != nil {
				return err
			}
		}
		page.Frame, page.Notice = frame, a.problem
		return s.Render(w, r, status, page)
	case !own || errors.Is(m.err, proofing.ErrClaimed):
		return s.Render(w, r, http.StatusForbidden, templates.Claimed{Frame: frame, Request: s.viewRequest(r, c)})
	}
	page, err := s.viewCase(r, c, m, a)
	if err != nil {
		return err
	}
	page.Frame = frame
	return s.Render(w, r, status, page)
}
