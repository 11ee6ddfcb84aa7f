package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/proofing"
)

// enter opens a case and has the program enter what is pending.
func (d *desk) enter(email string) {
	d.t.Helper()
	d.open("example", "client", proofing.Identifier{Type: "email", Value: email})
	a := d.app(io.Discard)
	if err := a.service.SequenceOnce(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	if err := a.close(); err != nil {
		d.t.Fatal(err)
	}
}

func TestTheLogIsCheckedProvedAndExported(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	_, said := d.run(exitUsage, "audit", "checkpoint")
	contains(t, said, "no checkpoint yet")
	d.enter("one@example.org")
	first, _ := d.run(exitOK, "audit", "checkpoint")
	old := filepath.Join(d.dir, "old")
	if err := os.WriteFile(old, []byte(first), 0o600); err != nil {
		t.Fatal(err)
	}
	d.enter("two@example.org")

	key, _ := d.run(exitOK, "audit", "key")
	key = strings.TrimSpace(key)
	contains(t, key, "localhost:8080/log+")
	last, _ := d.run(exitOK, "audit", "checkpoint")
	if c, err := audit.OpenCheckpoint(last, key); err != nil || c.Size != 3 || last == first {
		t.Errorf("%s: %+v, %v", last, c, err)
	}
	out, _ := d.run(exitOK, "audit", "verify")
	contains(t, out, "3 entries of 3 objects are whole", "covers 3")

	var inclusion audit.Inclusion
	out, _ = d.run(exitOK, "audit", "proof", "1")
	if err := json.Unmarshal([]byte(out), &inclusion); err != nil {
		t.Fatal(err)
	}
	if _, err := inclusion.Verify(key); err != nil || inclusion.Index != 1 {
		t.Errorf("%s: %v", out, err)
	}
	d.run(exitUsage, "audit", "proof", "3")

	var consistency audit.Consistency
	out, _ = d.run(exitOK, "audit", "consistency", old)
	if err := json.Unmarshal([]byte(out), &consistency); err != nil {
		t.Fatal(err)
	}
	if older, newer, err := consistency.Verify(key); err != nil || older.Size != 2 || newer.Size != 3 {
		t.Errorf("%s: %v", out, err)
	}
	proof := filepath.Join(d.dir, "proof")
	check := func(code int, text string) string {
		t.Helper()
		if err := os.WriteFile(proof, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, said := d.run(code, "audit", "check", proof, "--log-key", key)
		return out + said
	}
	contains(t, check(exitOK, out), "with 3 entries begins with that of 2", first, last)
	contains(t, check(exitFailure, strings.Replace(out, `"path":`, `"way":`, 1)), "no proof that")
	contains(t, check(exitFailure, out+"{}"), "no proof that")
	consistency.Path[0] = inclusion.Path[0]
	contains(t, check(exitFailure, toJSON(t, consistency)), "does not begin with that of 2")
	contains(t, check(exitOK, toJSON(t, inclusion)), "entry 1 is in the log of localhost:8080/log, whose checkpoint has 3 entries", "countersign-entry-v1")
	inclusion.Index = 0
	contains(t, check(exitFailure, toJSON(t, inclusion)), "entry 0 is not in the log")
	if err := os.WriteFile(old, []byte(strings.Replace(first, "\n2\n", "\n3\n", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	d.run(exitFailure, "audit", "consistency", old)

	dir := filepath.Join(d.dir, "export")
	_, said = d.run(exitOK, "audit", "export", dir)
	contains(t, said, "exported 3 entries", "audit verify --dir", key)
	d.run(exitFailure, "audit", "export", dir) // over another
	out, _ = d.run(exitOK, "audit", "verify", "--dir", dir, "--log-key", key)
	contains(t, out, "3 entries")
	d.run(exitUsage, "audit", "verify", "--dir", dir)
	entries := filepath.Join(dir, "tile", "entries", "000.p", "3")
	text, err := os.ReadFile(entries)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(entries, bytes.Replace(text, []byte(`"client"`), []byte(`"device"`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	_, said = d.run(exitFailure, "audit", "verify", "--dir", dir, "--log-key", key)
	contains(t, said, "not whole")

	out, _ = d.run(exitOK, "keys", "list")
	contains(t, out, "signs the log")
	d.run(exitOK, "keys", "rotate")
	d.run(exitOK, "keys", "reseal")
	d.run(exitOK, "keys", "prune")
	if again, _ := d.run(exitOK, "audit", "key"); strings.TrimSpace(again) != key {
		t.Errorf("after a rotation the log's key is %s, and was %s", again, key)
	}
	d.run(exitOK, "audit", "verify")
}

func toJSON(t *testing.T, of any) string {
	t.Helper()
	text, err := json.Marshal(of)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAnybodyGetsTheCheckpointAndNothingElseOfTheLog(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	a := d.app(io.Discard)
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		a.people().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost:8080"+path, nil))
		return w
	}
	if w := get(checkpointPath); w.Code != http.StatusNotFound {
		t.Errorf("before the first entry: %d", w.Code)
	}
	d.enter("one@example.org")
	want, _ := d.run(exitOK, "audit", "checkpoint")
	if w := get(checkpointPath); w.Code != http.StatusOK || w.Body.String() != want || w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, path := range []string{"/log", "/log/tile/0/000", "/log/tile/entries/000.p/1", "/log/checkpoint/x"} {
		if w := get(path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// TestARestoredBackupIsFoundByTheCheckpointFile puts an older backup in place, and goes on from it the documented way.
func TestARestoredBackupIsFoundByTheCheckpointFile(t *testing.T) {
	d := newPatient(t)
	file := filepath.Join(d.dir, "checkpoint")
	d.rewrite("#  checkpoint_file: /var/lib/countersign-checkpoint/checkpoint", "  checkpoint_file: "+file)
	d.addCA("example")
	d.expect(d.doctor(exitOK), "log", "ok", "nothing is entered yet")
	d.enter("one@example.org")
	_, said := d.run(exitUsage, "audit", "accept-loss")
	contains(t, said, "nothing is lost")
	backup, early := filepath.Join(d.dir, "backup.db"), filepath.Join(d.dir, "early")
	d.run(exitOK, "backup", backup)
	shown, _ := d.run(exitOK, "audit", "checkpoint")
	if err := os.WriteFile(early, []byte(shown), 0o600); err != nil {
		t.Fatal(err)
	}
	d.enter("two@example.org")
	lost, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d.expect(d.doctor(exitOK), "log", "ok", "3 entries")

	d.run(exitOK, "restore", "--overwrite", backup)
	d.expect(d.doctor(exitFailure), "log", "FAIL", "has 2 entries")
	_, said = d.run(exitFailure, "audit", "verify")
	contains(t, said, "had 3", "older backup", "accept-loss")
	a := d.app(io.Discard)
	third := d.open("example", "client", proofing.Identifier{Type: "email", Value: "three@example.org"})
	if err := a.service.SequenceOnce(t.Context()); err == nil || !strings.Contains(err.Error(), "older backup") {
		t.Errorf("the sequencer went on: %v", err)
	}
	_, said = d.run(exitOK, "audit", "accept-loss")
	contains(t, said, "goes on from its 2 entries", "checkpoint.lost-3")
	if kept, err := os.ReadFile(file + ".lost-3"); err != nil || !bytes.Equal(kept, lost) {
		t.Errorf("kept %s, %v", kept, err)
	}
	if err := a.service.SequenceOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	out, _ := d.run(exitOK, "audit", "verify")
	contains(t, out, "4 entries of 4 objects")
	var told bool
	for place := range int64(4) {
		e, _, err := a.service.LogEntry(t.Context(), place)
		if err != nil {
			t.Fatal(err)
		}
		told = told || strings.Contains(e.Leaf, `"kind":"loss_accepted"`) && strings.Contains(e.Leaf, `"was":3`)
	}
	if !told {
		t.Error("the log does not tell of what it lost")
	}
	d.expect(d.doctor(exitOK), "log", "ok", "4 entries")

	// Whoever kept a checkpoint of what was lost finds it, with nothing of ours but the key; one of what both histories begin with is fine.
	key, _ := d.run(exitOK, "audit", "key")
	key = strings.TrimSpace(key)
	dir, evidence, proof := filepath.Join(d.dir, "export"), filepath.Join(d.dir, "evidence"), filepath.Join(d.dir, "proof")
	d.run(exitOK, "audit", "export", dir)
	d.run(exitOK, "audit", "verify", "--dir", dir, "--log-key", key, "--checkpoint", early)
	_, said = d.run(exitFailure, "audit", "verify", "--dir", dir, "--log-key", key, "--checkpoint", early, "--checkpoint", file+".lost-3")
	contains(t, said, "the checkpoint that was kept states another root over the first 3 entries")
	d.run(exitUsage, "audit", "verify", "--checkpoint", early)
	d.run(exitOK, "evidence", third.ID, "--out", evidence)
	verify := func(code int, args ...string) string {
		t.Helper()
		out, said := d.run(code, append([]string{"evidence", "verify", evidence, "--log-key", key}, args...)...)
		return out + said
	}
	verify(exitUsage, "--consistency", early)
	contains(t, verify(exitUsage, "--checkpoint", early), "of 2 entries, and this rests on one of 4", "audit consistency")
	d.run(exitFailure, "audit", "consistency", file+".lost-3", evidence)
	out, _ = d.run(exitOK, "audit", "consistency", early, evidence)
	if err := os.WriteFile(proof, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	contains(t, verify(exitOK, "--checkpoint", early, "--consistency", proof), "The evidence holds", "A PART OF THE LOG WAS LOST", "it went on from 2 entries; before, a checkpoint of its own had stated 3",
		"0 entries of this file are from before it, and 1 came in after it", "what stood in the 1 entries that are gone")
	contains(t, verify(exitFailure, "--checkpoint", file+".lost-3", "--consistency", proof), "another history", "not between those of 3 and 4")
}

// TestACheckpointIsHeldAgainstWhatIsOlder: whoever fetches checkpoints has newer ones than the evidence and the export of last year.
func TestACheckpointIsHeldAgainstWhatIsOlder(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	d.enter("one@example.org")
	early := d.open("example", "client", proofing.Identifier{Type: "email", Value: "two@example.org"})
	d.enter("three@example.org")
	key, _ := d.run(exitOK, "audit", "key")
	key = strings.TrimSpace(key)
	file := func(name string) string { return filepath.Join(d.dir, name) }
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(file(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.run(exitOK, "evidence", early.ID, "--out", file("evidence"))
	d.run(exitOK, "audit", "export", file("export"))
	d.enter("four@example.org")
	kept, _ := d.run(exitOK, "audit", "checkpoint")
	write("kept", kept)

	_, said := d.run(exitUsage, "evidence", "verify", file("evidence"), "--log-key", key, "--checkpoint", file("kept"))
	contains(t, said, "audit consistency OLDER NEWER", "the one of fewer entries first")
	_, said = d.run(exitUsage, "audit", "consistency", file("kept"), file("evidence"))
	contains(t, said, "name the older checkpoint first", "audit consistency "+file("evidence")+" "+file("kept"))
	if strings.Contains(said, "accept-loss") {
		t.Errorf("nothing is lost: %s", said)
	}
	proof, _ := d.run(exitOK, "audit", "consistency", file("evidence"), file("kept"))
	write("proof", proof)
	out, _ := d.run(exitOK, "evidence", "verify", file("evidence"), "--log-key", key, "--checkpoint", file("kept"), "--consistency", file("proof"))
	contains(t, out, "The evidence holds")
	proof, _ = d.run(exitOK, "audit", "consistency", file("evidence"))
	contains(t, proof, `"old"`)

	_, said = d.run(exitUsage, "audit", "verify", "--dir", file("export"), "--log-key", key, "--checkpoint", file("kept"))
	contains(t, said, "the export is older than the checkpoint that was kept", "audit export")
	if strings.Contains(said, "not whole") {
		t.Error(said)
	}
}

func TestACheckpointFileThatIsSetLaterIsWrittenFromTheReloadOn(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	file := filepath.Join(d.dir, "checkpoint")
	a, r := d.reloading(io.Discard, func(c *Config) { c.Audit.CheckpointFile = file })
	next := a.reload(t.Context(), r)
	if next == nil {
		t.Fatal("refused")
	}
	d.open("example", "client", address)
	if err := next.service.SequenceOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	want, _ := d.run(exitOK, "audit", "checkpoint")
	if shown, err := os.ReadFile(file); err != nil || string(shown) != want {
		t.Errorf("the file has %s, %v", shown, err)
	}
}
