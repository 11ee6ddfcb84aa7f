package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
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
	if item, err := kv.Get(t.Context(), "07", name, 0); err != nil || string(item.Value) != want {
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

// TestCommitsAreSynced looks at the settings: that a killed process loses nothing shows
// nothing of a power cut.
func TestCommitsAreSynced(t *testing.T) {
	s := openTest(t, testPath(t), Options{})
	var synchronous int
	var journal string
	wantNil(t, s.writes.conn.QueryRowContext(t.Context(), "PRAGMA synchronous").Scan(&synchronous))
	wantNil(t, s.writes.conn.QueryRowContext(t.Context(), "PRAGMA journal_mode").Scan(&journal))
	if synchronous != 2 || journal != "wal" { // 2: FULL
		t.Errorf("synchronous %d, journal %s", synchronous, journal)
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
		{"another program's SQLite file", "store.db is not a countersign store but another program's database", func(path string) {
			rawSQL(t, path, "CREATE TABLE t (a); INSERT INTO t VALUES (1)")
		}},
		{"another application id", "store.db is not a countersign store but another program's database (application id 0x7)", func(path string) {
			rawSQL(t, path, "PRAGMA application_id = 7; CREATE TABLE t (a)")
		}},
		{"a file that is no database", "store.db is not a countersign store$", func(path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("text ", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"a newer schema", "made by a newer version of countersign (schema 99, this one knows 2): downgrade refused", func(path string) {
			rawSQL(t, path, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = 99; CREATE TABLE t (a)", applicationID))
		}},
		{"a directory", "store.db is not a countersign store: it is no regular file", func(path string) {
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
			if err == nil || !strings.Contains(err.Error()+"$", x.want) { // $: nothing follows
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

// TestAFileOfTheFirstSchemaKeepsItsValues has one of them moved out of its row when it is next written.
func TestAFileOfTheFirstSchemaKeepsItsValues(t *testing.T) {
	path, long := testPath(t), strings.Repeat("long ", 1000)
	rawSQL(t, path, fmt.Sprintf("%s; PRAGMA application_id = %d; PRAGMA user_version = 1;", migrations[0], applicationID)+
		fmt.Sprintf("INSERT INTO item (bucket, name, value, version) VALUES ('07', CAST('a' AS BLOB), CAST('%s' AS BLOB), 11), ('07', CAST('b' AS BLOB), CAST('short' AS BLOB), 12)", long))
	s := openTest(t, path, Options{})
	wantValue(t, s, "a", long)
	wantValue(t, s, "b", "short")
	wantBodies(t, s, 0)
	wantNil(t, s.Apply(t.Context(), "07", []Op{{Name: "a", If: Match, Version: 11, Value: []byte(long + "er")}}))
	wantValue(t, s, "a", long+"er")
	wantBodies(t, s, 1)
}

// TestALongValueGoesWithItsItem changes items at random and looks for bodies of nobody, and for items without theirs.
func TestALongValueGoesWithItsItem(t *testing.T) {
	var clock atomic.Int64
	s := openTest(t, testPath(t), Options{Now: func() time.Time { return time.UnixMilli(1e12 + clock.Load()) }, Sweep: time.Hour})
	seed := rand.Uint64()
	dice, want := rand.New(rand.NewPCG(seed, 0)), map[string]string{}
	for range 400 {
		name := fmt.Sprint(dice.IntN(12))
		op := Op{Name: name, If: Any, Value: []byte(strings.Repeat(fmt.Sprint(dice.IntN(10)), []int{0, longValue - 1, longValue, 9000}[dice.IntN(4)]))}
		delete(want, name)
		switch dice.IntN(4) {
		case 0:
			op.Delete, op.Value = true, nil
		case 1:
			op.Expires = s.now().Add(time.Millisecond)
		default:
			want[name] = string(op.Value)
		}
		wantNil(t, s.Apply(t.Context(), "07", []Op{op}))
		if clock.Add(1); dice.IntN(10) == 0 {
			_, err := s.sweep()
			wantNil(t, err)
		}
	}
	clock.Add(2)
	_, err := s.sweep()
	wantNil(t, err)
	long := 0
	for name, value := range want {
		wantValue(t, s, name, value)
		if len(value) >= longValue {
			long++
		}
	}
	wantBodies(t, s, long)
	if t.Failed() {
		t.Logf("seed %d", seed)
	}
}

// wantBodies counts the bodies, each of which is to be of one item.
func wantBodies(t *testing.T, s *SQLite, want int) {
	t.Helper()
	var all, named, kinds int
	wantNil(t, s.reads.QueryRowContext(t.Context(), "SELECT (SELECT count(*) FROM body), (SELECT count(*) FROM body JOIN item ON item.body = body.id), (SELECT count(DISTINCT body) FROM item)").Scan(&all, &named, &kinds))
	if all != want || named != want || kinds != want {
		t.Errorf("%d bodies, %d of items, %d named; want %d", all, named, kinds, want)
	}
}

func wantNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
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
