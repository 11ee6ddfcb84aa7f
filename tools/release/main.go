// Command release makes what is given to others: for each platform an archive with the
// static program, its licences and how to run it, and a bill of materials; and the
// checksums of all of them. The same commit gives the same bytes again with the same Go on
// a machine of the same kind: that is what -check looks at.
//
// It runs in the module tools, because it is no part of the product.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	out := flag.String("out", "", "the folder to write to; it must be empty or not there")
	targets := flag.String("targets", "linux/amd64,linux/arm64", "the platforms, with commas between them")
	check := flag.Bool("check", false, "make everything twice, in other folders and without a cache, and compare")
	notices := flag.String("notices", "", "only write the licences of what is linked for this platform (linux/amd64) to standard output")
	flag.Parse()
	if err := run(*out, strings.Split(*targets, ","), *check, *notices); err != nil {
		fmt.Fprintf(os.Stderr, "release: %v\n", err)
		os.Exit(1)
	}
}

func run(out string, targets []string, check bool, notices string) error {
	if notices != "" {
		// An image is built from sources that may be no repository.
		text, err := noticesOf("..", notices)
		if err == nil {
			_, err = os.Stdout.Write(text)
		}
		return err
	}
	root, err := output(".", nil, "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	if check {
		return compare(root, targets)
	}
	if out == "" {
		return errors.New("name a folder with -out")
	}
	if out, err = filepath.Abs(out); err != nil {
		return err
	}
	return release(root, out, targets)
}

// release makes everything for the commit that is checked out.
func release(root, out string, targets []string) error {
	changed, err := output(root, nil, "git", "status", "--porcelain")
	if err != nil {
		return err
	}
	if changed != "" {
		return fmt.Errorf("commit first: nobody could make this again\n%s", changed)
	}
	text, err := output(root, nil, "git", "log", "-1", "--format=%ct")
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("the time of the commit: %w", err)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	if there, err := os.ReadDir(out); err != nil || len(there) > 0 {
		return errors.Join(err, fmt.Errorf("%s is not empty: what is in it would get into the checksums", out))
	}
	work, err := os.MkdirTemp("", "release")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	for _, target := range targets {
		if err := releaseFor(root, out, work, target, time.Unix(seconds, 0)); err != nil {
			return fmt.Errorf("%s: %w", target, err)
		}
	}
	return writeSums(out)
}

// releaseFor makes what belongs to one platform.
func releaseFor(root, out, work, target string, at time.Time) error {
	env, err := environment(target)
	if err != nil {
		return err
	}
	binary := filepath.Join(work, strings.ReplaceAll(target, "/", "_"), "countersign")
	if _, err := output(root, env, "go", "build", "-trimpath", "-buildvcs=true", "-o", binary, "./cmd/countersign"); err != nil {
		return err
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	notices, err := noticesOf(root, target)
	if err != nil {
		return err
	}
	name := nameOf(info.Main.Version, target)
	files := []file{{name: "countersign", from: binary, mode: 0o755}, {name: "NOTICES", text: notices}}
	passed, err := enclosedFiles(root)
	if err != nil {
		return err
	}
	for _, from := range passed {
		files = append(files, file{name: from, from: filepath.Join(root, from)})
	}
	if err := writeArchive(filepath.Join(out, name+".tar.gz"), name, files, at); err != nil {
		return err
	}
	return writeBill(root, binary, filepath.Join(out, name+".cdx.json"))
}

// enclosed is what goes into every archive beside the program: what is run with it, and the pages that its manual leads to. A
// folder is all files in it.
var enclosed = []string{
	"LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs", "contrib", "docker-compose.yml", "cmd/countersign/config.example.yaml", "acme/openapi.yaml",
}

// enclosedFiles are those of enclosed, in an order that is always the same.
func enclosedFiles(root string) ([]string, error) {
	var all []string
	for _, from := range enclosed {
		err := filepath.WalkDir(filepath.Join(root, from), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			name, err := filepath.Rel(root, path)
			all = append(all, filepath.ToSlash(name))
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// nameOf is the first part of the names of a platform's files.
func nameOf(version, target string) string {
	return "countersign_" + strings.TrimPrefix(version, "v") + "_" + strings.ReplaceAll(target, "/", "_")
}

// environment is that of a build: what would change its outcome is set here, whatever the caller's
// machine has set, and the rest (caches, a proxy of modules) is the caller's.
func environment(target string) ([]string, error) {
	system, machine, ok := strings.Cut(target, "/")
	if !ok {
		return nil, fmt.Errorf("%q is no platform such as linux/amd64", target)
	}
	var env []string
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); !slices.Contains([]string{"GOFLAGS", "GOEXPERIMENT", "GOWORK", "GODEBUG"}, name) {
			env = append(env, entry)
		}
	}
	return append(env, "GOOS="+system, "GOARCH="+machine, "CGO_ENABLED=0", "GOAMD64=v1", "GOARM64=v8.0",
		"GOFIPS140=off", "GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off", "GOENV=off"), nil
}

// writeBill lists what the program is made of, as CycloneDX has it. It asks nobody: what it
// found today it might not find tomorrow. The licences are in NOTICES.
func writeBill(root, binary, to string) error {
	// The tool names itself by its own checksum, so it is built like a release too.
	env, err := environment(runtime.GOOS + "/" + runtime.GOARCH)
	if err != nil {
		return err
	}
	tool := filepath.Join(filepath.Dir(binary), "cyclonedx-gomod")
	if _, err := output(filepath.Join(root, "tools"), env, "go", "build", "-trimpath", "-buildvcs=false", "-o", tool, "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod"); err != nil {
		return err
	}
	_, err = output(root, append(env, "GOPROXY=off"), tool, "bin", "-json", "-std", "-noserial", "-notimestamp", "-output", to, binary)
	return err
}

// writeSums writes SHA256SUMS, which sha256sum -c reads.
func writeSums(dir string) error {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, e := range entries {
		f, err := os.Open(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		h := sha256.New()
		_, err = io.Copy(h, f)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%s  %s\n", hex.EncodeToString(h.Sum(nil)), e.Name())
	}
	return os.WriteFile(filepath.Join(dir, "SHA256SUMS"), []byte(sums.String()), 0o644)
}

// compare makes the release of the last commit twice, from clones in folders of
// different names, each with an empty cache of its own.
func compare(root string, targets []string) error {
	work, err := os.MkdirTemp("", "release-check")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	var sums []string
	for _, name := range []string{"a", "another/deeper/folder"} {
		clone, out := filepath.Join(work, name, "src"), filepath.Join(work, name, "out")
		if _, err := output(root, nil, "git", "clone", "--quiet", root, clone); err != nil {
			return err
		}
		env := append(os.Environ(), "GOCACHE="+filepath.Join(work, name, "cache"))
		if _, err := output(filepath.Join(clone, "tools"), env, "go", "run", "./release", "-out", out, "-targets", strings.Join(targets, ",")); err != nil {
			return err
		}
		text, err := os.ReadFile(filepath.Join(out, "SHA256SUMS"))
		if err != nil {
			return err
		}
		sums = append(sums, string(text))
	}
	fmt.Print(sums[0])
	if sums[0] != sums[1] {
		return fmt.Errorf("made again, it is something else:\n%s", sums[1])
	}
	fmt.Println("made twice, the same")
	return nil
}

// output runs a program and returns what it printed, without the end of the last line.
func output(dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, env // none is the caller's
	var said strings.Builder
	cmd.Stderr = &said
	text, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, said.String())
	}
	return strings.TrimSpace(string(text)), nil
}
