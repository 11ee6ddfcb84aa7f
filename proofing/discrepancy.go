package proofing

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// mostDiscrepancies is how many one request has: with more than that it is not one to be granted.
const mostDiscrepancies = 50

// RaiseDiscrepancy records something that does not fit together. Until it is explained nothing is granted (CSBR 3.2.9), and what
// was said to be complete is not any more, in whatever stage it is raised: it is vetted again. Specialists and reviewers of the authority may. Errors: those of Console; ErrNotFound; ErrNotAdmitted
// without a fresh authentication; ErrClosed; and the *InputError codes "text_empty", "discrepancies_many" and "decide_side".
func (s *Service) RaiseDiscrepancy(ctx context.Context, v Visit, id, text string) (*Case, error) {
	text = oneLine(text, mostReason)
	if text == "" {
		return nil, &InputError{Field: "text", Code: "text_empty"}
	}
	return s.inVetting(ctx, v, id, func(c *Case, by decider, now time.Time) error {
		a := c.Approval
		if len(a.Discrepancies) >= mostDiscrepancies {
			return &InputError{Field: "text", Code: "discrepancies_many"}
		}
		d := Discrepancy{ID: NewToken().Reveal()[:8], Text: text, By: by.person, Name: by.appointment.Name, At: now}
		a.Discrepancies = append(a.Discrepancies, d)
		c.record(CaseDiscrepancy, by.actor(), now, map[string]any{"discrepancy": d.ID}, map[string]any{"name": d.Name, "text": text}, by.person)
		a.void(StepVet, VoidDiscrepancy, now) // also where the request has gone back to its approvers
		if a.Stage == StageCorrelation {
			c.stage(StageVetting, now)
		}
		return nil
	})
}

// ResolveDiscrepancy records the explanation of one. Whoever gives it has collected something, and is no reviewer of this request. It
// may be called again with the same words. Errors: those of RaiseDiscrepancy, and ErrNotFound for one that there is not.
func (s *Service) ResolveDiscrepancy(ctx context.Context, v Visit, id, discrepancy, resolution string) (*Case, error) {
	resolution = oneLine(resolution, mostReason)
	if resolution == "" {
		return nil, &InputError{Field: "resolution", Code: "text_empty"}
	}
	return s.inVetting(ctx, v, id, func(c *Case, by decider, now time.Time) error {
		i := slices.IndexFunc(c.Approval.Discrepancies, func(d Discrepancy) bool { return d.ID == discrepancy })
		if i < 0 {
			return ErrNotFound
		}
		d := &c.Approval.Discrepancies[i]
		switch {
		case d.Resolution == resolution:
			return nil
		case !d.Open():
			return &InputError{Field: "resolution", Code: "discrepancy_resolved"}
		}
		d.Resolution, d.ResolvedBy, d.ResolvedName, d.ResolvedAt = resolution, by.person, by.appointment.Name, now
		c.record(CaseResolved, by.actor(), now, map[string]any{"discrepancy": d.ID}, map[string]any{"name": d.ResolvedName, "text": resolution}, by.person)
		return nil
	})
}

// inVetting edits a request that is under way, for a specialist or a reviewer of its authority.
func (s *Service) inVetting(ctx context.Context, v Visit, id string, edit func(c *Case, by decider, now time.Time) error) (*Case, error) {
	session, held, err := s.Console(ctx, v)
	if err != nil {
		return nil, err
	}
	c, err := s.docketed(ctx, held, id)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(held, func(a *Appointment) bool { return a.judges(c) })
	if i < 0 {
		return nil, ErrNotFound
	}
	if !session.Fresh {
		return nil, ErrNotAdmitted
	}
	g, err := s.grounds(ctx, c)
	if err != nil {
		return nil, err
	}
	by := decider{person: session.Person.ID, appointment: held[i], session: session.Case.ID, client: v.Client}
	c, err = s.updateBy(ctx, by.author(), id, func(c *Case, now time.Time) error {
		switch {
		case c.Status != CaseReview || c.Approval == nil:
			return ErrClosed
		case c.Frozen != nil:
			return ErrFrozen
		case g.organization == nil:
			return ErrNotFound
		case forApplicant(c, g, by.person, now): // they would judge what is said of what they ask for
			return &InputError{Field: "discrepancy", Code: denySide}
		}
		return edit(c, by, now)
	})
	if err != nil {
		return nil, fmt.Errorf("discrepancy: %w", err)
	}
	return c, nil
}
