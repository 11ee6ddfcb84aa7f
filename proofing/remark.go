package proofing

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	remarkEvery = time.Hour // how often the same is said again
	mostRemarks = 100       // different ones in that time
	unreadEvery = time.Minute
)

// passOver is for listings of what is due: a damaged record is said, and holds up nothing that lies beside it.
func (s *Service) passOver(kind string) func(id string, err error) {
	return func(id string, err error) {
		if s.local().remarks.due("record "+id, s.now()) {
			s.Log.Error("a record cannot be read, and what it owes is not done", "kind", kind, "record", id, "error", err)
		}
	}
}

// remarks is what one process has said of what it meets again and again. Its zero value is ready.
type remarks struct {
	mu   sync.Mutex
	said map[string]time.Time
}

// due says whether something is to be said now, and takes it for said.
func (r *remarks) due(what string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, said := r.said[what]; said && now.Sub(at) < remarkEvery {
		return false
	}
	if len(r.said) >= mostRemarks {
		maps.DeleteFunc(r.said, func(_ string, at time.Time) bool { return now.Sub(at) >= remarkEvery })
	}
	if len(r.said) >= mostRemarks {
		return false
	}
	if r.said == nil {
		r.said = map[string]time.Time{}
	}
	r.said[what] = now
	return true
}

// unread is what the worker could not look through since that was said last. While a master is away each of its buckets
// fails at every look, many times a second. The zero value says the first failure at once.
type unread struct {
	said    time.Time
	looks   int
	buckets map[string]bool
	last    error
}

func (u *unread) add(bucket string, err error) {
	if err == nil {
		return
	}
	if u.buckets == nil {
		u.buckets = map[string]bool{}
	}
	u.looks, u.buckets[bucket], u.last = u.looks+1, true, err
}

// say says it once a minute at most: the last error, how many more there were, and the buckets that could not be read.
func (u *unread) say(ctx context.Context, log *slog.Logger, now time.Time) {
	if u.looks == 0 || !u.said.IsZero() && now.Sub(u.said) < unreadEvery {
		return
	}
	log.WarnContext(ctx, "outbox cannot be read", "error", u.last, "buckets", strings.Join(slices.Sorted(maps.Keys(u.buckets)), " "), "more", u.looks-1)
	*u = unread{said: now}
}
