package proofing

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// DeskRecovery is the recovery of an account before a representative: for who has lost everything that they could come back by. It is
// a part of a case of the person's own that nobody has opened in a browser yet. What was checked is recorded as
// identities are: no picture, no number of a document, and no name.
type DeskRecovery struct {
	Collector     string `json:"collector"` // the person who has checked who it is
	CollectorName string `json:"collector_name"`
	// Check is what they checked, and Reference where the operator's own record of it is.
	Check     ProofingDraft `json:"check"`
	Reference string        `json:"reference"`
	// Same: they have compared with the record of an earlier proofing that it is the same person.
	Same bool `json:"same,omitempty"`
	// Two: another representative must agree, who is the Confirmer.
	Two           bool      `json:"two,omitempty"`
	Confirmer     string    `json:"confirmer,omitempty"`
	ConfirmerName string    `json:"confirmer_name,omitempty"`
	Confirmed     time.Time `json:"confirmed,omitzero"`
	Refusal       string    `json:"refusal,omitempty"` // why the confirmer did not agree, in their words
	// CodeKey is the keyed hash of the code that the person was given, good until CodeUntil; Codes is how many were made, and
	// Used when one was brought back.
	CodeKey   string    `json:"code_key,omitempty"`
	CodeUntil time.Time `json:"code_until,omitzero"`
	Codes     int       `json:"codes,omitempty"`
	Used      time.Time `json:"used,omitzero"`
}

const (
	// deskRecoveryFor is how long a recovery at the desk may take until the person has come in, and deskRetention how long its
	// record stays.
	deskRecoveryFor = 24 * time.Hour
	deskRetention   = 2 * 365 * 24 * time.Hour
	// deskCodeFor is how long the code is good, and deskRecoveryCode its length in characters of five bits: 120 bits, where 112 are asked
	// for of a code that comes without an identifier (SP 800-63B-4 4.1.2.2).
	deskCodeFor      = 10 * time.Minute
	deskRecoveryCode = 24
	maxDeskCodes     = 3
)

// State is where the recovery stands: "waits" (for the confirmer), "ready", "given" (a code is good), "used", "stopped", "refused" or "over".
func (c *Case) DeskState(now time.Time) string {
	d := c.Desk
	switch {
	case d == nil:
		return ""
	case c.Frozen != nil || !c.Denied.IsZero() || c.Reason == reasonDisowned:
		return "stopped"
	case !d.Used.IsZero():
		return "used"
	case c.Status == CaseRefused:
		return "refused"
	case c.Status.Over():
		return "over"
	case d.Two && d.Confirmed.IsZero():
		return "waits"
	case now.Before(d.CodeUntil):
		return "given"
	}
	return "ready"
}

// RecoveryCheck is what a representative says of somebody who wants back into their account.
type RecoveryCheck struct {
	Draft     ProofingDraft
	Reference string // where the operator's own record of it is
	Same      bool   // DeskRecovery.Same
}

// StartRecovery starts the recovery of the account that has an address, for somebody whom a representative has before them and has checked. All
// addresses of the account hear of it, with the link that stops it. Errors: those of freshDesk, *LimitError, *ShortError, and the *InputError codes
// of the address, "recovery_nobody" (it is nobody's), "recovery_own", "recovery_waits" (there is one under way), "recovery_reference"
// (none is named), "recovery_same", and those of ProofingDraft.facts.
func (s *Service) StartRecovery(ctx context.Context, v Visit, address string, said RecoveryCheck) (*Case, error) {
	session, err := s.freshDesk(ctx, v)
	if err != nil {
		return nil, err
	}
	me, now := session.Person, s.now()
	contact, err := s.anyContact(address)
	if err != nil {
		return nil, err
	}
	check, reference := said.Draft, oneLine(said.Reference, 120)
	check.Address, check.Notice, check.LetterSent, check.LetterBack = "", "", time.Time{}, time.Time{}
	facts, err := check.facts(&Case{}, now)
	if err != nil {
		return nil, err
	}
	if reference == "" {
		return nil, &InputError{Field: "reference", Code: "recovery_reference"}
	}
	// Whoever asks which addresses are known here is counted.
	if err := s.spendAll(ctx, []spend{{"client", "desk.recoveries." + me.ID, 1, s.Policy.Limits.ClientOpens, time.Hour}}); err != nil {
		return nil, err
	}
	owner, err := s.Owner(ctx, contact)
	if errors.Is(err, ErrNotFound) {
		return nil, &InputError{Field: "address", Code: "recovery_nobody"}
	}
	if err != nil {
		return nil, err
	}
	p, err := s.person(ctx, owner)
	if err != nil {
		return nil, err
	}
	switch {
	case p == nil:
		return nil, &InputError{Field: "address", Code: "recovery_nobody"}
	case p.ID == me.ID:
		return nil, &InputError{Field: "address", Code: "recovery_own"}
	}
	known, err := s.historyOf(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := s.reproofed(known, facts, now); err != nil {
		return nil, err
	}
	if len(known.proofed) > 0 && !said.Same {
		return nil, &InputError{Field: "same", Code: "recovery_same"}
	}
	two := s.recoveryTakesTwo(p, known, now)
	natural := s.Hasher.Sum("desk recovery", p.ID) // where the one of a person has its place
	c := &Case{
		ID: NewID(natural[:]), CATitle: s.Policy.Operator, Token: NewToken(), LinkSecret: NewToken(), Disown: NewToken(),
		Applicant: Applicant{Kind: ByNobody}, Lang: cmp.Or(known.lang, v.Lang), Person: p.ID,
		Status: CaseOpen, Created: now, Changed: now, Expires: now.Add(deskRecoveryFor), Started: true, Retain: now.Add(deskRecoveryFor + deskRetention),
		Desk: &DeskRecovery{Collector: me.ID, CollectorName: me.Representative.Name, Check: check, Reference: reference, Same: said.Same, Two: two},
	}
	s.notifyPerson(c, p.Bindings, noticeDeskRecovery, Binding{}, now)
	c.write(byPerson(session, v), now, EntryRecoveryStarted, map[string]any{"two": two, "person": p.ID}, nil)
	err = s.Cases.Create(ctx, c.ID, c)
	if errors.Is(err, ErrExists) {
		return nil, &InputError{Field: "address", Code: "recovery_waits"}
	}
	if err != nil {
		return nil, fmt.Errorf("start recovery: %w", err)
	}
	s.changed(c)
	s.audit(ctx, "recovery started", c, me)
	return c, nil
}

// anyContact reads an address or number as the methods do that people confirm theirs by.
func (s *Service) anyContact(address string) (Contact, error) {
	method := "sms"
	if strings.Contains(address, "@") {
		method = "email"
	}
	m := s.Methods[method]
	if m == nil {
		return Contact{}, &InputError{Field: "address", Code: "recovery_nobody"}
	}
	return m.Check(address)
}

// audit writes down what a representative has done for an account: who, which, and nothing of whom.
func (s *Service) audit(ctx context.Context, what string, c *Case, by *Person) {
	s.Log.InfoContext(ctx, what, "audit", "recovery", "case", c.ID, "person", c.Person, "representative", by.ID, "two", c.Desk.Two)
}

// RecoveryAtDesk is a recovery that was started at the desk; ErrNotFound for any other case, besides the errors of Desk.
func (s *Service) RecoveryAtDesk(ctx context.Context, v Visit, id string) (*Case, *Person, error) {
	if _, err := s.Desk(ctx, v); err != nil {
		return nil, nil, err
	}
	c, err := s.get(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if c.Desk == nil {
		return nil, nil, ErrNotFound
	}
	p, err := s.person(ctx, c.Person)
	return c, p, err
}

// RecoveriesAtDesk are the recoveries in which nobody has come in yet, the oldest first.
func (s *Service) RecoveriesAtDesk(ctx context.Context, v Visit) ([]*Case, error) {
	if _, err := s.Desk(ctx, v); err != nil {
		return nil, err
	}
	all, _, err := s.Cases.List(ctx, Query{Index: "regains", Below: "\x7f", Limit: deskRows})
	if err != nil {
		return nil, fmt.Errorf("list recoveries: %w", err)
	}
	now := s.now()
	all = slices.DeleteFunc(all, func(c *Case) bool {
		c.lapse(now, s.retention(c))
		return c.Status != CaseOpen
	})
	slices.SortFunc(all, func(a, b *Case) int { return a.Created.Compare(b.Created) })
	return all, nil
}

// ConfirmRecovery is the word of a second representative on a recovery: agreed, or refused with a reason, which ends it. It may come twice. Errors:
// those of freshDesk, ErrNotFound, ErrFrozen, ErrClosed, and the *InputError codes "recovery_own", "record_reviewer" (they have started it themselves),
// "record_over", "record_reason" and "record_collector" (who started it is a representative no more).
func (s *Service) ConfirmRecovery(ctx context.Context, v Visit, id string, agree bool, reason string) (*Case, error) {
	session, err := s.freshDesk(ctx, v)
	if err != nil {
		return nil, err
	}
	c, err := s.get(ctx, id)
	if err != nil {
		return nil, err
	}
	if c.Desk == nil {
		return nil, ErrNotFound
	}
	collector, err := s.person(ctx, c.Desk.Collector)
	if err != nil {
		return nil, err
	}
	me := session.Person
	reason = oneLine(reason, 300)
	by := byPerson(session, v)
	c, err = s.updateBy(ctx, by, id, func(c *Case, now time.Time) error {
		d := c.Desk
		if d.Confirmer == me.ID && (agree && !d.Confirmed.IsZero() || !agree && c.Status == CaseRefused) {
			return nil
		}
		switch {
		case c.Frozen != nil:
			return ErrFrozen
		case c.Status != CaseOpen:
			return ErrClosed
		case c.Person == me.ID:
			return &InputError{Field: "recovery", Code: "recovery_own"}
		case d.Collector == me.ID:
			return &InputError{Field: "recovery", Code: "record_reviewer"}
		case !d.Two || !d.Confirmed.IsZero():
			return &InputError{Field: "recovery", Code: "record_over"}
		case !agree && reason == "":
			return &InputError{Field: "reason", Code: "record_reason"}
		case agree && (collector == nil || collector.Representative == nil):
			return &InputError{Field: "recovery", Code: "record_collector"}
		}
		d.Confirmer, d.ConfirmerName = me.ID, me.Representative.Name
		if !agree {
			d.Refusal = reason
			c.end(CaseRefused, "refused", now, s.retention(c))
			return nil
		}
		d.Confirmed = now
		c.write(by, now, EntryRecoveryConfirmed, nil, nil)
		return nil
	})
	if err == nil {
		s.audit(ctx, map[bool]string{true: "recovery confirmed", false: "recovery refused"}[agree], c, me)
	}
	return c, err
}

// GiveRecoveryCode makes the code that the person takes with them, in the place of one that was made before. It is returned once; only a keyed hash is kept. Only who
// has the person before them makes one. Errors: those of freshDesk, ErrNotFound, ErrFrozen, ErrClosed, and the *InputError codes "recovery_collector" (another has
// started it), "recovery_two" (nobody else has agreed), "recovery_confirmer" (who agreed is a representative no more) and "recovery_codes" (there were too many), and
// *ShortError: the person was proofed at a higher level since.
func (s *Service) GiveRecoveryCode(ctx context.Context, v Visit, id string) (*Case, Secret, error) {
	session, err := s.freshDesk(ctx, v)
	if err != nil {
		return nil, "", err
	}
	c, err := s.get(ctx, id)
	if err != nil {
		return nil, "", err
	}
	if c.Desk == nil {
		return nil, "", ErrNotFound
	}
	confirmer, err := s.person(ctx, c.Desk.Confirmer)
	if err != nil {
		return nil, "", err
	}
	// The account may be worth more than it was when the recovery began.
	two, err := s.stillEnough(ctx, c)
	if err != nil {
		return nil, "", err
	}
	if two && !c.Desk.Two && c.Status == CaseOpen {
		if c, err = s.update(ctx, id, func(c *Case, _ time.Time) error {
			c.Desk.Two = true
			return nil
		}); err != nil {
			return nil, "", err
		}
	}
	me, code := session.Person, groupedCode(deskRecoveryCode)
	c, err = s.update(ctx, id, func(c *Case, now time.Time) error {
		d := c.Desk
		switch {
		case c.Frozen != nil:
			return ErrFrozen
		case c.Status != CaseOpen:
			return ErrClosed
		case d.Collector != me.ID:
			return &InputError{Field: "recovery", Code: "recovery_collector"}
		case d.Two && d.Confirmed.IsZero():
			return &InputError{Field: "recovery", Code: "recovery_two"}
		case d.Two && (confirmer == nil || confirmer.Representative == nil):
			return &InputError{Field: "recovery", Code: "recovery_confirmer"}
		case d.Codes >= maxDeskCodes:
			return &InputError{Field: "recovery", Code: "recovery_codes"}
		}
		d.CodeKey, d.CodeUntil = s.deskRecoveryKey(code), now.Add(deskCodeFor)
		d.Codes++
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	s.audit(ctx, "recovery code given", c, me)
	return c, code, nil
}

func (s *Service) deskRecoveryKey(code Secret) string {
	return s.Hasher.Hex("desk recovery code", readRecoveryCode(code))
}

// groupedCode is a code in groups of four. 32 letters divide 256, so each is drawn evenly.
func groupedCode(length int) Secret {
	b := make([]byte, length)
	rand.Read(b)
	var out strings.Builder
	for i, x := range b {
		if i > 0 && i%4 == 0 {
			out.WriteByte('-')
		}
		out.WriteByte(recoveryLetter[x%32])
	}
	return Secret(out.String())
}

// readRecoveryCode takes a code as people type it: in any case, with or without hyphens, and with the letters that are taken for digits.
func readRecoveryCode(code Secret) string {
	return strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(code.Reveal()))
}

// Regain spends the code that somebody was given by a representative, in their browser. Then they are in, without any level, and may add an authenticator
// for a while, which counts once Policy.Cooling is over; whatever authenticated them before is suspended, and everybody hears of
// it. ErrWrongAnswer for any fault in the code, ErrOtherBrowser without a cookie, and *LimitError.
func (s *Service) Regain(ctx context.Context, v Visit, code Secret) (*Case, error) {
	if s.Policy.Own == nil {
		return nil, ErrNotFound
	}
	browser := s.BrowserHash(v.Browser)
	if browser == "" {
		return nil, ErrOtherBrowser
	}
	if err := s.spendAll(ctx, []spend{{"client", "client.regains." + s.clientKey(v.Client), 1, s.Policy.Limits.ClientOpens, time.Hour}}); err != nil {
		return nil, err
	}
	if len(readRecoveryCode(code)) != deskRecoveryCode {
		return nil, ErrWrongAnswer
	}
	key := s.deskRecoveryKey(code)
	found, _, err := s.Cases.List(ctx, Query{Index: "regain", Value: key, Limit: 2})
	if err != nil {
		return nil, fmt.Errorf("find recovery by code: %w", err)
	}
	if len(found) != 1 {
		return nil, ErrWrongAnswer
	}
	p, err := s.person(ctx, found[0].Person)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, ErrWrongAnswer
	}
	c, err := s.updateBy(ctx, byVisitor(v), found[0].ID, func(c *Case, now time.Time) error {
		d := c.Desk
		if c.Status != CaseOpen || c.Frozen != nil || d == nil || !d.Used.IsZero() || !now.Before(d.CodeUntil) || !same(Secret(d.CodeKey), Secret(key)) {
			return ErrWrongAnswer
		}
		d.Used, d.CodeKey = now, ""
		c.Browser, c.Recovered, c.Lang = browser, now, v.Lang
		c.Outbox.Effects = append(c.Outbox.Effects, Effect{ID: string(EffectRecover), Kind: EffectRecover, Due: now})
		s.notifyPerson(c, p.Bindings, noticeDeskRecovered, Binding{}, now)
		s.signIn(c, now)
		return nil
	})
	if errors.Is(err, ErrNotFound) {
		err = ErrWrongAnswer
	}
	if err != nil {
		return nil, err
	}
	s.Log.InfoContext(ctx, "recovery code used", "audit", "recovery", "case", c.ID, "person", c.Person)
	s.hurry(ctx, c.ID)
	return c, nil
}
