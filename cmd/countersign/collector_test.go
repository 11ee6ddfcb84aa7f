package main

import (
	"context"
	"runtime/debug"
	"testing"
	"time"
)

func TestTheCollectorHasRoomAndNoMoreThanTwiceWhatLives(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int{0: 3200, 16 << 20: 800, 32 << 20: 400, 128 << 20: 100, 1 << 30: 100} {
		if got := collectorPercent(live); got != want {
			t.Errorf("%d MiB live: %d percent, want %d", live>>20, got, want)
		}
	}
}

// TestTheCollectorIsEasedUnlessSomebodyHasDecided alone sets what counts for the whole process.
func TestTheCollectorIsEasedUnlessSomebodyHasDecided(t *testing.T) {
	now := func() int {
		percent := debug.SetGCPercent(100)
		debug.SetGCPercent(percent)
		return percent
	}
	t.Setenv("GOGC", "")
	const was = 100
	defer debug.SetGCPercent(debug.SetGCPercent(was))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { easeCollector(ctx); close(ended) }()
	for range 500 {
		if now() > was {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if got := now(); got <= was {
		t.Errorf("%d percent, as before", got)
	}
	stop()
	<-ended
	if got := now(); got != was {
		t.Errorf("%d percent after it, and %d before", got, was)
	}
	t.Setenv("GOGC", "70")
	easeCollector(t.Context()) // comes back at once
}
