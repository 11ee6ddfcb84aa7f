package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const assessDocument = `{"framework": "sp800-63-3", "now": "2026-11-23T10:00:00Z", "evidence": [
	{"kind": "sms_code", "at": "2026-11-23T09:00:00Z", "bound_at": "2026-11-22T09:00:00Z", "number": "+12025550143", "line_type": "mobile"}]}`

func TestAssessPrintsOneDocument(t *testing.T) {
	file := filepath.Join(t.TempDir(), "evidence.json")
	if err := os.WriteFile(file, []byte(assessDocument), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, run := range map[string]func(stdout, stderr *bytes.Buffer) int{
		"standard input": func(stdout, stderr *bytes.Buffer) int {
			return runAssess(nil, strings.NewReader(assessDocument), stdout, stderr)
		},
		"a file": func(stdout, stderr *bytes.Buffer) int {
			return runAssess([]string{file}, strings.NewReader("not read"), stdout, stderr)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(&stdout, &stderr); code != 0 || stderr.Len() > 0 {
				t.Fatalf("exit %d: %s", code, &stderr)
			}
			var got map[string]any
			if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if got["aal"] != 1.0 || got["fal"] != nil || !strings.HasPrefix(stdout.String(), "{\n  \"framework\"") {
				t.Errorf("%s", &stdout)
			}
		})
	}
}

// The command adds nothing to the rules and takes nothing away.
func TestAssessPrintsWhatTheVectorsSay(t *testing.T) {
	files, err := filepath.Glob("../../proofing/testdata/assess/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v struct{ Input, Output json.RawMessage }
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		if code := runAssess(nil, bytes.NewReader(v.Input), &stdout, &stderr); code != 0 {
			t.Errorf("%s: exit %d: %s", file, code, &stderr)
			continue
		}
		var got, want any
		if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if err := json.Unmarshal(v.Output, &want); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %s", file, &stdout)
		}
	}
}

func TestAssessNamesTheMemberOfEachMistake(t *testing.T) {
	document := strings.NewReplacer("+1202", "1202", `"mobile"`, "null", "sp800-63-3", "sp800-63-2").Replace(assessDocument)
	var stdout, stderr bytes.Buffer
	if code := runAssess(nil, strings.NewReader(document), &stdout, &stderr); code != 2 || stdout.Len() > 0 {
		t.Errorf("exit %d: %s", code, &stdout)
	}
	lines := strings.Split(strings.TrimSuffix(stderr.String(), "\n"), "\n")
	members := []string{"framework: ", "evidence[0].number: ", "evidence[0].line_type: "}
	if len(lines) != len(members) {
		t.Fatalf("%d lines: %s", len(lines), &stderr)
	}
	for i, member := range members {
		if !strings.HasPrefix(lines[i], member) {
			t.Errorf("line %d is %q, want %q", i, lines[i], member)
		}
	}
	if strings.Contains(stderr.String(), "2025550143") {
		t.Errorf("a number was printed: %s", &stderr)
	}
}

func TestAssessRefusesOtherArguments(t *testing.T) {
	for _, args := range [][]string{{"a.json", "b.json"}, {"-level=3"}, {filepath.Join(t.TempDir(), "missing.json")}} {
		var stdout, stderr bytes.Buffer
		if code := runAssess(args, strings.NewReader(assessDocument), &stdout, &stderr); code != 2 || stdout.Len() > 0 || stderr.Len() == 0 {
			t.Errorf("%v: exit %d, %q, %q", args, code, &stdout, &stderr)
		}
	}
}

func TestAssessExplainsItself(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := runAssess([]string{"-h"}, strings.NewReader(""), &stdout, &stderr); code != 0 || stdout.String() != assessUsage || stderr.Len() > 0 {
		t.Errorf("exit %d, %q, %q", code, &stdout, &stderr)
	}
}
