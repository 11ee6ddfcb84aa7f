package proofing

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	sendTimeout  = 30 * time.Second // one call of a provider
	sendLease    = 60 * time.Second // after this a claim's owner is taken for dead
	idleInterval = time.Second      // how late another process's work is noticed
	workers      = 8                // cases worked on at once
	workPage     = 200              // cases listed at once
)

// Work works off what records owe the world until the context ends: it sends
// messages, applies effects and ends what has run out. Any number of processes
// may do so at once.
func (s *Service) Work(ctx context.Context) {
	if s.wake == nil {
		panic("proofing: Work before Start")
	}
	for {
		n, err := s.WorkOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.Log.WarnContext(ctx, "outbox cannot be read", "error", err)
		}
		if n > 0 && err == nil {
			continue // more may have become due
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-time.After(idleInterval):
		}
	}
}

// Start makes the service ready to be woken by its own changes. It is called
// once, before any other method.
func (s *Service) Start() {
	s.wake, s.stopping = make(chan struct{}, 1), make(chan struct{})
}

// Stop lets everybody go who waits for a change, so that the program can end. It
// is called once.
func (s *Service) Stop() { close(s.stopping) }

// WorkOnce works off what is due now and returns for how many cases that worked.
// It goes through all of it: what fails stays due, and must not stand in the way
// of what is listed behind it.
func (s *Service) WorkOnce(ctx context.Context) (int, error) {
	var done atomic.Int64
	q := Query{Index: "due", Below: stamp(s.now().Add(time.Millisecond)), Limit: workPage}
	for {
		due, next, err := s.Cases.List(ctx, q)
		if err != nil {
			return int(done.Load()), fmt.Errorf("list due cases: %w", err)
		}
		s.workCases(ctx, due, &done)
		if next == "" || ctx.Err() != nil {
			return int(done.Load()), nil
		}
		q.After = next
	}
}

func (s *Service) workCases(ctx context.Context, due []*Case, done *atomic.Int64) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, workers)
	for _, c := range due {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			err := s.workCase(ctx, c)
			if err == nil || errors.Is(err, ErrNotFound) {
				done.Add(1)
			} else if ctx.Err() == nil {
				s.Log.WarnContext(ctx, "outbox entry failed", "case", c.ID, "error", err)
			}
		})
	}
	wg.Wait()
}

func (s *Service) workCase(ctx context.Context, c *Case) error {
	now := s.now()
	if c.lapse(now, s.retention(c)); c.Status.Over() {
		if _, err := s.update(ctx, c.ID, keep); err != nil {
			return err
		}
	}
	var errs []error // an entry that fails keeps no other back
	for _, e := range slices.Clone(c.Outbox.Effects) {
		if !e.Due.After(now) {
			errs = append(errs, s.workEffect(ctx, c, e))
		}
	}
	for _, m := range slices.Clone(c.Outbox.Messages) {
		if !m.Due.After(now) {
			errs = append(errs, s.workMessage(ctx, c.ID, m.ID))
		}
	}
	return errors.Join(errs...)
}

// workMessage claims a message, sends it, and stores what came of it. The
// claim is stored before the provider is called, so that of a process that dies in
// between nobody can take the message up unknowingly.
func (s *Service) workMessage(ctx context.Context, id, message string) error {
	var claimed *Outgoing
	_, err := s.update(ctx, id, func(c *Case, now time.Time) error {
		claimed = nil
		m := c.Outbox.message(message)
		switch {
		case m == nil || m.Due.After(now):
			return nil // somebody else's by now
		case m.State == MessageSending && m.Code():
			// Its sender died, or took too long to tell. At most once: never again.
			c.delivered(m, Delivery{Status: "unknown", At: now})
			c.Outbox.settle(message)
			return nil
		case !m.Expires.IsZero() && !now.Before(m.Expires):
			c.delivered(m, Delivery{Status: "failed", Reason: "expired", At: now})
			c.Outbox.settle(message)
			return nil
		}
		m.State, m.Due = MessageSending, now.Add(sendLease)
		m.Sends++
		copied := *m
		claimed = &copied
		c.delivered(m, Delivery{Status: "sending", At: now})
		return nil
	})
	if err != nil || claimed == nil {
		return err
	}
	receipt, sendErr := s.send(ctx, claimed.Message)
	// What happened must be stored even if the program has been told to stop.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	_, err = s.update(ctx, id, func(c *Case, now time.Time) error {
		m := c.Outbox.message(message)
		if m == nil {
			return nil // the case moved on: an answer came before the receipt
		}
		c.settleSend(m, receipt, sendErr, now)
		return nil
	})
	return err
}

func (s *Service) send(ctx context.Context, m Message) (Receipt, *SendError) {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	receipt, err := s.Sender.Send(ctx, m)
	if err == nil {
		return receipt, nil
	}
	sendErr, ok := errors.AsType[*SendError](err)
	if !ok { // a sender that breaks its contract is taken at its worst
		sendErr = &SendError{Outcome: Unknown, Reason: "provider_refused", Err: err}
	}
	s.Log.WarnContext(ctx, "message not sent", "message", m.ID, "kind", m.Kind, "outcome", sendErr.Outcome, "reason", sendErr.Reason, "error", sendErr.Err)
	return Receipt{}, sendErr
}

// settleSend decides what becomes of a message after a try to send it.
func (c *Case) settleSend(m *Outgoing, r Receipt, e *SendError, now time.Time) {
	if e == nil {
		c.delivered(m, Delivery{Status: "accepted", At: now})
		c.Outbox.settle(m.ID)
		return
	}
	again := e.Outcome == NotSent || e.Outcome == Unknown && !m.Code()
	due := now.Add(max(e.RetryAfter, backoff(m.Sends)))
	if again && (m.Expires.IsZero() || due.Before(m.Expires)) && !(m.Code() && m.Sends >= codeSends) {
		m.State, m.Due = MessagePending, due
		c.delivered(m, Delivery{Status: "waiting", Reason: e.Reason, At: now})
		return
	}
	status := "failed"
	if e.Outcome == Unknown {
		status = "unknown"
	}
	c.delivered(m, Delivery{Status: status, Reason: e.Reason, At: now})
	if a := c.attempt(m.Attempt); a != nil && status == "failed" && a.messageID() == m.ID {
		a.NextSend = now // the person did nothing wrong: no cool-down
	}
	c.Outbox.settle(m.ID)
}

// codeSends is how often a code message that certainly did not go out is tried.
const codeSends = 6

// backoff is the wait before the next try to send: 1 s, 2 s, 4 s, … 5 min, with up to a
// quarter of it by chance, so that many that failed together do not come back together.
func backoff(sends int) time.Duration {
	d := min(time.Second<<min(sends, 9), 5*time.Minute)
	return d + rand.N(d/4)
}

// delivered records what is known of a message on the attempt that it carries a
// code for, if that code is still in force.
func (c *Case) delivered(m *Outgoing, d Delivery) {
	if a := c.attempt(m.Attempt); a != nil && a.messageID() == m.ID {
		a.Delivery = d
	}
}

// Delivered records a provider's later word on a message. Words may come twice
// and out of order; a final one is not taken back.
func (s *Service) Delivered(ctx context.Context, message, status, reason string) error {
	id, _, ok := cutRef(message)
	if !ok {
		return ErrNotFound
	}
	_, err := s.update(ctx, id, func(c *Case, now time.Time) error {
		i := slices.IndexFunc(c.Attempts, func(a Attempt) bool { return a.messageID() == message })
		if i < 0 {
			return nil // answered or replaced meanwhile: nobody waits for it
		}
		d := &c.Attempts[i].Delivery
		if d.Status != "delivered" && d.Status != "undelivered" && deliveryRank[status] >= deliveryRank[d.Status] {
			*d = Delivery{Status: status, Reason: reason, At: now}
		}
		return nil
	})
	return err
}

// deliveryRank orders what providers say, because their words overtake each other.
var deliveryRank = map[string]int{"waiting": 0, "sending": 1, "unknown": 2, "accepted": 3, "sent": 4, "delivered": 5, "undelivered": 5, "failed": 5}

// workEffect applies one effect to other records and then takes it off the case.
func (s *Service) workEffect(ctx context.Context, c *Case, e Effect) error {
	i := slices.IndexFunc(c.Evidence, func(ev Evidence) bool { return ev.ID == e.Event })
	if i >= 0 {
		var err error
		switch e.Kind {
		case EffectBind:
			err = s.bind(ctx, c, c.Evidence[i])
		case EffectShare:
			err = s.share(ctx, c, c.Evidence[i])
		}
		if err != nil {
			return fmt.Errorf("effect %s: %w", e.Kind, err)
		}
	}
	_, err := s.update(ctx, c.ID, func(c *Case, _ time.Time) error {
		c.Outbox.Effects = slices.DeleteFunc(c.Outbox.Effects, func(have Effect) bool { return have.ID == e.ID })
		return nil
	})
	return err
}
