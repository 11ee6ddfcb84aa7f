package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"time"
)

// tokenLife is how long an ID token is good.
const tokenLife = 5 * time.Minute

// Key is one with which the provider signs.
type Key struct {
	ID, Algorithm string // ES256 or RS256
	Private       crypto.Signer
}

// NewKey makes a key.
func NewKey(id, algorithm string) *Key {
	k := &Key{ID: id, Algorithm: algorithm}
	var err error
	if algorithm == "RS256" {
		k.Private, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		k.Private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		panic(err) // there is no randomness
	}
	return k
}

// Rotate has the provider sign with a key from now on, and no longer show those before.
func (p *Provider) Rotate(k *Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = []*Key{k}
}

// key is what the provider signs with; its first one is made when it is needed.
func (p *Provider) key() *Key {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.keys) == 0 {
		p.keys = []*Key{NewKey("one", "ES256")}
	}
	return p.keys[len(p.keys)-1]
}

// Claims are those of an ID token for an account, without what a login adds.
func (p *Provider) Claims(a Account) map[string]any {
	now := p.Now()
	c := map[string]any{
		"iss": p.Issuer, "sub": a.Subject, "aud": p.ClientID, "iat": now.Unix(), "exp": now.Add(tokenLife).Unix(),
	}
	if len(a.AMR) > 0 {
		c["amr"] = a.AMR
	}
	return c
}

// Token signs claims, as Edit and Seal have it.
func (p *Provider) Token(claims map[string]any) string {
	k := p.key()
	header := map[string]any{"alg": k.Algorithm, "kid": k.ID, "typ": "JWT"}
	if p.Edit != nil {
		p.Edit(header, claims)
	}
	token := k.Sign(header, claims)
	if p.Seal != nil {
		token = p.Seal(token)
	}
	return token
}

// Sign makes a JWS in compact form, whatever the header says.
func (k *Key) Sign(header, claims map[string]any) string {
	input := encode(header) + "." + encode(claims)
	sum := sha256.Sum256([]byte(input))
	signature, err := k.Private.Sign(rand.Reader, sum[:], crypto.SHA256)
	if private, ok := k.Private.(*ecdsa.PrivateKey); ok && err == nil {
		var r, s *big.Int
		if r, s, err = ecdsa.Sign(rand.Reader, private, sum[:]); err == nil {
			signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
		}
	}
	if err != nil {
		panic(fmt.Sprintf("sign a token: %v", err)) // the key is no key
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func encode(v map[string]any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode a token: %v", err)) // a test asked for what is no JSON
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// JWK is the public key (RFC 7517).
func (k *Key) JWK() map[string]any {
	number := func(n *big.Int, size int) string {
		return base64.RawURLEncoding.EncodeToString(n.FillBytes(make([]byte, size)))
	}
	jwk := map[string]any{"kid": k.ID, "alg": k.Algorithm, "use": "sig"}
	switch public := k.Private.Public().(type) {
	case *rsa.PublicKey:
		jwk["kty"], jwk["n"], jwk["e"] = "RSA", number(public.N, public.Size()), "AQAB"
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			panic(fmt.Sprintf("encode a key: %v", err)) // the key is no key
		}
		jwk["kty"], jwk["crv"] = "EC", "P-256"
		jwk["x"], jwk["y"] = base64.RawURLEncoding.EncodeToString(point[1:33]), base64.RawURLEncoding.EncodeToString(point[33:])
	}
	return jwk
}

func (p *Provider) showKeys(w http.ResponseWriter) {
	p.key()
	p.mu.Lock()
	var keys []map[string]any
	for _, k := range p.keys {
		keys = append(keys, k.JWK())
	}
	p.mu.Unlock()
	answer(w, http.StatusOK, map[string]any{"keys": keys})
}
