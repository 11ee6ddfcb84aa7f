package webauthn

import (
	"fmt"
	"slices"
	"strings"
)

// What a Policy may ask of an authenticator's attestation.
const (
	AnyAuthenticator = "none"    // every authenticator; browsers are asked for no attestation
	Trusted          = "trusted" // a chain to a trusted root
	Listed           = "listed"  // that, and one of the AAGUIDs
	FIPS             = "fips"    // a chain to a trusted root, and FIPS 140 levels known today
)

// Policy says which authenticators a ceremony accepts. It is asked at registration
// and again at each assertion, about what is known that day.
type Policy struct {
	// Attestation is AnyAuthenticator, Trusted, Listed or FIPS; empty means the
	// configuration's policy.
	Attestation string   `json:"attestation,omitempty"`
	AAGUIDs     []AAGUID `json:"aaguids,omitempty"`
	// Minimum is what FIPS asks for; its zero value asks for any overall level.
	Minimum FIPS140 `json:"minimum,omitzero"`
}

func (p Policy) check() error {
	switch p.Attestation {
	case "", AnyAuthenticator, Trusted, FIPS:
		if len(p.AAGUIDs) > 0 {
			return fmt.Errorf("attestation policy %q does not look at AAGUIDs", p.Attestation)
		}
	case Listed:
		if len(p.AAGUIDs) == 0 || slices.Contains(p.AAGUIDs, AAGUID{}) {
			return fmt.Errorf("attestation policy %q needs AAGUIDs other than zero", Listed)
		}
	default:
		return fmt.Errorf("attestation policy %s is not one of none, trusted, listed, fips", shown(p.Attestation))
	}
	return nil
}

// conveyance is what browsers are asked for (WebAuthn 5.4.7).
func (p Policy) conveyance() string {
	if p.Attestation == "" || p.Attestation == AnyAuthenticator {
		return "none"
	}
	return "direct"
}

// rejecting are the statuses with which no policy that looks at attestation accepts a
// model. Where none is looked at they are among the facts, and the rules that label
// evidence refuse it.
var rejecting = []string{"REVOKED", "RETIRED", "USER_KEY_REMOTE_COMPROMISE", "USER_KEY_PHYSICAL_COMPROMISE", "ATTESTATION_KEY_COMPROMISE"}

// accepts returns nil, or ErrPolicy with the reason.
func (p Policy) accepts(aaguid AAGUID, a Attestation) error {
	if p.Attestation == "" || p.Attestation == AnyAuthenticator {
		return nil
	}
	for _, s := range a.Status {
		if slices.Contains(rejecting, s) {
			return fmt.Errorf("%w: the metadata has %s for model %s", ErrPolicy, s, aaguid)
		}
	}
	if !a.Trusted {
		return fmt.Errorf("%w: its attestation (%s) leads to no trusted root", ErrPolicy, a.Type)
	}
	switch p.Attestation {
	case Listed:
		if !slices.Contains(p.AAGUIDs, aaguid) {
			return fmt.Errorf("%w: model %s is not listed", ErrPolicy, aaguid)
		}
	case FIPS:
		if !a.MDSFresh {
			return fmt.Errorf("%w: what is known of its FIPS 140 validation is out of date", ErrPolicy)
		}
		if a.FIPS140.Overall < max(1, p.Minimum.Overall) || a.FIPS140.Physical < p.Minimum.Physical {
			return fmt.Errorf("%w: FIPS 140 levels %s, wanted %s", ErrPolicy, a.FIPS140, FIPS140{Overall: max(1, p.Minimum.Overall), Physical: p.Minimum.Physical})
		}
	}
	return nil
}

func (f FIPS140) String() string {
	var s []string
	if f.Overall > 0 {
		s = append(s, fmt.Sprintf("overall %d", f.Overall))
	}
	if f.Physical > 0 {
		s = append(s, fmt.Sprintf("physical %d", f.Physical))
	}
	if len(s) == 0 {
		return "none"
	}
	return strings.Join(s, ", ")
}
