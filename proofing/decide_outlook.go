package proofing

import (
	"encoding/json"
	"fmt"
	"time"
)

// What somebody is told, and signs, of what follows from a decision is what would follow: it is made, on a copy of the request.

// Outlook is what follows from a decision that is not made yet.
type Outlook struct {
	Stage   Stage     // in which the request is then
	Left    int       // approvals that are still needed in it
	Granted time.Time // until when it holds; zero: it is not granted by it
}

// outlook is what follows if somebody agrees, by an appointment, as everything stands now.
func (s *Service) outlook(c *Case, g *grounds, by decider, step Step, now time.Time) (o Outlook, err error) {
	text, err := json.Marshal(c)
	if err != nil {
		return o, fmt.Errorf("copy the request: %w", err)
	}
	then := &Case{}
	if err := json.Unmarshal(text, then); err != nil {
		return o, fmt.Errorf("copy the request: %w", err)
	}
	a := then.Approval
	a.Decisions = append(a.Decisions, Decision{
		Step: step, Person: by.person, Appointment: by.appointment.ID, At: now, Expires: now.Add(s.profileOf(c).ApprovalLifetime),
	})
	s.advance(then, g, now)
	o = Outlook{Stage: a.Stage, Left: a.Rule.left(a.Approved(now))}
	if then.Status == CaseGranted {
		o.Granted = then.Expires
	}
	return o, nil
}

// RuleOf is who of the organization must approve a request, as the policy has it by now.
func (s *Service) RuleOf(c *Case) ApprovalRule {
	rule := c.Approval.Rule
	if p := s.profileOf(c); p != nil {
		rule.Needed = max(rule.Needed, p.Approvals)
	}
	return rule
}
