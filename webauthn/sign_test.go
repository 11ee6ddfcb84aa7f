package webauthn_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/countersign-id/countersign/webauthn"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

var document = []byte(`{"decision":"approve","nonce":"k3"}`)

// sign goes through a signature of a document by a key of an authenticator.
func (w *world) sign(a *webauthntest.Authenticator, c webauthn.Credential, text []byte) (webauthn.Signature, error) {
	w.t.Helper()
	options, state, err := w.rp.BeginSignature(webauthn.NewSignature{Credential: c, Document: text})
	if err != nil {
		w.t.Fatal(err)
	}
	response, err := a.Get(options, origin)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.rp.FinishSignature(state, webauthn.SignatureAnswer{Document: text, Credential: c, Response: response})
}

func TestASignatureConvincesWhoHasNothingButTheRecord(t *testing.T) {
	for _, algorithm := range []int64{webauthntest.ES256, webauthntest.EdDSA, webauthntest.RS256} {
		w := newWorld(t)
		a := webauthntest.New()
		a.Algorithm = algorithm
		c := w.register(a)
		signed, err := w.sign(a, c, document)
		if err != nil {
			t.Fatal(err)
		}
		if !signed.Facts.UP || !signed.Facts.UV || signed.Facts.SignCountRegressed || signed.Credential.SignCount != 2 {
			t.Errorf("%d: it shows %+v, and the count is %d", algorithm, signed.Facts, signed.Credential.SignCount)
		}
		r := signed.Record
		if !bytes.Equal(r.CredentialID, c.ID) || !bytes.Equal(r.PublicKey, c.PublicKey) || r.RPID != "example.org" || r.Origin != origin {
			t.Errorf("%d: the record is %+v", algorithm, r)
		}
		if err := webauthn.VerifySignature(r, document); err != nil {
			t.Errorf("%d: %v", algorithm, err)
		}
	}
}

func TestASignatureIsAskedOfOneKeyWhoseUserIsVerified(t *testing.T) {
	w := newWorld(t)
	c := w.register(webauthntest.New())
	options, _, err := w.rp.BeginSignature(webauthn.NewSignature{Credential: c, Document: document, Expires: w.clock.at.Add(90 * time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	var asked struct {
		Challenge        string
		UserVerification string
		RPID             string `json:"rpId"`
		Timeout          int64
		AllowCredentials []struct{ ID string }
	}
	if err := json.Unmarshal(options, &asked); err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(document)
	if asked.Challenge != base64.RawURLEncoding.EncodeToString(digest[:]) {
		t.Errorf("the challenge is %s and not the document's digest", asked.Challenge)
	}
	if asked.UserVerification != "required" || asked.RPID != "example.org" || asked.Timeout != 90_000 ||
		len(asked.AllowCredentials) != 1 || asked.AllowCredentials[0].ID != base64.RawURLEncoding.EncodeToString(c.ID) {
		t.Errorf("asked %s", options)
	}
	for name, r := range map[string]webauthn.NewSignature{
		"no document":             {Credential: c},
		"a key of nobody":         {Document: document},
		"one that has expired":    {Credential: c, Document: document, Expires: w.clock.at},
		"a key of another server": {Credential: webauthn.Credential{ID: c.ID, RPID: "example.net", User: c.User}, Document: document},
	} {
		if _, _, err := w.rp.BeginSignature(r); err == nil {
			t.Errorf("%s may be asked for", name)
		}
	}
}

func TestSignaturesThatAreRefused(t *testing.T) {
	w := newWorld(t)
	c := w.register(webauthntest.New())
	for _, a := range append([]attack{
		{"another key's name", nil, func(a *webauthntest.Answer) { a.ID = random(32); a.RawID = a.ID }, webauthn.ErrUnknownCredential},
		{"another person's name", nil, func(a *webauthntest.Answer) { a.UserHandle = []byte("somebody-else") }, webauthn.ErrUser},
		{"attested data", func(c *webauthntest.Ceremony) {
			c.Flags |= webauthntest.AT
			c.Extensions = append(append(make([]byte, 16), 0, 1, 'x'), coseES256...)
		}, nil, webauthn.ErrMalformed},
		{"eligible for backup since", func(c *webauthntest.Ceremony) { c.Flags |= webauthntest.BE }, nil, webauthn.ErrBackupFlags},
		{"a signature that is cut off", nil, func(a *webauthntest.Answer) { a.Signature = a.Signature[:len(a.Signature)-1] }, webauthn.ErrSignature},
		{"authenticator data that is cut off", nil, func(a *webauthntest.Answer) { a.AuthenticatorData = a.AuthenticatorData[:36] }, webauthn.ErrMalformed},
		{"no signature", nil, func(a *webauthntest.Answer) { a.Signature = nil }, webauthn.ErrSignature},
		{"a counter that was changed", nil, func(a *webauthntest.Answer) { a.AuthenticatorData[36]++ }, webauthn.ErrSignature},
	}, either...) {
		t.Run(a.name, func(t *testing.T) {
			authenticator := webauthntest.New()
			known := w.register(authenticator)
			authenticator.Before, authenticator.After = a.before, a.after
			_, err := w.sign(authenticator, known, document)
			wantError(t, err, a.want)
		})
	}
	t.Run("a key of the same person", func(t *testing.T) {
		other := webauthntest.New()
		otherKey := w.register(other)
		options, _, err := w.rp.BeginSignature(webauthn.NewSignature{Credential: otherKey, Document: document})
		if err != nil {
			t.Fatal(err)
		}
		response, err := other.Get(options, origin)
		if err != nil {
			t.Fatal(err)
		}
		_, state, err := w.rp.BeginSignature(webauthn.NewSignature{Credential: c, Document: document})
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.rp.FinishSignature(state, webauthn.SignatureAnswer{Document: document, Credential: otherKey, Response: response})
		wantError(t, err, webauthn.ErrUnknownCredential)
	})
}

func TestASignatureCountsForItsDocumentAndItsCeremonyAlone(t *testing.T) {
	w := newWorld(t)
	a := webauthntest.New()
	c := w.register(a)
	options, state, err := w.rp.BeginSignature(webauthn.NewSignature{Credential: c, Document: document})
	if err != nil {
		t.Fatal(err)
	}
	response, err := a.Get(options, origin)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(document)
	if read, err := webauthn.ReadSignature(response); err != nil || !bytes.Equal(read, digest[:]) {
		t.Errorf("it is read as of %x: %v", read, err)
	}
	other := []byte(`{"decision":"refuse","nonce":"k3"}`)
	_, err = w.rp.FinishSignature(state, webauthn.SignatureAnswer{Document: other, Credential: c, Response: response})
	wantError(t, err, webauthn.ErrState)
	_, otherState, err := w.rp.BeginSignature(webauthn.NewSignature{Credential: c, Document: other})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.rp.FinishSignature(otherState, webauthn.SignatureAnswer{Document: other, Credential: c, Response: response})
	wantError(t, err, webauthn.ErrChallenge)

	// Neither ceremony does for the other.
	r := assertion(c)
	signIn, signInState, err := w.rp.BeginAssertion(r)
	if err != nil {
		t.Fatal(err)
	}
	signedIn, err := a.Get(signIn, origin)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.rp.FinishSignature(state, webauthn.SignatureAnswer{Document: document, Credential: c, Response: signedIn})
	wantError(t, err, webauthn.ErrChallenge)
	_, err = w.rp.FinishSignature(signInState, webauthn.SignatureAnswer{Document: document, Credential: c, Response: signedIn})
	wantError(t, err, webauthn.ErrState)
	_, err = w.rp.FinishAssertion(state, webauthn.AssertionAnswer{Binding: r.Binding, Credential: c, Response: response})
	wantError(t, err, webauthn.ErrState)

	// The state is ours, and says what was asked; one that asks for less is none.
	for name, with := range map[string]string{`"uv":"required"`: `"uv":"preferred"`, `"allow":[`: `"allow":["AAAA",`} {
		if !bytes.Contains(state, []byte(name)) {
			t.Fatalf("the state has no %s: %s", name, state)
		}
		less := bytes.Replace(state, []byte(name), []byte(with), 1)
		_, err = w.rp.FinishSignature(less, webauthn.SignatureAnswer{Document: document, Credential: c, Response: response})
		wantError(t, err, webauthn.ErrState)
	}
	w.clock.at = w.clock.at.Add(5*time.Minute + time.Second)
	_, err = w.rp.FinishSignature(state, webauthn.SignatureAnswer{Document: document, Credential: c, Response: response})
	wantError(t, err, webauthn.ErrExpired)
}

func TestACounterThatFallsIsAFactOfASignature(t *testing.T) {
	w := newWorld(t)
	a := webauthntest.New()
	c := w.register(a)
	a.Count = 0 // a copy from before
	signed, err := w.sign(a, c, document)
	if err != nil || !signed.Facts.SignCountRegressed {
		t.Fatalf("%+v: %v", signed.Facts, err)
	}
}

// TestAnyByteThatIsChangedIsFound changes every byte of every part of a signature to every neighbour by one bit, leaves it out, and
// puts one more in. The credential's id is not among the parts: no authenticator signs it (SignatureRecord).
func TestAnyByteThatIsChangedIsFound(t *testing.T) {
	for _, algorithm := range []int64{webauthntest.ES256, webauthntest.EdDSA, webauthntest.RS256} {
		w := newWorld(t)
		a := webauthntest.New()
		a.Algorithm = algorithm
		signed, err := w.sign(a, w.register(a), document)
		if err != nil {
			t.Fatal(err)
		}
		good := signed.Record
		parts := map[string]func(*webauthn.SignatureRecord, *[]byte) *[]byte{
			"client data":        func(r *webauthn.SignatureRecord, _ *[]byte) *[]byte { return &r.ClientDataJSON },
			"authenticator data": func(r *webauthn.SignatureRecord, _ *[]byte) *[]byte { return &r.AuthenticatorData },
			"signature":          func(r *webauthn.SignatureRecord, _ *[]byte) *[]byte { return &r.Signature },
			"public key":         func(r *webauthn.SignatureRecord, _ *[]byte) *[]byte { return &r.PublicKey },
			"document":           func(_ *webauthn.SignatureRecord, d *[]byte) *[]byte { return d },
		}
		tried := 0
		refused := func(name string, at int, r webauthn.SignatureRecord, d []byte) {
			tried++
			err := webauthn.VerifySignature(r, d)
			if err == nil {
				t.Errorf("%d: a change of the %s at %d is not found", algorithm, name, at)
				return
			}
			hasAKind(t, err)
		}
		for name, part := range parts {
			change := func(at int, edit func([]byte) []byte) {
				r, d := good, document
				p := part(&r, &d)
				*p = edit(slices.Clone(*p))
				refused(name, at, r, d)
			}
			r, d := good, document
			for i := range *part(&r, &d) {
				for bit := range 8 {
					change(i, func(b []byte) []byte { b[i] ^= 1 << bit; return b })
				}
				change(i, func(b []byte) []byte { return slices.Delete(b, i, i+1) })
				change(i, func(b []byte) []byte { return slices.Insert(b, i, 0) })
				change(i, func(b []byte) []byte { return b[:i] })
			}
			change(-1, func(b []byte) []byte { return append(b, 0) })
		}
		for name, part := range map[string]func(*webauthn.SignatureRecord) *string{
			"RP ID":  func(r *webauthn.SignatureRecord) *string { return &r.RPID },
			"origin": func(r *webauthn.SignatureRecord) *string { return &r.Origin },
		} {
			r := good
			text := *part(&r)
			for i := range len(text) {
				for bit := range 8 {
					changed := []byte(text)
					changed[i] ^= 1 << bit
					*part(&r) = string(changed)
					refused(name, i, r, document)
				}
				*part(&r) = text[:i]
				refused(name, i, r, document)
			}
		}
		if tried < 3000 {
			t.Errorf("only %d changes were tried", tried)
		}
	}
}

func TestRecordsThatProveNothing(t *testing.T) {
	w := newWorld(t)
	a, other := webauthntest.New(), webauthntest.New()
	c, otherKey := w.register(a), w.register(other)
	signed, err := w.sign(a, c, document)
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.sign(a, c, []byte(`{"decision":"approve","nonce":"k4"}`))
	if err != nil {
		t.Fatal(err)
	}
	made := func(before func(*webauthntest.Ceremony)) func(*webauthn.SignatureRecord) {
		return func(r *webauthn.SignatureRecord) {
			options, _, err := w.rp.BeginSignature(webauthn.NewSignature{Credential: c, Document: document})
			if err != nil {
				t.Fatal(err)
			}
			a.Before = before
			var got webauthntest.Answer
			a.After = func(answer *webauthntest.Answer) { got = *answer }
			if _, err := a.Get(options, origin); err != nil {
				t.Fatal(err)
			}
			r.ClientDataJSON, r.AuthenticatorData, r.Signature = got.ClientDataJSON, got.AuthenticatorData, got.Signature
		}
	}
	for name, forged := range map[string]struct {
		edit func(*webauthn.SignatureRecord)
		want error
	}{
		"the client data of another document": {func(r *webauthn.SignatureRecord) { r.ClientDataJSON = again.Record.ClientDataJSON }, webauthn.ErrChallenge},
		"a signature of another document":     {func(r *webauthn.SignatureRecord) { *r = again.Record }, webauthn.ErrChallenge},
		"the signature of another time":       {func(r *webauthn.SignatureRecord) { r.Signature = again.Record.Signature }, webauthn.ErrSignature},
		"authenticator data of another time":  {func(r *webauthn.SignatureRecord) { r.AuthenticatorData = again.Record.AuthenticatorData }, webauthn.ErrSignature},
		"another key":                         {func(r *webauthn.SignatureRecord) { r.PublicKey = otherKey.PublicKey }, webauthn.ErrSignature},
		"no key":                              {func(r *webauthn.SignatureRecord) { r.PublicKey = nil }, webauthn.ErrKey},
		"another origin":                      {func(r *webauthn.SignatureRecord) { r.Origin = "https://example.org:8443" }, webauthn.ErrOrigin},
		"an origin without TLS":               {func(r *webauthn.SignatureRecord) { r.Origin = "http://id.example.org" }, webauthn.ErrOrigin},
		"an origin of nobody":                 {func(r *webauthn.SignatureRecord) { r.Origin = "" }, webauthn.ErrOrigin},
		"another relying party":               {func(r *webauthn.SignatureRecord) { r.RPID = "id.example.org" }, webauthn.ErrRPID},
		"no relying party":                    {func(r *webauthn.SignatureRecord) { r.RPID = "" }, webauthn.ErrRPID},
		"a signature at another site":         {made(func(c *webauthntest.Ceremony) { c.Origin = "https://evil.example.org" }), webauthn.ErrOrigin},
		"a signature for another site":        {made(func(c *webauthntest.Ceremony) { c.RPID = "example.net" }), webauthn.ErrRPID},
		"a signature at a site without TLS": {func(r *webauthn.SignatureRecord) {
			made(func(c *webauthntest.Ceremony) { c.Origin = "http://id.example.org" })(r)
			r.Origin = "http://id.example.org"
		}, webauthn.ErrOrigin},
		"a signature at a site that is not of its relying party": {func(r *webauthn.SignatureRecord) {
			made(func(c *webauthntest.Ceremony) { c.Origin = "https://example.net" })(r)
			r.Origin = "https://example.net"
		}, webauthn.ErrOrigin},
		"a registration":        {made(func(c *webauthntest.Ceremony) { c.Type = "webauthn.create" }), webauthn.ErrType},
		"a frame":               {made(func(c *webauthntest.Ceremony) { c.CrossOrigin = true }), webauthn.ErrCrossOrigin},
		"nobody verified":       {made(func(c *webauthntest.Ceremony) { c.Flags &^= webauthntest.UV }), webauthn.ErrUserVerification},
		"nobody present":        {made(func(c *webauthntest.Ceremony) { c.Flags &^= webauthntest.UP }), webauthn.ErrUserPresence},
		"a key that is not fit": {func(r *webauthn.SignatureRecord) { r.PublicKey = coseRSA(128) }, webauthn.ErrKey},
	} {
		r := signed.Record
		forged.edit(&r)
		if err := webauthn.VerifySignature(r, document); !errors.Is(err, forged.want) {
			t.Errorf("%s: %v, want %q", name, err, forged.want)
		}
	}
	if err := webauthn.VerifySignature(signed.Record, nil); !errors.Is(err, webauthn.ErrMalformed) {
		t.Errorf("no document: %v", err)
	}
}

// The other of the two signatures that anybody can make of one by ECDSA is of the same document by the same key: it says nothing
// new, and what counts a decision once is the document's nonce and not the signature's bytes.
func TestTheTwinOfASignatureSaysTheSame(t *testing.T) {
	w := newWorld(t)
	a := webauthntest.New()
	signed, err := w.sign(a, w.register(a), document)
	if err != nil {
		t.Fatal(err)
	}
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(signed.Record.Signature, &pair); err != nil {
		t.Fatal(err)
	}
	pair.S.Sub(elliptic.P256().Params().N, pair.S)
	r := signed.Record
	if r.Signature, err = asn1.Marshal(pair); err != nil {
		t.Fatal(err)
	}
	if err := webauthn.VerifySignature(r, document); err != nil {
		t.Errorf("the twin: %v", err)
	}
}
