package proofing_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// opensBefore has an account ask for something before it is bound, and prove it if it is to be valid.
func (w *world) opensBefore(n int, id proofing.Identifier, valid bool) *proofing.Case {
	w.t.Helper()
	c, _, err := w.Open(w.t.Context(), w.ca, proofing.OpenRequest{Applicant: proofing.Applicant{Kind: proofing.ByAccount, Thumbprint: accountKey(n)}, Identifier: id, Profile: "email"})
	if err != nil {
		w.t.Fatal(err)
	}
	if valid {
		if c = w.prove(c, "b", "email", ""); c.Status != proofing.CaseGranted {
			w.t.Fatalf("the case is %s", c.Status)
		}
	}
	return c
}

var beyond = proofing.Identifier{Type: "email", Value: "beyond@example.org"}

// An account may ask before it is bound. What its key limits it to holds for that too: it ends when the account is bound, and what is
// within the limit goes on.
func TestWhatAnAccountAskedForBeforeItWasBoundIsLimitedToo(t *testing.T) {
	for _, valid := range []bool{false, true} {
		w, _ := withKeys(t)
		ctx := t.Context()
		over, within := w.opensBefore(1, beyond, valid), w.opensBefore(1, proved, false)
		others := w.opensBefore(2, beyond, valid) // another account's
		w.pass(time.Second)
		k := w.issued(w.ca, proofing.KeyRequest{Identifiers: []proofing.Identifier{proved}})
		must[*proofing.VerifiedKey](t)(w.VerifyKey(ctx, w.ca, present(k, 1)))

		want := map[bool]proofing.Status{false: proofing.CaseRefused, true: proofing.CaseRevoked}[valid]
		if c := must[*proofing.Case](t)(w.Get(ctx, w.ca, over.ID)); c.Status != want || c.Reason != "binding_limited" {
			t.Errorf("valid %v: what is beyond the limit is %s, %s", valid, c.Status, c.Reason)
		}
		if got := w.asks(1, beyond); got.Problem != "identifier_rejected" {
			t.Errorf("valid %v: beyond the limit it is told %q", valid, got.Problem)
		}
		if c := must[*proofing.Case](t)(w.Get(ctx, w.ca, within.ID)); c.Status != proofing.CaseOpen {
			t.Errorf("valid %v: what is within the limit is %s, %s", valid, c.Status, c.Reason)
		}
		if got := w.asks(1, proved); got.Problem != "pending" || got.Case.ID != within.ID {
			t.Errorf("valid %v: within the limit it is told %q", valid, got.Problem)
		}
		if got, want := w.asks(2, beyond), map[bool]string{false: "pending", true: ""}[valid]; got.Problem != want || got.Case.ID != others.ID {
			t.Errorf("valid %v: an account that is not bound is told %q", valid, got.Problem)
		}
	}
}

// What waits for a person is covered once its account is bound by a key for which it was proved: the authority that asks again gets
// what is valid, unless somebody has begun to prove it anew.
func TestWhatWaitsIsCoveredByTheKeyThatItsAccountIsBoundBy(t *testing.T) {
	for _, begun := range []bool{false, true} {
		w, first := withKeys(t)
		waits := w.opensBefore(1, proved, false)
		if begun {
			if _, _, err := w.Begin(w.t.Context(), visit(waits, "b"), "email", ""); err != nil {
				t.Fatal(err)
			}
		}
		k := w.caseKey(first)
		w.pass(time.Second)
		must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
		got := w.asks(1, proved)
		old := must[*proofing.Case](t)(w.Get(t.Context(), w.ca, waits.ID))
		if begun {
			if got.Problem != "pending" || got.Case.ID != waits.ID || old.Status != proofing.CaseOpen {
				t.Errorf("what somebody has begun: %q, %s", got.Problem, old.Status)
			}
			continue
		}
		if got.Problem != "" || got.Case.ID == waits.ID || got.Case.EABKid != k.Kid {
			t.Errorf("it is told %q of %s, by the key %q", got.Problem, got.Case.ID, got.Case.EABKid)
		}
		if old.Status != proofing.CaseWithdrawn || old.Reason != "binding_covers" {
			t.Errorf("what waited is %s, %s", old.Status, old.Reason)
		}
		if again := w.asks(1, proved); again.Case.ID != got.Case.ID {
			t.Errorf("asked again it is another: %s", again.Case.ID)
		}
	}
}

// What is covered ends before what is valid takes its place. If the process dies between the two, whoever asks next opens it.
func TestTheProcessMayDieWhileWhatWaitsIsReplaced(t *testing.T) {
	w, first := withKeys(t)
	waits := w.opensBefore(1, proved, false)
	k := w.caseKey(first)
	w.pass(time.Second)
	must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
	dies := &dying[proofing.Case]{Table: w.Cases}
	w.Cases = dies
	if _, err := w.Authorize(t.Context(), w.ca, proofing.AuthorizeRequest{
		Applicant: proofing.Applicant{Kind: proofing.ByAccount, Thumbprint: accountKey(1)}, Identifiers: []proofing.Identifier{proved}, Profile: "email",
	}); !errors.Is(err, proofing.ErrUnavailable) {
		t.Fatalf("while it dies: %v", err)
	}
	w.Cases = dies.Table
	if old := must[*proofing.Case](t)(w.Get(t.Context(), w.ca, waits.ID)); old.Status != proofing.CaseWithdrawn {
		t.Fatalf("what waited is %s", old.Status)
	}
	if got := w.asks(1, proved); got.Problem != "" || got.Case.EABKid != k.Kid {
		t.Errorf("asked again it is told %q, by the key %q", got.Problem, got.Case.EABKid)
	}
}

// All who ask at once get the one that took its place; whoever begins what waits in that moment has begun it, or is told that it is over.
func TestWhatWaitsIsReplacedOnce(t *testing.T) {
	for range 10 {
		w, first := withKeys(t)
		waits := w.opensBefore(1, proved, false)
		k := w.caseKey(first)
		w.pass(time.Second)
		must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
		var all sync.WaitGroup
		told := make([]proofing.Authorization, 8)
		for i := range told {
			all.Go(func() { told[i] = w.asks(1, proved) })
		}
		var begun error
		all.Go(func() { _, _, begun = w.Begin(t.Context(), visit(waits, "b"), "email", "") })
		all.Wait()
		for _, one := range told {
			switch {
			case one.Case.ID != told[0].Case.ID:
				t.Fatalf("two are told of different ones: %s, %s", told[0].Case.ID, one.Case.ID)
			case begun == nil && (one.Problem != "pending" || one.Case.ID != waits.ID):
				t.Fatalf("somebody has begun it, and it is told %q of %s", one.Problem, one.Case.ID)
			case begun != nil && (one.Problem != "" || one.Case.EABKid != k.Kid):
				t.Fatalf("told %q, by the key %q", one.Problem, one.Case.EABKid)
			}
		}
		if begun != nil && !errors.Is(begun, proofing.ErrClosed) {
			t.Fatalf("whoever begins it is told %v", begun)
		}
	}
}

// A key for a proof, and one for everything under a profile, limit nobody to less.
func TestAKeyThatLimitsNobodyEndsNothing(t *testing.T) {
	w, c := withKeys(t)
	before := w.opensBefore(1, beyond, true)
	w.pass(time.Second)
	must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(w.caseKey(c), 1)))
	if got := w.asks(1, beyond); got.Problem != "" || got.Case.ID != before.ID {
		t.Errorf("with a key for a proof of something else it is told %q", got.Problem)
	}
	w, _ = withKeys(t)
	before = w.opensBefore(1, beyond, true)
	w.pass(time.Second)
	must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(w.issued(w.ca, proofing.KeyRequest{}), 1)))
	if got := w.asks(1, beyond); got.Problem != "" || got.Case.ID != before.ID {
		t.Errorf("with a key for everything it is told %q", got.Problem)
	}
}

// The limit is the account's: a key of a proof gives what was proved, and lifts nothing of it for what neither key covers.
func TestAKeyOfAProofLiftsNoLimit(t *testing.T) {
	for _, limitedFirst := range []bool{true, false} {
		w, c := withKeys(t)
		only := proofing.Identifier{Type: "email", Value: "only@example.org"}
		keys := []*proofing.Key{w.issued(w.ca, proofing.KeyRequest{Identifiers: []proofing.Identifier{only}}), w.caseKey(c)}
		if !limitedFirst {
			keys[0], keys[1] = keys[1], keys[0]
		}
		for _, k := range keys {
			must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
		}
		for id, want := range map[proofing.Identifier]string{beyond: "identifier_rejected", only: "pending", proved: ""} {
			if got := w.asks(1, id); got.Problem != want {
				t.Errorf("limited first %v: for %s it is told %q, want %q", limitedFirst, id.Value, got.Problem, want)
			}
		}
	}
}

// brokenOff is a table of cases that takes no more changes, as if the process died there.
type brokenOff struct {
	proofing.Table[proofing.Case]
}

var errDied = errors.New("the process died")

func (brokenOff) Update(context.Context, string, func(*proofing.Case) error) (*proofing.Case, error) {
	return nil, errDied
}

// If the process dies when the account is bound and before anything is ended, whoever asks next ends it, whichever way they ask, and so
// does the daily look at a grant. The limit outlasts the key.
func TestALimitThatWasBrokenOffIsMadeGood(t *testing.T) {
	who := proofing.Applicant{Kind: proofing.ByAccount, Thumbprint: accountKey(1)}
	for what, asks := range map[string]func(t *testing.T, w *world, k *proofing.Key) error{
		"authorize": func(t *testing.T, w *world, _ *proofing.Key) error {
			if got := w.asks(1, beyond); got.Problem != "identifier_rejected" {
				t.Errorf("it is told %q", got.Problem)
			}
			return nil
		},
		"open": func(t *testing.T, w *world, _ *proofing.Key) error {
			_, _, err := w.Open(t.Context(), w.ca, proofing.OpenRequest{Applicant: who, Identifier: beyond, Profile: "email"})
			wantInput(t, "it is told", err, "identifier_rejected")
			return nil
		},
		"find": func(t *testing.T, w *world, _ *proofing.Key) error {
			_, err := w.Standing(t.Context(), w.ca, proofing.OpenRequest{Applicant: who, Identifier: beyond, Profile: "email"})
			wantInput(t, "it is told", err, "identifier_rejected")
			return nil
		},
		"the daily look": func(_ *testing.T, w *world, _ *proofing.Key) error {
			w.pass(25 * time.Hour)
			w.work()
			return nil
		},
		"the key was revoked meanwhile": func(t *testing.T, w *world, k *proofing.Key) error {
			must[*proofing.Key](t)(w.RevokeKey(t.Context(), w.ca.Name, k.Kid, "revoked"))
			if got := w.asks(1, beyond); got.Problem != "identifier_rejected" {
				t.Errorf("it is told %q", got.Problem)
			}
			return nil
		},
	} {
		t.Run(what, func(t *testing.T) {
			w, _ := withKeys(t)
			over := w.opensBefore(1, beyond, true)
			w.pass(time.Second)
			k := w.issued(w.ca, proofing.KeyRequest{Identifiers: []proofing.Identifier{proved}})
			dying := w.process(w.kv)
			dying.Methods, dying.Policy, dying.Cases = w.Methods, w.Policy, brokenOff{w.Cases}
			if _, err := dying.VerifyKey(t.Context(), w.ca, present(k, 1)); !errors.Is(err, errDied) {
				t.Fatalf("it did not die: %v", err)
			}
			must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1))) // the authority asks again
			if err := asks(t, w, k); err != nil {
				t.Fatal(err)
			}
			if c := must[*proofing.Case](t)(w.Get(t.Context(), w.ca, over.ID)); c.Status != proofing.CaseRevoked || c.Reason != "binding_limited" {
				t.Errorf("it is %s, %s", c.Status, c.Reason)
			}
		})
	}
}

// Whatever is opened while the account is bound is ended as well.
func TestACaseThatIsOpenedWhileItsAccountIsBoundIsLimited(t *testing.T) {
	for n := 1; ; n++ {
		w, _ := withKeys(t)
		if err := w.AccountCreated(t.Context(), w.ca, "https://ca.example/acct/1", accountKey(1)); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Second)
		k := w.issued(w.ca, proofing.KeyRequest{Identifiers: []proofing.Identifier{proved}})
		happened := false
		slow := w.process(w.kv)
		slow.Methods, slow.Policy = w.Methods, w.Policy
		slow.Cases = &beforeChange[proofing.Case]{w.Cases, n, func() {
			happened = true
			must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
		}}
		_, _, err := slow.Open(t.Context(), w.ca, proofing.OpenRequest{Applicant: proofing.Applicant{Kind: proofing.ByAccount, Thumbprint: accountKey(1)}, Identifier: beyond, Profile: "email"})
		if !happened {
			return
		}
		wantInput(t, fmt.Sprintf("change %d", n), err, "identifier_rejected")
		if got := w.asks(1, beyond); got.Problem != "identifier_rejected" {
			t.Errorf("change %d: it is told %q", n, got.Problem)
		}
	}
}
