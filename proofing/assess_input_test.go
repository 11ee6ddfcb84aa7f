package proofing

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// assessDoc is a document without mistakes, with its events.
func assessDoc(events string) string {
	return `{"framework": "sp800-63-3", "now": "2026-11-23T10:00:00Z", "evidence": [` + events + `]}`
}

const (
	emailEvent = `{"kind": "email_code", "at": "2026-11-23T09:00:00Z", "address": "person@example.org"}`
	smsEvent   = `{"kind": "sms_code", "at": "2026-11-23T09:00:00Z", "bound_at": "2026-11-22T09:00:00Z", "number": "+12025550143", "line_type": "mobile"}`
)

func TestDecodeAssessInputTellsEveryMistakeInOrder(t *testing.T) {
	email := func(old, new string) string { return assessDoc(strings.Replace(emailEvent, old, new, 1)) }
	sms := func(old, new string) string { return assessDoc(strings.Replace(smsEvent, old, new, 1)) }
	document := func(old, new string) string { return strings.Replace(assessDoc(emailEvent), old, new, 1) }
	const (
		noTime   = " is not a time as in RFC 3339"
		noKind   = " is not one of email_code, email_link, sms_code, voice_code, oidc, webauthn, proofing_record"
		noEmail  = "evidence[0].address: must be an e-mail address"
		noNumber = "evidence[0].number: must be a telephone number as in E.164: + and at most 15 digits, the first not 0"
	)
	for _, c := range []struct {
		name, document string
		want           []string
	}{
		{"an empty record", assessDoc(""), nil},
		{"one e-mail", assessDoc(emailEvent), nil},
		{"one number", assessDoc(smsEvent), nil},
		{"no number binding", sms(`"bound_at": "2026-11-22T09:00:00Z", `, ""), nil},
		{"bound by the event", sms("2026-11-22T09:00:00Z", "2026-11-23T10:00:00+01:00"), nil},
		{"an event just now", email("09:00:00Z", "10:00:00Z"), nil},
		{"lower case in a time", email("T09:00:00Z", "t09:00:00z"), nil},
		{"every fact of the operator", document(`"now"`, `"operator": {"verifier_fips140_validated": true, "accept_unverified_line_type": false, "require_attestation": true}, "now"`), nil},
		{"no fact of the operator", document(`"now"`, `"operator": {}, "now"`), nil},

		{"nothing", "", []string{"document: not JSON: unexpected end of JSON input (byte 0)"}},
		{"half a document", `{"framework"`, []string{"document: not JSON: unexpected end of JSON input (byte 12)"}},
		{"more after the end", assessDoc("") + "{}", []string{"document: not JSON: invalid character '{' after top-level value (byte 75)"}},
		{"a list", "[]", []string{"document: must be an object, not a list"}},
		{"null", "null", []string{"document: must be an object, not null"}},
		{"not UTF-8", document("person", "\xff"), []string{"document: not UTF-8"}},
		{"nothing in it", "{}", []string{"framework: missing", "now: missing", "evidence: missing"}},

		{"another framework", document("800-63-3", "800-63-5"), []string{`framework: "sp800-63-5" is not one of sp800-63-3, sp800-63-3+63bsup1, sp800-63-4`}},
		{"framework in capitals", document(`"framework"`, `"Framework"`), []string{"Framework: unknown member", "framework: missing"}},
		{"framework not a string", document(`"sp800-63-3"`, `3`), []string{"framework: must be a string, not a number"}},
		{"framework twice", document(`"now"`, `"framework": "sp800-63-4", "now"`), []string{"framework: given more than once"}},
		{"framework twice, once escaped", document(`"now"`, `"\u0066ramework": "sp800-63-4", "now"`), []string{"framework: given more than once"}},
		{"an unknown member", document(`"now"`, `"colour": {"evidence": null}, "now"`), []string{"colour: unknown member"}},
		{"a member that breaks lines", document(`"now"`, `"a\nframework: b": 1, "now"`), []string{`"a\nframework: b": unknown member`}},
		{"a long member", document(`"now"`, `"`+strings.Repeat("a", 99)+`": 1, "now"`), []string{`"` + strings.Repeat("a", 40) + `…": unknown member`}},
		{"nested without end", document(`"now"`, `"deep": `+strings.Repeat("[", 99)+strings.Repeat("]", 99)+`, "now"`), []string{"deep: unknown member", "deep[0][0][0][0][0][0][0]: nested too deeply"}},
		{"operator null", document(`"now"`, `"operator": null, "now"`), []string{"operator: must be an object, not null"}},
		{"operator's fact null", document(`"now"`, `"operator": {"require_attestation": null}, "now"`), []string{"operator.require_attestation: must be true or false, not null"}},
		{"operator's fact a string", document(`"now"`, `"operator": {"require_attestation": "true"}, "now"`), []string{"operator.require_attestation: must be true or false, not a string"}},
		{"operator's unknown fact", document(`"now"`, `"operator": {"fips": true}, "now"`), []string{"operator.fips: unknown member"}},
		{"operator's fact twice", document(`"now"`, `"operator": {"require_attestation": true, "require_attestation": true}, "now"`), []string{"operator.require_attestation: given more than once"}},
		{"now a number", document(`"2026-11-23T10:00:00Z"`, `1795428000`), []string{"now: must be a string, not a number"}},
		{"now without a zone", document(`10:00:00Z"`, `10:00:00"`), []string{`now: "2026-11-23T10:00:00"` + noTime}},
		{"evidence an object", `{"framework": "sp800-63-3", "now": "2026-11-23T10:00:00Z", "evidence": {}}`, []string{"evidence: must be a list, not an object"}},

		{"an event that is a string", assessDoc(`"email_code"`), []string{"evidence[0]: must be an object, not a string"}},
		{"an empty event", assessDoc(emailEvent + ", {}"), []string{"evidence[1].at: missing", "evidence[1].kind: missing"}},
		{"an unknown kind", assessDoc(`{"kind": "totp", "at": "2026-11-24T09:00:00Z", "issuer": null}`), []string{
			`evidence[0].kind: "totp"` + noKind, "evidence[0].at: must not be after now"}},
		{"a kind in capitals", email("email_code", "EMAIL_CODE"), []string{`evidence[0].kind: "EMAIL_CODE"` + noKind}},
		{"kind null", email(`"email_code"`, "null"), []string{"evidence[0].kind: must be a string, not null"}},
		{"after now", email("09:00:00Z", "10:00:00.000000001Z"), []string{"evidence[0].at: must not be after now"}},
		{"a day that does not exist", email("11-23", "02-30"), []string{`evidence[0].at: "2026-02-30T09:00:00Z"` + noTime}},
		{"a comma in a time", email("00Z", "00,5Z"), []string{`evidence[0].at: "2026-11-23T09:00:00,5Z"` + noTime}},
		{"an hour of one digit", email("T09", "T9"), []string{`evidence[0].at: "2026-11-23T9:00:00Z"` + noTime}},
		{"a zone of 24 hours", email("00Z", "00+24:00"), []string{`evidence[0].at: "2026-11-23T09:00:00+24:00"` + noTime}},
		{"the first year", email("2026", "0001"), []string{`evidence[0].at: "0001-11-23T09:00:00Z" is not in the years 2 to 9998`}},
		{"the last year", document("2026", "9999"), []string{`now: "9999-11-23T10:00:00Z" is not in the years 2 to 9998`}},
		{"bound_at of an e-mail", email(`"address"`, `"bound_at": "2026-11-22T09:00:00Z", "address"`), []string{"evidence[0].bound_at: unknown member"}},
		{"bound after the event", sms("2026-11-22T09:00:00Z", "2026-11-23T09:00:00.1Z"), []string{"evidence[0].bound_at: must not be after at"}},
		{"bound_at null", sms(`"2026-11-22T09:00:00Z"`, "null"), []string{"evidence[0].bound_at: must be a string, not null"}},
		{"no address", email(`, "address": "person@example.org"`, ""), []string{"evidence[0].address: missing"}},
		{"no line type", sms(`, "line_type": "mobile"`, ""), []string{"evidence[0].line_type: missing"}},
		{"another line type", sms("mobile", "satellite"), []string{`evidence[0].line_type: "satellite" is not one of mobile, landline, voip, unknown`}},
		{"a number without +", sms("+1", "1"), []string{noNumber}},
		{"a number with spaces", sms("+1", "+1 "), []string{noNumber}},
		{"a number that begins with 0", sms("+1", "+0"), []string{noNumber}},
		{"a number of 16 digits", sms("+12025550143", "+1202555014312345"), []string{noNumber}},
		{"a number in other digits", sms("0143", "٠١٤٣"), []string{noNumber}},
		{"a number with a line after it", sms("0143", `0143\n`), []string{noNumber}},
		{"an address without @", email("@", ""), []string{noEmail}},
		{"an address with two @", email("@", "@@"), []string{noEmail}},
		{"an address with a name", email("person@example.org", "P <person@example.org>"), []string{noEmail}},
		{"an address with a line in it", email("@", `\r\n@`), []string{noEmail}},
		{"an address without a domain", email("example.org", ""), []string{noEmail}},
		{"an address with an empty label", email("example.org", "example..org"), []string{noEmail}},
		{"an address too long", email("person", strings.Repeat("p", 65)), []string{noEmail}},
		{"half a character", email("person", `\ud800`), []string{noEmail}},

		{"mistakes all over", `{"evidence": [7, ` + strings.Replace(smsEvent, "+", "", 1) + `, {"at": 1, "kind": "sms_code"}], "now": null, "x": 1}`, []string{
			"evidence[0]: must be an object, not a number",
			noNumber[:9] + "1" + noNumber[10:],
			"evidence[2].at: must be a string, not a number",
			"evidence[2].number: missing",
			"evidence[2].line_type: missing",
			"now: must be a string, not null",
			"x: unknown member",
			"framework: missing",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, mistakes := DecodeAssessInput(strings.NewReader(c.document))
			var got []string
			for _, m := range mistakes {
				got = append(got, m.String())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("document %s\ngot  %s\nwant %s", c.document, strings.Join(got, "\n     "), strings.Join(c.want, "\n     "))
			}
		})
	}
}

func TestDecodeAssessInputIsBounded(t *testing.T) {
	full := assessDoc("")
	full += strings.Repeat(" ", MaxAssessInput-len(full))
	if _, mistakes := DecodeAssessInput(strings.NewReader(full)); len(mistakes) > 0 {
		t.Errorf("a full document: %v", mistakes)
	}
	_, mistakes := DecodeAssessInput(strings.NewReader(full + " "))
	if len(mistakes) != 1 || mistakes[0].String() != "document: larger than 1048576 bytes" {
		t.Errorf("one byte more: %v", mistakes)
	}
}

func TestDecodeAssessInputTellsAReadError(t *testing.T) {
	_, mistakes := DecodeAssessInput(iotest.ErrReader(errors.New("disk on fire")))
	if len(mistakes) != 1 || mistakes[0].String() != "document: cannot be read: disk on fire" {
		t.Errorf("%v", mistakes)
	}
}

func TestEmailShape(t *testing.T) {
	for _, address := range []string{"a@b", "first.last+tag@sub.example.org", "o'neil@example.org", "ü@exämple.org", "root@localhost", strings.Repeat("p", 64) + "@example.org"} {
		if !emailShaped(address) {
			t.Errorf("%q has not the shape of an address", address)
		}
	}
	for _, address := range []string{"", "@", "a@", "@b", ".a@b", "a.@b", "a..b@c", "a b@c", "a@b c", "a@-b", "a@b-", "a@b.", "a@[192.0.2.1]", `"a"@b`, "a@b\u202e", "a\u00a0b@c", "a,b@c",
		"a@" + strings.Repeat("b", 64), "a@" + strings.Repeat("b.", 127) + "b"} {
		if emailShaped(address) {
			t.Errorf("%q has the shape of an address", address)
		}
	}
}

// Whatever the bytes: either mistakes, each on a line of its own with a member, or
// a document that can be labelled and stays within what codes can earn.
func FuzzDecodeAssessInput(f *testing.F) {
	files, _ := filepath.Glob("testdata/assess/*.json")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var v assessVector
		if err := json.Unmarshal(data, &v); err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(v.Input))
	}
	for _, seed := range []string{"", "{}", "[]", "null", assessDoc(smsEvent) + "x", assessDoc(`{"kind": "oidc"}`), assessDoc(oidcEvent), assessDoc(webAuthnEvent), assessDoc(proofingEvent), `{"now": 1e999, "now": "\ud800"}`,
		strings.Repeat(`{"a":[`, 20) + strings.Repeat("]}", 20), strings.Replace(assessDoc(smsEvent), "2026-11-22T09", "0000-01-01T00", 1)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		in, mistakes := DecodeAssessInput(bytes.NewReader(data))
		for _, m := range mistakes {
			if line := m.String(); m.Member == "" || m.Detail == "" || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' }) {
				t.Errorf("mistake %q", line)
			}
		}
		if len(mistakes) > 0 {
			return
		}
		a := in.Assess()
		if _, err := json.Marshal(a); err != nil {
			t.Errorf("the label cannot be printed: %v", err)
		}
		if levelOrZero(a.AAL) > 3 || levelOrZero(a.IAL) > 3 || levelOrZero(a.FAL) > 2 || len(a.Events) != len(in.Evidence) {
			t.Errorf("AAL%d, IAL%d, FAL%d of %d events", levelOrZero(a.AAL), levelOrZero(a.IAL), levelOrZero(a.FAL), len(a.Events))
		}
		for _, e := range in.Evidence {
			wantExplained(t, in.Framework, in.Operator, in.Now, e)
		}
	})
}
