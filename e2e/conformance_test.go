package e2e

import (
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A CA that asks us, as the one of these tests does by the Go client, keeps every MUST of external account binding. That one cannot
// be told to deactivate or change an account, so that the kit leaves the account that it made, and does not learn whether its binding stays.
func TestACAThatAsksKeepsWhatTheConformanceKitAsksFor(t *testing.T) {
	t.Parallel()
	p, ca := newProgram(t), newOwnCA(t)
	asCA := p.ca("own", ca.url("/dir"), ca.url("/new-account"), "address")
	ca.asks(t, p.api, asCA.token, map[string]string{"email": "address"})
	kid, hmacKey := asCA.keyOfProof("conformance-own@example.org")
	roots := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "conformance", "eab", ca.url("/dir"), "--kid", kid, "--hmac-key", "-", "--ca-file", roots, "--json")
	cmd.Stdin = strings.NewReader(hmacKey + "\n")
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("a MUST is not kept: %v", err)
	}
	var report struct {
		Checks []struct{ Check, Level, Outcome, Saw string }
		Made   int      `json:"accounts_made"`
		Left   []string `json:"accounts_left"`
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	musts := 0
	for _, c := range report.Checks {
		want := "held"
		if c.Check == "good-fixed" {
			want = "undecided"
		}
		if c.Level == "MUST" {
			musts++
		}
		if c.Outcome != want {
			t.Errorf("%s (%s) is %s: %s", c.Check, c.Level, c.Outcome, c.Saw)
		}
	}
	if musts != 37 || report.Made != 1 || len(report.Left) != 1 {
		t.Errorf("%d MUSTs, made %d, left %v", musts, report.Made, report.Left)
	}
}
