package proofing_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// speaks says whether a passkey signs anybody in.
func (w *world) speaks(key *webauthntest.Authenticator) bool {
	w.t.Helper()
	c, err := w.use(ownVisit(w.openOwn()), key)
	if input, ok := errors.AsType[*proofing.InputError](err); ok && input.Code == "passkey_unknown" {
		return false
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return c.Status == proofing.CaseGranted
}

// dying is a process over the same store that dies at a call of it, or right after; w goes on.
func (w *world) dying(n int64, after bool) *proofing.Service {
	s := w.process(&faulty{KV: w.kv, after: after, n: n, dies: true})
	s.Methods, s.Policy = w.Methods, w.Policy
	return s
}

// breaksOff has the process die at each call of the store in turn, before and after it, until it dies at none.
func breaksOff(t *testing.T, try func(t *testing.T, n int64, after bool) (broke bool)) {
	for _, after := range []bool{false, true} {
		n := int64(1)
		for try(t, n, after) {
			n++
		}
		if n < 5 {
			t.Fatalf("it was made to die %d times alone", n-1)
		}
	}
}

// diesAfterEach is breaksOff for what takes long to prepare: to die before a call leaves what dying after the one before it has left.
func diesAfterEach(t *testing.T, try func(t *testing.T, n int64, after bool) (broke bool)) {
	n := int64(1)
	for try(t, n, true) {
		n++
	}
	if n < 5 {
		t.Fatalf("it was made to die %d times alone", n-1)
	}
}

// What a person takes away must not speak for them after a crash and a second try, and nothing else may be lost.
func TestTheProcessMayDieWhileAPersonTakesSomethingAway(t *testing.T) {
	breaksOff(t, func(t *testing.T, n int64, after bool) (broke bool) {
		w := withPasskeys(t)
		key, lost := webauthntest.New(), webauthntest.New()
		c := w.signUp(key)
		c = must[*proofing.Case](t)(w.enrol(ownVisit(c), lost))
		taken := c.Evidence[len(c.Evidence)-1].Contact().Address
		w.pass(time.Second)
		id := ""
		for _, b := range w.session(c).Person.Bindings {
			if b.Contact.Address == taken {
				id = b.ID
			}
		}
		broke = w.dying(n, after).Remove(t.Context(), ownVisit(c), id) != nil
		if err := w.Remove(t.Context(), ownVisit(c), id); err != nil && !errors.Is(err, proofing.ErrNotFound) {
			t.Fatalf("call %d, after %v: again: %v", n, after, err)
		}
		w.work()
		if w.speaks(lost) {
			t.Errorf("call %d, after %v: what was taken away signs in", n, after)
		}
		if !w.speaks(key) || len(w.session(c).Person.Bindings) != 2 {
			t.Errorf("call %d, after %v: what is left is %+v", n, after, w.session(c).Person.Bindings)
		}
		return broke
	})
}

// A person who is erased is nobody: once it has begun, the worker alone ends it. Nothing of theirs signs in, no session is open, and no record is left.
func TestTheProcessMayDieWhileAPersonIsErased(t *testing.T) {
	breaksOff(t, func(t *testing.T, n int64, after bool) (broke bool) {
		w := withPasskeys(t)
		key := webauthntest.New()
		c := w.signUp(key)
		granted := w.openFor("strong", "applicant@example.org", "")
		broke = w.dying(n, after).Erase(t.Context(), ownVisit(c)) != nil
		if _, err := w.Session(t.Context(), ownVisit(c)); err == nil { // it has not begun: they try again
			if err := w.Erase(t.Context(), ownVisit(c)); err != nil {
				t.Fatal(err)
			}
		}
		w.work()
		_, err := w.People.Get(t.Context(), granted.Person)
		wantErr(t, fmt.Sprintf("call %d, after %v: the person", n, after), err, proofing.ErrNotFound)
		if got := must[*proofing.Case](t)(w.Cases.Get(t.Context(), c.ID)); !got.Status.Over() {
			t.Errorf("call %d, after %v: their session is %s", n, after, got.Status)
		}
		if w.speaks(key) {
			t.Errorf("call %d, after %v: a passkey of somebody erased signs in", n, after)
		}
		if got := w.reload(granted); got.Status != proofing.CaseRevoked {
			t.Errorf("call %d, after %v: what rested on them is %s", n, after, got.Status)
		}
		if left, _, err := w.Addresses.List(t.Context(), proofing.Query{Index: "person", Value: granted.Person}); err != nil || len(left) > 0 {
			t.Errorf("call %d, after %v: %d addresses are left, %v", n, after, len(left), err)
		}
		return broke
	})
}
