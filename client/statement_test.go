package client_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/client"
)

type signer struct {
	kid string
	key *ecdsa.PrivateKey
}

func newSigner(t *testing.T, kid string) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{kid, key}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (s signer) jwk() string {
	point, _ := s.key.PublicKey.Bytes()
	return fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":%q,"kid":%q,"use":"sig","alg":"ES256"}`, b64(point[1:33]), b64(point[33:]), s.kid)
}

func (s signer) sign(header, claims map[string]any) string {
	h, _ := json.Marshal(header)
	c, _ := json.Marshal(claims)
	content := b64(h) + "." + b64(c)
	digest := sha256.Sum256([]byte(content))
	r, sig, _ := ecdsa.Sign(rand.Reader, s.key, digest[:])
	return content + "." + b64(append(r.FillBytes(make([]byte, 32)), sig.FillBytes(make([]byte, 32))...))
}

func TestAStatementIsVerified(t *testing.T) {
	now := time.Unix(1800000000, 0)
	s, other := newSigner(t, "k1"), newSigner(t, "k1")
	header := map[string]any{"alg": "ES256", "typ": "countersign-statement+jwt", "kid": "k1"}
	claims := map[string]any{"iss": "https://proof.example.org", "aud": "example", "sub": "p1", "iat": now.Unix(), "exp": now.Unix() + 60, "acr": "urn:countersign:acr:sp800-63-4:ial-none:aal-2", "amr": []string{"hwk"}, "cnf": map[string]any{"jkt": "t1"}}
	with := func(m map[string]any, name string, v any) map[string]any {
		m = maps.Clone(m)
		m[name] = v
		return m
	}
	keys := answer{status: 200, body: `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA","kid":"k9"},` + s.jwk() + `]}`}
	c, d := newDouble(t, client.Config{Now: func() time.Time { return now }}, keys)
	got, err := c.VerifyStatement(t.Context(), s.sign(header, claims), "example")
	if err != nil || got.Subject != "p1" || got.Confirmation.Thumbprint != "t1" || got.ACR != claims["acr"] {
		t.Fatalf("%+v, %v", got, err)
	}
	good := s.sign(header, claims)
	first, rest, _ := strings.Cut(good, ".")
	for name, bad := range map[string]string{
		"another key":     other.sign(header, claims),
		"another kid":     s.sign(with(header, "kid", "k2"), claims),
		"another typ":     s.sign(with(header, "typ", "JWT"), claims),
		"another alg":     s.sign(with(header, "alg", "none"), claims),
		"crit":            s.sign(with(header, "crit", []string{"exp"}), claims),
		"for another":     s.sign(header, with(claims, "aud", "other")),
		"for several":     s.sign(header, with(claims, "aud", []string{"example", "other"})),
		"it has run out":  s.sign(header, with(claims, "exp", now.Unix())),
		"from the future": s.sign(header, with(claims, "iat", now.Unix()+120)),
		"no expiry":       s.sign(header, with(claims, "exp", 0)),
		"another header":  strings.TrimSuffix(first, "A") + "B." + rest,
		"no signature":    good[:strings.LastIndex(good, ".")+1],
		"padded":          good + "=",
		"nothing":         "",
	} {
		if got, err := c.VerifyStatement(t.Context(), bad, "example"); !errors.Is(err, client.ErrStatement) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := c.VerifyStatement(t.Context(), good, ""); err == nil {
		t.Error("a statement is good for nobody in particular")
	}
	for _, call := range d.calls() {
		if call.auth != "" || call.uri != "/.well-known/jwks.json" {
			t.Errorf("%+v", call)
		}
	}
	if n := len(d.calls()); n != 1 {
		t.Errorf("the keys were fetched %d times in one moment", n)
	}
}

func TestANewKeyIsLookedForAgain(t *testing.T) {
	at := &clock{now: time.Unix(1800000000, 0)}
	old, fresh := newSigner(t, "k1"), newSigner(t, "k2")
	c, d := newDouble(t, client.Config{Now: at.Now}, answer{status: 200, body: `{"keys":[` + old.jwk() + `]}`}, answer{status: 200, body: `{"keys":[` + fresh.jwk() + `,` + old.jwk() + `]}`})
	signed := func(s signer) string {
		return s.sign(map[string]any{"alg": "ES256", "typ": "countersign-statement+jwt", "kid": s.kid}, map[string]any{"aud": "example", "iat": at.Now().Unix(), "exp": at.Now().Unix() + 60})
	}
	if _, err := c.VerifyStatement(t.Context(), signed(old), "example"); err != nil {
		t.Fatal(err)
	}
	at.pass(11 * time.Second)
	if _, err := c.VerifyStatement(t.Context(), signed(fresh), "example"); err != nil || len(d.calls()) != 2 {
		t.Errorf("%v after %d calls", err, len(d.calls()))
	}
}

func TestAStatementIsFetchedWithItsAuthorization(t *testing.T) {
	s := newSigner(t, "k1")
	signed := s.sign(map[string]any{"alg": "ES256", "typ": "countersign-statement+jwt", "kid": "k1"}, map[string]any{"aud": "example", "sub": "p1", "iat": time.Now().Unix(), "exp": time.Now().Unix() + 60})
	c, _ := newDouble(t, client.Config{}, answer{status: 200, body: fmt.Sprintf(`{"id":"a1","status":"valid","statement":%q}`, signed)}, answer{status: 200, body: `{"keys":[` + s.jwk() + `]}`})
	if got, err := c.Statement(t.Context(), "a1", "example"); err != nil || got.Subject != "p1" {
		t.Errorf("%+v, %v", got, err)
	}
	c, _ = newDouble(t, client.Config{}, answer{status: 200, body: `{"id":"a1","status":"valid","statement":null,"reason":"frozen"}`})
	if _, err := c.Statement(t.Context(), "a1", "example"); !errors.Is(err, client.ErrStatement) {
		t.Error(err)
	}
}

func TestAnAuthorizationIsWaitedFor(t *testing.T) {
	c, d := newDouble(t, client.Config{}, answer{status: 200, body: `{"id":"a1","status":"pending"}`}, answer{status: 200, body: `{"id":"a1","status":"valid"}`})
	a, err := c.Decided(t.Context(), "a1")
	if err != nil || a.Status != client.StatusValid {
		t.Fatalf("%+v, %v", a, err)
	}
	for _, call := range d.calls() {
		if call.uri != "/v1/preauthorizations/a1?wait=60" {
			t.Error(call.uri)
		}
	}
	for _, id := range []string{"", "../accounts?x"} {
		_, err := c.Wait(t.Context(), id, 500*time.Millisecond)
		if id == "" && err == nil {
			t.Error("an empty id reads the list")
		}
	}
	if last := d.calls()[len(d.calls())-1].uri; last != "/v1/preauthorizations/..%2Faccounts%3Fx?wait=1" {
		t.Error(last)
	}
	if ch, err := c.StartChallenge(t.Context(), "a1"); err != nil || ch.Status == "" {
		t.Errorf("%+v, %v", ch, err)
	}
	if a, err := c.HandInToken(t.Context(), "a1", "x.y.z"); err != nil || a.ID != "a1" {
		t.Errorf("%+v, %v", a, err)
	}
	if last := d.calls()[len(d.calls())-1]; last.body != `{"token":"x.y.z","type":"oidc"}` || last.key == "" {
		t.Errorf("%+v", last)
	}
}
