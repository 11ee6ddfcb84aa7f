package proofing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A clock that was set back dates what people decide before what they decide by. Whoever checks the evidence later finds a passkey that was enrolled
// after it had signed, and a role that was given after it was used, and rejects the grant for good. So nothing is decided until the clock has caught up.

// clockFollows says whether a clock is past all of these, as far as clocks differ (ClockSkew); ErrClock if not.
func clockFollows(now time.Time, all ...time.Time) error {
	for _, at := range all {
		if at.After(now.Add(ClockSkew)) {
			return fmt.Errorf("%w: it is %s, and what the decision rests on is of %s", ErrClock, now.UTC().Format(time.RFC3339), at.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// clockFollows says whether this process's clock is past what every signature rests on: the enrolment of the passkey, and the policy in force.
func (s *Service) clockFollows(ctx context.Context, passkey *Address) error {
	enrolled, err := s.enrolledAt(ctx, passkey)
	if err != nil {
		return err
	}
	b, err := s.PolicyBook(ctx)
	if errors.Is(err, ErrNotFound) { // nobody has approved any
		return clockFollows(s.now(), enrolled)
	}
	if err != nil {
		return fmt.Errorf("look up policy: %w", err)
	}
	return clockFollows(s.now(), enrolled, b.InForce.Since)
}

// enrolledAt is when the log says that an authenticator was last enrolled.
func (s *Service) enrolledAt(ctx context.Context, a *Address) (time.Time, error) {
	for _, place := range slices.Backward(a.Journal.Places) {
		e, _, err := s.LogEntry(ctx, place)
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrLogPageLost) { // of an older backup: the record says when
			break
		}
		if err != nil {
			return time.Time{}, fmt.Errorf("look up enrolment: %w", err)
		}
		if leaf, err := e.Said(); err == nil && leaf.Kind == EntryEnrolled {
			return leaf.At, nil
		}
	}
	return a.BoundAt, nil
}

// given is when an appointment came to give its role, the last time; never for none.
func (a *Appointment) given() (at time.Time) {
	if a == nil {
		return at
	}
	for _, act := range []Act{a.Accepted, a.Confirmed, a.Resumed} {
		if act.At.After(at) {
			at = act.At
		}
	}
	return at
}

// times are when a request was opened, and what has become of it since.
func (c *Case) times() []time.Time {
	all := []time.Time{c.Created, c.Changed}
	if c.Approval != nil {
		all = append(all, c.Approval.Since)
		for i := range c.Approval.Decisions {
			all = append(all, c.Approval.Decisions[i].At)
		}
	}
	return all
}

// times are when a policy was proposed, and what was decided of it since.
func (p *PolicyProposal) times() []time.Time {
	all := []time.Time{p.Proposed.At}
	for i := range p.Decisions {
		all = append(all, p.Decisions[i].At)
	}
	return all
}
