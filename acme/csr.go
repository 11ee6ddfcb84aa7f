package acme

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
)

// csr is a certification request (RFC 2986) whose signature was verified.
type csr struct {
	// digest is the SHA-256 of the DER CertificationRequestInfo, base64url: what is
	// signed, without the signature, because clients sign anew at every try.
	digest string
	spki   []byte
	key    crypto.PublicKey
	// request is all of it.
	request *x509.CertificateRequest
}

// readCSR reads an optional member that is a DER CSR in base64url (RFC 8555 7.4).
func readCSR(o *object, name string) *csr {
	text := o.text(name, maxBody)
	if text == "" {
		return nil
	}
	c, err := parseCSR(text)
	if err != nil {
		o.wrong(typeBadCSR, name, err.Error())
		return nil
	}
	return c
}

func parseCSR(text string) (*csr, error) {
	der, err := decode64(text)
	if err != nil {
		return nil, err
	}
	return parseCSRDER(der)
}

func parseCSRDER(der []byte) (*csr, error) {
	r, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, errors.New("not a DER certification request")
	}
	key, err := parseSPKI(r.RawSubjectPublicKeyInfo)
	if err != nil {
		return nil, err
	}
	if err := r.CheckSignature(); err != nil {
		return nil, errors.New("the signature is not by the key of the request")
	}
	sum := sha256.Sum256(r.RawTBSCertificateRequest)
	return &csr{digest: encode64(sum[:]), spki: r.RawSubjectPublicKeyInfo, key: key, request: r}, nil
}
