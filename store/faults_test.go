package store_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/store"
	"github.com/countersign-id/countersign/store/storetest"
)

// TestSuiteCatchesFaults runs the suite on back ends that are each broken in
// one way, and wants it to fail in the parts that are about it.
func TestSuiteCatchesFaults(t *testing.T) {
	for _, fault := range []struct {
		name   string
		plant  func(kv store.KV) store.KV
		caught []string // parts that must fail
	}{
		{"no compare", func(kv store.KV) store.KV { return noCompare{kv} }, []string{
			"a condition that does not hold stops it", "no update is lost", "a unique value has one holder at a time",
		}},
		{"no expiry", func(kv store.KV) store.KV { return noExpiry{kv} }, []string{
			"an item is there until it expires and then absent from everything",
			"a counter expires with its first addition", "a record and its entries expire together",
		}},
		{"expiry unseen by scan", func(kv store.KV) store.KV { return &scanOfTheDead{KV: kv} }, []string{
			"an item is there until it expires and then absent from everything",
			"what has expired takes no place in a scan",
		}},
		{"partial apply", func(kv store.KV) store.KV { return partialApply{kv} }, []string{
			"an apply changes all or nothing", "of many who make one item one wins",
		}},
		{"lost index entry", func(kv store.KV) store.KV { return lostEntry{kv} }, []string{
			"records and entries agree after random changes at once",
		}},
		{"add that is not atomic", func(kv store.KV) store.KV { return looseAdd{kv} }, []string{
			"every addition of many at once counts once",
		}},
		{"window that moves", func(kv store.KV) store.KV { return movingWindow{kv} }, []string{
			"a counter expires with its first addition",
		}},
		{"stale read", func(kv store.KV) store.KV { return &staleRead{KV: kv, old: map[string]store.Item{}} }, []string{
			"a read sees every change before it", "a condition that holds lets a change through",
		}},
		{"whatever is known is what is there", func(kv store.KV) store.KV { return credulous{kv} }, []string{
			"who has a version need not have it sent",
		}},
		{"scan out of order", func(kv store.KV) store.KV { return mixedScan{kv} }, []string{
			"a scan is in the order of bytes", "pages of a scan join without gap or overlap",
		}},
		{"scan whose prefix is a pattern", func(kv store.KV) store.KV { return looseScan{kv} }, []string{
			"a scan keeps to its prefix at the edges of the byte range",
		}},
		{"close without effect", func(kv store.KV) store.KV { return openForever{kv} }, []string{
			"a closed back end is unavailable",
		}},
		{"context ignored", func(kv store.KV) store.KV { return deaf{kv} }, []string{
			"a context that has ended ends the call and changes nothing",
		}},
	} {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			var all sync.WaitGroup
			for _, name := range fault.caught {
				part := partNamed(t, name)
				kv := openNew(t)
				all.Go(func() {
					if !fails(t.Context(), part, fault.plant(kv)) {
						t.Errorf("passed in %q", name)
					}
				})
			}
			all.Wait()
		})
	}
}

func partNamed(t *testing.T, name string) storetest.Part {
	parts := storetest.Parts()
	i := slices.IndexFunc(parts, func(p storetest.Part) bool { return p.Name == name })
	if i < 0 {
		t.Fatalf("no part is named %q", name)
	}
	return parts[i]
}

// fails says whether a back end fails a part of the contract.
func fails(ctx context.Context, part storetest.Part, kv store.KV) bool {
	r := recorder{ctx: ctx}
	var done sync.WaitGroup
	done.Go(func() { part.Check(&r, kv) }) // in a goroutine of its own, which Fatalf may end
	done.Wait()
	return len(r.errors) > 0
}

// recorder is a storetest.T that keeps failures to itself.
type recorder struct {
	ctx    context.Context //nolint:containedctx // as testing.T has one
	mu     sync.Mutex
	errors []string
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

type noCompare struct{ store.KV }

func (f noCompare) Apply(ctx context.Context, bucket string, ops []store.Op) error {
	ops = slices.Clone(ops)
	for i := range ops {
		ops[i].If, ops[i].Version = store.Any, 0
	}
	return f.KV.Apply(ctx, bucket, ops)
}

type noExpiry struct{ store.KV }

func (f noExpiry) Apply(ctx context.Context, bucket string, ops []store.Op) error {
	ops = slices.Clone(ops)
	for i := range ops {
		ops[i].Expires = time.Time{}
	}
	return f.KV.Apply(ctx, bucket, ops)
}

func (f noExpiry) Add(ctx context.Context, bucket, name string, delta int64, _ time.Duration) (int64, time.Time, error) {
	return f.KV.Add(ctx, bucket, name, delta, 0)
}

// scanOfTheDead goes on listing what has expired, as a sorted set beside keys
// that expire by themselves would.
type scanOfTheDead struct {
	store.KV
	mu   sync.Mutex
	dead []string
}

func (f *scanOfTheDead) Apply(ctx context.Context, bucket string, ops []store.Op) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, op := range ops {
		if !op.Expires.IsZero() {
			f.dead = append(f.dead, op.Name)
		}
	}
	return f.KV.Apply(ctx, bucket, ops)
}

func (f *scanOfTheDead) Scan(ctx context.Context, bucket, prefix, after string, limit int) ([]store.Item, error) {
	items, err := f.KV.Scan(ctx, bucket, prefix, after, limit)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range f.dead {
		known := slices.ContainsFunc(items, func(i store.Item) bool { return i.Name == name })
		if !known && err == nil && strings.HasPrefix(name, prefix) && name > after {
			items = append(items, store.Item{Name: name, Version: 1})
		}
	}
	slices.SortFunc(items, func(a, b store.Item) int { return strings.Compare(a.Name, b.Name) })
	return items[:min(len(items), max(limit, 0))], err
}

type partialApply struct{ store.KV }

func (f partialApply) Apply(ctx context.Context, bucket string, ops []store.Op) error {
	for i := range ops {
		if err := f.KV.Apply(ctx, bucket, ops[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// lostEntry forgets to remove the old entry of a record that moves in an index.
type lostEntry struct{ store.KV }

func (f lostEntry) Apply(ctx context.Context, bucket string, ops []store.Op) error {
	kept := slices.DeleteFunc(slices.Clone(ops), func(op store.Op) bool {
		return op.Delete && strings.HasPrefix(op.Name, "i/")
	})
	if len(kept) == 0 {
		kept = ops
	}
	return f.KV.Apply(ctx, bucket, kept)
}

type looseAdd struct{ store.KV }

func (f looseAdd) Add(ctx context.Context, bucket, name string, delta int64, ttl time.Duration) (int64, time.Time, error) {
	before, expires, err := f.KV.Add(ctx, bucket, name, 0, ttl)
	if err != nil || delta <= 0 {
		return f.KV.Add(ctx, bucket, name, delta, ttl)
	}
	time.Sleep(time.Millisecond) // for others to come between
	if _, expires, err = f.KV.Add(ctx, bucket, name, delta, ttl); err != nil {
		return 0, expires, err
	}
	return min(before+delta, store.MaxTotal), expires, nil
}

// movingWindow starts the window again with every addition.
type movingWindow struct{ store.KV }

func (f movingWindow) Add(ctx context.Context, bucket, name string, delta int64, ttl time.Duration) (int64, time.Time, error) {
	total, expires, err := f.KV.Add(ctx, bucket, name, delta, ttl)
	if delta > 0 && ttl > 0 {
		expires = time.Now().Add(ttl)
	}
	return total, expires, err
}

// staleRead answers the first Get after a change with what was there before it.
type staleRead struct {
	store.KV
	mu  sync.Mutex
	old map[string]store.Item
}

func (f *staleRead) Apply(ctx context.Context, bucket string, ops []store.Op) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, op := range ops {
		if len(op.Name) > store.MaxName || op.Name == "" {
			continue
		}
		if item, err := f.KV.Get(ctx, bucket, op.Name, 0); err == nil {
			f.old[bucket+op.Name] = item
		}
	}
	return f.KV.Apply(ctx, bucket, ops)
}

func (f *staleRead) Get(ctx context.Context, bucket, name string, known uint64) (store.Item, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if item, ok := f.old[bucket+name]; ok {
		delete(f.old, bucket+name)
		return item, nil
	}
	return f.KV.Get(ctx, bucket, name, known)
}

type credulous struct{ store.KV }

func (f credulous) Get(ctx context.Context, bucket, name string, known uint64) (store.Item, error) {
	if known != 0 {
		return store.Item{Name: name, Version: known}, nil
	}
	return f.KV.Get(ctx, bucket, name, 0)
}

type mixedScan struct{ store.KV }

func (f mixedScan) Scan(ctx context.Context, bucket, prefix, after string, limit int) ([]store.Item, error) {
	items, err := f.KV.Scan(ctx, bucket, prefix, after, limit)
	slices.Reverse(items)
	return items, err
}

// looseScan takes a prefix that ends in 0xff for one byte less.
type looseScan struct{ store.KV }

func (f looseScan) Scan(ctx context.Context, bucket, prefix, after string, limit int) ([]store.Item, error) {
	return f.KV.Scan(ctx, bucket, strings.TrimSuffix(prefix, "\xff"), after, limit)
}

type openForever struct{ store.KV }

func (openForever) Close() error { return nil }

type deaf struct{ store.KV }

func (f deaf) Apply(ctx context.Context, bucket string, ops []store.Op) error {
	return f.KV.Apply(context.WithoutCancel(ctx), bucket, ops)
}
