package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// collectorRoom is how much is taken between two collections of garbage at least, in bytes. What lives in a process at rest
	// is some 20 MiB, and a page takes 0.1: collected whenever that has doubled, a busy process would collect five times a second.
	collectorRoom = 128 << 20
	// collectorInterval is how often it is looked whether what lives has become more or less.
	collectorInterval = time.Second
)

// easeCollector keeps at least collectorRoom between two collections, until ctx is done. From where as much lives, the heap
// doubles between them, as in any program. Whoever has set GOGC has decided; GOMEMLIMIT holds in any case.
func easeCollector(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	now := collectorPercent(0)
	before := debug.SetGCPercent(now)
	defer func() { debug.SetGCPercent(before) }()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	ticker := time.NewTicker(collectorInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		metrics.Read(live)
		// To set it stops the program for a moment: not for a difference that nobody would notice.
		if want := collectorPercent(live[0].Value.Uint64()); want < now*4/5 || want > now*5/4 {
			debug.SetGCPercent(want)
			now = want
		}
	}
}

// collectorPercent is by how much of itself the heap may grow before garbage is collected, if so many bytes live: in percent, as
// GOGC is.
func collectorPercent(live uint64) int {
	const least = 4 << 20 // less than any process of ours has
	return int(max(100, 100*collectorRoom/max(live, least)))
}
