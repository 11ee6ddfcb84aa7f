package proofing

import (
	"context"
	"time"
)

// sendOwed sends one notice of a record's outbox: at least once, under its one Message-ID. It is claimed first, so that two processes do not both
// send it while each can see the other. What admit does not let through is not sent.
func sendOwed[T any](ctx context.Context, s *Service, table Table[T], outbox func(*T) *Outbox, id, message string, admit func(*Outgoing) bool) error {
	mark := NewToken().Reveal()[:12]
	var claimed *Outgoing
	if _, err := table.Update(ctx, id, func(v *T) error {
		claimed = nil
		now, m := s.now(), outbox(v).message(message)
		switch {
		case m == nil || m.Due.After(now):
		case !now.Before(m.Expires):
			outbox(v).settle(message)
		default:
			m.State, m.Due, m.Claim = MessageSending, now.Add(sendLease), mark
			m.Sends++
			claimed = new(*m)
		}
		return nil
	}); err != nil || claimed == nil {
		return ignoreNotFound(err)
	}
	// What was claimed is sent, and its outcome stored, even if the program is told to stop.
	ctx = context.WithoutCancel(ctx)
	var failed *SendError
	if admit(claimed) {
		_, failed = s.send(ctx, claimed.Message)
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return insist(ctx, func() error {
		_, err := table.Update(ctx, id, func(v *T) error {
			m := outbox(v).message(message)
			if m == nil || m.Claim != mark {
				return nil
			}
			again := failed != nil && failed.Outcome != Refused
			if !again {
				outbox(v).settle(message)
				return nil
			}
			m.State, m.Due = MessagePending, s.now().Add(max(failed.RetryAfter, backoff(m.Sends))).Truncate(time.Millisecond)
			return nil
		})
		return ignoreNotFound(err)
	})
}
