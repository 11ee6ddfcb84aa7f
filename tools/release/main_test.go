package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAnArchiveHasNothingOfThisMachine(t *testing.T) {
	dir := t.TempDir()
	from := filepath.Join(dir, "from")
	at := time.Unix(1_800_000_000, 0)
	var made [2][]byte
	for i := range made {
		// What the files are like on this machine changes between the two.
		if err := errors.Join(os.WriteFile(from, []byte("program"), 0o600), os.Chmod(from, []os.FileMode{0o600, 0o777}[i]), os.Chtimes(from, time.Time{}, time.Unix(int64(i), 0))); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "a.tar.gz")
		if err := writeArchive(path, "folder", []file{{name: "program", from: from, mode: 0o755}, {name: "docs/text", text: []byte("text")}}, at); err != nil {
			t.Fatal(err)
		}
		made[i], _ = os.ReadFile(path)
	}
	if !bytes.Equal(made[0], made[1]) {
		t.Error("made again, it is something else")
	}
	z, err := gzip.NewReader(bytes.NewReader(made[0]))
	if err != nil {
		t.Fatal(err)
	}
	if !z.ModTime.IsZero() || z.Name != "" {
		t.Errorf("the stream says %v %q", z.ModTime, z.Name)
	}
	var names []string
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(r)
		names = append(names, h.Name+" "+string(text))
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Gname != "" || !h.ModTime.Equal(at) {
			t.Errorf("%s: %+v", h.Name, h)
		}
		if want := int64(0o644); h.Name == "folder/program" && h.Mode != 0o755 || h.Name != "folder/program" && h.Mode != want {
			t.Errorf("%s: mode %o", h.Name, h.Mode)
		}
	}
	if want := []string{"folder/program program", "folder/docs/text text"}; !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
}

func TestWhatIsLinkedIsPassedOnWithItsLicence(t *testing.T) {
	text, err := noticesOf("../..", "linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"\nGo go1.", "\nmodernc.org/sqlite v", "\ngithub.com/redis/go-redis/v9 v", "\ngithub.com/nyaruka/phonenumbers v"} {
		if !strings.Contains(string(text), part) {
			t.Errorf("nothing of %q", part)
		}
	}
	if strings.Contains(string(text), "chromedp") || strings.Contains(string(text), "kin-openapi v") {
		t.Error("what only tests use is not passed on")
	}
	var b bytes.Buffer
	if err := notice(&b, "a part", t.TempDir()); err == nil || !strings.Contains(err.Error(), "a part has no licence") {
		t.Error(err)
	}
}

func TestNoSettingOfThisMachineReachesABuild(t *testing.T) {
	t.Setenv("GOFLAGS", "-tags=mine")
	t.Setenv("GOAMD64", "v3")
	env, err := environment("linux/arm64")
	if err != nil {
		t.Fatal(err)
	}
	last := map[string]string{}
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		last[name] = value // as the system takes it
	}
	for name, want := range map[string]string{"GOFLAGS": "", "GOAMD64": "v1", "GOOS": "linux", "GOARCH": "arm64", "CGO_ENABLED": "0"} {
		if last[name] != want {
			t.Errorf("%s=%s", name, last[name])
		}
	}
	if _, err := environment("linux"); err == nil {
		t.Error("linux alone is no platform")
	}
}

func TestTheChecksumsAreThoseOfTheFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"b": "", "a": "abc"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeSums(dir); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	const want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a\n" +
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  b\n"
	if err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
}

func TestNothingIsReleasedOverWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	if _, err := output(dir, nil, "git", "init", "-q"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := release(dir, filepath.Join(dir, "out"), nil); err == nil || !strings.Contains(err.Error(), "commit first") {
		t.Error(err)
	}
	if name := nameOf("v1.2.3", "linux/amd64"); name != "countersign_1.2.3_linux_amd64" {
		t.Error(name)
	}
}

// TestAnArchiveHasThePagesThatItsPagesLeadTo reads the links of all that is packed, and the files of contrib that the program tells an operator to use.
func TestAnArchiveHasThePagesThatItsPagesLeadTo(t *testing.T) {
	passed, err := enclosedFiles("../..")
	if err != nil {
		t.Fatal(err)
	}
	links := map[string]int{}
	for _, page := range passed {
		if filepath.Ext(page) != ".md" {
			continue
		}
		text, err := os.ReadFile(filepath.Join("../..", page))
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`).FindAllSubmatch(text, -1) {
			links[page]++
			to := filepath.Join(filepath.Dir(page), string(link[1]))
			has := slices.ContainsFunc(passed, func(name string) bool { return name == to || strings.HasPrefix(name, to+"/") })
			source := filepath.Ext(to) == ".go" || strings.Contains(to, "/testdata/") // who reads the program has it already
			if !has && !source {
				t.Errorf("%s leads to %s, which no archive has", page, to)
			}
		}
	}
	for page, least := range map[string]int{"README.md": 20, "docs/operating.md": 10, "docs/ev.md": 5} {
		if links[page] < least {
			t.Errorf("%s: %d links", page, links[page])
		}
	}
	for _, name := range []string{"contrib/step-ca/code-signing.tpl", "contrib/acme2certifier/countersign_eab_handler.py", "docs/dialects.md"} {
		if !slices.Contains(passed, name) {
			t.Errorf("no archive has %s", name)
		}
	}
}
