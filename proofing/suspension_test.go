package proofing_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// recover comes in by a mailbox and a saved code.
func (w *world) recover(code proofing.Secret) *proofing.Case {
	w.t.Helper()
	c, _ := w.renewed(code)
	return c
}

// renewed is recover, with the code in the place of the one that was used.
func (w *world) renewed(code proofing.Secret) (*proofing.Case, proofing.Secret) {
	w.t.Helper()
	c := w.openOwn()
	w.prove(c, "b", "email", "applicant@example.org")
	c, renewed, err := w.Recover(w.t.Context(), ownVisit(c), code)
	if err != nil {
		w.t.Fatal(err)
	}
	return c, renewed
}

// recovers is Service.Recover for who does not want the new code.
func (w *world) recovers(v proofing.Visit, code proofing.Secret) (*proofing.Case, error) {
	c, _, err := w.Recover(w.t.Context(), v, code)
	return c, err
}

// codes are new saved codes of who is signed in.
func (w *world) codes(c *proofing.Case) []proofing.Secret {
	w.t.Helper()
	return must[[]proofing.Secret](w.t)(w.NewRecoveryCodes(w.t.Context(), ownVisit(c)))
}

func (w *world) authorized(c *proofing.Case) (problem string) {
	w.t.Helper()
	v, err := w.Authorize(w.t.Context(), w.ca, proofing.AuthorizeRequest{Applicant: c.Applicant, Identifiers: []proofing.Identifier{c.Identifier}, Profile: c.Profile})
	if err != nil {
		w.t.Fatal(err)
	}
	return v.Authorizations[0].Problem
}

// changes are what the authority was told of a case.
func (w *world) changes(c *proofing.Case) (all []proofing.Change) {
	w.t.Helper()
	for _, e := range w.reload(c).Outbox.Events {
		all = append(all, e.Change)
	}
	return all
}

func (w *world) bindingOf(c *proofing.Case, of proofing.Evidence) proofing.Binding {
	w.t.Helper()
	for _, b := range w.session(c).Person.Bindings {
		if b.Contact.Address == of.Contact().Address {
			return b
		}
	}
	w.t.Fatal("it is not theirs")
	return proofing.Binding{}
}

// After a recovery there is no level: neither by what was there, nor by what is new before its time; requests and grants that rest on
// it wait, and the authority hears of it.
func TestAfterARecoveryThereIsNoLevelUntilSomethingNewHasCooled(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	c := w.signUp(key)
	granted := w.reload(w.openFor("strong", "applicant@example.org", ""))
	codes := w.codes(c)
	waiting := w.openFor("strong", "waiting@example.org", "waiting-key-waiting-key-waiting-key-waiting1")
	waiting = must[*proofing.Case](t)(w.use(visit(waiting, "b"), key))
	if got := w.authorized(granted); got != "" {
		t.Fatalf("before: %q", got)
	}
	must[*proofing.Case](t)(w.Statement(t.Context(), w.ca, granted.ID))

	in := w.recover(codes[0])
	w.work()
	if got := w.authorized(granted); got != "recovering" {
		t.Errorf("a grant that rests on what was lost is %q", got)
	}
	held := w.reload(granted)
	if s := must[*proofing.Case](t)(w.Statement(t.Context(), w.ca, granted.ID)); held.Held.IsZero() || s.Grant.Statement != "" {
		t.Errorf("held since %v, and its statement is %q", held.Held, s.Grant.Statement.Reveal())
	}
	if got := w.changes(granted); !slices.Contains(got, proofing.ChangeSuspended) {
		t.Errorf("the authority was told %v", got)
	}
	if waiting = w.prove(waiting, "b", "email", ""); waiting.Status != proofing.CaseOpen {
		t.Errorf("a request that the lost passkey was at work in is %s", waiting.Status)
	}
	later := w.openFor("strong", "later@example.org", "later-key-later-key-later-key-later-key-012")
	later = must[*proofing.Case](t)(w.use(visit(later, "b"), key))
	if later = w.prove(later, "b", "email", ""); later.Status != proofing.CaseOpen {
		t.Errorf("a request with the lost passkey is %s", later.Status)
	}
	old := w.signIn(key)
	if s := w.session(old); s.Fresh || s.Case.Grant.Assessment.AAL != nil || !s.Recovering {
		t.Errorf("the lost passkey signs in to %+v", s)
	}
	_, err := w.NewRecoveryCodes(t.Context(), ownVisit(old))
	wantErr(t, "new codes by the lost passkey", err, proofing.ErrNotAdmitted)
	if _, err := w.enrol(ownVisit(old), webauthntest.New()); err == nil {
		t.Error("the lost passkey adds another")
	}

	fresh := webauthntest.New()
	must[*proofing.Case](t)(w.enrol(ownVisit(in), fresh))
	w.pass(23 * time.Hour)
	if got := w.authorized(granted); got != "recovering" {
		t.Errorf("while what is new cools the grant is %q", got)
	}
	w.pass(2 * time.Hour)
	again := w.signIn(fresh)
	if s := w.session(again); !s.Fresh || *s.Case.Grant.Assessment.AAL != 2 {
		t.Fatalf("what has cooled signs in to %+v", s)
	}
	if got := w.authorized(granted); got != "recovering" {
		t.Errorf("before its person has said what is lost the grant is %q", got)
	}
	lost := w.bindingOf(again, held.Evidence[1])
	if err := w.Reactivate(t.Context(), ownVisit(again), lost.ID); err != nil {
		t.Fatal(err)
	}
	w.work()
	if got := w.authorized(granted); got != "" {
		t.Errorf("what is theirs still leaves the grant %q", got)
	}
	if got := w.changes(granted); !slices.Contains(got, proofing.ChangeRestored) {
		t.Errorf("the authority was told %v", got)
	}
	if told := w.post.all("reactivated"); len(told) == 0 {
		t.Error("nobody was told that something counts again")
	}
	if s := w.session(w.signIn(key)); !s.Fresh || s.Recovering {
		t.Errorf("what was reactivated signs in to %+v", s)
	}
}

// What rests on something that was lost and is taken away for good does not come back by that.
func TestAGrantThatWasHeldBackEndsWithWhatItRestsOn(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	c := w.signUp(key)
	granted := w.reload(w.openFor("strong", "applicant@example.org", ""))
	in := w.recover(w.codes(c)[0])
	fresh := webauthntest.New()
	must[*proofing.Case](t)(w.enrol(ownVisit(in), fresh))
	w.pass(25 * time.Hour)
	again := w.signIn(fresh)
	if err := w.Remove(t.Context(), ownVisit(again), w.bindingOf(again, granted.Evidence[1]).ID); err != nil {
		t.Fatal(err)
	}
	w.work()
	if got := w.reload(granted); got.Status != proofing.CaseRevoked || got.Reason != "authenticator_removed" {
		t.Errorf("the grant is %s, %s", got.Status, got.Reason)
	}
}

// Who steals a code and a mailbox does not shut the owner out: any of their addresses, and what they have had, stop it.
func TestARecoveryThatWasNotMeIsTakenBack(t *testing.T) {
	for _, by := range []string{"link", "link, signed out", "passkey"} {
		t.Run(by, func(t *testing.T) {
			w := withPasskeys(t)
			key, thiefs := webauthntest.New(), webauthntest.New()
			c := w.signUp(key)
			granted := w.reload(w.openFor("strong", "applicant@example.org", ""))
			in := w.recover(w.codes(c)[0])
			must[*proofing.Case](t)(w.enrol(ownVisit(in), thiefs))
			w.work()
			if by == "link, signed out" {
				if err := w.SignOut(t.Context(), ownVisit(in)); err != nil {
					t.Fatal(err)
				}
			}
			if by == "passkey" {
				wantErr(t, "stopping it from within", w.StopRecovery(t.Context(), ownVisit(in)), proofing.ErrNotAdmitted)
				own := w.signIn(key)
				if !w.session(own).MayStop {
					t.Fatal("whoever still has what was theirs cannot stop it")
				}
				if err := w.StopRecovery(t.Context(), ownVisit(own)); err != nil {
					t.Fatal(err)
				}
			} else {
				_, ref, _ := strings.Cut(w.post.last(t, "recovered").Disown.Reveal(), proofing.DisownPath)
				must[*proofing.Case](t)(w.Disown(t.Context(), proofing.Secret(ref)))
			}
			w.work()
			if got := w.authorized(granted); got != "" {
				t.Errorf("the grant is %q", got)
			}
			if s := w.session(w.signIn(key)); !s.Fresh || s.Recovering || *s.Case.Grant.Assessment.AAL != 2 {
				t.Errorf("their passkey signs in to %+v", s)
			}
			w.pass(25 * time.Hour)
			if w.speaks(thiefs) {
				t.Error("what the thief has added signs in")
			}
		})
	}
}

// An external account binding that rests on a lost authenticator binds nobody meanwhile.
func TestAKeyThatRestsOnALostAuthenticatorBindsNobody(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	c := w.signUp(key)
	r := request("strong")
	r.Applicant = proofing.Applicant{Kind: proofing.ByNobody}
	open, _, err := w.Open(t.Context(), w.ca, r)
	if err != nil {
		t.Fatal(err)
	}
	must[*proofing.Case](t)(w.use(visit(open, "b"), key))
	w.prove(open, "b", "email", "")
	_, k, err := w.CaseKey(t.Context(), visit(open, "b"), "")
	if err != nil {
		t.Fatal(err)
	}
	w.recover(w.codes(c)[0])
	_, err = w.VerifyKey(t.Context(), w.ca, present(k, 1))
	wantErr(t, "a key that rests on what was lost", err, proofing.ErrBinding)
}

// Whatever a process that dies leaves behind of a recovery, trying again and the worker end it: with no level, or, once somebody has
// said that it was not them, as if it had not been.
func TestTheProcessMayDieWhileAnAccountIsRecovered(t *testing.T) {
	for _, disowned := range []bool{false, true} {
		diesAfterEach(t, func(t *testing.T, n int64, after bool) (broke bool) {
			w := withPasskeys(t)
			key := webauthntest.New()
			c := w.signUp(key)
			granted := w.reload(w.openFor("strong", "applicant@example.org", ""))
			codes := w.codes(c)
			own := w.openOwn()
			w.prove(own, "b", "email", "applicant@example.org")
			f := &faulty{KV: w.kv, after: after, n: n, dies: true}
			dying := w.process(f)
			dying.Methods, dying.Policy = w.Methods, w.Policy
			f.calls.Store(0)
			if disowned {
				in := must[*proofing.Case](t)(w.recovers(ownVisit(own), codes[0]))
				ref := proofing.Secret(in.ID + "." + in.Disown.Reveal())
				if _, err := dying.Disown(t.Context(), ref); err == nil {
					_, _ = dying.WorkOnce(t.Context())
				}
				must[*proofing.Case](t)(w.Disown(t.Context(), ref))
			} else if _, _, err := dying.Recover(t.Context(), ownVisit(own), codes[0]); err != nil {
				if got := must[*proofing.Case](t)(w.Cases.Get(t.Context(), own.ID)); got.Recovered.IsZero() {
					must[*proofing.Case](t)(w.recovers(ownVisit(got), codes[1]))
				}
			}
			w.pass(10 * time.Minute)
			w.work()
			want, level := "recovering", false
			if disowned {
				want, level = "", true
			}
			if got := w.authorized(granted); got != want {
				t.Errorf("call %d, after %v: the grant is %q, want %q", n, after, got, want)
			}
			if s := w.session(w.signIn(key)); s.Fresh != level || s.Recovering == level {
				t.Errorf("call %d, after %v: what was theirs signs in to %+v", n, after, s)
			}
			if told := w.post.all("recovered"); len(told) == 0 {
				t.Errorf("call %d, after %v: nobody was told", n, after)
			}
			return f.calls.Load() >= n
		})
	}
}

// Each use of a saved code brings a new one in its place, which works; whoever says that the recovery was not them ends all codes, but
// those that they have made since.
func TestAUsedCodeIsReplacedAndADisownedRecoveryEndsTheCodes(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	c := w.signUp(key)
	codes := w.codes(c)
	first, replacement := w.renewed(codes[0])
	if p := w.session(first).Person; len(p.Recovery) != len(codes) || len(strings.ReplaceAll(replacement.Reveal(), "-", ""))*5 < 64 {
		t.Fatalf("of %d codes %d are left, and the new one is %q", len(codes), len(p.Recovery), replacement.Reveal())
	}
	w.pass(time.Minute)
	_, third := w.renewed(replacement)
	again := w.openOwn()
	w.prove(again, "b", "email", "applicant@example.org")
	_, _, err := w.Recover(t.Context(), ownVisit(again), replacement)
	wantErr(t, "the new code, twice", err, proofing.ErrWrongAnswer)

	own := w.signIn(key)
	if err := w.StopRecovery(t.Context(), ownVisit(own)); err != nil {
		t.Fatal(err)
	}
	w.work()
	s := w.session(own)
	if len(s.Person.Recovery) != 0 || s.Recovering {
		t.Fatalf("%d codes are left, recovering: %v", len(s.Person.Recovery), s.Recovering)
	}
	_, _, err = w.Recover(t.Context(), ownVisit(again), third)
	wantErr(t, "a code of who was not them", err, proofing.ErrWrongAnswer)
	made := w.codes(own)
	_, ref, _ := strings.Cut(w.post.last(t, "recovered").Disown.Reveal(), proofing.DisownPath)
	must[*proofing.Case](t)(w.Disown(t.Context(), proofing.Secret(ref))) // once more
	w.work()
	if got := len(w.session(own).Person.Recovery); got != len(made) {
		t.Errorf("of the codes that were made since %d are left", got)
	}
}

// Whoever is in ends the session as soon as somebody says that it was not them: what it did is taken back all the same.
func TestARecoveryThatIsDisownedIsTakenBackAlthoughItsSessionEndsFirst(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	codes := w.codes(w.signUp(key))
	thief, _ := w.renewed(codes[0])
	w.work()
	_, ref, _ := strings.Cut(w.post.last(t, "recovered").Disown.Reveal(), proofing.DisownPath)
	must[*proofing.Case](t)(w.Disown(t.Context(), proofing.Secret(ref)))
	if err := w.SignOut(t.Context(), ownVisit(thief)); err != nil {
		t.Fatal(err)
	}
	w.work()
	own := w.session(w.signIn(key))
	if own.Recovering || len(own.Person.Recovery) != 0 {
		t.Errorf("recovering %v, and %d codes are left", own.Recovering, len(own.Person.Recovery))
	}
}

// Codes that somebody made in a session which was not their person's are void, as all else that was added in it; those that its person has made elsewhere stay.
func TestCodesThatWereMadeInADisownedSessionAreVoid(t *testing.T) {
	for _, over := range []bool{false, true} {
		w := withPasskeys(t)
		key := webauthntest.New()
		w.signUp(key)
		stolen := w.signIn(key)
		taken := w.codes(stolen)
		w.work()
		if over {
			if err := w.SignOut(t.Context(), ownVisit(stolen)); err != nil {
				t.Fatal(err)
			}
		}
		_, ref, _ := strings.Cut(w.post.last(t, "bound").Disown.Reveal(), proofing.DisownPath)
		must[*proofing.Case](t)(w.Disown(t.Context(), proofing.Secret(ref)))
		w.work()
		own := w.signIn(key)
		if got := w.session(own).Person.Recovery; len(got) != 0 {
			t.Errorf("over %v: %d codes of the disowned session are left", over, len(got))
		}
		in := w.openOwn()
		w.prove(in, "b", "email", "applicant@example.org")
		_, err := w.recovers(ownVisit(in), taken[0])
		wantErr(t, "a code of a session that was not theirs", err, proofing.ErrWrongAnswer)

		made := w.codes(own)
		must[*proofing.Case](t)(w.Disown(t.Context(), proofing.Secret(ref))) // once more
		w.work()
		if got := w.session(own).Person.Recovery; len(got) != len(made) {
			t.Errorf("over %v: of the codes that were made elsewhere %d are left", over, len(got))
		}
	}
}

// Whoever says that it was not them while codes are being made is not overtaken by them.
func TestCodesAreVoidThatAreMadeWhileTheirSessionIsDisowned(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	w.signUp(key)
	stolen := w.signIn(key)
	ref := proofing.Secret(stolen.ID + "." + stolen.Disown.Reveal())
	other := w.process(&meanwhile{KV: w.kv, kind: "person", do: func() {
		must[*proofing.Case](t)(w.Disown(t.Context(), ref))
		w.work()
	}})
	other.Methods, other.Policy = w.Methods, w.Policy
	_, err := other.NewRecoveryCodes(t.Context(), ownVisit(stolen))
	wantErr(t, "codes of a session that was disowned meanwhile", err, proofing.ErrNotAdmitted)
	if got := w.session(w.signIn(key)).Person.Recovery; len(got) != 0 {
		t.Errorf("%d codes are left", len(got))
	}
}

// However often an account is recovered by codes, what is written of it stays small.
func TestAnAccountIsRecoveredSoOftenAndNoMore(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	code := w.codes(w.signUp(key))[0]
	for n := range 11 {
		w.pass(2 * time.Hour)
		own := w.openOwn()
		w.prove(own, "b", "email", "applicant@example.org")
		_, renewed, err := w.Recover(t.Context(), ownVisit(own), code)
		if n == 10 {
			wantInput(t, "the eleventh time", err, "recovery_often")
			break
		}
		if err != nil {
			t.Fatal(n, err)
		}
		code = renewed
	}
	own := w.signIn(key)
	if err := w.StopRecovery(t.Context(), ownVisit(own)); err != nil {
		t.Fatal(err)
	}
	w.work()
	if s := w.session(own); s.Recovering || !s.Fresh {
		t.Errorf("who has lost nothing is in as %+v", s)
	}
}

// In one recovery as many authenticators are added as a person may have, and all of them go when it is disowned.
func TestWhatOneRecoveryAddsIsBoundedAndGoesWithIt(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	c := w.signUp(key)
	in := w.recover(w.codes(c)[0])
	added, refused := 0, 0
	for range 25 {
		if _, err := w.enrol(ownVisit(in), webauthntest.New()); err != nil {
			refused++
		} else {
			added++
		}
		w.work()
	}
	if p := w.session(in).Person; refused == 0 || len(p.Bindings) > 20 {
		t.Errorf("%d were added and %d refused: they have %d things", added, refused, len(p.Bindings))
	}
	_, ref, _ := strings.Cut(w.post.last(t, "recovered").Disown.Reveal(), proofing.DisownPath)
	must[*proofing.Case](t)(w.Disown(t.Context(), proofing.Secret(ref)))
	w.work()
	if s := w.session(w.signIn(key)); len(s.Person.Bindings) != 2 || !s.Fresh {
		t.Errorf("after it was disowned they have %d things", len(s.Person.Bindings))
	}
}

// What somebody gave back in a session that was not its person's is suspended again.
func TestAReactivationThatWasNotMeIsTakenBack(t *testing.T) {
	for _, over := range []bool{false, true} {
		w := withPasskeys(t)
		key, fresh := webauthntest.New(), webauthntest.New()
		c := w.signUp(key)
		granted := w.reload(w.openFor("strong", "applicant@example.org", ""))
		in := w.recover(w.codes(c)[0])
		must[*proofing.Case](t)(w.enrol(ownVisit(in), fresh))
		w.pass(25 * time.Hour)
		open := w.signIn(fresh)
		if err := w.Reactivate(t.Context(), ownVisit(open), w.bindingOf(open, granted.Evidence[1]).ID); err != nil {
			t.Fatal(err)
		}
		w.work()
		if got := w.authorized(granted); got != "" {
			t.Fatalf("what was given back leaves the grant %q", got)
		}
		if over {
			if err := w.SignOut(t.Context(), ownVisit(open)); err != nil {
				t.Fatal(err)
			}
		}
		_, ref, _ := strings.Cut(w.post.last(t, "reactivated").Disown.Reveal(), proofing.DisownPath)
		must[*proofing.Case](t)(w.Disown(t.Context(), proofing.Secret(ref)))
		w.work()
		if got := w.authorized(granted); got != "recovering" {
			t.Errorf("over %v: the grant is %q", over, got)
		}
		if s := w.session(w.signIn(key)); s.Fresh || !s.Recovering {
			t.Errorf("over %v: what is lost signs in to %+v", over, s)
		}
		// Somebody who then says that the recovery itself was not them gets everything back.
		_, ref, _ = strings.Cut(w.post.last(t, "recovered").Disown.Reveal(), proofing.DisownPath)
		must[*proofing.Case](t)(w.Disown(t.Context(), proofing.Secret(ref)))
		w.work()
		if s := w.session(w.signIn(key)); !s.Fresh || s.Recovering {
			t.Errorf("over %v: afterwards it signs in to %+v", over, s)
		}
	}
}
