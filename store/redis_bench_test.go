package store_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/countersign-id/countersign/store"
)

// BenchmarkRedisCAS is BenchmarkDurableCAS on a server that syncs every change: each
// operation reads an item and replaces it if it is still that one. Beside it stand
// bare reads, which nothing syncs.
func BenchmarkRedisCAS(b *testing.B) {
	server := startRedis(b, durableArgs...)
	r, err := store.OpenRedis(b.Context(), server.options())
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	const items = 10_000
	place := func(i int64) (bucket, name string) {
		n := i * 7919 % items
		return fmt.Sprintf("%02d", n%64), fmt.Sprint("r/bench/", n)
	}
	together(b, 64, items, func(i int64) error {
		bucket, name := place(i)
		return r.Apply(b.Context(), bucket, []store.Op{{Name: name, If: store.Any, Value: make([]byte, 200)}})
	})
	for _, callers := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("cas/callers=%d", callers), func(b *testing.B) {
			together(b, callers, int64(b.N), func(i int64) error {
				bucket, name := place(i)
				for {
					item, err := r.Get(b.Context(), bucket, name, 0)
					if err == nil {
						err = r.Apply(b.Context(), bucket, []store.Op{{Name: name, If: store.Match, Version: item.Version, Value: item.Value}})
					}
					if !errors.Is(err, store.ErrConflict) {
						return err
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "cas/s")
		})
		b.Run(fmt.Sprintf("get/callers=%d", callers), func(b *testing.B) {
			together(b, callers, int64(b.N), func(i int64) error {
				bucket, name := place(i)
				_, err := r.Get(b.Context(), bucket, name, 0)
				return err
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "get/s")
		})
	}
}

func together(b *testing.B, callers int, n int64, do func(i int64) error) {
	b.Helper()
	var turn atomic.Int64
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for i := turn.Add(1); i <= n; i = turn.Add(1) {
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}
