package proofing_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// tries makes the call of a move in a way that changes nothing: something that the verb asks for is missing, and its answer, which is
// the code that is returned, says that the person may make the move.
func (s *staffed) tries(r *representative, a *proofing.Appointment, m proofing.Move) (may string, err error) {
	ctx, v := s.t.Context(), r.visit()
	seen := s.office(a).Journal.Written
	switch {
	case m.What == proofing.MoveConfirm && m.Deny == "":
		_, err = s.ConfirmAppointment(ctx, v, a.ID, seen+1)
		return "appointment_changed", err
	case m.What == proofing.MoveConfirm:
		_, err = s.ConfirmAppointment(ctx, v, a.ID, seen)
	case m.What == proofing.MoveSuspend:
		_, err = s.SuspendAppointment(ctx, v, a.ID, "")
	case m.What == proofing.MoveReconfirm:
		_, err = s.ReconfirmAppointment(ctx, v, a.ID, "")
		return "appointment_reference", err
	case m.Second && m.Deny == "":
		_, err = s.ConfirmAsked(ctx, v, a.ID, m.What, seen+1)
		return "appointment_changed", err
	case m.Second:
		_, err = s.ConfirmAsked(ctx, v, a.ID, m.What, seen)
	case m.What == proofing.MoveResume:
		_, err = s.ResumeAppointment(ctx, v, a.ID, "")
	default:
		_, err = s.EndAppointment(ctx, v, a.ID, "")
	}
	return "appointment_reason", err
}

func TestTheConsoleOffersWhatTheVerbsAllow(t *testing.T) {
	s := staff(t)
	ctx := t.Context()
	open := must[*proofing.Appointment](t)(s.one.proposes(draft(proofing.RoleSpecialist, "alpha", "")))
	waiting := must[*proofing.Appointment](t)(s.one.proposes(draft(proofing.RoleReviewer, "alpha", "")))
	byOperator := must[*proofing.Appointment](t)(s.who["alpha-ope"].proposes(draft(proofing.RoleReviewer, "alpha", "")))
	must[*proofing.Appointment](t)(s.member("taker").accepts(waiting))
	must[*proofing.Appointment](t)(s.member("othertaker").accepts(byOperator))
	operator, approver, signer, requester := s.who["alpha-ope"], s.held["alpha-app"], s.held["alpha-con"], s.held["alpha-req"]
	operator.renew()
	must[*proofing.Appointment](t)(s.SuspendAppointment(ctx, operator.visit(), approver.ID, "lost a key"))
	must[*proofing.Appointment](t)(s.SuspendAppointment(ctx, operator.visit(), signer.ID, "lost a key"))
	must[*proofing.Appointment](t)(s.ResumeAppointment(ctx, operator.visit(), signer.ID, "found it"))
	must[*proofing.Appointment](t)(s.EndAppointment(ctx, operator.visit(), requester.ID, "left"))
	specialist := s.held["alpha-val"]
	must[*proofing.Appointment](t)(s.EndAppointment(ctx, operator.visit(), specialist.ID, "left"))
	gone := s.held["other-req"]
	must[*proofing.Appointment](t)(s.EndAppointment(ctx, operator.visit(), gone.ID, "left"))
	s.one.renew()
	must[*proofing.Appointment](t)(s.EndAppointment(ctx, s.one.visit(), gone.ID, ""))

	offered := map[string]int{}
	s.who["second administrator"] = s.two
	for name, r := range s.who {
		r.renew()
		for _, a := range []*proofing.Appointment{open, waiting, byOperator, approver, signer, requester, specialist, gone, s.held["alpha-rev"], s.adminOf(s.two)} {
			before := s.office(a).Journal.Written
			d, err := s.AppointmentInConsole(ctx, r.visit(), a.ID)
			if errors.Is(err, proofing.ErrNotFound) {
				d = &proofing.Appointed{}
			} else if err != nil {
				t.Fatal(err)
			}
			if d.Appointment != nil && d.Link != "" {
				t.Errorf("%s sees the link", name)
			}
			for _, m := range d.Moves {
				offered[m.What+" "+m.Deny]++
				if m.What == proofing.MoveResign { // nothing keeps them from it, and nothing is asked
					continue
				}
				code, err := s.tries(r, a, m)
				switch m.Deny {
				case "":
				case proofing.DenyAskedByYou: // once more changes nothing
					if err != nil {
						t.Errorf("%s asks once more to %s %s: %v", name, m.What, a.Role, err)
					}
					continue
				default:
					code = m.Deny
				}
				wantInput(t, name+": "+m.What+" "+string(a.Role), err, code)
			}
			for _, what := range []string{proofing.MoveConfirm, proofing.MoveSuspend, proofing.MoveResume, proofing.MoveWithdraw, proofing.MoveReconfirm} {
				if slices.ContainsFunc(d.Moves, func(m proofing.Move) bool {
					return m.What == what || what == proofing.MoveWithdraw && (m.What == proofing.MoveEnd || m.What == proofing.MoveResign)
				}) {
					continue
				}
				_, err := s.tries(r, a, proofing.Move{What: what})
				var input *proofing.InputError
				asksFirst := errors.As(err, &input) && input.Code == "appointment_reason" && what != proofing.MoveConfirm     // of what has another status
				if !errors.Is(err, proofing.ErrNotFound) && !errors.Is(err, proofing.ErrClosed) && !asksFirst && err != nil { // what they have done already may come twice
					t.Errorf("%s is not offered to %s %s, and gets %v", name, what, a.Role, err)
				}
			}
			if s.office(a).Journal.Written != before {
				t.Fatalf("%s has changed %s by what changes nothing", name, a.Role)
			}
		}
	}
	for _, move := range []string{
		"confirm ", "confirm appointment_proposer", "suspend ", "resume ", "resume appointment_asked", "withdraw ", "resign ", "end ", "end appointment_asked", "reconfirm ", "reconfirm appointment_own",
	} {
		if offered[move] == 0 {
			t.Errorf("nobody met %q: %v", move, offered)
		}
	}
}

func TestTheSecondOfTwoConfirmsWhatTheyHaveSeen(t *testing.T) {
	w, one, two := administered(t)
	ctx := t.Context()
	_, a := w.holds("operator", one, two, draft(proofing.RoleOperator, "alpha", ""))
	one.renew()
	two.renew()
	_, err := w.ConfirmAsked(ctx, two.visit(), a.ID, proofing.AskedEnd, w.office(a).Journal.Written)
	wantInput(t, "nobody has asked", err, "appointment_changed")
	_, err = w.ConfirmAsked(ctx, two.visit(), a.ID, "confirm", 1)
	wantInput(t, "no such change", err, "appointment_changed")
	asked := must[*proofing.Appointment](t)(w.EndAppointment(ctx, one.visit(), a.ID, "has left"))
	for _, seen := range []int64{0, -1, asked.Journal.Written - 1, asked.Journal.Written + 1} {
		_, err = w.ConfirmAsked(ctx, two.visit(), a.ID, proofing.AskedEnd, seen)
		wantInput(t, "another page", err, "appointment_changed")
	}
	if got := must[*proofing.Appointment](t)(w.ConfirmAsked(ctx, one.visit(), a.ID, proofing.AskedEnd, asked.Journal.Written)); got.Status != proofing.AppointmentActive {
		t.Error("one person is both")
	}
	for range 2 { // it may come twice
		if got := must[*proofing.Appointment](t)(w.ConfirmAsked(ctx, two.visit(), a.ID, proofing.AskedEnd, asked.Journal.Written)); got.Status != proofing.AppointmentEnded || got.Reason != "has left" {
			t.Errorf("it is %s: %s", got.Status, got.Reason)
		}
	}
}

func TestARosterPassesOverWhatHasAnotherStatus(t *testing.T) {
	s := staff(t)
	q := proofing.AppointmentsQuery{Status: proofing.AppointmentSuspended, Limit: 3}
	s.one.renew()
	must[*proofing.Appointment](t)(s.SuspendAppointment(t.Context(), s.one.visit(), s.held["other-req"].ID, "why"))
	rows, next, err := s.Roster(t.Context(), s.one.visit(), q)
	if err != nil || len(rows) != 1 || next != "" || rows[0].ID != s.held["other-req"].ID || rows[0].Falls != "suspended" || rows[0].Organization != "Other SARL" {
		t.Errorf("%d rows, next %q, %v: %+v", len(rows), next, err, rows)
	}
	q.Status = ""
	n := 0
	for more := true; more; more = q.After != "" {
		var rows []proofing.Rostered
		if rows, q.After, err = s.Roster(t.Context(), s.one.visit(), q); err != nil || len(rows) > 3 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		n += len(rows)
	}
	if n != len(s.held)+2 {
		t.Errorf("%d of %d appointments", n, len(s.held)+2)
	}
}
