package proofing

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// A request goes back to its stage when an approval counts no more: because it has run out, because whoever gave it has lost the role or the passkey, or because the
// policy has come to demand more. Whatever takes an approval its ground says so in its own record, in the change that does it, and the worker tells the requests that it
// touches: so the queue shows the stage that a request is in, and its page reads no more for that.

// unsettledFor is how long after an approval it is looked at again: it was judged by roles and passkeys as they were read before it, and what was taken away in
// that moment has not found it.
const unsettledFor = time.Minute

// runsOut is when it is next to be looked whether the decisions still count on which the request has come where it is: one runs out then, or may have lost its
// ground. Zero for never.
func (c *Case) runsOut() (at time.Time) {
	a := c.Approval
	if a == nil || c.Status != CaseReview || c.Frozen != nil {
		return at
	}
	at = a.Unsettled
	for _, d := range a.Decisions {
		if d.Void == "" && !d.Refused && d.Expires.After(a.Weighed) {
			at = earliest(at, d.Expires)
		}
	}
	return at
}

// reweighDue says whether that has come, and nobody has drawn what follows from it.
func (c *Case) reweighDue(now time.Time) bool {
	at := c.runsOut()
	return !at.IsZero() && !at.After(now)
}

// reweigh sends a request back to the stage of a decision that counts no more: whoever made it, or a colleague, may decide again.
func (s *Service) reweigh(ctx context.Context, c *Case) (*Case, error) {
	g, err := s.grounds(ctx, c)
	if err != nil {
		return nil, err
	}
	seen := c.Approval.Unsettled
	return s.update(ctx, c.ID, func(c *Case, now time.Time) error {
		if !c.reweighDue(now) { // another process was first
			return nil
		}
		c.Approval.Weighed = now
		if c.Approval.Unsettled.Equal(seen) { // else it is of what was not read yet
			c.Approval.Unsettled = time.Time{}
		}
		if s.profileOf(c) != nil {
			g.void(c, now)
			s.advance(c, g, now)
		}
		return nil
	})
}

// settled is what a request rests on, and the request as it is once the approvals that have lost their ground count no more: it has gone back to its stage then, as
// where one has run out.
func (s *Service) settled(ctx context.Context, c **Case) (*grounds, error) {
	g, err := s.grounds(ctx, *c)
	if err != nil || !g.void(*c, s.now()) {
		return g, err
	}
	*c, err = s.sendBack(ctx, (*c).ID, g)
	return g, err
}

// sendBack stores what follows from the grounds of a request, and from what the policy demands.
func (s *Service) sendBack(ctx context.Context, id string, g *grounds) (*Case, error) {
	return s.update(ctx, id, func(c *Case, now time.Time) error {
		if fell := g.void(c, now); s.profileOf(c) != nil && (fell || s.short(c, now)) {
			s.advance(c, g, now)
		}
		return nil
	})
}

// short says whether a request has gone on from its approvals, and fewer count than the policy demands by now.
func (s *Service) short(c *Case, now time.Time) bool {
	a := c.Approval
	if a == nil || c.Status != CaseReview || c.Frozen != nil || a.Stage == StageSubmitted || s.profileOf(c) == nil {
		return false
	}
	return !s.RuleOf(c).Met(a.Approved(now))
}

// rests says whether an approval of somebody's counts in the request.
func (a *Approval) rests(person string) bool {
	return a != nil && slices.ContainsFunc(a.Decisions, func(d Decision) bool {
		return d.Step == StepApprove && d.Person == person && d.Void == "" && !d.Refused
	})
}

// settleRequests sends those requests of an organization back that rest on what one person has approved, if that counts no more. It may be done again, and late.
func (s *Service) settleRequests(ctx context.Context, organization, person string) error {
	// Upwards: what goes back is not met again, and what people move on meanwhile is.
	for _, stage := range stages {
		q := Query{Index: "docket", Prefix: "organization." + organization + "." + string(stage) + ".", Limit: workPage, Unreadable: s.passOver("case")}
		for more := true; more; more = q.After != "" {
			page, next, err := s.Cases.List(ctx, q)
			if err != nil {
				return fmt.Errorf("list requests: %w", err)
			}
			for _, c := range page {
				if !c.Approval.rests(person) {
					continue
				}
				if _, err := s.settled(ctx, &c); ignoreNotFound(err) != nil {
					return fmt.Errorf("settle request %s: %w", c.ID, err)
				}
			}
			q.After = next
		}
	}
	return nil
}

// stages are those of a request, in their order.
var stages = []Stage{StageSubmitted, StageVetting, StageCorrelation}

// voidsAt is from when on nothing counts any more that the holder has approved by the appointment; zero: that is not known.
func (a *Appointment) voidsAt() (at time.Time) {
	if a.Role != RoleApprover || a.Person == "" {
		return at
	}
	switch a.Status {
	case AppointmentSuspended:
		return a.Suspended.At
	case AppointmentEnded:
		return a.Ended.At
	case AppointmentActive:
		return a.ReconfirmBy
	}
	return at
}

// unsettled is from when on requests are to be told that nothing counts any more of it; zero: they need not, or know.
func (a *Appointment) unsettled() time.Time {
	at := a.voidsAt()
	if at.Equal(a.Settled) {
		return time.Time{}
	}
	return at
}

// settleOffice tells the requests that rest on an appointment that it does not stand any more.
func (s *Service) settleOffice(ctx context.Context, a *Appointment) (*Appointment, error) {
	at := a.unsettled()
	if at.IsZero() || s.now().Before(at) {
		return a, nil
	}
	if err := s.settleRequests(ctx, a.Organization, a.Person); err != nil {
		return nil, err
	}
	return s.Appointments.Update(ctx, a.ID, func(a *Appointment) error {
		if a.voidsAt().Equal(at) { // or something has changed since
			a.Settled = at
		}
		return nil
	})
}

// settlePerson tells the requests that somebody has approved that they have lost a passkey, or have come back into their account by a recovery.
func (s *Service) settlePerson(ctx context.Context, p *Person) (*Person, error) {
	since := p.Unsettled
	if since.IsZero() {
		return p, nil
	}
	offices, err := s.appointments(ctx, "person", p.ID)
	if err != nil {
		return nil, err
	}
	for _, a := range offices {
		if a.Role == RoleApprover {
			if err := s.settleRequests(ctx, a.Organization, p.ID); err != nil {
				return nil, err
			}
		}
	}
	return s.People.Update(ctx, p.ID, func(p *Person) error {
		if p.Unsettled.Equal(since) {
			p.Unsettled = time.Time{}
		}
		return nil
	})
}

// settlePolicy has somebody look once, of all processes, which requests go back since the policy in force demands more approvals than they have. Where this process
// still answers by another policy that is for one that does not.
func (s *Service) settlePolicy(ctx context.Context, hands *sync.WaitGroup) error {
	b, err := s.PolicyBook(ctx)
	if err != nil {
		return ignoreNotFound(err)
	}
	w, digest := &s.local().worker, b.InForce.Digest
	if b.SettledFor == digest || s.Policy.Digest != digest || !w.take(b.ID) {
		return nil
	}
	job := func() {
		defer w.give(b.ID)
		if ctx.Err() != nil {
			return
		}
		if err := s.settleAll(ctx, digest); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "not every request has heard of the new policy; it is tried again", "error", err)
		}
	}
	if !w.do(hands, noticePolicy, dueSlots, job) {
		w.give(b.ID)
	}
	return nil
}

// settleAll is that look, at all requests that have gone on from their approvals.
func (s *Service) settleAll(ctx context.Context, digest string) error {
	for _, stage := range []Stage{StageVetting, StageCorrelation} {
		q := Query{Index: "docket", Prefix: "service." + string(stage) + ".", Limit: workPage, Unreadable: s.passOver("case")}
		for more := true; more; more = q.After != "" {
			page, next, err := s.Cases.List(ctx, q)
			if err != nil {
				return fmt.Errorf("list requests: %w", err)
			}
			for _, c := range page {
				if !s.short(c, s.now()) {
					continue
				}
				g, err := s.grounds(ctx, c)
				if err == nil {
					_, err = s.sendBack(ctx, c.ID, g)
				}
				if ignoreNotFound(err) != nil {
					return fmt.Errorf("settle request %s: %w", c.ID, err)
				}
			}
			q.After = next
		}
	}
	_, err := s.PolicyBooks.Update(ctx, s.policyBookID(), func(b *PolicyBook) error {
		if b.InForce.Digest == digest {
			b.SettledFor = digest
		}
		return nil
	})
	return err
}
