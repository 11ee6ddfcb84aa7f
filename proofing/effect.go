package proofing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// workEffect applies one effect to other records and then takes it off the case.
// One that fails is tried again, later each time.
func (s *Service) workEffect(ctx context.Context, c *Case, e Effect) error {
	failed := s.applyEffect(ctx, c, e)
	_, err := s.update(ctx, c.ID, func(c *Case, now time.Time) error {
		i := slices.IndexFunc(c.Outbox.Effects, func(have Effect) bool { return have.ID == e.ID })
		switch {
		case i < 0: // another worker was first
		case failed == nil:
			c.Outbox.Effects = slices.Delete(c.Outbox.Effects, i, i+1)
			if e.Kind == EffectShare && c.Frozen != nil { // meanwhile: it must follow what was shared
				c.Outbox.disown(now)
			}
		case errors.Is(failed, ErrFrozen):
			if c.Frozen != nil { // or somebody has restored it since
				c.Outbox.Effects[i].Due = c.Frozen.Until
			}
			failed = nil
		default:
			have := &c.Outbox.Effects[i]
			have.Tries++
			have.Due = now.Add(backoff(have.Tries)).Truncate(time.Millisecond)
		}
		return nil
	})
	return errors.Join(failed, err)
}

// applyEffect returns ErrFrozen for what must wait until the case is restored.
func (s *Service) applyEffect(ctx context.Context, c *Case, e Effect) (err error) {
	if e.Kind == EffectDisown {
		return s.spreadFreeze(ctx, c)
	}
	i := slices.IndexFunc(c.Evidence, func(ev Evidence) bool { return ev.ID == e.Event })
	if i < 0 {
		return nil
	}
	switch e.Kind {
	case EffectBind:
		err = s.bind(ctx, c, c.Evidence[i])
	case EffectShare:
		if c.Frozen != nil {
			return ErrFrozen
		}
		err = s.share(ctx, c, c.Evidence[i])
	}
	if err != nil {
		return fmt.Errorf("effect %s: %w", e.Kind, err)
	}
	return nil
}

// bind makes a confirmed address the person's. An address belongs to whoever
// confirmed it last, and anew from then on: a number changes hands, and its new holder
// must not inherit how long the old one had it. Applying it again, or late,
// changes nothing.
//
// Whom an address was taken from stands in its record until their lists are
// put right, so that a crash between the two leaves nothing behind.
func (s *Service) bind(ctx context.Context, c *Case, e Evidence) error {
	contact := Contact{Channel: e.Confirms(), Address: e.AddressOrNumber(), LineType: e.LineType}
	if contact.Channel == "" {
		return nil
	}
	id := s.addressID(contact)
	bound := &Address{ID: id, Person: c.Person, Event: e.ID, Contact: contact, BoundAt: e.At}
	err := s.Addresses.Create(ctx, id, bound)
	if errors.Is(err, ErrExists) {
		bound, err = s.Addresses.Update(ctx, id, func(a *Address) error {
			if a.Person != c.Person && a.BoundAt.Before(e.At) {
				a.Former = append(a.Former, a.Person)
				a.Person, a.Event, a.BoundAt, a.Contact = c.Person, e.ID, e.At, contact
			}
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("bind address: %w", err)
	}
	if bound.Person == c.Person { // it has not moved on since
		if err := s.bindPerson(ctx, c.Person, Binding{ID: id, Event: bound.Event, Contact: bound.Contact, BoundAt: bound.BoundAt}); err != nil {
			return err
		}
	}
	return s.unbindFormer(ctx, bound)
}

// unbindFormer takes the address from the lists of those who had it.
func (s *Service) unbindFormer(ctx context.Context, a *Address) error {
	for _, former := range a.Former {
		if former == a.Person {
			continue // theirs again
		}
		_, err := s.People.Update(ctx, former, func(p *Person) error {
			p.Bindings = slices.DeleteFunc(p.Bindings, func(b Binding) bool { return b.ID == a.ID })
			return nil
		})
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("unbind from former person: %w", err)
		}
	}
	if len(a.Former) == 0 {
		return nil
	}
	done := a.Former
	_, err := s.Addresses.Update(ctx, a.ID, func(a *Address) error {
		a.Former = slices.DeleteFunc(a.Former, func(id string) bool { return slices.Contains(done, id) })
		return nil
	})
	return err
}

func (s *Service) bindPerson(ctx context.Context, id string, b Binding) error {
	p := &Person{ID: id, Created: s.now(), Bindings: []Binding{b}}
	err := s.People.Create(ctx, id, p)
	if errors.Is(err, ErrExists) {
		_, err = s.People.Update(ctx, id, func(p *Person) error { p.bind(b); return nil })
	}
	if err != nil {
		return fmt.Errorf("bind to person: %w", err)
	}
	return nil
}

// share gives evidence to the applicant's other open cases under the same
// profile: the person proves once and not once for each name.
func (s *Service) share(ctx context.Context, c *Case, e Evidence) error {
	for o, err := range s.siblings(ctx, c) {
		if err != nil {
			return err
		}
		if o.Status != CaseOpen {
			continue
		}
		entry, err := s.registryEntry(ctx, o)
		if err != nil {
			return err
		}
		_, err = s.update(ctx, o.ID, func(o *Case, now time.Time) error {
			if !o.accepts(c, e) {
				return nil
			}
			o.Browser, o.Person = c.Browser, c.Person
			o.Evidence = append(o.Evidence, e)
			return s.progress(o, entry, now)
		})
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("share with %s: %w", o.ID, err)
		}
	}
	return nil
}

// accepts says whether evidence of another case may serve this one: it is at work, in
// the same browser and by the same person if it has any, and may be proved at that address.
func (c *Case) accepts(from *Case, e Evidence) bool {
	if c.workable(from.Browser) != nil || c.Person != "" && c.Person != from.Person || len(c.Evidence) >= maxEvidence {
		return false
	}
	own := c.Offered(e.Confirms())
	return (own == nil || own.Address == e.AddressOrNumber()) && !c.has(e.ID)
}

// has says whether the event is among the case's evidence.
func (c *Case) has(event string) bool {
	return slices.ContainsFunc(c.Evidence, func(e Evidence) bool { return e.ID == event })
}

// spreadFreeze freezes the cases that evidence of this one served: who says that
// it was not them speaks of the answer, and not of one name.
func (s *Service) spreadFreeze(ctx context.Context, c *Case) error {
	for o, err := range s.siblings(ctx, c) {
		if err != nil {
			return err
		}
		if c.Frozen == nil || o.Frozen != nil || !slices.ContainsFunc(c.Evidence, func(e Evidence) bool { return o.has(e.ID) }) {
			continue
		}
		_, err := s.update(ctx, o.ID, func(o *Case, _ time.Time) error {
			o.freeze(*c.Frozen)
			return nil
		})
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("freeze %s: %w", o.ID, err)
		}
	}
	return nil
}

// cutRef takes a message id apart into the case's id and the rest.
func cutRef(message string) (id, rest string, ok bool) {
	id, rest, ok = strings.Cut(message, ".")
	if _, isID := IDBucket(id); !isID {
		return "", "", false
	}
	return id, rest, ok
}

// messageContext is what a message says of the case.
func (s *Service) messageContext(c *Case) MessageContext {
	m := MessageContext{
		CA: c.CATitle, Identifier: c.Identifier.Value, Profile: c.Profile,
		Fingerprint: c.Applicant.Fingerprint(), Operator: s.Policy.Operator, Origin: s.Policy.Origin,
	}
	if p := s.profileOf(c); p != nil {
		m.Profile = p.Title
	}
	return m
}

func (s *Service) profileOf(c *Case) *Profile { return s.Policy.Profiles[c.Profile] }

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
