package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	keptApproval = "../../audit/testdata/approval.json"
	keptLogKey   = "../../audit/testdata/log-key.txt"
)

func verifyApproval(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"verify-approval"}, args...), &globals{stdin: strings.NewReader(stdin), stdout: &out, stderr: &errs})
	return code, out.String(), errs.String()
}

func TestVerifyApprovalSaysWhoWhatWhenAndHow(t *testing.T) {
	key, err := os.ReadFile(keptLogKey)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(keptApproval)
	if err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string][]string{"key in a file": {keptApproval, "--log-key", keptLogKey}, "key as it is": {"-", "--log-key", strings.TrimSpace(string(key))}} {
		code, out, errs := verifyApproval(t, string(file), call...)
		if code != exitOK || errs != "" {
			t.Fatalf("%s: exit %d, %s", name, code, errs)
		}
		for _, want := range []string{
			"The approval holds", "The reviewer (person ", "as reviewer, by appointment appointment-1", "approved: review of case ", "after its entry 7",
			"Beispiel GmbH, number HRB 1234, DE", "  | Beispiel GmbH soll ein Zertifikat bekommen.\n", "  | Alles ist geprüft.\n", "shown at 2026-11-26 19:00:00 UTC",
			"as entry 13", "verified its user", "https://proof.example.org", "as entry 5 of the log, which is before", "proof.example.org/log",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: it does not say %q:\n%s", name, want, out)
			}
		}
	}
}

func TestVerifyApprovalSaysWhatIsWrong(t *testing.T) {
	file, err := os.ReadFile(keptApproval)
	if err != nil {
		t.Fatal(err)
	}
	edited := filepath.Join(t.TempDir(), "approval.json")
	if err := os.WriteFile(edited, bytes.Replace(file, []byte("Beispiel GmbH soll"), []byte("Beispiel AG soll"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(keptLogKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, stdin string
		args        []string
		code        int
		want        string
	}{
		{"an edited document", "", []string{edited, "--log-key", keptLogKey}, exitFailure, "another document"},
		{"another form of the same", strings.Replace(string(file), `","`, `", "`, 1), []string{"-", "--log-key", keptLogKey}, exitFailure, "canonical form"},
		{"no approval", "{}", []string{"-", "--log-key", keptLogKey}, exitFailure, "the type is"},
		{"nothing", "", []string{"-", "--log-key", keptLogKey}, exitFailure, "EOF"},
		{"the key of another log of that name", "", []string{keptApproval, "--log-key", logKey(t, "proof.example.org/log")}, exitFailure, "checkpoint"},
		{"the key of a log of another name", "", []string{keptApproval, "--log-key", logKey(t, "other.example/log")}, exitFailure, "checkpoint"},
		{"a key under a name that is not its own", "", []string{keptApproval, "--log-key", "x" + strings.TrimSpace(string(key))}, exitUsage, "no key"},
		{"no such key", "", []string{keptApproval, "--log-key", "nowhere.txt"}, exitUsage, "no such file"},
		{"a key file that is none", "", []string{keptApproval, "--log-key", keptApproval}, exitUsage, "read the log's key"},
		{"no such file", "", []string{"nowhere.json", "--log-key", keptLogKey}, exitUsage, "countersign: open nowhere.json: no such file"},
		{"too much of it", strings.Repeat(" ", maxApprovalFile+1), []string{"-", "--log-key", keptLogKey}, exitUsage, "more than"},
		{"no key", "", []string{keptApproval}, exitUsage, "--log-key"},
	} {
		code, out, errs := verifyApproval(t, c.stdin, c.args...)
		if code != c.code || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("%s: exit %d, says %q and prints %q; want exit %d and %q", c.name, code, errs, out, c.code, c.want)
		}
	}
}

// logKey is a new key of a log (C2SP signed-note, verifier keys).
func logKey(t *testing.T, name string) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := append([]byte{1}, public...)
	id := sha256.Sum256(append([]byte(name+"\n"), key...))
	return fmt.Sprintf("%s+%x+%s", name, id[:4], base64.StdEncoding.EncodeToString(key))
}

// Whoever has the log's key chooses every id and key of an evidence file: none writes on an auditor's terminal.
func TestTheReportOfEvidenceIsQuiet(t *testing.T) {
	var out strings.Builder
	(&evidenceReport{w: &out}).say("Request", "%s, for %d", "a\x1b[2J\u202eb\r\n", 3)
	if got, want := out.String(), "Request     a[2Jb, for 3\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// What others chose to be called must not write on an auditor's terminal.
func TestWhatAnApprovalSaysIsQuiet(t *testing.T) {
	if got := quiet("Evil\x1b[2J\u202e GmbH\r\n\u00a0é"); got != "Evil[2J GmbH\u00a0é" {
		t.Errorf("it prints %q", got)
	}
}
