package webauthn

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"
)

// The library checks all of this as well, and its word is needed for a "yes". We look
// first, because its errors have no kinds by which a message could say what is wrong,
// and because it compares origins as URLs, where we compare them as text.

// checkClientData checks what the browser says it did (WebAuthn 7.1 steps 7 to 11,
// 7.2 steps 10 to 14).
func (rp *RelyingParty) checkClientData(raw []byte, kind string, challenge []byte) error {
	data, err := members(raw, maxClientData)
	if err != nil {
		return fmt.Errorf("client data: %w", err)
	}
	typ, err := text(data, "type")
	if err != nil {
		return fmt.Errorf("client data: %w", err)
	}
	if typ != kind {
		return fmt.Errorf("%w: %s, not %s", ErrType, shown(typ), kind)
	}
	answered, err := octets(data, "challenge")
	if err != nil {
		return fmt.Errorf("client data: %w", err)
	}
	if subtle.ConstantTimeCompare(answered, challenge) != 1 {
		return ErrChallenge
	}
	origin, err := text(data, "origin")
	if err != nil {
		return fmt.Errorf("client data: %w", err)
	}
	if !slices.Contains(rp.config.Origins, origin) {
		return fmt.Errorf("%w %s", ErrOrigin, shown(origin))
	}
	switch crossOrigin := data["crossOrigin"]; {
	case isNull(crossOrigin) || string(crossOrigin) == "false":
	case string(crossOrigin) == "true":
		return ErrCrossOrigin
	default:
		return fmt.Errorf("client data: %w: crossOrigin is not a boolean", ErrMalformed)
	}
	if !isNull(data["topOrigin"]) {
		return ErrCrossOrigin
	}
	return nil
}

// checkAuthenticatorData checks what the authenticator says it did (WebAuthn 7.1 steps
// 14 to 18, 7.2 steps 15 to 18).
func (rp *RelyingParty) checkAuthenticatorData(a *protocol.AuthenticatorData, uv UserVerification) error {
	if want := sha256.Sum256([]byte(rp.config.ID)); !bytes.Equal(a.RPIDHash, want[:]) {
		return ErrRPID
	}
	switch flags := a.Flags; {
	case !flags.HasUserPresent():
		return ErrUserPresence
	case uv != Preferred && !flags.HasUserVerified():
		return ErrUserVerification
	case flags.HasBackupState() && !flags.HasBackupEligible():
		return fmt.Errorf("%w: backed up without being eligible", ErrBackupFlags)
	}
	return nil
}
