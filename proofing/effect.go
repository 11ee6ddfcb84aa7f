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
		default:
			have := &c.Outbox.Effects[i]
			have.Tries++
			have.Due = now.Add(backoff(have.Tries)).Truncate(time.Millisecond)
		}
		return nil
	})
	return errors.Join(failed, err)
}

func (s *Service) applyEffect(ctx context.Context, c *Case, e Effect) (err error) {
	i := slices.IndexFunc(c.Evidence, func(ev Evidence) bool { return ev.ID == e.Event })
	if i < 0 {
		return nil
	}
	switch e.Kind {
	case EffectBind:
		err = s.bind(ctx, c, c.Evidence[i])
	case EffectShare:
		err = s.share(ctx, c, c.Evidence[i])
	}
	if err != nil {
		return fmt.Errorf("effect %s: %w", e.Kind, err)
	}
	return nil
}

// bind makes a confirmed address the person's. An address belongs to whoever
// confirmed it last, and anew from then on: a number changes hands, and its new holder must
// not inherit how long the old one had it. Applying it again, or late, changes nothing.
func (s *Service) bind(ctx context.Context, c *Case, e Evidence) error {
	contact := Contact{Channel: e.Confirms(), Address: e.AddressOrNumber(), LineType: e.LineType}
	if contact.Channel == "" {
		return nil
	}
	id := s.addressID(contact)
	bound := &Address{ID: id, Person: c.Person, Event: e.ID, Contact: contact, BoundAt: e.At}
	before := ""
	err := s.Addresses.Create(ctx, id, bound)
	if errors.Is(err, ErrExists) {
		bound, err = s.Addresses.Update(ctx, id, func(a *Address) error {
			before = ""
			if a.Person != c.Person && a.BoundAt.Before(e.At) {
				before = a.Person
				a.Person, a.Event, a.BoundAt, a.Contact = c.Person, e.ID, e.At, contact
			}
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("bind address: %w", err)
	}
	if before != "" {
		_, err := s.People.Update(ctx, before, func(p *Person) error {
			p.Bindings = slices.DeleteFunc(p.Bindings, func(b Binding) bool { return b.ID == id })
			return nil
		})
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("unbind from former person: %w", err)
		}
	}
	if bound.Person != c.Person {
		return nil // it has moved on since
	}
	return s.bindPerson(ctx, c.Person, Binding{ID: id, Event: bound.Event, Contact: bound.Contact, BoundAt: bound.BoundAt})
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
	if c.Frozen != nil {
		return nil // it is in doubt who gave it
	}
	siblings, err := s.Siblings(ctx, c)
	if err != nil {
		return err
	}
	for _, o := range siblings {
		if o.Status != CaseOpen {
			continue
		}
		entry, err := s.registryEntry(ctx, o)
		if err != nil {
			return err
		}
		_, err = s.update(ctx, o.ID, func(o *Case, now time.Time) error {
			if o.workable(c.Browser) != nil || len(o.Evidence) >= maxEvidence || slices.ContainsFunc(o.Evidence, func(have Evidence) bool { return have.ID == e.ID }) {
				return nil
			}
			if own := o.Offered(e.Confirms()); own != nil && own.Address != e.AddressOrNumber() {
				return nil // this case may only be proved at another address
			}
			if err := o.claim(c.Browser); err != nil {
				return nil
			}
			if o.Person == "" {
				o.Person = c.Person
			}
			if o.Person != c.Person {
				return nil
			}
			o.Evidence = append(o.Evidence, e)
			return s.progress(o, entry, now)
		})
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("share with %s: %w", o.ID, err)
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
