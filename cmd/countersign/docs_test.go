package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testName = regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w*)`")
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z]\w*)\(\w+ \*testing\.[TF]\)`)
	fileName = regexp.MustCompile("`([a-z][a-z0-9_-]*/[a-z0-9_/.-]*|go\\.sum)`")
	// rowOf is a row about a threat: its id and its last two cells.
	rowOf = regexp.MustCompile(`(?m)^\| ([TXG][0-9]+) \|.*\| ([^|]*) \| ([^|]*) \|$`)
)

// TestTheThreatModelNamesWhatExists keeps docs/threat-model.md true: a control
// is worth its test, and a test that was renamed or dropped shows nothing.
func TestTheThreatModelNamesWhatExists(t *testing.T) {
	const root = "../.."
	text := readDoc(t, "threat-model.md")
	tests := testsOfTheTree(t, root)
	named := testName.FindAllStringSubmatch(text, -1)
	if len(named) < 100 {
		t.Errorf("only %d tests are named: the page is not read as it was meant", len(named))
	}
	for _, m := range named {
		if !tests[m[1]] {
			t.Errorf("there is no test %s", m[1])
		}
	}
	seen := map[string]bool{}
	for _, row := range rowOf.FindAllStringSubmatch(text, -1) {
		id, where, shown := row[1], row[2], row[3]
		if seen[id] {
			t.Errorf("%s has two rows", id)
		}
		seen[id] = true
		if !testName.MatchString(shown) && !strings.HasPrefix(shown, "no test") {
			t.Errorf("%s names no test and does not say so", id)
		}
		for _, m := range fileName.FindAllStringSubmatch(where, -1) {
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
				t.Errorf("%s: %v", id, err)
			}
		}
	}
	if rows := len(regexp.MustCompile(`(?m)^\| [TXG]`).FindAllString(text, -1)); rows != len(seen) || rows < 50 {
		t.Errorf("%d rows, and %d of them were read", rows, len(seen))
	}
}

// testsOfTheTree lists the tests and fuzz targets of every module in the repository.
func testsOfTheTree(t *testing.T, root string) map[string]bool {
	t.Helper()
	tests := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root:
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		source, err := os.ReadFile(path)
		for _, m := range testFunc.FindAllSubmatch(source, -1) {
			tests[string(m[1])] = true
		}
		return err
	})
	if err != nil || len(tests) == 0 {
		t.Fatalf("%d tests, %v", len(tests), err)
	}
	return tests
}

func readDoc(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTheExampleOfAssurancePrintsWhatItSays runs the example of docs/assurance.md.
func TestTheExampleOfAssurancePrintsWhatItSays(t *testing.T) {
	text := readDoc(t, "assurance.md")
	_, rest, begun := strings.Cut(text, "countersign assess <<'EOF'\n")
	document, rest, ended := strings.Cut(rest, "EOF\n")
	_, rest, printed := strings.Cut(rest, "```json\n")
	want, _, closed := strings.Cut(rest, "```\n")
	if !begun || !ended || !printed || !closed {
		t.Fatal("the example is not where it was")
	}
	var out, mistakes bytes.Buffer
	if code := runAssess(nil, strings.NewReader(document), &out, &mistakes); code != exitOK || out.String() != want {
		t.Errorf("exit %d: %s\n%s", code, &mistakes, &out)
	}
	// What the page says of changes to it.
	for what, c := range map[string]struct{ old, new string }{
		"without bound_at": {`"bound_at": "2026-10-01T08:00:00Z",`, ""},
		"over VoIP":        {`"line_type": "mobile"`, `"line_type": "voip"`},
		"a month later":    {`"now": "2026-11-23T10:00:00Z"`, `"now": "2026-12-24T10:00:00Z"`},
	} {
		changed := strings.Replace(document, c.old, c.new, 1)
		out.Reset()
		if code := runAssess(nil, strings.NewReader(changed), &out, &mistakes); code != exitOK || changed == document || !strings.Contains(out.String(), "\n  \"aal\": null,") {
			t.Errorf("%s: exit %d: %s\n%s", what, code, &mistakes, &out)
		}
	}
}

// TestLinksBetweenDocumentsLeadSomewhere follows the relative links of every page.
func TestLinksBetweenDocumentsLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	pages, err := filepath.Glob("../../*.md")
	more, err2 := filepath.Glob("../../docs/*.md")
	deep, err3 := filepath.Glob("../../docs/*/*.md")
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
	for _, page := range append(append(pages, more...), deep...) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
}
