package challenges

import (
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/challenges/oidctest"
)

// hour is what a table changes a time claim by.
const hour = int64(3600)

// TestEachCheckOfAnIDToken has a provider sign tokens each of which fails one check of OpenID Connect Core
// 3.1.3.7, or one that RFC 8725 adds, and no other.
func TestEachCheckOfAnIDToken(t *testing.T) {
	shift := func(name string, by int64) func(h, c map[string]any) {
		return func(_, c map[string]any) { c[name] = c[name].(int64) + by }
	}
	set := func(name string, v any) func(h, c map[string]any) {
		return func(_, c map[string]any) { c[name] = v }
	}
	drop := func(name string) func(h, c map[string]any) {
		return func(_, c map[string]any) { delete(c, name) }
	}
	for _, row := range []struct {
		check string
		edit  func(header, claims map[string]any)
		code  string
		word  string
	}{
		{"2: another issuer", set("iss", "https://other.example"), oidcLoginFailed, "issued by a different provider"},
		{"2: the issuer with a slash", func(_, c map[string]any) { c["iss"] = c["iss"].(string) + "/" }, oidcLoginFailed, "issued by a different provider"},
		{"2: no issuer", drop("iss"), oidcLoginFailed, "issued by a different provider"},
		{"2: the issuer under another case", func(_, c map[string]any) { c["ISS"] = c["iss"]; delete(c, "iss") }, oidcLoginFailed, "another issuer"},
		{"3: another audience", set("aud", "somebody"), oidcLoginFailed, "audience"},
		{"3: no audience", drop("aud"), oidcLoginFailed, "audience"},
		{"3: an audience beside us", set("aud", []string{"countersign", "somebody"}), oidcLoginFailed, "for us alone"},
		{"3: an empty list", set("aud", []string{}), oidcLoginFailed, "audience"},
		{"4: several audiences and no azp", set("aud", []string{"countersign", "countersign"}), oidcLoginFailed, "for us alone"},
		{"5: another azp", set("azp", "somebody"), oidcLoginFailed, "azp"},
		{"7: none", func(h, _ map[string]any) { h["alg"] = "none" }, oidcLoginFailed, "unexpected signature algorithm"},
		{"7: an algorithm that is not pinned", func(h, _ map[string]any) { h["alg"] = "PS256" }, oidcLoginFailed, "unexpected signature algorithm"},
		{"7: an algorithm that is not the key's", func(h, _ map[string]any) { h["alg"] = "RS256" }, oidcLoginFailed, "not among the issuer's"},
		{"9: expired", shift("exp", -2*hour), oidcLoginFailed, "expired"},
		{"9: no expiry", drop("exp"), oidcLoginFailed, "expired"},
		{"9: expired beyond the skew", func(_, c map[string]any) { c["exp"] = c["iat"].(int64) - 61 }, oidcLoginFailed, "expired"},
		{"nbf: not yet in force", func(_, c map[string]any) { c["nbf"] = c["iat"].(int64) + 120 }, oidcLoginFailed, "nbf"},
		{"10: issued in the future", shift("iat", 120), oidcLoginFailed, "future (iat)"},
		{"10: issued too long ago", shift("iat", -hour), oidcLoginFailed, "too long ago (iat)"},
		{"10: no iat", drop("iat"), oidcLoginFailed, "iat is missing"},
		{"11: another nonce", set("nonce", "something"), oidcLoginFailed, "nonce"},
		{"11: no nonce", drop("nonce"), oidcLoginFailed, "nonce"},
		{"13: authenticated too long ago", shift("auth_time", -hour-1), oidcStale, "auth_time"},
		{"13: no auth_time", drop("auth_time"), oidcLoginFailed, "auth_time"},
		{"13: authenticated in the future", shift("auth_time", 120), oidcLoginFailed, "future (auth_time)"},
		{"13: auth_time as text", set("auth_time", "2026"), oidcLoginFailed, "auth_time"},
		{"3.1.3.8: another access token", set("at_hash", "AAAA"), oidcLoginFailed, "at_hash"},
		{"2: no subject", drop("sub"), oidcLoginFailed, "sub"},
		{"2: an empty subject", set("sub", ""), oidcLoginFailed, "sub"},
		{"2: a subject that is too long", set("sub", strings.Repeat("a", 256)), oidcLoginFailed, "sub"},
		{"2: a subject with a line's end", set("sub", "a\nb"), oidcLoginFailed, "sub"},
		{"2: amr that is no list", set("amr", "pwd"), oidcLoginFailed, "amr"},
		{"2: amr without end", set("amr", make([]string, 21)), oidcLoginFailed, "amr"},
		{"2: amr with a long word", set("amr", []string{strings.Repeat("a", 129)}), oidcLoginFailed, "amr"},
		{"2: acr without end", set("acr", strings.Repeat("a", 513)), oidcLoginFailed, "acr"},
		{"a token of logout", set("events", map[string]any{}), oidcLoginFailed, "logout"},
		{"an access token", func(h, _ map[string]any) { h["typ"] = "at+jwt" }, oidcLoginFailed, "another type"},
		{"an extension that must be understood", func(h, _ map[string]any) { h["crit"] = []string{"b64"}; h["b64"] = true }, oidcLoginFailed, "extensions"},
		{"a key that is not there", func(h, _ map[string]any) { h["kid"] = "two" }, oidcLoginFailed, "not among the issuer's"},
		{"a token without end", set("pad", strings.Repeat("a", maxIDToken)), oidcLoginFailed, "too large"},
	} {
		t.Run(row.check, func(t *testing.T) {
			w := newIDP(t)
			w.Edit = row.edit
			_, err := w.login()
			refusedWith(t, err, row.code, row.word)
			w.Edit = nil
			w.restart()
			if _, err := w.login(); err != nil {
				t.Errorf("without the fault: %v", err)
			}
		})
	}
}

// TestWhatAnIDTokenMayBe has tokens at the edges of what is allowed.
func TestWhatAnIDTokenMayBe(t *testing.T) {
	for what, edit := range map[string]func(h, c map[string]any){
		"as it is":                      nil,
		"the audience as a list":        func(_, c map[string]any) { c["aud"] = []string{"countersign"} },
		"azp is us":                     func(_, c map[string]any) { c["azp"] = "countersign" },
		"expired within the skew":       func(_, c map[string]any) { c["exp"] = c["iat"].(int64) - 59; c["iat"] = c["exp"] },
		"issued ahead within the skew":  func(_, c map[string]any) { c["iat"] = c["iat"].(int64) + 59 },
		"authenticated within the skew": func(_, c map[string]any) { c["auth_time"] = c["auth_time"].(int64) + 59 },
		"authenticated just in time":    func(_, c map[string]any) { c["auth_time"] = c["auth_time"].(int64) - hour },
		"no at_hash":                    func(_, c map[string]any) { delete(c, "at_hash") },
		"no acr and no amr":             func(_, c map[string]any) { delete(c, "acr"); delete(c, "amr") },
		"times with a fraction":         func(_, c map[string]any) { c["exp"] = float64(c["exp"].(int64)) + 0.5 },
		"no type in the header":         func(h, _ map[string]any) { delete(h, "typ") },
		"no key id in the header":       func(h, _ map[string]any) { delete(h, "kid") },
		"claims that nobody asked about": func(_, c map[string]any) {
			c["email"] = "alice@example.org"
			c["groups"] = []any{map[string]any{"a": "}"}}
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := newIDP(t)
			w.Edit = edit
			proof, err := w.login()
			if err != nil {
				t.Fatal(err)
			}
			if at := proof.Evidence.OIDC.AuthTime; at.After(w.clock()) {
				t.Errorf("authenticated at %v, which is yet to come", at)
			}
		})
	}
}

// TestSignaturesThatAreNone lets tokens be spoilt after they were signed.
func TestSignaturesThatAreNone(t *testing.T) {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	rsaKey := oidctest.NewKey("one", "RS256")
	public, err := x509.MarshalPKIXPublicKey(rsaKey.Private.Public().(*rsa.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	withHMAC := func(key []byte) func(string) string {
		return func(token string) string {
			parts := strings.Split(token, ".")
			input := part(`{"alg":"HS256","kid":"one"}`) + "." + parts[1]
			m := hmac.New(sha256.New, key)
			m.Write([]byte(input))
			return input + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
		}
	}
	for what, seal := range map[string]func(string) string{
		"by another key":                   func(token string) string { return resign(token, oidctest.NewKey("one", "RS256")) },
		"HS256 with the public key as DER": withHMAC(public),
		"HS256 with the public key as PEM": withHMAC(publicPEM),
		"HS256 with the client's secret":   withHMAC([]byte("client-secret")),
		"none, with no signature":          func(token string) string { return part(`{"alg":"none"}`) + "." + strings.Split(token, ".")[1] + "." },
		"None, with another spelling":      func(token string) string { return part(`{"alg":"nOnE"}`) + "." + strings.Split(token, ".")[1] + "." },
		"no signature":                     func(token string) string { return token[:strings.LastIndexByte(token, '.')+1] },
		"its last letter changed":          func(token string) string { return token[:len(token)-5] + "AAAAA" },
		"another payload":                  func(token string) string { return swapPayload(token) },
		"the key in the header":            func(token string) string { return resignWithHeaderKey(token) },
		"two tokens":                       func(token string) string { return token + "." + token },
		"as JSON":                          func(token string) string { return asJSON(token) },
		"nothing":                          func(string) string { return "x" },
	} {
		t.Run(what, func(t *testing.T) {
			w := newIDP(t)
			w.Rotate(rsaKey)
			if _, err := w.login(); err != nil {
				t.Fatalf("unspoilt: %v", err)
			}
			w.Seal = seal
			_, err := w.login()
			refusedWith(t, err, oidcLoginFailed, "")
		})
	}
}

func claimsOf(token string) (header, claims map[string]any) {
	parts := strings.Split(token, ".")
	for i, into := range []*map[string]any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			panic(err)
		}
	}
	return header, claims
}

func resign(token string, by *oidctest.Key) string {
	header, claims := claimsOf(token)
	return by.Sign(header, claims)
}

func resignWithHeaderKey(token string) string {
	header, claims := claimsOf(token)
	k := oidctest.NewKey("one", "RS256")
	header["jwk"] = k.JWK()
	return k.Sign(header, claims)
}

func swapPayload(token string) string {
	parts := strings.Split(token, ".")
	_, claims := claimsOf(token)
	claims["sub"] = "mallory"
	text, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	return parts[0] + "." + base64.RawURLEncoding.EncodeToString(text) + "." + parts[2]
}

func asJSON(token string) string {
	parts := strings.Split(token, ".")
	text, err := json.Marshal(map[string]string{"protected": parts[0], "payload": parts[1], "signature": parts[2]})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// TestAlgorithmsArePinned has a provider change to an algorithm that the agreement does not have.
func TestAlgorithmsArePinned(t *testing.T) {
	w := newIDP(t, func(i *Issuer) { i.Algorithms = []string{"ES256"} })
	w.Rotate(oidctest.NewKey("r", "RS256"))
	_, err := w.login()
	refusedWith(t, err, oidcLoginFailed, "unexpected signature algorithm")
}

// TestClaimsThatAreGivenTwice has two programs read one token differently, if they may.
func TestClaimsThatAreGivenTwice(t *testing.T) {
	for _, payload := range []string{`{"sub":"a","sub":"b"}`, `{"sub":"a","Sub":"b"}`, `{"sub":"a","\u0073ub":"b"}`} {
		if _, err := readClaims([]byte(payload), "i"); err == nil || !strings.Contains(err.Error(), "twice") {
			t.Errorf("%s: %v", payload, err)
		}
	}
}

func TestTimesThatAreNone(t *testing.T) {
	for _, raw := range []string{`"1700000000"`, `null`, `0`, `-5`, `1e300`, `{}`, `[1]`, `true`} {
		if at, err := numericDate(json.RawMessage(raw)); err == nil {
			t.Errorf("%s is %v", raw, at)
		}
	}
	if at, err := numericDate(json.RawMessage(`1700000000.25`)); err != nil || at.Sub(time.Unix(1700000000, 0)) != 250*time.Millisecond {
		t.Errorf("%v %v", at, err)
	}
}
