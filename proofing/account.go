package proofing

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// applicant completes what a request says of an applicant with the id that is
// stable over key rollovers, and returns the record of an account. An account is known by its key's thumbprint; a first call makes it known.
func (s *Service) applicant(ctx context.Context, ca string, a Applicant) (Applicant, *Account, error) {
	switch a.Kind {
	case ByNobody:
		return Applicant{Kind: ByNobody}, nil, nil
	case ByPublicKey:
		a.ID = s.Hasher.Hex("applicant key", ca, a.SPKI)
		return a, nil, nil
	}
	id := s.accountID(ca, a.Thumbprint)
	known, err := s.Accounts.Get(ctx, id)
	if errors.Is(err, ErrNotFound) {
		known = s.newAccount(ca, a)
		if err = s.Accounts.Create(ctx, id, known); errors.Is(err, ErrExists) {
			known, err = s.Accounts.Get(ctx, id)
		}
	}
	if err != nil {
		return a, nil, fmt.Errorf("look up account: %w", err)
	}
	if known.ReplacedBy != "" {
		return a, nil, &InputError{"account", "account_key_replaced", "this key was replaced by a key rollover"}
	}
	if !known.Deactivated.IsZero() {
		return a, nil, &InputError{"account", "account_deactivated", "this account was deactivated"}
	}
	a.ID = known.Account
	if a.URL == "" {
		a.URL = known.URL
	}
	return a, known, nil
}

// newAccount is the record of an account that nobody knew.
func (s *Service) newAccount(ca string, a Applicant) *Account {
	return &Account{
		ID: s.accountID(ca, a.Thumbprint), Account: s.Hasher.Hex("applicant account", ca, a.Thumbprint), CA: ca, Thumbprint: a.Thumbprint, URL: a.URL, Created: s.now(),
	}
}

// confirmApplicant looks again at the applicant of a case that was just opened: whatever
// changed between the first look and the opening did not find the case there.
func (s *Service) confirmApplicant(ctx context.Context, c *Case) error {
	if c.Applicant.Kind != ByAccount {
		return nil
	}
	opened := c.Applicant.Thumbprint
	_, account, err := s.applicant(ctx, c.CA, Applicant{Kind: ByAccount, Thumbprint: opened})
	if err == nil {
		return s.allows(ctx, byService, c, account)
	}
	if _, ended := errors.AsType[*InputError](err); !ended {
		return err
	}
	_, gone := s.update(ctx, c.ID, func(c *Case, now time.Time) error {
		if !c.Status.Over() && c.Applicant.Thumbprint == opened {
			c.end(CaseWithdrawn, "deactivated", now, s.retention(c))
		}
		return nil
	})
	return errors.Join(err, gone)
}

func (s *Service) accountID(ca, thumbprint string) string {
	return FixedID(s.Hasher.Sum("account", ca, thumbprint))
}

// AccountCreated attaches an account's URL to its key, to its bindings and to its cases. Calling it again finishes what a crash left half done.
func (s *Service) AccountCreated(ctx context.Context, ca *Authority, url, thumbprint string) error {
	if _, _, err := s.applicant(ctx, ca.Name, Applicant{Kind: ByAccount, URL: url, Thumbprint: thumbprint}); err != nil {
		return err
	}
	a, err := s.Accounts.Update(ctx, s.accountID(ca.Name, thumbprint), func(a *Account) error {
		a.URL = url
		return nil
	})
	if err != nil {
		return fmt.Errorf("attach account: %w", err)
	}
	if err := s.eachKey(ctx, a.Kids, func(k *Key) { k.edit(a.Account, func(b *KeyAccount) { b.URL = url }) }); err != nil {
		return err
	}
	return s.eachCase(ctx, ca, a.Account, func(c *Case) { c.Applicant.URL = url })
}

// AccountKeyChanged follows a key rollover (RFC 8555 7.3.5): grants move to the
// new key and their statements are signed anew. Calling it again finishes what a
// crash left half done. ErrNotFound if the old key was never seen;
// an *InputError if the new key belongs to another account.
func (s *Service) AccountKeyChanged(ctx context.Context, ca *Authority, url, oldThumbprint, newThumbprint string) error {
	old, err := s.Accounts.Get(ctx, s.accountID(ca.Name, oldThumbprint))
	if err != nil {
		return err
	}
	if old.ReplacedBy != "" && old.ReplacedBy != newThumbprint {
		return &InputError{"old_thumbprint", "account_key_replaced", "this key was replaced by another"}
	}
	if !old.Deactivated.IsZero() {
		return &InputError{"account", "account_deactivated", "this account was deactivated"}
	}
	next := &Account{ID: s.accountID(ca.Name, newThumbprint), Account: old.Account, CA: ca.Name, Thumbprint: newThumbprint, URL: url, Created: s.now(), Kids: old.Kids}
	if next.URL == "" {
		next.URL = old.URL
	}
	fresh := *next
	err = s.Accounts.Create(ctx, next.ID, next)
	created := err == nil
	if errors.Is(err, ErrExists) {
		left, err := s.leftBehind(ctx, next.ID, old)
		if err != nil {
			return err
		}
		next, err = s.Accounts.Update(ctx, next.ID, func(have *Account) error {
			if created = left != nil && have.same(left); created {
				*have = fresh
				return nil
			}
			if have.Account != old.Account {
				return &InputError{"account.jwk", "account_key_taken", "the new key belongs to another account"}
			}
			have.Kids = union(have.Kids, old.Kids)
			if old.ReplacedBy == "" { // and not a late repetition: the account is back at a key of its own
				have.ReplacedBy = ""
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("new account key: %w", err)
		}
	} else if err != nil {
		return fmt.Errorf("new account key: %w", err)
	}
	// A late repetition finds the account at a later key, where its bindings and its cases belong.
	if next, err = s.followed(ctx, ca, next); err != nil {
		return err
	}
	move := func(k *Key) {
		k.edit(old.Account, func(b *KeyAccount) {
			b.Thumbprint = next.Thumbprint
			if url != "" {
				b.URL = url
			}
		})
		k.reopen(next.Thumbprint)
	}
	// A new account of the old key must not pass for the one that was bound.
	if err := s.eachKey(ctx, next.Kids, move); err != nil {
		return err
	}
	// The old key stops working only after the new one works, and the cases move
	// last: each step may be repeated. Of several rollovers at once the first counts.
	retired, err := s.Accounts.Update(ctx, old.ID, func(a *Account) error {
		if a.ReplacedBy != "" && a.ReplacedBy != newThumbprint {
			return &InputError{"old_thumbprint", "account_key_replaced", "this key was replaced by another"}
		}
		if !a.Deactivated.IsZero() && a.ReplacedBy == "" { // since it was looked at: who ended the account could not follow it to the new key
			return &InputError{"account", "account_deactivated", "this account was deactivated"}
		}
		a.ReplacedBy = newThumbprint
		return nil
	})
	if err != nil {
		if _, lost := errors.AsType[*InputError](err); lost && created {
			err = errors.Join(err, s.Accounts.Delete(ctx, next.ID))
		}
		return fmt.Errorf("retire account key: %w", err)
	}
	// From here on nothing is noted at the old key any more. What was noted since it was read goes where the account is now, and whoever is about to
	// bind the old key by it finds the binding key closed.
	for hops := 0; hops < mostHops; hops++ {
		if next, err = s.followed(ctx, ca, next); err != nil {
			return err
		}
		if next, err = s.Accounts.Update(ctx, next.ID, func(a *Account) error {
			if a.ReplacedBy == "" {
				a.Kids = union(a.Kids, retired.Kids)
			}
			return nil
		}); err != nil {
			return fmt.Errorf("new account key: %w", err)
		}
		if next.ReplacedBy == "" {
			break
		}
	}
	now := s.now()
	if err := s.eachKey(ctx, retired.Kids, func(k *Key) {
		move(k)
		if oldThumbprint != next.Thumbprint {
			k.close(oldThumbprint, now)
		}
	}); err != nil {
		return err
	}
	return s.eachCase(ctx, ca, old.Account, func(c *Case) { c.rekey(next.Thumbprint) })
}

// leftBehind is the account at a key to which another one has rolled over, if its authority has never made it: a binding of that key was found good, and the authority
// stopped before it had an account. Nothing that was asked for in its name stands, so that the key is given to the account that has it now. What that binding has bound is
// ended first; its place stays taken. It is nil if there is no such account.
func (s *Service) leftBehind(ctx context.Context, id string, old *Account) (*Account, error) {
	left, err := s.Accounts.Get(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("look up account: %w", err)
	}
	if left.Account == old.Account || left.URL != "" || left.ReplacedBy != "" || !left.Deactivated.IsZero() {
		return nil, nil
	}
	for _, err := range s.casesOf(ctx, left.Account) {
		return nil, err // there is one: it is no account that was only begun
	}
	now := s.now()
	return left, s.eachKey(ctx, left.Kids, func(k *Key) {
		k.edit(left.Account, func(b *KeyAccount) {
			if b.Deactivated.IsZero() {
				b.Deactivated = now
			}
		})
		k.close(left.Thumbprint, now)
	})
}

// followed is the account at the key that it has now, if others have come in the place of this one.
func (s *Service) followed(ctx context.Context, ca *Authority, a *Account) (*Account, error) {
	for hops := 0; a.ReplacedBy != "" && hops < mostHops; hops++ {
		next, err := s.Accounts.Get(ctx, s.accountID(ca.Name, a.ReplacedBy))
		if err != nil {
			return nil, fmt.Errorf("follow account key: %w", err)
		}
		a = next
	}
	return a, nil
}

// AccountDeactivated ends every case of an account (RFC 8555 7.3.6), also when it
// is named by a key that has been replaced since.
func (s *Service) AccountDeactivated(ctx context.Context, ca *Authority, thumbprint string) error {
	now := s.now()
	var a *Account
	var kids, thumbprints []string
	for hops := 0; thumbprint != "" && hops < mostHops; hops++ {
		var err error
		a, err = s.Accounts.Update(ctx, s.accountID(ca.Name, thumbprint), func(a *Account) error {
			if a.Deactivated.IsZero() {
				a.Deactivated = now
			}
			return nil
		})
		if err != nil {
			return err
		}
		kids, thumbprints = union(kids, a.Kids), append(thumbprints, thumbprint)
		thumbprint = a.ReplacedBy
	}
	if err := s.eachKey(ctx, kids, func(k *Key) {
		k.edit(a.Account, func(b *KeyAccount) {
			if b.Deactivated.IsZero() {
				b.Deactivated = now
			}
		})
		if !k.binds(a.Account) { // it may be about to: what it has read of the account is from before
			for _, t := range thumbprints {
				k.close(t, now)
			}
		}
	}); err != nil {
		return err
	}
	return s.eachCase(ctx, ca, a.Account, func(c *Case) {
		if !c.Status.Over() {
			c.end(CaseWithdrawn, "account_deactivated", now, s.retention(c))
		}
	})
}

// eachCase edits every case of an applicant that is not over, for its authority.
func (s *Service) eachCase(ctx context.Context, ca *Authority, applicant string, edit func(c *Case)) error {
	for c, err := range s.casesOf(ctx, applicant) {
		if err != nil {
			return err
		}
		_, err = s.updateBy(ctx, byAuthority(ca), c.ID, func(c *Case, _ time.Time) error { edit(c); return nil })
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("change case: %w", err)
		}
	}
	return nil
}

// rekey moves the case to another key of its account. What was bound to the old
// key authorization and is not finished is void: its codes answer another question now.
func (c *Case) rekey(thumbprint string) {
	if c.Applicant.Thumbprint == thumbprint {
		return
	}
	c.Applicant.Thumbprint = thumbprint
	for i := range c.Attempts {
		if a := &c.Attempts[i]; a.Status == AttemptOpen {
			c.replace(a)
		}
	}
	c.withhold() // it names the old key
}
