package proofing

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// PolicyRequest is what an administrator would decide about a proposed policy.
type PolicyRequest struct {
	Proposal string // its id
	Refuse   bool
	Reason   string // in their own words; whoever refuses must give one
	// Number is that of the last entry of the book when the page was made: PolicyBook.Journal.Written.
	Number int64
	Shown  DocumentShown // what the page said: every line that changes
}

// StepPolicy is the step of a document that is about a policy.
const StepPolicy = "policy"

// Policies are the policy book and the proposals that were decided, for an administrator: as ListPolicies, with approvals that count no more marked so, with the errors of Console, and
// ErrNotFound for anybody else.
func (s *Service) Policies(ctx context.Context, v Visit, after string, limit int) (b *PolicyBook, decided []*PolicyProposal, next string, err error) {
	if _, _, err := s.policyOfficer(ctx, v); err != nil {
		return nil, nil, "", err
	}
	if b, decided, next, err = s.ListPolicies(ctx, after, limit); err == nil {
		err = s.recount(ctx, b.Proposed)
	}
	return b, decided, next, err
}

// ProposedPolicy is what waits for two administrators, for one of them; nil if nothing does. Errors as Policies.
func (s *Service) ProposedPolicy(ctx context.Context, v Visit) (*PolicyProposal, error) {
	if _, _, err := s.policyOfficer(ctx, v); err != nil {
		return nil, err
	}
	b, err := s.PolicyBook(ctx)
	if err != nil {
		return nil, err
	}
	return b.Proposed, s.recount(ctx, b.Proposed)
}

// recount marks the approvals of a proposal that count no more, in what is shown of it.
func (s *Service) recount(ctx context.Context, p *PolicyProposal) error {
	if p == nil {
		return nil
	}
	gone, err := s.policyVoids(ctx, p)
	p.void(gone)
	return err
}

// PolicyInConsole is the book with one of its proposals, for an administrator. Waits says whether it waits for this one. Approvals that count no more
// are marked so in what is returned. Errors as Policies.
func (s *Service) PolicyInConsole(ctx context.Context, v Visit, id string) (b *PolicyBook, p *PolicyProposal, waits bool, err error) {
	session, by, err := s.policyOfficer(ctx, v)
	if err != nil {
		return nil, nil, false, err
	}
	if b, err = s.PolicyBook(ctx); err != nil {
		return nil, nil, false, err
	}
	if p, err = s.policyProposal(ctx, b, id); err != nil || p != b.Proposed {
		return b, p, false, err
	}
	if err := s.recount(ctx, p); err != nil {
		return nil, nil, false, err
	}
	return b, p, mayDecidePolicy(b, id, decider{person: session.Person.ID, appointment: by}) == "", nil
}

// policyOfficer is an administrator in the console, with the appointment that makes them one.
func (s *Service) policyOfficer(ctx context.Context, v Visit) (*Session, *Appointment, error) {
	session, mine, err := s.Console(ctx, v)
	if err != nil {
		return nil, nil, err
	}
	by, err := actingBy(mine, func(a *Appointment) bool { return a.Role == RoleAdministrator })
	return session, by, err
}

// AskPolicyDecision is the first half of a decision about a proposed policy, as AskDecision is of one about a request. Errors: those of Console, ErrNotFound for
// whoever is no administrator, ErrNotAdmitted unless they have just authenticated with a passkey, ErrClock as AskDecision, *LimitError after ten decisions within ten
// minutes; and the *InputError codes "policy_stale", "reason_empty", "decide_cooling", "policy_stage" (it is decided, or another one has taken its place), "policy_again",
// and those of AskSignature.
func (s *Service) AskPolicyDecision(ctx context.Context, v Visit, r PolicyRequest) (*Signing, error) {
	session, appointment, err := s.policyOfficer(ctx, v)
	if err != nil {
		return nil, err
	}
	if !session.Fresh {
		return nil, ErrNotAdmitted
	}
	if err := s.cooled(session, appointment); err != nil {
		return nil, err
	}
	if r.Reason = oneLine(r.Reason, mostReason); r.Refuse && r.Reason == "" {
		return nil, &InputError{Field: "reason", Code: "reason_empty"}
	}
	b, err := s.PolicyBook(ctx)
	if err != nil {
		return nil, err
	}
	by := decider{person: session.Person.ID, appointment: appointment}
	if b.Proposed != nil {
		gone, err := s.policyVoids(ctx, b.Proposed)
		if err != nil {
			return nil, err
		}
		b.Proposed.void(gone)
	}
	if err := b.checkDecision(by, r, s.now()); err != nil {
		return nil, err
	}
	d := Document{
		Subject: DocumentSubject{Of: SubjectPolicy, Object: b.ID, Number: b.Journal.Written}, Proposed: b.Proposed.Digest,
		Step: StepPolicy, Decision: DecideApprove, Shown: r.Shown,
		By: DocumentBy{Person: by.person, Name: appointment.Name, Role: appointment.Role, Appointment: appointment.ID},
	}
	if r.Refuse {
		d.Decision, d.Reason = DecideRefuse, r.Reason
	}
	if err := d.shownWhole(); err != nil {
		return nil, err
	}
	limit := spend{"decisions", "decisions." + by.person, 1, mostDecisions, burst}
	if err := s.spendAll(ctx, []spend{limit}); err != nil {
		return nil, err
	}
	return s.AskSignature(ctx, v, d)
}

// checkDecision holds a decision to the state that was shown, and to the hard rules.
func (b *PolicyBook) checkDecision(by decider, r PolicyRequest, now time.Time) error {
	if why := mayDecidePolicy(b, r.Proposal, by); why != "" {
		return &InputError{Field: "decision", Code: why}
	}
	if err := clockFollows(now, append(b.Proposed.times(), by.appointment.given())...); err != nil {
		return err
	}
	if b.Journal.Written != r.Number {
		return &InputError{Field: "number", Code: "policy_stale", Detail: "the policy book is at entry " + strconv.FormatInt(b.Journal.Written, 10)}
	}
	return nil
}

// DecidePolicy is the second half: the signature is verified, and the decision made, in one update of the book. The second approval puts the policy
// in force; one refusal ends it. The same answer may come again, and decides once. Errors are those of AskPolicyDecision and of TakeSignature.
func (s *Service) DecidePolicy(ctx context.Context, v Visit, response []byte) (*PolicyBook, error) {
	signed, d, by, _, err := s.takeDecision(ctx, v, response, SubjectPolicy)
	if err != nil {
		return nil, err
	}
	if d.Subject.Object != s.policyBookID() || by.appointment == nil || by.appointment.Role != RoleAdministrator {
		return nil, ErrNotFound
	}
	b, err := s.PolicyBook(ctx)
	if err != nil {
		return nil, err
	}
	var gone map[string]string
	if b.Proposed != nil {
		if gone, err = s.policyVoids(ctx, b.Proposed); err != nil {
			return nil, err
		}
	}
	told, err := s.concerned(ctx, &Appointment{Role: RoleAdministrator})
	if err != nil {
		return nil, err
	}
	b, err = s.PolicyBooks.Update(ctx, b.ID, func(b *PolicyBook) error {
		if b.decided(d.Nonce) {
			return nil // the same answer, once more
		}
		p := b.Proposed
		if p == nil || p.Digest != d.Proposed {
			return &InputError{Field: "decision", Code: denyPolicyStage}
		}
		if d.Policy != b.InForce.Digest {
			return &InputError{Field: "policy", Code: "policy_stale", Detail: "the policy has changed"}
		}
		p.void(gone)
		if err := b.checkDecision(by, PolicyRequest{Proposal: p.ID, Number: d.Subject.Number}, s.now()); err != nil {
			return err
		}
		if b.textsPending() {
			return fmt.Errorf("%w: the policy before this one is not in the log yet", ErrUnavailable)
		}
		s.decidePolicy(b, by, d, signed, told, v.Lang)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("decide policy: %w", err)
	}
	s.rouseOffices()
	return b, s.Signed(ctx, v, d.Nonce)
}

// decidePolicy makes the decision, and draws what follows from it.
func (s *Service) decidePolicy(b *PolicyBook, by decider, d Document, signed *Signature, told []recipient, lang string) {
	now, p := s.now(), b.Proposed
	made := PolicyDecision{
		Nonce: d.Nonce, Refused: d.Decision == DecideRefuse, Reason: d.Reason, Person: by.person, Name: by.appointment.Name, Appointment: by.appointment.ID, At: now, Signature: *signed,
	}
	facts := map[string]any{
		"decision": d.Decision, "digest": p.Digest, FactDocument: Digest([]byte(signed.Document)), "credential": d.Credential, "policy": d.Policy,
	}
	d.enterShown(facts)
	b.write(PolicyIsDecided, by.actor(), now, facts, map[string]any{"name": by.appointment.Name, "reason": d.Reason}, by.person)
	made.Entry = b.Journal.Written
	p.Decisions = append(p.Decisions, made)
	act := Act{By: by.actor(), Name: by.appointment.Name, At: now}
	switch {
	case made.Refused:
		b.Refused = append(b.Refused, p.Digest)
		b.settle(PolicyRefused, now)
		s.tellOfPolicy(b, told, lang, act, "refused")
	case p.Approved() < PolicyApprovals:
		s.tellOfPolicy(b, told, lang, act, "approved")
	default:
		b.write(PolicyIsInForce, ByService, now, map[string]any{"digest": p.Digest, "before": b.InForce.Digest}, map[string]any{"text": p.Text})
		b.Before = append(slices.DeleteFunc(b.Before, func(was string) bool { return was == p.Digest }), b.InForce.Digest)
		b.Before = b.Before[max(0, len(b.Before)-mostPoliciesBefore):]
		b.InForce, b.Refused = PolicyVersion{Digest: p.Digest, Text: p.Text, Since: now, Proposal: p.ID}, nil
		b.settle(PolicyApproved, now)
		s.tellOfPolicy(b, told, lang, act, "in_force")
	}
}

// Approved is how many approvals of the proposal count.
func (p *PolicyProposal) Approved() (n int) {
	for i := range p.Decisions {
		if d := &p.Decisions[i]; !d.Refused && d.Void == "" {
			n++
		}
	}
	return n
}

// policyVoids are the approvals of a proposal that count no more, by their nonces, and why.
func (s *Service) policyVoids(ctx context.Context, p *PolicyProposal) (map[string]string, error) {
	gone, now := map[string]string{}, s.now()
	for i := range p.Decisions {
		d := &p.Decisions[i]
		stands, err := s.stillActs(ctx, Act{By: Actor{Appointment: d.Appointment}}, "")
		switch {
		case err != nil:
			return nil, err
		case !stands:
			gone[d.Nonce] = PolicyVoidGone
		case !now.Before(d.At.Add(PolicyApprovedFor)):
			gone[d.Nonce] = PolicyVoidOld
		default:
			who, err := s.person(ctx, d.Person)
			if err != nil {
				return nil, fmt.Errorf("read who decided: %w", err)
			}
			if !who.signsBy(d.Signature.Credential.String()) {
				gone[d.Nonce] = PolicyVoidKey
			}
		}
	}
	return gone, nil
}

// void marks what counts no more. What was marked once stays so: nobody comes back by way of an old signature.
func (p *PolicyProposal) void(gone map[string]string) {
	for i := range p.Decisions {
		if d := &p.Decisions[i]; d.Void == "" {
			d.Void = gone[d.Nonce]
		}
	}
}

// decided says whether a decision of that nonce is in the book already.
func (b *PolicyBook) decided(nonce string) bool {
	has := func(p *PolicyProposal) bool {
		return slices.ContainsFunc(p.Decisions, func(d PolicyDecision) bool { return d.Nonce == nonce })
	}
	return b.Proposed != nil && has(b.Proposed) || slices.ContainsFunc(b.Settled, func(p PolicyProposal) bool { return has(&p) })
}

// noticePolicy is the notice of what becomes of the policy.
const noticePolicy = "policy"

// tellOfPolicy puts the notices of a change into the book's outbox. What is a code that the words have.
func (s *Service) tellOfPolicy(b *PolicyBook, told []recipient, lang string, by Act, what string) {
	ctx := MessageContext{CA: s.Policy.Operator, Operator: s.Policy.Operator, Contact: s.Policy.Contact, Origin: s.Policy.Origin, Lang: lang, Reason: what}
	for _, r := range told {
		b.Outbox.owe(b.ID, Message{Kind: r.kindFor(noticePolicy), Channel: r.Channel, To: r.Address, Lang: lang, Context: ctx, By: by.Name}, r.person, by.At)
	}
}

// workPolicies sends the notices of the policy book that are due.
func (s *Service) workPolicies(ctx context.Context, id string) error {
	b, err := s.PolicyBooks.Get(ctx, id)
	if err != nil {
		return ignoreNotFound(err)
	}
	return workNotices(ctx, s, s.PolicyBooks, b)
}
