package proofing_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// reviewable is a request that was approved and vetted, and waits for its review.
func (c *court) reviewable() *proofing.Case {
	c.t.Helper()
	k := c.submitted("signing")
	must[*proofing.Case](c.t)(c.decides(c.approver, k, proofing.StepApprove, false))
	return must[*proofing.Case](c.t)(c.decides(c.specialist, k, proofing.StepVet, false))
}

// falls are the ways in which an approval loses its ground while nobody looks at the request. Each has its service do what takes it, and says whether that came to its
// end; what was prepared for it is in ready.
var falls = map[string]struct {
	ready func(c *court) func(s *proofing.Service) error
	void  string // what is said of the approval
}{
	"its approver is suspended": {func(c *court) func(*proofing.Service) error {
		c.one.renew()
		return func(s *proofing.Service) error {
			_, err := s.SuspendAppointment(c.t.Context(), c.one.visit(), c.office[c.approver].ID, "a doubt")
			return err
		}
	}, "approver_ended"},
	"its approver gives the role back": {func(c *court) func(*proofing.Service) error {
		c.approver.renew()
		return func(s *proofing.Service) error {
			_, err := s.EndAppointment(c.t.Context(), c.approver.visit(), c.office[c.approver].ID, "")
			return err
		}
	}, "approver_ended"},
	"its approver is erased": {func(c *court) func(*proofing.Service) error {
		c.approver.renew()
		return func(s *proofing.Service) error { return s.Erase(c.t.Context(), c.approver.visit()) }
	}, "approver_ended"},
	"its approver takes the passkey away": {func(c *court) func(*proofing.Service) error {
		c.approver.renew()
		used := ""
		for _, b := range must[*proofing.Session](c.t)(c.Session(c.t.Context(), c.approver.visit())).Person.Bindings {
			if b.Contact.Channel == proofing.ChannelPasskey {
				used = b.ID
			}
		}
		must[*proofing.Case](c.t)(c.enrol(c.approver.visit(), webauthntest.New()))
		return func(s *proofing.Service) error {
			return s.Remove(c.t.Context(), c.approver.visit(), used)
		}
	}, "authenticator_removed"},
	"its approver comes back by a saved code": {func(c *court) func(*proofing.Service) error {
		c.approver.renew()
		codes := must[[]proofing.Secret](c.t)(c.NewRecoveryCodes(c.t.Context(), c.approver.visit()))
		own := must[*proofing.Case](c.t)(c.OpenOwn(c.t.Context(), proofing.Visit{Browser: "b", Client: "192.0.2.7", Lang: "en"}))
		c.prove(own, "b", "email", c.approver.name+"@example.org")
		return func(s *proofing.Service) error {
			_, _, err := s.Recover(c.t.Context(), visit(own, "b"), codes[0])
			return err
		}
	}, "approver_ended"},
}

// A request goes back to its approvers when an approval has lost its ground, whether anybody opens its page or not: the queue shows the stage that it is in, and those who
// can approve it are called.
func TestARequestWhoseApprovalFallsGoesBackBeforeAnybodyLooksAtIt(t *testing.T) {
	for name, x := range falls {
		t.Run(name, func(t *testing.T) {
			c := newCourt(t)
			k := c.reviewable()
			take := x.ready(c)
			c.work()
			c.post.forget()
			if err := take(c.Service); err != nil {
				t.Fatal(err)
			}
			c.work()
			c.wentBack(k, x.void)
			called := 0
			for _, m := range c.post.all("waiting") {
				if m.To.Reveal() == "second@example.org" {
					called++
				}
			}
			if called != 1 {
				t.Errorf("the other approver is called %d times", called)
			}
			must[*proofing.Case](t)(c.decides(c.second, k, proofing.StepApprove, false))
			if k = must[*proofing.Case](t)(c.decides(c.reviewer, k, proofing.StepReview, false)); k.Status != proofing.CaseGranted {
				t.Errorf("after another approval it is %s, %s", k.Status, k.Approval.Stage)
			}
		})
	}
}

// wentBack holds a request to what it is once its only approval has fallen: as it is stored, and in the queue of whoever can approve.
func (c *court) wentBack(k *proofing.Case, void string) {
	c.t.Helper()
	stored := must[*proofing.Case](c.t)(c.Cases.Get(c.t.Context(), k.ID))
	if a := stored.Approval; stored.Status != proofing.CaseReview || a.Stage != proofing.StageSubmitted || a.Decisions[0].Void != void {
		c.t.Fatalf("it is %s, %s, and of the approval it says %q", stored.Status, a.Stage, a.Decisions[0].Void)
	}
	c.second.renew()
	rows, _, err := c.DocketWithGrounds(c.t.Context(), c.second.visit(), proofing.DocketQuery{Stage: proofing.StageSubmitted, By: c.office[c.second].ID, Limit: 10})
	if err != nil || len(rows) != 1 || rows[0].Case.ID != k.ID || !rows[0].Waits {
		c.t.Errorf("the queue of the other approver: %+v, %v", rows, err)
	}
}

// An approver who was not confirmed again in time, and one whose term is over, approve nothing any more from then on, and time alone sends their requests back.
func TestARequestGoesBackWhenItsApproversTimeIsOver(t *testing.T) {
	for name, x := range map[string]func(a *proofing.Appointment, at time.Time){
		"the term":              func(a *proofing.Appointment, at time.Time) { a.Until = at },
		"the last confirmation": func(a *proofing.Appointment, at time.Time) { a.ReconfirmBy = at },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCourt(t)
			k := c.reviewable()
			end := c.clock().Add(24 * time.Hour)
			if err := edit(c.Appointments, c.office[c.approver].ID, func(a *proofing.Appointment) { x(a, end) }); err != nil {
				t.Fatal(err)
			}
			c.pass(23 * time.Hour)
			c.work()
			if at := c.reload(k).Approval.Stage; at != proofing.StageCorrelation {
				t.Fatalf("before that it is at %s", at)
			}
			c.pass(2 * time.Hour)
			c.work()
			c.wentBack(k, "approver_ended")
		})
	}
}

// A policy that demands more approvals sends back what has gone on with fewer, once the process that looks answers by it.
func TestARequestGoesBackWhenThePolicyComesToDemandMore(t *testing.T) {
	c := newCourt(t)
	c.Policy.Text, c.Policy.Digest = onePolicy, proofing.PolicyDigest(onePolicy)
	b := c.offers(onePolicy)
	k := c.reviewable()
	if err := edit(c.PolicyBooks, b.ID, func(b *proofing.PolicyBook) {
		b.InForce = proofing.PolicyVersion{Digest: proofing.PolicyDigest(otherPolicy), Text: otherPolicy, Since: c.clock()}
	}); err != nil {
		t.Fatal(err)
	}
	c.demands(2, proofing.ApprovePre)
	c.work()
	if at := c.reload(k).Approval.Stage; at != proofing.StageCorrelation {
		t.Fatalf("a process that answers by the old policy has sent it to %s", at)
	}
	c.Policy.Digest = proofing.PolicyDigest(otherPolicy)
	diesAfterEach(t, func(t *testing.T, n int64, after bool) (broke bool) {
		if _, err := c.dying(n, after).WorkOnce(t.Context()); err != nil {
			return true
		}
		return c.book().SettledFor != c.Policy.Digest
	})
	c.wentBack(k, "")
}

// What an approval has lost while its request was frozen is found when that is given back, and what was taken away in the moment of the approval soon after it.
func TestARequestGoesBackForWhatItCouldNotHearOf(t *testing.T) {
	t.Run("it was frozen", func(t *testing.T) {
		c := newCourt(t)
		k := c.reviewable()
		must[*proofing.Case](t)(c.Disown(t.Context(), proofing.Secret(k.ID+"."+c.reload(k).Disown.Reveal())))
		c.one.renew()
		must[*proofing.Appointment](t)(c.SuspendAppointment(t.Context(), c.one.visit(), c.office[c.approver].ID, "a doubt"))
		c.work()
		for _, r := range []*representative{c.one, c.two} {
			r.renew()
			must[*proofing.Case](t)(c.RestoreFrozen(t.Context(), r.visit(), k.ID, "a mistake", c.reload(k).Journal.Written))
		}
		c.work()
		c.wentBack(k, "approver_ended")
	})
	t.Run("the role was taken while it was approved", func(t *testing.T) {
		c := newCourt(t)
		k := c.reviewable()
		if err := edit(c.Appointments, c.office[c.approver].ID, func(a *proofing.Appointment) { // as one who has told the requests already
			a.Status, a.Suspended.At, a.Settled = proofing.AppointmentSuspended, c.clock(), c.clock()
		}); err != nil {
			t.Fatal(err)
		}
		c.pass(2 * time.Minute)
		c.work()
		c.wentBack(k, "approver_ended")
	})
}

// The process dies at each call of the store while an approval loses its ground, and at each one of the worker after it: whatever was begun sends the request back.
func TestTheProcessMayDieWhileAnApprovalFalls(t *testing.T) {
	for _, name := range []string{"its approver is suspended", "its approver takes the passkey away", "its approver comes back by a saved code"} {
		for what, dies := range map[string]func(c *court, take func(*proofing.Service) error, n int64, after bool) (broke bool){
			"in the call": func(c *court, take func(*proofing.Service) error, n int64, after bool) bool {
				return take(c.dying(n, after)) != nil
			},
			"in the worker": func(c *court, take func(*proofing.Service) error, n int64, after bool) bool {
				if err := take(c.Service); err != nil {
					c.t.Fatal(err)
				}
				_, err := c.dying(n, after).WorkOnce(c.t.Context())
				return err != nil
			},
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				c := newCourt(t)
				diesAfterEach(t, func(t *testing.T, n int64, after bool) (broke bool) {
					c.another(fmt.Sprint("approver-", n))
					k := c.reviewable()
					take := falls[name].ready(c)
					c.work()
					broke = dies(c, take, n, after)
					for range 2 {
						c.work()
						c.pass(2 * time.Minute) // as long as an effect waits after it has failed
					}
					stored := must[*proofing.Case](t)(c.Cases.Get(t.Context(), k.ID))
					if back, lost := stored.Approval.Stage == proofing.StageSubmitted, !c.stands(stored.Approval.Decisions[0]); back != lost || !broke && !lost {
						t.Errorf("call %d: the approval has lost its ground: %v, and the request is at %s", n, lost, stored.Approval.Stage)
					}
					must[*proofing.Case](t)(c.Revoke(t.Context(), k.ID, "operator")) // makes room for the next one
					return broke
				})
			})
		}
	}
}

// another has somebody else be the approver from now on.
func (c *court) another(name string) {
	c.t.Helper()
	c.pass(31 * time.Minute) // between decisions, or too many are made at once
	c.approver = c.take(name, proofing.RoleApprover)
	c.item(proofing.ItemDraft{Kind: proofing.ItemApprover, Subject: c.office[c.approver].ID, Value: "may approve", SourceKind: proofing.SourceLetter})
	c.item(proofing.ItemDraft{Kind: proofing.ItemDenied, Subject: c.office[c.approver].ID, Value: "not listed", SourceKind: proofing.SourceList, List: "sanctions", ListVersion: "2026-11-20"})
}

// stands says whether an approver has all by which they approved.
func (c *court) stands(d proofing.Decision) bool {
	c.t.Helper()
	a := must[*proofing.Appointment](c.t)(c.Appointments.Get(c.t.Context(), d.Appointment))
	p := must[*proofing.Person](c.t)(c.People.Get(c.t.Context(), d.Person))
	return a.Stands(p, c.clock()) && slices.ContainsFunc(p.Bindings, func(b proofing.Binding) bool {
		return b.Contact.Address.Reveal() == d.Signature.Credential.String() && b.Gone.IsZero() && len(b.Suspended) == 0
	})
}
