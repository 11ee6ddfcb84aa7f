package acme

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// The sizes of RSA keys that are accepted. The lower bound is everybody's; the
// upper one keeps verification cheap.
const minRSABits, maxRSABits = 2048, 8192

// decode64 reads base64url without padding (RFC 7515 2) in its one canonical form:
// encoding/base64 by itself passes over line breaks.
func decode64(s string) ([]byte, error) {
	if strings.IndexByte(s, '\r') >= 0 || strings.IndexByte(s, '\n') >= 0 {
		return nil, errors.New("not base64url without padding")
	}
	b, err := strict64.DecodeString(s)
	if err != nil {
		return nil, errors.New("not base64url without padding")
	}
	return b, nil
}

var strict64 = base64.RawURLEncoding.Strict()

func encode64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// privateMembers of a JWK (RFC 7518 6.2.2, 6.3.2, 6.4.1; RFC 8037 2).
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// readJWK reads a member that is the public JWK (RFC 7517) of an account. Its unknown
// members are ignored (RFC 7517 4); a private one is refused, since whoever
// sends it to us has sent it to others.
func readJWK(o *object, name string) crypto.PublicKey {
	if j := o.object(name); j != nil {
		return keyOf(j)
	}
	return nil
}

// keyOf is the public key that a JWK is; nil if it is not one that is served, which is reported.
func keyOf(j *object) crypto.PublicKey {
	for _, private := range privateMembers {
		if j.has(private) {
			j.wrong(typeBadPublicKey, private, fmt.Sprintf("%q is a member of a private or symmetric key: send the public key alone, and replace this one", private))
			return nil
		}
	}
	j.require("kty")
	kty := j.text("kty", 16)
	var key crypto.PublicKey
	var err error
	switch kty {
	case "":
		return nil
	case "EC":
		key, err = j.ecKey()
	case "RSA":
		key, err = j.rsaKey()
	case "OKP":
		key, err = j.edKey()
	default:
		err = fmt.Errorf("kty %q is not accepted: EC, RSA and OKP are", kty)
	}
	if err == nil {
		err = checkKey(key)
	}
	if err != nil {
		j.wrong(typeBadPublicKey, "", err.Error())
		return nil
	}
	return key
}

// bytes reads a base64url member of a JWK.
func (o *object) bytes(name string) ([]byte, error) {
	o.require(name)
	b, err := decode64(o.text(name, 2048))
	if err != nil {
		return nil, fmt.Errorf("%q is %w", name, err)
	}
	return b, nil
}

// ecKey is RFC 7518 6.2.1: coordinates have the full length of the field, and
// the point must be on the curve.
func (o *object) ecKey() (crypto.PublicKey, error) {
	var curve elliptic.Curve
	switch o.text("crv", 16) {
	case "P-256":
		curve = elliptic.P256()
	case "P-384":
		curve = elliptic.P384()
	case "P-521":
		curve = elliptic.P521()
	default:
		return nil, errors.New("crv must be P-256, P-384 or P-521")
	}
	x, errX := o.bytes("x")
	y, errY := o.bytes("y")
	if err := errors.Join(errX, errY); err != nil {
		return nil, err
	}
	size := (curve.Params().BitSize + 7) / 8
	if len(x) != size || len(y) != size {
		return nil, fmt.Errorf("x and y must be %d bytes each", size)
	}
	point := make([]byte, 1, 1+2*66)
	point[0] = 4 // uncompressed
	key, err := ecdsa.ParseUncompressedPublicKey(curve, append(append(point, x...), y...))
	if err != nil {
		return nil, errors.New("the point is not on the curve")
	}
	return key, nil
}

// rsaKey is RFC 7518 6.3.1. Integers have no leading zero bytes (RFC 7518 2), so
// that one key has one form and one thumbprint.
func (o *object) rsaKey() (crypto.PublicKey, error) {
	n, errN := o.bytes("n")
	e, errE := o.bytes("e")
	if err := errors.Join(errN, errE); err != nil {
		return nil, err
	}
	if len(n) == 0 || len(e) == 0 || n[0] == 0 || e[0] == 0 {
		return nil, errors.New("n and e must be integers without leading zero bytes")
	}
	if len(e) > 4 {
		return nil, errors.New("e is too large")
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}, nil
}

// edKey is RFC 8037 2.
func (o *object) edKey() (crypto.PublicKey, error) {
	if o.text("crv", 16) != "Ed25519" {
		return nil, errors.New("crv must be Ed25519")
	}
	x, err := o.bytes("x")
	if err != nil {
		return nil, err
	}
	if len(x) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("x must be %d bytes", ed25519.PublicKeySize)
	}
	return ed25519.PublicKey(x), nil
}

// checkKey accepts the kinds and sizes of keys that are served.
func checkKey(key crypto.PublicKey) error {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P224() {
			return errors.New("curve P-224 is not accepted")
		}
		return nil
	case ed25519.PublicKey:
		return nil
	case *rsa.PublicKey:
		bits := k.N.BitLen()
		switch {
		case bits < minRSABits || bits > maxRSABits:
			return fmt.Errorf("an RSA key of %d bits is not accepted: %d to %d are", bits, minRSABits, maxRSABits)
		case k.N.Bit(0) == 0 || k.E < 3 || k.E%2 == 0:
			return errors.New("not an RSA key: modulus and exponent must be odd")
		}
		return nil
	}
	return errors.New("keys are RSA, ECDSA or Ed25519")
}

// thumbprintOf is the JWK thumbprint (RFC 7638, SHA-256, base64url) of a key that checkKey accepts: the hash of its
// required members, in the order of their names.
func thumbprintOf(key crypto.PublicKey) (string, error) {
	var jwk string
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			return "", fmt.Errorf("thumbprint: %w", err)
		}
		size := (len(point) - 1) / 2
		jwk = `{"crv":"` + k.Params().Name + `","kty":"EC","x":"` + encode64(point[1:1+size]) + `","y":"` + encode64(point[1+size:]) + `"}`
	case *rsa.PublicKey:
		jwk = `{"e":"` + encode64(big.NewInt(int64(k.E)).Bytes()) + `","kty":"RSA","n":"` + encode64(k.N.Bytes()) + `"}`
	case ed25519.PublicKey:
		jwk = `{"crv":"Ed25519","kty":"OKP","x":"` + encode64(k) + `"}`
	default:
		return "", errors.New("thumbprint: a key of no kind that is served")
	}
	return hash64([]byte(jwk)), nil
}

// hash64 is the SHA-256 in base64url.
func hash64(b []byte) string {
	sum := sha256.Sum256(b)
	return encode64(sum[:])
}

// checkThumbprint accepts a SHA-256 thumbprint in base64url.
func checkThumbprint(s string) error {
	if b, err := decode64(s); err != nil || len(b) != sha256.Size {
		return errors.New("must be a SHA-256 JWK thumbprint: 43 characters of base64url")
	}
	return nil
}

// parseSPKI reads a SubjectPublicKeyInfo (RFC 5280 4.1.2.7). It must be the one DER
// form of its key: two forms would be two applicants.
func parseSPKI(der []byte) (crypto.PublicKey, error) {
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, errors.New("not a DER SubjectPublicKeyInfo of a kind that is served")
	}
	if err := checkKey(key); err != nil {
		return nil, err
	}
	again, err := x509.MarshalPKIXPublicKey(key)
	if err != nil || !bytes.Equal(again, der) {
		return nil, errors.New("not the canonical DER form of its key")
	}
	return key, nil
}

// spkiDigest is what a public-key applicant is known by.
func spkiDigest(der []byte) string {
	sum := sha256.Sum256(der)
	return encode64(sum[:])
}
