package conformance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"maps"
)

// algorithms are those that a binding can be made with (RFC 7518 3.2).
var algorithms = map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New}

// b64 is base64url as JWS has it: without padding (RFC 7515 2).
func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// object is a JSON object whose members may be any. encoding/json sorts them.
type object map[string]any

func (o object) json() []byte {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err) // strings and objects of strings
	}
	return b
}

// accountKey is the key of one account: ES256, which every server must take (RFC 8555 6.2).
type accountKey struct{ private *ecdsa.PrivateKey }

func newAccountKey() (accountKey, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return accountKey{}, fmt.Errorf("make an account key: %w", err)
	}
	return accountKey{k}, nil
}

// jwk is the public key (RFC 7518 6.2.1).
func (k accountKey) jwk() object {
	point, err := k.private.PublicKey.Bytes() // 4, x, y
	if err != nil {
		panic(err) // a key that newAccountKey has made
	}
	return object{"crv": "P-256", "kty": "EC", "x": b64(point[1:33]), "y": b64(point[33:])}
}

// thumbprint is RFC 7638's, for which the members of jwk are in order.
func (k accountKey) thumbprint() string {
	sum := sha256.Sum256(k.jwk().json())
	return b64(sum[:])
}

// sign is the ES256 signature of a JWS signing input: R and S, 32 bytes each (RFC 7518 3.4).
func (k accountKey) sign(input string) ([]byte, error) {
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, k.private, digest[:])
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...), nil
}

// outer is the body of a request (RFC 8555 6.2). A nil payload is POST-as-GET (6.3).
func (k accountKey) outer(header object, payload []byte) ([]byte, error) {
	protected, body := b64(header.json()), b64(payload)
	signature, err := k.sign(protected + "." + body)
	if err != nil {
		return nil, err
	}
	return object{"protected": protected, "payload": body, "signature": b64(signature)}.json(), nil
}

// mac is the MAC of a signing input.
func mac(algorithm string, key []byte, input string) []byte {
	m := hmac.New(algorithms[algorithm], key)
	m.Write([]byte(input))
	return m.Sum(nil)
}

func (o object) clone() object { return maps.Clone(o) }
