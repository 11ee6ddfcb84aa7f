package proofing

import (
	"context"
	"slices"
	"strings"
	"time"
)

// noticeLapses tells those whom an appointment concerns that it, or what it rests on, ends soon.
const noticeLapses = "appointment_ends"

// RoleEndKind is what of an appointment ends by itself.
type RoleEndKind string

// What ends.
const (
	EndsTerm      RoleEndKind = "term"      // the role's own term: it ends for good
	EndsReconfirm RoleEndKind = "reconfirm" // the last confirmation of an approver: the role gives nothing until they are confirmed again
	EndsAgreement RoleEndKind = "agreement" // the agreement of a pre-authorized approver: the dossier lacks it from then on
)

// RoleEnd is a date on which something of an appointment ends if nobody does anything.
type RoleEnd struct {
	What RoleEndKind `json:"what"`
	At   time.Time   `json:"at"`
	// Unheard: people were to be reminded of it, and nobody could be.
	Unheard bool `json:"unheard,omitempty"`
	// since is from when on it was so.
	since time.Time
}

// of is what the reminders of the date are marked by: another date is spoken of anew.
func (e RoleEnd) of() string { return string(e.What) + "." + stamp(e.At) + "." }

// Ends lists what of the appointment ends by itself, the soonest first; what is over already is among it. One that gives nothing
// has nothing to lose, and what would end after the role itself is not among it.
func (a *Appointment) Ends() (all []RoleEnd) {
	if a.Status != AppointmentActive {
		return nil
	}
	add := func(what RoleEndKind, at, since time.Time) {
		if !at.IsZero() && (a.Until.IsZero() || !at.After(a.Until)) {
			e := RoleEnd{What: what, At: at, since: since}
			e.Unheard = slices.ContainsFunc(a.PutOff.Nobody, func(mark string) bool { return strings.HasPrefix(mark, e.of()) })
			all = append(all, e)
		}
	}
	add(EndsTerm, a.Until, a.Confirmed.At)
	reconfirmed := a.Confirmed.At
	if a.Reconfirmed.At.After(reconfirmed) {
		reconfirmed = a.Reconfirmed.At
	}
	add(EndsReconfirm, a.ReconfirmBy, reconfirmed)
	if a.Agreement != nil {
		add(EndsAgreement, a.Agreement.Until, a.Confirmed.At)
	}
	slices.SortStableFunc(all, func(x, y RoleEnd) int { return x.At.Compare(y.At) })
	return all
}

// reminder is one that people have yet to get.
type reminder struct {
	RoleEnd
	mark string
	due  time.Time
}

// reminders are those that people have yet to get of the appointment: of each date each of endLeads once. What is good for less than twice as long is not
// spoken of so early.
func (a *Appointment) reminders() (all []reminder) {
	for _, e := range a.Ends() {
		for _, l := range endLeads {
			if mark := e.of() + l.name; e.At.Sub(e.since) >= 2*l.lead && !slices.Contains(a.Reminded, mark) {
				all = append(all, reminder{e, mark, a.PutOff.from(e.At.Add(-l.lead))})
			}
		}
	}
	return all
}

// nextReminder is when the first of them is due; zero: never.
func (a *Appointment) nextReminder() (at time.Time) {
	for _, r := range a.reminders() {
		at = earliest(at, r.due)
	}
	return at
}

// reminds marks what is due now, and returns the dates of which people are to be told: what was missed while nothing ran is told once, and not after its date.
// Where there is nobody to tell they are put off until then. Marks of dates that others have taken the place of are forgotten.
func (a *Appointment) reminds(nobody bool, now time.Time) (tell []RoleEnd) {
	due := slices.DeleteFunc(a.reminders(), func(r reminder) bool { return now.Before(r.due) })
	a.PutOff = PutOff{}
	for _, r := range due {
		if nobody && now.Before(r.At) {
			a.PutOff.Again, a.PutOff.Nobody = earliest(now.Add(lookAgain), r.At, a.PutOff.Again), append(a.PutOff.Nobody, r.mark)
			continue
		}
		a.Reminded = append(a.Reminded, r.mark)
		if now.Before(r.At) && !slices.ContainsFunc(tell, func(e RoleEnd) bool { return e.of() == r.of() }) {
			tell = append(tell, r.RoleEnd)
		}
	}
	dates := a.Ends()
	a.Reminded = slices.DeleteFunc(a.Reminded, func(mark string) bool {
		return !slices.ContainsFunc(dates, func(e RoleEnd) bool { return strings.HasPrefix(mark, e.of()) })
	})
	return tell
}

// remindOffice tells those whom an appointment concerns of what ends soon. The marks and the notices are stored in one change, so that two processes, or one that
// dies, tell of it once.
func (s *Service) remindOffice(ctx context.Context, a *Appointment) (*Appointment, error) {
	if next := a.nextReminder(); next.IsZero() || s.now().Before(next) {
		return a, nil
	}
	told, err := s.concerned(ctx, a)
	if err != nil {
		return nil, err
	}
	organization, err := s.OrganizationName(ctx, a)
	if ignoreNotFound(err) != nil {
		return nil, err
	}
	a, err = s.Appointments.Update(ctx, a.ID, func(a *Appointment) error {
		now := s.now()
		for _, e := range a.reminds(len(told) == 0, now) {
			s.tellOfEnding(a, e, organization, told, now)
		}
		return nil
	})
	if err == nil && len(a.PutOff.Nobody) > 0 {
		s.Log.WarnContext(ctx, "nobody can be reminded of what ends of a role: nobody whom it concerns has an address", "appointment", a.ID, "role", string(a.Role))
	}
	return a, err
}

// tellOfEnding puts the notices of one date into the appointment's outbox.
func (s *Service) tellOfEnding(a *Appointment, e RoleEnd, organization string, told []recipient, now time.Time) {
	ctx := MessageContext{
		CA: s.Policy.Operator, Identifier: organization, Operator: s.Policy.Operator, Contact: s.Policy.Contact, Origin: s.Policy.Origin,
		Reason: string(e.What), Ends: e.At,
	}
	for _, r := range told {
		m := Message{Kind: r.kindFor(noticeLapses), Channel: r.Channel, To: r.Address, Context: ctx, About: a.Name, Role: a.Role}
		if r.Channel != ChannelPhone { // a text says that there is something to see, and no more
			m.Link = Secret(s.Policy.Origin + AdminPath + "/people/" + a.ID)
		}
		a.Outbox.owe(a.ID, m, r.person, now)
	}
}
