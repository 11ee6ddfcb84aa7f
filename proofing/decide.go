package proofing

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// DecisionRequest is what somebody would decide about a request.
type DecisionRequest struct {
	Case        string
	Appointment string // by which of theirs
	Step        Step
	Refuse      bool
	Reason      string // in their own words; whoever refuses must give one
	// Number is that of the last entry of the case when the page was made: Case.Journal.Written.
	Number int64
	// Dossier is the digest (Organization.Digest) of the dossier that the page was made of.
	Dossier string
	Shown   DocumentShown // what the page said
}

const (
	// mostDecisions is how many decisions one person makes within burst: who is asked for more is perhaps no longer reading.
	mostDecisions = 10
	burst         = 10 * time.Minute
	// mostReason is the length of a reason, in characters.
	mostReason = 500
)

// AskDecision is the first half of a decision: it makes the document that the person is to sign, and what their browser must be
// asked for. Nothing is decided by it. Errors: ErrNotFound for what the person does not get to see; ErrNotAdmitted unless they have
// just authenticated with a passkey; ErrClock where what the decision rests on is dated later than this process's clock says it is; *LimitError after ten decisions within ten minutes; and the *InputError codes "decision_stale" (the
// request, or what the dossier says, has changed since the page was made), "reason_empty", "decide_cooling" (the passkey was added only just now), and those of the hard rules: "decide_…".
func (s *Service) AskDecision(ctx context.Context, v Visit, r DecisionRequest) (*Signing, error) {
	session, held, err := s.Console(ctx, v)
	if err != nil {
		return nil, err
	}
	if !session.Fresh {
		return nil, ErrNotAdmitted
	}
	by := decider{person: session.Person.ID, appointment: holding(held, r.Appointment)}
	c, err := s.docketed(ctx, held, r.Case)
	if err != nil {
		return nil, err
	}
	if by.appointment == nil {
		return nil, ErrNotFound
	}
	if err := s.cooled(session, by.appointment); err != nil {
		return nil, err
	}
	g, err := s.settled(ctx, &c)
	if err != nil {
		return nil, err
	}
	if r.Reason = oneLine(r.Reason, mostReason); r.Refuse && r.Reason == "" {
		return nil, &InputError{Field: "reason", Code: "reason_empty"}
	}
	if err := s.checkDecision(c, g, by, r); err != nil {
		return nil, err
	}
	d := decisionDocument(c, g.organization, by, r)
	if err := d.shownWhole(); err != nil {
		return nil, err
	}
	limit := spend{"decisions", "decisions." + by.person, 1, mostDecisions, burst}
	if err := s.spendAll(ctx, []spend{limit}); err != nil {
		return nil, err
	}
	return s.AskSignature(ctx, v, d)
}

// cooled says whether the passkey of the session may decide by an appointment: it is the one that the role was taken up with, which another
// person has confirmed, or its person has had it for Policy.Cooling. A thief who has got one of their own added would otherwise decide at once.
func (s *Service) cooled(session *Session, a *Appointment) error {
	used, ok := s.passkeyOf(session)
	if ok && used.Binding != a.Passkey.Binding && s.now().Sub(used.BoundAt) < s.Policy.Cooling {
		return &InputError{Field: "response", Code: "decide_cooling"}
	}
	return nil
}

// checkDecision holds a decision to the state that was shown, and to the hard rules.
func (s *Service) checkDecision(c *Case, g *grounds, by decider, r DecisionRequest) error {
	now := s.now()
	switch {
	case c.Status.Over() || c.Status != CaseReview || c.Approval == nil:
		return &InputError{Field: "decision", Code: denyStage}
	case c.Frozen != nil:
		return ErrFrozen
	case c.Journal.Written != r.Number:
		return &InputError{Field: "number", Code: "decision_stale", Detail: "the request is at entry " + strconv.FormatInt(c.Journal.Written, 10)}
	case g.organization == nil || g.organization.Digest() != r.Dossier:
		return &InputError{Field: "number", Code: "decision_stale", Detail: "the dossier has changed"}
	}
	if err := clockFollows(now, append(c.times(), by.appointment.given())...); err != nil {
		return err
	}
	if why := s.mayDecide(c, g, by, r.Step, r.Refuse, now); why != "" {
		return &InputError{Field: "decision", Code: why}
	}
	return nil
}

// decisionDocument is what is signed for a decision about a case.
func decisionDocument(c *Case, o *Organization, by decider, r DecisionRequest) Document {
	number, jurisdiction := o.Registered()
	d := Document{
		Subject: DocumentSubject{Of: SubjectCase, Object: c.ID, Number: c.Journal.Written},
		CA:      c.CA, Profile: c.Profile, Identifier: &c.Identifier,
		Organization: &DocumentOrganization{Name: o.Name, Number: number, Jurisdiction: jurisdiction, Dossier: o.Digest()},
		Applicant:    &DocumentApplicant{Kind: c.Applicant.Kind, Key: c.Applicant.Key()},
		Step:         string(r.Step), Decision: DecideApprove, Reason: r.Reason, Shown: r.Shown,
		By: DocumentBy{Person: by.person, Name: by.appointment.Name, Role: by.appointment.Role, Appointment: by.appointment.ID},
	}
	if r.Refuse {
		d.Decision = DecideRefuse
	}
	if c.CSRDigest != "" {
		d.CSR = &DocumentCSR{Digest: c.CSRDigest}
		if c.CSR != nil {
			d.CSR.Key, d.CSR.SPKI, d.CSR.Subject = c.CSR.Key, c.CSR.SPKI, c.CSR.Subject
		}
	}
	return d
}

// Decide is the second half: what the browser answered is verified, and the decision is made, in one update of the case. The same
// answer may come again, and decides once. Errors are those of AskDecision and of TakeSignature; ErrClosed if the case has ended
// meanwhile in another way.
func (s *Service) Decide(ctx context.Context, v Visit, response []byte) (*Case, error) {
	signed, d, by, held, err := s.takeDecision(ctx, v, response, SubjectCase)
	if err != nil {
		return nil, err
	}
	if d.Organization == nil {
		return nil, ErrNotFound
	}
	c, err := s.docketed(ctx, held, d.Subject.Object)
	if err != nil {
		return nil, err
	}
	if by.appointment == nil { // it was theirs when they were asked
		if c.Approval.decided(d.Nonce) == nil {
			return nil, &InputError{Field: "decision", Code: denyRole}
		}
		return c, s.afterDecision(ctx, v, c, d, by)
	}
	g, err := s.settled(ctx, &c)
	if err != nil {
		return nil, err
	}
	r := DecisionRequest{Case: c.ID, Appointment: d.By.Appointment, Step: Step(d.Step), Refuse: d.Decision == DecideRefuse, Reason: d.Reason, Number: d.Subject.Number, Dossier: d.Organization.Dossier, Shown: d.Shown}
	c, err = s.updateBy(ctx, by.author(), c.ID, func(c *Case, now time.Time) error {
		if c.Approval != nil && c.Approval.decided(d.Nonce) != nil {
			return nil // the same answer, once more
		}
		if d.Policy != s.Policy.Digest {
			return &InputError{Field: "policy", Code: "decision_stale", Detail: "the policy has changed"}
		}
		if err := s.checkDecision(c, g, by, r); err != nil {
			return err
		}
		s.decide(c, g, by, d, signed, now)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("decide: %w", err)
	}
	return c, s.afterDecision(ctx, v, c, d, by)
}

// afterDecision does what is left to do once a decision is in its case.
func (s *Service) afterDecision(ctx context.Context, v Visit, c *Case, d Document, by decider) error {
	if made := c.Approval.decided(d.Nonce); made.Step == StepReview && !made.Refused {
		actor := Actor{Kind: "person", ID: made.Person, Role: d.By.Role, Appointment: made.Appointment, Session: by.session}
		if err := s.reviewedBy(ctx, c, made, Act{By: actor, Name: made.Name, At: made.At}); err != nil {
			return err
		}
	}
	return s.Signed(ctx, v, d.Nonce)
}

// takeDecision verifies what the browser answered, and returns the document that was signed, by whom (without an appointment if that is not theirs any more), and what
// else they hold. ErrNotFound for a document of another kind, or of somebody else.
func (s *Service) takeDecision(ctx context.Context, v Visit, response []byte, of Subject) (signed *Signature, d Document, by decider, held []*Appointment, err error) {
	signed, session, err := s.TakeSignature(ctx, v, response)
	if err != nil {
		return nil, d, by, nil, err
	}
	if d, err = ParseDocument([]byte(signed.Document)); err != nil {
		return nil, d, by, nil, err
	}
	if d.Subject.Of != of || d.By.Person != session.Person.ID {
		return nil, d, by, nil, ErrNotFound
	}
	if _, held, err = s.Console(ctx, v); err != nil {
		return nil, d, by, nil, err
	}
	return signed, d, decider{person: d.By.Person, appointment: holding(held, d.By.Appointment), session: session.Case.ID, client: v.Client}, held, nil
}

// The entries of a request that people decide about.
const (
	CaseDecided     EntryKind = "case_decided"
	CaseStaged      EntryKind = "case_staged"
	CaseDiscrepancy EntryKind = "case_discrepancy"
	CaseResolved    EntryKind = "case_resolved"
)

// decide makes the decision, and draws what follows from it.
func (s *Service) decide(c *Case, g *grounds, by decider, d Document, signed *Signature, now time.Time) {
	a := c.Approval
	made := Decision{
		Nonce: d.Nonce, Step: Step(d.Step), Refused: d.Decision == DecideRefuse, Reason: d.Reason,
		Person: by.person, Name: by.appointment.Name, Appointment: by.appointment.ID, At: now, Expires: now, Signature: *signed,
	}
	if p := s.profileOf(c); p != nil { // who refuses needs none
		made.Expires = now.Add(p.ApprovalLifetime)
	}
	facts := map[string]any{
		"step": d.Step, "decision": d.Decision, FactDocument: Digest([]byte(signed.Document)), "credential": d.Credential, "organization": a.Organization, "dossier": g.organization.Version(), "policy": d.Policy,
		FactDossier: DossierShown(d.Nonce, g.organization.Digest()),
	}
	d.enterShown(facts)
	c.record(CaseDecided, by.actor(), now, facts, map[string]any{"name": by.appointment.Name, "reason": d.Reason}, by.person)
	made.Entry, made.Dossier = c.Journal.Written, g.organization.Version()
	a.Decisions = append(a.Decisions, made)
	if made.Step == StepApprove {
		a.Unsettled = now.Add(unsettledFor)
	}
	if made.Refused {
		c.end(CaseRefused, "refused_"+d.Step, now, s.retention(c))
		s.notify(c, noticeRefused, now)
		return
	}
	s.advance(c, g, now)
}

// submit hands the request to those who decide about it. Who they are is in the dossier of an organization: a configuration that asks for approvals of
// anything else is refused, and if there is one all the same, its requests wait for nobody until they expire.
func (s *Service) submit(c *Case, p *Profile, g *grounds, now time.Time) {
	c.move(CaseReview, "approvals", now, now.Add(p.CaseLifetime))
	if g.organization == nil {
		return
	}
	rule := g.organization.Rule
	rule.Needed = max(rule.Needed, p.Approvals)
	c.Approval = &Approval{Organization: g.organization.ID, Rule: rule}
	c.stage(StageSubmitted, now)
	s.callUp(c, g, now)
}

// within ends the grant no later than what it is beneath.
func (c *Case) within(end time.Time) {
	if end.IsZero() || !end.Before(c.Expires) {
		return
	}
	c.Retain = c.Retain.Add(end.Sub(c.Expires))
	c.Grant.Expires, c.Expires = end, end
	if c.Grant.RecheckAfter.After(end) {
		c.Grant.RecheckAfter = end
	}
}

// granted says whether the last of the decisions has been made, and as many have approved as the profile demands now: the case is for an account that was bound by
// a key which another case ended in.
func (a *Approval) granted(p *Profile) bool {
	return a != nil && a.approvers() >= p.Approvals && slices.ContainsFunc(a.Decisions, func(d Decision) bool { return d.Step == StepReview && !d.Refused && d.Void == "" })
}

// advance moves a request on as far as its decisions carry it.
func (s *Service) advance(c *Case, g *grounds, now time.Time) {
	a, p := c.Approval, s.profileOf(c)
	a.Rule = s.RuleOf(c) // it may demand more than when the request was submitted
	// What there is to collect for a CSR was collected for its authorization, unless something was found in it.
	vetted := a.latest(StepVet, now) != nil || c.Parent != "" && len(a.Discrepancies) == 0
	switch {
	case a.Stage == StageSubmitted && a.Rule.Met(a.Approved(now)):
		if !vetted {
			c.stage(StageVetting, now)
		} else {
			c.stage(StageCorrelation, now)
		}
		s.callUp(c, g, now)
	case a.Stage == StageVetting && !a.Rule.Met(a.Approved(now)): // their word has run out
		c.stage(StageSubmitted, now)
		s.callUp(c, g, now)
	case a.Stage == StageVetting && vetted:
		c.stage(StageCorrelation, now)
		s.callUp(c, g, now)
	case a.Stage == StageSubmitted: // the next one's turn, where they go in order
		s.callUp(c, g, now)
	case a.Stage == StageCorrelation && !(vetted && a.Rule.Met(a.Approved(now))): // something has run out, or more is demanded; the review comes after it
		a.void(StepReview, VoidApprovals, now)
		back := StageVetting
		if !a.Rule.Met(a.Approved(now)) {
			back = StageSubmitted
		}
		c.stage(back, now)
		s.callUp(c, g, now)
	case a.Stage == StageCorrelation && a.latest(StepReview, now) != nil:
		basis, _ := c.entitlement(p, g)
		evidence, _ := asOfNow(g.models, s.left(c))
		s.grant(c, p, Assess(p.Framework, s.Policy.OperatorFacts, now, evidence), basis, now)
		c.within(c.ParentExpires)
	}
}

// record writes an entry about somebody who is at work on the request, and is not its person.
func (c *Case) record(kind EntryKind, by Actor, now time.Time, facts, private map[string]any, persons ...string) {
	n := Note{Of: SubjectCase, Object: c.ID, Kind: kind, By: by, At: now, Facts: facts, Persons: persons}
	if private != nil {
		n.Private = private
	}
	c.Journal.Write(n)
}

// stage enters a stage, and says so in the log.
func (c *Case) stage(g Stage, now time.Time) {
	c.Approval.enter(g, now)
	c.record(CaseStaged, ByService, now, map[string]any{"stage": string(g)}, nil)
}

// latest is the decision of a step that still counts; nil if there is none.
func (a *Approval) latest(step Step, now time.Time) *Decision {
	for i := len(a.Decisions) - 1; i >= 0; i-- {
		if d := &a.Decisions[i]; d.Step == step && d.counts(now) {
			return d
		}
	}
	return nil
}

func (d decider) actor() Actor {
	return Actor{Kind: "person", ID: d.person, Role: d.appointment.Role, Appointment: d.appointment.ID, Session: d.session}
}

func (d decider) author() author { return author{Actor: d.actor(), client: d.client} }

// holding is the appointment of that id among those that somebody holds; nil if they do not.
func holding(held []*Appointment, id string) *Appointment {
	i := slices.IndexFunc(held, func(a *Appointment) bool { return a.ID == id })
	if i < 0 {
		return nil
	}
	return held[i]
}

// docketed is a case that people decide about, for somebody who holds these appointments. ErrNotFound for what none of them covers.
func (s *Service) docketed(ctx context.Context, held []*Appointment, id string) (*Case, error) {
	c, err := s.get(ctx, id)
	if err != nil {
		return nil, err
	}
	if c.Own() || c.Approval == nil || !slices.ContainsFunc(held, func(a *Appointment) bool { return a.Covers(c.CA, c.Approval.Organization) }) {
		return nil, ErrNotFound
	}
	return c, nil
}
