package web

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// Somebody takes up a role by the link that they were given. The link shows for whom it is to whoever has it, and what it gives
// takes a passkey and mostly another person.

func joinPath(ref string) string { return proofing.JoinPath + url.PathEscape(ref) }

func (s *Site) showJoin(w http.ResponseWriter, r *http.Request) error {
	return s.renderJoin(w, r, nil)
}

func (s *Site) join(w http.ResponseWriter, r *http.Request) error {
	_, err := s.service.AcceptAppointment(r.Context(), s.signedInAs(r), proofing.Secret(r.PathValue("ref")))
	if err == nil || errors.Is(err, proofing.ErrAttemptOver) { // the page says that it is over
		s.see(w, r, joinPath(r.PathValue("ref")))
		return nil
	}
	if errors.Is(err, proofing.ErrNotFound) { // of the link, or nobody is signed in any more
		return s.renderJoin(w, r, nil)
	}
	if err = notFresh(err); s.answerTo(err).problem == nil {
		return err
	}
	return s.renderJoin(w, r, err)
}

func (s *Site) renderJoin(w http.ResponseWriter, r *http.Request, wrong error) error {
	a, err := s.service.AppointmentByLink(r.Context(), proofing.Secret(r.PathValue("ref")))
	if err != nil {
		return err
	}
	session, err := s.service.Session(r.Context(), s.signedInAs(r))
	if err := ignore(err, proofing.ErrNotFound); err != nil {
		return err
	}
	status, said := s.statusOf(w, mistake{err: wrong})
	path := joinPath(r.PathValue("ref"))
	page := templates.AdminJoin{AdminFrame: s.adminFrame(r, nil, "", path), Notice: said.problem, SignedIn: session != nil}
	if err := s.viewJoin(r, &page, a, session); err != nil {
		return err
	}
	switch {
	case page.State == "active" || page.State == "active_first":
		page.Console = s.Keep(r, proofing.AdminPath)
	case page.State != "open":
	case session == nil:
		page.SignIn = s.path(r, signInPath, "to", path)
	default:
		if page.Have, err = s.viewHave(r, session); err != nil {
			return err
		}
		page.Leave = s.Keep(r, "/me/sign-out")
		if session.Fresh && strong(session) {
			page.Fresh, page.Take = true, s.Keep(r, path)
		} else {
			page.SignIn = s.confirmLink(r, path)
		}
	}
	return s.Render(w, r, status, page)
}

// viewHave are the roles that somebody has, or has taken up: who takes up one more is to know as whom they do.
func (s *Site) viewHave(r *http.Request, session *proofing.Session) (have []templates.AdminHeld, err error) {
	mine, err := s.service.Offices(r.Context(), session.Person.ID)
	if err != nil {
		return nil, err
	}
	pending, err := s.service.Pending(r.Context(), s.signedInAs(r))
	if err := ignore(err, proofing.ErrNotAdmitted); err != nil { // which they hear when they go on
		return nil, err
	}
	for _, a := range append(mine, pending...) {
		where, err := s.whereOf(r, a)
		if err != nil {
			return nil, err
		}
		have = append(have, templates.AdminHeld{Role: string(a.Role), Where: where})
	}
	return have, nil
}

// viewJoin is how an appointment stands, for whoever may know.
func (s *Site) viewJoin(r *http.Request, page *templates.AdminJoin, a *proofing.Appointment, session *proofing.Session) (err error) {
	if page.State = joinState(a, session); page.State == "over" {
		return nil
	}
	if page.State == "waits" {
		awaits, err := s.service.Awaits(r.Context(), a)
		if err != nil {
			return err
		}
		page.State += "_" + string(awaits)
	}
	page.For, page.Role, page.By, page.Until = a.Name, string(a.Role), a.Proposed.Name, a.LinkUntil
	page.Where, err = s.whereOf(r, a)
	return err
}

// strong says whether somebody has signed in as the console asks for. Whether that is so the service decides; the page only must not
// offer what it refuses.
func strong(session *proofing.Session) bool {
	a := session.Case.Grant.Assessment
	return a.AAL != nil && *a.AAL >= 2 && a.PhishingResistant
}

// joinState is how an appointment stands for whoever opens its link: "open", or a code of "join_state". What has become of it is said to
// its holder alone.
func joinState(a *proofing.Appointment, session *proofing.Session) string {
	mine := session != nil && a.Person == session.Person.ID
	switch {
	case a.Status == proofing.AppointmentProposed:
		return "open"
	case !mine:
		return "over"
	case a.Status == proofing.AppointmentAccepted:
		return "waits" // viewJoin says for what
	case a.Status == proofing.AppointmentActive && a.Beginning == proofing.BegunByBootstrap:
		return "active_first"
	case a.Status == proofing.AppointmentActive:
		return "active"
	case a.Status == proofing.AppointmentSuspended:
		return "suspended"
	}
	return "over"
}
