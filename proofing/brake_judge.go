package proofing

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// held refuses a text message that an enforced brake stands against, before anything is
// spent on it, and returns where brakes are on anyway: there nothing need be judged. It costs
// a read for each place, in the time of one.
func (s *Service) held(ctx context.Context, ca string, contact Contact, bound bool) (on map[BrakeScope]bool, err error) {
	places := s.brakings(ca, contact)
	brakes, errs := make([]*Brake, len(places)), make([]error, len(places))
	together(len(places), func(i int) { brakes[i], errs[i] = s.Brakes.Get(ctx, s.brakeID(places[i])) })
	for i, of := range places {
		b, err := brakes[i], errs[i]
		if errors.Is(err, ErrNotFound) || err == nil && !b.Holds(s.now()) {
			continue
		}
		if err == nil && !bound {
			err = s.refuse(ctx, b, of)
		}
		if err != nil {
			return nil, fmt.Errorf("brake: %w", err)
		}
		if on == nil {
			on = map[BrakeScope]bool{}
		}
		on[of.scope] = true
	}
	return on, nil
}

// refuse counts a message that a brake stands against, and refuses it if the
// brake is more than a report.
func (s *Service) refuse(ctx context.Context, b *Brake, of braking) error {
	if _, _, err := s.Limiter.Add(ctx, b.refusals(), 1, brakeMemory); err != nil {
		return fmt.Errorf("count refusal: %w", err)
	}
	if of.mode != BrakeEnforce {
		s.watch("would_refuse", of.country)
		return nil
	}
	s.watch("refused", of.country)
	return &LimitError{Limit: "brake", Until: b.Until}
}

// refusals is the counter of messages that this brake has stood against.
func (b *Brake) refusals() string {
	return "sms.held." + b.ID + "." + strconv.FormatInt(b.At.UnixMilli(), 10)
}

// judge looks at a place after its shard's count of unanswered messages has risen to total,
// and returns the brake if there is one now. A range is looked at closer when it has passed
// its bound, a country each time that a shard has risen by a sixteenth of the bound:
// the shards may hold half the bound more than it before all of them are read.
func (s *Service) judge(ctx context.Context, of braking, shard int, total int64, now time.Time) (*Brake, error) {
	least := of.least
	var u usual
	var err error
	if of.scope == BrakeCountry {
		if u, err = s.usual(ctx, of.ca, of.country); err != nil {
			return nil, err
		}
		// A country with much traffic has as much more in flight.
		least = max(least, s.Policy.Brake.window(u)/2)
		if total%max(1, least/(2*countryShards)) != 0 {
			return nil, nil
		}
		if total, err = s.sum(ctx, of, "open", windowOf(now, s.Policy.Brake.Window), shard, total); err != nil {
			return nil, err
		}
	}
	if total <= least {
		return nil, nil
	}
	if of.scope == BrakeRange {
		if u, err = s.usual(ctx, of.ca, of.country); err != nil {
			return nil, err
		}
	}
	seen, err := s.lately(ctx, of, total, now)
	if err != nil || !seen.unusual(u, s.Policy.Brake.Times) {
		return nil, err
	}
	return s.brake(ctx, of, seen, u, now)
}

// window is how many messages a usual window has.
func (p BrakePolicy) window(u usual) int64 {
	return u.hour * p.Window.Milliseconds() / time.Hour.Milliseconds()
}

// lately reads what became of the messages of this window, of which open are
// known to be unanswered, and of the one before.
func (s *Service) lately(ctx context.Context, of braking, open int64, now time.Time) (traffic, error) {
	w := windowOf(now, s.Policy.Brake.Window)
	before, err1 := s.sum(ctx, of, "open", w-1, -1, 0)
	done, err2 := s.sum(ctx, of, "done", w, -1, 0)
	doneBefore, err3 := s.sum(ctx, of, "done", w-1, -1, 0)
	return traffic{unanswered: open + before, answered: done + doneBefore}, errors.Join(err1, err2, err3)
}

// sum adds up the shards of a counter, of which one is known already (none: -1).
func (s *Service) sum(ctx context.Context, of braking, what string, window int64, known int, total int64) (int64, error) {
	var looks []spend
	for shard := range of.shards {
		if shard != known {
			looks = append(looks, spend{key: of.counter(what, shard, window)})
		}
	}
	totals, err := s.addAll(ctx, looks)
	if err != nil {
		return 0, fmt.Errorf("look at %s text messages: %w", what, err)
	}
	for _, c := range totals {
		total += c.total
	}
	return total, nil
}

// brake sets the brake of a place, unless somebody else has just done so, and tells
// the operator once.
func (s *Service) brake(ctx context.Context, of braking, seen traffic, u usual, now time.Time) (*Brake, error) {
	fresh := Brake{ID: s.brakeID(of), Scope: of.scope, Range: of.rng, Country: of.country}
	if of.scope == BrakeCountry {
		fresh.CA = of.ca
	}
	set := false
	b, err := s.Brakes.Update(ctx, fresh.ID, func(b *Brake) error {
		if set = !b.Holds(now); set {
			b.put(seen, u, s.Policy.Brake.Hold, now)
		}
		return nil
	})
	if errors.Is(err, ErrNotFound) {
		fresh.put(seen, u, s.Policy.Brake.Hold, now)
		b, set = &fresh, true
		if err = s.Brakes.Create(ctx, fresh.ID, &fresh); errors.Is(err, ErrExists) {
			set = false
			b, err = s.Brakes.Get(ctx, fresh.ID)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("brake: %w", err)
	}
	if set {
		what := "braked"
		if of.mode != BrakeEnforce {
			what = "would_brake"
		}
		s.watch(what, of.country)
		s.Log.WarnContext(ctx, "text messages go unanswered", "brake", b.ID, "scope", b.Scope, "country", b.Country, "ca", b.CA,
			"mode", of.mode, "unanswered", b.Unanswered, "answered", b.Answered, "usual_percent", b.Usual, "until", b.Until)
	}
	return b, nil
}

// rates keeps what was sent and answered in each country for an hour, because reading it takes
// many looks and it changes by the week. What follows from it is worked out each time, by the policy of now. It has an entry for each authority and each country
// that is configured. Its zero value is ready.
type rates struct {
	mu   sync.Mutex
	seen map[string]rate
}

type rate struct {
	past
	at time.Time
}

// past is what became of the messages of the last whole weeks.
type past struct{ sent, answered int64 }

const rateKept = time.Hour

func (r *rates) get(key string, now time.Time) (past, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, ok := r.seen[key]
	age := now.Sub(known.at)
	return known.past, ok && age >= 0 && age < rateKept
}

func (r *rates) put(key string, p past, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen = map[string]rate{}
	}
	r.seen[key] = rate{p, now}
}

// usual is what was usual for an authority's messages to a country in the last whole
// weeks. This week is no part of it, so that what is going on does not excuse itself.
func (s *Service) usual(ctx context.Context, ca, country string) (usual, error) {
	p, err := s.past(ctx, ca, country)
	return usualOf(p.sent, p.answered, int64(weeks*week/time.Hour), s.Policy.Brake.Assumed), err
}

func (s *Service) past(ctx context.Context, ca, country string) (past, error) {
	key, now := ca+"."+country, s.now()
	if p, ok := s.local().rates.get(key, now); ok {
		return p, nil
	}
	var looks []spend
	for n := range int64(weeks) {
		for shard := range countryShards {
			w := windowOf(now, week) - 1 - n
			looks = append(looks, spend{key: weekCounter("sent", ca, country, shard, w)}, spend{key: weekCounter("done", ca, country, shard, w)})
		}
	}
	totals, err := s.addAll(ctx, looks)
	if err != nil {
		return past{}, fmt.Errorf("look at the weeks before: %w", err)
	}
	var p past
	for i := 0; i < len(totals); i += 2 {
		p.sent, p.answered = p.sent+totals[i].total, p.answered+totals[i+1].total
	}
	s.local().rates.put(key, p, now)
	return p, nil
}

// LiftBrake lets a brake go, for an operator who knows better, and forgets what led to
// it, so that the next message does not bring it back. ErrNotFound if there is none of that id;
// ErrClosed if it does not hold.
func (s *Service) LiftBrake(ctx context.Context, id string) (*Brake, error) {
	if _, ok := IDBucket(id); !ok {
		return nil, ErrNotFound
	}
	b, err := s.Brakes.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if !b.Holds(s.now()) {
		return b, ErrClosed
	}
	if err := s.noteLifted(ctx, b); err != nil {
		return nil, err
	}
	of := s.braking(*b)
	var counts []spend
	for shard := range of.shards {
		for ago := range int64(2) {
			counts = append(counts, spend{key: of.counter("open", shard, windowOf(s.now(), s.Policy.Brake.Window)-ago)})
		}
	}
	totals, err := s.addAll(ctx, counts)
	if err != nil {
		return nil, fmt.Errorf("lift brake: %w", err)
	}
	for i := range counts {
		counts[i].n, counts[i].window = -totals[i].total, 3*s.Policy.Brake.Window
	}
	if _, err := s.addAll(ctx, counts); err != nil {
		return nil, fmt.Errorf("lift brake: %w", err)
	}
	b, err = s.Brakes.Update(ctx, id, func(b *Brake) error {
		if now := s.now(); b.Holds(now) {
			b.Until, b.Lifted, b.Row = now, now, 0
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("lift brake: %w", err)
	}
	return b, nil
}

// noteLifted writes into the log that a brake is lifted: that of an authority, or of the whole service. As noteAt, it is called before.
func (s *Service) noteLifted(ctx context.Context, b *Brake) error {
	facts := map[string]any{"brake": b.ID, "scope": string(b.Scope), "country": b.Country}
	if b.CA != "" {
		return s.noteAt(ctx, b.CA, s.operator(), EntryBrakeLifted, facts)
	}
	h, err := s.LogHead(ctx)
	if err != nil {
		return err
	}
	if _, err := s.LogHeads.Update(ctx, h.ID, func(h *LogHead) error {
		h.Journal.Write(Note{Of: SubjectLog, Object: h.ID, Kind: EntryBrakeLifted, By: s.operator(), At: s.now(), Facts: facts})
		return nil
	}); err != nil {
		return fmt.Errorf("write into the log: %w", err)
	}
	s.mark(SubjectLog, h.ID[:2])
	return nil
}

// Refused is how many messages a brake has stood against since it was last set.
func (s *Service) Refused(ctx context.Context, b *Brake) (int64, error) {
	n, _, err := s.Limiter.Add(ctx, b.refusals(), 0, 0)
	return n, err
}

// watch tells whoever keeps figures.
func (s *Service) watch(what, country string) {
	if s.Watch != nil {
		s.Watch(what, country)
	}
}
