package acme_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

const caPath = "/v1/preauthorizations"

// A case that named a key which does not bind its account would be proved for nothing.
func TestAnAuthorizationNamesNoKeyThatDoesNotBindItsAccount(t *testing.T) {
	w := withDirectory(t)
	k := w.makeKey(t, `{"profile": "client", "subject": "customer 1"}`)
	b := newBinding(t, k.text("kid"), k.text("hmac_key"))
	account := w.want(t, http.StatusOK, "POST", "/v1/eab/verify", b.body(t)).text("account_thumbprint")
	open := func(thumbprint, kid string) string {
		return fmt.Sprintf(`{"account":{"url":"https://ca.example/acct/7","thumbprint":%q},"identifier":{"type":"email","value":"applicant@example.org"},"profile":"client","eab_kid":%q}`, thumbprint, kid)
	}
	for _, kid := range []string{"kid-1", k.text("kid") + "x"} {
		if p := w.want(t, http.StatusBadRequest, "POST", caPath, open(account, kid)); !strings.HasSuffix(p.text("type"), ":malformed") || !strings.Contains(fmt.Sprint(p), "eab_kid") {
			t.Errorf("%s: %v", kid, p)
		}
	}
	w.want(t, http.StatusBadRequest, "POST", caPath, open(thumbprint, k.text("kid"))) // another account's
	w.want(t, http.StatusCreated, "POST", caPath, open(account, k.text("kid")))
}

func TestOpenAnswersAnAuthorization(t *testing.T) {
	w := newWorld(t)
	r := w.do(t, "POST", caPath, w.token, `{"account":{"url":"https://ca.example/acct/1","thumbprint":"`+thumbprint+`"},
		"identifier":{"type":"dns","value":"Example.COM."},"profile":"device","external_id":"order 7"}`)
	if r.Code != http.StatusCreated {
		t.Fatalf("%d %s", r.Code, r.Body)
	}
	o := decode(t, r)
	if got, want := r.Header().Get("Location"), apiOrigin+path(o); got != want {
		t.Errorf("Location %s, want %s", got, want)
	}
	if r.Header().Get("Cache-Control") != "no-store" {
		t.Error("an answer with a person's link may be stored")
	}
	ch := o.list("challenges")[0]
	for what, pair := range map[string][2]string{
		"status":         {o.text("status"), "pending"},
		"identifier":     {o.object("identifier").text("value"), "example.com"},
		"profile":        {o.text("profile"), "device"},
		"external_id":    {o.text("external_id"), "order 7"},
		"domain_control": {o.text("domain_control"), "not_checked"},
		"challenge type": {ch.text("type"), "countersign-01"},
		"challenge":      {ch.text("status"), "pending"},
		"challenge url":  {ch.text("url"), apiOrigin + path(o) + "/challenge"},
		"expires":        {o.text("expires"), "2026-11-30T10:00:00Z"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %q, want %q", what, pair[0], pair[1])
		}
	}
	if !strings.HasPrefix(o.text("case_url"), "https://proof.example.org/c/"+o.text("id")+".") || len(ch.text("token")) < 22 {
		t.Errorf("case_url %s, token %s", o.text("case_url"), ch.text("token"))
	}
	if o["assessment"] != nil || o["statement"] != nil || o["reason"] != nil {
		t.Errorf("a pending authorization has %v", o)
	}
}

func TestOpeningAgainFindsTheSame(t *testing.T) {
	w := newWorld(t)
	first := w.open(t, "client")
	if again := w.open(t, "client"); again.text("id") != first.text("id") {
		t.Error("a second authorization was opened")
	}
	w.prove(t, first.text("case_url"), applicant)
	if again := w.open(t, "client"); again.text("id") != first.text("id") || again.text("status") != "valid" {
		t.Errorf("the valid one is not found: %v", again)
	}
	w.want(t, 200, "POST", path(first), `{"status":"deactivated"}`)
	if again := w.open(t, "client"); again.text("id") == first.text("id") {
		t.Error("what is over was returned")
	}
}

func TestParallelOpensMakeOne(t *testing.T) {
	w := newWorld(t)
	ids := make([]string, 16)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() { ids[i] = w.open(t, "client").text("id") })
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("several were opened: %q", ids)
		}
	}
}

func TestApplicants(t *testing.T) {
	w := newWorld(t)
	csr, spki, key := makeCSR(t)
	otherCSR, _, _ := makeCSR(t)
	jwk := jwkOf(t, &key.PublicKey)
	body := func(who string) string {
		return `{` + who + `,"identifier":{"type":"email","value":"applicant@example.org"},"profile":"client"}`
	}
	accepted := map[string]string{
		"an account by key":               `"account":{"url":"https://ca.example/acct/1","jwk":` + jwk + `}`,
		"an account with members of ACME": `"account":{"resource":"new-authz","status":"valid","contact":["mailto:a@example.org"],"jwk":` + jwk + `}`,
		"an account by thumbprint":        `"account":{"thumbprint":"` + thumbprint + `"}`,
		"an account with a CSR":           `"account":{"thumbprint":"` + thumbprint + `"},"csr":"` + csr + `"`,
		"a public key":                    `"public_key":"` + spki + `"`,
		"a public key with its CSR":       `"public_key":"` + spki + `","csr":"` + csr + `"`,
		"a CSR alone":                     `"csr":"` + csr + `"`,
		"nobody yet":                      `"result":"eab_key"`,
	}
	ids := map[string]string{}
	for name, who := range accepted {
		ids[name] = w.want(t, 201, "POST", caPath, body(who)).text("id")
	}
	if ids["a public key"] != ids["a CSR alone"] || ids["a public key"] != ids["a public key with its CSR"] {
		t.Error("a key and its CSR are two applicants")
	}
	if ids["an account by key"] == ids["a public key"] {
		t.Error("an account and its bare key are one applicant")
	}
	if again := w.want(t, 201, "POST", caPath, body(`"result":"eab_key"`)).text("id"); again == ids["nobody yet"] {
		t.Error("two nobodies are one applicant")
	}
	refused := map[string][2]string{
		"two applicants":             {`"account":{"thumbprint":"` + thumbprint + `"},"public_key":"` + spki + `"`, "acme:error:malformed"},
		"a result with an account":   {`"account":{"thumbprint":"` + thumbprint + `"},"result":"eab_key"`, "acme:error:malformed"},
		"another result":             {`"result":"certificate"`, "acme:error:malformed"},
		"nobody at all":              {`"external_id":"x"`, "acme:error:malformed"},
		"an account without a key":   {`"account":{"url":"https://ca.example/acct/1"}`, "acme:error:malformed"},
		"key and thumbprint apart":   {`"account":{"jwk":` + jwk + `,"thumbprint":"` + thumbprint + `"}`, "acme:error:malformed"},
		"a relative account URL":     {`"account":{"url":"/acct/1","thumbprint":"` + thumbprint + `"}`, "acme:error:malformed"},
		"the account's key as CSR":   {`"account":{"jwk":` + jwk + `},"csr":"` + csr + `"`, "acme:error:badCSR"},
		"by its thumbprint too":      {`"account":{"thumbprint":"` + thumbprintOf(t, &key.PublicKey) + `"},"csr":"` + csr + `"`, "acme:error:badCSR"},
		"a CSR for another key":      {`"public_key":"` + spki + `","csr":"` + otherCSR + `"`, "acme:error:badCSR"},
		"a CSR that is cut":          {`"csr":"` + csr[:len(csr)-8] + `"`, "acme:error:badCSR"},
		"a CSR with padding":         {`"csr":"` + csr + `="`, "acme:error:badCSR"},
		"a CSR with a line break":    {`"csr":"` + csr[:8] + `\n` + csr[8:] + `"`, "acme:error:malformed"},
		"a public key with a tail":   {`"public_key":"` + b64(append(unb64(t, spki), 0)) + `"`, "acme:error:badPublicKey"},
		"a public key that is a CSR": {`"public_key":"` + csr + `"`, "acme:error:badPublicKey"},
	}
	for name, c := range refused {
		if o := w.want(t, 400, "POST", caPath, body(c[0])); !strings.HasSuffix(o.text("type"), c[1]) {
			t.Errorf("%s: %v, want %s", name, o, c[1])
		}
	}
}

func TestACSRWhoseSignatureIsAnothersIsBad(t *testing.T) {
	w := newWorld(t)
	csr, _, _ := makeCSR(t)
	der := unb64(t, csr)
	der[len(der)-1] ^= 1
	o := w.want(t, 400, "POST", caPath, `{"csr":"`+b64(der)+`","identifier":{"type":"email","value":"a@example.org"},"profile":"client"}`)
	if o.text("type") != "urn:ietf:params:acme:error:badCSR" {
		t.Errorf("%v", o)
	}
}

func TestIdentifiersAndProfilesThatAreRefused(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		typ, value, profile string
		status              int
		problem, pointer    string
	}{
		"a wildcard":                  {"dns", "*.example.com", "device", 403, "urn:ietf:params:acme:error:rejectedIdentifier", "#/identifier/value"},
		"an unknown type":             {"tkauth", "x", "device", 403, "urn:ietf:params:acme:error:unsupportedIdentifier", "#/identifier/type"},
		"a type not of the profile":   {"dns", "example.com", "client", 403, "urn:ietf:params:acme:error:unsupportedIdentifier", "#/identifier/type"},
		"no name at all":              {"dns", "-", "device", 400, "urn:ietf:params:acme:error:malformed", "#/identifier/value"},
		"an unknown profile":          {"dns", "example.com", "golden", 400, "urn:countersign:error:profileUnknown", "#/profile"},
		"another authority's":         {"dns", "example.com", "private", 400, "urn:countersign:error:profileUnknown", "#/profile"},
		"a profile by another case":   {"dns", "example.com", "Device", 400, "urn:countersign:error:profileUnknown", "#/profile"},
		"an address that is no one's": {"email", "nobody", "client", 400, "urn:ietf:params:acme:error:malformed", "#/identifier/value"},
	} {
		o := w.want(t, c.status, "POST", caPath, fmt.Sprintf(`{"account":{"thumbprint":%q},"identifier":{"type":%q,"value":%q},"profile":%q}`, thumbprint, c.typ, c.value, c.profile))
		if o.text("type") != c.problem || o.list("subproblems")[0].text("pointer") != c.pointer {
			t.Errorf("%s: %v", name, o)
		}
	}
	o := w.want(t, 400, "POST", caPath, `{"result":"eab_key","identifier":{"type":"dns","value":"example.com"},"profile":"device","contacts":{"email":"nobody"}}`)
	if o.text("type") != "urn:ietf:params:acme:error:invalidContact" || o.list("subproblems")[0].text("pointer") != "#/contacts/email" {
		t.Errorf("a contact that cannot be used: %v", o)
	}
}

func TestWithRequireStartNothingIsSentBeforeTheChallengeIsStarted(t *testing.T) {
	w := newWorld(t)
	o := w.open(t, "started")
	visit := proofing.Visit{Link: proofing.Secret(strings.TrimPrefix(o.text("case_url"), "https://proof.example.org/c/")), Browser: "b", Client: "192.0.2.7", Lang: "en"}
	if _, _, err := w.Begin(t.Context(), visit, "email", applicant); err == nil {
		t.Fatal("a message was begun before the start")
	}
	r := w.do(t, "POST", path(o)+"/challenge", w.token, `{}`)
	if r.Code != 200 || decode(t, r).text("status") != "pending" || r.Header().Get("Link") != "<"+apiOrigin+path(o)+`>;rel="up"` {
		t.Fatalf("%d %s %v", r.Code, r.Body, r.Header())
	}
	w.want(t, 200, "POST", path(o)+"/challenge", "") // again, and without a body
	w.prove(t, o.text("case_url"), applicant)
	if ch := w.want(t, 200, "POST", path(o)+"/challenge", "{}"); ch.text("status") != "valid" || ch.text("validated") == "" {
		t.Errorf("%v", ch)
	}
	w.want(t, 400, "POST", path(o)+"/challenge", `{"keyAuthorization":"x"}`)
}

func TestStatusesOutside(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	look := func(o object) object { return w.want(t, 200, "GET", path(o), "") }
	status := func(what string, o object, status, challenge, reason string) {
		t.Helper()
		o = look(o)
		if o.text("status") != status || o.list("challenges")[0].text("status") != challenge || o.text("reason") != reason {
			t.Errorf("%s: %v", what, o)
		}
	}
	o := w.open(t, "client")
	visit := proofing.Visit{Link: proofing.Secret(strings.TrimPrefix(o.text("case_url"), "https://proof.example.org/c/")), Browser: "browser", Client: "192.0.2.7", Lang: "en"}
	_, a, err := w.Begin(ctx, visit, "email", applicant)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Answer(ctx, visit, a.ID, "000000"); err == nil {
		t.Fatal("a wrong code was right")
	}
	status("after a mistyped code", o, "pending", "processing", "")
	w.disown(t, o.text("id"))
	status("frozen before the grant", o, "pending", "processing", "frozen")
	w.pass(25 * time.Hour)
	status("when nobody restored it", o, "invalid", "invalid", "disowned")
	if look(o).list("challenges")[0].object("error").text("type") != "urn:ietf:params:acme:error:unauthorized" {
		t.Error("an invalid challenge does not say why")
	}

	o = w.open(t, "client")
	w.prove(t, o.text("case_url"), applicant)
	status("granted", o, "valid", "valid", "")
	w.disown(t, o.text("id"))
	status("frozen after the grant", o, "valid", "valid", "frozen")
	if look(o)["statement"] != nil {
		t.Error("a frozen grant has a statement")
	}
	w.pass(25 * time.Hour)
	status("when nobody restored the grant", o, "revoked", "valid", "disowned")

	o = w.open(t, "client")
	w.pass(8 * 24 * time.Hour)
	status("out of time", o, "expired", "invalid", "expired")
	if r := w.want(t, 409, "POST", path(o), `{"status":"deactivated"}`); r.text("type") != "urn:countersign:error:authorizationClosed" {
		t.Errorf("%v", r)
	}
	w.want(t, 409, "POST", path(o)+"/challenge", "{}")

	o = w.open(t, "client")
	w.want(t, 200, "POST", path(o), `{"status":"deactivated"}`)
	w.want(t, 200, "POST", path(o), `{"status":"deactivated"}`)
	status("given up", o, "deactivated", "invalid", "deactivated")
	for _, body := range []string{`{"status":"valid"}`, `{}`, `{"status":"deactivated","reason":"x"}`, `{"status":7}`} {
		w.want(t, 400, "POST", path(o), body)
	}

	o = w.open(t, "reviewed")
	w.prove(t, o.text("case_url"), applicant)
	status("in review", o, "pending", "processing", "approvals")
	if n := look(o).object("approvals"); n["needed"] != 2.0 || n["given"] != 0.0 {
		t.Errorf("approvals: %v", n)
	}

	o = w.want(t, 201, "POST", caPath, `{"result":"eab_key","identifier":{"type":"dns","value":"example.com"},"profile":"device"}`)
	w.prove(t, o.text("case_url"), applicant)
	status("without a right to the name", o, "invalid", "invalid", "not_entitled")
	if look(o).list("challenges")[0].object("error").text("type") != "urn:ietf:params:acme:error:rejectedIdentifier" {
		t.Error("the challenge does not say that the identifier is rejected")
	}
}

func TestWaitWakesOnChange(t *testing.T) {
	w := newWorld(t)
	o := w.open(t, "client")
	var person sync.WaitGroup
	person.Go(func() {
		time.Sleep(100 * time.Millisecond)
		w.prove(t, o.text("case_url"), applicant)
	})
	defer person.Wait()
	began := time.Now()
	status := ""
	for status != "valid" && time.Since(began) < 25*time.Second {
		status = w.want(t, 200, "GET", path(o)+"?wait=30", "").text("status")
	}
	if status != "valid" || time.Since(began) > 20*time.Second {
		t.Errorf("%s after %v", status, time.Since(began))
	}
	began = time.Now()
	w.want(t, 200, "GET", path(o)+"?wait=30", "")
	if time.Since(began) > 20*time.Second {
		t.Error("who waits for a valid authorization is kept waiting")
	}
}

func TestWaitEndsWhenItsTimeIsOver(t *testing.T) {
	w := newWorld(t)
	o := w.open(t, "client")
	if got := w.want(t, 200, "GET", path(o)+"?wait=1", ""); got.text("status") != "pending" {
		t.Errorf("%v", got)
	}
	for _, wait := range []string{"61", "-1", "1.5", "x", "+1", "", "300", "1&wait=2"} {
		w.want(t, 400, "GET", path(o)+"?wait="+wait, "")
	}
	w.want(t, 200, "GET", path(o)+"?wait=0", "")
}
