package proofing

import (
	"context"
	"fmt"
	"time"
)

// The kinds of notices on what an operator has done to what is a person's. They have no link that takes it back: the operator has made sure
// who asked, and is who to turn to.
const (
	noticeReleased   = "released"    // an address or number was taken from them
	noticeCodesFreed = "codes_freed" // their recovery codes may be used again
	noticeCodesVoid  = "codes_void"  // they have none any more
	noticeErased     = "erased"      // they are forgotten
)

// reasonTold is why a case ended that was made to carry notices.
const reasonTold = "operator_notice"

// tellPerson tells a person what an operator does to what is theirs, or what has come of it by itself (SP 800-63B 6.1.2.1; SP 800-63B-4 4.6). What carries the notices is a case of
// the person's own that is over as it begins, and that nobody has a link to. It is stored before what it tells of is done: a crash between the
// two tells too much and not too little. What tells of an erasure is not the person's: it outlives them, and knows their addresses until these are told.
// Ends is when what it tells of happens; zero: now.
func (s *Service) tellPerson(ctx context.Context, p *Person, kind string, of Binding, ends time.Time) error {
	lang, last := "en", time.Time{}
	for c, err := range s.casesOfPerson(ctx, p.ID) {
		if err != nil {
			return err
		}
		if c.Desk == nil && c.Lang != "" && c.Created.After(last) {
			lang, last = c.Lang, c.Created
		}
	}
	now := s.now()
	c := &Case{
		ID: NewID(nil), CATitle: s.Policy.Operator, Token: NewToken(), LinkSecret: NewToken(), Applicant: Applicant{Kind: ByNobody}, Lang: lang,
		Status: CaseWithdrawn, Reason: reasonTold, Created: now, Changed: now, Expires: latest(now, ends), Retain: now.Add(ownRetention),
	}
	if kind != noticeErased {
		c.Person = p.ID
	}
	if kind == noticeCopied {
		c.write(byService, now, EntryCopied, map[string]any{"authenticator": of.ID}, nil)
	}
	if s.notifyPerson(c, p.Bindings, kind, of, now); len(c.Outbox.Messages) == 0 && c.Journal.Logged() {
		return nil
	}
	if err := s.Cases.Create(ctx, c.ID, c); err != nil {
		return fmt.Errorf("tell a person: %w", err)
	}
	s.changed(c)
	return nil
}

// Forget is Erase for an operator who has made sure who asks: somebody who cannot sign in has the same right (GDPR Article 17). The person is told at
// every address of theirs. ErrNotFound if there is no such person (any more). Once it has begun the worker finishes what a crash left half done, and so does
// calling it again.
func (s *Service) Forget(ctx context.Context, person string) error {
	p, err := s.People.Get(ctx, person)
	if err != nil {
		return err
	}
	if p.Going.IsZero() || p.Absence.Lapsing {
		if err := s.tellPerson(ctx, p, noticeErased, Binding{}, time.Time{}); err != nil {
			return err
		}
	}
	p, err = s.beginErasing(ctx, person, func(p *Person, now time.Time) { p.write(s.operator(), now, EntryForgotten, nil, nil) })
	if err != nil {
		return err
	}
	return s.erase(ctx, s.byOperator(), p)
}

// Known is what there is of a person, for an operator who is about to forget them.
type Known struct {
	Bindings int
	Offices  []Role // appointments that stand
	Open     int    // requests that wait
	Granted  int    // grants that stand
}

// KnownOf counts what there is of a person. ErrNotFound if there is no such person.
func (s *Service) KnownOf(ctx context.Context, person string) (k Known, err error) {
	p, err := s.People.Get(ctx, person)
	if err != nil {
		return k, err
	}
	k.Bindings = len(p.Bindings)
	held, err := s.appointments(ctx, "person", person)
	if err != nil {
		return k, err
	}
	for _, a := range held {
		if a.Status != AppointmentEnded {
			k.Offices = append(k.Offices, a.Role)
		}
	}
	for c, err := range s.casesOfPerson(ctx, person) {
		switch {
		case err != nil:
			return k, err
		case c.Own():
		case c.Status == CaseGranted:
			k.Granted++
		case !c.Status.Over():
			k.Open++
		}
	}
	return k, nil
}

// addressOf is what a person has by that address of theirs; one with its id alone if their list has it no more.
func (p *Person) addressOf(a *Address) Binding {
	for _, b := range p.Bindings {
		if b.ID == a.ID {
			return b
		}
	}
	return Binding{ID: a.ID}
}
