package proofing_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

const newAccount = "https://ca.example/acme/new-account"

// withKeys is a world whose authorities have a directory, with a case that ends in a key and the browser that has proved it.
func withKeys(t testing.TB) (w *world, c *proofing.Case) {
	w = newWorld(t)
	for _, ca := range []*proofing.Authority{w.ca, w.other} {
		ca.Directories, ca.NewAccounts = []string{"https://ca.example/acme/directory"}, []string{newAccount}
		must[*proofing.Authority](t)(w.Authorities.Update(context.WithoutCancel(t.Context()), ca.ID, func(have *proofing.Authority) error {
			have.Directories, have.NewAccounts = ca.Directories, ca.NewAccounts
			return nil
		}))
	}
	r := request("email")
	r.Applicant = proofing.Applicant{Kind: proofing.ByNobody}
	c, _, err := w.Open(t.Context(), w.ca, r)
	if err != nil {
		t.Fatal(err)
	}
	if c = w.prove(c, "b", "email", ""); c.Status != proofing.CaseGranted {
		t.Fatalf("the case is %s", c.Status)
	}
	return w, c
}

func accountKey(n int) string {
	sum := sha256.Sum256(fmt.Append(nil, n))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// present is a right binding of an account by a key.
func present(k *proofing.Key, n int) proofing.ExternalBinding {
	secret, _ := base64.RawURLEncoding.DecodeString(k.Secret.Reveal())
	b := proofing.ExternalBinding{Kid: k.Kid, Algorithm: "HS256", URL: newAccount, Thumbprint: accountKey(n), Bound: accountKey(n), Signed: fmt.Appendf(nil, "header.%d", n)}
	mac := hmac.New(sha256.New, secret)
	mac.Write(b.Signed)
	b.MAC = mac.Sum(nil)
	return b
}

func (w *world) caseKey(c *proofing.Case) *proofing.Key {
	w.t.Helper()
	_, k, err := w.CaseKey(w.t.Context(), visit(c, "b"), "")
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

// asks is what an account is told that orders an identifier.
func (w *world) asks(n int, id proofing.Identifier) proofing.Authorization {
	w.t.Helper()
	v, err := w.Authorize(w.t.Context(), w.ca, proofing.AuthorizeRequest{
		Applicant: proofing.Applicant{Kind: proofing.ByAccount, Thumbprint: accountKey(n)}, Identifiers: []proofing.Identifier{id}, Profile: "email",
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return v.Authorizations[0]
}

var proved = proofing.Identifier{Type: "email", Value: "applicant@example.org"}

// A key for one directory is good at that one alone, also where its authority has several.
func TestAKeyForADirectoryBindsNobodyAtAnother(t *testing.T) {
	w, _ := withKeys(t)
	const live, staging, stagingAccount = "https://ca.example/acme/directory", "https://ca.example/staging/directory", "https://ca.example/staging/new-account"
	set := func(directories, newAccounts []string) {
		w.ca = must[*proofing.Authority](t)(w.Authorities.Update(t.Context(), w.ca.ID, func(have *proofing.Authority) error {
			have.Directories, have.NewAccounts = directories, newAccounts
			return nil
		}))
	}
	set([]string{live, staging}, []string{newAccount, stagingAccount})
	k := w.issued(w.ca, proofing.KeyRequest{Directory: staging, MaxAccounts: 5})
	at := func(n int, url string) error {
		b := present(k, n)
		b.URL = url
		_, err := w.VerifyKey(t.Context(), w.ca, b)
		return err
	}
	if err := at(1, stagingAccount); err != nil {
		t.Errorf("at its own: %v", err)
	}
	wantErr(t, "at another", at(2, newAccount), proofing.ErrBinding)
	// Which URL is whose is not known any more.
	set([]string{live, staging}, []string{newAccount, stagingAccount, "https://ca.example/third"})
	wantErr(t, "with a URL too many", at(3, stagingAccount), proofing.ErrBinding)
	set([]string{staging}, []string{newAccount, stagingAccount}) // all of the one
	if err := at(4, newAccount); err != nil {
		t.Errorf("of one directory: %v", err)
	}
}

// What an account may have because of a key is believed no longer than the key is good.
func TestAnAnswerIsBelievedNoLongerThanTheKeyIsGood(t *testing.T) {
	w, c := withKeys(t)
	k := w.caseKey(c)
	must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
	w.asks(1, proved)
	soon := w.clock().Add(time.Minute)
	must[*proofing.Key](t)(w.Keys.Update(t.Context(), k.ID, func(k *proofing.Key) error {
		k.Expires = soon
		return nil
	}))
	v := must[proofing.Verdict](t)(w.Authorize(t.Context(), w.ca, proofing.AuthorizeRequest{
		Applicant: proofing.Applicant{Kind: proofing.ByAccount, Thumbprint: accountKey(1)}, Identifiers: []proofing.Identifier{proved}, Profile: "email",
	}))
	if !v.Allow || !v.RecheckAfter.Equal(soon) {
		t.Errorf("allowed %v until %s, and the key is good until %s", v.Allow, v.RecheckAfter, soon)
	}
	if got := must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1))); !got.RecheckAfter.Equal(soon) {
		t.Errorf("verified until %s", got.RecheckAfter)
	}
}

func TestAKeyIsTheResultOfAProofAndAuthorizesWhatWasProved(t *testing.T) {
	w, c := withKeys(t)
	k := w.caseKey(c)
	v := must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
	if v.Grant == nil || v.Account.Thumbprint != accountKey(1) || v.Key.Subject == "" {
		t.Fatalf("the binding is %+v", v)
	}
	again := must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
	if !again.Account.At.Equal(v.Account.At) || len(again.Key.Accounts) != 1 {
		t.Errorf("the same account again got %+v", again.Account)
	}
	got := w.asks(1, proved)
	if got.Problem != "" || got.Case.EABKid != k.Kid || got.Case.Person != c.Person || got.Case.Grant.Expires.After(c.Grant.Expires) {
		t.Fatalf("the bound account is told %q, by case %+v", got.Problem, got.Case)
	}
	if got := w.asks(1, proofing.Identifier{Type: "email", Value: "other@example.org"}); got.Problem != "pending" {
		t.Errorf("for what was not proved it is told %q", got.Problem)
	}
	if got := w.asks(2, proved); got.Problem != "pending" {
		t.Errorf("an account without the key is told %q", got.Problem)
	}
}

func TestABindingIsRefusedWhateverIsWrongWithIt(t *testing.T) {
	w, c := withKeys(t)
	k := w.caseKey(c)
	for what, spoil := range map[string]func(b *proofing.ExternalBinding){
		"an unknown kid":        func(b *proofing.ExternalBinding) { b.Kid = "nobody" },
		"a wrong MAC":           func(b *proofing.ExternalBinding) { b.MAC[0] ^= 1 },
		"a short MAC":           func(b *proofing.ExternalBinding) { b.MAC = b.MAC[:16] },
		"no MAC":                func(b *proofing.ExternalBinding) { b.MAC = nil },
		"another key in it":     func(b *proofing.ExternalBinding) { b.Bound = accountKey(2) },
		"another algorithm":     func(b *proofing.ExternalBinding) { b.Algorithm = "HS512" },
		"no algorithm":          func(b *proofing.ExternalBinding) { b.Algorithm = "none" },
		"another directory":     func(b *proofing.ExternalBinding) { b.URL = "https://ca.example/other/new-account" },
		"something else signed": func(b *proofing.ExternalBinding) { b.Signed = append(b.Signed, '.') },
	} {
		b := present(k, 1)
		spoil(&b)
		if _, err := w.VerifyKey(t.Context(), w.ca, b); err != proofing.ErrBinding { //nolint:errorlint // exactly this, with nothing that tells
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := w.VerifyKey(t.Context(), w.other, present(k, 1)); err != proofing.ErrBinding {
		t.Errorf("another authority: %v", err)
	}
	if have := must[*proofing.Key](t)(w.Key(t.Context(), w.ca.Name, k.Kid)); len(have.Accounts) > 0 {
		t.Errorf("what was refused has bound %+v", have.Accounts)
	}
	w.pass(8 * 24 * time.Hour)
	if _, err := w.VerifyKey(t.Context(), w.ca, present(k, 1)); err != proofing.ErrBinding {
		t.Errorf("after a week without use: %v", err)
	}
}

func TestAKeyBindsNoMoreAccountsThanItMay(t *testing.T) {
	for _, most := range []int{1, 3} {
		w, _ := withKeys(t)
		k := must[*proofing.Key](t)(w.IssueKey(t.Context(), w.ca, proofing.KeyRequest{Profile: "email", MaxAccounts: most}))
		processes := []*proofing.Service{w.Service, w.process(w.kv)}
		const asking = 16
		var mu sync.Mutex
		var won []int
		var all sync.WaitGroup
		for n := range asking {
			all.Go(func() {
				for range 20 { // a store that is busy is asked again, as a CA does
					_, err := processes[n%2].VerifyKey(t.Context(), w.ca, present(k, n))
					switch {
					case err == nil:
						mu.Lock()
						won = append(won, n)
						mu.Unlock()
					case errors.Is(err, proofing.ErrUnavailable):
						continue
					case !errors.Is(err, proofing.ErrBinding):
						t.Error(err)
					}
					return
				}
			})
		}
		all.Wait()
		have := must[*proofing.Key](t)(w.Key(t.Context(), w.ca.Name, k.Kid))
		if len(won) != most || len(have.Accounts) != most {
			t.Errorf("of %d, %d were told yes and %d are bound; %d may", asking, len(won), len(have.Accounts), most)
		}
		for n := range asking {
			if _, err := w.VerifyKey(t.Context(), w.ca, present(k, n)); (err == nil) != slices.Contains(won, n) {
				t.Errorf("account %d, which won: %v, asks again: %v", n, slices.Contains(won, n), err)
			}
		}
	}
}

func TestACrashWhileAnAccountIsBoundLeavesTheKeyToIt(t *testing.T) {
	for _, after := range []bool{false, true} {
		for n := int64(1); ; n++ {
			w, c := withKeys(t)
			k := w.caseKey(c)
			_, err := w.dying(n, after).VerifyKey(t.Context(), w.ca, present(k, 1))
			broke := err != nil
			must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
			if got := w.asks(1, proved); got.Problem != "" {
				t.Errorf("call %d, after %v: the account is told %q", n, after, got.Problem)
			}
			if _, err := w.VerifyKey(t.Context(), w.ca, present(k, 2)); !errors.Is(err, proofing.ErrBinding) {
				t.Errorf("call %d, after %v: a second account: %v", n, after, err)
			}
			if !broke {
				break
			}
		}
	}
}

func TestAKeyThatWasLostIsMadeAnewUntilItIsUsed(t *testing.T) {
	w, c := withKeys(t)
	_, _, err := w.CaseKey(t.Context(), visit(c, "another browser"), "")
	wantErr(t, "another browser", err, proofing.ErrOtherBrowser)
	lost, k := w.caseKey(c), w.caseKey(c)
	_, err = w.VerifyKey(t.Context(), w.ca, present(lost, 1))
	wantErr(t, "the one that was lost", err, proofing.ErrBinding)
	must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
	_, _, err = w.CaseKey(t.Context(), visit(c, "b"), "")
	wantInput(t, "once it is used", err, "key_in_use")
	mine := w.open("email")
	w.prove(mine, "b", "email", "")
	_, _, err = w.CaseKey(t.Context(), visit(mine, "b"), "")
	wantErr(t, "a case that has an account", err, proofing.ErrClosed)
}

func TestWhatAKeyRestsOnEndsAndTheKeyWithIt(t *testing.T) {
	for what, end := range map[string]func(w *world, c *proofing.Case, k *proofing.Key) error{
		"the key is revoked": func(w *world, _ *proofing.Case, k *proofing.Key) error {
			_, err := w.RevokeKey(w.t.Context(), w.ca.Name, k.Kid, "test")
			return err
		},
		"the proof is revoked": func(w *world, c *proofing.Case, _ *proofing.Key) error {
			_, err := w.Revoke(w.t.Context(), c.ID, "test")
			return err
		},
		"somebody says that it was not them": func(w *world, c *proofing.Case, _ *proofing.Key) error {
			_, err := w.Disown(w.t.Context(), proofing.Secret(c.ID+"."+c.Disown.Reveal()))
			return err
		},
	} {
		w, c := withKeys(t)
		k := w.caseKey(c)
		must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
		if got := w.asks(1, proved); got.Problem != "" {
			t.Fatal(got.Problem)
		}
		if err := end(w, c, k); err != nil {
			t.Fatal(err)
		}
		if got := w.asks(1, proved); got.Problem == "" {
			t.Errorf("%s: its account is still authorized", what)
		}
		_, err := w.VerifyKey(t.Context(), w.ca, present(k, 1))
		wantErr(t, what, err, proofing.ErrBinding)
	}
}

func TestAKeyOfAnAuthorityLimitsItsAccounts(t *testing.T) {
	w, _ := withKeys(t)
	k := must[*proofing.Key](t)(w.IssueKey(t.Context(), w.ca, proofing.KeyRequest{Profile: "email", Identifiers: []proofing.Identifier{{Type: "email", Value: "Applicant@EXAMPLE.org"}, proved}}))
	v := must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
	if v.Grant != nil {
		t.Errorf("nothing was proved, and it has the grant %+v", v.Grant)
	}
	if got := w.asks(1, proved); got.Problem != "pending" {
		t.Errorf("within its limits the account is told %q", got.Problem)
	}
	for _, id := range []string{"applicant@example.org.evil.test", "xapplicant@example.org", "applicant@sub.example.org"} {
		if got := w.asks(1, proofing.Identifier{Type: "email", Value: id}); got.Problem != "identifier_rejected" {
			t.Errorf("for %s it is told %q", id, got.Problem)
		}
	}
}

func TestAKeyNamesTheURLOfTheAccountThatItBound(t *testing.T) {
	urls := func(w *world, k *proofing.Key) (list []string) {
		for _, b := range must[*proofing.Key](t)(w.Key(t.Context(), w.ca.Name, k.Kid)).Accounts {
			list = append(list, b.URL)
		}
		return list
	}
	for _, after := range []bool{false, true} {
		for n := int64(1); ; n++ {
			w, _ := withKeys(t)
			k := must[*proofing.Key](t)(w.IssueKey(t.Context(), w.ca, proofing.KeyRequest{Profile: "email", MaxAccounts: 2}))
			for _, account := range []int{1, 2} {
				must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, account)))
			}
			// A crash on the way is made good by telling it again.
			broke := w.dying(n, after).AccountCreated(t.Context(), w.ca, "https://ca.example/acct/1", accountKey(1)) != nil
			if broke {
				if err := w.AccountCreated(t.Context(), w.ca, "https://ca.example/acct/1", accountKey(1)); err != nil {
					t.Fatal(err)
				}
			}
			if got := urls(w, k); !slices.Equal(got, []string{"https://ca.example/acct/1", ""}) {
				t.Errorf("call %d, after %v: the accounts of the key are %q", n, after, got)
			}
			if broke {
				continue
			}
			for _, c := range []struct {
				url      string
				from, to int
			}{{"", 1, 3}, {"https://ca.example/acct/one", 3, 4}} {
				if err := w.AccountKeyChanged(t.Context(), w.ca, c.url, accountKey(c.from), accountKey(c.to)); err != nil {
					t.Fatal(err)
				}
				want := "https://ca.example/acct/1"
				if c.url != "" {
					want = c.url
				}
				if got := urls(w, k); !slices.Equal(got, []string{want, ""}) {
					t.Errorf("after a rollover with the URL %q they are %q", c.url, got)
				}
			}
			break
		}
	}
}

func TestARolloverMovesTheBindingAndFreesNoPlace(t *testing.T) {
	w, c := withKeys(t)
	k := w.caseKey(c)
	must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
	if err := w.AccountKeyChanged(t.Context(), w.ca, "", accountKey(1), accountKey(2)); err != nil {
		t.Fatal(err)
	}
	must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 2)))
	if got := w.asks(2, proved); got.Problem != "" {
		t.Errorf("by its new key the account is told %q", got.Problem)
	}
	_, err := w.VerifyKey(t.Context(), w.ca, present(k, 1))
	wantErr(t, "a new account of the old key", err, proofing.ErrBinding)
	if err := w.AccountDeactivated(t.Context(), w.ca, accountKey(2)); err != nil {
		t.Fatal(err)
	}
	_, err = w.VerifyKey(t.Context(), w.ca, present(k, 2))
	wantErr(t, "the account when it was deactivated", err, proofing.ErrBinding)
	_, err = w.VerifyKey(t.Context(), w.ca, present(k, 3))
	wantErr(t, "another account in its place", err, proofing.ErrBinding)
}

// released lets the authority have the keys of proofs.
func (w *world) released() { w.ca.Release = &proofing.KeyRelease{Since: w.clock(), Limited: true} }

// A profile that was taken from the authority, or is gone, binds nobody any more by the keys that there are.
func TestKeysOfAProfileThatTheAuthorityMayNotHaveBindNobody(t *testing.T) {
	for name, take := range map[string]func(w *world, profile string){
		"taken from the authority": func(w *world, profile string) {
			w.ca.Profiles = slices.DeleteFunc(slices.Clone(w.ca.Profiles), func(p string) bool { return p == profile })
		},
		"gone": func(w *world, profile string) { delete(w.Policy.Profiles, profile) },
	} {
		t.Run(name, func(t *testing.T) {
			w, c := withKeys(t)
			w.released()
			k := w.caseKey(c)
			must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
			given := w.issued(w.ca, proofing.KeyRequest{Profile: k.Profile, Subject: "customer 4711"})
			take(w, k.Profile)
			for _, one := range []*proofing.Key{k, given} {
				_, err := w.VerifyKey(t.Context(), w.ca, present(one, 1))
				wantErr(t, "verified", err, proofing.ErrBinding)
				_, err = w.RotateKey(t.Context(), w.ca, one.Kid, time.Hour)
				wantErr(t, "rotated", err, proofing.ErrClosed)
			}
			if all := must[[]*proofing.Key](t)(w.ExportKeys(t.Context(), w.ca, "")); len(all) != 0 {
				t.Errorf("%d are exported", len(all))
			}
		})
	}
}

// betweenChanges is a table before whose next change something else happens.
type betweenChanges[T any] struct {
	proofing.Table[T]
	do func()
}

func (m *betweenChanges[T]) Update(ctx context.Context, id string, edit func(*T) error) (*T, error) {
	if do := m.do; do != nil {
		m.do = nil
		do()
	}
	return m.Table.Update(ctx, id, edit)
}

// What an authority has limited stays limited when its key's time is over.
func TestALimitDoesNotEndWithItsKey(t *testing.T) {
	w, _ := withKeys(t)
	k := w.issued(w.ca, proofing.KeyRequest{ExpiresIn: time.Hour, Identifiers: []proofing.Identifier{proved}})
	must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
	other := proofing.Identifier{Type: "email", Value: "other@example.org"}
	for _, when := range []string{"while the key is active", "when it has expired"} {
		if got := w.asks(1, other); got.Problem != "identifier_rejected" {
			t.Errorf("%s the account is told %q", when, got.Problem)
		}
		if got := w.asks(1, proved); got.Problem != "pending" {
			t.Errorf("%s it is told %q within the limit", when, got.Problem)
		}
		w.pass(2 * time.Hour)
	}
}

func TestAnAccountThatIsDeactivatedWhileItsKeyChangesIsOver(t *testing.T) {
	w, c := withKeys(t)
	k := w.caseKey(c)
	must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
	slow := w.process(w.kv)
	slow.Methods, slow.Policy = w.Methods, w.Policy
	slow.Accounts = &betweenChanges[proofing.Account]{Table: w.Accounts, do: func() {
		if err := w.AccountDeactivated(t.Context(), w.ca, accountKey(1)); err != nil {
			t.Error(err)
		}
	}}
	if err := slow.AccountKeyChanged(t.Context(), w.ca, "", accountKey(1), accountKey(2)); err == nil {
		t.Error("the key of an account that is over was replaced")
	}
	if got := w.asks(2, proved); got.Problem == "" {
		t.Error("by its new key the account is authorized")
	}
}
