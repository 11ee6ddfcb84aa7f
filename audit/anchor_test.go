package audit_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-id/countersign/audit"
)

// TestTheCheckpointFileIsReplacedByOneAtATime has a process at the file, which was paused between reading it and putting another in its place.
func TestTheCheckpointFileIsReplacedByOneAtATime(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "checkpoint")
	w := newWorld(t)
	w.open(3)
	w.sequence() // without the file
	older := w.head().Checkpoint
	other := worldOver(t, w.kv, w.ring)
	other.n = 100
	w.Tree.Anchor = audit.Anchor{Path: path}

	lock, err := os.OpenFile(filepath.Join(dir, ".checkpoint.lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- w.Record(context.Background()) }()
	select {
	case err := <-done:
		shown, _ := os.ReadFile(path)
		t.Fatalf("it did not wait: %v, and the file has %q", err, shown)
	case <-time.After(300 * time.Millisecond):
	}
	// Whoever is at the file writes what the log has become meanwhile.
	other.open(2)
	other.sequence()
	newer := other.head().Checkpoint
	if err := os.WriteFile(path, []byte(newer), 0o644); err != nil || newer == older {
		t.Fatal(err)
	}
	lock.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if shown, _ := os.ReadFile(path); string(shown) != newer {
		t.Errorf("the file has %q", shown)
	}
}

// TestWhatIsPutAsideIsWhatWasLost has two accept one loss, and the log go on between them.
func TestWhatIsPutAsideIsWhatWasLost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint")
	anchor := audit.Anchor{Path: path}
	newer := newWorld(t)
	older := newWorldOf(t, newer.ring)
	older.open(5)
	older.sequence()
	newer.open(8)
	newer.Tree.Anchor, older.Tree.Anchor = anchor, anchor
	newer.sequence()
	first := newer.head().Checkpoint
	loss, ok := errors.AsType[*audit.LossError](older.Admit(t.Context()))
	if !ok {
		t.Fatal("no loss")
	}
	if aside, err := anchor.PutAside(loss); err != nil || aside != path+".lost-8" {
		t.Fatal(aside, err)
	}
	if _, err := anchor.PutAside(loss); !errors.Is(err, audit.ErrAnchorChanged) {
		t.Errorf("with no file: %v", err)
	}
	older.open(1)
	older.sequence()
	if _, err := anchor.PutAside(loss); !errors.Is(err, audit.ErrAnchorChanged) {
		t.Errorf("after the log went on: %v", err)
	}
	if shown, _ := os.ReadFile(path); string(shown) != older.head().Checkpoint {
		t.Errorf("the file has %q", shown)
	}
	// Another history that was as long: what is there of the first stays.
	third := newWorldOf(t, newer.ring)
	third.open(8)
	third.Tree.Anchor = audit.Anchor{Path: filepath.Join(t.TempDir(), "checkpoint")}
	third.sequence()
	if err := os.WriteFile(path, []byte(third.head().Checkpoint), 0o644); err != nil {
		t.Fatal(err)
	}
	if loss, ok = errors.AsType[*audit.LossError](older.Admit(t.Context())); !ok {
		t.Fatal("no loss")
	}
	if aside, err := anchor.PutAside(loss); err != nil || aside != path+".lost-8.2" {
		t.Error(aside, err)
	}
	if kept, _ := os.ReadFile(path + ".lost-8"); string(kept) != first {
		t.Errorf("what was kept of the first loss is %q", kept)
	}
}
