package acme_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	_ "crypto/sha512" // of ES384 and ES512
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// signRaw signs a text as RFC 7518 3.3, 3.4 and RFC 8037 3.1 have it.
func signRaw(key crypto.Signer, alg jose.SignatureAlgorithm, text []byte) ([]byte, error) {
	hash := map[jose.SignatureAlgorithm]crypto.Hash{jose.ES256: crypto.SHA256, jose.RS256: crypto.SHA256, jose.ES384: crypto.SHA384, jose.ES512: crypto.SHA512}[alg]
	if hash == 0 {
		return key.Sign(rand.Reader, text, crypto.Hash(0))
	}
	h := hash.New()
	h.Write(text)
	k, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return key.Sign(rand.Reader, h.Sum(nil), hash)
	}
	r, s, err := ecdsa.Sign(rand.Reader, k, h.Sum(nil))
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	size := (k.Params().BitSize + 7) / 8
	out := make([]byte, 2*size)
	r.FillBytes(out[:size])
	s.FillBytes(out[size:])
	return out, nil
}
