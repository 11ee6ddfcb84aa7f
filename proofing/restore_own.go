package proofing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A request about which nobody decides, and that "this was not me" has frozen, is given back by its person after signing in. Whoever
// pressed that link got one of its messages, of a request that the same proof served or of a certificate, and may be somebody whom the person of the request deceives. So only a person does it to whom every address
// belongs that a message went to, and whose account is the one that it was before the request: whoever had stolen their way in by it would have had to add something. It
// is done once. Who says a second time that it was not them is heard, and then the operator must find out who spoke.

// restorer is the person who may give a frozen case back once they have signed in; nil: nobody may.
func (s *Service) restorer(ctx context.Context, c *Case) (*Person, error) {
	p := s.profileOf(c)
	if c.Frozen == nil || c.Status.Over() || c.Own() || c.Person == "" || c.decidedAbout(p) || s.Policy.Own == nil {
		return nil, nil
	}
	who, err := s.person(ctx, c.Person)
	if err != nil || who == nil {
		return nil, err
	}
	if !c.givenBackBy(who, s.now()) {
		return nil, nil
	}
	return who, nil
}

// decidedAbout says whether people decide about the case, or would once it is submitted: what they are to rely on is not its own person's to give back.
func (c *Case) decidedAbout(p *Profile) bool {
	return p == nil || p.peopleDecide() || c.Approval != nil
}

// givenBackBy says whether the case is one that the person may give back.
func (c *Case) givenBackBy(p *Person, now time.Time) bool {
	if c.Frozen == nil || !c.GivenBack.IsZero() || !p.Going.IsZero() {
		return false
	}
	signsIn := false
	for _, b := range p.Bindings {
		if !b.BoundAt.Before(c.Created) || len(b.Suspended) > 0 || now.Before(b.Counts) {
			return false
		}
		signsIn = signsIn || b.Contact.Channel.Authenticates() && b.Gone.IsZero()
	}
	if !signsIn {
		return false
	}
	theirs := func(k Contact) bool {
		return slices.ContainsFunc(p.Bindings, func(b Binding) bool {
			return b.Gone.IsZero() && b.Contact.Channel == k.Channel && b.Contact.Address == k.Address
		})
	}
	for _, a := range c.Attempts {
		if a.Contact.Channel.Reached() && !theirs(a.Contact) {
			return false
		}
	}
	return !slices.ContainsFunc(c.confirmed(), func(k Contact) bool { return k.Channel.Reached() && !theirs(k) })
}

// MayRestoreOwn says whether somebody may give a frozen case back once they have signed in, and whether the session, which may be nil, is theirs and may do so now.
func (s *Service) MayRestoreOwn(ctx context.Context, c *Case, session *Session) (may, now bool, err error) {
	who, err := s.restorer(ctx, c)
	if err != nil || who == nil {
		return false, false, err
	}
	return true, session != nil && session.Person.ID == who.ID && session.Fresh && !session.Recovering, nil
}

// RestoreOwn gives a frozen case of who is signed in back, and tells each mailbox that a message of it may have gone to, with the link that freezes it again. It may be called again. Errors: ErrNotFound
// for a case of somebody else; ErrNotAdmitted unless they have authenticated recently, as strongly as they can; ErrClosed for one that is over; and the *InputError
// "restore_operator" for what only the operator gives back.
func (s *Service) RestoreOwn(ctx context.Context, v Visit, ref Secret) (*Case, error) {
	session, err := s.Session(ctx, v)
	if err != nil {
		return nil, err
	}
	c, err := s.CaseByLink(ctx, ref)
	if err != nil {
		return nil, err
	}
	if c.Own() || c.Person != session.Person.ID {
		return nil, ErrNotFound
	}
	if !session.Fresh {
		return nil, ErrNotAdmitted
	}
	c, err = s.updateBy(ctx, byPerson(session, v), c.ID, func(c *Case, now time.Time) error {
		switch p := s.profileOf(c); {
		case c.Status.Over():
			return ErrClosed
		case c.Frozen == nil && !c.GivenBack.IsZero(): // the same, once more
			return nil
		case session.Recovering || c.decidedAbout(p) || c.Person != session.Person.ID || !c.givenBackBy(session.Person, now):
			return &InputError{Field: "case", Code: "restore_operator", Detail: "only the operator can give it back"}
		}
		c.thaw(now)
		c.GivenBack = now
		told := c.confirmed()
		for i := range c.Attempts { // whoever got a code and confirmed nothing may be the one who spoke
			told = append(told, c.Attempts[i].Contact)
		}
		s.notifyAt(c, told, "given_back", now)
		return nil
	})
	if _, input := errors.AsType[*InputError](err); err != nil && !input && !errors.Is(err, ErrClosed) {
		return nil, fmt.Errorf("give back: %w", err)
	}
	return c, err
}
