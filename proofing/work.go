package proofing

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	idleInterval = time.Second // how late another process's work is noticed
	caseSlots    = 8           // cases whose effects are applied at once
	channelSlots = 8           // messages of one channel that are sent at once
	workPage     = 200         // cases listed at once
)

// worker is what one process has in hand. Its zero value is ready.
type worker struct {
	mu    sync.Mutex
	taken map[string]bool // ids of cases and messages
	slots map[Channel]int // places that are taken
}

// take says whether a case or a message is free, and makes it the caller's until give.
func (w *worker) take(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.taken[id] {
		return false
	}
	if w.taken == nil {
		w.taken = map[string]bool{}
	}
	w.taken[id] = true
	return true
}

func (w *worker) give(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.taken, id)
}

// enter says whether another message of the channel may be sent now, and takes
// a place until leave. Each channel has places of its own, so that a mail server
// that hangs holds up no text message.
func (w *worker) enter(ch Channel) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.slots == nil {
		w.slots = map[Channel]int{}
	}
	if w.slots[ch] >= channelSlots {
		return false
	}
	w.slots[ch]++
	return true
}

func (w *worker) leave(ch Channel) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slots[ch]--
}

// Start makes the service ready to be woken by its own changes. It is called
// once, before any other method.
func (s *Service) Start() {
	s.wake, s.stopping = make(chan struct{}, 1), make(chan struct{})
}

// Stop lets everybody go who waits for a change, so that the program can end. It
// is called once.
func (s *Service) Stop() { close(s.stopping) }

// Work works off what records owe the world: it sends messages, applies effects
// and ends what has run out. When the context ends it takes up nothing more, and
// returns when what it had in hand is done. Any number of processes may work at once.
func (s *Service) Work(ctx context.Context) {
	if s.wake == nil {
		panic("proofing: Work before Start")
	}
	var hands sync.WaitGroup
	defer hands.Wait()
	for ctx.Err() == nil {
		if err := s.dispatch(ctx, &hands, func() {}); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "outbox cannot be read", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-s.wake: // by every change, and so by every step of the work itself
		case <-time.After(idleInterval):
		}
	}
}

// WorkOnce works off what is due now and returns how many things were done.
func (s *Service) WorkOnce(ctx context.Context) (int, error) {
	var hands sync.WaitGroup
	var worked atomic.Int64
	err := s.dispatch(ctx, &hands, func() { worked.Add(1) })
	hands.Wait()
	return int(worked.Load()), err
}

// dispatch sets hands to work on everything that is due and that nobody here has in
// hand, and calls worked for each thing that went well. It looks through one bucket
// after the other to its end, so that neither many cases that fail nor a record
// that cannot be read hides what lies behind them.
func (s *Service) dispatch(ctx context.Context, hands *sync.WaitGroup, worked func()) error {
	slots := make(chan struct{}, caseSlots)
	var errs []error
	for n := range Buckets {
		q := Query{Index: "due", Bucket: bucketName(n), Below: stamp(s.now().Add(time.Millisecond)), Limit: workPage}
		for more := true; more; more = q.After != "" {
			due, next, err := s.Cases.List(ctx, q)
			if err != nil {
				errs = append(errs, fmt.Errorf("list due cases of bucket %s: %w", q.Bucket, err))
				break
			}
			for _, c := range due {
				slots <- struct{}{}
				hands.Go(func() {
					defer func() { <-slots }()
					s.workCase(ctx, hands, c, worked)
				})
			}
			q.After = next
		}
	}
	return errors.Join(errs...)
}

// workCase does what is due of one case: it stores what time has done, applies
// effects, and hands messages on to whoever sends them. What fails holds up nothing else.
func (s *Service) workCase(ctx context.Context, hands *sync.WaitGroup, c *Case, worked func()) {
	tell := func(err error) {
		switch {
		case err == nil:
			worked()
		case !errors.Is(err, ErrNotFound) && ctx.Err() == nil: // a record that is gone owes nothing
			s.Log.WarnContext(ctx, "outbox entry failed", "case", c.ID, "error", err)
		}
	}
	now := s.now()
	if s.worker.take(c.ID) {
		if c.lapse(now, s.retention(c)) {
			_, err := s.update(ctx, c.ID, keep)
			tell(err)
		}
		for _, e := range c.Outbox.Effects {
			if !e.Due.After(now) {
				tell(s.workEffect(ctx, c, e))
			}
		}
		s.worker.give(c.ID)
	}
	for _, m := range c.Outbox.Messages {
		if m.Due.After(now) || ctx.Err() != nil || !s.worker.take(m.ID) {
			continue
		}
		if !s.worker.enter(m.Channel) {
			s.worker.give(m.ID)
			continue // it stays due, and whoever leaves wakes us
		}
		hands.Go(func() {
			tell(s.workMessage(ctx, c.ID, m.ID))
			s.worker.leave(m.Channel)
			s.worker.give(m.ID)
			s.rouse()
		})
	}
}
