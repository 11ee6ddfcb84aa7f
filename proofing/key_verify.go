package proofing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// VerifiedKey is a binding that was found good.
type VerifiedKey struct {
	Key     *Key
	Account KeyAccount
	// Grant is that of the case which the key is the result of, assessed as of now; nil if an authority has made the key.
	Grant *Grant
	// RecheckAfter is how long this may be believed without asking again: as long as the profile lets an answer be, and no longer than the key is good or the grant may be believed.
	RecheckAfter time.Time
}

// decoy takes the place of a key that there is none of, so that asking for one costs what a wrong MAC does. It is made once: a key that was asked for
// before is remembered by the process (decision 11), and reading a record for the decoy told over HTTP which kids there are none of.
var decoy = Key{
	ID: strings.Repeat("0", 32), Kid: newKid(), CA: "decoy", Directory: "https://ca.example/acme/directory", Algorithm: "HS256", Secret: newKeySecret("HS256"), Profile: "decoy",
}

// VerifyKey says whether an external account binding is good, and binds the account (RFC 8555 7.3.4). Whatever is wrong with it, the
// error is ErrBinding. An account that is bound gets the same answer each time: a crash of the authority between this and its own
// account loses nothing.
func (s *Service) VerifyKey(ctx context.Context, ca *Authority, b ExternalBinding) (*VerifiedKey, error) {
	now := s.now()
	k, err := s.Keys.Get(ctx, s.keyID(b.Kid))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("look up key: %w", err)
	}
	known := k != nil
	if !known {
		k = &decoy
	}
	if !k.proves(b, ca, now) || !s.mayHave(ca, k) {
		return nil, s.refuseBinding(ctx, ca, known)
	}
	grant, err := s.keyGrant(ctx, k)
	if err != nil {
		return nil, err
	}
	if have := k.account(b.Thumbprint); have != nil {
		if !have.Deactivated.IsZero() {
			return nil, ErrBinding
		}
		return s.verified(k, *have, grant), nil
	}
	if len(k.Accounts) >= k.MaxAccounts { // nobody who only knows the MAC key has accounts written down without end
		known, err := s.Accounts.Get(ctx, s.accountID(ca.Name, b.Thumbprint))
		if errors.Is(err, ErrNotFound) || err == nil && !k.binds(known.Account) {
			return nil, ErrBinding
		}
		if err != nil {
			return nil, fmt.Errorf("look up account: %w", err)
		}
	}
	// The account points to the key first, which by itself means nothing; the key has the last word. A crash between the two leaves
	// the place in the key to whoever comes next. An account that gets another key or ends meanwhile either refuses the pointer, or
	// finds it and closes the key for what is bound here (AccountKeyChanged, AccountDeactivated).
	who, err := s.pointTo(ctx, ca.Name, b.Thumbprint, k.Kid)
	if err != nil {
		return nil, err
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
	s.mark(SubjectKey, k.ID[:2])
	if k.Case == "" { // one that is as new as this may have asked since, too
		if err := s.confine(ctx, ca, who.ID); err != nil {
			return nil, err
		}
	}
	return s.verified(k, *k.account(b.Thumbprint), grant), nil
}

// pointTo has an account point to a key. One that nobody knew, as almost all are that are bound, is written once, with the key in it, and not looked up
// before. ErrBinding if the account has ended, or has as many keys as one may have.
func (s *Service) pointTo(ctx context.Context, ca, thumbprint, kid string) (Applicant, error) {
	who := Applicant{Kind: ByAccount, Thumbprint: thumbprint}
	made := s.newAccount(ca, who)
	made.Kids = []string{kid}
	err := s.Accounts.Create(ctx, made.ID, made)
	if err == nil {
		who.ID = made.Account
		return who, nil
	}
	if !errors.Is(err, ErrExists) {
		return who, fmt.Errorf("note account: %w", err)
	}
	who, account, err := s.applicant(ctx, ca, who)
	if _, ended := errors.AsType[*InputError](err); ended {
		return who, ErrBinding
	}
	if err != nil || slices.Contains(account.Kids, kid) {
		return who, err
	}
	_, err = s.Accounts.Update(ctx, account.ID, func(a *Account) error {
		if a.Account != who.ID || a.ReplacedBy != "" || !a.Deactivated.IsZero() || len(a.Kids) >= MostKeyAccounts && !slices.Contains(a.Kids, kid) {
			return ErrBinding
		}
		a.Kids = union(a.Kids, []string{kid})
		return nil
	})
	if err != nil && !errors.Is(err, ErrBinding) {
		return who, fmt.Errorf("note key: %w", err)
	}
	return who, err
}

// refuseBinding reads what a refusal of the other kind has read already, so that each reads one record that there is and one that there is not: by
// the time of one read alone an unknown kid was the quicker one. A binding that is good never comes here.
func (s *Service) refuseBinding(ctx context.Context, ca *Authority, known bool) error {
	absent := s.keyID(decoy.Kid)
	var err error
	if known {
		_, err = s.Keys.Get(ctx, absent)
	} else {
		_, err = s.Authorities.Get(ctx, ca.ID)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("look up key: %w", err)
	}
	return ErrBinding
}

func (s *Service) verified(k *Key, account KeyAccount, grant *Grant) *VerifiedKey {
	until := k.Expires
	if p := s.Policy.Profiles[k.Profile]; p != nil {
		until = p.recheck(s.now(), until)
	}
	if grant != nil {
		until = earliest(until, grant.RecheckAfter)
	}
	return &VerifiedKey{k, account, grant, until}
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
	holds, less, err := s.holds(ctx, c)
	if err != nil {
		return nil, err
	}
	if !holds {
		return nil, ErrBinding
	}
	if less != nil {
		c.Evidence = less
	}
	return s.renewed(c), nil
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
	if holds, _, err := s.holds(ctx, from); err != nil || !holds {
		return nil, err
	}
	return from, nil
}

// take gives a new case what was proved for its account's key, as far as that carries it: then it is valid when the order is made
// (RFC 8555 7.4.1, the way without ACME). What its person has taken away since adds nothing to it, and if the proof goes on for a while for all that, so does the case.
func (s *Service) take(ctx context.Context, c, from *Case) error {
	g, err := s.grounds(ctx, c)
	if err != nil {
		return err
	}
	c.Person, c.Browser, c.Started = from.Person, from.Browser, true
	now := s.now()
	before := s.writeTaken(c, from, now)
	if p := s.profileOf(c); from.Approval != nil && p != nil && p.decidedFor(c, from) {
		decided := *from.Approval
		c.Approval = &decided
	}
	c.Ending = from.Ending
	if err := s.progress(c, g, now); err != nil {
		return err
	}
	c.Ending = nil
	if c.Grant != nil && from.Grant.Expires.Before(c.Grant.Expires) { // no longer than what it rests on
		c.within(from.Grant.Expires)
	}
	if c.Grant != nil && from.Ending != nil {
		ending := *from.Ending
		c.Ending = &ending
		s.conclude(c, s.profileOf(c), ending.Reason, now)
	}
	s.writeSince(c, before, byService, now)
	if change := c.view().change(before.view); change != "" {
		c.tell(change, now)
	}
	return nil
}

// catchUp notes in a case that was opened by what was proved in another what its person has taken away meanwhile: whoever took it away may have looked at their cases
// before there was this one. The person is asked first: what is gone from their list has been noted in the other case.
func (s *Service) catchUp(ctx context.Context, c, from *Case) (*Case, error) {
	p, err := s.person(ctx, c.Person)
	if err != nil {
		return nil, err
	}
	from, err = s.get(ctx, from.ID)
	if errors.Is(err, ErrNotFound) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	taken := slices.Clone(from.Taken)
	if p != nil {
		for _, b := range p.Bindings {
			if !b.Gone.IsZero() {
				taken = append(taken, Taking{b.ID, b.Gone})
			}
		}
	}
	missed := false
	for _, t := range taken {
		if slices.ContainsFunc(c.Taken, func(have Taking) bool { return have.Address == t.Address && !t.At.After(have.At) }) {
			continue
		}
		if err := s.loseIn(ctx, c, t.Address, t.At); err != nil {
			return nil, err
		}
		missed = true
	}
	if !missed {
		return c, nil
	}
	return s.get(ctx, c.ID)
}

// mayHave says whether a key's profile is one that there is, and that the authority may have: as long as not, its keys bind nobody.
func (s *Service) mayHave(ca *Authority, k *Key) bool {
	return s.Policy.Profiles[k.Profile] != nil && ca.May(k.Profile)
}

// decidedFor says whether what people decided about a key's request is about a case of the account that it binds: not if that names a CSR
// and each is approved, or if they decided about one CSR themselves. It is about that CSR alone, then.
func (p *Profile) decidedFor(c, from *Case) bool {
	return c.CSRDigest == from.CSRDigest || from.CSRDigest == "" && !p.eachCSR()
}

// bound says what stands in the way of a case whose account is bound by a key, judged now: nothing, "frozen", "recovering" or "binding_ended"; and until
// when the key is good.
func (s *Service) bound(ctx context.Context, c *Case) (problem string, until time.Time, err error) {
	k, err := s.newest(ctx, c.EABKid) // what came in its place stands for it
	if errors.Is(err, ErrNotFound) {
		return "binding_ended", until, nil
	}
	if err != nil {
		return "", until, fmt.Errorf("look up key of case: %w", err)
	}
	if k.CA != c.CA || k.Status(s.now()) != KeyActive {
		return "binding_ended", until, nil
	}
	if _, err := s.keyGrant(ctx, k); !errors.Is(err, ErrBinding) {
		return "", k.Expires, err
	}
	if from, err := s.get(ctx, k.Case); err == nil {
		if _, _, err := s.holds(ctx, from); err != nil {
			return "", until, err
		}
		switch {
		case from.Frozen != nil:
			return "frozen", until, nil
		case !from.Held.IsZero():
			return "recovering", until, nil
		}
	}
	return "binding_ended", until, nil
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
