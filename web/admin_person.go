package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// move is a form on the page of an appointment.
type move struct {
	path  string // under the appointment
	what  string // as in proofing.Move
	field string // what is asked; empty: nothing
	bad   bool   // it takes rights away
	fold  bool   // it is rarely wanted
	do    func(s *Site, r *http.Request, id string, seen int64) error
}

// moves are all of them.
var moves = []move{
	{"confirm", proofing.MoveConfirm, "", false, false, func(s *Site, r *http.Request, id string, seen int64) error {
		_, err := s.service.ConfirmAppointment(r.Context(), s.signedInAs(r), id, seen)
		return err
	}},
	{"suspend", proofing.MoveSuspend, "reason", true, false, func(s *Site, r *http.Request, id string, _ int64) error {
		_, err := s.service.SuspendAppointment(r.Context(), s.signedInAs(r), id, r.PostForm.Get("reason"))
		return err
	}},
	{"resume", proofing.MoveResume, "reason", false, false, func(s *Site, r *http.Request, id string, _ int64) error {
		_, err := s.service.ResumeAppointment(r.Context(), s.signedInAs(r), id, r.PostForm.Get("reason"))
		return err
	}},
	{"resume-second", proofing.MoveResume, "", false, false, func(s *Site, r *http.Request, id string, seen int64) error {
		_, err := s.service.ConfirmAsked(r.Context(), s.signedInAs(r), id, proofing.AskedResume, seen)
		return err
	}},
	{"withdraw", proofing.MoveWithdraw, "reason", true, true, ends},
	{"resign", proofing.MoveResign, "", true, true, ends},
	{"end", proofing.MoveEnd, "reason", true, true, ends},
	{"end-second", proofing.MoveEnd, "", true, false, func(s *Site, r *http.Request, id string, seen int64) error {
		_, err := s.service.ConfirmAsked(r.Context(), s.signedInAs(r), id, proofing.AskedEnd, seen)
		return err
	}},
	{"reconfirm", proofing.MoveReconfirm, "record", false, true, func(s *Site, r *http.Request, id string, _ int64) error {
		_, err := s.service.ReconfirmAppointment(r.Context(), s.signedInAs(r), id, r.PostForm.Get("record"))
		return err
	}},
}

func ends(s *Site, r *http.Request, id string, _ int64) error {
	_, err := s.service.EndAppointment(r.Context(), s.signedInAs(r), id, r.PostForm.Get("reason"))
	return err
}

// second says whether the form is the second person's.
func (m move) second() bool { return m.path == m.what+"-second" }

func (s *Site) move(m move) func(http.ResponseWriter, *http.Request, *officer) error {
	return func(w http.ResponseWriter, r *http.Request, o *officer) error {
		id := r.PathValue("appointment")
		seen, _ := strconv.ParseInt(r.PostForm.Get("seen"), 10, 64) // none is one that nobody has seen
		err := m.do(s, r, id, seen)
		if err == nil {
			if m.what == proofing.MoveResign && len(o.offices) == 1 { // there is nothing left for them to see
				s.see(w, r, mePath)
				return nil
			}
			s.see(w, r, personPath(id))
			return nil
		}
		if err = s.asConsole(err); s.answerTo(err).problem == nil {
			return err
		}
		return s.renderPerson(w, r, o, personDrawn{id: id, sent: m.path, wrong: err})
	}
}

func (s *Site) showPerson(w http.ResponseWriter, r *http.Request, o *officer) error {
	return s.renderPerson(w, r, o, personDrawn{id: r.PathValue("appointment")})
}

// personDrawn is an appointment to be drawn: with the link for who has proposed it, or with the form that has a mistake.
type personDrawn struct {
	id, link, sent string
	wrong          error
}

// personFaults are the fields at which mistakes are told, where they have another name there.
var personFaults = map[string]string{"reference": "record"}

func (s *Site) renderPerson(w http.ResponseWriter, r *http.Request, o *officer, drawn personDrawn) error {
	status, a := s.statusOf(w, mistake{err: drawn.wrong})
	d, err := s.service.AppointmentInConsole(r.Context(), s.signedInAs(r), drawn.id)
	if err != nil {
		return err
	}
	path := personPath(d.ID)
	page := templates.AdminPerson{
		AdminFrame: s.adminFrame(r, o, "people", path), Name: d.Name, Role: string(d.Role), Status: d.Falls, Awaits: string(d.Awaits), Link: drawn.link, LinkUntil: d.LinkUntil,
		Waits: d.Status == proofing.AppointmentProposed, Until: d.Until, ReconfirmBy: d.ReconfirmBy, Unheard: slices.ContainsFunc(d.Ends(), func(e proofing.RoleEnd) bool { return e.Unheard }), History: viewHistory(d.Appointment), Back: scope{}.of(s, r), Log: s.logOf(r, d.ID),
	}
	if page.Status == "" {
		page.Status = string(d.Status)
	}
	switch {
	case d.Organization != nil:
		page.Where, page.WhereHref, page.Back = legalName(d.Organization), s.Keep(r, organizationPath(d.Organization.ID)), scope{organization: d.Organization.ID}.of(s, r)
	case d.CA != "":
		page.Back = scope{ca: d.CA}.of(s, r)
		if page.Where, err = s.titleOf(r, d.CA); err != nil {
			return err
		}
	}
	if d.Passkey.Binding != "" {
		page.Passkey = &templates.AdminPasskey{Name: d.Passkey.Name, Since: d.Passkey.BoundAt, Attested: d.Passkey.Trusted, Synced: d.Passkey.Synced}
	}
	if d.Holder != nil {
		for _, b := range d.Holder.Bindings {
			if b.Gone.IsZero() {
				page.Known = append(page.Known, templates.Thing{Kind: string(b.Contact.Channel), Shown: b.Contact.Shown})
			}
		}
	}
	page.Basis = viewBasis(d)
	if d.Asked != nil {
		page.Asked = &templates.AdminAsked{What: d.Asked.What, By: d.Asked.Name, Reason: d.Asked.Reason, At: d.Asked.At}
	}
	for _, m := range d.Moves {
		page.Moves = append(page.Moves, s.viewMove(r, d, m, drawn.sent, a))
	}
	if len(page.Moves) > 0 {
		page.Stale, page.Confirm = !o.Fresh, s.confirmLink(r, path)
	}
	if !slices.ContainsFunc(page.Moves, func(m templates.AdminMove) bool {
		return slices.ContainsFunc(m.Form.Fields, func(f templates.AdminField) bool { return f.Bad != nil })
	}) {
		page.Notice = a.problem
	}
	return s.Render(w, r, status, page)
}

func viewBasis(d *proofing.Appointed) templates.AdminBasis {
	b := templates.AdminBasis{Kind: string(d.Source.Kind), Reference: d.Source.Reference, At: d.Source.At}
	if d.Warrants != nil {
		b.Signer = d.Warrants.Name
	}
	if g := d.Agreement; g != nil {
		b.Agreement = &templates.AdminAgreement{Reference: g.Reference, Version: g.Version, Signer: d.Signer.Name, Until: g.Until}
	}
	return b
}

// viewHistory is what was done to an appointment, the oldest first. Of what was done several times it is the last; the log has all.
func viewHistory(a *proofing.Appointment) (all []templates.AdminActed) {
	add := func(what string, act proofing.Act, reason string) {
		if !act.At.IsZero() {
			all = append(all, templates.AdminActed{What: what, Actor: act.By.Kind, By: act.Name, At: act.At, Reason: reason})
		}
	}
	suspended, ended := "", ""
	switch a.Status {
	case proofing.AppointmentSuspended:
		suspended = a.Reason
	case proofing.AppointmentEnded:
		ended = a.Reason
	}
	add("proposed", a.Proposed, "")
	add("accepted", a.Accepted, "")
	add("seconded", a.Seconded, "")
	add("confirmed", a.Confirmed, "")
	add("suspended", a.Suspended, suspended)
	add("resumed", a.Resumed, "")
	add("reconfirmed", a.Reconfirmed, "")
	if a.Asked != nil {
		add("asked_"+a.Asked.What, a.Asked.Act, a.Asked.Reason)
	}
	add("ended", a.Ended, ended)
	slices.SortStableFunc(all, func(x, y templates.AdminActed) int { return x.At.Compare(y.At) })
	return all
}

func (s *Site) viewMove(r *http.Request, d *proofing.Appointed, m proofing.Move, sent string, a answer) templates.AdminMove {
	i := slices.IndexFunc(moves, func(x move) bool { return x.what == m.What && x.second() == m.Second })
	form := moves[i]
	v := templates.AdminMove{What: m.What, Bad: form.bad, Fold: form.fold}
	switch {
	case m.Second:
		v.What += "_second"
	case m.What == proofing.MoveConfirm && d.Awaits == proofing.AwaitsTwo:
		v.What += "_two"
	}
	if m.Deny != "" {
		v.Deny = &templates.Problem{Family: "input", Code: m.Deny}
		return v
	}
	// The number of the last entry says which state of the appointment was shown.
	v.Form = templates.AdminForm{
		Name: form.path, Action: s.Keep(r, personPath(d.ID)+"/"+form.path), Hidden: []templates.Choice{{Name: "seen", Title: strconv.FormatInt(d.Journal.Written, 10)}},
	}
	if form.field != "" {
		v.Form.Fields = []templates.AdminField{{Name: form.field, Type: "text", Must: true, Max: 300}}
	}
	fault := a.field
	if to := personFaults[fault]; to != "" {
		fault = to
	}
	fillForm(&v.Form, sent == form.path, url.Values(r.PostForm), fault, a.problem)
	v.Form.Once = "" // each of them may come twice
	return v
}
