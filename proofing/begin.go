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
	browser, method, limits := s.BrowserHash(v.Browser), m.Name(), s.Policy.Limits
	// What is refused anyway costs nothing: it is looked at before a limit is spent.
	a, err := c.attemptAt(browser, method, contact, s.now(), limits)
	if limit, ok := errors.AsType[*LimitError](err); ok && limit.Limit == "codes" {
		return s.fail(ctx, c.ID, a.ID, err)
	}
	if err != nil {
		return nil, nil, err
	}
	if browser == "" {
		return nil, nil, ErrOtherBrowser // without a cookie nobody could answer
	}
	known, err := s.address(ctx, contact)
	if err != nil {
		return nil, nil, err
	}
	bound := c.authenticates(known)
	if err := s.blocked(ctx, c, contact, known, bound); err != nil {
		return nil, nil, err
	}
	on, err := s.held(ctx, c, contact, bound)
	if err != nil {
		return nil, nil, err
	}
	giveBack, err := s.spendSend(ctx, c, contact, v.Client)
	if err != nil {
		return nil, nil, err
	}
	uncount, counted, err := s.countText(ctx, c, contact, bound, on)
	if err != nil {
		uncount()
		giveBack()
		return nil, nil, err
	}
	fresh, begun := NewToken().Reveal()[:12], ""
	c, err = s.update(ctx, c.ID, func(c *Case, now time.Time) error {
		a, err := c.attemptAt(browser, method, contact, now, limits)
		if err != nil {
			return err
		}
		if a == nil {
			if old := c.Current(method); old != nil {
				c.replace(old)
			}
			c.Attempts = append(c.Attempts, Attempt{ID: fresh, Method: method, Contact: contact, Status: AttemptOpen, Began: now})
			a = &c.Attempts[len(c.Attempts)-1]
		}
		a.Browser, begun = browser, a.ID
		if c.Lang == "" { // the CA named none: notices speak as the page did
			c.Lang = v.Lang
		}
		if !a.inForce(now) {
			opening, err := s.open(c, m, contact, bound, a.ID, v.Lang)
			if err != nil {
				return err
			}
			a.Bound = bound
			a.take(opening, now)
		}
		s.enqueue(c, a, now)
		a.Texts = append(a.Texts, counted...)
		return nil
	})
	if err != nil {
		if !errors.Is(err, ErrUnavailable) { // then nobody knows whether it was stored
			uncount()
			giveBack()
		}
		return nil, nil, fmt.Errorf("begin %s: %w", method, err)
	}
	return c, c.attempt(begun), nil
}

// attemptAt is the open attempt at an address that another message may be sent
// for; nil if there is none and a new one may take its place. With the
// *LimitError "codes" comes the attempt all of whose codes are spent.
func (c *Case) attemptAt(browser, method string, contact Contact, now time.Time, l Limits) (*Attempt, error) {
	if err := c.workable(browser); err != nil {
		return nil, err
	}
	if a := c.Current(method); a != nil && a.Contact.Address == contact.Address {
		return a, a.sendable(now, l)
	}
	return nil, c.room(method, l)
}

// fail ends an attempt all of whose codes are spent, so that the next begins a
// new one, and returns why.
func (s *Service) fail(ctx context.Context, id, attempt string, why error) (*Case, *Attempt, error) {
	c, err := s.update(ctx, id, func(c *Case, now time.Time) error {
		if a := c.attempt(attempt); a.Status == AttemptOpen && a.sendable(now, s.Policy.Limits) != nil {
			c.replace(a)
			a.Status = AttemptFailed
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return c, c.attempt(attempt), why
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
		Message: *a.Message, Attempt: a.ID, State: MessagePending, Since: now, Due: now, Expires: a.Expires,
	})
	a.Sends++
	a.NextSend = now.Add(s.Policy.Limits.Cooldown << min(a.Sends-1, 4))
	a.Delivery = Delivery{Status: "waiting", At: now}
}
