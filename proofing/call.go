package proofing

import (
	"slices"
	"time"
)

// The messages that call people to a decision only say that something waits: the link in a mail opens the console, which takes a passkey, and a text message has
// none (CSBR 3.2.2.2.9(2)(ii)).

const (
	noticeWaiting = "waiting"
	// noticeRefused tells whoever asked.
	noticeRefused = "decided_no"
	// mostCalled is how many people are told that a request waits.
	mostCalled = 20
)

// AdminPath is where the console is, AdminCasePath a request in it, and AdminOrganizationPath a dossier.
const (
	AdminPath             = "/admin"
	AdminCasePath         = AdminPath + "/cases/"
	AdminOrganizationPath = AdminPath + "/organizations/"
)

// callUp tells everybody whose turn it is that the request waits for them. Who has been told of this stage hears nothing again.
func (s *Service) callUp(c *Case, g *grounds, now time.Time) {
	a := c.Approval
	ctx := s.messageContext(c)
	ctx.Lang = c.Lang
	called := 0
	for _, p := range g.called(c, now) {
		if called++; called > mostCalled {
			break
		}
		if slices.Contains(a.Called, p.ID) {
			continue
		}
		a.Called = append(a.Called, p.ID)
		for _, r := range reach([]*Person{p}) {
			m := Message{Kind: r.kindFor(noticeWaiting), Channel: r.Channel, To: r.Address, Lang: c.Lang, Context: ctx}
			if r.Channel == ChannelEmail {
				m.Link = Secret(s.Policy.Origin + AdminCasePath + c.ID)
			}
			c.Outbox.owe(c.ID, m, r.person, now)
		}
	}
}

// called are the persons whose turn it is, without whoever asks.
func (g *grounds) called(c *Case, now time.Time) (all []*Person) {
	a := c.Approval
	next, anybody := a.Rule.Next(a.Approved(now))
	role := a.Stage.Step().Role()
	for _, p := range append(slices.Clone(g.appointments), g.authority...) {
		person := g.persons[p.Person]
		switch {
		case p.Role != role || person == nil || person.ID == c.Person && !g.organization.Combined(now):
		case role != RoleApprover && forApplicant(c, g, person.ID, now):
		case role == RoleApprover && !anybody && !slices.Contains(next, p.ID):
		case slices.ContainsFunc(a.Decisions, func(d Decision) bool { return d.Person == person.ID && d.counts(now) }):
		default:
			all = append(all, person)
		}
	}
	return all
}
