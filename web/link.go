package web

import (
	"net/http"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// showLink opens the link of a mail. By itself the link proves nothing: a scanner opens it too.
func (s *Site) showLink(w http.ResponseWriter, r *http.Request) error {
	c, a, err := s.linked(r)
	if err != nil {
		return err
	}
	return s.renderLink(w, r, c, a, s.told(w, r))
}

// linked is the attempt that the link of a message is about. The reference of another attempt went to an
// identity provider, which is to learn nothing by it.
func (s *Site) linked(r *http.Request) (*proofing.Case, *proofing.Attempt, error) {
	c, a, err := s.service.AttemptByLink(r.Context(), proofing.Secret(r.PathValue("ref")))
	if err != nil {
		return nil, nil, err
	}
	if m := s.service.Methods[a.Method]; m != nil && !m.Channel().Reached() {
		return nil, nil, proofing.ErrNotFound
	}
	return c, a, nil
}

// followLink is the press of the button, or the code retyped in another browser.
func (s *Site) followLink(w http.ResponseWriter, r *http.Request) error {
	ref, code := proofing.Secret(r.PathValue("ref")), proofing.Secret("")
	if r.PostForm.Get("how") == "code" {
		if code = proofing.Secret(r.PostForm.Get("code")); code == "" {
			code = " " // an empty field is a code that cannot be one, and not a press of the button
		}
	}
	if _, _, err := s.linked(r); err != nil {
		return err
	}
	c, _, err := s.service.AnswerByLink(r.Context(), s.visit(r), ref, code)
	if err == nil {
		s.see(w, r, c.CaseURL("").Reveal())
		return nil
	}
	wrong := s.answerTo(err)
	if wrong.problem == nil {
		return err
	}
	s.tell(w, s.Keep(r, linkPath(r.PathValue("ref"))), wrong)
	return nil
}

func (s *Site) renderLink(w http.ResponseWriter, r *http.Request, c *proofing.Case, a *proofing.Attempt, m mistake) error {
	browser, ref := s.service.BrowserHash(s.browser(r)), r.PathValue("ref")
	frame, request := s.Frame(r, linkPath(ref)), s.viewRequest(r, c)
	status, wrong := s.statusOf(w, m)
	page := templates.Link{
		Frame: frame, Request: request, Method: a.Method, Action: s.Keep(r, linkPath(ref)), Shown: legible(c, a.Contact), Expires: a.Expires,
	}
	own := browser != "" && a.Browser == browser
	if own || browser != "" && c.Browser == browser {
		page.Case = s.Keep(r, c.CaseURL("").Reveal())
	}
	if page.Notice = wrong.problem; page.Notice != nil && page.Notice.Code == "wrong_answer" {
		page.Notice.Tries = a.Tries
	}
	switch {
	case a.Status == proofing.AttemptPassed:
		page.Mode, page.Notice = "passed", nil
	case c.Browser != "" && c.Browser != browser:
		return s.Render(w, r, http.StatusForbidden, templates.Claimed{Frame: frame, Request: request})
	case c.Status != proofing.CaseOpen || c.Frozen != nil || s.viewBegun(c, a).Over != "" || a.Status != proofing.AttemptOpen:
		page.Mode, page.Notice = "over", nil
	case own:
		page.Mode = "confirm"
	default:
		page.Mode = "retype"
		page.CodeBad, page.Notice = page.Notice, nil
	}
	return s.Render(w, r, status, page)
}

func (s *Site) showDisown(w http.ResponseWriter, r *http.Request) error {
	c, err := s.service.DisownedCase(r.Context(), proofing.Secret(r.PathValue("ref")))
	if err != nil {
		return err
	}
	return s.renderDisown(w, r, c, nil)
}

// disown takes the word of a person that it was not them. The box must be
// ticked: a scanner that presses every button leaves it empty.
func (s *Site) disown(w http.ResponseWriter, r *http.Request) error {
	ref := proofing.Secret(r.PathValue("ref"))
	if r.PostForm.Get("sure") != "yes" {
		c, err := s.service.DisownedCase(r.Context(), ref)
		if err != nil {
			return err
		}
		return s.renderDisown(w, r, c, errSure)
	}
	if _, err := s.service.Disown(r.Context(), ref); err != nil {
		return err
	}
	s.see(w, r, disownPath(r.PathValue("ref")))
	return nil
}

func (s *Site) renderDisown(w http.ResponseWriter, r *http.Request, c *proofing.Case, wrong error) error {
	ref := r.PathValue("ref")
	frame, request := s.Frame(r, disownPath(ref)), s.viewRequest(r, c)
	request.Disown = "" // it is this page
	if c.Frozen != nil {
		return s.Render(w, r, http.StatusOK, templates.Disowned{Frame: frame, Request: request, Until: c.Frozen.Until, Own: c.Own()})
	}
	if !c.Denied.IsZero() {
		return s.Render(w, r, http.StatusOK, templates.Disowned{Frame: frame, Request: request, Own: c.Own()})
	}
	page := templates.Disown{Frame: frame, Request: request, Action: s.Keep(r, disownPath(ref)), Over: !c.Disownable(), Own: c.Own(), Certificates: len(c.Certificates) > 0}
	status := http.StatusOK
	if wrong != nil {
		a := s.answerTo(wrong)
		status, page.Bad = a.status, a.problem
	}
	return s.Render(w, r, status, page)
}
