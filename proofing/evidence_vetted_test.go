package proofing_test

import (
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// A request for one CSR takes a specialist's word like any other, if it is beneath nothing for which there was one.
func TestEvidenceOfARequestForACSRThatNobodyVettedDoesNotHold(t *testing.T) {
	fails(t, `nobody has made the decision "vet"`, func(c *court) *proofing.Case {
		r := c.asks("signing")
		r.CSRDigest, r.CSR = "csr-9", &proofing.CSR{Digest: "csr-9", Key: proofing.KeyP256}
		k, _, err := c.Open(t.Context(), c.ca, r)
		if err != nil {
			t.Fatal(err)
		}
		k = must[*proofing.Case](t)(c.use(visit(k, "requester"), c.requester.key))
		c.work()
		c.rewrites(k, func(k *proofing.Case) { k.Parent = k.ID })
		must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
		k = must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false))
		c.rewrites(k, func(k *proofing.Case) { k.Parent = "" })
		return k
	})
}
