package web

import (
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// What is a person's own: signing in, and what they are known by. A session is a case of the person's own
// (proofing.Case.Own), so its challenges are posed and answered at the paths of cases.
const (
	mePath     = "/me"
	signInPath = "/me/sign-in"
)

func (s *Site) meRoutes() {
	s.mux.Handle("GET /me", s.look(s.showMe))
	s.mux.Handle("GET /me/sign-in", s.look(s.showSignIn))
	s.mux.Handle("POST /me/sign-in", s.act(s.signIn))
	s.mux.Handle("POST /me/sign-out", s.SignOut("/"))
	s.mux.Handle("POST /me/rename", s.act(s.rename))
	s.mux.Handle("POST /me/remove", s.act(s.remove))
	s.mux.Handle("POST /me/reactivate", s.act(s.reactivate))
	s.mux.Handle("POST /me/recovery/stop", s.act(s.stopRecovery))
	s.mux.Handle("POST /me/codes", s.act(s.newCodes))
	s.mux.Handle("GET /me/export", s.look(s.export))
	s.mux.Handle("POST /me/erase", s.act(s.erase))
	s.mux.Handle("POST /me/keys/end", s.act(s.endKey))
	s.mux.Handle("POST /c/{ref}/recover", s.actByLink(s.recover))
	s.mux.Handle("GET /c/{ref}/recover", s.Serve(s.recovered))
	for _, path := range []string{"rename", "remove", "reactivate", "recovery/stop", "codes", "erase", "keys/end"} { // where a page with a mistake stands
		s.mux.Handle("GET /me/"+path, s.Serve(func(w http.ResponseWriter, r *http.Request) error {
			s.see(w, r, mePath)
			return nil
		}))
	}
}

// The session's cookie has the reference of the session's case. It is worth nothing in another browser.
func (s *Site) sessionName() string {
	if s.secure {
		return "__Host-session"
	}
	return "session"
}

// session is what the session's cookie says; it may be anything.
func (s *Site) session(r *http.Request) proofing.Secret {
	c, err := r.Cookie(s.sessionName())
	if err != nil {
		return ""
	}
	return proofing.Secret(c.Value)
}

// enter gives the browser its session, or takes it away with an empty reference. It ends with the browser; how
// long it lasts at most the service knows.
func (s *Site) enter(w http.ResponseWriter, ref string) {
	c := &http.Cookie{Name: s.sessionName(), Value: ref, Path: "/", Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if ref == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// signedInAs is visit with the session's reference.
func (s *Site) signedInAs(r *http.Request) proofing.Visit {
	v := s.visit(r)
	v.Link = s.session(r)
	return v
}

// showMe is the page of who is signed in; anybody else is asked to.
func (s *Site) showMe(w http.ResponseWriter, r *http.Request) error {
	s.comeBackTo(w, r.URL.Query().Get("to"))
	session, err := s.service.Session(r.Context(), s.signedInAs(r))
	if errors.Is(err, proofing.ErrNotFound) {
		s.see(w, r, signInPath)
		return nil
	}
	if err != nil {
		return err
	}
	return s.renderMe(w, r, session, mistake{}, nil)
}

func (s *Site) showSignIn(w http.ResponseWriter, r *http.Request) error {
	if s.service.Policy.Own == nil {
		return proofing.ErrNotFound
	}
	to := r.URL.Query().Get("to")
	s.comeBackTo(w, to)
	frame := s.Frame(r, signInPath)
	if to != "" { // in another language it is the same page
		frame.Carry = template.URL("&" + url.Values{"to": {to}}.Encode())
	}
	out := false
	if r.URL.Query().Get(outQuery) != "" {
		_, err := s.service.Session(r.Context(), s.signedInAs(r))
		out = errors.Is(err, proofing.ErrNotFound)
	}
	return s.Render(w, r, http.StatusOK, templates.SignIn{Out: out, New: strings.HasPrefix(to, proofing.JoinPath), Frame: frame, Start: s.Keep(r, signInPath), Regain: s.Keep(r, regainPath)})
}

func (s *Site) signIn(w http.ResponseWriter, r *http.Request) error {
	c, err := s.service.OpenOwn(r.Context(), s.visit(r))
	if err != nil {
		return err
	}
	s.see(w, r, c.CaseURL("").Reveal())
	return nil
}

// outQuery marks the address of the page to sign in on for whoever has just signed out: it says so, unless they are signed in again.
const outQuery = "out"

// SignOut takes a form that ends the session of whoever sends it, and leads on to a path of ours. A form of the page on which somebody takes up a role names that page:
// whoever signs out there wants to come back to it as somebody else, and is led to sign in.
func (s *Site) SignOut(to string) http.Handler {
	return s.actByLink(func(w http.ResponseWriter, r *http.Request) error {
		to := s.Keep(r, to)
		if back := r.PostForm.Get("to"); strings.HasPrefix(back, proofing.JoinPath) && ofConsole(back) {
			to = s.path(r, signInPath, "to", back, outQuery, "1")
		}
		if _, err := s.service.Session(r.Context(), s.signedInAs(r)); errors.Is(err, proofing.ErrNotFound) { // it was done in another tab
			s.seeAt(w, r, to, "work")
			return nil
		}
		if !s.sealed(r) {
			return errNoSeal
		}
		if err := s.service.SignOut(r.Context(), s.signedInAs(r)); err != nil {
			return err
		}
		s.enter(w, "")
		s.seeAt(w, r, to, "work")
		return nil
	})
}

func (s *Site) rename(w http.ResponseWriter, r *http.Request) error {
	return s.changed(w, r, s.service.Rename(r.Context(), s.signedInAs(r), r.PostForm.Get("binding"), r.PostForm.Get("name")))
}

func (s *Site) remove(w http.ResponseWriter, r *http.Request) error {
	return s.changed(w, r, s.service.Remove(r.Context(), s.signedInAs(r), r.PostForm.Get("binding")))
}

func (s *Site) endKey(w http.ResponseWriter, r *http.Request) error {
	if err := s.service.EndOwnKey(r.Context(), s.signedInAs(r), r.PostForm.Get("kid")); err != nil {
		return s.changed(w, r, err)
	}
	s.seeAt(w, r, s.meWith(r, "keys", "show"), "keys-title")
	return nil
}

// reactivate takes the word of somebody that what a recovery has suspended is still theirs.
func (s *Site) reactivate(w http.ResponseWriter, r *http.Request) error {
	return s.changed(w, r, s.service.Reactivate(r.Context(), s.signedInAs(r), r.PostForm.Get("binding")))
}

// stopRecovery takes the word of somebody who has lost nothing that it was not them.
func (s *Site) stopRecovery(w http.ResponseWriter, r *http.Request) error {
	return s.changed(w, r, s.service.StopRecovery(r.Context(), s.signedInAs(r)))
}

// newCodes makes recovery codes. They are shown in the answer to the form and nowhere else, so that
// loading the page again does not show them again.
func (s *Site) newCodes(w http.ResponseWriter, r *http.Request) error {
	codes, err := s.service.NewRecoveryCodes(r.Context(), s.signedInAs(r))
	if err != nil {
		return s.changed(w, r, err)
	}
	session, err := s.service.Session(r.Context(), s.signedInAs(r))
	if err != nil {
		return err
	}
	return s.renderMe(w, r, session, mistake{}, codes)
}

// recover takes a saved code from somebody who has confirmed a mailbox of theirs. The new one in its place is shown in the answer, and
// nowhere else.
func (s *Site) recover(w http.ResponseWriter, r *http.Request) error {
	c, renewed, err := s.service.Recover(r.Context(), s.visit(r), proofing.Secret(r.PostForm.Get("code")))
	if err != nil {
		return s.afterwards(w, r, c, mistake{err: err})
	}
	v := s.visit(r)
	v.Link = proofing.Secret(c.ID + "." + c.LinkSecret.Reveal())
	session, err := s.service.Session(r.Context(), v)
	if err != nil {
		return err
	}
	s.enter(w, v.Link.Reveal())
	return s.renderMe(w, r, session, mistake{}, []proofing.Secret{renewed})
}

// recovered is where the answer of recover stands: its reference is another one since.
func (s *Site) recovered(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.service.Session(r.Context(), s.signedInAs(r)); err == nil {
		s.see(w, r, mePath)
		return nil
	}
	return s.toCase(w, r)
}

func (s *Site) export(w http.ResponseWriter, r *http.Request) error {
	all, err := s.service.Export(r.Context(), s.signedInAs(r))
	if err != nil {
		return s.changed(w, r, err)
	}
	body, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="countersign-export.json"`)
	_, _ = w.Write(append(body, '\n'))
	return nil
}

func (s *Site) erase(w http.ResponseWriter, r *http.Request) error {
	if r.PostForm.Get("sure") != "yes" {
		return s.changed(w, r, errSure)
	}
	if err := s.service.Erase(r.Context(), s.signedInAs(r)); err != nil {
		return s.changed(w, r, err)
	}
	s.enter(w, "")
	s.see(w, r, "/")
	return nil
}

// changed answers a form on the page of who is signed in.
func (s *Site) changed(w http.ResponseWriter, r *http.Request, err error) error {
	if err == nil {
		s.see(w, r, mePath)
		return nil
	}
	if s.answerTo(err).problem == nil {
		return err
	}
	session, again := s.service.Session(r.Context(), s.signedInAs(r))
	if again != nil {
		return again
	}
	return s.renderMe(w, r, session, mistake{err: err}, nil)
}

// homeOf is where the work on a case goes on: on the page of the case, or, for who is signed in, on their own.
func (s *Site) homeOf(w http.ResponseWriter, r *http.Request, c *proofing.Case) string {
	if !c.Own() {
		return casePath(r.PathValue("ref"))
	}
	ref := c.ID + "." + c.LinkSecret.Reveal()
	r.SetPathValue("ref", ref) // who has signed in has a new one
	if c.Status == proofing.CaseGranted {
		s.enter(w, ref)
		return mePath
	}
	return casePath(ref)
}

// renderOwn shows a case of a person's own.
func (s *Site) renderOwn(w http.ResponseWriter, r *http.Request, c *proofing.Case, m mistake) error {
	own := c.Browser == s.service.BrowserHash(s.browser(r))
	switch {
	case !own:
		return proofing.ErrNotFound
	case c.Status == proofing.CaseGranted && c.Frozen == nil:
		v := s.visit(r)
		v.Link = proofing.Secret(c.ID + "." + c.LinkSecret.Reveal())
		session, err := s.service.Session(r.Context(), v)
		if err == nil {
			s.enter(w, v.Link.Reveal())
			return s.renderMe(w, r, session, m, nil)
		}
		if !errors.Is(err, proofing.ErrNotFound) {
			return err
		}
		fallthrough
	case c.Status != proofing.CaseOpen || c.Frozen != nil:
		s.enter(w, "")
		s.see(w, r, signInPath)
		return nil
	}
	status, a := s.statusOf(w, m)
	page := templates.SignIn{Frame: s.Frame(r, casePath(r.PathValue("ref")))}
	method := s.chosen(r, c, m)
	panel, notice, err := s.panelFor(r, c, method, m, a)
	if err != nil {
		return err
	}
	page.New = s.joins(r)
	page.Panel, page.Notice = panel, notice
	page.Panel.New = page.New
	if c.Recoverable() && method.Name() == "email" {
		page.Panel, page.Recover = nil, s.Keep(r, casePath(r.PathValue("ref"))+"/recover")
		page.Notice = a.problem
	}
	recovers := false
	for _, other := range s.methods(s.service.Policy.Own, proofing.Identifier{}) {
		switch {
		case other.Name() == "email":
			recovers = true
		case other.Name() != method.Name():
			page.Others = append(page.Others, templates.Way{Code: other.Name(), Href: s.methodLink(r, other.Name())})
		}
	}
	switch {
	case recovers && method.Channel() == proofing.ChannelPasskey:
		page.Lost = panel.Begin
	case recovers:
		page.Others = append(page.Others, templates.Way{Code: "recovery", Href: s.methodLink(r, "email")})
	}
	return s.Render(w, r, status, page)
}

// statusOf is what a mistake means, with the header that goes with it.
func (s *Site) statusOf(w http.ResponseWriter, m mistake) (int, answer) {
	if m.told != nil {
		return http.StatusOK, *m.told
	}
	if m.err == nil {
		return http.StatusOK, answer{}
	}
	a := s.answerTo(m.err)
	s.retryAfter(w, a)
	return a.status, a
}

// chosen is the method that is wanted in a case of a person's own: what went wrong, what was asked for, what
// was begun last of what is under way, or the first. A browser that offers passkeys begins with them unasked.
func (s *Site) chosen(r *http.Request, c *proofing.Case, m mistake) proofing.Method {
	all := s.methods(s.service.Policy.Own, proofing.Identifier{})
	wanted := m.method
	if wanted == "" {
		wanted = r.URL.Query().Get("method")
	}
	for _, method := range all {
		if method.Name() == wanted {
			return method
		}
	}
	last, began := all[0], time.Time{} // validated: there is one
	for _, method := range all {
		if a := c.Current(method.Name()); a != nil && a.CodeAt.After(began) {
			last, began = method, a.CodeAt
		}
	}
	return last
}

// panelFor is the form of a method with the problem in its place, or the problem by itself.
func (s *Site) panelFor(r *http.Request, c *proofing.Case, method proofing.Method, m mistake, a answer) (*templates.Panel, *templates.Problem, error) {
	page := templates.Case{}
	s.reword(m, &a)
	panel, err := s.viewPanel(r, c, method, s.workOf(c, s.service.Policy.Own))
	page.Panel = panel
	if err == nil {
		place(&page, m, a)
	}
	return page.Panel, page.Notice, err
}

// renderMe shows what somebody has, and below what they are adding.
func (s *Site) renderMe(w http.ResponseWriter, r *http.Request, session *proofing.Session, m mistake, codes []proofing.Secret) error {
	c := session.Case
	r.SetPathValue("ref", c.ID+"."+c.LinkSecret.Reveal())
	status, a := s.statusOf(w, m)
	page := templates.Me{
		Frame: s.Frame(r, mePath), Fresh: session.Fresh, Until: session.Until, Levels: viewLevels(c.Grant.Assessment), CodesLeft: len(session.Person.Recovery),
		Recovering: session.Recovering, Reactivate: s.Keep(r, "/me/reactivate"),
		Rename: s.Keep(r, "/me/rename"), Remove: s.Keep(r, "/me/remove"), NewCodes: s.Keep(r, "/me/codes"),
		SignOut: s.Keep(r, "/me/sign-out"), Export: s.Keep(r, "/me/export"), Erase: s.Keep(r, "/me/erase"), EndKey: s.Keep(r, "/me/keys/end"),
	}
	if session.Person.Representative != nil {
		page.Desk = s.Keep(r, deskPath)
	}
	offices, err := s.service.Offices(r.Context(), session.Person.ID)
	if err != nil {
		return err
	}
	if len(offices) > 0 {
		page.Console = s.Keep(r, proofing.AdminPath)
	}
	if session.MayStop {
		page.StopRecovery = s.Keep(r, "/me/recovery/stop")
	}
	for _, code := range codes {
		page.Codes = append(page.Codes, code.Reveal())
	}
	now := s.service.Now()
	page.Back = session.Back
	for _, b := range session.Person.Bindings {
		t := templates.Thing{ID: b.ID, Kind: string(b.Contact.Channel), Shown: b.Contact.Shown, Name: b.Name, Added: b.BoundAt, Restricted: b.Contact.Channel == proofing.ChannelPhone}
		if b.Counts.After(now) {
			t.Counts, page.Cools = b.Counts, b.Counts
		}
		if len(b.Suspended) > 0 {
			t.Suspended = b.Suspended[0].At
		}
		t.Copied = b.Copied
		page.Things = append(page.Things, t)
	}
	page.ShowKeys = s.meWith(r, "keys", "show") + "#keys-title"
	if r.URL.Query().Get("keys") != "" { // looking for them costs a look into every bucket
		keys, err := s.viewOwnKeys(r, session)
		if err != nil {
			return err
		}
		page.Keys, page.ShowKeys = keys, ""
	}
	adding := m.method != "" || r.URL.Query().Get("method") != ""
	for _, method := range s.methods(s.service.Policy.Own, proofing.Identifier{}) {
		a := c.Current(method.Name())
		adding = adding || a != nil && a.Began.After(c.Grant.At) // what was begun before was to sign in
		page.Adds = append(page.Adds, templates.Way{Code: method.Name(), Href: s.meLink(r, method.Name())})
	}
	page.Notice = a.problem
	if adding || !session.Fresh && (!session.Back || page.Cools.IsZero()) {
		var err error
		if page.Panel, page.Notice, err = s.panelFor(r, c, s.chosen(r, c, m), m, a); err != nil {
			return err
		}
		if session.Back && page.Panel != nil && page.Panel.Method == "fido" {
			page.Panel.Begin = "" // they have said that they have lost it
		}
	}
	return s.Render(w, r, status, page)
}

func (s *Site) meLink(r *http.Request, method string) string { return s.meWith(r, "method", method) }

// meWith is the page of who is signed in, with something in its query.
func (s *Site) meWith(r *http.Request, name, value string) string {
	return with(s.Keep(r, mePath), name, value)
}
