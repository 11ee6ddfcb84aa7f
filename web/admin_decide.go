package web

import (
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// signPath is where what a person is asked to sign stands, until they have.
const signPath = proofing.AdminPath + "/sign"

// notFresh is the error of somebody who must authenticate once more. They have come into the console, so that it is not their
// level that is too low.
func notFresh(err error) error {
	if errors.Is(err, proofing.ErrNotAdmitted) {
		return errNotFresh
	}
	return err
}

// askDecision makes the text that says what somebody would decide, and leads to where they sign it.
func (s *Site) askDecision(w http.ResponseWriter, r *http.Request, o *officer) error {
	id, form := r.PathValue("case"), r.PostForm
	number, err := strconv.ParseInt(form.Get("number"), 10, 64)
	decision := form.Get("decision")
	if err != nil || decision != proofing.DecideApprove && decision != proofing.DecideRefuse {
		return &proofing.InputError{Field: "decision", Code: "form_malformed"}
	}
	d, err := s.service.CaseInConsole(r.Context(), s.signedInAs(r), id)
	if err != nil {
		return err
	}
	ask := proofing.DecisionRequest{
		Case: id, Appointment: form.Get("as"), Step: proofing.Step(form.Get("step")), Refuse: decision == proofing.DecideRefuse, Number: number, Dossier: form.Get("dossier"),
	}
	if ask.Refuse {
		ask.Reason = form.Get("reason")
	}
	lang, _ := language(r)
	text, err := templates.Verdict{
		Matter: s.matter(d), Step: string(ask.Step), Refuse: ask.Refuse, Reason: ask.Reason, Follows: s.followsFrom(d, ask.Appointment, ask.Refuse),
	}.Text(lang)
	if err != nil {
		return err
	}
	ask.Shown = proofing.DocumentShown{Language: lang, Text: text}
	if _, err := s.service.AskDecision(r.Context(), s.signedInAs(r), ask); err != nil {
		return s.afterCase(w, r, o, id, typed{err: err, text: ask.Reason, seen: number, shown: shownAt(form.Get("shown"))})
	}
	s.see(w, r, signPath)
	return nil
}

func (s *Site) showSigning(w http.ResponseWriter, r *http.Request, o *officer) error {
	if o.Case.Signing == nil { // it was signed, or another window has asked for something else
		s.see(w, r, proofing.AdminPath)
		return nil
	}
	return s.renderSigning(w, r, o, nil)
}

// decide takes the signature. The same one may come twice.
func (s *Site) decide(w http.ResponseWriter, r *http.Request, o *officer) error {
	if r.PostForm.Has("policy") {
		return s.decidePolicy(w, r, o)
	}
	id := r.PostForm.Get("case")
	c, err := s.service.Decide(r.Context(), s.signedInAs(r), []byte(r.PostForm.Get("response")))
	if err == nil {
		s.see(w, r, adminCasePath(c.ID))
		return nil
	}
	asked := o.Case.Signing
	over, done, err := s.signingWrong(w, r, o, err)
	if done {
		return err
	}
	if d, again := s.service.CaseInConsole(r.Context(), s.signedInAs(r), id); again == nil && over && decidedBy(d.Case, o.Person.ID) {
		s.see(w, r, adminCasePath(id)) // it was sent twice, and the first one has decided
		return nil
	}
	t := typed{err: err}
	if asked != nil {
		if doc, bad := proofing.ParseDocument([]byte(asked.Document)); bad == nil {
			id, t.text, t.seen, t.shown = doc.Subject.Object, doc.Reason, doc.Subject.Number, doc.Made
		}
	}
	return s.renderAdminCase(w, r, o, id, t)
}

// signingWrong judges what was wrong with a signature. Done: that is answered, on the page on which it is given. Otherwise the error is for the page of what was
// decided about, and over says that nothing is to be signed any more.
func (s *Site) signingWrong(w http.ResponseWriter, r *http.Request, o *officer, wrong error) (over, done bool, err error) {
	if wrong = notFresh(wrong); s.answerTo(wrong).problem == nil {
		return false, true, wrong
	}
	input, ok := errors.AsType[*proofing.InputError](wrong)
	if !ok {
		return false, false, wrong
	}
	if input.Field == "response" && o.Case.Signing != nil {
		// What was spent by this answer counts on the page, too.
		if o.Session, err = s.service.Session(r.Context(), s.signedInAs(r)); err != nil {
			return false, true, err
		}
		if o.Case.Signing != nil {
			return false, true, s.renderSigning(w, r, o, input)
		}
	}
	return input.Code == "signing_over", false, input
}

// decidedBy says whether somebody has decided in a request.
func decidedBy(c *proofing.Case, person string) bool {
	return slices.ContainsFunc(c.Approval.Decisions, func(d proofing.Decision) bool { return d.Person == person })
}

// signButtons are what the button says for each step, as templates.SignPanel has it.
var signButtons = map[string]string{string(proofing.StepApprove): "approve", string(proofing.StepVet): "confirm", string(proofing.StepReview): "grant", proofing.StepPolicy: "approve"}

// renderSigning shows what the person is asked to sign: the text of the document, to the letter.
func (s *Site) renderSigning(w http.ResponseWriter, r *http.Request, o *officer, wrong error) error {
	status, a := s.statusOf(w, mistake{err: wrong})
	asked, now := o.Case.Signing, s.service.Now()
	doc, err := proofing.ParseDocument([]byte(asked.Document))
	if err != nil {
		return err
	}
	field, back := templates.Field{Name: "case", Value: doc.Subject.Object}, adminCasePath(doc.Subject.Object)
	if doc.Subject.Of == proofing.SubjectPolicy {
		id, err := s.proposalAsked(r, doc)
		if err != nil {
			return err
		}
		if field, back = (templates.Field{Name: "policy", Value: id}), policyPath(id); id == "" { // it was replaced, and is on its shelf
			back = policiesPath
		}
	}
	panel := templates.SignPanel{
		Action: s.Keep(r, signPath), Fields: []templates.Field{field}, Ask: string(asked.Ask),
		Text: doc.Shown.Text, Language: doc.Shown.Language, Decision: doc.Decision, Button: signButtons[doc.Step], Until: asked.NotAfter,
	}
	if doc.Decision == proofing.DecideRefuse {
		panel.Button = "refuse"
	}
	switch {
	case asked.Tries <= 0 || asked.Ask == nil:
		panel.Over = "tries"
	case !now.Before(asked.NotAfter):
		panel.Over = "expired"
	}
	for _, b := range o.Person.Bindings {
		if b.ID == asked.Address {
			if panel.Passkey = b.Name; b.Name == "" {
				panel.Passkey = b.Contact.Shown
			}
		}
	}
	return s.Render(w, r, status, templates.Sign{Frame: s.Frame(r, signPath), Notice: a.problem, Panel: panel, Back: s.Keep(r, back)})
}
