package proofing

import (
	"context"
	"slices"
)

// endUses ends what an address or authenticator of a person's is at work in that is taken from them: the sessions that it has signed in to, open
// requests, and grants that are held back since it is suspended. Grants that rest on it go the way that their profiles say (RecheckPolicy). What
// spare says is left alone. It may be called again.
func (s *Service) endUses(ctx context.Context, by author, person, address string, spare func(*Case) bool) error {
	p, err := s.person(ctx, person)
	if err != nil {
		return err
	}
	uses := func(c *Case, signedIn bool) bool {
		return !spare(c) && slices.ContainsFunc(c.Evidence, func(e Evidence) bool {
			return s.addressID(e.Contact()) == address && (!signedIn || e.Contact().Channel.Authenticates())
		})
	}
	// A grant that was held back because of a recovery is not given back by this.
	held := func(c *Case) bool {
		c.Lost = c.lostOf(p, s.addressID)
		return s.heldBack(c)
	}
	if err := s.endRequests(ctx, by, person, reasonTakenAway, func(c *Case) bool { return uses(c, false) && (c.Status != CaseGranted || held(c)) }); err != nil {
		return err
	}
	// A mailbox signs nobody in: sessions in which one was confirmed go on.
	if err := s.endSessions(ctx, person, reasonTakenAway, func(c *Case) bool { return uses(c, true) }); err != nil {
		return err
	}
	return s.lose(ctx, person, address, s.now(), spare)
}

// withdraw takes an address or authenticator from whoever has it, with all that it is at work in. Its record goes after that: as long as it is there this can be done
// again. What was begun by it meanwhile ends once it speaks for nobody.
func (s *Service) withdraw(ctx context.Context, by author, a *Address, spare func(*Case) bool) error {
	end := func() error {
		for _, person := range append(slices.Clone(a.Former), a.Person) {
			if err := s.endUses(ctx, by, person, a.ID, spare); err != nil {
				return err
			}
		}
		return nil
	}
	if err := end(); err != nil {
		return err
	}
	if err := s.release(ctx, by, a); err != nil {
		return err
	}
	return end()
}

// unbindDisowned takes back what a disowned case has bound: whoever was tricked into
// answering must not leave their address with somebody else's person, and what somebody has added in a session that was not theirs must carry
// nothing that they have opened by it since. What the case's own evidence serves is frozen, and spared: spreadFreeze.
func (s *Service) unbindDisowned(ctx context.Context, c *Case) error {
	spare := func(o *Case) bool { return o.ID == c.ID || o.sharesWith(c) }
	for _, e := range c.Evidence {
		a, err := s.address(ctx, e.Contact())
		if err != nil {
			return err
		}
		if a != nil && a.Event == e.ID {
			if err := s.withdraw(ctx, byService, a, spare); err != nil {
				return err
			}
		}
	}
	return nil
}
