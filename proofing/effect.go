package proofing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// workEffects applies what effects are due to other records, and then takes all of them off the case in
// one update. One that fails holds up no other and is tried again, later each time.
func (s *Service) workEffects(ctx context.Context, c *Case, now time.Time) error {
	results := map[string]effected{}
	var errs []error
	for _, e := range c.Outbox.Effects {
		if e.Due.After(now) {
			continue
		}
		r := s.applyEffect(ctx, c, e)
		results[e.ID] = r
		if r.failed != nil && !errors.Is(r.failed, ErrFrozen) {
			errs = append(errs, r.failed)
		}
	}
	if len(results) == 0 {
		return nil
	}
	_, err := s.update(ctx, c.ID, func(c *Case, now time.Time) error {
		left := c.Outbox.Effects[:0:0]
		shared := false
		for _, e := range c.Outbox.Effects { // what is not there any more was another worker's
			r, tried := results[e.ID]
			switch {
			case !tried:
				left = append(left, e)
			case r.failed == nil:
				if r.unbound {
					c.Unbound = append(c.Unbound, e.Event)
				}
				if r.added != nil {
					s.notifyPerson(c, r.had, noticeBound, *r.added, now)
				}
				for _, loss := range r.losses {
					s.notifyPerson(c, loss.left, noticeRemoved, loss.gone, now)
				}
				shared = shared || e.Kind == EffectShare
			case errors.Is(r.failed, ErrFrozen):
				if c.Frozen != nil { // or somebody has restored it since
					e.Due = c.Frozen.Until
				}
				left = append(left, e)
			default:
				e.Tries++
				e.Due = now.Add(backoff(e.Tries)).Truncate(time.Millisecond)
				left = append(left, e)
			}
		}
		c.Outbox.Effects = left
		if shared && c.Frozen != nil { // meanwhile: it must follow what was shared
			c.Outbox.disown(now)
		}
		return nil
	})
	return errors.Join(append(errs, err)...)
}

// effected is what came of an effect.
type effected struct {
	// failed is ErrFrozen for what must wait until the case is restored.
	failed error
	// unbound: the person did not admit what was to be bound.
	unbound bool
	// added is what somebody has now who had something before, and had is what.
	added *Binding
	had   []Binding
	// losses are of those who had it until now.
	losses []loss
}

// loss is what somebody has not any more, and what is left to them.
type loss struct {
	gone Binding
	left []Binding
}

func (s *Service) applyEffect(ctx context.Context, c *Case, e Effect) (r effected) {
	if e.Kind == EffectDisown {
		return effected{failed: errors.Join(s.spreadFreeze(ctx, c), s.unbindDisowned(ctx, c))}
	}
	if c.Status.Over() && (c.Reason == reasonDisowned || c.Reason == reasonErased) {
		return r // nothing is to follow from it
	}
	i := slices.IndexFunc(c.Evidence, func(ev Evidence) bool { return ev.ID == e.Event })
	if i < 0 {
		return r
	}
	if c.Frozen != nil {
		return effected{failed: ErrFrozen}
	}
	switch e.Kind {
	case EffectBind:
		r = s.bind(ctx, c, c.Evidence[i], e.Kept)
	case EffectShare:
		r.failed = s.share(ctx, c, c.Evidence[i])
	}
	if r.failed != nil {
		r.failed = fmt.Errorf("effect %s: %w", e.Kind, r.failed)
	}
	return r
}

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
		return effected{failed: s.spoke(ctx, c, id, e, kept)}
	}
	// The person's list comes first: it is the one place at which two cases that
	// bind at once meet, and nothing counts before the address itself says whose it is.
	binding := Binding{ID: id, Event: e.ID, Contact: contact, BoundAt: e.At, Facts: e}
	if c.recovered(e.At) {
		binding.Counts = e.At.Add(s.Policy.Cooling)
	}
	r, fresh := s.bindPerson(ctx, c, binding)
	if r.failed != nil || r.unbound {
		return r
	}
	bound := &Address{ID: id, Person: c.Person, Event: e.ID, Contact: contact, BoundAt: e.At, Kept: kept, KeptAt: e.At, Counts: binding.Counts}
	err := s.Addresses.Create(ctx, id, bound)
	if errors.Is(err, ErrExists) {
		bound, err = s.Addresses.Update(ctx, id, func(a *Address) error {
			// The event that bound it may turn out to be somebody else's: Case.become.
			if a.Person != c.Person && (a.BoundAt.Before(e.At) || a.Event == e.ID) {
				a.Former = append(a.Former, a.Person)
				a.Person, a.Event, a.BoundAt, a.Contact, a.Counts = c.Person, e.ID, e.At, contact, binding.Counts
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
	if bound.Person != c.Person { // it has moved on since
		if err := s.unlist(ctx, c.Person, id); err != nil {
			return effected{failed: err}
		}
		fresh = false
	}
	if fresh && len(r.had) > 0 {
		r.added = &binding
	}
	r.losses, r.failed = s.unbindFormer(ctx, bound)
	return r
}

// spoke stores what is to be kept of something that was the person's before. If it is not theirs any more
// it stays so: a use that is stored late does not bring back what was removed meanwhile.
func (s *Service) spoke(ctx context.Context, c *Case, id string, e Evidence, kept json.RawMessage) error {
	if kept == nil {
		return nil
	}
	_, err := s.Addresses.Update(ctx, id, func(a *Address) error {
		if a.Person == c.Person && a.KeptAt.Before(e.At) {
			a.Kept, a.KeptAt = kept, e.At
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
		p.Bindings = slices.DeleteFunc(p.Bindings, func(b Binding) bool { return b.ID == address })
		return nil
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("unbind from person: %w", err)
	}
	return nil
}

// bindPerson puts an address on the list of the case's person, who may be new, if
// they admit it; fresh says that it was this event that did so, also if it is applied again.
func (s *Service) bindPerson(ctx context.Context, c *Case, b Binding) (r effected, fresh bool) {
	p := &Person{ID: c.Person, Created: s.now(), Bindings: []Binding{b}}
	err := s.People.Create(ctx, p.ID, p)
	if errors.Is(err, ErrExists) {
		p, err = s.People.Update(ctx, p.ID, func(p *Person) error {
			if r.unbound = !s.admits(c, p, b.Contact); !r.unbound {
				p.bind(b)
			}
			return nil
		})
	}
	if err != nil {
		return effected{failed: fmt.Errorf("bind to person: %w", err)}, false
	}
	r.had = p.elsewhere(c)
	if c.Own() { // what was added in the same session is told of the next
		r.had = slices.DeleteFunc(slices.Clone(p.Bindings), func(have Binding) bool { return have.ID == b.ID })
	}
	return r, slices.ContainsFunc(p.Bindings, func(have Binding) bool { return have.ID == b.ID && have.Event == b.Event })
}

// Release takes an address from whoever has it, and ends its row of failures: the
// next code to it binds it anew. It is for an operator who has made sure who
// asks: the way out for somebody who has lost the number that is theirs here. Calling
// it again finishes what a crash left half done; released is false if it was nobody's.
func (s *Service) Release(ctx context.Context, contact Contact) (released bool, err error) {
	known, err := s.address(ctx, contact)
	if err != nil || known == nil {
		return false, err
	}
	if _, err := s.endFailures(ctx, s.failureKey("", contact, known, true)); err != nil {
		return false, err
	}
	return true, s.release(ctx, known)
}

func (s *Service) release(ctx context.Context, a *Address) error {
	for _, person := range append(a.Former, a.Person) {
		if err := s.unlist(ctx, person, a.ID); err != nil {
			return err
		}
	}
	if err := s.Addresses.Delete(ctx, a.ID); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("release address: %w", err)
	}
	return nil
}

// unbindDisowned takes back what a disowned case has bound: whoever was tricked into
// answering must not leave their address with somebody else's person.
func (s *Service) unbindDisowned(ctx context.Context, c *Case) error {
	for _, e := range c.Evidence {
		a, err := s.address(ctx, e.Contact())
		if err != nil {
			return err
		}
		if a != nil && a.Event == e.ID {
			if err := s.release(ctx, a); err != nil {
				return err
			}
		}
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
// the same browser and by the same person if it has any, and may be proved at that address, or by that issuer.
func (c *Case) accepts(from *Case, e Evidence) bool {
	if c.workable(from.Browser) != nil || c.Person != "" && c.Person != from.Person || len(c.Evidence) >= maxEvidence {
		return false
	}
	if e.OIDC != nil && !e.OIDC.Trust.SpeaksFor(c.Identifier) {
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
		Fingerprint: c.Applicant.Fingerprint(), Operator: s.Policy.Operator, Contact: s.Policy.Contact, Origin: s.Policy.Origin,
	}
	if p := s.profileOf(c); p != nil {
		m.Profile = p.Title
	}
	if c.Own() { // what somebody signs in to is this site
		_, m.Identifier, _ = strings.Cut(s.Policy.Origin, "://")
	}
	return m
}

func (s *Service) profileOf(c *Case) *Profile {
	if c.Own() {
		return s.Policy.Own
	}
	return s.Policy.Profiles[c.Profile]
}

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
