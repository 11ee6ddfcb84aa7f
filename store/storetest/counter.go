package storetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

var counterParts = []Part{
	{"a counter stays between nothing and its most", checkFloor},
	{"a look or a removal makes no counter", checkLook},
	{"counters and values do not see one another", checkNameSpaces},
	{"every addition of many at once counts once", checkParallelAdd},
	{"the limiter counts for each key and window", checkLimiter},
}

func checkFloor(t T, kv store.KV) {
	for _, x := range []struct{ delta, want int64 }{
		{3, 3}, {-1, 2}, {-5, 0}, {0, 0}, {4, 4}, {store.MaxTotal, store.MaxTotal}, {1, store.MaxTotal}, {-store.MaxTotal, 0},
	} {
		total, expires := add(t, kv, "07", "n", x.delta, 0)
		if total != x.want || !expires.IsZero() {
			t.Fatalf("after adding %d: %d until %v, want %d and never", x.delta, total, expires, x.want)
		}
	}
}

func checkLook(t T, kv store.KV) {
	for _, delta := range []int64{0, -1} {
		if total, expires := add(t, kv, "07", "n", delta, time.Minute); total != 0 || !expires.IsZero() {
			t.Fatalf("adding %d to nothing: %d until %v", delta, total, expires)
		}
	}
	// The window is that of the first addition, and not that of the looks.
	if _, expires := add(t, kv, "07", "n", 1, hour); time.Until(expires) < hour/2 {
		t.Fatalf("the window ends at %v", expires)
	}
}

func checkNameSpaces(t T, kv store.KV) {
	add(t, kv, "07", "a", 7, 0)
	absent(t, kv, "07", "a")
	expect(t, "scan", scan(t, kv, "07", "", "", 10), nil)
	apply(t, kv, "07", store.Op{Name: "a", If: store.Absent, Value: []byte("v")})
	apply(t, kv, "07", store.Op{Name: "a", If: store.Any, Delete: true})
	if total, _ := add(t, kv, "07", "a", 0, 0); total != 7 {
		t.Errorf("the counter is %d, want 7", total)
	}
}

func checkParallelAdd(t T, kv store.KV) {
	const callers, each = 12, 12
	var mu sync.Mutex
	seen := make(map[int64]bool)
	together(callers, func(int) {
		for range each {
			total, _, err := kv.Add(t.Context(), "07", "n", 1, hour)
			mu.Lock()
			if err != nil || seen[total] {
				t.Errorf("a total of %d, seen before or failed: %v", total, err)
			}
			seen[total] = true
			mu.Unlock()
		}
	})
	if total, _ := add(t, kv, "07", "n", 0, 0); total != callers*each || len(seen) != callers*each {
		t.Errorf("a total of %d after %d additions, %d totals seen", total, callers*each, len(seen))
	}
}

func checkLimiter(t T, kv store.KV) {
	limiter := store.NewLimiter(kv)
	for want := int64(1); want <= 3; want++ {
		total, resets, err := limiter.Add(t.Context(), "codes/x", 1, time.Minute)
		if err != nil || total != want || time.Until(resets) > time.Minute+grace {
			t.Fatalf("got %d until %v, %v; want %d", total, resets, err, want)
		}
	}
	if total, _, err := limiter.Add(t.Context(), "codes/y", 1, 0); err != nil || total != 1 {
		t.Errorf("another key: %d, %v", total, err)
	}
	if total, _, err := limiter.Add(t.Context(), "codes/x", 0, time.Minute); err != nil || total != 3 {
		t.Errorf("a look: %d, %v", total, err)
	}
}

var callParts = []Part{
	{"a context that has ended ends the call and changes nothing", checkContext},
	{"a closed back end is unavailable", checkClosed},
}

// everyMethod calls each method but Close and returns the errors.
func everyMethod(ctx context.Context, t T, kv store.KV) map[string]error {
	m := movable(t, kv)
	_, countersErr := m.Counters(ctx, "07", []string{"n"})
	_, getErr := kv.Get(ctx, "07", "a", 0)
	_, scanErr := kv.Scan(ctx, "07", "", "", 1)
	_, _, addErr := kv.Add(ctx, "07", "n", 1, 0)
	return map[string]error{
		"get": getErr, "scan": scanErr, "add": addErr, "counters": countersErr,
		"each counter": m.EachCounter(ctx, func(string, []store.Counter) error { return nil }),
		"set counters": m.SetCounters(ctx, "07", []store.Counter{{Name: "n", Total: 9}}),
		"apply":        kv.Apply(ctx, "07", []store.Op{put("a", "2")}),
	}
}

func checkContext(t T, kv store.KV) {
	apply(t, kv, "07", put("a", "1"))
	was := get(t, kv, "07", "a")
	gone := errors.New("the caller has gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	for method, err := range everyMethod(ctx, t, kv) {
		if !errors.Is(err, proofing.ErrUnavailable) || !errors.Is(err, gone) {
			t.Errorf("%s: got %v, want ErrUnavailable and the context's cause", method, err)
		}
	}
	unchanged(t, kv, "07", was)
	if total, _ := add(t, kv, "07", "n", 0, 0); total != 0 {
		t.Errorf("the counter is %d", total)
	}
}

func checkClosed(t T, kv store.KV) {
	apply(t, kv, "07", put("a", "1"))
	if err := kv.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	for method, err := range everyMethod(t.Context(), t, kv) {
		if !errors.Is(err, proofing.ErrUnavailable) {
			t.Errorf("%s: got %v, want ErrUnavailable", method, err)
		}
	}
	if err := kv.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}
