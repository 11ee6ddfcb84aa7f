package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// BenchmarkDurableCAS reads, compares and replaces 200-byte items of a set, each
// replacement durable when it returns. Beside the rate it prints the rate of bare
// fdatasync calls on the same disk in the same run and the ratio of
// the two, which is what can be compared between machines.
func BenchmarkDurableCAS(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			floor := syncRate(b)
			s := benchStore(b)
			b.ResetTimer()
			start := time.Now()
			var left atomic.Int64
			left.Store(int64(b.N))
			var all sync.WaitGroup
			for c := range callers {
				all.Go(func() {
					for left.Add(-1) >= 0 {
						if err := replaceItem(b, s, c); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			rate := float64(b.N) / time.Since(start).Seconds()
			b.ReportMetric(rate, "cas/s")
			b.ReportMetric(floor, "fdatasync/s")
			b.ReportMetric(rate/floor, "cas/fdatasync")
		})
	}
}

const benchItems = 10_000

func benchName(i int) (bucket, name string) {
	return fmt.Sprintf("%02d", i%64), fmt.Sprint("r/bench/", i)
}

func benchStore(b *testing.B) *SQLite {
	b.Helper()
	s, err := OpenSQLite(b.Context(), filepath.Join(b.TempDir(), "store.db"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	var all sync.WaitGroup
	for c := range 64 {
		all.Go(func() {
			for i := c; i < benchItems; i += 64 {
				bucket, name := benchName(i)
				if err := s.Apply(b.Context(), bucket, []Op{{Name: name, If: Absent, Value: make([]byte, 200)}}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
	return s
}

var benchTurn atomic.Int64

func replaceItem(b *testing.B, s *SQLite, caller int) error {
	// A stride that shares no factor with the number of items walks over all of
	// them, so that few callers meet.
	bucket, name := benchName(int(benchTurn.Add(1)*7919+int64(caller)) % benchItems)
	for {
		item, err := s.Get(b.Context(), bucket, name, 0)
		if err != nil {
			return err
		}
		err = s.Apply(b.Context(), bucket, []Op{{Name: name, If: Match, Version: item.Version, Value: item.Value}})
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

// syncRate is how many times a second 200 bytes can be written into a
// preallocated file and synced, one after the other.
func syncRate(b *testing.B) float64 {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "floor"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	const records = 4096
	if _, err := f.Write(make([]byte, 200*records)); err != nil {
		b.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	start, n := time.Now(), 0
	for ; time.Since(start) < 500*time.Millisecond; n++ {
		if _, err := f.WriteAt(make([]byte, 200), int64(n%records)*200); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
	}
	return float64(n) / time.Since(start).Seconds()
}
