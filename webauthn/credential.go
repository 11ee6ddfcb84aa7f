package webauthn

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// AAGUID names a model of authenticator (WebAuthn 6.5.1). Zero names none.
type AAGUID [16]byte

// ParseAAGUID reads the form 8-4-4-4-12 in hexadecimal.
func ParseAAGUID(s string) (AAGUID, error) {
	var a AAGUID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return a, fmt.Errorf("webauthn: AAGUID %s is not 8-4-4-4-12 in hexadecimal", shown(s))
	}
	if n, err := hex.Decode(a[:], []byte(strings.ReplaceAll(s, "-", ""))); err != nil || n != len(a) {
		return AAGUID{}, fmt.Errorf("webauthn: AAGUID %s is not 8-4-4-4-12 in hexadecimal", shown(s))
	}
	return a, nil
}

// String writes the form 8-4-4-4-12 in lower case.
func (a AAGUID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", a[:4], a[4:6], a[6:8], a[8:10], a[10:])
}

// MarshalText makes AAGUIDs readable in JSON.
func (a AAGUID) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (a *AAGUID) UnmarshalText(b []byte) (err error) {
	*a, err = ParseAAGUID(string(b))
	return err
}

// Credential is the record of a registered key (WebAuthn 4, "credential record"), whole
// from the first day: what is not stored at registration cannot be had later. The caller
// stores it as JSON. It has nothing secret in it.
type Credential struct {
	Version   int    `json:"v"` // of this form
	ID        []byte `json:"id"`
	RPID      string `json:"rp_id"`
	User      []byte `json:"user"`       // the user handle it was made for
	PublicKey []byte `json:"public_key"` // COSE_Key
	Algorithm int64  `json:"algorithm"`  // COSE
	SignCount uint32 `json:"sign_count"` // of the last assertion; 0 where the authenticator does not count

	// The flags of the registration, but for BS, which is that of the last ceremony.
	UP bool `json:"up"`
	UV bool `json:"uv"`
	BE bool `json:"be"`
	BS bool `json:"bs"`

	// What the browser said, unsigned: how the authenticator is reached, and whether it
	// can be found without an allow list (nil: not said).
	Transports   []string `json:"transports,omitempty"`
	Attachment   string   `json:"attachment,omitempty"`
	Discoverable *bool    `json:"discoverable,omitempty"`

	// The attestation as it came. Trust in it is judged anew at each use.
	AAGUID            AAGUID    `json:"aaguid"`
	Format            string    `json:"format"`
	AttestationType   string    `json:"attestation_type"`
	AttestationObject []byte    `json:"attestation_object"`
	ClientDataHash    []byte    `json:"client_data_hash"`
	CreatedAt         time.Time `json:"created_at"`

	// What the metadata said that day: the model's description, and the judgement.
	Model      string      `json:"model,omitempty"`
	Registered Attestation `json:"registered"`
}

const credentialVersion = 1

// Facts are what an answer shows, as the rules that label evidence want to have them
// (the kind "webauthn" of `countersign assess`).
type Facts struct {
	UP                 bool        `json:"up"`
	UV                 bool        `json:"uv"`
	BE                 bool        `json:"be"`
	BS                 bool        `json:"bs"`
	SignCountRegressed bool        `json:"sign_count_regressed"`
	Attestation        Attestation `json:"attestation"`
}

// Attestation is what is known today of the authenticator that holds a key.
type Attestation struct {
	// Type is one of none, self, basic, attca and anonca (WebAuthn 6.5.4).
	Type string `json:"type"`
	// Trusted says that the certificates lead to a root of the metadata or of the
	// configuration.
	Trusted bool `json:"trusted"`
	// KeyProtection is the metadata's; it is empty unless Trusted by the metadata's own
	// roots, and where the metadata says that the model copies all of its keys.
	KeyProtection []string `json:"key_protection"`
	// FIPS140 is zero unless Trusted, and by the metadata's own roots or the
	// configuration's list.
	FIPS140 FIPS140 `json:"fips140,omitzero"`
	// Status lists the metadata's statuses in force for the AAGUID, trusted or not.
	Status []string `json:"status"`
	// MDSFresh says that the metadata in use is not past its next update.
	MDSFresh bool `json:"mds_fresh"`
}

// FIPS140 has levels of a validated module; 0 means that none is known.
type FIPS140 struct {
	Overall  int `json:"overall,omitempty"`
	Physical int `json:"physical,omitempty"`
}
