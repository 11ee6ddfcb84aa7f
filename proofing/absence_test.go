package proofing_test

import (
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

const aDay = 24 * time.Hour

// lives lets time go by, looking every few days as a worker does, until it is over or who is meant is gone.
func (w *world) lives(person string, most time.Duration) (after time.Duration, gone bool) {
	w.t.Helper()
	const step = 5 * aDay
	for ; after < most; after += step {
		if w.pass(step); len(w.post.all("forgetting")) > 0 {
			w.whileSequencing(w.work)
		} else {
			w.work()
		}
		if _, err := w.People.Get(w.t.Context(), person); err != nil {
			wantErr(w.t, "the person", err, proofing.ErrNotFound)
			return after + step, true
		}
	}
	return after, false
}

// Somebody who does not come back is told, and forgotten a month later, with all that a person takes along who asks for it.
func TestWhoDoesNotComeBackIsToldAndForgotten(t *testing.T) {
	w := withPasskeys(t)
	w.Policy.PersonRetention = 365 * aDay
	key := webauthntest.New()
	person := w.signUp(key).Person
	after, gone := w.lives(person, 800*aDay)
	told := w.post.all("forgetting")
	if !gone || len(told) != 1 || told[0].To.Reveal() != "applicant@example.org" || told[0].Disown != "" {
		t.Fatalf("after %d days gone is %v, told was %+v", after/aDay, gone, told)
	}
	// A grant needs them until it ends; from then on it is a year, and no look is late by more than its turn.
	grant := w.Policy.Profiles["strong"].GrantLifetime
	if least, most := grant+365*aDay-aDay, grant+(365+25+5)*aDay; after < least || after > most {
		t.Errorf("gone after %d days, and the grant lasts for %d", after/aDay, grant/aDay)
	}
	if warned := told[0].Context.Ends; warned.After(w.clock()) || w.clock().Sub(warned) > 6*aDay {
		t.Errorf("told was %s, and it is %s", warned, w.clock())
	}
	if len(w.post.all("erased")) != 1 || w.speaks(key) {
		t.Error("they are not told at last, or their passkey still signs in")
	}
	said := 0
	for _, e := range w.log() {
		if leaf := must[proofing.Leaf](t)(e.Said()); leaf.Object == person && leaf.Kind == proofing.EntryLapsed && leaf.By == proofing.ByService {
			said++
		}
	}
	if said != 1 {
		t.Errorf("the log says it %d times", said)
	}
}

// Whoever comes back, also after the warning, stays; and so does who has ever had a role. Without the setting nobody goes.
func TestWhoIsHereOrNeededIsNotForgotten(t *testing.T) {
	t.Parallel()
	w := withPasskeys(t)
	w.Policy.PersonRetention = 200 * aDay
	key := webauthntest.New()
	person := w.signUp(key).Person
	for range 3 {
		for len(w.post.all("forgetting")) == 0 {
			if after, gone := w.lives(person, 5*aDay); gone {
				t.Fatalf("forgotten without a warning after %d days", after/aDay)
			}
		}
		w.post.forget()
		w.signIn(key)
		if after, gone := w.lives(person, 100*aDay); gone {
			t.Fatalf("forgotten %d days after they came back", after/aDay)
		}
	}
	w = withPasskeys(t)
	w.Policy.PersonRetention = 200 * aDay
	r := w.member("one")
	id := r.person()
	must[*proofing.Person](t)(w.Appoint(t.Context(), proofing.Contact{Channel: proofing.ChannelEmail, Address: "one@example.org"}, "Doctor One", "2026", time.Time{}))
	if after, gone := w.lives(id, 500*aDay); gone || len(w.post.all("forgetting")) > 0 {
		t.Errorf("a representative is forgotten, or warned, after %d days", after/aDay)
	}
	w = withPasskeys(t)
	person = w.signUp(webauthntest.New()).Person
	if after, gone := w.lives(person, 1000*aDay); gone {
		t.Errorf("forgotten without the setting after %d days", after/aDay)
	}
}

// Whoever comes back for requests alone is here, however short these are kept: by a passkey, and by a mailbox.
func TestWhoComesBackForShortRequestsIsNotForgotten(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"fido", "email"} {
		w := withPasskeys(t)
		w.Policy.PersonRetention = 200 * aDay
		p := w.Policy.Profiles["strong"]
		p.CaseLifetime, p.GrantLifetime, p.Retention = time.Hour, time.Hour, aDay
		if by == "email" {
			p.Require = proofing.Requirement{ConfirmedAddresses: []proofing.Channel{proofing.ChannelEmail}}
		}
		key := webauthntest.New()
		person := w.signUp(key).Person
		for visits := range 20 {
			c := w.openFor("strong", "applicant@example.org", "")
			if by == "fido" {
				c = must[*proofing.Case](t)(w.use(visit(c, "b"), key))
			}
			w.prove(c, "b", "email", "")
			for _, later := range []time.Duration{2 * time.Hour, 2 * aDay} { // until the request is over, and then gone, long before the next look
				w.pass(later)
				w.work()
				w.sequenceAll() // a record stays until all that it says is in the log
			}
			if _, err := w.Cases.Get(t.Context(), c.ID); err == nil {
				t.Fatalf("%s: the request is still there", by)
			}
			if after, gone := w.lives(person, 20*aDay); gone {
				t.Fatalf("%s: forgotten %d days after visit %d", by, after/aDay, visits)
			}
		}
		if told := w.post.all("forgetting"); len(told) > 0 {
			t.Errorf("%s: they are warned: %+v", by, told)
		}
	}
}

// Whoever signs in between the look that finds them absent and the moment in which forgetting them begins stays, and is told of nothing.
func TestWhoSignsInWhileTheyAreFoundAbsentStays(t *testing.T) {
	w := withPasskeys(t)
	w.Policy.PersonRetention = 200 * aDay
	key := webauthntest.New()
	person := w.signUp(key).Person
	w.pass(400 * aDay)
	must[*proofing.Person](t)(w.People.Update(t.Context(), person, func(p *proofing.Person) error {
		now := w.clock()
		p.Absence = proofing.Absence{Seen: now.Add(-400 * aDay), Looked: now.Add(-10 * aDay), Due: now, Warned: now.Add(-30 * aDay)}
		return nil
	}))
	var c *proofing.Case
	looking := w.process(&meanwhile{KV: w.kv, kind: "person", do: func() { c = w.signIn(key) }})
	looking.Methods, looking.Policy = w.Methods, w.Policy
	if err := looking.WorkPersonForTest(t.Context(), person); err != nil {
		t.Fatal(err)
	}
	w.work()
	if c == nil {
		t.Fatal("nobody signed in meanwhile")
	}
	if s := w.session(c); s.Person.ID != person || len(s.Person.Bindings) != 2 {
		t.Errorf("they are %+v", s.Person)
	}
	if told := w.post.all("erased"); len(told) > 0 {
		t.Errorf("they are told that they are forgotten: %+v", told)
	}
	if !w.speaks(key) {
		t.Error("their passkey signs nobody in")
	}
}

// Where nobody has looked for longer than a session's record stays, a visit may have left no trace: their time begins anew.
func TestNobodyIsForgottenForThatNobodyLooked(t *testing.T) {
	w := withPasskeys(t)
	person := w.signUp(webauthntest.New()).Person // before there was the setting
	w.pass(1000 * aDay)
	w.Policy.PersonRetention = 365 * aDay
	if after, gone := w.lives(person, 300*aDay); gone || len(w.post.all("forgetting")) > 0 {
		t.Errorf("forgotten or warned after %d days of the setting", after/aDay)
	}
	if after, gone := w.lives(person, 200*aDay); !gone {
		t.Errorf("still there after %d days more", after/aDay)
	}
}

func TestTheProcessMayDieWhileSomebodyIsForgottenWhoWasNotHere(t *testing.T) {
	t.Parallel()
	diesAfterEach(t, func(t *testing.T, n int64, after bool) (broke bool) {
		w := withPasskeys(t)
		w.Policy.PersonRetention = 200 * aDay
		key := webauthntest.New()
		person := w.signUp(key).Person
		w.pass(400 * aDay)
		must[*proofing.Person](t)(w.People.Update(t.Context(), person, func(p *proofing.Person) error {
			now := w.clock()
			p.Absence = proofing.Absence{Seen: now.Add(-400 * aDay), Looked: now.Add(-10 * aDay), Due: now, Warned: now.Add(-30 * aDay)}
			return nil
		}))
		w.whileSequencing(func() {
			other := w.dying(n, after)
			other.Sender = w.post
			broke = other.WorkPersonForTest(t.Context(), person) != nil
			for range 3 { // the next looks; one of them may wait for the log in vain
				if err := w.WorkPersonForTest(t.Context(), person); err == nil {
					break
				}
			}
			w.work()
		})
		_, err := w.People.Get(t.Context(), person)
		wantErr(t, "the person", err, proofing.ErrNotFound)
		if w.speaks(key) || len(w.post.all("erased")) == 0 {
			t.Errorf("call %d: their passkey signs in, or they were not told", n)
		}
		return broke
	})
}
