package client_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/countersign-id/countersign/client"
)

func TestAnAuthorityTokenIsAskedForByTheFingerprintOfTheKey(t *testing.T) {
	thumbprint, err := client.Thumbprint(json.RawMessage(jwk))
	if err != nil {
		t.Fatal(err)
	}
	c, d := newDouble(t, client.Config{}, answer{}, answer{status: 200, body: `{"token":"a.b.c"}`})
	ask := client.AuthorityTokenRequest{Profile: "client", Identifier: client.Identifier{Type: "email", Value: "applicant@example.org"}, IdempotencyKey: "order-7"}
	for _, a := range []client.Account{{JWK: json.RawMessage(jwk)}, {Thumbprint: thumbprint}, {JWK: json.RawMessage(jwk), Thumbprint: thumbprint}} {
		ask.Account = a
		if token, err := c.AuthorityToken(t.Context(), ask); err != nil || token != "a.b.c" {
			t.Fatalf("%q, %v", token, err)
		}
	}
	// The thumbprint of TestThumbprintsAreThoseOfTheStandards in hexadecimal.
	want := `{"profile":"client","atc":{"tktype":"email","tkvalue":"applicant@example.org","fingerprint":"SHA256 72:7F:88:FD:63:4C:0A:57:A1:89:5A:79:D6:2F:F4:56:93:84:35:6D:6E:A4:47:AB:03:CB:04:6A:6E:61:9F:EB"}}`
	for _, call := range d.calls() {
		if call.method+" "+call.uri != "POST /v1/authority-tokens" || call.key != "order-7" || call.body != want {
			t.Errorf("%+v", call)
		}
	}
}

func TestAnAuthorityTokenIsForAnAccountThatIsKnown(t *testing.T) {
	c, d := newDouble(t, client.Config{}, answer{status: 200, body: `{"token":""}`})
	for name, a := range map[string]client.Account{
		"nobody": {URL: "https://ca.example/acct/1"}, "a thumbprint that is none": {Thumbprint: "AAAA"}, "a key that is none": {JWK: json.RawMessage(`{}`)},
		"another's thumbprint": {JWK: json.RawMessage(jwk), Thumbprint: "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
	} {
		if token, err := c.AuthorityToken(t.Context(), client.AuthorityTokenRequest{Profile: "client", Account: a}); token != "" || err == nil {
			t.Errorf("%s: %q", name, token)
		}
	}
	if n := len(d.calls()); n != 0 {
		t.Errorf("asked %d times", n)
	}
	if _, err := c.AuthorityToken(t.Context(), client.AuthorityTokenRequest{Profile: "client", Account: client.Account{JWK: json.RawMessage(jwk)}}); !errors.Is(err, client.ErrUnavailable) {
		t.Errorf("no token, and %v", err)
	}
}
