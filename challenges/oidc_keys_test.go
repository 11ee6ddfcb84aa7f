package challenges

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/countersign-id/countersign/challenges/oidctest"
	"github.com/countersign-id/countersign/proofing"
)

func testKey(t testing.TB, kind string) any {
	t.Helper()
	var key any
	var err error
	switch kind {
	case "RSA":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "RSA1024":
		t.Setenv("GODEBUG", "rsa1024min=0")
		key, err = rsa.GenerateKey(rand.Reader, 1024)
	case "EC":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func keyPEM(t testing.TB, key any) proofing.Secret {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return proofing.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func testKeyPEM(t testing.TB, kind string) proofing.Secret { return keyPEM(t, testKey(t, kind)) }

// TestUnknownKeysMakeNoMoreThanOneFetch floods us with tokens whose key nobody knows.
func TestUnknownKeysMakeNoMoreThanOneFetch(t *testing.T) {
	w := newIDP(t)
	if _, err := w.login(); err != nil {
		t.Fatal(err)
	}
	flood := func() {
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				stranger := oidctest.NewKey(fmt.Sprint("made-up-", i), "ES256")
				_, err := w.method.providers["work"].verify(t.Context(), stranger.Sign(map[string]any{"alg": "ES256", "kid": stranger.ID}, w.Claims(w.Accounts[0])), expectation{audience: "countersign"})
				refusedWith(t, err, oidcLoginFailed, "not among the issuer's")
			})
		}
		all.Wait()
	}
	flood() // within 30 s of the fetch that the login made
	if n := w.Calls("/jwks"); n != 1 {
		t.Errorf("%d fetches at once", n)
	}
	w.pass(31 * time.Second)
	flood()
	flood()
	if n := w.Calls("/jwks"); n != 2 {
		t.Errorf("%d fetches after half a minute", n)
	}
	if _, err := w.login(); err != nil {
		t.Errorf("meanwhile nobody can log in: %v", err)
	}
	if n := w.Calls("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("%d fetches of the metadata", n)
	}
}

// TestKeysMayChange has a provider sign with a new key, under a new name and under the old one.
func TestKeysMayChange(t *testing.T) {
	for _, name := range []string{"two", "one"} {
		w := newIDP(t)
		if _, err := w.login(); err != nil {
			t.Fatal(err)
		}
		w.Rotate(oidctest.NewKey(name, "ES256"))
		if _, err := w.login(); err == nil {
			t.Error("a key was fetched a moment after the last fetch")
		}
		w.pass(31 * time.Second)
		if _, err := w.login(); err != nil {
			t.Errorf("with the new key %s: %v", name, err)
		}
	}
}

// TestKeysAndMetadataGrowOld has a provider withdraw a key, and be away when they must be fetched anew.
func TestKeysAndMetadataGrowOld(t *testing.T) {
	w := newIDP(t)
	old := oidctest.NewKey("old", "ES256")
	w.Rotate(old)
	if _, err := w.login(); err != nil {
		t.Fatal(err)
	}
	w.Rotate(oidctest.NewKey("new", "ES256"))
	signed := func() error {
		_, err := w.method.providers["work"].verify(t.Context(), old.Sign(map[string]any{"alg": "ES256", "kid": "old"}, w.Claims(w.Accounts[0])), expectation{audience: "countersign", issuedWithin: time.Hour})
		return err
	}
	w.pass(59 * time.Minute)
	if err := signed(); err != nil {
		t.Errorf("within the hour: %v", err)
	}
	w.pass(2 * time.Minute)
	refusedWith(t, signed(), oidcLoginFailed, "not among the issuer's")
	if n := w.Calls("/.well-known/openid-configuration"); n != 2 {
		t.Errorf("%d fetches of the metadata in two hours", n)
	}
	w.pass(61 * time.Minute)
	w.intercept(func(rw http.ResponseWriter, _ *http.Request) bool { rw.WriteHeader(503); return true })
	if err := signed(); !errors.Is(err, proofing.ErrUnavailable) {
		t.Errorf("with a provider that is away: %v", err)
	}
	w.intercept(nil)
	if err := signed(); !errors.Is(err, proofing.ErrUnavailable) {
		t.Errorf("it is asked again at once: %v", err)
	}
	w.pass(31 * time.Second)
	refusedWith(t, signed(), oidcLoginFailed, "not among the issuer's")
}

// TestManyWhoNeedTheSameFetchItOnce has them all come to cold caches.
func TestManyWhoNeedTheSameFetchItOnce(t *testing.T) {
	w := newIDP(t)
	token := w.Token(w.Claims(w.Accounts[0]))
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := w.method.providers["work"].verify(t.Context(), token, expectation{audience: "countersign", issuedWithin: time.Hour}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if w.Calls("/jwks") != 1 || w.Calls("/.well-known/openid-configuration") != 1 {
		t.Errorf("%d and %d fetches", w.Calls("/jwks"), w.Calls("/.well-known/openid-configuration"))
	}
}

// TestWhoLeavesKeepsNobodyFromKnowing cancels the caller that began a fetch.
func TestWhoLeavesKeepsNobodyFromKnowing(t *testing.T) {
	w := newIDP(t)
	asked, goOn := make(chan struct{}), make(chan struct{})
	w.intercept(func(http.ResponseWriter, *http.Request) bool {
		close(asked)
		<-goOn
		return false
	})
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { left <- w.method.Prepare(ctx, proofing.Contact{Address: "work"}) }()
	<-asked
	w.intercept(nil)
	cancel()
	if err := <-left; !errors.Is(err, proofing.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("who left hears %v", err)
	}
	close(goOn)
	if err := w.method.Prepare(t.Context(), proofing.Contact{Address: "work"}); err != nil {
		t.Error(err)
	}
	if n := w.Calls("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

// TestProvidersThatMisbehave spoils metadata and keys in every way that costs us something.
func TestProvidersThatMisbehave(t *testing.T) {
	const discovery, jwks = "/.well-known/openid-configuration", "/jwks"
	member := func(name string, v any) func(*idp) {
		return func(w *idp) { w.Metadata = func(m map[string]any) { m[name] = v } }
	}
	body := func(path string, answer http.HandlerFunc) func(*idp) {
		return func(w *idp) {
			w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, "/elsewhere") {
					w.t.Error("a redirect was followed")
				}
				if !strings.HasSuffix(r.URL.Path, path) {
					return false
				}
				answer(rw, r)
				return true
			})
		}
	}
	write := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
	}
	manyKeys := `{"keys":[` + strings.TrimSuffix(strings.Repeat(string(must(json.Marshal(oidctest.NewKey("x", "ES256").JWK())))+",", 65), ",") + `]}`
	for what, spoil := range map[string]func(*idp){
		"another issuer":                    member("issuer", "https://other.example"),
		"no issuer":                         member("issuer", nil),
		"the issuer with a slash":           func(w *idp) { member("issuer", w.Issuer+"/")(w) },
		"a token endpoint without TLS":      member("token_endpoint", "http://idp.example/token"),
		"an authorization endpoint of none": member("authorization_endpoint", "javascript:alert(1)"),
		"no keys' address":                  member("jwks_uri", ""),
		"an endpoint that is no text":       member("token_endpoint", []string{"https://idp.example"}),
		"no PKCE":                           member("code_challenge_methods_supported", []string{"plain"}),
		"metadata that are no JSON":         body(discovery, write("<html>")),
		"metadata with a name twice":        body(discovery, write(`{"issuer":"a","issuer":"b"}`)),
		"metadata that are a list":          body(discovery, write(`[]`)),
		"metadata that are empty":           body(discovery, write(``)),
		"metadata without end":              body(discovery, write(`{"a":"`+strings.Repeat("a", maxMetadata)+`"}`)),
		"metadata elsewhere":                body(discovery, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }),
		"no metadata":                       body(discovery, func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }),
		"keys without end":                  body(jwks, write(`{"keys":[],"a":"`+strings.Repeat("a", maxKeySet)+`"}`)),
		"too many keys":                     body(jwks, write(manyKeys)),
		"keys that are no JSON":             body(jwks, write(`{`)),
		"keys that are no list":             body(jwks, write(`{"keys":7}`)),
		"no keys":                           body(jwks, write(`{}`)),
		"keys elsewhere": body(jwks, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusMovedPermanently)
		}),
	} {
		t.Run(what, func(t *testing.T) {
			w := newIDP(t)
			spoil(w)
			_, err := w.method.providers["work"].verify(t.Context(), w.Token(w.Claims(w.Accounts[0])), expectation{audience: "countersign", issuedWithin: time.Hour})
			if !errors.Is(err, proofing.ErrUnavailable) {
				t.Errorf("it ends with %v", err)
			}
		})
	}
}

// TestASlowProviderIsNotWaitedFor has a provider send metadata drop by drop. Time is real here, but short.
func TestASlowProviderIsNotWaitedFor(t *testing.T) {
	w := newIDP(t)
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	w.intercept(func(rw http.ResponseWriter, _ *http.Request) bool {
		_, _ = rw.Write([]byte("{"))
		_ = http.NewResponseController(rw).Flush()
		<-done
		return true
	})
	r := remote[[]byte]{what: "metadata", now: w.clock, fetch: func(ctx context.Context) ([]byte, error) {
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > remoteTimeout {
			t.Error("the call has no end")
		}
		ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond) // the rest of ten seconds
		defer cancel()
		return get(ctx, w.client, w.Issuer+"/.well-known/openid-configuration", maxMetadata)
	}}
	if _, err := r.fresh(t.Context()); !errors.Is(err, proofing.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it ends with %v", err)
	}
}

// TestKeysThatAreOfNoUse are left out of a set, without harm to the others.
func TestKeysThatAreOfNoUse(t *testing.T) {
	good := oidctest.NewKey("one", "ES256")
	small := testKey(t, "RSA1024").(*rsa.PrivateKey)
	weak, err := json.Marshal(jose.JSONWebKey{Key: small.Public(), KeyID: "one"})
	if err != nil {
		t.Fatal(err)
	}
	private, err := json.Marshal(jose.JSONWebKey{Key: testKey(t, "EC"), KeyID: "one"})
	if err != nil {
		t.Fatal(err)
	}
	encryption := good.JWK()
	encryption["use"] = "enc"
	keys := []string{`{"kty":"oct","k":"c2VjcmV0","kid":"one"}`, `{"kty":"new"}`, `7`, string(weak), string(private), string(must(json.Marshal(encryption)))}
	w := newIDP(t)
	w.Rotate(good)
	set := ""
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/jwks") {
			_, _ = rw.Write([]byte(set))
			return true
		}
		return false
	})
	set = `{"keys":[` + strings.Join(append(keys, string(must(json.Marshal(good.JWK())))), ",") + `]}`
	if _, err := w.login(); err != nil {
		t.Errorf("among others: %v", err)
	}
	if n := len(w.method.providers["work"].keys.value.keys); n != 1 {
		t.Errorf("%d keys are kept", n)
	}
	w.restart()
	set = `{"keys":[` + strings.Join(keys, ",") + `]}`
	_, err = w.login()
	refusedWith(t, err, oidcLoginFailed, "not among the issuer's")
}

// seal encrypts a token as a provider does.
func seal(t testing.TB, token string, alg jose.KeyAlgorithm, enc jose.ContentEncryption, to any, zip jose.CompressionAlgorithm) string {
	t.Helper()
	options := (&jose.EncrypterOptions{Compression: zip}).WithContentType("JWT")
	e, err := jose.NewEncrypter(enc, jose.Recipient{Algorithm: alg, Key: to}, options)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := e.Encrypt([]byte(token))
	if err != nil {
		t.Fatal(err)
	}
	text, err := sealed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestEncryptedTokens(t *testing.T) {
	rsaKey, ecKey := testKey(t, "RSA").(*rsa.PrivateKey), testKey(t, "EC").(*ecdsa.PrivateKey)
	other := testKey(t, "RSA").(*rsa.PrivateKey)
	for what, c := range map[string]struct {
		key  any // ours
		seal func(string) string
		word string // of the refusal; empty: it is accepted
	}{
		"RSA-OAEP-256":   {rsaKey, func(s string) string { return seal(t, s, jose.RSA_OAEP_256, jose.A256GCM, rsaKey.Public(), "") }, ""},
		"ECDH-ES":        {ecKey, func(s string) string { return seal(t, s, jose.ECDH_ES, jose.A128GCM, ecKey.Public(), "") }, ""},
		"ECDH-ES+A256KW": {ecKey, func(s string) string { return seal(t, s, jose.ECDH_ES_A256KW, jose.A256CBC_HS512, ecKey.Public(), "") }, ""},
		"not encrypted":  {rsaKey, func(s string) string { return s }, "not served"},
		"RSA1_5":         {rsaKey, func(s string) string { return seal(t, s, jose.RSA1_5, jose.A256GCM, rsaKey.Public(), "") }, "not served"},
		"compressed": {rsaKey, func(s string) string {
			return seal(t, s, jose.RSA_OAEP_256, jose.A256GCM, rsaKey.Public(), jose.DEFLATE)
		}, "compressed"},
		"to another key": {rsaKey, func(s string) string { return seal(t, s, jose.RSA_OAEP_256, jose.A256GCM, other.Public(), "") }, "not encrypted to us"},
		"twice": {rsaKey, func(s string) string {
			return seal(t, seal(t, s, jose.RSA_OAEP_256, jose.A256GCM, rsaKey.Public(), ""), jose.RSA_OAEP_256, jose.A256GCM, rsaKey.Public(), "")
		}, "not a signed token"},
		"claims without a signature": {rsaKey, func(s string) string {
			_, claims := claimsOf(s)
			return seal(t, string(must(json.Marshal(claims))), jose.RSA_OAEP_256, jose.A256GCM, rsaKey.Public(), "")
		}, "not a signed token"},
	} {
		t.Run(what, func(t *testing.T) {
			w := newIDP(t, func(i *Issuer) { i.Decryption = keyPEM(t, c.key) })
			w.Seal = c.seal
			proof, err := w.login()
			if c.word != "" {
				refusedWith(t, err, oidcLoginFailed, c.word)
				return
			}
			if err != nil || !proof.Evidence.OIDC.Encrypted {
				t.Errorf("%+v %v", proof.Evidence.OIDC, err)
			}
		})
	}
	w := newIDP(t) // has no key
	w.Seal = func(s string) string { return seal(t, s, jose.RSA_OAEP_256, jose.A256GCM, rsaKey.Public(), "") }
	_, err := w.login()
	refusedWith(t, err, oidcLoginFailed, "not a signed token")
}
