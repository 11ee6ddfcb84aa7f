package templates

import (
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/language"
)

// Languages are what is served, the one that everybody else gets first.
func Languages() []string { return []string{"en", "de", "fr"} }

// languageNames are how each language calls itself.
var languageNames = map[string]string{"en": "English", "de": "Deutsch", "fr": "Français"}

var matcher = sync.OnceValue(func() language.Matcher {
	var tags []language.Tag
	for _, l := range Languages() {
		tags = append(tags, language.MustParse(l))
	}
	return language.NewMatcher(tags)
})

// Match is the served language that suits an Accept-Language header, or a single
// language tag, best.
func Match(acceptLanguage string) string {
	if slices.Contains(Languages(), acceptLanguage) {
		return acceptLanguage
	}
	// A header may be as long as the sender likes; nobody reads a hundred languages.
	tags, _, err := language.ParseAcceptLanguage(acceptLanguage[:min(len(acceptLanguage), 200)])
	if err != nil {
		return Languages()[0]
	}
	_, i, _ := matcher().Match(tags...)
	return Languages()[i]
}

// catalogs are the words of each language by their key.
var catalogs = sync.OnceValue(func() map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, lang := range Languages() {
		raw, err := files.ReadFile("locales/" + lang + ".json")
		if err != nil {
			panic(err)
		}
		var c map[string]string
		if err := json.Unmarshal(raw, &c); err != nil {
			panic(fmt.Sprintf("templates: locales/%s.json: %v", lang, err))
		}
		all[lang] = c
	}
	return all
})

// Says reports whether there are words of their own for a code of a family:
// "input", "limit", "delivery", "reason", … A code without them gets the family's
// general words.
func Says(family, code string) bool {
	_, ok := catalogs()[Languages()[0]][family+"."+code]
	return ok
}

// words finds the words of one language.
type words struct {
	lang    string
	catalog map[string]string
}

// funcs are what templates call.
func (w words) funcs() template.FuncMap {
	return template.FuncMap{
		"t": w.text, "b": w.bold, "n": w.plural, "word": w.word,
		"date": w.date, "day": w.day, "clock": w.clock, "follows": w.follows, "unknown": w.unknown, "long": w.long, "named": w.named, "brief": brief, "seconds": seconds,
		"lang": func() string { return w.lang }, "languages": Languages,
		"languageName": func(l string) string { return languageNames[l] },
		"problem":      func(field string, p *Problem) problemAt { return problemAt{field, p} },
		"contact":      contact, "blocked": blocked, "group": group, "linked": linked, "row": func(name, value any) any { return struct{ Name, Value any }{name, value} },
	}
}

// blocked says whether one of the problems is one that the operator alone can lift.
func blocked(problems ...*Problem) bool {
	return slices.ContainsFunc(problems, func(p *Problem) bool { return p != nil && p.Family == "error" && p.Code == "blocked" })
}

// text is the text of a key with its {placeholders} filled in: a name and a value by turns.
func (w words) text(key string, pairs ...any) (string, error) {
	s, ok := w.catalog[key]
	if !ok {
		return "", fmt.Errorf("no words for %q in %s", key, w.lang)
	}
	return fill(s, pairs, func(v string) string { return v })
}

// named is somebody's name; whoever was erased has none.
func (w words) named(name string) (string, error) {
	if name == "" {
		return w.text("admin.erased")
	}
	return name, nil
}

// bold is text in which the values stand out. The words are ours and the values
// are not: both are escaped, and each value is kept apart from the direction of
// the text around it.
func (w words) bold(key string, pairs ...any) (template.HTML, error) {
	s, ok := w.catalog[key]
	if !ok {
		return "", fmt.Errorf("no words for %q in %s", key, w.lang)
	}
	s, err := fill(template.HTMLEscapeString(s), pairs, func(v string) string {
		return "<b><bdi>" + template.HTMLEscapeString(v) + "</bdi></b>"
	})
	return template.HTML(s), err
}

func fill(s string, pairs []any, mark func(string) string) (string, error) {
	if len(pairs)%2 != 0 {
		return "", fmt.Errorf("a placeholder without a value for %q", s)
	}
	if len(pairs) == 0 {
		return s, nil
	}
	var out strings.Builder
	out.Grow(len(s) + 16*len(pairs))
	for {
		before, rest, open := strings.Cut(s, "{")
		name, after, closed := strings.Cut(rest, "}")
		if !open || !closed {
			out.WriteString(s)
			return out.String(), nil
		}
		out.WriteString(before)
		if at := valueOf(pairs, name); at < 0 {
			out.WriteString("{")
			s = rest
		} else {
			out.WriteString(mark(fmt.Sprint(pairs[at])))
			s = after
		}
	}
}

// valueOf says where in pairs the value of a name is; -1 if it has none.
func valueOf(pairs []any, name string) int {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] == name {
			return i + 1
		}
	}
	return -1
}

// plural is text for a number of things: the keys end in .one and .other.
func (w words) plural(key string, n int) (string, error) {
	one := n == 1 || n == 0 && w.lang == "fr"
	if one {
		return w.text(key+".one", "n", n)
	}
	return w.text(key+".other", "n", n)
}

// word is the text of a code of a closed list, or the general words of its family.
func (w words) word(family, code string, pairs ...any) (string, error) {
	if !Says(family, code) {
		code = "other"
	}
	return w.text(family+"."+code, pairs...)
}

var months = map[string][12]string{
	"en": {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
	"de": {"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"},
	"fr": {"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"},
}

// date writes a day and a time of day. The server does not know where people are,
// so it says UTC; the script puts the reader's own time in its place.
func (w words) date(at time.Time) string {
	return w.day(at) + ", " + w.clock(at)
}

// day writes a day, of UTC.
func (w words) day(at time.Time) string {
	at = at.UTC()
	day := strconv.Itoa(at.Day())
	if w.lang == "de" {
		day += "."
	}
	return fmt.Sprintf("%s %s %d", day, months[w.lang][at.Month()-1], at.Year())
}

// clock writes the time of day.
func (w words) clock(at time.Time) string { return at.UTC().Format("15:04") + " UTC" }

// long says how long something lasts in the largest unit that fits it.
func (w words) long(d time.Duration) (string, error) {
	switch {
	case d >= 48*time.Hour:
		return w.plural("long.days", int(d.Hours()/24))
	case d >= 2*time.Hour:
		return w.plural("long.hours", int(d.Hours()))
	}
	return w.plural("long.minutes", int(d.Minutes()))
}

// brief says whether a wait is so short that a time of day would be no help.
func brief(d time.Duration) bool { return d <= 2*time.Minute }

// seconds are the whole seconds of a duration, for the script to count down.
func seconds(d time.Duration) int { return int(d.Seconds()) }
