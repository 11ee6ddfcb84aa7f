package proofing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Whoever has lost what they sign in with comes back by two things at once: a saved code, and a mailbox that was
// theirs before; never by a mailbox alone (SP 800-63B 6.1.2.3; SP 800-63B-4 4.2). That authenticates nobody: it admits
// a new authenticator, which counts for nothing until a time is over in which the owner hears of it. Whatever authenticated them
// before is suspended, so that there is no level until then.

const (
	recoveryCodes  = 10
	recoveryLength = 16 // characters of five bits: 80 bits, where 64 are asked for (SP 800-63B-4 4.2.1.1)
	recoveredFor   = 30 * time.Minute
	// maxRecoveries is how often an account is recovered by codes without its person saying since what is still theirs: each use
	// of a code brings a new one, and each recovery is written beside everything that it suspends.
	maxRecoveries  = 10
	recoveryLetter = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
)

// NewRecoveryCodes makes new codes in the place of those that a person has. They are returned once; only keyed hashes
// are kept. ErrNotAdmitted unless the person has just authenticated, as strongly as they can, and if somebody says meanwhile that it was not them.
func (s *Service) NewRecoveryCodes(ctx context.Context, v Visit) ([]Secret, error) {
	session, err := s.Session(ctx, v)
	if err != nil {
		return nil, err
	}
	if !session.Fresh {
		return nil, ErrNotAdmitted
	}
	if err := s.spendChange(ctx, session.Person); err != nil {
		return nil, err
	}
	codes, hashes := make([]Secret, recoveryCodes), make([]string, recoveryCodes)
	for i := range codes {
		codes[i] = groupedCode(recoveryLength)
		hashes[i] = s.recoveryHash(session.Person.ID, codes[i])
	}
	by := byPerson(session, v)
	if _, err := s.updateBy(ctx, by, session.Case.ID, func(c *Case, now time.Time) error {
		s.notifyPerson(c, session.Person.Bindings, noticeBound, Binding{Contact: Contact{Channel: channelRecovery}}, now)
		c.write(by, now, EntryCodes, nil, nil)
		return nil
	}); err != nil {
		return nil, err
	}
	if _, err := s.People.Update(ctx, session.Person.ID, func(p *Person) error {
		p.Recovery, p.RecoveryMade, p.RecoveryCase = hashes, s.now(), session.Case.ID
		return nil
	}); err != nil {
		return nil, fmt.Errorf("keep recovery codes: %w", err)
	}
	// Whoever said meanwhile that it was not them may have found none to take away.
	again, err := s.get(ctx, session.Case.ID)
	if err != nil {
		return nil, err
	}
	if again.takenBack() {
		return nil, errors.Join(ErrNotAdmitted, s.voidMadeIn(ctx, again))
	}
	return codes, nil
}

// channelRecovery is what notices call recovery codes; nothing is bound under it.
const channelRecovery Channel = "recovery"

// recoveryHash is what is kept of a code.
func (s *Service) recoveryHash(person string, code Secret) string {
	return s.Hasher.Hex("recovery", person, readRecoveryCode(code))
}

// Recoverable says whether a saved code may be used in the case: it is a person's own, and a mailbox that was
// theirs before has been confirmed in it.
func (c *Case) Recoverable() bool {
	return c.Own() && c.Status == CaseOpen && c.Person != "" && slices.ContainsFunc(c.Evidence, func(e Evidence) bool {
		return e.Contact().Channel == ChannelEmail && e.bound()
	})
}

// Recover spends a saved code in a case of a person's own in which they have confirmed a mailbox of theirs. Then they are
// in, without any level, and may add an authenticator for a while. In the place of the code there is a new one, which is
// returned once (SP 800-63B-4 4.2.1.1). Errors: ErrNotAdmitted without the mailbox,
// ErrWrongAnswer, ErrBlocked, the *InputError codes "recovery_in_person" and "recovery_often", and those of Answer.
func (s *Service) Recover(ctx context.Context, v Visit, code Secret) (c *Case, renewed Secret, err error) {
	c, err = s.CaseByLink(ctx, v.Link)
	if err != nil {
		return nil, "", err
	}
	browser := s.BrowserHash(v.Browser)
	if err := c.workable(browser); err != nil {
		return nil, "", err
	}
	if !c.Recoverable() || browser == "" {
		return nil, "", ErrNotAdmitted
	}
	if err := s.mayRecover(ctx, c.Person); err != nil {
		return nil, "", err
	}
	counter := recoveryFailures(c.Person)
	failures, _, err := s.Limiter.Add(ctx, counter, 1, 0)
	if err != nil {
		return nil, "", fmt.Errorf("count failures: %w", err)
	}
	if failures > s.Policy.Limits.FailuresInRow {
		return nil, "", ErrBlocked
	}
	wanted, spent := s.recoveryHash(c.Person, code), false
	renewed = groupedCode(recoveryLength)
	p, err := s.People.Update(ctx, c.Person, func(p *Person) error {
		left := slices.DeleteFunc(slices.Clone(p.Recovery), func(h string) bool { return same(Secret(h), Secret(wanted)) })
		if spent = len(left) < len(p.Recovery); spent {
			left = append(left, s.recoveryHash(p.ID, renewed))
		}
		p.Recovery = left
		return nil
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, "", fmt.Errorf("spend recovery code: %w", err)
	}
	if !spent {
		return c, "", ErrWrongAnswer
	}
	// From here on a crash costs the code, which is safe: there are others.
	if c, err = s.updateBy(ctx, byVisitor(v), c.ID, func(c *Case, now time.Time) error {
		if err := c.workable(browser); err != nil {
			return err
		}
		c.Recovered = now
		c.Outbox.Effects = append(c.Outbox.Effects, Effect{ID: string(EffectRecover), Kind: EffectRecover, Due: now})
		s.notifyPerson(c, p.Bindings, noticeRecovered, Binding{Contact: Contact{Channel: channelRecovery}}, now)
		s.signIn(c, now)
		return nil
	}); err != nil {
		return nil, "", err
	}
	if _, _, err := s.Limiter.Add(context.WithoutCancel(ctx), counter, -failures, 0); err != nil {
		s.Log.WarnContext(ctx, "failure counter not given back", "case", c.ID, "error", err)
	}
	s.hurry(ctx, c.ID)
	return c, renewed, nil
}

// mayRecover says whether a code is enough for a person. It is the *InputError "recovery_in_person" for whoever was proofed at IAL2 or
// above in revision 3, and must be proofed again (SP 800-63B 6.1.2.3); and in revision 4 for whoever was proofed at IAL3 and could
// authenticate at AAL3, which takes a biometric comparison (SP 800-63B-4 4.2.2.3). It is "recovery_often" after too many.
func (s *Service) mayRecover(ctx context.Context, person string) error {
	p, err := s.person(ctx, person)
	if err != nil || p == nil {
		return err
	}
	if slices.ContainsFunc(p.Bindings, func(b Binding) bool { return len(b.Suspended) >= maxRecoveries }) {
		return &InputError{Field: "code", Code: "recovery_often"}
	}
	reached := s.everReached(p, s.now())
	if reached < 3 && slices.Equal(s.frameworks(), []Framework{R4}) {
		return nil // whatever they were proofed at
	}
	known, err := s.historyOf(ctx, p)
	if err != nil {
		return err
	}
	for f, ial := range known.proofed { // each by the framework under which they were proofed
		if f == R4 && ial >= 3 && reached >= 3 || f != R4 && ial >= 2 {
			return &InputError{Field: "code", Code: "recovery_in_person"}
		}
	}
	return nil
}

// recoveryFailures is the counter of a person's wrong codes in a row.
func recoveryFailures(person string) string { return "failures.recovery." + person }

// UnblockRecovery ends the row of wrong codes of a person, for an operator who has made sure who asks, and returns how long it
// was. The codes stay good, for a hundred tries say nothing of eighty bits, unless they are to be forgotten, as
// when somebody may have seen them. ErrNotFound if there is no such person.
func (s *Service) UnblockRecovery(ctx context.Context, person string, forget bool) (failures int64, err error) {
	p, err := s.People.Get(ctx, person)
	if err != nil {
		return 0, err
	}
	failures, _, err = s.Limiter.Add(ctx, recoveryFailures(person), 0, 0)
	if err != nil {
		return 0, fmt.Errorf("look at failures: %w", err)
	}
	if failures == 0 && !(forget && len(p.Recovery) > 0) {
		return 0, nil
	}
	kind := noticeCodesFreed
	if forget {
		kind = noticeCodesVoid
	}
	// First: what is left of a crash is a block, and a notice and an entry that tell of more than was done.
	if err := s.tellPerson(ctx, p, kind, Binding{Contact: Contact{Channel: channelRecovery}}, time.Time{}); err != nil {
		return 0, fmt.Errorf("unblock recovery: %w", err)
	}
	if _, err := s.People.Update(ctx, person, func(p *Person) error {
		facts := map[string]any{"failures": failures}
		if forget {
			p.Recovery, facts["codes_forgotten"] = nil, true
		}
		p.write(s.operator(), s.now(), EntryRecoveryFreed, facts, nil)
		return nil
	}); err != nil {
		return 0, fmt.Errorf("unblock recovery: %w", err)
	}
	s.mark(SubjectPerson, person[:2])
	return s.endFailures(ctx, recoveryFailures(person))
}

// recovered says whether the case was entered by a saved code, not long ago, and has not authenticated since.
func (c *Case) recovered(now time.Time) bool {
	return c.Own() && !c.Recovered.IsZero() && now.Sub(c.Recovered) <= recoveredFor
}
