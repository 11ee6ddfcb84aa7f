package proofing

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Hasher makes keyed hashes: what an index may hold of an address, what is kept
// of a code, where a record with a natural key lives. Its key does not rotate,
// because a hash must find tomorrow what it stored today; what is sealed under
// the ring's other keys does not depend on it.
type Hasher struct{ key []byte }

// NewHasher derives a hasher from at least 32 secret bytes.
func NewHasher(secret []byte) (Hasher, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "countersign hasher v1", 32)
	return Hasher{key}, err
}

// Sum is HMAC-SHA256 over the purpose and the parts, each with its length, so
// that no two lists of parts run into one another.
func (h Hasher) Sum(purpose string, parts ...string) [32]byte {
	m := hmac.New(sha256.New, h.key)
	var n [4]byte
	for _, p := range append([]string{purpose}, parts...) {
		binary.BigEndian.PutUint32(n[:], uint32(len(p)))
		m.Write(n[:])
		m.Write([]byte(p))
	}
	return [32]byte(m.Sum(nil))
}

// Hex is Sum as 32 hexadecimal digits, for index values and counter names.
func (h Hasher) Hex(purpose string, parts ...string) string {
	sum := h.Sum(purpose, parts...)
	return hex.EncodeToString(sum[:16])
}
