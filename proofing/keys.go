package proofing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// Key is a key of an authority; ErrNotFound for another's, and for one whose record was kept long enough.
func (s *Service) Key(ctx context.Context, ca, kid string) (*Key, error) {
	k, err := s.Keys.Get(ctx, s.keyID(kid))
	if err == nil && (k.CA != ca || k.Bare) {
		return nil, ErrNotFound
	}
	return k, err
}

// SubjectKeys lists the keys of an authority that are for one subject: in its own words, or by the name that it knows a person by.
func (s *Service) SubjectKeys(ctx context.Context, ca, subject, after string, limit int) ([]*Key, string, error) {
	return s.Keys.List(ctx, Query{Index: "subject", Value: s.subjectHash(ca, subject), After: after, Limit: limit})
}

// workKey does what is due of one key: the time is over for which its record is kept.
func (s *Service) workKey(ctx context.Context, id string) error {
	_, err := s.Keys.Update(ctx, id, func(k *Key) error {
		k.bare(s.now())
		return nil
	})
	return ignoreNotFound(err)
}

// KeysOf lists the keys of an authority.
func (s *Service) KeysOf(ctx context.Context, ca, after string, limit int) ([]*Key, string, error) {
	return s.Keys.List(ctx, Query{Index: "ca", Value: ca, After: after, Limit: limit})
}

// mostPersonKeys is how many keys of one person a page shows.
const mostPersonKeys = 1000

// PersonKeys lists the keys that are the result of what a person has proved: those that can still do something before all others, the newest first, a thousand at most.
func (s *Service) PersonKeys(ctx context.Context, person string) ([]*Key, error) {
	now, q := s.now(), Query{Index: "person", Value: person, Limit: 200}
	order := func(a, b *Key) int {
		if active := a.Status(now) == KeyActive; active != (b.Status(now) == KeyActive) {
			if active {
				return -1
			}
			return 1
		}
		return b.Created.Compare(a.Created)
	}
	var keys []*Key
	for more := true; more; more = q.After != "" {
		page, next, err := s.Keys.List(ctx, q)
		if err != nil {
			return nil, err
		}
		keys, q.After = append(keys, page...), next
		if slices.SortFunc(keys, order); len(keys) > mostPersonKeys {
			keys = keys[:mostPersonKeys]
		}
	}
	return keys, nil
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
	s.mark(SubjectKey, k.ID[:2])
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
		s.mark(SubjectKey, old.ID[:2])
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
// one binds no further account and works on for its own accounts until the overlap is over. ErrClosed if it is not active, or was rotated, or the authority may not have its
// profile any more; ErrWithheld for the key of a person's proof, unless such keys are released to the authority and no people decide under its profile: whoever rotates it sees the new one, and their account would have
// what that person has proved.
func (s *Service) RotateKey(ctx context.Context, ca *Authority, kid string, overlap time.Duration) (*Key, error) {
	old, err := s.Key(ctx, ca.Name, kid)
	if err != nil {
		return nil, err
	}
	profile, now, by := s.Policy.Profiles[old.Profile], s.now(), byAuthority(ca).Actor
	if old.Case != "" && (ca.Release == nil || !ca.Release.Limited || profile != nil && profile.peopleDecide()) {
		return nil, ErrWithheld
	}
	if !s.mayHave(ca, old) || old.Status(now) != KeyActive || old.ReplacedBy != "" {
		return nil, ErrClosed
	}
	next := &Key{
		CA: old.CA, Directory: old.Directory, Profile: old.Profile, Identifiers: old.Identifiers, Subject: old.Subject, MaxAccounts: old.MaxAccounts,
		Accounts: old.Accounts, Case: old.Case, Person: old.Person, Replaces: old.Kid,
		Reported: old.Reported, // as the accounts: where nobody tells us of these, that is how it is known that there is one
	}
	if err := s.createKey(ctx, by, next, profile, now, old.Expires); err != nil {
		return nil, err
	}
	for _, b := range old.Accounts {
		if _, err := s.Accounts.Update(ctx, s.accountID(ca.Name, b.Thumbprint), func(a *Account) error {
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
	s.mark(SubjectKey, old.ID[:2])
	return next, nil
}

// eachKey edits those of the keys that there are. An edit that changes nothing costs no more than reading.
func (s *Service) eachKey(ctx context.Context, kids []string, edit func(*Key)) error {
	for _, kid := range kids {
		_, err := s.Keys.Update(ctx, s.keyID(kid), func(k *Key) error { edit(k); return nil })
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("change key of account: %w", err)
		}
	}
	return nil
}

// edit edits the entry of an account, if it is bound.
func (k *Key) edit(account string, edit func(*KeyAccount)) {
	for i := range k.Accounts {
		if k.Accounts[i].Account == account {
			edit(&k.Accounts[i])
		}
	}
}

// union is a with what of b is not in it.
func union[T comparable](a, b []T) []T {
	all := slices.Clone(a)
	for _, v := range b {
		if !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}
