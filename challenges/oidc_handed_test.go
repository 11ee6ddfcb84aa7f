package challenges

import (
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/countersign-id/countersign/proofing"
)

const testKeyAuth = "token.thumbprint"

func testHandover() (to proofing.Handover, digest string) {
	sum := sha256.Sum256([]byte(testKeyAuth))
	return proofing.Handover{KeyAuthorization: testKeyAuth, Origin: testOrigin, Challenge: "https://ca.example/v1/preauthorizations/x/challenge"},
		base64.RawURLEncoding.EncodeToString(sum[:])
}

// TestATokenThatIsHandedInIsBoundToTheCase has a token for each way of binding, and for what is none.
func TestATokenThatIsHandedInIsBoundToTheCase(t *testing.T) {
	to, digest := testHandover()
	for what, row := range map[string]struct {
		claims map[string]any
		code   string // of the refusal; empty: it is accepted
	}{
		"by its audience":                     {map[string]any{"aud": testOrigin + "/ka/" + digest}, ""},
		"by a list of that audience":          {map[string]any{"aud": []string{testOrigin + "/ka/" + digest}}, ""},
		"by a nonce":                          {map[string]any{"nonce": digest}, ""},
		"by keyauth and acme_aud":             {map[string]any{"keyauth": testKeyAuth, "acme_aud": to.Challenge}, ""},
		"by nothing":                          {map[string]any{}, oidcNotBound},
		"by another case's audience":          {map[string]any{"aud": testOrigin + "/ka/" + digest[1:]}, oidcLoginFailed},
		"by that audience on another service": {map[string]any{"aud": "https://other.example/ka/" + digest}, oidcLoginFailed},
		"by that audience and another":        {map[string]any{"aud": []string{testOrigin + "/ka/" + digest, "x"}}, oidcLoginFailed},
		"by that audience and us":             {map[string]any{"aud": []string{testOrigin + "/ka/" + digest, "countersign"}}, oidcLoginFailed},
		"by another nonce":                    {map[string]any{"nonce": digest + "x"}, oidcNotBound},
		"by keyauth alone":                    {map[string]any{"keyauth": testKeyAuth}, oidcNotBound},
		"by keyauth for another challenge":    {map[string]any{"keyauth": testKeyAuth, "acme_aud": to.Challenge + "x"}, oidcNotBound},
		"by another keyauth":                  {map[string]any{"keyauth": "other.thumbprint", "acme_aud": to.Challenge}, oidcNotBound},
		"by a nonce, for somebody else":       {map[string]any{"nonce": digest, "aud": "somebody"}, oidcLoginFailed},
		"by a nonce, to another party":        {map[string]any{"nonce": digest, "azp": "somebody"}, oidcLoginFailed},
		"of an issuer that nobody knows":      {map[string]any{"nonce": digest, "iss": "https://other.example"}, oidcIssuerUnknown},
		"that lives for more than a day":      {map[string]any{"nonce": digest, "exp": int64(1 << 34)}, oidcLoginFailed},
		"after a login that is too long ago":  {map[string]any{"nonce": digest, "auth_time": int64(1600000000)}, oidcStale},
	} {
		t.Run(what, func(t *testing.T) {
			w := newIDP(t)
			claims := w.Claims(w.Accounts[0])
			for name, v := range row.claims {
				claims[name] = v
			}
			handed, err := w.method.Receive(t.Context(), proofing.Secret(w.Token(claims)), to)
			if row.code != "" {
				refusedWith(t, err, row.code, "")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			f := handed.Proof.Evidence.OIDC
			if handed.Issuer != "work" || f.Channel != proofing.ChannelFront || f.Encrypted || f.Trust.RPInitiated || f.Trust.InjectionProtected || !f.Trust.PreEstablished || f.MaxAge != nil {
				t.Errorf("%+v %+v", f, f.Trust)
			}
			if handed.Proof.Contact.Address.Reveal() != w.Issuer+" alice-1" || !handed.Expires.Equal(w.clock().Add(6*time.Minute)) || !strings.HasPrefix(handed.Once, "hash ") {
				t.Errorf("%+v", handed)
			}
		})
	}
}

// TestATokenHasOneName gives the same token in every form in which it verifies.
func TestATokenHasOneName(t *testing.T) {
	to, digest := testHandover()
	w := newIDP(t)
	claims := w.Claims(w.Accounts[0])
	claims["nonce"] = digest
	name := func(token string) string {
		t.Helper()
		handed, err := w.method.Receive(t.Context(), proofing.Secret(token), to)
		if err != nil {
			t.Fatal(err)
		}
		return handed.Once
	}
	token := w.Token(claims)
	first := name(token)
	// Of an ECDSA signature (r, s) there is a second one, (r, n-s), that needs no key.
	cut := strings.LastIndexByte(token, '.')
	signature, err := base64.RawURLEncoding.DecodeString(token[cut+1:])
	if err != nil {
		t.Fatal(err)
	}
	s := new(big.Int).SetBytes(signature[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(signature[32:])
	if again := name(token[:cut+1] + base64.RawURLEncoding.EncodeToString(signature)); again != first {
		t.Errorf("%s and %s", first, again)
	}
	claims["jti"] = "7"
	byID := name(w.Token(claims))
	claims["iat"] = claims["iat"].(int64) - 1
	if again := name(w.Token(claims)); again != byID || byID != "jti "+w.Issuer+" 7" {
		t.Errorf("%s and %s", byID, again)
	}
}

func TestTokensOfSomeIssuersMayNotBeHandedIn(t *testing.T) {
	to, digest := testHandover()
	w := newIDP(t, func(i *Issuer) { i.HandedIn = false })
	claims := w.Claims(w.Accounts[0])
	claims["nonce"] = digest
	_, err := w.method.Receive(t.Context(), proofing.Secret(w.Token(claims)), to)
	refusedWith(t, err, oidcIssuerUnknown, "")
	if w.Calls("/jwks") != 0 {
		t.Error("the issuer was asked all the same")
	}
}

func TestWhatIsNoTokenIsNotTakenToAnybody(t *testing.T) {
	to, _ := testHandover()
	w := newIDP(t)
	for _, token := range []proofing.Secret{"", "x", "a.b.c", "....", "e30.e30.", proofing.Secret(strings.Repeat("a", maxIDToken+1))} {
		var input *proofing.InputError
		if _, err := w.method.Receive(t.Context(), token, to); !errors.As(err, &input) {
			t.Errorf("%.20s: %v", token.Reveal(), err)
		}
	}
	if w.Calls("/jwks") != 0 {
		t.Error("an issuer was asked")
	}
}

func TestAnEncryptedTokenMayBeHandedIn(t *testing.T) {
	to, digest := testHandover()
	key := testKey(t, "RSA").(*rsa.PrivateKey)
	w := newIDP(t, func(i *Issuer) { i.Decryption = keyPEM(t, key) })
	claims := w.Claims(w.Accounts[0])
	claims["nonce"] = digest
	_, err := w.method.Receive(t.Context(), proofing.Secret(seal(t, w.Token(claims), jose.RSA_OAEP_256, jose.A256GCM, key.Public(), "")), to)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.method.Receive(t.Context(), proofing.Secret(w.Token(claims)), to)
	refusedWith(t, err, oidcLoginFailed, "not served")
	stranger := testKey(t, "RSA").(*rsa.PrivateKey)
	_, err = w.method.Receive(t.Context(), proofing.Secret(seal(t, w.Token(claims), jose.RSA_OAEP_256, jose.A256GCM, stranger.Public(), "")), to)
	refusedWith(t, err, oidcIssuerUnknown, "")
}

// Whoever has our public key can wrap a token that the provider has sent in the clear, however it is bound: what was handed in is never taken for one that the provider has encrypted.
func TestATokenThatIsHandedInIsNotEncryptedByItsProvider(t *testing.T) {
	to, digest := testHandover()
	for name, binds := range map[string]func(claims map[string]any){
		"by its audience": func(c map[string]any) { c["aud"] = testOrigin + "/ka/" + digest },
		"by its nonce":    func(c map[string]any) { c["nonce"] = digest },
		"by its keyauth":  func(c map[string]any) { c["keyauth"], c["acme_aud"] = to.KeyAuthorization.Reveal(), to.Challenge },
	} {
		key := testKey(t, "RSA").(*rsa.PrivateKey)
		w := newIDP(t, func(i *Issuer) { i.Decryption = keyPEM(t, key) })
		claims := w.Claims(w.Accounts[0])
		binds(claims)
		handed, err := w.method.Receive(t.Context(), proofing.Secret(seal(t, w.Token(claims), jose.RSA_OAEP_256, jose.A256GCM, key.Public(), "")), to)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		e := handed.Proof.Evidence
		if e.OIDC.Encrypted {
			t.Errorf("%s: it is taken for one that its provider has encrypted", name)
		}
		if a := proofing.Assess(proofing.R3, proofing.OperatorFacts{}, w.now, []proofing.Evidence{e}); a.FAL != nil {
			t.Errorf("%s: it has FAL %d", name, *a.FAL)
		}
		if a := proofing.Assess(proofing.R4, proofing.OperatorFacts{}, w.now, []proofing.Evidence{e}); a.FAL == nil || *a.FAL != 1 {
			t.Errorf("%s: under revision 4 it has FAL %v", name, a.FAL)
		}
	}
}

// Issuers may share a key, as a client has one set of them.
func TestATokenIsOfTheIssuerThatItNamesWhoeverElseHasItsKey(t *testing.T) {
	to, digest := testHandover()
	key := testKey(t, "RSA").(*rsa.PrivateKey)
	w := newIDP(t, func(i *Issuer) { i.Decryption = keyPEM(t, key) })
	other := w.issuer
	other.Name, other.URL = "other", "https://other.example"
	both, err := NewOIDC(OIDCConfig{Issuers: []Issuer{other, w.issuer}, Now: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	claims := w.Claims(w.Accounts[0])
	claims["nonce"] = digest
	token := proofing.Secret(seal(t, w.Token(claims), jose.RSA_OAEP_256, jose.A256GCM, key.Public(), ""))
	for range 50 { // whichever is asked first
		handed, err := both.Receive(t.Context(), token, to)
		if err != nil || handed.Issuer != "work" {
			t.Fatalf("%+v %v", handed, err)
		}
	}
}

func TestAnIssuerThatIsDownGrantsNothing(t *testing.T) {
	to, digest := testHandover()
	w := newIDP(t)
	w.intercept(func(rw http.ResponseWriter, _ *http.Request) bool { rw.WriteHeader(502); return true })
	claims := w.Claims(w.Accounts[0])
	claims["nonce"] = digest
	if _, err := w.method.Receive(t.Context(), proofing.Secret(w.Token(claims)), to); !errors.Is(err, proofing.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	if err := w.method.Prepare(t.Context(), proofing.Contact{Address: "work"}); !errors.Is(err, proofing.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}
