package proofing

import (
	"context"
	"errors"
	"fmt"
	"time"
)

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
	if c.tooShort(a, known) {
		return s.outdated(ctx, c.ID, attempt)
	}
	counter := s.failureKey(c.CA, a.Contact, known, a.Bound && c.authenticates(known))
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
		if c.tooShort(a, known) {
			return ErrAttemptOver
		}
		a.Tries--
		var proved Evidence
		if proved, verdict = m.Judge(a.State, a.Contact, answer); verdict != nil {
			if a.Tries <= 0 {
				verdict = ErrNoTries
				c.Outbox.settle(a.messageID()) // a dead code need not be sent
				a.erase()
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
	if _, _, err := s.Limiter.Add(context.WithoutCancel(ctx), counter, -failures, 0); err != nil {
		s.Log.WarnContext(ctx, "failure counter not given back", "case", c.ID, "error", err)
	}
	passed := c.attempt(attempt)
	s.answeredText(ctx, c, passed)
	return c, passed, nil
}

// tooShort says whether the attempt's code was made for a number of the case's
// person, which it is not any more. Such a code is as short as one that
// authenticates may be, and too short for one that binds (SP 800-63A 4.4.1.6; SP 800-63A-4 3.8).
func (c *Case) tooShort(a *Attempt, known *Address) bool {
	return a.Bound && a.Contact.Channel == ChannelPhone && !c.authenticates(known)
}

// outdated ends an attempt whose code is tooShort.
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
