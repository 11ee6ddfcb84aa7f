package templates

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func draw(t *testing.T, lang string, s Screen) string {
	t.Helper()
	var b bytes.Buffer
	if err := Page(&b, lang, s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// golden are all files that testdata must hold: every sample page and every
// part of every message, in every language.
func golden(t *testing.T) map[string]string {
	files := map[string]string{}
	for _, lang := range Languages() {
		for name, s := range samples() {
			files["page-"+name+"."+lang+".html"] = draw(t, lang, s)
		}
		for _, kind := range messageKinds {
			d := message
			if kind == "waiting" { // whoever decides has not asked for anything
				d.Identifier, d.Disown, d.Link = "Example Corporation", "", "https://proof.example.org/admin/cases/07abc"
			}
			if kind == "sms_code" {
				d.Code, d.Minutes = "1234567890", "10"
			}
			if strings.HasSuffix(kind, "bound") || strings.HasSuffix(kind, "removed") || strings.HasSuffix(kind, "copied") {
				d.Thing, d.About = "passkey", "My <key>"
			}
			if strings.HasSuffix(kind, "forgetting") {
				d.Disown = ""
			}
			if strings.HasSuffix(kind, "released") {
				d.Thing, d.About, d.Disown = "phone", "+44••••456", ""
			}
			if strings.HasSuffix(kind, "issued") || strings.HasSuffix(kind, "renewed") || kind == "certificate_ends" {
				d.About, d.Disown = "3a7f", "https://proof.example.org/x/ref"
			}
			if kind == "dossier_ages" {
				d.Reason = "ev"
			}
			if kind == "dossier_ages" || kind == "dossier_review" {
				d.Identifier, d.Disown, d.Link = "Example Corporation", "", "https://proof.example.org/admin"
			}
			if kind == "appointment" {
				d.About, d.Role, d.Reason, d.By = "A. Example <b>", "administrator", "suspended", "B. Example"
			}
			if kind == "appointment_ends" {
				d.About, d.Role, d.Reason, d.Identifier, d.Link = "A. Example <b>", "certificate_approver", "reconfirm", "Example Corporation", "https://proof.example.org/admin/people/07abc"
			}
			if kind == "dossier_rule" {
				d.Identifier, d.Disown, d.Link, d.Reason, d.By = "Example Corporation", "", "https://proof.example.org/admin/organizations/1", "set", "B. Example"
			}
			if kind == "policy" {
				d.Reason, d.By = "approved", "B. Example"
			}
			m, err := Message(kind, lang, d)
			if err != nil {
				t.Fatal(err)
			}
			files["message-"+kind+"."+lang+".txt"] = m.Subject + "\n\n" + m.Text
			if m.HTML != "" {
				files["message-"+kind+"."+lang+".html"] = m.HTML
			}
		}
	}
	return files
}

func TestPagesAndMessagesLookAsTheGoldenFilesSay(t *testing.T) {
	want := golden(t)
	if *update {
		old, _ := filepath.Glob("testdata/*")
		for _, f := range old {
			if err := os.Remove(f); err != nil {
				t.Fatal(err)
			}
		}
		for name, text := range want {
			if err := os.WriteFile("testdata/"+name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, text := range want {
		have, err := os.ReadFile("testdata/" + name)
		if err != nil || string(have) != text {
			t.Errorf("%s is stale; look at the change and run with -update (%v)", name, err)
		}
	}
	have, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range have {
		if _, ok := want[f.Name()]; !ok {
			t.Errorf("testdata/%s belongs to no page or message", f.Name())
		}
	}
}

func TestEveryPageHasASample(t *testing.T) {
	have := map[string]bool{}
	for _, s := range samples() {
		have[s.page()] = true
	}
	every := slices.Concat(pageNames, deskPages, adminPages)
	for _, name := range every {
		if !have[name] {
			t.Errorf("no sample of page %s", name)
		}
	}
	drawnFiles, err := files.ReadDir("pages")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range drawnFiles {
		name := strings.TrimSuffix(f.Name(), ".html")
		if name != "layout" && name != "desk" && name != "admin" && name != "parts" && name != "panel" && name != "signpanel" && !slices.Contains(every, name) {
			t.Errorf("pages/%s is no page", f.Name())
		}
	}
}

var placeholder = regexp.MustCompile(`\{[a-z_]*\}`)

// French sets a space before these signs, at which a line must not break. A text message must do with the letters of GSM.
func TestNoLineOfFrenchBeginsWithASign(t *testing.T) {
	for key, text := range catalogs()["fr"] {
		if regexp.MustCompile(` [:;?!»]|« `).MatchString(text) && !strings.HasPrefix(key, "sms.") {
			t.Errorf("%s: %q needs a space that does not break (U+00A0)", key, text)
		}
	}
}

func TestEveryLanguageHasTheSameKeysAndPlaceholders(t *testing.T) {
	first := catalogs()[Languages()[0]]
	for _, lang := range Languages() {
		c := catalogs()[lang]
		for key, text := range first {
			have, ok := c[key]
			if !ok || strings.TrimSpace(have) == "" {
				t.Errorf("%s: no words for %s", lang, key)
			}
			want, got := placeholder.FindAllString(text, -1), placeholder.FindAllString(have, -1)
			// A singular may spell its number out.
			if strings.HasSuffix(key, ".one") {
				continue
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(want, got) {
				t.Errorf("%s: %s has placeholders %v, want %v", lang, key, got, want)
			}
		}
		for key := range c {
			if _, ok := first[key]; !ok {
				t.Errorf("%s: %s is in no other language", lang, key)
			}
		}
		raw, _ := files.ReadFile("locales/" + lang + ".json")
		sorted, _ := json.Marshal(c)
		var compact bytes.Buffer
		if err := json.Compact(&compact, raw); err != nil || !bytes.Equal(unescape(sorted), compact.Bytes()) {
			t.Errorf("locales/%s.json: keys must be in order, each once", lang)
		}
	}
}

// unescape undoes what json.Marshal does for the sake of HTML.
func unescape(b []byte) []byte {
	for _, pair := range [][2]string{{`\u003c`, "<"}, {`\u003e`, ">"}, {`\u0026`, "&"}} {
		b = bytes.ReplaceAll(b, []byte(pair[0]), []byte(pair[1]))
	}
	return b
}

var (
	usedWhole  = regexp.MustCompile(`\b(?:t|b) "([a-z_.]+)"|\.text\("([a-z_.]+)"`)
	usedPlural = regexp.MustCompile(`\bn "([a-z_.]+)"|\.plural\("([a-z_.]+)"`)
	usedFamily = regexp.MustCompile(`\bword "([a-z_.]+)"|\.word\("([a-z_.]+)"`)
)

func TestEveryKeyIsUsedAndEveryUseHasWords(t *testing.T) {
	used, families := map[string]bool{}, []string{}
	var sources []string
	for _, pattern := range []string{"pages/*", "messages/*", "*.go"} {
		found, _ := filepath.Glob(pattern)
		sources = append(sources, found...)
	}
	for _, f := range sources {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range usedWhole.FindAllSubmatch(src, -1) {
			used[string(m[1])+string(m[2])] = true
		}
		for _, m := range usedPlural.FindAllSubmatch(src, -1) {
			used[string(m[1])+string(m[2])+".one"], used[string(m[1])+string(m[2])+".other"] = true, true
		}
		for _, m := range usedFamily.FindAllSubmatch(src, -1) {
			family := string(m[1]) + string(m[2])
			families = append(families, family+".")
			used[family+".other"] = true
		}
	}
	for _, kind := range messageKinds {
		if !isText(kind) {
			used["mail."+kind+".subject"] = true
		}
	}
	delete(used, "mail.")
	catalog := catalogs()["en"]
	for key := range used {
		if _, ok := catalog[key]; !ok {
			t.Errorf("%s is used and has no words", key)
		}
	}
	// The words of a problem are found by its family, and those of what a decision is about.
	families = append(families, "input.", "limit.", "error.", "matter.", "step.address.", "step.method.")
	for key := range catalog {
		inFamily := slices.ContainsFunc(families, func(f string) bool { return strings.HasPrefix(key, f) })
		if !used[key] && !inFamily {
			t.Errorf("%s is not used", key)
		}
	}
}

func TestMatchFindsTheLanguage(t *testing.T) {
	for header, want := range map[string]string{
		"": "en", "de": "de", "de-CH, fr;q=0.8": "de", "fr-CA": "fr", "pt, fr;q=0.5": "fr", "zh": "en", "en-GB;q=0.1, de;q=0.9": "de",
		"\x00;;;q=": "en", strings.Repeat("x", 5000): "en", "*": "en",
	} {
		if got := Match(header); got != want {
			t.Errorf("Match(%.20q) = %s, want %s", header, got, want)
		}
	}
}

func TestWhatOthersWroteStaysText(t *testing.T) {
	hostile := `<script>alert(1)</script>"onload='x'&{{.}}`
	r := request
	r.CA, r.Identifier, r.Profile, r.Fingerprint, r.Disown = hostile, hostile, hostile, hostile, "javascript:alert(1)"
	f := frame
	f.Operator, f.Contact = hostile, "javascript:alert(1)"
	for _, s := range []Screen{
		Case{Frame: f, Request: r, Steps: steps, Panel: &Panel{Method: "email", Address: hostile, Begun: &Begun{Shown: hostile, Attempt: hostile, Tries: 5}}, Terms: terms},
		Claimed{f, r}, Outcome{Frame: f, Request: r, Status: "granted", Levels: []Level{{"IAL", "1", []Clause{{hostile, hostile}}}}, Proved: []Proof{{"email_code", hostile, at}}},
		Disown{Frame: f, Request: r}, Apply{Frame: f, CA: hostile, Profile: hostile, Types: []string{"dns", hostile}, Value: hostile},
		Mailbox{Frame: f, Origin: "https://proof.example.org", Mails: []Mail{{"email", hostile, hostile, at, hostile}}},
	} {
		for _, lang := range Languages() {
			page := draw(t, lang, s)
			if strings.Contains(page, "<script>alert") || strings.Contains(page, `"onload='`) || strings.Contains(page, "javascript:") {
				t.Errorf("page %s in %s lets hostile text through", s.page(), lang)
			}
		}
	}
}

func TestAContactIsAMailboxOrAPageByHTTPS(t *testing.T) {
	for s, want := range map[string]string{
		"help@example.org": "mailto:help@example.org", "https://example.org/help?a=b": "https://example.org/help?a=b",
		"a?bcc=b@example.org": "mailto:a%3Fbcc=b@example.org",
		"javascript:alert(1)": "", "http://example.org/": "", "https://": "", "//example.org": "", "": "", "Help <help@example.org>": "",
		"https://example.org@evil.example/": "", "mailto:help@example.org": "", "call us": "",
	} {
		got := ""
		if c := contact(s); c != nil {
			got = string(c.Href)
		}
		if got != want {
			t.Errorf("contact(%q) links to %q, want %q", s, got, want)
		}
	}
}

func TestOnlyLinksToUsCanBeFollowed(t *testing.T) {
	origin := "https://proof.example.org"
	text := "go to " + origin + "/n/ref, not " + origin + ".evil.example/ or " + origin + "//evil.example or javascript:alert(1)"
	whole := ""
	for _, p := range linked(text, origin, "?lang=de") {
		whole += p.Text
		if p.Href != "" && !strings.HasPrefix(string(p.Href), origin+"/") {
			t.Errorf("a link to %s", p.Href)
		}
	}
	if whole != text {
		t.Errorf("the text became %q", whole)
	}
	if got := linked(text, "", ""); len(got) != 1 || got[0].Href != "" {
		t.Errorf("without an origin: %v", got)
	}
}
