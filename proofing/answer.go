package proofing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Answer judges a code. A try is spent in the
// same update that judges and settles, so that of many answers at once no
// more than the allowed tries are judged; the count of failures in a row is
// spent before that.
//
// Errors: ErrWrongAnswer (the returned attempt says how many tries are left),
// ErrNoTries, ErrAttemptOver, ErrBlocked, ErrOtherBrowser, ErrNotAdmitted, ErrOtherPerson, ErrNotRequester, and those of Begin.
func (s *Service) Answer(ctx context.Context, v Visit, attempt string, code Secret) (*Case, *Attempt, error) {
	c, err := s.CaseByLink(ctx, v.Link)
	if err != nil {
		return nil, nil, err
	}
	return s.answer(ctx, c, v, Answer{Attempt: attempt, Code: code})
}

// Respond is Answer for what a page's script got from the browser: the word of an authenticator.
func (s *Service) Respond(ctx context.Context, v Visit, attempt string, response json.RawMessage) (*Case, *Attempt, error) {
	c, err := s.CaseByLink(ctx, v.Link)
	if err != nil {
		return nil, nil, err
	}
	return s.answer(ctx, c, v, Answer{Attempt: attempt, Response: response})
}

// Returned is Answer for somebody who comes back from another site with the attempt's reference,
// and with what that site says, in the browser that went there.
func (s *Service) Returned(ctx context.Context, v Visit, ref Secret, response json.RawMessage) (*Case, *Attempt, error) {
	c, a, err := s.AttemptByLink(ctx, ref)
	if err != nil {
		return nil, nil, err
	}
	return s.answer(ctx, c, v, Answer{Attempt: a.ID, Response: response})
}

// AnswerByLink is Answer for somebody who holds a mail's link and not the case's:
// with a code they may answer in any browser, without one only in the browser that
// asked for the mail, where the click on the link is the answer.
func (s *Service) AnswerByLink(ctx context.Context, v Visit, ref, code Secret) (*Case, *Attempt, error) {
	c, a, err := s.AttemptByLink(ctx, ref)
	if err != nil {
		return nil, nil, err
	}
	answer := Answer{Attempt: a.ID, Code: code}
	if code == "" {
		parts, _ := splitRef(ref, 3)
		answer.Link = Secret(parts[2])
	}
	return s.answer(ctx, c, v, answer)
}

func (s *Service) answer(ctx context.Context, c *Case, v Visit, answer Answer) (*Case, *Attempt, error) {
	browser := s.BrowserHash(v.Browser)
	a := c.attempt(answer.Attempt)
	if a == nil {
		return nil, nil, ErrNotFound
	}
	m := s.Methods[a.Method]
	if m == nil {
		return nil, nil, &InputError{Field: "method", Code: "method_unknown"}
	}
	// An answer of the wrong kind is none: a code is no word of an authenticator.
	if answer.Response != nil == m.Channel().Reached() {
		return c, a, &InputError{Field: "code", Code: "code_malformed"}
	}
	same := answer.Link != "" || answer.Response != nil
	if err := c.answerable(a, browser, same, s.now()); err != nil {
		return c, a, err
	}
	answer.KeyAuth = c.KeyAuthDigest()
	if answer.Response != nil {
		return s.answerAsAuthenticator(ctx, c, a, m, v, answer)
	}
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
		return s.outdated(ctx, c.ID, a.ID)
	}
	counter := s.failureKey(c.CA, a.Contact, known, a.Bound && c.authenticates(known))
	failures, _, err := s.Limiter.Add(ctx, counter, 1, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("count failures: %w", err)
	}
	if failures > s.Policy.Limits.FailuresInRow {
		return c, a, ErrBlocked
	}
	c, a, err = s.settle(ctx, c, settlement{by: byVisitor(v), method: m, answer: answer, contact: a.Contact, known: known, browser: browser, same: same})
	if err != nil {
		return c, a, err
	}
	// The row of failures ends here. Counts that others have spent meanwhile
	// stay; if the process dies before this, the count is too high, which is safe.
	if _, _, err := s.Limiter.Add(context.WithoutCancel(ctx), counter, -failures, 0); err != nil {
		s.Log.WarnContext(ctx, "failure counter not given back", "case", c.ID, "error", err)
	}
	s.answeredText(ctx, c, a)
	return c, a, nil
}

// answerAsAuthenticator is answer for what an authenticator or a provider says. Its tries are those of the
// attempt alone: what is signed cannot be guessed, and a count of failures in a row would let
// strangers lock out whoever they can name.
func (s *Service) answerAsAuthenticator(ctx context.Context, c *Case, a *Attempt, m Method, v Visit, answer Answer) (*Case, *Attempt, error) {
	by, browser := byVisitor(v), s.BrowserHash(v.Browser)
	look := settlement{by: by, method: m, browser: browser, same: true}
	if f, ok := m.(Fetcher); ok {
		var err error
		if c, a, err = s.spendTry(ctx, by, c, a.ID, browser); err != nil {
			return c, a, err
		}
		look.spent = true
		if answer.Fetched, err = f.Fetch(ctx, a.State, a.Contact, answer); err != nil {
			return s.unfetched(ctx, by, c, a, err)
		}
	}
	look.contact = a.Contact
	if sp, ok := m.(Speaker); ok {
		var err error
		if look.contact, err = sp.Speaks(a.State, answer); err != nil {
			return c, a, err
		}
	}
	var err error
	if look.known, err = s.speaker(ctx, c, look.contact); errors.Is(err, ErrUnavailable) {
		return nil, nil, err
	} else if err != nil {
		return c, a, err
	}
	if look.known != nil {
		answer.Kept, answer.Person = look.known.Kept, s.personHandle(look.known.Person)
	}
	look.answer = answer
	if look.heard, err = s.hearAnswer(ctx, a, m, look.known, look.contact, answer); err != nil {
		return c, a, err
	}
	c, a, err = s.settle(ctx, c, look)
	if err != nil {
		return c, a, err
	}
	// Who has just enrolled something uses it in the next moment. If this fails the worker does it.
	if err := s.workCase(context.WithoutCancel(ctx), c.ID); err != nil {
		s.Log.WarnContext(ctx, "effects of an answer wait", "case", c.ID, "error", err)
	}
	return c, a, nil
}

// speaker is whose an authenticator is that speaks in a case; nil for nobody's, which would become that of the case's
// person: ErrNotAdmitted if they do not admit it.
func (s *Service) speaker(ctx context.Context, c *Case, contact Contact) (*Address, error) {
	known, err := s.address(ctx, contact)
	if err != nil {
		return nil, err
	}
	if known != nil {
		if s.now().Before(known.Counts) {
			return nil, &InputError{Field: "response", Code: "authenticator_cooling"}
		}
		if inPerson(known.Suspended) {
			return nil, &InputError{Field: "response", Code: "authenticator_suspended"}
		}
		return known, nil
	}
	person, err := s.person(ctx, c.Person)
	if err != nil {
		return nil, err
	}
	if !s.admits(c, person, contact) {
		return nil, ErrNotAdmitted
	}
	return nil, nil
}

// settlement is all that an answer is judged with.
type settlement struct {
	by      author
	method  Method
	answer  Answer
	contact Contact  // who speaks
	known   *Address // whose that is; nil: nobody's
	browser string
	same    bool // only the browser that began may answer so
	spent   bool // a try has been spent
	// heard is what the record of a passkey says of this use, which it knows already; nil: nothing.
	heard *Heard
}

// settle spends a try, judges, and stores what follows, in one update. With an error come
// the case and the attempt as they are then.
func (s *Service) settle(ctx context.Context, c *Case, w settlement) (*Case, *Attempt, error) {
	g, err := s.grounds(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	person, attempt := NewID(nil), w.answer.Attempt
	var verdict error
	c, err = s.updateBy(ctx, w.by, c.ID, func(c *Case, now time.Time) error {
		verdict = nil
		a := c.attempt(attempt)
		if a != nil && w.spent {
			a.Tries++ // it was this one that was spent
		}
		if err := c.answerable(a, w.browser, w.same, now); err != nil {
			return err
		}
		if c.tooShort(a, w.known) || a.Enrol && c.Person != "" && c.Person != a.Person {
			return ErrAttemptOver // it was made for somebody else than the case is of by now
		}
		a.Tries--
		var proof Proof
		if proof, verdict = w.method.Judge(a.State, a.Contact, w.answer); verdict == nil && c.Own() && a.Contact.Channel.Reached() && w.known != nil && inPerson(w.known.Suspended) {
			// Only who has the right code hears what became of an address: whoever asks would else know who was recovered.
			verdict = &InputError{Field: "code", Code: "authenticator_suspended"}
			c.Outbox.settle(a.messageID())
			a.Tries = 0
			a.erase()
			return nil
		}
		if verdict != nil {
			if _, input := errors.AsType[*InputError](verdict); input {
				return verdict
			}
			if a.Tries <= 0 {
				verdict = ErrNoTries
				c.Outbox.settle(a.messageID()) // a dead code need not be sent
				a.erase()
			}
			return nil // the spent try is stored
		}
		if err := c.claim(w.browser); err != nil {
			return err
		}
		if !a.Contact.Channel.Reached() {
			proof.Evidence.Authenticator, a.Contact = &w.contact, w.contact
		}
		if w.heard != nil { // what is to be kept is stored
			w.heard.put(proof.Evidence.WebAuthn)
			proof.Kept = nil
		}
		if err := s.pass(c, a, proof, w.known, person, now); err != nil {
			return err
		}
		if c.turnedAway(s.profileOf(c), g, w.contact, w.known) {
			return ErrNotRequester
		}
		return s.progress(c, g, now)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("answer: %w", err)
	}
	if i := slices.IndexFunc(c.Evidence, func(e Evidence) bool { return verdict == nil && e.ID == attempt }); i >= 0 {
		ended, err := s.overtaken(ctx, c, c.Evidence[i]) // a process that dies before this leaves it to the effect
		if err != nil {
			return nil, nil, fmt.Errorf("answer: %w", err)
		}
		if ended {
			return nil, nil, fmt.Errorf("answer: what has spoken was taken away meanwhile: %w", ErrClosed)
		}
	}
	return c, c.attempt(attempt), verdict
}

// spendTry spends a try before the network is asked, so that nobody can make us ask without end.
func (s *Service) spendTry(ctx context.Context, by author, c *Case, attempt, browser string) (*Case, *Attempt, error) {
	c, err := s.updateBy(ctx, by, c.ID, func(c *Case, now time.Time) error {
		a := c.attempt(attempt)
		if err := c.answerable(a, browser, true, now); err != nil {
			return err
		}
		a.Tries--
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("spend try: %w", err)
	}
	return c, c.attempt(attempt), nil
}

// unfetched is the end of an answer that could not be completed: an attempt without tries is worth nothing any more.
func (s *Service) unfetched(ctx context.Context, by author, c *Case, a *Attempt, why error) (*Case, *Attempt, error) {
	if a.Tries > 0 {
		return c, a, why
	}
	c, err := s.updateBy(ctx, by, c.ID, func(c *Case, _ time.Time) error {
		if a := c.attempt(a.ID); a != nil && a.Status == AttemptOpen && a.Tries <= 0 {
			a.erase()
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("end attempt: %w", err)
	}
	return c, c.attempt(a.ID), why
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
