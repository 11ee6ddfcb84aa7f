package proofing

import (
	"slices"
	"time"
)

// Framework is the revision of SP 800-63 that levels are given in. Numbers of
// different revisions are not interchangeable, so every label names its own.
type Framework string

// The frameworks.
const (
	R3     Framework = "sp800-63-3"
	R3Sup1 Framework = "sp800-63-3+63bsup1" // synced passkeys allowed at AAL2
	R4     Framework = "sp800-63-4"
)

// frameworks is every framework, with its full name and what is common to all
// kinds of evidence in it.
var frameworks = []struct {
	name  Framework
	title string
	rules *revision
}{
	{R3, "NIST SP 800-63-3", &revision3},
	{R3Sup1, "NIST SP 800-63-3 with SP 800-63B Supplement 1", &revision3},
	{R4, "NIST SP 800-63-4", &revision4},
}

// Frameworks lists the names of all frameworks.
func Frameworks() []Framework {
	var names []Framework
	for _, f := range frameworks {
		names = append(names, f.name)
	}
	return names
}

// Valid says whether this is the name of a framework.
func (f Framework) Valid() bool { return slices.Contains(Frameworks(), f) }

// Title is the full name, as people read it; empty unless Valid.
func (f Framework) Title() string {
	for _, known := range frameworks {
		if known.name == f {
			return known.title
		}
	}
	return ""
}

// Reauthentication is how long an authentication holds at an AAL from 1 to 3.
// It is the overall limit; limits on idle time belong to web sessions.
func (f Framework) Reauthentication(aal int) time.Duration {
	return f.rules().reauthentication[aal].after
}

// rules panics unless the framework is Valid: names are checked where they come
// in, and a label in a framework that nobody chose must not be given.
func (f Framework) rules() *revision {
	for _, known := range frameworks {
		if known.name == f {
			return known.rules
		}
	}
	panic("proofing: unknown framework " + string(f))
}

// revision is what the rules of one revision say of any evidence, whatever its kind.
type revision struct {
	// ial is what a record has when no event gives an IAL, with its basis and
	// the reason; nil is none.
	ial       *int
	ialBasis  string
	ialReason Reason
	// noAAL and noFAL say why a record has none.
	noAAL, noFAL Reason
	// unvalidatedVerifier is why the operator's verifier caps every AAL at 2.
	unvalidatedVerifier Reason
	// suspended is why what a recovery has suspended authenticates nobody, and suspendedWord why the word of a suspended account at a provider
	// counts for nothing else.
	suspended, suspendedWord Reason
	// unknownKind is why an event of a kind without rules earns nothing.
	unknownKind Reason
	// reauthentication is indexed by AAL; there is no AAL0.
	reauthentication [4]reauthentication
}

// reauthentication is how long an authentication holds, and the reason why it
// no longer counts after that.
type reauthentication struct {
	after time.Duration
	due   Reason
}

// OperatorFacts are what the operator attests of the installation. Each is
// false until attested, and lets an event reach a higher level, except for
// RequireAttestation, which asks for more. A higher level may lapse sooner.
type OperatorFacts struct {
	VerifierFIPS140Validated bool `json:"verifier_fips140_validated"`
	AcceptUnverifiedLineType bool `json:"accept_unverified_line_type"`
	RequireAttestation       bool `json:"require_attestation"`
}
