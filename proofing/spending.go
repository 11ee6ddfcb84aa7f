package proofing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// What was spent, and what holds messages back. It is read from the counters by which limits are held, so that it says what they say: a message counts
// from when somebody asked for it, and one that a provider did not take has counted all the same.

// Spending is what an authority has used of its day.
type Spending struct {
	Messages, MostMessages int64
	Micros, MostMicros     int64
}

// Spending reads what an authority has used today.
func (s *Service) Spending(ctx context.Context, ca *Authority) (Spending, error) {
	var of Spending
	of.MostMessages, of.MostMicros = s.budget(ca)
	day := s.day()
	totals, err := s.addAll(ctx, []spend{{key: messagesKey(ca.Name, day)}, {key: moneyKey(ca.Name, day)}})
	if err != nil {
		return of, fmt.Errorf("look at spending: %w", err)
	}
	of.Messages, of.Micros = totals[0].total, totals[1].total
	return of, nil
}

// Spent is a number of messages and what they cost.
type Spent struct{ Messages, Micros int64 }

// CountrySpending is what became of an authority's text messages to a country.
type CountrySpending struct {
	Country      string
	Today, Month Spent
	Price        int64 // of one message now
	// Unanswered and Answered are the codes of this window and the one before, Least how many may go unanswered whatever the rate, and Usual how many
	// of a hundred are answered else; Known if that was counted and not assumed. All are zero where the brake is off.
	Unanswered, Answered, Least, Usual int64
	Known                              bool
	Brake                              *Brake // that holds now; nil: none
}

// OperatedSpending is what an authority has used, and what holds its messages back.
type OperatedSpending struct {
	Spending
	Month     Spent
	Countries []CountrySpending // those to which anything went this month, and those that are braked; the dearest of the month first
	// Ranges are the ranges of numbers that were braked within the week: for all authorities together, so that who runs one of them sees of those
	// that hold now where they are and until when, and no figures.
	Ranges []RangeBrake
	More   bool // there may be more of these
}

// RangeBrake is a brake on a range, with how many messages it has stood against.
type RangeBrake struct {
	*Brake
	Refused int64
	Whole   bool // the reader sees the range and its figures
}

// mostRanges is how many brakes on ranges are shown.
const mostRanges = 50

// OperatedSpending is that of an authority that the person of a session runs; with an empty name, what the service itself has used for what is a person's own, for
// administrators. ErrNotFound for any other, besides the errors of Console.
func (s *Service) OperatedSpending(ctx context.Context, v Visit, name string) (of OperatedSpending, err error) {
	ca, by, err := s.runsOrServes(ctx, v, name)
	if err != nil {
		return of, err
	}
	if of.Spending, err = s.Spending(ctx, ca); err != nil {
		return of, err
	}
	if of.Month, err = s.spentInMonth(ctx, name); err != nil {
		return of, err
	}
	brakes, more, err := s.brakesShown(ctx)
	if err != nil {
		return of, err
	}
	of.More = more
	for _, b := range brakes {
		r := RangeBrake{Brake: b, Whole: by.Role == RoleAdministrator}
		if !r.Whole && !b.Holds(s.now()) {
			continue
		}
		if r.Whole {
			if r.Refused, err = s.Refused(ctx, b); err != nil {
				return of, fmt.Errorf("look at brakes: %w", err)
			}
		}
		of.Ranges = append(of.Ranges, r)
	}
	of.Countries, err = s.spentByCountry(ctx, name)
	return of, err
}

// brakesShown are the brakes on ranges of the last week, those that hold for longest first.
func (s *Service) brakesShown(ctx context.Context) (all []*Brake, more bool, err error) {
	if s.Brakes == nil {
		return nil, false, nil
	}
	all, more, err = newest(ctx, s.Brakes, "until", s.now().Add(-brakeMemory), mostRanges, func(b *Brake) time.Time { return b.Until }, func(b *Brake) bool { return b.Scope == BrakeRange })
	if err != nil {
		return nil, false, fmt.Errorf("look at brakes: %w", err)
	}
	return all, more, nil
}

// spentInMonth sums up the days of the present month, in UTC.
func (s *Service) spentInMonth(ctx context.Context, ca string) (month Spent, err error) {
	var looks []spend
	now := s.now().UTC()
	for day := range now.Day() {
		name := now.AddDate(0, 0, -day).Format(time.DateOnly)
		looks = append(looks, spend{key: messagesKey(ca, name)}, spend{key: moneyKey(ca, name)})
	}
	totals, err := s.addAll(ctx, looks)
	if err != nil {
		return month, fmt.Errorf("look at spending: %w", err)
	}
	for i := 0; i < len(totals); i += 2 {
		month.Messages, month.Micros = month.Messages+totals[i].total, month.Micros+totals[i+1].total
	}
	return month, nil
}

// spentByCountry reads what went where.
func (s *Service) spentByCountry(ctx context.Context, ca string) (all []CountrySpending, err error) {
	day := s.day()
	var looks []spend
	for _, country := range s.Policy.Countries {
		for _, period := range []string{day, monthOf(day)} {
			looks = append(looks, spend{key: countryKey("messages", ca, country, period)}, spend{key: countryKey("spend", ca, country, period)})
		}
	}
	totals, err := s.addAll(ctx, looks)
	if err != nil {
		return nil, fmt.Errorf("look at countries: %w", err)
	}
	for i, country := range s.Policy.Countries {
		t := totals[4*i:]
		c := CountrySpending{
			Country: country, Price: s.price(Contact{Channel: ChannelPhone, Country: country}),
			Today: Spent{t[0].total, t[1].total}, Month: Spent{t[2].total, t[3].total},
		}
		if err := s.brakeOf(ctx, ca, &c); err != nil {
			return nil, fmt.Errorf("look at countries: %w", err)
		}
		if c.Month.Messages > 0 || c.Brake != nil {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b CountrySpending) int {
		if a.Month.Micros != b.Month.Micros {
			return int(max(min(b.Month.Micros-a.Month.Micros, 1), -1))
		}
		return int(max(min(b.Month.Messages-a.Month.Messages, 1), -1))
	})
	return all, nil
}

// brakeOf reads how near a country is to being braked for an authority. Where nothing went this month there is nothing to judge.
func (s *Service) brakeOf(ctx context.Context, ca string, c *CountrySpending) error {
	if s.Brakes == nil || !s.Policy.Brake.Countries.counts() {
		return nil
	}
	of := s.braking(Brake{Scope: BrakeCountry, CA: ca, Country: c.Country})
	b, err := s.Brakes.Get(ctx, s.brakeID(of))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err == nil && b.Holds(s.now()) {
		c.Brake = b
	}
	if c.Month.Messages == 0 {
		return nil
	}
	u, err := s.usual(ctx, ca, c.Country)
	if err != nil {
		return err
	}
	open, err := s.sum(ctx, of, "open", windowOf(s.now(), s.Policy.Brake.Window), -1, 0)
	if err != nil {
		return err
	}
	seen, err := s.lately(ctx, of, open, s.now())
	c.Unanswered, c.Answered = max(seen.unanswered, 0), seen.answered
	c.Least, c.Usual, c.Known = max(of.least, s.Policy.Brake.window(u)/2), u.rate, u.known
	return err
}
