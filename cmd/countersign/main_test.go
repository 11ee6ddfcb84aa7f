package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// call runs the program with an environment of its own.
func call(t *testing.T, environ []string, stdin string, args ...string) (code int, out, said string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, &globals{environ: environ, stdin: strings.NewReader(stdin), stdout: &stdout, stderr: &stderr, now: time.Now})
	return code, stdout.String(), stderr.String()
}

func TestANewcomersFirstTwoCommandsSucceed(t *testing.T) {
	code, example, said := call(t, nil, "", "config", "example")
	if code != exitOK || said != "" {
		t.Fatal(code, said)
	}
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, said := call(t, nil, "", "config", "check", file)
	if code != exitOK {
		t.Fatal(code, said)
	}
	contains(t, out, file+": ok: http://localhost:8080 by Example Trust Services", "profiles client code-signing code-signing-ev device", "3 warnings")
	contains(t, said, "c.yaml:102: warning: providers.email: mailbox sends nothing", "SP 800-63B-4 3.2.9")
	for line := range strings.Lines(said) {
		if !strings.Contains(line, ": warning: ") {
			t.Error(line)
		}
	}
}

func TestConfigCheckExitsWithTwoAndNamesEveryLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte(smtp("username: a\n  password: env:NOT_SET")+"nonsense: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, said := call(t, nil, "", "--config", file, "config", "check")
	if code != exitUsage || out != "" {
		t.Error(code, out)
	}
	contains(t, said, file+":7: smtp.password: the environment variable \"NOT_SET\" is not set", file+":13: nonsense: unknown key")
	_, _, said = call(t, nil, "", "--config", file, "config", "check", "--no-secrets")
	if strings.Contains(said, "NOT_SET") || !strings.Contains(said, "nonsense") {
		t.Error(said)
	}
	code, _, said = call(t, nil, "", "config", "check", file+".none")
	if code != exitUsage {
		t.Error(code)
	}
	contains(t, said, "no such file", "`countersign config example`")
}

func TestTheDemoIsForThisMachineAlone(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.org:80"} {
		code, out, said := call(t, nil, "", "demo", "--listen", listen)
		if code != exitUsage || out != "" {
			t.Errorf("%s: %d %s", listen, code, out)
		}
		contains(t, said, "the demo shows every code and its CA's token")
	}
}

func TestTheExitCodeOfWrongCalls(t *testing.T) {
	for _, args := range [][]string{{}, {"nonsense"}, {"ca"}, {"ca", "add"}, {"config", "check", "--odd"}, {"version", "more"}} {
		if code, out, said := call(t, nil, "", args...); code != exitUsage || out != "" || !strings.Contains(said, "--help") {
			t.Errorf("%v: %d\n%s%s", args, code, out, said)
		}
	}
	code, out, _ := call(t, nil, "", "ca", "add", "--help")
	if code != exitOK {
		t.Error(code)
	}
	contains(t, out, "--directory=URL", "repeatable")
}

func TestAssessKeepsItsExitCode(t *testing.T) {
	code, _, said := call(t, nil, "{}", "assess")
	if code != exitUsage {
		t.Error(code)
	}
	contains(t, said, "framework: missing")
	code, out, _ := call(t, nil, `{"framework": "sp800-63-3", "now": "2026-11-23T10:00:00Z", "evidence": []}`, "assess")
	if code != exitOK {
		t.Error(code)
	}
	contains(t, out, `"framework": "sp800-63-3"`)
}

func TestVersions(t *testing.T) {
	code, out, _ := call(t, nil, "", "version")
	if code != exitOK || !strings.HasPrefix(out, "countersign ") || strings.Count(out, "\n") != 1 {
		t.Error(code, out)
	}
	built := &debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef0123"}, {Key: "vcs.modified", Value: "true"}, {Key: "vcs.time", Value: "2026-11-23T10:00:00Z"},
	}}
	if got, want := describe(built), "v1.2.3 0123456789ab with changes of 2026-11-23T10:00:00Z, go1.26.8"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := describe(&debug.BuildInfo{}); got != "(unknown version)" {
		t.Error(got)
	}
}
