package proofing

import (
	"cmp"
	"slices"
	"time"
)

// pass settles an attempt that was answered rightly: it leaves evidence, and
// what other records must learn of it.
//
// A token that is handed in says what account the asker has, and not who is at the browser: it is
// bound to nobody who is there already, and makes the case nobody else's.
func (s *Service) pass(c *Case, a *Attempt, p Proof, known *Address, newcomer string, now time.Time) error {
	a.Status = AttemptPassed
	c.Outbox.settle(a.messageID())
	a.erase()
	e := p.Evidence
	e.ID, e.At = a.ID, now
	if known != nil && !c.authenticates(known) && !a.Contact.Channel.Reached() {
		if e.handedIn() {
			return ErrOtherPerson
		}
		if err := c.become(known.Person, now); err != nil {
			return err
		}
	}
	binds := c.Person == "" || known != nil || !e.handedIn()
	if c.authenticates(known) {
		c.Person = known.Person
		if known.BoundAt.Before(now) && !now.Before(known.Counts) {
			e.BoundAt = known.BoundAt
		}
		if len(known.Suspended) > 0 {
			c.Lost = append(c.Lost, Lost{e.ID, known.Suspended[0].At})
		}
	} else if c.Person == "" {
		c.Person = cmp.Or(a.Person, newcomer)
	}
	c.Evidence = append(c.Evidence, e)
	if binds {
		c.Outbox.Effects = append(c.Outbox.Effects, Effect{ID: "bind." + e.ID, Kind: EffectBind, Due: now, Event: e.ID, Kept: p.Kept})
	}
	c.Outbox.Effects = append(c.Outbox.Effects, Effect{ID: "share." + e.ID, Kind: EffectShare, Due: now, Event: e.ID})
	return nil
}

// become makes the case another person's, whose authenticator has just spoken: until then it was
// only known who can read which mail. What was confirmed here becomes theirs. Where somebody
// has authenticated already, two people are at one case, which is refused; and a passkey that was created here
// knows its person by a handle, which cannot change (WebAuthn Level 3, 4: user handle). What a representative
// recorded is of one person for good.
func (c *Case) become(person string, now time.Time) error {
	for _, e := range c.Evidence {
		if ch := e.Contact().Channel; e.bound() && ch.Authenticates() || ch == ChannelPasskey || e.Kind == ProofingRecord {
			return ErrOtherPerson
		}
	}
	c.Person = person
	for _, e := range c.Evidence {
		id := "bind." + e.ID
		if e.handedIn() { // whoever this is, they have not handed it in
			c.Outbox.Effects = slices.DeleteFunc(c.Outbox.Effects, func(have Effect) bool { return have.ID == id })
			continue
		}
		if !slices.ContainsFunc(c.Outbox.Effects, func(have Effect) bool { return have.ID == id }) {
			c.Outbox.Effects = append(c.Outbox.Effects, Effect{ID: id, Kind: EffectBind, Due: now, Event: e.ID})
		}
	}
	c.Unbound = nil // this person may admit them
	return nil
}

// authenticates says whether an address speaks for the case's person: it is bound
// to them, or to somebody while the case has nobody yet. An address that is bound
// to another person authenticates nobody here. It may have changed hands,
// and confirming it then binds it anew.
func (c *Case) authenticates(known *Address) bool {
	return known != nil && (c.Person == "" || c.Person == known.Person)
}

// progress moves an open case as far as its evidence carries it.
func (s *Service) progress(c *Case, g *grounds, now time.Time) error {
	if c.Own() {
		if s.Policy.Own != nil && c.Frozen == nil {
			s.signIn(c, now)
		}
		return nil
	}
	p := s.profileOf(c)
	if c.Status != CaseOpen || p == nil || c.Frozen != nil {
		return nil
	}
	carries := s.left(c)
	if c.Ending != nil { // what it is opened by goes on for a while, and so does this
		carries = c.Standing()
	}
	if len(p.Unmet(s.Policy.OperatorFacts, now, carries)) > 0 {
		return nil
	}
	assessment := Assess(p.Framework, s.Policy.OperatorFacts, now, s.left(c))
	basis, entitled := c.entitlement(p, g)
	switch {
	case !entitled && p.ReviewEntitlement:
		c.move(CaseReview, "not_entitled", now, now.Add(p.CaseLifetime))
	case !entitled:
		c.end(CaseRefused, "not_entitled", now, p.Retention)
	case p.Approvals > 0 && !c.Approval.granted(p):
		s.submit(c, p, g, now)
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
	s.conclude(c, p, "", now)
	kept := *c // what was taken away before speaks for them no more
	kept.Evidence = s.left(c)
	s.notifyAt(c, kept.confirmed(), "granted", now)
}

// notify tells everybody on whose address the case rests, also if they confirmed
// it in another case of the applicant: they must hear of this one too.
func (s *Service) notify(c *Case, kind string, now time.Time) {
	s.notifyAt(c, c.confirmed(), kind, now)
}

// notifyAt tells some addresses, each once.
func (s *Service) notifyAt(c *Case, contacts []Contact, kind string, now time.Time) {
	ctx := s.messageContext(c)
	ctx.Lang = c.Lang
	told := map[Secret]bool{}
	for _, k := range contacts {
		if k.Channel != ChannelEmail || told[k.Address] {
			continue // notices go by mail: a text message costs money and says too little
		}
		told[k.Address] = true
		c.Outbox.owe(c.ID, Message{Kind: kind, Channel: k.Channel, To: k.Address, Lang: c.Lang, Disown: c.DisownURL(s.Policy.Origin), Context: ctx}, c.Person, now)
	}
}
