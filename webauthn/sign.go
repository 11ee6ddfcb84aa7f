package webauthn

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
)

// A signature is an assertion whose challenge is the SHA-256 of a document: who has the document and the answer can check, without
// the server and without anything that it stored, that this key signed this text with its user verified.

// NewSignature asks for the signature of a document by one key.
type NewSignature struct {
	// Credential is the one key that may sign.
	Credential Credential
	// Document is text that has its own nonce, so that no two are alike.
	Document []byte
	// Expires is until when an answer is taken; zero: as long as ceremonies last here.
	Expires time.Time

	Policy Policy
}

// SignatureAnswer is what came back.
type SignatureAnswer struct {
	// Document is what was to be signed.
	Document []byte
	// Credential is the key's record as it is now.
	Credential Credential
	// Response is an AuthenticationResponseJSON (WebAuthn 5.1), at most 64 KiB.
	Response []byte
}

// Signature is one that verified.
type Signature struct {
	Record SignatureRecord
	Facts  Facts
	// Credential is the record to store, as in Assertion.
	Credential Credential
}

// SignatureRecord is all that somebody needs who checks a signature later and without us. The octets are as the authenticator and the
// browser gave them.
type SignatureRecord struct {
	ClientDataJSON    []byte
	AuthenticatorData []byte
	Signature         []byte
	// CredentialID names the key. An authenticator does not sign it: the document must name it, or else whoever
	// checks knows whose the public key is in another way.
	CredentialID []byte
	PublicKey    []byte // COSE_Key
	RPID         string
	Origin       string
}

// ReadSignature says of which document's digest an answer has the challenge, before any of it is believed: so that an answer to what
// was asked before is told from a forgery.
func ReadSignature(response []byte) (digest []byte, err error) {
	a, err := readAssertion(response)
	if err == nil {
		var data map[string]json.RawMessage
		if data, err = members(a.clientData, maxClientData); err == nil {
			digest, err = octets(data, "challenge")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("webauthn: read a signature: %w", err)
	}
	return digest, nil
}

// BeginSignature returns the options for the browser's parseRequestOptionsFromJSON, and the state to keep for FinishSignature. The
// user must be verified (WebAuthn 5.8.6, "required").
func (rp *RelyingParty) BeginSignature(r NewSignature) (options json.RawMessage, state []byte, err error) {
	if len(r.Document) == 0 {
		return nil, nil, errors.New("webauthn: begin to sign: there is no document")
	}
	if r.Credential.RPID != rp.config.ID || len(r.Credential.ID) == 0 {
		return nil, nil, fmt.Errorf("webauthn: begin to sign: the key is not one at %s", rp.config.ID)
	}
	digest := sha256.Sum256(r.Document)
	c, _, err := rp.begin(Sign, digest[:], nil, r.Credential.User, Required, r.Policy)
	if err != nil {
		return nil, nil, err
	}
	timeout := rp.config.Timeout
	if !r.Expires.IsZero() {
		c.Expires = r.Expires.UTC()
		timeout = min(timeout, r.Expires.Sub(rp.config.Now()))
	}
	if timeout <= 0 {
		return nil, nil, errors.New("webauthn: begin to sign: it has expired already")
	}
	o := requestOptions{Challenge: encode(digest[:]), Timeout: timeout.Milliseconds(), RPID: rp.config.ID, UserVerification: Required}
	o.AllowCredentials, c.Allow = descriptors([]Credential{r.Credential})
	if options, err = optionsJSON(o); err != nil {
		return nil, nil, err
	}
	state, err = c.bytes()
	return options, state, err
}

// FinishSignature checks an answer against the record of its credential (WebAuthn 7.2), as FinishAssertion does, and returns what proves
// it to others. A sign count that did not grow is no error but a fact.
func (rp *RelyingParty) FinishSignature(state []byte, a SignatureAnswer) (Signature, error) {
	r, err := rp.finishSignature(state, a)
	if err != nil {
		return Signature{}, fmt.Errorf("webauthn: sign: %w", err)
	}
	return r, nil
}

func (rp *RelyingParty) finishSignature(state []byte, a SignatureAnswer) (Signature, error) {
	now := rp.config.Now()
	c, err := rp.resume(state, Sign, now)
	if err != nil {
		return Signature{}, err
	}
	digest := sha256.Sum256(a.Document)
	switch {
	case !bytes.Equal(c.Nonce, digest[:]):
		return Signature{}, fmt.Errorf("%w: it is for another document", ErrState)
	case c.UserVerification != Required || len(c.Allow) != 1:
		return Signature{}, fmt.Errorf("%w: it is not for one key whose user is verified", ErrState)
	}
	answer, err := readAssertion(a.Response)
	if err != nil {
		return Signature{}, err
	}
	if err := c.checkCredential(answer, &a.Credential); err != nil {
		return Signature{}, err
	}
	facts, updated, err := rp.judgeAssertion(c, answer, a.Credential, digest[:], now)
	if err != nil {
		return Signature{}, err
	}
	record := SignatureRecord{
		ClientDataJSON: answer.clientData, AuthenticatorData: answer.authData, Signature: answer.signature,
		CredentialID: answer.id, PublicKey: a.Credential.PublicKey, RPID: rp.config.ID,
	}
	data, err := members(answer.clientData, maxClientData)
	if err == nil {
		record.Origin, err = text(data, "origin") // one of ours, as was checked
	}
	if err == nil {
		err = VerifySignature(record, a.Document) // what we hand out must convince others too
	}
	return Signature{Record: record, Facts: facts, Credential: updated}, err
}

// VerifySignature says whether the key of a record has signed a document, at the record's origin and for its relying party, with its user
// present and verified (WebAuthn 7.2 steps 10 to 21). It needs nothing but its arguments. Errors are those of this package, for
// errors.Is, and say what is wrong. It says nothing of whose key it is, of CredentialID, and of whether the origin is
// the one that was meant.
func VerifySignature(r SignatureRecord, document []byte) error {
	if err := verifySignature(r, document); err != nil {
		return fmt.Errorf("webauthn: verify a signature: %w", err)
	}
	return nil
}

func verifySignature(r SignatureRecord, document []byte) error {
	if len(document) == 0 {
		return fmt.Errorf("%w: there is no document", ErrMalformed)
	}
	if err := protocol.ValidateRPID(r.RPID); err != nil || !slices.Equal([]byte(r.RPID), bytes.ToLower([]byte(r.RPID))) {
		return fmt.Errorf("%w: %s is not the name of a host in lower case", ErrRPID, shown(r.RPID))
	}
	if err := checkOrigin(r.Origin, r.RPID); err != nil {
		return fmt.Errorf("%w: %s %w", ErrOrigin, shown(r.Origin), err)
	}
	if _, err := checkKey(r.PublicKey, []int64{ES256, EdDSA, ES384, ES512, RS256}); err != nil {
		return err
	}
	digest := sha256.Sum256(document)
	// A relying party that is configured by the record knows and stores nothing.
	there := &RelyingParty{config: Config{ID: r.RPID, Origins: []string{r.Origin}}}
	answer := assertionAnswer{id: r.CredentialID, clientData: r.ClientDataJSON, authData: r.AuthenticatorData, signature: r.Signature}
	_, err := there.checkAssertion(answer, digest[:], Required, r.PublicKey)
	return err
}
