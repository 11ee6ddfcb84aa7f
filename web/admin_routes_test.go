package web

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every route of the console is for who holds an appointment, and every form of it for a browser that has our cookie. The tests of its pages hold each against
// everybody whose it is not; this one finds a page that has come without its gate.
func TestEveryRouteOfTheConsoleHasItsGate(t *testing.T) {
	files, err := filepath.Glob("admin*.go")
	if err != nil {
		t.Fatal(err)
	}
	gates := map[string]*regexp.Regexp{
		"GET":  regexp.MustCompile(`, s\.look\(s\.console\(s\.\w+(\(\w+\))?\)\)\)`),
		"POST": regexp.MustCompile(`, s\.act\(s\.console\(s\.\w+(\(\w+\))?\)\)\)`),
	}
	// Where a page with a mistake stands one may also come back to: it leads to that page, and does nothing.
	leads := regexp.MustCompile(`(?s)^s\.mux\.Handle\("GET /admin/[^"]*"(\+[\w.]+)?, s\.Serve\(func\(w http\.ResponseWriter, r \*http\.Request\) error \{[^\n]*\n\s*s\.see\(w, r, [^\n]*\)\n\s*return nil\n`)
	// A link to a role is opened by who has none yet: AcceptAppointment judges them.
	open := []string{`"GET /admin/join/{ref}", s.look(s.showJoin)`, `"POST /admin/join/{ref}", s.act(s.join)`}
	routes := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
	next:
		for _, at := range regexp.MustCompile(`s\.mux\.Handle\(`).FindAllIndex(text, -1) {
			routes++
			rest := string(text[at[0]:])
			line, _, _ := strings.Cut(rest, "\n")
			for _, is := range open {
				if strings.Contains(line, is) {
					continue next
				}
			}
			method := strings.TrimPrefix(line, `s.mux.Handle("`)
			method, _, _ = strings.Cut(method, " ")
			if gate := gates[method]; (gate == nil || !gate.MatchString(line)) && !leads.MatchString(rest) {
				t.Errorf("%s: %s", file, line)
			}
		}
	}
	if routes < 35 {
		t.Errorf("only %d routes are found", routes)
	}
}
