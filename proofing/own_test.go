package proofing_test

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// ownVisit is a request of a browser to a session.
func ownVisit(c *proofing.Case) proofing.Visit { return visit(c, "b") }

// signUp makes a person with a mailbox and a passkey, and signs them in.
func (w *world) signUp(key *webauthntest.Authenticator) *proofing.Case {
	w.t.Helper()
	c := w.openFor("strong", "applicant@example.org", "")
	must[*proofing.Case](w.t)(w.enrol(visit(c, "b"), key))
	must[*proofing.Case](w.t)(w.use(visit(c, "b"), key))
	w.prove(c, "b", "email", "")
	w.pass(time.Hour)
	return w.signIn(key)
}

func (w *world) openOwn() *proofing.Case {
	w.t.Helper()
	return must[*proofing.Case](w.t)(w.OpenOwn(w.t.Context(), proofing.Visit{Browser: "b", Client: "192.0.2.7", Lang: "en"}))
}

func (w *world) signIn(key *webauthntest.Authenticator) *proofing.Case {
	w.t.Helper()
	c := must[*proofing.Case](w.t)(w.use(ownVisit(w.openOwn()), key))
	if c.Status != proofing.CaseGranted {
		w.t.Fatalf("signing in left the session %s", c.Status)
	}
	return c
}

func (w *world) session(c *proofing.Case) *proofing.Session {
	w.t.Helper()
	return must[*proofing.Session](w.t)(w.Session(w.t.Context(), ownVisit(c)))
}

func binding(s *proofing.Session, ch proofing.Channel) proofing.Binding {
	i := slices.IndexFunc(s.Person.Bindings, func(b proofing.Binding) bool { return b.Contact.Channel == ch })
	if i < 0 {
		return proofing.Binding{}
	}
	return s.Person.Bindings[i]
}

func TestASignInIsASessionOfItsBrowserForAWhile(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	c := w.signUp(key)
	s := w.session(c)
	if !s.Fresh || *s.Case.Grant.Assessment.AAL != 2 || len(s.Person.Bindings) != 2 {
		t.Fatalf("the session is %+v of %+v", s, s.Person)
	}
	if _, err := w.Session(t.Context(), visit(c, "another browser")); !errors.Is(err, proofing.ErrNotFound) {
		t.Errorf("in another browser: %v", err)
	}
	w.pass(11 * time.Minute)
	if s = w.session(c); s.Fresh {
		t.Error("after eleven minutes it still counts as just authenticated")
	}
	// Whoever goes on stays, but not beyond the day (SP 800-63B-4 2.2.3).
	for range 46 {
		w.pass(30 * time.Minute)
		w.session(c)
	}
	w.pass(61 * time.Minute)
	if _, err := w.Session(t.Context(), ownVisit(c)); !errors.Is(err, proofing.ErrNotFound) {
		t.Errorf("after a day: %v", err)
	}
	w.work()
	if got := must[*proofing.Case](t)(w.Cases.Get(t.Context(), c.ID)); got.Status != proofing.CaseExpired || got.Retain.Sub(got.Expires) != 30*24*time.Hour {
		t.Errorf("it is %s, and its record is kept until %v", got.Status, got.Retain)
	}
	idle := w.signIn(key)
	w.pass(61 * time.Minute)
	if _, err := w.Session(t.Context(), ownVisit(idle)); !errors.Is(err, proofing.ErrNotFound) {
		t.Errorf("after an hour without a word: %v", err)
	}
	out := w.signIn(key)
	for range 2 {
		if err := w.SignOut(t.Context(), ownVisit(out)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Session(t.Context(), ownVisit(out)); !errors.Is(err, proofing.ErrNotFound) {
		t.Errorf("after signing out: %v", err)
	}
}

func TestSigningInChangesTheSecretOfTheSession(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	w.signUp(key)
	before := w.openOwn()
	after := must[*proofing.Case](t)(w.use(ownVisit(before), key))
	if after.LinkSecret == before.LinkSecret {
		t.Error("who knew the reference before somebody signed in knows it after")
	}
	if _, err := w.Session(t.Context(), ownVisit(before)); !errors.Is(err, proofing.ErrNotFound) {
		t.Errorf("the reference from before: %v", err)
	}
}

// A session that rises in level has another secret from then on, and whoever had the one before has nothing.
func TestASessionThatRisesInLevelHasANewSecret(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	c := w.signUp(key)
	w.prove(c, "b", "sms", "+447400123456")
	w.pass(time.Hour)
	low := w.prove(w.openOwn(), "b", "sms", "+447400123456")
	if *w.session(low).Case.Grant.Assessment.AAL != 1 {
		t.Fatal("a text message is not AAL1")
	}
	high := must[*proofing.Case](t)(w.use(ownVisit(low), key))
	if s := w.session(high); *s.Case.Grant.Assessment.AAL != 2 || high.ID != low.ID {
		t.Fatalf("the passkey makes it %+v", s.Case.Grant.Assessment)
	}
	if _, err := w.Session(t.Context(), ownVisit(low)); !errors.Is(err, proofing.ErrNotFound) {
		t.Errorf("the secret of the lower level: %v", err)
	}
	same := must[*proofing.Case](t)(w.use(ownVisit(high), key))
	if same.LinkSecret != high.LinkSecret {
		t.Error("the secret changes without a rise, and other tabs are signed out")
	}
}

func TestAPersonWhoIsNewSignsUpInASession(t *testing.T) {
	w := withPasskeys(t)
	key, c := webauthntest.New(), w.openOwn()
	v := ownVisit(c)
	if c = must[*proofing.Case](t)(w.enrol(v, key)); c.Status != proofing.CaseOpen {
		t.Fatalf("creating a passkey signed somebody in: %s", c.Status)
	}
	c = must[*proofing.Case](t)(w.use(v, key))
	w.prove(c, "b", "email", "new@example.org")
	if s := w.session(c); len(s.Person.Bindings) != 2 {
		t.Errorf("the new person has %+v", s.Person.Bindings)
	}
}

func TestOnlyWhoHasJustAuthenticatedChangesAnything(t *testing.T) {
	w := withPasskeys(t)
	key, second := webauthntest.New(), webauthntest.New()
	c := w.signUp(key)
	v := ownVisit(c)
	mailbox := binding(w.session(c), proofing.ChannelEmail)
	w.pass(20 * time.Minute)
	for what, err := range map[string]error{
		"remove": w.Remove(t.Context(), v, mailbox.ID),
		"codes":  func() error { _, err := w.NewRecoveryCodes(t.Context(), v); return err }(),
		"erase":  w.Erase(t.Context(), v),
		"export": func() error { _, err := w.Export(t.Context(), v); return err }(),
		"enrol":  func() error { _, _, err := w.Enrol(t.Context(), v, "fido"); return err }(),
	} {
		wantErr(t, what, err, proofing.ErrNotAdmitted)
	}
	c = must[*proofing.Case](t)(w.use(v, key))
	v = ownVisit(c)
	must[*proofing.Case](t)(w.enrol(v, second))
	w.work()
	if told := w.post.all("bound"); len(told) != 1 || told[0].To != "applicant@example.org" {
		t.Errorf("of a new passkey were told %+v", told)
	}
	if err := w.Rename(t.Context(), v, mailbox.ID, "  at\n home\u202e "); err != nil {
		t.Fatal(err)
	}
	if name := binding(w.session(c), proofing.ChannelEmail).Name; name != "at home" {
		t.Errorf("it is called %q", name)
	}
	first := binding(w.session(c), proofing.ChannelPasskey)
	elsewhere := w.signIn(key)
	if err := w.Remove(t.Context(), v, first.ID); err != nil {
		t.Fatal(err)
	}
	w.work()
	if told := w.post.all("removed"); len(told) != 1 || told[0].Thing != proofing.ChannelPasskey {
		t.Errorf("of a removed passkey were told %+v", told)
	}
	if _, err := w.use(ownVisit(w.openOwn()), key); err == nil {
		t.Error("a passkey that was removed still signs in")
	}
	_, err := w.Session(t.Context(), ownVisit(elsewhere))
	wantErr(t, "another session by the passkey that was removed", err, proofing.ErrNotFound)
	w.signIn(second)
	last := binding(w.session(c), proofing.ChannelPasskey)
	wantInput(t, "the last one", w.Remove(t.Context(), v, last.ID), "last_authenticator")
}

// A text message is weaker than a passkey, and so does not do where there is one.
func TestAWeakerAuthenticatorChangesNothing(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	c := w.signUp(key)
	w.prove(c, "b", "sms", "+447400123456")
	w.pass(time.Hour)
	c = w.openOwn()
	c = w.prove(c, "b", "sms", "+447400123456")
	s := w.session(c)
	if s.Fresh || *s.Case.Grant.Assessment.AAL != 1 {
		t.Fatalf("a text message counts as much as a passkey: %+v", s.Case.Grant.Assessment)
	}
	_, _, err := w.Enrol(t.Context(), ownVisit(c), "fido")
	wantErr(t, "a new passkey", err, proofing.ErrNotAdmitted)
}

func TestRecoveryTakesACodeAndAMailboxAndCountsLater(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	c := w.signUp(key)
	codes, err := w.NewRecoveryCodes(t.Context(), ownVisit(c))
	if err != nil || len(codes) != 10 {
		t.Fatalf("%d codes: %v", len(codes), err)
	}
	for _, code := range codes {
		if n := len(strings.ReplaceAll(code.Reveal(), "-", "")); n*5 < 64 {
			t.Errorf("a code has %d bits", n*5)
		}
	}
	owner := c.Person

	alone := w.openOwn()
	_, _, err = w.Recover(t.Context(), ownVisit(alone), codes[0])
	wantErr(t, "a code without a mailbox", err, proofing.ErrNotAdmitted)

	c = w.openOwn()
	c = w.prove(c, "b", "email", "applicant@example.org")
	if c.Status != proofing.CaseOpen {
		t.Fatal("a mailbox alone signs in")
	}
	_, _, err = w.Recover(t.Context(), ownVisit(c), "0000-0000-0000-0000")
	wantErr(t, "a made-up code", err, proofing.ErrWrongAnswer)
	c = must[*proofing.Case](t)(w.recovers(ownVisit(c), proofing.Secret(strings.ToLower(codes[0].Reveal()))))
	s := w.session(c)
	if c.Person != owner || s.Fresh || s.Case.Grant.Assessment.AAL != nil || len(s.Person.Recovery) != 10 {
		t.Fatalf("recovered: %+v, %d codes left", s, len(s.Person.Recovery))
	}
	w.work()
	if told := w.post.all("recovered"); len(told) != 1 || told[0].To != "applicant@example.org" {
		t.Errorf("of the recovery were told %+v", told)
	}
	wantErr(t, "removing after a recovery", w.Remove(t.Context(), ownVisit(c), binding(s, proofing.ChannelPasskey).ID), proofing.ErrNotAdmitted)

	fresh := webauthntest.New()
	c = must[*proofing.Case](t)(w.enrol(ownVisit(c), fresh))
	_, err = w.use(ownVisit(w.openOwn()), fresh)
	wantInput(t, "using it at once", err, "authenticator_cooling")
	w.pass(25 * time.Hour)
	if got := w.signIn(fresh); got.Person != owner {
		t.Errorf("after a day it is %s's, want %s", got.Person, owner)
	}

	again := w.openOwn()
	w.prove(again, "b", "email", "applicant@example.org")
	_, _, err = w.Recover(t.Context(), ownVisit(again), codes[0])
	wantErr(t, "the same code twice", err, proofing.ErrWrongAnswer)
}

func TestOneRecoveryCodeLetsInOnce(t *testing.T) {
	w := withPasskeys(t)
	c := w.signUp(webauthntest.New())
	codes, err := w.NewRecoveryCodes(t.Context(), ownVisit(c))
	if err != nil {
		t.Fatal(err)
	}
	var sessions []*proofing.Case
	for range 4 {
		own := w.openOwn()
		w.prove(own, "b", "email", "applicant@example.org")
		sessions = append(sessions, own)
		w.pass(time.Minute)
	}
	errs := make(chan error)
	for _, own := range sessions {
		go func() {
			_, _, err := w.Recover(t.Context(), ownVisit(own), codes[3])
			errs <- err
		}()
	}
	in := 0
	for range sessions {
		if err := <-errs; err == nil {
			in++
		} else if !errors.Is(err, proofing.ErrWrongAnswer) {
			t.Error(err)
		}
	}
	if in != 1 {
		t.Errorf("one code let in %d", in)
	}
}

func TestErasureForgetsAPersonAndEndsWhatRestsOnThem(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	c := w.signUp(key)
	all := must[*proofing.Exported](t)(w.Export(t.Context(), ownVisit(c)))
	if len(all.KnownBy) != 2 || len(all.Requests) != 2 || !slices.ContainsFunc(all.Requests, func(e proofing.ExportedCase) bool {
		return e.CA == "alpha" && e.Status == proofing.CaseGranted && e.Assessment != nil
	}) {
		t.Fatalf("exported: %+v", all)
	}
	granted := all.Requests[slices.IndexFunc(all.Requests, func(e proofing.ExportedCase) bool { return e.CA != "" })].ID
	if err := w.Erase(t.Context(), ownVisit(c)); err != nil {
		t.Fatal(err)
	}
	if got := w.reload(&proofing.Case{ID: granted, CA: "alpha"}); got.Status != proofing.CaseRevoked || got.Reason != "person_erased" {
		t.Errorf("the grant is %s (%s)", got.Status, got.Reason)
	}
	if _, err := w.Session(t.Context(), ownVisit(c)); !errors.Is(err, proofing.ErrNotFound) {
		t.Errorf("the session goes on: %v", err)
	}
	if _, err := w.People.Get(t.Context(), c.Person); !errors.Is(err, proofing.ErrNotFound) {
		t.Errorf("the person is still there: %v", err)
	}
	_, err := w.use(ownVisit(w.openOwn()), key)
	wantInput(t, "the passkey of nobody", err, "passkey_unknown")
}

func TestASessionIsNoCasesOfAnAuthority(t *testing.T) {
	w := withPasskeys(t)
	c := w.signUp(webauthntest.New())
	if _, err := w.Service.Get(t.Context(), w.ca, c.ID); !errors.Is(err, proofing.ErrNotFound) {
		t.Errorf("a CA reads a session: %v", err)
	}
	if got := must[*proofing.Case](t)(w.Cases.Get(t.Context(), c.ID)); len(got.Outbox.Events) != 0 || got.Told != 0 {
		t.Errorf("somebody is told of a session: %+v", got.Outbox.Events)
	}
}

// Whoever finds a session that was left alone does not wake it up by something of their own.
func TestAnIdleSessionIsWokenByItsPersonAlone(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	c := w.signUp(key)
	w.pass(61 * time.Minute)
	w.prove(c, "b", "email", "attacker@example.net")
	_, err := w.Session(t.Context(), ownVisit(c))
	wantErr(t, "after a mailbox of somebody else's", err, proofing.ErrNotFound)
	c = must[*proofing.Case](t)(w.use(ownVisit(c), key))
	w.session(c)
}

// The word of who hears of an authenticator that is not theirs counts also when the thief has left.
func TestThisWasNotMeCountsWhenTheSessionIsOver(t *testing.T) {
	w := withPasskeys(t)
	key, thiefs := webauthntest.New(), webauthntest.New()
	c := w.signUp(key)
	must[*proofing.Case](t)(w.enrol(ownVisit(c), thiefs))
	w.work()
	told := w.post.last(t, "bound")
	if err := w.SignOut(t.Context(), ownVisit(c)); err != nil {
		t.Fatal(err)
	}
	_, ref, _ := strings.Cut(told.Disown.Reveal(), proofing.DisownPath)
	for range 2 {
		if _, err := w.Disown(t.Context(), proofing.Secret(ref)); err != nil {
			t.Fatal(err)
		}
		w.work()
	}
	_, err := w.use(ownVisit(w.openOwn()), thiefs)
	wantInput(t, "the thief's passkey", err, "passkey_unknown")
	w.signIn(key)
}

func TestNobodyHasMoreThanTwentyThings(t *testing.T) {
	w := withPasskeys(t)
	w.Policy.Limits.ClientOpens = 100
	key := webauthntest.New()
	c := w.signUp(key)
	for n := 2; n < 20; n++ {
		if n%9 == 0 {
			c = w.signIn(key)
		}
		must[*proofing.Case](t)(w.enrol(ownVisit(c), webauthntest.New()))
	}
	_, _, err := w.Enrol(t.Context(), ownVisit(c), "fido")
	wantLimit(t, "the next", err, "things")
	w.prove(c, "b", "email", "next@example.org")
	if n := len(w.session(c).Person.Bindings); n != 20 {
		t.Errorf("they have %d", n)
	}
	w.signIn(key)
}

// Text messages cost money, also those that nobody has asked for.
func TestNoticesByTextMessageHaveALimit(t *testing.T) {
	w := withPasskeys(t)
	c := w.signUp(webauthntest.New())
	w.prove(c, "b", "sms", "+447400123456")
	for range 30 {
		if _, err := w.NewRecoveryCodes(t.Context(), ownVisit(c)); err != nil {
			break
		}
		w.work()
	}
	if texts, mails := len(w.post.all("sms_bound")), len(w.post.all("bound")); texts != 3 || mails != 21 { // with the number itself
		t.Errorf("%d text messages and %d mails were sent of new codes", texts, mails)
	}
	_, err := w.NewRecoveryCodes(t.Context(), ownVisit(c))
	wantLimit(t, "codes without end", err, "changes")
}

// What nobody has asked for counts in the day's budget like what somebody has; of a recovery people hear all the same.
func TestNoticesByTextMessageCountInTheDaysBudget(t *testing.T) {
	w := withPasskeys(t)
	c := w.signUp(webauthntest.New())
	w.prove(c, "b", "sms", "+447400123456") // of which the mailbox hears, and the budget has one
	w.Policy.Limits.CAMessagesDay = 3
	var said bytes.Buffer
	w.Log = slog.New(slog.NewTextHandler(&said, nil))
	var codes []proofing.Secret
	for range 3 {
		codes = must[[]proofing.Secret](t)(w.NewRecoveryCodes(t.Context(), ownVisit(c)))
		w.work()
	}
	if texts, mails := len(w.post.all("sms_bound")), len(w.post.all("bound")); texts != 2 || mails != 4 {
		t.Errorf("%d text messages and %d mails were sent", texts, mails)
	}
	if held := strings.Count(said.String(), "notice by text message held back"); held != 1 || strings.Contains(said.String(), "+447400123456") {
		t.Errorf("of what was held back the program says %d times:\n%s", held, &said)
	}
	w.Policy.Limits.CAMessagesDay = 4 // for the code that the mailbox is proved by
	w.recover(codes[0])
	w.work()
	if texts := len(w.post.all("sms_recovered")); texts != 1 {
		t.Errorf("of the recovery %d text messages tell", texts)
	}
}

func TestWhatIsToBeBoundIsNotBoundByAnEnd(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	session := w.signUp(key)
	// late leaves a mailbox confirmed, and what follows from it to be done.
	late := func(c *proofing.Case, address string) proofing.Contact {
		_, a, err := w.Begin(t.Context(), visit(c, "b"), "email", address)
		if err != nil {
			t.Fatal(err)
		}
		w.work()
		if _, _, err := w.Answer(t.Context(), visit(c, "b"), a.ID, w.post.last(t, "email_code").Code); err != nil {
			t.Fatal(err)
		}
		return a.Contact
	}
	bound := func(k proofing.Contact) bool {
		w.work()
		all, _, err := w.Addresses.List(t.Context(), proofing.Query{Index: "person", Value: session.Person})
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(all, func(a *proofing.Address) bool { return a.Contact.Address == k.Address })
	}
	w.pass(time.Minute)
	frozen := w.openFor("strong", "frozen@example.org", "frozen-key-frozen-key-frozen-key-frozen-key-")
	must[*proofing.Case](t)(w.use(visit(frozen, "b"), key))
	k := late(frozen, "")
	if _, err := w.Disown(t.Context(), proofing.Secret(frozen.ID+"."+frozen.Disown.Reveal())); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Deactivate(t.Context(), w.ca, frozen.ID); err != nil {
		t.Fatal(err)
	}
	if bound(k) {
		t.Error("an account that gives up what somebody has frozen has it bound")
	}
	erased := w.openFor("strong", "erased@example.org", "erased-key-erased-key-erased-key-erased-key-")
	must[*proofing.Case](t)(w.use(visit(erased, "b"), key))
	k = late(erased, "")
	if err := w.Erase(t.Context(), ownVisit(session)); err != nil {
		t.Fatal(err)
	}
	if bound(k) {
		t.Error("a person who is erased comes back")
	}
}

func TestAfterAHundredWrongCodesAnOperatorMustLook(t *testing.T) {
	w := withPasskeys(t)
	c := w.signUp(webauthntest.New())
	codes := must[[]proofing.Secret](t)(w.NewRecoveryCodes(t.Context(), ownVisit(c)))
	own := w.openOwn()
	w.prove(own, "b", "email", "applicant@example.org")
	for range 100 {
		_, _, err := w.Recover(t.Context(), ownVisit(own), "0000-0000-0000-0000")
		wantErr(t, "a made-up code", err, proofing.ErrWrongAnswer)
	}
	_, _, err := w.Recover(t.Context(), ownVisit(own), codes[0])
	wantErr(t, "a good code after a hundred", err, proofing.ErrBlocked)
	_, err = w.UnblockRecovery(t.Context(), proofing.NewID(nil), false)
	wantErr(t, "nobody", err, proofing.ErrNotFound)
	if n := must[int64](t)(w.UnblockRecovery(t.Context(), c.Person, false)); n < 100 {
		t.Errorf("the row was of %d", n)
	}
	must[*proofing.Case](t)(w.recovers(ownVisit(own), codes[0]))
	must[int64](t)(w.UnblockRecovery(t.Context(), c.Person, true))
	own = w.openOwn()
	w.prove(own, "b", "email", "applicant@example.org")
	_, _, err = w.Recover(t.Context(), ownVisit(own), codes[1])
	wantErr(t, "a code that was forgotten", err, proofing.ErrWrongAnswer)
}
