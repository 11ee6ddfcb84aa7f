package proofing

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// TokenTypes are the identifier types that an Authority Token (RFC 9447) can be for. None is for names and addresses on the
// network: a token stands in the place of a validation there, and a grant says nothing of who controls a name.
var TokenTypes = []string{IdentifierEmail, IdentifierOrganization, IdentifierPermanent, IdentifierHardware}

// tokenLifetime is the longest that an Authority Token is good for. Whoever has one can use it until then, whatever
// happens meanwhile: nobody is asked about it.
const tokenLifetime = time.Hour

// TokenRequest is what somebody asks an Authority Token for.
type TokenRequest struct {
	Profile    string
	Identifier Identifier // its type is the tktype, its value the tkvalue
	Thumbprint string     // of the account's key
	CA         bool       // whether the token shall be good for a CA certificate
}

// AuthorityClaim is what an Authority Token says, with the case that it rests on.
type AuthorityClaim struct {
	Case    *Case
	Claims  map[string]any
	Expires time.Time
}

// ClaimAuthority makes the claims of an Authority Token from a grant that holds now, at the levels of its profile: the token carries none.
// It opens nothing. An *InputError says what is refused: "token_type", "token_ca", "token_csr", "token_levels",
// "profile_unknown" or of the identifier. If there is no grant, the authorization has a problem as with Authorize, and there is no token.
func (s *Service) ClaimAuthority(ctx context.Context, ca *Authority, r TokenRequest, notAfter time.Time) (*AuthorityClaim, Authorization, error) {
	none := Authorization{Identifier: r.Identifier}
	p := s.Policy.Profiles[r.Profile]
	switch {
	case p == nil || !ca.May(r.Profile):
		return nil, none, &InputError{"profile", "profile_unknown", fmt.Sprintf("%q is not a profile of this certificate authority", r.Profile)}
	case !slices.Contains(ca.TokenTypes, r.Identifier.Type) || !slices.Contains(TokenTypes, r.Identifier.Type):
		return nil, none, &InputError{"atc.tktype", "token_type", "the operator has not said that this certificate authority takes tokens of this type"}
	case r.CA:
		return nil, none, &InputError{"atc.ca", "token_ca", "nobody proves here that they are a CA"}
	}
	v, err := s.Authorize(ctx, ca, AuthorizeRequest{
		Applicant: Applicant{Kind: ByAccount, Thumbprint: r.Thumbprint}, Identifiers: []Identifier{r.Identifier}, Profile: p.Name, Find: true,
	})
	if err != nil {
		return nil, none, err
	}
	one := v.Authorizations[0]
	if !v.Allow {
		return nil, one, nil
	}
	c := one.Case
	if p.HoldsToCSRs(c) { // under "approve: each-certificate" people say yes to each, and a token would go round them
		return nil, one, &InputError{"atc", "token_csr", "the authorization is for certain CSRs alone, and a token would be for any"}
	}
	if len(p.unmetLevels(c.Grant.Assessment)) > 0 {
		return nil, one, &InputError{"atc", "token_levels", "what was proved does not reach the levels of the profile any more"}
	}
	now := s.now()
	expires := now.Add(tokenLifetime)
	ends := []time.Time{c.Grant.Expires, c.Grant.RecheckAfter, notAfter}
	if at := c.Grant.Assessment.AALExpires; at != nil {
		ends = append(ends, *at)
	}
	for _, at := range ends {
		if at.Before(expires) {
			expires = at
		}
	}
	if expires = expires.Truncate(time.Second); !expires.After(now) {
		return nil, one, fmt.Errorf("authority token: it would end before it begins")
	}
	fingerprint, err := accountFingerprint(r.Thumbprint)
	if err != nil {
		return nil, one, fmt.Errorf("authority token: %w", err)
	}
	claims := map[string]any{
		"iss": s.Policy.Origin, "iat": now.Unix(), "exp": expires.Unix(), "jti": NewToken().Reveal(),
		"atc": map[string]any{"tktype": c.Identifier.Type, "tkvalue": c.Identifier.Value, "ca": false, "fingerprint": fingerprint},
	}
	return &AuthorityClaim{c, claims, expires}, one, nil
}

// TokenPath is where the holder of an account asks for an Authority Token, on the listener for people.
const TokenPath = "/v1/authority-tokens"

// OffersToken is what the holder of an account asks an Authority Token with (the payload of their request) once a case is granted as it is now, in
// JSON; empty if their authority takes none for it. Fingerprint is what stands for the fingerprint of an account's key that the case does not name. What the grant is worth is judged when they ask.
func (s *Service) OffersToken(ctx context.Context, c *Case, fingerprint string) (string, error) {
	p := s.Policy.Profiles[c.Profile]
	if p == nil || c.Status != CaseGranted || c.Frozen != nil || !c.Held.IsZero() || c.Ending != nil || p.HoldsToCSRs(c) || !slices.Contains(TokenTypes, c.Identifier.Type) {
		return "", nil
	}
	ca, err := s.Authority(ctx, c.CA)
	if err != nil {
		return "", ignoreNotFound(err)
	}
	if !ca.May(c.Profile) || !slices.Contains(ca.TokenTypes, c.Identifier.Type) {
		return "", nil
	}
	switch {
	case c.Applicant.Kind == ByAccount && c.Applicant.Thumbprint != "":
		if fingerprint, err = accountFingerprint(c.Applicant.Thumbprint); err != nil {
			return "", nil // the page has more to show than this
		}
	case !c.EndsInKey():
		return "", nil
	}
	text, err := Canonical(map[string]any{
		"authority": ca.Name, "profile": c.Profile,
		"atc": map[string]any{"tktype": c.Identifier.Type, "tkvalue": c.Identifier.Value, "fingerprint": fingerprint},
	})
	if err != nil {
		return "", fmt.Errorf("offer authority token: %w", err)
	}
	return string(text), nil
}

// accountFingerprint is an ACME account's key as Authority Tokens have it: the hash of the thumbprint of RFC 8555 8.1 in hexadecimal, with its name.
func accountFingerprint(thumbprint string) (string, error) {
	sum, err := base64.RawURLEncoding.DecodeString(thumbprint)
	if err != nil || len(sum) != 32 {
		return "", fmt.Errorf("the account's thumbprint is none")
	}
	var pairs []string
	for _, b := range sum {
		pairs = append(pairs, strings.ToUpper(hex.EncodeToString([]byte{b})))
	}
	return "SHA256 " + strings.Join(pairs, ":"), nil
}

// ParseFingerprint reads such a fingerprint into a thumbprint of RFC 7638; false if it is none.
func ParseFingerprint(text string) (thumbprint string, ok bool) {
	digits, ok := strings.CutPrefix(text, "SHA256 ")
	if !ok {
		return "", false
	}
	sum, err := hex.DecodeString(strings.ReplaceAll(digits, ":", ""))
	if err != nil {
		return "", false
	}
	thumbprint = base64.RawURLEncoding.EncodeToString(sum)
	again, err := accountFingerprint(thumbprint)
	return thumbprint, err == nil && again == text
}
