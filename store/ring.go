package store

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// Ring is the key ring: the secret that indexes are hashed with, the keys that
// records are sealed with, and the keys that statements are signed with. It is
// a file of its own, outside the store and its backups, and everything in the
// store is lost with it. Printing a Ring shows no key.
//
// A rotation takes four steps, since other processes seal with what they have
// loaded: Rotate; Reload in every process (a value under a key that it does not know makes a
// process do so by itself); Reseal; Prune. Where processes have files of their own, on several
// machines, Prepare and bringing its file to all of them come before: otherwise who has not
// the new keys cannot read what others seal. All of its methods may be called at once.
type Ring struct {
	mu   sync.RWMutex
	path string // empty until loaded or created: such a ring lives in memory alone
	ringKeys
}

// ringKeys is all that a ring holds; Reload replaces it as a whole.
type ringKeys struct {
	index   []byte
	sealing []*sealingKey // the newest, which seals, last
	signing []SigningKey  // the newest, which signs, last
	next    *nextKeys     // nil unless they were made ahead of their rotation
	log     *LogKey       // nil in a ring that was made before there was a log
}

// nextKeys open and are shown, and neither seal nor sign until the next rotation.
type nextKeys struct {
	sealing *sealingKey
	signing SigningKey
}

// ErrPrepared: the keys of the next rotation are there already.
var ErrPrepared = errors.New("the next keys are made already")

// SigningKey is an ES256 key. Printing it shows its id.
type SigningKey struct {
	// ID is the key's JWK thumbprint (RFC 7638), for the "kid" of JWS and JWK.
	ID      string
	Created time.Time
	// Retired is when a newer key took over; zero for the current one.
	Retired time.Time
	private *ecdsa.PrivateKey
}

// Private returns the key itself.
func (k SigningKey) Private() *ecdsa.PrivateKey { return k.private }

// NewRing makes a ring with fresh keys, created now.
func NewRing(now time.Time) (*Ring, error) {
	r := &Ring{}
	r.index = make([]byte, keySize)
	rand.Read(r.index)
	var err error
	if r.log, err = newLogKey(now); err != nil {
		return nil, err
	}
	if err := r.Rotate(now); err != nil {
		return nil, err
	}
	return r, nil
}

// LoadRing reads a ring from its file, which must be a regular one that nobody but its
// owner can read. The error is os.ErrNotExist if there is none.
func LoadRing(path string) (*Ring, error) {
	r := &Ring{path: path}
	if err := r.Reload(); err != nil {
		return nil, err
	}
	return r, nil
}

// Reload replaces the ring's keys with those now in its file. On an error the
// ring stays as it was.
func (r *Ring) Reload() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys, err := readRing(r.path)
	if err != nil {
		return fmt.Errorf("store: key ring: %w", err)
	}
	r.ringKeys = keys
	return nil
}

// Create writes the ring to a new file of mode 0600, which from then on follows
// its changes; os.ErrExist if there is a file.
func (r *Ring) Create(path string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := writeRing(path, false, r.ringKeys); err != nil {
		return err
	}
	r.path = path
	return nil
}

// Same says whether the other ring has the same keys.
func (r *Ring) Same(other *Ring) bool {
	other.mu.RLock()
	keys := other.ringKeys
	other.mu.RUnlock()
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.ringKeys.same(keys)
}

// replace changes the file and then the ring: nothing is ever sealed under
// a key that a crash could lose. A file that somebody else has changed since it
// was read is left alone, or the keys that it gained would be lost. The caller
// holds the lock.
func (r *Ring) replace(keys ringKeys) error {
	if r.path != "" {
		there, err := readRing(r.path)
		if err != nil {
			return fmt.Errorf("store: key ring: %w", err)
		}
		if !there.same(r.ringKeys) {
			return fmt.Errorf("store: key ring: %s has changed: load it again", r.path)
		}
		if err := writeRing(r.path, true, keys); err != nil {
			return err
		}
	}
	r.ringKeys = keys
	return nil
}

// Prepare makes the keys of the next rotation ahead of it, in the ring's file first. The
// error wraps ErrPrepared if that has been done since the last.
func (r *Ring) Prepare(now time.Time) error {
	next, err := newKeys(now)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next != nil {
		return fmt.Errorf("store: key ring: %w", ErrPrepared)
	}
	keys := r.ringKeys
	keys.next = next
	return r.replace(keys)
}

// Rotate takes the keys into use that were prepared, or else new ones, in the ring's file first. The
// old ones still open and are still listed; the index secret stays, since
// hashes must be found again.
func (r *Ring) Rotate(now time.Time) error {
	made, err := newKeys(now)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next != nil {
		made = r.next
	}
	keys := ringKeys{index: r.index, log: r.log, sealing: append(slices.Clone(r.sealing), made.sealing), signing: slices.Clone(r.signing)}
	if n := len(keys.signing); n > 0 {
		keys.signing[n-1].Retired = wholeSeconds(now)
	}
	keys.signing = append(keys.signing, made.signing)
	return r.replace(keys)
}

func newKeys(now time.Time) (*nextKeys, error) {
	sealing, err := newSealingKey(now)
	if err != nil {
		return nil, err
	}
	signing, err := newSigningKey(now)
	if err != nil {
		return nil, err
	}
	return &nextKeys{sealing, signing}, nil
}

// Hasher returns the keyed hash whose key does not rotate.
func (r *Ring) Hasher() (proofing.Hasher, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return proofing.NewHasher(r.index)
}

// SigningKeys returns the current signing key and then the retired ones, newest first.
func (r *Ring) SigningKeys() []SigningKey {
	r.mu.RLock()
	defer r.mu.RUnlock()
	keys := slices.Clone(r.signing)
	slices.Reverse(keys)
	return keys
}

// NextSigningKey returns the key that the next rotation will sign with, if it is made
// already: whoever verifies may learn of it before.
func (r *Ring) NextSigningKey() (SigningKey, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.next == nil {
		return SigningKey{}, false
	}
	return r.next.signing, true
}

func newSigningKey(now time.Time) (SigningKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return SigningKey{}, fmt.Errorf("store: new signing key: %w", err)
	}
	id, err := thumbprint(&private.PublicKey)
	return SigningKey{ID: id, Created: wholeSeconds(now), private: private}, err
}

// thumbprint is the JWK thumbprint of RFC 7638: the required members, in order.
func thumbprint(key *ecdsa.PublicKey) (string, error) {
	point, err := key.Bytes() // 4, x, y
	if err != nil {
		return "", fmt.Errorf("store: signing key: %w", err)
	}
	half := (len(point) - 1) / 2
	b64 := base64.RawURLEncoding.EncodeToString
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`,
		b64(point[1:1+half]), b64(point[1+half:])))
	return b64(sum[:]), nil
}

func wholeSeconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// String implements fmt.Stringer.
func (r *Ring) String() string { return "store.Ring" + proofing.Redacted }

// GoString implements fmt.GoStringer.
func (r *Ring) GoString() string { return r.String() }

// Format implements fmt.Formatter, so that no verb shows a key.
func (r *Ring) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(r.String())) }

// LogValue implements slog.LogValuer.
func (r *Ring) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalJSON refuses: a ring leaves memory for its own file alone.
func (r *Ring) MarshalJSON() ([]byte, error) {
	return nil, errors.New("store: a key ring is not for encoding")
}

// String implements fmt.Stringer.
func (k SigningKey) String() string { return "store.SigningKey(" + k.ID + ")" }

// GoString implements fmt.GoStringer.
func (k SigningKey) GoString() string { return k.String() }

// Format implements fmt.Formatter, so that no verb shows the key.
func (k SigningKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// LogValue implements slog.LogValuer.
func (k SigningKey) LogValue() slog.Value { return slog.StringValue(k.String()) }
