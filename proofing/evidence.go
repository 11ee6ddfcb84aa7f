package proofing

import (
	"slices"
	"time"
)

// Evidence is what a method proved: facts, never a level. Assess alone turns
// facts into levels.
type Evidence struct {
	// ID names the event within the service. The rules do not read it.
	ID   string       `json:"id,omitempty"`
	Kind EvidenceKind `json:"kind"`
	At   time.Time    `json:"at"`
	// BoundAt is when the authenticator was bound to the person. Zero, or equal
	// to At: this event is the binding itself.
	BoundAt time.Time `json:"bound_at,omitzero"`

	Address  Secret   `json:"address,omitempty"`   // of an e-mail event
	Number   Secret   `json:"number,omitempty"`    // of an SMS or voice event, E.164
	LineType LineType `json:"line_type,omitempty"` // of Number

	// What is special to the kind of that name; nil in all others.
	OIDC     *OIDCFacts     `json:"oidc,omitempty"`
	WebAuthn *WebAuthnFacts `json:"webauthn,omitempty"`
	Proofing *ProofingFacts `json:"proofing,omitempty"`

	// Authenticator is what spoke, where that is no address. The rules do not read it.
	Authenticator *Contact `json:"authenticator,omitempty"`

	// Suspended: a recovery of the account has suspended the authenticator, so that it authenticates nobody now. It is what
	// Case.Standing says, and not stored.
	Suspended bool `json:"suspended,omitempty"`
}

// maxEvidence is the most events that one case takes: more than anybody needs, and
// few enough that the record stays far below what a store admits. A case that
// is full can still be frozen, and everybody in it told.
const maxEvidence = 30

// EvidenceKind names what happened.
type EvidenceKind string

// The kinds of evidence.
const (
	EmailCode      EvidenceKind = "email_code"
	EmailLink      EvidenceKind = "email_link"
	SMSCode        EvidenceKind = "sms_code"
	VoiceCode      EvidenceKind = "voice_code"
	OIDCLogin      EvidenceKind = "oidc"
	WebAuthnUse    EvidenceKind = "webauthn"
	ProofingRecord EvidenceKind = "proofing_record"
)

// kind is all that the program knows of a kind of evidence.
type kind struct {
	name     EvidenceKind
	method   string                  // the method that leaves such events
	confirms Channel                 // the kind of address that such an event confirms; empty: none
	amr      func(Evidence) []string // the method in the words of RFC 8176
	// stated says whether an event has the facts that the rules read.
	stated func(Evidence) bool
	// read takes the kind's own members out of a document for Assess.
	read func(*object, *Evidence)
	// rules says what an event earns, in each framework.
	rules map[Framework]rule
}

// rule is what one event earns under one framework, before what is common to
// all kinds: the cap of an unvalidated verifier, and age.
type rule func(OperatorFacts, Evidence) verdict

// kinds is every kind of evidence. A new one is an entry here and a file with what
// the entry names.
var kinds = []kind{
	{EmailCode, "email", ChannelEmail, words(), always, readEmail, map[Framework]rule{R3: r3Email, R3Sup1: r3Email, R4: r4Email}},
	{EmailLink, "email", ChannelEmail, words(), always, readEmail, map[Framework]rule{R3: r3Email, R3Sup1: r3Email, R4: r4Email}},
	{SMSCode, "sms", ChannelPhone, words("sms", "otp"), always, readPhone, map[Framework]rule{R3: r3Phone, R3Sup1: r3Phone, R4: r4Phone}},
	{VoiceCode, "voice", ChannelPhone, words("tel", "otp"), always, readPhone, map[Framework]rule{R3: r3Phone, R3Sup1: r3Phone, R4: r4Phone}},
	{OIDCLogin, "oidc", "", amrOfOIDC, func(e Evidence) bool { return e.OIDC != nil }, readOIDC,
		map[Framework]rule{R3: r3OIDC.judge, R3Sup1: r3OIDC.judge, R4: r4OIDC.judge}},
	{WebAuthnUse, "fido", "", amrOfWebAuthn, func(e Evidence) bool { return e.WebAuthn != nil }, readWebAuthn,
		map[Framework]rule{R3: r3WebAuthn.judge, R3Sup1: r3Sup1WebAuthn.judge, R4: r4WebAuthn.judge}},
	{ProofingRecord, "representative", "", words(), func(e Evidence) bool { return e.Proofing != nil }, readProofing,
		map[Framework]rule{R3: r3Proofing.judge, R3Sup1: r3Proofing.judge, R4: r4Proofing.judge}},
}

func always(Evidence) bool { return true }

// words are the same values of amr for every event.
func words(values ...string) func(Evidence) []string {
	return func(Evidence) []string { return slices.Clone(values) }
}

// facts is what is known of the kind; the zero kind for one that this version
// does not know.
func (k EvidenceKind) facts() kind {
	for _, known := range kinds {
		if known.name == k {
			return known
		}
	}
	return kind{}
}

// knownKinds lists the names of all kinds.
func knownKinds() []EvidenceKind {
	var names []EvidenceKind
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

// Confirms is the kind of address that the event confirmed; empty for none.
func (e Evidence) Confirms() Channel { return e.Kind.facts().confirms }

// AddressOrNumber is the address that the event confirmed.
func (e Evidence) AddressOrNumber() Secret {
	if e.Number != "" {
		return e.Number
	}
	return e.Address
}

// Contact is the address or authenticator that the event is of, and that can be bound by it.
func (e Evidence) Contact() Contact {
	if e.Authenticator != nil {
		return *e.Authenticator
	}
	return Contact{Channel: e.Confirms(), Address: e.AddressOrNumber(), LineType: e.LineType}
}

// Method is the name of the method that left the event.
func (e Evidence) Method() string { return e.Kind.facts().method }

// AMR names the method in the words of RFC 8176. E-mail and proofing have none: they
// authenticate nobody.
func (e Evidence) AMR() []string {
	if k := e.Kind.facts(); k.stated != nil && k.stated(e) {
		return k.amr(e)
	}
	return nil
}

// handedIn says whether the event is a token that somebody else than a browser has brought: Service.HandIn.
func (e Evidence) handedIn() bool { return e.OIDC != nil && e.OIDC.Channel == ChannelFront }

// authenticated is when whoever the event is of has shown who they are: at a provider that may have been long before its word came.
func (e Evidence) authenticated() time.Time {
	if e.OIDC != nil && !e.OIDC.AuthTime.IsZero() {
		return e.OIDC.AuthTime
	}
	return e.At
}

// bound says whether the authenticator was bound to the person before this
// event, without which nothing authenticates (SP 800-63B 6.1; SP 800-63B-4 4.1).
func (e Evidence) bound() bool { return !e.BoundAt.IsZero() && e.BoundAt.Before(e.At) }
