package proofing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	k := &Key{CA: ca.Name, Directory: r.Directory, Profile: profile.Name, Subject: r.Subject, MaxAccounts: p.MaxAccounts}
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
	switch {
	case r.Directory == "" && len(ca.Directories) > 1:
		return nil, &InputError{"directory", "directory_unknown", "the authority has several directories: name one"}
	case r.Directory == "" && len(ca.Directories) == 1:
		k.Directory = ca.Directories[0]
	case r.Directory != "" && !slices.Contains(ca.Directories, r.Directory):
		return nil, &InputError{"directory", "directory_unknown", "not a directory of this certificate authority"}
	}
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
	replaces := ""
	if k.Replaces != "" {
		replaces = s.keyID(k.Replaces)
	}
	k.made(by, replaces)
	if err := s.Keys.Create(ctx, k.ID, k); err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	s.mark(k.ID[:2])
	return nil
}

func (s *Service) keyID(kid string) string { return FixedID(s.Hasher.Sum("eab key", kid)) }

// maxCaseKeys is how often a person may have lost the key of one case before they used it.
const maxCaseKeys = 5

// CaseKey makes the key that a case without an account ends in, for the browser that has proved it. Whoever has lost what they were shown
// may ask again as long as no account is bound: the key before it is worth nothing from then on. Its errors are ErrNotFound,
// ErrOtherBrowser, ErrClosed for a case that ends in no key or in none any more, ErrFrozen, and *InputError "key_in_use" and "key_limit".
func (s *Service) CaseKey(ctx context.Context, v Visit) (*Case, *Key, error) {
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
	now, seen := s.now(), len(c.Keys)
	k := &Key{
		CA: c.CA, Profile: c.Profile, Identifiers: []Identifier{c.Identifier}, Subject: s.pairwise(c), Case: c.ID, Person: c.Person,
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

// VerifiedKey is a binding that was found good.
type VerifiedKey struct {
	Key     *Key
	Account KeyAccount
	// Grant is that of the case which the key is the result of, assessed as of now; nil if an authority has made the key.
	Grant *Grant
}

// decoy takes the place of a key that there is none of, so that asking for one costs what a wrong MAC does.
var decoy = &Key{Algorithm: "HS256", Secret: newKeySecret("HS256"), MaxAccounts: 1}

// VerifyKey says whether an external account binding is good, and binds the account (RFC 8555 7.3.4). Whatever is wrong with it, the
// error is ErrBinding. An account that is bound gets the same answer each time: a crash of the authority between this and its own
// account loses nothing.
func (s *Service) VerifyKey(ctx context.Context, ca *Authority, b ExternalBinding) (*VerifiedKey, error) {
	now := s.now()
	k, err := s.Keys.Get(ctx, s.keyID(b.Kid))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("look up key: %w", err)
	}
	if k == nil {
		k = decoy
	}
	if !k.proves(b, ca, now) {
		return nil, ErrBinding
	}
	grant, err := s.keyGrant(ctx, k)
	if err != nil {
		return nil, err
	}
	if have := k.account(b.Thumbprint); have != nil {
		if !have.Deactivated.IsZero() {
			return nil, ErrBinding
		}
		return &VerifiedKey{k, *have, grant}, nil
	}
	// The account points to the key first, which by itself means nothing; the key has the last word. A crash between the two leaves
	// the place in the key to whoever comes next.
	who, account, err := s.applicant(ctx, ca.Name, Applicant{Kind: ByAccount, Thumbprint: b.Thumbprint})
	if _, ended := errors.AsType[*InputError](err); ended {
		return nil, ErrBinding
	}
	if err != nil {
		return nil, err
	}
	if !slices.Contains(account.Kids, k.Kid) {
		if len(account.Kids) >= MostKeyAccounts {
			return nil, ErrBinding
		}
		if _, err := s.Accounts.Update(ctx, account.ID, func(a *Account) error {
			a.Kids = union(a.Kids, []string{k.Kid})
			return nil
		}); err != nil {
			return nil, fmt.Errorf("note key: %w", err)
		}
	}
	k, err = s.Keys.Update(ctx, k.ID, func(k *Key) error {
		if !k.proves(b, ca, now) || k.ReplacedBy != "" && k.account(b.Thumbprint) == nil {
			return ErrBinding
		}
		bound := len(k.Accounts)
		if err := k.bind(who, now); err != nil {
			return err
		}
		if len(k.Accounts) > bound {
			var url map[string]any
			if who.URL != "" {
				url = map[string]any{"url": who.URL}
			}
			k.write(byAuthority(ca).Actor, now, EntryKeyBound, map[string]any{"account": who.ID, "accounts": len(k.Accounts)}, url)
		}
		return nil
	})
	if errors.Is(err, ErrNotFound) {
		return nil, ErrBinding
	}
	if err != nil {
		return nil, err
	}
	s.mark(k.ID[:2])
	return &VerifiedKey{k, *k.account(b.Thumbprint), grant}, nil
}

// keyGrant is the grant that a key rests on, assessed as of now; nil for one that an authority has made. ErrBinding if
// what it rests on does not hold now, or another key of it has taken its place.
func (s *Service) keyGrant(ctx context.Context, k *Key) (*Grant, error) {
	if k.Case == "" {
		return nil, nil
	}
	c, err := s.get(ctx, k.Case)
	if errors.Is(err, ErrNotFound) {
		return nil, ErrBinding
	}
	if err != nil {
		return nil, err
	}
	if counts, err := s.counts(ctx, c, k); err != nil {
		return nil, err
	} else if !counts {
		return nil, ErrBinding
	}
	holds, err := s.holds(ctx, c)
	if err != nil {
		return nil, err
	}
	if !holds {
		return nil, ErrBinding
	}
	return s.renewed(c), nil
}

// inherit finds the case in which was proved what a key of the account is the result of, and names the key in a new case of that account; nil if there is
// none that holds. An *InputError "identifier_rejected" if the account's keys cover other things, and "binding_ended" if they were revoked.
func (s *Service) inherit(ctx context.Context, ca *Authority, c *Case, account *Account) (from *Case, err error) {
	if account == nil {
		return nil, nil
	}
	revoked, narrow, within, open := false, false, false, false
	for _, kid := range account.Kids {
		k, err := s.Keys.Get(ctx, s.keyID(kid))
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look up key of account: %w", err)
		}
		if !slices.ContainsFunc(k.Accounts, func(b KeyAccount) bool { return b.Account == account.Account }) || k.CA != ca.Name {
			continue
		}
		if _, brokenOff, err := s.before(ctx, k); err != nil {
			return nil, err
		} else if brokenOff {
			continue
		}
		switch covers := k.covers(c.Identifier, c.Profile); {
		case k.Status(s.now()) == KeyRevoked:
			revoked = true
		case k.Status(s.now()) != KeyActive: // it gives nothing any more; what an authority has limited by it stays so
			within, narrow = within || k.Case == "" && covers, narrow || k.Case == "" && !covers
		case k.Case == "" && covers:
			open, c.EABKid = true, k.Kid
		case k.Case == "":
			narrow = true
		case covers:
			from, err := s.holding(ctx, k)
			if err != nil {
				return nil, err
			}
			if from != nil {
				c.EABKid = k.Kid
				return from, nil
			}
		default:
			open = true // a proof for one thing stands in nobody's way who proves another
		}
	}
	switch {
	case revoked && !open:
		return nil, &InputError{"account", "binding_ended", "the external account binding of this account was revoked: register with a new key"}
	case narrow && !within && !open:
		return nil, &InputError{"identifier.value", "identifier_rejected", "the external account binding of this account does not cover it"}
	}
	return nil, nil
}

// holding is the case whose proof a key is the result of; nil if that does not hold now.
func (s *Service) holding(ctx context.Context, k *Key) (*Case, error) {
	from, err := s.get(ctx, k.Case)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if counts, err := s.counts(ctx, from, k); err != nil || !counts {
		return nil, err
	}
	if holds, err := s.holds(ctx, from); err != nil || !holds {
		return nil, err
	}
	return from, nil
}

// take gives a new case what was proved for its account's key, as far as that carries it: then it is valid when the order is made
// (RFC 8555 7.4.1, the way without ACME).
func (s *Service) take(ctx context.Context, c, from *Case) error {
	g, err := s.grounds(ctx, c)
	if err != nil {
		return err
	}
	c.Person, c.Browser, c.Started = from.Person, from.Browser, true
	now := s.now()
	before := s.writeTaken(c, from, now)
	if from.Approval != nil { // what people decided about the key is about the account that it binds
		decided := *from.Approval
		c.Approval = &decided
	}
	if err := s.progress(c, g, now); err != nil {
		return err
	}
	if c.Grant != nil && from.Grant.Expires.Before(c.Grant.Expires) { // no longer than what it rests on
		c.within(from.Grant.Expires)
	}
	s.writeSince(c, before, byService, now)
	if change := c.view().change(before.view); change != "" {
		c.tell(change, now)
	}
	return nil
}

// bound says what stands in the way of a case whose account is bound by a key, judged now: nothing, "frozen", "recovering" or "binding_ended".
func (s *Service) bound(ctx context.Context, c *Case) (problem string, err error) {
	k, err := s.newest(ctx, c.EABKid) // what came in its place stands for it
	if errors.Is(err, ErrNotFound) {
		return "binding_ended", nil
	}
	if err != nil {
		return "", fmt.Errorf("look up key of case: %w", err)
	}
	if k.CA != c.CA || k.Status(s.now()) != KeyActive {
		return "binding_ended", nil
	}
	if _, err := s.keyGrant(ctx, k); !errors.Is(err, ErrBinding) {
		return "", err
	}
	if from, err := s.get(ctx, k.Case); err == nil {
		if _, err := s.holds(ctx, from); err != nil {
			return "", err
		}
		switch {
		case from.Frozen != nil:
			return "frozen", nil
		case !from.Held.IsZero():
			return "recovering", nil
		}
	}
	return "binding_ended", nil
}

// mostHops is how far a line of rotations is followed.
const mostHops = 100

// newest is the last key of the line of rotations that a key is in.
func (s *Service) newest(ctx context.Context, kid string) (*Key, error) {
	k, err := s.Keys.Get(ctx, s.keyID(kid))
	for hops := 0; err == nil && k.ReplacedBy != "" && hops < mostHops; hops++ {
		k, err = s.Keys.Get(ctx, s.keyID(k.ReplacedBy))
	}
	return k, err
}

// before is the key that a key was put in the place of; nil if there is none any more. The rotation is broken off if
// that one does not say the same: then nobody was shown the key.
func (s *Service) before(ctx context.Context, k *Key) (before *Key, brokenOff bool, err error) {
	if k.Replaces == "" {
		return nil, false, nil
	}
	before, err = s.Keys.Get(ctx, s.keyID(k.Replaces))
	if errors.Is(err, ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("look up the key before: %w", err)
	}
	return before, before.ReplacedBy != k.Kid, nil
}

// counts says whether a key is the one that the case has ended in, or one that it was rotated to. A person who asked for
// another has ended those before it.
func (s *Service) counts(ctx context.Context, c *Case, k *Key) (bool, error) {
	if k.ReplacedBy != "" { // it binds nobody any more, and stands for what is bound
		return true, nil
	}
	for hops := 0; k.Kid != c.lastKey() && hops < mostHops; hops++ {
		before, brokenOff, err := s.before(ctx, k)
		if before == nil || brokenOff || err != nil {
			return false, err
		}
		k = before
	}
	return k.Kid == c.lastKey(), nil
}

// Key is a key of an authority; ErrNotFound for another's.
func (s *Service) Key(ctx context.Context, ca, kid string) (*Key, error) {
	k, err := s.Keys.Get(ctx, s.keyID(kid))
	if err == nil && k.CA != ca {
		return nil, ErrNotFound
	}
	return k, err
}

// KeysOf lists the keys of an authority, and PersonKeys those of a person.
func (s *Service) KeysOf(ctx context.Context, ca, after string, limit int) ([]*Key, string, error) {
	return s.Keys.List(ctx, Query{Index: "ca", Value: ca, After: after, Limit: limit})
}

// PersonKeys lists the keys that are the result of what a person has proved, a hundred at most.
func (s *Service) PersonKeys(ctx context.Context, person string) ([]*Key, error) {
	keys, _, err := s.Keys.List(ctx, Query{Index: "person", Value: person, Limit: 100})
	return keys, err
}

// RevokeKey ends a key for its authority, and RevokeKeyByOperator for the operator on the server, for good: it binds no account, and what its accounts were granted by it is revoked, of which the authority is
// told. Reason is a code. It may be called again, which finishes what a crash left half done; the first reason stays.
func (s *Service) RevokeKey(ctx context.Context, ca, kid, reason string) (*Key, error) {
	return s.revokeKey(ctx, byAuthority(&Authority{Name: ca}), ca, kid, reason)
}

// RevokeKeyByOperator is RevokeKey for the operator on the server.
func (s *Service) RevokeKeyByOperator(ctx context.Context, ca, kid string) (*Key, error) {
	return s.revokeKey(ctx, s.byOperator(), ca, kid, ReasonByOperator)
}

// ReasonByOperator is why a key ended that who runs its authority has ended.
const ReasonByOperator = "key_revoked_by_operator"

func (s *Service) revokeKey(ctx context.Context, by author, ca, kid, reason string) (*Key, error) {
	if _, err := s.Key(ctx, ca, kid); err != nil {
		return nil, err
	}
	now := s.now()
	k, err := s.Keys.Update(ctx, s.keyID(kid), func(k *Key) error {
		k.revoke(by.Actor, now, reason)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("revoke key: %w", err)
	}
	s.mark(k.ID[:2])
	// Whatever it came in the place of ends with it.
	line := []string{k.Kid}
	for before := k.Replaces; before != "" && len(line) < 100; {
		old, err := s.Keys.Update(ctx, s.keyID(before), func(k *Key) error {
			k.revoke(by.Actor, now, reason)
			return nil
		})
		if errors.Is(err, ErrNotFound) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("revoke key: %w", err)
		}
		s.mark(old.ID[:2])
		line, before = append(line, old.Kid), old.Replaces
	}
	for _, b := range k.Accounts {
		for c, err := range s.casesOf(ctx, b.Account) {
			if err != nil {
				return nil, err
			}
			if !slices.Contains(line, c.EABKid) || c.Status.Over() {
				continue
			}
			if _, err := s.revoke(ctx, by, c.ID, reason); err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrNotFound) {
				return nil, fmt.Errorf("revoke what rests on a key: %w", err)
			}
		}
	}
	return k, nil
}

const (
	// DefaultOverlap is how long a key that was rotated works on, and MostOverlap the longest that it may.
	DefaultOverlap = 24 * time.Hour
	MostOverlap    = 30 * 24 * time.Hour
)

// reasonRotated is why a key ended that was made while another rotation took the place first.
const reasonRotated = "rotated_before"

// RotateKey puts a new key in the place of one that is active, for the same accounts; its secret is in what is returned, once. The old
// one binds no further account and works on for its own accounts until the overlap is over. ErrClosed if it is not active, or was rotated.
func (s *Service) RotateKey(ctx context.Context, ca, kid string, overlap time.Duration) (*Key, error) {
	old, err := s.Key(ctx, ca, kid)
	if err != nil {
		return nil, err
	}
	profile, now, by := s.Policy.Profiles[old.Profile], s.now(), byAuthority(&Authority{Name: ca}).Actor
	if profile == nil || old.Status(now) != KeyActive || old.ReplacedBy != "" {
		return nil, ErrClosed
	}
	next := &Key{
		CA: old.CA, Directory: old.Directory, Profile: old.Profile, Identifiers: old.Identifiers, Subject: old.Subject, MaxAccounts: old.MaxAccounts,
		Accounts: old.Accounts, Case: old.Case, Person: old.Person, Replaces: old.Kid,
	}
	if err := s.createKey(ctx, by, next, profile, now, old.Expires); err != nil {
		return nil, err
	}
	for _, b := range old.Accounts {
		if _, err := s.Accounts.Update(ctx, s.accountID(ca, b.Thumbprint), func(a *Account) error {
			a.Kids = union(a.Kids, []string{next.Kid})
			return nil
		}); err != nil && !errors.Is(err, ErrNotFound) {
			return nil, fmt.Errorf("note key: %w", err)
		}
	}
	last := ""
	if old.Case != "" {
		c, err := s.get(ctx, old.Case)
		if err != nil {
			return nil, err
		}
		if counts, err := s.counts(ctx, c, old); err != nil {
			return nil, err
		} else if !counts {
			return nil, errors.Join(ErrClosed, s.Keys.Delete(ctx, next.ID))
		}
		last = c.lastKey()
	}
	// Of two at once one: until then the old key works as before, and what nobody was shown is worth nothing.
	_, err = s.Keys.Update(ctx, old.ID, func(k *Key) error {
		if k.ReplacedBy != "" || k.Status(now) != KeyActive || !slices.EqualFunc(k.Accounts, next.Accounts, KeyAccount.same) {
			return ErrClosed
		}
		k.ReplacedBy = next.Kid
		if at := now.Add(overlap); at.Before(k.Expires) {
			k.Expires = at
		}
		k.write(by, now, EntryKeyRotated, map[string]any{"replaced_by": next.ID, "expires": k.Expires}, nil)
		return nil
	})
	if errors.Is(err, ErrClosed) { // it has an entry already, so that it stays, as one that is worth nothing
		_, ended := s.Keys.Update(ctx, next.ID, func(k *Key) error {
			k.revoke(by, now, reasonRotated)
			return nil
		})
		err = errors.Join(err, ended)
	}
	if err != nil || old.Case == "" {
		return next, err
	}
	// That the case names it spares the way back through the line, and is all: the key counts already, and is shown this once.
	if _, err := s.update(ctx, old.Case, func(c *Case, _ time.Time) error {
		if c.lastKey() == last { // nobody has asked for another meanwhile
			c.Keys = append(c.Keys, next.Kid)
		}
		return nil
	}); err != nil {
		s.Log.WarnContext(ctx, "a rotated key is not named by its case", slog.String("case", old.Case), slog.String("kid", next.Kid), slog.Any("error", err))
	}
	s.mark(old.ID[:2])
	return next, nil
}

// eachKey edits the entry of an account in each of its keys.
func (s *Service) eachKey(ctx context.Context, kids []string, account string, edit func(*KeyAccount)) error {
	for _, kid := range kids {
		_, err := s.Keys.Update(ctx, s.keyID(kid), func(k *Key) error {
			for i := range k.Accounts {
				if k.Accounts[i].Account == account {
					edit(&k.Accounts[i])
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("change key of account: %w", err)
		}
	}
	return nil
}

// union is a with what of b is not in it.
func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}
