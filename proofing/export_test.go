package proofing

import (
	"context"
	"time"
)

// WorkMessage works on the n-th message of a case, as a worker would.
func (s *Service) WorkMessage(ctx context.Context, id string, n int) error {
	c, err := s.Cases.Get(ctx, id)
	if err != nil {
		return err
	}
	return s.workMessage(ctx, id, c.Outbox.Messages[n].ID)
}

// Tenure is what a process knows of a lease.
type Tenure = tenure

func NewTenure(id string) *Tenure { return &tenure{id: id} }

// Hold and Yield are how a process keeps a lease.
func (s *Service) Hold(ctx context.Context, t *Tenure) (bool, error) { return s.hold(ctx, t) }
func (s *Service) Yield(ctx context.Context, t *Tenure)              { s.yield(ctx, t) }

// CountText and AnsweredText let a simulation send and answer more text messages than
// whole cases could be opened for.
func (s *Service) CountText(ctx context.Context, c *Case, to Contact) ([]time.Time, error) {
	on, err := s.held(ctx, c.CA, to, false)
	if err != nil {
		return nil, err
	}
	giveBack, counted, err := s.countText(ctx, c, to, false, on)
	if err != nil {
		giveBack()
	}
	return counted, err
}

func (s *Service) AnsweredText(ctx context.Context, c *Case, to Contact, counted []time.Time) {
	s.answeredText(ctx, c, &Attempt{Contact: to, Texts: counted})
}

// EraseForTest is Erase for somebody of whom it is known who they are.
func (s *Service) EraseForTest(ctx context.Context, p *Person) error {
	p, err := s.beginErasing(ctx, p.ID, func(*Person, time.Time) {})
	if err != nil {
		return err
	}
	return s.erase(ctx, s.byOperator(), p)
}

// WorkCertificate does what is due of a certificate, in the caller's goroutine: a sender that panics is a process that dies.
func (s *Service) WorkCertificate(ctx context.Context, id string) error {
	return s.workCertificate(ctx, id)
}

// WorkPersonForTest looks at one person, as a worker does.
func (s *Service) WorkPersonForTest(ctx context.Context, id string) error {
	return s.workPerson(ctx, id)
}

// Trim lets go of what is too much in a dossier, as recording does.
func (o *Organization) Trim(now time.Time) bool { return o.trim(now) }
