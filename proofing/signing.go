package proofing

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A decision is given in two steps. AskSignature keeps the document in the session of whoever decides, and the page shows
// it; TakeSignature takes what their passkey signed. The verb that the decision is for makes its one update in between with the document's
// nonce, by which it knows a decision that it has already, and calls Signed when that is stored. Whatever dies where: the same answer,
// sent again, gives the same signature.

// Signing is a document that the person of a session is asked to sign. A session has one at a time.
type Signing struct {
	Method string `json:"method"`
	// Document is the canonical text (Document.Canonical).
	Document string `json:"document"`
	Nonce    string `json:"nonce"`
	// Address is the Address record of the passkey that is to sign.
	Address string `json:"address"`
	// Ask is what the page's script hands to the browser, and State the method's own.
	Ask      json.RawMessage `json:"ask"`
	State    json.RawMessage `json:"state"`
	Made     time.Time       `json:"made"`
	NotAfter time.Time       `json:"not_after"`
	Tries    int             `json:"tries"` // left
	// Taken is the signature once there is one, and Answer the digest of the answer that it came from.
	Taken  *Signature `json:"taken,omitempty"`
	Answer string     `json:"answer,omitempty"`
}

// signingTries is how many answers one question takes: what is signed cannot be guessed, but somebody may not get their
// passkey unlocked at once.
const signingTries = 5

// Signature is a document that was signed, and all that somebody needs who checks it later without us (WebAuthn 7.2). At is when we
// took it; nothing signs that.
type Signature struct {
	Document          string    `json:"document"` // its canonical text
	ClientData        Octets    `json:"client_data"`
	AuthenticatorData Octets    `json:"authenticator_data"`
	Signature         Octets    `json:"signature"`
	Credential        Octets    `json:"credential"` // the passkey's id
	PublicKey         Octets    `json:"public_key"` // COSE_Key
	RPID              string    `json:"rp_id"`
	Origin            string    `json:"origin"`
	At                time.Time `json:"at"`
}

// AskSignature asks the person of a session to sign a document. The caller fills in what is decided and what was shown; who signs, by
// which passkey, under which policy, and until when, is filled in here. Asking again takes the place of what was asked before.
//
// Errors: ErrNotFound for nobody's session; ErrNotAdmitted unless its person has just authenticated, by AAL2 at least and by nothing that
// can be phished; ErrUnavailable, which is ErrClock where the passkey's enrolment or the policy in force is dated later than this process's clock says it is; and the *InputError codes "signing_passkey" (the session is not of a passkey), "passkey_unknown" (it was
// removed), "signing_suspended", "authenticator_cooling", "signing_unlogged" (it was enrolled before there was a log), "signing_large" (it is more than anybody reads) and "signing_reason" (who refuses must say why).
func (s *Service) AskSignature(ctx context.Context, v Visit, d Document) (*Signing, error) {
	session, err := s.decider(ctx, v)
	if err != nil {
		return nil, err
	}
	if !session.Fresh {
		return nil, ErrNotAdmitted
	}
	if d.Decision == DecideRefuse && oneLine(d.Reason, len(d.Reason)) == "" {
		return nil, &InputError{Field: "reason", Code: "signing_reason"}
	}
	used := session.lastPasskey()
	if used == nil {
		return nil, &InputError{Field: "response", Code: "signing_passkey"}
	}
	known, err := s.signingKey(ctx, session.Person, s.addressID(used.Contact()))
	if err != nil {
		return nil, err
	}
	if !known.Copied.At.IsZero() { // it would be refused
		return nil, &InputError{Field: "response", Code: "passkey_clone"}
	}
	// The enrolment must be in the log before the decision, or nobody could show afterwards whose key it was.
	switch j := &known.Journal; {
	case j.Written == 0:
		return nil, &InputError{Field: "response", Code: "signing_unlogged"}
	case !j.Logged():
		return nil, fmt.Errorf("ask for signature: the passkey's enrolment is not in the log yet: %w", ErrUnavailable)
	}
	if err := s.clockFollows(ctx, known); err != nil {
		return nil, fmt.Errorf("ask for signature: %w", err)
	}
	m, ok := s.Methods[used.Method()].(DocumentSigner)
	if !ok {
		return nil, &InputError{Field: "response", Code: "signing_passkey"}
	}
	var nonce [nonceSize]byte
	rand.Read(nonce[:])
	now := s.now()
	d.Type, d.By.Person, d.Credential, d.Policy = DocumentType, session.Person.ID, known.Contact.Address.Reveal(), s.Policy.Digest
	d.Nonce, d.Made, d.NotAfter = Octets(nonce[:]).String(), now, now.Add(signingLifetime)
	d.Shown.Text, d.Reason = visible(d.Shown.Text), visible(d.Reason)
	text, err := d.Canonical()
	if err != nil {
		return nil, fmt.Errorf("ask for signature: %w", err)
	}
	if _, err := ParseDocument(text); err != nil { // what nobody could read later is not asked for
		return nil, fmt.Errorf("ask for signature: %w", err)
	}
	asked := &Signing{Method: m.Name(), Document: string(text), Nonce: d.Nonce, Address: known.ID, Made: d.Made, NotAfter: d.NotAfter, Tries: signingTries}
	asked.Ask, asked.State, err = m.AskDocument(DocumentAsking{Document: text, Kept: known.Kept, Attestation: s.Policy.Own.Attestation, NotAfter: d.NotAfter})
	if err != nil {
		return nil, fmt.Errorf("ask for signature: %w", err)
	}
	browser := s.BrowserHash(v.Browser)
	c, err := s.update(ctx, session.Case.ID, func(c *Case, now time.Time) error {
		if !c.signedIn(s.Policy.Own, browser, now) {
			return ErrNotFound
		}
		c.forgetSigning()
		put := *asked
		c.Signing = &put
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ask for signature: %w", err)
	}
	return c.Signing, nil
}

// TakeSignature takes what the browser says that the passkey signed. A try is spent in the update that judges it (law 3), and nothing else
// changes. The same answer gives the same signature for as long as the question stands. That the session is not fresh any more by then is no matter:
// the answer is an authentication, and a newer one.
//
// Errors: ErrNotFound, ErrNotAdmitted and ErrUnavailable as AskSignature; and the *InputError codes "signing_over" (it was never asked, its time
// is over, the policy has changed, or another answer was taken), "signing_other" (it answers what was asked before, or in
// another window), "signing_wrong" (it is not verified; Detail says why), "signing_tries" (it was the last try), "passkey_clone" (the passkey's
// counter says that there is a copy of it, now or at an earlier use), "passkey_malformed", "passkey_not_trusted", "passkey_unknown",
// "passkey_unverified", "signing_suspended" and "authenticator_cooling".
func (s *Service) TakeSignature(ctx context.Context, v Visit, response []byte) (*Signature, *Session, error) {
	session, err := s.decider(ctx, v)
	if err != nil {
		return nil, nil, err
	}
	asked := session.Case.Signing
	if err := s.answerableSigning(asked, s.now()); err != nil {
		return nil, session, err
	}
	known, err := s.signingKey(ctx, session.Person, asked.Address)
	if err != nil {
		return nil, session, err
	}
	sum, browser := sha256.Sum256(response), s.BrowserHash(v.Browser)
	given := Octets(sum[:]).String()
	if asked.Taken != nil && asked.Answer == given {
		return asked.Taken, session, nil
	}
	if err := s.clockFollows(ctx, known); err != nil {
		return nil, session, fmt.Errorf("take signature: %w", err)
	}
	heard, err := s.hearSignature(ctx, asked, known, response)
	if err != nil {
		return nil, session, err
	}
	var verdict error
	c, err := s.update(ctx, session.Case.ID, func(c *Case, now time.Time) error {
		verdict = nil
		g := c.Signing
		if !c.signedIn(s.Policy.Own, browser, now) {
			return ErrNotFound
		}
		if g == nil || g.Nonce != asked.Nonce { // another question has taken its place
			return &InputError{Field: "response", Code: "signing_over"}
		}
		if err := s.answerableSigning(g, now); err != nil {
			return err
		}
		if g.Taken != nil { // the one answer counts, sent as often as you like
			if g.Answer != given {
				return &InputError{Field: "response", Code: "signing_over"}
			}
			return nil
		}
		g.Tries--
		verdict = s.judgeSigning(g, known, heard, given, response, now)
		if input, ok := errors.AsType[*InputError](verdict); ok && slices.Contains(noTry, input.Code) {
			return verdict
		} else if ok && input.Code == "passkey_clone" && heard != nil {
			id := "copied." + heard.Answer
			c.Outbox.Effects = slices.DeleteFunc(c.Outbox.Effects, func(e Effect) bool { return e.ID == id })
			c.Outbox.Effects = append(c.Outbox.Effects, Effect{ID: id, Kind: EffectCopied, Due: now, Event: g.Address, At: now})
		}
		return nil // the spent try is stored
	})
	if err != nil {
		return nil, session, fmt.Errorf("take signature: %w", err)
	}
	session.Case.Signing = c.Signing
	if verdict != nil {
		s.hurry(ctx, c.ID)
		s.Log.WarnContext(ctx, "signature refused", "session", c.ID, "person", c.Person, "error", verdict)
		return nil, session, verdict
	}
	// Whoever takes the passkey away makes its record speak for nobody first: a signature that comes after that is none, and one that came before is found by what it was given for.
	who, err := s.person(ctx, c.Person)
	if err != nil || who == nil {
		return nil, session, cmp.Or(err, ErrNotFound)
	}
	if _, err := s.signingKey(ctx, who, asked.Address); err != nil {
		return nil, session, err
	}
	return c.Signing.Taken, session, nil
}

// noTry are the codes of answers that are no answer to the question, and cost nothing.
var noTry = []string{"passkey_malformed", "passkey_unknown", "passkey_unverified", "signing_other"}

// hearSignature is hear for what answers a question to sign.
func (s *Service) hearSignature(ctx context.Context, g *Signing, known *Address, response []byte) (*Heard, error) {
	m, ok := s.Methods[g.Method].(DocumentSigner)
	if !ok || g.Taken != nil {
		return nil, nil
	}
	return s.hear(ctx, known, answerMark(g.Nonce, response), func(kept json.RawMessage) (*WebAuthnFacts, json.RawMessage, error) {
		proof, err := m.TakeDocument(g.State, DocumentAnswer{Document: []byte(g.Document), Kept: kept, Response: response})
		return &proof.Facts, proof.Kept, err
	})
}

// judgeSigning judges an answer and puts the signature, if it is one, where the next answer finds it.
func (s *Service) judgeSigning(g *Signing, known *Address, heard *Heard, given string, response []byte, now time.Time) error {
	m, ok := s.Methods[g.Method].(DocumentSigner)
	if !ok {
		return &InputError{Field: "response", Code: "signing_over"}
	}
	proof, err := m.TakeDocument(g.State, DocumentAnswer{Document: []byte(g.Document), Kept: known.Kept, Response: response})
	if err == nil && proof.Signature.Credential.String() != known.Contact.Address.Reveal() {
		err = fmt.Errorf("%w: signed by another passkey", ErrWrongAnswer)
	}
	if errors.Is(err, ErrWrongAnswer) {
		err = &InputError{Field: "response", Code: "signing_wrong", Detail: err.Error()}
	}
	if err == nil {
		heard.put(&proof.Facts)
		err = s.weighSigning(known, proof.Facts, now)
	}
	if err != nil {
		if g.Tries <= 0 {
			g.State, g.Ask = nil, nil
			if input, ok := errors.AsType[*InputError](err); ok && input.Code == "signing_wrong" {
				return &InputError{Field: "response", Code: "signing_tries", Detail: input.Detail}
			}
		}
		return err
	}
	taken := proof.Signature
	taken.Document, taken.At = g.Document, now
	g.Taken, g.Answer = &taken, given
	return nil
}

// weighSigning says whether the use of the passkey would by itself authenticate its person as decisions ask for. Nothing but the rules
// says what it is worth: a model that was withdrawn signs nothing.
func (s *Service) weighSigning(known *Address, facts WebAuthnFacts, now time.Time) error {
	if facts.copied() {
		return &InputError{Field: "response", Code: "passkey_clone"}
	}
	use := Evidence{Kind: WebAuthnUse, At: now, BoundAt: known.BoundAt, WebAuthn: &facts}
	if !use.BoundAt.Before(now) { // clocks differ: it was bound before it was asked
		use.BoundAt = now.Add(-time.Millisecond)
	}
	if !Assess(s.Policy.Own.Framework, s.Policy.OperatorFacts, now, []Evidence{use}).mayDecide() {
		return &InputError{Field: "response", Code: "passkey_not_trusted"}
	}
	return nil
}

// Signed says that the decision of that nonce is stored: what was asked is forgotten. It may be called again, and late.
func (s *Service) Signed(ctx context.Context, v Visit, nonce string) error {
	c, err := s.CaseByLink(ctx, v.Link)
	if err != nil {
		return ignoreNotFound(err) // who has signed out meanwhile has forgotten it
	}
	if !c.Own() || c.Browser != s.BrowserHash(v.Browser) || c.Signing == nil || c.Signing.Nonce != nonce {
		return nil
	}
	if _, err := s.update(ctx, c.ID, func(c *Case, now time.Time) error {
		if c.Signing != nil && c.Signing.Nonce == nonce {
			c.forgetSigning()
		}
		return nil
	}); err != nil {
		return fmt.Errorf("forget what was signed: %w", err)
	}
	return nil
}

// forgetSigning takes away what the session's person was asked to sign. That the passkey has signed its record knows since it did.
func (c *Case) forgetSigning() { c.Signing = nil }

// decider is the session of somebody who may decide for others.
func (s *Service) decider(ctx context.Context, v Visit) (*Session, error) {
	session, err := s.Session(ctx, v)
	if err != nil {
		return nil, err
	}
	if !session.Case.Grant.Assessment.mayDecide() {
		return nil, ErrNotAdmitted
	}
	return session, nil
}

// lastPasskey is the newest use of a passkey in the session; nil if there was none.
func (session *Session) lastPasskey() *Evidence {
	for _, e := range slices.Backward(session.Case.Evidence) {
		if e.Kind == WebAuthnUse && e.bound() && e.Contact().Channel == ChannelPasskey {
			return &e
		}
	}
	return nil
}

// signingKey is the record of a passkey, if it is the person's and may be used now.
func (s *Service) signingKey(ctx context.Context, p *Person, id string) (*Address, error) {
	known, err := s.Addresses.Get(ctx, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("look up passkey: %w", err)
	}
	// The person's own list has the first word of what was taken away or suspended, and the record of whose it is.
	i := slices.IndexFunc(p.Bindings, func(b Binding) bool { return b.ID == id })
	if known == nil || known.Person != p.ID || known.Kept == nil || i < 0 || !p.Bindings[i].Gone.IsZero() {
		return nil, &InputError{Field: "response", Code: "passkey_unknown"}
	}
	if len(known.Suspended) > 0 || len(p.Bindings[i].Suspended) > 0 {
		return nil, &InputError{Field: "response", Code: "signing_suspended"}
	}
	if now := s.now(); now.Before(known.Counts) || now.Before(p.Bindings[i].Counts) {
		return nil, &InputError{Field: "response", Code: "authenticator_cooling"}
	}
	return known, nil
}

// answerableSigning says whether an answer to what was asked may be judged now. A clock that was set back must not make a question
// last: one from the future, by more than clocks may differ, is over.
func (s *Service) answerableSigning(g *Signing, now time.Time) error {
	over := g == nil || !now.Before(g.NotAfter) || now.Add(ClockSkew).Before(g.Made)
	if !over {
		d, err := ParseDocument([]byte(g.Document))
		over = err != nil || d.Policy != s.Policy.Digest // of another version, or under another policy
	}
	switch {
	case over:
		return &InputError{Field: "response", Code: "signing_over"}
	case g.Taken == nil && g.Tries <= 0:
		return &InputError{Field: "response", Code: "signing_tries"}
	}
	return nil
}
