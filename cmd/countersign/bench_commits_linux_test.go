package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-id/countersign/store"
)

// BenchmarkCommits has 64 callers make durable changes of the embedded store, and compares their rate with
// that of one who writes and calls fdatasync in the same folder in the same seconds: above one, changes share a commit.
func BenchmarkCommits(b *testing.B) {
	const callers = 64
	rounds, lasts := benchLength()
	for range b.N {
		dir := b.TempDir()
		kv, err := store.OpenSQLite(b.Context(), filepath.Join(dir, "s.db"), store.Options{Now: time.Now})
		if err != nil {
			b.Fatal(err)
		}
		var turn atomic.Int64
		var syncs, commits, ratios []float64
		for range rounds {
			before := syncRate(b, dir, lasts/2)
			o := closedLoop(callers, lasts, func(_ int, o *outcome) bool {
				began := time.Now()
				_, _, err := kv.Add(context.Background(), "00", fmt.Sprint("bench.", turn.Add(1)), 1, time.Hour)
				o.count(reply{status: 200}, err, 200, time.Since(began))
				return err == nil
			})
			if o.bad > 0 {
				b.Error(o.first)
			}
			disk := (before + syncRate(b, dir, lasts/2)) / 2
			syncs, commits, ratios = append(syncs, disk), append(commits, o.rate()), append(ratios, o.rate()/disk)
		}
		fmt.Printf("%s%.0f | %.0f | %.1f |\n", benchRow("embedded", benchCommits), median(syncs), median(commits), median(ratios))
		b.ReportMetric(median(ratios), "of-fdatasync")
		if err := kv.Close(); err != nil {
			b.Error(err)
		}
	}
}

// syncRate is how often in a second the disk takes a page and says that it has it.
func syncRate(b *testing.B, dir string, lasts time.Duration) float64 {
	b.Helper()
	f, err := os.CreateTemp(dir, "sync")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page, n := make([]byte, 4096), 0
	began := time.Now()
	for ; time.Since(began) < lasts; n++ {
		if _, err := f.Write(page); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
	}
	return float64(n) / time.Since(began).Seconds()
}
