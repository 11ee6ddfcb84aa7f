package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

var tableParts = []Part{
	{"a record is created once, read, changed and deleted", checkRecord},
	{"an edit that fails, panics or changes nothing writes nothing", checkNoWrite},
	{"a unique value has one holder at a time", checkUnique},
	{"of many who claim a unique value one gets it", checkUniqueRace},
	{"every edit of many at once is made once", checkParallelEdits},
	{"a listing is in the order of values, in pages that join", checkListing},
	{"a listing below a value stops there", checkBelow},
	{"a merged listing has one order", checkMerged},
	{"a merged listing of what lies together has one order", checkMergedHeap},
	{"a count is what a listing has", checkCount},
	{"a record and its entries expire together", checkRecordExpiry},
	{"what is stored shows nothing of the record", checkSealed},
	{"records and entries agree after random changes at once", checkConsistency},
}

// thing is the record that the suite stores.
type thing struct {
	ID      string
	Status  string
	Email   string // unique, if not empty
	Count   int
	Expires time.Time
}

// Indexes implements proofing.Record.
func (v *thing) Indexes() []proofing.Index {
	indexes := []proofing.Index{{Name: "status", Value: v.Status}}
	if v.Email != "" {
		indexes = append(indexes, proofing.Index{Name: "email", Value: v.Email, Unique: true})
	}
	return indexes
}

// ExpiresAt implements proofing.Record.
func (v *thing) ExpiresAt() time.Time { return v.Expires }

func things(t T, kv store.KV) proofing.Table[thing] {
	t.Helper()
	ring, err := store.NewRing(time.Now())
	if err != nil {
		t.Fatalf("ring: %v", err)
	}
	return store.NewTable[thing](kv, ring, "thing")
}

// create stores a thing in a bucket and returns its id.
func create(t T, table proofing.Table[thing], bucket, rest string, v thing) string {
	t.Helper()
	v.ID = bucket + rest
	if err := table.Create(t.Context(), v.ID, &v); err != nil {
		t.Fatalf("create: %v", err)
	}
	return v.ID
}

func wantErr(t T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: got %v, want %v", what, err, want)
	}
}

func checkRecord(t T, kv store.KV) {
	ctx, table := t.Context(), things(t, kv)
	id := create(t, table, "07", "a", thing{Status: "open"})
	wantErr(t, "create again", table.Create(ctx, id, &thing{}), proofing.ErrExists)
	v, err := table.Get(ctx, id)
	if err != nil || v.ID != id || v.Status != "open" {
		t.Fatalf("get: %+v, %v", v, err)
	}
	v, err = table.Update(ctx, id, func(v *thing) error { v.Status, v.Count = "done", 3; return nil })
	if err != nil || v.Status != "done" || v.Count != 3 {
		t.Fatalf("update: %+v, %v", v, err)
	}
	if v, err = table.Get(ctx, id); err != nil || v.Status != "done" || v.Count != 3 {
		t.Fatalf("get after update: %+v, %v", v, err)
	}
	expect(t, "open", list(t, table, proofing.Query{Index: "status", Value: "open"}), nil)
	expect(t, "done", list(t, table, proofing.Query{Index: "status", Value: "done"}), []string{id})
	if err := table.Delete(ctx, id); err != nil {
		t.Fatalf("delete: %v", err)
	}
	_, err = table.Get(ctx, id)
	wantErr(t, "get after delete", err, proofing.ErrNotFound)
	_, err = table.Update(ctx, id, func(*thing) error { return nil })
	wantErr(t, "update after delete", err, proofing.ErrNotFound)
	wantErr(t, "delete again", table.Delete(ctx, id), proofing.ErrNotFound)
	_, err = table.Get(ctx, "../../x")
	wantErr(t, "get of what is no id", err, proofing.ErrNotFound)
	expect(t, "names left", scan(t, kv, "07", "", "", 10), nil)
}

func checkNoWrite(t T, kv store.KV) {
	ctx, table := t.Context(), things(t, kv)
	id := create(t, table, "07", "a", thing{Status: "open", Email: "x", Expires: time.Now().Add(hour)})
	before, err := kv.Scan(ctx, "07", "", "", 10)
	if err != nil {
		t.Fatalf("scan: %v", err)
	}
	own := errors.New("the edit's own")
	_, err = table.Update(ctx, id, func(v *thing) error { v.Status = "bad"; return own })
	if err != own { //nolint:errorlint // as it is: not even wrapped
		t.Errorf("a failed edit: got %v, want the edit's own error as it is", err)
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = table.Update(ctx, id, func(v *thing) error { v.Status, v.Email = "bad", ""; panic("edit") })
		t.Errorf("the panic of an edit did not come through")
	}()
	v, err := table.Update(ctx, id, func(v *thing) error { v.Count += 0; return nil })
	if err != nil || v.Status != "open" {
		t.Errorf("an edit of nothing: %+v, %v", v, err)
	}
	for _, item := range before {
		unchanged(t, kv, "07", item)
	}
}

func checkUnique(t T, kv store.KV) {
	ctx, table := t.Context(), things(t, kv)
	a := create(t, table, "07", "a", thing{Email: "x", Status: "open"})
	b := create(t, table, "07", "b", thing{Email: "y", Status: "open"})
	wantErr(t, "create with a taken value", table.Create(ctx, "07c", &thing{Email: "x"}), proofing.ErrExists)
	_, err := table.Update(ctx, b, func(v *thing) error { v.Email, v.Status = "x", "bad"; return nil })
	wantErr(t, "update to a taken value", err, proofing.ErrExists)
	if v, err := table.Get(ctx, b); err != nil || v.Email != "y" || v.Status != "open" {
		t.Errorf("after the refusal: %+v, %v", v, err)
	}
	create(t, table, "08", "d", thing{Email: "x"}) // another bucket, another world
	if _, err := table.Update(ctx, a, func(v *thing) error { v.Email = "z"; return nil }); err != nil {
		t.Fatalf("letting go: %v", err)
	}
	if _, err := table.Update(ctx, b, func(v *thing) error { v.Email = "x"; return nil }); err != nil {
		t.Fatalf("taking what was let go: %v", err)
	}
	for value, want := range map[string]string{"x": b, "z": a} {
		if v, err := table.Find(ctx, "07", "email", value); err != nil || v.ID != want {
			t.Errorf("find %s: %+v, %v", value, v, err)
		}
	}
	_, err = table.Find(ctx, "07", "email", "y")
	wantErr(t, "find what nobody holds", err, proofing.ErrNotFound)
	if err := table.Delete(ctx, b); err != nil {
		t.Fatalf("delete: %v", err)
	}
	create(t, table, "07", "e", thing{Email: "x"})
}

func checkUniqueRace(t T, kv store.KV) {
	ctx, table := t.Context(), things(t, kv)
	const callers = 8
	for i := range callers / 2 {
		create(t, table, "07", fmt.Sprint("old", i), thing{Status: "open"})
	}
	won := make(chan string, callers)
	together(callers, func(i int) {
		id, err := fmt.Sprint("07new", i), error(nil)
		if i < callers/2 {
			id = fmt.Sprint("07old", i)
			_, err = table.Update(ctx, id, func(v *thing) error { v.Email = "prize"; return nil })
		} else {
			err = table.Create(ctx, id, &thing{ID: id, Email: "prize"})
		}
		switch {
		case err == nil:
			won <- id
		case !errors.Is(err, proofing.ErrExists):
			t.Errorf("claim: %v", err)
		}
	})
	if len(won) != 1 {
		t.Fatalf("%d hold the value", len(won))
	}
	if v, err := table.Find(ctx, "07", "email", "prize"); err != nil || v.ID != <-won {
		t.Errorf("find: %+v, %v", v, err)
	}
}

func checkParallelEdits(t T, kv store.KV) {
	ctx, table := t.Context(), things(t, kv)
	id := create(t, table, "07", "a", thing{Status: "open"})
	const callers, each = 8, 4
	together(callers, func(int) {
		for range each {
			if _, err := table.Update(ctx, id, func(v *thing) error { v.Count++; return nil }); err != nil {
				t.Errorf("update: %v", err)
			}
		}
	})
	if v, err := table.Get(ctx, id); err != nil || v.Count != callers*each {
		t.Errorf("%+v, %v: want a count of %d", v, err, callers*each)
	}
}

// list pages through a query, in pages of every small size, and returns the ids.
func list(t T, table proofing.Table[thing], q proofing.Query) (ids []string) {
	t.Helper()
	for limit := range 4 {
		q.Limit, q.After = limit, ""
		var got []string
		for {
			page, next, err := table.List(t.Context(), q)
			if err != nil {
				t.Fatalf("list: %v", err)
			}
			for _, v := range page {
				got = append(got, v.ID)
			}
			if next == "" {
				break
			}
			if len(page) != q.Limit {
				t.Fatalf("a page of %d with another behind it, want %d", len(page), q.Limit)
			}
			q.After = next
		}
		if limit > 0 {
			expect(t, fmt.Sprintf("%+v", q), got, ids)
		}
		ids = got
	}
	return ids
}

func checkListing(t T, kv store.KV) {
	table := things(t, kv)
	var want []string
	for _, x := range []struct{ bucket, rest string }{{"00", "b"}, {"00", "c"}, {"07", "a"}, {"63", "a"}, {"63", "b"}} {
		want = append(want, create(t, table, x.bucket, x.rest, thing{Status: "open"}))
		create(t, table, x.bucket, x.rest+"-other", thing{Status: "open "})
		create(t, table, x.bucket, x.rest+"-more", thing{Status: "opener"})
	}
	expect(t, "everywhere", list(t, table, proofing.Query{Index: "status", Value: "open"}), want)
	expect(t, "in one bucket", list(t, table, proofing.Query{Index: "status", Value: "open", Bucket: "63"}), want[3:])
	expect(t, "no such value", list(t, table, proofing.Query{Index: "status", Value: "ope"}), nil)
	expect(t, "no such index", list(t, table, proofing.Query{Index: "stat", Value: "open"}), nil)
	var input *proofing.InputError
	for _, cursor := range []string{"?", "AAAA", "MDBpL3RoaW5nL3N0YXR1cy9ub25lIWE"} {
		if _, _, err := table.List(t.Context(), proofing.Query{Index: "status", Value: "open", After: cursor}); !errors.As(err, &input) {
			t.Errorf("cursor %q: got %v, want an InputError", cursor, err)
		}
	}
}

func checkBelow(t T, kv store.KV) {
	table := things(t, kv)
	// Each bucket starts over with the least value.
	first, second := create(t, table, "00", "x", thing{Email: "b"}), create(t, table, "63", "x", thing{Email: "a"})
	expect(t, "in two buckets", list(t, table, proofing.Query{Index: "email", Below: "c"}), []string{first, second})
	for _, id := range []string{first, second} {
		if err := table.Delete(t.Context(), id); err != nil {
			t.Fatalf("delete: %v", err)
		}
	}
	values := []string{"", "\x00", " ", "!", "\"", "#", "/", "2026-11-23", "2026-11-23T1", "a", "a ", "a-b", "a/b", "ab", "~", "\x7f", "é", "\xff"}
	if !slices.IsSorted(values) {
		t.Fatalf("the values are not in order")
	}
	var ids []string
	for i := range values {
		n := (i*7 + 3) % len(values) // mixed
		create(t, table, "07", fmt.Sprint("n", n), thing{Status: values[n]})
	}
	for i, value := range values {
		ids = append(ids, fmt.Sprint("07n", i))
		expect(t, fmt.Sprintf("value %q", value), list(t, table, proofing.Query{Index: "status", Value: value}), ids[i:i+1])
		if value != "" { // an empty Below is none
			expect(t, fmt.Sprintf("below %q", value), list(t, table, proofing.Query{Index: "status", Below: value}), ids[:i])
		}
	}
}

func checkMerged(t T, kv store.KV) {
	table := things(t, kv)
	var want []string
	for i := range 23 { // one after another in their order, each in another bucket
		want = append(want, create(t, table, fmt.Sprintf("%02d", i*37%64), fmt.Sprint("m", i), thing{Status: fmt.Sprintf("open.%02d", i/3)}))
	}
	for i := 0; i < len(want); i += 3 { // what has the same value is in the order of ids
		slices.Sort(want[i:min(i+3, len(want))])
	}
	create(t, table, "00", "other", thing{Status: "opener"})
	create(t, table, "63", "none", thing{Status: "closed"})
	expect(t, "merged", list(t, table, proofing.Query{Index: "status", Prefix: "open.", Merged: true}), want)
	expect(t, "merged, of one value", list(t, table, proofing.Query{Index: "status", Value: "open.03", Merged: true}), want[9:12])
	expect(t, "merged, below", list(t, table, proofing.Query{Index: "status", Below: "open.02", Merged: true}), append([]string{"63none"}, want[:6]...))
	expect(t, "merged, in one bucket", list(t, table, proofing.Query{Index: "status", Prefix: "open.", Bucket: "00", Merged: true}), []string{"00m0"})
	expect(t, "merged, of nothing", list(t, table, proofing.Query{Index: "status", Prefix: "ended", Merged: true}), nil)
	expect(t, "not merged", list(t, table, proofing.Query{Index: "status", Prefix: "open.", Bucket: "37"}), []string{"37m1"})
	var input *proofing.InputError
	_, other, err := table.List(t.Context(), proofing.Query{Index: "status", Prefix: "open.", Limit: 1})
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, cursor := range []string{"?", "AAAA", other} {
		if _, _, err := table.List(t.Context(), proofing.Query{Index: "status", Prefix: "open.", Merged: true, After: cursor}); !errors.As(err, &input) {
			t.Errorf("cursor %q: got %v, want an InputError", cursor, err)
		}
	}
	for _, gone := range want[3:20] { // a page is not shorter for what went while it was made
		if err := table.Delete(t.Context(), gone); err != nil {
			t.Fatalf("%v", err)
		}
	}
	expect(t, "merged, after some have gone", list(t, table, proofing.Query{Index: "status", Prefix: "open.", Merged: true}), append(want[:3:3], want[20:]...))
}

func checkMergedHeap(t T, kv store.KV) {
	table := things(t, kv)
	var want []string
	for i := range 60 { // all but a few in one bucket
		bucket := "17"
		if i%20 == 19 {
			bucket = fmt.Sprintf("%02d", i)
		}
		want = append(want, create(t, table, bucket, fmt.Sprint("h", i), thing{Status: fmt.Sprintf("heap.%02d", i)}))
	}
	expect(t, "merged", list(t, table, proofing.Query{Index: "status", Prefix: "heap.", Merged: true}), want)
	expect(t, "merged, below", list(t, table, proofing.Query{Index: "status", Below: "heap.55", Merged: true}), want[:55])
}

func checkCount(t T, kv store.KV) {
	table := things(t, kv)
	for i := range 30 {
		create(t, table, fmt.Sprintf("%02d", i*37%64), fmt.Sprint("c", i), thing{Status: fmt.Sprintf("open.%02d", i)})
	}
	create(t, table, "63", "none", thing{Status: "closed"})
	for i := range 20 { // most of them in one bucket
		create(t, table, []string{"17", "17", "17", "40"}[i%4], fmt.Sprint("h", i), thing{Status: fmt.Sprintf("pile.%02d", i)})
	}
	for _, c := range []struct {
		q    proofing.Query
		n    int
		more bool
	}{
		{proofing.Query{Prefix: "open.", Limit: 100}, 30, false}, {proofing.Query{Prefix: "open.", Limit: 30}, 30, false}, {proofing.Query{Prefix: "open.", Limit: 29}, 29, true},
		{proofing.Query{Prefix: "open.", Limit: 1}, 1, true}, {proofing.Query{Prefix: "open.", Limit: 30, Merged: true}, 30, false}, {proofing.Query{Value: "closed", Limit: 5}, 1, false},
		{proofing.Query{Prefix: "pile.", Limit: 2000}, 20, false}, {proofing.Query{Prefix: "pile.", Limit: 20}, 20, false}, {proofing.Query{Prefix: "pile.", Limit: 19}, 19, true},
		{proofing.Query{Prefix: "pile.", Limit: 5}, 5, true}, {proofing.Query{Below: "pile.15", Limit: 46}, 46, false}, {proofing.Query{Below: "pile.15", Limit: 45}, 45, true},
		{proofing.Query{Value: "open", Limit: 5}, 0, false}, {proofing.Query{Below: "open.03", Limit: 9}, 4, false}, {proofing.Query{Prefix: "open.", Bucket: "37", Limit: 9}, 1, false},
	} {
		c.q.Index = "status"
		if n, more, err := table.Count(t.Context(), c.q); err != nil || n != c.n || more != c.more {
			t.Errorf("%+v: %d, more %v, %v; want %d, %v", c.q, n, more, err, c.n, c.more)
		}
	}
	if _, _, err := table.Count(t.Context(), proofing.Query{Index: "no word", Limit: 5}); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("an index that cannot be: %v", err)
	}
}

func checkRecordExpiry(t T, kv store.KV) {
	ctx, table := t.Context(), things(t, kv)
	soon, late := time.Now().Add(life), time.Now().Add(hour)
	gone := create(t, table, "07", "gone", thing{Status: "s", Email: "x", Expires: soon})
	kept := create(t, table, "07", "kept", thing{Status: "s", Email: "y", Expires: soon})
	cut := create(t, table, "07", "cut", thing{Status: "s", Email: "z"})
	for id, expires := range map[string]time.Time{kept: late, cut: soon} {
		if _, err := table.Update(ctx, id, func(v *thing) error { v.Expires = expires; return nil }); err != nil {
			t.Fatalf("update: %v", err)
		}
	}
	time.Sleep(life + grace)
	expect(t, "listed", list(t, table, proofing.Query{Index: "status", Value: "s"}), []string{kept})
	for id, email := range map[string]string{gone: "x", cut: "z"} {
		_, err := table.Get(ctx, id)
		wantErr(t, "get", err, proofing.ErrNotFound)
		_, err = table.Find(ctx, "07", "email", email)
		wantErr(t, "find", err, proofing.ErrNotFound)
	}
	if v, err := table.Find(ctx, "07", "email", "y"); err != nil || v.ID != kept {
		t.Errorf("find what was kept: %+v, %v", v, err)
	}
	create(t, table, "07", "gone", thing{Email: "z"}) // the id and the value are free
	expect(t, "entries", scan(t, kv, "07", "i/thing/status/s!", "", 10), []string{"i/thing/status/s!" + kept})
}

func checkSealed(t T, kv store.KV) {
	table := things(t, kv)
	id := create(t, table, "07", "a", thing{Status: "open", Email: "x"})
	raw := get(t, kv, "07", "r/thing/"+id)
	if strings.Contains(string(raw.Value), "open") || strings.Contains(string(raw.Value), "Status") {
		t.Errorf("the record can be read in the store")
	}
	apply(t, kv, "07", put("r/thing/07b", string(raw.Value)))
	if v, err := table.Get(t.Context(), "07b"); err == nil || errors.Is(err, proofing.ErrNotFound) {
		t.Errorf("a value moved to another name: %+v, %v; want that it does not open", v, err)
	}
}

// checkConsistency lets several writers loose on a few records and then
// compares every entry with every record.
func checkConsistency(t T, kv store.KV) {
	table := things(t, kv)
	ids := []string{"07a", "07b", "07c", "08a", "08b"}
	together(5, func(int) {
		for range 12 {
			id := ids[rand.IntN(len(ids))]
			if err := randomChange(t.Context(), table, id); err != nil &&
				!errors.Is(err, proofing.ErrExists) && !errors.Is(err, proofing.ErrNotFound) {
				t.Errorf("change: %v", err)
			}
		}
	})
	for _, bucket := range []string{"07", "08"} {
		var want []string
		for _, id := range ids {
			v, err := table.Get(t.Context(), id)
			if err != nil || id[:2] != bucket {
				continue
			}
			want = append(want, "r/thing/"+id, "i/thing/status/"+v.Status+"!"+id)
			if v.Email != "" {
				want = append(want, "i/thing/email/"+v.Email+"!"+id, "u/thing/email/"+v.Email+"!")
			}
		}
		slices.Sort(want)
		expect(t, "what is stored in "+bucket, scan(t, kv, bucket, "", "", 100), want)
	}
}

func randomChange(ctx context.Context, table proofing.Table[thing], id string) error {
	status, email := fmt.Sprint("s", rand.IntN(3)), ""
	if n := rand.IntN(4); n > 0 {
		email = fmt.Sprint("e", n)
	}
	switch rand.IntN(5) {
	case 0:
		return table.Delete(ctx, id)
	case 1, 2:
		return table.Create(ctx, id, &thing{ID: id, Status: status, Email: email})
	default:
		_, err := table.Update(ctx, id, func(v *thing) error {
			v.Status, v.Email = status, email
			v.Count++
			return nil
		})
		return err
	}
}
