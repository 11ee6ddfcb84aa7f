package proofing

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// keyScope is what the keys by which an account is bound say of one thing that it asks for.
type keyScope struct {
	// revoked: one of them was. narrow: an authority has limited the account to other things by one, and within: to this and others, by one that
	// gives nothing any more. open: an authority lets it by one. other: one is for a proof of something else, which lets nothing and limits nobody.
	revoked, narrow, within, open, other bool
	kid                                  string // of the key that lets it
	from                                 *Case  // in which was proved what that key is the result of
}

// beyond says whether the account is limited to other things.
func (l keyScope) beyond() bool { return l.narrow && !l.within && !l.open && l.from == nil }

// scopeOf looks at the keys of an account for what a case is for.
func (s *Service) scopeOf(ctx context.Context, c *Case, account *Account) (l keyScope, err error) {
	for _, kid := range account.Kids {
		k, err := s.Keys.Get(ctx, s.keyID(kid))
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return l, fmt.Errorf("look up key of account: %w", err)
		}
		if !k.binds(account.Account) || k.CA != c.CA {
			continue
		}
		if _, brokenOff, err := s.before(ctx, k); err != nil {
			return l, err
		} else if brokenOff {
			continue
		}
		covers, given := k.covers(c.Identifier, c.Profile), k.Case == "" // by an authority, and not for a proof
		switch status := k.Status(s.now()); {
		case status != KeyActive: // it gives nothing any more; what an authority has limited by it stays so
			l.revoked = l.revoked || status == KeyRevoked
			l.within = l.within || given && covers && status != KeyRevoked
			l.narrow = l.narrow || given && !covers
		case given && covers:
			l.open, l.kid = true, k.Kid
		case given:
			l.narrow = true
		case covers:
			from, err := s.holding(ctx, k)
			if err != nil {
				return l, err
			}
			if from != nil {
				l.kid, l.from = k.Kid, from
				return l, nil
			}
		default:
			l.other = true // a proof for one thing stands in nobody's way who proves another, and lifts no limit
		}
	}
	return l, nil
}

// boundBy makes sure that an account is bound by a key that its authority names in a field of its request: whoever names another has mixed up two accounts, and a
// case would be proved for nothing. It is the *InputError "eab_kid" otherwise.
func (s *Service) boundBy(ctx context.Context, ca *Authority, account *Account, field, kid string) error {
	k, err := s.Keys.Get(ctx, s.keyID(kid))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("look up key of account: %w", err)
	}
	if err != nil || k.CA != ca.Name || account == nil || !k.binds(account.Account) {
		return &InputError{field, "eab_kid", "the account is bound by no key of this service with that kid: leave it out if the binding was not verified here"}
	}
	return nil
}

// AccountBoundBy makes sure that an account, by its key's thumbprint, is bound by the key that its authority names in the field "kid" of what it is about to tell of
// it. It is the *InputError "eab_kid" otherwise.
func (s *Service) AccountBoundBy(ctx context.Context, ca *Authority, thumbprint, kid string) error {
	account, err := s.Accounts.Get(ctx, s.accountID(ca.Name, thumbprint))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("look up account: %w", err)
	}
	return s.boundBy(ctx, ca, account, "kid", kid)
}

var errBeyond = &InputError{"identifier.value", "identifier_rejected", "the external account binding of this account does not cover it"}

// inherit finds the case in which was proved what a key of the account is the result of, and names the key in a new case of that account; nil if there is
// none that holds. An *InputError "identifier_rejected" if the account's keys cover other things, and "binding_ended" if they were revoked.
func (s *Service) inherit(ctx context.Context, c *Case, account *Account) (from *Case, err error) {
	if account == nil {
		return nil, nil
	}
	l, err := s.scopeOf(ctx, c, account)
	switch {
	case err != nil:
		return nil, err
	case l.revoked && !l.open && !l.other && l.from == nil:
		return nil, &InputError{"account", "binding_ended", "the external account binding of this account was revoked: register with a new key"}
	case l.beyond():
		return nil, errBeyond
	}
	if l.kid != "" {
		c.EABKid = l.kid
	}
	return l.from, nil
}

// reasonLimited is why a case ended that its account had opened before an authority limited the account to other things.
const reasonLimited = "binding_limited"

// confined ends a case that is beyond what its account is limited to, and says so: an account may have asked before it was bound, and
// the limit is the account's and not that of what it asks for from then on. It is the last word on that: whatever broke off what
// confines an account when it is bound is made good here.
func (s *Service) confined(ctx context.Context, by author, c *Case, account *Account) (bool, error) {
	if c.EABKid != "" || c.Applicant.Kind != ByAccount || c.Status.Over() { // a case that names a key is judged by that key
		return false, nil
	}
	if account == nil {
		var err error
		if account, err = s.Accounts.Get(ctx, s.accountID(c.CA, c.Applicant.Thumbprint)); errors.Is(err, ErrNotFound) {
			return false, nil
		} else if err != nil {
			return false, fmt.Errorf("look up account: %w", err)
		}
	}
	l, err := s.scopeOf(ctx, c, account)
	if err != nil || !l.beyond() {
		return false, err
	}
	if _, err := s.revoke(ctx, by, c.ID, reasonLimited); err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrNotFound) {
		return false, fmt.Errorf("end case: %w", err)
	}
	return true, nil
}

// allows is errBeyond for a case that is there and that its account may not have any more.
func (s *Service) allows(ctx context.Context, by author, c *Case, account *Account) error {
	if account == nil || len(account.Kids) == 0 {
		return nil
	}
	confined, err := s.confined(ctx, by, c, account)
	if confined {
		return errBeyond
	}
	return err
}

// reasonCovered is why a case ended that waited for somebody while what it asks for was proved for its account's key.
const reasonCovered = "binding_covers"

// covered ends a pending case that nobody has begun if what it asks for is proved already for a key of its account, which was bound since, or whose
// proof did not hold when the case was opened. The error is ErrNotFound then: one that is opened in its place has that proof from the beginning, and says whence.
func (s *Service) covered(ctx context.Context, by author, c *Case, account *Account) error {
	waits := func(c *Case) bool {
		return c.Status == CaseOpen && c.EABKid == "" && c.Frozen == nil && c.Person == "" && c.Browser == "" && len(c.Attempts) == 0 && len(c.Evidence) == 0
	}
	if account == nil || len(account.Kids) == 0 || !waits(c) {
		return nil
	}
	l, err := s.scopeOf(ctx, c, account)
	if err != nil || l.from == nil {
		return err
	}
	now, err := s.updateBy(ctx, by, c.ID, func(c *Case, now time.Time) error {
		if waits(c) { // or somebody has begun it meanwhile: it is theirs to end
			c.end(CaseWithdrawn, reasonCovered, now, s.retention(c))
		}
		return nil
	})
	if errors.Is(err, ErrNotFound) {
		return err
	}
	if err != nil {
		return fmt.Errorf("end case: %w", err)
	}
	if now.Status.Over() { // by us, or by another who was asked at once
		return ErrNotFound
	}
	return nil
}

// confine ends what an account that was just bound has beyond the limit of its key.
func (s *Service) confine(ctx context.Context, ca *Authority, applicant string) error {
	for c, err := range s.casesOf(ctx, applicant) {
		if err != nil {
			return err
		}
		if _, err := s.confined(ctx, byAuthority(ca), c, nil); err != nil {
			return err
		}
	}
	return nil
}
