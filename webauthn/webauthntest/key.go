package webauthntest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
)

// COSE algorithms that the authenticator has.
const (
	ES256 int64 = -7
	EdDSA int64 = -8
	ES384 int64 = -35
	RS256 int64 = -257
)

func newKey(algorithm int64) (crypto.Signer, error) {
	switch algorithm {
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case ES384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case EdDSA:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case RS256:
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return nil, fmt.Errorf("webauthntest: no algorithm %d", algorithm)
}

// coseKey writes a public key as a COSE_Key (RFC 9052 7, RFC 8230 4).
func coseKey(key crypto.PublicKey, algorithm int64) []byte {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		curve, size := int64(1), 32
		if k.Curve == elliptic.P384() {
			curve, size = 2, 48
		}
		return cbor([]pair{
			{int64(1), int64(2)}, {int64(3), algorithm}, {int64(-1), curve},
			{int64(-2), k.X.FillBytes(make([]byte, size))}, {int64(-3), k.Y.FillBytes(make([]byte, size))},
		})
	case ed25519.PublicKey:
		return cbor([]pair{{int64(1), int64(1)}, {int64(3), algorithm}, {int64(-1), int64(6)}, {int64(-2), []byte(k)}})
	case *rsa.PublicKey:
		return cbor([]pair{{int64(1), int64(3)}, {int64(3), algorithm}, {int64(-1), k.N.Bytes()}, {int64(-2), []byte{1, 0, 1}}})
	}
	panic(fmt.Sprintf("webauthntest: no COSE key for %T", key))
}

func sign(key crypto.Signer, data []byte) ([]byte, error) {
	switch k := key.Public().(type) {
	case ed25519.PublicKey:
		return key.Sign(rand.Reader, data, crypto.Hash(0))
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P384() {
			digest := sha512.Sum384(data)
			return key.Sign(rand.Reader, digest[:], crypto.SHA384)
		}
	}
	digest := sha256.Sum256(data)
	return key.Sign(rand.Reader, digest[:], crypto.SHA256)
}
