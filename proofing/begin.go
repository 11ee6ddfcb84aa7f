package proofing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Begin poses a challenge by a method: it sends a code to an address, or asks for an authenticator
// or an identity. It opens an attempt, or goes on with the open one of that method if
// the address is the same. While a code or challenge is in force and has tries left, it is the one that is
// sent or asked again; otherwise a new one is made, up to CodesPerAttempt.
//
// Limits are spent before anything is stored, so that a crash counts too much and
// never too little. Errors: *InputError for the address, *LimitError, ErrBlocked,
// ErrClosed, ErrFrozen, ErrClaimed, ErrNotStarted, ErrNotFound, ErrUnavailable.
func (s *Service) Begin(ctx context.Context, v Visit, method, address string) (*Case, *Attempt, error) {
	c, m, contact, err := s.beginning(ctx, v, method, address)
	if err != nil {
		return nil, nil, err
	}
	return s.begin(ctx, c, v, m, contact, false)
}

// Enrol is Begin for an authenticator that nobody has here yet: it shall become that of the case's
// person. Besides the errors of Begin there is ErrNotAdmitted: the person must first authenticate in
// this case with what they have.
func (s *Service) Enrol(ctx context.Context, v Visit, method string) (*Case, *Attempt, error) {
	c, m, contact, err := s.beginning(ctx, v, method, "")
	if err != nil {
		return nil, nil, err
	}
	if m.Channel().Reached() { // an address is bound by confirming it
		return nil, nil, &InputError{Field: "method", Code: "method_unknown"}
	}
	return s.begin(ctx, c, v, m, contact, true)
}

// beginning finds the case, the method and the contact that a person chose.
func (s *Service) beginning(ctx context.Context, v Visit, method, address string) (*Case, Method, Contact, error) {
	c, err := s.CaseByLink(ctx, v.Link)
	if err != nil {
		return nil, nil, Contact{}, err
	}
	m := s.Methods[method]
	if p := s.profileOf(c); m == nil || p == nil || !p.Offers(method) {
		return nil, nil, Contact{}, &InputError{Field: "method", Code: "method_unknown"}
	}
	contact, err := c.contactFor(m, address)
	if choices := s.profileOf(c).Choices(m, c.Identifier); err == nil && choices != nil &&
		!slices.ContainsFunc(choices, func(k Contact) bool { return k.Address == contact.Address }) {
		err = &InputError{Field: "method", Code: "method_unknown"}
	}
	return c, m, contact, err
}

// Enrols says whether the case's person may add an authenticator by the method now, and whether
// they have one: see Enrol.
func (s *Service) Enrols(ctx context.Context, c *Case, m Method) (may, owned bool, err error) {
	if m.Channel() != ChannelPasskey {
		return false, false, nil
	}
	p, err := s.person(ctx, c.Person)
	return s.admits(c, p, Contact{Channel: m.Channel()}), len(p.of(m.Channel())) > 0, err
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
	return s.begin(ctx, c, v, m, a.Contact, a.Enrol)
}

func (s *Service) begin(ctx context.Context, c *Case, v Visit, m Method, contact Contact, enrol bool) (*Case, *Attempt, error) {
	browser, method, limits := s.BrowserHash(v.Browser), m.Name(), s.Policy.Limits
	// What is refused anyway costs nothing: it is looked at before a limit is spent.
	a, err := c.attemptAt(browser, method, contact, enrol, s.now(), limits)
	if limit, ok := errors.AsType[*LimitError](err); ok && limit.Limit == "codes" {
		return s.fail(ctx, c.ID, a.ID, err)
	}
	if err != nil {
		return nil, nil, err
	}
	if browser == "" {
		return nil, nil, ErrOtherBrowser // without a cookie nobody could answer
	}
	if contact.Channel.Reached() { // one of before, or of the authority's, may be where nothing goes to any more
		if _, err := m.Check(contact.Address.Reveal()); err != nil {
			return nil, nil, err
		}
	}
	b, spent, err := s.prepare(ctx, c, v, m, contact, enrol)
	if err != nil {
		return nil, nil, err
	}
	fresh, newcomer, begun := NewToken().Reveal()[:12], NewID(nil), ""
	c, err = s.update(ctx, c.ID, func(c *Case, now time.Time) error {
		a, err := c.attemptAt(browser, method, contact, enrol, now, limits)
		if err != nil {
			return err
		}
		if a == nil {
			if old := c.Current(method); old != nil {
				c.replace(old)
			}
			c.Attempts = append(c.Attempts, Attempt{ID: fresh, Method: method, Contact: contact, Enrol: enrol, Status: AttemptOpen, Began: now})
			a = &c.Attempts[len(c.Attempts)-1]
		}
		if enrol {
			if who := cmp.Or(c.Person, a.Person, newcomer); a.Person != who {
				a.Person, a.State = who, nil // what is in force names somebody else
			}
		}
		a.Browser, begun = browser, a.ID
		if c.Lang == "" { // the CA named none: notices speak as the page did
			c.Lang = v.Lang
		}
		if !a.inForce(now) {
			opening, err := s.open(c, m, b, a, v.Lang)
			if err != nil {
				return err
			}
			a.Bound = b.Bound
			a.take(opening, now)
		}
		if a.Message != nil {
			s.enqueue(c, a, now)
		}
		a.Texts = append(a.Texts, spent.texts...)
		return nil
	})
	if err != nil {
		if !errors.Is(err, ErrUnavailable) { // then nobody knows whether it was stored
			spent.giveBack()
		}
		return nil, nil, fmt.Errorf("begin %s: %w", method, err)
	}
	return c, c.attempt(begun), nil
}

// prepare looks up what a challenge must know, spends what it costs, and begins what the method is to be told.
func (s *Service) prepare(ctx context.Context, c *Case, v Visit, m Method, contact Contact, enrol bool) (b Beginning, spent spentMessage, err error) {
	b = Beginning{At: s.now(), Contact: contact, Enrol: enrol}
	if p := s.profileOf(c); p != nil {
		b.AAL, b.Attestation = p.Require.AAL, p.Attestation
	}
	if contact.Channel.Reached() {
		known, err := s.address(ctx, contact)
		if err != nil {
			return b, spent, err
		}
		b.Bound = c.authenticates(known)
		spent, err = s.spendMessage(ctx, c, contact, known, b.Bound, v.Client)
		return b, spent, err
	}
	person, err := s.person(ctx, c.Person)
	if err != nil {
		return b, spent, err
	}
	if enrol && person.full() {
		return b, spent, &LimitError{Limit: "things"}
	}
	if enrol && !s.admits(c, person, contact) {
		return b, spent, ErrNotAdmitted
	}
	if p := s.profileOf(c); p != nil && s.adds(p) {
		b.MaxAge = loginAge
	}
	if c.Own() { // what counts there is that they have just authenticated, as strongly as they can
		b.AAL = max(b.AAL, 2, s.strongest(s.Policy.Own.Framework, person.of(m.Channel()), nil, s.now()))
	}
	if b.Own, err = s.kept(ctx, person, m.Channel()); err != nil {
		return b, spent, err
	}
	if f, ok := m.(Fetcher); ok {
		if err := f.Prepare(ctx, contact); err != nil {
			return b, spent, fmt.Errorf("prepare %s: %w", m.Name(), err)
		}
	}
	return b, spent, nil
}

// adds says whether in a case of the profile something may become a person's that authenticates them, besides an account at a
// provider: whoever adds it must have authenticated recently, and the provider is asked for that. In a person's own case everything counts on it.
func (s *Service) adds(p *Profile) bool {
	return p == s.Policy.Own || slices.ContainsFunc(p.Methods, func(name string) bool {
		m := s.Methods[name]
		return m != nil && m.Channel() != ChannelIdentity && m.Channel().Authenticates()
	})
}

// spentMessage is what a message has been counted for; its zero value is nothing.
type spentMessage struct {
	texts []time.Time // when a text message was counted as unanswered
	undo  []func()
}

func (m spentMessage) giveBack() {
	for _, undo := range m.undo {
		undo()
	}
}

// spendMessage spends the limits of a message, or refuses it.
func (s *Service) spendMessage(ctx context.Context, c *Case, contact Contact, known *Address, bound bool, client string) (spent spentMessage, err error) {
	if err := s.blocked(ctx, c, contact, known, bound); err != nil {
		return spent, err
	}
	on, err := s.held(ctx, c.CA, contact, bound)
	if err != nil {
		return spent, err
	}
	giveBack, err := s.spendSend(ctx, c, contact, client)
	if err != nil {
		return spent, err
	}
	uncount, texts, err := s.countText(ctx, c, contact, bound, on)
	spent = spentMessage{texts, []func(){uncount, giveBack}}
	if err != nil {
		spent.giveBack()
		return spentMessage{}, err
	}
	return spent, nil
}

// attemptAt is the open attempt at an address that another message may be sent
// for; nil if there is none and a new one may take its place. With the
// *LimitError "codes" comes the attempt all of whose codes are spent.
func (c *Case) attemptAt(browser, method string, contact Contact, enrol bool, now time.Time, l Limits) (*Attempt, error) {
	if err := c.workable(browser); err != nil {
		return nil, err
	}
	if a := c.Current(method); a != nil && a.Contact.Address == contact.Address && a.Enrol == enrol {
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

// open asks the method for a challenge and completes its message.
func (s *Service) open(c *Case, m Method, b Beginning, a *Attempt, lang string) (Opening, error) {
	ctx := s.messageContext(c)
	ctx.Lang = lang
	b.Attempt, b.KeyAuth, b.Context, b.Origin = a.ID, c.KeyAuthDigest(), ctx, s.Policy.Origin
	b.Link = s.linkSecret(c, a.ID)
	b.Ref = Secret(c.ID + "." + a.ID + "." + b.Link.Reveal())
	b.Person = s.personHandle(cmp.Or(c.Person, a.Person))
	o, err := m.Begin(b)
	if err != nil {
		return o, fmt.Errorf("open attempt: %w", err)
	}
	if o.Message.Kind == "" {
		return o, nil
	}
	o.Message.To, o.Message.Channel, o.Message.Lang, o.Message.Context = b.Contact.Address, b.Contact.Channel, lang, ctx
	if o.Message.Link != "" {
		o.Message.Link = c.messageURL(s.Policy.Origin, a.ID, o.Message.Link)
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
