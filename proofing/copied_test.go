package proofing_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// passkeyRecord is the record of the passkey of a session's person.
func (w *world) passkeyRecord(c *proofing.Case) *proofing.Address {
	w.t.Helper()
	return must[*proofing.Address](w.t)(w.Addresses.Get(w.t.Context(), binding(w.session(c), proofing.ChannelPasskey).ID))
}

// lastUse is the newest use of a passkey in a case.
func lastUse(t *testing.T, c *proofing.Case) (*proofing.WebAuthnFacts, int) {
	t.Helper()
	e := c.Evidence[len(c.Evidence)-1]
	if e.WebAuthn == nil {
		t.Fatalf("the newest evidence is %+v", e)
	}
	a := proofing.Assess(proofing.R4, proofing.OperatorFacts{}, e.At, []proofing.Evidence{e})
	if a.AAL == nil {
		return e.WebAuthn, 0
	}
	return e.WebAuthn, *a.AAL
}

func TestASignOfACopyCapsEveryLaterUseUntilThePasskeyIsTakenAway(t *testing.T) {
	w := withPasskeys(t)
	key, second := webauthntest.New(), webauthntest.New()
	key.Count = 10
	w.signUp(key)
	real := key.Count
	key.Count = 2
	c := w.signIn(key)
	if facts, aal := lastUse(t, c); !facts.SignCountRegressed || facts.CloneSuspected || aal != 1 {
		t.Errorf("the use that shows it: %+v, AAL%d", facts, aal)
	}
	since := w.passkeyRecord(c).Copied.At
	if since.IsZero() || w.count(c) != real {
		t.Errorf("since %v, and a count of %d instead of %d", since, w.count(c), real)
	}

	// Whoever has the higher count is capped, too: nobody knows who has the copy.
	key.Count = real
	w.pass(48 * time.Hour)
	c = w.signIn(key)
	if facts, aal := lastUse(t, c); facts.SignCountRegressed || !facts.CloneSuspected || aal != 1 {
		t.Errorf("a later use: %+v, AAL%d", facts, aal)
	}
	if b := binding(w.session(c), proofing.ChannelPasskey); !b.Copied.Equal(since) {
		t.Errorf("its person's list says since %v, and its record %v", b.Copied, since)
	}
	later := w.openFor("strong", "applicant@example.org", "later-key-later-key-later-key-later-key-012")
	if got := must[*proofing.Case](t)(w.use(visit(later, "b"), key)); got.Status != proofing.CaseOpen {
		t.Errorf("a request that demands AAL2 is %s", got.Status)
	}

	// Its person can still do something about it, and what they add has its own level.
	if !w.session(c).Fresh {
		t.Fatal("whoever has nothing else may change nothing")
	}
	copied := binding(w.session(c), proofing.ChannelPasskey).ID
	c = must[*proofing.Case](t)(w.enrol(ownVisit(c), second))
	other := w.signIn(second)
	if facts, aal := lastUse(t, other); facts.CloneSuspected || aal != 2 {
		t.Errorf("the other passkey: %+v, AAL%d", facts, aal)
	}
	again := w.signIn(key)
	if w.session(again).Fresh {
		t.Error("by what may be a copy things are changed that a better passkey guards")
	}
	if err := w.Remove(t.Context(), ownVisit(other), copied); err != nil {
		t.Fatal(err)
	}
	if a := must[*proofing.Address](t)(w.Addresses.Get(t.Context(), copied)); !a.Copied.At.IsZero() || a.Heard != nil {
		t.Errorf("what is left of it: %+v", a)
	}
}

func TestWhatIsCopiedIsToldToEveryAddressOnceADay(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	key.Count = 50
	c := w.signUp(key)
	w.prove(c, "b", "email", "second@example.org")
	w.prove(c, "b", "sms", "+447400123456")
	w.work()
	told := func(what string, want int) {
		t.Helper()
		w.work()
		got := map[proofing.Secret]int{}
		for _, m := range append(w.post.all("copied"), w.post.all("sms_copied")...) {
			got[m.To]++
			if m.Thing != proofing.ChannelPasskey || m.About == "" || m.Disown == "" {
				t.Errorf("%s: %+v", what, m)
			}
		}
		if each := (map[proofing.Secret]int{"applicant@example.org": want, "second@example.org": want, "+447400123456": want}); !maps.Equal(got, each) {
			t.Fatalf("%s: %d mailboxes and numbers have %d messages, want %d at each of three", what, len(got), len(w.post.all("copied"))+len(w.post.all("sms_copied")), want)
		}
	}
	key.Count = 1
	c = w.signIn(key)
	told("the first sign", 1)
	w.sequenceAll()
	if !slices.Contains(w.kinds(c.ID), "authenticator_copied service") {
		t.Errorf("the log tells %q of the session", w.kinds(c.ID))
	}
	for range 3 {
		w.signIn(key)
	}
	told("others on the same day", 1)
	w.pass(25 * time.Hour)
	key.Count = 100
	w.signIn(key)
	told("the next day, of what came after the notice", 2)
	w.pass(25 * time.Hour)
	w.signIn(key)
	told("a use without a sign, when all is told", 2)
	key.Count = 1
	w.signIn(key)
	told("another sign", 3)
}

// meeting has the next two who read a record meet before either goes on.
type meeting struct {
	proofing.Table[proofing.Address]
	id string
	at *sync.WaitGroup
	mu *sync.Mutex
	in *int
}

func (m meeting) Get(ctx context.Context, id string) (*proofing.Address, error) {
	a, err := m.Table.Get(ctx, id)
	m.mu.Lock()
	waits := id == m.id && *m.in < 2
	if waits {
		*m.in++
	}
	m.mu.Unlock()
	if waits {
		m.at.Done()
		m.at.Wait()
	}
	return a, err
}

func TestOfTwoUsesWithOneCountAtOnceOneIsSeen(t *testing.T) {
	for name, counts := range map[string]struct {
		first, second uint32
		copied        bool
	}{"one count": {20, 20, true}, "no count at all": {0, 0, false}} {
		t.Run(name, func(t *testing.T) {
			w := withPasskeys(t)
			key := webauthntest.New()
			key.Uncounted = !counts.copied
			c := w.signUp(key)
			id := w.passkeyRecord(c).ID
			var visits [2]proofing.Visit
			var attempts [2]string
			var answers [2][]byte
			for i, count := range []uint32{counts.first, counts.second} {
				visits[i] = ownVisit(w.openOwn())
				_, a, err := w.Begin(t.Context(), visits[i], "fido", "")
				if err != nil {
					t.Fatal(err)
				}
				key.Count = count
				attempts[i], answers[i] = a.ID, must[[]byte](t)(key.Get(a.Ask, passkeyOrigin))
			}
			w.pass(time.Second)
			both, in := new(sync.WaitGroup), 0
			both.Add(2)
			table := w.Addresses
			w.Addresses = meeting{table, id, both, new(sync.Mutex), &in}
			var all sync.WaitGroup
			var got [2]*proofing.Case
			var errs [2]error
			for i := range 2 {
				all.Go(func() { got[i], _, errs[i] = w.Respond(t.Context(), visits[i], attempts[i], answers[i]) })
			}
			all.Wait()
			w.Addresses = table
			seen := 0
			for i := range 2 {
				if errs[i] != nil {
					t.Fatal(errs[i])
				}
				if facts, _ := lastUse(t, got[i]); facts.SignCountRegressed {
					seen++
				}
			}
			if want := map[bool]int{true: 1}[counts.copied]; seen != want {
				t.Errorf("%d of the two show a sign of a copy, want %d", seen, want)
			}
			if a := must[*proofing.Address](t)(w.Addresses.Get(t.Context(), id)); a.Copied.At.IsZero() == counts.copied {
				t.Errorf("its record says %+v", a.Copied)
			}
		})
	}
}

func TestAnAnswerThatComesAgainIsNoCopy(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	c := w.signUp(key)
	v := ownVisit(w.openOwn())
	_, a, err := w.Begin(t.Context(), v, "fido", "")
	if err != nil {
		t.Fatal(err)
	}
	answer := must[[]byte](t)(key.Get(a.Ask, passkeyOrigin))
	cases := w.Cases
	w.Cases = &refusing[proofing.Case]{cases}
	if _, _, err := w.Respond(t.Context(), v, a.ID, answer); err == nil {
		t.Fatal("nothing was lost")
	}
	w.Cases = cases
	w.signIn(key) // its count has gone on meanwhile
	got, _, err := w.Respond(t.Context(), v, a.ID, answer)
	if err != nil {
		t.Fatal(err)
	}
	if facts, aal := lastUse(t, got); facts.SignCountRegressed || facts.CloneSuspected || aal != 2 {
		t.Errorf("the same answer again: %+v, AAL%d", facts, aal)
	}
	if _, _, err := w.Respond(t.Context(), v, a.ID, answer); err == nil {
		t.Error("it counted twice")
	}
	w.work()
	if a := w.passkeyRecord(c); !a.Copied.At.IsZero() || len(w.post.all("copied")) > 0 {
		t.Errorf("its record says %+v, and %d messages went out", a.Copied, len(w.post.all("copied")))
	}
}

func TestASignOfACopyWhereADecisionIsSignedIsKeptAndTold(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	c := w.signUp(key)
	asked := w.askToSign(c, decision())
	real := key.Count
	key.Count = 0
	people := w.People
	w.People = &refusing[proofing.Person]{people} // their list does not say it yet
	_, err := w.take(c, w.signs(key, asked))
	wantInput(t, "a copy", err, "passkey_clone")
	if w.passkeyRecord(c).Copied.At.IsZero() {
		t.Error("the passkey's record does not say so")
	}
	key.Count = real + 5
	_, err = w.take(c, w.signs(key, asked))
	wantInput(t, "the passkey itself then", err, "passkey_clone")
	_, err = w.AskSignature(t.Context(), ownVisit(c), decision())
	wantInput(t, "asking it again", err, "passkey_clone")
	w.People = people
	w.pass(time.Minute)
	w.work()
	if n := len(w.post.all("copied")); n != 1 {
		t.Errorf("%d messages", n)
	}
	_, err = w.AskSignature(t.Context(), ownVisit(c), decision())
	wantErr(t, "asking it in a session that is worth less by now", err, proofing.ErrNotAdmitted)
}

// toldOfCopy says whether somebody with one mailbox was told of a copy, as often as may be, if the passkey's record says that there may be one.
func (w *world) toldOfCopy(what string, id string, most int) {
	w.t.Helper()
	a := must[*proofing.Address](w.t)(w.Addresses.Get(w.t.Context(), id))
	p := must[*proofing.Person](w.t)(w.People.Get(w.t.Context(), a.Person))
	i := slices.IndexFunc(p.Bindings, func(b proofing.Binding) bool { return b.ID == id })
	n, copied := len(w.post.all("copied")), !a.Copied.At.IsZero()
	if copied && n == 0 || !copied && n > 0 || n > most || !p.Bindings[i].Copied.Equal(a.Copied.At) || !a.Copied.Due.IsZero() || a.Copied.Use != "" {
		w.t.Errorf("%s: the record says %+v, the list %v, and there are %d messages", what, a.Copied, p.Bindings[i].Copied, n)
	}
}

// usesCopy has a copy of a passkey ready to sign in.
func (w *world) usesCopy(key *webauthntest.Authenticator) (v proofing.Visit, attempt string, answer []byte) {
	w.t.Helper()
	v = ownVisit(w.openOwn())
	_, a, err := w.Begin(w.t.Context(), v, "fido", "")
	if err != nil {
		w.t.Fatal(err)
	}
	key.Count = 1
	return v, a.ID, must[[]byte](w.t)(key.Get(a.Ask, passkeyOrigin))
}

// Whoever uses the copy does not come back to have it told.
func TestTheProcessMayDieWhereverASignOfACopyIsSeen(t *testing.T) {
	diesAfterEach(t, func(t *testing.T, n int64, after bool) (broke bool) {
		w := withPasskeys(t)
		key := webauthntest.New()
		key.Count = 50
		id := w.passkeyRecord(w.signUp(key)).ID
		v, attempt, answer := w.usesCopy(key)
		kv := &faulty{KV: w.kv, after: after, n: n, dies: true}
		s := w.process(kv)
		s.Methods, s.Policy = w.Methods, w.Policy
		_, _, _ = s.Respond(t.Context(), v, attempt, answer)
		broke = kv.calls.Load() >= n
		w.pass(2 * time.Minute)
		w.work()
		w.toldOfCopy(fmt.Sprintf("call %d, after %v", n, after), id, 2)
		if !broke && len(w.post.all("copied")) != 1 {
			t.Errorf("where nothing dies there are %d messages", len(w.post.all("copied")))
		}
		return broke
	})
}

func TestTheProcessMayDieWhileItTellsOfACopyThatNobodyWasToldOf(t *testing.T) {
	diesAfterEach(t, func(t *testing.T, n int64, after bool) (broke bool) {
		w := withPasskeys(t)
		key := webauthntest.New()
		key.Count = 50
		id := w.passkeyRecord(w.signUp(key)).ID
		v, attempt, answer := w.usesCopy(key)
		cases := w.Cases
		w.Cases = &refusing[proofing.Case]{cases}
		if _, _, err := w.Respond(t.Context(), v, attempt, answer); err == nil {
			t.Fatal("nothing was lost")
		}
		w.Cases = cases
		w.pass(2 * time.Minute)
		kv := &faulty{KV: w.kv, after: after, n: n, dies: true}
		s := w.process(kv)
		s.Methods, s.Policy = w.Methods, w.Policy
		_, _ = s.WorkOnce(t.Context())
		broke = kv.calls.Load() >= n
		w.pass(time.Hour)
		w.work()
		w.toldOfCopy(fmt.Sprintf("call %d, after %v", n, after), id, 2)
		return broke
	})
}

// Nothing follows from a session of which somebody says that it was not them, but that a copy was seen in it.
func TestASessionThatIsDisownedForgetsNoCopy(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	key.Count = 50
	id := w.passkeyRecord(w.signUp(key)).ID
	v, attempt, answer := w.usesCopy(key)
	table := w.People
	w.People = &refusing[proofing.Person]{table} // its effects wait
	c, _, err := w.Respond(t.Context(), v, attempt, answer)
	if err != nil {
		t.Fatal(err)
	}
	w.People = table
	w.disown(c)
	w.pass(2 * time.Minute)
	w.work()
	w.toldOfCopy("while it is frozen", id, 1)
	w.pass(25 * time.Hour)
	w.work()
	w.toldOfCopy("once it is over", id, 1)
	w.sequenceAll()
	if m := w.post.all("copied"); len(m) != 1 || m[0].Disown != "" {
		t.Errorf("told are %+v", m)
	}
}

// Sessions are judged by what may be a copy though nothing became of its use.
func TestACopyIsSeenWhereItsUseIsLost(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	key.Count = 50
	w.signUp(key)
	before := w.signIn(key)
	v, attempt, answer := w.usesCopy(key)
	cases := w.Cases
	w.Cases = &refusing[proofing.Case]{cases}
	if _, _, err := w.Respond(t.Context(), v, attempt, answer); err == nil {
		t.Fatal("nothing was lost")
	}
	w.Cases = cases
	if a := w.session(before).Case.Grant.Assessment; *a.AAL != 1 {
		t.Errorf("a session of before has %+v", a)
	}
}

func TestASessionOfBeforeACopyWasSeenIsWorthNoMoreThanOneOfAfter(t *testing.T) {
	w := withPasskeys(t)
	key, second := webauthntest.New(), webauthntest.New()
	key.Count = 50
	c := w.signUp(key)
	c = must[*proofing.Case](t)(w.enrol(ownVisit(c), second))
	before, other := w.signIn(key), w.signIn(second)
	if s := w.session(before); !s.Fresh || *s.Case.Grant.Assessment.AAL != 2 {
		t.Fatalf("before: %+v", s.Case.Grant.Assessment)
	}
	v, attempt, answer := w.usesCopy(key)
	if _, _, err := w.Respond(t.Context(), v, attempt, answer); err != nil {
		t.Fatal(err)
	}
	if s := w.session(before); s.Fresh || *s.Case.Grant.Assessment.AAL != 1 {
		t.Errorf("the session of before is fresh: %v, and has %+v", s.Fresh, s.Case.Grant.Assessment)
	}
	_, err := w.AskSignature(t.Context(), ownVisit(before), decision())
	wantErr(t, "to sign in it", err, proofing.ErrNotAdmitted)
	if err := w.Remove(t.Context(), ownVisit(before), binding(w.session(other), proofing.ChannelPasskey).ID); !errors.Is(err, proofing.ErrNotAdmitted) {
		t.Errorf("it removes: %v", err)
	}
	if s := w.session(other); !s.Fresh || *s.Case.Grant.Assessment.AAL != 2 {
		t.Errorf("the session of the other passkey: %v, %+v", s.Fresh, s.Case.Grant.Assessment)
	}
	again := must[*proofing.Case](t)(w.use(ownVisit(before), second))
	if s := w.session(again); !s.Fresh || *s.Case.Grant.Assessment.AAL != 2 {
		t.Errorf("by the other passkey it rises again: %v, %+v", s.Fresh, s.Case.Grant.Assessment)
	}
	if again.LinkSecret == before.LinkSecret { // 63B 7.1, 63B-4 5.1
		t.Error("it has the secret that it had before it rose")
	}
}
