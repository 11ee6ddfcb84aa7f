package client

import (
	"crypto/sha256"
	"encoding/json"
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

// kept is a yes as it came. Each caller has it read anew, so that none can change what another gets.
type kept struct {
	answer         []byte
	authorizations []string
	until          time.Time
}

func (a *answers) find(question []byte, now time.Time) *Allowed {
	k, ok := a.look(question)
	if !ok || !now.Before(k.until) {
		return nil
	}
	var v verdict
	if json.Unmarshal(k.answer, &v) != nil {
		return nil
	}
	return &v.Allowed
}

func (a *answers) look(question []byte) (kept, bool) {
	if a.keep == 0 {
		return kept{}, false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	k, ok := a.kept[sha256.Sum256(question)]
	return k, ok
}

// generation is to be taken before a question is asked.
func (a *answers) generation() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.forgets
}

// keepFor keeps an answer, a yes that rests on these authorizations and that holds for some time from when it was asked for. If anything was forgotten since then, the yes may be one of those and is not kept.
func (a *answers) keepFor(question, answer []byte, authorizations []string, since uint64, asked time.Time, holds time.Duration) {
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
	a.kept[sha256.Sum256(question)] = kept{slices.Clone(answer), slices.Clone(authorizations), asked.Add(holds)}
}

// forget drops what rests on an authorization.
func (a *answers) forget(authorization string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forgets++
	maps.DeleteFunc(a.kept, func(_ [sha256.Size]byte, k kept) bool { return slices.Contains(k.authorizations, authorization) })
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
