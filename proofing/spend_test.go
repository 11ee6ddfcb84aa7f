package proofing_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// standing is what the counters hold that hold anything.
func (l *tallies) standing() map[string]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string]int64{}
	for key, c := range l.kept {
		if c.n != 0 {
			all[key] = c.n
		}
	}
	return all
}

// balking is a Limiter that fails at counters of one kind: before it adds or, which nobody can
// tell apart, after.
type balking struct {
	*tallies
	at    string
	after bool
}

func (l *balking) Add(ctx context.Context, key string, n int64, window time.Duration) (int64, time.Time, error) {
	if l.at == "" || !strings.HasPrefix(key, l.at) {
		return l.tallies.Add(ctx, key, n, window)
	}
	if l.after {
		_, _, _ = l.tallies.Add(ctx, key, n, window)
	}
	return 0, time.Time{}, errFault
}

// counting is a world whose text messages cost money and are counted in every way, in memory.
func counting(t *testing.T) (*world, *balking) {
	w := newWorld(t)
	w.Policy.Brake = proofing.DefaultBrake()
	w.Policy.Price = func(proofing.Contact) int64 { return 10 }
	l := &balking{tallies: &tallies{now: w.clock, kept: map[string]tallied{}}}
	w.Limiter = l
	return w, l
}

// beginAs is the n-th person's request for a text message, as that client.
func (w *world) beginAs(s *proofing.Service, n int, phone, client string) error {
	r := request("client")
	r.Applicant.Thumbprint = fmt.Sprint("beginAs", n)
	c, _, err := s.Open(w.t.Context(), w.ca, r)
	if err != nil {
		w.t.Error(err)
		return err
	}
	v := visit(c, "b")
	v.Client = client
	_, _, err = s.Begin(w.t.Context(), v, "sms", phone)
	return err
}

func TestARefusedRequestLeavesEveryCounterAsItWas(t *testing.T) {
	const same, alone = "+447400123456", "192.0.2.1"
	for what, c := range map[string]struct {
		set           func(*proofing.Limits)
		phone, client string // "": each its own
		limit         string
	}{
		"the address's hour":                    {func(l *proofing.Limits) { l.AddressHour = 2 }, same, "", "address"},
		"the address's day":                     {func(l *proofing.Limits) { l.AddressDay = 2 }, same, "", "address"},
		"the client":                            {func(l *proofing.Limits) { l.ClientHour = 2 }, "", alone, "client"},
		"the prefix":                            {func(l *proofing.Limits) { l.PrefixHour = 2 }, "", "", "prefix"},
		"the authority's messages":              {func(l *proofing.Limits) { l.CAMessagesDay = 2 }, "", "", "ca_messages"},
		"the authority's money":                 {func(l *proofing.Limits) { l.CASpendDayMicros = 29 }, "", "", "ca_spend"},
		"two of the person's: the first counts": {func(l *proofing.Limits) { l.AddressDay, l.ClientHour = 2, 2 }, same, alone, "address"},
		"one of each: the person's counts":      {func(l *proofing.Limits) { l.ClientHour, l.CAMessagesDay = 2, 2 }, "", alone, "client"},
		"two that are shared: the first counts": {func(l *proofing.Limits) { l.PrefixHour, l.CASpendDayMicros = 2, 29 }, "", "", "prefix"},
	} {
		t.Run(what, func(t *testing.T) {
			w, l := counting(t)
			c.set(&w.Policy.Limits)
			begin := func(n int) error {
				phone, client := c.phone, c.client
				if phone == "" {
					phone = number(n)
				}
				if client == "" {
					client = time3(n)
				}
				return w.beginAs(w.Service, n, phone, client)
			}
			for n := range 2 {
				if err := begin(n); err != nil {
					t.Fatal(err)
				}
			}
			before := l.standing()
			for n := range 3 {
				wantLimit(t, what, begin(2+n), c.limit)
				if after := l.standing(); !maps.Equal(before, after) {
					t.Fatalf("the counters were\n%v\nand are\n%v", before, after)
				}
			}
		})
	}
}

func TestACountThatFailsGivesBackWhatTheOthersAdded(t *testing.T) {
	for _, at := range []string{
		"address.hour.", "address.day.", "client.hour.", "prefix.hour.", "ca.messages.", "ca.spend.", "sms.open.range.", "sms.open.country.", "sms.week.sent.",
	} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s added %t", at, after), func(t *testing.T) {
				w, l := counting(t)
				if err := w.beginAs(w.Service, 0, number(0), time3(0)); err != nil {
					t.Fatal(err)
				}
				before := l.standing()
				l.at, l.after = at, after
				wantErr(t, at, w.beginAs(w.Service, 1, number(0), time3(0)), proofing.ErrUnavailable)
				found := false
				for key, n := range l.standing() {
					most := before[key]
					if strings.HasPrefix(key, at) {
						if found = true; after { // nobody knows, so it stays
							most += map[bool]int64{true: 10, false: 1}[at == "ca.spend."]
						}
					}
					if n < before[key] || n > most {
						t.Errorf("%s was %d and is %d", key, before[key], n)
					}
				}
				if !found {
					t.Errorf("nothing is counted as %s", at)
				}
			})
		}
	}
}

func TestTwoProcessesRacingAtALimitSendExactlyAsManyAsItAllows(t *testing.T) {
	const most, asked = 5, 24
	for limit, c := range map[string]struct {
		set           func(*proofing.Limits)
		phone, client string
	}{
		"address":     {func(l *proofing.Limits) { l.AddressHour = most }, "+447400123456", ""},
		"client":      {func(l *proofing.Limits) { l.ClientHour = most }, "", "192.0.2.1"},
		"prefix":      {func(l *proofing.Limits) { l.PrefixHour = most }, "", ""},
		"ca_messages": {func(l *proofing.Limits) { l.CAMessagesDay = most }, "", ""},
	} {
		t.Run(limit, func(t *testing.T) {
			w := newWorld(t)
			w.Policy.Limits.PrefixHour = 1000
			c.set(&w.Policy.Limits)
			other := w.process(w.kv)
			other.Policy = w.Policy
			var all sync.WaitGroup
			errs := make([]error, asked)
			for n := range asked {
				s := []*proofing.Service{w.Service, other}[n%2]
				phone, client := c.phone, c.client
				if phone == "" {
					phone = fmt.Sprintf("+4474001234%02d", n)
				}
				if client == "" {
					client = fmt.Sprint("192.0.2.", n)
				}
				all.Go(func() { errs[n] = w.beginAs(s, n, phone, client) })
			}
			all.Wait()
			sent := 0
			for _, err := range errs {
				if refused, ok := errors.AsType[*proofing.LimitError](err); err == nil {
					sent++
				} else if !ok || refused.Limit != limit {
					t.Errorf("refused by %v, want the limit %q", err, limit)
				}
			}
			if sent != most {
				t.Errorf("%d were sent, want %d", sent, most)
			}
		})
	}
}
