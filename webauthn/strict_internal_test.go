package webauthn

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// FuzzMembers holds the scanner against encoding/json: what one takes for an object the
// other does, and they find the same members in it.
func FuzzMembers(f *testing.F) {
	for _, s := range []string{
		`{}`, ` { "a" : 1 , "b":"x\"}y" ,"c":[1,{"d":[]},"]"],"e":{"f":"{"},"g":null,"h":-1.5e3} `, `{"\u0061":1,"b":"\\"}`, `{"a":1,"A":2}`,
		`[]`, `"x"`, `7`, ``, `{"a":{}}`, `{"a":[[],[]],"b":true}`, `{"a":1}{}`, `{"":""}`, `{"a":"\ud800"}`, "{\"a\":\"\u2028\"}", `{"k":1,"K":2}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := members(data, 1<<16)
		if err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatalf("an error of no kind: %v", err)
		}
		var want map[string]json.RawMessage
		wrong := json.Unmarshal(data, &want)
		if err == nil && wrong != nil {
			t.Fatalf("taken, but %v", wrong)
		}
		if err != nil {
			// What is refused beyond that are nulls, sizes, encodings, and names that come twice.
			if wrong == nil && want != nil && !strings.Contains(err.Error(), "twice") && !strings.Contains(err.Error(), "UTF-8") && !strings.Contains(err.Error(), "more than") {
				t.Fatalf("refused: %v", err)
			}
			return
		}
		if len(got) != len(want) {
			t.Fatalf("%d members, not %d", len(got), len(want))
		}
		for name, value := range want {
			if !bytes.Equal(got[name], value) {
				t.Fatalf("%q is %s, not %s", name, got[name], value)
			}
		}
	})
}
