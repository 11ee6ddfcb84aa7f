package proofing_test

import (
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// frozenOf is a granted request of who has signed up with the key, and "this was not me" said of it.
func (w *world) frozenOf(key *webauthntest.Authenticator, meanwhile func(c *proofing.Case)) *proofing.Case {
	w.t.Helper()
	c := w.openFor("strong", "applicant@example.org", "another-key-another-key-another-key-another-")
	w.pass(time.Second)
	if meanwhile != nil {
		meanwhile(c)
	}
	must[*proofing.Case](w.t)(w.use(visit(c, "b"), key))
	if c = w.prove(c, "b", "email", ""); c.Status != proofing.CaseGranted {
		w.t.Fatalf("it is %s", c.Status)
	}
	w.disowns(c)
	return c
}

func (w *world) disowns(c *proofing.Case) {
	w.t.Helper()
	must[*proofing.Case](w.t)(w.Disown(w.t.Context(), proofing.Secret(c.ID+"."+c.Disown.Reveal())))
	w.work()
	if w.reload(c).Frozen == nil {
		w.t.Fatal("it is not frozen")
	}
}

func linkOf(c *proofing.Case) proofing.Secret {
	return proofing.Secret(c.ID + "." + c.LinkSecret.Reveal())
}

// problemOf is what the authority is told of a case.
func (w *world) problemOf(c *proofing.Case) string {
	w.t.Helper()
	v := must[proofing.Verdict](w.t)(w.Authorize(w.t.Context(), w.ca, proofing.AuthorizeRequest{Applicant: c.Applicant, Identifiers: []proofing.Identifier{c.Identifier}, Profile: c.Profile}))
	return v.Authorizations[0].Problem
}

func TestAPersonGivesBackWhatWasFrozenByMistakeOnceTheyHaveSignedIn(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	w.signUp(key)
	c := w.frozenOf(key, nil)
	if got := w.problemOf(c); got != "disowned" {
		t.Errorf("the authority is told %q", got)
	}
	gives := func(session *proofing.Case) error {
		_, err := w.RestoreOwn(t.Context(), ownVisit(session), linkOf(c))
		return err
	}
	session := w.signIn(key)
	w.pass(11 * time.Minute)
	wantErr(t, "long after signing in", gives(session), proofing.ErrNotAdmitted)
	wantErr(t, "nobody has signed in", gives(w.openOwn()), proofing.ErrNotFound)
	if w.reload(c).Frozen == nil {
		t.Fatal("it is given back")
	}
	session = w.signIn(key)
	for range 2 {
		if err := gives(session); err != nil {
			t.Fatal(err)
		}
	}
	w.work()
	if got := w.problemOf(c); got != "" || len(w.post.all("given_back")) != 1 {
		t.Errorf("given back: %q, %d notices", got, len(w.post.all("given_back")))
	}
	// Whoever says so a second time is not overruled by the person of the request.
	w.disowns(c)
	if got := w.problemOf(c); got != "frozen" {
		t.Errorf("frozen again: %q", got)
	}
	wantInput(t, "a second time", gives(session), "restore_operator")
	if _, err := w.Restore(t.Context(), c.ID); err != nil || w.problemOf(c) != "" {
		t.Errorf("the operator: %v, %q", err, w.problemOf(c))
	}
	w.disowns(c)
	w.pass(25 * time.Hour)
	session = w.signIn(key)
	wantErr(t, "over", gives(session), proofing.ErrClosed)
}

// Whoever got a code and did not answer may be the one who spoke: they hear that it was given back, with the link.
func TestWhoeverGotACodeHearsThatARequestWasGivenBack(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	w.signUp(key) // with applicant@example.org
	c := w.openFor("strong", "applicant@example.org", "another-key-another-key-another-key-another-")
	w.pass(time.Second)
	must[*proofing.Case](t)(w.use(visit(c, "b"), key))
	if _, _, err := w.Begin(t.Context(), visit(c, "b"), "email", "applicant@example.org"); err != nil {
		t.Fatal(err)
	}
	w.work()
	w.disowns(c)
	must[*proofing.Case](t)(w.RestoreOwn(t.Context(), ownVisit(w.signIn(key)), linkOf(c)))
	w.work()
	all := w.post.all("given_back")
	if len(all) != 1 || all[0].To != "applicant@example.org" || all[0].Disown == "" {
		t.Errorf("told are %+v", all)
	}
}

// Who came in by deceiving somebody cannot overrule them: what is theirs alone, and was before, is not enough where a message went to somebody else, and what they
// have added since counts for nothing.
func TestNobodyGivesBackWhatAnotherMayHaveFrozen(t *testing.T) {
	for name, one := range map[string]func(w *world, key *webauthntest.Authenticator) *proofing.Case{
		"the account is of this request": func(w *world, key *webauthntest.Authenticator) *proofing.Case {
			c := w.openFor("strong", "applicant@example.org", "")
			must[*proofing.Case](w.t)(w.enrol(visit(c, "b"), key))
			must[*proofing.Case](w.t)(w.use(visit(c, "b"), key))
			w.disowns(c)
			return c
		},
		"a passkey was added since": func(w *world, key *webauthntest.Authenticator) *proofing.Case {
			w.signUp(key)
			return w.frozenOf(key, func(*proofing.Case) {
				must[*proofing.Case](w.t)(w.enrol(ownVisit(w.signIn(key)), webauthntest.New()))
				w.work()
			})
		},
		"a message went to somebody else": func(w *world, key *webauthntest.Authenticator) *proofing.Case {
			w.signUp(key)
			return w.frozenOf(key, func(c *proofing.Case) {
				_, _, err := w.Begin(w.t.Context(), visit(c, "b"), "sms", "+447400123456")
				wantErr(w.t, "a text message", err, nil)
			})
		},
		"what somebody else confirmed was released": func(w *world, key *webauthntest.Authenticator) *proofing.Case {
			w.signUp(key)
			c := w.openFor("strong", "victim@example.org", "another-key-another-key-another-key-another-")
			must[*proofing.Case](w.t)(w.use(visit(c, "b"), key))
			c = w.prove(c, "b", "email", "")
			w.pass(time.Hour)
			w.disowns(c)
			return c
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := withPasskeys(t)
			key := webauthntest.New()
			c := one(w, key)
			if got := w.problemOf(c); got != "frozen" {
				t.Errorf("the authority is told %q", got)
			}
			in, err := w.use(ownVisit(w.openOwn()), key)
			if name == "the account is of this request" { // what it bound is released, and there is nobody who could sign in
				if err == nil {
					t.Error("somebody has signed in")
				}
				return
			}
			_, err = w.RestoreOwn(t.Context(), ownVisit(in), linkOf(c))
			wantInput(t, "given back", err, "restore_operator")
			if w.reload(c).Frozen == nil {
				t.Error("it is given back")
			}
		})
	}
}

func TestARequestIsGivenBackByItsOwnPersonAlone(t *testing.T) {
	w := withPasskeys(t)
	key, other := webauthntest.New(), webauthntest.New()
	w.signUp(key)
	c := w.frozenOf(key, nil)
	theirs := w.openFor("strong", "other@example.org", "other-key-other-key-other-key-other-key-0123")
	must[*proofing.Case](t)(w.enrol(visit(theirs, "b"), other))
	must[*proofing.Case](t)(w.use(visit(theirs, "b"), other))
	w.prove(theirs, "b", "email", "")
	_, err := w.RestoreOwn(t.Context(), ownVisit(w.signIn(other)), linkOf(c))
	wantErr(t, "somebody else", err, proofing.ErrNotFound)
	_, err = w.RestoreOwn(t.Context(), ownVisit(w.signIn(key)), proofing.Secret(c.ID+".x"))
	wantErr(t, "a link that is not the case's", err, proofing.ErrNotFound)
}

// Also before it is submitted, where people would decide about it.
func TestWhatPeopleWouldDecideAboutIsNotGivenBackByItsPerson(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	w.signUp(key)
	c := w.frozenOf(key, nil)
	p := *w.Policy.Profiles["strong"]
	p.Approvals = 1
	w.Policy.Profiles["strong"] = &p
	if got := w.problemOf(c); got != "frozen" {
		t.Errorf("the authority is told %q", got)
	}
	_, err := w.RestoreOwn(t.Context(), ownVisit(w.signIn(key)), linkOf(c))
	wantInput(t, "its person", err, "restore_operator")
	if w.reload(c).Frozen == nil {
		t.Error("it is given back")
	}
}

// What people decide about is given back by two who run the authority, and never by who asks.
func TestWhoAsksForACertificateThatPeopleDecideAboutDoesNotGiveItBack(t *testing.T) {
	c := newCourt(t)
	k := c.granted()
	must[*proofing.Case](t)(c.Disown(t.Context(), proofing.Secret(k.ID+"."+c.reload(k).Disown.Reveal())))
	c.requester.renew()
	if k = c.reload(k); k.Person == "" {
		t.Fatal("it has no person")
	}
	_, err := c.RestoreOwn(t.Context(), c.requester.visit(), linkOf(k))
	wantInput(t, "the requester", err, "restore_operator")
	if c.reload(k).Frozen == nil {
		t.Error("it is given back")
	}
}
