package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn"
)

// Approval is one decision with all that it takes to check it (`countersign verify-approval`): the document that was shown and signed, the
// signature of the passkey, and the log's word that this passkey was enrolled before, and that the decision was entered.
type Approval struct {
	Type      string    `json:"type"` // ApprovalType
	Document  string    `json:"document"`
	Signature Signature `json:"signature"`
	// Enrolment is the entry that the passkey's enrolment left, and Decision that of the decision. Both are in the log of Checkpoint.
	Enrolment Logged `json:"enrolment"`
	Decision  Logged `json:"decision"`
	// Checkpoint is a signed note of C2SP tlog-checkpoint, with the log's signature alone.
	Checkpoint string `json:"checkpoint"`
}

// ApprovalType is the type of every approval.
const ApprovalType = "countersign-approval-v1"

// Signature is what a passkey has signed (WebAuthn 7.2), as in proofing.Signature.
type Signature struct {
	ClientData        proofing.Octets `json:"client_data"`
	AuthenticatorData proofing.Octets `json:"authenticator_data"`
	Signature         proofing.Octets `json:"signature"`
	Credential        proofing.Octets `json:"credential"`
	PublicKey         proofing.Octets `json:"public_key"`
	RPID              string          `json:"rp_id"`
	Origin            string          `json:"origin"`
}

// Logged is an entry of the log, and the proof that it is there (RFC 6962 2.1.1).
type Logged struct {
	Leaf  string            `json:"leaf"`  // the canonical JSON of a proofing.Leaf
	Index int64             `json:"index"` // its place, from 0 on
	Proof []proofing.Octets `json:"proof"`
}

// Log says whether an entry is in the log of a checkpoint. LogKey is one.
type Log interface {
	// Included returns an error that says what is wrong: the checkpoint is not the log's, or the entry is not in it at that place.
	Included(checkpoint string, index int64, leaf []byte, proof []proofing.Octets) error
}

// NewApproval puts together what is kept of a decision.
func NewApproval(signed proofing.Signature, enrolment, decision Logged, checkpoint string) *Approval {
	return &Approval{
		Type: ApprovalType, Document: signed.Document, Enrolment: enrolment, Decision: decision, Checkpoint: checkpoint,
		Signature: Signature{
			ClientData: signed.ClientData, AuthenticatorData: signed.AuthenticatorData, Signature: signed.Signature,
			Credential: signed.Credential, PublicKey: signed.PublicKey, RPID: signed.RPID, Origin: signed.Origin,
		},
	}
}

// Approval puts together what is kept of a decision that was signed, with the proofs by the last checkpoint. Of the two entries leaf and index are given
// (proofing.Service.EnrolmentEntry, LogEntry). The error says so if they are not in a checkpoint yet, and wraps proofing.ErrUnavailable.
func (t *Tree) Approval(ctx context.Context, signed proofing.Signature, enrolment, decision Logged) (*Approval, error) {
	h, err := t.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("approval: %w", err)
	}
	for _, l := range []*Logged{&enrolment, &decision} {
		if l.Index >= h.Size {
			return nil, fmt.Errorf("approval: entry %d is not in a checkpoint yet: %w", l.Index, proofing.ErrUnavailable)
		}
		path, err := tlog.ProveRecord(h.Size, l.Index, t.hashes(ctx))
		if err != nil {
			return nil, fmt.Errorf("approval: prove entry %d: %w", l.Index, err)
		}
		l.Proof = make([]proofing.Octets, len(path))
		for i, hash := range path {
			l.Proof[i] = hash[:]
		}
	}
	a := NewApproval(signed, enrolment, decision, h.Checkpoint)
	key, err := ParseLogKey(h.Verifier)
	if err == nil {
		_, err = a.Verify(key) // what we hand out must convince others too
	}
	if err != nil {
		return nil, fmt.Errorf("approval: %w", err)
	}
	return a, nil
}

// mostApproval is the size in bytes beyond which no file is read.
const mostApproval = 1 << 20

// Text is the file: canonical JSON (RFC 8785) and a line end.
func (a *Approval) Text() ([]byte, error) {
	text, err := proofing.Canonical(a)
	if err != nil {
		return nil, fmt.Errorf("write approval: %w", err)
	}
	return append(text, '\n'), nil
}

// ParseApproval reads a file. There is one text of an approval, so that no byte of it can be changed without notice.
func ParseApproval(text []byte) (*Approval, error) {
	if len(text) > mostApproval {
		return nil, fmt.Errorf("read approval: %d bytes, more than %d", len(text), mostApproval)
	}
	var a Approval
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return nil, fmt.Errorf("read approval: %w", err)
	}
	if a.Type != ApprovalType {
		return nil, fmt.Errorf("read approval: the type is %q, not %q", a.Type, ApprovalType)
	}
	again, err := a.Text()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, text) {
		return nil, fmt.Errorf("read approval: it is not in its canonical form (RFC 8785), so something was changed in it: %s", difference(text, again))
	}
	return &a, nil
}

// Checked is what an approval proves.
type Checked struct {
	Document proofing.Document
	// Enrolled and Decided are the entries, at their places in the log.
	Enrolled, Decided proofing.Leaf
	// Synced: the passkey is one that its maker's cloud may copy to its owner's other devices (WebAuthn 6.1, BE).
	Synced bool
	// Erased are the members of the document that nothing is left of in the dossier to hold them against (an evidence file alone has the dossier).
	Erased []string
}

// The facts of the entry that an enrolment leaves.
const (
	factCredential = "credential_id"
	factKey        = proofing.FactKey
	factRPID       = "rp_id"
	factPerson     = "person"
)

// Verify says whether an approval holds. With the error it returns everything that is wrong. What it cannot say is that the
// passkey had not been taken away from its person before the decision: that takes the whole log.
func (a *Approval) Verify(log Log) (*Checked, error) {
	document, err := proofing.ParseDocument([]byte(a.Document))
	if err != nil {
		return nil, fmt.Errorf("the document: %w", err)
	}
	c := &Checked{Document: document}
	faults := []error{a.verifySignature(c)}
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.Enrolled, err = a.logged(log, a.Enrolment); err != nil {
		fault("the entry of the passkey's enrolment: %w", err)
	} else {
		faults = append(faults, a.verifyEnrolment(c))
	}
	if c.Decided, err = a.logged(log, a.Decision); err != nil {
		fault("the entry of the decision: %w", err)
	} else {
		faults = append(faults, a.verifyDecision(c))
	}
	if a.Enrolment.Index >= a.Decision.Index {
		fault("the passkey was enrolled as entry %d of the log, and not before the decision, which is entry %d", a.Enrolment.Index, a.Decision.Index)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return c, nil
}

// verifySignature holds the signature against the document.
func (a *Approval) verifySignature(c *Checked) error {
	s := &a.Signature
	err := webauthn.VerifySignature(webauthn.SignatureRecord{
		ClientDataJSON: s.ClientData, AuthenticatorData: s.AuthenticatorData, Signature: s.Signature,
		CredentialID: s.Credential, PublicKey: s.PublicKey, RPID: s.RPID, Origin: s.Origin,
	}, []byte(a.Document))
	if err != nil {
		return fmt.Errorf("the signature is not one of this document: %w", err)
	}
	if got := s.Credential.String(); got != c.Document.Credential {
		return fmt.Errorf("the signature is of the passkey %s, and the document names %s", got, c.Document.Credential)
	}
	const eligible = 1 << 3 // WebAuthn 6.1, BE
	c.Synced = s.AuthenticatorData[32]&eligible != 0
	return nil
}

// verifyEnrolment says whether the passkey that was enrolled is the one that signed, and its person who the document says.
func (a *Approval) verifyEnrolment(c *Checked) error {
	l, key := &c.Enrolled, sha256.Sum256(a.Signature.PublicKey)
	var faults []error
	if l.Of != proofing.SubjectAuthenticator || l.Kind != proofing.EntryEnrolled {
		faults = append(faults, fmt.Errorf("the entry is not of a passkey's enrolment, but %q of a record %q", l.Kind, l.Of))
	}
	for _, fact := range []struct{ name, what, want string }{
		{factCredential, "passkey", a.Signature.Credential.String()},
		{factKey, "public key", proofing.Octets(key[:]).String()},
		{factRPID, "site", a.Signature.RPID},
		{factPerson, "person", c.Document.By.Person},
	} {
		if got := l.Facts[fact.name]; got != fact.want {
			faults = append(faults, fmt.Errorf("another %s was enrolled than the one that signed: %v, not %s", fact.what, got, fact.want))
		}
	}
	if l.At.After(c.Document.Made.Add(proofing.ClockSkew)) {
		faults = append(faults, fmt.Errorf("the passkey was enrolled on %s, after the document was shown", l.At))
	}
	return errors.Join(faults...)
}

// verifyDecision says whether the decision that was entered is the one that the document is of.
func (a *Approval) verifyDecision(c *Checked) error {
	l, d := &c.Decided, &c.Document
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if got, want := l.Facts[proofing.FactDocument], proofing.Digest([]byte(a.Document)); got != want {
		fault("the log has a decision by another document: %v, not %s", got, want)
	}
	if kind := map[proofing.Subject]proofing.EntryKind{proofing.SubjectCase: proofing.CaseDecided, proofing.SubjectPolicy: proofing.PolicyIsDecided}[d.Subject.Of]; l.Kind != kind {
		fault("the entry is not of a decision about a %s, but %q", d.Subject.Of, l.Kind)
	}
	if l.Of != d.Subject.Of || l.Object != d.Subject.Object {
		fault("the log has a decision about %s %s, and the document is about %s %s", l.Of, l.Object, d.Subject.Of, d.Subject.Object)
	}
	if l.Number != d.Subject.Number+1 { // it is decided on the very state that was shown, and the decision is what is entered first
		fault("the document was made on entry %d of its subject, and the decision is entry %d, not the next one", d.Subject.Number, l.Number)
	}
	if err := shown(l, d); err != nil {
		fault("%w", err)
	}
	if l.By.Kind != "person" || l.By.ID != d.By.Person {
		fault("the log has a decision by %s %s, and the document is of person %s", l.By.Kind, l.By.ID, d.By.Person)
	}
	said := []struct{ what, got, want string }{{"role", string(l.By.Role), string(d.By.Role)}, {"appointment", l.By.Appointment, d.By.Appointment}}
	for name, want := range signedFacts(d) {
		said = append(said, struct{ what, got, want string }{name, textOf(l.Facts, name), want})
	}
	for _, fact := range said {
		if fact.got != "" && fact.got != fact.want { // the log of an older program does not have all of them
			fault("the log has the decision with the %s %s, and the document says %s", fact.what, fact.got, fact.want)
		}
	}
	switch role := stepRole(d); {
	case role == "":
		fault("the step %q is none that anybody decides", d.Step)
	case role != d.By.Role:
		fault("the step %s is for the role %s, and it was signed as %s", d.Step, role, d.By.Role)
	}
	if l.At.Before(d.Made.Add(-proofing.ClockSkew)) || l.At.After(d.NotAfter.Add(proofing.ClockSkew)) {
		fault("the decision was entered at %s, and the document was good from %s to %s", l.At, d.Made, d.NotAfter)
	}
	return errors.Join(faults...)
}

// shown says whether what was shown goes with what was signed, as far as the entry says that the program has seen to it: the dossier is that by which the program made the decision, and the text
// tells of the other members. The entry of an older program says neither, and nobody can tell it from one of a program that leaves it out.
func shown(l *proofing.Leaf, d *proofing.Document) error {
	var faults []error
	if said := textOf(l.Facts, proofing.FactDossier); said != "" {
		dossier := ""
		if d.Organization != nil {
			dossier = d.Organization.Dossier
		}
		if said != proofing.DossierShown(d.Nonce, dossier) {
			faults = append(faults, fmt.Errorf("the log has the decision on another state of the dossier than the digest %q, which was signed", dossier))
		}
	}
	if _, whole := l.Facts[proofing.FactShown]; whole {
		faults = append(faults, d.Tells())
	}
	return errors.Join(faults...)
}

// signedFacts are what a document and the entry of its decision both say, by the names of the facts.
func signedFacts(d *proofing.Document) map[string]string {
	facts := map[string]string{"decision": d.Decision, "credential": d.Credential, "policy": d.Policy}
	if d.Subject.Of == proofing.SubjectCase { // about a policy there is one decision
		facts["step"] = d.Step
	}
	return facts
}

// stepRole is the role that the step of a document takes (CSBR 3.2.2.2, 3.2.9); empty for a step that this program does not know.
func stepRole(d *proofing.Document) proofing.Role {
	switch {
	case d.Subject.Of == proofing.SubjectCase:
		return proofing.Step(d.Step).Role()
	case d.Subject.Of == proofing.SubjectPolicy && d.Step == proofing.StepPolicy:
		return proofing.RoleAdministrator
	}
	return ""
}

// logged reads an entry and has the log say that it is there.
func (a *Approval) logged(log Log, l Logged) (leaf proofing.Leaf, err error) {
	if err := log.Included(a.Checkpoint, l.Index, []byte(l.Leaf), l.Proof); err != nil {
		return leaf, err
	}
	canonical, err := proofing.Canonicalize([]byte(l.Leaf))
	if err != nil || string(canonical) != l.Leaf {
		return leaf, errors.Join(errors.New("it is not in its canonical form (RFC 8785)"), err)
	}
	if err := json.Unmarshal(canonical, &leaf); err != nil {
		return leaf, err
	}
	if leaf.Type != proofing.LeafType {
		return leaf, fmt.Errorf("its type is %q, not %q", leaf.Type, proofing.LeafType)
	}
	return leaf, nil
}
