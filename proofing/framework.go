package proofing

// Framework is the revision of SP 800-63 that labels are given in. Numbers of
// different revisions are not interchangeable, so every label names its own.
type Framework string

// The frameworks.
const (
	R3     Framework = "sp800-63-3"
	R3Sup1 Framework = "sp800-63-3+63bsup1" // synced passkeys allowed at AAL2
	R4     Framework = "sp800-63-4"
)

// OperatorFacts are what the operator attests of the installation. Each can only
// lift a cap that the rules set in its absence.
type OperatorFacts struct {
	VerifierFIPS140Validated bool `json:"verifier_fips140_validated"`
	AcceptUnverifiedLineType bool `json:"accept_unverified_line_type"`
	RequireAttestation       bool `json:"require_attestation"`
}
