package proofing

import (
	"context"
	"time"
)

// history is what the requests of a person that are still known tell of them.
type history struct {
	// proofed is the highest IAL at which they were proofed, by the framework that says so. What they merely say of themselves is none.
	proofed map[Framework]int
	lang    string // in which they last used these pages
}

func (p *history) highest() (ial int) {
	for _, level := range p.proofed {
		ial = max(ial, level)
	}
	return ial
}

// historyOf looks into every bucket.
func (s *Service) historyOf(ctx context.Context, p *Person) (*history, error) {
	known, last := &history{proofed: map[Framework]int{}}, time.Time{}
	for c, err := range s.casesOfPerson(ctx, p.ID) {
		if err != nil {
			return nil, err
		}
		if c.Desk == nil && c.Lang != "" && c.Created.After(last) {
			known.lang, last = c.Lang, c.Created
		}
		framework := s.Policy.Own.Framework
		if profile := s.profileOf(c); profile != nil {
			framework = profile.Framework
		}
		for _, e := range c.Evidence {
			a := Assess(framework, s.Policy.OperatorFacts, e.At, []Evidence{e})
			if a.IAL != nil && a.IALBasis != BasisSelfAsserted {
				known.proofed[framework] = max(known.proofed[framework], *a.IAL)
			}
		}
	}
	return known, nil
}

// recoveryTakesTwo says whether the account could authenticate at AAL2, or its person was proofed at IAL2, by anything that was ever
// shown here: such an account is given to nobody on one person's word.
func (s *Service) recoveryTakesTwo(p *Person, known *history, now time.Time) bool {
	return s.everReached(p, now) >= 2 || known.highest() >= 2
}

// ShortError says that what a representative has checked would not earn the level at which the person was proofed.
type ShortError struct {
	InputError
	IAL     int
	Missing []Reason
}

func (e *ShortError) Unwrap() error { return &e.InputError }

// reproofed says whether a check repeats what the person's proofing took, under each framework by which they were proofed: account recovery by
// repeated proofing is at the level of the first (SP 800-63B 6.1.2.3; SP 800-63B-4 4.2.1.4). Nothing of that proofing is kept here
// that a shorter check could lean on.
func (s *Service) reproofed(known *history, check *ProofingFacts, now time.Time) error {
	for _, f := range []Framework{R3, R3Sup1, R4} { // in one order, for one answer
		ial, proofed := known.proofed[f]
		if !proofed {
			continue
		}
		got := s.repeats(check, f, now)
		if got.IAL != nil && *got.IAL >= ial {
			continue
		}
		return &ShortError{InputError{Field: "check", Code: "recovery_short"}, ial, got.Reasons}
	}
	return nil
}

// repeats is what a check would earn as a record. Its address is the account's, which was confirmed then, and every address hears of a recovery. No code
// goes out in one, so that what would take a code falls short: remote proofing in revision 3, and the pathway of codes in revision 4.
func (s *Service) repeats(check *ProofingFacts, f Framework, now time.Time) EventAssessment {
	facts := *check
	facts.CollectedBy, facts.ReviewedBy, facts.RepresentativeTrained = "one", "another", true
	facts.AddressConfirmation = &AddressConfirmation{Channel: ByPost, Source: ValidatedRecord}
	facts.Notification = &ProofingNotice{Channel: ByPhone}
	return Assess(f, s.Policy.OperatorFacts, now, []Evidence{{ID: "check", Kind: ProofingRecord, At: now, Proofing: &facts}}).Events[0]
}

// stillEnough judges a recovery by what is known of the account now: whether it takes two, and *ShortError if the check is not enough any more.
func (s *Service) stillEnough(ctx context.Context, c *Case) (two bool, err error) {
	p, err := s.person(ctx, c.Person)
	if err != nil || p == nil {
		return false, err
	}
	known, err := s.historyOf(ctx, p)
	if err != nil {
		return false, err
	}
	now := s.now()
	facts, err := c.Desk.Check.facts(&Case{}, now)
	if err != nil {
		return false, err
	}
	return s.recoveryTakesTwo(p, known, now), s.reproofed(known, facts, now)
}
