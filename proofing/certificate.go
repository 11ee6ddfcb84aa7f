package proofing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Certificate is what an authority has said that it issued on the strength of authorizations of ours: the last link of the chain that begins with
// whoever asked. An authority may say it twice; there is one record.
type Certificate struct {
	ID string `json:"id"` // FixedID of the authority and Digest
	CA string `json:"ca"`
	// DER is the certificate, and Digest its SHA-256, base64url.
	DER    Octets `json:"der"`
	Digest string `json:"digest"`
	// CSRDigest is of the CSR that the authority named with it; empty: none.
	CSRDigest string `json:"csr_digest,omitempty"`
	CertificateFacts
	// Cases are the authorizations that it rests on, in the order in which the authority named them, of one Applicant under one Profile.
	Cases []string `json:"cases"`
	// Approvals are the approvals of its CSR beneath them, where each certificate takes one.
	Approvals []string  `json:"approvals,omitempty"`
	Applicant Applicant `json:"applicant"`
	Profile   string    `json:"profile"`
	// Organization is whose people decided about the authorizations; empty: nobody's.
	Organization string `json:"organization,omitempty"`
	Order        string `json:"order,omitempty"`    // the order's URL at the authority
	Replaces     string `json:"replaces,omitempty"` // what the authority calls the certificate that it takes the place of
	// Renewal: it takes the place of another, or others came before it under the same authorizations.
	Renewal bool `json:"renewal,omitempty"`
	// Findings are codes of what is not as it should be: the certificate is issued all the same.
	Findings []CertificateFinding `json:"findings,omitempty"`
	Reported time.Time            `json:"reported"`
	// Links are those of "this was not us", and Disowned that somebody has said so. Revoked is when the authority said that it is.
	Links    []CertificateLink    `json:"links,omitempty"`
	Disowned *DisownedCertificate `json:"disowned,omitempty"`
	Revoked  time.Time            `json:"revoked,omitzero"`
	// Reminded are the reminders of its end that people have had, and PutOff those that they could not have.
	Reminded []string `json:"reminded,omitempty"`
	PutOff   PutOff   `json:"put_off,omitzero"`
	Outbox   Outbox   `json:"outbox,omitempty"`
	Journal  Journal  `json:"journal,omitzero"`
}

// CertificateLink is the "this was not us" of one of those who were told of a certificate, so that it says whose it is.
type CertificateLink struct {
	Secret  Secret  `json:"secret"`
	Channel Channel `json:"channel"`          // that of the notice
	Person  string  `json:"person,omitempty"` // whose address it went to; empty: nobody's that is known
}

// CertificateFinding is something about a certificate that is not as it should be.
type CertificateFinding struct {
	Code   string `json:"code"`   // Finding…
	Detail string `json:"detail"` // in words, for whoever runs the authority
}

// What is found.
const (
	FindingValidity      = "validity"       // it lasts longer than it may (CSBR 6.3.2)
	FindingOrganization  = "organization"   // its subject names another organization than the authorization
	FindingNotValid      = "not_valid"      // an authorization did not hold any more, or authorized nothing, when the certificate was reported
	FindingCSRUnchecked  = "csr_unchecked"  // the authorization is for one CSR, and the report has none to hold the certificate against
	FindingCSRUnapproved = "csr_unapproved" // each certificate takes an approval, and nobody has approved its CSR
	FindingProfile       = "profile_gone"   // its profile is gone, so that it is held to nothing of what that demanded when it was issued
	FindingKey           = "key_protection" // the dossier has no evidence that its private key is protected (CSBR 6.2.7.4.2)
	FindingAccountKey    = "account_key"    // its key is the account's own (RFC 8555 11.1)
	FindingCA            = "ca_certificate" // it may sign certificates itself
)

// MostValidity is how long a code signing certificate that is issued since March 1st, 2026 lasts at most (CSBR 6.3.2).
const MostValidity = 460 * 24 * time.Hour

// Days writes how long a certificate lasts in whole days, and what is over: "460 days and 1m1s".
func Days(d time.Duration) string {
	const day = 24 * time.Hour
	if over := d % day; over != 0 {
		return fmt.Sprintf("%d days and %s", d/day, over)
	}
	return fmt.Sprintf("%d days", d/day)
}

// The entries that tell of a certificate: its own, and of each case that it rests on.
const (
	EntryIssued  EntryKind = "certificate_issued"
	EntryRenewed EntryKind = "certificate_renewed"
)

// Indexes implements Record.
func (c *Certificate) Indexes() []Index {
	ix := []Index{
		{Name: "ca", Value: c.CA + "." + stamp(c.Reported)}, {Name: "serial", Value: c.Serial + "." + c.CA},
		{Name: "digest", Value: c.Digest}, {Name: "ends", Value: stamp(c.NotAfter)},
	}
	if c.Applicant.ID != "" {
		ix = append(ix, Index{Name: "applicant", Value: c.CA + "." + c.Applicant.ID})
	}
	for _, id := range slices.Concat(c.Cases, c.Approvals) {
		ix = append(ix, Index{Name: "case", Value: id})
	}
	if due, ok := c.nextDue(); ok {
		ix = append(ix, Index{Name: "due", Value: stamp(due)})
	}
	if c.Disowned != nil && c.Revoked.IsZero() {
		ix = append(ix, c.revokeIndexes()...)
	}
	return append(append(ix, c.ledger().deadIndexes()...), c.Journal.index()...)
}

// ExpiresAt implements Record: what a certificate rests on is kept for two years after its end (CSBR 5.4.3, 5.5.2).
func (c *Certificate) ExpiresAt() time.Time {
	if !c.Journal.Logged() {
		return time.Time{}
	}
	return keptUntil(c.NotAfter)
}

func keptUntil(notAfter time.Time) time.Time { return notAfter.AddDate(2, 0, 0) }

func (s *Service) certificateID(ca, digest string) string {
	return FixedID(s.Hasher.Sum("certificate", ca, digest))
}

// CertificatesOf are the certificates that rest on a case, the oldest first.
func (s *Service) CertificatesOf(ctx context.Context, id string) ([]*Certificate, error) {
	all, err := s.certificates(ctx, Query{Index: "case", Value: id})
	slices.SortFunc(all, func(a, b *Certificate) int { return a.Reported.Compare(b.Reported) })
	return all, err
}

// CertificatesInConsole are the newest certificates that rest on a request which the person of a session may look at, most of them at most; more says whether there are
// others. Errors: those of CaseInConsole.
func (s *Service) CertificatesInConsole(ctx context.Context, v Visit, id string, most int) (newest []*Certificate, more bool, err error) {
	_, held, err := s.Console(ctx, v)
	if err != nil {
		return nil, false, err
	}
	c, err := s.docketed(ctx, held, id)
	if err != nil {
		return nil, false, err
	}
	ids := slices.Clone(c.Certificates) // of thousands the newest, in the order in which they were reported
	slices.Reverse(ids)
	if more = len(ids) > most; more {
		ids = ids[:most]
	}
	newest = make([]*Certificate, len(ids))
	err = readAtOnce(len(ids), func(i int) error {
		var err error
		if newest[i], err = s.Certificates.Get(ctx, ids[i]); errors.Is(err, ErrNotFound) {
			return nil // its time is over
		}
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("read certificates: %w", err)
	}
	return slices.DeleteFunc(newest, func(c *Certificate) bool { return c == nil }), more, nil
}

// CertificatesNamed are the certificates that somebody means by a name: the SHA-256 of the DER, in hexadecimal with or without colons or in base64url, or
// the serial number in hexadecimal. Serial numbers are an authority's own, so that there may be several.
func (s *Service) CertificatesNamed(ctx context.Context, name string) ([]*Certificate, error) {
	digest, serial := certificateName(name)
	if digest != "" {
		return s.certificates(ctx, Query{Index: "digest", Value: digest})
	}
	if serial == "" {
		return nil, nil
	}
	return s.certificates(ctx, Query{Index: "serial", Prefix: serial + "."})
}

func (s *Service) certificates(ctx context.Context, q Query) (all []*Certificate, err error) {
	for {
		page, next, err := s.Certificates.List(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("list certificates: %w", err)
		}
		all = append(all, page...)
		if q.After = next; next == "" {
			return all, nil
		}
	}
}
