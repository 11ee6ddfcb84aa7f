package proofing_test

import (
	"errors"
	"testing"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// Whoever holds the link of a request for an organization may have any passkey at hand; one that is of nobody who may ask is turned away, and the request waits for whoever may.
func TestTheWrongPasskeyDoesNotEndARequestForAnOrganization(t *testing.T) {
	c := newCourt(t)
	k, _, err := c.Open(t.Context(), c.ca, c.asks("signing"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*representative{c.signer, c.reviewer, c.one, c.member("nobody")} {
		if _, err := c.use(visit(k, r.name), r.key); !errors.Is(err, proofing.ErrNotRequester) {
			t.Errorf("%s: %v", r.name, err)
		}
	}
	_, err = c.enrol(visit(k, "newcomer"), webauthntest.New())
	wantErr(t, "with a passkey that is created for it", err, proofing.ErrNotAdmitted)
	if got := c.reload(k); got.Status != proofing.CaseOpen || got.Person != "" || len(got.Evidence) != 0 {
		t.Fatalf("it is %s, of %q, with %d events", got.Status, got.Person, len(got.Evidence))
	}
	k = must[*proofing.Case](t)(c.use(visit(k, "requester"), c.requester.key))
	if c.work(); k.Status != proofing.CaseReview || k.Approval.Stage != proofing.StageSubmitted {
		t.Errorf("with the requester's it is %s", k.Status)
	}
}
