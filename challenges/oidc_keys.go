package challenges

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/countersign-id/countersign/proofing"
)

const (
	maxKeySet = 256 << 10
	maxKeys   = 64
	// RSA keys are refused below what is safe and above what is quick to verify with.
	leastRSA, mostRSA = 2048, 8192
)

// keySet is the keys of a provider as they were fetched.
type keySet struct {
	keys []jose.JSONWebKey
	// verify is go-oidc's own key set over the same keys. It verifies what the verifier has already taken
	// apart, and never calls anybody: see memory.
	verify oidc.KeySet
}

// fetchKeys fetches the provider's keys. A set that is too large is refused as a whole; keys in it that are not for
// signatures, or that nobody here can verify with, are left out (RFC 7517 5).
func (p *provider) fetchKeys(ctx context.Context) (keySet, error) {
	m, err := p.metadata.fresh(ctx)
	if err != nil {
		return keySet{}, err
	}
	body, err := get(ctx, p.client, m.keys, maxKeySet)
	if err != nil {
		return keySet{}, err
	}
	list, err := membersOf(body)
	if err != nil {
		return keySet{}, fmt.Errorf("read them: %w", err)
	}
	var entries []json.RawMessage
	if err := json.Unmarshal(list["keys"], &entries); err != nil || len(entries) > maxKeys {
		return keySet{}, fmt.Errorf("they are no list of at most %d keys", maxKeys)
	}
	var keys []jose.JSONWebKey
	for _, entry := range entries {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(entry) == nil && key.IsPublic() && (key.Use == "" || key.Use == "sig") && verifies(key.Key) {
			keys = append(keys, key)
		}
	}
	usable, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		return keySet{}, fmt.Errorf("keep them: %w", err)
	}
	local := oidc.ClientContext(context.Background(), &http.Client{Transport: &memory{body: usable}})
	return keySet{keys, oidc.NewRemoteKeySet(local, "memory:")}, nil
}

// memory answers go-oidc's key set, once, with the keys that were fetched. Every later call is one for a token that does not
// verify, for which that set would fetch its keys anew; it gets nothing.
type memory struct {
	body []byte
	used atomic.Bool
}

// RoundTrip implements http.RoundTripper.
func (m *memory) RoundTrip(*http.Request) (*http.Response, error) {
	if m.used.Swap(true) {
		return nil, errNoOtherKeys
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(m.body))}, nil
}

var errNoOtherKeys = errors.New("there are no other keys")

func verifies(key any) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= leastRSA && k.N.BitLen() <= mostRSA
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}

// signature verifies the one signature of a token for go-oidc. Left to itself, that would fetch the keys anew for every token
// whose key it does not know; here they are fetched as seldom as remote allows.
type signature struct {
	p       *provider
	payload []byte
	// failed is why keys were not to be had: go-oidc passes errors on as text.
	failed error
}

// VerifySignature implements oidc.KeySet.
func (s *signature) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	h, err := readHeader(token)
	if err != nil {
		return nil, err
	}
	keys, at, err := s.p.keys.since(ctx, func(at time.Time) bool { return s.p.now().Sub(at) < remoteLife })
	if err != nil {
		s.failed = err
		return nil, err
	}
	if s.payload, err = keys.try(ctx, h, token); err == nil {
		return s.payload, nil
	}
	// A key that is not there, or another under its name, may have come since (OpenID Connect Core 10.1.1).
	newer, ok, fetchErr := s.p.keys.newer(ctx, at)
	if fetchErr != nil {
		s.failed = fetchErr
		return nil, fetchErr
	}
	if ok {
		s.payload, err = newer.try(ctx, h, token)
	}
	return s.payload, err
}

var errUnknownKey = errors.New("the key that the token names is not among the issuer's")

// try verifies with the keys that the header may mean: that of its key id, or each that goes with its algorithm.
func (s keySet) try(ctx context.Context, h tokenHeader, token string) ([]byte, error) {
	for i := range s.keys {
		if k := &s.keys[i]; (h.keyID == "" || k.KeyID == h.keyID) && (k.Algorithm == "" || k.Algorithm == h.algorithm) {
			return s.verify.VerifySignature(ctx, token)
		}
	}
	return nil, errUnknownKey
}

// tokenHeader is what we read of a token's header (RFC 7515 4.1).
type tokenHeader struct{ algorithm, keyID string }

// readHeader refuses what a header must not say. A type keeps logout tokens and access tokens from passing for ID
// tokens (RFC 8725 3.11); extensions that must be understood are not.
func readHeader(token string) (h tokenHeader, err error) {
	protected, _, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(protected)
	if err != nil {
		return h, errors.New("the token's header cannot be read")
	}
	list, err := membersOf(raw)
	if err != nil {
		return h, fmt.Errorf("the token's header: %w", err)
	}
	if _, ok := list["crit"]; ok {
		return h, errors.New("the token's header has extensions")
	}
	var typ string
	for name, into := range map[string]*string{"alg": &h.algorithm, "kid": &h.keyID, "typ": &typ} {
		if *into, err = text(list, name); err != nil {
			return h, err
		}
	}
	if typ != "" && !strings.EqualFold(typ, "JWT") && typ != "application/jwt" {
		return h, errors.New("the token is of another type")
	}
	return h, nil
}

// assertionSigner reads the private key of a client.
func assertionSigner(text proofing.Secret, id string) (jose.Signer, error) {
	key, err := privateKey(text)
	if err != nil {
		return nil, err
	}
	var algorithm jose.SignatureAlgorithm
	switch k := key.(type) {
	case *rsa.PrivateKey:
		algorithm = jose.RS256
	case ed25519.PrivateKey:
		algorithm = jose.EdDSA
	case *ecdsa.PrivateKey:
		algorithm = map[elliptic.Curve]jose.SignatureAlgorithm{elliptic.P256(): jose.ES256, elliptic.P384(): jose.ES384, elliptic.P521(): jose.ES512}[k.Curve]
	}
	if algorithm == "" {
		return nil, fmt.Errorf("a key of the type %T is of no use here", key)
	}
	options := (&jose.SignerOptions{}).WithType("JWT")
	return jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: id}}, options)
}

// decryptionKey reads the private key that tokens are encrypted to.
func decryptionKey(text proofing.Secret) (any, error) {
	key, err := privateKey(text)
	if err != nil {
		return nil, err
	}
	switch key.(type) {
	case *rsa.PrivateKey, *ecdsa.PrivateKey:
		return key, nil
	}
	return nil, fmt.Errorf("a key of the type %T is of no use here", key)
}

// CheckKey says what is wrong with a private key in PEM form, if anything is.
func CheckKey(text proofing.Secret) error {
	_, err := privateKey(text)
	return err
}

// privateKey reads PEM in any of the forms that are about. Its errors repeat nothing of the text.
func privateKey(text proofing.Secret) (any, error) {
	block, _ := pem.Decode([]byte(text.Reveal()))
	if block == nil {
		return nil, errors.New("is not in PEM form")
	}
	if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		if rsaKey, ok := key.(*rsa.PrivateKey); ok && rsaKey.N.BitLen() < leastRSA {
			return nil, fmt.Errorf("is shorter than %d bits", leastRSA)
		}
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil && key.N.BitLen() >= leastRSA {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	return nil, errors.New("is no private key of a kind that is known")
}

// The ways in which a token may be encrypted. RSA with PKCS #1 v1.5 padding is not among them (RFC 8725 3.2).
var (
	keyEncryption = []jose.KeyAlgorithm{jose.RSA_OAEP_256, jose.RSA_OAEP, jose.ECDH_ES, jose.ECDH_ES_A128KW, jose.ECDH_ES_A256KW}
	encryption    = []jose.ContentEncryption{jose.A128GCM, jose.A256GCM, jose.A128CBC_HS256, jose.A256CBC_HS512}
)

// decrypt returns the signed token within an encrypted one.
func (p *provider) decrypt(token string) (string, error) {
	jwe, err := jose.ParseEncryptedCompact(token, keyEncryption, encryption)
	if err != nil {
		return "", badToken("the token is encrypted in a way that is not served")
	}
	if _, ok := jwe.Header.ExtraHeaders["zip"]; ok { // it could become as large as it likes
		return "", badToken("the token is compressed")
	}
	if _, ok := jwe.Header.ExtraHeaders["crit"]; ok {
		return "", badToken("the token's header has extensions")
	}
	inner, err := jwe.Decrypt(p.decryption)
	if err != nil {
		return "", badToken("the token is not encrypted to us")
	}
	return string(inner), nil
}
