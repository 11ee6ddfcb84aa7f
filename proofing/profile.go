package proofing

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// Profile says what one kind of certificate demands of the person behind a
// request. Profiles come from the configuration and never change a label: they
// can only ask for more or less of what the assessment says.
type Profile struct {
	Name  string // what a CA calls it: "client"
	Title string // what people read: "Client certificate"
	// Framework is the revision of SP 800-63 that labels are given in.
	Framework Framework
	// Identifiers are the identifier types that may be asked for.
	Identifiers []string
	// Methods are offered to the person, in this order.
	Methods []string
	// Issuers are the names of the identity providers that may be used; empty: every one.
	Issuers []string
	// Attestation is which passkeys and security keys are accepted.
	Attestation AttestationPolicy
	// Require is what the person must reach before the case is granted.
	Require Requirement
	// RequireStart holds every message back until the CA has started the
	// challenge (RFC 8555 7.5.1).
	RequireStart bool
	// SelfService lets a person open a case without a call of the CA.
	SelfService bool
	// EV marks extended validation code signing.
	EV bool
	// Approvals is how many of the organization's approvers must agree after the evidence is complete; 0: nobody decides. An
	// organization may ask for more of its own.
	Approvals int
	// Approve is what their word is for, and ApprovalLifetime how long it waits for the others'.
	Approve          ApproveMode   `json:",omitempty"`
	ApprovalLifetime time.Duration `json:",omitzero"`
	// ReviewEntitlement sends a case whose person has no entitlement to the
	// identifier to review instead of refusing it.
	ReviewEntitlement bool

	// Key is what external account binding keys are made like.
	Key KeyPolicy
	// CSR is what certification requests must be like.
	CSR CSRPolicy `json:",omitzero"`
	// CAA is what CAA records can do to an answer.
	CAA CAAMode `json:",omitzero"`

	CaseLifetime  time.Duration // from opening until the case expires
	GrantLifetime time.Duration // from the grant until the authorization expires
	RecheckAfter  time.Duration // from an answer until a CA should ask again; 0: until the grant expires
	Retention     time.Duration // of the record, after its last status
	// Recheck is what becomes of a grant when what it rests on gives way.
	Recheck RecheckPolicy `json:",omitzero"`
}

// KeyPolicy is what external account binding keys of a profile are made like. A zero value takes HS256, the lifetime of the grant,
// a week until it must have been used, and one account.
type KeyPolicy struct {
	Algorithm   string        // one of KeyAlgorithms
	Lifetime    time.Duration // at most; one that a case ends in lasts no longer than its grant
	Unused      time.Duration // until an account must have been bound
	MaxAccounts int           // that may be bound
}

// MostKeyAccounts is the most accounts that one key may bind.
const MostKeyAccounts = 100

// keyPolicy is the policy with its defaults.
func (p *Profile) keyPolicy() KeyPolicy {
	k := p.Key
	return KeyPolicy{
		Algorithm: cmp.Or(k.Algorithm, KeyAlgorithms()[0]), Lifetime: cmp.Or(k.Lifetime, p.GrantLifetime),
		Unused: cmp.Or(k.Unused, 7*24*time.Hour), MaxAccounts: cmp.Or(k.MaxAccounts, 1),
	}
}

// ApproveMode is what people approve.
type ApproveMode string

// What is approved.
const (
	// ApproveEach is a word for one CSR: another one waits for another word.
	ApproveEach ApproveMode = "each-certificate"
	// ApprovePre is a word for the applicant, the identifier and the profile: later CSRs pass while everything is fresh.
	ApprovePre ApproveMode = "pre-authorized"
)

// AttestationPolicy says which passkeys and security keys may be created and used. The label does not
// depend on it: what an attestation is worth, the rules say.
type AttestationPolicy struct {
	Accept AttestationAccept
	// AAGUIDs are the models that AcceptListed accepts, in the form of RFC 4122.
	AAGUIDs []string
}

// AttestationAccept is a kind of AttestationPolicy.
type AttestationAccept string

// What a profile accepts. Empty is AcceptAny.
const (
	AcceptAny     AttestationAccept = "none"    // whatever verifies its user
	AcceptTrusted AttestationAccept = "trusted" // with an attestation that leads to a known root
	AcceptListed  AttestationAccept = "listed"  // of certain models, attested
	AcceptFIPS    AttestationAccept = "fips"    // of models with a FIPS 140 validation, attested
)

// Requirement is what a profile demands. Zero levels demand nothing.
type Requirement struct {
	IAL, AAL, FAL      int
	PhishingResistant  bool
	ConfirmedAddresses []Channel // each must have been confirmed in the case
	AllMethods         []string  // each must have been passed in the case
	// BindingAge is for how long what authenticates must have been the person's: what somebody
	// has only just added may be a thief's.
	BindingAge time.Duration
}

// Offers says whether the profile offers a method.
func (p *Profile) Offers(method string) bool { return slices.Contains(p.Methods, method) }

// peopleDecide says whether a grant under the profile takes the word of others than its applicant.
func (p *Profile) peopleDecide() bool { return p.EV || p.Approvals > 0 }

// Choices are the places that a person may choose from for a method in a case for the identifier; nil for a method that is
// no Chooser.
func (p *Profile) Choices(m Method, id Identifier) []Contact {
	ch, ok := m.(Chooser)
	if !ok {
		return nil
	}
	all := append([]Contact{}, ch.Choices(id)...)
	return slices.DeleteFunc(all, func(k Contact) bool {
		return len(p.Issuers) > 0 && !slices.Contains(p.Issuers, k.Address.Reveal())
	})
}

// CodeSigning says whether the certificates are for code signing, so that the CA/Browser Forum's rules for these hold for them: by what
// their CSRs are for, and extended validation is for code signing alone here.
func (p *Profile) CodeSigning() bool { return p.EV || p.CSR.Purpose == CSRCodeSigning }

// recheck is when a CA that was answered now should ask again about a grant.
func (p *Profile) recheck(now, expires time.Time) time.Time {
	if at := now.Add(p.RecheckAfter); p.RecheckAfter > 0 && at.Before(expires) {
		return at
	}
	return expires
}

// Missing is one thing that a case still lacks. Code has words in every
// language; Detail is the method, channel or level that it is about.
type Missing struct {
	Code   string `json:"code"` // "address", "method", "ial", "aal", "fal", "phishing_resistant", "binding_age"
	Detail string `json:"detail"`
}

// signsIn says whether the profile demands an authentication by something that tells who
// the person is: who has registered it before is known from then on, and what they confirm is theirs.
func (p *Profile) signsIn() bool {
	return (p.Require.AAL > 0 || p.Require.PhishingResistant || p.Require.FAL > 0) && (p.Offers("fido") || p.Offers("oidc"))
}

// Unmet lists what evidence still lacks under the profile, in
// the order in which a person would provide it: who signs in does so first.
func (p *Profile) Unmet(o OperatorFacts, now time.Time, evidence []Evidence) []Missing {
	levels, proofs := p.unmetLevels(Assess(p.Framework, o, now, evidence)), p.unmetProofs(evidence)
	if len(levels) == 0 && p.Require.BindingAge > 0 && (p.Require.AAL > 0 || p.Require.PhishingResistant) {
		old := slices.DeleteFunc(slices.Clone(evidence), func(e Evidence) bool { // what else was proved counts as it is
			return e.Contact().Channel.Authenticates() && (!e.bound() || e.At.Sub(e.BoundAt) < p.Require.BindingAge)
		})
		if len(p.unmetLevels(Assess(p.Framework, o, now, old))) > 0 {
			levels = []Missing{{"binding_age", hours(p.Require.BindingAge)}}
		}
	}
	if p.signsIn() {
		return append(levels, proofs...)
	}
	return append(proofs, levels...)
}

// hours writes a time in whole hours.
func hours(d time.Duration) string { return strconv.Itoa(int((d + time.Hour - 1) / time.Hour)) }

func (p *Profile) unmetProofs(evidence []Evidence) (missing []Missing) {
	for _, ch := range p.Require.ConfirmedAddresses {
		if !slices.ContainsFunc(evidence, func(e Evidence) bool { return e.Confirms() == ch }) {
			missing = append(missing, Missing{"address", string(ch)})
		}
	}
	for _, m := range p.Require.AllMethods {
		if !slices.ContainsFunc(evidence, func(e Evidence) bool { return e.Method() == m && !e.Suspended }) {
			missing = append(missing, Missing{"method", m})
		}
	}
	return missing
}

func (p *Profile) unmetLevels(a Assessment) (missing []Missing) {
	levels := []struct {
		code string
		have *int
		want int
	}{{"ial", a.IAL, p.Require.IAL}, {"aal", a.AAL, p.Require.AAL}, {"fal", a.FAL, p.Require.FAL}}
	for _, l := range levels {
		if l.want > 0 && (l.have == nil || *l.have < l.want) {
			missing = append(missing, Missing{l.code, string(rune('0' + l.want))})
		}
	}
	if p.Require.PhishingResistant && !a.PhishingResistant {
		missing = append(missing, Missing{"phishing_resistant", ""})
	}
	return missing
}
