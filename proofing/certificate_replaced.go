package proofing

import (
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"slices"
)

// replaced says whether another certificate has taken the place of one, of all that rest on the same authorization: an account may have one for each of
// its machines. One does that says so, or has the same key; and of those that say nothing, as many of the same subject must have come since half of its time had
// passed as there were.
func (c *Certificate) replaced(others []*Certificate) bool {
	names := certificateNames(c)
	later := slices.DeleteFunc(slices.Clone(others), func(o *Certificate) bool { return !o.Revoked.IsZero() || !o.NotAfter.After(c.NotAfter) })
	if slices.ContainsFunc(later, func(o *Certificate) bool {
		return o.SPKI == c.SPKI || o.Replaces != "" && slices.Contains(names, o.Replaces)
	}) {
		return true
	}
	half := c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore) / 2)
	came := slices.DeleteFunc(later, func(o *Certificate) bool {
		return o.Subject != c.Subject || o.Replaces != "" || o.Reported.Before(half)
	})
	were := slices.DeleteFunc(slices.Clone(others), func(o *Certificate) bool {
		return o.Subject != c.Subject || !o.Revoked.IsZero() || !o.Reported.Before(half) || !o.NotAfter.After(half)
	})
	return len(came) > 0 && len(came) >= len(were)
}

// certificateNames are what an authority may call a certificate in whose place another comes: as RFC 9773 4.1 does, by its serial number, its digest, or
// by our id for it.
func certificateNames(c *Certificate) []string {
	names := []string{c.ID, c.Digest, c.Serial}
	if parsed, err := x509.ParseCertificate(c.DER); err == nil && len(parsed.AuthorityKeyId) > 0 {
		names = append(names, base64.RawURLEncoding.EncodeToString(parsed.AuthorityKeyId)+"."+base64.RawURLEncoding.EncodeToString(integer(parsed.SerialNumber)))
	}
	return names
}

// integer are the octets of a positive INTEGER (X.690 8.3): one more where the first bit would make it negative.
func integer(n *big.Int) []byte {
	octets := n.Bytes()
	if len(octets) > 0 && octets[0]&0x80 != 0 {
		octets = append([]byte{0}, octets...)
	}
	return octets
}
