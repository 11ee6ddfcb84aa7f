package client_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/countersign-id/countersign/client"
)

// desk is the service as an account's holder meets it. It gives nonces out, and takes each once.
type desk struct {
	t       *testing.T
	url     string
	key     crypto.Signer
	silent  bool // it gives no nonce
	mu      sync.Mutex
	given   int
	asked   []string // method and, of a request that is signed, its nonce
	answers []answer // before the token: one for each request that is signed
}

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.Header.Get("Authorization") != "" || r.Header.Get("Idempotency-Key") != "" {
		d.t.Errorf("asked with %v", r.Header)
	}
	if !d.silent {
		d.given++
		w.Header().Set("Replay-Nonce", "nonce-"+strconv.Itoa(d.given))
	}
	if r.Method == http.MethodHead && r.URL.Path == "/v1/nonce" {
		d.asked = append(d.asked, "nonce")
		return
	}
	body, _ := io.ReadAll(r.Body)
	nonce, payload := d.open(body)
	d.asked = append(d.asked, nonce)
	const wants = `{"authority":"example","profile":"client","atc":{"tktype":"email","tkvalue":"applicant@example.org","fingerprint":"SHA256 `
	if r.Method+" "+r.URL.RequestURI() != "POST /v1/authority-tokens" || r.Header.Get("Content-Type") != "application/jose+json" || !strings.HasPrefix(payload, wants) {
		d.t.Errorf("%s %s %s", r.Method, r.URL, payload)
	}
	a := answer{status: 200, body: `{"token":"a.b.c"}`}
	if n := len(d.asked) - count(d.asked, "nonce"); n <= len(d.answers) {
		a = d.answers[n-1]
	}
	if a.status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

func count(list []string, word string) (n int) {
	for _, one := range list {
		if one == word {
			n++
		}
	}
	return n
}

// open verifies a request by other code than that which made it, and returns its nonce and payload.
func (d *desk) open(body []byte) (nonce, payload string) {
	var jws, header map[string]any
	if err := json.Unmarshal(body, &jws); err != nil || len(jws) != 3 {
		d.t.Errorf("%s: %v", body, err)
	}
	part := func(name string) []byte {
		text, _ := jws[name].(string)
		b, err := base64.RawURLEncoding.Strict().DecodeString(text)
		if err != nil {
			d.t.Errorf("%s: %v", name, err)
		}
		return b
	}
	if err := json.Unmarshal(part("protected"), &header); err != nil || len(header) != 4 || header["url"] != d.url+"/v1/authority-tokens" {
		d.t.Errorf("the header is %s: %v", part("protected"), err)
	}
	signed, signature := []byte(jws["protected"].(string)+"."+jws["payload"].(string)), part("signature")
	jwk, _ := json.Marshal(header["jwk"])
	var members map[string]string
	_ = json.Unmarshal(jwk, &members)
	number := func(name string) *big.Int {
		b, _ := base64.RawURLEncoding.Strict().DecodeString(members[name])
		return new(big.Int).SetBytes(b)
	}
	ok := false
	switch k := d.key.Public().(type) {
	case *ecdsa.PublicKey:
		alg := map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}[members["crv"]]
		sum256, sum384, sum512 := sha256.Sum256(signed), sha512.Sum384(signed), sha512.Sum512(signed)
		digest := map[string][]byte{"ES256": sum256[:], "ES384": sum384[:], "ES512": sum512[:]}[alg]
		size := map[string]int{"ES256": 32, "ES384": 48, "ES512": 66}[alg]
		x, _ := base64.RawURLEncoding.DecodeString(members["x"])
		ok = header["alg"] == alg && len(signature) == 2*size && len(x) == size && k.X.Cmp(number("x")) == 0 && k.Y.Cmp(number("y")) == 0 &&
			ecdsa.Verify(k, digest, new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:]))
	case ed25519.PublicKey:
		ok = header["alg"] == "EdDSA" && members["crv"] == "Ed25519" && number("x").Cmp(new(big.Int).SetBytes(k)) == 0 && ed25519.Verify(k, signed, signature)
	case *rsa.PublicKey:
		digest := sha256.Sum256(signed)
		ok = header["alg"] == "RS256" && members["e"] == "AQAB" && number("n").Cmp(k.N) == 0 && rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], signature) == nil
	}
	if !ok {
		d.t.Errorf("the signature of %s is not good", part("protected"))
	}
	nonce, _ = header["nonce"].(string)
	return nonce, string(part("payload"))
}

func newDesk(t *testing.T, key crypto.Signer, answers ...answer) (*desk, *client.Holder) {
	t.Helper()
	d := &desk{t: t, key: key, answers: answers}
	s := httptest.NewServer(d)
	t.Cleanup(s.Close)
	d.url = s.URL
	h, err := client.NewHolder(client.Config{URL: s.URL + "/"}, key)
	if err != nil {
		t.Fatal(err)
	}
	return d, h
}

func newP256(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var holderWants = client.HolderTokenRequest{Authority: "example", Profile: "client", Identifier: client.Identifier{Type: "email", Value: "applicant@example.org"}}

func TestTheHolderOfAnAccountAsksByItsKeyAlone(t *testing.T) {
	t.Parallel()
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	rsaKey, _ := rsa.GenerateKey(rand.Reader, 2048)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	p521, _ := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	for _, key := range []crypto.Signer{newP256(t), p384, p521, ed, rsaKey} {
		d, h := newDesk(t, key)
		for range 2 {
			if token, err := h.AuthorityToken(t.Context(), holderWants); err != nil || token != "a.b.c" {
				t.Errorf("%T: %q, %v", key, token, err)
			}
		}
		if want := []string{"nonce", "nonce-1", "nonce", "nonce-3"}; !slices.Equal(d.asked, want) {
			t.Errorf("%T: asked %q, want %q", key, d.asked, want)
		}
	}
}

func TestARequestOfAHolderIsSignedAnewForEachAttempt(t *testing.T) {
	t.Parallel()
	badNonce := problem(400, client.BadNonce, "")
	for name, one := range map[string]struct {
		answers []answer
		want    []string
	}{
		"a nonce that is too old":           {[]answer{badNonce}, []string{"nonce", "nonce-1", "nonce-2"}},
		"two in a row":                      {[]answer{badNonce, badNonce}, []string{"nonce", "nonce-1", "nonce-2", "nonce-3"}},
		"busy":                              {[]answer{problem(429, client.RateLimited, "")}, []string{"nonce", "nonce-1", "nonce-2"}},
		"the store is away":                 {[]answer{problem(503, client.Unavailable, "")}, []string{"nonce", "nonce-1", "nonce-2"}},
		"a line that breaks: was it taken?": {[]answer{{}}, []string{"nonce", "nonce-1", "nonce", "nonce-3"}},
	} {
		d, h := newDesk(t, newP256(t), one.answers...)
		if token, err := h.AuthorityToken(t.Context(), holderWants); err != nil || token != "a.b.c" {
			t.Errorf("%s: %q, %v", name, token, err)
		}
		if !slices.Equal(d.asked, one.want) {
			t.Errorf("%s: asked %q, want %q", name, d.asked, one.want)
		}
	}
}

func TestAHolderIsToldWhyThereIsNoToken(t *testing.T) {
	t.Parallel()
	badNonce := problem(400, client.BadNonce, "")
	d, h := newDesk(t, newP256(t), badNonce, badNonce, badNonce, badNonce)
	if _, err := h.AuthorityToken(t.Context(), holderWants); !client.IsProblem(err, client.BadNonce) || len(d.asked) != 5 {
		t.Errorf("no nonce is taken: %v after %q", err, d.asked)
	}
	for typ, status := range map[string]int{client.Unauthorized: 403, client.UserActionRequired: 403, client.NotFound: 404, client.Malformed: 400} {
		d, h := newDesk(t, newP256(t), problem(status, typ, `,"detail":"because"`))
		if _, err := h.AuthorityToken(t.Context(), holderWants); !client.IsProblem(err, typ) || !strings.Contains(err.Error(), "because") || len(d.asked) != 2 {
			t.Errorf("%s: %v after %q", typ, err, d.asked)
		}
	}
	d, h = newDesk(t, newP256(t))
	d.silent = true
	if _, err := h.AuthorityToken(t.Context(), holderWants); !errors.Is(err, client.ErrUnavailable) || !strings.Contains(err.Error(), "no nonce") {
		t.Errorf("no nonce: %v", err)
	}
	_, h = newDesk(t, newP256(t), answer{status: 200, body: `{}`})
	if token, err := h.AuthorityToken(t.Context(), holderWants); token != "" || !errors.Is(err, client.ErrUnavailable) {
		t.Errorf("no token: %q, %v", token, err)
	}
}

// faulty signs by something that is no signature.
type faulty struct {
	crypto.Signer
	signature []byte
	err       error
}

func (f faulty) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return f.signature, f.err }

func TestAKeyThatCannotSignSendsNothing(t *testing.T) {
	t.Parallel()
	away := errors.New("the token was taken out")
	for name, key := range map[string]faulty{
		"no answer":  {newP256(t), nil, away},
		"no ASN.1":   {newP256(t), []byte("no"), nil},
		"a zero":     {newP256(t), []byte{0x30, 6, 2, 1, 0, 2, 1, 1}, nil},
		"a long one": {newP256(t), append(append([]byte{0x30, 38, 2, 33, 1}, make([]byte, 32)...), 2, 1, 1), nil},
	} {
		d, h := newDesk(t, key)
		if _, err := h.AuthorityToken(t.Context(), holderWants); err == nil || errors.Is(err, away) != (key.err != nil) || errors.Is(err, client.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
		if !slices.Equal(d.asked, []string{"nonce"}) {
			t.Errorf("%s: asked %q", name, d.asked)
		}
	}
}

func TestAHolderHasAKeyOfAnAccountAndNoToken(t *testing.T) {
	t.Parallel()
	p224, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	url := "https://proof.example.org"
	for name, one := range map[string]struct {
		config client.Config
		key    crypto.Signer
		says   string
	}{
		"a token":          {client.Config{URL: url, Token: token}, newP256(t), "no Token"},
		"no key":           {client.Config{URL: url}, nil, "key is needed"},
		"P-224":            {client.Config{URL: url}, p224, "P-224"},
		"another kind":     {client.Config{URL: url}, strange{}, "kind"},
		"plain HTTP":       {client.Config{URL: "http://proof.example.org"}, newP256(t), "https"},
		"no URL":           {client.Config{}, newP256(t), "URL"},
		"a negative limit": {client.Config{URL: url, Attempts: -1}, newP256(t), "negative"},
	} {
		if _, err := client.NewHolder(one.config, one.key); err == nil || !strings.Contains(err.Error(), one.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type strange struct{ crypto.Signer }

func (strange) Public() crypto.PublicKey { return "a key" }
