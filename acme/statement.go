package acme

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/go-jose/go-jose/v4"
)

// KeySource has the keys that statements are signed with, all of them on P-256.
type KeySource interface {
	// SigningKey is the key that signs now.
	SigningKey() *ecdsa.PrivateKey
	// PublicKeys are the keys that a living statement may have been signed with, the
	// current one first.
	PublicKeys() []*ecdsa.PublicKey
}

// Signer implements proofing.Signer: compact JWS (RFC 7515), ES256 alone, with an
// explicit typ (RFC 8725 3.11) and the key's thumbprint (RFC 7638) as its kid.
type Signer struct{ keys KeySource }

// NewSigner returns a signer that signs with the source's current key.
func NewSigner(keys KeySource) Signer { return Signer{keys} }

// Sign implements proofing.Signer.
func (s Signer) Sign(typ string, claims map[string]any) (string, error) {
	key := s.keys.SigningKey()
	kid, err := thumbprintOf(&key.PublicKey)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode claims: %w", err)
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: kid}},
		(&jose.SignerOptions{}).WithType(jose.ContentType(typ)),
	)
	if err != nil {
		return "", fmt.Errorf("make signer: %w", err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return jws.CompactSerialize()
}

// jwksMaxAge lets verifiers keep the keys for five minutes; one that meets a
// kid it does not know must look again.
const jwksMaxAge = "public, max-age=300"

// JWKS serves the public keys of statements as a JWK set (RFC 7517 5). Both
// listeners serve it: authorities and whoever else is shown a statement.
func JWKS(keys KeySource) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := encodeKeys(keys.PublicKeys())
		if err != nil { // only a key that is none can do this
			newProblem(typeServerInternal, "the fault is ours").answer().write(w)
			return
		}
		serveCached(w, r, "application/jwk-set+json", jwksMaxAge, body)
	})
}

func encodeKeys(public []*ecdsa.PublicKey) ([]byte, error) {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, key := range public {
		kid, err := thumbprintOf(key)
		if err != nil {
			return nil, err
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key, KeyID: kid, Algorithm: string(jose.ES256), Use: "sig"})
	}
	return encodeJSON(set)
}

// serveCached answers with something public, by its hash (RFC 9110 8.8.3).
func serveCached(w http.ResponseWriter, r *http.Request, contentType, cacheControl string, body []byte) {
	sum := sha256.Sum256(body)
	tag := `"` + encode64(sum[:12]) + `"`
	h := w.Header()
	h.Set("Cache-Control", cacheControl)
	h.Set("ETag", tag)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Access-Control-Allow-Origin", "*") // it is public, and pages of others may read it
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", contentType)
	_, _ = w.Write(body) // a caller that has gone away cannot be told
}
