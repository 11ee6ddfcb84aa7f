package proofing

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"strings"
	"time"
)

// Authority is one certificate authority that calls us. Everything it opens is
// its own: another's objects do not exist for it.
type Authority struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`  // a slug: "example"
	Title   string    `json:"title"` // what people read: "Example CA"
	Created time.Time `json:"created"`
	// Directories are its ACME directory URLs, NewAccounts their newAccount URLs.
	Directories []string `json:"directories"`
	NewAccounts []string `json:"new_accounts,omitempty"`
	// CAAIdentities are the names it is called in CAA records (RFC 8659).
	CAAIdentities []string `json:"caa_identities,omitempty"`
	// Profiles are the names of the profiles that it may ask for.
	Profiles []string `json:"profiles"`
	// Tokens are its bearer tokens, of which only hashes are kept.
	Tokens []AuthorityToken `json:"tokens"`
	// Webhook is where it is told of changes; nil: it asks by itself.
	Webhook *Webhook `json:"webhook,omitempty"`
	// Certificates are the client certificates that are pinned to it.
	Certificates []AuthorityCertificate `json:"certificates,omitempty"`
	// StepHooks are the webhooks of step-ca that are answered for it.
	StepHooks []StepHook `json:"step_hooks,omitempty"`
	// Release lets it have the MAC keys of its bindings; nil: it asks about each.
	Release *KeyRelease `json:"release,omitempty"`
	// TokenTypes are the identifier types for which it takes Authority Tokens of ours (RFC 9447).
	TokenTypes []string `json:"token_types,omitempty"`
	// Daily limits; 0 takes the service's default.
	DailyMessages    int64     `json:"daily_messages,omitempty"`
	DailySpendMicros int64     `json:"daily_spend_micros,omitempty"`
	Revoked          time.Time `json:"revoked,omitzero"`
	Journal          Journal   `json:"journal,omitzero"`
}

// AuthorityToken is one credential of an authority.
type AuthorityToken struct {
	ID      string    `json:"id"`
	Hash    []byte    `json:"hash"` // SHA-256 of the token
	Created time.Time `json:"created"`
	Revoked time.Time `json:"revoked,omitzero"`
}

// Indexes implements Record.
func (a *Authority) Indexes() []Index {
	return append([]Index{{Name: "all", Value: a.Name}}, a.Journal.index()...)
}

// ExpiresAt implements Record: an authority stays until it is removed.
func (a *Authority) ExpiresAt() time.Time { return time.Time{} }

// TakesKeys says whether a binding can be good: at one of its newAccount URLs, or because it verifies by itself.
func (a *Authority) TakesKeys() bool { return len(a.NewAccounts) > 0 || a.Release != nil }

// directory is the directory that is meant by its URL; an empty one stands for the only one, and for none where the authority has none. *InputError "directory_unknown" if there are
// several, or none of that URL.
func (a *Authority) directory(url string) (string, error) {
	switch {
	case url == "" && len(a.Directories) > 1:
		return "", &InputError{"directory", "directory_unknown", "the authority has several directories: name one"}
	case url == "" && len(a.Directories) == 1:
		return a.Directories[0], nil
	case url != "" && !slices.Contains(a.Directories, url):
		return "", &InputError{"directory", "directory_unknown", "not a directory of this certificate authority"}
	}
	return url, nil
}

// May says whether the authority may ask for a profile.
func (a *Authority) May(profile string) bool { return slices.Contains(a.Profiles, profile) }

// tokenPrefix makes a leaked credential easy to find by a scanner.
const tokenPrefix = "csca"

// NewToken adds a credential and returns it: it is shown once and never again.
// It has 130 random bits, so a fast hash is enough to keep.
func (a *Authority) NewToken(now time.Time) (id string, token Secret) {
	id = NewToken().Reveal()[:8]
	secret := NewToken().Reveal()
	token = Secret(strings.Join([]string{tokenPrefix, a.Name, id, secret}, "."))
	sum := sha256.Sum256([]byte(token))
	a.Tokens = append(a.Tokens, AuthorityToken{ID: id, Hash: sum[:], Created: now})
	return id, token
}

// TokenAuthority is the name of the authority that a token claims to be of; it
// proves nothing before Accepts has said yes.
func TokenAuthority(token Secret) (name string, ok bool) {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 4 || parts[0] != tokenPrefix {
		return "", false
	}
	return parts[1], true
}

// HasToken says whether any of the authority's tokens is alive.
func (a *Authority) HasToken() bool {
	return slices.ContainsFunc(a.Tokens, func(t AuthorityToken) bool { return t.Revoked.IsZero() })
}

// Accepts says whether the token is one of the authority's living credentials,
// in a time that does not depend on which.
func (a *Authority) Accepts(token Secret) bool {
	sum := sha256.Sum256([]byte(token))
	found := 0
	for _, t := range a.Tokens {
		same := subtle.ConstantTimeCompare(t.Hash, sum[:])
		if t.Revoked.IsZero() {
			found |= same
		}
	}
	return found == 1 && a.Revoked.IsZero()
}

// Authority is the authority of that name; ErrNotFound if there is none or it is revoked.
func (s *Service) Authority(ctx context.Context, name string) (*Authority, error) {
	a, err := s.Authorities.Get(ctx, s.AuthorityID(name))
	if err == nil && !a.Revoked.IsZero() {
		return nil, ErrNotFound
	}
	return a, err
}

// AuthorityID is the id of the authority's record.
func (s *Service) AuthorityID(name string) string {
	return FixedID(s.Hasher.Sum("authority", name))
}

// AuthorityByToken is the authority whose living credential the token is;
// ErrNotFound for any other, whatever is wrong with it.
func (s *Service) AuthorityByToken(ctx context.Context, token Secret) (*Authority, error) {
	name, ok := TokenAuthority(token)
	if !ok {
		return nil, ErrNotFound
	}
	a, err := s.Authority(ctx, name)
	if err != nil {
		return nil, err
	}
	if !a.Accepts(token) {
		return nil, ErrNotFound
	}
	return a, nil
}
