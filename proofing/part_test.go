package proofing_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

const thiefsKey = "thief-key-thief-key-thief-key-thief-key-012"

// deniedBy follows the link of the notice that was sent last of a kind.
func (w *world) deniedBy(kind string) {
	w.t.Helper()
	_, ref, _ := strings.Cut(w.post.last(w.t, kind).Disown.Reveal(), proofing.DisownPath)
	must[*proofing.Case](w.t)(w.Disown(w.t.Context(), proofing.Secret(ref)))
}

// opens is a request that is proved as far as a passkey alone does.
func (w *world) opens(thumbprint string, key *webauthntest.Authenticator) *proofing.Case {
	w.t.Helper()
	c := w.openFor("strong", "applicant@example.org", thumbprint)
	return must[*proofing.Case](w.t)(w.use(visit(c, "b"), key))
}

// grants is one that is granted.
func (w *world) grants(thumbprint string, key *webauthntest.Authenticator) *proofing.Case {
	w.t.Helper()
	c := w.opens(thumbprint, key)
	w.work()
	if c = w.prove(c, "b", "email", ""); c.Status != proofing.CaseGranted {
		w.t.Fatalf("the case is %s", c.Status)
	}
	return c
}

// Whoever says of a session that it was not them takes from whoever it was what they have opened since by what they added in it: sessions,
// requests and grants. What rests on something else goes on.
func TestWhatADisownedSessionHasAddedCarriesNothingThatWasOpenedByIt(t *testing.T) {
	for _, over := range []bool{false, true} {
		w := withPasskeys(t)
		key, thiefs, next := webauthntest.New(), webauthntest.New(), webauthntest.New()
		s := w.signUp(key)
		must[*proofing.Case](t)(w.enrol(ownVisit(s), thiefs))
		w.work()
		w.pass(time.Minute)
		mine, owners := w.grants(ownersKey, key), w.signIn(key)
		granted, open, in := w.grants(lostsKey, thiefs), w.opens(thiefsKey, thiefs), w.signIn(thiefs)
		if !w.session(in).Fresh {
			t.Fatal("the thief's session may change nothing")
		}
		must[*proofing.Case](t)(w.enrol(ownVisit(in), next))
		link := proofing.Secret(s.ID + "." + s.Disown.Reveal())
		if over {
			if err := w.SignOut(t.Context(), ownVisit(s)); err != nil {
				t.Fatal(err)
			}
		}
		must[*proofing.Case](t)(w.Disown(t.Context(), link))
		w.work()
		_, err := w.Session(t.Context(), ownVisit(in))
		wantErr(t, "the thief's session", err, proofing.ErrNotFound)
		if got := w.reload(granted); got.Status != proofing.CaseRevoked || got.Reason != "authenticator_removed" {
			t.Errorf("the thief's grant is %s, %q", got.Status, got.Reason)
		}
		if e := w.toldOf(granted); e.Status != proofing.CaseRevoked || e.Reason != "authenticator_removed" {
			t.Errorf("the authority was told %+v", e)
		}
		if got := w.authorized(granted); got != "pending" {
			t.Errorf("the thief's account is told %q", got)
		}
		if got := w.reload(open); got.Status != proofing.CaseRefused {
			t.Errorf("the thief's open request is %s", got.Status)
		}
		if got := w.reload(mine); got.Status != proofing.CaseGranted || len(got.Taken) > 0 || w.authorized(mine) != "" {
			t.Errorf("the owner's grant is %s without %+v", got.Status, got.Taken)
		}
		if !w.session(owners).Fresh {
			t.Error("the owner's session may change nothing")
		}
		// What was added in the session that is ended so goes by the link of its own notice.
		must[*proofing.Case](t)(w.Disown(t.Context(), proofing.Secret(in.ID+"."+in.Disown.Reveal())))
		w.work()
		if w.speaks(next) || w.speaks(thiefs) || !w.speaks(key) {
			t.Error("what the thief has added signs in, or what is the owner's does not")
		}
	}
}

// So it is with what a recovery has added that was not them.
func TestWhatADisownedRecoveryHasAddedCarriesNothingThatWasOpenedByIt(t *testing.T) {
	for _, by := range []string{"link", "passkey"} {
		w := withPasskeys(t)
		key, thiefs := webauthntest.New(), webauthntest.New()
		recovery := w.recover(w.codes(w.signUp(key))[0])
		must[*proofing.Case](t)(w.enrol(ownVisit(recovery), thiefs))
		w.work()
		w.pass(25 * time.Hour)
		granted, in := w.grants(lostsKey, thiefs), w.signIn(thiefs)
		if by == "link" {
			w.deniedBy("recovered")
		} else if err := w.StopRecovery(t.Context(), ownVisit(w.signIn(key))); err != nil {
			t.Fatal(err)
		}
		w.work()
		_, err := w.Session(t.Context(), ownVisit(in))
		wantErr(t, by+": the thief's session", err, proofing.ErrNotFound)
		if got := w.reload(granted); got.Status != proofing.CaseRevoked || got.Reason != "authenticator_removed" {
			t.Errorf("%s: the thief's grant is %s, %q", by, got.Status, got.Reason)
		}
		if s := w.session(w.signIn(key)); !s.Fresh || s.Recovering {
			t.Errorf("%s: what is the owner's signs in to %+v", by, s)
		}
	}
}

// The process dies at each of its calls in turn while that is done, and the worker goes on.
func TestTheProcessMayDieWhileWhatWasAddedIsTakenBack(t *testing.T) {
	diesAfterEach(t, func(t *testing.T, n int64, after bool) (broke bool) {
		w := withPasskeys(t)
		key, thiefs := webauthntest.New(), webauthntest.New()
		s := w.signUp(key)
		must[*proofing.Case](t)(w.enrol(ownVisit(s), thiefs))
		w.pass(time.Minute)
		granted, in := w.grants(lostsKey, thiefs), w.signIn(thiefs)
		must[*proofing.Case](t)(w.Disown(t.Context(), proofing.Secret(s.ID+"."+s.Disown.Reveal())))
		f := &faulty{KV: w.kv, after: after, n: n, dies: true}
		dying := w.process(f)
		dying.Methods, dying.Policy = w.Methods, w.Policy
		f.calls.Store(0)
		_, _ = dying.WorkOnce(t.Context())
		w.pass(10 * time.Minute)
		w.work()
		if _, err := w.Session(t.Context(), ownVisit(in)); err == nil {
			t.Errorf("call %d: the thief's session goes on", n)
		}
		if got := w.reload(granted); got.Status != proofing.CaseRevoked {
			t.Errorf("call %d: the thief's grant is %s", n, got.Status)
		}
		if w.speaks(thiefs) || !w.speaks(key) {
			t.Errorf("call %d: what the thief has added signs in, or what is the owner's does not", n)
		}
		return f.calls.Load() >= n
	})
}

// withNumber makes a person with a mailbox and a number that signs them in.
func withNumber(t *testing.T) (w *world, number proofing.Contact) {
	t.Helper()
	w = withPasskeys(t)
	c := w.openAs("client", "first", "me@example.org")
	w.prove(w.prove(c, "b", "email", ""), "b", "sms", "+447400123456")
	w.pass(time.Hour)
	return w, proofing.Contact{Channel: proofing.ChannelPhone, Address: "+447400123456"}
}

// byNumber signs in by it.
func (w *world) byNumber() *proofing.Case {
	w.t.Helper()
	return w.prove(w.openOwn(), "b", "sms", "+447400123456")
}

func TestWhoHasANumberThatAnOperatorReleasesDoesNotGoOnByIt(t *testing.T) {
	w, number := withNumber(t)
	in := w.byNumber()
	w.session(in)
	open := w.openAs("client", "second", "me@example.org")
	w.prove(open, "b", "sms", "+447400123456")
	other := w.openAs("client", "third", "me@example.org")
	w.prove(other, "c", "email", "")
	if released, err := w.Release(t.Context(), number); err != nil || !released {
		t.Fatal(released, err)
	}
	w.work()
	_, err := w.Session(t.Context(), ownVisit(in))
	wantErr(t, "the session", err, proofing.ErrNotFound)
	if got := w.reload(open); got.Status != proofing.CaseRefused || got.Reason != "authenticator_removed" {
		t.Errorf("the open request is %s, %q", got.Status, got.Reason)
	}
	if got := w.reload(other); got.Status != proofing.CaseOpen {
		t.Errorf("a request that it is not at work in is %s", got.Status)
	}
}

// Whoever signs in while the number is being released does not go on either.
func TestWhoSignsInWhileANumberIsReleasedDoesNotGoOn(t *testing.T) {
	w, number := withNumber(t)
	addresses := w.Addresses
	var in *proofing.Case
	w.Addresses = &beforeUpdate[proofing.Address]{addresses, func() {
		w.Addresses = addresses
		in = w.byNumber()
	}}
	if released, err := w.Release(t.Context(), number); err != nil || !released {
		t.Fatal(released, err)
	}
	if in == nil || in.Status != proofing.CaseGranted {
		t.Fatalf("nobody signed in meanwhile: %+v", in)
	}
	_, err := w.Session(t.Context(), ownVisit(in))
	wantErr(t, "the session", err, proofing.ErrNotFound)
}

// Whoever binds the number to themselves while it is being taken from somebody else has it.
func TestWhatSomebodyElseBindsMeanwhileIsTheirs(t *testing.T) {
	w, number := withNumber(t)
	addresses := w.Addresses
	var theirs *proofing.Case
	w.Addresses = &beforeUpdate[proofing.Address]{addresses, func() {
		w.Addresses = addresses
		w.pass(time.Minute)
		theirs = w.openAs("client", "another", "other@example.org")
		theirs = w.prove(w.prove(theirs, "d", "email", ""), "d", "sms", "+447400123456")
		w.work()
	}}
	if released, err := w.Release(t.Context(), number); err != nil || !released {
		t.Fatal(released, err)
	}
	a, err := w.Addresses.Get(t.Context(), proofing.FixedID(w.Hasher.Sum("address", string(number.Channel), number.Address.Reveal())))
	if err != nil || theirs == nil || a.Person != w.reload(theirs).Person {
		t.Errorf("it is %+v's, and not that of %+v: %v", a, theirs, err)
	}
}

// If the process dies while a number is released, releasing it again ends what was begun by it until then, and has nothing left to do after that.
func TestReleasingANumberAgainFinishesWhatACrashLeft(t *testing.T) {
	w, number := withNumber(t)
	addresses, cases := w.Addresses, w.Cases
	var in *proofing.Case
	w.Addresses = &beforeUpdate[proofing.Address]{addresses, func() {
		w.Addresses = addresses
		in = w.byNumber()
		w.Cases = &refusing[proofing.Case]{cases}
	}}
	if _, err := w.Release(t.Context(), number); err == nil {
		t.Fatal("it was released, and its cases could not be written")
	}
	w.Cases = cases
	for i, want := range []bool{true, false} {
		if released, err := w.Release(t.Context(), number); err != nil || released != want {
			t.Fatalf("the release number %d: %v, %v", i+2, released, err)
		}
	}
	_, err := w.Session(t.Context(), ownVisit(in))
	wantErr(t, "the session", err, proofing.ErrNotFound)
	if _, err := addresses.Get(t.Context(), proofing.FixedID(w.Hasher.Sum("address", string(number.Channel), number.Address.Reveal()))); !errors.Is(err, proofing.ErrNotFound) {
		t.Errorf("its record is left: %v", err)
	}
}

// beforeUpdate does something right before a record is changed.
type beforeUpdate[T any] struct {
	proofing.Table[T]
	do func()
}

func (b *beforeUpdate[T]) Update(ctx context.Context, id string, edit func(*T) error) (*T, error) {
	b.do()
	return b.Table.Update(ctx, id, edit)
}

// Whoever deceived a representative goes on in nothing once the owner has come back by another one; by then the link of that recovery still takes it back.
func TestARecoveryAtTheDeskEndsTheOneBefore(t *testing.T) {
	w, one, two := atADesk(t)
	w.signUp(webauthntest.New())
	_, code := w.given(one, two)
	first := must[*proofing.Case](t)(w.regain(code))
	w.pass(10 * time.Minute)
	_, code = w.given(one, two)
	w.session(first) // until then it goes on
	second := must[*proofing.Case](t)(w.regain(code))
	w.work()
	_, err := w.Session(t.Context(), ownVisit(first))
	wantErr(t, "the session of the first", err, proofing.ErrNotFound)
	if !w.session(second).Back {
		t.Error("who has come in by the second may add nothing")
	}
	if got := must[*proofing.Case](t)(w.Cases.Get(t.Context(), first.ID)); got.Reason != "account_recovered" || got.DeskState(w.clock()) != "used" || !got.Disownable() || got.Retain.Before(w.clock().AddDate(1, 11, 0)) {
		t.Errorf("the first is over for %q, %s, kept until %v", got.Reason, got.DeskState(w.clock()), got.Retain)
	}
}
