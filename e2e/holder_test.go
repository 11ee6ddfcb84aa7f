package e2e

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/countersign-id/countersign/client"
)

// Who holds an account gets its Authority Token by the account's key alone, at either listener of the real program, by the Go client; nobody does before
// the proof.
func TestTheHolderOfAnAccountGetsItsAuthorityTokenByTheGoClient(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	certFile, keyFile := newRoot(t).issue("tokens", &x509.Certificate{Subject: pkix.Name{CommonName: "token authority"}, KeyUsage: x509.KeyUsageDigitalSignature})
	p.command("ca", "authority-tokens", "allow", "example", "--type", "email")
	end(p.cmd, syscall.SIGTERM)
	config, err := os.ReadFile(p.file(0))
	if err != nil {
		t.Fatal(err)
	}
	config = fmt.Appendf(config, "authority_tokens: {cert_file: %s, key_file: %s}\n", certFile, keyFile)
	if err := os.WriteFile(p.file(0), config, 0o600); err != nil {
		t.Fatal(err)
	}
	p.run()

	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	const email = "holder@example.org"
	wants := client.HolderTokenRequest{Authority: "example", Profile: "address", Identifier: client.Identifier{Type: "email", Value: email}}
	ask := func(url string, signer crypto.Signer) (string, error) {
		t.Helper()
		h, err := client.NewHolder(client.Config{URL: url}, signer)
		if err != nil {
			t.Fatal(err)
		}
		return h.AuthorityToken(ctx, wants)
	}
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(p.people, key); !client.IsProblem(err, client.Unauthorized) {
		t.Errorf("before the account is known: %v", err)
	}
	cs, err := client.New(client.Config{URL: p.api, Token: p.token})
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := json.Marshal(map[string]string{"kty": "EC", "crv": "P-384", "x": b64(key.X.FillBytes(make([]byte, 48))), "y": b64(key.Y.FillBytes(make([]byte, 48)))})
	if err != nil {
		t.Fatal(err)
	}
	opened, err := cs.Open(ctx, client.OpenRequest{Account: &client.Account{JWK: jwk}, Identifier: wants.Identifier, Profile: "address"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(p.people, key); !client.IsProblem(err, client.UserActionRequired) {
		t.Errorf("before the proof: %v", err)
	}
	p.person(opened.CaseURL).prove("email", email)
	for _, url := range []string{p.people, p.api} {
		token, err := ask(url, key)
		if err != nil {
			t.Errorf("at %s: %v", url, err)
			continue
		}
		secret("an Authority Token", token)
		var claims struct {
			jwt.RegisteredClaims
			ATC struct{ TKType, TKValue, Fingerprint string }
		}
		_, err = jwt.ParseWithClaims(token, &claims, func(parsed *jwt.Token) (any, error) {
			chain, _ := parsed.Header["x5c"].([]any)
			der, err := base64.StdEncoding.DecodeString(fmt.Sprint(chain[0]))
			if err != nil {
				return nil, err
			}
			leaf, err := x509.ParseCertificate(der)
			if err != nil {
				return nil, err
			}
			return leaf.PublicKey, nil
		}, jwt.WithValidMethods([]string{"ES256"}))
		if err != nil || claims.ATC.TKType != "email" || claims.ATC.TKValue != email || claims.ATC.Fingerprint == "" {
			t.Errorf("at %s: the token says %+v: %v", url, claims, err)
		}
	}
}
