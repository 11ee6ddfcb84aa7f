package proofing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// What operators look at. Nothing here changes anything, and each view reads a bounded
// part of the store: it follows indexes, a page at a time.

// Count is how far a limit is used.
type Count struct {
	Limit      string // as in LimitError, or "failures"
	Window     time.Duration
	Used, Most int64
	Until      time.Time // of the window; zero: none
}

// Counts reads how far the limits are used that a message of the case to an address would
// fall under, but for the client's, which nobody knows before there is a request.
func (s *Service) Counts(ctx context.Context, c *Case, contact Contact) ([]Count, error) {
	own, shared, err := s.sendSpends(ctx, c, contact, "")
	if err != nil {
		return nil, err
	}
	known, err := s.address(ctx, contact)
	if err != nil {
		return nil, err
	}
	failures := s.failureKey(c.CA, contact, known, c.authenticates(known))
	spends := append(slices.Concat(own, shared), spend{limit: "failures", key: failures, most: s.Policy.Limits.FailuresInRow})
	var counts []Count
	for _, sp := range spends {
		if sp.limit == "client" || sp.limit == limitNone {
			continue
		}
		n, until, err := s.Limiter.Add(ctx, sp.key, 0, 0)
		if err != nil {
			return nil, fmt.Errorf("look at %s: %w", sp.limit, err)
		}
		counts = append(counts, Count{sp.limit, sp.window, n, sp.most, until})
	}
	return counts, nil
}

// BrakesOn are the brakes that hold where a message of the case to an address would go.
func (s *Service) BrakesOn(ctx context.Context, c *Case, contact Contact) ([]*Brake, error) {
	var on []*Brake
	for _, of := range s.brakings(c.CA, contact) {
		b, err := s.Brakes.Get(ctx, s.brakeID(of))
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		if err == nil && b.Holds(s.now()) {
			on = append(on, b)
		}
	}
	return on, nil
}

// Troubled lists the cases, the newest trouble first, of which a code failed since then, or
// nobody knows what became of it.
func (s *Service) Troubled(ctx context.Context, since time.Time, limit int) ([]*Case, error) {
	all, _, err := newest(ctx, s.Cases, "trouble", since, limit, (*Case).trouble, func(*Case) bool { return true })
	return all, err
}

// BrakesSince lists brakes that hold or have held since then: those that hold for
// longest come first.
func (s *Service) BrakesSince(ctx context.Context, since time.Time, limit int) ([]*Brake, error) {
	all, _, err := newest(ctx, s.Brakes, "until", since, limit, func(b *Brake) time.Time { return b.Until }, func(*Brake) bool { return true })
	return all, err
}

// trouble is when a code last failed, or was last lost sight of; zero: never.
func (c *Case) trouble() (at time.Time) {
	for i := range c.Attempts {
		if d := c.Attempts[i].Delivery; d.Trouble() && d.At.After(at) {
			at = d.At
		}
	}
	return at
}

// Trouble says whether a message failed, or nobody knows what became of it.
func (d Delivery) Trouble() bool {
	return d.Status == "failed" || d.Status == "undelivered" || d.Status == "unknown"
}

// newestLooks bounds how many records one look for the newest of some goes through.
const newestLooks = 1000

// newest lists records by an index whose values are of newestFirst, over all buckets in
// one order: those that are wanted, as far as the first newestLooks of all go. More: there are, or may be, others. It reads four of a bucket at a
// time, and more of one only when those are used up.
func newest[T any](ctx context.Context, table Table[T], index string, since time.Time, limit int, at func(*T) time.Time, of func(*T) bool) (all []*T, more bool, err error) {
	const each = 4
	var heads [Buckets]struct {
		records []*T
		next    string
	}
	fetch := func(n int, after string) error {
		q := Query{Index: index, Below: newestFirst(since), Bucket: bucketName(n), After: after, Limit: each}
		var err error
		heads[n].records, heads[n].next, err = table.List(ctx, q)
		return err
	}
	for n := range heads {
		if err := fetch(n, ""); err != nil {
			return nil, false, err
		}
	}
	for looks := 0; len(all) < limit && looks < newestLooks; looks++ {
		first := -1
		for n := range heads {
			if len(heads[n].records) > 0 && (first < 0 || at(heads[n].records[0]).After(at(heads[first].records[0]))) {
				first = n
			}
		}
		if first < 0 {
			return all, false, nil
		}
		h := &heads[first]
		if of(h.records[0]) {
			all = append(all, h.records[0])
		}
		h.records = h.records[1:]
		if len(h.records) == 0 && h.next != "" {
			if err := fetch(first, h.next); err != nil {
				return nil, false, err
			}
		}
	}
	return all, true, nil
}
