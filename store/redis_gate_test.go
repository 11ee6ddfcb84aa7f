package store_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

// TestRedisThatIsFrozenIsGivenUpSoonAndComesBack stops a server under load: nobody waits longer
// than the patience, after that callers hear no at once, nothing piles up, and the first
// answer opens the way again.
func TestRedisThatIsFrozenIsGivenUpSoonAndComesBack(t *testing.T) {
	server := startRedis(t, durableArgs...)
	o := server.options()
	o.Timeout = time.Second
	r := openRedis(t, o)
	ctx := t.Context()
	if _, _, err := r.Add(ctx, "07", "n", 1, 0); err != nil {
		t.Fatal(err)
	}
	server.Signal(syscall.SIGSTOP)
	thaw := sync.OnceFunc(func() { server.Signal(syscall.SIGCONT) })
	defer thaw()
	var load sync.WaitGroup
	for n := range 200 {
		load.Go(func() {
			began := time.Now()
			var err error
			switch n % 4 {
			case 0:
				_, err = r.Get(ctx, "07", "a", 0)
			case 1:
				_, err = r.Scan(ctx, "07", "", "", 10)
			case 2:
				_, _, err = r.Add(ctx, "07", "n", 0, 0)
			case 3:
				err = r.Apply(ctx, "07", []store.Op{{Name: "b", If: store.Any}})
			}
			// Behind one another they would wait a patience each: minutes in all.
			if took := time.Since(began); !errors.Is(err, proofing.ErrUnavailable) || took > 2*o.Timeout+5*time.Second {
				t.Errorf("after %s: %v", took, err)
			}
		})
	}
	load.Wait()
	quick := 0
	began, before := time.Now(), runtime.NumGoroutine()
	for range 1000 {
		call := time.Now()
		if _, err := r.Get(ctx, "07", "a", 0); !errors.Is(err, proofing.ErrUnavailable) {
			t.Fatalf("a frozen server answers: %v", err)
		}
		if time.Since(call) < 10*time.Millisecond {
			quick++
		}
	}
	if took := time.Since(began); quick < 900 || took > 20*time.Second {
		t.Errorf("of 1000 calls %d were refused at once; all took %s", quick, took)
	}
	if after := runtime.NumGoroutine(); after > before+50 {
		t.Errorf("goroutines grew from %d to %d", before, after)
	}
	thaw()
	back := time.Now()
	for {
		if _, err := r.Scan(ctx, "07", "", "", 10); err == nil {
			break
		} else if time.Since(back) > time.Minute {
			t.Fatalf("it does not come back: %v", err)
		}
	}
	for range 100 { // and stays
		if _, _, err := r.Add(ctx, "07", "n", 1, 0); err != nil {
			t.Fatalf("after it came back: %v", err)
		}
	}
}

// TestRedisIsNotGivenUpForCallersWhoLeave lets many callers go before their answer.
func TestRedisIsNotGivenUpForCallersWhoLeave(t *testing.T) {
	server := startRedis(t, durableArgs...)
	r := openRedis(t, server.options())
	gone, cancel := context.WithCancel(t.Context())
	for n := range 50 {
		ctx, leave := context.WithTimeout(gone, time.Duration(n)*20*time.Microsecond)
		_, _ = r.Scan(ctx, "07", "", "", 10)
		leave()
	}
	cancel()
	for n := range 20 {
		if _, err := r.Scan(t.Context(), fmt.Sprintf("%02d", n), "", "", 10); err != nil {
			t.Errorf("after callers left: %v", err)
		}
	}
}

// partly freezes one master of three: its buckets are refused at
// once, and the others go on.
func partly(t *testing.T, nodes []*redisServer, o store.RedisOptions) {
	ctx := t.Context()
	o.Prefix, o.Timeout = "part", time.Second
	r := openRedis(t, o)
	for b := range proofing.Buckets {
		if _, _, err := r.Add(ctx, fmt.Sprintf("%02d", b), "n", 1, 0); err != nil {
			t.Fatal(err)
		}
	}
	var frozen *redisServer
	for _, s := range nodes {
		if strings.Contains(s.Info("replication"), "role:master") {
			frozen = s
		}
	}
	parts, err := r.Parts(ctx)
	if err != nil || len(parts) != 3 {
		t.Fatalf("%v, %v", parts, err)
	}
	var hangs []string
	for _, part := range parts {
		if part.Addr == frozen.Addr {
			hangs = part.Buckets
		}
	}
	replacedAfter := func(ms string) {
		t.Helper()
		for _, s := range nodes {
			if _, err := s.Do("CONFIG", "SET", "cluster-node-timeout", ms); err != nil {
				t.Fatal(err)
			}
		}
	}
	replacedAfter("60000") // or a replica takes over, and whoever is served by it does not hang
	frozen.Signal(syscall.SIGSTOP)
	defer func() {
		frozen.Signal(syscall.SIGCONT)
		replacedAfter("2000")
		settled(t, nodes, o)
	}()
	var all sync.WaitGroup
	var mu sync.Mutex
	served := 0
	until := time.Now().Add(1500 * time.Millisecond)
	for b := range proofing.Buckets {
		bucket := fmt.Sprintf("%02d", b)
		all.Go(func() {
			for time.Now().Before(until) {
				began := time.Now()
				_, _, err := r.Add(ctx, bucket, "n", 1, 0)
				took := time.Since(began)
				mu.Lock()
				switch {
				case slices.Contains(hangs, bucket):
					if err == nil || !errors.Is(err, proofing.ErrUnavailable) || took > o.Timeout+10*time.Second {
						t.Errorf("bucket %s, whose master hangs, after %s: %v", bucket, took, err)
					}
				case err != nil || took >= o.Timeout: // as long as whoever waits for the other master
					t.Errorf("bucket %s, whose master does not hang, after %s: %v", bucket, took, err)
				default:
					served++
				}
				mu.Unlock()
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	all.Wait()
	if len(hangs) == 0 || served < proofing.Buckets {
		t.Errorf("%d buckets hung, and others were served %d times", len(hangs), served)
	}
}

// settled waits until every bucket takes changes that a replica confirms.
func settled(t *testing.T, nodes []*redisServer, o store.RedisOptions) {
	t.Helper()
	for _, s := range nodes {
		s.Await("cluster", "cluster_state:ok")
	}
	o.Prefix, o.Replicas, o.Timeout = "settled", 1, 0
	r := openRedis(t, o)
	for b := range proofing.Buckets {
		for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
			_, _, err := r.Add(t.Context(), fmt.Sprintf("%02d", b), "n", 1, 0)
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("bucket %02d: %v", b, err)
			}
		}
	}
}
