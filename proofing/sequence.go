package proofing

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	sequencePause  = 50 * time.Millisecond // between two passes: what comes meanwhile shares a page
	sequenceAll    = time.Second           // how late another process's changes are noticed
	sequenceCases  = 200                   // cases of one bucket in one pass
	sequenceSettle = 16                    // cases that are settled at once
)

// sequencer is what one process knows of the listing of events. Its zero value is ready.
type sequencer struct {
	mu    sync.Mutex
	dirty map[string]bool // buckets in which this process has changed something
}

func (q *sequencer) mark(bucket string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.dirty == nil {
		q.dirty = map[string]bool{}
	}
	q.dirty[bucket] = true
}

func (q *sequencer) take() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	buckets := slices.Sorted(maps.Keys(q.dirty))
	clear(q.dirty)
	return buckets
}

// line is the end of one feed, as this process knows it.
type line struct {
	feed string    // its id
	next int64     // the page to be made next
	at   time.Time // of the page before
}

// Sequence moves events from the outboxes of records into the feeds of their
// authorities. Any number of processes may call it; one at a time does the work.
// It returns when the context ends.
func (s *Service) Sequence(ctx context.Context) {
	t := &tenure{id: FixedID(s.Hasher.Sum("lease", "sequencer"))}
	defer func() {
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
		defer cancel()
		s.yield(bye, t)
	}()
	lines := map[string]*line{}
	var term int64
	var all time.Time
	for ctx.Err() == nil {
		pause := sequenceAll
		held, err := s.hold(ctx, t)
		if held {
			if t.term != term {
				term, all = t.term, time.Time{}
				clear(lines)
			}
			buckets := s.local().sequencer.take()
			if time.Since(all) >= sequenceAll {
				buckets, all = allBuckets(), time.Now()
			}
			err = s.sequence(ctx, lines, buckets)
			pause = sequencePause
		}
		if err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "events cannot be listed", "error", err)
			pause = sequenceAll
		}
		s.restUntilMarked(ctx, pause)
	}
}

// restUntilMarked waits for the pause, and then for something to do, a second at most.
func (s *Service) restUntilMarked(ctx context.Context, pause time.Duration) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(pause):
	}
	if pause < sequenceAll {
		select {
		case <-ctx.Done():
		case <-s.local().marked:
		case <-time.After(sequenceAll - pause):
		}
	}
}

// SequenceOnce lists what is pending now, as the one sequencer that there is; it is for
// programs and tests in which nothing else runs.
func (s *Service) SequenceOnce(ctx context.Context) error {
	lines := map[string]*line{}
	for range 2 { // the first pass learns where the feeds end
		if err := s.sequence(ctx, lines, allBuckets()); err != nil {
			return err
		}
	}
	return nil
}

// sequence lists the events that are pending in some buckets. What fails stays pending.
//
// A feed's end must be known before its pending events are read: if its next page can then be
// made, nobody has listed anything since. An authority whose end is not known yet
// is therefore left for the next pass.
func (s *Service) sequence(ctx context.Context, lines map[string]*line, buckets []string) error {
	pending := map[string][]Event{} // by authority
	var errs []error
	for _, bucket := range buckets {
		cases, next, err := s.Cases.List(ctx, Query{Index: "event", Bucket: bucket, Below: "~", Limit: sequenceCases})
		if err != nil {
			errs = append(errs, fmt.Errorf("list events of bucket %s: %w", bucket, err))
			continue
		}
		for _, c := range cases {
			pending[c.CA] = append(pending[c.CA], c.Outbox.Events...)
			if lines[c.CA] == nil {
				s.mark(bucket)
			}
		}
		if next != "" {
			s.mark(bucket)
		}
	}
	for ca, events := range pending {
		l := lines[ca]
		var err error
		if l == nil {
			lines[ca], err = s.endOf(ctx, ca)
		} else if err = s.extend(ctx, l, ca, events); err != nil {
			delete(lines, ca)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("list events of %s: %w", ca, err))
			delete(lines, ca)
		}
	}
	return errors.Join(errs...)
}

// errOvertaken: another process has made the page that was to be made.
var errOvertaken = errors.New("another process lists events")

// extend makes pages of events at the end of a feed.
func (s *Service) extend(ctx context.Context, l *line, ca string, events []Event) error {
	for chunk := range slices.Chunk(events, PageEvents) {
		p := &Page{CA: ca, Number: l.next, At: s.now(), Events: chunk}
		if p.At.Before(l.at) { // pages expire in their order, whatever clocks say
			p.At = l.at
		}
		err := s.Pages.Create(ctx, s.pageID(ca, p.Number), p)
		if errors.Is(err, ErrExists) {
			return errOvertaken
		}
		if err != nil {
			return fmt.Errorf("make page: %w", err)
		}
		s.local().changes.tell(feedTopic(ca))
		if s.Lag != nil {
			for _, e := range p.Events {
				s.Lag(max(0, p.At.Sub(e.At)))
			}
		}
		if err := s.settlePage(ctx, l, p); err != nil {
			return err
		}
	}
	return nil
}

// settlePage takes a page's events off their records, and then counts the page. The
// next page is not begun before that, so that no event is listed twice.
func (s *Service) settlePage(ctx context.Context, l *line, p *Page) error {
	objects := map[string]map[string]bool{}
	for _, e := range p.Events {
		if objects[e.Object] == nil {
			objects[e.Object] = map[string]bool{}
		}
		objects[e.Object][e.ID] = true
	}
	var hands sync.WaitGroup
	var mu sync.Mutex
	var failed error
	slots := make(chan struct{}, sequenceSettle)
	for id, events := range objects {
		slots <- struct{}{}
		hands.Go(func() {
			defer func() { <-slots }()
			_, err := s.Cases.Update(ctx, id, func(c *Case) error { c.Outbox.told(events); return nil })
			switch {
			case err == nil, errors.Is(err, ErrNotFound):
			case errors.Is(err, ErrUnavailable):
				mu.Lock()
				failed = err
				mu.Unlock()
			default: // it cannot be read, and would hold up the whole feed
				s.Log.ErrorContext(ctx, "event not taken off its record", "case", id, "error", err)
			}
		})
	}
	hands.Wait()
	if failed != nil {
		return fmt.Errorf("settle page %d: %w", p.Number, failed)
	}
	_, err := s.Feeds.Update(ctx, l.feed, func(f *Feed) error {
		f.Next = max(f.Next, p.Number+1)
		f.Hook.rouse(s.now())
		return nil
	})
	if err != nil {
		return fmt.Errorf("count page %d: %w", p.Number, err)
	}
	l.next, l.at = p.Number+1, p.At
	s.rouseHooks()
	return nil
}

// endOf finds the end of a feed, and finishes what a process that stopped in the
// middle has left there.
func (s *Service) endOf(ctx context.Context, ca string) (*line, error) {
	f, err := s.feed(ctx, ca)
	if err != nil {
		return nil, err
	}
	l := &line{feed: f.ID, next: f.Next}
	for {
		p, err := s.Pages.Get(ctx, s.pageID(ca, l.next))
		if errors.Is(err, ErrNotFound) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("find the end of the feed: %w", err)
		}
		if err := s.settlePage(ctx, l, p); err != nil {
			return nil, err
		}
	}
	if l.at.IsZero() && l.next > 1 {
		if p, err := s.Pages.Get(ctx, s.pageID(ca, l.next-1)); err == nil {
			l.at = p.At
		} else if !errors.Is(err, ErrNotFound) {
			return nil, fmt.Errorf("find the end of the feed: %w", err)
		}
	}
	return l, nil
}

// feed is the feed of an authority, which is made when it is first asked for.
func (s *Service) feed(ctx context.Context, ca string) (*Feed, error) {
	id := s.FeedID(ca)
	f, err := s.Feeds.Get(ctx, id)
	if errors.Is(err, ErrNotFound) {
		f = &Feed{ID: id, CA: ca, Next: 1}
		if err = s.Feeds.Create(ctx, id, f); errors.Is(err, ErrExists) {
			f, err = s.Feeds.Get(ctx, id)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("feed of %s: %w", ca, err)
	}
	return f, nil
}

// mark tells the sequencer that a bucket has something for it.
func (s *Service) mark(bucket string) {
	s.local().sequencer.mark(bucket)
	select {
	case s.local().marked <- struct{}{}:
	default:
	}
}
