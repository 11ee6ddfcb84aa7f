package webauthn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
)

// NewRegistration asks for a key to be made.
type NewRegistration struct {
	// User is the user handle: 16 to 64 random bytes that stand for the person and for
	// nothing else. Authenticators give it to whoever holds them, so that nothing about
	// the person may be in it (WebAuthn 14.6.1).
	User []byte
	// Name and DisplayName are what the person's devices show beside the key.
	Name        string
	DisplayName string
	// Exclude are the person's keys: their authenticators refuse to make another.
	Exclude []Credential
	// Nonce is NonceSize random bytes; Binding is what the registration is for, and may
	// be empty.
	Nonce   []byte
	Binding []byte

	UserVerification UserVerification
	Policy           Policy
}

// RegistrationAnswer is what came back.
type RegistrationAnswer struct {
	// Binding is what the registration is for by now: if it is not what it was at the
	// beginning, the challenge is wrong.
	Binding []byte
	// Response is a RegistrationResponseJSON (WebAuthn 5.1), at most 64 KiB.
	Response []byte
}

// Registration is a key that was made.
type Registration struct {
	Credential Credential
	Facts      Facts
	Nonce      []byte // of the challenge
}

// BeginRegistration returns the options for the browser's parseCreationOptionsFromJSON,
// and the state to keep for FinishRegistration.
func (rp *RelyingParty) BeginRegistration(r NewRegistration) (options json.RawMessage, state []byte, err error) {
	if len(r.User) < 16 || len(r.User) > 64 {
		return nil, nil, fmt.Errorf("webauthn: begin to register: the user handle has %d bytes, not 16 to 64", len(r.User))
	}
	if r.Name == "" {
		return nil, nil, fmt.Errorf("webauthn: begin to register: the name is empty")
	}
	c, challenge, err := rp.begin(Register, r.Nonce, r.Binding, r.User, r.UserVerification, r.Policy)
	if err != nil {
		return nil, nil, err
	}
	o := creationOptions{
		RP:        entity{ID: rp.config.ID, Name: rp.config.Name},
		User:      userEntity{ID: encode(r.User), Name: r.Name, DisplayName: r.DisplayName},
		Challenge: encode(challenge),
		Timeout:   rp.config.Timeout.Milliseconds(),
		// Preferred, not required: an authenticator that can be found without an allow list
		// makes such a key either way, and one that is full or cannot is of use with a list.
		AuthenticatorSelection: selection{ResidentKey: "preferred", UserVerification: c.UserVerification},
		Attestation:            c.Policy.conveyance(),
		Extensions:             extensions{CredProps: true},
	}
	for _, a := range rp.config.Algorithms {
		o.PubKeyCredParams = append(o.PubKeyCredParams, parameter{Type: publicKey, Alg: a})
	}
	o.ExcludeCredentials, c.Exclude = descriptors(r.Exclude)
	c.Algorithms = rp.config.Algorithms
	if options, err = optionsJSON(o); err != nil {
		return nil, nil, err
	}
	state, err = c.bytes()
	return options, state, err
}

// FinishRegistration checks an answer (WebAuthn 7.1) and returns the record to store.
// That no other person has the same credential id is for the caller to check, in the
// change that stores it. Errors are those of this package, for errors.Is.
func (rp *RelyingParty) FinishRegistration(state []byte, a RegistrationAnswer) (Registration, error) {
	r, err := rp.finishRegistration(state, a)
	if err != nil {
		return Registration{}, fmt.Errorf("webauthn: register: %w", err)
	}
	return r, nil
}

func (rp *RelyingParty) finishRegistration(state []byte, a RegistrationAnswer) (Registration, error) {
	now := rp.config.Now().UTC().Truncate(time.Second)
	c, err := rp.resume(state, Register, now)
	if err != nil {
		return Registration{}, err
	}
	answer, err := readAttestation(a.Response)
	if err != nil {
		return Registration{}, err
	}
	challenge := rp.challenge(Register, rp.config.ID, c.Nonce, a.Binding)
	if err := rp.checkClientData(answer.clientData, "webauthn.create", challenge); err != nil {
		return Registration{}, err
	}
	parsed, err := answer.parse()
	if err != nil {
		return Registration{}, err
	}
	object := &parsed.Response.AttestationObject
	made := object.AuthData.AttData
	if err := rp.checkAuthenticatorData(&object.AuthData, c.UserVerification); err != nil {
		return Registration{}, err
	}
	algorithm, err := checkKey(made.CredentialPublicKey, c.Algorithms)
	if err != nil {
		return Registration{}, err
	}
	switch {
	case len(made.CredentialID) == 0 || len(made.CredentialID) > 1023:
		return Registration{}, fmt.Errorf("%w: credential id of %d bytes", ErrMalformed, len(made.CredentialID))
	case !bytes.Equal(made.CredentialID, answer.id):
		return Registration{}, fmt.Errorf("%w: the browser and the authenticator name different credentials", ErrMalformed)
	case slices.ContainsFunc(c.Exclude, func(id []byte) bool { return bytes.Equal(id, made.CredentialID) }):
		return Registration{}, ErrRegistered
	}
	hash, err := rp.verifyAttestation(parsed, c, challenge)
	if err != nil {
		return Registration{}, err
	}
	flags := object.AuthData.Flags
	record := Credential{
		Version: credentialVersion, ID: made.CredentialID, RPID: rp.config.ID, User: c.User,
		PublicKey: made.CredentialPublicKey, Algorithm: algorithm, SignCount: object.AuthData.Counter,
		UP: flags.HasUserPresent(), UV: flags.HasUserVerified(), BE: flags.HasBackupEligible(), BS: flags.HasBackupState(),
		Transports: answer.transports, Attachment: answer.attachment, Discoverable: answer.discoverable,
		AAGUID: AAGUID(made.AAGUID), Format: object.Format, AttestationType: attestationTypes[object.Type],
		AttestationObject: answer.object, ClientDataHash: hash, CreatedAt: now,
	}
	record.Registered, record.Model = rp.judge(&record, now)
	if err := c.Policy.accepts(record.AAGUID, record.Registered); err != nil {
		return Registration{}, err
	}
	facts := Facts{UP: record.UP, UV: record.UV, BE: record.BE, BS: record.BS, Attestation: record.Registered}
	return Registration{Credential: record, Facts: facts, Nonce: c.Nonce}, nil
}

// attestationAnswer is a RegistrationResponseJSON as far as it is used.
type attestationAnswer struct {
	id, clientData, object []byte
	transports             []string
	attachment             string
	discoverable           *bool
}

func readAttestation(raw []byte) (attestationAnswer, error) {
	var a attestationAnswer
	outer, response, err := readResponse(raw)
	if err != nil {
		return a, err
	}
	if a.id, err = credentialID(outer); err != nil {
		return a, err
	}
	if a.clientData, err = octets(response, "clientDataJSON"); err != nil {
		return a, err
	}
	if a.object, err = octets(response, "attestationObject"); err != nil {
		return a, err
	}
	// What follows is unsigned and only helps browsers later: what is not as it should be
	// is left out.
	var transports []string
	if json.Unmarshal(response["transports"], &transports) == nil {
		for _, t := range transports {
			if slices.Contains([]string{"usb", "nfc", "ble", "smart-card", "hybrid", "internal"}, t) && !slices.Contains(a.transports, t) {
				a.transports = append(a.transports, t)
			}
		}
	}
	if s, err := text(outer, "authenticatorAttachment"); err == nil && (s == "platform" || s == "cross-platform") {
		a.attachment = s
	}
	var results struct {
		CredProps struct {
			RK *bool `json:"rk"`
		} `json:"credProps"`
	}
	if json.Unmarshal(outer["clientExtensionResults"], &results) == nil {
		a.discoverable = results.CredProps.RK
	}
	return a, nil
}

// readResponse reads the outer object of an answer and its response.
func readResponse(raw []byte) (outer, response map[string]json.RawMessage, err error) {
	if outer, err = members(raw, maxResponse); err != nil {
		return nil, nil, err
	}
	if kind, err := text(outer, "type"); err != nil || kind != publicKey {
		return nil, nil, fmt.Errorf("%w: type is not %q", ErrMalformed, publicKey)
	}
	if isNull(outer["response"]) {
		return nil, nil, fmt.Errorf("%w: no response", ErrMalformed)
	}
	if response, err = split(outer["response"]); err != nil {
		return nil, nil, fmt.Errorf("response: %w", err)
	}
	return outer, response, nil
}

// credentialID is the id, which comes twice and must be the same.
func credentialID(outer map[string]json.RawMessage) ([]byte, error) {
	id, err := octets(outer, "id")
	if err != nil {
		return nil, err
	}
	if raw, err := octets(outer, "rawId"); err != nil || !bytes.Equal(raw, id) {
		return nil, fmt.Errorf("%w: rawId is not the id", ErrMalformed)
	}
	if len(id) == 0 || len(id) > 1023 {
		return nil, fmt.Errorf("%w: credential id of %d bytes", ErrMalformed, len(id))
	}
	return id, nil
}

func (a attestationAnswer) parse() (parsed *protocol.ParsedCredentialCreationData, err error) {
	answer := protocol.CredentialCreationResponse{
		PublicKeyCredential: protocol.PublicKeyCredential{Credential: protocol.Credential{ID: encode(a.id), Type: publicKey}, RawID: a.id},
		AttestationResponse: protocol.AuthenticatorAttestationResponse{
			AuthenticatorResponse: protocol.AuthenticatorResponse{ClientDataJSON: a.clientData},
			AttestationObject:     a.object,
		},
	}
	err = guarded(func() (err error) {
		parsed, err = answer.Parse()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%w: attestation object: %w", ErrMalformed, err)
	}
	return parsed, nil
}

// checkKey returns the algorithm of a COSE key if it is one that was offered, for a
// key that is fit for use (WebAuthn 7.1 step 20).
func checkKey(cose []byte, offered []int64) (int64, error) {
	var key any
	err := guarded(func() (err error) {
		key, err = webauthncose.ParsePublicKey(cose)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrKey, err)
	}
	var algorithm int64
	switch k := key.(type) {
	case webauthncose.EC2PublicKeyData:
		algorithm = k.Algorithm
	case webauthncose.OKPPublicKeyData:
		algorithm = k.Algorithm
	case webauthncose.RSAPublicKeyData:
		algorithm = k.Algorithm
		// Larger keys than any authenticator makes would only cost time to verify.
		if bits := len(bytes.TrimLeft(k.Modulus, "\x00")) * 8; bits < 2048 || bits > 4096 {
			return 0, fmt.Errorf("%w: RSA with a modulus of %d bits, not 2048 to 4096", ErrKey, bits)
		}
	default:
		return 0, fmt.Errorf("%w: %T", ErrAlgorithm, key)
	}
	if !slices.Contains(offered, algorithm) {
		return 0, fmt.Errorf("%w: %d", ErrAlgorithm, algorithm)
	}
	return algorithm, nil
}
