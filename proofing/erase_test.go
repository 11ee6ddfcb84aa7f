package proofing_test

import (
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// Whoever is being forgotten is nobody from the first moment on: in a session of theirs nothing is changed or added, no saved code lets anybody in, and the
// operator's command, said again with their id, ends it.
func TestWhoIsBeingForgottenIsNobody(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	session := w.signUp(key)
	codes := w.codes(session)
	person := session.Person
	back := w.openOwn()
	w.prove(back, "b", "email", "applicant@example.org")
	// What a process leaves that dies as soon as it has begun.
	dying := w.process(&diesWriting{KV: w.kv, prefix: "r/person/", n: 1, after: true})
	dying.Methods, dying.Policy = w.Methods, w.Policy
	if err := dying.Forget(t.Context(), person); err == nil {
		t.Fatal("it did not die")
	}
	_, err := w.Session(t.Context(), ownVisit(session))
	wantErr(t, "a session of theirs", err, proofing.ErrNotFound)
	_, err = w.enrol(ownVisit(session), webauthntest.New())
	wantErr(t, "adding a passkey in it", err, proofing.ErrNotAdmitted)
	_, err = w.recovers(ownVisit(back), codes[0])
	wantErr(t, "a code of theirs", err, proofing.ErrWrongAnswer)
	w.whileSequencing(func() {
		if err := w.Forget(t.Context(), person); err != nil {
			t.Fatal(err)
		}
	})
	_, err = w.People.Get(t.Context(), person)
	wantErr(t, "the person", err, proofing.ErrNotFound)
	w.work()
	if told := w.post.all("erased"); len(told) != 1 {
		t.Errorf("they are told %d times", len(told))
	}
}

// No session that is left of somebody who is forgotten makes a person anew under their id: neither by what is added in it then, nor by what was on its way.
func TestNobodyComesBackUnderTheIDOfWhoWasForgotten(t *testing.T) {
	w := withPasskeys(t)
	key, other := webauthntest.New(), webauthntest.New()
	session := w.signUp(key)
	w.pass(time.Minute)
	second := w.signIn(key)
	_, a, err := w.Begin(t.Context(), ownVisit(second), "email", "second@example.org")
	if err != nil {
		t.Fatal(err)
	}
	w.work()
	if _, _, err := w.Answer(t.Context(), ownVisit(second), a.ID, w.post.last(t, "email_code").Code); err != nil {
		t.Fatal(err)
	}
	// What another process leaves that has taken both sessions up before.
	if err := w.People.Delete(t.Context(), session.Person); err != nil {
		t.Fatal(err)
	}
	_, err = w.enrol(ownVisit(session), other)
	wantErr(t, "adding a passkey in what is left", err, proofing.ErrNotAdmitted)
	w.work()
	_, err = w.People.Get(t.Context(), session.Person)
	wantErr(t, "the person", err, proofing.ErrNotFound)
	if left, _, err := w.Addresses.List(t.Context(), proofing.Query{Index: "person", Value: session.Person}); err != nil || len(left) > 2 {
		t.Errorf("%d addresses are theirs, %v", len(left), err)
	}
}
