package webauthn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
)

// NewAssertion asks for a signature by a registered key.
type NewAssertion struct {
	// User is the user handle if the person is known, and Allow are their keys. Without
	// both, the browser offers every key that it finds for this relying party (conditional
	// mediation works so), and the answer says whose it is.
	User  []byte
	Allow []Credential
	// Nonce is NonceSize random bytes; Binding is what the signature is to count for, and
	// may be empty.
	Nonce   []byte
	Binding []byte

	UserVerification UserVerification
	Policy           Policy
}

// AssertionAnswer is what came back.
type AssertionAnswer struct {
	// Binding is what the signature is to count for by now: if it is not what it was at
	// the beginning, the challenge is wrong.
	Binding []byte
	// Credential is the record with the id that ReadAssertion found.
	Credential Credential
	// Response is an AuthenticationResponseJSON (WebAuthn 5.1), at most 64 KiB.
	Response []byte
}

// Assertion is a signature that verified.
type Assertion struct {
	Facts Facts
	// Credential is the record to store: its sign count and backup state are new. The
	// count never falls, so that a copy is noticed at each use.
	Credential Credential
	Nonce      []byte // of the challenge
}

// BeginAssertion returns the options for the browser's parseRequestOptionsFromJSON, and
// the state to keep for FinishAssertion.
func (rp *RelyingParty) BeginAssertion(r NewAssertion) (options json.RawMessage, state []byte, err error) {
	if (len(r.User) == 0) != (len(r.Allow) == 0) {
		return nil, nil, fmt.Errorf("webauthn: begin to assert: the user and their keys are given both, or neither is")
	}
	for _, a := range r.Allow {
		if !bytes.Equal(a.User, r.User) || a.RPID != rp.config.ID {
			return nil, nil, fmt.Errorf("webauthn: begin to assert: an allowed key is not one of this user at %s", rp.config.ID)
		}
	}
	c, challenge, err := rp.begin(Assert, r.Nonce, r.Binding, r.User, r.UserVerification, r.Policy)
	if err != nil {
		return nil, nil, err
	}
	o := requestOptions{
		Challenge: encode(challenge), Timeout: rp.config.Timeout.Milliseconds(), RPID: rp.config.ID, UserVerification: c.UserVerification,
	}
	o.AllowCredentials, c.Allow = descriptors(r.Allow)
	if options, err = optionsJSON(o); err != nil {
		return nil, nil, err
	}
	state, err = c.bytes()
	return options, state, err
}

// ReadAssertion says which credential an answer names, so that its record can be
// fetched, and which user handle, which may be empty. Neither is proved by that.
func ReadAssertion(response []byte) (credential, user []byte, err error) {
	a, err := readAssertion(response)
	if err != nil {
		return nil, nil, fmt.Errorf("webauthn: read an assertion: %w", err)
	}
	return a.id, a.user, nil
}

// FinishAssertion checks an answer against the record of its credential (WebAuthn 7.2).
// Errors are those of this package, for errors.Is. A sign count that did not grow is no
// error but a fact.
func (rp *RelyingParty) FinishAssertion(state []byte, a AssertionAnswer) (Assertion, error) {
	r, err := rp.finishAssertion(state, a)
	if err != nil {
		return Assertion{}, fmt.Errorf("webauthn: assert: %w", err)
	}
	return r, nil
}

func (rp *RelyingParty) finishAssertion(state []byte, a AssertionAnswer) (Assertion, error) {
	now := rp.config.Now()
	c, err := rp.resume(state, Assert, now)
	if err != nil {
		return Assertion{}, err
	}
	answer, err := readAssertion(a.Response)
	if err != nil {
		return Assertion{}, err
	}
	if err := c.checkCredential(answer, &a.Credential); err != nil {
		return Assertion{}, err
	}
	facts, updated, err := rp.judgeAssertion(c, answer, a.Credential, rp.challenge(Assert, rp.config.ID, c.Nonce, a.Binding), now)
	if err != nil {
		return Assertion{}, err
	}
	return Assertion{Facts: facts, Credential: updated, Nonce: c.Nonce}, nil
}

// judgeAssertion checks an answer to a challenge against the record of its credential, and returns the record as it is to be stored.
func (rp *RelyingParty) judgeAssertion(c ceremony, answer assertionAnswer, record Credential, challenge []byte, now time.Time) (Facts, Credential, error) {
	data, err := rp.checkAssertion(answer, challenge, c.UserVerification, record.PublicKey)
	if err != nil {
		return Facts{}, Credential{}, err
	}
	if data.Flags.HasBackupEligible() != record.BE {
		return Facts{}, Credential{}, fmt.Errorf("%w: eligibility is not that of the registration", ErrBackupFlags)
	}
	updated := record
	updated.BS = data.Flags.HasBackupState()
	updated.SignCount = max(updated.SignCount, data.Counter)
	judged, _ := rp.judge(&updated, now)
	if err := c.Policy.accepts(updated.AAGUID, judged); err != nil {
		return Facts{}, Credential{}, err
	}
	facts := Facts{
		UP: data.Flags.HasUserPresent(), UV: data.Flags.HasUserVerified(), BE: updated.BE, BS: updated.BS,
		// WebAuthn 7.2 step 22: two zeros are an authenticator that does not count.
		SignCountRegressed: (data.Counter != 0 || record.SignCount != 0) && data.Counter <= record.SignCount,
		Attestation:        judged,
	}
	return facts, updated, nil
}

// checkAssertion checks what an answer shows by itself (WebAuthn 7.2 steps 10 to 21): nothing of it rests on what is stored
// but the public key.
func (rp *RelyingParty) checkAssertion(answer assertionAnswer, challenge []byte, uv UserVerification, publicKey []byte) (*protocol.AuthenticatorData, error) {
	if err := rp.checkClientData(answer.clientData, "webauthn.get", challenge); err != nil {
		return nil, err
	}
	parsed, err := answer.parse()
	if err != nil {
		return nil, err
	}
	data := &parsed.Response.AuthenticatorData
	if data.Flags.HasAttestedCredentialData() {
		return nil, fmt.Errorf("%w: an assertion with attested credential data", ErrMalformed)
	}
	if err := rp.checkAuthenticatorData(data, uv); err != nil {
		return nil, err
	}
	err = guarded(func() error {
		return parsed.Verify(encode(challenge), rp.config.ID, "", rp.config.Origins, nil, nil,
			protocol.TopOriginExplicitVerificationMode, false, uv == Required, true, publicKey, protocol.SignaturePolicy{})
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return data, nil
}

// checkCredential checks that the record is of the credential that answered, and that
// this ceremony asked it (WebAuthn 7.2 steps 5 and 6).
func (c ceremony) checkCredential(answer assertionAnswer, record *Credential) error {
	switch {
	case record.Version != credentialVersion:
		return fmt.Errorf("%w: the record has version %d", ErrUnknownCredential, record.Version)
	case record.RPID != c.RPID:
		return fmt.Errorf("%w: the record is of %s", ErrUnknownCredential, shown(record.RPID))
	case !bytes.Equal(answer.id, record.ID):
		return fmt.Errorf("%w: the record is of another", ErrUnknownCredential)
	case len(c.User) > 0 && !bytes.Equal(record.User, c.User):
		return fmt.Errorf("%w: this ceremony is another's", ErrUser)
	case len(c.Allow) > 0 && !slices.ContainsFunc(c.Allow, func(id []byte) bool { return bytes.Equal(id, answer.id) }):
		return fmt.Errorf("%w: it was not allowed", ErrUnknownCredential)
	case len(answer.user) > 0 && !bytes.Equal(answer.user, record.User):
		return fmt.Errorf("%w: the answer's user handle is not the record's", ErrUser)
	case len(c.User) == 0 && len(answer.user) == 0:
		return fmt.Errorf("%w: the answer has no user handle", ErrUser)
	}
	return nil
}

// assertionAnswer is an AuthenticationResponseJSON as far as it is used.
type assertionAnswer struct {
	id, clientData, authData, signature, user []byte
}

func readAssertion(raw []byte) (assertionAnswer, error) {
	var a assertionAnswer
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
	if a.authData, err = octets(response, "authenticatorData"); err != nil {
		return a, err
	}
	if a.signature, err = octets(response, "signature"); err != nil {
		return a, err
	}
	if !isNull(response["userHandle"]) {
		if a.user, err = octets(response, "userHandle"); err != nil {
			return a, err
		}
	}
	return a, nil
}

func (a assertionAnswer) parse() (parsed *protocol.ParsedCredentialAssertionData, err error) {
	answer := protocol.CredentialAssertionResponse{
		PublicKeyCredential: protocol.PublicKeyCredential{Credential: protocol.Credential{ID: encode(a.id), Type: publicKey}, RawID: a.id},
		AssertionResponse: protocol.AuthenticatorAssertionResponse{
			AuthenticatorResponse: protocol.AuthenticatorResponse{ClientDataJSON: a.clientData},
			AuthenticatorData:     a.authData, Signature: a.signature, UserHandle: a.user,
		},
	}
	err = guarded(func() (err error) {
		parsed, err = answer.Parse()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%w: authenticator data: %w", ErrMalformed, err)
	}
	return parsed, nil
}
