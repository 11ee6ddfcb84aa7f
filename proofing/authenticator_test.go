package proofing_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/countersign-id/countersign/challenges"
	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

const passkeyOrigin = "https://proof.example.org"

// withPasskeys is a world in which people have passkeys, with the profiles that ask for them.
func withPasskeys(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	rp, err := webauthn.New(webauthn.Config{ID: "proof.example.org", Name: "Example", Origins: []string{passkeyOrigin}, Now: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	w.Methods = challenges.Table(challenges.Config{Hasher: w.Hasher, Countries: []string{"GB"}, Passkeys: rp})
	const day = 24 * time.Hour
	w.Policy.Profiles["strong"] = &proofing.Profile{
		Name: "strong", Title: "Strong", Framework: proofing.R4, Identifiers: []string{"email"}, Methods: []string{"fido", "email", "sms"},
		Require:      proofing.Requirement{AAL: 2, PhishingResistant: true, ConfirmedAddresses: []proofing.Channel{proofing.ChannelEmail}},
		CaseLifetime: 7 * day, GrantLifetime: 30 * day, Retention: 90 * day,
	}
	w.Policy.Own = &proofing.Profile{Title: "Account", Framework: proofing.R4, Methods: []string{"fido", "email", "sms"}}
	w.Policy.Cooling = day
	w.ca.Profiles = append(w.ca.Profiles, "strong")
	return w
}

// enrol creates a passkey in a case.
func (w *world) enrol(v proofing.Visit, key *webauthntest.Authenticator) (*proofing.Case, error) {
	w.t.Helper()
	_, a, err := w.Enrol(w.t.Context(), v, "fido")
	if err != nil {
		return nil, err
	}
	answer, err := key.Create(a.Ask, passkeyOrigin)
	if err != nil {
		w.t.Fatal(err)
	}
	c, _, err := w.Respond(w.t.Context(), v, a.ID, answer)
	w.pass(time.Second)
	return c, err
}

// use signs with a passkey in a case.
func (w *world) use(v proofing.Visit, key *webauthntest.Authenticator) (*proofing.Case, error) {
	w.t.Helper()
	_, a, err := w.Begin(w.t.Context(), v, "fido", "")
	if err != nil {
		return nil, err
	}
	answer, err := key.Get(a.Ask, passkeyOrigin)
	if err != nil {
		w.t.Fatal(err)
	}
	c, _, err := w.Respond(w.t.Context(), v, a.ID, answer)
	w.pass(time.Second)
	return c, err
}

func (w *world) openFor(profile, address, thumbprint string) *proofing.Case {
	w.t.Helper()
	r := request(profile)
	r.Identifier.Value = address
	if thumbprint != "" {
		r.Applicant.Thumbprint = thumbprint
	}
	c, _, err := w.Open(w.t.Context(), w.ca, r)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestCreatingAPasskeyEarnsNoLevelAndUsingItDoes(t *testing.T) {
	w := withPasskeys(t)
	c, key := w.open("strong"), webauthntest.New()
	v := visit(c, "b")
	c = must[*proofing.Case](t)(w.enrol(v, key))
	if a := proofing.Assess(proofing.R4, proofing.OperatorFacts{}, w.clock(), c.Evidence); a.AAL != nil {
		t.Fatalf("creating it gave AAL%d", *a.AAL)
	}
	c = must[*proofing.Case](t)(w.use(v, key))
	a := proofing.Assess(proofing.R4, proofing.OperatorFacts{}, w.clock(), c.Evidence)
	if a.AAL == nil || *a.AAL != 2 || !a.PhishingResistant {
		t.Fatalf("using it gave %+v", a)
	}
	if c.Status != proofing.CaseOpen {
		t.Fatalf("without the address the case is %s", c.Status)
	}
	if c = w.prove(c, "b", "email", ""); c.Status != proofing.CaseGranted || c.Grant.Assessment.AAL == nil || *c.Grant.Assessment.AAL != 2 {
		t.Fatalf("the case is %s with %+v", c.Status, c.Grant)
	}
}

func TestAPasskeyTellsWhoSomebodyIs(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	first := w.open("strong")
	must[*proofing.Case](t)(w.enrol(visit(first, "b"), key))
	person := w.prove(first, "b", "email", "").Person
	again := w.openFor("strong", "applicant@example.org", "another-key-another-key-another-key-another0")
	c := must[*proofing.Case](t)(w.use(visit(again, "other browser"), key))
	if c.Person != person {
		t.Errorf("the same passkey is person %s, and was %s", c.Person, person)
	}
	if got := c.Evidence[0]; got.BoundAt.IsZero() || !got.BoundAt.Before(got.At) || got.WebAuthn == nil || !got.WebAuthn.UV {
		t.Errorf("the event is %+v", got)
	}
}

// A mailbox that was confirmed first says who can read it; the passkey says who it is.
func TestWhoeverConfirmsAMailboxFirstIsStillWhoTheirPasskeySays(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	first := w.open("strong")
	must[*proofing.Case](t)(w.enrol(visit(first, "b"), key))
	owner := must[*proofing.Case](t)(w.use(visit(first, "b"), key)).Person

	second := w.openFor("strong", "second@example.org", "second-key-second-key-second-key-second-key")
	v := visit(second, "b")
	stranger := w.prove(second, "b", "email", "").Person
	w.pass(time.Minute)
	c := must[*proofing.Case](t)(w.use(v, key))
	w.work()
	if c.Person != owner || stranger == owner {
		t.Fatalf("the case is of %s, want %s (before: %s)", c.Person, owner, stranger)
	}
	theirs, _, err := w.Addresses.List(t.Context(), proofing.Query{Index: "person", Value: owner})
	if err != nil || !slices.ContainsFunc(theirs, func(a *proofing.Address) bool { return a.Contact.Address == "second@example.org" }) {
		t.Errorf("the owner of the passkey has not got the mailbox: %v %v", theirs, err)
	}
	if p := must[*proofing.Person](t)(w.People.Get(t.Context(), stranger)); len(p.Bindings) != 0 {
		t.Errorf("the person that nobody is keeps %+v", p.Bindings)
	}
}

func TestThePasskeysOfTwoPeopleDoNotMeetInOneCase(t *testing.T) {
	w := withPasskeys(t)
	mine, theirs := webauthntest.New(), webauthntest.New()
	a, b := w.open("strong"), w.openFor("strong", "other@example.org", "other-key-other-key-other-key-other-key-012")
	must[*proofing.Case](t)(w.enrol(visit(a, "b"), mine))
	must[*proofing.Case](t)(w.enrol(visit(b, "c"), theirs))
	both := w.openFor("strong", "both@example.org", "both-key-both-key-both-key-both-key-both-ke")
	must[*proofing.Case](t)(w.use(visit(both, "d"), mine))
	// The browser is asked for one of the person's own; this one answers with another's.
	_, at, err := w.Begin(t.Context(), visit(both, "d"), "fido", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := theirs.Get(at.Ask, passkeyOrigin); err == nil {
		t.Error("a passkey of another person was asked for")
	}
}

func TestOnlyWhoHasAuthenticatedAddsAPasskey(t *testing.T) {
	w := withPasskeys(t)
	key, thiefs := webauthntest.New(), webauthntest.New()
	c := w.open("strong")
	must[*proofing.Case](t)(w.enrol(visit(c, "b"), key))
	w.prove(c, "b", "email", "")
	w.pass(time.Minute)
	// Somebody reads the owner's mail, and confirms the mailbox in a case of their own.
	thief := w.openFor("strong", "applicant@example.org", "thief-key-thief-key-thief-key-thief-key-012")
	w.prove(thief, "t", "email", "")
	if _, err := w.enrol(visit(thief, "t"), thiefs); !errors.Is(err, proofing.ErrNotAdmitted) {
		t.Fatalf("a reader of the mail may add a passkey: %v", err)
	}
	// The owner may, once they have used theirs, and for ten minutes: whoever finds the browser open later has not.
	own := w.openFor("strong", "applicant@example.org", "owner-key-owner-key-owner-key-owner-key-012")
	must[*proofing.Case](t)(w.use(visit(own, "b"), key))
	w.pass(11 * time.Minute)
	if _, err := w.enrol(visit(own, "b"), thiefs); !errors.Is(err, proofing.ErrNotAdmitted) {
		t.Fatalf("eleven minutes later a passkey is added: %v", err)
	}
	must[*proofing.Case](t)(w.use(visit(own, "b"), key))
	second := must[*proofing.Case](t)(w.enrol(visit(own, "b"), webauthntest.New()))
	w.work()
	p := must[*proofing.Person](t)(w.People.Get(t.Context(), second.Person))
	if n := len(slices.DeleteFunc(slices.Clone(p.Bindings), func(b proofing.Binding) bool { return b.Contact.Channel != proofing.ChannelPasskey })); n != 2 {
		t.Errorf("the owner has %d passkeys, want 2", n)
	}
	if told := w.post.all("bound"); len(told) != 1 || told[0].To != "applicant@example.org" || told[0].Thing != proofing.ChannelPasskey {
		t.Errorf("of a second passkey were told: %+v", told)
	}
}

// A passkey that can be copied is AAL1 in revision 3 and AAL2 in revision 4. Where both are in use, nobody adds to what its person has by something weaker, whichever
// framework the service's own pages go by.
func TestWhatIsStrongUnderOneFrameworkIsAskedForUnderAll(t *testing.T) {
	w := withPasskeys(t)
	w.Policy.Own.Framework = proofing.R3
	key := webauthntest.New()
	key.Flags |= webauthntest.BE
	c := w.open("strong")
	must[*proofing.Case](t)(w.enrol(visit(c, "b"), key))
	w.prove(c, "b", "sms", "+447400123456")
	w.work()
	w.pass(time.Minute)
	own := w.openOwn()
	w.prove(own, "b", "sms", "+447400123456")
	w.work()
	session, err := w.Session(t.Context(), ownVisit(must[*proofing.Case](t)(w.Cases.Get(t.Context(), own.ID))))
	if err != nil {
		t.Fatal(err)
	}
	if session.Fresh {
		t.Error("a code to a number is enough to change what a person has whose passkey is worth more elsewhere")
	}
}

func TestWhatIsWrongWithAPasskeyProvesNothing(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	c := w.open("strong")
	v := visit(c, "b")
	must[*proofing.Case](t)(w.enrol(v, key))
	ask := func() *proofing.Attempt {
		_, a, err := w.Begin(t.Context(), v, "fido", "")
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	input := func(code string) func(error) bool {
		return func(err error) bool {
			e, ok := errors.AsType[*proofing.InputError](err)
			return ok && e.Code == code
		}
	}
	wrong := func(err error) bool { return errors.Is(err, proofing.ErrWrongAnswer) }
	for name, tt := range map[string]struct {
		before func(*webauthntest.Ceremony)
		origin string
		want   func(error) bool
		tries  int // that it costs
	}{
		"not unlocked":     {func(x *webauthntest.Ceremony) { x.Flags &^= webauthntest.UV }, passkeyOrigin, input("passkey_unverified"), 0},
		"another site":     {nil, "https://proof.example.org.evil.example", wrong, 1},
		"another purpose":  {func(x *webauthntest.Ceremony) { x.Type = "webauthn.create" }, passkeyOrigin, wrong, 1},
		"another question": {func(x *webauthntest.Ceremony) { x.Challenge = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }, passkeyOrigin, wrong, 1},
	} {
		a := ask()
		key.Before = tt.before
		answer, err := key.Get(a.Ask, tt.origin)
		key.Before = nil
		if err != nil {
			t.Fatal(err)
		}
		had := a.Tries
		c, _, err := w.Respond(t.Context(), v, a.ID, answer)
		if !tt.want(err) {
			t.Errorf("%s: %v", name, err)
		}
		after := must[*proofing.Case](t)(w.CaseByLink(t.Context(), v.Link))
		if n := len(after.Evidence); n != 1 {
			t.Fatalf("%s left %d events: %+v", name, n, c)
		}
		if left := after.Current("fido").Tries; had-left != tt.tries {
			t.Errorf("%s cost %d tries, want %d", name, had-left, tt.tries)
		}
	}
	a := ask()
	good := must[[]byte](t)(key.Get(a.Ask, passkeyOrigin))
	if _, _, err := w.Respond(t.Context(), visit(c, "another browser"), a.ID, good); !errors.Is(err, proofing.ErrClaimed) && !errors.Is(err, proofing.ErrOtherBrowser) {
		t.Errorf("another browser: %v", err)
	}
	if _, _, err := w.Answer(t.Context(), v, a.ID, proofing.Secret(good)); err == nil {
		t.Error("a signature was taken for a code")
	}
	if _, _, err := w.Respond(t.Context(), v, a.ID, good); err != nil {
		t.Errorf("the right answer after wrong ones: %v", err)
	}
	if _, _, err := w.Respond(t.Context(), v, a.ID, good); !errors.Is(err, proofing.ErrAttemptOver) {
		t.Errorf("the same answer again: %v", err)
	}
	// Another case asks another question.
	other := w.openFor("strong", "elsewhere@example.org", "elsewhere-key-elsewhere-key-elsewhere-key-0")
	_, b, err := w.Begin(t.Context(), visit(other, "b"), "fido", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Respond(t.Context(), visit(other, "b"), b.ID, good); !errors.Is(err, proofing.ErrWrongAnswer) {
		t.Errorf("an answer to another case: %v", err)
	}
}

func TestACopiedPasskeyIsSeen(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	key.Count = 10
	c := w.open("strong")
	must[*proofing.Case](t)(w.enrol(visit(c, "b"), key))
	must[*proofing.Case](t)(w.use(visit(c, "b"), key))
	key.Count = 5
	again := w.openFor("strong", "applicant@example.org", "later-key-later-key-later-key-later-key-012")
	c = must[*proofing.Case](t)(w.use(visit(again, "b"), key))
	if e := c.Evidence[len(c.Evidence)-1]; e.WebAuthn == nil || !e.WebAuthn.SignCountRegressed {
		t.Fatalf("the counter went back and nobody saw: %+v", e.WebAuthn)
	}
	if a := proofing.Assess(proofing.R4, proofing.OperatorFacts{}, w.clock(), c.Evidence); a.AAL == nil || *a.AAL != 1 {
		t.Errorf("its level is %v, want 1", a.AAL)
	}
}

func TestTwoAnswersOfOnePasskeyAtOnceLeaveOneEvent(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	c := w.open("strong")
	v := visit(c, "b")
	must[*proofing.Case](t)(w.enrol(v, key))
	_, a, err := w.Begin(t.Context(), v, "fido", "")
	if err != nil {
		t.Fatal(err)
	}
	answer := must[[]byte](t)(key.Get(a.Ask, passkeyOrigin))
	errs := make(chan error)
	for range 8 {
		go func() {
			_, _, err := w.Respond(t.Context(), v, a.ID, answer)
			errs <- err
		}()
	}
	won := 0
	for range 8 {
		switch err := <-errs; {
		case err == nil:
			won++
		case !errors.Is(err, proofing.ErrAttemptOver):
			t.Errorf("the others learnt %v", err)
		}
	}
	after := must[*proofing.Case](t)(w.CaseByLink(t.Context(), v.Link))
	if won != 1 || len(after.Evidence) != 2 {
		t.Errorf("%d won and %d events are there, want 1 and 2", won, len(after.Evidence))
	}
}

func TestWhatHasOnlyJustBeenAddedMayNotCount(t *testing.T) {
	w := withPasskeys(t)
	p := *w.Policy.Profiles["strong"]
	p.Name, p.Require.BindingAge = "settled", 72*time.Hour
	w.Policy.Profiles["settled"] = &p
	w.ca.Profiles = append(w.ca.Profiles, "settled")
	key := webauthntest.New()
	c := w.open("settled")
	must[*proofing.Case](t)(w.enrol(visit(c, "b"), key))
	must[*proofing.Case](t)(w.use(visit(c, "b"), key))
	c = w.prove(c, "b", "email", "")
	if missing := p.Unmet(proofing.OperatorFacts{}, w.clock(), c.Evidence); c.Status != proofing.CaseOpen || !slices.Equal(missing, []proofing.Missing{{Code: "binding_age", Detail: "72"}}) {
		t.Fatalf("a passkey of a minute: the case is %s and lacks %v", c.Status, missing)
	}
	// What the label says does not depend on what a profile asks for.
	if a := proofing.Assess(proofing.R4, proofing.OperatorFacts{}, w.clock(), c.Evidence); a.AAL == nil || *a.AAL != 2 {
		t.Errorf("its label is %v, want 2", a.AAL)
	}
	w.pass(71 * time.Hour)
	if c = must[*proofing.Case](t)(w.use(visit(c, "b"), key)); c.Status != proofing.CaseOpen {
		t.Errorf("after 71 hours the case is %s", c.Status)
	}
	w.pass(2 * time.Hour)
	if c = must[*proofing.Case](t)(w.use(visit(c, "b"), key)); c.Status != proofing.CaseGranted {
		t.Errorf("after 73 hours the case is %s, and lacks %v", c.Status, p.Unmet(proofing.OperatorFacts{}, w.clock(), c.Evidence))
	}
}

// A passkey knows its person by a handle. While one is being created the case may turn out to be somebody's.
func TestAPasskeyIsCreatedForWhoeverHasIt(t *testing.T) {
	w := withPasskeys(t)
	c := w.open("strong")
	v := visit(c, "b")
	_, first, err := w.Enrol(t.Context(), v, "fido")
	if err != nil {
		t.Fatal(err)
	}
	key := webauthntest.New()
	answer := must[[]byte](t)(key.Create(first.Ask, passkeyOrigin))
	w.prove(c, "b", "email", "")
	_, _, err = w.Respond(t.Context(), v, first.ID, answer)
	wantErr(t, "made for somebody else", err, proofing.ErrAttemptOver)
	key = webauthntest.New()
	must[*proofing.Case](t)(w.enrol(v, key))
	got := must[*proofing.Case](t)(w.use(v, key))
	if got.Status != proofing.CaseGranted {
		t.Errorf("begun anew it ends %s", got.Status)
	}
	// A challenge that is in force is for whoever it was then.
	other := w.openFor("strong", "other@example.org", "other-key-other-key-other-key-other-key-012")
	v = visit(other, "o")
	_, a, err := w.Enrol(t.Context(), v, "fido")
	if err != nil {
		t.Fatal(err)
	}
	ask := a.Ask
	w.prove(other, "o", "email", "")
	if _, a, err = w.Enrol(t.Context(), v, "fido"); err != nil || string(a.Ask) == string(ask) {
		t.Errorf("another person is asked the same: %v", err)
	}
}
