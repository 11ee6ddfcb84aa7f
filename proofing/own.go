package proofing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A person's own page is reached by a case of their own: it has attempts, evidence and a label like any
// other, and no certificate authority asks for it. Its grant is the session. So a sign-in obeys the same
// rules, limits and records as a proof, and there is no second way to authenticate.

const (
	// ownOpen is how long a sign-in may take, and ownRetention how long its record stays.
	ownOpen      = time.Hour
	ownRetention = 30 * 24 * time.Hour
	// freshFor is how recently a person must have authenticated to change what is theirs.
	freshFor = 10 * time.Minute
	// loginAge is how old a login at a provider may be when its word comes, where freshFor counts: the rest is for the change.
	loginAge = freshFor / 2
	// seenEvery is how exactly idle time is known: looking at a page need not be a write each time.
	seenEvery = time.Minute
	// maxBindings is the most that one person has.
	maxBindings = 20
)

// Own says whether the case is a person's own session and no authority's request.
func (c *Case) Own() bool { return c.CA == "" }

// OpenOwn opens a session that nobody has signed in to yet. Errors: *LimitError, ErrUnavailable.
func (s *Service) OpenOwn(ctx context.Context, v Visit) (*Case, error) {
	if s.Policy.Own == nil {
		return nil, ErrNotFound
	}
	key := "client.opens." + s.clientKey(v.Client)
	if err := s.spendAll(ctx, []spend{{"client", key, 1, s.Policy.Limits.ClientOpens, time.Hour}}); err != nil {
		return nil, err
	}
	now := s.now()
	c := &Case{
		ID: NewID(nil), CATitle: s.Policy.Operator, Token: NewToken(), LinkSecret: NewToken(), Disown: NewToken(),
		Applicant: Applicant{Kind: ByNobody}, Lang: v.Lang, Browser: s.BrowserHash(v.Browser),
		Status: CaseOpen, Created: now, Changed: now, Expires: now.Add(ownOpen), Started: true, Retain: now.Add(ownOpen + ownRetention),
	}
	if c.Browser == "" {
		return nil, ErrOtherBrowser
	}
	if err := s.Cases.Create(ctx, c.ID, c); err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	return c, nil
}

// signIn moves a case of a person's own as far as its evidence carries it. Somebody is signed in once an
// authenticator has spoken that was theirs before. What rises in level gets a new secret, so that
// whoever had the old one has nothing (SP 800-63B 7.1; SP 800-63B-4 5.1).
func (s *Service) signIn(c *Case, now time.Time) {
	if c.Recovered.IsZero() && !slices.ContainsFunc(c.Evidence, func(e Evidence) bool { return e.bound() && e.Contact().Channel.Authenticates() }) {
		return
	}
	p := s.Policy.Own
	a := Assess(p.Framework, s.Policy.OperatorFacts, now, c.Standing())
	lasts := p.Framework.sessionLimit(a.AAL)
	if c.Grant != nil && c.idle(p, now) && !c.spoken(now) {
		return // who has been away must authenticate, and others must not do it by confirming something of theirs
	}
	if c.Grant != nil && (a.AAL == nil || c.Grant.Assessment.AAL != nil && *a.AAL <= *c.Grant.Assessment.AAL) {
		c.Grant.Assessment, c.Seen = a, now
		return
	}
	at := now
	if c.Grant != nil {
		at = c.Grant.At
	}
	c.LinkSecret = NewToken()
	c.Grant = &Grant{At: at, Expires: at.Add(lasts.overall), RecheckAfter: at.Add(lasts.overall), Entitlement: "own", PolicyDigest: s.Policy.Digest, Assessment: a}
	c.move(CaseGranted, "", now, c.Grant.Expires)
	c.Seen, c.Retain = now, c.Expires.Add(s.retention(c))
}

// sessionLimit is how long a session lasts: overall, and without anything being done in it
// (SP 800-63B 4.1.3, 4.2.3 and 4.3.3; SP 800-63B-4 2.1.3, 2.2.3 and 2.3.3). Nobody manages what
// is theirs for a month on end, so at AAL1, and without a level, the limits of AAL2 hold.
func (f Framework) sessionLimit(aal *int) sessionLimit {
	level := 2
	if aal != nil {
		level = max(level, *aal)
	}
	limit := sessionLimit{overall: f.Reauthentication(level), idle: 30 * time.Minute}
	if f == R4 {
		limit.idle = time.Hour
	}
	if level == 3 {
		limit.idle = 15 * time.Minute
	}
	return limit
}

type sessionLimit struct{ overall, idle time.Duration }

// Session is what a signed-in browser sees.
type Session struct {
	Case   *Case
	Person *Person
	// Fresh says that the person has just authenticated, as strongly as they can: only then may
	// anything of theirs be changed.
	Fresh bool
	// Recovering: somebody has recovered the account, and authenticators are suspended since. MayStop: it can be ended with
	// StopRecovery.
	Recovering, MayStop bool
	// Back: somebody has just come in by a recovery. They may add authenticators, and nothing else.
	Back bool

	Until time.Time // the end of the session if nothing is done in it
}

// Session is the session that a browser's cookie names; ErrNotFound for any fault in it: nobody has signed in,
// the session is over or was idle too long, or the browser is another.
func (s *Service) Session(ctx context.Context, v Visit) (*Session, error) {
	c, err := s.CaseByLink(ctx, v.Link)
	if err != nil {
		return nil, err
	}
	now := s.now()
	if !c.signedIn(s.Policy.Own, s.BrowserHash(v.Browser), now) {
		return nil, ErrNotFound
	}
	if now.Sub(c.Seen) >= seenEvery {
		if c, err = s.update(ctx, c.ID, func(c *Case, now time.Time) error {
			if c.signedIn(s.Policy.Own, s.BrowserHash(v.Browser), now) {
				c.Seen = now
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	p, err := s.person(ctx, c.Person)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, ErrNotFound // erased meanwhile
	}
	c.Lost = c.lostOf(p, s.addressID)
	if standing, copied := s.withCopies(c.Standing(), p); copied || c.suspended() {
		a := Assess(s.Policy.Own.Framework, s.Policy.OperatorFacts, now, standing)
		if was := c.Grant.Assessment.AAL; was != nil && (a.AAL == nil || *a.AAL < *was) {
			// It is stored, so that what rises from here is a rise, and has a new secret.
			if _, err := s.update(ctx, c.ID, func(c *Case, _ time.Time) error {
				if c.Grant != nil {
					c.Grant.Assessment = a
				}
				return nil
			}); err != nil {
				return nil, err
			}
		}
		c.Grant.Assessment = a
	}
	idle := c.Seen.Add(s.Policy.Own.Framework.sessionLimit(c.Grant.Assessment.AAL).idle)
	if c.Expires.Before(idle) {
		idle = c.Expires
	}
	session := &Session{Case: c, Person: p, Fresh: s.mayChange(c, p, now), Until: idle}
	session.Recovering = slices.ContainsFunc(p.Bindings, func(b Binding) bool { return len(b.Suspended) > 0 })
	session.MayStop = session.Recovering && s.mayStop(c, p, now)
	session.Back = c.recovered(now) && !session.Fresh
	return session, nil
}

func (c *Case) signedIn(own *Profile, browser string, now time.Time) bool {
	if own == nil || !c.Own() || c.Status != CaseGranted || c.Frozen != nil || c.Grant == nil || browser == "" || c.Browser != browser {
		return false
	}
	return !c.idle(own, now)
}

// idle says whether too long nothing was done in a session.
func (c *Case) idle(own *Profile, now time.Time) bool {
	return !now.Before(c.Seen.Add(own.Framework.sessionLimit(c.Grant.Assessment.AAL).idle))
}

// spoken says whether something that authenticates the person has just spoken.
func (c *Case) spoken(now time.Time) bool {
	e := c.Evidence[len(c.Evidence)-1]
	return e.bound() && e.Contact().Channel.Authenticates() && e.At.Equal(now)
}

// mayChange says whether the person of a session has authenticated recently, as strongly as they can
// (SP 800-63B 6.1.2.1; SP 800-63B-4 4.1.2.1).
func (s *Service) mayChange(c *Case, p *Person, now time.Time) bool {
	return s.authenticatedFor(c, p, p.Bindings, freshFor, now)
}

// authenticatedFor says whether the case has authenticated its person, in their browser, as strongly as what they have
// allows; within some time, unless that is 0. What a recovery has suspended proves nothing.
func (s *Service) authenticatedFor(c *Case, who *Person, have []Binding, within time.Duration, now time.Time) bool {
	p := s.profileOf(c)
	if p == nil {
		return false
	}
	since := &Case{Evidence: c.Evidence}
	since.Lost = since.lostOf(who, s.addressID)
	proved := slices.DeleteFunc(slices.Clone(c.Evidence), func(e Evidence) bool {
		return !e.bound() || since.suspends(e.ID) || e.handedIn() || !e.Contact().Channel.Authenticates() || within > 0 && !recent(e.authenticated(), within, now)
	})
	if len(proved) == 0 {
		return false
	}
	proved, _ = s.withCopies(proved, who)
	// What is little under one framework may be all that another asks for: a passkey that can be copied is AAL1 in revision 3, and AAL2 in revision 4.
	for _, f := range s.frameworks(p.Framework) {
		strongest, aal := s.strongest(f, have, newestList(proved), now), Assess(f, s.Policy.OperatorFacts, now, proved).AAL
		if aal == nil && strongest > 0 || aal != nil && *aal < strongest { // no level: a provider that vouches for none, where that is all they have
			return false
		}
	}
	return true
}

// recent says whether something was within some time. What is later than clocks differ is not: the clock was set back, and it would stay recent until that is made up for.
func recent(at time.Time, within time.Duration, now time.Time) bool {
	return now.Sub(at) <= within && !at.After(now.Add(ClockSkew))
}

// SignOut ends a session. It may be called again, and for one that is over.
func (s *Service) SignOut(ctx context.Context, v Visit) error {
	c, err := s.CaseByLink(ctx, v.Link)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if !c.Own() || c.Browser != s.BrowserHash(v.Browser) {
		return nil
	}
	_, err = s.updateBy(ctx, byVisitor(v), c.ID, func(c *Case, now time.Time) error {
		if !c.Status.Over() {
			c.end(CaseWithdrawn, "signed_out", now, s.retention(c))
		}
		return nil
	})
	return err
}

// SignInOver says whether a reference that leads nowhere any more was that of a sign-in, or of something that was asked in it, which has succeeded in that very browser: its
// secret is another one since (signIn), so that what history and other tabs still have is spent. For any other browser it is like a reference that somebody made up.
func (s *Service) SignInOver(ctx context.Context, v Visit) (bool, error) {
	id, _, ok := strings.Cut(v.Link.Reveal(), ".")
	if !ok || v.Browser == "" {
		return false, nil
	}
	if _, isID := IDBucket(id); !isID {
		return false, nil
	}
	c, err := s.get(ctx, id)
	if err != nil {
		return false, ignoreNotFound(err)
	}
	return c.Own() && c.Grant != nil && c.Browser == s.BrowserHash(v.Browser), nil
}

// Rename gives one of a person's authenticators the name that they know it by.
func (s *Service) Rename(ctx context.Context, v Visit, binding, name string) error {
	session, err := s.Session(ctx, v)
	if err != nil {
		return err
	}
	name = oneLine(name, 60)
	if name == "" {
		return &InputError{Field: "name", Code: "name_empty"}
	}
	found := false
	_, err = s.People.Update(ctx, session.Person.ID, func(p *Person) error {
		for i := range p.Bindings {
			if p.Bindings[i].ID == binding {
				p.Bindings[i].Name, found = name, true
			}
		}
		return nil
	})
	if err == nil && !found {
		return ErrNotFound
	}
	return err
}

// Remove takes an address or authenticator from its person. ErrNotAdmitted unless they have authenticated
// recently, as strongly as they can; the *InputError "last_authenticator" for the only thing that can sign them in:
// that takes Erase. Other sessions that it has signed in to end, and so do open requests that it is at work in, and grants that rest on it go
// the way that their profiles say (RecheckPolicy): who removes something has perhaps lost it.
func (s *Service) Remove(ctx context.Context, v Visit, binding string) error {
	session, err := s.Session(ctx, v)
	if err != nil {
		return err
	}
	if !session.Fresh {
		return ErrNotAdmitted
	}
	i := slices.IndexFunc(session.Person.Bindings, func(b Binding) bool { return b.ID == binding })
	if i < 0 {
		return ErrNotFound
	}
	gone := session.Person.Bindings[i]
	// No limit: there is no more to take away than was added, and a thief must not use it up.
	// Of two at once that would take the last two, one learns of the other here.
	if _, err := s.People.Update(ctx, session.Person.ID, func(p *Person) error { return p.takeAway(binding, s.now()) }); err != nil {
		return err
	}
	// Whoever must hear of it is told by the change before the first that takes effect: a crash between
	// the two tells too much and not too little.
	by := byPerson(session, v)
	if _, err := s.updateBy(ctx, by, session.Case.ID, func(c *Case, now time.Time) error {
		s.notifyPerson(c, session.Person.Bindings, noticeRemoved, gone, now)
		c.write(by, now, EntryUnbound, map[string]any{"channel": string(gone.Contact.Channel), "authenticator": binding}, map[string]any{"contact": gone.Contact})
		return nil
	}); err != nil {
		return err
	}
	if err := s.silence(ctx, by, session.Person.ID, binding); err != nil {
		return err
	}
	if err := s.endUses(ctx, by, session.Person.ID, binding, func(c *Case) bool { return c.ID == session.Case.ID }); err != nil {
		return err
	}
	return s.unlist(ctx, session.Person.ID, binding)
}

// takeAway marks what a person takes away. ErrNotFound if it is not theirs; the *InputError
// "last_authenticator" if nothing that authenticates would be left.
func (p *Person) takeAway(binding string, now time.Time) error {
	i := slices.IndexFunc(p.Bindings, func(b Binding) bool { return b.ID == binding })
	if i < 0 {
		return ErrNotFound
	}
	left := slices.ContainsFunc(p.Bindings, func(b Binding) bool {
		return b.ID != binding && b.Gone.IsZero() && len(b.Suspended) == 0 && b.Contact.Channel.Authenticates()
	})
	if p.Bindings[i].Contact.Channel.Authenticates() && !left {
		return &InputError{Field: "binding", Code: "last_authenticator"}
	}
	if p.Bindings[i].Gone.IsZero() {
		p.Bindings[i].Gone = now
		if p.Bindings[i].Contact.Channel == ChannelPasskey {
			p.unsettle(now)
		}
	}
	return nil
}
