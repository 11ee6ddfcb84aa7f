package audit

import "crypto/ed25519"

// Keyed is a source of a key; none if there are no bytes.
func Keyed(bytes func() []byte) func() ed25519.PrivateKey {
	return func() ed25519.PrivateKey {
		if b := bytes(); len(b) > 0 {
			return b
		}
		return nil
	}
}
