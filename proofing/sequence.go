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
	sequencePause   = 50 * time.Millisecond // between two passes: what comes meanwhile shares a page
	sequenceAll     = time.Second           // how late another process's changes are noticed
	sequenceRecords = 200                   // records of one bucket and table in one pass
	sequenceLooks   = 128                   // buckets and tables that are looked into at once
	sequenceSettle  = 64                    // records that are settled at once
)

// sequencer is what one process knows of the listing of events. Its zero value is ready.
type sequencer struct {
	mu    sync.Mutex
	dirty looks // in which this process has changed something
}

func (q *sequencer) mark(of Subject, bucket string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.dirty == nil {
		q.dirty = looks{}
	}
	q.dirty.add(of, bucket)
}

func (q *sequencer) take() looks {
	q.mu.Lock()
	defer q.mu.Unlock()
	dirty := q.dirty
	q.dirty = nil
	return dirty
}

// looks are where to look for what is to be listed: buckets, with the kinds of record there. To look costs a round trip, and most records of a busy service are cases.
type looks map[string]map[Subject]bool

func (l looks) add(of Subject, bucket string) {
	if l[bucket] == nil {
		l[bucket] = map[Subject]bool{}
	}
	l[bucket][of] = true
}

// everywhere are looks for all kinds of record in some buckets.
func (s *Service) everywhere(buckets []string) looks {
	l := looks{}
	for _, bucket := range buckets {
		l[bucket] = map[Subject]bool{}
		for _, t := range s.journaled() {
			for _, of := range t.of {
				l[bucket][of] = true
			}
		}
	}
	return l
}

// ends is what one process knows of the ends of the feeds and of the log. Its zero value knows nothing.
type ends struct {
	feeds map[string]*line // by authority
	log   *logEnd
}

func (e *ends) forget() { e.feeds, e.log = map[string]*line{}, nil }

// line is the end of one feed, as this process knows it.
type line struct {
	feed string    // its id
	next int64     // the page to be made next
	at   time.Time // of the page before
}

// Sequence moves events from the outboxes of records into the feeds of their
// authorities, and entries from their journals into the log. Any number of processes may call it; one at a time does the work.
// It returns when the context ends.
func (s *Service) Sequence(ctx context.Context) {
	t := &tenure{id: FixedID(s.Hasher.Sum("lease", "sequencer"))}
	defer func() {
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
		defer cancel()
		s.yield(bye, t)
	}()
	var known ends
	var term int64
	var all sweep
	var said time.Time
	for ctx.Err() == nil {
		pause := sequenceAll
		held, err := s.hold(ctx, t)
		if held {
			if t.term != term {
				term, all = t.term, sweep{}
				known.forget()
			}
			buckets, _ := all.due(time.Now(), sequenceAll)
			where := s.local().sequencer.take()
			if where == nil {
				where = looks{}
			}
			maps.Copy(where, s.everywhere(buckets))
			err = s.sequence(ctx, &known, where)
			pause = sequencePause
		}
		if err != nil && ctx.Err() == nil {
			if time.Since(said) >= sayAgain {
				s.Log.WarnContext(ctx, "events and entries cannot all be listed", "error", err)
				said = time.Now()
			}
			pause = sequenceAll
		}
		s.restUntilMarked(ctx, pause)
	}
}

// sayAgain is how often it is said that something still does not work which is tried each second.
const sayAgain = 15 * time.Second

// restUntilMarked waits for the pause, and then for something to do, until it is time to look through some buckets again at most.
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
		case <-time.After(sequenceAll/sweepParts - pause):
		}
	}
}

// SequenceOnce lists what is pending now, as the one sequencer that there is; it is for
// programs and tests in which nothing else runs.
func (s *Service) SequenceOnce(ctx context.Context) error {
	var known ends
	where := s.everywhere(allBuckets())
	_ = s.sequence(ctx, &known, where) // learns where the feeds and the log end; what fails there fails again
	if known.log != nil {
		known.log.asked = time.Time{}
	}
	return s.sequence(ctx, &known, where)
}

// backlog is what is pending: events by their authorities, and entries in pages to be.
type backlog struct {
	events map[string][]Event
	pages  [][]Entry
}

// sequence lists what is pending in some places. What fails stays pending.
//
// The end of a feed, or of the log, must be known before what is pending for it is read: if its next page can then be
// made, nobody has listed anything since. What is for an end that is not known yet
// is therefore left for the next pass.
func (s *Service) sequence(ctx context.Context, known *ends, where looks) error {
	if known.feeds == nil {
		known.forget()
	}
	waiting, errs := s.gather(ctx, known, where)
	for ca := range waiting.events {
		if known.feeds[ca] != nil {
			continue
		}
		delete(waiting.events, ca)
		l, err := s.endOf(ctx, ca)
		if err != nil {
			errs = append(errs, fmt.Errorf("list events of %s: %w", ca, err))
			continue
		}
		known.feeds[ca] = l
	}
	if known.log == nil {
		waiting.pages = nil
		var err error
		if known.log, err = s.endOfLog(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	for len(waiting.events) > 0 || len(waiting.pages) > 0 {
		failed, err := s.round(ctx, known, &waiting)
		errs = append(errs, failed...)
		if err != nil {
			known.forget()
			return errors.Join(append(errs, err)...)
		}
	}
	if err := s.state(ctx, known.log); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(append(errs, s.retire(ctx, known.log))...)
}

// gather reads what is pending in some places.
func (s *Service) gather(ctx context.Context, known *ends, where looks) (waiting backlog, errs []error) {
	waiting.events = map[string][]Event{}
	type look struct {
		bucket string
		table  journals
		unlisted
		next string
		err  error
	}
	var all []look
	tables := s.journaled()
	for _, bucket := range slices.Sorted(maps.Keys(where)) {
		for _, t := range tables {
			if slices.ContainsFunc(t.of, func(of Subject) bool { return where[bucket][of] }) {
				all = append(all, look{bucket: bucket, table: t})
			}
		}
	}
	// Many at once: a store that is busy takes its time for each, and one after the other they would be longer than what they find may wait.
	_ = readBy(sequenceLooks, len(all), func(i int) error {
		l := &all[i]
		l.unlisted, l.next, l.err = l.table.waiting(ctx, l.bucket, "", s.passOver(string(l.table.of[0])))
		return nil // one that does not answer keeps no other
	})
	var entries []Entry
	for _, l := range all {
		if l.err != nil {
			errs = append(errs, fmt.Errorf("list what waits in bucket %s: %w", l.bucket, l.err))
		}
		entries = append(entries, l.entries...)
		again := l.next != "" || len(l.entries) > 0 && known.log == nil
		for ca, events := range l.events {
			waiting.events[ca] = append(waiting.events[ca], events...)
			again = again || known.feeds[ca] == nil
		}
		if again {
			s.mark(l.table.of[0], l.bucket)
		}
	}
	waiting.pages = pagesOf(entries)
	return waiting, errs
}

// errOvertaken: another process has made the page that was to be made.
var errOvertaken = errors.New("another process lists")

// round makes the next page of each feed, and some of the log, takes what is in them off their records, and then counts the pages. The
// next pages are not begun before that, so that nothing is listed twice. What fails of a feed or of the log is not
// tried again in this pass, and its end is forgotten; the error is for what stops all of them.
func (s *Service) round(ctx context.Context, known *ends, waiting *backlog) (failed []error, err error) {
	off := takings{}
	var made []*Page
	drop := func(ca string, err error) {
		failed = append(failed, fmt.Errorf("list events of %s: %w", ca, err))
		delete(known.feeds, ca)
		delete(waiting.events, ca)
	}
	for ca, events := range waiting.events {
		n := min(len(events), PageEvents)
		p, err := s.makePage(ctx, known.feeds[ca], ca, events[:n])
		if err != nil {
			drop(ca, err)
			continue
		}
		made = append(made, p)
		for _, e := range p.Events {
			off.event(e)
		}
		if waiting.events[ca] = events[n:]; n == len(events) {
			delete(waiting.events, ca)
		}
	}
	entered := len(waiting.pages) > 0
	var logErr error
	if entered {
		waiting.pages, logErr = s.enter(ctx, known.log, waiting.pages, off)
	}
	if err := s.takeOff(ctx, off); err != nil {
		return failed, fmt.Errorf("take what is listed off its records: %w", err)
	}
	for _, p := range made {
		if err := s.countPage(ctx, known.feeds[p.CA], p); err != nil {
			drop(p.CA, err)
		}
	}
	if entered {
		if logErr = errors.Join(logErr, s.countLog(ctx, known.log)); logErr != nil {
			failed = append(failed, fmt.Errorf("list entries: %w", logErr))
			known.log, waiting.pages = nil, nil
		}
	}
	return failed, nil
}

// makePage makes a page of events at the end of a feed.
func (s *Service) makePage(ctx context.Context, l *line, ca string, events []Event) (*Page, error) {
	p := &Page{CA: ca, Number: l.next, At: s.now(), Events: events}
	if p.At.Before(l.at) { // pages expire in their order, whatever clocks say
		p.At = l.at
	}
	err := s.Pages.Create(ctx, s.pageID(ca, p.Number), p)
	if errors.Is(err, ErrExists) {
		return nil, errOvertaken
	}
	if err != nil {
		return nil, fmt.Errorf("make page: %w", err)
	}
	s.local().changes.tell(feedTopic(ca))
	if s.Lag != nil {
		for _, e := range p.Events {
			s.Lag(max(0, p.At.Sub(e.At)))
		}
	}
	return p, nil
}

// countPage counts a page all of whose events are off their records.
func (s *Service) countPage(ctx context.Context, l *line, p *Page) error {
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
		off := takings{}
		for _, e := range p.Events {
			off.event(e)
		}
		if err := s.takeOff(ctx, off); err != nil {
			return nil, fmt.Errorf("settle page %d: %w", p.Number, err)
		}
		if err := s.countPage(ctx, l, p); err != nil {
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

// mark tells the sequencer that a record of that kind, in that bucket, has something for it.
func (s *Service) mark(of Subject, bucket string) {
	s.local().sequencer.mark(of, bucket)
	select {
	case s.local().marked <- struct{}{}:
	default:
	}
}
