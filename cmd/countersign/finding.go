package main

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// finding is one thing that is wrong with a configuration, or worth a warning.
type finding struct {
	Where   place
	Path    string // of the setting: "smtp.port"
	Text    string // what is wrong and what to do
	Warning bool
}

// place is where a setting got its value. The zero place is nowhere: the
// setting is missing.
type place struct {
	Line     int    // in the file
	Variable string // or the environment variable
}

func (f finding) in(file string) string {
	var b strings.Builder
	switch {
	case f.Where.Variable != "":
		b.WriteString(f.Where.Variable)
	case f.Where.Line > 0:
		b.WriteString(file + ":" + strconv.Itoa(f.Where.Line))
	default:
		b.WriteString(file)
	}
	if f.Warning {
		b.WriteString(": warning")
	}
	if f.Path != "" {
		b.WriteString(": " + f.Path)
	}
	// What the file says may be quoted in a finding: it must not garble a terminal.
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return unicode.ReplacementChar
		}
		return c
	}, b.String()+": "+f.Text)
}

// report collects findings while a configuration is read and judged, and knows
// where every setting came from.
type report struct {
	file     string
	where    map[string]place
	findings []finding
	meant    []string // the paths that misspelt keys stand for
}

func newReport(file string) *report { return &report{file: file, where: make(map[string]place)} }

func (r *report) mistake(path, format string, args ...any) {
	r.findings = append(r.findings, finding{r.placeOf(path), path, fmt.Sprintf(format, args...), false})
}

func (r *report) warning(path, format string, args ...any) {
	r.findings = append(r.findings, finding{r.placeOf(path), path, fmt.Sprintf(format, args...), true})
}

// placeOf is where the setting came from, or else the innermost section around
// it that is there: the place where what is missing would have to be written.
func (r *report) placeOf(path string) place {
	for {
		if p, ok := r.where[path]; ok {
			return p
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			return place{}
		}
		path = path[:i]
	}
}

// given says whether the file or the environment set it, or anything beneath it.
func (r *report) given(path string) bool {
	for p := range r.where {
		if p == path || strings.HasPrefix(p, path+".") {
			return true
		}
	}
	return false
}

func (r *report) failed() bool {
	return slices.ContainsFunc(r.findings, func(f finding) bool { return !f.Warning })
}

func (r *report) warnings() int {
	n := 0
	for _, f := range r.findings {
		if f.Warning {
			n++
		}
	}
	return n
}

// sorted is the findings in the order of the file.
func (r *report) sorted() []finding {
	return slices.SortedStableFunc(slices.Values(r.findings), func(a, b finding) int { return cmp.Compare(a.Where.Line, b.Where.Line) })
}

// print writes one line for each finding.
func (r *report) print(w io.Writer) {
	for _, f := range r.sorted() {
		fmt.Fprintln(w, f.in(r.file))
	}
}

// warn puts the warnings into the log of a service, whose readers expect one form.
func (r *report) warn(log *slog.Logger) {
	for _, f := range r.sorted() {
		if f.Warning {
			log.Warn(f.Text, "setting", f.Path)
		}
	}
}

// configError says that a configuration has mistakes; the report has them all.
type configError struct{ *report }

func (e configError) Error() string {
	var b strings.Builder
	e.print(&b)
	return strings.TrimSuffix(b.String(), "\n")
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// join is the path of a key beneath a path. A key that could be mistaken for
// something else, or garble a terminal, is quoted.
func join(path, key string) string {
	if !plainKey.MatchString(key) {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}
