package proofing_test

import (
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// Whoever has another role gets to see the request still, and is told why they decide nothing; what they had decided before stands, also if its answer comes again.
func TestARoleThatIsWithdrawnBeforeTheSignatureDecidesNothing(t *testing.T) {
	begun := func(t *testing.T) *court {
		c := newCourt(t)
		c.adds(c.approver, c.one, c.two, draft(proofing.RoleRequester, "alpha", c.org.ID))
		return c
	}
	suspend := func(c *court) {
		c.one.renew()
		must[*proofing.Appointment](t)(c.SuspendAppointment(t.Context(), c.one.visit(), c.office[c.approver].ID, "a doubt"))
	}
	t.Run("before it", func(t *testing.T) {
		c := begun(t)
		k := c.submitted("signing")
		answer := c.signs(c.approver.key, must[*proofing.Signing](t)(c.asked(c.approver, k, proofing.StepApprove, false)))
		suspend(c)
		for range 2 {
			_, err := c.Decide(t.Context(), c.approver.visit(), answer)
			wantInput(t, "a role that is theirs no more", err, "decide_role")
		}
		if k = c.reload(k); len(k.Approval.Decisions) > 0 {
			t.Errorf("decided: %+v", k.Approval.Decisions)
		}
	})
	t.Run("after it, before the browser has heard", func(t *testing.T) {
		c := begun(t)
		k := c.submitted("signing")
		answer := c.signs(c.approver.key, must[*proofing.Signing](t)(c.asked(c.approver, k, proofing.StepApprove, false)))
		if _, _, err := c.TakeSignature(t.Context(), c.approver.visit(), answer); err != nil {
			t.Fatal(err)
		}
		asked := must[*proofing.Case](t)(c.Cases.Get(t.Context(), c.approver.session.ID)).Signing
		must[*proofing.Case](t)(c.Decide(t.Context(), c.approver.visit(), answer))
		suspend(c)
		must[*proofing.Case](t)(c.Cases.Update(t.Context(), c.approver.session.ID, func(own *proofing.Case) error { // as where the process has died before it was forgotten
			own.Signing = asked
			return nil
		}))
		got := must[*proofing.Case](t)(c.Decide(t.Context(), c.approver.visit(), answer))
		if got.ID != k.ID || len(got.Approval.Decisions) != 1 || must[*proofing.Case](t)(c.Cases.Get(t.Context(), c.approver.session.ID)).Signing != nil {
			t.Errorf("the same answer again: %s with %+v", got.ID, got.Approval.Decisions)
		}
	})
}
