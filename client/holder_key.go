package client

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // of ES256 and RS256
	_ "crypto/sha512" // of ES384 and ES512
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

// accountKey is the key of an account, which signs by the one algorithm that its kind has in ACME requests here.
type accountKey struct {
	signer    crypto.Signer
	algorithm string
	hash      crypto.Hash // 0: the text itself is signed
	size      int         // of each half of an ECDSA signature
	jwk       json.RawMessage
}

// newAccountKey finds the algorithm of a key and writes its public half as a JWK (RFC 7518 6, RFC 8037 2).
func newAccountKey(signer crypto.Signer) (accountKey, error) {
	k := accountKey{signer: signer}
	if signer == nil {
		return k, errors.New("countersign: the account's key is needed")
	}
	text := base64.RawURLEncoding.EncodeToString
	var jwk map[string]string
	switch public := signer.Public().(type) {
	case *ecdsa.PublicKey:
		curve := public.Params().Name
		switch curve {
		case "P-256":
			k.algorithm, k.hash = "ES256", crypto.SHA256
		case "P-384":
			k.algorithm, k.hash = "ES384", crypto.SHA384
		case "P-521":
			k.algorithm, k.hash = "ES512", crypto.SHA512
		default:
			return k, fmt.Errorf("countersign: the account's key is on %s, and P-256, P-384 and P-521 are served", curve)
		}
		k.size = (public.Params().BitSize + 7) / 8
		point, err := public.Bytes()
		if err != nil {
			return k, fmt.Errorf("countersign: the account's key: %w", err)
		}
		x, y := point[1:1+k.size], point[1+k.size:] // behind the byte that says uncompressed
		jwk = map[string]string{"kty": "EC", "crv": curve, "x": text(x), "y": text(y)}
	case ed25519.PublicKey:
		k.algorithm = "EdDSA"
		jwk = map[string]string{"kty": "OKP", "crv": "Ed25519", "x": text(public)}
	case *rsa.PublicKey:
		k.algorithm, k.hash = "RS256", crypto.SHA256
		jwk = map[string]string{"kty": "RSA", "n": text(public.N.Bytes()), "e": text(big.NewInt(int64(public.E)).Bytes())}
	default:
		return k, fmt.Errorf("countersign: the account's key is a %T, which is of no kind that accounts have", public)
	}
	var err error
	k.jwk, err = json.Marshal(jwk)
	return k, err
}

// sign signs a text as a JWS has it (RFC 7518 3.3 and 3.4, RFC 8037 3.1).
func (k accountKey) sign(text []byte) ([]byte, error) {
	digest := text
	if k.hash != 0 {
		h := k.hash.New()
		h.Write(text)
		digest = h.Sum(nil)
	}
	signature, err := k.signer.Sign(rand.Reader, digest, k.hash)
	if err == nil && k.size > 0 {
		signature, err = k.halves(signature)
	}
	if err != nil {
		return nil, fmt.Errorf("countersign: sign by the account's key: %w", err)
	}
	return signature, nil
}

// halves puts an ECDSA signature, which a signer gives in ASN.1, into the form of a JWS: both numbers at their full length.
func (k accountKey) halves(signature []byte) ([]byte, error) {
	var half struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(signature, &half)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 || half.R.Sign() <= 0 || half.S.Sign() <= 0 || half.R.BitLen() > 8*k.size || half.S.BitLen() > 8*k.size {
		return nil, errors.New("the signer has made no signature of ECDSA")
	}
	out := make([]byte, 2*k.size)
	half.R.FillBytes(out[:k.size])
	half.S.FillBytes(out[k.size:])
	return out, nil
}
