package proofing

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// CertificateFacts is what a certificate says of itself. Nothing of it is verified: not who signed it, and not that it is still good.
type CertificateFacts struct {
	Serial    string    `json:"serial"` // hexadecimal, lower case, without leading zeros
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	SPKI      string    `json:"spki"` // SHA-256 of the SubjectPublicKeyInfo, base64url
	// Thumbprint is that of the key as a JWK (RFC 7638, SHA-256, base64url); empty for a kind of key that no account has.
	Thumbprint    string   `json:"thumbprint,omitempty"`
	Subject       string   `json:"subject"` // RFC 4514
	Issuer        string   `json:"issuer"`
	Organizations []string `json:"organizations,omitempty"` // of the subject
	IsCA          bool     `json:"is_ca,omitempty"`
}

// mostCertificate is the size in bytes beyond which no certificate is read. One for code signing has a tenth of it.
const mostCertificate = 24 << 10

// ParseCertificate reads a DER certificate (RFC 5280 4.1).
func ParseCertificate(der []byte) (*CertificateFacts, error) {
	if len(der) > mostCertificate {
		return nil, fmt.Errorf("a certificate of %d bytes, more than %d", len(der), mostCertificate)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errors.New("not a DER certificate")
	}
	if c.SerialNumber.Sign() <= 0 {
		return nil, errors.New("the serial number is not positive (RFC 5280 4.1.2.2)")
	}
	if c.NotAfter.Before(c.NotBefore) {
		return nil, errors.New("it ends before it begins")
	}
	spki := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return &CertificateFacts{
		Serial: c.SerialNumber.Text(16), NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(), SPKI: Octets(spki[:]).String(), Thumbprint: jwkThumbprint(c.PublicKey),
		Subject: c.Subject.String(), Issuer: c.Issuer.String(), Organizations: c.Subject.Organization, IsCA: c.IsCA,
	}, nil
}

// Validity is how long it lasts: both of its ends belong to it (RFC 5280 4.1.2.5).
func (f *CertificateFacts) Validity() time.Duration { return f.NotAfter.Sub(f.NotBefore) + time.Second }

// jwkThumbprint is RFC 7638 for the kinds of key that an account may have (RFC 7518 6; RFC 8037 2); empty for others.
func jwkThumbprint(key any) string {
	text := ""
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			return ""
		}
		n := (len(point) - 1) / 2
		text = fmt.Sprintf(`{"crv":%q,"kty":"EC","x":%q,"y":%q}`, k.Curve.Params().Name, Octets(point[1:1+n]), Octets(point[1+n:]))
	case *rsa.PublicKey:
		text = fmt.Sprintf(`{"e":%q,"kty":"RSA","n":%q}`, Octets(big.NewInt(int64(k.E)).Bytes()), Octets(k.N.Bytes()))
	case ed25519.PublicKey:
		text = fmt.Sprintf(`{"crv":"Ed25519","kty":"OKP","x":%q}`, Octets(k))
	default:
		return ""
	}
	return Digest([]byte(text))
}

// certificateName reads by what name somebody means a certificate: its digest, or else its serial number.
func certificateName(name string) (digest, serial string) {
	plain := strings.ToLower(strings.ReplaceAll(name, ":", ""))
	if raw, err := hex.DecodeString(plain); err == nil && len(raw) == sha256.Size {
		return Octets(raw).String(), ""
	}
	if raw, err := base64.RawURLEncoding.Strict().DecodeString(name); err == nil && len(raw) == sha256.Size {
		return name, ""
	}
	if n, ok := new(big.Int).SetString(plain, 16); ok && n.Sign() > 0 && !strings.ContainsAny(plain, "_+-") {
		return "", n.Text(16)
	}
	return "", ""
}
