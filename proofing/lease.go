package proofing

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Lease is the record of who does the work that one process at a time should do.
// It spares processes from doing it twice, and nothing rests on it: a holder that
// was paused may go on for a moment without knowing that another has taken over,
// so the work itself must be safe then.
type Lease struct {
	ID     string `json:"id"`
	Holder string `json:"holder"` // a process; empty: nobody
	Term   int64  `json:"term"`   // grows with each holder
	Beat   int64  `json:"beat"`   // grows while the holder lives
}

// Indexes implements Record.
func (*Lease) Indexes() []Index { return nil }

// ExpiresAt implements Record.
func (*Lease) ExpiresAt() time.Time { return time.Time{} }

const (
	beatInterval  = 2 * time.Second
	leasePatience = 6 * time.Second // without a beat, until the holder is taken for dead
)

// tenure is what one process knows of a lease. Whether a holder lives is judged by its
// beat, as this process's own clock sees it change: clocks of two machines are never compared.
type tenure struct {
	id     string
	term   int64 // ours; 0 if we do not hold it
	beaten time.Time
	// The holder that was last seen, and since when its beat has not changed.
	seen  Lease
	since time.Time
}

var errHeld = errors.New("held by another process")

// hold takes or keeps the lease, and says whether it is ours now.
func (s *Service) hold(ctx context.Context, t *tenure) (bool, error) {
	// Whoever is told to stop meanwhile has to know what it holds, to give it back.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimTimeout)
	defer cancel()
	now := s.Now()
	if t.term != 0 && now.Sub(t.beaten) < beatInterval && !now.Before(t.beaten) {
		return true, nil
	}
	l := &Lease{ID: t.id, Holder: s.local().id, Term: 1, Beat: 1}
	err := s.Leases.Create(ctx, l.ID, l)
	if errors.Is(err, ErrExists) {
		l, err = s.Leases.Update(ctx, t.id, func(l *Lease) error {
			switch {
			case l.Holder == s.local().id && l.Term == t.term:
				l.Beat++
			case l.Holder == "", t.seen == *l && now.Sub(t.since) >= leasePatience:
				l.Holder, l.Term, l.Beat = s.local().id, l.Term+1, 1
			default:
				if t.seen != *l {
					t.seen, t.since = *l, now
				}
				return errHeld
			}
			return nil
		})
	}
	if err != nil {
		t.term = 0
		if errors.Is(err, errHeld) {
			return false, nil
		}
		return false, fmt.Errorf("hold lease: %w", err)
	}
	t.term, t.beaten = l.Term, now
	return true, nil
}

// yield gives the lease back, so that another need not wait until we are taken for dead.
func (s *Service) yield(ctx context.Context, t *tenure) {
	if t.term == 0 {
		return
	}
	_, err := s.Leases.Update(ctx, t.id, func(l *Lease) error {
		if l.Holder == s.local().id && l.Term == t.term {
			l.Holder = ""
		}
		return nil
	})
	if err != nil {
		s.Log.WarnContext(ctx, "lease not given back", "error", err)
	}
	t.term = 0
}
