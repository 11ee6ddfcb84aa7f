package proofing

import "slices"

// WebAuthnFacts is what an assertion of a FIDO authenticator showed. Whoever states it
// has verified the assertion (WebAuthn 7.2): challenge, origin, relying party and signature.
type WebAuthnFacts struct {
	// The flags of the authenticator data (WebAuthn 6.1): user present, user
	// verified, backup eligible (a passkey that can be synced), backed up.
	UP bool `json:"up"`
	UV bool `json:"uv"`
	BE bool `json:"be"`
	BS bool `json:"bs"`
	// SignCountRegressed is the sign of a clone (WebAuthn 6.1.1), and no proof of one.
	SignCountRegressed bool `json:"sign_count_regressed"`
	// CloneSuspected: an earlier use of the same authenticator has shown that sign.
	CloneSuspected bool        `json:"clone_suspected,omitempty"`
	Attestation    Attestation `json:"attestation"`
}

// copied says whether there may be another device with the key.
func (f *WebAuthnFacts) copied() bool { return f != nil && (f.SignCountRegressed || f.CloneSuspected) }

// Attestation is what is known of the authenticator: from its attestation at
// registration, and of its model as of the event.
type Attestation struct {
	Type AttestationType `json:"type"`
	// Trusted says that the chain was verified to a configured root.
	Trusted       bool            `json:"trusted"`
	KeyProtection []KeyProtection `json:"key_protection"`
	FIPS140       FIPS140         `json:"fips140,omitzero"`
	// Status are the model's statuses in force in the FIDO Metadata Service, and
	// MDSFresh says that its list was not overdue.
	Status   []MDSStatus `json:"status"`
	MDSFresh bool        `json:"mds_fresh"`
}

// FIPS140 is the levels to which an authenticator is validated, from 1 to 4; 0 is none.
type FIPS140 struct {
	Overall  int `json:"overall,omitempty"`
	Physical int `json:"physical,omitempty"` // physical security
}

// AttestationType is a type of attestation (WebAuthn 6.5.4).
type AttestationType string

// The types of attestation.
const (
	AttestationNone   AttestationType = "none"
	AttestationSelf   AttestationType = "self"
	AttestationBasic  AttestationType = "basic"
	AttestationAttCA  AttestationType = "attca"
	AttestationAnonCA AttestationType = "anonca"
)

// KeyProtection is where an authenticator keeps its keys (FIDO Metadata Statement, keyProtection).
type KeyProtection string

// The protections of keys.
const (
	KeyHardware      KeyProtection = "hardware"
	KeyTEE           KeyProtection = "tee"
	KeySecureElement KeyProtection = "secure_element"
	KeySoftware      KeyProtection = "software"
	KeyRemoteHandle  KeyProtection = "remote_handle"
)

// MDSStatus is a status of an authenticator's model (FIDO Metadata Service 3.1.4).
type MDSStatus string

// The statuses that change what an authenticator is worth.
const (
	MDSUserVerificationBypass    MDSStatus = "USER_VERIFICATION_BYPASS"
	MDSAttestationKeyCompromise  MDSStatus = "ATTESTATION_KEY_COMPROMISE"
	MDSUserKeyRemoteCompromise   MDSStatus = "USER_KEY_REMOTE_COMPROMISE"
	MDSUserKeyPhysicalCompromise MDSStatus = "USER_KEY_PHYSICAL_COMPROMISE"
	MDSRevoked                   MDSStatus = "REVOKED"
	MDSRetired                   MDSStatus = "RETIRED"
)

var (
	attestationTypes = []AttestationType{AttestationNone, AttestationSelf, AttestationBasic, AttestationAttCA, AttestationAnonCA}
	keyProtections   = []KeyProtection{KeyHardware, KeyTEE, KeySecureElement, KeySoftware, KeyRemoteHandle}
	// mdsRejects are the statuses with which an authenticator may not count at all.
	mdsRejects = []MDSStatus{MDSRevoked, MDSRetired, MDSUserKeyRemoteCompromise, MDSUserKeyPhysicalCompromise, MDSAttestationKeyCompromise}
	// mdsHarmless are the statuses that change nothing.
	mdsHarmless = []MDSStatus{"NOT_FIDO_CERTIFIED", "FIDO_CERTIFIED", "SELF_ASSERTION_SUBMITTED", "FIDO_CERTIFIED_L1", "FIDO_CERTIFIED_L1plus",
		"FIDO_CERTIFIED_L2", "FIDO_CERTIFIED_L2plus", "FIDO_CERTIFIED_L3", "FIDO_CERTIFIED_L3plus",
		"FIPS140_CERTIFIED_L1", "FIPS140_CERTIFIED_L2", "FIPS140_CERTIFIED_L3", "FIPS140_CERTIFIED_L4", "UPDATE_AVAILABLE"}
	mdsStatuses = slices.Concat(mdsHarmless, mdsRejects, []MDSStatus{MDSUserVerificationBypass})
)

// attested says whether the maker vouches for the authenticator.
func (a *Attestation) attested() bool {
	return a.Trusted && (a.Type == AttestationAnonCA || a.names())
}

// names says whether the attestation is trusted and tells the model, as AAL3 needs.
func (a *Attestation) names() bool {
	return a.Trusted && (a.Type == AttestationBasic || a.Type == AttestationAttCA)
}

// hardware says whether keys are kept in hardware, and nowhere else.
func (a *Attestation) hardware() bool {
	has := func(p KeyProtection) bool { return slices.Contains(a.KeyProtection, p) }
	return (has(KeyHardware) || has(KeyTEE) || has(KeySecureElement)) && !has(KeySoftware) && !has(KeyRemoteHandle)
}

func (a *Attestation) hasStatus(statuses ...MDSStatus) bool {
	return slices.ContainsFunc(a.Status, func(s MDSStatus) bool { return slices.Contains(statuses, s) })
}

// verified says whether the authenticator verified its user in a way that counts.
func (f *WebAuthnFacts) verified() bool {
	return f.UV && !f.Attestation.hasStatus(MDSUserVerificationBypass)
}

// amrOfWebAuthn calls a key hardware only where that was shown.
func amrOfWebAuthn(e Evidence) []string {
	methods := []string{"user", "swk"}
	if a := &e.WebAuthn.Attestation; a.attested() && a.hardware() {
		methods = []string{"user", "hwk"}
	}
	if e.WebAuthn.verified() {
		methods = append(methods, "mfa")
	}
	return methods
}

// readWebAuthn reads what is special to FIDO events.
func readWebAuthn(o *object, e *Evidence) {
	readBoundAt(o, e)
	f := &WebAuthnFacts{UP: o.bool("up"), UV: o.bool("uv"), BE: o.bool("be"), BS: o.bool("bs"), SignCountRegressed: o.bool("sign_count_regressed")}
	if o.has("clone_suspected") {
		f.CloneSuspected = o.bool("clone_suspected")
	}
	if a, _, ok := take[*object](o, "attestation"); ok {
		f.Attestation = readAttestation(a)
	}
	e.WebAuthn = f
}

func readAttestation(o *object) Attestation {
	a := Attestation{
		Type:          oneOf(o, "type", attestationTypes),
		KeyProtection: someOf(o, "key_protection", keyProtections),
		Status:        someOf(o, "status", mdsStatuses),
		MDSFresh:      o.bool("mds_fresh"),
	}
	trusted, n, _ := take[bool](o, "trusted")
	if trusted && (a.Type == AttestationNone || a.Type == AttestationSelf) {
		o.doc.mistake(n.offset, n.path, "cannot be true for an attestation of type %s, which has no chain", a.Type)
	}
	a.Trusted = trusted
	if o.has("fips140") {
		if levels, _, ok := take[*object](o, "fips140"); ok {
			a.FIPS140 = readFIPS140(levels)
		}
	}
	o.unknown()
	return a
}

func readFIPS140(o *object) (levels FIPS140) {
	for name, level := range map[string]*int{"overall": &levels.Overall, "physical": &levels.Physical} {
		if o.has(name) {
			*level = int(o.whole(name, 1, 4))
		}
	}
	o.unknown()
	return levels
}
