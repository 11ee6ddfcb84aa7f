package webauthn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// UserVerification says whether the authenticator must have verified its user, by
// PIN or biometric (WebAuthn 5.8.6).
type UserVerification string

// The requirements. Without verification a key is one factor, and the facts say so.
const (
	Required  UserVerification = "required" // also the meaning of ""
	Preferred UserVerification = "preferred"
)

// ceremony is what is to be known between begin and finish. The caller keeps it, as
// bytes, where the browser cannot reach it, and destroys it in the change that takes
// an answer into account: that makes the challenge good for one answer.
type ceremony struct {
	Version          int              `json:"v"`
	Purpose          Purpose          `json:"purpose"`
	RPID             string           `json:"rp_id"`
	User             []byte           `json:"user,omitempty"`
	Nonce            []byte           `json:"nonce"`
	UserVerification UserVerification `json:"uv"`
	Algorithms       []int64          `json:"algorithms,omitempty"`
	Exclude          [][]byte         `json:"exclude,omitempty"`
	Allow            [][]byte         `json:"allow,omitempty"`
	Policy           Policy           `json:"policy"`
	Expires          time.Time        `json:"expires"`
}

const stateVersion = 1

func (c ceremony) bytes() ([]byte, error) {
	c.Version = stateVersion
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("webauthn: write the ceremony's state: %w", err)
	}
	return b, nil
}

// resume reads a state and checks that it is one of this ceremony, here and now.
func (rp *RelyingParty) resume(state []byte, purpose Purpose, now time.Time) (ceremony, error) {
	var c ceremony
	if err := json.Unmarshal(state, &c); err != nil {
		return ceremony{}, fmt.Errorf("%w: %w", ErrState, err)
	}
	switch {
	case c.Version != stateVersion:
		return ceremony{}, fmt.Errorf("%w: version %d", ErrState, c.Version)
	case c.Purpose != purpose:
		return ceremony{}, fmt.Errorf("%w: it is for %s, not for %s", ErrState, shown(string(c.Purpose)), purpose)
	case c.RPID != rp.config.ID:
		return ceremony{}, fmt.Errorf("%w: it is for %s, not for %s", ErrState, shown(c.RPID), rp.config.ID)
	case len(c.Nonce) != NonceSize:
		return ceremony{}, fmt.Errorf("%w: its nonce has %d bytes", ErrState, len(c.Nonce))
	case c.UserVerification != Required && c.UserVerification != Preferred:
		return ceremony{}, fmt.Errorf("%w: user verification %s", ErrState, shown(string(c.UserVerification)))
	case !now.Before(c.Expires):
		return ceremony{}, fmt.Errorf("%w at %s", ErrExpired, c.Expires.UTC().Format(time.RFC3339))
	}
	if err := c.Policy.check(); err != nil {
		return ceremony{}, fmt.Errorf("%w: %w", ErrState, err)
	}
	return c, nil
}

// begin is what both ceremonies begin with.
func (rp *RelyingParty) begin(purpose Purpose, nonce, binding, user []byte, uv UserVerification, p Policy) (ceremony, []byte, error) {
	if len(nonce) != NonceSize || bytes.Equal(nonce, make([]byte, NonceSize)) {
		return ceremony{}, nil, fmt.Errorf("webauthn: begin to %s: the nonce is not %d random bytes", purpose, NonceSize)
	}
	switch uv {
	case "":
		uv = Required
	case Required, Preferred:
	default:
		return ceremony{}, nil, fmt.Errorf("webauthn: begin to %s: user verification %q is neither required nor preferred", purpose, uv)
	}
	if p.Attestation == "" {
		p = rp.config.Policy
	}
	if err := p.check(); err != nil {
		return ceremony{}, nil, fmt.Errorf("webauthn: begin to %s: %w", purpose, err)
	}
	c := ceremony{
		Purpose: purpose, RPID: rp.config.ID, User: user, Nonce: nonce, UserVerification: uv, Policy: p,
		Expires: rp.config.Now().Add(rp.config.Timeout).UTC().Truncate(time.Second),
	}
	return c, rp.challenge(purpose, rp.config.ID, nonce, binding), nil
}
