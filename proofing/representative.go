package proofing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Representative is the operator's word that a person may record the identity proofing of others: by
// what name their colleagues know them, and what they were trained in, when and by whom (SP 800-63A 5.3.3;
// SP 800-63A-4 4.3.7).
type Representative struct {
	Name     string    `json:"name"`
	Training string    `json:"training"`
	Since    time.Time `json:"since"`
	// Until is when the training must have been renewed: SP 800-63A-4 3.13 asks for an evaluation each year at least.
	Until time.Time `json:"until,omitzero"`
}

// trainingYear is how long a training is good for at most.
const trainingYear = 366 * 24 * time.Hour

// trained says whether the representative's training is good. One of which no end was written down ends after a year.
func (r *Representative) trained(now time.Time) bool { return now.Before(r.TrainedUntil()) }

// trainingWarning is how long before its end a representative is told of it: time enough for an evaluation.
const trainingWarning = 60 * 24 * time.Hour

// TrainingEnds is when the training ends, if that is soon; zero otherwise.
func (r *Representative) TrainingEnds(now time.Time) time.Time {
	if end := r.TrainedUntil(); end.Sub(now) < trainingWarning {
		return end
	}
	return time.Time{}
}

// TrainedUntil is when the training ends.
func (r *Representative) TrainedUntil() time.Time {
	if r.Until.IsZero() {
		return r.Since.Add(trainingYear)
	}
	return r.Until
}

// Appoint names the person who has an address here a representative; whoever is one already gets the new
// words. Their training is good until then, or for a year if that is zero. ErrNotFound if nobody has the address, ErrNotAdmitted for somebody without a passkey,
// who could not sign in as one, and the *InputError "training_until" for a time that is past or more than a year away.
func (s *Service) Appoint(ctx context.Context, contact Contact, name, training string, until time.Time) (*Person, error) {
	owner, err := s.Owner(ctx, contact)
	if err != nil {
		return nil, err
	}
	now := s.now()
	if until.IsZero() {
		until = now.Add(trainingYear)
	}
	if !until.After(now) || until.After(now.Add(trainingYear)) {
		return nil, &InputError{Field: "until", Code: "training_until"}
	}
	p, err := s.People.Update(ctx, owner, func(p *Person) error {
		if len(p.of(ChannelPasskey)) == 0 {
			return ErrNotAdmitted
		}
		next := Representative{Name: oneLine(name, 60), Training: oneLine(training, 300), Since: now, Until: until}
		if had := p.Representative; had != nil {
			if next.Since = had.Since; next == *had {
				return nil
			}
		}
		p.Representative = &next
		p.write(s.operator(), now, EntryRepresentative, map[string]any{"until": next.Until}, map[string]any{"name": next.Name, "training": next.Training})
		return nil
	})
	if err == nil {
		s.mark(SubjectPerson, p.ID[:2])
	}
	return p, err
}

// The entries of a person in the log: what operators have done to them.
const (
	EntryRepresentative EntryKind = "representative_appointed" // or got new words
	EntryDismissed      EntryKind = "representative_dismissed"
	EntryRecoveryFreed  EntryKind = "recovery_unblocked"

	EntryAddressReleased EntryKind = "address_released" // taken from them, because they have lost it
	EntryForgotten       EntryKind = "person_forgotten" // by an operator, because they have asked for it
	EntryLapsed          EntryKind = "person_lapsed"    // forgotten because they were not here for so long
)

// dismiss takes it from who is one.
func (p *Person) dismiss(by Actor, now time.Time) {
	if p.Representative != nil {
		p.Representative = nil
		p.write(by, now, EntryDismissed, nil, nil)
	}
}

func (p *Person) write(by Actor, at time.Time, kind EntryKind, facts, private map[string]any) {
	n := Note{Of: SubjectPerson, Object: p.ID, Kind: kind, By: by, At: at, Facts: facts, Persons: []string{p.ID}}
	if private != nil {
		n.Private = private
	}
	p.Journal.Write(n)
}

// Owner is the person who has an address here; ErrNotFound if nobody has it.
func (s *Service) Owner(ctx context.Context, contact Contact) (string, error) {
	known, err := s.address(ctx, contact)
	if err == nil && known == nil {
		err = ErrNotFound
	}
	if err != nil {
		return "", err
	}
	return known.Person, nil
}

// Dismiss takes effect with the next thing that the person does; what they recorded and nobody has
// reviewed is never accepted. ErrNotFound if they are none.
func (s *Service) Dismiss(ctx context.Context, person string) error {
	return s.dismiss(ctx, s.operator(), person)
}

func (s *Service) dismiss(ctx context.Context, by Actor, person string) error {
	p, err := s.People.Update(ctx, person, func(p *Person) error {
		if p.Representative == nil {
			return ErrNotFound
		}
		p.dismiss(by, s.now())
		return nil
	})
	if err == nil {
		s.mark(SubjectPerson, p.ID[:2])
	}
	return err
}

// Desk is the session of a representative. ErrNotFound for anybody else: nobody is told
// that there is more to see. ErrNotAdmitted for one who has signed in by less than AAL2, or by something that
// can be phished, and the *InputError "training_over" for one whose training has ended.
func (s *Service) Desk(ctx context.Context, v Visit) (*Session, error) {
	session, err := s.Session(ctx, v)
	if err != nil {
		return nil, err
	}
	if session.Person.Representative == nil {
		return nil, ErrNotFound
	}
	if !session.Case.Grant.Assessment.mayDecide() {
		return nil, ErrNotAdmitted
	}
	if !session.Person.Representative.trained(s.now()) {
		return nil, &InputError{Field: "desk", Code: "training_over"}
	}
	return session, nil
}

// mayDecide says whether who was authenticated so may decide for others: by AAL2 at least, and by nothing that can be phished.
func (a Assessment) mayDecide() bool { return a.AAL != nil && *a.AAL >= 2 && a.PhishingResistant }

// freshDesk is Desk for what changes something for somebody else: the representative must have authenticated
// within the last minutes.
func (s *Service) freshDesk(ctx context.Context, v Visit) (*Session, error) {
	session, err := s.Desk(ctx, v)
	if err == nil && !session.Fresh {
		return nil, ErrNotAdmitted
	}
	return session, err
}

// deskCodeLength gives codes of 40 bits. A code opens nothing but to representatives, who do not try them out.
const deskCodeLength = 8

// AskForRepresentative gives the case the code that its person shows to a representative. Until then no representative
// can open it. It may be called again. Errors: ErrClaimed, ErrClosed, ErrFrozen, ErrNotStarted, ErrNotFound, and the
// *InputError codes "method_unknown" and "record_person": nobody has proved anything in the case yet.
func (s *Service) AskForRepresentative(ctx context.Context, v Visit) (*Case, error) {
	c, err := s.CaseByLink(ctx, v.Link)
	if err != nil {
		return nil, err
	}
	code := NewToken().Reveal()[:deskCodeLength]
	return s.update(ctx, c.ID, func(c *Case, _ time.Time) error {
		if err := c.workable(s.BrowserHash(v.Browser)); err != nil {
			return err
		}
		if !s.byRepresentative(c) {
			return &InputError{Field: "method", Code: "method_unknown"}
		}
		if c.Person == "" {
			return &InputError{Field: "code", Code: "record_person"}
		}
		if c.DeskCode == "" {
			c.DeskCode, c.DeskKey = code, s.deskKey(code)
		}
		return nil
	})
}

// byRepresentative says whether the case's profile takes the records of representatives.
func (s *Service) byRepresentative(c *Case) bool {
	p := s.profileOf(c)
	return p != nil && !c.Own() && p.Offers("representative")
}

// FindAtDesk is the open case whose person shows that code. The *InputError "record_code" for any fault in it, besides
// the errors of Desk.
func (s *Service) FindAtDesk(ctx context.Context, v Visit, code string) (*Case, error) {
	if _, err := s.Desk(ctx, v); err != nil {
		return nil, err
	}
	unknown := &InputError{Field: "code", Code: "record_code"}
	code = readDeskCode(code)
	if len(code) != deskCodeLength {
		return nil, unknown
	}
	found, _, err := s.Cases.List(ctx, Query{Index: "desk", Value: s.deskKey(code), Limit: 2})
	if err != nil {
		return nil, fmt.Errorf("find case by code: %w", err)
	}
	if len(found) != 1 {
		return nil, unknown
	}
	c, err := s.atDesk(ctx, found[0].ID)
	if errors.Is(err, ErrNotFound) || err == nil && c.Status != CaseOpen {
		return nil, unknown
	}
	return c, err
}

func (s *Service) deskKey(code string) string { return s.Hasher.Hex("desk code", code) }

// readDeskCode takes a code as people type it: in either case, in groups, with letters for the digits they look like.
func readDeskCode(typed string) string {
	var code []byte
	for _, c := range []byte(typed) {
		switch {
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		case c == ' ' || c == '-':
			continue
		}
		switch c {
		case 'o':
			c = '0'
		case 'i', 'l':
			c = '1'
		}
		code = append(code, c)
	}
	return string(code)
}

// CaseAtDesk is a case whose person has asked for a representative; ErrNotFound for any other, besides the errors of Desk.
func (s *Service) CaseAtDesk(ctx context.Context, v Visit, id string) (*Case, error) {
	if _, err := s.Desk(ctx, v); err != nil {
		return nil, err
	}
	return s.atDesk(ctx, id)
}

func (s *Service) atDesk(ctx context.Context, id string) (*Case, error) {
	c, err := s.get(ctx, id)
	if err == nil && (c.DeskCode == "" || !s.byRepresentative(c)) {
		return nil, ErrNotFound
	}
	return c, err
}

// deskRows is the most that a representative is shown at once.
const deskRows = 100

// AtDesk are the open cases with a record that waits for a review, or with one that the representative has begun: the
// oldest first.
func (s *Service) AtDesk(ctx context.Context, v Visit) ([]*Case, error) {
	session, err := s.Desk(ctx, v)
	if err != nil {
		return nil, err
	}
	all, _, err := s.Cases.List(ctx, Query{Index: "proofing", Below: "\x7f", Limit: deskRows})
	if err != nil {
		return nil, fmt.Errorf("list records: %w", err)
	}
	now := s.now()
	all = slices.DeleteFunc(all, func(c *Case) bool {
		c.lapse(now, s.retention(c))
		return c.Waiting() == nil && c.Drafted(session.Person.ID) == nil
	})
	slices.SortFunc(all, func(a, b *Case) int { return a.Created.Compare(b.Created) })
	return all, nil
}
