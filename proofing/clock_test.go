package proofing_test

import (
	"errors"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// A clock that was set back must not make it last that somebody has just authenticated.
func TestAnAuthenticationOfTheFutureIsNotFresh(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	c := w.signUp(key)
	for _, x := range []struct {
		set   time.Duration
		fresh bool
	}{{0, true}, {-proofing.ClockSkew, true}, {-proofing.ClockSkew - 5*time.Second, false}, {-20 * time.Minute, false}, {5 * time.Minute, true}} {
		w.pass(x.set)
		if s := must[*proofing.Session](t)(w.Session(t.Context(), ownVisit(c))); s.Fresh != x.fresh {
			t.Errorf("a clock that is %s off: fresh is %v", x.set, s.Fresh)
		}
		w.pass(-x.set)
	}
	w.pass(-20 * time.Minute)
	if c = w.signIn(key); !must[*proofing.Session](t)(w.Session(t.Context(), ownVisit(c))).Fresh {
		t.Error("whoever authenticates by that clock is not fresh")
	}
}

// wantBehind: the clock is behind, and that is told apart from a store that does not answer.
func wantBehind(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, proofing.ErrClock) || !errors.Is(err, proofing.ErrUnavailable) {
		t.Errorf("%s: %v, want that the clock is behind", what, err)
	}
}

// What would be decided by a clock that was set back, nobody could prove afterwards (audit.Approval.Verify, Evidence.Verify). Nothing is decided
// until it has caught up.
func TestNothingIsDecidedByAClockThatWasSetBack(t *testing.T) {
	for what, later := range map[string]func(c *court, k *proofing.Case){
		"the request": func(*court, *proofing.Case) {},
		"the role": func(c *court, _ *proofing.Case) {
			must[*proofing.Appointment](c.t)(c.Appointments.Update(c.t.Context(), c.office[c.approver].ID, func(a *proofing.Appointment) error {
				a.Resumed.At = c.clock()
				return nil
			}))
		},
		"the policy": func(c *court, _ *proofing.Case) {
			c.Policy.Text, c.Policy.Digest = onePolicy, proofing.PolicyDigest(onePolicy)
			c.offers(onePolicy)
		},
		"a decision": func(c *court, k *proofing.Case) {
			must[*proofing.Case](c.t)(c.decides(c.second, k, proofing.StepApprove, false))
		},
	} {
		t.Run(what, func(t *testing.T) {
			c := newCourt(t)
			c.pass(2 * time.Hour)
			k := c.submitted("signing2")
			if what != "the request" {
				c.pass(time.Hour)
			}
			later(c, k)
			c.pass(-proofing.ClockSkew - 5*time.Second) // signing in takes one of them
			_, err := c.asked(c.approver, k, proofing.StepApprove, false)
			wantBehind(t, "asked", err)
			c.pass(4 * time.Second)
			asked := must[*proofing.Signing](t)(c.asked(c.approver, k, proofing.StepApprove, false))
			answer := c.signs(c.approver.key, asked)
			c.pass(-5 * time.Second)
			_, err = c.Decide(t.Context(), c.approver.visit(), answer)
			wantBehind(t, "signed", err)
			c.pass(5 * time.Second)
			must[*proofing.Case](t)(c.Decide(t.Context(), c.approver.visit(), answer))
		})
	}
}

// Of an enrolment it counts when the log says that it was: another process, whose clock is ahead, has written that.
func TestNothingIsSignedByAPasskeyThatTheLogSaysIsEnrolledLater(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	w.pass(2 * time.Hour)
	c := w.signUp(key)
	w.logged()
	p := must[*proofing.Person](t)(w.People.Update(t.Context(), c.Person, func(p *proofing.Person) error {
		for i := range p.Bindings {
			p.Bindings[i].BoundAt = p.Bindings[i].BoundAt.Add(-2 * time.Hour)
		}
		return nil
	}))
	for _, b := range p.Bindings {
		must[*proofing.Address](t)(w.Addresses.Update(t.Context(), b.ID, func(a *proofing.Address) error {
			a.BoundAt = b.BoundAt
			return nil
		}))
	}
	w.pass(-2 * time.Hour)
	c = w.signIn(key)
	_, err := w.AskSignature(t.Context(), ownVisit(c), decision())
	wantBehind(t, "asked", err)
	w.pass(2 * time.Hour)
	c = w.signIn(key)
	answer := w.signs(key, must[*proofing.Signing](t)(w.AskSignature(t.Context(), ownVisit(c), decision())))
	must[*proofing.Signature](t)(w.take(c, answer))
}

func TestNoPolicyIsDecidedByAClockThatWasSetBack(t *testing.T) {
	w, one, two := ruled(t)
	w.pass(time.Hour)
	w.offers(otherPolicy)
	w.pass(-proofing.ClockSkew - 5*time.Second)
	_, err := one.asksOfPolicy(false)
	wantBehind(t, "the proposal", err)
	w.pass(time.Hour)
	must[*proofing.PolicyBook](t)(one.decidesPolicy(false))
	w.pass(-proofing.ClockSkew - 5*time.Second)
	_, err = two.asksOfPolicy(false)
	wantBehind(t, "the first approval", err)
	w.pass(proofing.ClockSkew + 5*time.Second)
	must[*proofing.PolicyBook](t)(two.decidesPolicy(false))
}
