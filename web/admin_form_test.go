package web

import (
	"html"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// drawnForm is a form as a page shows it.
type drawnForm struct {
	action string
	values url.Values          // what it has in it
	kinds  map[string]string   // the fields by their names: "text", "date", "number", "select", "radio" or "checkbox"
	offers map[string][]string // what can be chosen
	text   string
}

var (
	inputTag  = regexp.MustCompile(`<input[^>]*>`)
	selectTag = regexp.MustCompile(`(?s)<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>`)
	optionTag = regexp.MustCompile(`<option value="([^"]*)"( selected)?>`)
)

// formAt is the form of a page that has all the words in it, its action among them.
func formAt(t testing.TB, page string, words ...string) *drawnForm {
	t.Helper()
next:
	for part := range strings.SplitSeq(page, "<form ") {
		part, _, ok := strings.Cut(part, "</form>")
		for _, word := range words {
			if !ok || !strings.Contains(part, word) {
				continue next
			}
		}
		f := &drawnForm{action: html.UnescapeString(attribute(part, "action")), values: url.Values{}, kinds: map[string]string{}, offers: map[string][]string{}, text: part}
		for _, tag := range inputTag.FindAllString(part, -1) {
			name, kind, value := html.UnescapeString(attribute(tag, "name")), attribute(tag, "type"), html.UnescapeString(attribute(tag, "value"))
			if name == sealField {
				continue // whoever sends it sends their own
			}
			if kind == "radio" || kind == "checkbox" {
				if f.offers[name] = append(f.offers[name], value); !strings.Contains(tag, " checked") {
					f.kinds[name] = kind
					continue
				}
			}
			if f.values.Add(name, value); kind != "hidden" {
				f.kinds[name] = kind
			}
		}
		for _, m := range selectTag.FindAllStringSubmatch(part, -1) {
			f.kinds[m[1]] = "select"
			f.values.Set(m[1], "")
			for _, o := range optionTag.FindAllStringSubmatch(m[2], -1) {
				if o[1] != "" {
					f.offers[m[1]] = append(f.offers[m[1]], o[1])
				}
				if o[2] != "" {
					f.values.Set(m[1], o[1])
				}
			}
		}
		return f
	}
	t.Fatalf("no form with %q in:\n%s", words, page)
	return nil
}

// with fills fields in: a name and a value by turns.
func (f *drawnForm) with(pairs ...string) *drawnForm {
	for i := 0; i < len(pairs); i += 2 {
		f.values.Set(pairs[i], pairs[i+1])
	}
	return f
}

// sends sends a form as it is filled in.
func (b *browser) sends(f *drawnForm) *httptest.ResponseRecorder {
	b.t.Helper()
	return b.send("POST", f.action, f.values)
}
