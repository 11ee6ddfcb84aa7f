package proofing

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"
)

// Buckets is how many parts every table is cut into. What must change together
// shares a bucket; on a cluster the bucket is the hash tag (law 6).
const Buckets = 64

// ids are lower case and carry no letter that is easily misread.
var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewID makes an id of 130 random bits behind two digits that name its bucket.
// An id says where a record is, and nothing else: it may appear in logs, and
// knowing it opens nothing (law 11).
//
// With a natural key (already hashed with a key: see Hasher) the bucket follows
// from it, so that records that compete for one unique value, or are looked for
// together, meet in one bucket.
func NewID(natural []byte) string {
	var b [16]byte
	rand.Read(b[:])
	if natural == nil {
		natural = b[8:]
	}
	return BucketOf(natural) + idEncoding.EncodeToString(b[:])
}

// FixedID is the id of a record of which there is one for a natural key: the
// same key gives the same id.
func FixedID(natural [32]byte) string {
	return BucketOf(natural[:]) + idEncoding.EncodeToString(natural[:16])
}

// BucketOf is the bucket of whatever has this natural key.
func BucketOf(natural []byte) string {
	sum := sha256.Sum256(natural)
	return bucketName(int(binary.BigEndian.Uint16(sum[:]) % Buckets))
}

func bucketName(n int) string { return fmt.Sprintf("%02d", n) }

// IDBucket is the bucket that an id names; ok is false if it is not an id.
func IDBucket(id string) (bucket string, ok bool) {
	if len(id) < 3 || len(id) > 64 {
		return "", false
	}
	n := 0
	for _, c := range id[:2] {
		if c < '0' || c > '9' {
			return "", false
		}
		n = n*10 + int(c-'0')
	}
	for _, c := range id[2:] {
		if !strings.ContainsRune("0123456789abcdefghijklmnopqrstuvwxyz-", c) {
			return "", false
		}
	}
	return id[:2], n < Buckets
}

// NewToken makes an unguessable secret of 130 random bits (RFC 8555 11.3 asks for
// 128), in the alphabet of ids.
func NewToken() Secret {
	var b [17]byte
	rand.Read(b[:])
	return Secret(idEncoding.EncodeToString(b[:])[:26])
}
