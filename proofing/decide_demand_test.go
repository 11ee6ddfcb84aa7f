package proofing_test

import (
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// demands has the profile take as many approvals from now on, each of that kind.
func (c *court) demands(approvals int, approve proofing.ApproveMode) {
	p := *c.Policy.Profiles["signing"]
	p.Approvals, p.Approve = approvals, approve
	c.Policy.Profiles["signing"] = &p
}

// What the policy demands of decisions is what it demands at the grant: also where it demanded less when the request was submitted, and an approval that has run out
// by then counts no more for it.
func TestAReviewThatFindsTooFewApprovalsSendsTheRequestBack(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(c *court)
		again     func(c *court) *representative
	}{
		"the policy demands more": {func(c *court) { c.demands(2, proofing.ApprovePre) }, func(c *court) *representative { return c.second }},
		"an approval ran out":     {func(c *court) { c.pass(2 * time.Hour) }, func(c *court) *representative { return c.approver }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newCourt(t)
			w.demands(1, proofing.ApprovePre)
			w.Policy.Profiles["signing"].ApprovalLifetime, w.Policy.Profiles["signing"].EV = 25*time.Hour, false
			k := w.submitted("signing")
			must[*proofing.Case](t)(w.decides(w.approver, k, proofing.StepApprove, false))
			w.pass(24 * time.Hour)
			must[*proofing.Case](t)(w.decides(w.specialist, k, proofing.StepVet, false))
			c.meanwhile(w)
			k = must[*proofing.Case](t)(w.decides(w.reviewer, k, proofing.StepReview, false))
			if k.Status != proofing.CaseReview || k.Approval.Stage != proofing.StageSubmitted {
				t.Fatalf("granted without the approvals that it takes: %s, %s", k.Status, k.Approval.Stage)
			}
			k = must[*proofing.Case](t)(w.decides(c.again(w), k, proofing.StepApprove, false))
			if k = must[*proofing.Case](t)(w.decides(w.reviewer, k, proofing.StepReview, false)); k.Status != proofing.CaseGranted {
				t.Errorf("after all of them: %s, %s", k.Status, k.Approval.Stage)
			}
		})
	}
}

// A grant stands for what the policy demands today: one that fewer have approved, or nobody, is made no more, and no CSR passes by it.
func TestAGrantEndsWhenThePolicyComesToDemandMoreApprovals(t *testing.T) {
	for name, had := range map[string]int{"nobody approved": 0, "one approved": 1} {
		t.Run(name, func(t *testing.T) {
			c := newCourt(t)
			var k *proofing.Case
			if had > 0 {
				k = c.granted()
			} else {
				c.demands(0, "")
				k = c.submitted("signing")
			}
			if k.Status != proofing.CaseGranted {
				t.Fatal(k.Status)
			}
			c.demands(had+1, proofing.ApproveEach)
			c.logged()
			r := proofing.AuthorizeRequest{
				Applicant: k.Applicant, Identifiers: []proofing.Identifier{k.Identifier}, Profile: k.Profile, CSRDigest: "csr", CSR: &proofing.CSR{Digest: "csr", Key: proofing.KeyP256}, Find: true,
			}
			v, err := c.Authorize(t.Context(), c.ca, r)
			if err != nil || v.Allow || v.Authorizations[0].Problem != "ended" {
				t.Errorf("a CSR that nobody approved: %+v, %v", v, err)
			}
			if k = c.reload(k); k.Status != proofing.CaseRevoked || k.Reason != "level_fell" {
				t.Errorf("%s %s", k.Status, k.Reason)
			}
		})
	}
}

// An authorization that names a CSR is for that one, also where each is approved: a certificate for another could not be reported for it.
func TestAnAuthorizationForOneCSRTakesNoOther(t *testing.T) {
	c := newCourt(t)
	c.demands(1, proofing.ApproveEach)
	r := c.asks("signing")
	r.CSRDigest, r.CSR = "csr-1", &proofing.CSR{Digest: "csr-1", Key: proofing.KeyP256}
	k, _, err := c.Open(t.Context(), c.ca, r)
	if err != nil {
		t.Fatal(err)
	}
	k = must[*proofing.Case](t)(c.use(visit(k, "requester"), c.requester.key))
	c.work()
	k = c.decided(k)
	for csr, want := range map[string]string{"csr-1": "", "csr-2": "csr_differs"} {
		c.logged()
		v, err := c.Authorize(t.Context(), c.ca, proofing.AuthorizeRequest{
			Applicant: k.Applicant, Identifiers: []proofing.Identifier{k.Identifier}, Profile: k.Profile, CSRDigest: csr, CSR: &proofing.CSR{Digest: csr, Key: proofing.KeyP256},
		})
		if err != nil || v.Authorizations[0].Problem != want {
			t.Errorf("%s: %+v, %v", csr, v.Authorizations, err)
		}
	}
}

// A decision that runs out while the request waits for another brings it back to whoever made it, who may decide again: nobody else has to notice.
func TestADecisionThatRunsOutIsAskedForAgain(t *testing.T) {
	c := newCourt(t)
	short := *c.Policy.Profiles["signing"]
	short.ApprovalLifetime = 25 * time.Hour
	c.Policy.Profiles["signing"] = &short
	k := c.submitted("signing")
	must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
	c.pass(24 * time.Hour)
	c.work()
	must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false))
	c.pass(2 * time.Hour)
	called := len(c.post.all("waiting"))
	for range 2 {
		c.work()
	}
	if k = c.reload(k); k.Status != proofing.CaseReview || k.Approval.Stage != proofing.StageSubmitted {
		t.Fatalf("the approval has run out, and the request is %s, %s", k.Status, k.Approval.Stage)
	}
	if n := len(c.post.all("waiting")) - called; n != 2 { // both approvers, once
		t.Errorf("%d are called", n)
	}
	k = must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
	if k.Approval.Stage != proofing.StageCorrelation { // what the specialist said still counts
		t.Fatalf("after it was given again the request is at %s", k.Approval.Stage)
	}
	if k = must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false)); k.Status != proofing.CaseGranted {
		t.Errorf("it is %s", k.Status)
	}
}

// A policy that two have approved may drop a profile while people decide about its requests. Nobody knows then what a grant takes: whoever would agree is told so,
// and whoever refuses is heard.
func TestARequestWhoseProfileIsGoneCanBeRefusedAndNotApproved(t *testing.T) {
	for step, before := range map[proofing.Step]int{proofing.StepApprove: 0, proofing.StepVet: 1, proofing.StepReview: 2} {
		t.Run(string(step), func(t *testing.T) {
			c := newCourt(t)
			k := c.submitted("signing")
			order := []*representative{c.approver, c.specialist, c.reviewer}
			steps := []proofing.Step{proofing.StepApprove, proofing.StepVet, proofing.StepReview}
			for i := range before {
				must[*proofing.Case](t)(c.decides(order[i], k, steps[i], false))
			}
			who := order[before]
			asked, err := c.asked(who, k, step, false)
			if err != nil {
				t.Fatal(err)
			}
			delete(c.Policy.Profiles, "signing")
			_, err = c.Decide(t.Context(), who.visit(), c.signs(who.key, asked)) // who was asked before
			wantInput(t, "signing it", err, "decide_profile")
			_, err = c.asked(who, k, step, false)
			wantInput(t, "asking for it", err, "decide_profile")
			page := must[*proofing.Dossiered](t)(c.CaseInConsole(t.Context(), who.visit(), k.ID))
			if id := c.office[who].ID; page.May[id] != step || page.Why[id] != "decide_profile" {
				t.Errorf("the page offers %v, and says %v", page.May, page.Why)
			}
			if k, err = c.decides(who, k, step, true); err != nil || k.Status != proofing.CaseRefused || !k.Retain.Equal(k.Changed.Add(90*24*time.Hour)) {
				t.Errorf("refusing: %+v, %v", k, err)
			}
		})
	}
}

// loses takes the passkey of somebody away; whatever else they have stays.
func (w *world) loses(r *representative) {
	w.t.Helper()
	if err := edit(w.People, r.person(), func(p *proofing.Person) {
		for i := range p.Bindings {
			if b := &p.Bindings[i]; b.Contact.Channel == proofing.ChannelPasskey {
				b.Gone = w.clock()
			}
		}
	}); err != nil {
		w.t.Fatal(err)
	}
}

// An approval stands for what it said while its approver and the passkey that signed it do. One that has lost its ground before the review sends the request back, as
// one that has run out does: what was granted on it would end with the first question of the authority.
func TestAReviewThatFindsAnApprovalWithoutItsGroundSendsTheRequestBack(t *testing.T) {
	for name, x := range map[string]struct {
		meanwhile func(c *court)
		why       string
	}{
		"the approver is suspended": {func(c *court) {
			c.one.renew()
			must[*proofing.Appointment](c.t)(c.SuspendAppointment(c.t.Context(), c.one.visit(), c.office[c.approver].ID, "a doubt"))
		}, "approver_ended"},
		"the approver's passkey is taken away": {func(c *court) { c.loses(c.approver) }, "authenticator_removed"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCourt(t)
			k := c.submitted("signing")
			must[*proofing.Case](t)(c.decides(c.approver, k, proofing.StepApprove, false))
			must[*proofing.Case](t)(c.decides(c.specialist, k, proofing.StepVet, false))
			asked := must[*proofing.Signing](t)(c.asked(c.reviewer, k, proofing.StepReview, false))
			x.meanwhile(c)
			if _, err := c.Decide(t.Context(), c.reviewer.visit(), c.signs(c.reviewer.key, asked)); err == nil {
				t.Error("it was reviewed")
			} else {
				wantInput(t, "reviewing it", err, "decision_stale")
			}
			page := must[*proofing.Dossiered](t)(c.CaseInConsole(t.Context(), c.reviewer.visit(), k.ID))
			if got := page.Case.Approval.Decisions[0]; got.Void != x.why || got.VoidSince.IsZero() {
				t.Errorf("the page says of the approval %q", got.Void)
			}
			if k = c.reload(k); k.Status != proofing.CaseReview || k.Approval.Stage != proofing.StageSubmitted || k.Approval.Decisions[0].Void != x.why {
				t.Fatalf("it is %s, %s, and of the approval it says %q", k.Status, k.Approval.Stage, k.Approval.Decisions[0].Void)
			}
			must[*proofing.Case](t)(c.decides(c.second, k, proofing.StepApprove, false))
			k = must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false))
			if code, detail := c.problem(k); k.Status != proofing.CaseGranted || code != "" {
				t.Errorf("after another approval it is %s, and the authority hears %s %s", k.Status, code, detail)
			}
		})
	}
}

// goneBack is a request that was vetted, and has gone back to its approvers since.
func (c *court) goneBack() *proofing.Case {
	c.t.Helper()
	c.Policy.Profiles["signing"].ApprovalLifetime = 25 * time.Hour
	k := c.submitted("signing")
	must[*proofing.Case](c.t)(c.decides(c.approver, k, proofing.StepApprove, false))
	c.pass(24 * time.Hour)
	must[*proofing.Case](c.t)(c.decides(c.specialist, k, proofing.StepVet, false))
	c.pass(2 * time.Hour)
	c.work() // finds that the approval has run out
	if k = c.reload(k); k.Approval.Stage != proofing.StageSubmitted {
		c.t.Fatalf("it is at %s", k.Approval.Stage)
	}
	return k
}

// What somebody finds takes back that everything was complete in whatever stage the request is by then (CSBR 3.2.9).
func TestADiscrepancyTakesBackThatEverythingWasCompleteInEveryStage(t *testing.T) {
	found := func(c *court, k *proofing.Case) *proofing.Case {
		c.specialist.renew()
		k = must[*proofing.Case](c.t)(c.RaiseDiscrepancy(c.t.Context(), c.specialist.visit(), k.ID, "the register has another address"))
		return must[*proofing.Case](c.t)(c.ResolveDiscrepancy(c.t.Context(), c.specialist.visit(), k.ID, k.Approval.Discrepancies[0].ID, "they have moved"))
	}
	vettedAnew := func(c *court, k *proofing.Case) {
		c.t.Helper()
		if k = must[*proofing.Case](c.t)(c.decides(c.approver, k, proofing.StepApprove, false)); k.Approval.Stage != proofing.StageVetting {
			c.t.Fatalf("after the approval it is at %s", k.Approval.Stage)
		}
		must[*proofing.Case](c.t)(c.decides(c.specialist, k, proofing.StepVet, false))
		if k = must[*proofing.Case](c.t)(c.decides(c.reviewer, k, proofing.StepReview, false)); k.Status != proofing.CaseGranted {
			c.t.Errorf("after all of them: %s, %s", k.Status, k.Approval.Stage)
		}
	}
	t.Run("back at the approvers", func(t *testing.T) {
		c := newCourt(t)
		vettedAnew(c, found(c, c.goneBack()))
	})
	t.Run("of a CSR beneath an authorization", func(t *testing.T) {
		c := newCourt(t)
		c.demands(1, proofing.ApproveEach)
		k := c.granted()
		c.logged()
		v, err := c.Authorize(t.Context(), c.ca, proofing.AuthorizeRequest{
			Applicant: k.Applicant, Identifiers: []proofing.Identifier{k.Identifier}, Profile: k.Profile, CSRDigest: "csr", CSR: &proofing.CSR{Digest: "csr", Key: proofing.KeyP256}, Find: true,
		})
		if err != nil || v.Authorizations[0].Problem != "issuance" {
			t.Fatalf("%+v, %v", v, err)
		}
		vettedAnew(c, found(c, v.Authorizations[0].Case))
	})
}
