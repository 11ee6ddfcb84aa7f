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
		title := o.CA
		if ca, err := s.Authority(ctx, o.CA); err == nil {
			title = ca.Title
		}
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
				s.tellOfAges(o, title, aging[0].Until, told, now)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return workNotices(ctx, s, s.Dossiers, o)
}

// collecting are the mailboxes of those who may collect for a dossier.
func (s *Service) collecting(ctx context.Context, o *Organization) (told []recipient, err error) {
	people, err := s.appointments(ctx, "scope", "authority."+o.CA+"."+string(AppointmentActive))
	if err != nil {
		return nil, err
	}
	for _, a := range people {
		p, err := s.person(ctx, a.Person)
		if err != nil {
			return nil, err
		}
		if !a.collects(o.CA) || !a.Stands(p, s.now()) {
			continue
		}
		told = join(told, p.boxes())
	}
	return told, nil
}

// tellOfAges puts the notices into the dossier's outbox.
func (s *Service) tellOfAges(o *Organization, ca string, first time.Time, told []recipient, now time.Time) {
	ctx := MessageContext{CA: ca, Identifier: o.Name, Operator: s.Policy.Operator, Contact: s.Policy.Contact, Origin: s.Policy.Origin, Ends: first}
	for _, r := range told {
		o.Outbox.owe(o.ID, Message{Kind: noticeAges, Channel: r.Channel, To: r.Address, Context: ctx, Link: Secret(s.Policy.Origin + AdminPath)}, r.person, now)
	}
}
