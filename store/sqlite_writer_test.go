package store

import (
	"context"

	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

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
	withdrawn := make(chan struct{})
	all.Go(func() {
		defer close(withdrawn)
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
	<-withdrawn // or the writer could still take it when the lock goes
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
