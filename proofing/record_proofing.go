package proofing

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// ProofingPreview is what a record would be worth once it was accepted: the rules are asked before anybody relies on it.
type ProofingPreview struct {
	Assessed EventAssessment
	Unmet    []Missing // what the profile would still lack
}

// PreviewProofing says what a record of the case would earn if a second representative accepted it now. The errors are those of facts.
func (s *Service) PreviewProofing(c *Case, r *RecordedProofing) (*ProofingPreview, error) {
	p, now := s.profileOf(c), s.now()
	if p == nil {
		return nil, ErrClosed
	}
	facts := r.Facts
	if facts == nil {
		var err error
		if facts, err = s.stated(c, r, now); err != nil {
			return nil, err
		}
	}
	e := accepted(r.ID, *facts, "somebody else", now)
	evidence := append(c.Standing(), e)
	a := Assess(p.Framework, s.Policy.OperatorFacts, now, evidence)
	return &ProofingPreview{Assessed: a.Events[len(a.Events)-1], Unmet: p.Unmet(s.Policy.OperatorFacts, now, evidence)}, nil
}

// stated are the facts of a draft with who collected them. Whoever is let in to the desk is trained: Appoint takes the word for it, and Desk looks at its end.
func (s *Service) stated(c *Case, r *RecordedProofing, now time.Time) (*ProofingFacts, error) {
	f, err := r.Draft.facts(c, now)
	if err == nil {
		f.CollectedBy, f.RepresentativeTrained = r.Collector, true
	}
	return f, err
}

// accepted is the evidence that a record becomes.
func accepted(id string, f ProofingFacts, reviewer string, now time.Time) Evidence {
	f.ReviewedBy = reviewer
	return Evidence{ID: id, Kind: ProofingRecord, At: now, Proofing: &f}
}

// recordable says whether a representative may record, or review, something in the case: nobody does so for themselves.
func (s *Service) recordable(c *Case, representative string) error {
	switch {
	case c.Frozen != nil:
		return ErrFrozen
	case c.Status != CaseOpen:
		return ErrClosed
	case c.DeskCode == "" || !s.byRepresentative(c):
		return ErrNotFound
	case c.Person == "":
		return &InputError{Field: "code", Code: "record_person"}
	case c.Person == representative:
		return &InputError{Field: "code", Code: "record_own"}
	}
	return nil
}

// SaveProofing keeps what a representative has recorded so far. It changes nothing for anybody, and so takes no fresh
// authentication: filling in takes longer than one lasts. Errors: those of Desk and of ProofingDraft.facts, ErrFrozen, ErrClosed, and the *InputError codes
// "record_person", "record_own", "record_waits" (for the review of another one) and "records_full".
func (s *Service) SaveProofing(ctx context.Context, v Visit, id string, d ProofingDraft) (*Case, error) {
	session, err := s.Desk(ctx, v)
	if err != nil {
		return nil, err
	}
	me, fresh := session.Person, NewToken().Reveal()[:12]
	return s.updateBy(ctx, byPerson(session, v), id, func(c *Case, now time.Time) error {
		if err := s.recordable(c, me.ID); err != nil {
			return err
		}
		if _, err := d.facts(c, now); err != nil {
			return err
		}
		if c.Waiting() != nil {
			return &InputError{Field: "record", Code: "record_waits"}
		}
		c.Proofings = slices.DeleteFunc(c.Proofings, func(r RecordedProofing) bool {
			return r.Status == RecordDraft && r.Collector != me.ID && now.Sub(r.Changed) > draftFor
		})
		r := c.Drafted(me.ID)
		if r == nil {
			if len(c.Proofings) >= maxRecorded {
				return &InputError{Field: "record", Code: "records_full"}
			}
			c.Proofings = append(c.Proofings, RecordedProofing{ID: "record-" + fresh, Status: RecordDraft, Collector: me.ID})
			r = &c.Proofings[len(c.Proofings)-1]
		}
		r.Draft, r.CollectorName, r.Person, r.Changed = d, me.Representative.Name, c.Person, now
		r.Version++
		return nil
	})
}

// SubmitProofing hands a draft, as of the version that the representative has seen, to a second one. It may come twice. Errors: those of SaveProofing,
// ErrNotAdmitted without a fresh authentication, and the *InputError codes "record_changed" and "record_worthless": the rules would give no IAL for it.
func (s *Service) SubmitProofing(ctx context.Context, v Visit, id, record string, version int) (*Case, error) {
	session, err := s.freshDesk(ctx, v)
	if err != nil {
		return nil, err
	}
	me := session.Person
	return s.updateBy(ctx, byPerson(session, v), id, func(c *Case, now time.Time) error {
		r := c.recorded(record)
		if r == nil || r.Collector != me.ID {
			return ErrNotFound
		}
		if r.Status == RecordSubmitted && r.Version == version {
			return nil
		}
		if err := s.recordable(c, me.ID); err != nil {
			return err
		}
		switch {
		case r.Status != RecordDraft:
			return &InputError{Field: "record", Code: "record_over"}
		case r.Version != version, r.Person != c.Person:
			return &InputError{Field: "record", Code: "record_changed"}
		case c.Waiting() != nil:
			return &InputError{Field: "record", Code: "record_waits"}
		}
		facts, err := s.stated(c, r, now)
		if err != nil {
			return err
		}
		worth, err := s.PreviewProofing(c, r)
		if err != nil {
			return err
		}
		if worth.Assessed.IAL == nil {
			return &InputError{Field: "record", Code: "record_worthless"}
		}
		r.Facts, r.Status, r.CollectorName, r.Changed = facts, RecordSubmitted, me.Representative.Name, now
		return nil
	})
}

// Review is what a second representative says of a record.
type Review struct {
	Record string
	Accept bool
	Reason string // of a refusal
}

// ReviewProofing accepts or refuses a record. Accepting makes it evidence of the case, tells the person, and moves the case on, all in one
// change: of two reviewers at once one wins, and the same review may come twice. Errors: those of Desk, ErrNotAdmitted without a fresh authentication, ErrFrozen,
// ErrClosed, and the *InputError codes "record_own", "record_reviewer" (the collector reviews nothing of their own: SP 800-63A 4.2; SP 800-63A-4 3.2.1), "record_collector" (who
// recorded it is a representative no more), "record_changed" (the case is another person's now), "record_over" and "record_reason".
func (s *Service) ReviewProofing(ctx context.Context, v Visit, id string, review Review) (*Case, error) {
	session, err := s.freshDesk(ctx, v)
	if err != nil {
		return nil, err
	}
	c, err := s.atDesk(ctx, id)
	if err != nil {
		return nil, err
	}
	r := c.recorded(review.Record)
	if r == nil || r.Status == RecordDraft {
		return nil, ErrNotFound
	}
	collector, err := s.person(ctx, r.Collector)
	if err != nil {
		return nil, err
	}
	g, err := s.grounds(ctx, c)
	if err != nil {
		return nil, err
	}
	me, reason := session.Person, oneLine(review.Reason, 300)
	return s.updateBy(ctx, byPerson(session, v), id, func(c *Case, now time.Time) error {
		r := c.recorded(review.Record)
		if r == nil {
			return ErrNotFound
		}
		decided := RecordRefused
		if review.Accept {
			decided = RecordAccepted
		}
		if r.Status == decided && r.Reviewer == me.ID {
			return nil
		}
		if err := s.recordable(c, me.ID); err != nil {
			return err
		}
		switch {
		case r.Collector == me.ID:
			return &InputError{Field: "record", Code: "record_reviewer"}
		case r.Status != RecordSubmitted:
			return &InputError{Field: "record", Code: "record_over"}
		case !review.Accept && reason == "":
			return &InputError{Field: "reason", Code: "record_reason"}
		case review.Accept && (collector == nil || collector.Representative == nil):
			return &InputError{Field: "record", Code: "record_collector"}
		case review.Accept && r.Person != c.Person:
			return &InputError{Field: "record", Code: "record_changed"}
		case review.Accept && len(c.Evidence) >= maxEvidence:
			return &InputError{Field: "record", Code: "records_full"}
		}
		r.Status, r.Reviewer, r.ReviewerName, r.Changed = decided, me.ID, me.Representative.Name, now
		if !review.Accept {
			r.Reason = reason
			return nil
		}
		e := accepted(r.ID, *r.Facts, me.ID, now)
		r.Facts = e.Proofing
		c.Evidence = append(c.Evidence, e)
		c.Outbox.Effects = append(c.Outbox.Effects, Effect{ID: "share." + e.ID, Kind: EffectShare, Due: now, Event: e.ID})
		s.notifyProofed(c, r.Facts.Notification, now)
		if err := s.progress(c, g, now); err != nil {
			return fmt.Errorf("move case on: %w", err)
		}
		return nil
	})
}
