package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
	"github.com/countersign-id/countersign/store/redistest"
)

// kills is how often a test kills.
func kills(few, many int) int {
	if os.Getenv("SOAK") != "" {
		return many
	}
	return few
}

// ledger is what writers were told of their changes.
type ledger struct {
	sync.Mutex
	made  map[string]string // name of a pair that was acknowledged, and its bucket
	added [proofing.Buckets]struct{ acknowledged, tried int64 }
	tries atomic.Int64
}

// write changes what it can until it is stopped: pairs of items that belong together, and
// a counter for each bucket.
func (l *ledger) write(t *testing.T, r *store.Redis, who int, stop context.Context) {
	ctx := context.WithoutCancel(stop)
	last, in := "", ""
	for i := 0; stop.Err() == nil; i++ {
		n := rand.IntN(proofing.Buckets)
		bucket, name := fmt.Sprintf("%02d", n), fmt.Sprintf("%d-%d", who, i)
		l.tries.Add(1)
		err := r.Apply(ctx, bucket, []store.Op{
			{Name: "a/" + name, If: store.Absent, Value: []byte(name)},
			{Name: "b/" + name, If: store.Absent, Value: []byte(name)},
		})
		if err == nil {
			l.Lock()
			l.made[name] = bucket
			l.Unlock()
			last, in = name, bucket
		} else if !errors.Is(err, proofing.ErrUnavailable) {
			t.Errorf("a change of a name that nobody else has: %v", err)
		}
		_, _, err = r.Add(ctx, bucket, "n", 1, 0)
		l.Lock()
		l.added[n].tried++
		if err == nil {
			l.added[n].acknowledged++
		}
		l.Unlock()
		// A master that has been replaced and does not know it must not answer for the other.
		if last != "" {
			if _, err := r.Get(ctx, in, "a/"+last, 0); errors.Is(err, proofing.ErrNotFound) {
				t.Errorf("%s of bucket %s was acknowledged, and a later read does not see it", last, in)
			}
		}
		time.Sleep(rand.N(4 * time.Millisecond)) // the servers share two cores with the test
	}
}

// check compares what is stored with what was acknowledged.
func (l *ledger) check(t *testing.T, r *store.Redis) {
	t.Helper()
	ctx := t.Context()
	lost := 0
	for name, bucket := range l.made {
		for _, half := range []string{"a/", "b/"} {
			var item store.Item
			err := insist(func() (err error) { item, err = r.Get(ctx, bucket, half+name, 0); return err })
			if err != nil || string(item.Value) != name {
				lost++
				t.Errorf("%s%s of bucket %s was acknowledged: %q, %v", half, name, bucket, item.Value, err)
			}
		}
	}
	for n := range proofing.Buckets {
		bucket := fmt.Sprintf("%02d", n)
		var total int64
		err := insist(func() (err error) { total, _, err = r.Add(ctx, bucket, "n", 0, 0); return err })
		if err != nil || total < l.added[n].acknowledged || total > l.added[n].tried {
			t.Errorf("the counter of bucket %s is %d after %d acknowledged additions of %d, %v", bucket, total, l.added[n].acknowledged, l.added[n].tried, err)
		}
		if a, b := names(t, r, bucket, "a/"), names(t, r, bucket, "b/"); a != b {
			t.Errorf("bucket %s has %d halves of pairs and %d others: a change was torn", bucket, a, b)
		}
	}
	if len(l.made) < 100 {
		t.Errorf("only %d changes were acknowledged: too little to have looked", len(l.made))
	}
	t.Logf("%d of %d changes were acknowledged, %d lost", len(l.made), l.tries.Load(), lost)
}

// insist asks again while there is no answer: a machine that is slow may have a master replaced once more that only came late.
func insist(ask func() error) (err error) {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if err = ask(); !errors.Is(err, proofing.ErrUnavailable) || time.Now().After(deadline) {
			return err
		}
	}
}

func names(t *testing.T, r *store.Redis, bucket, prefix string) (n int) {
	t.Helper()
	for after := ""; ; {
		var items []store.Item
		if err := insist(func() (err error) { items, err = r.Scan(t.Context(), bucket, prefix, after, store.MaxScan); return err }); err != nil {
			t.Fatal(err)
		}
		if n += len(items); len(items) < store.MaxScan {
			return n
		}
		after = items[len(items)-1].Name
	}
}

// underKills lets two stores write from several callers each while kill does its work.
func underKills(t *testing.T, o store.RedisOptions, kill func()) {
	o.Prefix, o.Replicas = "kill", 1
	l := &ledger{made: map[string]string{}}
	stop, end := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for process := range 2 {
		r := openRedis(t, o)
		for caller := range 4 {
			writers.Go(func() { l.write(t, r, 10*process+caller, stop) })
		}
	}
	kill()
	time.Sleep(500 * time.Millisecond)
	end()
	writers.Wait()
	l.check(t, openRedis(t, o))
}

// TestKillOfARedisMasterLosesNothingAcknowledged kills and stops masters in turn, again and
// again: a replica takes the place, and the one that is back, or awake, becomes a replica.
func TestKillOfARedisMasterLosesNothingAcknowledged(t *testing.T) {
	t.Run("under sentinels", func(t *testing.T) {
		t.Parallel()
		w := redistest.StartWatched(t, 2)
		o := store.RedisOptions{Master: w.Name}
		for _, s := range w.Sentinels {
			o.Addresses = append(o.Addresses, s.Addr)
		}
		underKills(t, o, func() {
			for n := range kills(2, 100) {
				time.Sleep(rand.N(500 * time.Millisecond))
				was := w.Master()
				stopped := n%2 == 1 // and wakes up in the belief that it is the master
				if stopped {
					was.Signal(syscall.SIGSTOP)
				} else {
					was.Kill()
				}
				w.AwaitReplaced(was)
				if stopped {
					was.Signal(syscall.SIGCONT)
				} else {
					was.Start()
				}
				w.AwaitWhole()
			}
		})
	})
	t.Run("in a cluster", func(t *testing.T) {
		t.Parallel()
		nodes := redistest.StartCluster(t, "--min-replicas-to-write", "1")
		o := store.RedisOptions{Cluster: true}
		for _, s := range nodes {
			o.Addresses = append(o.Addresses, s.Addr)
		}
		underKills(t, o, func() {
			for n := range kills(2, 100) {
				time.Sleep(rand.N(500 * time.Millisecond))
				was := redistest.AMaster(nodes)
				if n%2 == 1 {
					was.Signal(syscall.SIGSTOP)
					redistest.AwaitReplaced(nodes, was)
					was.Signal(syscall.SIGCONT)
				} else {
					was.Kill()
					redistest.AwaitReplaced(nodes, was)
					was.Start()
				}
				redistest.AwaitWhole(nodes)
			}
		})
	})
}

// TestAFailoverWithoutReplicasLosesTheLatestChangesAlone holds docs/operating.md to what it says of `replicas: 0`: a master that dies takes with it what no
// replica had, and that is the end of what it acknowledged, without a gap before it.
func TestAFailoverWithoutReplicasLosesTheLatestChangesAlone(t *testing.T) {
	t.Parallel()
	w := redistest.StartWatched(t, 1)
	o := store.RedisOptions{Master: w.Name, Prefix: "loose"}
	for _, s := range w.Sentinels {
		o.Addresses = append(o.Addresses, s.Addr)
	}
	r := openRedis(t, o)
	const bucket, before, after = "07", 20, 200
	big := make([]byte, 200<<10) // so that they fill every buffer between the two servers
	name := func(n int) string { return fmt.Sprintf("c/%04d", n) }
	write := func(n int) {
		t.Helper()
		if err := r.Apply(t.Context(), bucket, []store.Op{{Name: name(n), If: store.Absent, Value: big}}); err != nil {
			t.Fatalf("change %d: %v", n, err)
		}
	}
	for n := range before {
		write(n)
	}
	w.AwaitWhole()
	careful := o
	careful.Replicas = 1 // whoever waits for the replica knows that it has all that came before, too
	if err := openRedis(t, careful).Apply(t.Context(), bucket, []store.Op{{Name: "known", If: store.Absent, Value: []byte("x")}}); err != nil {
		t.Fatal(err)
	}
	master, replica := w.Master(), w.Nodes[0]
	if replica == master {
		replica = w.Nodes[1]
	}
	// A master whose replica has said nothing for ten seconds takes no changes, and these may take longer.
	if _, err := master.Do("CONFIG", "SET", "min-replicas-max-lag", "600"); err != nil {
		t.Fatal(err)
	}
	replica.Signal(syscall.SIGSTOP)
	for n := before; n < before+after; n++ {
		write(n)
	}
	master.Kill()
	replica.Signal(syscall.SIGCONT)
	w.AwaitReplaced(master)
	there := 0
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		items, err := r.Scan(t.Context(), bucket, "c/", "", store.MaxScan)
		if err == nil {
			for n, item := range items {
				if item.Name != name(n) {
					t.Fatalf("%s is lost, and %s, which came later, is there", name(n), item.Name)
				}
			}
			there = len(items)
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	if there < before || there == before+after {
		t.Errorf("%d changes are there: the replica had %d, and %d more were acknowledged", there, before, after)
	}
	if _, err := r.Get(t.Context(), bucket, "known", 0); err != nil {
		t.Errorf("what the replica was waited for is lost: %v", err)
	}
	t.Logf("%d of %d acknowledged changes are lost", before+after-there, before+after)
}
