package proofing_test

import (
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

func TestCanonicalJSON(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"strings and literals as in RFC 8785 3.2.2", `{"string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}`,
			`{"literals":[null,true,false],"string":"€$\u000f\nA'B\"\\\\\"/"}`},
		{"names in the order of UTF-16, as in RFC 8785 3.2.3",
			`{"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One", "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"}`,
			"{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}"},
		{"what other encoders escape", `["<>&\u2028\u007f", "\b\t\n\u000b\f\r"]`, "[\"<>&\u2028\u007f\",\"\\b\\t\\n\\u000b\\f\\r\"]"},
		{"whole numbers", `[0, -1, 9007199254740991]`, `[0,-1,9007199254740991]`},
		{"nothing in it", `{"a": {}, "b": []}`, `{"a":{},"b":[]}`},
	} {
		got, err := proofing.Canonicalize([]byte(c.in))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v, want %s", c.name, got, err, c.want)
		}
		again, err := proofing.Canonicalize(got)
		if err != nil || string(again) != string(got) {
			t.Errorf("%s: once more it is %s, %v", c.name, again, err)
		}
	}
	for name, in := range map[string]string{
		"a name twice": `{"a":1,"a":2}`, "a name twice, spelt differently": `{"a":1,"\u0061":2}`, "a fraction": `[1.5]`, "an exponent": `[1e2]`,
		"too large": `[9007199254740992]`, "more than one": `{} {}`, "not UTF-8": "[\"\xff\"]", "cut off": `{"a":`, "deep": strings.Repeat("[", 64) + strings.Repeat("]", 64),
	} {
		if got, err := proofing.Canonicalize([]byte(in)); err == nil {
			t.Errorf("%s: %s", name, got)
		}
	}
}
