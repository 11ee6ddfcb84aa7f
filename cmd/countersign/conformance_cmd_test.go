package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/conformance"
)

// askServer runs `conformance eab` with a MAC key on standard input.
func askServer(t *testing.T, stdin string, args ...string) (code int, out, said string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	g := &globals{stdin: strings.NewReader(stdin), stdout: &stdout, stderr: &stderr, now: time.Now}
	code = run(t.Context(), append([]string{"conformance", "eab"}, args...), g)
	return code, stdout.String(), stderr.String()
}

const aMACKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"

// credulous is a server that takes whatever comes, and reflects it.
func credulous(t *testing.T) (directory, caFile string) {
	var s *httptest.Server
	n := 0
	s = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Replay-Nonce", "nonce")
		switch {
		case r.URL.Path == "/directory":
			fmt.Fprintf(w, `{"newNonce": %q, "newAccount": %q, "meta": {"externalAccountRequired": true}}`, s.URL+"/nonce", s.URL+"/new")
		case r.URL.Path == "/new":
			n++
			w.Header().Set("Location", fmt.Sprintf("%s/account/%d", s.URL, n))
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, `{"status": "valid", "externalAccountBinding": {"payload": "x"}}`)
		}
	}))
	t.Cleanup(s.Close)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return s.URL + "/directory", caFile
}

func TestAServerThatTakesWhateverComesFailsTheConformanceRun(t *testing.T) {
	directory, caFile := credulous(t)
	code, out, said := askServer(t, aMACKey+"\n", directory, "--kid", "k", "--hmac-key", "-", "--ca-file", caFile)
	if code != exitFailure {
		t.Errorf("exit %d", code)
	}
	contains(t, said, "A server that is right makes 1 account", "one that is wrong up to 5")
	contains(t, out, "jws-compact", "broken", "RFC 8555 7.3.4 (1)", "not asked", "MUST:", "SHOULD:", "made 5 accounts, 0 not deactivated")
	code, out, _ = askServer(t, "", directory, "--kid", "k", "--hmac-key", aMACKey, "--ca-file", caFile, "--json", "--max-accounts", "3")
	var report struct {
		Passed *bool
		Made   int `json:"accounts_made"`
		Checks []struct{ Check, Level, Clause, Outcome string }
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != exitFailure {
		t.Fatalf("exit %d, %v:\n%s", code, err, out)
	}
	if report.Passed == nil || *report.Passed || report.Made != 3 || len(report.Checks) < 30 || report.Checks[2].Clause == "" {
		t.Errorf("%+v", report)
	}
	if strings.Contains(out+said, aMACKey) {
		t.Error("the MAC key is shown")
	}
}

func TestTheExitCodeOfAConformanceRunIsByItsMUSTs(t *testing.T) {
	held := conformance.Result{Check: "a", Level: conformance.Must, Outcome: conformance.Held}
	for _, c := range []struct {
		with conformance.Result
		code int
	}{
		{conformance.Result{Level: conformance.Should, Outcome: conformance.Broken}, exitOK},
		{conformance.Result{Level: conformance.Should, Outcome: conformance.Undecided}, exitOK},
		{conformance.Result{Level: conformance.Must, Outcome: conformance.NotApplicable}, exitOK},
		{conformance.Result{Level: conformance.Must, Outcome: conformance.Undecided}, exitFailure},
		{conformance.Result{Level: conformance.Must, Outcome: conformance.Broken}, exitFailure},
	} {
		var out bytes.Buffer
		err := (&conformanceEABCommand{}).conclude(&globals{stdout: &out}, &conformance.Report{Checks: []conformance.Result{held, c.with}, Left: []string{"https://ca.example/1"}})
		if got := err != nil; got != (c.code != exitOK) {
			t.Errorf("%+v: %v", c.with, err)
		}
		contains(t, out.String(), "left: https://ca.example/1")
	}
}

func TestAConformanceRunThatCannotBeginSaysWhy(t *testing.T) {
	directory, caFile := credulous(t)
	for _, c := range []struct {
		args []string
		code int
		why  string
	}{
		{[]string{"--hmac-key", "not base64!", "--ca-file", caFile}, exitUsage, "base64url"},
		{[]string{"--hmac-key", "-", "--ca-file", caFile}, exitUsage, "base64url"},
		{[]string{"--hmac-key", aMACKey, "--ca-file", caFile, "--max-accounts", "2"}, exitUsage, "3 are the least"},
		{[]string{"--hmac-key", aMACKey, "--ca-file", "/nowhere.pem"}, exitUsage, "no such file"},
		{[]string{"--hmac-key", aMACKey, "--ca-file", "imports_test.go"}, exitUsage, "no certificate"},
		{[]string{"--hmac-key", aMACKey}, exitFailure, "certificate"}, // that nobody vouches for
	} {
		code, out, said := askServer(t, "", append([]string{directory, "--kid", "k"}, c.args...)...)
		if code != c.code || !strings.Contains(said, c.why) || out != "" {
			t.Errorf("%v: exit %d, %q", c.args, code, said)
		}
		if strings.Contains(said, "not base64!") || strings.Contains(said, aMACKey) {
			t.Errorf("the MAC key is shown: %q", said)
		}
	}
}

func TestTheSecondKeyOfAConformanceRunIsTheNextLine(t *testing.T) {
	directory, caFile := credulous(t)
	args := func(more ...string) []string {
		return append([]string{directory, "--kid", "k", "--hmac-key", "-", "--ca-file", caFile, "--json"}, more...)
	}
	code, out, said := askServer(t, aMACKey+"\n"+aMACKey[:40]+"\n", args("--other-kid", "o", "--other-hmac-key", "-", "--identifier", "dns:a.example")...)
	if code != exitFailure || !strings.Contains(out, `"authz-offered"`) || !strings.Contains(out, "not offered") {
		t.Errorf("exit %d, %s\n%s", code, said, out)
	}
	for _, c := range []struct {
		more []string
		why  string
	}{
		{[]string{"--other-kid", "o", "--other-hmac-key", "-"}, "--other-hmac-key: the MAC key is not in base64url"}, // there is one line
		{[]string{"--other-kid", "o"}, "--other-hmac-key: the MAC key"},
		{[]string{"--other-hmac-key", aMACKey}, "without --other-kid"},
		{[]string{"--identifier", "a.example"}, "not like dns:name.example"},
		{[]string{"--identifier", "dns:"}, "not like dns:name.example"},
		{[]string{"--identifier", ":a.example"}, "not like dns:name.example"},
	} {
		code, out, said := askServer(t, aMACKey+"\n", args(c.more...)...)
		if code != exitUsage || !strings.Contains(said, c.why) || out != "" || strings.Contains(said, aMACKey) {
			t.Errorf("%v: exit %d, %q", c.more, code, said)
		}
	}
}
