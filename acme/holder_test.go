package acme_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/go-jose/go-jose/v4"

	"github.com/countersign-id/countersign/acme"
	"github.com/countersign-id/countersign/proofing"
)

func init() {
	openapi3filter.RegisterBodyDecoder("application/jose+json", openapi3filter.JSONBodyDecoder)
}

// holder has the key of an account whose mailbox is proved, and signs by other code than that which reads the request here.
type holder struct {
	*tokenWorld
	key crypto.Signer
	alg jose.SignatureAlgorithm
}

func newHolder(t testing.TB) *holder {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := &holder{newTokenWorld(t), key, jose.ES256}
	w.allow(t, "email")
	w.has(t)
	return w
}

// has proves the mailbox for the holder's key.
func (w *holder) has(t testing.TB) {
	t.Helper()
	w.account = jose.JSONWebKey{Key: w.key.Public()}
	w.prove(t, w.open(t, "client", "email", applicant, nil).text("case_url"), applicant)
}

func (w *holder) nonce(t testing.TB) string {
	t.Helper()
	r := w.do(t, "GET", "/v1/nonce", "", "")
	if n := r.Header().Get("Replay-Nonce"); r.Code == 204 && n != "" && r.Header().Get("Cache-Control") == "no-store" {
		return n
	}
	t.Fatalf("%d %v", r.Code, r.Header())
	return ""
}

func (w *holder) payload(t testing.TB) map[string]any {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal([]byte(w.asks(t, "client", "email", applicant)), &body); err != nil {
		t.Fatal(err)
	}
	body["authority"] = "alpha"
	return body
}

func (w *holder) header(nonce string) map[string]any {
	return map[string]any{"alg": string(w.alg), "nonce": nonce, "url": apiOrigin + tokenPath, "jwk": jose.JSONWebKey{Key: w.key.Public()}}
}

// sign signs whatever the header says.
func (w *holder) sign(t testing.TB, header, payload any) string {
	t.Helper()
	part := func(v any) string {
		text, err := json.Marshal(v)
		if s, ok := v.(string); ok {
			text, err = []byte(s), nil
		}
		if err != nil {
			t.Fatal(err)
		}
		return b64(text)
	}
	signed := part(header) + "." + part(payload)
	signature, err := signRaw(w.key, w.alg, []byte(signed))
	if err != nil {
		t.Fatal(err)
	}
	protected, body, _ := strings.Cut(signed, ".")
	text, err := json.Marshal(map[string]string{"protected": protected, "payload": body, "signature": b64(signature)})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (w *holder) asksAlone(t testing.TB, body string) *httptest.ResponseRecorder {
	t.Helper()
	return w.asksAt(t, w.handler, body)
}

func (w *holder) asksAt(t testing.TB, h http.Handler, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "POST", tokenPath, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/jose+json")
	answer := w.exchangeAt(t, h, r, body)
	if answer.Header().Get("Replay-Nonce") == "" {
		t.Errorf("%d without the next nonce", answer.Code)
	}
	return answer
}

func TestTheHolderOfAnAccountGetsItsAuthorityTokenByItsKeyAlone(t *testing.T) {
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	rsaKey, _ := rsa.GenerateKey(rand.Reader, 2048)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	p521, _ := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w := newHolder(t)
	for alg, key := range map[jose.SignatureAlgorithm]crypto.Signer{jose.ES256: p256, jose.ES384: p384, jose.ES512: p521, jose.EdDSA: ed, jose.RS256: rsaKey} {
		w.alg, w.key = alg, key
		w.has(t)
		r := w.asksAlone(t, w.sign(t, w.header(w.nonce(t)), w.payload(t)))
		if r.Code != 200 {
			t.Errorf("%s: %d %s", alg, r.Code, r.Body)
			continue
		}
		if err := w.challenged(decode(t, r).text("token"), proofing.Identifier{Type: "email", Value: applicant}, fingerprintOf(t, w.account)); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		// The nonce of an answer is good for the next request.
		if again := w.asksAlone(t, w.sign(t, w.header(r.Header().Get("Replay-Nonce")), w.payload(t))); again.Code != 200 {
			t.Errorf("%s: then %d %s", alg, again.Code, again.Body)
		}
	}
	if !strings.Contains(w.log.String(), `"by":"account"`) {
		t.Error("the log does not say who asked")
	}
}

// What the page of a case offers is what the holder gets a token by.
func TestWhatThePageOffersIsTakenFromTheHolder(t *testing.T) {
	w := newHolder(t)
	opened := w.open(t, "client", "email", applicant, nil) // the one that is granted
	c, err := w.Get(t.Context(), w.ca, opened.text("id"))
	if err != nil {
		t.Fatal(err)
	}
	offered, err := w.OffersToken(t.Context(), c, "")
	if err != nil || offered == "" {
		t.Fatalf("offered is %q, %v", offered, err)
	}
	if r := w.asksAlone(t, w.sign(t, w.header(w.nonce(t)), offered)); r.Code != 200 {
		t.Errorf("%d %s", r.Code, r.Body)
	}
	for name, change := range map[string]func(c *proofing.Case){
		"a case at work":           func(c *proofing.Case) { c.Status = proofing.CaseOpen },
		"a frozen one":             func(c *proofing.Case) { c.Frozen = &proofing.Freeze{} },
		"one that is held":         func(c *proofing.Case) { c.Held = w.Now() },
		"one that ends":            func(c *proofing.Case) { c.Ending = &proofing.Ending{} },
		"one of a CSR":             func(c *proofing.Case) { c.CSRDigest = "digest" },
		"one of a name":            func(c *proofing.Case) { c.Identifier.Type = "dns" },
		"one without a profile":    func(c *proofing.Case) { c.Profile = "gone" },
		"one without an authority": func(c *proofing.Case) { c.CA = proofing.NewID(nil) },
		"one of no account":        func(c *proofing.Case) { c.Applicant = proofing.Applicant{Kind: proofing.ByPublicKey} },
	} {
		other := *c
		change(&other)
		if offered, err := w.OffersToken(t.Context(), &other, ""); err != nil || offered != "" {
			t.Errorf("%s is offered %q, %v", name, offered, err)
		}
	}
	w.allow(t)
	if offered, err := w.OffersToken(t.Context(), c, ""); err != nil || offered != "" {
		t.Errorf("where the authority takes none it is %q, %v", offered, err)
	}
}

// On the listener that everybody reaches it is the same, under that listener's URL; nothing else of this interface is there.
func TestHoldersAreServedWhereEverybodyComes(t *testing.T) {
	w := newHolder(t)
	const origin = "https://proof.example.org"
	people := acme.Holders(w.options(w.Service, origin))
	header := w.header(w.nonce(t))
	if r := w.asksAt(t, people, w.sign(t, header, w.payload(t))); r.Code != 403 {
		t.Errorf("signed for another URL: %d %s", r.Code, r.Body)
	}
	header["url"] = origin + tokenPath
	if r := w.asksAt(t, people, w.sign(t, header, w.payload(t))); r.Code != 200 {
		t.Errorf("%d %s", r.Code, r.Body)
	}
	for _, one := range [][2]string{{"GET", "/v1/preauthorizations/x"}, {"POST", "/v1/authorize"}, {"GET", tokenPath}} {
		answer := httptest.NewRecorder()
		people.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), one[0], one[1], nil))
		if answer.Code != 404 && answer.Code != 405 {
			t.Errorf("%s %s: %d", one[0], one[1], answer.Code)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), "POST", tokenPath, strings.NewReader(w.asks(t, "client", "email", applicant)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+w.token)
	answer := httptest.NewRecorder()
	if people.ServeHTTP(answer, r); answer.Code != http.StatusUnsupportedMediaType {
		t.Errorf("an authority: %d %s", answer.Code, answer.Body)
	}
	head := httptest.NewRecorder()
	if people.ServeHTTP(head, httptest.NewRequestWithContext(t.Context(), "HEAD", "/v1/nonce", nil)); head.Code != 200 || head.Header().Get("Replay-Nonce") == "" {
		t.Errorf("HEAD of a nonce: %d %v", head.Code, head.Header())
	}
}

// A nonce serves once, at whichever of two processes, and for five minutes.
func TestANonceServesOnce(t *testing.T) {
	w := newHolder(t)
	beside, _ := w.process(t)
	processes := []http.Handler{w.handler, acme.New(w.options(beside, apiOrigin))}
	body := w.sign(t, w.header(w.nonce(t)), w.payload(t))
	answers := make([]*httptest.ResponseRecorder, 10)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			for began := time.Now(); time.Since(began) < time.Minute; { // as often as it takes to find a place
				if answers[i] = w.asksAt(t, processes[i%2], body); answers[i].Code != 429 {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	all.Wait()
	tokens := 0
	for _, r := range answers {
		switch {
		case r.Code == 200:
			tokens++
		case r.Code != 400 || decode(t, r).text("type") != "urn:ietf:params:acme:error:badNonce":
			t.Errorf("%d %s", r.Code, r.Body)
		}
	}
	if tokens != 1 {
		t.Errorf("of ten with one nonce %d got a token", tokens)
	}
	old := w.sign(t, w.header(w.nonce(t)), w.payload(t))
	w.pass(10 * time.Minute)
	if r := w.asksAlone(t, old); r.Code != 400 || !strings.Contains(r.Body.String(), "badNonce") {
		t.Errorf("an old one: %d %s", r.Code, r.Body)
	}
}

// One mistake each. What is wrong with a request costs its nonce nothing: the same nonce serves in the end.
func TestRequestsOfHoldersAreReadStrictly(t *testing.T) {
	w := newHolder(t)
	other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	nonce := w.nonce(t)
	good := w.sign(t, w.header(nonce), w.payload(t))
	header := func(name string, v any) string {
		h := w.header(nonce)
		if h[name] = v; v == nil {
			delete(h, name)
		}
		return w.sign(t, h, w.payload(t))
	}
	payload := func(name string, v any) string {
		p := w.payload(t)
		if p[name] = v; v == nil {
			delete(p, name)
		}
		return w.sign(t, w.header(nonce), p)
	}
	atc := func(name string, v any) string {
		a := maps.Clone(w.payload(t)["atc"].(map[string]any))
		a[name] = v
		return payload("atc", a)
	}
	outside := func(edit func(jws map[string]any)) string {
		var jws map[string]any
		if err := json.Unmarshal([]byte(good), &jws); err != nil {
			t.Fatal(err)
		}
		edit(jws)
		text, _ := json.Marshal(jws)
		return string(text)
	}
	twice, _ := json.Marshal(w.header(nonce))
	foreign := w.header(nonce)
	foreign["jwk"] = jose.JSONWebKey{Key: other.Public()}
	changed := w.payload(t)
	changed["profile"] = "device"
	text, _ := json.Marshal(changed)
	for what, one := range map[string]struct{ body, typ string }{
		"not JSON":                {`{"protected"`, "malformed"},
		"an unprotected header":   {outside(func(j map[string]any) { j["header"] = map[string]any{} }), "malformed"},
		"the general form":        {outside(func(j map[string]any) { j["signatures"] = []any{} }), "malformed"},
		"no signature":            {outside(func(j map[string]any) { delete(j, "signature") }), "malformed"},
		"an empty signature":      {outside(func(j map[string]any) { j["signature"] = "" }), "malformed"},
		"padding":                 {outside(func(j map[string]any) { j["signature"] = j["signature"].(string) + "==" }), "malformed"},
		"another's signature":     {w.sign(t, foreign, w.payload(t)), "malformed"},
		"another payload":         {outside(func(j map[string]any) { j["payload"] = b64(text) }), "malformed"},
		"a name twice":            {w.sign(t, strings.Replace(string(twice), `"nonce"`, `"nonce":"x","nonce"`, 1), w.payload(t)), ""},
		"no alg":                  {header("alg", nil), "malformed"},
		"alg none":                {header("alg", "none"), "badSignatureAlgorithm"},
		"a MAC":                   {header("alg", "HS256"), "badSignatureAlgorithm"},
		"another curve's alg":     {header("alg", "ES384"), "badSignatureAlgorithm"},
		"no nonce":                {header("nonce", nil), "malformed"},
		"another's nonce":         {header("nonce", strings.Repeat("A", 54)), "badNonce"},
		"a nonce that is changed": {header("nonce", "B"+nonce[1:]), "badNonce"},
		"a short nonce":           {header("nonce", nonce[:20]), "badNonce"},
		"no url":                  {header("url", nil), "malformed"},
		"another url":             {header("url", apiOrigin+"/v1/authorize"), "unauthorized"},
		"an url with more":        {header("url", apiOrigin+tokenPath+"?"), "unauthorized"},
		"no jwk":                  {header("jwk", nil), "malformed"},
		"a private jwk":           {header("jwk", jose.JSONWebKey{Key: w.key}), "badPublicKey"},
		"a kid":                   {header("kid", "https://ca.example/acct/1"), "malformed"},
		"crit":                    {header("crit", []string{"exp"}), "malformed"},
		"b64":                     {header("b64", false), "malformed"},
		"an x5c":                  {header("x5c", []string{"MA=="}), "malformed"},
		"no authority":            {payload("authority", nil), "malformed"},
		"no such authority":       {payload("authority", "gamma"), "unauthorized"},
		"another authority":       {payload("authority", "beta"), "unauthorized"},
		"an unknown member":       {payload("more", 1), ""},
		"another's fingerprint":   {atc("fingerprint", fingerprintOf(t, jose.JSONWebKey{Key: other.Public()})), "malformed"},
	} {
		r := w.asksAlone(t, one.body)
		if r.Code == 200 || r.Code >= 500 || one.typ != "" && decode(t, r).text("type") != "urn:ietf:params:acme:error:"+one.typ {
			t.Errorf("%s: %d %s", what, r.Code, r.Body)
		}
		if listed := decode(t, r)["algorithms"] != nil; listed != (one.typ == "badSignatureAlgorithm") {
			t.Errorf("%s: the algorithms are listed: %v", what, listed)
		}
	}
	if r := w.asksAlone(t, good); r.Code != 200 {
		t.Errorf("what is right in all: %d %s", r.Code, r.Body)
	}
	// What is said to an account that there is alone has cost the nonce, and names the place.
	unknown := w.sign(t, w.header(w.nonce(t)), func() any { p := w.payload(t); p["profile"] = "nothing"; return p }())
	if r := w.asksAlone(t, unknown); r.Code != 400 || !strings.Contains(r.Body.String(), `"#/payload/profile"`) {
		t.Errorf("no such profile: %d %s", r.Code, r.Body)
	}
}

// Whoever has a key and no account stores nothing here, whatever they sign; and an account gets nothing that its CA would not get for it.
func TestAHolderGetsNoMoreThanTheirAuthorityWould(t *testing.T) {
	w := newHolder(t)
	mine, nonce := w.key, w.nonce(t)
	w.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.account = jose.JSONWebKey{Key: w.key.Public()}
	for range 2 {
		if r := w.asksAlone(t, w.sign(t, w.header(nonce), w.payload(t))); r.Code != 403 || !strings.Contains(r.Body.String(), "error:unauthorized") {
			t.Errorf("an account that nobody knows: %d %s", r.Code, r.Body)
		}
	}
	w.key = mine
	w.account = jose.JSONWebKey{Key: mine.Public()}
	ask := func() *httptest.ResponseRecorder {
		return w.asksAlone(t, w.sign(t, w.header(w.nonce(t)), w.payload(t)))
	}
	if r := w.asksAlone(t, w.sign(t, w.header(nonce), w.payload(t))); r.Code != 200 {
		t.Errorf("the nonce that served nobody: %d %s", r.Code, r.Body)
	}
	w.allow(t)
	if r := ask(); r.Code != 403 || !strings.Contains(r.Body.String(), "unsupportedIdentifier") {
		t.Errorf("of a type that the operator has not allowed: %d %s", r.Code, r.Body)
	}
	w.allow(t, "email")
	c := w.open(t, "client", "email", applicant, nil)
	if _, err := w.Revoke(t.Context(), c.text("id"), "test"); err != nil {
		t.Fatal(err)
	}
	if r := ask(); r.Code != 403 {
		t.Errorf("once the grant is revoked: %d %s", r.Code, r.Body)
	}
}
