package main

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/web"
)

// outcomes keeps what providers answered to this process, for the pages of operators. It
// has an entry for each channel and outcome: both are from closed lists. Its zero value is ready.
type outcomes struct {
	mu   sync.Mutex
	seen []web.Outcome
}

func (o *outcomes) add(ch proofing.Channel, outcome string, err error, at time.Time) {
	reason := ""
	if known, ok := errors.AsType[*proofing.SendError](err); ok {
		reason = known.Reason
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.IndexFunc(o.seen, func(s web.Outcome) bool { return s.Channel == ch && s.Outcome == outcome })
	if i < 0 {
		i, o.seen = len(o.seen), append(o.seen, web.Outcome{Channel: ch, Outcome: outcome})
	}
	o.seen[i].N++
	o.seen[i].Last, o.seen[i].Reason = at, reason
}

// list has them by channel and outcome.
func (o *outcomes) list() []web.Outcome {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := slices.Clone(o.seen)
	slices.SortFunc(all, func(a, b web.Outcome) int {
		return cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Outcome, b.Outcome))
	})
	return all
}
