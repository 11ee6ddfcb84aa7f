package proofing

import (
	"slices"
	"time"
)

// The mails that call people to a decision only say that something waits: a link in them opens the console, which takes a passkey
// (CSBR 3.2.2.2.9(2)(ii)).

const (
	noticeWaiting = "waiting"
	// noticeRefused tells whoever asked.
	noticeRefused = "decided_no"
	// mostCalled is how many people are told that a request waits, and mailboxes how many of each.
	mostCalled, calledMailboxes = 20, 2
)

// AdminPath is where the console is, and AdminCasePath a request in it.
const (
	AdminPath     = "/admin"
	AdminCasePath = AdminPath + "/cases/"
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
		told := 0
		for _, b := range p.of(ChannelEmail) {
			if told++; told > calledMailboxes {
				break
			}
			c.Outbox.Messages = append(c.Outbox.Messages, Outgoing{
				Message: Message{
					ID: c.ID + "." + NewToken().Reveal()[:12], Kind: noticeWaiting, Channel: ChannelEmail, To: b.Contact.Address,
					Lang: c.Lang, Context: ctx, Link: Secret(s.Policy.Origin + AdminCasePath + c.ID),
				},
				State: MessagePending, Since: now, Due: now, Expires: now.Add(72 * time.Hour),
			})
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
		case role == RoleApprover && !anybody && !slices.Contains(next, p.ID):
		case slices.ContainsFunc(a.Decisions, func(d Decision) bool { return d.Person == person.ID && d.counts(now) }):
		default:
			all = append(all, person)
		}
	}
	return all
}
