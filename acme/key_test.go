package acme_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func unb64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func jwkOf(t testing.TB, key any) string {
	t.Helper()
	b, err := json.Marshal(jose.JSONWebKey{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func thumbprintOf(t testing.TB, key any) string {
	t.Helper()
	sum, err := (&jose.JSONWebKey{Key: key}).Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return b64(sum)
}

func curveKey(t testing.TB, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// RFC 7638 3.1 and RFC 8037 A.3.
func TestThumbprintsOfTheStandards(t *testing.T) {
	w := newWorld(t)
	for want, jwk := range map[string]string{
		thumbprint: `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`,
		"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k": `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
	} {
		o := w.want(t, 200, "POST", "/v1/accounts", `{"event":"created","account":{"url":"https://ca.example/acct/1","jwk":`+jwk+`}}`)
		if got := o.object("account").text("thumbprint"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestKeysThatAreAccepted(t *testing.T) {
	w := newWorld(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []any{
		&curveKey(t, elliptic.P256()).PublicKey, &curveKey(t, elliptic.P384()).PublicKey, &curveKey(t, elliptic.P521()).PublicKey, &rsaKey.PublicKey, ed,
	} {
		o := w.want(t, 200, "POST", "/v1/accounts", `{"event":"created","account":{"url":"https://ca.example/acct/1","jwk":`+jwkOf(t, key)+`}}`)
		if got, want := o.object("account").text("thumbprint"), thumbprintOf(t, key); got != want {
			t.Errorf("%T: %s, want %s", key, got, want)
		}
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	w := newWorld(t)
	const x, y = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"
	ec := `{"kty":"EC","crv":"P-256","x":"` + x + `","y":"` + y + `"`
	n := strings.Repeat("_", 342) // 2052 bits of ones, and more than enough
	for name, jwk := range map[string]string{
		"a private EC key":         ec + `,"d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}`,
		"a private member of null": ec + `,"d":null}`,
		"a symmetric key":          `{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}`,
		"a private RSA member":     `{"kty":"RSA","n":"` + n + `","e":"AQAB","p":"AQ"}`,
		"an unknown kty":           `{"kty":"AKP"}`,
		"kty in another case":      `{"kty":"ec","crv":"P-256","x":"` + x + `","y":"` + y + `"}`,
		"another curve":            `{"kty":"EC","crv":"secp256k1","x":"` + x + `","y":"` + y + `"}`,
		"a point off the curve":    `{"kty":"EC","crv":"P-256","x":"` + y + `","y":"` + x + `"}`,
		"a short coordinate":       `{"kty":"EC","crv":"P-256","x":"` + x[:40] + `","y":"` + y + `"}`,
		"no y":                     `{"kty":"EC","crv":"P-256","x":"` + x + `"}`,
		"base64 with padding":      `{"kty":"EC","crv":"P-256","x":"` + x + `=","y":"` + y + `"}`,
		"trailing bits":            `{"kty":"EC","crv":"P-256","x":"` + x[:42] + `5","y":"` + y + `"}`,
		"a small RSA key":          `{"kty":"RSA","n":"` + n[:171] + `","e":"AQAB"}`,
		"a huge RSA key":           `{"kty":"RSA","n":"` + strings.Repeat(n, 5) + `","e":"AQAB"}`,
		"an exponent of one":       `{"kty":"RSA","n":"` + n + `","e":"AQ"}`,
		"an even exponent":         `{"kty":"RSA","n":"` + n + `","e":"BA"}`,
		"a huge exponent":          `{"kty":"RSA","n":"` + n + `","e":"AQAAAAAB"}`,
		"a leading zero":           `{"kty":"RSA","n":"AA` + n[2:] + `","e":"AQAB"}`,
		"another Edwards curve":    `{"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
		"a short Edwards key":      `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7T"}`,
	} {
		o := w.want(t, 400, "POST", "/v1/accounts", `{"event":"created","account":{"url":"https://ca.example/acct/1","jwk":`+jwk+`}}`)
		found := false
		for _, s := range o.list("subproblems") {
			found = found || s.text("type") == "urn:ietf:params:acme:error:badPublicKey" && strings.HasPrefix(s.text("pointer"), "#/account/jwk")
		}
		if !found {
			t.Errorf("%s: %v", name, o)
		}
	}
	for name, tp := range map[string]string{"too short": thumbprint[:42], "padded": thumbprint + "=", "not canonical": thumbprint[:42] + "t", "not base64url": strings.Replace(thumbprint, "-", "+", 1)} {
		if o := w.want(t, 400, "POST", "/v1/accounts", `{"event":"deactivated","account":{"thumbprint":"`+tp+`"}}`); o.text("type") != "urn:ietf:params:acme:error:malformed" {
			t.Errorf("%s: %v", name, o)
		}
	}
}
