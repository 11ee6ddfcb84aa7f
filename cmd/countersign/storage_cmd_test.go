package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

func TestKeysRotateAndOldRecordsStayReadable(t *testing.T) {
	d := newDesk(t)
	token := d.addCA("example")
	before, _ := d.run(exitOK, "keys", "list")
	d.at = d.at.Add(time.Hour)
	out, said := d.run(exitOK, "keys", "rotate")
	contains(t, said, "a running server takes the new keys up", "countersign keys reseal")
	after, _ := d.run(exitOK, "keys", "list", "--json")
	var keys []keyView
	if err := json.Unmarshal([]byte(after), &keys); err != nil || len(keys) != 3 || keys[0].ID != strings.TrimSpace(out) || keys[1].Retired.IsZero() || !keys[2].Log {
		t.Fatalf("%v\n%s", err, after)
	}
	contains(t, before, keys[1].ID, "signs")
	_, said = d.run(exitFailure, "keys", "prune")
	contains(t, said, "2 records are still sealed under older keys", "`countersign keys reseal` does that")
	_, said = d.run(exitOK, "keys", "reseal")
	contains(t, said, "resealed 2 records")
	_, said = d.run(exitUsage, "keys", "prune", "--retired-for", "1h")
	contains(t, said, "--retired-for must be at least 1d")
	_, said = d.run(exitOK, "keys", "prune")
	contains(t, said, "forgot the old sealing keys, and 0 signing keys")
	d.at = d.at.Add(31 * day)
	_, said = d.run(exitOK, "keys", "prune")
	contains(t, said, "and 1 signing keys")
	d.service(func(s *proofing.Service) {
		if _, err := s.AuthorityByToken(t.Context(), proofing.Secret(token)); err != nil {
			t.Error(err)
		}
	})
}

func TestNextKeysAreShownBeforeTheySign(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	_, said := d.run(exitOK, "keys", "prepare")
	contains(t, said, "nothing uses them yet", "copy it to every machine")
	_, said = d.run(exitUsage, "keys", "prepare")
	contains(t, said, "already")
	var keys []keyView
	listed, _ := d.run(exitOK, "keys", "list", "--json")
	if err := json.Unmarshal([]byte(listed), &keys); err != nil || len(keys) != 3 || !keys[0].Next || keys[1].Next || !keys[2].Log {
		t.Fatalf("%v\n%s", err, listed)
	}
	listed, _ = d.run(exitOK, "keys", "list")
	contains(t, listed, "next", "signs")
	a := d.app(io.Discard)
	next, _ := a.storage.ring.NextSigningKey()
	if public := a.keys().PublicKeys(); len(public) != 2 || !public[0].Equal(&next.Private().PublicKey) || a.keys().SigningKey().Equal(next.Private()) {
		t.Errorf("%d keys are shown", len(public))
	}
	out, _ := d.run(exitOK, "keys", "rotate")
	if strings.TrimSpace(out) != keys[0].ID {
		t.Errorf("rotated to %s, and %s was next", out, keys[0].ID)
	}
}

func TestABackupBringsTheStoreBack(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	file := filepath.Join(d.dir, "backup.db")
	_, said := d.run(exitOK, "backup", file)
	contains(t, said, "of no use without the key ring", "keep the two apart")
	_, said = d.run(exitUsage, "backup", file)
	contains(t, said, "exists already")
	d.addCA("later")
	_, said = d.run(exitUsage, "restore", file)
	contains(t, said, "there is a store at", "--overwrite")
	_, said = d.run(exitOK, "restore", file, "--overwrite")
	contains(t, said, "what happened since that backup is gone")
	out, _ := d.run(exitOK, "ca", "list")
	if contains(t, out, "example"); strings.Contains(out, "later") {
		t.Error(out)
	}

	// The keys of another installation.
	keys := filepath.Join(d.dir, "s.keys")
	if err := os.Rename(keys, keys+".old"); err != nil {
		t.Fatal(err)
	}
	_, said = d.run(exitUsage, "restore", file, "--overwrite")
	contains(t, said, "the key ring "+keys, "is missing", "put your copy of it there")
	_, said = d.run(exitUsage, "ca", "list")
	contains(t, said, "is missing")
	other := newDesk(t)
	other.addCA("other")
	text, err := os.ReadFile(filepath.Join(other.dir, "s.keys"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keys, text, 0o600); err != nil {
		t.Fatal(err)
	}
	_, said = d.run(exitFailure, "restore", file, "--overwrite")
	contains(t, said, "does not open it: put the copy there that belongs to the backup")
	_, said = d.run(exitUsage, "ca", "list")
	contains(t, said, keys+" is not the key ring of the store", "put the right copy there", "nothing was written")
}

func TestCommandsWorkBesideAServerThatHasTheStoreOpen(t *testing.T) {
	d := newDesk(t)
	d.addCA("first")
	d.service(func(s *proofing.Service) {
		d.addCA("second")
		if _, err := s.Authority(t.Context(), "second"); err != nil {
			t.Errorf("the server does not see what the command did: %v", err)
		}
		d.run(exitOK, "ca", "revoke", "first")
		if _, err := s.Authority(t.Context(), "first"); !errors.Is(err, proofing.ErrNotFound) {
			t.Errorf("the server still has a revoked CA: %v", err)
		}
		d.run(exitOK, "backup", filepath.Join(d.dir, "backup.db"))
		_, said := d.run(exitFailure, "restore", filepath.Join(d.dir, "backup.db"), "--overwrite")
		if want := "countersign: stop the server first: the store " + filepath.Join(d.dir, "s.db") + " is in use\n"; said != want {
			t.Errorf("got %q, want %q", said, want)
		}
	})
}

func TestAFileThatIsNoStoreIsSaidOnce(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	path, text := filepath.Join(d.dir, "s.db"), filepath.Join(d.dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("text ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, said := d.run(exitUsage, "restore", text, "--overwrite")
	if want := "countersign: " + text + " is not a countersign store: name a file that `countersign backup` wrote\n"; said != want {
		t.Errorf("got %q, want %q", said, want)
	}
	d.run(exitOK, "ca", "list")
	if err := os.Rename(text, path); err != nil {
		t.Fatal(err)
	}
	_, said = d.run(exitUsage, "ca", "list")
	if want := "countersign: " + path + " is not a countersign store: check store.path in the configuration\n"; said != want {
		t.Errorf("got %q, want %q", said, want)
	}
}

func TestACommandInTheWrongFolderMakesNothing(t *testing.T) {
	d := newDesk(t)
	for _, args := range [][]string{{"ca", "list"}, {"case", "list"}, {"keys", "rotate"}, {"backup", filepath.Join(d.dir, "b")}, {"registry", "list", "a"}} {
		_, said := d.run(exitUsage, args...)
		contains(t, said, "there is no store at")
	}
	if files, err := os.ReadDir(d.dir); err != nil || len(files) != 1 {
		t.Errorf("%v %v", files, err)
	}
}
