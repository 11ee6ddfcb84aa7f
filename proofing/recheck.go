package proofing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// RecheckPolicy says what becomes of a grant when what it rests on does.
type RecheckPolicy struct {
	// Grace is how long a grant goes on after that; 0: not at all.
	Grace time.Duration
	// ProofAge is how old what was proved may become; 0: as old as the grant.
	ProofAge time.Duration
}

// Why a grant does not hold any more that has not run out.
const (
	reasonProofAged   = "proof_aged"            // what was proved is older than the profile lets it become
	reasonLevelFell   = "level_fell"            // by the rules and demands of today it would not be granted
	reasonTakenAway   = "authenticator_removed" // its person has taken away what it rests on
	reasonUnentitled  = "entitlement_ended"     // nobody says any more that the person has a right to the identifier
	reasonModel       = "model_withdrawn"       // the model of a passkey that it rests on is known by now to be compromised, or was taken back
	reasonBindingOver = "binding_ended"         // the key by which its account was bound has ended
)

// Taking is an address or authenticator that a case's person has taken away since: what was proved by it counts no more.
type Taking struct {
	Address string    `json:"address"` // id of the Address
	At      time.Time `json:"at"`
}

// Ending is a grant that goes on for a while although it would not be made now.
type Ending struct {
	Since  time.Time `json:"since"`
	At     time.Time `json:"at"` // when it ends, if nothing mends it
	Reason string    `json:"reason"`
}

// recheckEvery is how often a grant is looked at again of which no authority asks, unless its profile says it.
const recheckEvery = 24 * time.Hour

// shaken says why a grant would not be made any more by what is known now; nothing if it would. Levels are as of the
// grant: that an authentication wears off is what the grant's lifetime is for.
func (s *Service) shaken(c *Case, p *Profile, g *grounds, now time.Time) string {
	carries := func(evidence []Evidence) bool {
		return len(p.Unmet(s.Policy.OperatorFacts, c.Grant.At, evidence)) == 0
	}
	if !carries(c.Evidence) || c.Approval.approvers() < p.Approvals {
		return reasonLevelFell
	}
	if _, entitled := c.entitlement(p, g); !entitled {
		return reasonUnentitled
	}
	carried := c.Evidence
	if len(c.Taken) > 0 {
		left := *c
		left.Evidence = s.left(c)
		if _, entitled := left.entitlement(p, g); !entitled || !carries(left.Evidence) {
			return reasonTakenAway
		}
		carried = left.Evidence
	}
	if known, any := asOfNow(g.models, carried); any && !carries(known) {
		return reasonModel
	}
	if at := s.ages(c, p); !at.IsZero() && !now.Before(at) {
		return reasonProofAged
	}
	if c.Approval != nil {
		return g.shaken(c, now)
	}
	return ""
}

// take notes that an address or authenticator was taken away from the case's person, and when that was last: it may be bound anew, speak again, and be taken away again.
func (c *Case) take(address string, at time.Time) {
	i := slices.IndexFunc(c.Taken, func(t Taking) bool { return t.Address == address })
	switch {
	case i < 0:
		c.Taken = append(c.Taken, Taking{address, at})
	case at.After(c.Taken[i].At):
		c.Taken[i].At = at
	}
}

// left is what was proved by what the person has not taken away since.
func (s *Service) left(c *Case) []Evidence {
	return slices.DeleteFunc(c.Standing(), func(e Evidence) bool {
		return slices.ContainsFunc(c.Taken, func(l Taking) bool {
			return l.Address == s.addressID(e.Contact()) && !e.At.After(l.At)
		})
	})
}

// ages is when what was proved becomes too old to carry the grant; zero for never.
func (s *Service) ages(c *Case, p *Profile) time.Time {
	if p.Recheck.ProofAge <= 0 {
		return time.Time{}
	}
	left := s.left(c)
	slices.SortFunc(left, func(a, b Evidence) int { return a.At.Compare(b.At) })
	for len(left) > 0 { // the oldest goes first
		at := left[0].At.Add(p.Recheck.ProofAge)
		if left = left[1:]; len(p.Unmet(s.Policy.OperatorFacts, c.Grant.At, left)) > 0 || len(left) == 0 {
			return at
		}
	}
	return time.Time{}
}

// conclude draws the conclusion from what shaken says, and sets when the grant is to be looked at next.
func (s *Service) conclude(c *Case, p *Profile, reason string, now time.Time) {
	next := now.Add(recheckEvery)
	if p.RecheckAfter > 0 {
		next = now.Add(p.RecheckAfter)
	}
	switch {
	case reason == "":
		c.Ending = nil
		if at := s.ages(c, p); !at.IsZero() && at.Before(next) {
			next = at
		}
	case reason == reasonModel, c.Ending == nil && (p.Recheck.Grace <= 0 || reason == reasonBindingOver): // nobody can mend it, and somebody else may have the key
		c.end(CaseRevoked, reason, now, p.Retention)
		s.notifyEnding(c, "ended", now)
		return
	default:
		if c.Ending == nil {
			at := now.Add(p.Recheck.Grace)
			if c.Expires.Before(at) {
				at = c.Expires
			}
			c.Ending = &Ending{Since: now, Reason: reason, At: at}
			s.notifyEnding(c, "ending", now)
		}
		// Somebody may mend it until the end: then it is to be known in time.
		if soon := now.Add(max(c.Ending.At.Sub(c.Ending.Since)/10, time.Minute)); soon.Before(next) {
			next = soon
		}
	}
	c.Recheck = next.Truncate(time.Millisecond)
}

// recheckDue says whether the grant is to be judged again now.
func (c *Case) recheckDue(now time.Time) bool {
	return c.Status == CaseGranted && !c.Recheck.IsZero() && !now.Before(c.Recheck)
}

// recheck judges a grant again that nobody asks about: its authority and its person hear of it if it does not hold any more.
func (s *Service) recheck(ctx context.Context, id string) (*Case, error) {
	c, err := s.get(ctx, id)
	if err != nil || c.Status != CaseGranted || c.Own() {
		return c, err
	}
	if confined, err := s.confined(ctx, byService, c, nil); err != nil {
		return nil, err
	} else if confined {
		return s.get(ctx, id)
	}
	g, err := s.grounds(ctx, c)
	if err != nil {
		return nil, err
	}
	problem := ""
	if c.EABKid != "" {
		if problem, _, err = s.bound(ctx, c); err != nil {
			return nil, err
		}
	}
	c, err = s.update(ctx, id, func(c *Case, now time.Time) error {
		p := s.profileOf(c)
		if c.Status != CaseGranted { // another process was first
			return nil
		}
		if p == nil { // nothing can be judged, and nothing is authorized, until its profile is back
			c.Recheck = now.Add(recheckEvery)
			return nil
		}
		if c.Frozen != nil {
			c.Recheck = c.frozenUntil()
			return nil
		}
		reason := s.shaken(c, p, g, now)
		if reason == "" && problem == reasonBindingOver {
			reason = problem
		}
		s.conclude(c, p, reason, now)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("recheck: %w", err)
	}
	return c, nil
}

// lose notes in the grants of a person that something was taken away from them, and judges them again. It may be called again.
func (s *Service) lose(ctx context.Context, person, address string, at time.Time, spare func(*Case) bool) error {
	for c, err := range s.casesOfPerson(ctx, person) {
		if err != nil {
			return err
		}
		if spare(c) {
			continue
		}
		if err := s.loseIn(ctx, c, address, at); err != nil {
			return err
		}
	}
	return nil
}

// loseIn is lose for one case.
func (s *Service) loseIn(ctx context.Context, c *Case, address string, at time.Time) error {
	rests := slices.ContainsFunc(c.Evidence, func(e Evidence) bool { return s.addressID(e.Contact()) == address && !e.At.After(at) })
	if c.Own() || c.Status != CaseGranted || !rests {
		return nil
	}
	g, err := s.grounds(ctx, c)
	if err != nil {
		return err
	}
	_, err = s.update(ctx, c.ID, func(c *Case, now time.Time) error {
		p := s.profileOf(c)
		if c.Status != CaseGranted || p == nil {
			return nil
		}
		c.take(address, at)
		c.withhold()
		if c.Frozen == nil {
			s.conclude(c, p, s.shaken(c, p, g, now), now)
		}
		return nil
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("note what was taken away: %w", err)
	}
	return nil
}

// notifyEnding tells the person of a grant that ends, at the mailboxes that they still have.
func (s *Service) notifyEnding(c *Case, kind string, now time.Time) {
	kept := *c
	kept.Evidence = s.left(c)
	kept.Outbox.Messages = nil
	s.notify(&kept, kind, now)
	for _, m := range kept.Outbox.Messages {
		m.Context.Reason = c.Reason
		if c.Ending != nil {
			m.Context.Reason, m.Context.Ends = c.Ending.Reason, c.Ending.At
		}
		c.Outbox.Messages = append(c.Outbox.Messages, m)
	}
}
