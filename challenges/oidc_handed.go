package challenges

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

const (
	// handedWindow is how long ago a token may have been issued that is handed in: a job may have run for a while.
	handedWindow = time.Hour
	// handedLife is the longest life of one, since it must be remembered for as long.
	handedLife = 24 * time.Hour
	// KeyAuthPath begins the path of an audience that binds a token to a case: the SHA-256 of the key
	// authorization follows, in base64url. Build systems can set an audience and nothing else.
	KeyAuthPath = "/ka/"
)

// Receive implements proofing.Receiver. A token is bound to a key authorization in one of three ways: by the audience
// <origin>/ka/<base64url SHA-256 of it>; or, with our client id as its audience, by a nonce that is that hash, or by the
// claims keyauth and acme_aud as the challenge wire-oidc-01 has them. It came through hands that are not the
// provider's, which makes it a front-channel assertion; that it is encrypted, if it must be, shows nothing of the provider, and counts for no FAL (SP 800-63C 4).
func (m *OIDC) Receive(ctx context.Context, token proofing.Secret, to proofing.Handover) (proofing.Handed, error) {
	raw := token.Reveal()
	if len(raw) > maxIDToken {
		return proofing.Handed{}, badToken("the token is too large")
	}
	p, about := m.issuerOf(raw)
	if p == nil {
		return proofing.Handed{}, refuse("token", oidcIssuerUnknown, "the token is of no issuer whose tokens may be handed in")
	}
	sum := sha256.Sum256([]byte(to.KeyAuthorization.Reveal()))
	digest := base64.RawURLEncoding.EncodeToString(sum[:])
	want := expectation{audience: p.ClientID, issuedWithin: handedWindow}
	byAudience := to.Origin + KeyAuthPath + digest
	if len(about.audience) == 1 && about.audience[0] == byAudience {
		want.audience = byAudience
	}
	t, err := p.verify(ctx, raw, want)
	if err != nil {
		return proofing.Handed{}, err
	}
	switch {
	case want.audience == byAudience:
	case t.Nonce != "" && equal(t.Nonce, digest):
	case t.KeyAuth != "" && equal(t.KeyAuth, to.KeyAuthorization.Reveal()) && t.ACMEAud == to.Challenge:
	default:
		return proofing.Handed{}, refuse("token", oidcNotBound, "the token is not bound to this authorization, neither by aud nor by nonce nor by keyauth and acme_aud")
	}
	if t.Expires.Sub(t.Issued) > handedLife {
		return proofing.Handed{}, badToken("the token lives for more than a day")
	}
	var maxAge *time.Duration // machines have no time of authentication
	if !t.AuthTime.IsZero() {
		maxAge = &p.MaxAge
		if p.now().Sub(t.AuthTime) > p.MaxAge {
			return proofing.Handed{}, refuse("token", oidcStale, "the person authenticated too long ago (auth_time)")
		}
	}
	t.encrypted = false // anybody can wrap a token for our public key, and a JWE does not say who did: this one has been in other hands than the provider's
	facts := p.facts(t, proofing.ChannelFront, maxAge)
	return proofing.Handed{
		Proof: p.proof(facts, false), Issuer: p.Name, Once: t.once(p.URL), Expires: t.Expires.Add(tokenSkew),
	}, nil
}

// once names the token by its jti, or by what is signed: of a signature there can be a second form that
// verifies as well.
func (t *idToken) once(issuer string) string {
	if t.ID != "" {
		return "jti " + issuer + " " + t.ID
	}
	sum := sha256.Sum256([]byte(t.signingInput))
	return "hash " + base64.RawURLEncoding.EncodeToString(sum[:])
}

// issuerOf reads whose token it says it is, and for whom, before any of it is believed. An encrypted token is of the issuer that it
// names within, if that one's key opens it: issuers may share a key.
func (m *OIDC) issuerOf(raw string) (*provider, claim) {
	if strings.Count(raw, ".") == 4 {
		for _, p := range m.handedIn {
			if p.decryption == nil {
				continue
			}
			inner, err := p.decrypt(raw)
			if err != nil {
				continue
			}
			if about := claimed(inner); about.issuer == p.URL {
				return p, about
			}
		}
		return nil, claim{}
	}
	about := claimed(raw)
	return m.handedIn[about.issuer], about
}

// claim is what a token says of itself.
type claim struct {
	issuer   string
	audience []string
}

func claimed(token string) (c claim) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return c
	}
	list, err := membersOf(payload)
	if err != nil {
		return c
	}
	c.issuer, _ = text(list, "iss") // what cannot be read is of nobody
	if raw := list["aud"]; raw != nil {
		c.audience, _ = audience(raw)
	}
	return c
}
