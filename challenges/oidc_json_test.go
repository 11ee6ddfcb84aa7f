package challenges

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// FuzzMembers reads objects by our own reader and by encoding/json, which must agree wherever no name is
// given twice.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{
		`{}`, ` { "a" : 1 , "b":[{"c":"}"}],"d":"\"," } `, `{"a":null,"A":1}`, `{"\u0061":"é","b":{"a":[[],{}]}}`, `{"a":1}x`, `[]`, `"a"`, ``, `{"a":-1.5e+3,"b":true}`, "{\"\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := membersOf(text)
		var want map[string]json.RawMessage
		if wrong := json.Unmarshal(text, &want); wrong != nil || want == nil {
			if err == nil {
				t.Errorf("%q is read as %v", text, got)
			}
			return
		}
		if err != nil {
			return // a name twice, in whatever spelling, or what is not UTF-8
		}
		if len(got) != len(want) || !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
			t.Fatalf("%q has the members %v, and not %v", text, got, want)
		}
		for name, value := range want {
			if !bytes.Equal(got[name], value) {
				t.Errorf("%q: %q is %s, and not %s", text, name, got[name], value)
			}
		}
	})
}

func TestNamesThatAreGivenTwiceAreRefused(t *testing.T) {
	for text, fine := range map[string]bool{
		`{"a":1,"b":2}`: true, `{"a":{"a":1}}`: true, `{"a":1,"a":1}`: false, `{"a":1,"A":1}`: false, `{"a":1,"\u0041":1}`: false, `{"ſ":1,"S":1}`: false, `{"ä":1,"a":1}`: true,
	} {
		if _, err := membersOf([]byte(text)); (err == nil) != fine || err != nil && !strings.Contains(err.Error(), "twice") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// FuzzClaims must not fall over whatever a provider signs.
func FuzzClaims(f *testing.F) {
	f.Add([]byte(`{"iss":"i","sub":"s","aud":["a"],"exp":1,"iat":1,"amr":["pwd"],"auth_time":1.5}`))
	f.Add([]byte(`{"iss":null,"aud":{},"exp":1e999}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := readClaims(text, "i")
		if err == nil && (c.Subject == "" || c.Expires.IsZero() || c.Issued.IsZero() || len(c.AMR) > maxAMR) {
			t.Errorf("%q is read as %+v", text, c)
		}
	})
}
