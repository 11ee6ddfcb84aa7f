package proofing

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

// ClockSkew is how far the clocks of two processes that share a store may differ. A
// lease that one of them writes and another judges lasts that much longer than its
// owner may take, so that nobody is taken for dead who is at work.
const ClockSkew = time.Minute

const (
	claimTimeout = 10 * time.Second // making a claim sure
	sendTimeout  = 30 * time.Second // one call of a provider
	storeTimeout = 20 * time.Second // storing what came of it
	// After this a claim's owner is taken for dead.
	sendLease = claimTimeout + sendTimeout + storeTimeout + ClockSkew
	codeSends = 6 // tries to send a code that certainly did not go out
)

// workMessage claims a message, sends it, and stores what came of it. The
// claim is stored before the provider is called, so that of a process that dies in
// between nobody can take the message up unknowingly.
func (s *Service) workMessage(ctx context.Context, id, message string) error {
	claimed, err := s.claimMessage(ctx, id, message)
	if err != nil || claimed == nil {
		return err
	}
	if claimed.State == MessageDead {
		return tend(ctx, s, s.Cases, id, claimed)
	}
	// What was claimed is sent even if the program is told to stop, because a code that is cut
	// off is lost, and its outcome is stored.
	ctx = context.WithoutCancel(ctx)
	if claimed.counted() {
		c, err := s.get(ctx, id)
		if err == nil && !s.mayNotify(ctx, c.CA, claimed) {
			_, err := s.update(ctx, id, func(c *Case, now time.Time) error {
				if m := c.Outbox.message(message); m != nil && m.Claim == claimed.Claim {
					c.Outbox.holdBack(m, now)
				}
				return nil
			})
			return err
		}
	}
	receipt, sendErr := s.send(ctx, claimed.Message)
	return s.keepOutcome(ctx, id, claimed, receipt, sendErr)
}

// claimMessage makes a message that is due this call's to send; nil if there is nothing
// to send, and a dead one as it is. A claim whose answer is lost may have been made, and would then stand in
// everybody's way until its lease is over. So it is tried again, and known by its mark.
//
// A program that is told to stop meanwhile makes the claim sure and sends: one that is given up halfway may stand.
func (s *Service) claimMessage(ctx context.Context, id, message string) (claimed *Outgoing, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimTimeout)
	defer cancel()
	mark := NewToken().Reveal()[:12]
	err = insist(ctx, func() error {
		var lost []time.Time
		c, err := s.update(ctx, id, func(c *Case, now time.Time) error {
			claimed, lost = nil, nil
			m := c.Outbox.message(message)
			switch {
			case m == nil:
				return nil // somebody else's by now
			case m.State == MessageSending && m.Claim == mark:
				claimed = new(*m)
				return nil
			case m.Due.After(now):
				return nil
			case m.State == MessageDead:
				claimed = new(*m)
				return nil
			case m.State == MessageSending && m.Code():
				// Its sender died, or took too long to tell. At most once: never again.
				c.delivered(m, Delivery{Status: "unknown", At: now})
				c.Outbox.settle(message)
				return nil
			case !m.Expires.IsZero() && !now.Before(m.Expires) && !m.Code():
				c.Outbox.bury(m, "", now)
				return nil
			case !m.Expires.IsZero() && !now.Before(m.Expires):
				c.delivered(m, Delivery{Status: "failed", Reason: "expired", At: now})
				lost = c.lose(m)
				c.Outbox.settle(message)
				return nil
			}
			m.State, m.Due, m.Claim = MessageSending, now.Add(sendLease), mark
			m.Sends++
			c.delivered(m, Delivery{Status: "sending", At: now})
			claimed = new(*m)
			return nil
		})
		if err == nil {
			s.lostText(ctx, c, message, lost)
		}
		return err
	})
	return claimed, err
}

// insist repeats what the store was away for, until the context ends.
func insist(ctx context.Context, do func() error) error {
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := do()
		if !errors.Is(err, ErrUnavailable) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

// keepOutcome stores what came of a send. A store that is away for a moment is
// waited for: an outcome that is lost makes a code unknown, and sends a notice again.
func (s *Service) keepOutcome(ctx context.Context, id string, claimed *Outgoing, receipt Receipt, sendErr *SendError) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return insist(ctx, func() error {
		var lost []time.Time // when the message was counted, if it certainly never went out
		c, err := s.update(ctx, id, func(c *Case, now time.Time) error {
			lost = nil
			m := c.Outbox.message(claimed.ID)
			if m == nil || m.State != MessageSending || m.Claim != claimed.Claim {
				// An answer came before the receipt, this was stored before although its
				// call failed, or we were taken for dead and the claim is another's.
				return nil
			}
			lost = c.settleSend(m, receipt, sendErr, now)
			return nil
		})
		if err == nil {
			s.lostText(ctx, c, claimed.ID, lost)
		}
		return err
	})
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

// settleSend decides what becomes of a message after a try to send it. It returns when
// the message was counted, if that is to be taken back.
func (c *Case) settleSend(m *Outgoing, r Receipt, e *SendError, now time.Time) (lost []time.Time) {
	if e == nil {
		c.delivered(m, Delivery{Status: "accepted", At: now})
		c.Outbox.settle(m.ID)
		return nil
	}
	again := e.Outcome == NotSent || e.Outcome == Unknown && !m.Code()
	due := now.Add(max(e.RetryAfter, backoff(m.Sends))).Truncate(time.Millisecond) // as the index has it
	if again && (m.Expires.IsZero() || due.Before(m.Expires)) && !(m.Code() && m.Sends >= codeSends) {
		m.State, m.Due, m.Reason = MessagePending, due, e.Reason
		c.delivered(m, Delivery{Status: "waiting", Reason: e.Reason, At: now})
		return nil
	}
	if !m.Code() {
		c.Outbox.bury(m, e.Reason, now)
		return nil
	}
	status := "failed"
	if e.Outcome == Unknown {
		status = "unknown"
	}
	c.delivered(m, Delivery{Status: status, Reason: e.Reason, At: now})
	if a := c.attempt(m.Attempt); a != nil && status == "failed" && a.messageID() == m.ID {
		a.NextSend = now // the person did nothing wrong: no cool-down
	}
	if status == "failed" {
		lost = c.lose(m)
	}
	c.Outbox.settle(m.ID)
	return lost
}

// backoff is the wait before the next try to send: 1 s, 2 s, 4 s, … 5 min, with up to a
// quarter of it by chance, so that many that failed together do not come back together.
func backoff(sends int) time.Duration {
	d := min(time.Second<<min(sends, 9), 5*time.Minute)
	return d + rand.N(d/4)
}

// delivered records what is known of a message on the attempt that it carries a
// code for, if that code is still in force. A provider's later word may have
// come before the outcome of the call that it is about, and stays.
func (c *Case) delivered(m *Outgoing, d Delivery) {
	a := c.attempt(m.Attempt)
	if a == nil || a.messageID() != m.ID || slices.Contains([]string{"sent", "delivered", "undelivered"}, a.Delivery.Status) {
		return
	}
	a.Delivery = d
}

// Delivered records a provider's later word on a message. Words may come twice
// and out of order; a final one is not taken back, and one that has no meaning here is
// passed over. ErrNotFound if no case has such a message.
func (s *Service) Delivered(ctx context.Context, message, status, reason string) error {
	id, _, ok := cutRef(message)
	if !ok {
		return ErrNotFound
	}
	if _, known := deliveryRank[status]; !known {
		return nil
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
