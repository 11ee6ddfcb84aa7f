package proofing

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"
)

// Suspension is what a recovery does to each authenticator that was the person's before it: whoever recovers an account
// has lost what they sign in with, and what is lost must be taken for stolen (SP 800-63B 6.2; SP 800-63B-4 4.3). It earns no level
// until its person, signed in by something that is not suspended, says that it is theirs still.
type Suspension struct {
	At time.Time `json:"at"`
	// Case is the session of the recovery. Who says of it "this was not me" ends what it has suspended.
	Case string `json:"case"`
	// InPerson: a representative has checked who it is. What such a recovery suspends signs nobody in.
	InPerson bool `json:"in_person,omitempty"`
}

// inPerson says whether any of the suspensions is by a recovery before a representative.
func inPerson(all []Suspension) bool {
	return slices.ContainsFunc(all, func(s Suspension) bool { return s.InPerson })
}

// Lost is an authenticator that is suspended since it spoke in a case.
type Lost struct {
	Event string    `json:"event"` // the evidence that it left
	At    time.Time `json:"at"`
}

// lostOf is which authenticators that spoke in the case are suspended, by what is known of its person. ID is Service.addressID.
func (c *Case) lostOf(p *Person, id func(Contact) string) (all []Lost) {
	if p == nil {
		return nil
	}
	for _, e := range c.Evidence {
		if !e.Contact().Channel.Authenticates() {
			continue
		}
		known := id(e.Contact())
		if i := slices.IndexFunc(p.Bindings, func(b Binding) bool { return b.ID == known }); i >= 0 && len(p.Bindings[i].Suspended) > 0 {
			all = append(all, Lost{e.ID, p.Bindings[i].Suspended[0].At})
		}
	}
	return all
}

// suspends says whether the event's authenticator is suspended.
func (c *Case) suspends(event string) bool {
	return slices.ContainsFunc(c.Lost, func(l Lost) bool { return l.Event == event })
}

// suspended says whether that is so of any event.
func (c *Case) suspended() bool { return len(c.Lost) > 0 }

// Standing is the evidence as it is to be judged: with what is known of its authenticators since.
func (c *Case) Standing() []Evidence {
	all := slices.Clone(c.Evidence)
	for i := range all {
		all[i].Suspended = c.suspends(all[i].ID)
	}
	return all
}

// rests says whether what the profile demands is no longer there without the authenticators that are suspended. It is judged as of
// the last authentication: that a level has run out since is no loss.
func (p *Profile) rests(o OperatorFacts, evidence, standing []Evidence) bool {
	var at time.Time
	for _, e := range evidence {
		if e.bound() && e.Contact().Channel.Authenticates() && e.At.After(at) {
			at = e.At
		}
	}
	return len(p.Unmet(o, at, standing)) > len(p.Unmet(o, at, evidence))
}

// heldBack says whether the case's grant authorizes nothing for now.
func (s *Service) heldBack(c *Case) bool {
	p := s.profileOf(c)
	return c.Status == CaseGranted && !c.Own() && p != nil && c.suspended() && p.rests(s.Policy.OperatorFacts, c.Evidence, c.Standing())
}

// holdBack writes down what has become of the case's authenticators, and whether its grant is held back for that.
func (s *Service) holdBack(c *Case, p *Person, now time.Time) {
	c.Lost = c.lostOf(p, s.addressID)
	switch held := s.heldBack(c); {
	case !held:
		c.Held = time.Time{}
	case c.Held.IsZero():
		c.Held = now
	}
}

// weigh brings a copy of the case up to what is known now of the authenticators that spoke in it. The person's record has the
// last word, so that nothing rests on how fast a recovery reaches the cases.
func (s *Service) weigh(ctx context.Context, c *Case) error {
	if c.Person == "" || !slices.ContainsFunc(c.Evidence, func(e Evidence) bool { return e.Contact().Channel.Authenticates() }) {
		return nil
	}
	p, err := s.person(ctx, c.Person)
	if err != nil {
		return fmt.Errorf("look up person of case: %w", err)
	}
	if p == nil { // being forgotten: until the case ends it is as it was
		return nil
	}
	s.holdBack(c, p, s.now())
	return nil
}

// applyRecovery suspends what was the person's before the recovery of a session, or gives it back if somebody has said that it was
// not them. It may be applied again, and late.
func (s *Service) applyRecovery(ctx context.Context, c *Case) error {
	if c.Recovered.IsZero() {
		return nil
	}
	if !c.takenBack() {
		if err := s.suspend(ctx, c); err != nil {
			return fmt.Errorf("suspend authenticators: %w", err)
		}
		// Whoever said so meanwhile may have found nothing to give back.
		again, err := s.get(ctx, c.ID)
		if err != nil {
			return ignoreNotFound(err)
		}
		if !again.takenBack() {
			return nil
		}
	}
	if err := s.endSuspensions(ctx, c.Person, func(by Suspension) bool { return by.Case == c.ID }); err != nil {
		return err
	}
	if c.Desk != nil {
		return nil
	}
	return s.voidCodes(ctx, c.Person, c.Recovered)
}

// voidCodes takes away the saved codes that a person had when somebody came in by one that was not theirs to use, and has seen what it was
// written on (SP 800-63B-4 4.3). What its person has made since is good.
func (s *Service) voidCodes(ctx context.Context, person string, used time.Time) error {
	_, err := s.People.Update(ctx, person, func(p *Person) error {
		if !p.RecoveryMade.After(used) {
			p.Recovery = nil
		}
		return nil
	})
	return ignoreNotFound(err)
}

// voidMadeIn takes away the saved codes that were made in a session of which somebody says that it was not them: they are in the hands of
// whoever made them, as whatever else was added in it (SP 800-63B-4 4.3).
func (s *Service) voidMadeIn(ctx context.Context, c *Case) error {
	if !c.Own() || c.Person == "" {
		return nil
	}
	_, err := s.People.Update(ctx, c.Person, func(p *Person) error {
		if p.RecoveryCase == c.ID {
			p.Recovery = nil
		}
		return nil
	})
	return ignoreNotFound(err)
}

// takenBack says whether nothing is to follow from the case, because somebody has said that it was not them, or a freeze that came from elsewhere holds or ended it.
// Whether the word was about the case itself, and stands, its Repudiated says.
func (c *Case) takenBack() bool {
	return c.Frozen != nil || !c.Repudiated.IsZero() || !c.Denied.IsZero() || c.Status.Over() && c.Reason == reasonDisowned
}

func (s *Service) suspend(ctx context.Context, c *Case) error {
	by := Suspension{At: c.Recovered, Case: c.ID, InPerson: c.Desk != nil}
	mark := func(all []Suspension) []Suspension {
		if slices.ContainsFunc(all, func(have Suspension) bool { return have.Case == by.Case }) {
			return all
		}
		return append(all, by)
	}
	before := func(b Binding) bool {
		return b.Contact.Channel.Authenticates() && !c.has(b.Event) && !b.BoundAt.After(c.Recovered)
	}
	p, err := s.People.Update(ctx, c.Person, func(p *Person) error {
		if c.Recovered.After(p.Recovered) {
			p.Recovered = c.Recovered // and two resume what they were appointed to
			p.unsettle(s.now())
		}
		fresh := false
		for i := range p.Bindings {
			if b := &p.Bindings[i]; before(*b) {
				had := len(b.Suspended)
				b.Suspended = mark(b.Suspended)
				fresh = fresh || len(b.Suspended) > had
			}
		}
		if fresh {
			p.unsettle(s.now())
			p.dismiss(ByService, s.now()) // nobody comes by that into the office of another: the operator names them anew
			if by.InPerson {
				p.Recovery = nil // who has lost everything has lost these
			}
		}
		return nil
	})
	if err != nil {
		return ignoreNotFound(err)
	}
	s.mark(SubjectPerson, p.ID[:2])
	for _, b := range p.Bindings {
		if !before(b) {
			continue
		}
		if _, err := s.Addresses.Update(ctx, b.ID, func(a *Address) error {
			if a.Person == p.ID {
				a.Suspended = mark(a.Suspended)
			}
			return nil
		}); ignoreNotFound(err) != nil {
			return err
		}
	}
	if by.InPerson { // nobody is to go on in what somebody else may have, nor in a recovery that somebody else has come in by before; one that waits goes on
		if err := s.endSessions(ctx, p.ID, "account_recovered", func(o *Case) bool {
			return o.ID != c.ID && (o.Desk == nil || !o.Desk.Used.IsZero() && o.Desk.Used.Before(c.Recovered))
		}); err != nil {
			return err
		}
	}
	return s.spreadLosses(ctx, p.ID)
}

// endSuspensions gives back what recoveries have suspended. The person's own list comes last: as long as it names a suspension
// this can be done again.
func (s *Service) endSuspensions(ctx context.Context, person string, which func(Suspension) bool) error {
	p, err := s.person(ctx, person)
	if err != nil || p == nil {
		return err
	}
	for _, b := range p.Bindings {
		if !slices.ContainsFunc(b.Suspended, which) {
			continue
		}
		if _, err := s.Addresses.Update(ctx, b.ID, func(a *Address) error {
			if a.Person == p.ID {
				a.Suspended = slices.DeleteFunc(a.Suspended, which)
			}
			return nil
		}); ignoreNotFound(err) != nil {
			return fmt.Errorf("end suspension: %w", err)
		}
	}
	if _, err := s.People.Update(ctx, person, func(p *Person) error {
		for i := range p.Bindings {
			p.Bindings[i].Suspended = slices.DeleteFunc(p.Bindings[i].Suspended, which)
		}
		return nil
	}); err != nil {
		return ignoreNotFound(err)
	}
	return s.spreadLosses(ctx, person)
}

// spreadLosses tells the requests of a person what has become of their authenticators: a grant that rests on what is suspended
// is held back, its authority is told, and one that need not be held any more is given back. What changes meanwhile is
// seen at the end, and spread too.
func (s *Service) spreadLosses(ctx context.Context, person string) error {
	p, err := s.person(ctx, person)
	for err == nil && p != nil {
		for c, err := range s.casesOfPerson(ctx, person) {
			if err != nil {
				return err
			}
			if c.Own() || c.Status.Over() || slices.Equal(c.Lost, c.lostOf(p, s.addressID)) {
				continue
			}
			g, err := s.grounds(ctx, c)
			if err != nil {
				return err
			}
			if _, err := s.update(ctx, c.ID, func(c *Case, now time.Time) error {
				if c.Status.Over() {
					return nil
				}
				s.holdBack(c, p, now)
				return s.progress(c, g, now)
			}); ignoreNotFound(err) != nil {
				return fmt.Errorf("tell request of what its person has lost: %w", err)
			}
		}
		before := p
		if p, err = s.person(ctx, person); p == nil || reflect.DeepEqual(p, before) {
			break
		}
	}
	return err
}

// Reactivate says that an authenticator which a recovery has suspended is its person's still (SP 800-63B-4 4.3). ErrNotAdmitted
// unless they have just authenticated, as strongly as they can, by something that is not suspended. Everybody hears of it.
func (s *Service) Reactivate(ctx context.Context, v Visit, binding string) error {
	session, err := s.Session(ctx, v)
	if err != nil {
		return err
	}
	if !session.Fresh {
		return ErrNotAdmitted
	}
	i := slices.IndexFunc(session.Person.Bindings, func(b Binding) bool { return b.ID == binding && len(b.Suspended) > 0 && b.Gone.IsZero() })
	if i < 0 {
		return ErrNotFound
	}
	if err := s.spendChange(ctx, session.Person); err != nil {
		return err
	}
	by := byPerson(session, v)
	if _, err := s.updateBy(ctx, by, session.Case.ID, func(c *Case, now time.Time) error {
		id := "reactivate." + binding
		if slices.ContainsFunc(c.Outbox.Effects, func(e Effect) bool { return e.ID == id }) {
			return nil
		}
		c.Reactivated = append(c.Reactivated, Reactivation{Binding: binding, Was: slices.Clone(session.Person.Bindings[i].Suspended)})
		s.notifyPerson(c, session.Person.Bindings, noticeReactivated, session.Person.Bindings[i], now)
		c.write(by, now, EntryReactivated, map[string]any{"authenticator": binding}, nil)
		c.Outbox.Effects = append(c.Outbox.Effects, Effect{ID: id, Kind: EffectReactivate, Due: now, Event: binding})
		return nil
	}); err != nil {
		return err
	}
	s.hurry(ctx, session.Case.ID)
	return nil
}

// Reactivation is what somebody has said in a session to be theirs still, and what it was suspended by.
type Reactivation struct {
	Binding string       `json:"binding"`
	Was     []Suspension `json:"was"`
}

// undoReactivations suspends again what was given back in a session of which somebody says that it was not them. It may be applied
// again, and late: a recovery that was itself disowned suspends nothing.
func (s *Service) undoReactivations(ctx context.Context, c *Case) error {
	for _, r := range c.Reactivated {
		var stands []Suspension
		for _, by := range r.Was {
			of, err := s.get(ctx, by.Case)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			if err != nil || !of.takenBack() {
				stands = append(stands, by)
			}
		}
		again := func(all []Suspension) []Suspension {
			for _, by := range stands {
				if !slices.ContainsFunc(all, func(have Suspension) bool { return have.Case == by.Case }) {
					all = append(all, by)
				}
			}
			return all
		}
		if _, err := s.People.Update(ctx, c.Person, func(p *Person) error {
			for i := range p.Bindings {
				if b := &p.Bindings[i]; b.ID == r.Binding {
					b.Suspended = again(b.Suspended)
					p.unsettle(s.now())
				}
			}
			return nil
		}); ignoreNotFound(err) != nil {
			return fmt.Errorf("suspend again: %w", err)
		}
		if _, err := s.Addresses.Update(ctx, r.Binding, func(a *Address) error {
			if a.Person == c.Person {
				a.Suspended = again(a.Suspended)
			}
			return nil
		}); ignoreNotFound(err) != nil {
			return fmt.Errorf("suspend again: %w", err)
		}
	}
	if len(c.Reactivated) == 0 {
		return nil
	}
	return s.spreadLosses(ctx, c.Person)
}

// applyReactivation applies Reactivate, unless somebody has said meanwhile that the session was not them.
func (s *Service) applyReactivation(ctx context.Context, c *Case, binding string) error {
	if err := s.reactivate(ctx, c.Person, binding); err != nil {
		return err
	}
	again, err := s.get(ctx, c.ID)
	if err != nil || !again.takenBack() {
		return ignoreNotFound(err)
	}
	return s.undoReactivations(ctx, again)
}

// reactivate gives back what a recovery has suspended.
func (s *Service) reactivate(ctx context.Context, person, binding string) error {
	if _, err := s.Addresses.Update(ctx, binding, func(a *Address) error {
		if a.Person == person {
			a.Suspended = nil
		}
		return nil
	}); ignoreNotFound(err) != nil {
		return err
	}
	if _, err := s.People.Update(ctx, person, func(p *Person) error {
		for i := range p.Bindings {
			if p.Bindings[i].ID == binding {
				p.Bindings[i].Suspended = nil
			}
		}
		return nil
	}); err != nil {
		return ignoreNotFound(err)
	}
	return s.spreadLosses(ctx, person)
}

// hurry applies effects that somebody waits for. If it fails the worker does it.
func (s *Service) hurry(ctx context.Context, id string) {
	if err := s.workCase(context.WithoutCancel(ctx), id); err != nil {
		s.Log.WarnContext(ctx, "effects wait", "case", id, "error", err)
	}
}

// StopRecovery ends the recoveries of an account by saved codes, on the word of somebody who has just authenticated by what was theirs
// before, as strongly as the account could: they have lost nothing. ErrNotAdmitted for anybody else, and
// ErrNotFound if there is none. A recovery before a representative is not ended so: a thief has what was lost.
func (s *Service) StopRecovery(ctx context.Context, v Visit) error {
	session, err := s.Session(ctx, v)
	if err != nil {
		return err
	}
	if !session.Recovering {
		return ErrNotFound
	}
	if !session.MayStop {
		return ErrNotAdmitted
	}
	recoveries := map[string]time.Time{}
	for _, b := range session.Person.Bindings {
		for _, by := range b.Suspended {
			if !by.InPerson {
				recoveries[by.Case] = by.At
			}
		}
	}
	for id, at := range recoveries {
		_, err := s.disown(ctx, byPerson(session, v), id, true)
		if errors.Is(err, ErrNotFound) { // its record is gone, and what it did is not
			err = errors.Join(s.endSuspensions(ctx, session.Person.ID, func(by Suspension) bool { return by.Case == id }), s.voidCodes(ctx, session.Person.ID, at))
		}
		if err != nil {
			return fmt.Errorf("stop recovery: %w", err)
		}
		s.hurry(ctx, id)
	}
	return nil
}

// mayStop says whether the session's person could change what is theirs if nobody had recovered the account by a saved code.
func (s *Service) mayStop(c *Case, p *Person, now time.Time) bool {
	before := *p
	before.Bindings = slices.Clone(p.Bindings)
	for i := range before.Bindings {
		b := &before.Bindings[i]
		b.Suspended = slices.DeleteFunc(slices.Clone(b.Suspended), func(by Suspension) bool { return !by.InPerson })
	}
	return s.authenticatedFor(c, &before, before.Bindings, freshFor, now)
}
