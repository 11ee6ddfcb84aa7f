package proofing_test

import (
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// finds has the log of a request say that the specialist has found or explained a discrepancy, of which the store knows nothing.
func (c *court) finds(k *proofing.Case, kind proofing.EntryKind) {
	c.t.Helper()
	c.findsBy(k, kind, proofing.Actor{Kind: "person", ID: c.specialist.person(), Role: proofing.RoleSpecialist, Appointment: c.office[c.specialist].ID})
}

func (c *court) findsBy(k *proofing.Case, kind proofing.EntryKind, by proofing.Actor) {
	c.t.Helper()
	c.rewrites(k, func(k *proofing.Case) {
		k.Journal.Write(proofing.Note{Of: proofing.SubjectCase, Object: k.ID, Kind: kind, At: c.clock(), Facts: map[string]any{"discrepancy": "x"}, By: by})
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
		"that was explained once it was vetted":   {[]proofing.EntryKind{proofing.CaseDiscrepancy}, []proofing.EntryKind{proofing.CaseResolved}, "that everything is complete since the discrepancy"},
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

// What was collected for an authorization knows nothing of what is found about a CSR beneath it, in whatever stage: online it is vetted then, and the file takes as much.
func TestEvidenceOfACSROverADiscrepancyThatNobodyVettedDoesNotHold(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	tree := c.stated()
	_, approval := c.approvedCSR("csr-1", keyPrint(0), func(approval *proofing.Case) {
		c.finds(approval, proofing.CaseDiscrepancy)
		c.finds(approval, proofing.CaseResolved)
	})
	if _, err := c.fileOf(tree, c.reload(approval)); err == nil || !strings.Contains(err.Error(), "that everything is complete since the discrepancy") {
		t.Errorf("%v", err)
	}
}

// Who explains a discrepancy judges requests of the authority then: the program looks at it, and so does who checks the file.
func TestEvidenceOfADiscrepancyThatNobodyCouldExplainDoesNotHold(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		by   func(c *court) proofing.Actor
		want string
	}{
		"an administrator": {func(c *court) proofing.Actor {
			return proofing.Actor{Kind: "person", ID: c.one.person(), Role: proofing.RoleAdministrator, Appointment: c.office[c.specialist].ID}
		}, `did it as "administrator"`},
		"the operator, on the server": {func(c *court) proofing.Actor { return proofing.Actor{Kind: "operator"} }, "by somebody who could not"},
		"by a role that is another's": {func(c *court) proofing.Actor {
			return proofing.Actor{Kind: "person", ID: c.one.person(), Role: proofing.RoleSpecialist, Appointment: c.office[c.specialist].ID}
		}, "no role of validation_specialist then"},
		"a specialist of another authority": {func(c *court) proofing.Actor {
			other, office := c.holds("other", c.one, c.two, draft(proofing.RoleSpecialist, "alpha", ""))
			if err := edit(c.Appointments, office.ID, func(a *proofing.Appointment) {
				for i := range a.Journal.Pending {
					a.Journal.Pending[i].Leaf = strings.Replace(a.Journal.Pending[i].Leaf, `"ca":"alpha"`, `"ca":"beta"`, 1)
				}
			}); err != nil {
				t.Fatal(err)
			}
			return proofing.Actor{Kind: "person", ID: other.person(), Role: proofing.RoleSpecialist, Appointment: office.ID}
		}, `is of the ca "beta"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fails(t, x.want, func(c *court) *proofing.Case {
				by := x.by(c)
				k := c.submitted("signing")
				must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
				c.finds(k, proofing.CaseDiscrepancy)
				c.findsBy(k, proofing.CaseResolved, by)
				must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false))
				return must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false))
			})
		})
	}
}
