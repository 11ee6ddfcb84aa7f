package challenges

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/oauth2"

	"github.com/countersign-id/countersign/proofing"
)

// assertionLife is how long a private_key_jwt is good: for one call.
const assertionLife = time.Minute

// exchange turns the code into an ID token and the access token beside it, which is used for its hash and then
// forgotten. A code that the provider refuses is an *proofing.InputError; whatever else goes wrong between it
// and us is not the person's fault and wraps proofing.ErrUnavailable.
func (p *provider) exchange(ctx context.Context, m metadata, s oidcState, code string) (idToken, accessToken string, err error) {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, p.client), remoteTimeout)
	defer cancel()
	options := []oauth2.AuthCodeOption{oauth2.VerifierOption(s.Verifier)}
	if p.assertion != nil {
		assertion, err := p.assert()
		if err != nil {
			return "", "", fmt.Errorf("sign a client assertion: %w", err)
		}
		options = append(options,
			oauth2.SetAuthURLParam("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
			oauth2.SetAuthURLParam("client_assertion", assertion))
	}
	token, err := p.oauth(m, s.Redirect).Exchange(ctx, code, options...)
	if err != nil {
		return "", "", p.exchangeFailed(err)
	}
	idToken, _ = token.Extra("id_token").(string)
	if idToken == "" {
		return "", "", badToken("the identity provider has sent no ID token")
	}
	return idToken, token.AccessToken, nil
}

// exchangeFailed tells a code that is no good from everything else. What the provider answered is not repeated: it may hold
// what was sent to it.
func (p *provider) exchangeFailed(err error) error {
	var answered *oauth2.RetrieveError
	if !errors.As(err, &answered) {
		return fmt.Errorf("token endpoint of %s: %w: %w", p.URL, proofing.ErrUnavailable, err)
	}
	if status := answered.Response.StatusCode; status < 500 && answered.ErrorCode == "invalid_grant" {
		return refuse("code", oidcLoginFailed, "the identity provider does not take the code")
	}
	return fmt.Errorf("token endpoint of %s: %w: it answers %d %.64q", p.URL, proofing.ErrUnavailable, answered.Response.StatusCode, answered.ErrorCode)
}

// assert makes a private_key_jwt (RFC 7523 3). Its audience is the issuer alone: an endpoint's URL comes from the
// network, and a false provider could name another's there.
func (p *provider) assert() (string, error) {
	now := p.now()
	claims, err := json.Marshal(map[string]any{
		"iss": p.ClientID, "sub": p.ClientID, "aud": p.URL, "jti": proofing.NewToken().Reveal(),
		"iat": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	})
	if err != nil {
		return "", err
	}
	signed, err := p.assertion.Sign(claims)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}
