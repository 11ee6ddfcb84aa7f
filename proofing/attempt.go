package proofing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Begin sends a challenge to an address by a method: it opens an attempt, or goes
// on with the open one of that method if the address is the same. While a
// code is in force and has tries left, the same code is sent again; otherwise a new one is
// made, up to CodesPerAttempt.
//
// Limits are spent before anything is stored, so that a crash counts too much and
// never too little. Errors: *InputError for the address, *LimitError, ErrBlocked,
// ErrClosed, ErrFrozen, ErrClaimed, ErrNotStarted, ErrNotFound, ErrUnavailable.
func (s *Service) Begin(ctx context.Context, v Visit, method, address string) (*Case, *Attempt, error) {
	c, err := s.CaseByLink(ctx, v.Link)
	if err != nil {
		return nil, nil, err
	}
	m := s.Methods[method]
	if p := s.profileOf(c); m == nil || p == nil || !p.Offers(method) {
		return nil, nil, &InputError{Field: "method", Code: "method_unknown"}
	}
	contact, err := c.contactFor(m, address)
	if err != nil {
		return nil, nil, err
	}
	return s.begin(ctx, c, v, m, contact)
}

// Resend is Begin for the address of an open attempt, which a page shows only
// masked.
func (s *Service) Resend(ctx context.Context, v Visit, attempt string) (*Case, *Attempt, error) {
	c, err := s.CaseByLink(ctx, v.Link)
	if err != nil {
		return nil, nil, err
	}
	a := c.attempt(attempt)
	if a == nil {
		return nil, nil, ErrNotFound
	}
	m := s.Methods[a.Method]
	if m == nil {
		return nil, nil, &InputError{Field: "method", Code: "method_unknown"}
	}
	return s.begin(ctx, c, v, m, a.Contact)
}

func (s *Service) begin(ctx context.Context, c *Case, v Visit, m Method, contact Contact) (*Case, *Attempt, error) {
	browser, method := s.BrowserHash(v.Browser), m.Name()
	if err := c.workable(browser); err != nil {
		return nil, nil, err
	}
	if browser == "" {
		return nil, nil, ErrOtherBrowser // without a cookie nobody could answer
	}
	// A cool-down costs nothing to check and must not spend a limit.
	if a := c.Current(method); a != nil && a.Contact.Address == contact.Address {
		if err := a.sendable(s.now()); err != nil {
			return nil, nil, err
		}
	}
	known, err := s.address(ctx, contact)
	if err != nil {
		return nil, nil, err
	}
	bound := c.authenticates(known)
	if err := s.blocked(ctx, c, contact, known, bound); err != nil {
		return nil, nil, err
	}
	if err := s.spendSend(ctx, c, contact, v.Client); err != nil {
		return nil, nil, err
	}
	id := NewToken().Reveal()[:12]
	var begun string
	c, err = s.update(ctx, c.ID, func(c *Case, now time.Time) error {
		if err := c.workable(browser); err != nil {
			return err
		}
		a := c.Current(method)
		if a != nil && a.Contact.Address != contact.Address {
			c.replace(a)
			a = nil
		}
		if a == nil {
			if a = c.newAttempt(id, method, contact, bound, s.Policy.Limits); a == nil {
				return &LimitError{Limit: "attempts"}
			}
		} else if err := a.sendable(now); err != nil {
			return err
		}
		a.Browser, begun = browser, a.ID
		if !a.inForce(now) {
			if a.Codes >= s.Policy.Limits.CodesPerAttempt {
				a.Status = AttemptFailed
				a.erase()
				return nil // stored; reported below
			}
			opening, err := s.open(c, m, contact, bound, a.ID, v.Lang)
			if err != nil {
				return err
			}
			a.take(opening, now)
		}
		s.enqueue(c, a, now)
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("begin %s: %w", method, err)
	}
	a := c.attempt(begun)
	if a.Status == AttemptFailed {
		return c, a, &LimitError{Limit: "codes"}
	}
	return c, a, nil
}

// Answer judges a code, or the click on a mail's link. A try is spent in the
// same update that judges and settles, so that of many answers at once no
// more than the allowed tries are judged; the count of failures in a row is
// spent before that.
//
// Errors: ErrWrongAnswer (the returned attempt says how many tries are left),
// ErrNoTries, ErrAttemptOver, ErrBlocked, ErrOtherBrowser, and those of Begin.
func (s *Service) Answer(ctx context.Context, v Visit, attempt string, code, link Secret) (*Case, *Attempt, error) {
	c, err := s.CaseByLink(ctx, v.Link)
	if err != nil {
		return nil, nil, err
	}
	return s.answer(ctx, c, v, attempt, code, link)
}

// AnswerByLink is Answer for somebody who holds a mail's link and not the case's:
// with a code they may answer in any browser, without one only in the browser that
// asked for the mail.
func (s *Service) AnswerByLink(ctx context.Context, v Visit, ref, code Secret) (*Case, *Attempt, error) {
	c, a, err := s.AttemptByLink(ctx, ref)
	if err != nil {
		return nil, nil, err
	}
	link := Secret("")
	if code == "" {
		parts, _ := splitRef(ref, 3)
		link = Secret(parts[2])
	}
	return s.answer(ctx, c, v, a.ID, code, link)
}

func (s *Service) answer(ctx context.Context, c *Case, v Visit, attempt string, code, link Secret) (*Case, *Attempt, error) {
	browser := s.BrowserHash(v.Browser)
	a := c.attempt(attempt)
	if a == nil {
		return nil, nil, ErrNotFound
	}
	m := s.Methods[a.Method]
	if m == nil {
		return nil, nil, &InputError{Field: "method", Code: "method_unknown"}
	}
	if err := c.answerable(a, browser, link != "", s.now()); err != nil {
		return c, a, err
	}
	answer := Answer{Attempt: attempt, KeyAuth: c.KeyAuthDigest(), Code: code, Link: link}
	// What is no answer at all costs nothing: neither a try nor a failure.
	var input *InputError
	if _, err := m.Judge(a.State, a.Contact, answer); errors.As(err, &input) {
		return c, a, err
	}
	known, err := s.address(ctx, a.Contact)
	if err != nil {
		return nil, nil, err
	}
	if a.Bound && !c.authenticates(known) {
		return s.outdated(ctx, c.ID, attempt)
	}
	counter := s.failureKey(c.CA, a.Contact, known, a.Bound)
	failures, _, err := s.Limiter.Add(ctx, counter, 1, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("count failures: %w", err)
	}
	if failures > s.Policy.Limits.FailuresInRow {
		return c, a, ErrBlocked
	}
	entry, err := s.registryEntry(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	person := NewID(nil)
	var verdict error
	c, err = s.update(ctx, c.ID, func(c *Case, now time.Time) error {
		verdict = nil
		a := c.attempt(attempt)
		if err := c.answerable(a, browser, link != "", now); err != nil {
			return err
		}
		if a.Bound && !c.authenticates(known) {
			return ErrAttemptOver
		}
		a.Tries--
		var proved Evidence
		if proved, verdict = m.Judge(a.State, a.Contact, answer); verdict != nil {
			if a.Tries <= 0 {
				verdict = ErrNoTries
				a.State = nil // the code is dead; the message may not be sent again
				c.Outbox.settle(a.messageID())
			}
			return nil // the spent try is stored
		}
		if err := c.claim(browser); err != nil {
			return err
		}
		s.pass(c, a, proved, known, person, now)
		return s.progress(c, entry, now)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("answer: %w", err)
	}
	if verdict != nil {
		return c, c.attempt(attempt), verdict
	}
	// The row of failures ends here. Counts that others have spent meanwhile
	// stay; if the process dies before this, the count is too high, which is safe.
	if _, _, err := s.Limiter.Add(ctx, counter, -failures, 0); err != nil {
		s.Log.WarnContext(ctx, "failure counter not given back", "case", c.ID, "error", err)
	}
	return c, c.attempt(attempt), nil
}

// outdated ends an attempt that began for an address of the case's person, which it is
// not any more. Its code is as short as one that authenticates may be, and too short
// for one that binds (SP 800-63A 4.4.1.6; SP 800-63A-4 3.8).
func (s *Service) outdated(ctx context.Context, id, attempt string) (*Case, *Attempt, error) {
	c, err := s.update(ctx, id, func(c *Case, _ time.Time) error {
		if a := c.attempt(attempt); a != nil && a.Status == AttemptOpen {
			c.replace(a)
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("end attempt: %w", err)
	}
	return c, c.attempt(attempt), ErrAttemptOver
}

// pass settles an attempt that was answered rightly: it leaves evidence, and
// what other records must learn of it.
func (s *Service) pass(c *Case, a *Attempt, e Evidence, known *Address, person string, now time.Time) {
	a.Status = AttemptPassed
	c.Outbox.settle(a.messageID())
	a.erase()
	e.ID, e.At = a.ID, now
	if c.authenticates(known) {
		c.Person = known.Person
		if known.BoundAt.Before(now) {
			e.BoundAt = known.BoundAt
		}
	} else if c.Person == "" {
		c.Person = person
	}
	c.Evidence = append(c.Evidence, e)
	c.Outbox.Effects = append(c.Outbox.Effects,
		Effect{ID: "bind." + e.ID, Kind: EffectBind, Due: now, Event: e.ID},
		Effect{ID: "share." + e.ID, Kind: EffectShare, Due: now, Event: e.ID})
}

// authenticates says whether an address speaks for the case's person: it is bound
// to them, or to somebody while the case has nobody yet. An address that is bound
// to another person authenticates nobody here. It may have changed hands,
// and confirming it then binds it anew.
func (c *Case) authenticates(known *Address) bool {
	return known != nil && (c.Person == "" || c.Person == known.Person)
}

// progress moves an open case as far as its evidence carries it.
func (s *Service) progress(c *Case, entry *RegistryEntry, now time.Time) error {
	p := s.profileOf(c)
	if c.Status != CaseOpen || p == nil || c.Frozen != nil {
		return nil
	}
	assessment := Assess(p.Framework, s.Policy.OperatorFacts, now, c.Evidence)
	if len(p.Unmet(assessment, c.Evidence)) > 0 {
		return nil
	}
	basis, entitled := c.entitlement(entry)
	switch {
	case !entitled && p.ReviewEntitlement:
		c.move(CaseReview, "not_entitled", now, now.Add(p.CaseLifetime))
	case !entitled:
		c.end(CaseRefused, "not_entitled", now, p.Retention)
	case p.Approvals > 0:
		c.move(CaseReview, "approvals", now, now.Add(p.CaseLifetime))
	default:
		s.grant(c, p, assessment, basis, now)
	}
	return nil
}

// grant makes the case valid, with everything that the CA will rely on.
func (s *Service) grant(c *Case, p *Profile, a Assessment, basis string, now time.Time) {
	expires := now.Add(p.GrantLifetime)
	c.Grant = &Grant{
		At: now, Expires: expires, RecheckAfter: p.recheck(now, expires),
		Entitlement: basis, PolicyDigest: s.Policy.Digest, Assessment: a,
	}
	c.move(CaseGranted, "", now, expires)
	c.Retain = c.Expires.Add(p.Retention)
	s.notify(c, "granted", now)
}

// workable says whether a person may go on with the case in that browser.
func (c *Case) workable(browser string) error {
	switch {
	case c.Frozen != nil:
		return ErrFrozen
	case c.Status != CaseOpen:
		return ErrClosed
	case !c.Started:
		return ErrNotStarted
	case c.Browser != "" && c.Browser != browser:
		return ErrClaimed
	}
	return nil
}

// answerable says whether an answer to the attempt may be judged now.
func (c *Case) answerable(a *Attempt, browser string, byLink bool, now time.Time) error {
	if err := c.workable(browser); err != nil {
		return err
	}
	switch {
	case a == nil || a.Status != AttemptOpen:
		return ErrAttemptOver
	case browser == "", byLink && a.Browser != browser:
		return ErrOtherBrowser
	case !now.Before(a.Expires):
		return ErrAttemptOver
	case a.Tries <= 0 || a.State == nil:
		return ErrNoTries
	}
	return nil
}

// contactFor reads an address, which must be one of the contacts that the CA
// gave where it gave any of that channel.
func (c *Case) contactFor(m Method, address string) (Contact, error) {
	given := slices.IndexFunc(c.Contacts, func(k Contact) bool { return k.Channel == m.Channel() })
	if given >= 0 {
		return c.Contacts[given], nil
	}
	return m.Check(address)
}

// Offered is the contact that the CA gave for a channel; nil if the person may choose.
func (c *Case) Offered(ch Channel) *Contact {
	for i := range c.Contacts {
		if c.Contacts[i].Channel == ch {
			return &c.Contacts[i]
		}
	}
	return nil
}

// newAttempt adds an attempt; nil if the case has no room for another.
func (c *Case) newAttempt(id, method string, contact Contact, bound bool, l Limits) *Attempt {
	n := 0
	for _, a := range c.Attempts {
		if a.Method == method && a.Status != AttemptPassed {
			n++
		}
	}
	if n >= l.AttemptsPerCase || len(c.Evidence) >= maxEvidence {
		return nil
	}
	c.Attempts = append(c.Attempts, Attempt{ID: id, Method: method, Contact: contact, Bound: bound, Status: AttemptOpen})
	return &c.Attempts[len(c.Attempts)-1]
}

// replace ends an attempt because another took its place.
func (c *Case) replace(a *Attempt) {
	c.Outbox.settle(a.messageID())
	a.Status = AttemptOver
	a.erase()
}

// inForce says whether the attempt's code could still be right.
func (a *Attempt) inForce(now time.Time) bool {
	return a.State != nil && a.Message != nil && a.Tries > 0 && now.Before(a.Expires)
}

// sendable says whether another message may go out for the attempt now.
func (a *Attempt) sendable(now time.Time) error {
	if now.Before(a.NextSend) {
		return &LimitError{Limit: "cooldown", Until: a.NextSend}
	}
	return nil
}

// take puts a new code in force.
func (a *Attempt) take(o Opening, now time.Time) {
	m := o.Message
	a.State, a.Message, a.Tries = o.State, &m, o.Tries
	a.CodeAt, a.Expires = now, now.Add(o.Lifetime)
	a.Codes++
}

func (a *Attempt) messageID() string {
	if a.Message == nil {
		return ""
	}
	return a.Message.ID
}

// open asks the method for a code and completes its message.
func (s *Service) open(c *Case, m Method, contact Contact, bound bool, attempt, lang string) (Opening, error) {
	ctx := s.messageContext(c)
	ctx.Lang = lang
	o, err := m.Begin(Beginning{
		Attempt: attempt, Contact: contact, KeyAuth: c.KeyAuthDigest(), Bound: bound,
		Link: s.linkSecret(c, attempt), Context: ctx, Origin: s.Policy.Origin,
	})
	if err != nil {
		return o, fmt.Errorf("open attempt: %w", err)
	}
	o.Message.To, o.Message.Channel, o.Message.Lang, o.Message.Context = contact.Address, contact.Channel, lang, ctx
	if o.Message.Link != "" {
		o.Message.Link = c.messageURL(s.Policy.Origin, attempt, o.Message.Link)
	}
	o.Message.Disown = c.DisownURL(s.Policy.Origin)
	return o, nil
}

// enqueue puts the attempt's message into the outbox under an id of its own and
// starts the cool-down, which doubles with each message of the attempt.
func (s *Service) enqueue(c *Case, a *Attempt, now time.Time) {
	c.Outbox.settle(a.messageID())
	a.Message.ID = c.ID + "." + NewToken().Reveal()[:12]
	c.Outbox.Messages = append(c.Outbox.Messages, Outgoing{
		Message: *a.Message, Attempt: a.ID, State: MessagePending, Due: now, Expires: a.Expires,
	})
	a.Sends++
	a.NextSend = now.Add(s.Policy.Limits.Cooldown << min(a.Sends-1, 4))
	a.Delivery = Delivery{Status: "waiting", At: now}
}

// notify tells everybody on whose address the case rests, also if they confirmed
// it in another case of the applicant: they must hear of this one too.
func (s *Service) notify(c *Case, kind string, now time.Time) {
	ctx := s.messageContext(c)
	told := map[Secret]bool{}
	for _, k := range c.confirmed() {
		if k.Channel != ChannelEmail || told[k.Address] {
			continue // notices go by mail: a text message costs money and says too little
		}
		told[k.Address] = true
		ctx.Lang = c.Lang
		c.Outbox.Messages = append(c.Outbox.Messages, Outgoing{
			Message: Message{
				ID: c.ID + "." + NewToken().Reveal()[:12], Kind: kind, Channel: k.Channel, To: k.Address,
				Lang: c.Lang, Disown: c.DisownURL(s.Policy.Origin), Context: ctx,
			},
			State: MessagePending, Due: now, Expires: now.Add(72 * time.Hour),
		})
	}
}
