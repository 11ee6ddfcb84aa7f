package proofing_test

import (
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// What an organization has said of who approves for it is in its dossier's entries: no program asks others, or fewer, or in another order.
func TestEvidenceIsHeldToTheOrganizationsRule(t *testing.T) {
	t.Parallel()
	// rules has two set a rule, of which the store then knows another one.
	rules := func(c *court, rule, forged proofing.ApprovalRule) {
		for _, r := range []*representative{c.one, c.two} {
			r.renew()
			must[*proofing.Organization](t)(c.SetApprovalRule(t.Context(), r.visit(), c.org.ID, rule))
		}
		c.pass(2 * time.Minute) // longer than clocks differ
		c.dossiers(func(o *proofing.Organization) { o.Rule = forged })
	}
	both := func(c *court) []string { return []string{c.office[c.approver].ID, c.office[c.second].ID} }
	byBoth := func(c *court) *proofing.Case {
		k := c.submitted("signing")
		must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
		must[*proofing.Case](t)(c.decides(c.second, k, proofing.StepApprove, false))
		must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false))
		return must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false))
	}
	const asks = "the organization's rule asks for"
	for name, x := range map[string]struct {
		story func(c *court) *proofing.Case
		want  string
	}{
		"fewer than it asks for": {func(c *court) *proofing.Case {
			rules(c, proofing.ApprovalRule{Needed: 2, Of: both(c)}, proofing.ApprovalRule{Needed: 1})
			return c.granted()
		}, asks},
		"another than it names": {func(c *court) *proofing.Case {
			rules(c, proofing.ApprovalRule{Needed: 1, Of: both(c)[1:]}, proofing.ApprovalRule{Needed: 1})
			return c.granted()
		}, asks},
		"in another order": {func(c *court) *proofing.Case {
			rules(c, proofing.ApprovalRule{Needed: 2, Of: []string{both(c)[1], both(c)[0]}, InOrder: true}, proofing.ApprovalRule{Needed: 2, Of: both(c), InOrder: true})
			return byBoth(c)
		}, asks},
		"a rule that one has set alone": {func(c *court) *proofing.Case {
			c.logged()
			rules(c, proofing.ApprovalRule{Needed: 1}, proofing.ApprovalRule{Needed: 1})
			rules(c, proofing.ApprovalRule{Needed: 1, Of: both(c)}, proofing.ApprovalRule{Needed: 1, Of: both(c)})
			c.dossiers(func(o *proofing.Organization) { in(&o.Journal, c.two.person(), c.one.person()) })
			return c.granted()
		}, "sets a rule that no second person has proposed"},
		"a rule by one whom it names": {func(c *court) *proofing.Case {
			c.logged()
			rules(c, proofing.ApprovalRule{Needed: 1, Of: both(c)}, proofing.ApprovalRule{Needed: 1, Of: both(c)})
			c.dossiers(func(o *proofing.Organization) { in(&o.Journal, c.two.person(), c.second.person()) })
			return c.granted()
		}, "has a part in a rule that names them"},
		"as it asks": {func(c *court) *proofing.Case {
			rule := proofing.ApprovalRule{Needed: 2, Of: both(c), InOrder: true}
			rules(c, rule, rule)
			return byBoth(c)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if x.want != "" {
				fails(t, x.want, x.story)
				return
			}
			c := newCourt(t)
			tree := c.stated()
			if _, err := c.fileOf(tree, x.story(c)); err != nil {
				t.Error(err)
			}
		})
	}
}
