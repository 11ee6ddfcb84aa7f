package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/countersign-id/countersign/store"
)

// note says in a store that other machines share that this process uses it, so that it is
// not moved away meanwhile. A file needs none: its lock tells.
type note struct {
	presence *store.Presence
	lost     chan error // gets why the store is not to be used any more
	stop     context.CancelFunc
	stopped  chan struct{}
}

// processName is what the note says of us, for whoever has to find and stop this process.
func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "a machine without a name"
	}
	return fmt.Sprintf("process %d on %s", os.Getpid(), host)
}

// keepNote renews the note until leave is called. A renewal that fails is no matter in
// itself: that the store is away is said by everybody who needs it.
func keepNote(presence *store.Presence) *note {
	ctx, stop := context.WithCancel(context.Background())
	n := &note{presence: presence, lost: make(chan error, 1), stop: stop, stopped: make(chan struct{})}
	go func() {
		defer close(n.stopped)
		beat := time.NewTicker(store.PresenceBeat)
		defer beat.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-beat.C:
			}
			if err := presence.Beat(ctx); errors.Is(err, store.ErrMoved) || errors.Is(err, store.ErrHalf) {
				select {
				case n.lost <- err:
				default: // it is known already
				}
			}
		}
	}()
	return n
}

// leave takes the note away. One that cannot be reached runs out by itself.
func (n *note) leave() {
	n.stop()
	<-n.stopped
	ctx, cancel := context.WithTimeout(context.Background(), store.PresenceBeat)
	defer cancel()
	_ = n.presence.Leave(ctx)
}

// lost tells when the store is not to be used any more: it was moved while this process slept.
func (s *storage) lost() <-chan error {
	if s.note == nil {
		return nil
	}
	return s.note.lost
}
