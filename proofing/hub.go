package proofing

import (
	"slices"
	"sync"
)

// hub tells waiters of this process that a record has changed. Other processes
// are noticed by looking again (pollInterval).
type hub struct {
	mu      sync.Mutex
	waiters map[string][]chan struct{}
}

// listen returns a channel that is closed at the next change of id.
func (h *hub) listen(id string) chan struct{} {
	ch := make(chan struct{})
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waiters == nil {
		h.waiters = map[string][]chan struct{}{}
	}
	h.waiters[id] = append(h.waiters[id], ch)
	return ch
}

// drop forgets a waiter that has stopped waiting.
func (h *hub) drop(id string, ch chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	left := slices.DeleteFunc(h.waiters[id], func(c chan struct{}) bool { return c == ch })
	if len(left) == 0 {
		delete(h.waiters, id)
		return
	}
	h.waiters[id] = left
}

// tell wakes everybody who waits for id.
func (h *hub) tell(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, ch := range h.waiters[id] {
		close(ch)
	}
	delete(h.waiters, id)
}
