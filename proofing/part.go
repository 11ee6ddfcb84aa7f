package proofing

import (
	"context"
	"fmt"
	"slices"
	"time"
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

// withdraw takes an address or authenticator from whoever has it, with all that it is at work in. First it speaks for nobody, so that what begins by it from then on is ended by
// itself (overtaken); what has begun before is found here. Its record says from whom it was taken until all of that is done: as long as it does, this can be done again.
// Whoever binds it to themselves meanwhile has it.
func (s *Service) withdraw(ctx context.Context, by author, a *Address, spare func(*Case) bool) error {
	left := a.Withdrawn
	if a.Person != "" {
		left = &Withdrawal{Event: a.Event, Persons: append(slices.Clone(a.Former), a.Person)}
		if a.Withdrawn != nil { // and a crash has left something of whoever had it before
			left.Persons = union(left.Persons, a.Withdrawn.Persons)
		}
		now, err := s.unowned(ctx, by, a, left)
		if err != nil || now == nil {
			return err
		}
		a = now
	}
	if left == nil {
		return nil
	}
	for _, person := range left.Persons {
		if err := s.endUses(ctx, by, person, a.ID, spare); err != nil {
			return err
		}
	}
	for _, person := range left.Persons {
		if person == a.Person {
			continue // theirs again
		}
		if err := s.unlist(ctx, person, a.ID); err != nil {
			return err
		}
	}
	_, err := s.Addresses.Update(ctx, a.ID, func(a *Address) error {
		if a.Withdrawn != nil && a.Withdrawn.Event == left.Event {
			a.Withdrawn = nil
			a.Gone = a.unused()
		}
		return nil
	})
	if ignoreNotFound(err) != nil {
		return fmt.Errorf("note that an address is nobody's: %w", err)
	}
	return nil
}

// away says whether what has spoken in a case by something that was its person's before was taken away from them since. A number may change hands, and what was proved by
// it before stays proved; anything else is its person's for good.
func (s *Service) away(ctx context.Context, c *Case, e Evidence) (bool, error) {
	k := e.Contact()
	if !e.bound() || !k.Channel.Authenticates() {
		return false, nil
	}
	a, err := s.address(ctx, k)
	switch {
	case err != nil:
		return false, fmt.Errorf("look again at what has spoken: %w", err)
	case a == nil, c.Own() && inPerson(a.Suspended): // that signs nobody in
		return true, nil
	}
	return !k.Channel.Reached() && (a.Person != c.Person || !a.BoundAt.Equal(e.BoundAt)), nil
}

// overtaken looks once more at the record of what has spoken in a case, after that is stored there, and ends what the case has by it if it was taken away
// meanwhile. What is taken away first speaks for nobody (forget), and then its person's cases are looked through: so whichever of a use and a removal comes second
// finds the other. It may be called again, and late: what a removal has found it leaves as that has left it.
func (s *Service) overtaken(ctx context.Context, c *Case, e Evidence) (ended bool, err error) {
	if away, err := s.away(ctx, c, e); err != nil || !away {
		return false, err
	}
	id := s.addressID(e.Contact())
	_, err = s.update(ctx, c.ID, func(c *Case, now time.Time) error {
		ended = !c.Status.Over() && c.has(e.ID) && !slices.ContainsFunc(c.Taken, func(t Taking) bool { return t.Address == id && !e.At.After(t.At) })
		if !ended {
			return nil
		}
		c.take(id, now)
		s.takeFrom(c, now)
		return nil
	})
	if ignoreNotFound(err) != nil {
		return false, fmt.Errorf("end what was begun by something that was taken away: %w", err)
	}
	return ended, nil
}

// takeFrom ends a case at once in which something has spoken that its person did not have, or has not any more.
func (s *Service) takeFrom(c *Case, now time.Time) {
	c.withhold()
	c.Ending = nil
	switch {
	case c.Own():
		c.end(CaseWithdrawn, reasonTakenAway, now, s.retention(c))
	case c.Status == CaseGranted:
		c.end(CaseRevoked, reasonTakenAway, now, s.retention(c))
		s.notifyEnding(c, "ended", now)
	default:
		c.end(CaseRefused, reasonTakenAway, now, s.retention(c))
	}
}

// boundBy says whether an event has bound the address to whoever has it, or had it until it was taken from them, which is not done yet.
func (a *Address) boundBy(event string) bool {
	return a.Person != "" && a.Event == event || a.Withdrawn != nil && a.Withdrawn.Event == event
}

// unbindDisowned takes back what a disowned case has bound: whoever was tricked into
// answering must not leave their address with somebody else's person, and what somebody has added in a session that was not theirs must carry
// nothing that they have opened by it since. What the case's own evidence serves is frozen, and spared: spreadFreeze.
func (s *Service) unbindDisowned(ctx context.Context, c *Case) error {
	spare := func(o *Case) bool { return o.ID == c.ID || o.sharesWith(c) }
	// First, so that nothing begins a grace, and once more for what was granted until nothing of it speaks.
	if err := s.endThefts(ctx, c, spare); err != nil {
		return err
	}
	for _, e := range c.Evidence {
		a, err := s.Addresses.Get(ctx, s.addressID(e.Contact()))
		if ignoreNotFound(err) != nil {
			return err
		}
		if err == nil && a.boundBy(e.ID) {
			if err := s.withdraw(ctx, byService, a, spare); err != nil {
				return err
			}
		}
	}
	return s.endThefts(ctx, c, spare)
}

// endThefts ends the grants for which something has spoken that a disowned case has bound, whatever else was proved for them and whatever grace their profiles give: it
// was never its person's, so that it is no loss of theirs (SP 800-63B 6.2; SP 800-63B-4 4.3) but another's word, and whoever gave that sat before the request. So it is also
// if its person has removed it before they said so. It may be called again.
func (s *Service) endThefts(ctx context.Context, c *Case, spare func(*Case) bool) error {
	bound := slices.DeleteFunc(slices.Clone(c.Evidence), func(e Evidence) bool { return e.bound() || !e.Contact().Channel.Authenticates() })
	if c.Person == "" || len(bound) == 0 {
		return nil
	}
	// What speaks by a binding names when that was made.
	stolen := func(o *Case) (of []string) {
		for _, e := range o.Evidence {
			k := e.Contact()
			if slices.ContainsFunc(bound, func(b Evidence) bool {
				have := b.Contact()
				return e.bound() && e.BoundAt.Equal(b.At) && k.Channel == have.Channel && k.Address == have.Address
			}) {
				of = append(of, s.addressID(k))
			}
		}
		return of
	}
	for o, err := range s.casesOfPerson(ctx, c.Person) {
		if err != nil {
			return err
		}
		if o.Own() || o.Status != CaseGranted || spare(o) || len(stolen(o)) == 0 {
			continue
		}
		if _, err := s.update(ctx, o.ID, func(o *Case, now time.Time) error {
			if o.Status != CaseGranted {
				return nil
			}
			for _, id := range stolen(o) {
				o.take(id, now)
			}
			s.takeFrom(o, now)
			return nil
		}); ignoreNotFound(err) != nil {
			return fmt.Errorf("end what was won by something that was not theirs: %w", err)
		}
	}
	return nil
}
