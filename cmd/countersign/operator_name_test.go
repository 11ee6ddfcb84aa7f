package main

import (
	"encoding/json"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// operators are who ran the commands that changed an authority, as the log has it beside its leaves.
func (d *desk) operators(ca string) (names []string) {
	d.t.Helper()
	a := d.app(io.Discard)
	defer a.close()
	if err := a.service.SequenceOnce(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	j, err := a.service.Journal(d.t.Context(), proofing.SubjectAuthority, a.service.AuthorityID(ca))
	if err != nil || !j.Logged() {
		d.t.Fatalf("%+v, %v", j, err)
	}
	for _, place := range j.Places {
		e, _, err := a.service.LogEntry(d.t.Context(), place)
		if err != nil {
			d.t.Fatal(err)
		}
		var private struct{ Operator string }
		if err := json.Unmarshal(e.Private, &private); err != nil {
			d.t.Fatal(err)
		}
		if strings.Contains(e.Leaf, private.Operator) {
			d.t.Errorf("the leaf has the name: %s", e.Leaf)
		}
		names = append(names, private.Operator)
	}
	return names
}

func TestTheLogHasWhoRanACommand(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	d.run(exitOK, "--by", "Operator One", "ca", "token", "example")
	t.Setenv("COUNTERSIGN_BY", "Operator Two")
	d.run(exitOK, "ca", "set", "example", "--caa-identity", "ca.example")
	t.Setenv("COUNTERSIGN_BY", "")
	d.run(exitOK, "ca", "set", "example", "--no-caa-identities")
	self := "uid"
	if u, err := user.Current(); err == nil {
		self = u.Username
	}
	names := d.operators("example")
	if len(names) != 4 || !strings.HasPrefix(names[0], self) || names[1] != "Operator One" || names[2] != "Operator Two" || !strings.HasPrefix(names[3], self) {
		t.Errorf("the log names %q", names)
	}
	for _, bad := range []string{" ", "a\nb", strings.Repeat("x", 101)} {
		_, said := d.run(exitUsage, "--by", bad, "ca", "token", "example")
		contains(t, said, "--by must be a name")
	}
	for from, want := range map[string]string{"SUDO_USER=operator-three": "operator-three as " + self, "SUDO_USER=" + self: self, "SUDO_USER=": self, "SUDO_USER=a\x1b[2J\xffb": "a[2Jb as " + self} {
		if name, err := (&globals{environ: []string{from}}).operator(); err != nil || !strings.HasPrefix(name, want) {
			t.Errorf("%q: %q, %v", from, name, err)
		}
	}
}

// What a command does to an authority is in the log, because all of them go by ChangeAuthority.
func TestNoCommandChangesAnAuthorityBehindTheLog(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	by := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		by += strings.Count(string(text), ".ChangeAuthority(")
		if strings.Contains(string(text), ".Authorities.Update(") {
			t.Errorf("%s changes an authority by itself: the log does not hear of it", file)
		}
	}
	if by < 4 {
		t.Errorf("only %d commands are found that change one", by)
	}
}
