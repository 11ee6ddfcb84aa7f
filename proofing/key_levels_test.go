package proofing_test

import (
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// A key has no levels of its own: those of its profile count, as they are when somebody asks, for the keys that there are too.
func TestTheLevelsThatAKeyCarriesAreItsProfiles(t *testing.T) {
	w, c := withKeys(t)
	proofOf, issued := w.caseKey(c), w.issued(w.ca, proofing.KeyRequest{})
	must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(proofOf, 1)))
	if got := w.asks(1, proved); got.Problem != "" {
		t.Fatalf("at the profile's levels the account is told %q", got.Problem)
	}
	if v := must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(issued, 2))); v.Grant != nil {
		t.Errorf("an authority's key has the grant %+v", v.Grant)
	}
	if got := w.asks(2, proved); got.Problem != "pending" {
		t.Errorf("by an authority's key alone the account is told %q", got.Problem)
	}

	w.Policy.Profiles["email"].Require.AAL = 1 // by a mailbox alone nobody reaches it
	_, err := w.VerifyKey(t.Context(), w.ca, present(proofOf, 1))
	wantErr(t, "below the levels", err, proofing.ErrBinding)
	if got := w.asks(1, proved); got.Problem == "" {
		t.Error("below the levels the account is authorized")
	}
	must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(issued, 2))) // which says of no level that it was reached
}
