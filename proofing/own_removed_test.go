package proofing_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// Whoever reads somebody's mail can take the mailbox; its owner hears of it where they can still be reached.
func TestWhoLosesAMailboxHearsOfIt(t *testing.T) {
	w := withPasskeys(t)
	c := w.signUp(webauthntest.New())
	w.prove(c, "b", "email", "owner@example.net")
	thief := w.openFor("strong", "applicant@example.org", "thief-key-thief-key-thief-key-thief-key-012")
	must[*proofing.Case](t)(w.enrol(visit(thief, "t"), webauthntest.New()))
	w.prove(thief, "t", "email", "")
	told := w.post.all("removed")
	if len(told) != 1 || told[0].To != "owner@example.net" || told[0].Thing != proofing.ChannelEmail {
		t.Fatalf("told were %+v", told)
	}
	_, ref, _ := strings.Cut(told[0].Disown.Reveal(), proofing.DisownPath)
	if _, err := w.Disown(t.Context(), proofing.Secret(ref)); err != nil {
		t.Fatal(err)
	}
	if got := w.reload(thief); got.Frozen == nil {
		t.Error("their word does not stop the case that took it")
	}
}

// What was proved with something that its owner has since removed is worth nothing in a request that is still open.
func TestARemovedAuthenticatorEndsTheRequestsThatItIsAtWorkIn(t *testing.T) {
	w := withPasskeys(t)
	key, lost := webauthntest.New(), webauthntest.New()
	c := w.signUp(key)
	c = must[*proofing.Case](t)(w.enrol(ownVisit(c), lost))
	w.pass(time.Minute)
	thief := w.openFor("strong", "applicant@example.org", "thief-key-thief-key-thief-key-thief-key-012")
	thief = must[*proofing.Case](t)(w.use(visit(thief, "t"), lost))
	used := thief.Evidence[0]
	mine := w.openFor("strong", "applicant@example.org", "owner-key-owner-key-owner-key-owner-key-012")
	must[*proofing.Case](t)(w.use(visit(mine, "b"), key))
	for _, b := range w.session(c).Person.Bindings {
		if b.Contact.Address == used.Contact().Address {
			if err := w.Remove(t.Context(), ownVisit(c), b.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := w.reload(thief); got.Status != proofing.CaseRefused {
		t.Errorf("the request that it is at work in is %s", got.Status)
	}
	if got := w.reload(mine); got.Status != proofing.CaseOpen {
		t.Errorf("another request is %s", got.Status)
	}
}

// A use that is still to be stored must not bring back what was removed meanwhile.
func TestARemovedAuthenticatorDoesNotComeBack(t *testing.T) {
	w := withPasskeys(t)
	key, lost := webauthntest.New(), webauthntest.New()
	c := w.signUp(key)
	c = must[*proofing.Case](t)(w.enrol(ownVisit(c), lost))
	w.pass(time.Minute)
	open := w.openFor("strong", "late@example.org", "late-key-late-key-late-key-late-key-late-key")
	people := w.Service.People
	w.Service.People = unwritten{people} // the process dies before it is stored
	open = must[*proofing.Case](t)(w.use(visit(open, "l"), lost))
	w.Service.People = people
	for _, b := range w.session(c).Person.Bindings {
		if b.Contact.Address == open.Evidence[0].Contact().Address {
			if err := w.Remove(t.Context(), ownVisit(c), b.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.pass(time.Hour)
	w.work()
	_, err := w.use(ownVisit(w.openOwn()), lost)
	wantInput(t, "what was removed", err, "passkey_unknown")
}

// unwritten is a table of people that can be read and not changed.
type unwritten struct {
	proofing.Table[proofing.Person]
}

func (unwritten) Create(context.Context, string, *proofing.Person) error {
	return proofing.ErrUnavailable
}

func (unwritten) Update(context.Context, string, func(*proofing.Person) error) (*proofing.Person, error) {
	return nil, proofing.ErrUnavailable
}

func TestTwoWhoTakeTheLastTwoAtOnceLeaveOne(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	c := w.signUp(key)
	c = must[*proofing.Case](t)(w.enrol(ownVisit(c), webauthntest.New()))
	var ids []string
	for _, b := range w.session(c).Person.Bindings {
		if b.Contact.Channel == proofing.ChannelPasskey {
			ids = append(ids, b.ID)
		}
	}
	if len(ids) != 2 {
		t.Fatalf("%d passkeys", len(ids))
	}
	errs := make(chan error)
	for _, id := range ids {
		go func() { errs <- w.Remove(t.Context(), ownVisit(c), id) }()
	}
	gone := 0
	for range ids {
		if err := <-errs; err == nil {
			gone++
		} else {
			wantInput(t, "the other", err, "last_authenticator")
		}
	}
	if left := binding(w.session(c), proofing.ChannelPasskey); gone != 1 || left.ID == "" || !left.Gone.IsZero() {
		t.Errorf("%d were taken, and %+v is left", gone, left)
	}
}
