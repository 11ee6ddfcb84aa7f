package proofing_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// beforeChange is a table before whose n-th change, counted from 1, something else happens. To create is a change too.
type beforeChange[T any] struct {
	proofing.Table[T]
	n  int
	do func()
}

func (b *beforeChange[T]) count() {
	if b.n--; b.n == 0 {
		b.do()
	}
}

func (b *beforeChange[T]) Create(ctx context.Context, id string, v *T) error {
	b.count()
	return b.Table.Create(ctx, id, v)
}

func (b *beforeChange[T]) Update(ctx context.Context, id string, edit func(*T) error) (*T, error) {
	b.count()
	return b.Table.Update(ctx, id, edit)
}

// interleaved has something else happen before each change that a call makes, one after the other, each in a world of its own: a limited
// key of an authority, which no account is bound by.
func interleaved(t *testing.T, call func(s *proofing.Service, w *world, k *proofing.Key) error, between func(w *world, k *proofing.Key), then func(t *testing.T, w *world, k *proofing.Key, err error)) {
	for _, table := range []string{"accounts", "keys"} {
		for n := 1; ; n++ {
			happened := false
			t.Run(fmt.Sprint(table, " ", n), func(t *testing.T) {
				w, _ := withKeys(t)
				// One that the authority knows by its URL, and that has a case.
				if err := w.AccountCreated(t.Context(), w.ca, "https://ca.example/acct/1", accountKey(1)); err != nil {
					t.Fatal(err)
				}
				k := w.issued(w.ca, proofing.KeyRequest{Identifiers: []proofing.Identifier{proved}, MaxAccounts: 2})
				slow := w.process(w.kv)
				slow.Methods, slow.Policy = w.Methods, w.Policy
				do := func() { happened = true; between(w, k) }
				if table == "accounts" {
					slow.Accounts = &beforeChange[proofing.Account]{w.Accounts, n, do}
				} else {
					slow.Keys = &beforeChange[proofing.Key]{w.Keys, n, do}
				}
				err := call(slow, w, k)
				if happened {
					then(t, w, k, err)
				}
			})
			if !happened {
				break
			}
		}
	}
}

func roll(t *testing.T, s *proofing.Service, w *world) {
	t.Helper()
	if err := s.AccountKeyChanged(t.Context(), w.ca, "", accountKey(1), accountKey(2)); err != nil {
		t.Error(err)
	}
}

// atNewKey wants that the account is bound at its new key or not at all: the limit of the key goes with it, and the key before it is
// no account's any more.
func atNewKey(t *testing.T, w *world, k *proofing.Key, told bool) {
	t.Helper()
	ctx := t.Context()
	for range 2 { // asking changes nothing
		_, err := w.VerifyKey(ctx, w.ca, present(k, 1))
		wantErr(t, "by the key that was replaced", err, proofing.ErrBinding)
	}
	// Another one each time: what was opened before an account is bound stays open.
	asked := 0
	other := func() proofing.Identifier {
		asked++
		return proofing.Identifier{Type: "email", Value: fmt.Sprintf("other-%d@example.org", asked)}
	}
	have := must[*proofing.Key](t)(w.Key(ctx, w.ca.Name, k.Kid))
	for _, b := range have.Accounts {
		if b.Thumbprint != accountKey(2) {
			t.Errorf("the key binds %+v", b)
		}
	}
	want := "pending"
	if len(have.Accounts) > 0 {
		want = "identifier_rejected"
	} else if told {
		t.Error("the authority was told that the account is bound, and it is not")
	}
	if got := w.asks(2, other()); got.Problem != want {
		t.Errorf("bound %v: beyond the limit the account is told %q", len(have.Accounts) > 0, got.Problem)
	}
	must[*proofing.VerifiedKey](t)(w.VerifyKey(ctx, w.ca, present(k, 2)))
	if have = must[*proofing.Key](t)(w.Key(ctx, w.ca.Name, k.Kid)); len(have.Accounts) != 1 {
		t.Errorf("the account has %d places", len(have.Accounts))
	}
	if got := w.asks(2, other()); got.Problem != "identifier_rejected" {
		t.Errorf("once it is bound it is told %q beyond the limit", got.Problem)
	}
	next := must[*proofing.Key](t)(w.RotateKey(ctx, w.ca, k.Kid, time.Hour))
	w.pass(2 * time.Hour)
	must[*proofing.VerifiedKey](t)(w.VerifyKey(ctx, w.ca, present(next, 2)))
	if got := w.asks(2, other()); got.Problem != "identifier_rejected" {
		t.Errorf("after the key was rotated it is told %q beyond the limit", got.Problem)
	}
}

// A CA may ask about a binding by an account key that it is just replacing. Whichever is first, the binding is at the new one or nowhere.
func TestAnAccountThatIsBoundWhileItsKeyIsReplacedIsBoundWhole(t *testing.T) {
	t.Run("replaced while it is bound", func(t *testing.T) {
		interleaved(t, func(s *proofing.Service, w *world, k *proofing.Key) error {
			_, err := s.VerifyKey(t.Context(), w.ca, present(k, 1))
			return err
		}, func(w *world, _ *proofing.Key) { roll(t, w.Service, w) }, func(t *testing.T, w *world, k *proofing.Key, err error) {
			if err != nil && !errors.Is(err, proofing.ErrBinding) {
				t.Error(err)
			}
			atNewKey(t, w, k, err == nil)
		})
	})
	t.Run("bound while it is replaced", func(t *testing.T) {
		told := false
		interleaved(t, func(s *proofing.Service, w *world, _ *proofing.Key) error {
			told = false
			roll(t, s, w)
			return nil
		}, func(w *world, k *proofing.Key) {
			_, err := w.VerifyKey(t.Context(), w.ca, present(k, 1))
			told = err == nil
		}, func(t *testing.T, w *world, k *proofing.Key, _ error) { atNewKey(t, w, k, told) })
	})
}

// Nor is an account that ends just then.
func TestAnAccountThatIsBoundWhileItEndsIsNotBound(t *testing.T) {
	end := func(s *proofing.Service, w *world) error {
		return s.AccountDeactivated(t.Context(), w.ca, accountKey(1))
	}
	bind := func(s *proofing.Service, w *world, k *proofing.Key) error {
		_, err := s.VerifyKey(t.Context(), w.ca, present(k, 1))
		return err
	}
	over := func(t *testing.T, w *world, k *proofing.Key, _ error) {
		wantErr(t, "the account that has ended", bind(w.Service, w, k), proofing.ErrBinding)
	}
	interleaved(t, bind, func(w *world, _ *proofing.Key) {
		if err := end(w.Service, w); err != nil {
			t.Error(err)
		}
	}, over)
	interleaved(t, func(s *proofing.Service, w *world, _ *proofing.Key) error { return end(s, w) },
		func(w *world, k *proofing.Key) { bind(w.Service, w, k) }, over) //nolint:errcheck // either is right
}
