package webauthn_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/countersign-id/countersign/webauthn"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

var kinds = []error{
	webauthn.ErrMalformed, webauthn.ErrState, webauthn.ErrExpired, webauthn.ErrType, webauthn.ErrChallenge, webauthn.ErrOrigin, webauthn.ErrCrossOrigin,
	webauthn.ErrRPID, webauthn.ErrUserPresence, webauthn.ErrUserVerification, webauthn.ErrBackupFlags, webauthn.ErrAlgorithm, webauthn.ErrKey,
	webauthn.ErrRegistered, webauthn.ErrUnknownCredential, webauthn.ErrUser, webauthn.ErrSignature, webauthn.ErrAttestation, webauthn.ErrPolicy,
}

// hasAKind fails for an error that a caller could not name.
func hasAKind(t *testing.T, err error) {
	t.Helper()
	for _, kind := range kinds {
		if errors.Is(err, kind) {
			return
		}
	}
	t.Errorf("an error of no kind: %v", err)
}

// FuzzAssertion has whole answers. None may panic, be of no kind, or be taken unless its
// signature is the one that was made.
func FuzzAssertion(f *testing.F) {
	w := newWorld(f)
	a := w.attested()
	c := w.register(a)
	r := assertion(c)
	options, state, err := w.rp.BeginAssertion(r)
	if err != nil {
		f.Fatal(err)
	}
	response, err := a.Get(options, origin)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(response)
	f.Add([]byte(`{"id":"AAAA","rawId":"AAAA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"","signature":""}}`))
	f.Fuzz(func(t *testing.T, response []byte) {
		signed, err := w.rp.FinishAssertion(state, webauthn.AssertionAnswer{Binding: r.Binding, Credential: c, Response: response})
		if err != nil {
			hasAKind(t, err)
		} else if !signed.Facts.UP || !signed.Facts.UV || signed.Credential.SignCount != 2 {
			t.Errorf("taken: %+v", signed)
		}
	})
}

// FuzzAuthenticatorData changes what an authenticator signs, and the signature is good.
func FuzzAuthenticatorData(f *testing.F) {
	w := newWorld(f)
	a := webauthntest.New()
	a.Algorithm = webauthntest.EdDSA // signs the same each time
	c := w.register(a)
	f.Add([]byte{}, byte(0x05))
	f.Add([]byte{0xa0}, byte(0x85))
	f.Add([]byte{0xa1, 0x61, 'x', 0x00}, byte(0x85))
	f.Add(append(append(make([]byte, 16), 0, 1, 'x'), coseES256...), byte(0x45))
	f.Fuzz(func(t *testing.T, behind []byte, flags byte) {
		w.t = t
		a.Before = func(c *webauthntest.Ceremony) { c.Extensions, c.Flags = behind, flags }
		signed, err := w.get(a, c, assertion(c))
		if err != nil {
			hasAKind(t, err)
			return
		}
		if flags&0x05 != 0x05 || flags&0x58 != 0 || signed.Facts.BE || signed.Facts.BS {
			t.Errorf("flags %08b were taken", flags)
		}
	})
}

// FuzzAttestationObject has attestation objects in an answer that is right otherwise.
func FuzzAttestationObject(f *testing.F) {
	w := newWorld(f)
	var fixed webauthntest.Answer
	for _, kind := range []string{webauthntest.None, webauthntest.Self, webauthntest.Packed} {
		a := w.attested()
		a.Attestation = kind
		a.After = func(answer *webauthntest.Answer) { fixed = *answer }
		w.register(a)
		f.Add(fixed.AttestationObject)
	}
	for _, name := range []string{"tpm-es256", "android-key-es256", "apple-es256", "fido-u2f-es256"} {
		f.Add(readVector(f, name)["create.attestationObject"])
	}
	r := registration()
	_, state, err := w.rp.BeginRegistration(r)
	if err != nil {
		f.Fatal(err)
	}
	w.rp.FixChallenge(challengeIn(f, fixed.ClientDataJSON))
	b64 := base64.RawURLEncoding.EncodeToString
	f.Fuzz(func(t *testing.T, object []byte) {
		answer := fmt.Appendf(nil, `{"id":%q,"rawId":%[1]q,"type":"public-key","response":{"clientDataJSON":%q,"attestationObject":%q}}`,
			b64(fixed.ID), b64(fixed.ClientDataJSON), b64(object))
		made, err := w.rp.FinishRegistration(state, webauthn.RegistrationAnswer{Binding: r.Binding, Response: answer})
		if err != nil {
			hasAKind(t, err)
		} else if c := made.Credential; !bytes.Equal(c.ID, fixed.ID) || c.AttestationType == "basic" && c.AAGUID != model {
			t.Errorf("taken: %+v", c)
		}
	})
}

func challengeIn(t testing.TB, clientData []byte) []byte {
	t.Helper()
	var c struct{ Challenge string }
	if err := json.Unmarshal(clientData, &c); err != nil {
		t.Fatal(err)
	}
	challenge, err := base64.RawURLEncoding.DecodeString(c.Challenge)
	if err != nil {
		t.Fatal(err)
	}
	return challenge
}

// FuzzClientData has client data that an authenticator signed.
func FuzzClientData(f *testing.F) {
	w := newWorld(f)
	a := webauthntest.New()
	a.Algorithm = webauthntest.EdDSA // signs the same each time
	c := w.register(a)
	w.rp.FixChallenge(make([]byte, 32))
	f.Add([]byte(`{"type":"webauthn.get","challenge":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","origin":"https://id.example.org","crossOrigin":false}`))
	f.Add([]byte(`{"type":"webauthn.get","challenge":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","origin":"https://id.example.org","Origin":"x"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		w.t = t
		a.Before = func(c *webauthntest.Ceremony) { c.ClientData = data }
		if _, err := w.get(a, c, assertion(c)); err != nil {
			hasAKind(t, err)
		}
	})
}

// FuzzEdition has metadata that is signed by the right key.
func FuzzEdition(f *testing.F) {
	w := newWorld(f)
	f.Add([]byte(`{"no":1,"nextUpdate":"2026-12-23","entries":[{"aaguid":"a1a2a3a4-0102-0304-0506-0708090a0b0c","statusReports":[{"status":"REVOKED","effectiveDate":"2026-01-01"}]}]}`))
	f.Add([]byte(`{"no":1,"nextUpdate":"2026-12-23","entries":[{"attestationCertificateKeyIdentifiers":["aa"],"metadataStatement":{"attestationRootCertificates":["AAAA"]}}]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var err error
		w.blob.data, err = w.authority.Sign(map[string]any{"alg": "ES256", "x5c": [][]byte{w.authority.SignerCertificate()}}, payload)
		if err != nil {
			t.Fatal(err)
		}
		if before := w.mds.Info(); w.mds.Refresh(t.Context()) == nil && w.mds.Info().Number < before.Number {
			t.Errorf("edition %d follows %d", w.mds.Info().Number, before.Number)
		}
	})
}

// FuzzState has what a caller might hand back.
func FuzzState(f *testing.F) {
	w := newWorld(f)
	c := w.register(webauthntest.New())
	_, state, err := w.rp.BeginAssertion(assertion(c))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(state)
	f.Fuzz(func(t *testing.T, state []byte) {
		_, err := w.rp.FinishAssertion(state, webauthn.AssertionAnswer{Credential: c})
		hasAKind(t, err)
		_, err = w.rp.FinishRegistration(state, webauthn.RegistrationAnswer{})
		hasAKind(t, err)
	})
}
