package store

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// LogKey is the Ed25519 key by which the log is known. There is one for a store, and it is never replaced: whoever keeps checkpoints
// knows the log by it. Printing it shows nothing.
type LogKey struct {
	Created time.Time
	private ed25519.PrivateKey
}

// Private returns the key itself.
func (k LogKey) Private() ed25519.PrivateKey { return k.private }

// ID is the key's JWK thumbprint (RFC 7638, RFC 8037 2).
func (k LogKey) ID() string {
	b64 := base64.RawURLEncoding.EncodeToString
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"Ed25519","kty":"OKP","x":"%s"}`, b64(k.private.Public().(ed25519.PublicKey))))
	return b64(sum[:])
}

// String implements fmt.Stringer.
func (k LogKey) String() string { return "store.LogKey" }

// GoString implements fmt.GoStringer.
func (k LogKey) GoString() string { return k.String() }

// Format implements fmt.Formatter, so that no verb shows the key.
func (k LogKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

func newLogKey(now time.Time) (*LogKey, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("store: new key of the log: %w", err)
	}
	return &LogKey{Created: wholeSeconds(now), private: private}, nil
}

// LogKey returns the log's key; false if the ring has none, as one that was made before there was a log.
func (r *Ring) LogKey() (LogKey, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.log == nil {
		return LogKey{}, false
	}
	return *r.log, true
}

// MakeLogKey returns the log's key, and makes it, in the ring's file first, if the ring has none. It is for a store whose log has not
// begun: of one that has, another machine's ring has the key.
func (r *Ring) MakeLogKey(now time.Time) (LogKey, error) {
	made, err := newLogKey(now)
	if err != nil {
		return LogKey{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.log != nil {
		return *r.log, nil
	}
	keys := r.ringKeys
	keys.log = made
	return *made, r.replace(keys)
}

type logKeyFile struct {
	Created time.Time `json:"created"`
	Key     string    `json:"key"` // PKCS #8, PEM
}

func (k LogKey) encode() (*logKeyFile, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return nil, err
	}
	return &logKeyFile{k.Created, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))}, nil
}

func (k logKeyFile) decode() (*LogKey, error) {
	block, _ := pem.Decode([]byte(k.Key))
	if block == nil {
		return nil, errors.New("the log's key is malformed")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, errors.New("the log's key is malformed")
	}
	return &LogKey{k.Created, private}, nil
}
