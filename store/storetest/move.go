package storetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

var moveParts = []Part{
	{"every counter of every bucket is shown", checkEachCounter},
	{"a counter is found by its name and with its expiry", checkCounters},
	{"a counter that is set is exactly that", checkSetCounters},
	{"counters that break a bound are refused", checkCounterBounds},
	{"a walk over the counters ends with its visitor's error", checkWalkEnds},
}

// movable is the back end with what moving a store needs, which all have.
func movable(t T, kv store.KV) store.Movable {
	t.Helper()
	m, ok := kv.(store.Movable)
	if !ok {
		t.Fatalf("%T shows no counters", kv)
	}
	return m
}

// counters lists what a walk shows, by bucket and name.
func counters(t T, kv store.KV) map[string]store.Counter {
	t.Helper()
	shown := map[string]store.Counter{}
	err := movable(t, kv).EachCounter(t.Context(), func(bucket string, some []store.Counter) error {
		if len(some) < 1 || len(some) > store.MaxScan {
			t.Errorf("%d counters at once", len(some))
		}
		for _, c := range some {
			shown[bucket+"/"+c.Name] = c
		}
		return nil
	})
	if err != nil {
		t.Fatalf("each counter: %v", err)
	}
	return shown
}

func checkEachCounter(t T, kv store.KV) {
	if shown := counters(t, kv); len(shown) != 0 {
		t.Fatalf("of nothing: %v", shown)
	}
	want := map[string]store.Counter{}
	for b := range proofing.Buckets {
		bucket := fmt.Sprintf("%02d", b)
		var some []store.Counter
		for i := range store.MaxOps {
			c := store.Counter{Name: fmt.Sprint("n", i), Total: int64(b*1000 + i)}
			if i < len(edgy) {
				c.Name = edgy[i]
			}
			if i%3 == 0 {
				c.Expires = time.Now().Add(hour).Truncate(time.Millisecond)
			}
			some = append(some, c)
			want[bucket+"/"+c.Name] = c
		}
		if err := movable(t, kv).SetCounters(t.Context(), bucket, some); err != nil {
			t.Fatalf("set counters: %v", err)
		}
		apply(t, kv, bucket, put("n0", "a value is no counter"))
	}
	add(t, kv, "07", "brief", 1, life)
	time.Sleep(life + grace)
	shown := counters(t, kv)
	for where, c := range want {
		if got := shown[where]; got.Name != c.Name || got.Total != c.Total || !got.Expires.Equal(c.Expires) {
			t.Errorf("%q: got %v, want %v", where, got, c)
		}
	}
	for _, where := range slices.Sorted(maps.Keys(shown)) {
		if _, ok := want[where]; !ok {
			t.Errorf("%q is shown and was not made", where)
		}
	}
}

func checkCounters(t T, kv store.KV) {
	_, until := add(t, kv, "07", "timed", 3, hour)
	add(t, kv, "07", "given back", 2, hour)
	add(t, kv, "07", "given back", -2, hour)
	add(t, kv, "07", "forever", store.MaxTotal, 0)
	add(t, kv, "07", "brief", 1, life)
	add(t, kv, "08", "elsewhere", 1, 0)
	time.Sleep(life + grace)
	found, err := movable(t, kv).Counters(t.Context(), "07", []string{"none", "timed", "brief", "forever", "elsewhere", "given back"})
	if err != nil || len(found) != 3 {
		t.Fatalf("%v, %v; want three", found, err)
	}
	if c := found[0]; c.Name != "timed" || c.Total != 3 || !c.Expires.Equal(until) {
		t.Errorf("%v, want 3 until %v", c, until)
	}
	if c := found[1]; c.Name != "forever" || c.Total != store.MaxTotal || !c.Expires.IsZero() {
		t.Errorf("%v, want the most, forever", c)
	}
	if c := found[2]; c.Name != "given back" || c.Total != 0 || c.Expires.IsZero() {
		t.Errorf("%v, want nothing, with an end", c)
	}
}

func checkSetCounters(t T, kv store.KV) {
	set := func(some ...store.Counter) {
		t.Helper()
		if err := movable(t, kv).SetCounters(t.Context(), "07", some); err != nil {
			t.Fatalf("set counters: %v", err)
		}
	}
	until := time.Now().Add(hour)
	add(t, kv, "07", "over", 40, time.Minute)
	add(t, kv, "07", "gone", 40, hour)
	add(t, kv, "07", "immortal", 40, life)
	set(store.Counter{Name: "new", Total: 7, Expires: until}, store.Counter{Name: "over", Total: 8, Expires: until},
		store.Counter{Name: "gone", Total: 9, Expires: time.UnixMilli(1)}, store.Counter{Name: "never", Total: 9, Expires: time.Now().Add(-hour)},
		store.Counter{Name: "immortal", Total: 5}, store.Counter{Name: "brief", Total: 5, Expires: time.Now().Add(life)})
	for name, want := range map[string]int64{"new": 8, "over": 9} {
		if total, expires := add(t, kv, "07", name, 1, 2*hour); total != want || !expires.Equal(until.Truncate(time.Millisecond)) {
			t.Errorf("%s: %d until %v, want %d until %v", name, total, expires, want, until)
		}
	}
	for _, name := range []string{"gone", "never"} {
		if total, _ := add(t, kv, "07", name, 0, 0); total != 0 {
			t.Errorf("%s: %d, want nothing", name, total)
		}
	}
	time.Sleep(life + grace)
	if total, expires := add(t, kv, "07", "immortal", 1, hour); total != 6 || !expires.IsZero() {
		t.Errorf("immortal: %d until %v", total, expires)
	}
	if total, _ := add(t, kv, "07", "brief", 0, 0); total != 0 {
		t.Errorf("brief: %d", total)
	}
	set(store.Counter{Name: "new", Total: 2}) // the old expiry goes with the old total
	if total, expires := add(t, kv, "07", "new", 0, 0); total != 2 || !expires.IsZero() {
		t.Errorf("set again: %d until %v", total, expires)
	}
}

func checkCounterBounds(t T, kv store.KV) {
	m, long := movable(t, kv), strings.Repeat("n", store.MaxName+1)
	var many []store.Counter
	for i := range store.MaxOps + 1 {
		many = append(many, store.Counter{Name: fmt.Sprint(i)})
	}
	for what, err := range map[string]error{
		"no counter":       m.SetCounters(t.Context(), "07", nil),
		"too many":         m.SetCounters(t.Context(), "07", many),
		"one twice":        m.SetCounters(t.Context(), "07", []store.Counter{{Name: "a", Total: 1}, {Name: "a", Total: 2}}),
		"less than none":   m.SetCounters(t.Context(), "07", []store.Counter{{Name: "a", Total: -1}}),
		"more than most":   m.SetCounters(t.Context(), "07", []store.Counter{{Name: "a", Total: store.MaxTotal + 1}}),
		"a long name":      m.SetCounters(t.Context(), "07", []store.Counter{{Name: long}}),
		"a strange bucket": m.SetCounters(t.Context(), "64", []store.Counter{{Name: "a"}}),
		"no name to find":  second(m.Counters(t.Context(), "07", nil)),
		"an empty name":    second(m.Counters(t.Context(), "07", []string{""})),
		"too many names":   second(m.Counters(t.Context(), "07", make([]string, store.MaxScan+1))),
	} {
		if !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", what, err)
		}
	}
	if shown := counters(t, kv); len(shown) != 0 {
		t.Errorf("there are %v", shown)
	}
}

func second[V any](_ V, err error) error { return err }

func checkWalkEnds(t T, kv store.KV) {
	for b := range proofing.Buckets {
		add(t, kv, fmt.Sprintf("%02d", b), "n", 1, 0)
	}
	enough, visits := errors.New("enough"), 0
	err := movable(t, kv).EachCounter(t.Context(), func(string, []store.Counter) error {
		visits++
		return enough
	})
	if !errors.Is(err, enough) || visits != 1 {
		t.Errorf("%d visits, %v; want one and the visitor's error", visits, err)
	}
}
