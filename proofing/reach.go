package proofing

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"
)

// Whoever changes what is a person's must have authenticated as strongly as the person can (SP 800-63B 6.1.2.1; SP 800-63B-4 4.1.2.1).
// What they can follows from the most that each of their things has shown, judged by what is known today: who could do more once than
// now is not asked for what nothing reaches any more.

// reach is the AAL that the authenticator would earn now; 0 for none. List is what the newest use of a passkey tells of whether the list of
// models is overdue, which is so for all of them; nil: nobody has used one.
func (s *Service) reach(b Binding, f Framework, list *Attestation, now time.Time) int {
	if !b.Gone.IsZero() || len(b.Suspended) > 0 || now.Before(b.Counts) {
		return 0
	}
	return s.couldReach(b, f, list, now)
}

// couldReach is reach, if it were neither suspended nor removed, and had cooled.
func (s *Service) couldReach(b Binding, f Framework, list *Attestation, now time.Time) (aal int) {
	for _, e := range []Evidence{b.Facts, b.Shown} {
		for _, today := range s.today(e, b.Model, list) {
			if today.WebAuthn != nil && !b.Copied.IsZero() {
				facts := *today.WebAuthn
				facts.CloneSuspected, today.WebAuthn = true, &facts
			}
			aal = max(aal, s.earns(today, b.BoundAt, f, now))
		}
	}
	return aal
}

// everReached is the highest AAL that anything of the person's would earn, or would have earned by what was known when it was shown, if it were neither
// suspended nor removed, and had cooled.
func (s *Service) everReached(p *Person, now time.Time) (aal int) {
	for _, b := range p.Bindings {
		for _, f := range s.frameworks() {
			aal = max(aal, s.couldReach(b, f, nil, now), s.earns(b.Facts, b.BoundAt, f, now), s.earns(b.Shown, b.BoundAt, f, now))
		}
	}
	return aal
}

// today is an event with what is known now of whose word it is: by each agreement in force with its issuer, or of its model. It is nothing where nobody is
// asked any more in that way, or by that issuer.
func (s *Service) today(e Evidence, model, list *Attestation) (all []Evidence) {
	m := s.Methods[e.Method()]
	switch {
	case m == nil:
		return nil
	case e.OIDC != nil:
		a, ok := m.(Agreed)
		if !ok {
			return nil
		}
		for _, trust := range a.Agreements(e.OIDC.Issuer) {
			facts := *e.OIDC
			facts.Trust = &trust
			e.OIDC = &facts
			all = append(all, e)
		}
		return all
	case e.WebAuthn != nil:
		facts := *e.WebAuthn
		if model != nil {
			facts.Attestation = *model
		}
		if list != nil {
			facts.Attestation.MDSFresh = list.MDSFresh
		}
		e.WebAuthn = &facts
	}
	return []Evidence{e}
}

// earns is the AAL of an event of something that was bound before, as if it happened now; 0 for none.
func (s *Service) earns(e Evidence, bound time.Time, f Framework, now time.Time) int {
	e.At, e.BoundAt = now, bound
	if !bound.Before(now) {
		e.BoundAt = now.Add(-time.Millisecond)
	}
	if e.OIDC != nil {
		facts := *e.OIDC
		facts.AuthTime, e.OIDC = now, &facts
	}
	if aal := Assess(f, s.Policy.OperatorFacts, now, []Evidence{e}).AAL; aal != nil {
		return *aal
	}
	return 0
}

// strongest is the highest AAL that any of the bindings would earn now under a framework; 0 for none. List is as in reach.
func (s *Service) strongest(f Framework, have []Binding, list *Attestation, now time.Time) (aal int) {
	for _, b := range have {
		aal = max(aal, s.reach(b, f, list, now))
	}
	return aal
}

// newestList is what the newest use of a passkey tells of the list of models; nil if there is none.
func newestList(evidence []Evidence) *Attestation {
	for _, e := range slices.Backward(evidence) {
		if e.WebAuthn != nil {
			return &e.WebAuthn.Attestation
		}
	}
	return nil
}

// frameworks are those that anything here is judged by: the service's own, those of the profiles, and others that are given. People and what is theirs are the
// same under all of them.
func (s *Service) frameworks(also ...Framework) []Framework {
	all := slices.Clone(also)
	if s.Policy.Own != nil {
		all = append(all, s.Policy.Own.Framework)
	}
	for _, p := range s.Policy.Profiles {
		all = append(all, p.Framework)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// learn has what is a person's take up what a use of it shows. It may be called again, and late.
func (s *Service) learn(ctx context.Context, person, id string, e Evidence) error {
	if e.handedIn() { // nobody was there
		return nil
	}
	p, err := s.person(ctx, person)
	if err != nil || p == nil {
		return err
	}
	take := func(p *Person) (changed bool) {
		for i := range p.Bindings {
			if p.Bindings[i].ID == id {
				changed = s.teach(&p.Bindings[i], e)
			}
		}
		return changed
	}
	p.Bindings = slices.Clone(p.Bindings)
	if !take(p) {
		return nil
	}
	if _, err = s.People.Update(ctx, person, func(p *Person) error {
		take(p)
		return nil
	}); ignoreNotFound(err) != nil {
		return fmt.Errorf("keep what a use has shown: %w", err)
	}
	return nil
}

// teach has a binding take up what a use of it shows: what is known of its model by then, and what it can do, if that is more than it has
// shown. What it does not do this time it can do still: whoever has half of it does not make it less.
func (s *Service) teach(b *Binding, e Evidence) (changed bool) {
	if e.WebAuthn != nil && e.At.After(b.ModelAt) {
		known, model := b.model(), e.WebAuthn.Attestation
		model.MDSFresh = model.MDSFresh || known.MDSFresh // which is not the model's
		if !reflect.DeepEqual(known, model) {
			b.Model, b.ModelAt, changed = &model, e.At, true
		}
	}
	use := *b
	use.Facts, use.Shown = e, Evidence{}
	for _, f := range s.frameworks() {
		if s.couldReach(use, f, nil, e.At) > s.couldReach(*b, f, nil, e.At) {
			b.Shown = e
			return true
		}
	}
	return changed
}

// model is what is known of a passkey's model.
func (b *Binding) model() (known Attestation) {
	switch {
	case b.Model != nil:
		return *b.Model
	case b.Facts.WebAuthn != nil:
		return b.Facts.WebAuthn.Attestation
	}
	return known
}
