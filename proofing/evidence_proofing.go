package proofing

import (
	"slices"
	"time"
)

// ProofingFacts is what a representative of the operator recorded of one person's identity
// proofing. No copy of a document is part of it (SP 800-63A 4.2).
type ProofingFacts struct {
	Type                    ProofingType         `json:"type"`
	Pieces                  []IdentityPiece      `json:"pieces"`
	Verification            IdentityVerification `json:"verification"`
	CoreAttributesValidated bool                 `json:"core_attributes_validated"`
	// AddressConfirmation is the code that went to an address, and Notification the
	// notice that the person was proofed; nil: none.
	AddressConfirmation *AddressConfirmation `json:"address_confirmation,omitempty"`
	Notification        *ProofingNotice      `json:"notification,omitempty"`
	// CollectedBy and ReviewedBy are the ids of who collected the record and who
	// reviewed it; the latter is empty until somebody has.
	CollectedBy           string `json:"collected_by"`
	ReviewedBy            string `json:"reviewed_by,omitempty"`
	RepresentativeTrained bool   `json:"representative_trained"`
}

// ProofingType is how the person and the representative met.
type ProofingType string

// The types of proofing (SP 800-63A-4 2.1.3; supervised remote is SP 800-63A 5.3.3.2).
const (
	RemoteUnattended ProofingType = "remote_unattended"
	RemoteAttended   ProofingType = "remote_attended"
	OnsiteAttended   ProofingType = "onsite_attended"
	OnsiteUnattended ProofingType = "onsite_unattended"
	SupervisedRemote ProofingType = "supervised_remote"
)

// IdentityPiece is one piece of identity evidence.
type IdentityPiece struct {
	Strength          Strength `json:"strength"`
	ValidatedStrength Strength `json:"validated_strength"`
	// IssuingSourceValidated: it was validated with its issuer. IssuerProofed: the
	// issuer itself proofed the person to the equivalent of two STRONG pieces.
	IssuingSourceValidated bool `json:"issuing_source_validated"`
	IssuerProofed          bool `json:"issuer_proofed"`
	GovernmentIdentifier   bool `json:"government_identifier"`
	// PortraitOrDigital: it has a portrait, or can be validated digitally.
	PortraitOrDigital bool `json:"portrait_or_digital"`
}

// Strength is the strength of identity evidence, or of its validation or verification.
type Strength string

// The strengths, which are in this order (SP 800-63A 5.2.1; SP 800-63A-4 2.4.1).
const (
	Fair     Strength = "fair"
	Strong   Strength = "strong"
	Superior Strength = "superior"
)

var strengths = []Strength{Fair, Strong, Superior}

// atLeast says whether the strength is at least another.
func (s Strength) atLeast(other Strength) bool {
	return slices.Index(strengths, s) >= slices.Index(strengths, other)
}

// IdentityVerification is how the person was shown to be the owner of the evidence.
type IdentityVerification struct {
	Strength           Strength `json:"strength"` // SP 800-63A 5.3.1
	Pathway            Pathway  `json:"pathway"`  // SP 800-63A-4 4.2.6
	BiometricCollected bool     `json:"biometric_collected"`
}

// Pathway is one of the three of SP 800-63A-4 4.2.6.
type Pathway string

// The pathways.
const (
	NonBiometric    Pathway = "non_biometric"
	Biometric       Pathway = "biometric"
	DigitalEvidence Pathway = "digital_evidence"
)

// ProofingChannel is a kind of address that proofing sends to.
type ProofingChannel string

// The channels of proofing.
const (
	ByPost  ProofingChannel = "postal"
	ByPhone ProofingChannel = "phone"
	ByEmail ProofingChannel = "email"
)

// AddressConfirmation is a code that was sent to an address and came back.
type AddressConfirmation struct {
	Channel    ProofingChannel `json:"channel"`
	Address    Secret          `json:"address"`
	Source     AddressSource   `json:"source"`
	CodeSentAt time.Time       `json:"code_sent_at"`
	CodeUsedAt time.Time       `json:"code_used_at"`
}

// AddressSource is where an address was taken from.
type AddressSource string

// The sources of addresses.
const (
	ValidatedRecord AddressSource = "validated_record"
	SelfAsserted    AddressSource = "self_asserted"
)

// ProofingNotice is the notice that somebody was proofed, sent to one of their addresses.
type ProofingNotice struct {
	Channel ProofingChannel `json:"channel"`
	Address Secret          `json:"address"`
}

// validated says whether there is an address from a validated record.
func (c *AddressConfirmation) validated() bool { return c != nil && c.Source == ValidatedRecord }

// usedWithin says whether the code came back within the limit of its channel; a
// channel without a limit takes no codes.
func (c *AddressConfirmation) usedWithin(limits map[ProofingChannel]time.Duration) bool {
	limit, ok := limits[c.Channel]
	return ok && !c.CodeSentAt.IsZero() && !c.CodeUsedAt.Before(c.CodeSentAt) && c.CodeUsedAt.Sub(c.CodeSentAt) <= limit
}

// readProofing reads what is special to proofing records.
func readProofing(o *object, e *Evidence) {
	f := &ProofingFacts{
		Type:                    oneOf(o, "type", []ProofingType{RemoteUnattended, RemoteAttended, OnsiteAttended, OnsiteUnattended, SupervisedRemote}),
		CoreAttributesValidated: o.bool("core_attributes_validated"),
		CollectedBy:             o.text("collected_by"),
		RepresentativeTrained:   o.bool("representative_trained"),
	}
	list, _, _ := take[[]node](o, "pieces")
	for _, n := range list {
		if piece, ok := asObject(o.doc, n); ok {
			f.Pieces = append(f.Pieces, readPiece(piece))
		}
	}
	if v, _, ok := take[*object](o, "verification"); ok {
		f.Verification = IdentityVerification{
			Strength:           oneOf(v, "strength", strengths),
			Pathway:            oneOf(v, "pathway", []Pathway{NonBiometric, Biometric, DigitalEvidence}),
			BiometricCollected: v.bool("biometric_collected"),
		}
		v.unknown()
	}
	if o.has("reviewed_by") {
		f.ReviewedBy = o.text("reviewed_by")
	}
	if o.has("address_confirmation") {
		f.AddressConfirmation = readAddressConfirmation(o, e.At)
	}
	if o.has("notification") {
		if n, _, ok := take[*object](o, "notification"); ok {
			f.Notification = &ProofingNotice{readProofingChannel(n), Secret(n.text("address"))}
			n.unknown()
		}
	}
	e.Proofing = f
}

func readPiece(o *object) IdentityPiece {
	p := IdentityPiece{
		Strength:               oneOf(o, "strength", strengths),
		ValidatedStrength:      oneOf(o, "validated_strength", strengths),
		IssuingSourceValidated: o.bool("issuing_source_validated"),
		IssuerProofed:          o.bool("issuer_proofed"),
		GovernmentIdentifier:   o.bool("government_identifier"),
		PortraitOrDigital:      o.bool("portrait_or_digital"),
	}
	o.unknown()
	return p
}

func readProofingChannel(o *object) ProofingChannel {
	return oneOf(o, "channel", []ProofingChannel{ByPost, ByPhone, ByEmail})
}

func readAddressConfirmation(in *object, at time.Time) *AddressConfirmation {
	o, _, ok := take[*object](in, "address_confirmation")
	if !ok {
		return nil
	}
	c := &AddressConfirmation{
		Channel: readProofingChannel(o),
		Address: Secret(o.text("address")),
		Source:  oneOf(o, "source", []AddressSource{ValidatedRecord, SelfAsserted}),
	}
	c.CodeUsedAt = o.timeUntil("code_used_at", at, "at")
	if c.CodeUsedAt.IsZero() {
		c.CodeSentAt = o.timeUntil("code_sent_at", at, "at")
	} else {
		c.CodeSentAt = o.timeUntil("code_sent_at", c.CodeUsedAt, "code_used_at")
	}
	o.unknown()
	return c
}
