package proofing_test

import (
	"maps"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// toldOf counts the notices of a kind by whom they went to, by mail and by text message; each must say the same.
func (c *court) toldOf(kind string, check func(proofing.Message) bool) (mails map[string]int, texts int) {
	c.t.Helper()
	mails = map[string]int{}
	for _, m := range c.post.all(kind) {
		if mails[m.To.Reveal()]++; !check(m) {
			c.t.Errorf("it says %+v", m)
		}
	}
	return mails, len(c.texts("sms_" + kind))
}

func TestEverybodyConcernedHearsThatAnApproverIsConfirmedAgain(t *testing.T) {
	c := newCourt(t)
	c.holds("operator", c.one, c.two, draft(proofing.RoleOperator, "alpha", ""))
	_, a := c.preauthorized(3000*someDay, 0)
	c.pass(300 * someDay)
	c.work()
	c.post.forget()
	c.one.renew()
	must[*proofing.Appointment](t)(c.ReconfirmAppointment(t.Context(), c.one.visit(), a.ID, "file 18"))
	c.work()
	mails, texts := c.toldOf("appointment", func(m proofing.Message) bool {
		return m.About == "pre" && m.Role == proofing.RoleApprover && m.Context.Reason == "reconfirmed" && m.By == "One"
	})
	if !maps.Equal(mails, each(1, "one", "two", "operator", "pre")) || texts != 1 {
		t.Errorf("told were %v, and %d by text message", mails, texts)
	}
}

func TestEverybodyConcernedHearsOfAnApprovalRule(t *testing.T) {
	c := newCourt(t)
	operator, _ := c.holds("operator", c.one, c.two, draft(proofing.RoleOperator, "alpha", ""))
	c.approver.numbered("+447400123456")
	rule := proofing.ApprovalRule{Needed: 2}
	sets := func(r *representative, name, what string) {
		t.Helper()
		c.post.forget()
		r.renew()
		for range 2 { // once more is nothing new
			must[*proofing.Organization](t)(c.SetApprovalRule(t.Context(), r.visit(), c.org.ID, rule))
		}
		c.work()
		mails, texts := c.toldOf("dossier_rule", func(m proofing.Message) bool {
			return m.Context.Reason == what && m.Context.Identifier == orgName && m.By == name && m.Link.Reveal() == "https://proof.example.org/admin/organizations/"+c.org.ID
		})
		if !maps.Equal(mails, each(1, "one", "two", "operator", "approver", "second", "signer")) || texts != 1 {
			t.Errorf("%s: told were %v, and %d by text message", what, mails, texts)
		}
	}
	sets(c.one, "One", "proposed")
	sets(operator, "operator", "set")
}
