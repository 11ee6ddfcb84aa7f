package proofing

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"
)

// spendSend counts one message against every limit that it falls under: first the person's, all at
// once, and then those that many share, all at once. When one is met, or cannot be
// counted, what was spent on the others is given back, so that a person who asks too often
// does not use up the authority's day; nor for a moment: of what is shared a client
// never holds more than its own limit. So it is by giveBack, for whoever sends nothing after all.
func (s *Service) spendSend(ctx context.Context, c *Case, contact Contact, client string) (giveBack func(), err error) {
	own, shared, err := s.sendSpends(ctx, c, contact, client)
	if err != nil {
		return nil, err
	}
	if err := s.spendAll(ctx, own); err != nil {
		return nil, err
	}
	if err := s.spendAll(ctx, shared); err != nil {
		s.giveBack(ctx, own)
		return nil, err
	}
	return func() { s.giveBack(ctx, slices.Concat(own, shared)) }, nil
}

// sendSpends are the counts of one message, each with its limit: the person's own, and those that many share.
func (s *Service) sendSpends(ctx context.Context, c *Case, contact Contact, client string) (own, shared []spend, err error) {
	l := s.Policy.Limits
	address := s.Hasher.Hex("limit address", string(contact.Channel), contact.counted())
	own = []spend{
		{"address", "address.hour." + address, 1, l.AddressHour, time.Hour},
		{"address", "address.day." + address, 1, l.AddressDay, 24 * time.Hour},
		{"client", "client.hour." + s.clientKey(client), 1, l.ClientHour, time.Hour},
	}
	if contact.Prefix != "" {
		shared = append(shared, spend{"prefix", "prefix.hour." + s.Hasher.Hex("limit prefix", contact.Prefix.Reveal()), 1, l.PrefixHour, time.Hour})
	}
	budget, err := s.budgetSpends(ctx, c.CA, contact)
	return own, append(shared, budget...), err
}

// budgetSpends are the counts of one message against the day's budget of an authority, or of the service itself where the name is empty: of what is a
// person's own, and of roles that are of no authority. Of text messages it is counted, too, how many went to which country, and what they cost; that has no limit.
func (s *Service) budgetSpends(ctx context.Context, name string, contact Contact) (spends []spend, err error) {
	ca := &Authority{}
	if name != "" {
		if ca, err = s.Authority(ctx, name); err != nil {
			return nil, err
		}
	}
	day, price := s.day(), s.price(contact)
	messages, money := s.budget(ca)
	spends = append(spends, spend{"ca_messages", messagesKey(name, day), 1, messages, spendKept})
	if price > 0 {
		spends = append(spends, spend{"ca_spend", moneyKey(name, day), price, money, spendKept})
	}
	if contact.Channel != ChannelPhone || contact.Country == "" {
		return spends, nil
	}
	for _, period := range []string{day, monthOf(day)} {
		spends = append(spends, spend{limitNone, countryKey("messages", name, contact.Country, period), 1, math.MaxInt64, spendKept})
		if price > 0 {
			spends = append(spends, spend{limitNone, countryKey("spend", name, contact.Country, period), price, math.MaxInt64, spendKept})
		}
	}
	return spends, nil
}

// budget is what an authority may use in a day: its own, or the service's default.
func (s *Service) budget(ca *Authority) (messages, micros int64) {
	messages, micros = s.Policy.Limits.CAMessagesDay, s.Policy.Limits.CASpendDayMicros
	if ca.DailyMessages > 0 {
		messages = ca.DailyMessages
	}
	if ca.DailySpendMicros > 0 {
		micros = ca.DailySpendMicros
	}
	return messages, micros
}

// day is the present day, in UTC, as the counters of a day's budget are called.
func (s *Service) day() string { return s.now().Format("2006-01-02") }

func messagesKey(ca, day string) string { return "ca.messages." + ca + "." + day }
func moneyKey(ca, day string) string    { return "ca.spend." + ca + "." + day }

// countryKey is the counter of text messages to a country, or of their price, in a day or a month.
func countryKey(what, ca, country, period string) string {
	return "ca.country." + what + "." + ca + "." + country + "." + period
}

// monthOf is the month of a day, as counters are called.
func monthOf(day string) string { return day[:len("2006-01")] }

const (
	// spendKept is how long what was spent is known: a month's days until the month is over, and its countries as long.
	spendKept = 35 * 24 * time.Hour
	// limitNone is the limit of what is counted and never refused.
	limitNone = "none"
)

// spend is one count against one limit.
type spend struct {
	limit  string // as in LimitError
	key    string
	n      int64
	most   int64
	window time.Duration
}

// clientKey is what a client is counted by: its address, or of IPv6 its network of
// 64 bits, all of which one client commonly has.
func (s *Service) clientKey(client string) string {
	if ip, err := netip.ParseAddr(client); err == nil {
		ip = ip.Unmap().WithZone("")
		bits := ip.BitLen()
		if ip.Is6() {
			bits = 64
		}
		client = netip.PrefixFrom(ip, bits).Masked().String()
	}
	return s.Hasher.Hex("limit client", client)
}

// spendAll makes all of the spends, or none: when limits are met or counts fail, the first of the
// list is told, and what the others added is given back.
func (s *Service) spendAll(ctx context.Context, spends []spend) error {
	counts := s.addEach(ctx, spends)
	for i, sp := range spends {
		c := counts[i]
		if c.err == nil && c.total <= sp.most {
			continue
		}
		s.giveBack(ctx, added(spends, counts))
		if c.err != nil {
			return fmt.Errorf("count %s: %w", sp.limit, c.err)
		}
		if sp.limit == "ca_messages" || sp.limit == "ca_spend" {
			c.resets = s.now().Truncate(24 * time.Hour).Add(24 * time.Hour)
		}
		return &LimitError{Limit: sp.limit, Until: c.resets}
	}
	return nil
}

// giveBack undoes spends, also for a caller who has left. What fails to be given
// back is counted too much, which is safe.
func (s *Service) giveBack(ctx context.Context, spends []spend) {
	back := slices.Clone(spends)
	for i := range back {
		back[i].n = -back[i].n
	}
	s.addEach(context.WithoutCancel(ctx), back)
}

func (s *Service) price(c Contact) int64 {
	if s.Policy.Price == nil {
		return 0
	}
	return s.Policy.Price(c)
}

// failureKey is the counter of wrong answers in a row: of the authenticator once
// the address is bound to the person, of (authority, address) before. No new
// code, attempt or case resets it (SP 800-63B-4 3.1.3.2).
func (s *Service) failureKey(ca string, contact Contact, known *Address, bound bool) string {
	if bound && known != nil {
		return "failures.bound." + known.ID
	}
	return "failures." + s.Hasher.Hex("failures", ca, string(contact.Channel), contact.Address.Reveal())
}

// blocked says whether failures in a row have closed the address.
func (s *Service) blocked(ctx context.Context, c *Case, contact Contact, known *Address, bound bool) error {
	failures, _, err := s.Limiter.Add(ctx, s.failureKey(c.CA, contact, known, bound), 0, 0)
	if err != nil {
		return fmt.Errorf("look at failures: %w", err)
	}
	if failures >= s.Policy.Limits.FailuresInRow {
		return ErrBlocked
	}
	return nil
}

// Unblock ends the row of failures at an address, for an operator who has spoken
// with its owner, and returns how long the row was. An authenticator that was
// closed by failures must be bound anew (SP 800-63B-4 3.2.2), so a bound address is
// released: the next code to it confirms it and authenticates nobody.
func (s *Service) Unblock(ctx context.Context, ca string, contact Contact) (failures int64, err error) {
	known, err := s.address(ctx, contact)
	if err != nil {
		return 0, err
	}
	unbound, key := s.failureKey(ca, contact, nil, false), s.failureKey(ca, contact, known, known != nil)
	failures, _, err = s.Limiter.Add(ctx, unbound, 0, 0)
	n := int64(0)
	if err == nil && known != nil {
		n, _, err = s.Limiter.Add(ctx, key, 0, 0)
	}
	if err != nil {
		return 0, fmt.Errorf("unblock: %w", err)
	}
	if failures+n == 0 {
		return 0, nil
	}
	told := map[string]any{"address": s.addressID(contact), "failures": failures + n}
	if err := s.noteAt(ctx, ca, s.operator(), EntryAddressUnblocked, told); err != nil {
		return 0, err
	}
	if failures, err = s.endFailures(ctx, unbound); err != nil || known == nil {
		return failures, err
	}
	if n >= s.Policy.Limits.FailuresInRow {
		_, err = s.Release(ctx, contact)
	} else {
		n, err = s.endFailures(ctx, key)
	}
	return failures + n, err
}

// endFailures sets a row of failures to nothing and returns how long it was.
func (s *Service) endFailures(ctx context.Context, key string) (int64, error) {
	n, _, err := s.Limiter.Add(ctx, key, 0, 0)
	if err == nil && n > 0 {
		_, _, err = s.Limiter.Add(ctx, key, -n, 0)
	}
	if err != nil {
		return 0, fmt.Errorf("end row of failures: %w", err)
	}
	return n, nil
}

// address is the record of whose an address is; nil if it is nobody's.
func (s *Service) address(ctx context.Context, contact Contact) (*Address, error) {
	a, err := s.Addresses.Get(ctx, s.addressID(contact))
	if errors.Is(err, ErrNotFound) || err == nil && a.Person == "" {
		return nil, nil
	}
	return a, err
}

func (s *Service) addressID(contact Contact) string {
	return FixedID(s.Hasher.Sum("address", string(contact.Channel), contact.Address.Reveal()))
}
