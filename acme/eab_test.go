package acme_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/countersign-id/countersign/acme"
	"github.com/countersign-id/countersign/proofing"
)

const newAccount = "https://ca.example/acme/new-account"

// withDirectory gives the authority a directory.
func withDirectory(t testing.TB) *world {
	w := newWorld(t)
	w.haveDirectory(t)
	return w
}

// haveDirectory gives both authorities the one directory.
func (w *world) haveDirectory(t testing.TB) {
	t.Helper()
	for _, name := range []string{"alpha", "beta"} {
		if _, err := w.Authorities.Update(t.Context(), w.AuthorityID(name), func(ca *proofing.Authority) error {
			ca.Directories, ca.NewAccounts = []string{"https://ca.example/acme/directory"}, []string{newAccount}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// binding is what an authority asks about one account, part by part, so that a test can spoil one of them.
type binding struct {
	alg        jose.SignatureAlgorithm
	secret     []byte
	url        string         // outer
	outer      any            // JWK
	header     map[string]any // of the inner JWS
	payload    []byte
	after      func(jws, body map[string]any) // edits what is sent
	replaceMAC string
}

func accountJWK(t testing.TB) jose.JSONWebKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: key.Public()}
}

func newBinding(t testing.TB, kid, secret string) *binding {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	key := accountJWK(t)
	payload, err := key.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return &binding{alg: jose.HS256, secret: raw, url: newAccount, outer: key, payload: payload, header: map[string]any{"kid": kid, "url": newAccount}}
}

// body signs with go-jose, which is not what verifies.
func (b *binding) body(t testing.TB) string {
	t.Helper()
	options := &jose.SignerOptions{}
	for name, value := range b.header {
		if name != "alg" {
			options.WithHeader(jose.HeaderKey(name), value)
		}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: b.alg, Key: b.secret}, options)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(b.payload)
	if err != nil {
		t.Fatal(err)
	}
	var jws map[string]any
	if err := json.Unmarshal([]byte(signed.FullSerialize()), &jws); err != nil {
		t.Fatal(err)
	}
	if b.replaceMAC != "" {
		jws["signature"] = b.replaceMAC
	}
	body := map[string]any{"url": b.url, "jwk": b.outer, "externalAccountBinding": jws}
	if b.after != nil {
		b.after(jws, body)
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (w *world) makeKey(t testing.TB, body string) object {
	t.Helper()
	return w.want(t, http.StatusCreated, "POST", "/v1/eab/keys", body)
}

func TestABindingByGoJoseIsGood(t *testing.T) {
	w := withDirectory(t)
	k := w.makeKey(t, `{"profile": "client", "subject": "customer 1", "identifiers": [{"type": "email", "value": "applicant@example.org"}]}`)
	for _, name := range []string{"kid", "hmac_key"} {
		if v := k.text(name); v == "" || v[0] == '-' || strings.ContainsAny(v, "=+/") {
			t.Errorf("%s is %q", name, v)
		}
	}
	for client, text := range k.object("instructions") {
		if !strings.Contains(text.(string), k.text("hmac_key")) {
			t.Errorf("the instructions for %s have no key: %s", client, text)
		}
	}
	b := newBinding(t, k.text("kid"), k.text("hmac_key"))
	first := w.want(t, http.StatusOK, "POST", "/v1/eab/verify", b.body(t))
	again := w.want(t, http.StatusOK, "POST", "/v1/eab/verify", b.body(t))
	if first.text("recheck_after") != "2026-11-24T10:00:00Z" || first.text("expires") <= first.text("recheck_after") { // the profile's day, and not the key's months
		t.Errorf("believed until %s of %s", first.text("recheck_after"), first.text("expires"))
	}
	if first.text("kid") != k.text("kid") || first.text("subject") != "customer 1" || first["assessment"] != nil || first.text("bound_at") != again.text("bound_at") {
		t.Errorf("first %v, again %v", first, again)
	}
	thumbprint := b.outer.(jose.JSONWebKey)
	if sum, _ := thumbprint.Thumbprint(5); base64.RawURLEncoding.EncodeToString(sum) != first.text("account_thumbprint") {
		t.Errorf("the account is %s", first.text("account_thumbprint"))
	}
	shown := w.want(t, http.StatusOK, "GET", "/v1/eab/keys/"+k.text("kid"), "")
	if _, leaked := shown["hmac_key"]; leaked || len(shown.list("accounts")) != 1 || strings.Contains(fmt.Sprint(shown), k.text("hmac_key")) {
		t.Errorf("the key is shown as %v", shown)
	}
	if list := w.want(t, http.StatusOK, "GET", "/v1/eab/keys", ""); len(list.list("keys")) != 1 || strings.Contains(fmt.Sprint(list), k.text("hmac_key")) {
		t.Errorf("the list is %v", list)
	}
	if strings.Contains(w.log.String(), k.text("hmac_key")) {
		t.Error("the key is in the log")
	}
	if k["warnings"] != nil {
		t.Errorf("where all is set up the key comes with %v", k["warnings"])
	}
	whose := w.makeKey(t, `{"profile": "client", "subject": "customer 1&2"}`)
	if list := w.want(t, http.StatusOK, "GET", "/v1/eab/keys?subject=customer+1%262", "").list("keys"); len(list) != 1 || list[0].text("kid") != whose.text("kid") {
		t.Errorf("of one subject there are %v", list)
	}
	if list := w.want(t, http.StatusOK, "GET", "/v1/eab/keys?subject=nobody", "").list("keys"); len(list) != 0 {
		t.Errorf("of nobody there are %v", list)
	}
	next := w.want(t, http.StatusCreated, "POST", "/v1/eab/keys/"+k.text("kid")+"/rotate", `{"overlap": 60}`)
	b2 := newBinding(t, next.text("kid"), next.text("hmac_key"))
	b2.outer, b2.payload = b.outer, b.payload
	w.want(t, http.StatusOK, "POST", "/v1/eab/verify", b2.body(t))
	w.want(t, http.StatusOK, "POST", "/v1/eab/keys/"+next.text("kid")+"/revoke", `{}`)
	for _, each := range []*binding{b, b2} {
		w.want(t, http.StatusForbidden, "POST", "/v1/eab/verify", each.body(t))
	}
	if r := w.do(t, "GET", "/v1/eab/keys/"+k.text("kid"), w.stranger, ""); r.Code != http.StatusNotFound {
		t.Errorf("another authority sees the key: %d", r.Code)
	}
}

// Whoever has forgotten the newAccount URL is told that it is not the CA's request that is wrong.
func TestABindingAtACAWithoutANewAccountURLSaysWhatToDo(t *testing.T) {
	w := newWorld(t)
	k := w.makeKey(t, `{"profile": "client"}`)
	if warned := k.list("warnings"); len(warned) != 1 || warned[0].text("code") != "no_new_account" {
		t.Errorf("the key comes with %v", warned)
	}
	o := w.want(t, http.StatusBadRequest, "POST", "/v1/eab/verify", newBinding(t, k.text("kid"), k.text("hmac_key")).body(t))
	if o.text("type") != "urn:ietf:params:acme:error:malformed" || !strings.Contains(o.text("detail"), "countersign ca set") {
		t.Errorf("%v", o)
	}
}

// What an ACME client has written twice is malformed, which its CA can pass on; what the CA itself has is a mistake of ours to name.
func TestWhatIsTwiceInABindingIsMalformed(t *testing.T) {
	w := withDirectory(t)
	k := w.makeKey(t, `{"profile": "client"}`)
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","kid":"` + k.text("kid") + `","kid":"other","url":"` + newAccount + `"}`))
	sound := newBinding(t, k.text("kid"), k.text("hmac_key"))
	sound.after = func(jws, _ map[string]any) { jws["protected"] = header }
	whole := newBinding(t, k.text("kid"), k.text("hmac_key")).body(t)
	for body, want := range map[string]string{
		sound.body(t): "urn:ietf:params:acme:error:malformed",
		strings.Replace(whole, `"protected":`, `"protected":"","protected":`, 1): "urn:ietf:params:acme:error:malformed",
		strings.Replace(whole, `"kty":`, `"kty":"RSA","kty":`, 1):                "urn:ietf:params:acme:error:malformed",
		strings.Replace(whole, `"url":`, `"url":"","url":`, 1):                   "urn:countersign:error:duplicateMember",
	} {
		r := w.do(t, "POST", "/v1/eab/verify", w.token, body)
		if o := decode(t, r); r.Code != http.StatusBadRequest || o.text("type") != want && !strings.Contains(r.Body.String(), want) || strings.HasPrefix(want, "urn:ietf") && strings.Contains(r.Body.String(), "urn:countersign") {
			t.Errorf("%d %v, want %s", r.Code, o, want)
		}
	}
}

// The outer JWS is signed by a key that is not served (RFC 8555 6.7). The payload of the inner one signs nothing: a fault in it is one of the binding's shape.
func TestAnAccountKeyThatIsNotServedIsToldFromABindingThatIsNoBinding(t *testing.T) {
	w := withDirectory(t)
	k := w.makeKey(t, `{"profile": "client"}`)
	small := `{"kty":"RSA","n":"` + strings.Repeat("_", 170) + `8","e":"AQAB"}`
	for what, c := range map[string]struct{ outer, payload, want, at string }{
		"both":             {small, small, "badPublicKey", "#/jwk"},
		"the outer alone":  {small, "", "badPublicKey", "#/jwk"},
		"the payload":      {"", small, "malformed", "#/externalAccountBinding/payload"},
		"a private member": {"", `{"kty":"EC","d":"AAAA"}`, "malformed", "#/externalAccountBinding/payload/d"},
	} {
		b := newBinding(t, k.text("kid"), k.text("hmac_key"))
		if c.outer != "" {
			b.outer = json.RawMessage(c.outer)
		}
		if c.payload != "" {
			b.payload = []byte(c.payload)
		}
		o := w.want(t, http.StatusBadRequest, "POST", "/v1/eab/verify", b.body(t))
		told := o.list("subproblems")
		if want := "urn:ietf:params:acme:error:" + c.want; o.text("type") != want || len(told) != 1 || told[0].text("type") != want || told[0].text("pointer") != c.at {
			t.Errorf("%s: %v", what, o)
		}
	}
}

func TestABindingAlwaysSaysWhoseItIs(t *testing.T) {
	w := withDirectory(t)
	k := w.makeKey(t, `{"profile": "client"}`)
	o := w.want(t, http.StatusOK, "POST", "/v1/eab/verify", newBinding(t, k.text("kid"), k.text("hmac_key")).body(t))
	if subject, ok := o["subject"]; !ok || subject != "" {
		t.Errorf("of a key for nobody in particular the subject is %v", subject)
	}
}

// What depends on the key is refused in one way, byte for byte.
func TestRefusedBindingsLookAlike(t *testing.T) {
	w := withDirectory(t)
	k := w.makeKey(t, `{"profile": "client"}`)
	gone := w.makeKey(t, `{"profile": "client"}`)
	w.want(t, http.StatusOK, "POST", "/v1/eab/keys/"+gone.text("kid")+"/revoke", "")
	kid, secret := k.text("kid"), k.text("hmac_key")
	other := accountJWK(t)
	answers := map[string]string{}
	for what, b := range map[string]func() (*binding, string){
		"an unknown kid":       func() (*binding, string) { return newBinding(t, "csnobody", secret), w.token },
		"a kid that is no kid": func() (*binding, string) { return newBinding(t, "../../etc/passwd", secret), w.token },
		"another authority's":  func() (*binding, string) { return newBinding(t, kid, secret), w.stranger },
		"a wrong MAC":          func() (*binding, string) { return newBinding(t, kid, gone.text("hmac_key")), w.token },
		"a revoked key":        func() (*binding, string) { return newBinding(t, gone.text("kid"), gone.text("hmac_key")), w.token },
		"a MAC cut short": func() (*binding, string) {
			b := newBinding(t, kid, secret)
			b.replaceMAC = "AAAA"
			return b, w.token
		},
		"another algorithm": func() (*binding, string) {
			b := newBinding(t, kid, secret)
			b.alg, b.secret = jose.HS512, append(b.secret, make([]byte, 32)...)
			return b, w.token
		},
		"somebody else's binding": func() (*binding, string) {
			b := newBinding(t, kid, secret)
			b.outer = other
			return b, w.token
		},
	} {
		made, token := b()
		r := w.do(t, "POST", "/v1/eab/verify", token, made.body(t))
		if r.Code != http.StatusForbidden {
			t.Errorf("%s: %d %s", what, r.Code, r.Body)
		}
		answers[r.Body.String()] = what
	}
	if len(answers) != 1 {
		t.Errorf("they can be told apart: %v", slices.Collect(maps.Values(answers)))
	}
}

// The vectors are texts, one mistake each: a body, and what is said of it.
func TestVectorsOfBindings(t *testing.T) {
	w := withDirectory(t)
	files, err := filepath.Glob("testdata/eab/*.txt")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d vectors, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, body, ok := strings.Cut(string(text), "\n\n")
		var want []string
		for line := range strings.SplitSeq(head, "\n") {
			name, value, _ := strings.Cut(line, ": ")
			if name != "Says" {
				t.Fatalf("%s: unknown header %q", file, name)
			}
			want = append(want, value)
		}
		if !ok || len(want) == 0 {
			t.Fatalf("%s is no vector", file)
		}
		r := w.do(t, "POST", "/v1/eab/verify", w.token, strings.TrimSuffix(body, "\n"))
		var got []string
		p := decode(t, r)
		for _, sub := range p.list("subproblems") {
			got = append(got, sub.text("pointer")+" "+sub.text("detail"))
		}
		if len(got) == 0 {
			got = []string{p.text("detail")}
		}
		if r.Code != http.StatusBadRequest || !slices.Equal(got, want) {
			t.Errorf("%s: %d\n got %q\nwant %q", file, r.Code, got, want)
		}
	}
}

// FuzzBinding holds what is read against go-jose: whatever is accepted, it reads as the same JWS.
func FuzzBinding(f *testing.F) {
	files, _ := filepath.Glob("testdata/eab/*.txt")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		_, body, _ := strings.Cut(string(text), "\n\n")
		f.Add([]byte(body))
	}
	f.Add([]byte(newBinding(f, "cs0123456789", base64.RawURLEncoding.EncodeToString(make([]byte, 32))).body(f)))
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := acme.ReadBinding(body, []string{newAccount})
		if err != nil {
			return
		}
		var sent struct {
			JWK jose.JSONWebKey `json:"jwk"`
			EAB json.RawMessage `json:"externalAccountBinding"`
		}
		if err := json.Unmarshal(body, &sent); err != nil {
			t.Fatalf("accepted, and not JSON: %v", err)
		}
		signed, err := jose.ParseSignedJSON(string(sent.EAB), []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512})
		if err != nil {
			t.Fatalf("accepted, and not by go-jose: %v", err)
		}
		if h := signed.Signatures[0].Protected; h.KeyID != b.Kid || h.Algorithm != b.Algorithm || h.Nonce != "" {
			t.Errorf("read as %q %q, and by go-jose as %+v", b.Kid, b.Algorithm, h)
		}
		if sum, err := sent.JWK.Thumbprint(crypto.SHA256); err != nil || base64.RawURLEncoding.EncodeToString(sum) != b.Thumbprint {
			t.Errorf("the outer key is %s here, %x for go-jose: %v", b.Thumbprint, sum, err)
		}
	})
}

// BenchmarkBinding measures what a binding takes to be read and verified beside a bare HMAC of the same bytes and beside go-jose, which
// does as much: parse, header, MAC, key, thumbprint. What counts is the fastest turn of each: all else is the machine's other work.
func BenchmarkBinding(b *testing.B) {
	secret := make([]byte, 32)
	text := []byte(newBinding(b, "cs0123456789", base64.RawURLEncoding.EncodeToString(secret)).body(b))
	urls := []string{newAccount}
	read, err := acme.ReadBinding(text, urls)
	if err != nil {
		b.Fatal(err)
	}
	bare := func() {
		mac := hmac.New(sha256.New, secret)
		mac.Write(read.Signed)
		if !hmac.Equal(mac.Sum(nil), read.MAC) {
			b.Fatal("not the MAC")
		}
	}
	ours := func() {
		v, err := acme.ReadBinding(text, urls)
		if err != nil || v.Thumbprint != v.Bound {
			b.Fatal(err)
		}
		mac := hmac.New(sha256.New, secret)
		mac.Write(v.Signed)
		if !hmac.Equal(mac.Sum(nil), v.MAC) {
			b.Fatal("not the MAC")
		}
	}
	theirs := func() {
		var sent struct {
			URL string          `json:"url"`
			JWK jose.JSONWebKey `json:"jwk"`
			EAB json.RawMessage `json:"externalAccountBinding"`
		}
		if err := json.Unmarshal(text, &sent); err != nil {
			b.Fatal(err)
		}
		signed, err := jose.ParseSignedJSON(string(sent.EAB), []jose.SignatureAlgorithm{jose.HS256})
		if err != nil {
			b.Fatal(err)
		}
		payload, err := signed.Verify(secret)
		var inner jose.JSONWebKey
		if err != nil || inner.UnmarshalJSON(payload) != nil {
			b.Fatal(err)
		}
		one, _ := sent.JWK.Thumbprint(crypto.SHA256)
		two, _ := inner.Thumbprint(crypto.SHA256)
		if !bytes.Equal(one, two) {
			b.Fatal("not the key")
		}
	}
	const calls = 10
	fastest := map[string]time.Duration{}
	for b.Loop() { // by turns, so that a machine that gets slower does so for all
		for name, do := range map[string]func(){"bare": bare, "ours": ours, "go-jose": theirs} {
			began := time.Now()
			for range calls {
				do()
			}
			if took := time.Since(began); fastest[name] == 0 || took < fastest[name] {
				fastest[name] = took
			}
		}
	}
	each := func(name string) float64 { return float64(fastest[name].Nanoseconds()) / calls / 1000 }
	b.ReportMetric(each("bare"), "µs/bare")
	b.ReportMetric(each("ours"), "µs/ours")
	b.ReportMetric(each("go-jose"), "µs/go-jose")
	b.ReportMetric(each("ours")/each("bare"), "of-bare")
	b.ReportMetric(each("ours")/each("go-jose"), "of-go-jose")
}
