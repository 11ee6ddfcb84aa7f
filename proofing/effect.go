package proofing

import (
	"context"
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
	said := c.said()
	_, err := s.update(ctx, c.ID, func(c *Case, now time.Time) error {
		left := c.Outbox.Effects[:0:0]
		shared := false
		for _, e := range c.Outbox.Effects { // what is not there any more was another worker's
			r, tried := results[e.ID]
			switch {
			case !tried:
				left = append(left, e)
			case r.failed == nil && (e.Kind == EffectDisown || e.Kind == EffectRevoke) && c.said().After(said):
				e.Tries, e.Due = 0, now // somebody has said so once more, of which what was done knew nothing
				left = append(left, e)
			case r.failed == nil:
				if r.unbound {
					c.Unbound = append(c.Unbound, e.Event)
				}
				if r.bound != nil {
					c.write(byService, now, EntryBound, map[string]any{"event": e.Event, "channel": string(r.bound.Contact.Channel), "authenticator": r.bound.ID}, nil)
				}
				if r.added != nil {
					s.notifyPerson(c, r.had, noticeBound, *r.added, now)
				}
				if r.copied != nil {
					c.write(byService, now, EntryCopied, map[string]any{"authenticator": r.copied.ID}, nil)
					s.notifyPerson(c, r.had, noticeCopied, *r.copied, now)
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
		if shared && c.takenBack() { // meanwhile: that must follow what was shared
			c.Outbox.disown(now)
		}
		return nil
	})
	for _, r := range results {
		if err == nil && r.copied != nil {
			errs = append(errs, s.toldOfCopy(ctx, r.copied.ID, r.copiedBy))
		}
	}
	return errors.Join(append(errs, err)...)
}

// effected is what came of an effect.
type effected struct {
	// failed is ErrFrozen for what must wait until the case is restored.
	failed error
	// unbound: the person did not admit what was to be bound.
	unbound bool
	// bound is what has become the person's.
	bound *Binding
	// copied is the passkey of which its person is to hear that there may be a copy of it.
	// CopiedBy is the use that tells of it.
	copied   *Binding
	copiedBy string
	// added is what somebody has now who had something before, and had is what.
	added *Binding
	had   []Binding // before, or what is theirs
	// losses are of those who had it until now.
	losses []loss
}

// loss is what somebody has not any more, and what is left to them.
type loss struct {
	gone Binding
	left []Binding
}

func (s *Service) applyEffect(ctx context.Context, c *Case, e Effect) (r effected) {
	switch e.Kind {
	case EffectDisown:
		return effected{failed: errors.Join(s.spreadFreeze(ctx, c), s.unbindDisowned(ctx, c), s.applyRecovery(ctx, c), s.voidMadeIn(ctx, c), s.undoReactivations(ctx, c))}
	case EffectRecover:
		return effected{failed: s.applyRecovery(ctx, c)}
	case EffectRevoke:
		return effected{failed: s.disownCertificates(ctx, c)}
	}
	if c.Status.Over() && (c.Reason == reasonDisowned || c.Reason == reasonErased) {
		return r // nothing is to follow from it
	}
	if c.Frozen != nil {
		return effected{failed: ErrFrozen}
	}
	if e.Kind == EffectReactivate {
		return effected{failed: s.applyReactivation(ctx, c, e.Event)}
	}
	if e.Kind == EffectCopied {
		return s.suspectsCopy(ctx, c.Person, e.Event, e.ID, e.At)
	}
	i := slices.IndexFunc(c.Evidence, func(ev Evidence) bool { return ev.ID == e.Event })
	if i < 0 {
		return r
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

// share gives evidence to the applicant's other open cases under the same
// profile: the person proves once and not once for each name.
func (s *Service) share(ctx context.Context, c *Case, e Evidence) error {
	if away, err := s.away(ctx, c, e); err != nil || away {
		return err
	}
	for o, err := range s.siblings(ctx, c) {
		if err != nil {
			return err
		}
		if o.Status != CaseOpen {
			continue
		}
		g, err := s.grounds(ctx, o)
		if err != nil {
			return err
		}
		_, err = s.update(ctx, o.ID, func(o *Case, now time.Time) error {
			if !o.accepts(c, e) {
				return nil
			}
			o.Browser, o.Person = c.Browser, c.Person
			o.Evidence = append(o.Evidence, e)
			o.Lost = append(o.Lost, slices.DeleteFunc(slices.Clone(c.Lost), func(l Lost) bool { return l.Event != e.ID })...)
			return s.progress(o, g, now)
		})
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("share with %s: %w", o.ID, err)
		}
		if _, err := s.overtaken(ctx, o, e); err != nil {
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

// said is when somebody last said that the case was not them, or that one was not on which it rests; zero once it is given back. It stands also where the case has ended since.
func (c *Case) said() (last time.Time) {
	for _, t := range []time.Time{c.Repudiated, c.Denied, c.frozenAt()} {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// spreadFreeze freezes the cases that evidence of this one served: who says that
// it was not them speaks of the answer, and not of one name. It may be done again, and late: what was given back since stays so.
func (s *Service) spreadFreeze(ctx context.Context, c *Case) error {
	said := c.said()
	if said.IsZero() { // it was given back before this was done
		return nil
	}
	for o, err := range s.siblings(ctx, c) {
		if err != nil {
			return err
		}
		if !o.sharesWith(c) {
			continue
		}
		_, err := s.update(ctx, o.ID, func(o *Case, _ time.Time) error {
			if o.Lifted.After(said) {
				return nil
			}
			o.freeze(Freeze{At: said, Until: said.Add(s.Policy.FreezeLifetime)})
			for _, r := range o.reaches(c) {
				if !o.Lifted.After(r.At) {
					o.repudiate(r)
				}
			}
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
