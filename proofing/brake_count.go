package proofing

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// What is counted of text messages, and where. A message is counted before it goes
// out, as unanswered, in its range, in its country and in its week; the right answer takes all
// messages of its attempt back from the unanswered and adds them to the answered of
// the windows in which they went out. So one addition both spends and looks, and only a
// count that has passed its bound makes anybody read more.
//
// A country's counters are split over shards, because an operator of one country would
// have every message touch the same key (law 6). A case keeps to its shard.
//
// A process that dies between a count and a send leaves one message too many among the
// unanswered, and one that dies between an answer and its count leaves as many as that attempt had:
// both err towards braking, for two windows at most, and by less than the bound as long as
// fewer die than it allows.
const (
	countryShards = 8
	weeks         = 4 // that make the usual rate: the last whole ones
	week          = 7 * 24 * time.Hour
	weekKept      = (weeks + 2) * week
)

// braking is a place whose text messages are counted and may be held back.
type braking struct {
	scope       BrakeScope
	mode        BrakeMode
	ca, country string
	rng         Secret
	key         string // in the names of its counters; without secrets
	shards      int
	least       int64 // unanswered in a window that brake nothing
}

// brakings are the places that a message falls under.
func (s *Service) brakings(ca string, contact Contact) []braking {
	p, country := s.Policy.Brake, contact.Country
	if contact.Channel != ChannelPhone || contact.Prefix == "" {
		return nil
	}
	var all []braking
	if p.Ranges.counts() {
		all = append(all, s.braking(Brake{Scope: BrakeRange, Range: contact.Prefix, CA: ca, Country: country}))
	}
	if p.Countries.counts() {
		all = append(all, s.braking(Brake{Scope: BrakeCountry, CA: ca, Country: country}))
	}
	return all
}

// braking is the place that a brake is for. The authority of a range is the one whose
// usual rate it is judged by, and no part of what it is.
func (s *Service) braking(b Brake) braking {
	p := s.Policy.Brake
	of := braking{scope: b.Scope, mode: p.mode(b.Scope), ca: b.CA, country: b.Country}
	if b.Scope == BrakeRange {
		of.rng, of.shards, of.least = b.Range, 1, p.RangeUnanswered
		of.key = "range." + s.Hasher.Hex("brake range", b.Range.Reveal())
	} else {
		of.shards, of.least = countryShards, p.CountryUnanswered
		of.key = "country." + b.CA + "." + b.Country
	}
	return of
}

func (s *Service) brakeID(of braking) string { return FixedID(s.Hasher.Sum("brake", of.key)) }

// shard is the one of a place's counters that a case's messages go to.
func (of braking) shard(id string) int {
	n, _ := strconv.Atoi(id[:2]) // the bucket: IDBucket has read it
	return n % of.shards
}

func (of braking) counter(what string, shard int, window int64) string {
	return "sms." + what + "." + of.key + "." + strconv.Itoa(shard) + "." + strconv.FormatInt(window, 10)
}

func weekCounter(what, ca, country string, shard int, week int64) string {
	return "sms.week." + what + "." + ca + "." + country + "." + strconv.Itoa(shard) + "." + strconv.FormatInt(week, 10)
}

// windowOf numbers the windows of a length.
func windowOf(at time.Time, length time.Duration) int64 {
	return at.UnixMilli() / length.Milliseconds()
}

// countText counts a message that is about to go out, brakes if it is one too many where no
// brake is on, and returns when it was counted, if it was. giveBack is for a message that is not sent after
// all. Whoever is known to have the number is let through: the code goes to somebody
// who has answered one before.
func (s *Service) countText(ctx context.Context, c *Case, contact Contact, bound bool, on map[BrakeScope]bool) (giveBack func(), counted []time.Time, err error) {
	at := s.now()
	counts := s.textCounts(c, contact, []time.Time{at}, textSent)
	giveBack = func() { s.giveBack(ctx, counts) }
	if len(counts) == 0 {
		return giveBack, nil, nil
	}
	totals, err := s.addAll(ctx, counts)
	if err != nil {
		return func() {}, nil, fmt.Errorf("count text message: %w", err)
	}
	for i, of := range s.brakings(c.CA, contact) { // whose counts come first, in the same order
		if on[of.scope] {
			continue
		}
		b, err := s.judge(ctx, of, of.shard(c.ID), totals[i].total, at)
		if err == nil && b != nil && !bound {
			err = s.refuse(ctx, b, of)
		}
		if err != nil {
			return giveBack, nil, err
		}
	}
	s.watch("counted", contact.Country)
	return giveBack, []time.Time{at}, nil
}

// tally is what one message adds to each kind of counter.
type tally struct{ open, done, weekSent, weekDone int64 }

var (
	textSent     = tally{open: 1, weekSent: 1}
	textAnswered = tally{open: -1, done: 1, weekDone: 1}
	textLost     = tally{open: -1, weekSent: -1} // it never went out
)

// textCounts are the counts of messages that went out at some times; the unanswered
// ones of each place come first.
func (s *Service) textCounts(c *Case, contact Contact, sent []time.Time, each tally) []spend {
	var counts []spend
	add := func(key string, n int64, kept time.Duration) {
		i := slices.IndexFunc(counts, func(sp spend) bool { return sp.key == key })
		switch {
		case n == 0:
		case i >= 0:
			counts[i].n += n
		default:
			counts = append(counts, spend{key: key, n: n, window: kept})
		}
	}
	length, places := s.Policy.Brake.Window, s.brakings(c.CA, contact)
	if len(places) == 0 {
		return nil
	}
	shard := braking{shards: countryShards}.shard(c.ID)
	for _, at := range sent {
		for _, of := range places {
			add(of.counter("open", of.shard(c.ID), windowOf(at, length)), each.open, 3*length)
		}
		for _, of := range places {
			add(of.counter("done", of.shard(c.ID), windowOf(at, length)), each.done, 3*length)
		}
		add(weekCounter("sent", c.CA, contact.Country, shard, windowOf(at, week)), each.weekSent, weekKept)
		add(weekCounter("done", c.CA, contact.Country, shard, windowOf(at, week)), each.weekDone, weekKept)
	}
	return counts
}

// answeredText counts the right answer to an attempt: all its messages have served their
// purpose. The answer is stored already, so nobody is told of a failure.
func (s *Service) answeredText(ctx context.Context, c *Case, a *Attempt) {
	counts := s.textCounts(c, a.Contact, a.Texts, textAnswered)
	if len(counts) == 0 {
		return
	}
	if _, err := s.addAll(context.WithoutCancel(ctx), counts); err != nil {
		s.Log.WarnContext(ctx, "answered text message not counted", "case", c.ID, "error", err)
	}
	s.watch("answered", a.Contact.Country)
}

// lostText takes a message back that certainly never went out: a provider that is
// away must not look like people who do not answer.
func (s *Service) lostText(ctx context.Context, c *Case, message string, lost []time.Time) {
	if len(lost) == 0 {
		return
	}
	i := slices.IndexFunc(c.Attempts, func(a Attempt) bool { return a.messageID() == message })
	if i < 0 {
		return
	}
	if _, err := s.addAll(ctx, s.textCounts(c, c.Attempts[i].Contact, lost, textLost)); err != nil {
		s.Log.WarnContext(ctx, "lost text message still counted", "case", c.ID, "error", err)
	}
}

// lose forgets when a text message was counted that certainly never went out, and returns it.
// A message that is no longer the attempt's newest was counted for a code that
// nobody waits for, and stays.
func (c *Case) lose(m *Outgoing) []time.Time {
	a := c.attempt(m.Attempt)
	if a == nil || a.messageID() != m.ID || len(a.Texts) == 0 {
		return nil
	}
	last := len(a.Texts) - 1
	lost := []time.Time{a.Texts[last]}
	a.Texts = a.Texts[:last]
	return lost
}
