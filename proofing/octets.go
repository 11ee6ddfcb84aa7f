package proofing

import (
	"encoding/base64"
	"errors"
	"strings"
)

// Octets are bytes that JSON has as base64url without padding, in the one form that they have (RFC 4648 3.5): text that was
// changed in any place has other octets, or none.
type Octets []byte

// MarshalText implements encoding.TextMarshaler.
func (o Octets) MarshalText() ([]byte, error) {
	return []byte(base64.RawURLEncoding.EncodeToString(o)), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *Octets) UnmarshalText(text []byte) error {
	s := string(text)
	if strings.ContainsAny(s, "\r\n") { // which the decoder would pass over
		return errors.New("line end in base64url")
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	*o = b
	return err
}

// String is the text of the octets.
func (o Octets) String() string { return base64.RawURLEncoding.EncodeToString(o) }
