package proofing

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// The notices of a certificate go to those who answer for it: see answerable.
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

// answerable are the addresses of those who answer for a certificate that rests on some cases, the first of which is the authorization that its authority named first: what
// the cases confirmed, and two mailboxes and a number of each person. These are who asked; the approvers whose word counts, for an authorization or for the CSR beneath it; the
// organization's Contract Signers; and the approvers whom its dossier names, even where others have decided. An approver whose word was taken back answers by that no more.
func (s *Service) answerable(ctx context.Context, cases []*Case) (told []recipient, err error) {
	var persons, organizations []string
	add := func(list *[]string, ids ...string) {
		for _, id := range ids {
			if id != "" && !slices.Contains(*list, id) {
				*list = append(*list, id)
			}
		}
	}
	for _, k := range cases {
		add(&persons, k.Person)
	}
	for _, k := range cases {
		if k.Approval == nil {
			continue
		}
		add(&organizations, k.Approval.Organization)
		for _, d := range k.Approval.Decisions {
			if d.Step == StepApprove && !d.Refused && d.Void == "" {
				add(&persons, d.Person)
			}
		}
	}
	for _, organization := range organizations {
		people, err := s.answeringIn(ctx, organization)
		if err != nil {
			return nil, fmt.Errorf("who answers for a certificate: %w", err)
		}
		add(&persons, people...)
	}
	// Nobody is looked up who would be one too many.
	people, err := s.reachAll(ctx, persons[:min(len(persons), mostTold)])
	if err != nil {
		return nil, fmt.Errorf("who answers for a certificate: %w", err)
	}
	// What further authorizations confirmed crowds out nobody who decided.
	for i, k := range cases {
		p, err := s.person(ctx, k.Person)
		if err != nil {
			return nil, fmt.Errorf("who answers for a certificate: %w", err)
		}
		for _, a := range k.confirmed() {
			if k.Person != "" && p == nil {
				break // whoever was erased is written to no more
			}
			told = join(told, []recipient{{a, k.Person}})
		}
		if i == 0 {
			told = join(told, people)
		}
	}
	return told, nil
}

// answeringIn are the persons who answer for the certificates of an organization without having decided: its Contract Signers, and the approvers whom its dossier names and
// who stand now.
func (s *Service) answeringIn(ctx context.Context, organization string) (persons []string, err error) {
	o, err := s.organization(ctx, organization)
	if ignoreNotFound(err) != nil {
		return nil, err
	}
	people, err := s.appointments(ctx, "organization", organization)
	if err != nil {
		return nil, err
	}
	var named []string
	for _, a := range people {
		switch {
		case a.Status != AppointmentActive:
		case a.Role == RoleSigner:
			persons = append(persons, a.Person)
		case o != nil && a.Role == RoleApprover && slices.Contains(o.Rule.Of, a.ID):
			p, err := s.person(ctx, a.Person)
			if err != nil {
				return nil, err
			}
			if a.Stands(p, s.now()) {
				named = append(named, a.Person)
			}
		}
	}
	return append(persons, named...), nil
}

// tell puts a notice for each address into the certificate's outbox.
func (s *Service) tell(c *Certificate, k *Case, told []recipient, kind string, now time.Time) {
	ctx := s.messageContext(k)
	ctx.Lang, ctx.Ends = k.Lang, c.NotAfter
	for _, r := range told {
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
				own = earliest(own, c.PutOff.from(c.NotAfter.Add(-l.lead)))
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

// Unheard says whether people were to be reminded of the certificate's end, and nobody could be.
func (c *Certificate) Unheard() bool { return len(c.PutOff.Nobody) > 0 && c.Revoked.IsZero() }

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
			if c.Revoked.IsZero() && c.reminds(l.name, l.lead) && !now.Before(c.PutOff.from(c.NotAfter.Add(-l.lead))) {
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
	replaced := c.replaced(others)
	var cases []*Case
	for _, id := range slices.Concat(c.Cases, c.Approvals) {
		k, err := s.get(ctx, id)
		if ignoreNotFound(err) != nil {
			return nil, err
		}
		if err == nil {
			cases = append(cases, k)
		}
	}
	var told []recipient
	if len(cases) > 0 && !replaced {
		if told, err = s.answerable(ctx, cases); err != nil {
			return nil, err
		}
	}
	told = slices.DeleteFunc(told, func(r recipient) bool { return r.Channel == ChannelPhone }) // a mail is enough
	c, err = s.Certificates.Update(ctx, c.ID, func(c *Certificate) error {
		now := s.now()
		names := due(c, now)
		c.PutOff = PutOff{}
		switch {
		case len(names) == 0 || replaced || !now.Before(c.NotAfter):
		case len(told) == 0:
			c.PutOff = PutOff{Again: earliest(now.Add(lookAgain), c.NotAfter), Nobody: names}
			return nil
		default:
			s.tell(c, cases[0], told, noticeEnds, now)
		}
		c.Reminded = append(c.Reminded, names...)
		return nil
	})
	if err == nil && c.Unheard() {
		s.Log.WarnContext(ctx, "nobody can be reminded of the end of a certificate: nobody who answers for it has a mailbox", "certificate", c.ID, "ca", c.CA)
	}
	return c, err
}
