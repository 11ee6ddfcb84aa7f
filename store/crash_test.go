package store

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// crashFile names the store in which this binary is to write until it is killed.
const crashFile = "COUNTERSIGN_TEST_CRASH_FILE"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashFile); path != "" {
		fmt.Fprintln(os.Stderr, writeUntilKilled(path))
		os.Exit(1)
	}
	if where := os.Getenv(killedCopy); where != "" {
		if err := copyUntilKilled(where); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// writeUntilKilled writes pairs of items from several callers and a counter, and prints the name
// of each pair once its write has been acknowledged.
func writeUntilKilled(path string) error {
	ctx := context.Background()
	s, err := OpenSQLite(ctx, path, Options{})
	if err != nil {
		return err
	}
	failed := make(chan error)
	for caller := range 8 {
		go func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%d-%d-%d", os.Getpid(), caller, i)
				bucket := fmt.Sprintf("%02d", caller)
				if err := s.Apply(ctx, bucket, []Op{
					{Name: "a/" + name, If: Absent, Value: []byte(name)},
					{Name: "b/" + name, If: Absent, Value: []byte(name)},
				}); err != nil {
					failed <- err
				}
				if _, _, err := s.Add(ctx, bucket, "n", 1, 0); err != nil {
					failed <- err
				}
				fmt.Println(bucket, name) // one write, whole or not at all
			}
		}()
	}
	return <-failed
}

func TestAcknowledgedWritesSurviveKilling(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	acknowledged := make(map[string][]string) // by bucket
	for range 36 {
		killAtRandom(t, path, acknowledged)
	}
	checkSurvivors(t, path, acknowledged)
}

// killAtRandom lets a child write and kills it within some hundredths of a second.
func killAtRandom(t *testing.T, path string, acknowledged map[string][]string) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), crashFile+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		once.Do(func() { time.AfterFunc(rand.N(40*time.Millisecond), func() { _ = child.Process.Kill() }) })
		var bucket, name string
		if n, _ := fmt.Sscan(lines.Text(), &bucket, &name); n == 2 {
			acknowledged[bucket] = append(acknowledged[bucket], name)
		}
	}
	if err := child.Wait(); err == nil || child.ProcessState.ExitCode() != -1 {
		t.Fatalf("the child ended by itself: %v", err)
	}
}

func checkSurvivors(t *testing.T, path string, acknowledged map[string][]string) {
	t.Helper()
	ctx := t.Context()
	s, err := OpenSQLite(ctx, path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for bucket, names := range acknowledged {
		sum += len(names)
		for _, name := range names {
			item, err := s.Get(ctx, bucket, "a/"+name, 0)
			if err != nil || string(item.Value) != name {
				t.Errorf("%s was acknowledged: %q, %v", name, item.Value, err)
			}
		}
		if total, _, err := s.Add(ctx, bucket, "n", 0, 0); err != nil || total < int64(len(names)) {
			t.Errorf("the counter is %d after %d acknowledged additions, %v", total, len(names), err)
		}
		if a, b := countItems(t, s, bucket, "a/"), countItems(t, s, bucket, "b/"); a != b {
			t.Errorf("%d halves of pairs and %d others: an apply was torn", a, b)
		}
	}
	if sum < 100 {
		t.Errorf("only %d writes were acknowledged: the test tests nothing", sum)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := verify(ctx, path); err != nil {
		t.Errorf("the file: %v", err)
	}
	t.Logf("%d acknowledged writes", sum)
}

func countItems(t *testing.T, s *SQLite, bucket, prefix string) (n int) {
	t.Helper()
	for after := ""; ; {
		items, err := s.Scan(t.Context(), bucket, prefix, after, MaxScan)
		if err != nil {
			t.Fatal(err)
		}
		n += len(items)
		if len(items) < MaxScan {
			return n
		}
		after = items[len(items)-1].Name
	}
}
