package acme

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/binary"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// A nonce is its time, 128 random bits and a MAC of both: whoever asks for many has nothing stored for them. That it has served is stored, when an
// account that there is has signed it.

const (
	nonceLifetime = 5 * time.Minute
	nonceTime     = 8
	nonceSigned   = nonceTime + 16
	nonceSize     = nonceSigned + 16
)

func (a *api) newNonce() string {
	var b [nonceSize]byte
	binary.BigEndian.PutUint64(b[:], uint64(a.Service.Now().Unix())) //nolint:gosec // no time of ours is before 1970
	rand.Read(b[nonceTime:nonceSigned])
	copy(b[nonceSigned:], a.nonceMAC(b[:nonceSigned]))
	return encode64(b[:])
}

func (a *api) nonceMAC(signed []byte) []byte {
	sum := a.Service.Hasher.Sum("nonce of an account's holder", string(signed))
	return sum[:nonceSize-nonceSigned]
}

// nonceUntil is until when a nonce is good; false if it is none of ours, or good no more.
func (a *api) nonceUntil(nonce string) (time.Time, bool) {
	b, err := decode64(nonce)
	if err != nil || len(b) != nonceSize || !hmac.Equal(b[nonceSigned:], a.nonceMAC(b[:nonceSigned])) {
		return time.Time{}, false
	}
	until := time.Unix(int64(binary.BigEndian.Uint64(b)), 0).Add(nonceLifetime) //nolint:gosec // it has our MAC
	return until, a.Service.Now().Before(until.Add(proofing.ClockSkew))
}
