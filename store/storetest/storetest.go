// Package storetest is the contract of store.KV as a test suite. Every back end
// passes all of it; there is no part that one may leave out.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

// T is what the suite needs of a *testing.T. It is an interface so that the suite
// can be run on a back end that is broken on purpose, and be seen to fail.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	// Fatalf ends the calling goroutine, which is the one that Check was called in.
	Fatalf(format string, args ...any)
	Context() context.Context
}

// Part is one part of the contract.
type Part struct {
	Name  string
	Check func(t T, kv store.KV) // on a back end that is empty, and may be closed
}

// Parts returns all of the contract that a back end can show without being opened again.
func Parts() []Part {
	var parts []Part
	for _, some := range [][]Part{applyParts, scanParts, expiryParts, counterParts, moveParts, callParts, tableParts} {
		parts = append(parts, some...)
	}
	return parts
}

// Run runs every part, each on an empty back end of its own, in parallel.
// open makes one and sees to its removal.
func Run(t *testing.T, open func(t *testing.T) store.KV) {
	for _, part := range Parts() {
		t.Run(part.Name, func(t *testing.T) {
			t.Parallel()
			part.Check(t, open(t))
		})
	}
}

// RunDurable is Run for a back end that keeps what it has when it is closed:
// reopen closes it and opens what it left.
func RunDurable(t *testing.T, open func(t *testing.T) store.KV, reopen func(t *testing.T, kv store.KV) store.KV) {
	Run(t, open)
	t.Run("what was acknowledged is there after reopening", func(t *testing.T) {
		t.Parallel()
		kv := open(t)
		check := fill(t, kv)
		check(reopen(t, kv))
	})
}

// fill stores a bit of everything and returns the check that it is there.
func fill(t T, kv store.KV) (check func(kv store.KV)) {
	expires := time.Now().Add(time.Hour)
	apply(t, kv, "00", put("kept", "v"))
	apply(t, kv, "63", store.Op{Name: "expiring", If: store.Any, Value: []byte("w"), Expires: expires})
	apply(t, kv, "00", put("deleted", "x"))
	apply(t, kv, "00", store.Op{Name: "deleted", If: store.Any, Delete: true})
	version := get(t, kv, "00", "kept").Version
	total, resets := add(t, kv, "00", "count", 3, time.Hour)
	return func(kv store.KV) {
		if item := get(t, kv, "00", "kept"); string(item.Value) != "v" || item.Version != version {
			t.Errorf("kept: got %q version %d, want %q version %d", item.Value, item.Version, "v", version)
		}
		if item := get(t, kv, "63", "expiring"); !item.Expires.Equal(expires.Truncate(time.Millisecond)) {
			t.Errorf("expiring: expires %v, want %v", item.Expires, expires)
		}
		absent(t, kv, "00", "deleted")
		if again, until := add(t, kv, "00", "count", 1, time.Minute); again != total+1 || !until.Equal(resets) {
			t.Errorf("count: got %d until %v, want %d until %v", again, until, total+1, resets)
		}
	}
}

func put(name, value string) store.Op {
	return store.Op{Name: name, If: store.Any, Value: []byte(value)}
}

func apply(t T, kv store.KV, bucket string, ops ...store.Op) {
	t.Helper()
	if err := kv.Apply(t.Context(), bucket, ops); err != nil {
		t.Fatalf("apply: %v", err)
	}
}

// conflict checks that the operations are refused for a condition.
func conflict(t T, kv store.KV, bucket string, ops ...store.Op) {
	t.Helper()
	if err := kv.Apply(t.Context(), bucket, ops); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("apply: got %v, want ErrConflict", err)
	}
}

func get(t T, kv store.KV, bucket, name string) store.Item {
	t.Helper()
	item, err := kv.Get(t.Context(), bucket, name, 0)
	if err != nil {
		t.Fatalf("get %q: %v", name, err)
	}
	if item.Name != name || item.Version == 0 {
		t.Fatalf("get %q: got name %q, version %d", name, item.Name, item.Version)
	}
	return item
}

func absent(t T, kv store.KV, bucket, name string) {
	t.Helper()
	if _, err := kv.Get(t.Context(), bucket, name, 0); !errors.Is(err, proofing.ErrNotFound) {
		t.Fatalf("get %q: got %v, want ErrNotFound", name, err)
	}
}

// unchanged checks that an item is what it was.
func unchanged(t T, kv store.KV, bucket string, was store.Item) {
	t.Helper()
	is := get(t, kv, bucket, was.Name)
	if is.Version != was.Version || !bytes.Equal(is.Value, was.Value) || !is.Expires.Equal(was.Expires) {
		t.Fatalf("%q changed from %v to %v", was.Name, was, is)
	}
}

func scan(t T, kv store.KV, bucket, prefix, after string, limit int) (names []string) {
	t.Helper()
	items, err := kv.Scan(t.Context(), bucket, prefix, after, limit)
	if err != nil {
		t.Fatalf("scan: %v", err)
	}
	for _, item := range items {
		names = append(names, item.Name)
	}
	return names
}

func add(t T, kv store.KV, bucket, name string, delta int64, ttl time.Duration) (int64, time.Time) {
	t.Helper()
	total, expires, err := kv.Add(t.Context(), bucket, name, delta, ttl)
	if err != nil {
		t.Fatalf("add: %v", err)
	}
	return total, expires
}

// together calls do n times at once and waits. do must not call Fatalf.
func together(n int, do func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			do(i)
		})
	}
	close(start)
	all.Wait()
}
