package challenges

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn"
)

// fido proves possession of a passkey or security key whose user it has verified (SP 800-63B 5.1.8 and
// 5.1.9; SP 800-63B-4 3.1.7). Creating one binds it; using it later authenticates.
type fido struct{ rp *webauthn.RelyingParty }

const (
	// fidoLifetime is that of a challenge (WebAuthn 15.1 recommends five to ten minutes).
	fidoLifetime = 5 * time.Minute
	// fidoTries is how many answers one challenge takes: what is signed cannot be guessed, but a
	// person may take the wrong key first.
	fidoTries = 5
)

func (fido) Name() string              { return "fido" }
func (fido) Channel() proofing.Channel { return proofing.ChannelPasskey }

// Check has nothing to read: which passkey it is, the answer says.
func (fido) Check(string) (proofing.Contact, error) {
	return proofing.Contact{Channel: proofing.ChannelPasskey}, nil
}

// Begin asks for a new passkey, for one of those that the person has, or, while nobody knows who it is,
// for any. The challenge is bound to the case's key authorization.
func (m fido) Begin(b proofing.Beginning) (proofing.Opening, error) {
	o := proofing.Opening{Lifetime: fidoLifetime, Tries: fidoTries}
	nonce := make([]byte, webauthn.NonceSize)
	rand.Read(nonce)
	own, err := credentials(b.Own)
	if err != nil {
		return o, err
	}
	policy, err := fidoPolicy(b.Attestation)
	if err != nil {
		return o, err
	}
	var state []byte
	if b.Enrol {
		// People have several, by several roles, and their devices show nothing else of each.
		name := b.Context.Identifier + ", " + b.At.UTC().Format("2006-01-02 15:04 UTC")
		o.Ask, state, err = m.rp.BeginRegistration(webauthn.NewRegistration{
			User: b.Person, Name: name, DisplayName: name, Exclude: own, Nonce: nonce, Binding: b.KeyAuth[:], Policy: policy,
		})
	} else {
		var user []byte
		if len(own) > 0 {
			user = b.Person
		}
		o.Ask, state, err = m.rp.BeginAssertion(webauthn.NewAssertion{User: user, Allow: own, Nonce: nonce, Binding: b.KeyAuth[:], Policy: policy})
	}
	if err != nil {
		return o, fmt.Errorf("passkey: %w", err)
	}
	o.State, err = json.Marshal(fidoState{b.Enrol, state})
	return o, err
}

// fidoState is what is kept of an opening.
type fidoState struct {
	Enrol    bool   `json:"enrol,omitempty"`
	Ceremony []byte `json:"ceremony"`
}

// credentials reads what was kept of passkeys.
func credentials(kept []json.RawMessage) ([]webauthn.Credential, error) {
	list := make([]webauthn.Credential, len(kept))
	for i, k := range kept {
		if err := json.Unmarshal(k, &list[i]); err != nil {
			return nil, fmt.Errorf("read record of passkey: %w", err)
		}
	}
	return list, nil
}

// fidoPolicy is what a profile accepts, in the words of the relying party.
func fidoPolicy(p proofing.AttestationPolicy) (webauthn.Policy, error) {
	out := webauthn.Policy{Attestation: string(p.Accept)}
	for _, s := range p.AAGUIDs {
		id, err := webauthn.ParseAAGUID(s)
		if err != nil {
			return out, err
		}
		out.AAGUIDs = append(out.AAGUIDs, id)
	}
	return out, nil
}

// Speaks implements proofing.Speaker. A passkey that is being created is known when its answer is judged.
func (m fido) Speaks(state json.RawMessage, a proofing.Answer) (proofing.Contact, error) {
	var s fidoState
	if err := json.Unmarshal(state, &s); err != nil {
		return proofing.Contact{}, fmt.Errorf("read state of attempt: %w", err)
	}
	if s.Enrol {
		_, contact, err := m.register(s, a)
		return contact, err
	}
	id, _, err := webauthn.ReadAssertion(a.Response)
	if err != nil {
		return proofing.Contact{}, fidoError(err)
	}
	return passkey(id, ""), nil
}

// passkey is a passkey as the service knows it. People see its model, or else the end of its id.
func passkey(id []byte, model string) proofing.Contact {
	text := base64.RawURLEncoding.EncodeToString(id)
	if model == "" {
		model = "…" + text[max(0, len(text)-4):]
	}
	return proofing.Contact{Channel: proofing.ChannelPasskey, Address: proofing.Secret(text), Shown: model}
}

func (m fido) register(s fidoState, a proofing.Answer) (webauthn.Registration, proofing.Contact, error) {
	r, err := m.rp.FinishRegistration(s.Ceremony, webauthn.RegistrationAnswer{Binding: a.KeyAuth[:], Response: a.Response})
	if err != nil {
		return r, proofing.Contact{}, fidoError(err)
	}
	return r, passkey(r.Credential.ID, r.Credential.Model), nil
}

// Judge implements proofing.Method.
func (m fido) Judge(state json.RawMessage, _ proofing.Contact, a proofing.Answer) (proofing.Proof, error) {
	var s fidoState
	if err := json.Unmarshal(state, &s); err != nil {
		return proofing.Proof{}, fmt.Errorf("read state of attempt: %w", err)
	}
	if s.Enrol {
		if a.Kept != nil {
			return proofing.Proof{}, fidoError(webauthn.ErrRegistered)
		}
		r, _, err := m.register(s, a)
		return fidoProof(r.Facts, r.Credential, err)
	}
	if a.Kept == nil {
		return proofing.Proof{}, fidoError(webauthn.ErrUnknownCredential)
	}
	var known webauthn.Credential
	if err := json.Unmarshal(a.Kept, &known); err != nil {
		return proofing.Proof{}, fmt.Errorf("read record of passkey: %w", err)
	}
	r, err := m.rp.FinishAssertion(s.Ceremony, webauthn.AssertionAnswer{Binding: a.KeyAuth[:], Credential: known, Response: a.Response})
	return fidoProof(r.Facts, r.Credential, err)
}

// Enrolment implements proofing.Enroller.
func (m fido) Enrolment(kept json.RawMessage) (map[string]any, error) {
	var c webauthn.Credential
	if err := json.Unmarshal(kept, &c); err != nil {
		return nil, fmt.Errorf("read record of passkey: %w", err)
	}
	key := sha256.Sum256(c.PublicKey)
	facts := map[string]any{
		"rp_id": c.RPID, "credential_id": base64.RawURLEncoding.EncodeToString(c.ID), proofing.FactKey: base64.RawURLEncoding.EncodeToString(key[:]),
	}
	if c.AAGUID != (webauthn.AAGUID{}) {
		facts["aaguid"] = c.AAGUID.String()
	}
	return facts, nil
}

// Appraise implements proofing.Appraiser: without metadata nothing is known of any model.
func (m fido) Appraise() func(kept json.RawMessage) ([]proofing.MDSStatus, error) {
	if !m.rp.Informed() {
		return nil
	}
	return func(kept json.RawMessage) (statuses []proofing.MDSStatus, err error) {
		var c webauthn.Credential
		if err := json.Unmarshal(kept, &c); err != nil {
			return nil, fmt.Errorf("read record of passkey: %w", err)
		}
		for _, s := range m.rp.Status(c) {
			statuses = append(statuses, proofing.MDSStatus(s))
		}
		return statuses, nil
	}
}

func fidoProof(f webauthn.Facts, c webauthn.Credential, err error) (proofing.Proof, error) {
	if err != nil {
		return proofing.Proof{}, fidoError(err)
	}
	kept, err := json.Marshal(c)
	return proofing.Proof{Evidence: proofing.Evidence{Kind: proofing.WebAuthnUse, WebAuthn: fidoFacts(f)}, Kept: kept}, err
}

// fidoFacts is what an answer shows, in the words of the rules.
func fidoFacts(f webauthn.Facts) *proofing.WebAuthnFacts {
	a := f.Attestation
	out := &proofing.WebAuthnFacts{
		UP: f.UP, UV: f.UV, BE: f.BE, BS: f.BS, SignCountRegressed: f.SignCountRegressed,
		Attestation: proofing.Attestation{
			Type: proofing.AttestationType(a.Type), Trusted: a.Trusted, MDSFresh: a.MDSFresh,
			FIPS140: proofing.FIPS140{Overall: a.FIPS140.Overall, Physical: a.FIPS140.Physical},
		},
	}
	for _, p := range a.KeyProtection {
		out.Attestation.KeyProtection = append(out.Attestation.KeyProtection, proofing.KeyProtection(p))
	}
	for _, s := range a.Status {
		out.Attestation.Status = append(out.Attestation.Status, proofing.MDSStatus(s))
	}
	return out
}

// fidoErrors says what a person is told. Everything else is a wrong answer: somebody who signs
// for another site, another case or another key learns no more than that.
var fidoErrors = []struct {
	err  error
	code string
}{
	{webauthn.ErrMalformed, "passkey_malformed"},
	{webauthn.ErrUnknownCredential, "passkey_unknown"},
	{webauthn.ErrRegistered, "passkey_taken"},
	{webauthn.ErrUserVerification, "passkey_unverified"},
	{webauthn.ErrAttestation, "passkey_not_trusted"},
	{webauthn.ErrPolicy, "passkey_not_trusted"},
}

func fidoError(err error) error {
	for _, known := range fidoErrors {
		if errors.Is(err, known.err) {
			return &proofing.InputError{Field: "response", Code: known.code, Detail: err.Error()}
		}
	}
	return fmt.Errorf("%w: %w", proofing.ErrWrongAnswer, err)
}

var (
	_ proofing.Speaker   = fido{}
	_ proofing.Appraiser = fido{}
)
