package acme_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/countersign-id/countersign/acme"
	"github.com/countersign-id/countersign/proofing"
)

// tokenWorld makes Authority Tokens, for the account of a key, and knows the root that a CA would believe.
type tokenWorld struct {
	*world
	roots   *x509.CertPool
	account jose.JSONWebKey
	cert    *tls.Certificate
}

func newTokenWorld(t testing.TB) *tokenWorld {
	t.Helper()
	w := &tokenWorld{world: newWorld(t), roots: x509.NewCertPool(), account: accountJWK(t)}
	issue := func(name string, template, parent *x509.Certificate, signer crypto.Signer) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template.Subject, template.SerialNumber = pkix.Name{CommonName: name}, big.NewInt(time.Now().UnixNano())
		template.NotBefore, template.NotAfter = w.clock().Add(-time.Hour), w.clock().Add(48*time.Hour)
		if parent == nil {
			parent, signer = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return cert, key
	}
	ca := func() *x509.Certificate {
		return &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	}
	root, rootKey := issue("root", ca(), nil, nil)
	middle, middleKey := issue("middle", ca(), root, rootKey)
	leaf, key := issue("token authority", &x509.Certificate{KeyUsage: x509.KeyUsageDigitalSignature}, middle, middleKey)
	w.roots.AddCert(root)
	w.cert = &tls.Certificate{Certificate: [][]byte{leaf.Raw, middle.Raw}, PrivateKey: key, Leaf: leaf}
	w.handler = acme.New(w.options(w.Service, apiOrigin))
	return w
}

func (w *tokenWorld) options(s *proofing.Service, origin string) acme.Options {
	return acme.Options{
		Service: s, Origin: origin, Replies: w.replies, Keys: w.keys, Log: slog.New(slog.NewJSONHandler(w.log, nil)),
		TokenCertificate: func() *tls.Certificate { return w.cert },
	}
}

func (w *tokenWorld) allow(t testing.TB, types ...string) {
	t.Helper()
	ca, err := w.Authorities.Update(t.Context(), w.ca.ID, func(ca *proofing.Authority) error { ca.TokenTypes = types; return nil })
	if err != nil {
		t.Fatal(err)
	}
	w.ca = ca
}

// fingerprintOf is made from the key's JWK by other code than ours.
func fingerprintOf(t testing.TB, key jose.JSONWebKey) string {
	t.Helper()
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	var pairs []string
	for _, b := range sum {
		pairs = append(pairs, fmt.Sprintf("%02X", b))
	}
	return "SHA256 " + strings.Join(pairs, ":")
}

// asks is the body for the account's token.
func (w *tokenWorld) asks(t testing.TB, profile, typ, value string) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"profile": profile, "atc": map[string]any{"tktype": typ, "tkvalue": value, "fingerprint": fingerprintOf(t, w.account)}})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func (w *tokenWorld) open(t testing.TB, profile, typ, value string, more map[string]any) object {
	t.Helper()
	body := map[string]any{"account": map[string]any{"jwk": w.account}, "identifier": map[string]string{"type": typ, "value": value}, "profile": profile}
	for name, v := range more {
		body[name] = v
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return w.want(t, 201, "POST", caPath, string(text))
}

const tokenPath = "/v1/authority-tokens"

// challenged does what a CA does with a token that answers its challenge tkauth-01 (RFC 9447, and in its order RFC 9448 6): the certificate, the
// signature, the type and the value, the time, the account.
func (w *tokenWorld) challenged(token string, id proofing.Identifier, account string) error {
	jws, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return err
	}
	head := jws.Signatures[0].Header
	chains, err := head.Certificates(x509.VerifyOptions{Roots: w.roots, CurrentTime: w.clock(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return err
	}
	if head.ExtraHeaders["typ"] != "JWT" || head.KeyID != "" {
		return fmt.Errorf("header %v", head)
	}
	payload, err := jws.Verify(chains[0][0].PublicKey)
	if err != nil {
		return err
	}
	var claims struct {
		Iss, Jti string
		Exp      int64
		ATC      struct {
			TKType, TKValue, Fingerprint string
			CA                           bool
		}
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return err
	}
	switch {
	case claims.Iss != "https://proof.example.org" || claims.Jti == "":
		return fmt.Errorf("claims %s", payload)
	case claims.ATC.TKType != id.Type || claims.ATC.TKValue != id.Value || claims.ATC.CA:
		return fmt.Errorf("it is for something else: %s", payload)
	case !w.clock().Before(time.Unix(claims.Exp, 0)):
		return fmt.Errorf("it has expired")
	case claims.ATC.Fingerprint != account:
		return fmt.Errorf("it is another account's")
	}
	return nil
}

func TestAnAuthorityTokenAnswersTheChallengeOfACA(t *testing.T) {
	w := newTokenWorld(t)
	w.allow(t, "email")
	id := proofing.Identifier{Type: "email", Value: applicant}
	w.prove(t, w.open(t, "client", id.Type, id.Value, nil).text("case_url"), applicant)
	one := w.want(t, 200, "POST", tokenPath, w.asks(t, "client", "email", "applicant@EXAMPLE.org"))
	token := one.text("token")
	mine := fingerprintOf(t, w.account)
	if err := w.challenged(token, id, mine); err != nil {
		t.Error(err)
	}
	if err := w.challenged(token, id, fingerprintOf(t, accountJWK(t))); err == nil {
		t.Error("another account uses it")
	}
	if again := w.want(t, 200, "POST", tokenPath, w.asks(t, "client", "email", applicant)).text("token"); again == token {
		t.Error("two tokens are one")
	}
	w.pass(time.Hour)
	if err := w.challenged(token, id, mine); err == nil {
		t.Error("it is good after an hour")
	}
	if log := w.log.String(); !strings.Contains(log, "made an authority token") || strings.Contains(log, token) || strings.Contains(log, applicant) {
		t.Errorf("the log:\n%s", log)
	}
}

func TestTheSameIdempotencyKeyGetsTheSameAuthorityToken(t *testing.T) {
	w := newTokenWorld(t)
	w.allow(t, "email")
	w.prove(t, w.open(t, "client", "email", applicant, nil).text("case_url"), applicant)
	body := w.asks(t, "client", "email", applicant)
	first := w.want(t, 200, "POST", tokenPath, body, "Idempotency-Key", "order-7").text("token")
	if again := w.want(t, 200, "POST", tokenPath, body, "Idempotency-Key", "order-7").text("token"); again != first {
		t.Error("a call that was repeated made another token")
	}
	if other := w.want(t, 200, "POST", tokenPath, body, "Idempotency-Key", "order-8").text("token"); other == first {
		t.Error("another key got the same token")
	}
	if o := w.want(t, 422, "POST", tokenPath, body+" ", "Idempotency-Key", "order-7"); o.text("type") != "urn:countersign:error:idempotencyKeyReused" {
		t.Errorf("another body: %v", o)
	}
}

func TestAnAuthorityTokenIsMadeOfAGrantThatHoldsAlone(t *testing.T) {
	w := newTokenWorld(t)
	w.allow(t, "email")
	ask := w.asks(t, "client", "email", applicant)
	refused := func(when, typ string) {
		t.Helper()
		if p := w.want(t, 403, "POST", tokenPath, ask); p.text("type") != "urn:ietf:params:acme:error:"+typ {
			t.Errorf("%s: %v", when, p)
		}
	}
	refused("nobody has asked", "unauthorized")
	c := w.open(t, "client", "email", applicant, nil)
	refused("nobody has proved anything", "userActionRequired")
	w.prove(t, c.text("case_url"), applicant)
	w.want(t, 200, "POST", tokenPath, ask)
	if r := w.do(t, "POST", tokenPath, w.stranger, ask); r.Code != 403 {
		t.Errorf("another authority got %d", r.Code)
	}
	w.Policy.Profiles["client"].Require.AAL, w.Policy.Profiles["client"].Recheck.Grace = 1, time.Hour
	refused("the level is not that of the profile any more", "rejectedIdentifier")
	w.Policy.Profiles["client"].Require.AAL = 0
	w.disown(t, c.text("id"))
	refused("somebody said that it was not them", "unauthorized")
}

func TestAnAuthorityTokenEndsWithWhatItRestsOn(t *testing.T) {
	w := newTokenWorld(t)
	w.allow(t, "email")
	w.Policy.Profiles["client"].GrantLifetime = 10 * time.Minute
	w.prove(t, w.open(t, "client", "email", applicant, nil).text("case_url"), applicant)
	token := w.want(t, 200, "POST", tokenPath, w.asks(t, "client", "email", applicant)).text("token")
	id := proofing.Identifier{Type: "email", Value: applicant}
	w.pass(10*time.Minute - time.Second)
	if err := w.challenged(token, id, fingerprintOf(t, w.account)); err != nil {
		t.Error(err)
	}
	w.pass(time.Second)
	if err := w.challenged(token, id, fingerprintOf(t, w.account)); err == nil {
		t.Error("it outlives the grant")
	}
}

func TestNoAuthorityTokenSaysMoreThanWasProved(t *testing.T) {
	w := newTokenWorld(t)
	w.allow(t, "email", "organization", "dns") // dns in the record all the same: no command writes it
	for _, typ := range []string{"dns", "ip"} {
		if p := w.want(t, 403, "POST", tokenPath, w.asks(t, "device", typ, "device.example.org")); p.text("type") != "urn:ietf:params:acme:error:unsupportedIdentifier" {
			t.Errorf("%s: %v", typ, p)
		}
	}
	ask := w.asks(t, "client", "email", applicant)
	if p := w.want(t, 403, "POST", tokenPath, strings.Replace(ask, `"tktype"`, `"ca":true,"tktype"`, 1)); p.text("type") != "urn:ietf:params:acme:error:rejectedIdentifier" {
		t.Errorf("for a CA certificate: %v", p)
	}
	// A grant for one CSR is not one for any.
	csr, _, _ := makeCSR(t)
	w.prove(t, w.open(t, "client", "email", applicant, map[string]any{"csr": csr}).text("case_url"), applicant)
	if p := w.want(t, 403, "POST", tokenPath, ask); p.text("type") != "urn:ietf:params:acme:error:rejectedIdentifier" {
		t.Errorf("for one CSR: %v", p)
	}
	w.allow(t)
	if p := w.want(t, 403, "POST", tokenPath, ask); p.text("type") != "urn:ietf:params:acme:error:unsupportedIdentifier" {
		t.Errorf("the operator has said nothing: %v", p)
	}
	w.want(t, 400, "POST", tokenPath, w.asks(t, "nothing", "email", applicant))
}

func TestRequestsForAuthorityTokensAreReadStrictly(t *testing.T) {
	w := newTokenWorld(t)
	w.allow(t, "email")
	w.prove(t, w.open(t, "client", "email", applicant, nil).text("case_url"), applicant)
	good, print := w.asks(t, "client", "email", applicant), fingerprintOf(t, w.account)
	w.want(t, 200, "POST", tokenPath, good)
	sum, _ := hex.DecodeString(strings.ReplaceAll(strings.TrimPrefix(print, "SHA256 "), ":", ""))
	for what, other := range map[string]string{
		"small letters": strings.ToLower(print), "without its name": strings.TrimPrefix(print, "SHA256 "), "without colons": "SHA256 " + strings.ReplaceAll(strings.TrimPrefix(print, "SHA256 "), ":", ""),
		"too short": print[:len(print)-3], "too long": print + ":00", "a colon elsewhere": print[:8] + ":" + print[8:9] + print[10:], "base64url": base64.RawURLEncoding.EncodeToString(sum), "nothing": "",
	} {
		if r := w.do(t, "POST", tokenPath, w.token, strings.Replace(good, print, other, 1)); r.Code != 400 {
			t.Errorf("fingerprint %s: %d %s", what, r.Code, r.Body)
		}
	}
	for what, body := range map[string]string{
		"no atc": `{"profile":"client"}`, "more": strings.Replace(good, `{"atc"`, `{"more":1,"atc"`, 1), "more in it": strings.Replace(good, `"tktype"`, `"exp":1,"tktype"`, 1),
		"twice": strings.Replace(good, `"tktype"`, `"tktype":"dns","tktype"`, 1), "ca as text": strings.Replace(good, `"tktype"`, `"ca":"false","tktype"`, 1),
	} {
		if r := w.do(t, "POST", tokenPath, w.token, body); r.Code != 400 {
			t.Errorf("%s: %d %s", what, r.Code, r.Body)
		}
	}
}

func TestNoAuthorityTokenIsMadeWithoutACertificate(t *testing.T) {
	w := newWorld(t)
	if p := w.want(t, 404, "POST", tokenPath, `{"profile":"client","atc":{}}`); !strings.Contains(p.text("detail"), "makes no Authority Tokens") {
		t.Errorf("%v", p)
	}
}
