package proofing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// The notices of a certificate go to those who answer for it: who asked, who approved, and the organization's Contract Signers.
const (
	noticeIssued  = "issued"
	noticeRenewed = "renewed"
	noticeEnds    = "certificate_ends"
)

// endLeads are how long before its end people are reminded of a certificate, the longest first. One that lasts less than twice as long is not
// spoken of so early.
var endLeads = []struct {
	name string
	lead time.Duration
}{{"30d", 30 * 24 * time.Hour}, {"7d", 7 * 24 * time.Hour}}

// CertificatePath is where somebody says of a certificate that it was not them: <certificate>.<secret>.
const CertificatePath = "/x/"

// link makes the "this was not us" of a recipient, and returns where it leads.
func (c *Certificate) link(r recipient, origin string) Secret {
	l := CertificateLink{NewToken(), r.Channel, r.person}
	c.Links = append(c.Links, l)
	return Secret(origin + CertificatePath + c.ID + "." + l.Secret.Reveal())
}

// answerable are the addresses of those who answer for a certificate that rests on a case: all that the case confirmed, and two mailboxes and a number of each
// person. An approver whose word was taken back answers no more.
func (s *Service) answerable(ctx context.Context, k *Case) (told []recipient, err error) {
	for _, a := range k.confirmed() {
		told = join(told, []recipient{{a, k.Person}})
	}
	persons := []string{k.Person}
	if k.Approval != nil {
		for _, d := range k.Approval.Decisions {
			if d.Step == StepApprove && !d.Refused && d.Void == "" {
				persons = append(persons, d.Person)
			}
		}
		people, err := s.appointments(ctx, "organization", k.Approval.Organization)
		if err != nil {
			return nil, err
		}
		for _, a := range people {
			if a.Role == RoleSigner && a.Status == AppointmentActive {
				persons = append(persons, a.Person)
			}
		}
	}
	people, err := s.reachAll(ctx, persons)
	if err != nil {
		return nil, fmt.Errorf("who answers for a certificate: %w", err)
	}
	return join(told, people), nil
}

// tell puts a notice for each address into the certificate's outbox.
func (s *Service) tell(c *Certificate, k *Case, told []recipient, kind string, now time.Time) {
	ctx := s.messageContext(k)
	ctx.Lang, ctx.Ends = k.Lang, c.NotAfter
	for _, r := range told {
		if kind == noticeEnds && r.Channel == ChannelPhone { // a mail is enough
			continue
		}
		m := Message{Kind: r.kindFor(kind), Channel: r.Channel, To: r.Address, Lang: k.Lang, Context: ctx, About: c.Serial}
		if kind != noticeEnds {
			m.Disown = c.link(r, s.Policy.Origin)
		}
		c.Outbox.owe(c.ID, m, r.person, now)
	}
}

// nextDue is when the worker must look at the certificate again.
func (c *Certificate) nextDue() (time.Time, bool) {
	due, ok := c.Outbox.NextDue()
	own := time.Time{}
	if d := c.Disowned; d != nil && d.Spread.IsZero() {
		own = d.At
	}
	if c.Revoked.IsZero() {
		for _, l := range endLeads {
			if c.reminds(l.name, l.lead) {
				own = earliest(own, c.NotAfter.Add(-l.lead))
			}
		}
	}
	if !own.IsZero() && (!ok || own.Before(due)) {
		return own, true
	}
	return due, ok
}

// reminds says whether somebody is yet to be reminded.
func (c *Certificate) reminds(name string, lead time.Duration) bool {
	return !slices.Contains(c.Reminded, name) && c.NotAfter.Sub(c.Reported) >= 2*lead
}

// workCertificate does what is due of one certificate: it freezes what somebody's word freezes, reminds of its end, and sends notices.
func (s *Service) workCertificate(ctx context.Context, id string) error {
	c, err := s.Certificates.Get(ctx, id)
	if err != nil {
		return ignoreNotFound(err)
	}
	if c.Disowned != nil && c.Disowned.Spread.IsZero() {
		if err := s.spreadDisowned(ctx, c); err != nil {
			return err
		}
	}
	if c, err = s.remind(ctx, c); err != nil {
		return err
	}
	return workNotices(ctx, s, s.Certificates, c)
}

// remind tells those who answer for a certificate that it ends, once for each lead, unless another has taken its place. What was missed while nothing ran is told
// once.
func (s *Service) remind(ctx context.Context, c *Certificate) (*Certificate, error) {
	due := func(c *Certificate, now time.Time) (names []string) {
		for _, l := range endLeads {
			if c.Revoked.IsZero() && c.reminds(l.name, l.lead) && !now.Before(c.NotAfter.Add(-l.lead)) {
				names = append(names, l.name)
			}
		}
		return names
	}
	if len(due(c, s.now())) == 0 {
		return c, nil
	}
	others, err := s.CertificatesOf(ctx, c.Cases[0])
	if err != nil {
		return nil, err
	}
	replaced := slices.ContainsFunc(others, func(o *Certificate) bool { return o.NotAfter.After(c.NotAfter) && o.Revoked.IsZero() })
	k, err := s.get(ctx, c.Cases[0])
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	var told []recipient
	if k != nil && !replaced {
		if told, err = s.answerable(ctx, k); err != nil {
			return nil, err
		}
	}
	return s.Certificates.Update(ctx, c.ID, func(c *Certificate) error {
		now := s.now()
		names := due(c, now)
		if c.Reminded = append(c.Reminded, names...); len(names) > 0 && now.Before(c.NotAfter) && len(told) > 0 {
			s.tell(c, k, told, noticeEnds, now)
		}
		return nil
	})
}
