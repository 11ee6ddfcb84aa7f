package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// A sealed value is
//
//	version (1 byte: 1) | key id (4 bytes) | nonce (12) | ciphertext | tag (16)
//
// AES-256-GCM with a random nonce. The first five bytes, the bucket and the
// whole name are authenticated with it, so that a value which somebody
// moved to another name, or under another key's id, does not open.
const (
	sealVersion = 1
	keySize     = 32
	keyIDSize   = 4
	sealHeader  = 1 + keyIDSize
)

// sealingKey is one key of the ring. Each bucket has a key of its own derived
// from it: random nonces are good for 2^32 values under one key (NIST SP
// 800-38D 8.3), and a busy service writes as many in weeks. Of all buckets
// together that makes years between two rotations.
type sealingKey struct {
	id      [keyIDSize]byte
	created time.Time
	key     []byte
	buckets map[string]cipher.AEAD
}

func newSealingKey(now time.Time) (*sealingKey, error) {
	var id [keyIDSize]byte
	rand.Read(id[:])
	key := make([]byte, keySize)
	rand.Read(key)
	return loadSealingKey(id, key, wholeSeconds(now))
}

func loadSealingKey(id [keyIDSize]byte, key []byte, created time.Time) (*sealingKey, error) {
	k := &sealingKey{id: id, created: created, key: key, buckets: make(map[string]cipher.AEAD, proofing.Buckets)}
	for n := range proofing.Buckets {
		bucket := fmt.Sprintf("%02d", n)
		sub, err := hkdf.Key(sha256.New, key, nil, "countersign seal v1 "+bucket, keySize)
		if err != nil {
			return nil, fmt.Errorf("store: sealing key: %w", err)
		}
		block, err := aes.NewCipher(sub)
		if err != nil {
			return nil, fmt.Errorf("store: sealing key: %w", err)
		}
		if k.buckets[bucket], err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return nil, fmt.Errorf("store: sealing key: %w", err)
		}
	}
	return k, nil
}

// seal seals a value for its place under the current key.
func (r *Ring) seal(bucket, name string, plain []byte) []byte {
	r.mu.RLock()
	key := r.sealing[len(r.sealing)-1]
	r.mu.RUnlock()
	sealed := make([]byte, 0, sealHeader+key.buckets[bucket].Overhead()+len(plain))
	sealed = append(sealed, sealVersion)
	sealed = append(sealed, key.id[:]...)
	return key.buckets[bucket].Seal(sealed, nil, plain, sealedFor(sealed, bucket, name))
}

// open opens a value that was sealed for that place. A key that the ring
// does not know may be one that another process has just made: it is looked for in the file.
func (r *Ring) open(bucket, name string, sealed []byte) ([]byte, error) {
	id, err := sealedUnder(sealed)
	if err != nil {
		return nil, err
	}
	key := r.sealingKey(id)
	if key == nil && r.Reload() == nil {
		key = r.sealingKey(id)
	}
	if key == nil {
		return nil, fmt.Errorf("store: a value sealed under key %x, which the key ring lacks", id)
	}
	header, rest := sealed[:sealHeader], sealed[sealHeader:]
	plain, err := key.buckets[bucket].Open(nil, nil, rest, sealedFor(header, bucket, name))
	if err != nil {
		return nil, fmt.Errorf("store: a value that does not open: it was changed, or stored under another name: %w: %w", proofing.ErrUnreadable, err)
	}
	return plain, nil
}

// current says whether a value is sealed under the key that seals now.
func (r *Ring) current(sealed []byte) (bool, error) {
	id, err := sealedUnder(sealed)
	r.mu.RLock()
	defer r.mu.RUnlock()
	return err == nil && id == r.sealing[len(r.sealing)-1].id, err
}

func (r *Ring) sealingKey(id [keyIDSize]byte) *sealingKey {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.find(id)
}

func (keys ringKeys) find(id [keyIDSize]byte) *sealingKey {
	for _, k := range keys.sealing {
		if k.id == id {
			return k
		}
	}
	if keys.next != nil && keys.next.sealing.id == id {
		return keys.next.sealing // another machine has taken it into use
	}
	return nil
}

func sealedUnder(sealed []byte) (id [keyIDSize]byte, err error) {
	if len(sealed) < sealHeader || sealed[0] != sealVersion {
		return id, fmt.Errorf("store: a value that is not sealed, or by a newer version of countersign: %w", proofing.ErrUnreadable)
	}
	return [keyIDSize]byte(sealed[1:sealHeader]), nil
}

// sealedFor is the additional data: of fixed lengths but for the name, which ends it.
func sealedFor(header []byte, bucket, name string) []byte {
	data := make([]byte, 0, len(header)+len(bucket)+len(name))
	data = append(data, header...)
	data = append(data, bucket...)
	return append(data, name...)
}
