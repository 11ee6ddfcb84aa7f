package proofing_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// written is a whole document and its text.
func written(t testing.TB) (proofing.Document, string) {
	t.Helper()
	d := decision()
	d.Type, d.Credential, d.Policy, d.Nonce = proofing.DocumentType, "a2V5", "digest", strings.Repeat("A", 43)
	d.Made = time.Date(2026, 11, 26, 18, 0, 0, int(250*time.Millisecond), time.UTC)
	d.NotAfter = d.Made.Add(5 * time.Minute)
	return d, string(must[[]byte](t)(d.Canonical()))
}

func TestADocumentIsReadAsItWasWritten(t *testing.T) {
	d, text := written(t)
	got := must[proofing.Document](t)(proofing.ParseDocument([]byte(text)))
	if again := string(must[[]byte](t)(got.Canonical())); again != text || got.Shown != d.Shown || !got.NotAfter.Equal(d.NotAfter) {
		t.Errorf("%s became %s", text, again)
	}
	if !strings.HasPrefix(text, `{"applicant":{"key":`) || !strings.Contains(text, `<zum Signieren>`) {
		t.Errorf("it is not in the form of RFC 8785: %s", text)
	}
	// What a kind of decision does not have is absent, and neither null nor empty.
	d.CA, d.Profile, d.Organization, d.Identifier, d.Applicant, d.CSR, d.By.Name, d.By.Role, d.By.Appointment = "", "", nil, nil, nil, nil, "", "", ""
	d.Subject.Of = proofing.SubjectPolicy
	bare := must[[]byte](t)(d.Canonical())
	var members map[string]any
	if err := json.Unmarshal(bare, &members); err != nil || len(members) != 11 {
		t.Errorf("a decision about policy has %d members: %s", len(members), bare)
	}
	must[proofing.Document](t)(proofing.ParseDocument(bare))
}

func TestDocumentsThatAreNotRead(t *testing.T) {
	_, text := written(t)
	replace := func(old, with string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("there is no %s in %s", old, text)
		}
		return strings.Replace(text, old, with, 1)
	}
	for name, in := range map[string]string{
		"nothing":                         "",
		"no object":                       "[]",
		"cut off":                         text[:len(text)-1],
		"a space":                         replace(`"ca":`, `"ca": `),
		"a line end behind it":            text + "\n",
		"two of them":                     text + text,
		"another order":                   `{"ca":"alpha",` + replace(`"ca":"alpha",`, "")[1:],
		"a member that nobody knows":      replace(`"ca":"alpha",`, `"ca":"alpha","cb":"beta",`),
		"one deeper that nobody knows":    replace(`"language":"de",`, `"language":"de","see":"other text",`),
		"a member twice":                  replace(`"ca":"alpha",`, `"ca":"alpha","ca":"alpha",`),
		"a member in other letters":       replace(`"ca":"alpha"`, `"CA":"alpha"`),
		"an empty member":                 replace(`"ca":"alpha"`, `"ca":""`),
		"a null member":                   replace(`"ca":"alpha"`, `"ca":null`),
		"an escape that need not be":      replace(`"alpha"`, `"\u0061lpha"`),
		"another type":                    replace(`countersign-decision-v1`, `countersign-decision-v2`),
		"another decision":                replace(`"approve"`, `"approved"`),
		"a refusal without a reason":      replace(`"approve"`, `"refuse"`),
		"a number that is text":           replace(`"number":7`, `"number":"7"`),
		"a number with a fraction":        replace(`"number":7`, `"number":7.0`),
		"a number below none":             replace(`"number":7`, `"number":-7`),
		"a time in another zone":          replace(`"2026-11-26T18:00:00.25Z"`, `"2026-11-26T19:00:00.25+01:00"`),
		"a time that is written long":     replace(`"2026-11-26T18:00:00.25Z"`, `"2026-11-26T18:00:00.250Z"`),
		"a time in microseconds":          replace(`"2026-11-26T18:00:00.25Z"`, `"2026-11-26T18:00:00.250001Z"`),
		"more time than there is":         replace(`"2026-11-26T18:05:00.25Z"`, `"2026-11-26T18:06:00.25Z"`),
		"no time":                         replace(`"2026-11-26T18:05:00.25Z"`, `"2026-11-26T18:00:00.25Z"`),
		"a short nonce":                   replace(strings.Repeat("A", 43), strings.Repeat("A", 42)),
		"a nonce with a line end":         replace(strings.Repeat("A", 43), strings.Repeat("A", 43)+`\n`),
		"a nonce in a second form":        replace(strings.Repeat("A", 43), strings.Repeat("A", 42)+"B"),
		"a credential that is no octets":  replace(`"a2V5"`, `"a2V5!"`),
		"text that turns around":          replace(`Beispiel GmbH soll`, "Beispiel \u202eHbmG soll"),
		"text that is not seen":           replace(`Beispiel GmbH soll`, "Beispiel GmbH\u200b soll"),
		"text behind white space":         replace(`Beispiel GmbH soll`, `\n\n\nBeispiel GmbH soll`),
		"nobody":                          replace(`"whoever the caller says"`, `" "`),
		"a kind of record that is none":   replace(`"of":"case"`, `"of":"session"`),
		"a role that is none":             replace(`"role":"reviewer"`, `"role":"king"`),
		"more than anybody would read it": replace(`"alpha"`, `"`+strings.Repeat("a", 33<<10)+`"`),
	} {
		if d, err := proofing.ParseDocument([]byte(in)); err == nil {
			t.Errorf("%s: read as %+v", name, d)
		}
	}
}

func TestOctetsHaveOneForm(t *testing.T) {
	for _, text := range []string{"QQ", "AAECAw", ""} {
		var o proofing.Octets
		if err := o.UnmarshalText([]byte(text)); err != nil || o.String() != text {
			t.Errorf("%q: %v, %v", text, o, err)
		}
	}
	for _, text := range []string{"QR", "QQ==", "QQ\n", "Q Q", "+/", "A"} {
		var o proofing.Octets
		if err := o.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is read as %v", text, o)
		}
	}
}

// FuzzParseDocument has texts. What is read has no other text.
func FuzzParseDocument(f *testing.F) {
	_, text := written(f)
	f.Add([]byte(text))
	f.Add([]byte(strings.Replace(text, `"approve"`, `"refuse","x":1`, 1)))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := proofing.ParseDocument(text)
		if err != nil {
			return
		}
		if again, err := d.Canonical(); err != nil || string(again) != string(text) {
			t.Errorf("%q is read, and is written %q: %v", text, again, err)
		}
	})
}
