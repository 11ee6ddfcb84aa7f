package proofing

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// workNotices does what is due of the notices of a record: it sends them, and looks after those that were given up.
func workNotices[T any, R owing[T]](ctx context.Context, s *Service, table Table[T], v *T) error {
	l := R(v).ledger()
	for _, m := range l.outbox.Messages {
		if m.Due.After(s.now()) || ctx.Err() != nil {
			continue
		}
		if err := sendOwed[T, R](ctx, s, table, l.id, m.ID); err != nil {
			return err
		}
	}
	return nil
}

// sendOwed sends one notice of a record's outbox: at least once, under its one Message-ID. It is claimed first, so that two processes do not both
// send it while each can see the other. What mayNotify does not let through is not sent, and waits where nothing else says the same. What is refused for good, or was not sent in its time, is dead.
func sendOwed[T any, R owing[T]](ctx context.Context, s *Service, table Table[T], id, message string) error {
	mark := NewToken().Reveal()[:12]
	var claimed, dead *Outgoing
	ca := ""
	if _, err := table.Update(ctx, id, func(v *T) error {
		claimed, dead = nil, nil
		l := R(v).ledger()
		now, m := s.now(), l.outbox.message(message)
		switch {
		case m == nil || m.Due.After(now):
		case m.State == MessageDead:
			dead = new(*m)
		case !now.Before(m.Expires):
			l.outbox.bury(m, "", now)
		default:
			m.State, m.Due, m.Claim = MessageSending, now.Add(sendLease), mark
			m.Sends++
			claimed, ca = new(*m), l.ca
		}
		return nil
	}); err != nil {
		return ignoreNotFound(err)
	}
	if dead != nil {
		return tend[T, R](ctx, s, table, id, dead)
	}
	if claimed == nil {
		return nil
	}
	// What was claimed is sent, and its outcome stored, even if the program is told to stop.
	ctx = context.WithoutCancel(ctx)
	var failed *SendError
	held := claimed.counted() && !s.mayNotify(ctx, ca, claimed)
	if !held {
		_, failed = s.send(ctx, claimed.Message)
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return insist(ctx, func() error {
		_, err := table.Update(ctx, id, func(v *T) error {
			l := R(v).ledger()
			now, m := s.now(), l.outbox.message(message)
			switch {
			case m == nil || m.Claim != mark:
			case held:
				l.outbox.holdBack(m, now)
			case failed == nil:
				l.outbox.settle(message)
			case failed.Outcome == Refused:
				l.outbox.bury(m, failed.Reason, now)
			default:
				m.State, m.Reason = MessagePending, failed.Reason
				m.Due = now.Add(max(failed.RetryAfter, backoff(m.Sends))).Truncate(time.Millisecond)
			}
			return nil
		})
		return ignoreNotFound(err)
	})
}

// astray says whether a notice has nobody any more to go to: who was to have it is erased, or has taken the address away, which may be another's by now. What somebody
// is told of their own request or session goes to the addresses that they had.
func (s *Service) astray(ctx context.Context, l ledger, m *Outgoing) (bool, error) {
	whose := l.whose(m)
	if whose == "" {
		return false, nil
	}
	p, err := s.person(ctx, whose)
	if err != nil || p == nil {
		return err == nil, err
	}
	return whose != l.person && !slices.ContainsFunc(p.of(m.Channel), func(b Binding) bool { return b.Contact.Address == m.To }), nil
}

// tend looks after a dead notice: it goes when its time is over, and when it is astray.
func tend[T any, R owing[T]](ctx context.Context, s *Service, table Table[T], id string, dead *Outgoing) error {
	v, err := table.Get(ctx, id)
	if err != nil {
		return ignoreNotFound(err)
	}
	astray, err := s.astray(ctx, R(v).ledger(), dead)
	if err != nil {
		return err
	}
	_, err = table.Update(ctx, id, func(v *T) error {
		o, now := R(v).ledger().outbox, s.now()
		switch m := o.message(dead.ID); {
		case m == nil || m.State != MessageDead:
		case astray, !now.Before(m.Died.Add(deadFor)):
			o.settle(m.ID)
		default:
			m.rest(now)
		}
		return nil
	})
	return ignoreNotFound(err)
}

// dueSlots is how many records of one kind are worked on at once, besides cases.
const dueSlots = 4

// dispatchDue sets hands to work on the records of one kind in a bucket that are due.
func dispatchDue[T any](ctx context.Context, s *Service, table Table[T], kind, bucket string, id func(*T) string, work func(context.Context, string) error, hands *sync.WaitGroup, worked func()) error {
	return dispatchBy(ctx, s, table, "due", kind, bucket, id, work, hands, worked)
}

// dispatchBy is dispatchDue for records that another index names as due.
func dispatchBy[T any](ctx context.Context, s *Service, table Table[T], index, kind, bucket string, id func(*T) string, work func(context.Context, string) error, hands *sync.WaitGroup, worked func()) error {
	q := Query{Index: index, Bucket: bucket, Below: stamp(s.now().Add(time.Millisecond)), Limit: workPage, Unreadable: s.passOver(kind)}
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
