package webauthn_test

import (
	"crypto/x509"
	"encoding/json"
	"os"
	"testing"

	"github.com/countersign-id/countersign/webauthn"
)

// TestWhatTheFirstVersionStoredIsStillGood has a record, a state and an answer as the
// first version of this package wrote them. Records outlive programs: if this fails, it is
// the program that must change, and never the file.
func TestWhatTheFirstVersionStoredIsStillGood(t *testing.T) {
	raw, err := os.ReadFile("testdata/stored-v1.json")
	if err != nil {
		t.Fatal(err)
	}
	var stored struct {
		Credential webauthn.Credential
		State      json.RawMessage
		Response   json.RawMessage
		Root       []byte
	}
	if err := json.Unmarshal(raw, &stored); err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(stored.Root)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *webauthn.Config) { c.Roots = []*x509.Certificate{root} })
	signed, err := w.rp.FinishAssertion(stored.State, webauthn.AssertionAnswer{Binding: []byte("case 7"), Credential: stored.Credential, Response: stored.Response})
	if err != nil {
		t.Fatal(err)
	}
	if f := signed.Facts; !f.UP || !f.UV || f.BE || f.BS || f.SignCountRegressed || f.Attestation.Type != "basic" || !f.Attestation.Trusted || signed.Credential.SignCount != 2 {
		t.Errorf("%+v, count %d", f, signed.Credential.SignCount)
	}
	again, err := json.Marshal(stored.Credential)
	if err != nil {
		t.Fatal(err)
	}
	var whole struct{ Credential json.RawMessage }
	if err := json.Unmarshal(raw, &whole); err != nil {
		t.Fatal(err)
	}
	same(t, again, string(whole.Credential)) // nothing of it is lost
}
