package proofing

import (
	"context"
	"slices"
	"time"
)

// noticeAges tells the authority's people that something in a dossier ages.
const noticeAges = "dossier_ages"

// remindAt is when people are told that an item ages: 30 days before, or 7 where it is good for less than twice as long. What is good for less than
// two weeks is not spoken of.
func (a Aging) remindAt() (at time.Time, ok bool) {
	good := a.Until.Sub(a.Item.CollectedAt)
	for _, l := range endLeads {
		if good >= 2*l.lead {
			return a.Until.Add(-l.lead), true
		}
	}
	return at, false
}

// nextDue is when the worker must look at the dossier again.
func (o *Organization) nextDue() (time.Time, bool) {
	due, ok := o.Outbox.NextDue()
	for _, a := range o.Ages() {
		if at, speaks := a.remindAt(); speaks && !slices.Contains(o.Reminded, a.Item.ID) && (!ok || at.Before(due)) {
			due, ok = at, true
		}
	}
	return due, ok
}

// aging are the items of whose end people are to be told now.
func (o *Organization) aging(now time.Time) (all []Aging) {
	for _, a := range o.Ages() {
		if at, ok := a.remindAt(); ok && !now.Before(at) && !slices.Contains(o.Reminded, a.Item.ID) {
			all = append(all, a)
		}
	}
	return all
}

// workDossier does what is due of a dossier: it tells the authority's people, once for each item, what will be too old soon, and sends the notices. What is due
// together is one notice.
func (s *Service) workDossier(ctx context.Context, id string) error {
	o, err := s.Dossiers.Get(ctx, id)
	if err != nil {
		return ignoreNotFound(err)
	}
	if len(o.aging(s.now())) > 0 {
		told, err := s.collecting(ctx, o)
		if err != nil {
			return err
		}
		title := s.titleOfCA(ctx, o.CA)
		if o, err = s.Dossiers.Update(ctx, id, func(o *Organization) error {
			now := s.now()
			aging := o.aging(now)
			for _, a := range aging {
				o.Reminded = append(o.Reminded, a.Item.ID)
			}
			o.Reminded = slices.DeleteFunc(o.Reminded, func(id string) bool { // what others have taken the place of
				return !slices.ContainsFunc(o.Items, func(it Item) bool { return it.ID == id })
			})
			if len(aging) > 0 {
				s.tellOfDossier(o, noticeAges, title, aging[0].Until, told, now)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return workNotices(ctx, s, s.Dossiers, o)
}

// collecting are the mailboxes of those who may collect for a dossier.
func (s *Service) collecting(ctx context.Context, o *Organization) ([]recipient, error) {
	return s.boxesOf(ctx, o, func(a *Appointment) bool { return a.collects(o.CA) })
}

// boxesOf are the mailboxes of those who work for the authority of a dossier by an appointment of a kind.
func (s *Service) boxesOf(ctx context.Context, o *Organization, by func(*Appointment) bool) (told []recipient, err error) {
	people, err := s.appointments(ctx, "scope", "authority."+o.CA+"."+string(AppointmentActive))
	if err != nil {
		return nil, err
	}
	for _, a := range people {
		p, err := s.person(ctx, a.Person)
		if err != nil {
			return nil, err
		}
		if !by(a) || !a.Stands(p, s.now()) {
			continue
		}
		told = join(told, p.boxes())
	}
	return told, nil
}

// titleOfCA is the title of an authority; its name if it is not known any more.
func (s *Service) titleOfCA(ctx context.Context, name string) string {
	if ca, err := s.Authority(ctx, name); err == nil {
		return ca.Title
	}
	return name
}

// tellOfDossier puts notices of a kind into the dossier's outbox.
func (s *Service) tellOfDossier(o *Organization, kind, ca string, ends time.Time, told []recipient, now time.Time) {
	ctx := MessageContext{CA: ca, Identifier: o.Name, Operator: s.Policy.Operator, Contact: s.Policy.Contact, Origin: s.Policy.Origin, Ends: ends}
	for _, r := range told {
		o.Outbox.owe(o.ID, Message{Kind: kind, Channel: r.Channel, To: r.Address, Context: ctx, Link: Secret(s.Policy.Origin + AdminOrganizationPath + o.ID)}, r.person, now)
	}
}
