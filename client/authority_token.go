package client

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// AuthorityTokenRequest is what an Authority Token is to say (RFC 9447), of an account whose authorization for the identifier is valid.
type AuthorityTokenRequest struct {
	Profile    string
	Identifier Identifier
	// Account is known by its key alone: its JWK, or its thumbprint.
	Account Account
	// IdempotencyKey makes a call that is repeated get the token that was made first, which may have expired by then; empty: one for this call alone.
	IdempotencyKey string
}

// AuthorityToken makes a token by which the account answers the challenge tkauth-01 of an authority that asks nobody else. It says no level and cannot be
// taken back: an authority that can ask Authorize should. A refusal is a *Problem.
func (c *Client) AuthorityToken(ctx context.Context, r AuthorityTokenRequest) (string, error) {
	thumbprint := r.Account.Thumbprint
	if len(r.Account.JWK) > 0 {
		own, err := Thumbprint(r.Account.JWK)
		if err != nil {
			return "", err
		}
		if thumbprint != "" && thumbprint != own {
			return "", errors.New("countersign: the thumbprint is not that of the JWK")
		}
		thumbprint = own
	}
	fingerprint, err := accountFingerprint(thumbprint)
	if err != nil {
		return "", err
	}
	made, err := create[madeToken](ctx, c, tokensPath, r.IdempotencyKey, struct {
		Profile string   `json:"profile"`
		ATC     tokenATC `json:"atc"`
	}{r.Profile, tokenATC{r.Identifier.Type, r.Identifier.Value, fingerprint}})
	if err != nil {
		return "", err
	}
	return made.read()
}

const tokensPath = "/v1/authority-tokens"

// tokenATC is what a token is to say, in the words of RFC 9447 3.
type tokenATC struct {
	Type        string `json:"tktype"`
	Value       string `json:"tkvalue"`
	Fingerprint string `json:"fingerprint"`
}

// madeToken is the answer to whoever asks for one.
type madeToken struct {
	Token string `json:"token"`
}

func (m madeToken) read() (string, error) {
	if m.Token == "" {
		return "", fmt.Errorf("%w: the answer has no token", ErrUnavailable)
	}
	return m.Token, nil
}

// accountFingerprint is a thumbprint as Authority Tokens have it (RFC 9447 3.4; RFC 8555 8.1).
func accountFingerprint(thumbprint string) (string, error) {
	sum, err := base64.RawURLEncoding.Strict().DecodeString(thumbprint)
	if err != nil || len(sum) != 32 {
		return "", errors.New("countersign: an Authority Token is for an account by its JWK, or its thumbprint")
	}
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	return "SHA256 " + strings.Join(pairs, ":"), nil
}
