package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"regexp"
	"testing"

	"github.com/countersign-id/countersign/client"
)

var (
	kidOnPage  = regexp.MustCompile(`data-kid>([A-Za-z0-9_-]+)<`)
	hmacOnPage = regexp.MustCompile(`data-hmac>([A-Za-z0-9_-]+)<`)
)

// acmeAccount is an ACME account of the test's own, with what its client would send.
type acmeAccount struct {
	url string
	jwk json.RawMessage
}

func newACMEAccount(t *testing.T, name string) acmeAccount {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := json.Marshal(map[string]string{"kty": "EC", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])})
	if err != nil {
		t.Fatal(err)
	}
	return acmeAccount{"https://example.example/acct/" + name, jwk}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// bindingOf is the externalAccountBinding of the account's newAccount request (RFC 8555 7.3.4).
func (a acmeAccount) bindingOf(t *testing.T, kid, secret, newAccount string) json.RawMessage {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	header, err := json.Marshal(map[string]string{"alg": "HS256", "kid": kid, "url": newAccount})
	if err != nil {
		t.Fatal(err)
	}
	protected, payload := b64(header), b64(a.jwk)
	mac := hmac.New(sha256.New, raw)
	mac.Write([]byte(protected + "." + payload))
	jws, err := json.Marshal(map[string]string{"protected": protected, "payload": payload, "signature": b64(mac.Sum(nil))})
	if err != nil {
		t.Fatal(err)
	}
	return jws
}

// A person proves who they are and gets a key; an account that is created with it may have what was proved, and nothing
// else; what was proved is taken back, and the next order is refused. The CA is the Go client, over the real program.
func TestAProofReachesAnAccountByAKey(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	ctx, email := context.Background(), "bound@example.org"
	const newAccount = "https://example.example/new-account"
	cs, err := client.New(client.Config{URL: p.api, Token: p.token})
	if err != nil {
		t.Fatal(err)
	}
	kid, hmacKey := p.keyOfProof(email)

	mine, theirs := newACMEAccount(t, "mine"), newACMEAccount(t, "theirs")
	ask := func(a acmeAccount, binding json.RawMessage) (*client.Binding, error) {
		return cs.VerifyEAB(ctx, client.VerifyRequest{URL: newAccount, JWK: a.jwk, Binding: binding})
	}
	bound, err := ask(mine, mine.bindingOf(t, kid, hmacKey, newAccount))
	if err != nil {
		t.Fatal(err)
	}
	if bound.Kid != kid || len(bound.Identifiers) != 1 || string(bound.Assessment) == "null" {
		t.Errorf("the binding is %+v", bound)
	}
	refused := func(what string, err error, typ string) {
		t.Helper()
		if p, ok := errors.AsType[*client.Problem](err); !ok || p.Type != typ {
			t.Errorf("%s: %v, want %s", what, err, typ)
		}
	}
	_, err = ask(theirs, theirs.bindingOf(t, kid, hmacKey, newAccount))
	refused("a second account", err, "urn:ietf:params:acme:error:unauthorized")
	_, err = ask(theirs, mine.bindingOf(t, kid, hmacKey, newAccount))
	refused("somebody else's binding", err, "urn:ietf:params:acme:error:unauthorized")
	_, err = ask(mine, mine.bindingOf(t, kid, hmacKey, newAccount+"/"))
	refused("another url", err, "urn:ietf:params:acme:error:malformed")

	if err := cs.AccountCreated(ctx, client.Account{URL: mine.url, JWK: mine.jwk}, bound.Kid); err != nil {
		t.Fatal(err)
	}
	order := func(a acmeAccount, names ...string) error {
		var ids []client.Identifier
		for _, n := range names {
			ids = append(ids, client.Identifier{Type: "email", Value: n})
		}
		_, err := cs.Authorize(ctx, client.AuthorizeRequest{Account: &client.Account{URL: a.url, JWK: a.jwk}, Identifiers: ids, Profile: "address"})
		return err
	}
	if err := order(mine, email); err != nil {
		t.Errorf("the bound account is refused what was proved: %v", err)
	}
	refused("what was not proved", order(mine, email, "other@example.org"), "urn:ietf:params:acme:error:userActionRequired")
	refused("an account without a key", order(theirs, email), "urn:ietf:params:acme:error:userActionRequired")

	p.command("eab", "revoke", "example", bound.Kid)
	err = order(mine, email)
	refused("after the key was revoked", err, "urn:ietf:params:acme:error:unauthorized")
	_, err = ask(mine, mine.bindingOf(t, kid, hmacKey, newAccount))
	refused("the binding after that", err, "urn:ietf:params:acme:error:unauthorized")
}
