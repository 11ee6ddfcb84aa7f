package proofing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// KeyRequest is what an authority asks for that wants a key for somebody whom it knows. Nothing is proved by it.
type KeyRequest struct {
	Profile     string
	Identifiers []Identifier // what its accounts may ask for at most; empty: whatever the profile lets them
	Subject     string
	Directory   string        // one of the authority's; required if it has several
	ExpiresIn   time.Duration // 0: as the profile says
	MaxAccounts int           // 0: as the profile says
}

// mostKeyLifetime is the longest that a key may last which nothing was proved for.
const mostKeyLifetime = 398 * 24 * time.Hour

// IssueKey makes a key for an authority. Its secret is shown once: it is in what is returned, and nobody is given it again. Faults of
// the request are *InputError: "profile_unknown", "identifier_…", "directory_unknown", "lifetime_out_of_range", "accounts_out_of_range".
func (s *Service) IssueKey(ctx context.Context, ca *Authority, r KeyRequest) (*Key, error) {
	profile, ok := s.Policy.Profiles[r.Profile]
	if !ok || !ca.May(r.Profile) {
		return nil, &InputError{"profile", "profile_unknown", fmt.Sprintf("%q is not a profile of this certificate authority", r.Profile)}
	}
	p := profile.keyPolicy()
	k := &Key{CA: ca.Name, Profile: profile.Name, Subject: r.Subject, MaxAccounts: p.MaxAccounts}
	for i, id := range r.Identifiers {
		id, err := s.canonicalIdentifier(profile, id)
		if input, wrong := errors.AsType[*InputError](err); wrong {
			return nil, &InputError{fmt.Sprint("identifiers.", i), input.Code, input.Detail}
		}
		if err != nil {
			return nil, err
		}
		if !slices.Contains(k.Identifiers, id) {
			k.Identifiers = append(k.Identifiers, id)
		}
	}
	directory, err := ca.directory(r.Directory)
	if err != nil {
		return nil, err
	}
	k.Directory = directory
	lasts := p.Lifetime
	if r.ExpiresIn != 0 {
		if lasts = r.ExpiresIn; lasts < time.Minute || lasts > mostKeyLifetime {
			return nil, &InputError{"expires_in", "lifetime_out_of_range", fmt.Sprintf("a key lasts from %d to %d seconds", int(time.Minute.Seconds()), int(mostKeyLifetime.Seconds()))}
		}
	}
	if r.MaxAccounts != 0 {
		if k.MaxAccounts = r.MaxAccounts; r.MaxAccounts < 1 || r.MaxAccounts > MostKeyAccounts {
			return nil, &InputError{"max_accounts", "accounts_out_of_range", fmt.Sprintf("a key binds 1 to %d accounts", MostKeyAccounts)}
		}
	}
	now := s.now()
	return k, s.createKey(ctx, byAuthority(ca).Actor, k, profile, now, now.Add(lasts))
}

// createKey stores a new key.
func (s *Service) createKey(ctx context.Context, by Actor, k *Key, profile *Profile, now, expires time.Time) error {
	p := profile.keyPolicy()
	k.Kid, k.Algorithm, k.Secret = newKid(), p.Algorithm, newKeySecret(p.Algorithm)
	k.ID, k.Created, k.Expires = s.keyID(k.Kid), now, expires
	if k.UnusedUntil = now.Add(p.Unused); expires.Before(k.UnusedUntil) {
		k.UnusedUntil = expires
	}
	k.Retain = expires.Add(profile.Retention)
	if k.Subject != "" {
		k.SubjectHash = s.subjectHash(k.CA, k.Subject)
	}
	if len(k.Identifiers) == 1 && k.Identifiers[0].Type == IdentifierOrganization {
		k.Organization = s.organizationID(k.CA, k.Identifiers[0].Value)
	}
	replaces := ""
	if k.Replaces != "" {
		replaces = s.keyID(k.Replaces)
	}
	k.made(by, replaces)
	if err := s.Keys.Create(ctx, k.ID, k); err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	s.mark(SubjectKey, k.ID[:2])
	return nil
}

func (s *Service) subjectHash(ca, subject string) string {
	return s.Hasher.Hex("eab key subject", ca, subject)
}

func (s *Service) keyID(kid string) string { return FixedID(s.Hasher.Sum("eab key", kid)) }

// maxCaseKeys is how often a person may have lost the key of one case before they used it.
const maxCaseKeys = 5

// CaseKey makes the key that a case without an account ends in, for the browser that has proved it. Whoever has lost what they were shown
// may ask again as long as no account is bound: the key before it is worth nothing from then on. It is good at one directory of the authority:
// the only one, or that which they name, who alone knows where they will register. Its errors are ErrNotFound,
// ErrOtherBrowser, ErrClosed for a case that ends in no key or in none any more, ErrFrozen, and *InputError "key_in_use", "key_limit" and
// "directory_unknown".
func (s *Service) CaseKey(ctx context.Context, v Visit, directory string) (*Case, *Key, error) {
	c, err := s.CaseByLink(ctx, v.Link)
	if err != nil {
		return nil, nil, err
	}
	browser := s.BrowserHash(v.Browser)
	if err := c.mayEndInKey(browser); err != nil {
		return c, nil, err
	}
	profile := s.profileOf(c)
	if profile == nil {
		return c, nil, ErrClosed
	}
	if last := c.lastKey(); last != "" {
		before, err := s.newest(ctx, last)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return c, nil, err
		}
		if err == nil && (len(before.Accounts) > 0 || !before.Reported.IsZero()) {
			return c, nil, &InputError{Field: "key", Code: "key_in_use"}
		}
	}
	if len(c.Keys) >= maxCaseKeys {
		return c, nil, &InputError{Field: "key", Code: "key_limit"}
	}
	ca, err := s.Authority(ctx, c.CA)
	if errors.Is(err, ErrNotFound) { // it takes no keys any more
		return c, nil, ErrClosed
	}
	if err != nil {
		return c, nil, fmt.Errorf("look up the authority of a key: %w", err)
	}
	if directory, err = ca.directory(directory); err != nil {
		return c, nil, err
	}
	now, seen := s.now(), len(c.Keys)
	k := &Key{
		CA: c.CA, Directory: directory, Profile: c.Profile, Identifiers: []Identifier{c.Identifier}, Subject: s.pairwise(c), Case: c.ID, Person: c.Person,
		MaxAccounts: profile.keyPolicy().MaxAccounts,
	}
	expires := c.Grant.Expires
	if at := now.Add(profile.keyPolicy().Lifetime); at.Before(expires) {
		expires = at
	}
	// The key is there before its case names it, and counts only once that does: a crash between the two leaves a key that
	// nobody was shown and that is worth nothing.
	if err := s.createKey(ctx, byVisitor(v).at(c), k, profile, now, expires); err != nil {
		return c, nil, err
	}
	c, err = s.update(ctx, c.ID, func(c *Case, _ time.Time) error {
		if err := c.mayEndInKey(browser); err != nil {
			return err
		}
		if len(c.Keys) != seen { // pressed twice: the other one is shown
			return &InputError{Field: "key", Code: "key_limit"}
		}
		c.Keys = append(c.Keys, k.Kid)
		return nil
	})
	return c, k, err
}

// mayEndInKey says whether the case is one that ends in a key, for the browser that has proved it.
func (c *Case) mayEndInKey(browser string) error {
	switch {
	case browser == "" || c.Browser != browser:
		return ErrOtherBrowser
	case c.Frozen != nil:
		return ErrFrozen
	case c.Applicant.Kind != ByNobody || c.Status != CaseGranted || c.Own():
		return ErrClosed
	}
	return nil
}

// EndsInKey says whether the case is one that ends in a key now.
func (c *Case) EndsInKey() bool { return c.mayEndInKey(c.Browser) == nil }

// lastKey is the kid of the key that the case has ended in; empty if in none.
func (c *Case) lastKey() string {
	if len(c.Keys) == 0 {
		return ""
	}
	return c.Keys[len(c.Keys)-1]
}
