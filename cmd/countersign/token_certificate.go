package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
)

// tokenCertificate names the setting of the certificate that Authority Tokens are signed with.
const tokenCertificate = "authority_tokens"

// tokens is that certificate, as those of listeners are.
func (c *Config) tokens() listener {
	return listener{name: tokenCertificate, tls: c.AuthorityTokens, fits: signsTokens}
}

// signsTokens says whether a certificate is one for ES256, the algorithm of RFC 9447's tokens. Whom the CAs believe
// is theirs to say.
func signsTokens(p pair) error {
	key, ok := p.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return fileError{"key_file", errors.New("Authority Tokens are signed with ES256: the key must be on P-256")}
	}
	if use := p.Leaf.KeyUsage; use != 0 && use&x509.KeyUsageDigitalSignature == 0 {
		return fileError{"cert_file", errors.New("the certificate's KeyUsage has no digitalSignature: it signs no tokens")}
	}
	if p.Leaf.IsCA {
		return fileError{"cert_file", errors.New("the certificate is a CA's: tokens are signed by one of its own")}
	}
	return nil
}
