package storetest

import (
	"fmt"
	"slices"

	"github.com/countersign-id/countersign/store"
)

var scanParts = []Part{
	{"a scan is in the order of bytes", checkOrder},
	{"pages of a scan join without gap or overlap", checkPages},
	{"a scan starts behind a name that need not exist", checkAfter},
	{"a scan keeps to its prefix at the edges of the byte range", checkPrefixes},
	{"a scan returns whole items", checkItems},
}

// edgy names sort in this order.
var edgy = []string{"\x00", "\x00\x00", "\x01", "A", "a", "a\x00", "a!", "a/b", "a0", "a\xfe", "a\xff", "a\xff\x00", "a\xff\xff", "b", "\x7f", "\xc3\xa4", "\xfe\xff", "\xff", "\xff\x00", "\xff\xff"}

func fillEdgy(t T, kv store.KV) {
	t.Helper()
	var ops []store.Op
	for i := range edgy {
		ops = append(ops, put(edgy[(i*7)%len(edgy)], "")) // 7 and 20 share no factor: all of them, mixed
	}
	apply(t, kv, "07", ops...)
	apply(t, kv, "08", put("elsewhere", ""))
}

func expect(t T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func checkOrder(t T, kv store.KV) {
	fillEdgy(t, kv)
	expect(t, "all", scan(t, kv, "07", "", "", store.MaxScan), edgy)
	expect(t, "none", scan(t, kv, "09", "", "", store.MaxScan), nil)
}

func checkPages(t T, kv store.KV) {
	fillEdgy(t, kv)
	for _, limit := range []int{1, 2, 3, len(edgy), len(edgy) + 1} {
		var got []string
		for after := ""; ; {
			page := scan(t, kv, "07", "", after, limit)
			got = append(got, page...)
			if len(page) > limit {
				t.Fatalf("a page of %d items, want at most %d", len(page), limit)
			}
			if len(page) < limit || len(got) > 2*len(edgy) {
				break
			}
			after = page[len(page)-1]
		}
		expect(t, fmt.Sprintf("pages of %d", limit), got, edgy)
	}
}

func checkAfter(t T, kv store.KV) {
	apply(t, kv, "07", put("b1", ""), put("b3", ""), put("c1", ""))
	for _, x := range []struct {
		prefix, after string
		want          []string
	}{
		{"b", "", []string{"b1", "b3"}},
		{"b", "a", []string{"b1", "b3"}},
		{"b", "b", []string{"b1", "b3"}},
		{"b", "b1", []string{"b3"}},
		{"b", "b2", []string{"b3"}},
		{"b", "b3", nil},
		{"b", "c", nil},
		{"b", "\xff", nil},
		{"", "b3", []string{"c1"}},
		{"", "c1", nil},
	} {
		expect(t, fmt.Sprintf("prefix %q after %q", x.prefix, x.after), scan(t, kv, "07", x.prefix, x.after, 10), x.want)
	}
}

func checkPrefixes(t T, kv store.KV) {
	fillEdgy(t, kv)
	for _, x := range []struct {
		prefix string
		want   []string
	}{
		{"\x00", []string{"\x00", "\x00\x00"}},
		{"a", []string{"a", "a\x00", "a!", "a/b", "a0", "a\xfe", "a\xff", "a\xff\x00", "a\xff\xff"}},
		{"a\xff", []string{"a\xff", "a\xff\x00", "a\xff\xff"}},
		{"a\xff\xff", []string{"a\xff\xff"}},
		{"\xff", []string{"\xff", "\xff\x00", "\xff\xff"}},
		{"\xff\xff", []string{"\xff\xff"}},
		{"\xff\xff\xff", nil},
		{"a/", []string{"a/b"}},
		{"a%", nil},
		{"zz", nil},
	} {
		expect(t, fmt.Sprintf("prefix %q", x.prefix), scan(t, kv, "07", x.prefix, "", 100), x.want)
	}
	expect(t, "prefix a behind a\xfe", scan(t, kv, "07", "a", "a\xfe", 2), []string{"a\xff", "a\xff\x00"})
}

func checkItems(t T, kv store.KV) {
	apply(t, kv, "07", put("a", "1"), put("b", ""), expiring("c", "3", hour))
	items, err := kv.Scan(t.Context(), "07", "", "", 10)
	if err != nil || len(items) != 3 {
		t.Fatalf("scan: %d items, %v", len(items), err)
	}
	for _, item := range items {
		unchanged(t, kv, "07", item)
	}
}
