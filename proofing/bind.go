package proofing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// bind makes a confirmed address, or an authenticator that has spoken, the person's. An address belongs to whoever
// confirmed it last, and anew from then on: a number changes hands, and its new holder
// must not inherit how long the old one had it. Applying it again, or late,
// changes nothing.
//
// Whom an address was taken from stands in its record until their lists are
// put right, so that a crash between the two leaves nothing behind.
//
// Where admits says so it binds nothing.
func (s *Service) bind(ctx context.Context, c *Case, e Evidence, kept json.RawMessage) (r effected) {
	contact := e.Contact()
	if contact.Channel == "" {
		return r
	}
	if a := c.attempt(e.ID); a != nil && a.Contact.Channel == contact.Channel && a.Contact.Address == contact.Address {
		contact = a.Contact // with what pages show
	}
	id := s.addressID(contact)
	if e.bound() {
		if ended, err := s.overtaken(ctx, c, e); err != nil || ended {
			return effected{failed: err}
		}
		if e.WebAuthn.copied() {
			r = s.suspectsCopy(ctx, c.Person, id, e.ID, e.At)
		}
		r.failed = errors.Join(r.failed, s.keepUsed(ctx, c.Person, id, kept, e.At), s.learn(ctx, c.Person, id, e))
		return r
	}
	// The person's list comes first: it is the one place at which two cases that
	// bind at once meet, and nothing counts before the address itself says whose it is.
	binding := Binding{ID: id, Event: e.ID, Contact: contact, BoundAt: e.At, Facts: e}
	r, fresh := s.bindPerson(ctx, c, &binding)
	if r.failed != nil || r.unbound {
		return r
	}
	enrolled, err := s.enrolment(c, e, kept)
	if err != nil {
		return effected{failed: err}
	}
	by := author{Actor: Actor{Kind: "person"}, here: true}
	by.Actor = by.at(c)
	bound := &Address{ID: id, Person: c.Person, Event: e.ID, Contact: contact, BoundAt: e.At, Kept: kept, KeptAt: e.At, Counts: binding.Counts}
	if enrolled != nil {
		bound.write(by, s.now(), EntryEnrolled, enrolled)
	}
	err = s.Addresses.Create(ctx, id, bound)
	if errors.Is(err, ErrExists) {
		bound, err = s.Addresses.Update(ctx, id, func(a *Address) error {
			// The event that bound it may turn out to be somebody else's: Case.become.
			if a.Person != c.Person && (a.BoundAt.Before(e.At) || a.Event == e.ID) {
				if a.Person != "" {
					a.Former = append(a.Former, a.Person)
				}
				if enrolled != nil {
					a.write(by, s.now(), EntryEnrolled, enrolled)
				}
				a.Person, a.Event, a.BoundAt, a.Contact, a.Counts, a.Suspended = c.Person, e.ID, e.At, contact, binding.Counts, nil
			}
			if kept != nil && a.KeptAt.Before(e.At) {
				a.Kept, a.KeptAt = kept, e.At
			}
			return nil
		})
	}
	if err != nil {
		return effected{failed: fmt.Errorf("bind address: %w", err)}
	}
	if !bound.Journal.Logged() {
		s.mark(SubjectAuthenticator, id[:2])
	}
	if bound.Person != c.Person { // it has moved on since, or was removed
		if err := s.unlist(ctx, c.Person, id); err != nil {
			return effected{failed: err}
		}
		fresh = false
	}
	if fresh {
		r.bound = &binding
	}
	if fresh && len(r.had) > 0 {
		r.added = &binding
	}
	r.losses, r.failed = s.unbindFormer(ctx, bound)
	return r
}

// keepUsed stores what is to be kept of something that was the person's before and was used. If it is not theirs any more
// it stays so: a use that is stored late does not bring back what was removed meanwhile.
func (s *Service) keepUsed(ctx context.Context, person, id string, kept json.RawMessage, at time.Time) error {
	if kept == nil {
		return s.noteUsed(ctx, person, id, at)
	}
	_, err := s.Addresses.Update(ctx, id, func(a *Address) error {
		if a.Person == person && a.KeptAt.Before(at) {
			a.Kept, a.KeptAt = kept, at
		}
		return nil
	})
	return ignoreNotFound(err)
}

// noteUsed is keepUsed for an address, of which nothing is kept but when it was used last: where people are forgotten who do not come back (Policy.PersonRetention), and
// no more often than that asks for.
func (s *Service) noteUsed(ctx context.Context, person, id string, at time.Time) error {
	if s.Policy.PersonRetention <= 0 {
		return nil
	}
	a, err := s.Addresses.Get(ctx, id)
	if err != nil || a.Person != person || at.Sub(a.KeptAt) < usedEvery {
		return ignoreNotFound(err)
	}
	_, err = s.Addresses.Update(ctx, id, func(a *Address) error {
		if a.Person == person && a.KeptAt.Before(at) {
			a.KeptAt = at
		}
		return nil
	})
	return ignoreNotFound(err)
}

// unbindFormer takes the address from the lists of those who had it, and returns what each has lost by that: they
// must hear of it where they can still be reached.
func (s *Service) unbindFormer(ctx context.Context, a *Address) (losses []loss, err error) {
	for _, former := range a.Former {
		if former == a.Person {
			continue // theirs again
		}
		p, err := s.person(ctx, former)
		if err != nil {
			return nil, err
		}
		if p != nil {
			if i := slices.IndexFunc(p.Bindings, func(b Binding) bool { return b.ID == a.ID }); i >= 0 {
				losses = append(losses, loss{p.Bindings[i], slices.Delete(slices.Clone(p.Bindings), i, i+1)})
			}
		}
		if err := s.unlist(ctx, former, a.ID); err != nil {
			return nil, err
		}
	}
	if len(a.Former) == 0 {
		return nil, nil
	}
	done := a.Former
	_, err = s.Addresses.Update(ctx, a.ID, func(a *Address) error {
		a.Former = slices.DeleteFunc(a.Former, func(id string) bool { return slices.Contains(done, id) })
		return nil
	})
	return losses, err
}

// unlist takes an address from a person's list.
func (s *Service) unlist(ctx context.Context, person, address string) error {
	_, err := s.People.Update(ctx, person, func(p *Person) error {
		p.Bindings = slices.DeleteFunc(p.Bindings, func(b Binding) bool {
			gone := b.ID == address
			p.Parted = p.Parted || gone && b.Contact.Channel.Authenticates()
			if gone && b.Contact.Channel == ChannelPasskey {
				p.unsettle(s.now())
			}
			return gone
		})
		return nil
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("unbind from person: %w", err)
	}
	return nil
}

// bindPerson puts an address on the list of the case's person, who may be new, if
// they admit it, and says there from when on it counts; fresh says that it was this event that did so, also if it is applied again.
func (s *Service) bindPerson(ctx context.Context, c *Case, b *Binding) (r effected, fresh bool) {
	p, err := &Person{ID: c.Person, Created: s.now(), Bindings: []Binding{*b}}, ErrExists
	if !c.knew() {
		err = s.People.Create(ctx, p.ID, p)
	}
	if errors.Is(err, ErrExists) {
		p, err = s.People.Update(ctx, p.ID, func(p *Person) error {
			if r.unbound = !s.admits(c, p, b.Contact); !r.unbound {
				b.Counts = s.cools(c, p, *b)
				p.bind(*b)
			}
			return nil
		})
	}
	if errors.Is(err, ErrNotFound) { // they were forgotten
		return effected{unbound: true}, false
	}
	if err != nil {
		return effected{failed: fmt.Errorf("bind to person: %w", err)}, false
	}
	r.had = p.elsewhere(c)
	if c.Own() { // what was added in the same session is told of the next
		r.had = slices.DeleteFunc(slices.Clone(p.Bindings), func(have Binding) bool { return have.ID == b.ID })
	}
	i := slices.IndexFunc(p.Bindings, func(have Binding) bool { return have.ID == b.ID && have.Event == b.Event })
	if i >= 0 {
		b.Counts = p.Bindings[i].Counts
	}
	return r, i >= 0
}

// Release takes an address from whoever has it, and ends its row of failures: the
// next code to it binds it anew. It is for an operator who has made sure who
// asks: the way out for somebody who has lost the number that is theirs here, and who hears of it at all that they have. Whoever has it now is not to go on by it:
// sessions that it has signed in to end, and open requests that it is at work in, and grants that rest on it go the way that their profiles say. Calling it again finishes what a crash left half done; released is false if it was nobody's.
func (s *Service) Release(ctx context.Context, contact Contact) (released bool, err error) {
	known, err := s.Addresses.Get(ctx, s.addressID(contact))
	switch {
	case errors.Is(err, ErrNotFound) || err == nil && known.Person == "" && known.Withdrawn == nil:
		return false, nil
	case err != nil:
		return false, err
	case known.Person == "": // it has been told
		return true, s.withdraw(ctx, s.byOperator(), known, func(*Case) bool { return false })
	}
	// First, as everything that operators do and that no record of its own tells: what is left of a crash has told of more than was done.
	if p, err := s.People.Update(ctx, known.Person, func(p *Person) error {
		p.write(s.operator(), s.now(), EntryAddressReleased, map[string]any{"address": known.ID, "channel": string(contact.Channel)}, nil)
		return nil
	}); err == nil {
		s.mark(SubjectPerson, p.ID[:2])
		if err := s.tellPerson(ctx, p, noticeReleased, p.addressOf(known), time.Time{}); err != nil {
			return false, fmt.Errorf("release address: %w", err)
		}
	} else if !errors.Is(err, ErrNotFound) {
		return false, fmt.Errorf("release address: %w", err)
	}
	if _, err := s.endFailures(ctx, s.failureKey("", contact, known, true)); err != nil {
		return false, err
	}
	return true, s.withdraw(ctx, s.byOperator(), known, func(*Case) bool { return false })
}

// silence makes an address or authenticator speak for nobody. Its person's list has it until the caller takes it from there
// (unlist), after everything else: a crash anywhere leaves nothing behind that speaks for them, and whoever still sees it
// there can take it away again. Those who had it before are put right first, for only its record knows of them.
func (s *Service) silence(ctx context.Context, by author, person, address string) error {
	a, err := s.Addresses.Get(ctx, address)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if a != nil && a.Person == person {
		for _, former := range a.Former {
			if err := s.unlist(ctx, former, address); err != nil {
				return err
			}
		}
		return s.forget(ctx, by, a)
	}
	return nil
}
