package proofing_test

import (
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// Whoever rotates a key sees the new one: an authority to which no MAC keys are released would have what a person has proved.
func TestAnAuthorityRotatesNoKeyOfAProofThatItMayNotSee(t *testing.T) {
	w, c := withKeys(t)
	k := w.caseKey(c)
	for _, release := range []*proofing.KeyRelease{nil, {Since: w.clock()}} {
		w.ca.Release = release
		_, err := w.RotateKey(t.Context(), w.ca, k.Kid, time.Hour)
		wantErr(t, "rotated", err, proofing.ErrWithheld)
	}
	must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1))) // it is as it was
	w.ca.Release = nil
	must[*proofing.Key](t)(w.RotateKey(t.Context(), w.ca, w.issued(w.ca, proofing.KeyRequest{Subject: "customer 4711"}).Kid, time.Hour)) // its own
}

func TestARotatedKeyWorksOnForItsAccountsForAWhile(t *testing.T) {
	w, c := withKeys(t)
	w.released()
	k := w.caseKey(c)
	must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
	w.asks(1, proved)
	next := must[*proofing.Key](t)(w.RotateKey(t.Context(), w.ca, k.Kid, time.Hour))
	for _, each := range []*proofing.Key{k, next} {
		must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(each, 1)))
		_, err := w.VerifyKey(t.Context(), w.ca, present(each, 2))
		wantErr(t, "another account", err, proofing.ErrBinding)
	}
	_, err := w.RotateKey(t.Context(), w.ca, k.Kid, time.Hour)
	wantErr(t, "twice", err, proofing.ErrClosed)
	w.pass(2 * time.Hour)
	_, err = w.VerifyKey(t.Context(), w.ca, present(k, 1))
	wantErr(t, "the old key after the overlap", err, proofing.ErrBinding)
	if got := w.asks(1, proved); got.Problem != "" {
		t.Errorf("after the overlap its account is told %q", got.Problem)
	}
	must[*proofing.Key](t)(w.RevokeKey(t.Context(), w.ca.Name, next.Kid, "test"))
	if got := w.asks(1, proved); got.Problem != "binding_ended" {
		t.Errorf("once the new key is revoked it is told %q", got.Problem)
	}
}

// Until a rotation is done the old key works as before, whatever breaks it off: a crash, or an account that is bound meanwhile.
func TestARotationThatIsBrokenOffTakesNothingFromTheOldKey(t *testing.T) {
	for _, ofACase := range []bool{true, false} {
		breaksOff(t, func(t *testing.T, n int64, after bool) (broke bool) {
			w, c := withKeys(t)
			w.released()
			var k *proofing.Key
			want := ""
			if ofACase {
				k = w.caseKey(c)
			} else {
				k, want = w.issued(w.ca, proofing.KeyRequest{Profile: "email", MaxAccounts: 1}), "pending"
			}
			must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
			next, err := w.dying(n, after).RotateKey(t.Context(), w.ca, k.Kid, time.Hour)
			broke = err != nil
			must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
			if got := w.asks(1, proved); got.Problem != want {
				t.Fatalf("call %d, after %v, of a case %v: the account is told %q", n, after, ofACase, got.Problem)
			}
			if broke {
				have := must[*proofing.Key](t)(w.Key(t.Context(), w.ca.Name, k.Kid))
				last := k.Kid
				if have.ReplacedBy != "" { // it was done, and nobody was told of it
					last = have.ReplacedBy
				}
				next = must[*proofing.Key](t)(w.RotateKey(t.Context(), w.ca, last, time.Hour))
			}
			must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(next, 1)))
			w.pass(2 * time.Hour)
			if got := w.asks(1, proved); got.Problem != want {
				t.Fatalf("call %d, after %v, of a case %v: after the overlap the account is told %q", n, after, ofACase, got.Problem)
			}
			must[*proofing.Key](t)(w.RevokeKey(t.Context(), w.ca.Name, next.Kid, "test"))
			if got := w.asks(1, proved); got.Problem != "binding_ended" {
				t.Fatalf("call %d, after %v, of a case %v: once it is revoked the account is told %q", n, after, ofACase, got.Problem)
			}
			return broke
		})
	}
}

func TestWhatARotationThatWasBrokenOffHasLeftIsNoKey(t *testing.T) {
	breaksOff(t, func(t *testing.T, n int64, after bool) (broke bool) {
		w, _ := withKeys(t)
		k := w.issued(w.ca, proofing.KeyRequest{Profile: "email"})
		must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
		_, err := w.dying(n, after).RotateKey(t.Context(), w.ca, k.Kid, time.Hour)
		w.asks(1, proved)
		if have := must[*proofing.Key](t)(w.Key(t.Context(), w.ca.Name, k.Kid)); have.ReplacedBy != "" {
			return err != nil
		}
		must[*proofing.Key](t)(w.RevokeKey(t.Context(), w.ca.Name, k.Kid, "test"))
		if got := w.asks(1, proved); got.Problem != "binding_ended" {
			t.Errorf("call %d, after %v: once the key is revoked the account is told %q", n, after, got.Problem)
		}
		return err != nil
	})
}

func TestAnAccountThatIsBoundWhileAKeyIsRotatedBreaksNothing(t *testing.T) {
	w, _ := withKeys(t)
	w.released()
	w.Policy.Profiles["email"].Key.MaxAccounts = 2
	r := request("email")
	r.Applicant = proofing.Applicant{Kind: proofing.ByNobody}
	c, _, err := w.Open(t.Context(), w.ca, r)
	if err != nil {
		t.Fatal(err)
	}
	k := w.caseKey(w.prove(c, "b", "email", ""))
	must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
	slow := w.process(w.kv)
	slow.Methods, slow.Policy = w.Methods, w.Policy
	slow.Accounts = &betweenChanges[proofing.Account]{Table: w.Accounts, do: func() {
		must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 2)))
	}}
	_, err = slow.RotateKey(t.Context(), w.ca, k.Kid, time.Hour)
	wantErr(t, "the rotation", err, proofing.ErrClosed)
	for n := range 2 {
		must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, n+1)))
		if got := w.asks(n+1, proved); got.Problem != "" {
			t.Errorf("account %d is told %q", n+1, got.Problem)
		}
	}
	must[*proofing.Key](t)(w.RotateKey(t.Context(), w.ca, k.Kid, time.Hour))
}

func TestAnAccountKeyThatIsReplacedWhileItsBindingIsRotatedIsGone(t *testing.T) {
	w, c := withKeys(t)
	w.released()
	k := w.caseKey(c)
	must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
	slow := w.process(w.kv)
	slow.Methods, slow.Policy = w.Methods, w.Policy
	slow.Accounts = &betweenChanges[proofing.Account]{Table: w.Accounts, do: func() {
		if err := w.AccountKeyChanged(t.Context(), w.ca, "", accountKey(1), accountKey(2)); err != nil {
			t.Error(err)
		}
	}}
	next, err := slow.RotateKey(t.Context(), w.ca, k.Kid, time.Hour)
	if err != nil {
		next = must[*proofing.Key](t)(w.RotateKey(t.Context(), w.ca, k.Kid, time.Hour))
	}
	_, err = w.VerifyKey(t.Context(), w.ca, present(next, 1))
	wantErr(t, "the old account key by the new key", err, proofing.ErrBinding)
	must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(next, 2)))
}
