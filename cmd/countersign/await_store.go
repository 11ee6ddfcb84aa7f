package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/countersign-id/countersign/store"
)

// The pauses between two looks for a store that is out of reach.
const (
	firstPause = 250 * time.Millisecond
	mostPause  = 15 * time.Second
)

// sayWaitingForStore asks a supervisor for more time than we take until the next word.
const sayWaitingForStore = "STATUS=waiting for the store\nEXTEND_TIMEOUT_USEC=120000000"

// awaitStore opens the store. One that is out of reach is waited for, because machines start
// in any order; one that is wrong (a foreign key ring, a password that is refused, a
// server that may forget) stays wrong, and is an error. If the context ends first there is
// no store and no error.
func (a *app) awaitStore(ctx context.Context) (err error) {
	waiting := "store"
	began := time.Now()
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		if a.storage, err = openStore(ctx, a.config.Store, true, a.now); err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil
		}
		if !store.OutOfReach(err) {
			return err
		}
		a.phase.waitsFor.Store(&waiting)
		a.tellSupervisor(sayWaitingForStore)
		next := pause - rand.N(pause/4) // machines that start together part
		a.log.Warn("the store is out of reach; waiting for it", "error", err, "next_try_s", next.Seconds())
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(next):
		}
	}
	if a.phase.waitsFor.Swap(nil) != nil {
		a.log.Info("the store is there", "waited_s", time.Since(began).Seconds())
	}
	return nil
}
