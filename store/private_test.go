//go:build unix

package store

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestWhoMayReadASecretsFileBesidesItsOwner(t *testing.T) {
	for _, x := range []struct {
		name       string
		mode       fs.FileMode
		roots, we  bool // the file is root's, we are root
		acceptable bool
	}{
		{"a file for its owner", 0o600, false, false, true},
		{"a file that its owner cannot change", 0o400, false, false, true},
		{"a file of a user's for their group", 0o640, false, false, false},
		{"a file of root's for our group", 0o640, true, false, true},
		{"a credential that systemd hands out", 0o440, true, false, true},
		{"a file of root's that our group may write", 0o660, true, false, false},
		{"a file of root's for everybody", 0o444, true, false, false},
		{"a file of root's for a group, read by root", 0o640, true, true, false},
	} {
		if got := private(x.mode, x.roots, x.we); got != x.acceptable {
			t.Errorf("%s: %v", x.name, got)
		}
	}
}

// TestWhatRootMakesBelongsToTheFoldersOwner looks at real owners where it runs as root;
// elsewhere nobody can give a file away, and all must stay one's own.
func TestWhatRootMakesBelongsToTheFoldersOwner(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	owner := os.Geteuid()
	if owner == 0 {
		owner = 65532
		wantNil(t, os.Chown(dir, owner, owner))
	}
	ring, err := NewRing(time.Now())
	wantNil(t, err)
	wantNil(t, ring.Create(filepath.Join(dir, "keys")))
	s := openTest(t, filepath.Join(dir, "store.db"), Options{})
	mustPut(t, s, "a", "1")
	backup := filepath.Join(t.TempDir(), "backup.db")
	wantNil(t, s.Backup(ctx, backup))
	wantNil(t, Restore(ctx, backup, filepath.Join(dir, "restored.db"), false))
	wantNil(t, ring.Rotate(time.Now()))
	wantNames(t, dir, "keys", "restored.db", "store.db", "store.db-shm", "store.db-wal")
	for _, name := range []string{"keys", "restored.db", "store.db", "store.db-shm", "store.db-wal"} {
		info, err := os.Stat(filepath.Join(dir, name))
		wantNil(t, err)
		if stat := info.Sys().(*syscall.Stat_t); int(stat.Uid) != owner {
			t.Errorf("%s belongs to %d", name, stat.Uid)
		}
	}
	info, err := os.Stat(backup)
	wantNil(t, err)
	if stat := info.Sys().(*syscall.Stat_t); int(stat.Uid) != os.Geteuid() {
		t.Errorf("the backup belongs to %d: it is for whoever asked for it", stat.Uid)
	}
}
