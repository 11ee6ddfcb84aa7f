package proofing

import (
	"slices"
	"time"
)

// The hard rules of approval. No profile, role or setting reaches them: they are what separation of duties means (CSBR 5.2.4), and
// whoever wants to know whether somebody may decide reads this file and no other.

// decider is who would decide, by which appointment.
type decider struct {
	person      string
	appointment *Appointment
	// session and client are under which sign-in they do it, and from which network address.
	session, client string
}

// Why somebody may not decide. They are codes with words in every language.
const (
	denyStage       = "decide_stage"       // the request waits for another step
	denyRole        = "decide_role"        // the appointment is not for this step, this organization or this authority
	denyAgain       = "decide_again"       // they have decided in this request already
	denySide        = "decide_side"        // they stand on the other side of it
	denyRequester   = "decide_requester"   // they ask for it themselves, and the organization has not combined the two roles
	denyCollector   = "decide_collector"   // they collected some of what they would review
	denyTurn        = "decide_turn"        // others come before them
	denyNotNamed    = "decide_not_named"   // the organization has named others
	denyDiscrepancy = "decide_discrepancy" // something is not explained yet
	denyLacks       = "decide_lacks"       // something is missing, or too old
	denyProfile     = "decide_profile"     // nobody knows what it takes: its profile is gone from the policy

	denyPolicyStage = "policy_stage" // the proposal is decided, or another one has taken its place
	denyPolicyAgain = "policy_again" // they have approved it already
)

// mayDecide says why somebody may not make a decision in a request; empty if they may. Refusing takes no more than the role: what
// is missing keeps nobody from saying no.
func mayDecide(c *Case, g *grounds, by decider, step Step, refuse bool, lacks []Lack, now time.Time) string {
	a, o := c.Approval, g.organization
	if a == nil || c.Status != CaseReview || a.Stage.Step() != step {
		return denyStage
	}
	if why := holdsRole(c, o, by, step); why != "" {
		return why
	}
	// Somebody whose word has run out may give it again; one that still stands, or was given for another step, is their last.
	if slices.ContainsFunc(a.Decisions, func(d Decision) bool {
		return d.Person == by.person && d.Void == "" && (d.Step != step || d.counts(now))
	}) {
		return denyAgain
	}
	if onOtherSide(c, g, by, now) {
		return denySide
	}
	if refuse {
		return ""
	}
	switch step {
	case StepApprove:
		if by.person == c.Person && !o.Combined(now) {
			return denyRequester
		}
		return turn(a, by.appointment.ID, now)
	case StepReview:
		if collected(c, o, by.person, now) {
			return denyCollector
		}
	}
	switch {
	case a.Unresolved():
		return denyDiscrepancy
	case len(lacks) > 0:
		return denyLacks
	}
	return ""
}

// mayDecide is the same, with what is lacking under the request's profile. Where that is gone nobody knows what a grant would take, nor how long it would
// hold: it can be refused, or waits until the profile is back.
func (s *Service) mayDecide(c *Case, g *grounds, by decider, step Step, refuse bool, now time.Time) string {
	p := s.profileOf(c)
	why := mayDecide(c, g, by, step, refuse, g.lacks(c, p, by.appointment, now), now)
	if p == nil && !refuse && (why == "" || why == denyDiscrepancy || why == denyLacks) {
		return denyProfile
	}
	return why
}

// mayDecidePolicy says why somebody may not decide about a proposed policy; empty if they may. Nobody has proposed it who could: that was a file, or an
// operator on the server. It takes two administrators, so that nobody decides twice; approvals that count no more are marked so before this is asked.
func mayDecidePolicy(b *PolicyBook, proposal string, by decider) string {
	p, a := b.Proposed, by.appointment
	switch {
	case p == nil || p.ID != proposal:
		return denyPolicyStage
	case a == nil || a.Person != by.person || a.Status != AppointmentActive || a.Role != RoleAdministrator:
		return denyRole
	case slices.ContainsFunc(p.Decisions, func(d PolicyDecision) bool { return d.Person == by.person && d.Void == "" }):
		return denyPolicyAgain
	}
	return ""
}

// holdsRole says whether the appointment is in force for the step in this request.
func holdsRole(c *Case, o *Organization, by decider, step Step) string {
	p := by.appointment
	switch {
	case p == nil || p.Person != by.person || p.Status != AppointmentActive || p.Role != step.Role():
		return denyRole
	case p.Role.Side() == SideApplicant && p.Organization != o.ID:
		return denyRole
	case p.Role.Side() == SideAuthority && p.CA != c.CA:
		return denyRole
	}
	return ""
}

// turn says why it is not the turn of an approver.
func turn(a *Approval, appointment string, now time.Time) string {
	next, anybody := a.Rule.Next(a.Approved(now))
	switch {
	case anybody || slices.Contains(next, appointment):
		return ""
	case slices.Contains(a.Rule.Of, appointment):
		return denyTurn
	}
	return denyNotNamed
}

// onOtherSide says whether somebody stands on the other side of the request.
func onOtherSide(c *Case, g *grounds, by decider, now time.Time) bool {
	if by.appointment.Role.Side() == SideAuthority {
		return forApplicant(c, g, by.person, now)
	}
	return forAuthority(c, g.organization, by.person, now)
}

// forApplicant says whether somebody stands on the applicant's side: they ask for it, have decided for the organization, or hold an office of it, whatever they
// have done by that.
func forApplicant(c *Case, g *grounds, person string, now time.Time) bool {
	return person == c.Person || decidedAt(c, person, SideApplicant) || SidesWith(g.people, g.organization, person, now)
}

// forAuthority says whether somebody has acted for the authority: they have collected anything for it, found or explained a discrepancy, or decided.
func forAuthority(c *Case, o *Organization, person string, now time.Time) bool {
	return slices.Contains(o.Collectors(now), person) || decidedAt(c, person, SideAuthority) ||
		slices.ContainsFunc(c.Approval.Discrepancies, func(d Discrepancy) bool { return d.By == person || d.ResolvedBy == person })
}

func decidedAt(c *Case, person string, side Side) bool {
	return slices.ContainsFunc(c.Approval.Decisions, func(d Decision) bool { return d.Person == person && d.Step.Role().Side() == side })
}

// judges says whether the appointment is one by which discrepancies of the request are found and explained.
func (a *Appointment) judges(c *Case) bool {
	return (a.Role == RoleSpecialist || a.Role == RoleReviewer) && a.Covers(c.CA, c.Approval.Organization)
}

// SidesWith says whether somebody holds an office of an organization, so that they neither collect for its dossier nor judge what it asks for: what they found
// would be about what they approve, or sign for. Where an Enterprise RA works for its own organization (CSBR 1.3.2.1.2) those may who do not approve.
func SidesWith(people []*Appointment, o *Organization, person string, now time.Time) bool {
	return slices.ContainsFunc(people, func(a *Appointment) bool {
		return a.Person == person && a.Organization == o.ID && a.Status != AppointmentEnded && (a.Role == RoleApprover || !o.EnterpriseRA(now))
	})
}

// collected says whether somebody has collected any of what the request rests on: they review none of it (CSBR 3.2.9). Where an
// Enterprise RA works for its own organization one person may do both for the dossier (CSBR 1.3.2.1.2), and still not for the request.
func collected(c *Case, o *Organization, person string, now time.Time) bool {
	if !o.exempts(person, now) && slices.Contains(o.Collectors(now), person) {
		return true
	}
	return slices.ContainsFunc(c.Approval.Decisions, func(d Decision) bool { return d.Step == StepVet && d.Person == person }) ||
		slices.ContainsFunc(c.Approval.Discrepancies, func(d Discrepancy) bool { return d.ResolvedBy == person })
}
