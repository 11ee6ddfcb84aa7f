package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// What docs/operating.md is read for.
var (
	fenced     = regexp.MustCompile("(?s)```[a-z]*\n(.*?)```")
	codeSpan   = regexp.MustCompile("`([^`\n]+)`")
	figureName = regexp.MustCompile(`\b(?:countersign|go|process)_[a-z_]+\b`)
	fqName     = regexp.MustCompile(`fqName: "([^"]+)"`)
	variableOf = regexp.MustCompile(`\bCOUNTERSIGN_[A-Z_]+\b`)
	settingOf  = regexp.MustCompile(`^[a-z_]+(\.[a-z_]+)*$`)
	statusWord = regexp.MustCompile(`(?:sayStatus\([^"\n]*|"status": )"([a-z_]+)"`)
	symptomRow = regexp.MustCompile("(?m)^\\| (`[^|]+) \\|")
)

// commandLines are the calls of the program in a text: those of its code blocks and those within sentences.
func commandLines(text string) (lines []string) {
	const name = "countersign "
	for _, block := range fenced.FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(block[1]) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), " #") // a comment
			line, _, _ = strings.Cut(line, " > ")
			for _, before := range []string{"sudo -u countersign -E ", "docker compose run --rm "} {
				line = strings.TrimPrefix(line, before)
			}
			if strings.HasPrefix(line, name) {
				lines = append(lines, line)
			}
		}
	}
	for _, span := range codeSpan.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		line := strings.TrimPrefix(span[1], "docker compose run --rm ")
		if strings.HasPrefix(line, name) {
			lines = append(lines, line)
		}
	}
	return lines
}

// words takes a command line apart as a shell does, as far as this page goes.
func words(line string) (words []string) {
	for _, m := range regexp.MustCompile(`"([^"]*)"|(\S+)`).FindAllStringSubmatch(line, -1) {
		words = append(words, m[1]+m[2])
	}
	return words
}

func TestEveryCommandOfOperatingParses(t *testing.T) {
	lines := commandLines(readDoc(t, "operating.md"))
	if len(lines) < 25 {
		t.Errorf("only %d commands are found: the page is not read as it was meant", len(lines))
	}
	for _, line := range lines {
		if err := parses(words(line)[1:]...); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, wrong := range []string{"countersign kets rotate", "countersign restore --overwritten FILE"} {
		if parses(words(wrong)[1:]...) == nil {
			t.Errorf("%s parses: this test does not look", wrong)
		}
	}
}

// settingPaths are the paths of the configuration, sections too.
func settingPaths() (paths []string) {
	var walk func(path string, of reflect.Type)
	walk = func(path string, of reflect.Type) {
		for _, f := range settings(of) {
			at := join(path, f.name)
			paths = append(paths, at)
			if field := of.Field(f.index).Type; field.Kind() == reflect.Struct {
				walk(at, field)
			}
		}
	}
	walk("", reflect.TypeFor[Config]())
	return paths
}

func TestEverySettingOfOperatingExists(t *testing.T) {
	text, paths := readDoc(t, "operating.md"), settingPaths()
	found := 0
	for _, span := range codeSpan.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		first, _, dotted := strings.Cut(span[1], ".")
		if !dotted || !settingOf.MatchString(span[1]) || !slices.Contains(paths, first) {
			continue
		}
		found++
		if !slices.Contains(paths, span[1]) {
			t.Errorf("there is no setting %s", span[1])
		}
	}
	variables := []string{envConfig, envBy}
	for _, path := range paths {
		variables = append(variables, variable(path))
	}
	for _, name := range variableOf.FindAllString(text, -1) {
		found++
		if !slices.Contains(variables, name) {
			t.Errorf("there is no variable %s", name)
		}
	}
	if found < 10 {
		t.Errorf("only %d settings are found: the page is not read as it was meant", found)
	}
}

func TestEveryFigureIsExplainedAndEveryExplainedOneExists(t *testing.T) {
	descs := make(chan *prometheus.Desc, 1000)
	m := newMeters()
	m.watchExpiry(&shownCertificate{listener: listenPeople})
	m.watchMemory(func() int { return 0 })
	m.registry.Describe(descs)
	close(descs)
	exist := map[string]bool{}
	for d := range descs {
		exist[fqName.FindStringSubmatch(d.String())[1]] = true
	}
	text := readDoc(t, "operating.md")
	for _, name := range figureName.FindAllString(text, -1) {
		base := name
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			if !exist[base] {
				base = strings.TrimSuffix(name, suffix)
			}
		}
		if !exist[base] {
			t.Errorf("there is no figure %s", name)
		}
	}
	for name := range exist {
		if strings.HasPrefix(name, "countersign_") && !strings.Contains(text, "| `"+name) {
			t.Errorf("nobody explains %s", name)
		}
	}
}

func TestEveryWordOfReadinessIsExplained(t *testing.T) {
	source, err := os.ReadFile("operate.go")
	if err != nil {
		t.Fatal(err)
	}
	text := readDoc(t, "operating.md")
	said := statusWord.FindAllStringSubmatch(string(source), -1)
	if len(said) < 5 {
		t.Errorf("only %d words are found", len(said))
	}
	for _, m := range said {
		if !strings.Contains(text, "`"+m[1]+"`") {
			t.Errorf("nobody explains %q", m[1])
		}
	}
}

// TestEverySymptomIsWhatTheProgramSays looks for the words of the table of symptoms in the sources.
func TestEverySymptomIsWhatTheProgramSays(t *testing.T) {
	_, table, ok := strings.Cut(readDoc(t, "operating.md"), "## When something is wrong")
	if !ok {
		t.Fatal("the table is not where it was")
	}
	var sources strings.Builder
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		sources.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	rows := symptomRow.FindAllStringSubmatch(table, -1)
	if len(rows) < 8 {
		t.Errorf("only %d rows are read", len(rows))
	}
	for _, row := range rows {
		for _, span := range codeSpan.FindAllStringSubmatch(row[1], -1) {
			for part := range strings.SplitSeq(span[1], "…") {
				if part = strings.TrimSpace(part); !strings.Contains(sources.String(), part) {
					t.Errorf("%s: nothing says %q", fmt.Sprint(span[1]), part)
				}
			}
		}
	}
}
