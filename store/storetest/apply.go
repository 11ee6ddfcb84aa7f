package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

var applyParts = []Part{
	{"a condition that holds lets a change through", checkHolds},
	{"a condition that does not hold stops it", checkConflicts},
	{"a version never comes back", checkVersions},
	{"an apply changes all or nothing", checkAllOrNothing},
	{"values and names come back byte for byte", checkBytes},
	{"who has a version need not have it sent", checkKnown},
	{"buckets are apart", checkBuckets},
	{"what breaks a bound is refused and changes nothing", checkBounds},
	{"the largest apply goes through", checkLargest},
	{"a read sees every change before it", checkReadYourWrites},
	{"of many who make one item one wins", checkOneWinner},
	{"no update is lost", checkNoLostUpdate},
	{"those who change different items do not meet", checkIndependent},
}

func checkHolds(t T, kv store.KV) {
	apply(t, kv, "07", store.Op{Name: "a", If: store.Absent, Value: []byte("1")})
	first := get(t, kv, "07", "a")
	apply(t, kv, "07", store.Op{Name: "a", If: store.Match, Version: first.Version, Value: []byte("2")})
	second := get(t, kv, "07", "a")
	if string(second.Value) != "2" || second.Version == first.Version {
		t.Fatalf("got %q version %d after version %d", second.Value, second.Version, first.Version)
	}
	apply(t, kv, "07", put("a", "3"))
	third := get(t, kv, "07", "a")
	if string(third.Value) != "3" || third.Version == second.Version {
		t.Fatalf("got %q version %d after version %d", third.Value, third.Version, second.Version)
	}
	apply(t, kv, "07", store.Op{Name: "a", If: store.Match, Version: third.Version, Delete: true})
	absent(t, kv, "07", "a")
	apply(t, kv, "07", store.Op{Name: "a", If: store.Any, Delete: true}, store.Op{Name: "b", If: store.Absent, Delete: true})
}

func checkConflicts(t T, kv store.KV) {
	apply(t, kv, "07", put("a", "1"))
	was := get(t, kv, "07", "a")
	for _, op := range []store.Op{
		{Name: "a", If: store.Absent, Value: []byte("2")},
		{Name: "a", If: store.Absent, Delete: true},
		{Name: "a", If: store.Match, Version: was.Version ^ 1, Value: []byte("2")},
		{Name: "a", If: store.Match, Version: was.Version ^ 1<<62, Delete: true},
	} {
		conflict(t, kv, "07", op)
		unchanged(t, kv, "07", was)
	}
	conflict(t, kv, "07", store.Op{Name: "b", If: store.Match, Version: was.Version, Value: []byte("2")})
	absent(t, kv, "07", "b")
}

func checkVersions(t T, kv store.KV) {
	apply(t, kv, "07", put("a", "same"))
	first := get(t, kv, "07", "a")
	apply(t, kv, "07", store.Op{Name: "a", If: store.Any, Delete: true})
	apply(t, kv, "07", put("a", "same"))
	conflict(t, kv, "07", store.Op{Name: "a", If: store.Match, Version: first.Version, Value: []byte("x")})
}

func checkAllOrNothing(t T, kv store.KV) {
	apply(t, kv, "07", put("there", "1"), put("doomed", "1"))
	there, doomed := get(t, kv, "07", "there"), get(t, kv, "07", "doomed")
	good := []store.Op{
		put("new", "2"),
		{Name: "doomed", If: store.Match, Version: doomed.Version, Delete: true},
	}
	bad := store.Op{Name: "there", If: store.Absent, Value: []byte("2")}
	conflict(t, kv, "07", good[0], good[1], bad)
	conflict(t, kv, "07", bad, good[0], good[1])
	conflict(t, kv, "07", good[0], bad, good[1])
	absent(t, kv, "07", "new")
	unchanged(t, kv, "07", there)
	unchanged(t, kv, "07", doomed)
	if names := scan(t, kv, "07", "", "", 10); len(names) != 2 {
		t.Fatalf("a scan sees %q", names)
	}
	apply(t, kv, "07", append(good, put("there", "2"))...)
	absent(t, kv, "07", "doomed")
	get(t, kv, "07", "new")
}

func checkBytes(t T, kv store.KV) {
	names := []string{"\x00", "\xff", "a\x00b", "a/b", "{07}", "%41", "ä", "' OR 1=1 --", strings.Repeat("n", store.MaxName), strings.Repeat("\xff", store.MaxName)}
	values := [][]byte{nil, {}, {0}, []byte("\x00\xff\x00"), []byte("plain"), bytes.Repeat([]byte{0xfe}, store.MaxValue)}
	for _, name := range names {
		apply(t, kv, "07", put(name, name))
	}
	for _, name := range names {
		if got := get(t, kv, "07", name).Value; string(got) != name {
			t.Errorf("name %q: got %q", name, got)
		}
	}
	for i, value := range values {
		given := bytes.Clone(value)
		apply(t, kv, "08", store.Op{Name: fmt.Sprint(i), If: store.Absent, Value: given})
		clear(given) // the caller's again
		if got := get(t, kv, "08", fmt.Sprint(i)).Value; !bytes.Equal(got, value) {
			t.Errorf("value %d of %d bytes came back with %d bytes, or others", i, len(value), len(got))
		}
	}
}

// checkKnown reads with a version in hand: all but the value is as without one, and the value comes if it is another's.
func checkKnown(t T, kv store.KV) {
	at := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	apply(t, kv, "07", store.Op{Name: "a", If: store.Absent, Value: []byte("1"), Expires: at})
	first := get(t, kv, "07", "a")
	same, err := kv.Get(t.Context(), "07", "a", first.Version)
	if err != nil || same.Name != "a" || same.Version != first.Version || !same.Expires.Equal(at) || len(same.Value) > 0 && string(same.Value) != "1" {
		t.Fatalf("with its version in hand: got %+v, %v, want %+v", same, err, first)
	}
	apply(t, kv, "07", put("a", "2"))
	second := get(t, kv, "07", "a")
	for _, known := range []uint64{first.Version, second.Version ^ 1, 1, 1<<63 - 1} {
		if item, err := kv.Get(t.Context(), "07", "a", known); err != nil || string(item.Value) != "2" || item.Version != second.Version || !item.Expires.IsZero() {
			t.Fatalf("with version %d in hand: got %+v, %v", known, item, err)
		}
	}
	apply(t, kv, "07", store.Op{Name: "a", If: store.Any, Delete: true})
	for _, name := range []string{"a", "never"} {
		if _, err := kv.Get(t.Context(), "07", name, second.Version); !errors.Is(err, proofing.ErrNotFound) {
			t.Fatalf("get %q, which is not there: got %v, want ErrNotFound", name, err)
		}
	}
}

func checkBuckets(t T, kv store.KV) {
	for i, bucket := range []string{"00", "09", "10", "63"} {
		apply(t, kv, bucket, store.Op{Name: "a", If: store.Absent, Value: []byte{byte(i)}})
		add(t, kv, bucket, "n", int64(i+1), 0)
	}
	for i, bucket := range []string{"00", "09", "10", "63"} {
		if v := get(t, kv, bucket, "a").Value; v[0] != byte(i) {
			t.Errorf("bucket %s: got the value of another", bucket)
		}
		if names := scan(t, kv, bucket, "", "", 10); len(names) != 1 {
			t.Errorf("bucket %s: a scan sees %q", bucket, names)
		}
		if total, _ := add(t, kv, bucket, "n", 0, 0); total != int64(i+1) {
			t.Errorf("bucket %s: a total of %d", bucket, total)
		}
	}
	absent(t, kv, "01", "a")
}

func checkBounds(t T, kv store.KV) {
	ctx := t.Context()
	long := strings.Repeat("n", store.MaxName+1)
	refused := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", what, err)
		}
	}
	many := make([]store.Op, store.MaxOps+1)
	for i := range many {
		many[i] = put(fmt.Sprint(i), "")
	}
	for what, ops := range map[string][]store.Op{
		"no operation":                {},
		"too many operations":         many,
		"no name":                     {put("good", ""), put("", "")},
		"a long name":                 {put("good", ""), put(long, "")},
		"a big value":                 {put("good", ""), put("a", strings.Repeat("v", store.MaxValue+1))},
		"one name twice":              {put("a", "1"), put("a", "2")},
		"no condition":                {put("good", ""), {Name: "a"}},
		"an unknown condition":        {put("good", ""), {Name: "a", If: 9}},
		"Match without a version":     {put("good", ""), {Name: "a", If: store.Match}},
		"a version without Match":     {put("good", ""), {Name: "a", If: store.Any, Version: 1}},
		"a deletion that has a value": {put("good", ""), {Name: "a", If: store.Any, Delete: true, Value: []byte("v")}},
	} {
		refused(what, kv.Apply(ctx, "07", ops))
	}
	for _, bucket := range []string{"", "7", "64", "007", "ab", "+7", "-1"} {
		_, getErr := kv.Get(ctx, bucket, "a", 0)
		_, scanErr := kv.Scan(ctx, bucket, "", "", 1)
		_, _, addErr := kv.Add(ctx, bucket, "a", 1, 0)
		for _, err := range []error{getErr, scanErr, addErr, kv.Apply(ctx, bucket, []store.Op{put("a", "")})} {
			refused("bucket "+bucket, err)
		}
	}
	for _, name := range []string{"", long} {
		_, getErr := kv.Get(ctx, "07", name, 0)
		_, _, addErr := kv.Add(ctx, "07", name, 1, 0)
		refused("get", getErr)
		refused("add", addErr)
	}
	for _, limit := range []int{-1, 0, store.MaxScan + 1} {
		_, err := kv.Scan(ctx, "07", "", "", limit)
		refused(fmt.Sprintf("scan of %d", limit), err)
	}
	for _, delta := range []int64{store.MaxTotal + 1, -store.MaxTotal - 1} {
		_, _, err := kv.Add(ctx, "07", "n", delta, 0)
		refused("add", err)
	}
	for _, ttl := range []time.Duration{-1, 1, time.Millisecond - 1} {
		_, _, err := kv.Add(ctx, "07", "n", 1, ttl)
		refused("add", err)
	}
	if names := scan(t, kv, "07", "", "", 10); len(names) != 0 {
		t.Errorf("refused calls left %q", names)
	}
}

func checkLargest(t T, kv store.KV) {
	var ops []store.Op
	for i := range store.MaxOps {
		ops = append(ops, store.Op{Name: fmt.Sprint(i), If: store.Absent, Value: bytes.Repeat([]byte{1}, 1<<10)})
	}
	ops[0].Value = make([]byte, store.MaxValue)
	apply(t, kv, "07", ops...)
	if names := scan(t, kv, "07", "", "", store.MaxScan); len(names) != store.MaxOps {
		t.Fatalf("%d of %d items are there", len(names), store.MaxOps)
	}
	conflict(t, kv, "07", ops...)
}

func checkReadYourWrites(t T, kv store.KV) {
	for i := range 30 {
		want := fmt.Sprint(i)
		apply(t, kv, "07", put("a", want))
		if got := get(t, kv, "07", "a").Value; string(got) != want {
			t.Fatalf("get: got %q after writing %q", got, want)
		}
		items, err := kv.Scan(t.Context(), "07", "a", "", 1)
		if err != nil || len(items) != 1 || string(items[0].Value) != want {
			t.Fatalf("scan: got %v, %v after writing %q", items, err, want)
		}
		apply(t, kv, "07", store.Op{Name: "a", If: store.Any, Delete: true})
		absent(t, kv, "07", "a")
	}
}

func checkOneWinner(t T, kv store.KV) {
	for round := range 5 {
		var won atomic.Int32
		together(16, func(i int) {
			err := kv.Apply(t.Context(), "07", []store.Op{
				put(fmt.Sprint("mark", round, "/", i), ""),
				{Name: fmt.Sprint("prize", round), If: store.Absent, Value: []byte{byte(i)}},
			})
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, store.ErrConflict):
				t.Errorf("apply: %v", err)
			}
		})
		if n := won.Load(); n != 1 {
			t.Errorf("%d won", n)
		}
		winner := get(t, kv, "07", fmt.Sprint("prize", round)).Value[0]
		marks := scan(t, kv, "07", fmt.Sprint("mark", round, "/"), "", 100)
		if want := fmt.Sprint("mark", round, "/", winner); len(marks) != 1 || marks[0] != want {
			t.Errorf("the marks are %q, want only the winner's, %q", marks, want)
		}
	}
}

func checkNoLostUpdate(t T, kv store.KV) {
	const callers, each = 8, 25
	apply(t, kv, "07", store.Op{Name: "a", If: store.Absent, Value: []byte{0}})
	together(callers, func(int) {
		for done := 0; done < each; {
			item, err := kv.Get(t.Context(), "07", "a", 0)
			if err == nil {
				err = kv.Apply(t.Context(), "07", []store.Op{{Name: "a", If: store.Match, Version: item.Version, Value: []byte{item.Value[0] + 1}}})
			}
			if err == nil {
				done++
			} else if !errors.Is(err, store.ErrConflict) {
				t.Errorf("%v", err)
				return
			}
		}
	})
	if n := get(t, kv, "07", "a").Value[0]; n != callers*each {
		t.Errorf("%d updates are left of %d", n, callers*each)
	}
}

func checkIndependent(t T, kv store.KV) {
	together(32, func(i int) {
		bucket := fmt.Sprintf("%02d", i%3)
		name := fmt.Sprint(i)
		if err := kv.Apply(t.Context(), bucket, []store.Op{{Name: name, If: store.Absent, Value: []byte(name)}}); err != nil {
			t.Errorf("apply: %v", err)
			return
		}
		item, err := kv.Get(t.Context(), bucket, name, 0)
		if err != nil || string(item.Value) != name {
			t.Errorf("get: %v, %v", item, err)
			return
		}
		if err := kv.Apply(t.Context(), bucket, []store.Op{{Name: name, If: store.Match, Version: item.Version, Delete: true}}); err != nil {
			t.Errorf("delete: %v", err)
		}
		if _, err := kv.Get(t.Context(), bucket, name, 0); !errors.Is(err, proofing.ErrNotFound) {
			t.Errorf("get of what was deleted: %v", err)
		}
	})
}
