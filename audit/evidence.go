package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/countersign-id/countersign/proofing"
)

// Evidence is one file with everything that it takes to judge, without the server and years later, what was granted and issued: certificate, order, account,
// key, what was proved, who approved, and of each record that took part every entry of the log (`countersign evidence`).
//
// It has two kinds of parts. What is in Objects, and the certificates and signatures, are held against the log and against each other. The rest follows
// from them, is there for whoever reads the file, and is derived again and compared. So nothing in it can be changed that nobody finds.
type Evidence struct {
	Type string    `json:"type"` // EvidenceType
	Made time.Time `json:"made"`
	// Subject is what somebody asked for, a case or a certificate, and Object the id of its record.
	Subject proofing.Subject `json:"subject"`
	Object  string           `json:"object"`

	Certificates []EvidenceCertificate `json:"certificates"`
	Cases        []EvidenceCase        `json:"cases"`
	// Policies are the decisions of administrators by which those policies came into force that grants and certificates name.
	Policies []EvidenceApproval `json:"policies,omitempty"`
	// Objects are the records, sorted by kind and id.
	Objects []EvidenceObject `json:"objects"`
	// Checkpoint is a signed note of C2SP tlog-checkpoint; all proofs lead to it.
	Checkpoint string `json:"checkpoint"`
	// Seal is a note by the log's key over the whole file: nobody but the operator can leave something out that the log itself does not miss.
	Seal string `json:"seal"`
}

// EvidenceType is the type of every evidence file.
const EvidenceType = "countersign-evidence-v1"

// EvidenceCertificate is a certificate, and what its entry links it to. Order and Account are what the authority said of it, and empty after erasure.
type EvidenceCertificate struct {
	Object  string          `json:"object"`
	DER     proofing.Octets `json:"der"`
	Serial  string          `json:"serial"`
	Order   string          `json:"order,omitempty"`
	Account string          `json:"account,omitempty"`
	Cases   []string        `json:"cases"`
	// Approvals are the approvals of its CSR beneath the cases, where each certificate takes one.
	Approvals []string `json:"approvals,omitempty"`
}

// EvidenceCase is a request, and what its entries say of it.
type EvidenceCase struct {
	Object string `json:"object"`
	// Applicant is what kind of applicant asks, Key identifies its key (thumbprint or digest), and Kid is the external account binding key of its account.
	Applicant string `json:"applicant"`
	Key       string `json:"key,omitempty"`
	Kid       string `json:"kid,omitempty"`
	// Challenges are the numbers of the entries that tell of what was proved before the grant, and Assessment what they earn by the rules: its events are in the
	// same order. It is there if the log has the facts, and they earn what the grant claims.
	Challenges []int64              `json:"challenges"`
	Assessment *proofing.Assessment `json:"assessment,omitempty"`
	Approvals  []EvidenceApproval   `json:"approvals"`
	// Policy is the one by which it was granted; nil if the log does not have its text.
	Policy *EvidencePolicy `json:"policy,omitempty"`
}

// EvidenceApproval is a decision: its entry in the case, the document, the signature, and the entry of the passkey's enrolment.
type EvidenceApproval struct {
	Entry         int64     `json:"entry"`
	Document      string    `json:"document"`
	Signature     Signature `json:"signature"`
	Authenticator string    `json:"authenticator"` // the object
	Enrolment     int64     `json:"enrolment"`     // its entry
}

// EvidenceObject is all that the log has of one record: the entries 1, 2, 3 … without a gap.
type EvidenceObject struct {
	Of      proofing.Subject `json:"of"`
	Object  string           `json:"object"`
	Entries []EvidenceEntry  `json:"entries"`
}

// EvidenceEntry is an entry with the proof that it is in the log, and its private part unless that was erased.
type EvidenceEntry struct {
	Logged
	Salt    string          `json:"salt,omitempty"`
	Private json.RawMessage `json:"private,omitempty"`
}

// MostEvidence is the size in bytes beyond which no file is read, and so none is made.
const MostEvidence = 64 << 20

// EvidenceSizeError: a file is larger, in bytes, than MostEvidence.
type EvidenceSizeError struct{ Size int }

func (e *EvidenceSizeError) Error() string {
	return fmt.Sprintf("the evidence has %d bytes, and no more than %d (%d MiB) are read of any", e.Size, MostEvidence, MostEvidence>>20)
}

// Text is the file: canonical JSON (RFC 8785) and a line end. It is an *EvidenceSizeError if nobody could read it.
func (e *Evidence) Text() ([]byte, error) {
	text, err := proofing.Canonical(e)
	if err != nil {
		return nil, fmt.Errorf("write evidence: %w", err)
	}
	if text = append(text, '\n'); len(text) > MostEvidence {
		return nil, &EvidenceSizeError{len(text)}
	}
	return text, nil
}

// ParseEvidence reads a file. There is one text of it.
func ParseEvidence(text []byte) (*Evidence, error) {
	if len(text) > MostEvidence {
		return nil, fmt.Errorf("read evidence: %w", &EvidenceSizeError{len(text)})
	}
	var e Evidence
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return nil, fmt.Errorf("read evidence: %w", err)
	}
	if e.Type != EvidenceType {
		return nil, fmt.Errorf("read evidence: the type is %q, not %q", e.Type, EvidenceType)
	}
	again, err := e.Text()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, text) {
		return nil, fmt.Errorf("read evidence: it is not in its canonical form (RFC 8785), so something was changed in it: %s", difference(text, again))
	}
	return &e, nil
}

// difference tells whoever holds a changed file where it departs from its one form.
func difference(have, want []byte) string {
	if bytes.Equal(bytes.TrimSpace(have), bytes.TrimSpace(want)) {
		return "white space before or after it, as an editor leaves it there or takes it away (it ends with one line feed); take the file as it was written"
	}
	at := 0
	for at < min(len(have), len(want)) && have[at] == want[at] {
		at++
	}
	some := func(text []byte) string {
		const context, rest = 24, 16
		return fmt.Sprintf("%q", text[max(0, at-context):min(len(text), at+rest)])
	}
	return fmt.Sprintf("first at byte %d, where it has %s and %s belongs", at+1, some(have), some(want))
}

// unsealed is the digest of the file with an empty seal, which is what the seal is over.
func (e *Evidence) unsealed() ([]byte, error) {
	open := *e
	open.Seal = ""
	text, err := open.Text()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	return sum[:], nil
}

// sealText is the text of the note that a seal is. No checkpoint begins like that.
func sealText(digest []byte) string {
	return EvidenceType + "\n" + proofing.Octets(digest).String() + "\n"
}

// Sign seals the file by the log's key. The same file always gets the same seal.
func (e *Evidence) Sign(origin string, key ed25519.PrivateKey) error {
	digest, err := e.unsealed()
	if err != nil {
		return err
	}
	name, err := VerifierKey(origin, key.Public().(ed25519.PublicKey))
	if err != nil {
		return err
	}
	v, err := note.NewVerifier(name)
	if err != nil {
		return fmt.Errorf("seal evidence: %w", err)
	}
	signed, err := note.Sign(&note.Note{Text: sealText(digest)}, signer{v, key})
	if err != nil {
		return fmt.Errorf("seal evidence: %w", err)
	}
	e.Seal = string(signed)
	return nil
}

var errUnsealed = errors.New("the seal is of another file: something was changed, added or left out")

// sealMember is where the seal is in a file. Nothing behind it has members of its own, so that it is the last of that name.
const sealMember = `,"seal":"`

// Sealed says whether the log's key has sealed a file, by its bytes alone: a file is canonical, so that what the seal is over is the file with an
// empty one in its place. It is quick, and spares whoever is handed any file the reading of it; Verify believes nothing of it.
func Sealed(text []byte, key LogKey) error {
	at := bytes.LastIndex(text, []byte(sealMember))
	if at < 0 {
		return errUnsealed
	}
	at += len(sealMember)
	length := bytes.IndexByte(text[at:], '"')
	if length < 0 {
		return errUnsealed
	}
	var seal string
	if err := json.Unmarshal(text[at-1:at+length+1], &seal); err != nil {
		return errUnsealed
	}
	h := sha256.New()
	h.Write(text[:at])
	h.Write(text[at+length:])
	return sealedBy(seal, h.Sum(nil), key)
}

// VerifyEvidence reads a file and verifies it. It says what is wrong with it as exactly as it can.
func VerifyEvidence(text []byte, key LogKey) (*Proven, error) {
	sealed := Sealed(text, key)
	e, err := ParseEvidence(text)
	if err != nil {
		return nil, err
	}
	if sealed != nil {
		return nil, sealed
	}
	return e.Verify(key)
}

// sealedBy says whether a seal is the log's, over a file of that digest.
func sealedBy(seal string, digest []byte, key LogKey) error {
	signed, err := openNote(seal, key.verifier)
	if err != nil {
		return fmt.Errorf("the seal: %w", err)
	}
	if signed != sealText(digest) {
		return errUnsealed
	}
	return nil
}

// verifySeal says whether the log's key has sealed the file as it is.
func (e *Evidence) verifySeal(key LogKey) error {
	digest, err := e.unsealed()
	if err != nil {
		return err
	}
	return sealedBy(e.Seal, digest, key)
}
