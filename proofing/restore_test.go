package proofing_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

func TestWhatWasFrozenForEVIsGivenBackByTwo(t *testing.T) {
	c := newCourt(t)
	k := c.granted()
	ctx := t.Context()
	operator, office := c.holds("operator", c.one, c.two, draft(proofing.RoleOperator, "alpha", ""))
	foreign, _ := c.holds("foreign", c.one, c.two, draft(proofing.RoleOperator, "beta", ""))
	gives := func(r *representative, reason string) (*proofing.Case, error) {
		r.renew()
		return c.RestoreFrozen(ctx, r.visit(), k.ID, reason, c.reload(k).Journal.Written)
	}
	if _, err := gives(c.one, "x"); err != nil || c.reload(k).Status != proofing.CaseGranted {
		t.Fatalf("what is not frozen: %v", err)
	}
	freeze := func() {
		must[*proofing.Case](t)(c.Disown(ctx, proofing.Secret(k.ID+"."+c.reload(k).Disown.Reveal())))
		if allow, _ := c.authorized(k); allow || c.reload(k).Frozen == nil {
			t.Fatal("it is not frozen")
		}
	}
	freeze()
	for _, r := range []*representative{c.requester, c.approver, c.specialist, c.reviewer, foreign, c.member("nobody")} {
		_, err := gives(r, "a mistake")
		wantErr(t, "given back by "+r.name, err, proofing.ErrNotFound)
		if all, _, err := c.FrozenCases(ctx, r.visit(), 10); len(all) != 0 {
			t.Errorf("%s is shown what is frozen: %v", r.name, err)
		}
	}
	for _, r := range []*representative{c.one, operator} {
		r.renew()
		if all, more, err := c.FrozenCases(ctx, r.visit(), 10); err != nil || more || len(all) != 1 || all[0].ID != k.ID {
			t.Errorf("%s finds %d, %v", r.name, len(all), err)
		}
	}
	_, err := gives(operator, " \n")
	wantInput(t, "without a reason", err, "restore_reason")
	operator.renew()
	_, err = c.RestoreFrozen(ctx, operator.visit(), k.ID, "a mistake", 1)
	wantInput(t, "an old page", err, "decision_stale")
	for range 2 { // asked twice by the same person is asked once
		if k = must[*proofing.Case](t)(gives(operator, "they called back")); k.Frozen == nil || k.Frozen.Asked == nil || k.Frozen.Asked.Reason != "they called back" {
			t.Fatalf("one person alone: %+v", k.Frozen)
		}
	}
	if allow, _ := c.authorized(k); allow {
		t.Error("it authorizes something after one person's word")
	}
	// The word of somebody who has lost their role counts no more.
	c.two.renew()
	must[*proofing.Appointment](t)(c.SuspendAppointment(ctx, c.two.visit(), office.ID, "a doubt"))
	if k = must[*proofing.Case](t)(gives(c.one, "they wrote")); k.Frozen == nil || k.Frozen.Asked.Reason != "they wrote" {
		t.Fatalf("%+v", k.Frozen)
	}
	if k = must[*proofing.Case](t)(gives(c.two, "")); k.Frozen != nil || k.Status != proofing.CaseGranted {
		t.Fatalf("after two: %s, %+v", k.Status, k.Frozen)
	}
	if allow, why := c.authorized(k); !allow {
		t.Errorf("what was given back authorizes nothing: %s", why)
	}
	must[*proofing.Case](t)(gives(c.two, "")) // pressed twice
	kinds := c.kinds(k.ID)
	if i := slices.Index(kinds, "case_restore_asked person"); i < 0 || !slices.Contains(kinds[i:], "restored person") {
		t.Errorf("the log has %v", kinds)
	}
	// Frozen again, it is asked anew, and what nobody gives back ends.
	freeze()
	if c.reload(k).Frozen.Asked != nil {
		t.Error("what was asked for the first freeze counts for the second")
	}
	c.pass(25 * time.Hour)
	_, err = gives(c.one, "too late")
	wantErr(t, "after its end", err, proofing.ErrClosed)
	if k = c.reload(k); k.Status != proofing.CaseRevoked {
		t.Errorf("%s", k.Status)
	}
}

func TestNobodyGivesBackWhatTheyAskForOrHaveDecided(t *testing.T) {
	c := newCourt(t)
	k := c.granted()
	ctx := t.Context()
	// Who has reviewed it becomes an operator, too.
	must[*proofing.Appointment](t)(c.adds(c.reviewer, c.one, c.two, draft(proofing.RoleOperator, "alpha", "")), nil)
	must[*proofing.Case](t)(c.Disown(ctx, proofing.Secret(k.ID+"."+c.reload(k).Disown.Reveal())))
	c.reviewer.renew()
	_, err := c.RestoreFrozen(ctx, c.reviewer.visit(), k.ID, "a mistake", c.reload(k).Journal.Written)
	wantInput(t, "by who has decided", err, "restore_own")
	// Of two who ask at once, one has asked and nobody has given it back.
	c.one.renew()
	c.two.renew()
	seen := c.reload(k).Journal.Written
	var all sync.WaitGroup
	for _, r := range []*representative{c.one, c.two} {
		all.Go(func() { _, _ = c.RestoreFrozen(ctx, r.visit(), k.ID, "by "+r.name, seen) })
	}
	all.Wait()
	if k = c.reload(k); k.Frozen == nil || k.Frozen.Asked == nil {
		t.Errorf("two at once: %+v", k.Frozen)
	}
}
