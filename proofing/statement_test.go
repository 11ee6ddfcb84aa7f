package proofing_test

import (
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// witness signs nothing and keeps what it was asked to sign.
type witness struct {
	claims []map[string]any
	before func() // called while a statement is being signed
}

func (s *witness) Sign(typ string, claims map[string]any) (string, error) {
	s.claims = append(s.claims, claims)
	if s.before != nil {
		s.before()
	}
	return "signed." + typ, nil
}

func (w *world) state(c *proofing.Case) *proofing.Case {
	w.t.Helper()
	c, err := w.Statement(w.t.Context(), w.ca, c.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) disown(c *proofing.Case) {
	w.t.Helper()
	if _, err := w.Disown(w.t.Context(), proofing.Secret(c.ID+"."+c.Disown.Reveal())); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) ask(c *proofing.Case) proofing.Verdict {
	w.t.Helper()
	v, err := w.Authorize(w.t.Context(), w.ca, proofing.AuthorizeRequest{Applicant: c.Applicant, Identifiers: []proofing.Identifier{c.Identifier}, Profile: c.Profile})
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

func TestALevelThatHasAgedIsNotCarriedOn(t *testing.T) {
	const day = 24 * time.Hour
	for what, then := range map[string]func(*world, *proofing.Case){
		"fetched for the first time": func(*world, *proofing.Case) {},
		"fetched anew":               func(w *world, c *proofing.Case) { w.state(c) },
		"fetched after a key rollover": func(w *world, c *proofing.Case) {
			w.state(c)
			if err := w.AccountKeyChanged(t.Context(), w.ca, c.Applicant.URL, c.Applicant.Thumbprint, "next"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		w := newWorld(t)
		signer := &witness{}
		w.Signer = signer
		w.Policy.Profiles["sign"].GrantLifetime = 90 * day
		c := w.open("sign")
		if _, err := w.StartChallenge(t.Context(), w.ca, c.ID); err != nil {
			t.Fatal(err)
		}
		c = w.prove(w.prove(c, "b", "email", ""), "b", "sms", "+447400123456")
		w.pass(time.Minute)
		if c = w.prove(c, "b", "sms", "+447400123456"); aal(c) != 1 {
			t.Fatalf("%s, AAL %d", c.Status, aal(c))
		}
		then(w, c)
		w.pass(31 * day)
		c = w.state(w.reload(c))
		acr := signer.claims[len(signer.claims)-1]["acr"]
		if want := "urn:countersign:acr:" + string(proofing.R4) + ":ial-none:aal-none"; acr != want || aal(c) != 0 {
			t.Errorf("%s a month later: %v, AAL %d", what, acr, aal(c))
		}
		if v := w.ask(c); v.Allow && v.Authorizations[0].Case.Grant.Assessment.AAL != nil {
			t.Errorf("%s: authorize answers with the level of a month ago", what)
		}
	}
}

func TestAStatementIsKeptAndThenSignedAnew(t *testing.T) {
	w := newWorld(t)
	signer := &witness{}
	w.Signer = signer
	c := w.prove(w.open("client"), "b", "email", "")
	c = w.prove(c, "b", "sms", "+447400123456")
	w.state(c)
	w.pass(23 * time.Hour)
	w.state(c)
	if n := len(signer.claims); n != 1 {
		t.Errorf("signed %d times in a day, want once", n)
	}
	w.pass(2 * time.Hour)
	if c = w.state(c); len(signer.claims) != 2 || !w.clock().Before(c.Grant.StatementExpires) {
		t.Errorf("signed %d times in two days; good until %v", len(signer.claims), c.Grant.StatementExpires)
	}
	if v := w.ask(c); !v.RecheckAfter.After(w.clock()) {
		t.Errorf("asked now, the CA is told to ask again at %v, which is over", v.RecheckAfter)
	}
}

func TestNoStatementOfWhatDoesNotHold(t *testing.T) {
	w := newWorld(t)
	signer := &witness{}
	w.Signer = signer
	c := w.prove(w.open("email"), "b", "email", "")
	w.state(c)
	w.disown(c)
	if got := w.state(c); got.Grant.Statement != "" {
		t.Error("of a frozen case the old statement is given out")
	}
	if _, err := w.Restore(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	if got := w.state(c); got.Grant.Statement == "" {
		t.Error("after it was restored there is none")
	}
	w.pass(25 * time.Hour)
	signer.before = func() { w.disown(c) }
	if got := w.state(c); got.Grant.Statement != "" {
		t.Error("frozen while it was signed, and given out")
	}
}

func TestAStatementEndsWithTheEntitlement(t *testing.T) {
	w := newWorld(t)
	name := proofing.Identifier{Type: "dns", Value: "host.example.org"}
	if _, err := w.Register(t.Context(), "alpha", name, "", proofing.Holder{Channel: "email", Address: "admin@example.org"}); err != nil {
		t.Fatal(err)
	}
	r := request("device")
	r.Identifier = name
	c, _, err := w.Open(t.Context(), w.ca, r)
	if err != nil {
		t.Fatal(err)
	}
	c = w.prove(c, "b", "email", "admin@example.org")
	if w.state(c).Grant.Statement == "" {
		t.Fatal("no statement of a grant that holds")
	}
	if err := w.Unregister(t.Context(), "alpha", name); err != nil {
		t.Fatal(err)
	}
	if w.state(c).Grant.Statement != "" {
		t.Error("the entry has gone, and the statement is still given out")
	}
}
