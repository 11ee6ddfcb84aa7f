package challenges

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/countersign-id/countersign/proofing"
)

const (
	// tokenSkew is how far the provider's clock may be from ours.
	tokenSkew = time.Minute
	// browserWindow is how long ago an ID token may have been issued that comes for a code.
	browserWindow = 10 * time.Minute
	maxIDToken    = 32 << 10
	maxAMR        = 20
	// What is kept of each claim is kept with each event, and a case must stay small enough to be changed.
	maxACR    = 512
	maxMethod = 128 // one of amr
)

// expectation is what an ID token must agree with.
type expectation struct {
	audience    string         // the one that it must be for
	nonce       string         // empty: it is not asked here
	accessToken string         // that came with it; empty: none did
	maxAge      *time.Duration // since the person authenticated; nil: it is not asked
	// issuedWithin is how long ago it may have been issued.
	issuedWithin time.Duration
}

// idToken is a verified token: what we use of its claims.
type idToken struct {
	Subject, ACR, ID            string
	Nonce, KeyAuth, ACMEAud     string
	AMR                         []string
	Expires, Issued, AuthTime   time.Time // AuthTime is zero if it is not said
	encrypted                   bool
	signingInput                string // what the signature is over, which no signature changes
	authorizedParty, accessHash string
	audience                    []string
	notBefore                   time.Time
}

// verify makes every check of OpenID Connect Core 3.1.3.7. go-oidc checks the form, the signature, issuer, audience and
// expiry; the same claims are then read once more by their exact names, with all that it leaves to its caller.
//
// A token that fails is an *proofing.InputError that says which check; keys that are not to be had wrap proofing.ErrUnavailable.
func (p *provider) verify(ctx context.Context, raw string, want expectation) (*idToken, error) {
	if len(raw) > maxIDToken {
		return nil, badToken("the token is too large")
	}
	signed := raw
	if p.decryption != nil { // 1: what was agreed to be encrypted must be
		var err error
		if signed, err = p.decrypt(raw); err != nil {
			return nil, err
		}
	}
	if strings.Count(signed, ".") != 2 {
		return nil, badToken("the token is not a signed token in compact form")
	}
	keys := &signature{p: p}
	verifier := oidc.NewVerifier(p.URL, keys, &oidc.Config{
		ClientID: want.audience, SupportedSigningAlgs: p.Algorithms, Now: func() time.Time { return p.now().Add(-tokenSkew) },
	})
	verified, err := verifier.Verify(ctx, signed)
	if keys.failed != nil {
		return nil, keys.failed
	}
	if err != nil {
		return nil, badToken(fmt.Sprintf("the token does not verify: %.300s", strings.TrimPrefix(err.Error(), "oidc: ")))
	}
	t, err := readClaims(keys.payload, p.URL)
	if err != nil {
		return nil, badToken(err.Error())
	}
	if err := t.agrees(want, p, p.now()); err != nil {
		return nil, err
	}
	if t.accessHash != "" && want.accessToken != "" { // 3.1.3.8
		if err := verified.VerifyAccessToken(want.accessToken); err != nil {
			return nil, badToken("at_hash is not that of the access token")
		}
	}
	t.encrypted, t.signingInput = p.decryption != nil, signed[:strings.LastIndexByte(signed, '.')]
	return t, nil
}

// agrees makes the checks that go-oidc does not make, in the order of OpenID Connect Core 3.1.3.7.
func (t *idToken) agrees(want expectation, p *provider, now time.Time) error {
	switch {
	// 3: an audience beside us could be one that is not trusted, and a level of federation is for one alone.
	case len(t.audience) != 1 || t.audience[0] != want.audience:
		return badToken("the token is not for us alone")
	// 4, 5
	case t.authorizedParty != "" && t.authorizedParty != p.ClientID:
		return badToken("the token was issued to another party (azp)")
	// 9
	case !now.Add(-tokenSkew).Before(t.Expires):
		return badToken("the token has expired")
	case t.notBefore.After(now.Add(tokenSkew)):
		return badToken("the token is not yet in force (nbf)")
	// 10
	case t.Issued.After(now.Add(tokenSkew)):
		return badToken("the token was issued in the future (iat)")
	case t.Issued.Before(now.Add(-want.issuedWithin - tokenSkew)):
		return badToken("the token was issued too long ago (iat)")
	case t.Expires.Before(t.Issued):
		return badToken("the token expires before it was issued")
	// 11
	case want.nonce != "" && !equal(t.Nonce, want.nonce):
		return badToken("the nonce is not the one that was sent")
	case t.AuthTime.After(now.Add(tokenSkew)):
		return badToken("the person authenticated in the future (auth_time)")
	case want.maxAge == nil:
		return nil
	// 13
	case t.AuthTime.IsZero():
		return badToken("the token does not say when the person authenticated (auth_time), which was asked")
	case now.Sub(t.AuthTime) > *want.maxAge:
		return refuse("token", oidcStale, "the person authenticated too long ago (auth_time)")
	}
	return nil
}

// readClaims reads claims by their exact names.
func readClaims(payload []byte, issuer string) (*idToken, error) {
	list, err := membersOf(payload)
	if err != nil {
		return nil, fmt.Errorf("the token's claims: %w", err)
	}
	t := &idToken{}
	var iss string
	for _, c := range []struct {
		name string
		into *string
	}{
		{"iss", &iss}, {"sub", &t.Subject}, {"azp", &t.authorizedParty}, {"nonce", &t.Nonce}, {"acr", &t.ACR}, {"at_hash", &t.accessHash},
		{"jti", &t.ID}, {"keyauth", &t.KeyAuth}, {"acme_aud", &t.ACMEAud},
	} {
		if *c.into, err = text(list, c.name); err != nil {
			return nil, err
		}
	}
	for _, c := range []struct {
		name string
		into *time.Time
		must bool
	}{{"exp", &t.Expires, true}, {"iat", &t.Issued, true}, {"nbf", &t.notBefore, false}, {"auth_time", &t.AuthTime, false}} {
		if *c.into, err = numericDate(list[c.name]); err != nil || c.must && c.into.IsZero() {
			return nil, errors.New(c.name + " is missing or is no time")
		}
	}
	if t.audience, err = audience(list["aud"]); err != nil {
		return nil, err
	}
	if raw, ok := list["amr"]; ok && (json.Unmarshal(raw, &t.AMR) != nil || len(t.AMR) > maxAMR ||
		slices.ContainsFunc(t.AMR, func(m string) bool { return len(m) > maxMethod })) {
		return nil, errors.New("amr is not a short list of strings")
	}
	if len(t.ACR) > maxACR {
		return nil, errors.New("acr is too long")
	}
	switch _, logout := list["events"]; {
	case iss != issuer: // 2; go-oidc makes an exception for one issuer
		return nil, errors.New("the token is of another issuer")
	case t.Subject == "" || len(t.Subject) > 255 || strings.ContainsFunc(t.Subject, func(r rune) bool { return r < ' ' || r > '~' }):
		return nil, errors.New("sub is not 1 to 255 characters of ASCII") // OpenID Connect Core 2
	case logout:
		return nil, errors.New("the token is one of logout")
	}
	return t, nil
}

// numericDate reads seconds since 1970, which may have a fraction (RFC 7519 2); zero if there are none.
func numericDate(raw json.RawMessage) (time.Time, error) {
	if raw == nil {
		return time.Time{}, nil
	}
	var seconds float64
	if err := json.Unmarshal(raw, &seconds); err != nil || raw[0] == 'n' || seconds < 1 || seconds > 1<<40 {
		return time.Time{}, errors.New("no time")
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)).UTC(), nil
}

// audience reads a string or a list of them (RFC 7519 4.1.3).
func audience(raw json.RawMessage) (list []string, err error) {
	switch {
	case raw == nil:
		return nil, errors.New("aud is missing")
	case raw[0] == '"':
		list = make([]string, 1)
		err = json.Unmarshal(raw, &list[0])
	default:
		err = json.Unmarshal(raw, &list)
	}
	if err != nil {
		return nil, errors.New("aud is neither a string nor a list of them")
	}
	return list, nil
}

// facts is what the token said, without what the agreement adds. A clock that is ahead of ours must not make an
// authentication later than now.
func (p *provider) facts(t *idToken, channel proofing.Handing, maxAge *time.Duration) proofing.OIDCFacts {
	f := proofing.OIDCFacts{
		Issuer: p.URL, Subject: proofing.Secret(t.Subject), Channel: channel, Encrypted: t.encrypted, ACR: t.ACR, AMR: t.AMR, AuthTime: t.AuthTime,
	}
	if now := p.now().UTC().Truncate(time.Millisecond); f.AuthTime.After(now) {
		f.AuthTime = now
	}
	if maxAge != nil {
		f.MaxAge = new(int64(*maxAge / time.Second))
	}
	return f
}
