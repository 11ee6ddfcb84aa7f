package proofing

import (
	"context"
	"slices"
	"strings"
	"time"
)

// noticeRule tells those who approve for an organization, and those who govern them, that the rule of who must has changed or is to.
const noticeRule = "dossier_rule"

// noticeAges tells the authority's people that something in a dossier ages.
const noticeAges = "dossier_ages"

// ageLimit is a date on which an item becomes too old, and for which certificates. What a profile asks for has two: one for EV and one for others
// (CSBR 4.2.1.1.3, 4.2.1).
type ageLimit struct {
	Aging
	ev, other bool
	mark      string // what it is marked by once people were told
}

// otherMark is what the mark of a limit ends with that is not the one for EV.
const otherMark = ".other"

// ageLimits are the dates on which something of the dossier becomes too old, for each kind of certificate that asks for it.
func (o *Organization) ageLimits() (all []ageLimit) {
	add := func(it *Item, ev, other bool, mark string) {
		if until := it.GoodUntil(ev); !until.IsZero() {
			all = append(all, ageLimit{Aging{Item: it, Until: until}, ev, other, mark})
		}
	}
	for _, it := range o.Currents() {
		r := it.Kind.rule()
		switch {
		case r == nil || it.Outcome != OutcomeGood:
		case r.Needed == NeedAlways && !it.GoodUntil(true).Equal(it.GoodUntil(false)):
			add(it, true, false, it.ID)
			add(it, false, true, it.ID+otherMark)
		case r.Needed == NeedAlways, r.Needed == NeedNever: // what is only declared is held to the age for EV, whatever it serves
			add(it, true, true, it.ID)
		default:
			add(it, true, false, it.ID)
		}
	}
	return all
}

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
	for _, l := range o.ageLimits() {
		at, speaks := l.remindAt()
		at = o.PutOff.from(at)
		if speaks && !slices.Contains(o.Reminded, l.mark) && (!ok || at.Before(due)) {
			due, ok = at, true
		}
	}
	return due, ok
}

// aging are the limits of which people are to be told now, the soonest first.
func (o *Organization) aging(now time.Time) (all []ageLimit) {
	for _, l := range o.ageLimits() {
		if at, ok := l.remindAt(); ok && !now.Before(at) && !o.PutOff.holds(now) && !slices.Contains(o.Reminded, l.mark) {
			all = append(all, l)
		}
	}
	slices.SortStableFunc(all, func(a, b ageLimit) int { return a.Until.Compare(b.Until) })
	return all
}

// servedBy says for which certificates dossiers are at an authority: by what its profiles are for on which people decide.
func (s *Service) servedBy(ctx context.Context, ca string) (ev, other bool, err error) {
	a, err := s.Authority(ctx, ca)
	if err != nil {
		return false, false, ignoreNotFound(err)
	}
	for _, name := range a.Profiles {
		if p := s.Policy.Profiles[name]; p != nil && p.peopleDecide() {
			ev, other = ev || p.EV, other || !p.EV
		}
	}
	return ev, other, nil
}

// workDossier does what is due of a dossier: it tells the authority's people, once for each limit, what will be too old soon, and sends the notices. What is due
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
		ev, other, err := s.servedBy(ctx, o.CA)
		if err != nil {
			return err
		}
		title := s.titleOfCA(ctx, o.CA)
		if o, err = s.Dossiers.Update(ctx, id, func(o *Organization) error {
			now := s.now()
			var tell []ageLimit
			o.PutOff = PutOff{}
			for _, l := range o.aging(now) {
				switch serves := l.ev && ev || l.other && other; {
				case serves && len(told) == 0:
					o.PutOff.Again, o.PutOff.Nobody = now.Add(lookAgain), append(o.PutOff.Nobody, l.mark)
					continue
				case serves:
					tell = append(tell, l)
				case now.Before(l.Until): // a profile that it is for may come yet
					o.PutOff.Again = now.Add(lookAgain)
					continue
				}
				o.Reminded = append(o.Reminded, l.mark)
			}
			o.Reminded = slices.DeleteFunc(o.Reminded, func(mark string) bool { // what others have taken the place of
				return !slices.ContainsFunc(o.Items, func(it Item) bool { return it.ID == strings.TrimSuffix(mark, otherMark) })
			})
			if len(tell) > 0 {
				s.tellOfDossier(o, noticeAges, title, limitWord(tell, ev && other), tell[0].Until, told, now)
			}
			return nil
		}); err != nil {
			return err
		}
		if len(o.PutOff.Nobody) > 0 {
			s.Log.WarnContext(ctx, "nobody can be reminded of what ages: no validation specialist and no operator of the authority has a mailbox", "organization", o.ID, "ca", o.CA)
		}
	}
	return workNotices(ctx, s, s.Dossiers, o)
}

// limitWord says for which certificates alone something becomes too old, at an authority that has both kinds: "ev", "other", or nothing if it is for all.
func limitWord(limits []ageLimit, both bool) string {
	alone := func(which func(ageLimit) bool) bool {
		return both && !slices.ContainsFunc(limits, func(l ageLimit) bool { return !which(l) })
	}
	switch {
	case alone(func(l ageLimit) bool { return !l.other }):
		return "ev"
	case alone(func(l ageLimit) bool { return !l.ev }):
		return "other"
	}
	return ""
}

// ruled are the mailboxes, and a number of each, of everybody whom the approval rule of an organization concerns: its Certificate Approvers and Contract Signers, and those
// who may change it.
func (s *Service) ruled(ctx context.Context, o *Organization, people []*Appointment) ([]recipient, error) {
	persons, err := s.governors(ctx, o.CA)
	if err != nil {
		return nil, err
	}
	for _, a := range people {
		if a.Status == AppointmentActive && (a.Role == RoleApprover || a.Role == RoleSigner) {
			persons = append(persons, a.Person)
		}
	}
	return s.reachAll(ctx, unique(persons))
}

// tellOfRule puts the notices of a change of the approval rule into the dossier's outbox. What is a code that the words have.
func (s *Service) tellOfRule(o *Organization, what, ca, lang string, by Act, told []recipient) {
	ctx := MessageContext{CA: ca, Identifier: o.Name, Operator: s.Policy.Operator, Contact: s.Policy.Contact, Origin: s.Policy.Origin, Lang: lang, Reason: what}
	for _, r := range told {
		m := Message{Kind: r.kindFor(noticeRule), Channel: r.Channel, To: r.Address, Lang: lang, Context: ctx, By: by.Name}
		if r.Channel != ChannelPhone { // a text says that there is something to see, and no more
			m.Link = Secret(s.Policy.Origin + AdminOrganizationPath + o.ID)
		}
		o.Outbox.owe(o.ID, m, r.person, by.At)
	}
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

// tellOfDossier puts notices of a kind into the dossier's outbox. What is a code that the words have.
func (s *Service) tellOfDossier(o *Organization, kind, ca, what string, ends time.Time, told []recipient, now time.Time) {
	ctx := MessageContext{CA: ca, Identifier: o.Name, Operator: s.Policy.Operator, Contact: s.Policy.Contact, Origin: s.Policy.Origin, Reason: what, Ends: ends}
	for _, r := range told {
		o.Outbox.owe(o.ID, Message{Kind: kind, Channel: r.Channel, To: r.Address, Context: ctx, Link: Secret(s.Policy.Origin + AdminOrganizationPath + o.ID)}, r.person, now)
	}
}
