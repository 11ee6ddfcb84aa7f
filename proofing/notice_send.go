package proofing

import (
	"context"
	"fmt"
	"sync"
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

// dueSlots is how many records of one kind are worked on at once, besides cases.
const dueSlots = 4

// dispatchDue sets hands to work on the records of one kind in a bucket that are due.
func dispatchDue[T any](ctx context.Context, s *Service, table Table[T], kind, bucket string, id func(*T) string, work func(context.Context, string) error, hands *sync.WaitGroup, worked func()) error {
	q := Query{Index: "due", Bucket: bucket, Below: stamp(s.now().Add(time.Millisecond)), Limit: workPage}
	for more := true; more; more = q.After != "" {
		page, next, err := table.List(ctx, q)
		if err != nil {
			return fmt.Errorf("list due records (%s) of bucket %s: %w", kind, bucket, err)
		}
		for _, v := range page {
			w, one := &s.local().worker, id(v)
			if !w.take(one) {
				continue
			}
			job := func() {
				if ctx.Err() == nil {
					if err := work(ctx, one); err == nil {
						worked()
					} else if ctx.Err() == nil {
						s.Log.WarnContext(ctx, "record cannot be worked on", "kind", kind, "record", one, "error", err)
					}
				}
				w.give(one)
			}
			if !w.do(hands, kind, dueSlots, job) {
				w.give(one)
			}
		}
		q.After = next
	}
	return nil
}
