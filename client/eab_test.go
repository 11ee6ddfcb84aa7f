package client_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/client"
)

const eab = `{"protected":"e30","payload":"e30","signature":"AA","header":{},"protected":"e30"}`

func verification() client.VerifyRequest {
	return client.VerifyRequest{URL: "https://ca.example/new-account", JWK: json.RawMessage(jwk), Binding: json.RawMessage(eab)}
}

func bound(thumbprint string) answer {
	return answer{status: 200, body: fmt.Sprintf(`{"kid":"kid-1","account_thumbprint":%q,"profiles":["device"],"identifiers":[{"type":"dns","value":"example.com"}],"assessment":null,"bound_at":"2026-01-01T00:00:00Z","expires":"2027-01-01T00:00:00Z","recheck_after":"2026-01-02T00:00:00Z"}`, thumbprint)}
}

func TestABindingIsVerifiedAsItCame(t *testing.T) {
	thumbprint, err := client.Thumbprint(json.RawMessage(jwk))
	if err != nil {
		t.Fatal(err)
	}
	c, d := newDouble(t, client.Config{}, bound(thumbprint))
	b, err := c.VerifyEAB(t.Context(), verification())
	if err != nil || b.Kid != "kid-1" || b.Profiles[0] != "device" || b.Identifiers[0].Value != "example.com" {
		t.Fatalf("%+v, %v", b, err)
	}
	// The service judges duplicates and unknown members, so they must reach it.
	if body := d.calls()[0].body; !strings.Contains(body, `"externalAccountBinding":`+eab) || d.calls()[0].uri != "/v1/eab/verify" {
		t.Errorf("sent %s", body)
	}
}

func TestABindingOfAnotherAccountIsNotAccepted(t *testing.T) {
	c, _ := newDouble(t, client.Config{}, bound("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xt"))
	if b, err := c.VerifyEAB(t.Context(), verification()); b != nil || !errors.Is(err, client.ErrUnavailable) {
		t.Errorf("%+v, %v", b, err)
	}
}

func TestAMissingBindingIsRefusedWithoutAsking(t *testing.T) {
	c, d := newDouble(t, client.Config{}, bound(""))
	for _, missing := range []json.RawMessage{nil, json.RawMessage("null")} {
		r := verification()
		r.Binding = missing
		_, err := c.VerifyEAB(t.Context(), r)
		if p := client.ACMEProblem(err); !errors.Is(err, client.ErrNoBinding) || p.Type != client.ExternalAccountRequired || p.Status != 403 {
			t.Errorf("%v", err)
		}
	}
	if len(d.calls()) != 0 {
		t.Error("the service was asked")
	}
}

// A key that nobody serves is the client's mistake, and no reason to come again.
func TestAKeyThatIsNotServedIsRefusedWithoutAsking(t *testing.T) {
	c, d := newDouble(t, client.Config{}, bound(""))
	r := verification()
	r.JWK = json.RawMessage(`{"kty":"oct","k":"AAAA"}`)
	_, err := c.VerifyEAB(t.Context(), r)
	if p := client.ACMEProblem(err); p == nil || p.Type != client.BadPublicKey || p.Status != 400 {
		t.Errorf("%v", err)
	}
	if len(d.calls()) != 0 {
		t.Error("the service was asked")
	}
}

func TestABadBindingIsPassedOn(t *testing.T) {
	c, _ := newDouble(t, client.Config{}, problem(403, client.Unauthorized, `,"detail":"the binding is not accepted"`))
	_, err := c.VerifyEAB(t.Context(), verification())
	if p := client.ACMEProblem(err); p.Type != client.Unauthorized || p.Status != 403 || p.Detail != "the binding is not accepted" {
		t.Errorf("%+v", p)
	}
}

func TestThumbprintsAreThoseOfTheStandards(t *testing.T) {
	for want, key := range map[string]string{
		// RFC 7638 3.1, RFC 8037 A.3; and the EC key of RFC 7517 A.1, members in another order and others beside them.
		"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs": `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`,
		"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k": `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
		"cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s": `{"y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"sig","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","crv":"P-256","kty":"EC"}`,
	} {
		if got, err := client.Thumbprint(json.RawMessage(key)); got != want {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
	for _, bad := range []string{``, `{}`, `{"kty":"oct","k":"AA"}`, `{"kty":"EC","crv":"P-256","x":"AA"}`, `{"kty":"EC","crv":"P\"","x":"A","y":"B"}`, `[]`} {
		if got, err := client.Thumbprint(json.RawMessage(bad)); err == nil {
			t.Errorf("%s has %s", bad, got)
		}
	}
}

func TestAKeyIsMadeOnceAndItsSecretStaysOutOfLogs(t *testing.T) {
	made := answer{status: 201, body: `{"kid":"kid-1","hmac_key":"c2VjcmV0LXNlY3JldA","algorithm":"HS256","directory_url":"https://ca.example/dir","expires":"2027-01-01T00:00:00Z","instructions":{"lego":"lego …"}}`}
	c, d := newDouble(t, client.Config{}, answer{}, made)
	k, err := c.CreateKey(t.Context(), client.NewKey{Profile: "device", ExpiresIn: 3600, IdempotencyKey: "order-7"})
	if err != nil || k.HMACKey.Reveal() != "c2VjcmV0LXNlY3JldA" {
		t.Fatalf("%+v, %v", k, err)
	}
	for _, call := range d.calls() {
		if call.key != "order-7" || call.body != `{"profile":"device","expires_in":3600}` {
			t.Errorf("%+v", call)
		}
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("made", "key", k, "secret", k.HMACKey)
	fmt.Fprintf(&log, "%v %+v %#v %s", k, *k, *k, k.HMACKey)
	if strings.Contains(log.String(), "c2VjcmV0") {
		t.Error(log.String())
	}
}

func TestKeysAreListedReadAndRevoked(t *testing.T) {
	c, d := newDouble(t, client.Config{}, answer{status: 200, body: `{"keys":[{"kid":"kid-1","status":"active","accounts":[]}],"next":"n","kid":"kid-1","status":"active"}`})
	list, err := c.Keys(t.Context(), "a&b", 10)
	if err != nil || list.Keys[0].Kid != "kid-1" || list.Next != "n" {
		t.Errorf("%+v, %v", list, err)
	}
	if k, err := c.Key(t.Context(), "kid/1"); err != nil || k.Status != "active" {
		t.Errorf("%+v, %v", k, err)
	}
	if err := c.RevokeKey(t.Context(), "kid-1"); err != nil {
		t.Error(err)
	}
	if list, err := c.KeysOf(t.Context(), "customer 1&2", "n", 5); err != nil || list.Keys[0].Kid != "kid-1" {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := c.KeysOf(t.Context(), "", "", 0); err == nil {
		t.Error("no subject is everybody")
	}
	want := []string{"GET /v1/eab/keys?after=a%26b&limit=10", "GET /v1/eab/keys/kid%2F1", "POST /v1/eab/keys/kid-1/revoke", "GET /v1/eab/keys?subject=customer+1%262&after=n&limit=5"}
	for i, call := range d.calls() {
		if got := call.method + " " + call.uri; got != want[i] {
			t.Errorf("%s, want %s", got, want[i])
		}
	}
	if _, err := c.Key(t.Context(), ""); err == nil || c.RevokeKey(t.Context(), "") == nil {
		t.Error("an empty kid reads the list")
	}
}

func TestAKeyIsRotatedUnderOneIdempotencyKey(t *testing.T) {
	c, d := newDouble(t, client.Config{}, answer{}, answer{status: 201, body: `{"kid":"kid-2","hmac_key":"c2VjcmV0LXNlY3JldA"}`})
	k, err := c.RotateKey(t.Context(), "kid/1", 1500*time.Millisecond, "")
	if err != nil || k.Kid != "kid-2" || k.HMACKey.Reveal() != "c2VjcmV0LXNlY3JldA" {
		t.Fatalf("%+v, %v", k, err)
	}
	calls := d.calls()
	for _, call := range calls {
		if call.method+" "+call.uri != "POST /v1/eab/keys/kid%2F1/rotate" || call.body != `{"overlap":2}` || call.key == "" || call.key != calls[0].key {
			t.Errorf("%+v", call)
		}
	}
	if _, err := c.RotateKey(t.Context(), "", 0, ""); err == nil {
		t.Error("no key was rotated")
	}
}

func TestWhatHappensToAnAccountIsTold(t *testing.T) {
	c, d := newDouble(t, client.Config{}, answer{status: 200, body: `{}`})
	a := client.Account{URL: "https://ca.example/acct/1", Thumbprint: "new"}
	for _, err := range []error{c.AccountCreated(t.Context(), a, "kid-1"), c.AccountKeyChanged(t.Context(), a, "old"), c.AccountDeactivated(t.Context(), a)} {
		if err != nil {
			t.Error(err)
		}
	}
	account := `"account":{"url":"https://ca.example/acct/1","thumbprint":"new"}`
	want := []string{`{"event":"created",` + account + `,"kid":"kid-1"}`, `{"event":"key_changed",` + account + `,"old_thumbprint":"old"}`, `{"event":"deactivated",` + account + `}`}
	for i, call := range d.calls() {
		if call.body != want[i] {
			t.Errorf("%s, want %s", call.body, want[i])
		}
	}
	if c.AccountCreated(t.Context(), client.Account{Thumbprint: "x"}, "") == nil {
		t.Error("an account without a URL was created")
	}
}
