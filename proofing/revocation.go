package proofing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Revocation is a certificate that its authority must revoke, because somebody who answers for it has disowned it, with what that authority knows of it.
type Revocation struct {
	Certificate *Certificate
	Told        RevocationTold
	// Whose is the name of the person whose link it was disowned by; empty if they have none here.
	Whose string
}

// RevocationTold is how far the word that a certificate is to be revoked has come to its authority.
type RevocationTold string

// How far it has come.
const (
	ToldNot     RevocationTold = "not"     // it waits for the store, and goes by itself
	ToldListed  RevocationTold = "listed"  // it is in the authority's events, and no webhook has taken it
	ToldCalled  RevocationTold = "called"  // the authority's webhook has taken it
	ToldFailing RevocationTold = "failing" // the webhook does not take it; it is called again
	ToldDead    RevocationTold = "dead"    // the webhook has not taken it, and is not called with it any more
)

// revokeIndexes are where a certificate is found that must be revoked: for the service, its authority and its organization, by when.
func (c *Certificate) revokeIndexes() []Index {
	by := stamp(c.Disowned.RevokeBy)
	ix := []Index{{Name: "revoke", Value: "service." + by}, {Name: "revoke", Value: "authority." + c.CA + "." + by}}
	if c.Organization != "" {
		ix = append(ix, Index{Name: "revoke", Value: "organization." + c.Organization + "." + by})
	}
	return ix
}

// answersFor says whether an appointment's holder gets to see what must be revoked in its scope: administrators, operators and an
// organization's people. What specialists and reviewers work on is requests; a certificate's subject can be somebody who has nothing to do with one.
func (a *Appointment) answersFor() bool {
	return a.Role == RoleAdministrator || a.Role == RoleOperator || a.Role.Side() == SideApplicant
}

// RevocationScopes are those of somebody's appointments in whose scopes they get to see what must be revoked: each scope once, and none
// that lies within another.
func RevocationScopes(mine []*Appointment) (scopes []*Appointment) {
	order := []Side{SideService, SideAuthority, SideApplicant}
	mine = slices.Clone(mine)
	slices.SortStableFunc(mine, func(a, b *Appointment) int {
		return cmp.Compare(slices.Index(order, a.Role.Side()), slices.Index(order, b.Role.Side()))
	})
	for _, a := range mine {
		within := slices.ContainsFunc(scopes, func(have *Appointment) bool { return have.Covers(a.CA, a.Organization) })
		if a.answersFor() && !within {
			scopes = append(scopes, a)
		}
	}
	return scopes
}

// revocationQuery lists what must be revoked in one of these scopes. ErrNotFound for what is none of them.
func revocationQuery(scopes []*Appointment, by string) (Query, error) {
	a := holding(scopes, by)
	if a == nil {
		return Query{}, ErrNotFound
	}
	return Query{Index: "revoke", Prefix: a.scopePrefix(), Merged: true}, nil
}

// mostRevocations is the most of one page.
const mostRevocations = 100

// Revocations lists the certificates that must be revoked within the scope of one of the person's appointments (see RevocationScopes), the most urgent first: those whose
// time is over longest come before all others. Next is the cursor of the following ones. Errors: those of Console, ErrNotFound for an appointment that is not
// theirs or lets them see nothing, and *InputError for a cursor that is not of this list.
func (s *Service) Revocations(ctx context.Context, v Visit, by, after string, limit int) (list []Revocation, next string, err error) {
	_, held, err := s.Console(ctx, v)
	if err != nil {
		return nil, "", err
	}
	q, err := revocationQuery(RevocationScopes(held), by)
	if err != nil {
		return nil, "", err
	}
	q.After, q.Limit = after, min(max(limit, 1), mostRevocations)
	page, next, err := s.Certificates.List(ctx, q)
	if err != nil {
		return nil, "", fmt.Errorf("list what must be revoked: %w", err)
	}
	hooks := map[string]*Hook{}
	for _, c := range page {
		if _, known := hooks[c.CA]; known {
			continue
		}
		if hooks[c.CA], err = s.hookOf(ctx, c.CA); err != nil {
			return nil, "", err
		}
	}
	list = make([]Revocation, len(page))
	err = readAtOnce(len(page), func(i int) (err error) {
		list[i].Certificate = page[i]
		if list[i].Told, err = s.toldOfRevocation(ctx, page[i], hooks[page[i].CA]); err == nil {
			list[i].Whose, err = s.nameOf(ctx, page[i].Disowned.Person, page[i].CA)
		}
		return err
	})
	return list, next, err
}

// nameOf is the name under which a person was appointed last, at an authority or at the service itself: what they are called elsewhere is nothing to those who ask.
// Empty for nobody, and for whom nobody has appointed there.
func (s *Service) nameOf(ctx context.Context, person, ca string) (name string, err error) {
	if person == "" {
		return "", nil
	}
	all, err := s.appointments(ctx, "person", person)
	for _, a := range all {
		if a.CA == ca || a.CA == "" {
			name = a.Name
		}
	}
	return name, err
}

// hookOf is how far an authority's webhook has been told; nil if it has none that is on.
func (s *Service) hookOf(ctx context.Context, ca string) (*Hook, error) {
	a, err := s.Authority(ctx, ca)
	if err != nil {
		return nil, ignoreNotFound(err)
	}
	f, err := s.Feeds.Get(ctx, s.FeedID(ca))
	if err != nil {
		return nil, ignoreNotFound(err)
	}
	if !f.Hook.tells(a.Webhook) {
		return nil, nil
	}
	return &f.Hook, nil
}

// toldOfRevocation is how far the word about one certificate has come.
func (s *Service) toldOfRevocation(ctx context.Context, c *Certificate, h *Hook) (RevocationTold, error) {
	switch {
	case !c.Disowned.Called.IsZero():
		return ToldCalled, nil
	case c.Disowned.Spread.IsZero():
		return ToldNot, nil
	}
	about := func(e Event) bool { return e.Change == ChangeCertificate && e.Certificate == c.Digest }
	for _, id := range c.Cases {
		k, err := s.get(ctx, id)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return "", err
		}
		if slices.ContainsFunc(k.Outbox.Events, about) {
			return ToldNot, nil
		}
	}
	if h == nil {
		return ToldListed, nil
	}
	switch {
	case slices.ContainsFunc(h.Dead, func(d Dead) bool { return about(d.Event) }):
		return ToldDead, nil
	case slices.ContainsFunc(h.Late, func(l Late) bool { return about(l.Event) }):
		return ToldFailing, nil
	case (!h.Stopped.IsZero() || !h.Failing.IsZero()) && !c.Disowned.At.Before(h.Since): // a webhook is not called with what was before it
		return ToldFailing, nil
	}
	return ToldListed, nil
}

// noteCalled notes on each certificate that is to be revoked that the webhook has taken the word of it, within a short time. It is for those who look at the console:
// what cannot be noted, because its part of the store does not answer, holds up nobody's events, and the page says no more than that the event is listed.
func (s *Service) noteCalled(ctx context.Context, ca string, b *batch) {
	ctx, cancel := context.WithTimeout(ctx, noteTimeout)
	defer cancel()
	for _, t := range b.tasks {
		if t.state != taskDelivered || t.event.Change != ChangeCertificate {
			continue
		}
		id := s.certificateID(ca, t.event.Certificate)
		err := insist(ctx, func() error {
			_, err := s.Certificates.Update(ctx, id, func(c *Certificate) error {
				if c.Disowned != nil && c.Disowned.Called.IsZero() {
					c.Disowned.Called = s.now()
				}
				return nil
			})
			return err
		})
		if ignoreNotFound(err) != nil {
			s.Log.WarnContext(ctx, "it cannot be noted that the webhook has taken the word of a certificate", "ca", ca, "certificate", id, "error", err)
		}
	}
}

// RevocationCount is how many certificates must be revoked in all scopes of a person, each scope counted up to a limit, and by when the most urgent of them; zero: there
// are none. Errors: those of Console.
func (s *Service) RevocationCount(ctx context.Context, v Visit, limit int) (count DocketCount, by time.Time, err error) {
	_, held, err := s.Console(ctx, v)
	if err != nil {
		return count, by, err
	}
	scopes := RevocationScopes(held)
	for _, a := range scopes {
		q, err := revocationQuery(scopes, a.ID)
		if err != nil {
			return count, by, err
		}
		q.Limit = limit
		n, more, err := s.Certificates.Count(ctx, q)
		if err != nil {
			return count, by, fmt.Errorf("count what must be revoked: %w", err)
		}
		if n == 0 {
			continue
		}
		count.N, count.More = count.N+n, count.More || more
		q.Limit = 1
		first, _, err := s.Certificates.List(ctx, q)
		if err != nil {
			return count, by, fmt.Errorf("count what must be revoked: %w", err)
		}
		if len(first) > 0 {
			by = earliest(by, first[0].Disowned.RevokeBy)
		}
	}
	return count, by, nil
}
