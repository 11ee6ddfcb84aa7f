package audit_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

const (
	origin  = "https://proof.example.org"
	logName = "proof.example.org/log"
)

// signedWorld is a log, a site and a person with a passkey.
type signedWorld struct {
	t      testing.TB
	at     time.Time
	signer note.Signer
	public string
	key    audit.LogKey
	leaves []string
	hashes []tlog.Hash

	rp      *webauthn.RelyingParty
	passkey *webauthntest.Authenticator
	known   webauthn.Credential
	person  string
}

func newSignedWorld(t testing.TB) *signedWorld {
	t.Helper()
	w := &signedWorld{t: t, at: time.Date(2026, 11, 26, 18, 0, 0, 0, time.UTC), passkey: webauthntest.New(), person: proofing.NewID(nil)}
	private, public, err := note.GenerateKey(rand.Reader, logName)
	check(t, err)
	w.public = public
	w.signer, err = note.NewSigner(private)
	check(t, err)
	w.key, err = audit.ParseLogKey(public + "\n")
	check(t, err)
	w.rp, err = webauthn.New(webauthn.Config{ID: "proof.example.org", Name: "Proof", Origins: []string{origin}, Now: func() time.Time { return w.at }})
	check(t, err)
	w.known = w.register(w.passkey)
	return w
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *signedWorld) register(a *webauthntest.Authenticator) webauthn.Credential {
	w.t.Helper()
	nonce := make([]byte, webauthn.NonceSize)
	rand.Read(nonce)
	options, state, err := w.rp.BeginRegistration(webauthn.NewRegistration{User: []byte("user-handle-0001"), Name: "me", DisplayName: "Me", Nonce: nonce})
	check(w.t, err)
	response, err := a.Create(options, origin)
	check(w.t, err)
	made, err := w.rp.FinishRegistration(state, webauthn.RegistrationAnswer{Response: response})
	check(w.t, err)
	return made.Credential
}

// enter puts an entry at the end of the log.
func (w *signedWorld) enter(leaf string) int64 {
	w.t.Helper()
	n := int64(len(w.leaves))
	stored, err := tlog.StoredHashes(n, []byte(leaf), w.reader())
	check(w.t, err)
	w.leaves, w.hashes = append(w.leaves, leaf), append(w.hashes, stored...)
	return n
}

func (w *signedWorld) reader() tlog.HashReaderFunc {
	return func(places []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, p := range places {
			out = append(out, w.hashes[p])
		}
		return out, nil
	}
}

// note is a leaf as a journal writes it, after so many of its object.
func (w *signedWorld) note(before int64, n proofing.Note) string {
	w.t.Helper()
	j := proofing.Journal{Written: before}
	j.Write(n)
	return j.Pending[0].Leaf
}

// others are entries that say nothing to us.
func (w *signedWorld) others(n int) {
	w.t.Helper()
	for range n {
		w.enter(w.note(0, proofing.Note{Of: proofing.SubjectCase, Object: proofing.NewID(nil), Kind: "created", By: proofing.ByService, At: w.at}))
	}
}

func (w *signedWorld) enrolment() proofing.Note {
	digest := sha256.Sum256(w.known.PublicKey)
	return proofing.Note{
		Of: proofing.SubjectAuthenticator, Object: proofing.NewID(nil), Kind: "enrolled", By: proofing.Actor{Kind: "person", ID: w.person}, At: w.at,
		Facts: map[string]any{
			"credential_id": proofing.Octets(w.known.ID).String(), "public_key_sha256": proofing.Octets(digest[:]).String(), "rp_id": "proof.example.org", "person": w.person,
		},
	}
}

func (w *signedWorld) document() proofing.Document {
	nonce := make(proofing.Octets, 32)
	rand.Read(nonce)
	return proofing.Document{
		Type: proofing.DocumentType, Subject: proofing.DocumentSubject{Of: proofing.SubjectCase, Object: proofing.NewID(nil), Number: 7},
		CA: "alpha", Profile: "ev", Step: "review", Decision: proofing.DecideApprove,
		Organization: &proofing.DocumentOrganization{Name: "Beispiel GmbH", Number: "HRB 1234", Jurisdiction: "DE"},
		Shown:        proofing.DocumentShown{Language: "de", Text: "Beispiel GmbH soll ein Zertifikat bekommen.\nAlles ist geprüft."},
		By:           proofing.DocumentBy{Person: w.person, Name: "The reviewer", Role: proofing.RoleReviewer, Appointment: "appointment-1"},
		Credential:   proofing.Octets(w.known.ID).String(), Policy: "policy-digest", Nonce: nonce.String(), Made: w.at, NotAfter: w.at.Add(5 * time.Minute),
	}
}

// sign has the passkey sign a document.
func (w *signedWorld) sign(d proofing.Document) proofing.Signature {
	w.t.Helper()
	text, err := d.Canonical()
	check(w.t, err)
	options, state, err := w.rp.BeginSignature(webauthn.NewSignature{Credential: w.known, Document: text})
	check(w.t, err)
	response, err := w.passkey.Get(options, origin)
	check(w.t, err)
	r, err := w.rp.FinishSignature(state, webauthn.SignatureAnswer{Document: text, Credential: w.known, Response: response})
	check(w.t, err)
	return proofing.Signature{
		Document: string(text), ClientData: r.Record.ClientDataJSON, AuthenticatorData: r.Record.AuthenticatorData, Signature: r.Record.Signature,
		Credential: r.Record.CredentialID, PublicKey: r.Record.PublicKey, RPID: r.Record.RPID, Origin: r.Record.Origin, At: w.at,
	}
}

func (w *signedWorld) decision(d proofing.Document, text string) proofing.Note {
	kind := proofing.CaseDecided
	if d.Subject.Of == proofing.SubjectPolicy {
		kind = proofing.PolicyIsDecided
	}
	return proofing.Note{
		Of: d.Subject.Of, Object: d.Subject.Object, Kind: kind, By: proofing.Actor{Kind: "person", ID: w.person, Role: proofing.RoleReviewer}, At: w.at.Add(time.Minute),
		Facts: map[string]any{proofing.FactDocument: proofing.Digest([]byte(text)), "decision": d.Decision},
	}
}

func (w *signedWorld) logged(index int64) audit.Logged {
	w.t.Helper()
	proof, err := tlog.ProveRecord(int64(len(w.leaves)), index, w.reader())
	check(w.t, err)
	l := audit.Logged{Leaf: w.leaves[index], Index: index}
	for _, h := range proof {
		l.Proof = append(l.Proof, proofing.Octets(h[:]))
	}
	return l
}

func (w *signedWorld) checkpoint() string {
	w.t.Helper()
	root, err := tlog.TreeHash(int64(len(w.leaves)), w.reader())
	check(w.t, err)
	text, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", logName, len(w.leaves), base64.StdEncoding.EncodeToString(root[:]))}, w.signer)
	check(w.t, err)
	return string(text)
}

// story is what may go differently in an approval.
type story struct {
	enrolment func(*proofing.Note)
	document  func(*proofing.Document)
	decision  func(*proofing.Note)
	// late: the passkey is entered after the decision.
	late bool
}

// tell goes through an enrolment, a decision, and what is kept of them.
func (w *signedWorld) tell(s story) *audit.Approval {
	w.t.Helper()
	enrolled := w.enrolment()
	if s.enrolment != nil {
		s.enrolment(&enrolled)
	}
	w.others(5)
	var enrolment, decision int64
	if !s.late {
		enrolment = w.enter(w.note(0, enrolled))
	}
	w.others(7)
	w.at = w.at.Add(time.Hour)
	d := w.document()
	if s.document != nil {
		s.document(&d)
	}
	signed := w.sign(d)
	decided := w.decision(d, signed.Document)
	if s.decision != nil {
		s.decision(&decided)
	}
	decision = w.enter(w.note(d.Subject.Number, decided))
	w.others(2)
	if s.late {
		enrolment = w.enter(w.note(0, enrolled))
	}
	return audit.NewApproval(signed, w.logged(enrolment), w.logged(decision), w.checkpoint())
}
