package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/countersign-id/countersign"

// mayImport is the table of docs/architecture.md: which of our packages each of
// our packages may import. A package that is not here may not exist.
var mayImport = map[string][]string{
	"proofing":              nil,
	"templates":             nil,
	"challenges":            {"proofing", "webauthn"},
	"challenges/oidctest":   nil,
	"conformance":           nil,
	"dns":                   {"proofing"},
	"notify":                {"proofing", "templates"},
	"notify/twiliotest":     nil,
	"store":                 {"proofing"},
	"store/redistest":       nil,
	"store/storetest":       {"proofing", "store"},
	"acme":                  {"proofing"},
	"audit":                 {"proofing", "webauthn"},
	"web":                   {"proofing", "templates"},
	"webauthn":              nil,
	"webauthn/webauthntest": nil,
	"cmd/countersign":       {"proofing", "challenges", "notify", "store", "acme", "web", "templates", "webauthn", "challenges/oidctest", "webauthn/webauthntest", "conformance", "dns", "audit"},
}

// livesIn says which of our packages may import a library. Libraries that are
// not here may be imported by nobody.
var livesIn = map[string][]string{
	"github.com/alecthomas/kong":          {"cmd/countersign"},
	"github.com/coreos/go-oidc/v3":        {"challenges"},
	"github.com/go-jose/go-jose":          {"acme", "challenges"},
	"github.com/go-webauthn/webauthn":     {"webauthn"},
	"github.com/nyaruka/phonenumbers":     {"challenges"},
	"github.com/prometheus/client_golang": {"cmd/countersign"},
	"github.com/redis/go-redis/v9":        {"store"},
	"github.com/twilio/twilio-go":         {"notify"},
	"github.com/wneessen/go-mail":         {"notify"},
	"go.opentelemetry.io/otel":            {"cmd/countersign"},
	"go.yaml.in/yaml":                     {"acme", "cmd/countersign"},
	"golang.org/x/mod/sumdb":              {"audit"},
	"golang.org/x/net/dns/dnsmessage":     {"dns"},
	"golang.org/x/net/idna":               {"challenges"},
	"golang.org/x/net/netutil":            {"cmd/countersign"},
	"golang.org/x/oauth2":                 {"challenges"},
	"golang.org/x/text":                   {"templates"},
	"modernc.org/sqlite":                  {"store"},
}

type listed struct {
	ImportPath string
	Imports    []string
	Standard   bool
}

// listPackages asks the go command what imports what in the product's module.
func listPackages(t *testing.T, flags ...string) []listed {
	t.Helper()
	return listModule(t, "../..", flags...)
}

func listModule(t *testing.T, dir string, flags ...string) []listed {
	t.Helper()
	args := append(append([]string{"list", "-json=ImportPath,Imports"}, flags...), "./...")
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	var packages []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// breaches lists what the tables do not allow.
func breaches(packages []listed) []string {
	var found []string
	for _, p := range packages {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		ours, known := mayImport[name]
		if !known {
			found = append(found, fmt.Sprintf("%s is a package that the table does not know", name))
			continue
		}
		for _, imported := range p.Imports {
			first, _, _ := strings.Cut(imported, "/")
			switch {
			case strings.HasPrefix(imported, module+"/"):
				if to := strings.TrimPrefix(imported, module+"/"); !slices.Contains(ours, to) {
					found = append(found, fmt.Sprintf("%s imports %s", name, to))
				}
			case !strings.Contains(first, "."): // the standard library
			case !slices.ContainsFunc(slices.Collect(maps.Keys(livesIn)), func(lib string) bool {
				return (imported == lib || strings.HasPrefix(imported, lib+"/")) && slices.Contains(livesIn[lib], name)
			}):
				found = append(found, fmt.Sprintf("%s imports %s", name, imported))
			}
		}
	}
	return found
}

func TestPackagesImportWhatTheTableAllows(t *testing.T) {
	for _, b := range breaches(listPackages(t)) {
		t.Error(b)
	}
}

// TestTheClientImportsTheStandardLibraryAlone keeps what a CA takes in with client/ as small as it is said to be.
func TestTheClientImportsTheStandardLibraryAlone(t *testing.T) {
	packages := listModule(t, "../../client")
	if len(packages) == 0 {
		t.Fatal("there is no client")
	}
	for _, p := range packages {
		for _, imported := range p.Imports {
			if first, _, _ := strings.Cut(imported, "/"); strings.Contains(first, ".") {
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
		}
	}
}

// TestAPlantedBreachIsFound lays files over the tree that break each rule, so
// that the test above is known to look.
func TestAPlantedBreachIsFound(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for want, source := range map[string]string{
		"proofing imports store":                               `package proofing; import _ "` + module + `/store"`,
		"challenges imports modernc.org/sqlite":                `package challenges; import _ "modernc.org/sqlite"`,
		"store imports challenges":                             `package store; import _ "` + module + `/challenges"`,
		"proofing imports golang.org/x/net/idna":               `package proofing; import _ "golang.org/x/net/idna"`,
		"webauthn imports proofing":                            `package webauthn; import _ "` + module + `/proofing"`,
		"audit imports store":                                  `package audit; import _ "` + module + `/store"`,
		"web imports github.com/go-webauthn/webauthn/protocol": `package web; import _ "github.com/go-webauthn/webauthn/protocol"`,
	} {
		name, _, _ := strings.Cut(want, " ")
		planted := filepath.Join(t.TempDir(), "planted.go")
		if err := os.WriteFile(planted, []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, name, "planted.go"): planted}})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "overlay.json")
		if err := os.WriteFile(file, overlay, 0o600); err != nil {
			t.Fatal(err)
		}
		if found := breaches(listPackages(t, "-e", "-overlay", file)); !slices.Contains(found, want) {
			t.Errorf("planted %q, found %q", want, found)
		}
	}
}
