package proofing_test

import (
	"errors"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// TestAnAccountRollsOverToAKeyThatWasBoundAndNeverMadeAnAccount has the authority stop between the binding of the second key and its account: whoever holds
// both rolls the first account over to it later, and the authority, which has done so, is not refused for ever.
func TestAnAccountRollsOverToAKeyThatWasBoundAndNeverMadeAnAccount(t *testing.T) {
	for _, same := range []bool{false, true} { // one key binds both accounts, or each has its own
		breaksOff(t, func(t *testing.T, n int64, after bool) (broke bool) {
			w, _ := withKeys(t)
			first := w.issued(w.ca, proofing.KeyRequest{MaxAccounts: 3})
			second := first
			if !same {
				second = w.issued(w.ca, proofing.KeyRequest{MaxAccounts: 3})
			}
			must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(second, 2))) // and there it stopped
			must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(first, 1)))
			if err := w.AccountCreated(t.Context(), w.ca, "https://ca.example/acct/1", accountKey(1)); err != nil {
				t.Fatal(err)
			}
			w.asks(1, proved)
			broke = w.dying(n, after).AccountKeyChanged(t.Context(), w.ca, "", accountKey(1), accountKey(2)) != nil
			for range 2 {
				if err := w.AccountKeyChanged(t.Context(), w.ca, "", accountKey(1), accountKey(2)); err != nil {
					t.Fatalf("call %d, after %v: %v", n, after, err)
				}
			}
			v := must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(first, 2)))
			if v.Account.URL != "https://ca.example/acct/1" {
				t.Errorf("call %d, after %v: its binding is that of %+v", n, after, v.Account)
			}
			if !same {
				_, err := w.VerifyKey(t.Context(), w.ca, present(second, 2))
				wantErr(t, "the binding that no account came of", err, proofing.ErrBinding)
			}
			if got := w.asks(2, proved); got.Problem != "pending" {
				t.Errorf("call %d, after %v: by its new key the account is told %q", n, after, got.Problem)
			}
			for _, k := range []*proofing.Key{first, second} {
				have := must[*proofing.Key](t)(w.Keys.Get(t.Context(), k.ID))
				if live := living(have); same && (len(have.Accounts) != 2 || live != 1) || !same && len(have.Accounts) != 1 {
					t.Errorf("call %d, after %v: %d accounts of the key, %d living: %+v", n, after, len(have.Accounts), live, have.Accounts)
				}
			}
			return broke
		})
	}
}

func living(k *proofing.Key) (n int) {
	for _, b := range k.Accounts {
		if b.Deactivated.IsZero() {
			n++
		}
	}
	return n
}

func TestAnAccountIsNotRolledOverToTheKeyOfAnother(t *testing.T) {
	for what, live := range map[string]func(w *world) error{
		"which its authority has made": func(w *world) error {
			return w.AccountCreated(w.t.Context(), w.ca, "https://ca.example/acct/2", accountKey(2))
		},
		"which has asked for something": func(w *world) error { w.asks(2, proved); return nil },
		"which has ended":               func(w *world) error { return w.AccountDeactivated(w.t.Context(), w.ca, accountKey(2)) },
	} {
		w, _ := withKeys(t)
		k := w.issued(w.ca, proofing.KeyRequest{MaxAccounts: 3})
		for _, account := range []int{1, 2} {
			must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, account)))
		}
		if err := live(w); err != nil {
			t.Fatal(err)
		}
		var refused *proofing.InputError
		if err := w.AccountKeyChanged(t.Context(), w.ca, "", accountKey(1), accountKey(2)); !errors.As(err, &refused) || refused.Code != "account_key_taken" {
			t.Errorf("%s: %v", what, err)
		}
		must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
	}
}

func TestWhoNamesABindingThatIsNotTheAccountsIsTold(t *testing.T) {
	w, _ := withKeys(t)
	mine, others := w.issued(w.ca, proofing.KeyRequest{}), w.issued(w.ca, proofing.KeyRequest{})
	must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(mine, 1)))
	must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(others, 2)))
	for what, c := range map[string]struct {
		account int
		kid     string
		ok      bool
	}{
		"its own":                  {1, mine.Kid, true},
		"another's":                {1, others.Kid, false},
		"of nobody":                {1, "csnobody", false},
		"of an account unheard of": {3, mine.Kid, false},
	} {
		err := w.AccountBoundBy(t.Context(), w.ca, accountKey(c.account), c.kid)
		if c.ok != (err == nil) {
			t.Errorf("%s: %v", what, err)
		}
		if !c.ok {
			wantInput(t, what, err, "eab_kid")
		}
	}
	if err := w.AccountKeyChanged(t.Context(), w.ca, "", accountKey(1), accountKey(4)); err != nil {
		t.Fatal(err)
	}
	for _, account := range []int{1, 4} { // whoever tells it again names the key of before
		if err := w.AccountBoundBy(t.Context(), w.ca, accountKey(account), mine.Kid); err != nil {
			t.Errorf("after a rollover, by key %d: %v", account, err)
		}
	}
}
