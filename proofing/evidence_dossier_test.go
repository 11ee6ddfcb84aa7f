package proofing_test

import (
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// For whom a request was decided is who was signed: no other organization's people decide, and none of another authority.
func TestEvidenceOfDecisionsByAnotherDossierDoesNotHold(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		story func(c *court) *proofing.Case
		want  string
	}{
		"another organization's": {func(c *court) *proofing.Case {
			own := c.org
			other := c.dossier(c.specialist, "alpha", "Evil Ltd")
			evil, office := c.holds("evil", c.one, c.two, draft(proofing.RoleApprover, "alpha", other.ID))
			c.office[evil] = office
			k := c.submitted("signing")
			c.rewrites(k, func(k *proofing.Case) { k.Approval.Organization = other.ID })
			c.lends(evil, c.approver)
			c.org = other
			c.signsAnything(evil, c.approver, k, proofing.StepApprove, orgName, orgName)
			c.org = own
			must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false))
			return must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false))
		}, `is of "Evil Ltd"`},
		"of another authority": {func(c *court) *proofing.Case {
			c.dossiers(func(o *proofing.Organization) { in(&o.Journal, `"ca":"alpha"`, `"ca":"beta"`) })
			return c.granted()
		}, `is of the authority "beta", and the case of "alpha"`},
	} {
		t.Run(name, func(t *testing.T) { fails(t, x.want, x.story) })
	}
}
