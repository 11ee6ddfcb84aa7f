package proofing

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Document is what a person signs who decides something: what they were shown, what they decide, and who they are. The challenge that
// their passkey signs is the SHA-256 of its canonical form (Canonical). Members that a kind of decision does not have are absent.
type Document struct {
	Type string `json:"type"` // DocumentType
	// Subject is what is decided about, in the state in which it was shown.
	Subject DocumentSubject `json:"subject"`
	// CA and Profile are the names of the authority and of the profile, where a request is decided.
	CA           string                `json:"ca,omitempty"`
	Profile      string                `json:"profile,omitempty"`
	Organization *DocumentOrganization `json:"organization,omitempty"`
	Identifier   *Identifier           `json:"identifier,omitempty"`
	Applicant    *DocumentApplicant    `json:"applicant,omitempty"`
	CSR          *DocumentCSR          `json:"csr,omitempty"`
	// Proposed is the digest of what would take the place of the subject's present state, where that is a policy.
	Proposed string `json:"proposed,omitempty"`
	// Step is which of the subject's decisions it is: a word of the verb that asks for it.
	Step string `json:"step"`
	// Decision is DecideApprove or DecideRefuse. Who refuses says why.
	Decision string        `json:"decision"`
	Reason   string        `json:"reason,omitempty"`
	Shown    DocumentShown `json:"shown"`
	By       DocumentBy    `json:"by"`
	// Credential is the id of the passkey that is to sign, base64url.
	Credential string `json:"credential"`
	// Policy is the digest of the policy part of the configuration that is in force.
	Policy string `json:"policy"`
	// Nonce is 32 random bytes, base64url: what has the same nonce is the same decision.
	Nonce string `json:"nonce"`
	// Made is when the document was shown, and NotAfter until when it may be signed.
	Made     time.Time `json:"made"`
	NotAfter time.Time `json:"not_after"`
}

// DocumentType is the type of every document.
const DocumentType = "countersign-decision-v1"

// FactDocument is the name under which the entry of a decision (Leaf.Facts) has the Digest of its document, so that the two can be
// held against each other. The document's nonce hides what it says from whoever sees the digest alone.
const FactDocument = "document"

// The decisions.
const (
	DecideApprove = "approve"
	DecideRefuse  = "refuse"
)

// DocumentSubject names a record, and by the number of its last entry (Journal.Written) the state of it.
type DocumentSubject struct {
	Of     Subject `json:"of"`
	Object string  `json:"object"`
	Number int64   `json:"number"`
}

// DocumentOrganization is for whom a certificate is, as the page named it.
type DocumentOrganization struct {
	Name         string `json:"name"`             // the full legal name
	Number       string `json:"number,omitempty"` // of registration
	Jurisdiction string `json:"jurisdiction,omitempty"`
	Dossier      string `json:"dossier,omitempty"` // the digest of the dossier as it was shown
}

// DocumentApplicant is whom a certificate is for: the kind of applicant and what identifies its key (Applicant.Key).
type DocumentApplicant struct {
	Kind ApplicantKind `json:"kind"`
	Key  string        `json:"key,omitempty"`
}

// DocumentCSR is what of a certification request was shown.
type DocumentCSR struct {
	Digest  string `json:"digest"`            // SHA-256 of the DER CertificationRequestInfo, base64url
	Key     string `json:"key,omitempty"`     // kind and size of the key
	SPKI    string `json:"spki,omitempty"`    // SHA-256 of its DER SubjectPublicKeyInfo, base64url: that of the certificate
	Subject string `json:"subject,omitempty"` // as in RFC 4514
}

// DocumentShown is the very text that the page showed, and in which language. Nothing is in it that a page does not show (visible).
type DocumentShown struct {
	Language string `json:"language"`
	Text     string `json:"text"`
}

// DocumentBy is who decides, by which name they were appointed, in which role and by which appointment.
type DocumentBy struct {
	Person      string `json:"person"`
	Name        string `json:"name,omitempty"`
	Role        Role   `json:"role,omitempty"`
	Appointment string `json:"appointment,omitempty"`
}

const (
	// signingLifetime is how long a document may be signed after it was shown.
	signingLifetime = 5 * time.Minute
	// nonceSize is in bytes.
	nonceSize = 32
	// mostDocument is the size in bytes beyond which nobody reads what they sign.
	mostDocument = 32 << 10
)

// Canonical is the text of the document that is signed. *InputError "signing_large" for one that nobody would read.
func (d Document) Canonical() ([]byte, error) {
	text, err := Canonical(d)
	if err == nil && len(text) > mostDocument {
		err = &InputError{Field: "document", Code: "signing_large", Detail: fmt.Sprintf("%d bytes, more than %d", len(text), mostDocument)}
	}
	return text, err
}

// Digest is the base64url SHA-256 of a document's text, by which the log names it.
func Digest(text []byte) string {
	sum := sha256.Sum256(text)
	return Octets(sum[:]).String()
}

// ParseDocument reads the text of a document, strictly: the one canonical text of it, with no member that this version does not know,
// and every member as AskSignature makes it. So what it returns is all that was signed.
func ParseDocument(text []byte) (Document, error) {
	d, err := parseDocument(text)
	if err != nil {
		return Document{}, fmt.Errorf("read document: %w", err)
	}
	return d, nil
}

func parseDocument(text []byte) (d Document, err error) {
	if len(text) > mostDocument {
		return d, fmt.Errorf("%d bytes, more than %d", len(text), mostDocument)
	}
	known := json.NewDecoder(bytes.NewReader(text))
	known.DisallowUnknownFields()
	if err := known.Decode(&d); err != nil {
		return d, err
	}
	canonical, err := Canonical(d)
	if err != nil {
		return d, err
	}
	if !bytes.Equal(canonical, text) {
		return d, errors.New("not in its canonical form (RFC 8785)")
	}
	return d, d.check()
}

// check says whether every member is as it may be.
func (d *Document) check() error {
	named := func(name, value string) error {
		if strings.TrimSpace(value) == "" {
			return fmt.Errorf("%s is empty", name)
		}
		return nil
	}
	faults := []error{
		named("subject.object", d.Subject.Object), named("step", d.Step), named("shown.language", d.Shown.Language), named("shown.text", d.Shown.Text),
		named("by.person", d.By.Person), named("policy", d.Policy),
	}
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if d.Type != DocumentType {
		fault("type %q is not %q", d.Type, DocumentType)
	}
	if !slices.Contains(subjects, d.Subject.Of) {
		fault("subject.of %q is no kind of record that is decided about", d.Subject.Of)
	}
	if d.Subject.Number < 0 {
		fault("subject.number is negative")
	}
	if d.Decision != DecideApprove && d.Decision != DecideRefuse {
		fault("decision %q is neither %q nor %q", d.Decision, DecideApprove, DecideRefuse)
	}
	if d.Decision == DecideRefuse && strings.TrimSpace(d.Reason) == "" {
		fault("refuses without a reason")
	}
	if visible(d.Shown.Text) != d.Shown.Text || visible(d.Reason) != d.Reason {
		fault("text has characters that are not seen")
	}
	if d.By.Role != "" && d.By.Role.Side() == "" {
		fault("by.role %q is no role", d.By.Role)
	}
	var nonce, credential Octets
	if err := nonce.UnmarshalText([]byte(d.Nonce)); err != nil || len(nonce) != nonceSize {
		fault("nonce is not %d bytes in base64url", nonceSize)
	}
	if err := credential.UnmarshalText([]byte(d.Credential)); err != nil || len(credential) == 0 {
		fault("credential is not base64url")
	}
	for _, t := range []time.Time{d.Made, d.NotAfter} {
		if t.Location() != time.UTC || !t.Equal(t.Truncate(time.Millisecond)) {
			fault("%s is not a time in UTC and whole milliseconds", t.Format(time.RFC3339Nano))
		}
	}
	if lasts := d.NotAfter.Sub(d.Made); lasts <= 0 || lasts > signingLifetime {
		fault("may be signed for %s, and not for up to %s", lasts, signingLifetime)
	}
	return errors.Join(faults...)
}

// visible is text without what a page would not show of it, or would show elsewhere: control characters but the line end, the
// characters that turn the direction of writing or have no width, and white space around it. The joiners stay, which some scripts need.
func visible(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\u200c' || r == '\u200d':
			return r
		case unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "")))
}

// subjects are the kinds of record that people decide about.
var subjects = []Subject{SubjectCase, SubjectOrganization, SubjectAppointment, SubjectPolicy, SubjectPerson, SubjectAuthenticator}
