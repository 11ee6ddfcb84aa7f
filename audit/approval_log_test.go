package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/challenges"
	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// signedIn lets somebody new sign in with a passkey of their own, and returns their visit.
func (w *world) signedIn(key *webauthntest.Authenticator) proofing.Visit {
	w.t.Helper()
	rp, err := webauthn.New(webauthn.Config{ID: "proof.example.org", Name: "Proof", Origins: []string{origin}, Now: w.Service.Now})
	check(w.t, err)
	w.Methods = challenges.Table(challenges.Config{Hasher: w.Service.Hasher, Passkeys: rp})
	w.Policy.Own = &proofing.Profile{Title: "Account", Framework: proofing.R4, Methods: []string{"fido"}}
	w.Policy.Digest = "policy-digest"
	v := proofing.Visit{Browser: "b", Client: "192.0.2.7", Lang: "en"}
	c, err := w.OpenOwn(w.t.Context(), v)
	check(w.t, err)
	at := func(c *proofing.Case) proofing.Visit {
		v.Link = proofing.Secret(c.ID + "." + c.LinkSecret.Reveal())
		w.at = w.at.Add(time.Second)
		return v
	}
	_, a, err := w.Enrol(w.t.Context(), at(c), "fido")
	check(w.t, err)
	answer, err := key.Create(a.Ask, origin)
	check(w.t, err)
	c, _, err = w.Respond(w.t.Context(), v, a.ID, answer)
	check(w.t, err)
	_, a, err = w.Begin(w.t.Context(), at(c), "fido", "")
	check(w.t, err)
	answer, err = key.Get(a.Ask, origin)
	check(w.t, err)
	c, _, err = w.Respond(w.t.Context(), v, a.ID, answer)
	check(w.t, err)
	return at(c)
}

// enrolled is a signature by the passkey of who is signed in, as far as it says which passkey that is.
func (w *world) enrolled(v proofing.Visit) *proofing.Signature {
	w.t.Helper()
	session, err := w.Session(w.t.Context(), v)
	check(w.t, err)
	a, err := w.Addresses.Get(w.t.Context(), session.Person.Bindings[0].ID)
	check(w.t, err)
	var known webauthn.Credential
	check(w.t, json.Unmarshal(a.Kept, &known))
	return &proofing.Signature{Credential: known.ID, PublicKey: known.PublicKey}
}

// decide has somebody sign a decision about a case, and enters it as the verbs do.
func (w *world) decide(v proofing.Visit, key *webauthntest.Authenticator, id string) (*proofing.Signature, int64) {
	w.t.Helper()
	ctx := w.t.Context()
	c, err := w.Cases.Get(ctx, id)
	check(w.t, err)
	w.sequence()
	asked, err := w.AskSignature(ctx, v, proofing.Document{
		Subject: proofing.DocumentSubject{Of: proofing.SubjectCase, Object: id, Number: c.Journal.Written}, Step: "review", Decision: proofing.DecideApprove,
		Shown: proofing.DocumentShown{Language: "en", Text: "It is to be granted."}, By: proofing.DocumentBy{Role: proofing.RoleReviewer},
	})
	check(w.t, err)
	response, err := key.Get(asked.Ask, origin)
	check(w.t, err)
	signed, session, err := w.TakeSignature(ctx, v, response)
	check(w.t, err)
	c, err = w.Cases.Update(ctx, id, func(c *proofing.Case) error {
		c.Journal.Write(proofing.Note{
			Of: proofing.SubjectCase, Object: id, Kind: "case_decided", By: proofing.Actor{Kind: "person", ID: session.Person.ID}, At: w.at,
			Facts: map[string]any{proofing.FactDocument: proofing.Digest([]byte(signed.Document))},
		})
		return nil
	})
	check(w.t, err)
	check(w.t, w.Signed(ctx, v, asked.Nonce))
	return signed, c.Journal.Written
}

// What the service keeps of a decision, and the log of it, make an approval that convinces whoever has the log's key: by a real store, a real
// session and the log that the service itself makes.
func TestADecisionInTheLogMakesAnApproval(t *testing.T) {
	w := newWorld(t)
	key := webauthntest.New()
	v := w.signedIn(key)
	if _, _, err := w.EnrolmentEntry(t.Context(), w.enrolled(v)); !errors.Is(err, proofing.ErrUnavailable) {
		t.Errorf("before anything is in the log: %v", err)
	}
	id := w.open(3)[1]
	signed, number := w.decide(v, key, id)
	w.sequence()
	place, e, err := w.EnrolmentEntry(t.Context(), signed)
	check(t, err)
	c, err := w.Cases.Get(t.Context(), id)
	check(t, err)
	decided := c.Journal.Places[number-1]
	d, _, err := w.LogEntry(t.Context(), decided)
	check(t, err)
	enrolment, decision := audit.Logged{Leaf: e.Leaf, Index: place}, audit.Logged{Leaf: d.Leaf, Index: decided}
	a, err := w.Tree.Approval(t.Context(), *signed, enrolment, decision)
	check(t, err)
	logKey, err := audit.ParseLogKey(w.head().Verifier)
	check(t, err)
	read, err := audit.ParseApproval(text(t, a))
	check(t, err)
	checked, err := read.Verify(logKey)
	check(t, err)
	if checked.Document.Shown.Text != "It is to be granted." || checked.Document.Policy != "policy-digest" || checked.Decided.Number != number {
		t.Errorf("it proves %+v", checked)
	}
	// It holds for good: the log goes on, and the passkey is taken away.
	w.open(20)
	session, err := w.Session(t.Context(), v)
	check(t, err)
	passkey := session.Person.Bindings[slices.IndexFunc(session.Person.Bindings, func(b proofing.Binding) bool { return b.Contact.Channel == proofing.ChannelPasskey })]
	check(t, w.Erase(t.Context(), v))
	w.sequence()
	if _, err := read.Verify(logKey); err != nil {
		t.Errorf("later: %v", err)
	}
	again, e, err := w.EnrolmentEntry(t.Context(), signed)
	if err != nil || again != place || e.Leaf != enrolment.Leaf {
		t.Errorf("of the passkey %s that was taken away the log has entry %d: %v", passkey.ID, again, err)
	}
	later, err := w.Tree.Approval(t.Context(), *signed, enrolment, decision)
	check(t, err)
	if later.Checkpoint == a.Checkpoint {
		t.Error("the later approval rests on the older checkpoint")
	}

	// What is not so, nobody is given.
	other := *signed
	other.PublicKey = append(slices.Clone(other.PublicKey[:len(other.PublicKey)-1]), other.PublicKey[len(other.PublicKey)-1]^1)
	if _, _, err := w.EnrolmentEntry(t.Context(), &other); !errors.Is(err, proofing.ErrNotFound) {
		t.Errorf("a key that was swapped: %v", err)
	}
	if _, err := w.Tree.Approval(context.Background(), *signed, decision, enrolment); err == nil {
		t.Error("an approval was made of entries that were swapped")
	}
	decision.Index = w.head().Size
	if _, err := w.Tree.Approval(context.Background(), *signed, enrolment, decision); !errors.Is(err, proofing.ErrUnavailable) {
		t.Errorf("an entry that is in no checkpoint: %v", err)
	}
}
