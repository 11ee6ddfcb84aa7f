package challenges

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn"
)

// AskDocument implements proofing.DocumentSigner: an assertion whose challenge is the SHA-256 of the document.
func (m fido) AskDocument(d proofing.DocumentAsking) (ask, state json.RawMessage, err error) {
	known, err := credentials([]json.RawMessage{d.Kept})
	if err != nil {
		return nil, nil, err
	}
	policy, err := fidoPolicy(d.Attestation)
	if err != nil {
		return nil, nil, err
	}
	ask, ceremony, err := m.rp.BeginSignature(webauthn.NewSignature{Credential: known[0], Document: d.Document, Expires: d.NotAfter, Policy: policy})
	if err != nil {
		return nil, nil, fmt.Errorf("passkey: %w", err)
	}
	return ask, ceremony, nil
}

// TakeDocument implements proofing.DocumentSigner.
func (m fido) TakeDocument(state json.RawMessage, a proofing.DocumentAnswer) (proofing.DocumentProof, error) {
	known, err := credentials([]json.RawMessage{a.Kept})
	if err != nil {
		return proofing.DocumentProof{}, err
	}
	signed, err := webauthn.ReadSignature(a.Response)
	if err != nil {
		return proofing.DocumentProof{}, fidoError(err)
	}
	// Nothing of it is believed yet, but there is no use in judging what was signed in another window.
	if asked := sha256.Sum256(a.Document); string(signed) != string(asked[:]) {
		return proofing.DocumentProof{}, &proofing.InputError{Field: "response", Code: "signing_other", Detail: "it is of another document than the one that was asked for last"}
	}
	r, err := m.rp.FinishSignature(state, webauthn.SignatureAnswer{Document: a.Document, Credential: known[0], Response: a.Response})
	if errors.Is(err, webauthn.ErrExpired) {
		return proofing.DocumentProof{}, &proofing.InputError{Field: "response", Code: "signing_over", Detail: err.Error()}
	}
	if err != nil {
		return proofing.DocumentProof{}, fidoError(err)
	}
	kept, err := json.Marshal(r.Credential)
	if err != nil {
		return proofing.DocumentProof{}, fmt.Errorf("write record of passkey: %w", err)
	}
	return proofing.DocumentProof{
		Signature: proofing.Signature{
			ClientData: r.Record.ClientDataJSON, AuthenticatorData: r.Record.AuthenticatorData, Signature: r.Record.Signature,
			Credential: r.Record.CredentialID, PublicKey: r.Record.PublicKey, RPID: r.Record.RPID, Origin: r.Record.Origin,
		},
		Facts: *fidoFacts(r.Facts), Kept: kept,
	}, nil
}

var _ proofing.DocumentSigner = fido{}
