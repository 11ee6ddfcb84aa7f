package storetest

import (
	"fmt"
	"time"

	"github.com/countersign-id/countersign/store"
)

var expiryParts = []Part{
	{"an item is there until it expires and then absent from everything", checkExpiry},
	{"a put replaces the expiry", checkNewExpiry},
	{"a put that has expired deletes", checkPast},
	{"what has expired takes no place in a scan", checkExpiredScan},
	{"a counter expires with its first addition", checkWindow},
}

const (
	hour = time.Hour
	// life is long enough for what must happen within it, on a busy machine too.
	life = 5 * time.Second
	// grace covers a back end whose clock is not quite ours.
	grace = 100 * time.Millisecond
)

func expiring(name, value string, in time.Duration) store.Op {
	return store.Op{Name: name, If: store.Any, Value: []byte(value), Expires: time.Now().Add(in)}
}

func checkExpiry(t T, kv store.KV) {
	ops := []store.Op{expiring("a", "1", life), expiring("b", "1", life), expiring("c", "1", life)}
	apply(t, kv, "07", ops...)
	a, b := get(t, kv, "07", "a"), get(t, kv, "07", "b")
	if want := ops[0].Expires.Truncate(time.Millisecond); !a.Expires.Equal(want) {
		t.Errorf("expires %v, want %v", a.Expires, want)
	}
	expect(t, "scan before", scan(t, kv, "07", "", "", 10), []string{"a", "b", "c"})
	conflict(t, kv, "07", store.Op{Name: "a", If: store.Absent, Value: []byte("2")})

	time.Sleep(life + grace)
	absent(t, kv, "07", "a")
	expect(t, "scan after", scan(t, kv, "07", "", "", 10), nil)
	conflict(t, kv, "07", store.Op{Name: "a", If: store.Match, Version: a.Version, Value: []byte("2")})
	conflict(t, kv, "07", store.Op{Name: "b", If: store.Match, Version: b.Version, Delete: true}, put("d", ""))
	absent(t, kv, "07", "d")
	apply(t, kv, "07",
		store.Op{Name: "a", If: store.Absent, Value: []byte("2")},
		store.Op{Name: "c", If: store.Any, Delete: true})
	if again := get(t, kv, "07", "a"); string(again.Value) != "2" || again.Version == a.Version || !again.Expires.IsZero() {
		t.Errorf("made again: %v", again)
	}
}

func checkNewExpiry(t T, kv store.KV) {
	apply(t, kv, "07", expiring("longer", "1", life), expiring("forever", "1", life), put("mortal", "1"))
	apply(t, kv, "07", expiring("longer", "2", hour), put("forever", "2"), expiring("mortal", "2", life))
	time.Sleep(life + grace)
	if item := get(t, kv, "07", "longer"); item.Expires.IsZero() {
		t.Errorf("longer: expires never")
	}
	if item := get(t, kv, "07", "forever"); !item.Expires.IsZero() {
		t.Errorf("forever: expires %v", item.Expires)
	}
	absent(t, kv, "07", "mortal")
}

func checkPast(t T, kv store.KV) {
	apply(t, kv, "07", put("a", "1"))
	apply(t, kv, "07", expiring("a", "2", -time.Minute), expiring("b", "2", -hour))
	absent(t, kv, "07", "a")
	absent(t, kv, "07", "b")
	apply(t, kv, "07", store.Op{Name: "a", If: store.Absent, Value: []byte("3")})
	get(t, kv, "07", "a")
}

func checkExpiredScan(t T, kv store.KV) {
	for i := range 10 {
		apply(t, kv, "07", expiring(fmt.Sprintf("a%d", i), "", life))
	}
	apply(t, kv, "07", put("a3x", ""), put("b", ""), put("c", ""))
	time.Sleep(life + grace)
	expect(t, "full page", scan(t, kv, "07", "", "", 3), []string{"a3x", "b", "c"})
	expect(t, "next page", scan(t, kv, "07", "", "a3", 2), []string{"a3x", "b"})
}

func checkWindow(t T, kv store.KV) {
	start := time.Now()
	total, expires := add(t, kv, "07", "n", 1, life)
	if total != 1 || expires.Before(start.Add(life-grace)) || expires.After(time.Now().Add(life+grace)) {
		t.Fatalf("first addition: %d until %v", total, expires)
	}
	for want := int64(2); want <= 4; want++ {
		total, until := add(t, kv, "07", "n", 1, hour)
		if total != want || !until.Equal(expires) {
			t.Fatalf("got %d until %v, want %d until %v", total, until, want, expires)
		}
	}
	if total, until := add(t, kv, "07", "n", -9, 0); total != 0 || !until.Equal(expires) {
		t.Fatalf("given back: %d until %v, want 0 until %v", total, until, expires)
	}
	time.Sleep(life + grace)
	if total, until := add(t, kv, "07", "n", 0, hour); total != 0 || !until.IsZero() {
		t.Fatalf("expired: %d until %v, want nothing", total, until)
	}
	if total, until := add(t, kv, "07", "n", 5, hour); total != 5 || !until.After(expires) {
		t.Fatalf("new window: %d until %v", total, until)
	}
}
