package proofing_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// whileSequencing does something while another process writes the log.
func (w *world) whileSequencing(do func()) {
	w.t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(w.t.Context()))
	var writes sync.WaitGroup
	writes.Go(func() {
		for ctx.Err() == nil {
			w.sequenceAll()
			time.Sleep(10 * time.Millisecond)
		}
	})
	defer writes.Wait()
	defer stop()
	do()
}

// Whatever an operator takes from somebody, every address of theirs hears of it, and no link takes it back: the operator has made sure who asked.
func TestWhatAnOperatorDoesToAPersonIsTold(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	c := w.signUp(key)
	person := c.Person
	w.prove(c, "b", "sms", "+447400123456")
	number := proofing.Contact{Channel: proofing.ChannelPhone, Address: "+447400123456"}
	if _, _, err := w.Limiter.Add(t.Context(), "failures.recovery."+person, 100, 0); err != nil {
		t.Fatal(err)
	}
	must[int64](t)(w.UnblockRecovery(t.Context(), person, false))
	w.work()
	must[int64](t)(w.UnblockRecovery(t.Context(), person, false)) // there is nothing to free any more
	if released := must[bool](t)(w.Release(t.Context(), number)); !released {
		t.Fatal("the number is nobody's")
	}
	w.work()
	if released := must[bool](t)(w.Release(t.Context(), number)); released {
		t.Error("the number is still somebody's")
	}
	w.work()
	for kind, want := range map[string][]string{
		"codes_freed": {"applicant@example.org"}, "sms_codes_freed": {"+447400123456"},
		"released": {"applicant@example.org"}, "sms_released": {"+447400123456"},
	} {
		var to []string
		for _, m := range w.post.all(kind) {
			to = append(to, m.To.Reveal())
			if m.Disown != "" || m.Context.Operator == "" {
				t.Errorf("%s: a link %q, from %q", kind, m.Disown, m.Context.Operator)
			}
			if strings.HasSuffix(kind, "released") && (m.Thing != proofing.ChannelPhone || m.About == "") {
				t.Errorf("%s is about %s %q", kind, m.Thing, m.About)
			}
		}
		if strings.Join(to, " ") != strings.Join(want, " ") {
			t.Errorf("%s goes to %q, want %q", kind, to, want)
		}
	}
}

// Who cannot sign in has a right to be forgotten, too: by an operator, with the same that goes, and every address hears of it.
func TestAnOperatorForgetsAPerson(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	c := w.signUp(key)
	person := c.Person
	granted := w.openFor("strong", "applicant@example.org", "")
	if known := must[proofing.Known](t)(w.KnownOf(t.Context(), person)); known.Bindings != 2 || known.Granted != 1 || known.Open != 0 || len(known.Offices) != 0 {
		t.Errorf("known of them: %+v", known)
	}
	w.whileSequencing(func() {
		if err := w.Forget(t.Context(), person); err != nil {
			t.Fatal(err)
		}
	})
	w.work()
	if w.speaks(key) {
		t.Error("the passkey still signs in")
	}
	if got := w.reload(granted); got.Status != proofing.CaseRevoked || got.Reason != "person_erased" {
		t.Errorf("what rested on them is %s, %s", got.Status, got.Reason)
	}
	w.sequenceAll()
	said := 0
	for _, e := range w.log() {
		if leaf := must[proofing.Leaf](t)(e.Said()); leaf.Object == person && leaf.Kind == proofing.EntryForgotten && leaf.By.Kind == "operator" {
			said++
		}
		if strings.Contains(e.Leaf+string(e.Private), "applicant@") {
			t.Errorf("the log says who it was: %s %s", e.Leaf, e.Private)
		}
	}
	if said != 1 {
		t.Errorf("the log says %d times that they were forgotten", said)
	}
	told := w.post.all("erased")
	if len(told) != 1 || told[0].To.Reveal() != "applicant@example.org" || told[0].Disown != "" {
		t.Fatalf("told: %+v", told)
	}
	// What carried the notice knows nobody, and goes.
	carrier, _, _ := strings.Cut(told[0].ID, ".")
	if c := must[*proofing.Case](t)(w.Cases.Get(t.Context(), carrier)); c.Person != "" || c.Status != proofing.CaseWithdrawn || !c.ExpiresAt().Before(w.clock().Add(31*24*time.Hour)) {
		t.Errorf("it is of %q, %s, until %s", c.Person, c.Status, c.ExpiresAt())
	}
	wantErr(t, "again", w.Forget(t.Context(), person), proofing.ErrNotFound)
	_, err := w.KnownOf(t.Context(), person)
	wantErr(t, "what is known", err, proofing.ErrNotFound)
}

func TestTheProcessMayDieWhileAPersonIsForgotten(t *testing.T) {
	diesAfterEach(t, func(t *testing.T, n int64, after bool) (broke bool) {
		w := withPasskeys(t)
		key := webauthntest.New()
		person := w.signUp(key).Person
		granted := w.openFor("strong", "applicant@example.org", "")
		w.whileSequencing(func() {
			broke = w.dying(n, after).Forget(t.Context(), person) != nil
			if p, err := w.People.Get(t.Context(), person); err == nil && p.Going.IsZero() { // it has not begun
				if err := w.Forget(t.Context(), person); err != nil {
					t.Fatal(err)
				}
			}
			w.work()
		})
		_, err := w.People.Get(t.Context(), person)
		wantErr(t, fmt.Sprintf("call %d: the person", n), err, proofing.ErrNotFound)
		if w.speaks(key) {
			t.Errorf("call %d: the passkey of somebody forgotten signs in", n)
		}
		if got := w.reload(granted); got.Status != proofing.CaseRevoked {
			t.Errorf("call %d: what rested on them is %s", n, got.Status)
		}
		if len(w.post.all("erased")) == 0 {
			t.Errorf("call %d: nobody was told", n)
		}
		return broke
	})
}
