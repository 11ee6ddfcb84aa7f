package proofing_test

import (
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// finds has the log of a request say that the specialist has found or explained a discrepancy, of which the store knows nothing.
func (c *court) finds(k *proofing.Case, kind proofing.EntryKind) {
	c.t.Helper()
	c.rewrites(k, func(k *proofing.Case) {
		k.Journal.Write(proofing.Note{
			Of: proofing.SubjectCase, Object: k.ID, Kind: kind, At: c.clock(), Facts: map[string]any{"discrepancy": "x"},
			By: proofing.Actor{Kind: "person", ID: c.specialist.person(), Role: proofing.RoleSpecialist, Appointment: c.office[c.specialist].ID},
		})
	})
}

// Nothing is granted over what does not fit together (CSBR 3.2.9), whatever the store knows of it.
func TestEvidenceOfAGrantOverADiscrepancyDoesNotHold(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		early, late []proofing.EntryKind // before the specialist says that everything is complete, and after
		want        string               // empty: it holds
	}{
		"that nobody has explained":               {[]proofing.EntryKind{proofing.CaseDiscrepancy}, nil, "nobody has explained the discrepancy"},
		"that came in cross-correlation":          {nil, []proofing.EntryKind{proofing.CaseDiscrepancy}, "nobody has explained the discrepancy"},
		"that was explained and not vetted again": {nil, []proofing.EntryKind{proofing.CaseDiscrepancy, proofing.CaseResolved}, "that everything is complete since the discrepancy"},
		"that was explained before":               {[]proofing.EntryKind{proofing.CaseDiscrepancy, proofing.CaseResolved}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			story := func(c *court) *proofing.Case {
				k := c.submitted("signing")
				must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
				for _, kind := range x.early {
					c.finds(k, kind)
				}
				must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false))
				for _, kind := range x.late {
					c.finds(k, kind)
				}
				return must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false))
			}
			if x.want != "" {
				fails(t, x.want, story)
				return
			}
			c := newCourt(t)
			tree := c.stated()
			if _, err := c.fileOf(tree, story(c)); err != nil {
				t.Error(err)
			}
		})
	}
}

// A specialist's word is no word for what was found after it, though the request was back at its approvers by then.
func TestEvidenceOfAGrantOverWhatWasFoundAfterItWentBackDoesNotHold(t *testing.T) {
	t.Parallel()
	fails(t, "that everything is complete since the discrepancy", func(c *court) *proofing.Case {
		k := c.goneBack()
		c.finds(k, proofing.CaseDiscrepancy)
		c.finds(k, proofing.CaseResolved)
		must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
		return must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false))
	})
}

// Nobody vets a CSR beneath an authorization unless something is found in it, and then somebody does: that its approvers decide after it is not enough.
func TestEvidenceOfAGrantForACSROverWhatNobodyHasVettedDoesNotHold(t *testing.T) {
	t.Parallel()
	fails(t, "that everything is complete since the discrepancy", func(c *court) *proofing.Case {
		_, approval := c.approvedCSR("csr", "", func(approval *proofing.Case) {
			c.finds(approval, proofing.CaseDiscrepancy)
			c.finds(approval, proofing.CaseResolved)
		})
		return approval
	})
}
