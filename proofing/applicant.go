package proofing

import (
	"slices"
	"strings"
	"time"
)

// ApplicantKind is what a grant is bound to.
type ApplicantKind string

// The kinds of applicant. Look-up never falls from one to another.
const (
	ByAccount   ApplicantKind = "account"
	ByPublicKey ApplicantKind = "public_key"
	ByNobody    ApplicantKind = "none" // nobody yet: the case ends in an EAB key
)

// Applicant is whom a grant is for.
type Applicant struct {
	Kind ApplicantKind `json:"kind"`
	// ID is stable over key rollovers of an account; empty for nobody.
	ID string `json:"id,omitempty"`
	// URL and Thumbprint (RFC 7638, SHA-256, base64url) are an account's.
	URL        string `json:"url,omitempty"`
	Thumbprint string `json:"thumbprint,omitempty"`
	// SPKI is the SHA-256 of a public key's SubjectPublicKeyInfo, base64url.
	SPKI string `json:"spki,omitempty"`
}

// Key is what identifies the applicant's key: the thumbprint or the digest.
func (a Applicant) Key() string {
	if a.Kind == ByPublicKey {
		return a.SPKI
	}
	return a.Thumbprint
}

// home decides the bucket of the applicant's cases: one for all of them, so that two
// calls for one case meet there, and what looks for all cases of an applicant looks in one
// place. It is nil for nobody, whose cases have nothing in common.
func (a Applicant) home() []byte {
	if a.ID == "" {
		return nil
	}
	return home(a.ID)
}

// The applicant's id is a keyed hash that its authority is a part of.
func home(applicant string) []byte { return []byte("applicant " + applicant) }

// Fingerprint is the short form of the key that people compare: the first
// twelve characters in groups of four. It is empty for nobody.
func (a Applicant) Fingerprint() string {
	k := a.Key()
	if len(k) < 12 {
		return k
	}
	return k[:4] + " " + k[4:8] + " " + k[8:12]
}

// Account is what is known of one ACME account of one authority: which keys it
// has had. There is one record for each key; those of one account share Account.
type Account struct {
	ID         string    `json:"id"`      // FixedID of (CA, thumbprint)
	Account    string    `json:"account"` // the applicant's id
	CA         string    `json:"ca"`
	Thumbprint string    `json:"thumbprint"`
	URL        string    `json:"url,omitempty"`
	Created    time.Time `json:"created"`
	// ReplacedBy is the thumbprint that a key rollover (RFC 8555 7.3.5) put in
	// this one's place; the old key then authorizes nothing.
	ReplacedBy  string    `json:"replaced_by,omitempty"`
	Deactivated time.Time `json:"deactivated,omitzero"`
	// Kids are the keys by which the account may be bound (RFC 8555 7.3.4). The key's own record says whether it is.
	Kids []string `json:"kids,omitempty"`
}

// same says whether two records of an account say the same.
func (a *Account) same(o *Account) bool {
	return a.Account == o.Account && a.URL == o.URL && a.ReplacedBy == o.ReplacedBy && a.Deactivated.Equal(o.Deactivated) && slices.Equal(a.Kids, o.Kids)
}

// Indexes implements Record.
func (a *Account) Indexes() []Index { return []Index{{Name: "account", Value: a.Account}} }

// ExpiresAt implements Record.
func (a *Account) ExpiresAt() time.Time { return time.Time{} }

// Identifier is what a certificate is asked for (RFC 8555 7.1.3).
type Identifier struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// Within says whether an identifier belongs to one of the domains, label by label: a name that is one of them or below
// it, or a mailbox at such a name. What has no domain belongs to none.
func (id Identifier) Within(domains []string) bool {
	name := ""
	switch id.Type {
	case IdentifierDNS:
		name = id.Value
	case IdentifierEmail:
		name = id.Value[strings.LastIndexByte(id.Value, '@')+1:]
	}
	return name != "" && slices.ContainsFunc(domains, func(d string) bool {
		return strings.EqualFold(name, d) || len(name) > len(d) && strings.EqualFold(name[len(name)-len(d)-1:], "."+d)
	})
}

// The identifier types that are served.
const (
	IdentifierDNS          = "dns"
	IdentifierIP           = "ip"
	IdentifierEmail        = "email"
	IdentifierPermanent    = "permanent-identifier"
	IdentifierHardware     = "hardware-module"
	IdentifierOrganization = "organization"
)
