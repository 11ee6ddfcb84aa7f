package proofing_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// signedPolicy and nextPolicy are two more by which the court's requests may be granted.
const (
	signedPolicy = `{"profiles":{"signing":{"approvals":"1","approve":"pre-authorized"},"third":{"approvals":"1"}}}`
	nextPolicy   = `{"profiles":{"signing":{"approvals":"1","approve":"pre-authorized"},"fourth":{"approvals":"1"}}}`
)

// named says in which records of roles and policies a text stands.
func (c *court) named(text string) (where []string) {
	c.t.Helper()
	look := func(what string, v any) {
		if said := must[[]byte](c.t)(json.Marshal(v)); strings.Contains(string(said), text) {
			where = append(where, what)
		}
	}
	all, _, err := c.Appointments.List(c.t.Context(), proofing.Query{Index: "all", Below: "\x7f", Limit: 200})
	if err != nil {
		c.t.Fatal(err)
	}
	for _, a := range all {
		a.Outbox = proofing.Outbox{}
		look("an appointment", a)
	}
	b, decided, _, err := c.ListPolicies(c.t.Context(), "", 500)
	if err != nil {
		c.t.Fatal(err)
	}
	b.Outbox, b.Settled = proofing.Outbox{}, nil
	look("the policy book", b)
	for _, p := range decided {
		look("a proposal that was "+string(p.Outcome), p)
	}
	return where
}

// administrator is one more, of a name of their own, who has also given and taken roles.
func (c *court) administrator(id, name string) *representative {
	c.t.Helper()
	d := draft(proofing.RoleAdministrator, "", "")
	d.Name = name
	c.pass(25 * time.Hour) // or too many are proposed in a day
	r := c.member(id)
	c.one.renew()
	c.office[r] = c.adds(r, c.one, c.two, d)
	r.renew()
	must[*proofing.Appointment](c.t)(c.SuspendAppointment(c.t.Context(), r.visit(), c.office[c.second].ID, "a doubt"))
	for _, by := range []*representative{r, c.one} {
		by.renew()
		if by == r {
			must[*proofing.Appointment](c.t)(c.ResumeAppointment(c.t.Context(), by.visit(), c.office[c.second].ID, "a mistake"))
		} else {
			must[*proofing.Appointment](c.t)(c.ConfirmAsked(c.t.Context(), by.visit(), c.office[c.second].ID, proofing.AskedResume, c.world.office(c.office[c.second]).Journal.Written))
		}
	}
	return r
}

// The name of somebody who is erased goes from all records of roles and policies but from what evidence needs: what they have signed for a policy by which certificates
// were granted, until two years after there can be any. By that the evidence holds as before.
func TestTheNameOfWhoIsErasedStaysWhereEvidenceNeedsItAloneAndForAsLong(t *testing.T) {
	const name = "Thea Third"
	c, tree := governed(t, evPolicy)
	three := c.administrator("three", name)
	c.offers(laterPolicy)
	must[*proofing.PolicyBook](t)(three.decidesPolicy(true)) // nothing came of it
	c.pass(11 * time.Minute)
	c.offers(signedPolicy)
	must[*proofing.PolicyBook](t)(three.decidesPolicy(false))
	must[*proofing.PolicyBook](t)(c.two.decidesPolicy(false))
	c.Policy.Text, c.Policy.Digest = signedPolicy, proofing.PolicyDigest(signedPolicy)
	k := c.granted()
	if len(c.named(name)) < 4 {
		t.Fatalf("before, it stands in %v", c.named(name))
	}
	three.renew()
	if err := c.Erase(t.Context(), three.visit()); err != nil {
		t.Fatal(err)
	}
	c.work()
	if got := fmt.Sprint(c.named(name)); got != "[a proposal that was approved]" {
		t.Errorf("it stands in %s", got)
	}
	e, err := c.fileOf(tree, k)
	if err != nil || len(e.Policies) != 2 {
		t.Fatalf("the evidence of what was granted: %v", err)
	}
	key, _ := logKey(t, tree)
	if _, err := e.Verify(key); err != nil {
		t.Error(err)
	}
	// In force it is needed, however long that lasts.
	c.pass(2017 * 24 * time.Hour)
	c.work()
	if got := fmt.Sprint(c.named(name)); got != "[a proposal that was approved]" {
		t.Errorf("while its policy is in force it stands in %s", got)
	}
	c.offers(nextPolicy)
	must[*proofing.PolicyBook](t)(c.one.decidesPolicy(false))
	must[*proofing.PolicyBook](t)(c.two.decidesPolicy(false))
	c.pass(2015 * 24 * time.Hour)
	c.work()
	if len(c.named(name)) != 1 {
		t.Error("it went while evidence may need it")
	}
	c.pass(2 * 24 * time.Hour)
	c.work()
	if got := c.named(name); len(got) != 0 {
		t.Errorf("in the end it stands in %v", got)
	}
	for _, p := range must[[]*proofing.PolicyProposal](t)(c.decidedPolicies()) {
		if p.Digest == proofing.PolicyDigest(signedPolicy) && (len(p.Decisions) != 2 || p.Decisions[1].Signature.Document == "") {
			t.Errorf("what the other one has signed is gone: %+v", p.Decisions)
		}
	}
}

func (c *court) decidedPolicies() ([]*proofing.PolicyProposal, error) {
	_, all, _, err := c.ListPolicies(c.t.Context(), "", 500)
	return all, err
}

// The process dies at each write of what has a name, before and after it, while an administrator is erased: whoever goes on takes every name. (That it may die at any
// other call is shown of whoever is erased.)
func TestTheProcessMayDieWhileANameIsErased(t *testing.T) {
	t.Parallel()
	c, _ := governed(t, evPolicy)
	deaths := 0
	for _, prefix := range []string{"r/appointment/", "r/policy_book/", "r/policy_proposal/"} {
		for _, after := range []bool{false, true} {
			for n, broke := int64(1), true; broke; n++ {
				deaths++
				name := fmt.Sprintf("Thea %d Third", deaths)
				three := c.administrator(fmt.Sprint("three-", deaths), name)
				c.offers(fmt.Sprintf(`{"profiles":{"signing":{"approvals":"1"},"p%d":{"approvals":"1"}}}`, deaths))
				must[*proofing.PolicyBook](t)(three.decidesPolicy(true))
				three.renew()
				dying := c.process(&diesWriting{KV: c.kv, prefix: prefix, n: n, after: after})
				dying.Methods, dying.Policy = c.Methods, c.Policy
				broke = dying.Erase(t.Context(), three.visit()) != nil
				c.work()
				if got := c.named(name); len(got) != 0 {
					t.Errorf("%s, write %d, after %v: it stands in %v", prefix, n, after, got)
				}
			}
		}
	}
	if deaths < 12 {
		t.Errorf("it was made to die %d times alone", deaths-6)
	}
}
