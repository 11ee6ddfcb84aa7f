package webauthn_test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/countersign-id/countersign/webauthn"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

const origin = "https://id.example.org"

// clock stands still until it is moved.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// world has a relying party, metadata that an authority of its own signs, and a clock.
type world struct {
	t         testing.TB
	clock     *clock
	authority *webauthntest.Authority
	blob      *blobSource
	mds       *webauthn.MDS
	config    webauthn.Config
	rp        *webauthn.RelyingParty
}

// blobSource hands over what it was given last.
type blobSource struct {
	data []byte
	err  error
}

func (s *blobSource) Fetch(context.Context) ([]byte, error) { return s.data, s.err }

var model = webauthn.AAGUID{0xa1, 0xa2, 0xa3, 0xa4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}

func newWorld(t testing.TB, change ...func(*webauthn.Config)) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}, blob: &blobSource{}}
	var err error
	if w.authority, err = webauthntest.NewAuthority(); err != nil {
		t.Fatal(err)
	}
	w.mds, err = webauthn.OpenMDS(t.Context(), webauthn.MDSConfig{
		Source: w.blob, Roots: []*x509.Certificate{w.authority.MetadataRoot}, Now: w.clock.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.config = webauthn.Config{ID: "example.org", Name: "Example", Origins: []string{origin, "https://example.org:8443"}, MDS: w.mds, Now: w.clock.now}
	for _, c := range change {
		c(&w.config)
	}
	if w.rp, err = webauthn.New(w.config); err != nil {
		t.Fatal(err)
	}
	return w
}

// publish takes an edition with these models into use.
func (w *world) publish(number int, models ...webauthntest.Model) {
	w.t.Helper()
	w.blob.data = w.edition(number, w.clock.at.AddDate(0, 1, 0), models...)
	if err := w.mds.Refresh(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) edition(number int, next time.Time, models ...webauthntest.Model) []byte {
	w.t.Helper()
	blob, err := w.authority.Edition(number, next, models...)
	if err != nil {
		w.t.Fatal(err)
	}
	return blob
}

// attested has an authenticator of the model, for which the authority vouches.
func (w *world) attested() *webauthntest.Authenticator {
	a := webauthntest.New()
	a.AAGUID, a.Attestation, a.Authority = model, webauthntest.Packed, w.authority
	return a
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

var person = []byte("user-handle-0001")

func registration() webauthn.NewRegistration {
	return webauthn.NewRegistration{User: person, Name: "me", DisplayName: "Me", Nonce: random(webauthn.NonceSize), Binding: []byte("enrolment")}
}

// create goes through a registration; the answer's binding is that of the beginning.
func (w *world) create(a *webauthntest.Authenticator, r webauthn.NewRegistration) (webauthn.Registration, error) {
	w.t.Helper()
	options, state, err := w.rp.BeginRegistration(r)
	if err != nil {
		w.t.Fatal(err)
	}
	response, err := a.Create(options, origin)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.rp.FinishRegistration(state, webauthn.RegistrationAnswer{Binding: r.Binding, Response: response})
}

// register goes through a registration that succeeds. What it returns went through JSON,
// as records do that are stored.
func (w *world) register(a *webauthntest.Authenticator) webauthn.Credential {
	w.t.Helper()
	made, err := w.create(a, registration())
	if err != nil {
		w.t.Fatal(err)
	}
	stored, err := json.Marshal(made.Credential)
	if err != nil {
		w.t.Fatal(err)
	}
	var c webauthn.Credential
	if err := json.Unmarshal(stored, &c); err != nil {
		w.t.Fatal(err)
	}
	return c
}

func assertion(c webauthn.Credential) webauthn.NewAssertion {
	return webauthn.NewAssertion{User: c.User, Allow: []webauthn.Credential{c}, Nonce: random(webauthn.NonceSize), Binding: []byte("case 7")}
}

// get goes through an assertion against a record.
func (w *world) get(a *webauthntest.Authenticator, c webauthn.Credential, r webauthn.NewAssertion) (webauthn.Assertion, error) {
	w.t.Helper()
	options, state, err := w.rp.BeginAssertion(r)
	if err != nil {
		w.t.Fatal(err)
	}
	response, err := a.Get(options, origin)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.rp.FinishAssertion(state, webauthn.AssertionAnswer{Binding: r.Binding, Credential: c, Response: response})
}

// facts of an assertion that succeeds.
func (w *world) facts(a *webauthntest.Authenticator, c webauthn.Credential) webauthn.Facts {
	w.t.Helper()
	signed, err := w.get(a, c, assertion(c))
	if err != nil {
		w.t.Fatal(err)
	}
	return signed.Facts
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %q", err, want)
	}
}
