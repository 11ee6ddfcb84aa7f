package proofing

import (
	"context"
	"sync"
	"time"
)

// count is what came of one addition.
type count struct {
	total  int64
	resets time.Time
	err    error
}

// addEach makes additions to different counters at once, and so in about the time of one.
func (s *Service) addEach(ctx context.Context, spends []spend) []count {
	counts := make([]count, len(spends))
	together(len(spends), func(i int) {
		c, sp := &counts[i], spends[i]
		c.total, c.resets, c.err = s.Limiter.Add(ctx, sp.key, sp.n, sp.window)
	})
	return counts
}

// addAll is addEach for whoever needs all of the additions. When some fail it returns the error of
// the first in the list, and what the others added is given back.
func (s *Service) addAll(ctx context.Context, spends []spend) ([]count, error) {
	counts := s.addEach(ctx, spends)
	for _, c := range counts {
		if c.err != nil {
			s.giveBack(ctx, added(spends, counts))
			return nil, c.err
		}
	}
	return counts, nil
}

// added are the spends that certainly were counted. One that failed may have been or not: it
// stays, because what was never added must not be taken away.
func added(spends []spend, counts []count) []spend {
	var list []spend
	for i, sp := range spends {
		if counts[i].err == nil && sp.n != 0 {
			list = append(list, sp)
		}
	}
	return list
}

// together does n things at once, and returns when all are done.
func together(n int, do func(i int)) {
	var all sync.WaitGroup
	for i := 1; i < n; i++ {
		all.Go(func() { do(i) })
	}
	if n > 0 {
		do(0)
	}
	all.Wait()
}
