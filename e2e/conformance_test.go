package e2e

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// kitReport is what `countersign conformance eab --json` prints.
type kitReport struct {
	Passed bool `json:"passed"`
	Checks []struct{ Check, Level, Outcome, Saw string }
	Made   int      `json:"accounts_made"`
	Left   []string `json:"accounts_left"`
}

// kit runs the conformance kit, by itself and without a configuration, with MAC keys on its standard input.
func kit(t testing.TB, directory, roots string, macKeys []string, args ...string) *kitReport {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, append([]string{"conformance", "eab", directory, "--ca-file", roots, "--hmac-key", "-", "--json"}, args...)...)
	cmd.Stdin = strings.NewReader(strings.Join(macKeys, "\n") + "\n")
	out, err := cmd.Output()
	var report kitReport
	if bad := json.Unmarshal(out, &report); bad != nil {
		t.Fatalf("%v, %v:\n%s", err, bad, out)
	}
	exit, failed := errors.AsType[*exec.ExitError](err)
	if failed == report.Passed || failed && exit.ExitCode() != 1 {
		t.Errorf("passed %v, and it ends with %v", report.Passed, err)
	}
	for _, k := range macKeys {
		if strings.Contains(string(out), k) {
			t.Error("the report has a MAC key")
		}
	}
	return &report
}

// counts is a row of docs/conformance.md.
func (r *kitReport) counts() map[string]int {
	seen := map[string]int{}
	for _, c := range r.Checks {
		seen[c.Level+" "+c.Outcome]++
	}
	return seen
}

// is holds a report against what docs/conformance.md has of it: how many came out how, and by name those that did not hold.
func (r *kitReport) is(t testing.TB, what string, want map[string]int, made, left int, but map[string]string) {
	t.Helper()
	for _, c := range r.Checks {
		expected, ok := but[c.Check]
		if !ok {
			expected = "held"
		}
		if c.Outcome != expected {
			t.Errorf("%s: %s (%s) is %s: %s", what, c.Check, c.Level, c.Outcome, c.Saw)
		}
	}
	if seen := r.counts(); !maps.Equal(seen, want) {
		t.Errorf("%s: there are %v, and docs/conformance.md has %v", what, seen, want)
	}
	if r.Made != made || len(r.Left) != left {
		t.Errorf("%s: made %d, left %v", what, r.Made, r.Left)
	}
}

// only is for a server of which little can be shown: what held is named, and of the rest nothing held or was broken.
func (r *kitReport) only(t testing.TB, what string, want map[string]int, made int, held ...string) {
	t.Helper()
	but := map[string]string{}
	for _, c := range r.Checks {
		if slices.Contains(held, c.Check) {
			continue
		}
		but[c.Check] = c.Outcome
		if c.Outcome == "held" || c.Outcome == "broken" {
			t.Errorf("%s: %s is %s: %s", what, c.Check, c.Outcome, c.Saw)
		}
	}
	r.is(t, what, want, made, 0, but)
}

// A CA that asks us, as the one of these tests does by the Go client, keeps every MUST of external account binding and of
// pre-authorization: in the form that was valid before the account was, and in the one that waits for a person.
func TestACAThatAsksKeepsWhatTheConformanceKitAsksFor(t *testing.T) {
	t.Parallel()
	p, ca := newProgram(t), newOwnCA(t)
	asCA := p.ca("own", ca.url("/dir"), ca.url("/new-account"), "address", "device")
	ca.asks(t, p.api, asCA.token, map[string]string{"email": "address", "dns": "device"})
	roots := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	const proved, name = "conformance-own@example.org", "conformance-own.example.org"
	p.command("registry", "add", "own", "dns", name, "--email", proved)
	for _, c := range []struct {
		what, identifier string
		want             map[string]int
		but              map[string]string
	}{
		{"already valid", "email:" + proved, map[string]int{"MUST held": 58, "SHOULD held": 8}, nil},
		{"pending", "dns:" + name, map[string]int{"MUST held": 57, "MUST not applicable": 1, "SHOULD held": 7, "SHOULD not applicable": 1}, map[string]string{"order-ready": "not applicable", "order-status": "not applicable"}},
	} {
		kid, hmacKey := asCA.keyOfProof(proved)
		other, otherKey := asCA.keyOfProof("conformance-other@example.org")
		r := kit(t, ca.url("/dir"), roots, []string{hmacKey, otherKey}, "--kid", kid, "--other-kid", other, "--other-hmac-key", "-", "--identifier", c.identifier)
		r.is(t, c.what, c.want, 2, 0, c.but)
		i := slices.IndexFunc(r.Checks, func(k struct{ Check, Level, Outcome, Saw string }) bool { return k.Check == "authz-status" })
		if i < 0 || !strings.HasSuffix(c.what, strings.TrimPrefix(r.Checks[i].Saw, "it is ")) {
			t.Errorf("%s: the authorization: %v", c.what, r.Checks[max(i, 0)].Saw)
		}
	}
}

// Pebble, with an exported key: where it requires a binding, where it takes one, and where it has no keys at all.
func TestPebbleKeepsWhatTheConformanceKitAsksForButOne(t *testing.T) {
	t.Parallel()
	p, b := newProgram(t), newPebble(t)
	ca := p.ca("pebble", b.directory, b.newAccount, "address")
	kid, hmacKey := ca.keyOfProof("conformance@example.org")
	exported := ca.output("", "eab", "export", "pebble", "pebble")
	for _, c := range []struct {
		what     string
		required bool
		keys     bool
		want     map[string]int
		made     int
		but      map[string]string
	}{
		{"required", true, true, map[string]int{"MUST held": 37, "MUST not applicable": 1, "SHOULD held": 2, "SHOULD broken": 1}, 1,
			map[string]string{"good-fixed": "broken", "authz-offered": "not applicable"}},
		{"taken", false, true, map[string]int{"MUST held": 37, "MUST not applicable": 1, "SHOULD held": 1, "SHOULD broken": 1, "SHOULD not applicable": 1}, 2,
			map[string]string{"good-fixed": "broken", "required-type": "not applicable", "authz-offered": "not applicable"}},
		{"no keys", false, false, map[string]int{"MUST held": 4, "MUST undecided": 33, "MUST not applicable": 1, "SHOULD held": 1, "SHOULD undecided": 1, "SHOULD not applicable": 1}, 1, nil},
	} {
		var config struct {
			Pebble map[string]any `json:"pebble"`
		}
		if err := json.Unmarshal([]byte(exported), &config); err != nil {
			t.Fatal(err)
		}
		config.Pebble["externalAccountBindingRequired"] = c.required
		if !c.keys {
			delete(config.Pebble, "externalAccountMACKeys")
		}
		text, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		b.run(string(text))
		r := kit(t, b.directory, b.file, []string{hmacKey}, "--kid", kid, "--agree-terms")
		if c.keys {
			r.is(t, c.what, c.want, c.made, 0, c.but)
			continue
		}
		r.only(t, c.what, c.want, c.made, "kid-ascii", "key-size", "refused-is-refused", "required-announced", "refused-as-problem")
	}
}

// step-ca as it is given out makes no binding keys, so that little can be judged: what it does without a binding, and that one which
// requires none looks at none. It must pass in nothing for which a key is needed.
func TestOfAStepCAWithoutKeysTheConformanceKitJudgesLittle(t *testing.T) {
	t.Parallel()
	s := newStepCA(t, newRoot(t))
	s.manage("ca", "provisioner", "add", "bound", "--type", "ACME", "--require-eab")
	for _, c := range []struct {
		provisioner string
		held        []string
		want        map[string]int
		made        int
	}{
		{"bound", []string{"kid-ascii", "key-size", "required-announced", "required-type", "refused-as-problem"},
			map[string]int{"MUST held": 3, "MUST undecided": 34, "MUST not applicable": 1, "SHOULD held": 2, "SHOULD undecided": 1}, 0},
		{"acme", []string{"kid-ascii", "key-size", "jws-compact", "required-announced", "good-created", "good-again", "good-looked-up", "refused-as-problem"},
			map[string]int{"MUST held": 7, "MUST undecided": 29, "MUST not applicable": 2, "SHOULD held": 1, "SHOULD not applicable": 2}, 30},
	} {
		directory := strings.Replace(s.directory, "/acme/acme/", "/acme/"+c.provisioner+"/", 1)
		r := kit(t, directory, s.file, []string{b64([]byte(strings.Repeat("k", 32)))}, "--kid", "nobody-has-this", "--max-accounts", "60")
		r.only(t, c.provisioner, c.want, c.made, c.held...)
	}
}
