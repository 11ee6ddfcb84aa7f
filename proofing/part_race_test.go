package proofing_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// thieving is a person in whose session a thief has added a passkey, and what the thief is about to use it in: a session, and a request that lacks nothing else.
type thieving struct {
	*world
	key, thiefs *webauthntest.Authenticator
	added       *proofing.Case // the session in which it was added
	mine        *proofing.Case // the owner's
	id          string         // the passkey's
	in, request *proofing.Case
}

func withThief(t *testing.T, grace time.Duration) *thieving {
	t.Helper()
	w := &thieving{world: withPasskeys(t), key: webauthntest.New(), thiefs: webauthntest.New()}
	w.Policy.Profiles["strong"].Recheck.Grace = grace
	w.added = w.signUp(w.key)
	had := w.session(w.added).Person.Bindings
	must[*proofing.Case](t)(w.enrol(ownVisit(w.added), w.thiefs))
	w.work()
	bindings := w.session(w.added).Person.Bindings
	if len(bindings) != len(had)+1 {
		t.Fatalf("the person has %+v", bindings)
	}
	w.id = bindings[len(bindings)-1].ID
	w.pass(time.Minute)
	w.mine = w.signIn(w.key)
	w.in = w.openOwn()
	w.request = w.prove(w.openFor("strong", "applicant@example.org", thiefsKey), "b", "email", "")
	return w
}

// uses are the ways in which the thief's passkey may be in use, and removals those in which it is taken away.
var (
	uses = map[string]func(w *thieving) error{
		"signs in":         func(w *thieving) error { return w.answers(ownVisit(w.in)) },
		"proves a request": func(w *thieving) error { return w.answers(visit(w.request, "b")) },
	}
	removals = map[string]func(w *thieving) error{
		"its owner removes it": func(w *thieving) error { return w.Remove(w.t.Context(), ownVisit(w.mine), w.id) },
		"somebody says of the session that it was not them": func(w *thieving) error {
			_, err := w.Disown(w.t.Context(), proofing.Secret(w.added.ID+"."+w.added.Disown.Reveal()))
			if err == nil {
				w.work()
			}
			return err
		},
		"the operator releases it": func(w *thieving) error {
			a := must[*proofing.Address](w.t)(w.Addresses.Get(w.t.Context(), w.id))
			_, err := w.Release(w.t.Context(), a.Contact)
			return err
		},
	}
)

// answers is one use of the thief's passkey, which may be refused at any step.
func (w *thieving) answers(v proofing.Visit) error {
	_, a, err := w.Begin(w.t.Context(), v, "fido", "")
	if err != nil {
		return err
	}
	answer, err := w.thiefs.Get(a.Ask, passkeyOrigin)
	if err != nil {
		return err
	}
	_, _, err = w.Respond(w.t.Context(), v, a.ID, answer)
	return err
}

// before has something happen before the n-th change of a table, and says whether it has.
func (w *thieving) before(table string, n int, do func()) (happened *bool) {
	happened = new(bool)
	cases, addresses, people := w.Cases, w.Addresses, w.People
	once := func() {
		*happened = true
		w.Cases, w.Addresses, w.People = cases, addresses, people
		do()
	}
	switch table {
	case "cases":
		w.Cases = &beforeChange[proofing.Case]{w.Cases, n, once}
	case "addresses":
		w.Addresses = &beforeChange[proofing.Address]{w.Addresses, n, once}
	case "people":
		w.People = &beforeChange[proofing.Person]{w.People, n, once}
	}
	return happened
}

// nothingLeft wants that the passkey carries nothing.
func (w *thieving) nothingLeft() {
	w.t.Helper()
	w.work()
	if _, err := w.Session(w.t.Context(), ownVisit(must[*proofing.Case](w.t)(w.Cases.Get(w.t.Context(), w.in.ID)))); !errors.Is(err, proofing.ErrNotFound) {
		w.t.Errorf("the thief's session: %v", err)
	}
	if c := w.reload(w.request); c.Status == proofing.CaseGranted || w.authorized(c) != "pending" {
		w.t.Errorf("the thief's request is %s, and its account is told %q", c.Status, w.authorized(c))
	}
	if w.speaks(w.thiefs) || !w.speaks(w.key) {
		w.t.Error("the thief's passkey signs in, or the owner's does not")
	}
}

// A passkey may be in use in the moment in which it is taken away. Whichever of the two is first, the use is worth nothing then.
func TestAPasskeyThatIsInUseWhileItIsTakenAwayIsWorthNothing(t *testing.T) {
	for use, uses := range uses {
		for removal, removes := range removals {
			for _, table := range []string{"cases", "addresses", "people"} {
				for n := 1; ; n++ {
					removed, used := false, false
					t.Run(fmt.Sprintf("%s while it %s, before change %d of the %s", removal, use, n, table), func(t *testing.T) {
						w := withThief(t, 0)
						removed = *during(w, table, n, removes, func() { _ = uses(w) }) // it may be refused
						if removed {
							w.nothingLeft()
						}
					})
					t.Run(fmt.Sprintf("it %s while %s, before change %d of the %s", use, removal, n, table), func(t *testing.T) {
						w := withThief(t, 0)
						used = *during(w, table, n, func(w *thieving) error { _ = uses(w); return nil }, func() {
							if err := removes(w); err != nil {
								t.Error(err)
							}
						})
						if used {
							w.nothingLeft()
						}
					})
					if !removed && !used || t.Failed() {
						break
					}
				}
			}
		}
	}
}

// during does something while something else is being done.
func during(w *thieving, table string, n int, inner func(*thieving) error, outer func()) *bool {
	w.t.Helper()
	happened := w.before(table, n, func() {
		if err := inner(w); err != nil {
			w.t.Error(err)
		}
	})
	outer()
	return happened
}

// unread is a table that nobody can read for a while.
type unread[T any] struct {
	proofing.Table[T]
	down *bool
}

func (u *unread[T]) Get(ctx context.Context, id string) (*T, error) {
	if *u.down {
		return nil, fmt.Errorf("disk full: %w", proofing.ErrUnavailable)
	}
	return u.Table.Get(ctx, id)
}

// The use is stored, and the process dies, or its store fails, before it has looked again: the worker does.
func TestAUseThatNobodyLookedAgainAtIsLookedAtByTheWorker(t *testing.T) {
	for use, uses := range uses {
		for removal, removes := range removals {
			w := withThief(t, 72*time.Hour)
			down, cases, addresses := false, w.Cases, w.Addresses
			w.Addresses = &unread[proofing.Address]{addresses, &down}
			w.Cases = &beforeChange[proofing.Case]{cases, 2, func() { // the first asks
				w.Cases = cases
				if err := removes(w); err != nil {
					t.Error(err)
				}
				down = true
			}}
			if err := uses(w); !errors.Is(err, proofing.ErrUnavailable) {
				t.Fatalf("it %s while %s: %v", use, removal, err)
			}
			down = false
			w.pass(10 * time.Minute)
			w.nothingLeft()
		}
	}
}

// Nobody signs by a passkey that speaks for nobody any more, however far its removal has come.
func TestNobodySignsByAPasskeyThatIsBeingTakenAway(t *testing.T) {
	refused := false
	for n := int64(1); ; n++ {
		w := withThief(t, 0)
		c := must[*proofing.Case](t)(w.use(ownVisit(w.in), w.thiefs))
		answer := w.signs(w.thiefs, w.askToSign(c, decision()))
		dying := w.dying(n, false)
		done := false
		w.before("addresses", 1, func() { done = dying.Remove(t.Context(), ownVisit(w.mine), w.id) == nil })
		_, err := w.take(c, answer)
		a, gone := w.Addresses.Get(t.Context(), w.id)
		if speaks := gone == nil && a.Person != ""; err == nil && !speaks {
			t.Errorf("call %d: it has signed", n)
		} else if err != nil && !speaks {
			refused = true
		}
		if done {
			break
		}
	}
	if !refused {
		t.Error("its removal never came far enough")
	}
}

// What somebody else has won is no loss of its person's: it ends with their word, whatever grace the profile gives, also if the person found the passkey first and took it away, and
// if what they have proved themselves would carry it.
func TestAGrantThatAThiefWonHasNoGrace(t *testing.T) {
	for _, removed := range []bool{false, true} {
		for _, dies := range []int64{0, 3, 6, 9, 12} {
			w := withThief(t, 72*time.Hour)
			either := *w.Policy.Profiles["strong"]
			either.Name, either.Require = "either", proofing.Requirement{ConfirmedAddresses: []proofing.Channel{proofing.ChannelEmail}}
			w.Policy.Profiles["either"] = &either
			w.ca.Profiles = append(w.ca.Profiles, "either")
			mine := w.grants(ownersKey, w.key)
			won := must[*proofing.Case](t)(w.use(visit(w.request, "b"), w.thiefs))
			carried := w.openFor("either", "applicant@example.org", lostsKey)
			must[*proofing.Case](t)(w.use(visit(carried, "b"), w.thiefs))
			w.work()
			if carried = w.prove(carried, "b", "email", ""); won.Status != proofing.CaseGranted || carried.Status != proofing.CaseGranted {
				t.Fatalf("the thief's requests are %s and %s", won.Status, carried.Status)
			}
			if removed {
				if err := w.Remove(t.Context(), ownVisit(w.signIn(w.key)), w.id); err != nil {
					t.Fatal(err)
				}
				if got := w.reload(won); got.Ending == nil || w.reload(carried).Status != proofing.CaseGranted {
					t.Fatalf("what was taken away goes on until %+v", got.Ending)
				}
			}
			must[*proofing.Case](t)(w.Disown(t.Context(), proofing.Secret(w.added.ID+"."+w.added.Disown.Reveal())))
			if dies > 0 {
				_, _ = w.dying(dies, true).WorkOnce(t.Context())
				w.pass(10 * time.Minute)
			}
			w.work()
			for name, c := range map[string]*proofing.Case{"that rests on it": won, "that another proof carries": carried} {
				if got := w.reload(c); got.Status != proofing.CaseRevoked || got.Reason != "authenticator_removed" || got.Ending != nil {
					t.Errorf("removed before %v, died at %d: the grant %s is %s, %q, with %+v", removed, dies, name, got.Status, got.Reason, got.Ending)
				}
				if e := w.toldOf(c); e.Status != proofing.CaseRevoked || !e.Ends.IsZero() {
					t.Errorf("the authority was told %+v", e)
				}
			}
			if ending, ended := len(w.post.all("ending")), len(w.post.all("ended")); (ending > 0) != removed || ended != 2 {
				t.Errorf("removed before %v: the person was told of %d ends to come, and of %d", removed, ending, ended)
			}
			if got := w.reload(mine); got.Status != proofing.CaseGranted || len(got.Taken) > 0 || w.authorized(mine) != "" {
				t.Errorf("what the owner has proved is %s without %+v", got.Status, got.Taken)
			}
		}
	}
}
