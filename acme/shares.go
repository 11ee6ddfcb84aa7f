package acme

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// Shares bound how much of a listener one authority may have in hand, so that others are answered whatever it does. They are kept
// when the configuration is read again.
type Shares struct {
	requests, waits int

	mu   sync.Mutex
	held map[share]int
}

type share struct {
	ca    string
	waits bool
}

// NewShares gives each authority three quarters of the places for requests, and of those for requests that wait on purpose.
func NewShares(requests, waits int) *Shares {
	return &Shares{requests: (3*requests + 3) / 4, waits: (3*waits + 3) / 4, held: map[share]int{}}
}

// take takes a place for a request of an authority, and gives it back by what it returns; a problem if it has as many as it may.
func (s *Shares) take(ca string, r *http.Request) (back func(), err error) {
	if s == nil {
		return func() {}, nil
	}
	k := share{ca, AsksToWait(r)}
	most := s.requests
	if k.waits {
		most = s.waits
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[k] >= most {
		p := newProblem(typeRateLimited, "as many requests of yours are in hand as one authority may have at one time; nothing was done, try again")
		p.retryAfter, p.crowded = time.Second, true
		return nil, p
	}
	s.held[k]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.held[k]--; s.held[k] == 0 {
			delete(s.held, k)
		}
	}, nil
}

// AsksToWait says whether a request may take long because its caller wants it to. Of the paths on which nobody
// waits none counts so, whatever is asked of it.
func AsksToWait(r *http.Request) bool {
	if r.URL.Path != "/v1/events" && !strings.HasPrefix(r.URL.Path, "/v1/preauthorizations/") {
		return false
	}
	if r.URL.RawQuery == "" || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	wait := r.URL.Query().Get("wait")
	return wait != "" && wait != "0"
}
