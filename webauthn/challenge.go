package webauthn

import (
	"crypto/sha256"
	"encoding/binary"
)

// NonceSize is the size in bytes of the random part of a challenge.
const NonceSize = 32

// Purpose says which ceremony a state and a challenge are for.
type Purpose string

// The ceremonies. Signing is an assertion whose challenge is a document's digest.
const (
	Register Purpose = "register"
	Assert   Purpose = "assert"
	Sign     Purpose = "sign"
)

const challengeDomain = "countersign webauthn challenge v1"

// Challenge is what an authenticator signs for: the SHA-256 digest of five parts,
// each after its length in bytes as 64 bits, big-endian:
//
//	"countersign webauthn challenge v1" ‖ purpose ‖ RP ID ‖ nonce ‖ binding
//
// The nonce makes it fresh; the binding is whatever the answer is to count for, and
// for nothing else (a case and a key authorization, a decision as it was shown).
// Whoever holds the nonce and the binding can compute it again.
//
// The challenge of a signature is the SHA-256 of the document instead, which is text: no document begins with the
// eight bytes of a length, and so none has the challenge of another ceremony.
func Challenge(purpose Purpose, rpID string, nonce, binding []byte) []byte {
	h := sha256.New()
	var size [8]byte
	for _, part := range [][]byte{[]byte(challengeDomain), []byte(purpose), []byte(rpID), nonce, binding} {
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write(part)
	}
	return h.Sum(nil)
}
