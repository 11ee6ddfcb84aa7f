package store_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/countersign-id/countersign/store"
	"github.com/countersign-id/countersign/store/storetest"
)

// located remembers where its file is, for opening it again.
type located struct {
	*store.SQLite
	path string
}

func TestSQLiteKeepsTheContract(t *testing.T) {
	storetest.RunDurable(t, openNew, func(t *testing.T, kv store.KV) store.KV {
		if err := kv.Close(); err != nil {
			t.Fatal(err)
		}
		return openAt(t, kv.(located).path)
	})
}

func openNew(t *testing.T) store.KV {
	path := filepath.Join(t.TempDir(), "store ?%#.db") // nothing in a path is SQL or a parameter
	return located{openAt(t, path), path}
}

func openAt(t *testing.T, path string) *store.SQLite {
	t.Helper()
	s, err := store.OpenSQLite(context.Background(), path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
