package proofing_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// decision is what a page of a request would ask to be signed.
func decision() proofing.Document {
	return proofing.Document{
		Subject: proofing.DocumentSubject{Of: proofing.SubjectCase, Object: proofing.NewID(nil), Number: 7},
		CA:      "alpha", Profile: "ev", Step: "cross_correlation", Decision: proofing.DecideApprove,
		Organization: &proofing.DocumentOrganization{Name: "Beispiel GmbH", Number: "HRB 1234", Jurisdiction: "DE", Dossier: "dossier-digest"},
		Identifier:   &proofing.Identifier{Type: "organization", Value: "Beispiel GmbH"},
		Applicant:    &proofing.DocumentApplicant{Kind: proofing.ByAccount, Key: "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
		CSR:          &proofing.DocumentCSR{Digest: "csr-digest", Key: "rsa 3072", Subject: "CN=Beispiel GmbH,C=DE"},
		Shown:        proofing.DocumentShown{Language: "de", Text: "Beispiel GmbH soll ein Zertifikat <zum Signieren> bekommen."},
		By:           proofing.DocumentBy{Person: "whoever the caller says", Name: "The reviewer", Role: proofing.RoleReviewer, Appointment: "appointment-1"},
	}
}

func (w *world) askToSign(c *proofing.Case, d proofing.Document) *proofing.Signing {
	w.t.Helper()
	w.logged()
	return must[*proofing.Signing](w.t)(w.AskSignature(w.t.Context(), ownVisit(c), d))
}

// logged has everything that has happened in the log.
func (w *world) logged() {
	w.t.Helper()
	if err := w.SequenceOnce(context.WithoutCancel(w.t.Context())); err != nil {
		w.t.Fatal(err)
	}
}

// signs is what the browser says after a passkey has signed what was asked.
func (w *world) signs(key *webauthntest.Authenticator, asked *proofing.Signing) []byte {
	w.t.Helper()
	return must[[]byte](w.t)(key.Get(asked.Ask, passkeyOrigin))
}

func (w *world) take(c *proofing.Case, response []byte) (*proofing.Signature, error) {
	w.t.Helper()
	got, session, err := w.TakeSignature(w.t.Context(), ownVisit(c), response)
	if err == nil && (session == nil || session.Case.ID != c.ID) {
		w.t.Errorf("the session is %+v", session)
	}
	return got, err
}

// verify is what somebody does who has nothing but the signature.
func verify(g *proofing.Signature) error {
	return webauthn.VerifySignature(webauthn.SignatureRecord{
		ClientDataJSON: g.ClientData, AuthenticatorData: g.AuthenticatorData, Signature: g.Signature, CredentialID: g.Credential,
		PublicKey: g.PublicKey, RPID: g.RPID, Origin: g.Origin,
	}, []byte(g.Document))
}

// count is the count of uses that is stored of a session's passkey.
func (w *world) count(c *proofing.Case) uint32 {
	w.t.Helper()
	a := must[*proofing.Address](w.t)(w.Addresses.Get(w.t.Context(), binding(w.session(c), proofing.ChannelPasskey).ID))
	var kept webauthn.Credential
	if err := json.Unmarshal(a.Kept, &kept); err != nil {
		w.t.Fatal(err)
	}
	return kept.SignCount
}

// addressOf is the id of the record of the passkey that spoke first in a case.
func (w *world) addressOf(c *proofing.Case) string {
	w.t.Helper()
	p := must[*proofing.Person](w.t)(w.People.Get(w.t.Context(), c.Person))
	return p.Bindings[0].ID
}

func TestADecisionIsSignedAndConvincesWhoHasNothingElse(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	c := w.signUp(key)
	before := w.count(c)
	asked := w.askToSign(c, decision())
	answer := w.signs(key, asked)
	got := must[*proofing.Signature](t)(w.take(c, answer))
	if err := verify(got); err != nil {
		t.Fatal(err)
	}
	d := must[proofing.Document](t)(proofing.ParseDocument([]byte(got.Document)))
	if d.By.Person != c.Person || d.By.Role != proofing.RoleReviewer || d.Credential != got.Credential.String() || d.Policy != "digest" ||
		len(d.Nonce) != 43 || d.NotAfter.Sub(d.Made) != 5*time.Minute || d.Nonce != asked.Nonce || got.At.Before(d.Made) {
		t.Errorf("the document is %+v", d)
	}
	want := decision()
	if d.Shown != want.Shown || *d.Organization != *want.Organization || *d.CSR != *want.CSR || d.Subject.Number != 7 || d.Decision != "approve" {
		t.Errorf("what was shown is %+v", d)
	}
	w.pass(time.Second)
	if other := w.askToSign(c, decision()); other.Nonce == asked.Nonce {
		t.Error("two documents have one nonce")
	} else {
		got = must[*proofing.Signature](t)(w.take(c, w.signs(key, other)))
		asked = other
	}
	for range 2 {
		if err := w.Signed(t.Context(), ownVisit(c), asked.Nonce); err != nil {
			t.Fatal(err)
		}
	}
	if s := w.session(c); s.Case.Signing != nil || !s.Fresh {
		t.Errorf("afterwards the session has %+v", s.Case.Signing)
	}
	if after := w.count(c); after != before+2 {
		t.Errorf("the passkey's count is %d, want %d", after, before+2)
	}
	_, err := w.take(c, answer)
	wantInput(t, "once it is stored", err, "signing_over")
	w.signIn(key) // whose count is as it should be
}

func TestTheSameAnswerGivesTheSameSignature(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	c := w.signUp(key)
	asked := w.askToSign(c, decision())
	answer := w.signs(key, asked)
	other := w.beside(0)
	var all sync.WaitGroup
	results := make([]*proofing.Signature, 20)
	for i := range results {
		all.Go(func() {
			s := []*proofing.Service{w.Service, other}[i%2]
			got, _, err := s.TakeSignature(t.Context(), ownVisit(c), answer)
			if err != nil {
				t.Error(err)
				return
			}
			results[i] = got
		})
	}
	all.Wait()
	for _, got := range results[1:] {
		if got == nil || got.Signature.String() != results[0].Signature.String() || !got.At.Equal(results[0].At) || got.Document != asked.Document {
			t.Fatalf("one answer gave %+v and %+v", got, results[0])
		}
	}
	if left := w.session(c).Case.Signing.Tries; left != 4 {
		t.Errorf("one answer has left %d tries, want 4", left)
	}
	// Another word of the same passkey on the same document is not needed, and not taken.
	_, err := w.take(c, w.signs(key, asked))
	wantInput(t, "a second answer", err, "signing_over")
	if again, err := w.take(c, answer); err != nil || again.Signature.String() != results[0].Signature.String() {
		t.Errorf("the first one then: %v", err)
	}
}

func TestOnlyWhoHasJustSignedInStronglyIsAsked(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	c := w.signUp(key)
	w.prove(c, "b", "sms", "+447400123456")
	ask := func(v proofing.Visit) error {
		_, err := w.AskSignature(t.Context(), v, decision())
		return err
	}
	wantErr(t, "another browser", ask(visit(c, "another")), proofing.ErrNotFound)
	wantErr(t, "nobody", ask(proofing.Visit{Browser: "b"}), proofing.ErrNotFound)
	wantErr(t, "a request's own link", ask(visit(w.openFor("strong", "applicant@example.org", ""), "b")), proofing.ErrNotFound)
	w.pass(11 * time.Minute)
	wantErr(t, "after eleven minutes", ask(ownVisit(c)), proofing.ErrNotAdmitted)
	weak := w.prove(w.openOwn(), "b", "sms", "+447400123456")
	wantErr(t, "by a text message", ask(ownVisit(weak)), proofing.ErrNotAdmitted)
	c = w.signIn(key)
	wantErr(t, "before the log has the passkey's enrolment", ask(ownVisit(c)), proofing.ErrUnavailable)
	w.logged()
	if err := ask(ownVisit(c)); err != nil {
		t.Errorf("who has just signed in: %v", err)
	}
	hidden := decision()
	hidden.Shown.Text, hidden.Reason = "\n Evil\u202e GmbH\u2028\r\nist\u00a0es\t ", "\u200bso\u00ad"
	seen := must[proofing.Document](t)(proofing.ParseDocument([]byte(w.askToSign(c, hidden).Document)))
	if seen.Shown.Text != "Evil GmbH\nist\u00a0es" || seen.Reason != "so" {
		t.Errorf("of what nobody sees is signed %q, %q", seen.Shown.Text, seen.Reason)
	}
	refuse := decision()
	refuse.Decision, refuse.Reason = proofing.DecideRefuse, " \u200b\n"
	_, err := w.AskSignature(t.Context(), ownVisit(c), refuse)
	wantInput(t, "a refusal without a reason", err, "signing_reason")
	for name, spoil := range map[string]func(*proofing.Document){
		"nothing shown":           func(d *proofing.Document) { d.Shown.Text = "" },
		"no language":             func(d *proofing.Document) { d.Shown.Language = "" },
		"no step":                 func(d *proofing.Document) { d.Step = "" },
		"a decision of its own":   func(d *proofing.Document) { d.Decision = "perhaps" },
		"a record of no kind":     func(d *proofing.Document) { d.Subject.Of = "thing" },
		"no record":               func(d *proofing.Document) { d.Subject.Object = "" },
		"a role that is none":     func(d *proofing.Document) { d.By.Role = "king" },
		"more than anybody reads": func(d *proofing.Document) { d.Shown.Text = strings.Repeat("x", 33<<10) },
	} {
		d := decision()
		spoil(&d)
		if _, err := w.AskSignature(t.Context(), ownVisit(c), d); err == nil {
			t.Errorf("%s may be signed", name)
		}
	}
}

func TestAnswersThatDecideNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		before func(*webauthntest.Ceremony)
		after  func(*webauthntest.Answer)
		want   string
		tries  int // left
	}{
		"another site":         {func(c *webauthntest.Ceremony) { c.Origin = "https://evil.example.org" }, nil, "signing_wrong", 4},
		"another party":        {func(c *webauthntest.Ceremony) { c.RPID = "example.net" }, nil, "signing_wrong", 4},
		"a registration":       {func(c *webauthntest.Ceremony) { c.Type = "webauthn.create" }, nil, "signing_wrong", 4},
		"a frame":              {func(c *webauthntest.Ceremony) { c.CrossOrigin = true }, nil, "signing_wrong", 4},
		"nobody there":         {func(c *webauthntest.Ceremony) { c.Flags &^= webauthntest.UP }, nil, "signing_wrong", 4},
		"not unlocked":         {func(c *webauthntest.Ceremony) { c.Flags &^= webauthntest.UV }, nil, "passkey_unverified", 5},
		"synced since":         {func(c *webauthntest.Ceremony) { c.Flags |= webauthntest.BE }, nil, "signing_wrong", 4},
		"another document":     {func(c *webauthntest.Ceremony) { c.Challenge = strings.Repeat("A", 43) }, nil, "signing_other", 5},
		"a forged signature":   {nil, func(a *webauthntest.Answer) { a.Signature[9] ^= 1 }, "signing_wrong", 4},
		"a cut signature":      {nil, func(a *webauthntest.Answer) { a.Signature = a.Signature[:20] }, "signing_wrong", 4},
		"another name":         {nil, func(a *webauthntest.Answer) { a.ID = []byte("another key of theirs"); a.RawID = a.ID }, "passkey_unknown", 5},
		"another person":       {nil, func(a *webauthntest.Answer) { a.UserHandle = []byte("somebody else") }, "signing_wrong", 4},
		"no answer":            {nil, func(a *webauthntest.Answer) { a.ClientDataJSON = nil }, "passkey_malformed", 5},
		"a copy of the key":    {func(c *webauthntest.Ceremony) { c.Count = 1 }, nil, "passkey_clone", 4},
		"a count that is same": {func(c *webauthntest.Ceremony) { c.Count-- }, nil, "passkey_clone", 4},
	} {
		t.Run(name, func(t *testing.T) {
			w := withPasskeys(t)
			key := webauthntest.New()
			c := w.signUp(key)
			asked := w.askToSign(c, decision())
			key.Before, key.After = tc.before, tc.after
			_, err := w.take(c, w.signs(key, asked))
			wantInput(t, name, err, tc.want)
			if got := w.session(c).Case.Signing; got.Taken != nil || got.Tries != tc.tries {
				t.Errorf("it has left %d tries and %+v", got.Tries, got.Taken)
			}
			key.Before, key.After = nil, nil
			if _, err := w.take(c, w.signs(key, asked)); tc.want == "passkey_clone" {
				wantErr(t, "the right answer then, in a session that rests on what may have been copied", err, proofing.ErrNotAdmitted)
			} else if err != nil {
				t.Errorf("the right answer then: %v", err)
			}
		})
	}
}

func TestAnAnswerCountsForItsSessionAndItsDocumentAlone(t *testing.T) {
	w := withPasskeys(t)
	key, second := webauthntest.New(), webauthntest.New()
	c := w.signUp(key)
	elsewhere := w.signIn(key)
	asked := w.askToSign(c, decision())
	answer := w.signs(key, asked)
	_, err := w.take(elsewhere, answer)
	wantInput(t, "in a session that was asked nothing", err, "signing_over")
	w.askToSign(elsewhere, decision())
	_, err = w.take(elsewhere, answer)
	wantInput(t, "in a session that was asked something else", err, "signing_other")
	_, _, err = w.TakeSignature(t.Context(), visit(c, "another browser"), answer)
	wantErr(t, "in another browser", err, proofing.ErrNotFound)

	newer := w.askToSign(c, decision())
	_, err = w.take(c, answer)
	wantInput(t, "after something newer was asked", err, "signing_other")
	if left := w.session(c).Case.Signing.Tries; left != 5 {
		t.Errorf("an answer of another window has left %d tries", left)
	}
	must[*proofing.Signature](t)(w.take(c, w.signs(key, newer)))

	// Another passkey of the same person is not the one that was asked.
	c = must[*proofing.Case](t)(w.enrol(ownVisit(c), second))
	asked = w.askToSign(c, decision())
	var options map[string]any
	if err := json.Unmarshal(asked.Ask, &options); err != nil {
		t.Fatal(err)
	}
	delete(options, "allowCredentials")
	any := must[[]byte](t)(json.Marshal(options))
	_, err = w.take(c, must[[]byte](t)(second.Get(any, passkeyOrigin)))
	wantInput(t, "another passkey of the person", err, "passkey_unknown")

	stranger := webauthntest.New()
	x := w.openFor("strong", "other@example.org", "other-key-other-key-other-key-other-key-012")
	must[*proofing.Case](t)(w.enrol(visit(x, "x"), stranger))
	_, err = w.take(c, must[[]byte](t)(stranger.Get(any, passkeyOrigin)))
	wantInput(t, "a passkey of somebody else", err, "passkey_unknown")

	// What signs in decides nothing.
	_, a, err := w.Begin(t.Context(), ownVisit(c), "fido", "")
	if err != nil {
		t.Fatal(err)
	}
	signIn := must[[]byte](t)(key.Get(a.Ask, passkeyOrigin))
	_, err = w.take(c, signIn)
	wantInput(t, "a sign-in", err, "signing_other")
	// And what decides does not sign in.
	_, _, err = w.Respond(t.Context(), ownVisit(c), a.ID, w.signs(key, asked))
	wantErr(t, "a decision", err, proofing.ErrWrongAnswer)
}

func TestADecisionHasItsTime(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	c := w.signUp(key)
	asked := w.askToSign(c, decision())
	answer := w.signs(key, asked)
	w.pass(5*time.Minute - time.Second)
	got := must[*proofing.Signature](t)(w.take(c, answer))
	w.pass(time.Second)
	_, err := w.take(c, answer)
	wantInput(t, "replayed after its time", err, "signing_over")
	if !got.At.Before(asked.NotAfter) {
		t.Errorf("it was taken at %v, and its time was over at %v", got.At, asked.NotAfter)
	}
	asked = w.askToSign(c, decision())
	answer = w.signs(key, asked)
	w.pass(5 * time.Minute)
	_, err = w.take(c, answer)
	wantInput(t, "taken after its time", err, "signing_over")
}

// Processes judge by their own clocks (doc.go): a decision lasts a minute more or less, and a clock that was set back makes none last.
func TestClocksOfDecisionsDiffer(t *testing.T) {
	for name, off := range skews {
		w := withPasskeys(t)
		key := webauthntest.New()
		c := w.signUp(key)
		w.pass(2 * time.Minute) // what the other process thinks of the sign-in itself is not the question
		answer := w.signs(key, w.askToSign(c, decision()))
		if _, _, err := w.beside(off).TakeSignature(t.Context(), ownVisit(c), answer); err != nil {
			t.Errorf("a clock that is %s: %v", name, err)
		}
	}
	w := withPasskeys(t)
	key := webauthntest.New()
	c := w.signUp(key)
	answer := w.signs(key, w.askToSign(c, decision()))
	w.pass(-proofing.ClockSkew - time.Second)
	_, err := w.take(c, answer)
	wantInput(t, "a clock that was set back", err, "signing_over")
	w.pass(proofing.ClockSkew + time.Second)
	must[*proofing.Signature](t)(w.take(c, answer))
}

func TestFiveWrongAnswersEndTheQuestion(t *testing.T) {
	w := withPasskeys(t)
	key := webauthntest.New()
	c := w.signUp(key)
	asked := w.askToSign(c, decision())
	right := w.signs(key, asked)
	key.After = func(a *webauthntest.Answer) { a.Signature[9] ^= 1 }
	wrong := w.signs(key, asked)
	var all sync.WaitGroup
	var mu sync.Mutex
	codes := map[string]int{}
	for range 30 { // at once, which gives no more tries
		all.Go(func() {
			_, _, err := w.TakeSignature(t.Context(), ownVisit(c), wrong)
			input, ok := errors.AsType[*proofing.InputError](err)
			if !ok {
				t.Errorf("a wrong answer: %v", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			codes[input.Code]++
		})
	}
	all.Wait()
	if codes["signing_wrong"] != 4 || codes["signing_tries"] != 26 {
		t.Errorf("thirty wrong answers were told %v", codes)
	}
	_, err := w.take(c, right)
	wantInput(t, "the right one after that", err, "signing_tries")
	key.After = nil
	must[*proofing.Signature](t)(w.take(c, w.signs(key, w.askToSign(c, decision()))))
}

func TestWhatBecomesOfThePasskeyCountsAtOnce(t *testing.T) {
	start := func(t *testing.T) (*world, *webauthntest.Authenticator, *proofing.Case) {
		w := withPasskeys(t)
		key := webauthntest.New()
		return w, key, w.signUp(key)
	}
	asks := func(w *world, c *proofing.Case) error {
		_, err := w.AskSignature(w.t.Context(), ownVisit(c), decision())
		return err
	}
	edit := func(w *world, c *proofing.Case, change func(*proofing.Address)) {
		w.t.Helper()
		must[*proofing.Address](w.t)(w.Addresses.Update(w.t.Context(), binding(w.session(c), proofing.ChannelPasskey).ID, func(a *proofing.Address) error {
			change(a)
			return nil
		}))
	}
	t.Run("removed", func(t *testing.T) {
		w, key, c := start(t)
		second := webauthntest.New()
		c = must[*proofing.Case](t)(w.enrol(ownVisit(c), second))
		answer := w.signs(key, w.askToSign(c, decision()))
		for _, b := range w.session(c).Person.Bindings {
			if b.Contact.Channel == proofing.ChannelPasskey && b.Event == c.Evidence[0].ID || b.Contact.Address == c.Evidence[0].Contact().Address {
				if err := w.Remove(t.Context(), ownVisit(c), b.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
		_, err := w.take(c, answer)
		wantInput(t, "what it signed", err, "passkey_unknown")
		wantInput(t, "asking it again", asks(w, c), "passkey_unknown")
	})
	t.Run("suspended by a recovery", func(t *testing.T) {
		w, key, c := start(t)
		codes := w.codes(c)
		answer := w.signs(key, w.askToSign(c, decision()))
		w.recover(codes[0])
		w.work()
		_, err := w.take(c, answer)
		wantErr(t, "what it signed", err, proofing.ErrNotAdmitted)
		wantErr(t, "asking it again", asks(w, c), proofing.ErrNotAdmitted)
	})
	t.Run("suspended, and the session does not know yet", func(t *testing.T) {
		w, key, c := start(t)
		answer := w.signs(key, w.askToSign(c, decision()))
		edit(w, c, func(a *proofing.Address) { a.Suspended = []proofing.Suspension{{At: w.clock(), Case: "another"}} })
		_, err := w.take(c, answer)
		wantInput(t, "what it signed", err, "signing_suspended")
		wantInput(t, "asking it again", asks(w, c), "signing_suspended")
	})
	t.Run("does not count yet", func(t *testing.T) {
		w, key, c := start(t)
		answer := w.signs(key, w.askToSign(c, decision()))
		edit(w, c, func(a *proofing.Address) { a.Counts = w.clock().Add(time.Hour) })
		_, err := w.take(c, answer)
		wantInput(t, "what it signed", err, "authenticator_cooling")
		wantInput(t, "asking it again", asks(w, c), "authenticator_cooling")
	})
	t.Run("somebody else's by now", func(t *testing.T) {
		w, key, c := start(t)
		answer := w.signs(key, w.askToSign(c, decision()))
		edit(w, c, func(a *proofing.Address) { a.Person = proofing.NewID(nil) })
		_, err := w.take(c, answer)
		wantInput(t, "what it signed", err, "passkey_unknown")
		wantInput(t, "asking it again", asks(w, c), "passkey_unknown")
	})
	t.Run("being taken away, and its record does not know yet", func(t *testing.T) {
		w, key, c := start(t)
		answer := w.signs(key, w.askToSign(c, decision()))
		must[*proofing.Person](t)(w.People.Update(t.Context(), c.Person, func(p *proofing.Person) error {
			for i := range p.Bindings {
				if p.Bindings[i].Contact.Channel == proofing.ChannelPasskey {
					p.Bindings[i].Gone = w.clock()
				}
			}
			return nil
		}))
		_, err := w.take(c, answer)
		wantInput(t, "what it signed", err, "passkey_unknown")
	})
	t.Run("another key in its place in the store", func(t *testing.T) {
		w, _, c := start(t)
		theirs := webauthntest.New()
		x := w.openFor("strong", "other@example.org", "other-key-other-key-other-key-other-key-012")
		x = must[*proofing.Case](t)(w.enrol(visit(x, "x"), theirs))
		other := must[*proofing.Address](t)(w.Addresses.Get(t.Context(), w.addressOf(x)))
		var kept, own webauthn.Credential
		if err := json.Unmarshal(other.Kept, &kept); err != nil {
			t.Fatal(err)
		}
		edit(w, c, func(a *proofing.Address) {
			if err := json.Unmarshal(a.Kept, &own); err != nil {
				t.Fatal(err)
			}
			kept.User = own.User
			a.Kept = must[[]byte](t)(json.Marshal(kept))
		})
		theirs.Keys[0].User = own.User
		_, err := w.take(c, w.signs(theirs, w.askToSign(c, decision())))
		wantInput(t, "what it signed", err, "signing_wrong")
	})
	t.Run("signed out", func(t *testing.T) {
		w, key, c := start(t)
		answer := w.signs(key, w.askToSign(c, decision()))
		if err := w.SignOut(t.Context(), ownVisit(c)); err != nil {
			t.Fatal(err)
		}
		_, err := w.take(c, answer)
		wantErr(t, "what it signed", err, proofing.ErrNotFound)
	})
	t.Run("this was not me", func(t *testing.T) {
		w, key, c := start(t)
		answer := w.signs(key, w.askToSign(c, decision()))
		must[*proofing.Case](t)(w.Disown(t.Context(), proofing.Secret(c.ID+"."+c.Disown.Reveal())))
		_, err := w.take(c, answer)
		wantErr(t, "what it signed", err, proofing.ErrNotFound)
		must[*proofing.Case](t)(w.Restore(t.Context(), c.ID))
		_, err = w.take(c, answer)
		wantInput(t, "what it signed, once it was them after all", err, "signing_over")
	})
	t.Run("under another policy", func(t *testing.T) {
		w, key, c := start(t)
		answer := w.signs(key, w.askToSign(c, decision()))
		w.Policy.Digest = "another"
		_, err := w.take(c, answer)
		wantInput(t, "what it signed", err, "signing_over")
	})
	t.Run("of no use to decide by the rules", func(t *testing.T) {
		w, key, c := start(t)
		answer := w.signs(key, w.askToSign(c, decision()))
		w.Policy.OperatorFacts.RequireAttestation = true
		_, err := w.take(c, answer)
		if err == nil {
			t.Error("it decides")
		}
	})
}

// The process dies at each call of the store in turn while it takes a signature, and while it is told that the decision is stored. The same
// answer, sent again, gives one signature; and in the end the passkey's record knows its count.
func TestTheProcessMayDieWhileADecisionIsSigned(t *testing.T) {
	breaksOff(t, func(t *testing.T, n int64, after bool) (broke bool) {
		w := withPasskeys(t)
		key := webauthntest.New()
		c := w.signUp(key)
		before := w.count(c)
		asked := w.askToSign(c, decision())
		answer := w.signs(key, asked)
		mortal := w.dying(n, after)
		first, _, err := mortal.TakeSignature(t.Context(), ownVisit(c), answer)
		again, againErr := w.take(c, answer)
		if againErr != nil {
			t.Fatalf("call %d, after %v: again: %v", n, after, againErr)
		}
		if err == nil && (first.Signature.String() != again.Signature.String() || !first.At.Equal(again.At)) {
			t.Errorf("call %d, after %v: two signatures of one answer", n, after)
		}
		if err == nil {
			err = mortal.Signed(t.Context(), ownVisit(c), asked.Nonce)
		}
		if err := w.Signed(t.Context(), ownVisit(c), asked.Nonce); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Minute)
		w.work()
		if got := w.session(c).Case.Signing; got != nil {
			t.Errorf("call %d, after %v: it is still asked", n, after)
		}
		if got := w.count(c); got != before+1 {
			t.Errorf("call %d, after %v: the count is %d, want %d", n, after, got, before+1)
		}
		return err != nil
	})
}

// A question that is replaced or whose session ends after it was answered has used the passkey all the same.
func TestThatAPasskeyHasSignedIsKnownWhateverBecomesOfTheDecision(t *testing.T) {
	for name, end := range map[string]func(*world, *proofing.Case){
		"replaced":   func(w *world, c *proofing.Case) { w.askToSign(c, decision()) },
		"signed out": func(w *world, c *proofing.Case) { _ = w.SignOut(w.t.Context(), ownVisit(c)) },
		"idle":       func(w *world, _ *proofing.Case) { w.pass(49 * time.Hour) },
	} {
		w := withPasskeys(t)
		key := webauthntest.New()
		c := w.signUp(key)
		must[*proofing.Signature](t)(w.take(c, w.signs(key, w.askToSign(c, decision()))))
		w.pass(time.Second)
		end(w, c)
		w.work()
		other := w.signIn(key) // one more
		w.work()
		if got, want := w.count(other), key.Count; got != want {
			t.Errorf("%s: the count is %d, want %d", name, got, want)
		}
	}
}
