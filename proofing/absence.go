package proofing

import (
	"context"
	"fmt"
	"time"
)

const (
	// absenceLook is how often it is looked whether a person has been here: less than the record of a session stays, so that no visit is missed. A request may be kept
	// for less: of its visits the records of addresses and authenticators tell, and usedEvery is how exactly.
	absenceLook = 20 * 24 * time.Hour
	usedEvery   = 24 * time.Hour
	// absenceWarning is how long before they are forgotten a person is told.
	absenceWarning = 30 * 24 * time.Hour
	// noticeForgetting warns a person that they will be forgotten.
	noticeForgetting = "forgetting"
)

// Absence is what is known of when a person was here last. It is written by the looks alone, so that what people do
// costs no write of it.
type Absence struct {
	Seen   time.Time `json:"seen,omitzero"`   // when they were here last, or something needed them
	Looked time.Time `json:"looked,omitzero"` // when that was looked at
	Due    time.Time `json:"due,omitzero"`    // when it is again
	Warned time.Time `json:"warned,omitzero"` // when they were told
	// Lapsing says of somebody who is being forgotten that it is looked once more whether they were here.
	Lapsing bool `json:"lapsing,omitempty"`
}

// lookAt is when it is looked whether the person has been here.
func (p *Person) lookAt() time.Time {
	if p.Absence.Due.IsZero() {
		return p.Created.Add(absenceLook)
	}
	return p.Absence.Due
}

// needed says whether a person may not be forgotten unless they ask, and here when they were here last as far as records tell. Roles, also those that have
// ended, are part of what certificates rest on; requests that wait and grants are at work.
func (s *Service) needed(ctx context.Context, p *Person) (here time.Time, needed bool, err error) {
	here = p.Created
	if p.Representative != nil {
		needed = true
	}
	held, err := s.appointments(ctx, "person", p.ID)
	if err != nil {
		return here, false, err
	}
	needed = needed || len(held) > 0
	for _, b := range p.Bindings {
		here = latest(here, b.BoundAt)
		a, err := s.Addresses.Get(ctx, b.ID)
		if ignoreNotFound(err) != nil {
			return here, false, err
		}
		if err == nil && a.Person == p.ID {
			here = latest(here, a.KeptAt)
		}
	}
	for c, err := range s.casesOfPerson(ctx, p.ID) {
		if err != nil {
			return here, false, err
		}
		if c.Reason == reasonTold {
			continue // it told them something
		}
		c.lapse(s.now(), s.retention(c))
		here = latest(here, latest(c.Created, c.Seen))
		if !c.Own() {
			here = latest(here, c.Changed) // until it was over it needed them
		}
		needed = needed || !c.Own() && (!c.Status.Over() || s.now().Before(c.Keep))
	}
	keys, err := s.PersonKeys(ctx, p.ID)
	if err != nil {
		return here, false, err
	}
	for _, k := range keys {
		needed = needed || k.Status(s.now()) == KeyActive
	}
	return here, needed, nil
}

// workPerson forgets a person who has not been here for as long as the policy says (GDPR Article 5 (1) (e)), after a month in which every address of theirs
// knew of it. What a crash left half done the next look finishes.
func (s *Service) workPerson(ctx context.Context, id string) error {
	p, err := s.People.Get(ctx, id)
	if err != nil {
		return ignoreNotFound(err)
	}
	if p.Absence.Lapsing {
		return s.lapsePerson(ctx, p)
	}
	if !p.Going.IsZero() { // whoever began it: it is finished here
		return s.erase(ctx, byService, p)
	}
	if p, err = s.settlePerson(ctx, p); err != nil {
		return ignoreNotFound(err)
	}
	now, a := s.now(), p.Absence
	if s.Policy.PersonRetention <= 0 || now.Before(p.lookAt()) {
		return nil
	}
	here, needed, err := s.needed(ctx, p)
	if err != nil {
		return err
	}
	// Where nobody has looked for longer than a session's record stays, they may have been here without a trace.
	if blind := now.Sub(latest(a.Looked, p.Created)) > ownRetention; needed || blind {
		here = now
	}
	if a.Seen, a.Looked = latest(a.Seen, here), now; !a.Warned.After(a.Seen) {
		a.Warned = time.Time{}
	}
	until := latest(a.Seen.Add(s.Policy.PersonRetention), a.Warned.Add(absenceWarning))
	switch {
	case !a.Warned.IsZero() && !now.Before(until):
		p, err := s.People.Update(ctx, id, func(p *Person) error {
			if p.Going.IsZero() {
				p.Going, p.Absence.Seen, p.Absence.Lapsing = now, a.Seen, true
			}
			return nil
		})
		if err != nil || !p.Absence.Lapsing {
			return ignoreNotFound(err)
		}
		return s.lapsePerson(ctx, p)
	case a.Warned.IsZero() && !now.Before(until.Add(-absenceWarning)):
		until = latest(until, now.Add(absenceWarning))
		if err := s.tellPerson(ctx, p, noticeForgetting, Binding{}, until); err != nil {
			return err
		}
		a.Warned = now
	case a.Warned.IsZero():
		until = until.Add(-absenceWarning)
	}
	a.Due = now.Add(absenceLook)
	if until.Before(a.Due) {
		a.Due = until
	}
	_, err = s.People.Update(ctx, id, func(p *Person) error { p.Absence = a; return nil })
	return ignoreNotFound(err)
}

// lapsePerson forgets somebody who has not come back. They are Going already, so that nobody signs in as them any more, and whoever has done so since it was looked
// last is seen now: then they stay.
func (s *Service) lapsePerson(ctx context.Context, p *Person) error {
	here, needed, err := s.needed(ctx, p)
	if err != nil {
		return err
	}
	if needed || here.After(p.Absence.Seen) {
		_, err := s.People.Update(ctx, p.ID, func(p *Person) error {
			if p.Absence.Lapsing { // or the operator was asked to forget them meanwhile
				p.Going, p.Absence.Lapsing = time.Time{}, false
			}
			return nil
		})
		return ignoreNotFound(err)
	}
	if err := s.tellPerson(ctx, p, noticeErased, Binding{}, time.Time{}); err != nil {
		return err
	}
	p, err = s.beginErasing(ctx, p.ID, func(p *Person, now time.Time) { p.write(ByService, now, EntryLapsed, nil, nil) })
	if err != nil {
		return ignoreNotFound(err)
	}
	if err := s.erase(ctx, byService, p); err != nil {
		return fmt.Errorf("forget somebody who was not here: %w", err)
	}
	return nil
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
