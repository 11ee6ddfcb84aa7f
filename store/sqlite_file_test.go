package store

import (
	"context"

	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

func openTest(t *testing.T, path string, o Options) *SQLite {
	t.Helper()
	s, err := OpenSQLite(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func testPath(t *testing.T) string { return filepath.Join(t.TempDir(), "store.db") }

func mustPut(t *testing.T, kv KV, name, value string) {
	t.Helper()
	if err := kv.Apply(t.Context(), "07", []Op{{Name: name, If: Any, Value: []byte(value)}}); err != nil {
		t.Fatal(err)
	}
}

func wantValue(t *testing.T, kv KV, name, want string) {
	t.Helper()
	if item, err := kv.Get(t.Context(), "07", name); err != nil || string(item.Value) != want {
		t.Fatalf("%s: %q, %v; want %q", name, item.Value, err, want)
	}
}

func rawSQL(t *testing.T, path, statements string) {
	t.Helper()
	db, err := openFile(path, "rwc", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(statements); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestFilesAreForTheirOwnerAlone(t *testing.T) {
	path := testPath(t)
	s := openTest(t, path, Options{})
	mustPut(t, s, "a", "1")
	for _, side := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + side)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path+side, info.Mode(), err)
		}
	}
}

func TestCloseLeavesOneFile(t *testing.T) {
	path := testPath(t)
	s := openTest(t, path, Options{})
	mustPut(t, s, "a", "1")
	wantValue(t, s, "a", "1")
	wantNil(t, s.Close())
	wantNames(t, filepath.Dir(path), "store.db") // SQLite removes its log with the last connection
}

func TestOpenRefuses(t *testing.T) {
	for _, x := range []struct {
		name, want string
		make       func(path string)
	}{
		{"another program's SQLite file", "not a store of countersign", func(path string) {
			rawSQL(t, path, "CREATE TABLE t (a); INSERT INTO t VALUES (1)")
		}},
		{"another application id", "not a store of countersign", func(path string) {
			rawSQL(t, path, "PRAGMA application_id = 7; CREATE TABLE t (a)")
		}},
		{"a file that is no database", "not a database", func(path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("text ", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"a newer schema", "made by a newer version of countersign (schema 99, this one knows 1): downgrade refused", func(path string) {
			rawSQL(t, path, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = 99; CREATE TABLE t (a)", applicationID))
		}},
		{"a directory", "directory", func(path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			path := testPath(t)
			x.make(path)
			before, _ := os.ReadFile(path)
			_, err := OpenSQLite(t.Context(), path, Options{})
			if err == nil || !strings.Contains(err.Error(), x.want) {
				t.Errorf("got %v, want %q", err, x.want)
			}
			if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestMigrationsRunOnceAndInOrder(t *testing.T) {
	path := testPath(t)
	mustPut(t, openTest(t, path, Options{}), "a", "1")
	db, err := openFile(path, "rw", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	steps := append(migrations[:len(migrations):len(migrations)],
		"CREATE TABLE later (n INTEGER)", "INSERT INTO later VALUES (1)")
	for range 2 {
		if err := migrate(t.Context(), db, steps); err != nil {
			t.Fatal(err)
		}
	}
	broken := append(steps, "INSERT INTO later VALUES (2)", "CREATE TABLE later (n)")
	if err := migrate(t.Context(), db, broken); err == nil {
		t.Error("a broken migration went through")
	}
	var rows, version int
	if err := errors.Join(
		db.QueryRow("SELECT count(*) FROM later").Scan(&rows),
		db.QueryRow("PRAGMA user_version").Scan(&version)); err != nil {
		t.Fatal(err)
	}
	if rows != 1 || version != len(steps) {
		t.Errorf("%d rows at schema %d, want 1 at %d", rows, version, len(steps))
	}
	if _, err := OpenSQLite(t.Context(), path, Options{}); err == nil || !strings.Contains(err.Error(), "downgrade refused") {
		t.Errorf("an older program: %v", err)
	}
}

func TestSweepRemovesWhatHasExpiredByTheStoresClock(t *testing.T) {
	var clock atomic.Int64
	start := time.Now()
	s := openTest(t, testPath(t), Options{Now: func() time.Time { return start.Add(time.Duration(clock.Load())) }})
	for n := range 2 * sweepSize / MaxOps {
		var ops []Op
		for i := range MaxOps {
			ops = append(ops, Op{Name: fmt.Sprint(n, "/", i), If: Absent, Expires: start.Add(time.Minute)})
		}
		if err := s.Apply(t.Context(), "07", ops); err != nil {
			t.Fatal(err)
		}
	}
	mustPut(t, s, "kept", "1")
	if _, _, err := s.Add(t.Context(), "07", "n", 1, time.Minute); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		at   time.Duration
		more bool
		left int
	}{
		{time.Minute - time.Millisecond, false, 2*sweepSize/MaxOps*MaxOps + 2},
		{time.Minute, true, 2*sweepSize/MaxOps*MaxOps + 2 - sweepSize - 1},
		{time.Minute, false, 1},
	} {
		clock.Store(int64(x.at))
		more, err := s.sweep()
		var left int
		if err := s.reads.QueryRow("SELECT (SELECT count(*) FROM item) + (SELECT count(*) FROM counter)").Scan(&left); err != nil {
			t.Fatal(err)
		}
		if err != nil || more != x.more || left != x.left {
			t.Errorf("at %s: more %v, %d rows left, %v; want %v, %d", x.at, more, left, err, x.more, x.left)
		}
	}
	wantValue(t, s, "kept", "1")
}

func TestSweeperRunsByItself(t *testing.T) {
	s := openTest(t, testPath(t), Options{Sweep: 5 * time.Millisecond})
	if err := s.Apply(t.Context(), "07", []Op{{Name: "a", If: Any, Expires: time.Now().Add(20 * time.Millisecond)}}); err != nil {
		t.Fatal(err)
	}
	for rows := 1; rows > 0; time.Sleep(5 * time.Millisecond) {
		if err := s.reads.QueryRowContext(t.Context(), "SELECT count(*) FROM item").Scan(&rows); err != nil {
			t.Fatal(err)
		}
	}
}

// lockFile holds the write lock as another process would, until release.
func lockFile(t *testing.T, path string) (release func()) {
	t.Helper()
	db, err := openFile(path, "rw", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err == nil {
		_, err = conn.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(conn.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	}
}

func TestWritesBehindALockQueueUpToABound(t *testing.T) {
	path := testPath(t)
	s := openTest(t, path, Options{Queue: 22, Busy: time.Minute})
	mustPut(t, s, "taken", "1")
	release := lockFile(t, path)
	put := func(ctx context.Context, name string) error {
		return s.Apply(ctx, "07", []Op{{Name: name, If: Absent, Value: []byte("2")}})
	}
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	all.Go(func() {
		if err := put(ctx, "withdrawn"); !errors.Is(err, context.Canceled) || !errors.Is(err, proofing.ErrUnavailable) {
			t.Errorf("withdrawn: %v", err)
		}
	})
	all.Go(func() {
		if err := put(t.Context(), "taken"); !errors.Is(err, ErrConflict) {
			t.Errorf("taken: %v", err)
		}
	})
	for i := range 21 {
		if i == 11 { // all so far but the one that the writer has, which waits for the lock
			waitForQueue(s, 12)
		}
		all.Go(func() { wantNil(t, put(t.Context(), fmt.Sprint(i))) })
	}
	waitForQueue(s, 22)
	if err := put(t.Context(), "refused"); !errors.Is(err, errFull) || !errors.Is(err, proofing.ErrUnavailable) {
		t.Errorf("one too many: %v", err)
	}
	wantValue(t, s, "taken", "1") // readers are not held up
	cancel()
	time.Sleep(5 * time.Millisecond)
	release()
	all.Wait()
	items, err := s.Scan(t.Context(), "07", "", "", 100)
	if err != nil || len(items) != 22 { // taken and 21
		t.Errorf("%d items, %v", len(items), err)
	}
}

func waitForQueue(s *SQLite, n int) {
	for len(s.writes.queue) != n {
		time.Sleep(time.Millisecond)
	}
}

func wantNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func TestALockHeldTooLongIsAnOutage(t *testing.T) {
	path := testPath(t)
	s := openTest(t, path, Options{Busy: 20 * time.Millisecond})
	release := lockFile(t, path)
	err := s.Apply(t.Context(), "07", []Op{{Name: "a", If: Any}})
	if !errors.Is(err, proofing.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	release()
	mustPut(t, s, "a", "1")
}

func TestAFullDiskIsAnOutageThatPasses(t *testing.T) {
	s := openTest(t, testPath(t), Options{})
	mustPut(t, s, "a", "1")
	limit := func(pages int) {
		if _, err := s.writes.conn.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(10)
	err := s.Apply(t.Context(), "07", []Op{
		{Name: "a", If: Any, Value: []byte("2")},
		{Name: "big", If: Any, Value: make([]byte, MaxValue)},
	})
	if !errors.Is(err, proofing.ErrUnavailable) || errors.Is(err, ErrConflict) {
		t.Errorf("got %v", err)
	}
	wantValue(t, s, "a", "1")
	limit(1 << 20)
	mustPut(t, s, "a", "3")
	wantValue(t, s, "a", "3")
}

func TestTwoProcessesShareAFile(t *testing.T) {
	path := testPath(t)
	stores := []*SQLite{openTest(t, path, Options{}), openTest(t, path, Options{})}
	var all sync.WaitGroup
	for _, s := range stores {
		for range 4 {
			all.Go(func() {
				for range 10 {
					if _, _, err := s.Add(t.Context(), "07", "n", 1, 0); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	all.Wait()
	if total, _, err := stores[0].Add(t.Context(), "07", "n", 0, 0); err != nil || total != 80 {
		t.Errorf("%d, %v", total, err)
	}
}

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

func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the directory holds %q, %v; want %q", got, err, want)
	}
}

func TestRestoreReplacesOnlyWhatItMay(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	path, copied := filepath.Join(dir, "store.db"), filepath.Join(dir, "backup.db")
	s := openTest(t, path, Options{})
	mustPut(t, s, "a", "old")
	wantNil(t, s.Backup(ctx, copied))
	mustPut(t, s, "a", "new")
	if err := Restore(ctx, copied, path, false); !errors.Is(err, os.ErrExist) {
		t.Errorf("without overwrite: %v", err)
	}
	if err := Restore(ctx, copied, path, true); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("over a store in use: %v", err)
	}
	if err := Restore(ctx, path, filepath.Join(dir, "x.db"), false); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("from a store in use: %v", err)
	}
	wantValue(t, s, "a", "new")
	wantNil(t, s.Close())
	wantNil(t, Restore(ctx, copied, path, true))
	r := openTest(t, path, Options{})
	wantValue(t, r, "a", "old")
	wantNil(t, r.Close())
	// A store that crashed leaves a log, and one that is broken is what restoring is for.
	wantNil(t, os.WriteFile(path, []byte(strings.Repeat("broken ", 1000)), 0o600))
	wantNil(t, os.WriteFile(path+"-wal", []byte(strings.Repeat("broken ", 1000)), 0o600))
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
		"damaged":   []byte(string(text[:5000]) + strings.Repeat("\x55", 3000) + string(text[8000:])),
	} {
		from, to := filepath.Join(dir, name), filepath.Join(dir, "to.db")
		wantNil(t, os.WriteFile(from, content, 0o600))
		if err := Restore(ctx, from, to, false); err == nil {
			t.Errorf("%s: it was put in place", name)
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
