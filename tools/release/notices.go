package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// licences are the names of files that whoever passes the program on must pass on too.
var licences = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([._-].*)?$`)

// noticesOf is the licences of everything that is linked for a platform: of the modules, and of Go,
// whose library and runtime are in every program.
func noticesOf(root, target string) ([]byte, error) {
	env, err := environment(target)
	if err != nil {
		return nil, err
	}
	goroot, err := output(root, env, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	version, err := output(root, env, "go", "env", "GOVERSION")
	if err != nil {
		return nil, err
	}
	list, err := output(root, env, "go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}", "./cmd/countersign")
	if err != nil {
		return nil, err
	}
	linked := slices.DeleteFunc(strings.Split(list, "\n"), func(line string) bool { return line == "" })
	slices.Sort(linked)
	b := bytes.NewBufferString("countersign contains the work of others, under these terms.\n")
	if err := notice(b, "Go "+version, goroot); err != nil {
		return nil, err
	}
	for _, line := range slices.Compact(linked) {
		parts := strings.Split(line, "\t")
		if len(parts) != 3 {
			return nil, fmt.Errorf("go list says %q", line)
		}
		if err := notice(b, parts[0]+" "+parts[1], parts[2]); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// notice adds the licences in one folder. A part without any may not be passed on at all.
func notice(b *bytes.Buffer, part, dir string) error {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return fmt.Errorf("the licence of %s: %w", part, err)
	}
	found := false
	for _, e := range entries {
		if !e.Type().IsRegular() || !licences.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return fmt.Errorf("the licence of %s: %w", part, err)
		}
		found = true
		fmt.Fprintf(b, "\n%s\n%s: %s\n\n%s\n", strings.Repeat("=", 80), part, e.Name(), bytes.TrimSpace(text))
	}
	if !found {
		return fmt.Errorf("%s has no licence in %s", part, dir)
	}
	return nil
}
