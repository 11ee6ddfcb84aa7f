package client

import (
	"crypto/sha256"
	"maps"
	"slices"
	"sync"
	"time"
)

// mostAnswers bounds what is kept.
const mostAnswers = 10000

// answers are the yeses that may be given again for a while. A no is never kept: what it asks for may be done the next moment.
type answers struct {
	mu      sync.Mutex
	most    int
	keep    time.Duration
	kept    map[[sha256.Size]byte]kept
	forgets uint64 // how often something was forgotten
}

type kept struct {
	yes   Allowed
	until time.Time
}

func (a *answers) find(question []byte, now time.Time) *Allowed {
	if a.keep == 0 {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	k, ok := a.kept[sha256.Sum256(question)]
	if !ok || !now.Before(k.until) {
		return nil
	}
	yes := k.yes
	yes.Authorizations = slices.Clone(yes.Authorizations)
	return &yes
}

// generation is to be taken before a question is asked.
func (a *answers) generation() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.forgets
}

// keepFor keeps a yes that holds for some time from when it was asked for. If anything was forgotten since then, the yes may be one of those and is not kept.
func (a *answers) keepFor(question []byte, yes Allowed, since uint64, asked time.Time, holds time.Duration) {
	holds = min(holds, a.keep)
	a.mu.Lock()
	defer a.mu.Unlock()
	if holds <= 0 || a.forgets != since {
		return
	}
	if len(a.kept) >= a.most {
		maps.DeleteFunc(a.kept, func(_ [sha256.Size]byte, k kept) bool { return !asked.Before(k.until) })
	}
	for one := range a.kept {
		if len(a.kept) < a.most {
			break
		}
		delete(a.kept, one)
	}
	if a.kept == nil {
		a.kept = map[[sha256.Size]byte]kept{}
	}
	yes.Authorizations = slices.Clone(yes.Authorizations)
	a.kept[sha256.Sum256(question)] = kept{yes: yes, until: asked.Add(holds)}
}

// forget drops what rests on an authorization.
func (a *answers) forget(authorization string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forgets++
	maps.DeleteFunc(a.kept, func(_ [sha256.Size]byte, k kept) bool { return slices.Contains(k.yes.Authorizations, authorization) })
}

func (a *answers) forgetAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forgets++
	clear(a.kept)
}

// Forget drops every kept yes that rests on the authorization. Events that this Client reads or receives do that by themselves; it is for authorities that hear
// of changes in another process.
func (c *Client) Forget(authorization string) { c.answers.forget(authorization) }
