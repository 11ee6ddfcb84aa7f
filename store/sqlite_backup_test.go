package store

import (
	"context"

	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestBackupWhileWriting(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	s := openTest(t, filepath.Join(dir, "store.db"), Options{})
	mustPut(t, s, "a", "1")
	writing, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	all.Go(func() {
		for i := 0; writing.Err() == nil; i++ {
			name := fmt.Sprint(i)
			wantNil(t, s.Apply(ctx, "08", []Op{{Name: "x" + name, If: Any}, {Name: "y" + name, If: Any}}))
		}
	})
	copied := filepath.Join(dir, "backup.db")
	wantNil(t, s.Backup(ctx, copied))
	stop()
	all.Wait()
	if err := s.Backup(ctx, copied); !errors.Is(err, os.ErrExist) {
		t.Errorf("over an existing file: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.Backup(ended, filepath.Join(dir, "other.db")); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
	if info, err := os.Stat(copied); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	restored := filepath.Join(dir, "restored.db")
	wantNil(t, Restore(ctx, copied, restored, false))
	r := openTest(t, restored, Options{})
	wantValue(t, r, "a", "1")
	if x, y := countItems(t, r, "08", "x"), countItems(t, r, "08", "y"); x != y {
		t.Errorf("%d and %d: the backup is not of one moment", x, y)
	}
	wantNames(t, dir, "backup.db", "restored.db", "restored.db-shm", "restored.db-wal", "store.db", "store.db-shm", "store.db-wal")
}

func TestRestoreReplacesOnlyWhatItMay(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	path, copied := filepath.Join(dir, "store.db"), filepath.Join(dir, "backup.db")
	s := openTest(t, path, Options{})
	mustPut(t, s, "a", "old")
	wantNil(t, s.Backup(ctx, copied))
	wantNil(t, s.Close())
	s = openTest(t, path, Options{})
	mustPut(t, s, "a", "new") // and the log holds this page alone
	if err := Restore(ctx, copied, path, false); !errors.Is(err, os.ErrExist) {
		t.Errorf("without overwrite: %v", err)
	}
	if err := Restore(ctx, copied, path, true); !errors.Is(err, ErrInUse) {
		t.Errorf("over a store in use: %v", err)
	}
	if err := Restore(ctx, path, filepath.Join(dir, "x.db"), false); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("from a store in use: %v", err)
	}
	wantValue(t, s, "a", "new")
	log, err := os.ReadFile(path + "-wal")
	wantNil(t, err)
	wantNil(t, s.Close())
	wantNil(t, Restore(ctx, copied, path, true))
	r := openTest(t, path, Options{})
	wantValue(t, r, "a", "old")
	wantNil(t, r.Close())
	// A store that crashed leaves a log, and one that is broken is what restoring is for.
	wantNil(t, os.WriteFile(path, []byte(strings.Repeat("broken ", 1000)), 0o600))
	wantNil(t, os.WriteFile(path+"-wal", log, 0o600))
	wantNil(t, Restore(ctx, copied, path, true))
	wantValue(t, openTest(t, path, Options{}), "a", "old")
}

func TestRestoreRefusesWhatIsNoBackup(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	s := openTest(t, filepath.Join(dir, "store.db"), Options{})
	for i := range 200 {
		mustPut(t, s, fmt.Sprint(i), strings.Repeat("v", 500))
	}
	good := filepath.Join(dir, "good.db")
	wantNil(t, s.Backup(ctx, good))
	text, err := os.ReadFile(good)
	wantNil(t, err)
	for name, content := range map[string][]byte{
		"empty":     nil,
		"text":      []byte(strings.Repeat("text ", 1000)),
		"truncated": text[:len(text)/2],
		"damaged":   []byte(string(text[:len(text)/4]) + strings.Repeat("\x55", len(text)/4) + string(text[len(text)/4*2:])),
	} {
		from, to := filepath.Join(dir, name), filepath.Join(dir, "to.db")
		wantNil(t, os.WriteFile(from, content, 0o600))
		err := Restore(ctx, from, to, false)
		if err == nil {
			t.Errorf("%s: it was put in place", name)
		}
		if foreign := name == "empty" || name == "text"; foreign && !strings.Contains(err.Error(), from+" is not a countersign store") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(to); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: it left a file", name)
		}
	}
	rawSQL(t, good, "PRAGMA user_version = 99")
	if err := Restore(ctx, good, filepath.Join(dir, "to.db"), false); err == nil || !strings.Contains(err.Error(), "downgrade refused") {
		t.Errorf("newer: %v", err)
	}
}
