package web

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// What was spent on messages, and what holds text messages back, for those who run an authority; and of the service itself, for administrators.

const spendPath = proofing.AdminPath + "/spend"

func (s *Site) spendRoutes() {
	s.mux.Handle("GET /admin/spend", s.look(s.console(s.showSpend)))
	s.mux.Handle("GET /admin/spend/{authority}", s.look(s.console(s.showSpend)))
}

func (s *Site) showSpend(w http.ResponseWriter, r *http.Request, o *officer) error {
	here, err := s.scoped(r, o, spendPath, r.PathValue("authority"), breadth{itself: true})
	if err != nil {
		return err
	}
	page := templates.AdminSpend{AdminFrame: s.adminFrame(r, o, "spend", here.path), CAs: here.choice, CA: here.name, Administrator: administers(o)}
	if here.name == "" {
		return s.Render(w, r, http.StatusOK, page)
	}
	of, err := s.service.OperatedSpending(r.Context(), s.signedInAs(r), here.CA)
	if err != nil {
		return err
	}
	now, brake := s.service.Now().UTC(), s.service.Policy.Brake
	page.Day = viewSpending(&proofing.Authority{Name: here.name}, of.Spending)
	page.Ends = now.Truncate(24 * time.Hour).Add(24 * time.Hour)
	page.MonthMessages, page.MonthMoney = number(of.Month.Messages), money(of.Month.Micros)
	page.Brake = templates.AdminBrake{
		Ranges: string(brake.Ranges), Countries: string(brake.Countries), Window: brake.Window, Hold: brake.Hold, RangeLeast: brake.RangeUnanswered, Times: brake.Times,
	}
	for _, c := range of.Countries {
		page.Countries = append(page.Countries, viewCountry(c, brake))
	}
	for _, b := range of.Ranges {
		v := viewBrake(b.Brake, b.Refused, brake, now)
		if !b.Whole { // the range and the figures are of all authorities together
			v = templates.DeskBrake{Scope: v.Scope, Place: b.Country, State: v.State, At: v.At, Until: v.Until}
		}
		page.Ranges = append(page.Ranges, v)
	}
	page.RangesMore = of.More
	if page.Days, page.More, err = s.spentToday(r, o); err != nil {
		return err
	}
	return s.Render(w, r, http.StatusOK, page)
}

// spentToday is what the authorities have used today that somebody runs, where there are several: those first that need somebody.
func (s *Site) spentToday(r *http.Request, o *officer) (all []templates.DeskSpent, more bool, err error) {
	names, err := s.authoritiesOf(r, o)
	if err != nil {
		return nil, false, err
	}
	names = slices.DeleteFunc(names, func(ca string) bool { return !proofing.Operates(o.offices, ca) })
	if len(names) < 2 {
		return nil, false, nil
	}
	slices.Sort(names)
	if more = len(names) > viewRows; more {
		names = names[:viewRows]
	}
	for _, name := range names {
		ca, err := s.service.OperatedAuthority(r.Context(), s.signedInAs(r), name)
		if err != nil {
			if err = ignore(err, proofing.ErrNotFound); err == nil { // revoked since
				continue
			}
			return nil, false, err
		}
		spent, err := s.service.Spending(r.Context(), ca)
		if err != nil {
			return nil, false, err
		}
		v := viewSpending(ca, spent)
		v.Href = s.Keep(r, ofAuthority(spendPath, name))
		all = append(all, v)
	}
	sortSpent(all)
	return all, more, nil
}

// viewSpending is the day of an authority.
func viewSpending(ca *proofing.Authority, s proofing.Spending) templates.DeskSpent {
	v := templates.DeskSpent{
		CA: ca.Name, Title: cmp.Or(ca.Title, ca.Name), State: "fine", Used: s.Messages,
		Messages: number(s.Messages), MostMessages: number(s.MostMessages), LeftOver: number(max(s.MostMessages-s.Messages, 0)),
		Money: money(s.Micros), MostMoney: money(s.MostMicros), LeftMoney: money(max(s.MostMicros-s.Micros, 0)),
	}
	switch {
	case !ca.Revoked.IsZero():
		v.State = "revoked"
	case s.Messages >= s.MostMessages || s.Micros >= s.MostMicros:
		v.State = "spent"
	case 5*s.Messages > 4*s.MostMessages || 5*s.Micros > 4*s.MostMicros:
		v.State = "near"
	}
	return v
}

// sortSpent puts those first that need somebody, and of these those that have sent most.
func sortSpent(all []templates.DeskSpent) {
	order := []string{"spent", "near", "fine", "revoked"}
	slices.SortStableFunc(all, func(a, b templates.DeskSpent) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.State), slices.Index(order, b.State)), cmp.Compare(b.Used, a.Used), cmp.Compare(a.CA, b.CA))
	})
}

// viewBrake is a brake with how many messages it has stood against.
func viewBrake(b *proofing.Brake, refused int64, policy proofing.BrakePolicy, now time.Time) templates.DeskBrake {
	v := templates.DeskBrake{
		ID: b.ID, Scope: string(b.Scope), Place: b.Shown(), CA: b.CA, State: "over", Unanswered: b.Unanswered, Answered: b.Answered,
		Usual: b.Usual, Known: b.Known, Refused: refused, At: b.At, Until: b.Until,
	}
	mode := policy.Ranges
	if b.Scope == proofing.BrakeCountry {
		mode = policy.Countries
	}
	switch {
	case !b.Lifted.IsZero():
		v.State = "lifted"
	case b.Holds(now) && mode == proofing.BrakeEnforce:
		v.State = "holds"
	case b.Holds(now):
		v.State = "reports"
	}
	return v
}

func viewCountry(c proofing.CountrySpending, policy proofing.BrakePolicy) templates.AdminCountry {
	v := templates.AdminCountry{
		Country: c.Country, Today: number(c.Today.Messages), Month: number(c.Month.Messages), TodayMoney: money(c.Today.Micros), MonthMoney: money(c.Month.Micros), Price: money(c.Price),
		Unanswered: c.Unanswered, Answered: c.Answered, Least: c.Least, Usual: c.Usual, Known: c.Known, Counted: c.Least > 0,
	}
	v.Near = v.Counted && 5*c.Unanswered > 4*c.Least
	if c.Brake != nil {
		v.ID, v.Until, v.State = c.Brake.ID, c.Brake.Until, "reports"
		if policy.Countries == proofing.BrakeEnforce {
			v.State = "holds"
		}
	}
	return v
}
