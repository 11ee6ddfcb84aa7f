package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// The recovery of an account before a representative: the pages of representatives, which have a path of their own beside the desk's, and
// the one at which the person brings the code.
const (
	recoverPath = "/recoveries"
	regainPath  = mePath + "/regain"
)

func (s *Site) recoveryRoutes() {
	s.mux.Handle("GET /me/regain", s.look(s.showRegain))
	s.mux.Handle("POST /me/regain", s.act(s.regain))
	s.mux.Handle("GET /recoveries", s.look(s.showRecover))
	s.mux.Handle("POST /recoveries", s.act(s.startRecovery))
	s.mux.Handle("GET /recoveries/{case}", s.look(s.showRecovery))
	s.mux.Handle("POST /recoveries/{case}/agree", s.act(s.agreeToRecovery))
	s.mux.Handle("POST /recoveries/{case}/give", s.act(s.giveCode))
	for _, path := range []string{"agree", "give"} { // where a page with a mistake, or the code, stands
		s.mux.Handle("GET /recoveries/{case}/"+path, s.Serve(func(w http.ResponseWriter, r *http.Request) error {
			s.see(w, r, recoveryPath(r.PathValue("case")))
			return nil
		}))
	}
}

func recoveryPath(id string) string { return recoverPath + "/" + url.PathEscape(id) }

func (s *Site) showRegain(w http.ResponseWriter, r *http.Request) error {
	if s.service.Policy.Own == nil {
		return proofing.ErrNotFound
	}
	return s.renderRegain(w, r, s.told(w, r))
}

// regain takes the code, and gives the browser a session without a level.
func (s *Site) regain(w http.ResponseWriter, r *http.Request) error {
	c, err := s.service.Regain(r.Context(), s.visit(r), proofing.Secret(r.PostForm.Get("code")))
	if errors.Is(err, proofing.ErrWrongAnswer) {
		err = &proofing.InputError{Field: "code", Code: "regain_wrong"}
	}
	if err != nil {
		a := s.answerTo(err)
		if a.problem == nil {
			return err
		}
		s.tell(w, s.Keep(r, regainPath), a)
		return nil
	}
	s.see(w, r, s.homeOf(w, r, c))
	return nil
}

func (s *Site) renderRegain(w http.ResponseWriter, r *http.Request, m mistake) error {
	status, a := s.statusOf(w, m)
	return s.Render(w, r, status, templates.Regain{Frame: s.Frame(r, regainPath), Start: s.Keep(r, regainPath), Bad: a.problem})
}

func (s *Site) showRecover(w http.ResponseWriter, r *http.Request) error {
	session, done, err := s.atDesk(w, r)
	if done {
		return err
	}
	return s.renderRecover(w, r, session, nil)
}

func (s *Site) startRecovery(w http.ResponseWriter, r *http.Request) error {
	c, err := s.service.StartRecovery(r.Context(), s.signedInAs(r), r.PostForm.Get("address"), proofing.RecoveryCheck{
		Draft: readDraft(r.PostForm), Reference: r.PostForm.Get("reference"), Same: r.PostForm.Get("same") == "yes",
	})
	if err == nil {
		s.see(w, r, recoveryPath(c.ID))
		return nil
	}
	return s.mistakenAtDesk(w, r, err, func(session *proofing.Session, wrong error) error {
		return s.renderRecover(w, r, session, wrong)
	})
}

func (s *Site) renderRecover(w http.ResponseWriter, r *http.Request, session *proofing.Session, wrong error) error {
	status, a := s.statusOf(w, mistake{err: wrong})
	draft := proofing.ProofingDraft{Type: proofing.OnsiteAttended}
	if wrong != nil {
		draft = readDraft(r.PostForm)
	}
	form := viewForm(draft)
	page := templates.DeskRecover{
		Frame: s.Frame(r, recoverPath), Fresh: session.Fresh, Confirm: s.meLink(r, "fido"), Desk: s.Keep(r, deskPath), Start: s.Keep(r, recoverPath),
		Address: r.PostForm.Get("address"), Reference: r.PostForm.Get("reference"), Same: r.PostForm.Get("same") == "yes", Form: &form, Short: viewShort(wrong), Clauses: recordClauses[s.service.Policy.Own.Framework == proofing.R4],
	}
	switch a.field {
	case "address":
		page.AddressBad = a.problem
	case "reference":
		page.ReferenceBad = a.problem
	default:
		page.Notice = a.problem
	}
	return s.Render(w, r, status, page)
}

// viewShort is what a check lacks of the level at which somebody was proofed; nil if it is not that.
func viewShort(wrong error) *templates.Worth {
	short, ok := errors.AsType[*proofing.ShortError](wrong)
	if !ok {
		return nil
	}
	return &templates.Worth{IAL: strconv.Itoa(short.IAL), Reasons: proofingReasons(short.Missing)}
}

func (s *Site) showRecovery(w http.ResponseWriter, r *http.Request) error {
	session, done, err := s.atDesk(w, r)
	if done {
		return err
	}
	return s.renderRecovery(w, r, session, nil, "")
}

func (s *Site) agreeToRecovery(w http.ResponseWriter, r *http.Request) error {
	decision := r.PostForm.Get("decision")
	if decision != "accept" && decision != "refuse" {
		return &proofing.InputError{Field: "decision", Code: "form_malformed"}
	}
	_, err := s.service.ConfirmRecovery(r.Context(), s.signedInAs(r), r.PathValue("case"), decision == "accept", r.PostForm.Get("reason"))
	if err == nil {
		s.see(w, r, recoveryPath(r.PathValue("case")))
		return nil
	}
	return s.recoveryWrong(w, r, err)
}

// giveCode makes the code, which is shown in the answer to the form and nowhere else.
func (s *Site) giveCode(w http.ResponseWriter, r *http.Request) error {
	_, code, err := s.service.GiveRecoveryCode(r.Context(), s.signedInAs(r), r.PathValue("case"))
	if err != nil {
		return s.recoveryWrong(w, r, err)
	}
	session, done, err := s.atDesk(w, r)
	if done {
		return err
	}
	return s.renderRecovery(w, r, session, nil, code)
}

func (s *Site) recoveryWrong(w http.ResponseWriter, r *http.Request, err error) error {
	return s.mistakenAtDesk(w, r, err, func(session *proofing.Session, wrong error) error {
		return s.renderRecovery(w, r, session, wrong, "")
	})
}

func (s *Site) renderRecovery(w http.ResponseWriter, r *http.Request, session *proofing.Session, wrong error, code proofing.Secret) error {
	status, a := s.statusOf(w, mistake{err: wrong})
	c, p, err := s.service.RecoveryAtDesk(r.Context(), s.signedInAs(r), r.PathValue("case"))
	if err != nil {
		return err
	}
	path, d, me := recoveryPath(c.ID), c.Desk, session.Person.ID
	page := templates.DeskRecovery{
		Frame: s.Frame(r, path), Notice: a.problem, Fresh: session.Fresh, Confirm: s.meLink(r, "fido"), Desk: s.Keep(r, deskPath),
		State: c.DeskState(s.service.Now()), Short: viewShort(wrong), Same: d.Same, Recorded: viewForm(d.Check), Reference: d.Reference, Collector: d.CollectorName, Refusal: d.Refusal, At: c.Created,
		Reason: r.PostForm.Get("reason"),
	}
	if !d.Confirmed.IsZero() {
		page.Confirmer = d.ConfirmerName
	}
	if p != nil {
		for _, b := range p.Bindings {
			page.Things = append(page.Things, templates.Thing{Kind: string(b.Contact.Channel), Shown: b.Contact.Shown})
		}
	}
	switch {
	case page.State == "waits" && d.Collector != me && c.Person != me:
		page.Agree = s.Keep(r, path+"/agree")
	case (page.State == "ready" || page.State == "given") && d.Collector == me:
		page.Give = s.Keep(r, path+"/give")
	}
	if code != "" {
		page.Code, page.Where, page.CodeUntil = code.Reveal(), s.service.Policy.Origin+regainPath, d.CodeUntil
	}
	return s.Render(w, r, status, page)
}

// recoveryRows are the recoveries that wait, for the page of the desk.
func (s *Site) recoveryRows(r *http.Request) ([]templates.RecoveryRow, error) {
	all, err := s.service.RecoveriesAtDesk(r.Context(), s.signedInAs(r))
	if err != nil {
		return nil, err
	}
	var rows []templates.RecoveryRow
	for _, c := range all {
		rows = append(rows, templates.RecoveryRow{Href: s.Keep(r, recoveryPath(c.ID)), State: c.DeskState(s.service.Now()), Collector: c.Desk.CollectorName, Since: c.Created})
	}
	return rows, nil
}
