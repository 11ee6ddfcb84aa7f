package proofing_test

import (
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

func aal(c *proofing.Case) int {
	if c.Grant == nil || c.Grant.Assessment.AAL == nil {
		return 0
	}
	return *c.Grant.Assessment.AAL
}

func (w *world) openAs(profile, thumbprint, email string) *proofing.Case {
	w.t.Helper()
	r := request(profile)
	r.Applicant.Thumbprint, r.Identifier.Value = thumbprint, email
	c, _, err := w.Open(w.t.Context(), w.ca, r)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func TestTheFirstCodeBindsAndALaterOneAuthenticates(t *testing.T) {
	w := newWorld(t)
	c := w.openAs("client", "first", "applicant@example.org")
	c = w.prove(w.prove(c, "b", "email", ""), "b", "sms", "+447400123456")
	if c.Status != proofing.CaseGranted || aal(c) != 0 {
		t.Fatalf("the first time: %s, AAL %d; want granted and none", c.Status, aal(c))
	}
	w.pass(time.Hour)
	again := w.openAs("client", "second", "applicant@example.org")
	again = w.prove(w.prove(again, "b", "email", ""), "b", "sms", "+447400123456")
	if aal(again) != 1 || !again.Grant.Assessment.Restricted {
		t.Errorf("the second time: AAL %d, restricted %v; want 1 and true", aal(again), again.Grant.Assessment.Restricted)
	}
	if again.Person != c.Person {
		t.Error("one person became two")
	}
}

func TestACaseThatDemandsAnAALTakesASecondCode(t *testing.T) {
	w := newWorld(t)
	c := w.open("sign")
	if _, err := w.StartChallenge(t.Context(), w.ca, c.ID); err != nil {
		t.Fatal(err)
	}
	c = w.prove(w.prove(c, "b", "email", ""), "b", "sms", "+447400123456")
	if c.Status != proofing.CaseOpen {
		t.Fatalf("after a first code: %s; a binding authenticates nobody", c.Status)
	}
	w.pass(time.Minute)
	c = w.prove(c, "b", "sms", "+447400123456")
	if c.Status != proofing.CaseGranted || aal(c) != 1 {
		t.Errorf("after the second: %s, AAL %d", c.Status, aal(c))
	}
	if n := len(w.post.last(t, "sms_code").Code.Reveal()); n != 8 {
		t.Errorf("a bound number got %d digits, want 8", n)
	}
}

func TestANumberThatChangesHandsStartsAnew(t *testing.T) {
	w := newWorld(t)
	mine := w.openAs("client", "first", "one@example.org")
	w.prove(w.prove(mine, "b", "email", ""), "b", "sms", "+447400123456")
	w.pass(time.Hour)
	theirs := w.openAs("client", "second", "two@example.org")
	theirs = w.prove(w.prove(theirs, "b", "email", ""), "b", "sms", "+447400123456")
	if aal(theirs) != 0 {
		t.Errorf("the new holder inherits AAL %d", aal(theirs))
	}
	w.pass(time.Hour)
	theirs = w.openAs("client", "third", "two@example.org")
	theirs = w.prove(w.prove(theirs, "b", "email", ""), "b", "sms", "+447400123456")
	if aal(theirs) != 1 {
		t.Errorf("the new holder, later: AAL %d, want 1", aal(theirs))
	}
	w.pass(time.Hour)
	mine = w.openAs("client", "fourth", "one@example.org")
	mine = w.prove(w.prove(mine, "b", "email", ""), "b", "sms", "+447400123456")
	if aal(mine) != 0 {
		t.Errorf("the former holder keeps AAL %d", aal(mine))
	}
}

func TestAKnownNumberThatComesFirstTellsWhoItIs(t *testing.T) {
	w := newWorld(t)
	c := w.openAs("client", "first", "one@example.org")
	c = w.prove(w.prove(c, "b", "email", ""), "b", "sms", "+447400123456")
	w.pass(time.Hour)
	other := w.openAs("client", "second", "new@example.org")
	other = w.prove(w.prove(other, "b", "sms", "+447400123456"), "b", "email", "")
	if other.Person != c.Person || aal(other) != 1 {
		t.Errorf("same person %v, AAL %d; want the number to authenticate its person", other.Person == c.Person, aal(other))
	}
	p, err := w.People.Get(t.Context(), c.Person)
	if err != nil || len(p.Bindings) != 3 {
		t.Errorf("the person has %+v, %v; want three addresses", p, err)
	}
}

// TestAMailboxAloneAddsNoNumber is the thief of a mailbox: they can confirm its
// address and a number of their own, and are not the person for that.
func TestAMailboxAloneAddsNoNumber(t *testing.T) {
	w := newWorld(t)
	mine := w.openAs("client", "mine", "victim@example.org")
	mine = w.prove(w.prove(mine, "b", "email", ""), "b", "sms", "+447400123456")
	w.pass(time.Hour)
	theirs := w.openAs("client", "theirs", "victim@example.org")
	theirs = w.prove(w.prove(theirs, "thief", "email", ""), "thief", "sms", "+447400654321")
	if aal(theirs) != 0 {
		t.Errorf("the thief's first code: AAL %d", aal(theirs))
	}
	w.pass(time.Hour)
	again := w.openAs("client", "again", "victim@example.org")
	again = w.prove(w.prove(again, "thief", "email", ""), "thief", "sms", "+447400654321")
	if aal(again) != 0 {
		t.Errorf("the thief's number authenticates at AAL %d", aal(again))
	}
	p, err := w.People.Get(t.Context(), mine.Person)
	if err != nil || len(p.Bindings) != 2 {
		t.Errorf("the victim has %+v, %v; want their own two addresses", p, err)
	}
	if again = w.reload(again); len(again.Unbound) != 1 {
		t.Errorf("the page cannot say why: %v", again.Unbound)
	}
}

// TestWhoAuthenticatesMayAddANumber is the person with their old number at hand.
func TestWhoAuthenticatesMayAddANumber(t *testing.T) {
	w := newWorld(t)
	c := w.openAs("client", "first", "me@example.org")
	w.prove(w.prove(c, "b", "email", ""), "b", "sms", "+447400123456")
	w.pass(time.Hour)
	c = w.openAs("sign", "second", "me@example.org")
	if _, err := w.StartChallenge(t.Context(), w.ca, c.ID); err != nil {
		t.Fatal(err)
	}
	c = w.prove(c, "b", "sms", "+447400123456") // authenticates
	c = w.prove(c, "b", "sms", "+447400654321") // binds
	c = w.prove(c, "b", "email", "")
	if c = w.reload(c); c.Status != proofing.CaseGranted || len(c.Unbound) != 0 {
		t.Fatalf("%s, not bound: %v", c.Status, c.Unbound)
	}
	w.pass(time.Hour)
	c = w.openAs("client", "third", "me@example.org")
	c = w.prove(w.prove(c, "b", "email", ""), "b", "sms", "+447400654321")
	if aal(c) != 1 {
		t.Errorf("the added number: AAL %d, want 1", aal(c))
	}
}

// TestAReleasedNumberMakesRoomForAnother is the person who has lost their number and
// has spoken with the operator.
func TestAReleasedNumberMakesRoomForAnother(t *testing.T) {
	w := newWorld(t)
	c := w.openAs("client", "first", "me@example.org")
	w.prove(w.prove(c, "b", "email", ""), "b", "sms", "+447400123456")
	lost := proofing.Contact{Channel: proofing.ChannelPhone, Address: "+447400123456"}
	for _, want := range []bool{true, false} {
		if released, err := w.Release(t.Context(), lost); err != nil || released != want {
			t.Errorf("release: %v, %v; want %v", released, err, want)
		}
	}
	for _, account := range []string{"second", "third"} {
		w.pass(time.Hour)
		c = w.openAs("client", account, "me@example.org")
		c = w.prove(w.prove(c, "b", "email", ""), "b", "sms", "+447400654321")
	}
	if aal(c) != 1 {
		t.Errorf("the new number: AAL %d, want 1", aal(c))
	}
	w.pass(time.Hour)
	c = w.openAs("client", "fourth", "me@example.org")
	c = w.prove(w.prove(c, "b", "email", ""), "b", "sms", "+447400123456")
	if aal(c) != 0 {
		t.Errorf("the released number still authenticates at AAL %d", aal(c))
	}
}

// TestADisownedCaseBindsNothing is the owner of a number who was tricked into reading
// out a code, and then says that it was not them.
func TestADisownedCaseBindsNothing(t *testing.T) {
	w := newWorld(t)
	theirs := w.openAs("client", "tricked", "thief@example.org")
	theirs = w.prove(w.prove(theirs, "thief", "email", ""), "thief", "sms", "+447400123456")
	if _, err := w.Disown(t.Context(), proofing.Secret(theirs.ID+"."+theirs.Disown.Reveal())); err != nil {
		t.Fatal(err)
	}
	w.work()
	w.pass(25 * time.Hour)
	w.work()
	if theirs = w.reload(theirs); theirs.Status != proofing.CaseRevoked {
		t.Errorf("a day later: %s", theirs.Status)
	}
	mine := w.openAs("client", "mine", "owner@example.org")
	mine = w.prove(w.prove(mine, "b", "sms", "+447400123456"), "b", "email", "")
	if mine.Person == theirs.Person || aal(mine) != 0 {
		t.Errorf("the owner became the thief's person (%v) at AAL %d", mine.Person == theirs.Person, aal(mine))
	}
}

// TestAnUnblockedNumberIsBoundAnew closes a bound number by failures and lets an
// operator open it again.
func TestAnUnblockedNumberIsBoundAnew(t *testing.T) {
	w := newWorld(t)
	w.Policy.Limits.FailuresInRow = 3
	c := w.openAs("client", "first", "me@example.org")
	w.prove(w.prove(c, "b", "email", ""), "b", "sms", "+447400123456")
	w.pass(time.Hour)
	c = w.openAs("client", "second", "me@example.org")
	c = w.prove(c, "b", "email", "")
	_, a, err := w.Begin(t.Context(), visit(c, "b"), "sms", "+447400123456")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, _, err := w.Answer(t.Context(), visit(c, "b"), a.ID, "00000000")
		wantErr(t, "a wrong answer", err, proofing.ErrWrongAnswer)
	}
	_, _, err = w.Answer(t.Context(), visit(c, "b"), a.ID, "00000000")
	wantErr(t, "one more", err, proofing.ErrBlocked)
	number := proofing.Contact{Channel: proofing.ChannelPhone, Address: "+447400123456"}
	if n, err := w.Unblock(t.Context(), "alpha", number); err != nil || n < 3 {
		t.Fatalf("unblocked a row of %d, %v", n, err)
	}
	w.pass(time.Hour)
	c = w.openAs("client", "third", "me@example.org")
	if c = w.prove(w.prove(c, "b", "email", ""), "b", "sms", "+447400123456"); aal(c) != 0 {
		t.Errorf("the unblocked number authenticates at AAL %d before it is bound anew", aal(c))
	}
}

// Somebody whose number has changed hands has nothing left but a mailbox. Who reads it then is not at once all that they were.
func TestAMailboxAloneComesIntoNothingAtOnce(t *testing.T) {
	w := withPasskeys(t)
	number := proofing.Contact{Channel: proofing.ChannelPhone, Address: "+447400123456"}
	for name, lose := range map[string]func(){
		"changed": func() {
			c := w.openFor("client", "other@example.org", "other-key-other-key-other-key-other-key-oth")
			w.prove(w.prove(c, "c", "email", ""), "c", "sms", "+447400123456")
		},
		"released": func() { must[bool](t)(w.Release(t.Context(), number)) },
	} {
		c := w.openFor("client", name+"@example.org", name+"-key-key-key-key-key-key-key-key-key-key-key")
		c = w.prove(w.prove(c, "b", "email", ""), "b", "sms", "+447400123456")
		w.pass(time.Hour)
		lose()
		w.work()
		key, second := webauthntest.New(), webauthntest.New()
		own := w.prove(w.openOwn(), "b", "email", name+"@example.org")
		own = must[*proofing.Case](t)(w.enrol(ownVisit(own), key))
		if own.Person != c.Person {
			t.Fatalf("%s: the mailbox is somebody else's", name)
		}
		_, err := w.use(ownVisit(own), key)
		wantInput(t, name+": the passkey that the mailbox alone has added, at once", err, "authenticator_cooling")
		if _, err = w.enrol(ownVisit(own), second); err == nil {
			_, err = w.use(ownVisit(own), second)
			wantInput(t, name+": another one beside it", err, "authenticator_cooling")
		}
		w.pass(25 * time.Hour)
		if s := w.session(w.signIn(key)); s.Person.ID != c.Person || !s.Fresh {
			t.Errorf("%s: a day later it is %s's, fresh: %v", name, s.Person.ID, s.Fresh)
		}
	}
}

// Who has had nothing but mailboxes waits for nothing.
func TestAFirstAuthenticatorCountsAtOnce(t *testing.T) {
	w := withPasskeys(t)
	w.prove(w.openFor("email", "new@example.org", ""), "b", "email", "")
	w.pass(time.Hour)
	key := webauthntest.New()
	own := w.prove(w.openOwn(), "b", "email", "new@example.org")
	must[*proofing.Case](t)(w.enrol(ownVisit(own), key))
	if c := must[*proofing.Case](t)(w.use(ownVisit(own), key)); c.Status != proofing.CaseGranted {
		t.Errorf("with their first passkey they are %s", c.Status)
	}
}
