package proofing_test

import (
	"slices"
	"testing"

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
	if len(three.roles()) != 0 || a.Awaits() != proofing.AwaitsTwo || !a.Deadline().IsZero() {
		t.Fatalf("whoever has the link is %v; it waits for %q until %s", three.roles(), a.Awaits(), a.Deadline())
	}
	operator, _ := w.holds("operator", one, two, draft(proofing.RoleOperator, "alpha", ""))
	_, err = operator.confirms(a)
	wantErr(t, "confirmed by an operator of an authority", err, proofing.ErrNotFound)
	for range 2 { // one person's word stays one, however often it is given
		if a = must[*proofing.Appointment](t)(one.confirms(w.office(a))); a.Status != proofing.AppointmentAccepted || len(three.roles()) != 0 || a.Awaits() != proofing.AwaitsSecond {
			t.Fatalf("after one: %s, %v, waits for %q", a.Status, three.roles(), a.Awaits())
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
