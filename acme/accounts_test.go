package acme_test

import (
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// claims verifies a statement with the published keys and returns what it says.
func (w *world) claims(t testing.TB, statement string) object {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(w.do(t, "GET", "/.well-known/jwks.json", "", "").Body.Bytes(), &set); err != nil {
		t.Fatal(err)
	}
	jws, err := jose.ParseSignedCompact(statement, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	header := jws.Signatures[0].Protected
	keys := set.Key(header.KeyID)
	if header.ExtraHeaders[jose.HeaderType] != "countersign-statement+jwt" || len(keys) != 1 {
		t.Fatalf("header %+v", header)
	}
	if sum := thumbprintOf(t, keys[0].Key); sum != header.KeyID {
		t.Errorf("kid %s is not the key's thumbprint %s", header.KeyID, sum)
	}
	payload, err := jws.Verify(keys[0])
	if err != nil {
		t.Fatal(err)
	}
	var o object
	if err := json.Unmarshal(payload, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestStatementSaysWhatTheContractSays(t *testing.T) {
	w := newWorld(t)
	csr, _, _ := makeCSR(t)
	w.register(t, "example.com")
	o := w.want(t, 201, "POST", caPath, fmt.Sprintf(`{"account":{"thumbprint":%q},"identifier":{"type":"dns","value":"example.com"},"profile":"device","csr":%q}`, thumbprint, csr))
	w.prove(t, o.text("case_url"), applicant)
	o = w.want(t, 200, "GET", path(o), "")
	claims := w.claims(t, o.text("statement"))
	now := float64(w.clock().Unix())
	authorization := claims.object("authorization")
	for name, pair := range map[string][2]any{
		"iss":            {claims["iss"], "https://proof.example.org"},
		"aud":            {claims["aud"], "alpha"},
		"iat":            {claims["iat"], now},
		"exp":            {claims["exp"], now + 24*3600},
		"acr":            {claims["acr"], "urn:countersign:acr:sp800-63-4:ial-none:aal-none"},
		"jkt":            {claims.object("cnf")["jkt"], thumbprint},
		"id":             {authorization["id"], o["id"]},
		"profile":        {authorization["profile"], "device"},
		"identifier":     {authorization.object("identifier")["value"], "example.com"},
		"csr_digest":     {authorization["csr_digest"], digestOf(t, csr)},
		"domain_control": {claims["domain_control"], "not_checked"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %v, want %v", name, pair[0], pair[1])
		}
	}
	if claims.text("sub") == "" || len(claims.text("jti")) < 22 {
		t.Errorf("%v", claims)
	}
	if amr, ok := claims["amr"].([]any); !ok || len(amr) != 0 {
		t.Errorf("an e-mail code has the methods %v", claims["amr"])
	}
	if _, ok := claims["verified_claims"]; ok {
		t.Error("claims are verified without proofing")
	}
	if again := w.want(t, 200, "GET", path(o), ""); again.text("statement") != o.text("statement") {
		t.Error("the statement was signed twice")
	}
	if err := w.keys.Rotate(w.clock()); err != nil {
		t.Fatal(err)
	}
	w.claims(t, o.text("statement")) // an older key still verifies
	if opened := w.want(t, 201, "POST", caPath, fmt.Sprintf(`{"account":{"thumbprint":%q},"identifier":{"type":"dns","value":"example.com"},"profile":"device"}`, thumbprint)); opened.text("statement") != o.text("statement") {
		t.Error("opening again answers without the statement")
	}
}

// digestOf is the SHA-256 of what is signed in a CSR: the first element within
// its SEQUENCE (RFC 2986 4.2).
func digestOf(t testing.TB, csr string) string {
	t.Helper()
	var outer, info asn1.RawValue
	if _, err := asn1.Unmarshal(unb64(t, csr), &outer); err != nil {
		t.Fatal(err)
	}
	if _, err := asn1.Unmarshal(outer.Bytes, &info); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(info.FullBytes)
	return b64(sum[:])
}

// rollover tells of a key change.
func (w *world) rollover(t testing.TB, from, to string) {
	t.Helper()
	w.want(t, 200, "POST", "/v1/accounts", fmt.Sprintf(`{"event":"key_changed","account":{"url":"https://ca.example/acct/1","thumbprint":%q},"old_thumbprint":%q}`, to, from))
}

func newThumbprint(t testing.TB) string {
	return thumbprintOf(t, &curveKey(t, elliptic.P256()).PublicKey)
}

// as asks for the applicant's address by another key.
func as(tp, body string) string { return strings.Replace(body, thumbprint, tp, 1) }

func TestKeyRolloverMovesGrants(t *testing.T) {
	w := newWorld(t)
	o := w.open(t, "client")
	w.prove(t, o.text("case_url"), applicant)
	before := w.want(t, 200, "GET", path(o), "").text("statement")
	second := newThumbprint(t)
	w.rollover(t, thumbprint, second)
	w.rollover(t, thumbprint, second) // at least once
	after := w.want(t, 200, "GET", path(o), "").text("statement")
	if after == before || w.claims(t, after).object("cnf").text("jkt") != second {
		t.Error("the statement is not for the new key")
	}
	q := question("client", "email:"+applicant)
	if yes := w.ask(t, as(second, q)); yes["allow"] != true {
		t.Errorf("the new key has no grant: %v", yes)
	}
	if no := w.ask(t, q); no["allow"] != false || no.object("error").text("type") != "urn:ietf:params:acme:error:unauthorized" {
		t.Errorf("the old key authorizes: %v", no)
	}
	w.want(t, 403, "POST", caPath, request("client", applicant))

	third := newThumbprint(t)
	w.rollover(t, second, third)
	w.rollover(t, thumbprint, second) // late, and of no effect
	if jkt := w.claims(t, w.want(t, 200, "GET", path(o), "").text("statement")).object("cnf").text("jkt"); jkt != third {
		t.Errorf("a late event moved the grant to %s", jkt)
	}
	w.rollover(t, third, second) // back to a key of its own
	if yes := w.ask(t, as(second, q)); yes["allow"] != true {
		t.Errorf("back at an earlier key: %v", yes)
	}
	if no := w.ask(t, as(third, q)); no["allow"] != false {
		t.Error("the key that was left authorizes")
	}
}

func TestAccountEventsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	stranger := newThumbprint(t)
	w.open(t, "client")
	w.want(t, 201, "POST", caPath, as(stranger, request("client", applicant)))
	event := func(rest string) string { return `{"account":{"thumbprint":"` + thumbprint + `"},` + rest + `}` }
	for name, c := range map[string]struct {
		body    string
		status  int
		problem string
	}{
		"an unknown event":            {event(`"event":"deleted"`), 400, "acme:error:malformed"},
		"no event":                    {event(`"kid":"x"`), 400, "acme:error:malformed"},
		"no account":                  {`{"event":"created"}`, 400, "acme:error:malformed"},
		"created without a URL":       {event(`"event":"created"`), 400, "acme:error:malformed"},
		"an old key with created":     {event(`"event":"deactivated","old_thumbprint":"` + stranger + `"`), 400, "acme:error:malformed"},
		"a rollover without old key":  {event(`"event":"key_changed"`), 400, "acme:error:malformed"},
		"a rollover to itself":        {event(`"event":"key_changed","old_thumbprint":"` + thumbprint + `"`), 400, "acme:error:malformed"},
		"a malformed kid":             {event(`"event":"deactivated","kid":"a b"`), 400, "acme:error:malformed"},
		"a rollover to a taken key":   {event(`"event":"key_changed","old_thumbprint":"` + stranger + `"`), 409, "countersign:error:accountKeyTaken"},
		"a rollover of an unseen key": {event(`"event":"key_changed","old_thumbprint":"` + newThumbprint(t) + `"`), 404, "acme:error:accountDoesNotExist"},
		"the end of an unseen key":    {as(newThumbprint(t), event(`"event":"deactivated"`)), 404, "acme:error:accountDoesNotExist"},
	} {
		if o := w.want(t, c.status, "POST", "/v1/accounts", c.body); !strings.HasSuffix(o.text("type"), c.problem) {
			t.Errorf("%s: %v", name, o)
		}
	}
}

func TestADeactivatedAccountLosesItsGrants(t *testing.T) {
	w := newWorld(t)
	o := w.open(t, "client")
	w.prove(t, o.text("case_url"), applicant)
	end := `{"event":"deactivated","account":{"thumbprint":"` + thumbprint + `"}}`
	w.want(t, 200, "POST", "/v1/accounts", end)
	w.want(t, 200, "POST", "/v1/accounts", end)
	if o := w.want(t, 200, "GET", path(o), ""); o.text("status") != "deactivated" || o["statement"] != nil {
		t.Errorf("%v", o)
	}
	if p := w.ask(t, question("client", "email:"+applicant)).object("error"); p.text("type") != "urn:ietf:params:acme:error:unauthorized" {
		t.Errorf("%v", p)
	}
}

func TestJWKSListsPublicKeysAlone(t *testing.T) {
	w := newWorld(t)
	if err := w.keys.Rotate(w.clock()); err != nil {
		t.Fatal(err)
	}
	keys := w.want(t, 200, "GET", "/.well-known/jwks.json", "").list("keys")
	if len(keys) != 2 || keys[0].text("kid") != thumbprintOf(t, &w.keys.SigningKey().PublicKey) {
		t.Fatalf("%v", keys)
	}
	for _, k := range keys {
		var names []string
		for name := range k {
			names = append(names, name)
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); got != "alg crv kid kty use x y" {
			t.Errorf("a key has the members %s", got)
		}
	}
}
