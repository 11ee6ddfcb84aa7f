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
	if len(three.roles()) != 0 {
		t.Fatalf("whoever has the link is %v", three.roles())
	}
	operator, _ := w.holds("operator", one, two, draft(proofing.RoleOperator, "alpha", ""))
	_, err = operator.confirms(a)
	wantErr(t, "confirmed by an operator of an authority", err, proofing.ErrNotFound)
	for range 2 { // one person's word stays one, however often it is given
		if a = must[*proofing.Appointment](t)(one.confirms(w.office(a))); a.Status != proofing.AppointmentAccepted || len(three.roles()) != 0 {
			t.Fatalf("after one: %s, %v", a.Status, three.roles())
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
