package proofing_test

import (
	"slices"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

func TestAnInvitedAdministratorIsConfirmedByTwo(t *testing.T) {
	w := withPasskeys(t)
	if _, err := w.InviteAdministrator(t.Context(), "Three"); err == nil {
		t.Error("somebody is invited before there is anybody")
	}
	w, one, two := administered(t)
	_, err := w.InviteAdministrator(t.Context(), " ")
	wantInput(t, "without a name", err, "appointment_name")
	a := must[*proofing.Appointment](t)(w.InviteAdministrator(t.Context(), "Three"))
	three := w.member("three")
	a = must[*proofing.Appointment](t)(three.accepts(a))
	if len(three.roles()) != 0 || w.awaits(a) != proofing.AwaitsTwo || !a.Deadline().IsZero() {
		t.Fatalf("whoever has the link is %v; it waits for %q until %s", three.roles(), w.awaits(a), a.Deadline())
	}
	operator, _ := w.holds("operator", one, two, draft(proofing.RoleOperator, "alpha", ""))
	_, err = operator.confirms(a)
	wantErr(t, "confirmed by an operator of an authority", err, proofing.ErrNotFound)
	for range 2 { // one person's word stays one, however often it is given
		if a = must[*proofing.Appointment](t)(one.confirms(w.office(a))); a.Status != proofing.AppointmentAccepted || len(three.roles()) != 0 || w.awaits(a) != proofing.AwaitsSecond {
			t.Fatalf("after one: %s, %v, waits for %q", a.Status, three.roles(), w.awaits(a))
		}
	}
	if a = must[*proofing.Appointment](t)(two.confirms(w.office(a))); a.Status != proofing.AppointmentActive {
		t.Fatalf("after two: %s", a.Status)
	}
	if roles := three.roles(); !slices.Equal(roles, []string{"administrator"}) {
		t.Errorf("they are %v", roles)
	}
	w.logged()
	if kinds := w.kinds(a.ID); !slices.Contains(kinds, "appointment_seconded person") {
		t.Errorf("the log has %v", kinds)
	}
}

// awaits is what the console says that an appointment waits for.
func (w *world) awaits(a *proofing.Appointment) proofing.Awaits {
	w.t.Helper()
	return must[proofing.Awaits](w.t)(w.Awaits(w.t.Context(), w.office(a)))
}

// Whoever confirmed an invitation first and may do so no more has confirmed nothing: what everybody is told says so, too.
func TestTheFirstOfTwoConfirmationsCountsAsLongAsWhoeverGaveItCanAct(t *testing.T) {
	w, one, two := administered(t)
	third := w.member("third")
	must[*proofing.Appointment](t)(third.accepts(must[*proofing.Appointment](t)(w.RecoverAdministration(t.Context(), "Third"))))
	w.pass(25 * time.Hour)
	one.renew()
	two.renew()
	third.renew()
	a := must[*proofing.Appointment](t)(w.InviteAdministrator(t.Context(), "Four"))
	four := w.member("four")
	must[*proofing.Appointment](t)(four.accepts(a))
	must[*proofing.Appointment](t)(one.confirms(w.office(a)))
	says := func() (list, page proofing.Awaits) {
		t.Helper()
		for _, row := range must[[]proofing.Rostered](t)(w.ListAdministrators(t.Context())) {
			if row.ID == a.ID {
				list = row.Awaits
			}
		}
		return list, must[*proofing.Appointed](t)(w.AppointmentInConsole(t.Context(), two.visit(), a.ID)).Awaits
	}
	if list, page := says(); list != proofing.AwaitsSecond || page != proofing.AwaitsSecond {
		t.Errorf("after one: %s, %s", list, page)
	}
	must[*proofing.Appointment](t)(w.SuspendByOperator(t.Context(), w.adminOf(one).ID, "stolen"))
	if list, page := says(); list != proofing.AwaitsTwo || page != proofing.AwaitsTwo {
		t.Errorf("after the one was suspended: %s, %s", list, page)
	}
	two.renew()
	if a = must[*proofing.Appointment](t)(two.confirms(w.office(a))); a.Status != proofing.AppointmentAccepted || w.awaits(a) != proofing.AwaitsSecond {
		t.Errorf("another one alone: %s, %s", a.Status, w.awaits(a))
	}
	third.renew()
	if a = must[*proofing.Appointment](t)(third.confirms(w.office(a))); a.Status != proofing.AppointmentActive {
		t.Errorf("and a second: %s", a.Status)
	}
}

// Both confirm at once, on two processes: one of them is told to look again, and nobody is an administrator by one person's word.
func TestOfTwoWhoConfirmAnInvitationAtOnceOneLooksAgain(t *testing.T) {
	for _, same := range []bool{false, true} {
		w, one, two := administered(t)
		other := w.process(w.kv)
		other.Methods, other.Policy = w.Methods, w.Policy
		a := must[*proofing.Appointment](t)(w.InviteAdministrator(t.Context(), "Three"))
		three := w.member("three")
		a = must[*proofing.Appointment](t)(three.accepts(a))
		second := two
		if same { // the same person, in two windows
			second = one
		}
		one.renew()
		second.renew()
		shown := w.office(a).Journal.Written
		var errs [2]error
		atOnce(
			func() { _, errs[0] = w.ConfirmAppointment(t.Context(), one.visit(), a.ID, shown) },
			func() { _, errs[1] = other.ConfirmAppointment(t.Context(), second.visit(), a.ID, shown) },
		)
		if a = w.office(a); a.Status != proofing.AppointmentAccepted || len(three.roles()) != 0 {
			t.Errorf("after both at once: %s, %v; %v", a.Status, three.roles(), errs)
		}
		if !same {
			winner := slices.Index(errs[:], nil)
			if winner < 0 {
				t.Fatalf("they got %v", errs)
			}
			wantInput(t, "the other", errs[1-winner], "appointment_changed")
			if a = must[*proofing.Appointment](t)([]*representative{one, two}[1-winner].confirms(a)); a.Status != proofing.AppointmentActive {
				t.Errorf("after the other has looked again: %s", a.Status)
			}
		}
	}
}
