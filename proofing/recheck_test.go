package proofing_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

const (
	ownersKey = "owner-key-owner-key-owner-key-owner-key-012"
	lostsKey  = "losts-key-losts-key-losts-key-losts-key-012"
)

// withTwo makes a person with a mailbox and two passkeys, by each of which they have been authorized, and signs them in. id is
// the binding of the second.
func withTwo(t *testing.T, grace time.Duration) (w *world, key *webauthntest.Authenticator, session, mine, rests *proofing.Case, id string) {
	t.Helper()
	w = withPasskeys(t)
	w.Policy.Profiles["strong"].Recheck.Grace = grace
	key, lost := webauthntest.New(), webauthntest.New()
	session = w.signUp(key)
	session = must[*proofing.Case](t)(w.enrol(ownVisit(session), lost))
	w.pass(time.Minute)
	grant := func(thumbprint string, by *webauthntest.Authenticator) *proofing.Case {
		c := w.openFor("strong", "applicant@example.org", thumbprint)
		must[*proofing.Case](t)(w.use(visit(c, "b"), by))
		w.work()
		if c = w.prove(c, "b", "email", ""); c.Status != proofing.CaseGranted {
			t.Fatalf("the case is %s", c.Status)
		}
		return c
	}
	mine, rests = grant(ownersKey, key), grant(lostsKey, lost)
	session = w.signIn(key)
	used := rests.Evidence[0].Contact().Address
	for _, b := range w.session(session).Person.Bindings {
		if b.Contact.Address == used {
			id = b.ID
		}
	}
	return w, key, session, mine, rests, id
}

// orders is what the account of a key is told that orders the mailbox under a profile.
func (w *world) orders(profile, thumbprint string) proofing.Authorization {
	w.t.Helper()
	return must[proofing.Verdict](w.t)(w.Authorize(w.t.Context(), w.ca, proofing.AuthorizeRequest{
		Applicant: proofing.Applicant{Kind: proofing.ByAccount, Thumbprint: thumbprint}, Identifiers: []proofing.Identifier{proved}, Profile: profile,
	})).Authorizations[0]
}

// toldOf is what the authority was told last of a case.
func (w *world) toldOf(c *proofing.Case) proofing.Event {
	w.t.Helper()
	w.sequenceAll()
	return checkOrder(w.t, w.told(w.ca))[c.ID]
}

func TestAGrantEndsWithTheAuthenticatorThatItRestsOn(t *testing.T) {
	w, _, session, mine, rests, id := withTwo(t, 0)
	if err := w.Remove(t.Context(), ownVisit(session), id); err != nil {
		t.Fatal(err)
	}
	w.work()
	if got := w.reload(rests); got.Status != proofing.CaseRevoked || got.Reason != "authenticator_removed" {
		t.Errorf("what rests on it is %s, %q", got.Status, got.Reason)
	}
	if e := w.toldOf(rests); e.Status != proofing.CaseRevoked || e.Reason != "authenticator_removed" {
		t.Errorf("the authority was told %+v", e)
	}
	if m := w.post.last(t, "ended"); m.Context.Reason != "authenticator_removed" || m.To != "applicant@example.org" {
		t.Errorf("the person was told %+v", m)
	}
	if got := w.orders("strong", ownersKey); got.Problem != "" {
		t.Errorf("what rests on another is refused: %s", got.Problem)
	}
	if got := w.orders("strong", lostsKey); got.Problem != "pending" || got.Case.ID == rests.ID {
		t.Errorf("the next order has no request at which it can be proved anew: %+v", got)
	}
	if got := w.reload(mine); got.Status != proofing.CaseGranted || len(got.Taken) > 0 {
		t.Errorf("what rests on another is %s", got.Status)
	}
}

func TestAGrantGoesOnForTheGraceThatItsProfileSets(t *testing.T) {
	const grace = 72 * time.Hour
	w, _, session, _, rests, id := withTwo(t, grace)
	now := w.clock()
	if err := w.Remove(t.Context(), ownVisit(session), id); err != nil {
		t.Fatal(err)
	}
	w.work()
	if e := w.toldOf(rests); e.Change != proofing.ChangeEnding || e.Reason != "authenticator_removed" || !e.Ends.Equal(now.Add(grace)) || e.Status != proofing.CaseGranted {
		t.Errorf("the authority was told %+v", e)
	}
	if m := w.post.last(t, "ending"); !m.Context.Ends.Equal(now.Add(grace)) {
		t.Errorf("the person was told %+v", m)
	}
	got := w.orders("strong", lostsKey)
	if got.Problem != "" || got.Case.Grant.RecheckAfter.After(now.Add(grace)) {
		t.Errorf("in its grace: %+v", got)
	}
	if a := got.Case.Grant.Assessment; a.AAL != nil || a.PhishingResistant {
		t.Errorf("it still claims what the authenticator earned: AAL %v", *a.AAL)
	}
	statement := must[*proofing.Case](t)(w.Statement(t.Context(), w.ca, rests.ID))
	if statement.Grant.Statement == "" || statement.Grant.StatementExpires.After(now.Add(grace)) || statement.Grant.Assessment.AAL != nil {
		t.Errorf("the statement is %+v", statement.Grant)
	}
	for w.clock().Before(now.Add(grace)) { // nobody asks
		w.work()
		w.pass(time.Hour)
	}
	w.work()
	if e := w.toldOf(rests); e.Status != proofing.CaseRevoked || e.Reason != "authenticator_removed" || !e.Ends.IsZero() {
		t.Errorf("afterwards the authority was told %+v", e)
	}
	if n := len(w.post.all("ending")); n != 1 {
		t.Errorf("the person was told %d times", n)
	}
}

// The process dies at each of its calls in turn while somebody takes away what a grant rests on, and they do it again.
func TestTheProcessMayDieWhileAGrantGivesWay(t *testing.T) {
	breaksOff(t, func(t *testing.T, n int64, after bool) (broke bool) {
		w, _, session, mine, rests, id := withTwo(t, 0)
		broke = w.dying(n, after).Remove(t.Context(), ownVisit(session), id) != nil
		listed := slices.ContainsFunc(w.session(session).Person.Bindings, func(b proofing.Binding) bool { return b.ID == id })
		if listed {
			if err := w.Remove(t.Context(), ownVisit(session), id); err != nil {
				t.Fatalf("call %d, after %v: again: %v", n, after, err)
			}
		}
		w.work()
		if got := w.reload(rests); got.Status != proofing.CaseRevoked {
			t.Errorf("call %d, after %v: what rests on it is %s, and nobody can take it away again", n, after, got.Status)
		}
		if got := w.reload(mine); got.Status != proofing.CaseGranted {
			t.Errorf("call %d, after %v: what rests on another is %s", n, after, got.Status)
		}
		return broke
	})
}

// An open request must not be granted by what its person has taken away meanwhile, whatever that was.
func TestAMailboxThatIsTakenAwayEndsTheRequestsThatItWasConfirmedIn(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	session := w.signUp(key)
	const second = "second@example.org"
	w.prove(session, "b", "email", second)
	open := w.openFor("strong", second, ownersKey)
	must[*proofing.Case](t)(w.use(visit(open, "b"), key))
	w.work()
	other := w.openFor("strong", second, lostsKey)
	w.Policy.Profiles["strong"].Require.AllMethods = []string{"sms"} // so that it stays open
	if open = w.prove(open, "b", "email", ""); open.Status != proofing.CaseOpen {
		t.Fatalf("it is %s", open.Status)
	}
	session = w.signIn(key)
	gone := ""
	for _, b := range w.session(session).Person.Bindings {
		if b.Contact.Address == second {
			gone = b.ID
		}
	}
	elsewhere := w.signIn(key)
	if err := w.Remove(t.Context(), ownVisit(session), gone); err != nil {
		t.Fatal(err)
	}
	if got := w.reload(open); got.Status != proofing.CaseRefused || got.Reason != "authenticator_removed" {
		t.Errorf("the request is %s, %q", got.Status, got.Reason)
	}
	if got := w.reload(other); got.Status != proofing.CaseOpen {
		t.Errorf("one in which nothing was confirmed is %s", got.Status)
	}
	w.session(elsewhere) // which goes on
}

// Of many questions at once, to two processes, one finds that a grant has given way.
func TestAGrantGivesWayOnce(t *testing.T) {
	for _, grace := range []time.Duration{0, time.Hour} {
		w := newWorld(t)
		c := w.open("email")
		c = w.prove(c, "b", "email", "")
		p := w.Policy.Profiles["email"]
		p.Require.AllMethods, p.Recheck.Grace = []string{"email", "sms"}, grace
		second := w.process(w.kv)
		second.Methods, second.Policy = w.Methods, w.Policy
		var asking sync.WaitGroup
		for i := range 16 {
			s := []*proofing.Service{w.Service, second}[i%2]
			asking.Go(func() {
				v, err := s.Authorize(t.Context(), w.ca, proofing.AuthorizeRequest{
					Applicant: proofing.Applicant{Kind: proofing.ByAccount, Thumbprint: c.Applicant.Thumbprint}, Identifiers: []proofing.Identifier{proved}, Profile: "email",
				})
				if err != nil || v.Allow != (grace > 0) {
					t.Errorf("grace %v: allowed %v, %v", grace, v.Allow, err)
				}
			})
		}
		asking.Wait()
		w.work()
		w.sequenceAll()
		told := 0
		for _, e := range w.told(w.ca) {
			if e.Object == c.ID && e.Reason == "level_fell" {
				told++
			}
		}
		if mails := len(w.post.all("ending")) + len(w.post.all("ended")); told != 1 || mails != 1 {
			t.Errorf("grace %v: told %d times, by mail %d times", grace, told, mails)
		}
	}
}

// The process dies at each of its calls in turn while an operator releases an address, and they do it again.
func TestTheProcessMayDieWhileAnAddressIsReleased(t *testing.T) {
	breaksOff(t, func(t *testing.T, n int64, after bool) (broke bool) {
		w := newWorld(t)
		c := w.open("email")
		c = w.prove(c, "b", "email", "")
		contact := c.Evidence[0].Contact()
		_, err := w.dying(n, after).Release(t.Context(), contact)
		if _, again := w.Release(t.Context(), contact); again != nil {
			t.Fatalf("call %d, after %v: again: %v", n, after, again)
		}
		w.work()
		if got := w.reload(c); got.Status != proofing.CaseRevoked {
			t.Errorf("call %d, after %v: what rests on it is %s", n, after, got.Status)
		}
		if owner, err := w.Owner(t.Context(), contact); !errors.Is(err, proofing.ErrNotFound) {
			t.Errorf("call %d, after %v: it is still %s's, %v", n, after, owner, err)
		}
		return err != nil
	})
}

func TestAGrantEndsWhenWhatWasProvedIsTooOld(t *testing.T) {
	w := newWorld(t)
	w.Policy.Profiles["email"].Recheck = proofing.RecheckPolicy{ProofAge: 20 * 24 * time.Hour, Grace: time.Hour}
	c := w.open("email")
	c = w.prove(c, "b", "email", "")
	at := c.Evidence[0].At.Add(20 * 24 * time.Hour)
	for w.clock().Before(at.Add(-time.Hour)) {
		w.pass(time.Hour)
		w.work()
	}
	if got := w.reload(c); got.Ending != nil || got.Status != proofing.CaseGranted {
		t.Fatalf("before its time it is %s, %+v", got.Status, got.Ending)
	}
	w.pass(at.Sub(w.clock()))
	w.work()
	if e := w.toldOf(c); e.Change != proofing.ChangeEnding || e.Reason != "proof_aged" || !e.Ends.Equal(at.Add(time.Hour)) {
		t.Errorf("the authority was told %+v", e)
	}
	w.pass(time.Hour)
	w.work()
	if got := w.reload(c); got.Status != proofing.CaseRevoked || got.Reason != "proof_aged" {
		t.Errorf("after its grace it is %s, %q", got.Status, got.Reason)
	}
}

func TestWhatIsMendedInTimeGoesOn(t *testing.T) {
	w := newWorld(t)
	w.Policy.Profiles["device"].Recheck.Grace = 72 * time.Hour
	name := proofing.Identifier{Type: "dns", Value: "www.example.org"}
	holder := proofing.Holder{Channel: "email", Address: "applicant@example.org"}
	must[*proofing.RegistryEntry](t)(w.Register(t.Context(), w.ca.Name, name, "", holder))
	r := request("device")
	r.Identifier = name
	c, _, err := w.Open(t.Context(), w.ca, r)
	if err != nil {
		t.Fatal(err)
	}
	if c = w.prove(c, "b", "email", "applicant@example.org"); c.Status != proofing.CaseGranted {
		t.Fatalf("the case is %s", c.Status)
	}
	if err := w.Unregister(t.Context(), w.ca.Name, name); err != nil {
		t.Fatal(err)
	}
	w.pass(24 * time.Hour) // nobody asks; it is looked at once a day
	w.work()
	if e := w.toldOf(c); e.Change != proofing.ChangeEnding || e.Reason != "entitlement_ended" {
		t.Fatalf("the authority was told %+v", e)
	}
	must[*proofing.RegistryEntry](t)(w.Register(t.Context(), w.ca.Name, name, "", holder))
	for range 71 {
		w.pass(time.Hour)
		w.work()
	}
	if e := w.toldOf(c); e.Change != proofing.ChangeRestored || !e.Ends.IsZero() || e.Reason != "" {
		t.Errorf("when it was mended the authority was told %+v", e)
	}
	w.pass(48 * time.Hour)
	w.work()
	if got := w.reload(c); got.Status != proofing.CaseGranted {
		t.Errorf("what was mended is %s, %q", got.Status, got.Reason)
	}
}

func TestAGrantEndsThatTheDemandsOfTodayDoNotAllow(t *testing.T) {
	for _, asked := range []bool{false, true} {
		w := newWorld(t)
		c := w.open("email")
		c = w.prove(c, "b", "email", "")
		w.Policy.Profiles["email"].Require.AllMethods = []string{"email", "sms"}
		if asked {
			if got := w.orders("email", c.Applicant.Thumbprint); got.Problem != "pending" || got.Case.ID == c.ID {
				t.Errorf("whoever orders is told %q", got.Problem)
			}
		} else {
			w.pass(24 * time.Hour)
			w.work()
		}
		if got := w.reload(c); got.Status != proofing.CaseRevoked || got.Reason != "level_fell" {
			t.Errorf("it is %s, %q", got.Status, got.Reason)
		}
	}
}

// What was proved wears off as an authentication long before the grant does, and that alone ends nothing.
func TestAGrantIsJudgedByWhatHeldWhenItWasMade(t *testing.T) {
	w, _, _, mine, _, _ := withTwo(t, 0)
	for range 29 {
		w.pass(24 * time.Hour)
		w.work()
	}
	if got := w.orders("strong", ownersKey); got.Problem != "" || got.Case.ID != mine.ID {
		t.Errorf("after 29 days: %q", got.Problem)
	}
}

func TestAnAddressThatAnOperatorReleasesCarriesNothingMore(t *testing.T) {
	w, c := withKeys(t)
	k := w.caseKey(c)
	must[*proofing.VerifiedKey](t)(w.VerifyKey(t.Context(), w.ca, present(k, 1)))
	if got := w.asks(1, proved); got.Problem != "" {
		t.Fatal(got.Problem)
	}
	bound := w.asks(1, proved).Case
	if released, err := w.Release(t.Context(), c.Evidence[0].Contact()); err != nil || !released {
		t.Fatal(released, err)
	}
	_, err := w.VerifyKey(t.Context(), w.ca, present(k, 2))
	wantErr(t, "the key", err, proofing.ErrBinding)
	if got := w.asks(1, proved); got.Problem != "pending" || got.Case.ID == bound.ID {
		t.Errorf("the account of the key is told %q", got.Problem)
	}
}
