package acme_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/countersign-id/countersign/acme"
)

// Whatever is accepted must be JSON, an object, and mean the same to a program
// that takes the first of two names as to one that takes the last.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1,"a":2}`, `{"a":{"b":[1,{"c":null}]}}`, `[]`, `{"a":"\ud800"}`, `{"\u0061":1,"a":2}`, `{"a":1}x`, `{"a":1e999}`, "{\"a\":\"\xff\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if acme.ParseObject(body) != nil {
			return
		}
		var v map[string]json.RawMessage
		if err := json.Unmarshal(body, &v); err != nil {
			t.Fatalf("accepted, and is no object: %v", err)
		}
		if v == nil {
			t.Fatal("null was accepted")
		}
		again, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := acme.ParseObject(again); err != nil {
			t.Fatalf("accepted once and not again: %v", err)
		}
		var w map[string]json.RawMessage
		if err := json.Unmarshal(again, &w); err != nil || len(v) != len(w) || !sameNames(v, w) {
			t.Fatalf("%s became %s", body, again)
		}
	})
}

func sameNames(v, w map[string]json.RawMessage) bool {
	names := func(m map[string]json.RawMessage) map[string]bool {
		set := map[string]bool{}
		for n := range m {
			set[n] = true
		}
		return set
	}
	return reflect.DeepEqual(names(v), names(w))
}

// FuzzJSON holds the parser against encoding/json: what the one takes for JSON the other does, whatever else is wrong with it.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`{}`, ` [1, -0.5e+7, "a\u00e9\n", true, false, null] `, `{"a":{"b":[]}}`, `01`, `-`, `1.`, `"\x"`, `"\ud800"`, "\"\t\"", `[1,]`, `{"a" 1}`, `tru`, `"\`, `{"a":1}{}`, `1e5 `} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		deep := 0
		for _, c := range body {
			if c == '[' || c == '{' {
				deep++
			}
		}
		if deep > 30 || !utf8.Valid(body) {
			return
		}
		if got, want := acme.IsJSON(body), json.Valid(body); got != want {
			t.Errorf("%q: %v here, %v for encoding/json", body, got, want)
		}
	})
}

// A client's own JSON is read in a binding: what is wrong with it must not cost more than to read it.
func TestManyMistakesFarInsideCostNoMoreThanReadingThem(t *testing.T) {
	const deep, many = 31, 12000
	body := strings.Repeat(`{"`+strings.Repeat("/", 64)+`":`, deep) + `{"a":1` + strings.Repeat(`,"":1`, many) + strings.Repeat("}", deep+1)
	if got := testing.AllocsPerRun(1, func() {
		if acme.ParseObject([]byte(body)) == nil {
			t.Error("names that stand twice are taken")
		}
	}); got > 5*many {
		t.Errorf("%d bytes cost %.0f allocations", len(body), got)
	}
}
