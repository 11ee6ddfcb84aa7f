package store

import (
	"errors"
	"path/filepath"
	"testing"
	"time"
)

func TestAStoreIsClaimedByOneRing(t *testing.T) {
	ctx := t.Context()
	kv, err := OpenSQLite(ctx, filepath.Join(t.TempDir(), "c.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer kv.Close()
	ours, err := NewRing(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewRing(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Claim(ctx, kv, ours); err != nil {
			t.Fatalf("our own ring: %v", err)
		}
	}
	if err := Claim(ctx, kv, other); !errors.Is(err, ErrForeignRing) {
		t.Errorf("another ring: %v", err)
	}
	if err := ours.Rotate(time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := Claim(ctx, kv, ours); err != nil {
		t.Errorf("after a rotation: %v", err)
	}
	if n, err := Reseal(ctx, kv, ours); err != nil || n != 1 {
		t.Errorf("resealed %d, %v; want the mark", n, err)
	}
	if err := ours.Prune(ctx, kv, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := Claim(ctx, kv, ours); err != nil {
		t.Errorf("after the old keys are gone: %v", err)
	}
}
