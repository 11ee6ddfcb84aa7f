package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// IssuedCertificate is a certificate that the CA has issued. Name the authorizations that Authorize answered with; or Account, PublicKey or the
// key of the CSR with the Identifiers and the Profile, as long as their authorizations are valid.
type IssuedCertificate struct {
	Certificate    DER          `json:"certificate"`
	Authorizations []string     `json:"authorizations,omitempty"`
	Account        *Account     `json:"account,omitempty"`
	PublicKey      DER          `json:"public_key,omitempty"`
	Identifiers    []Identifier `json:"identifiers,omitempty"`
	Profile        string       `json:"profile,omitempty"`
	// CSR is what it was issued for; send it if the authorization was opened for one CSR.
	CSR      DER    `json:"csr,omitempty"`
	Order    string `json:"order,omitempty"`    // the order's URL
	Replaces string `json:"replaces,omitempty"` // the certificate that it takes the place of, as RFC 9773 names it or as the CA does
	// IdempotencyKey is for a call that is repeated after a crash of the caller; empty: one for this call alone.
	IdempotencyKey string `json:"-"`
}

// RecordedCertificate is how the service has recorded it.
type RecordedCertificate struct {
	ID             string    `json:"id"`
	SHA256         string    `json:"certificate_sha256"` // of the DER, base64url
	Serial         string    `json:"serial"`
	NotBefore      time.Time `json:"not_before"`
	NotAfter       time.Time `json:"not_after"`
	Renewal        bool      `json:"renewal"`
	Authorizations []string  `json:"authorizations"`
	// RevokeBy is until when it is to be revoked, since somebody has said that it is not theirs; nil for others.
	RevokeBy *time.Time `json:"revoke_by,omitempty"`
	// Warnings are what is not as it should be; the certificate is recorded all the same.
	Warnings []struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
	} `json:"warnings"`
}

// CertificateIssued tells of a certificate as soon as it is issued: those who answer for it are notified, and the chain of evidence gets its last
// link. It may be called again, and should be until it is answered.
func (c *Client) CertificateIssued(ctx context.Context, r IssuedCertificate) (*RecordedCertificate, error) {
	if len(r.Certificate) == 0 {
		return nil, errors.New("countersign: a certificate that was issued is told with its DER")
	}
	return create[RecordedCertificate](ctx, c, "/v1/certificates", r.IdempotencyKey, r)
}

// CertificateRevoked tells that a certificate was revoked, by the id of its record. It may be called again.
func (c *Client) CertificateRevoked(ctx context.Context, id string) (*RecordedCertificate, error) {
	if id == "" {
		return nil, errNoID
	}
	return fetch[RecordedCertificate](ctx, c, call{method: http.MethodPost, path: "/v1/certificates/" + url.PathEscape(id), body: map[string]string{"status": "revoked"}})
}
