package store_test

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
	"github.com/countersign-id/countersign/store/redistest"
)

// plainAndSecured runs a test without TLS (nil) and with it.
func plainAndSecured(t *testing.T, test func(t *testing.T, ends *redistest.TLS)) {
	t.Run("plain", func(t *testing.T) { t.Parallel(); test(t, nil) })
	t.Run("TLS", func(t *testing.T) { t.Parallel(); test(t, redistest.NewTLS(t)) })
}

// startMaster starts a server and returns where it is reached so.
func startMaster(t *testing.T, ends *redistest.TLS) string {
	t.Helper()
	if ends == nil {
		return startRedis(t, durableArgs...).Addr
	}
	return ends.Start(t, durableArgs...)
}

// under are the options of a store under three sentinels that say what the test has them say.
func under(t *testing.T, ends *redistest.TLS, epoch int, master string) (store.RedisOptions, []*redistest.SaidBySentinel) {
	t.Helper()
	o := store.RedisOptions{Master: "proofs", Prefix: "t", TLS: ends.Client()}
	var all []*redistest.SaidBySentinel
	for range 3 {
		s := redistest.StartSaying(t, o.Master, ends.Server())
		s.Name(epoch, master)
		o.Addresses, all = append(o.Addresses, s.Addr), append(all, s)
	}
	return o, all
}

func put(t *testing.T, r *store.Redis, name string) {
	t.Helper()
	putIn(t, r, "07", name)
}

func putIn(t *testing.T, r *store.Redis, bucket, name string) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		err := r.Apply(t.Context(), bucket, []store.Op{{Name: name, If: store.Any, Value: []byte("kept")}})
		if err == nil {
			return
		}
		if !errors.Is(err, proofing.ErrUnavailable) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// stillThere reads from many callers, more than there are connections, and again and again, what was
// acknowledged: it may be out of reach for a while, and must not be absent.
func stillThere(t *testing.T, r *store.Redis, name string) {
	t.Helper()
	var callers sync.WaitGroup
	for range 40 {
		callers.Go(func() {
			read := 0
			for deadline := time.Now().Add(2 * time.Minute); read < 50; {
				_, err := r.Get(t.Context(), "07", name, 0)
				switch {
				case err == nil:
					read++
				case errors.Is(err, proofing.ErrNotFound):
					t.Errorf("%s was acknowledged, and a later read does not see it", name)
					return
				case time.Now().After(deadline):
					t.Error(err)
					return
				default:
					time.Sleep(10 * time.Millisecond)
				}
			}
		})
	}
	callers.Wait()
}

// TestAConnectionThatWasBeingMadeEndsWithItsMaster has a master hang while connections to it are
// made, and be there again, in the belief that it is the master, after another has taken its place. With
// TLS they are not even the pool's at that time.
func TestAConnectionThatWasBeingMadeEndsWithItsMaster(t *testing.T) {
	plainAndSecured(t, func(t *testing.T, ends *redistest.TLS) {
		old, heir := startMaster(t, ends), startMaster(t, ends)
		door := redistest.OpenDoor(t, old)
		o, sentinels := under(t, ends, 1, door.Addr)
		o.Timeout = 6 * time.Second
		r := openRedis(t, o)
		put(t, r, "before")

		door.Shut()
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() { _, _ = r.Get(t.Context(), "07", "before", 0) })            // what it says is of no matter
			callers.Go(func() { _, _ = r.Scan(t.Context(), "07", "", "", store.MaxScan) }) // so many share no round trip
		}
		door.AwaitWaiting(4)
		for _, s := range sentinels {
			s.Name(2, heir)
		}
		put(t, r, "after")
		door.Open()
		callers.Wait()
		stillThere(t, r, "after")
	})
}

// TestASentinelThatLagsLeadsNobodyBack leaves a process with the one sentinel that has not heard of
// the failover, and has it connect anew.
func TestASentinelThatLagsLeadsNobodyBack(t *testing.T) {
	t.Parallel()
	old, heir := startRedis(t, durableArgs...), startRedis(t, durableArgs...)
	door := redistest.OpenDoor(t, heir.Addr)
	o, sentinels := under(t, nil, 1, old.Addr)
	r := openRedis(t, o)
	put(t, r, "before")
	sentinels[2].Name(2, door.Addr)
	// The other two are most, and are not believed.
	for deadline := time.Now().Add(2 * time.Minute); door.Passed() == 0; time.Sleep(50 * time.Millisecond) {
		_, _, _ = r.Add(t.Context(), "07", "n", 1, 0)
		if time.Now().After(deadline) {
			t.Fatal("nobody has come to the heir")
		}
	}
	put(t, r, "after")
	sentinels[1].Close()
	sentinels[2].Close()
	passed := door.Passed()
	door.Shut() // which ends the connections
	door.Open()
	stillThere(t, r, "after")
	if door.Passed() == passed {
		t.Error("nothing was connected anew")
	}
}

// TestAMasterThatWasReplacedIsLeftByThoseWhoCanReachIt: nothing fails, so nobody would ask.
func TestAMasterThatWasReplacedIsLeftByThoseWhoCanReachIt(t *testing.T) {
	plainAndSecured(t, func(t *testing.T, ends *redistest.TLS) {
		old, heir := startMaster(t, ends), startMaster(t, ends)
		door := redistest.OpenDoor(t, old)
		o, sentinels := under(t, ends, 1, door.Addr)
		r := openRedis(t, o)
		var callers sync.WaitGroup
		for range 40 { // connections
			callers.Go(func() { _, _ = r.Scan(t.Context(), "07", "", "", store.MaxScan) }) // so many share no round trip
		}
		callers.Wait()
		if door.Inside() < 4 {
			t.Fatalf("only %d connections", door.Inside())
		}
		sentinels[1].Name(2, heir)
		door.AwaitInside(0)
		// And nobody is given one of those.
		for n := range 80 {
			if _, _, err := r.Add(t.Context(), "07", fmt.Sprint("n", n), 1, 0); err != nil {
				t.Errorf("addition %d: %v", n, err)
			}
			if _, err := r.Scan(t.Context(), "07", "", "", 10); err != nil {
				t.Errorf("scan %d: %v", n, err)
			}
		}
	})
}

func TestSentinelsThatAreAwayOrSlowHoldNobodyUp(t *testing.T) {
	t.Parallel()
	server := startRedis(t, durableArgs...)
	_, port, _ := net.SplitHostPort(server.Addr)
	o, sentinels := under(t, nil, 3, "localhost:"+port)
	sentinels[0].Close()
	sentinels[1].Hang()
	began := time.Now()
	r := openRedis(t, o)
	put(t, r, "a")
	if took := time.Since(began); took > 2500*time.Millisecond {
		t.Errorf("it took %s", took)
	}
	sentinels[2].Close()
	if _, err := r.Get(t.Context(), "07", "a", 0); err != nil {
		t.Errorf("with a connection, and without sentinels: %v", err)
	}
	o.Timeout = 500 * time.Millisecond
	_, err := store.OpenRedis(t.Context(), o)
	if err == nil || !store.OutOfReach(err) {
		t.Errorf("without sentinels: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	sentinels[1].AwaitInside(0)
}

func TestSentinelsThatDoNotKnowTheMasterSaySo(t *testing.T) {
	t.Parallel()
	o, _ := under(t, nil, 1, "127.0.0.1:1")
	o.Master = "misspelt"
	if _, err := store.OpenRedis(t.Context(), o); err == nil || store.OutOfReach(err) || !strings.Contains(err.Error(), "No such master") {
		t.Errorf("opened: %v", err)
	}
}

func TestAReplicaIsNotTakenForTheMaster(t *testing.T) {
	t.Parallel()
	master := startRedis(t, append([]string{"--repl-diskless-sync-delay", "0"}, durableArgs...)...)
	replica := startRedis(t, append([]string{"--replicaof", strings.Replace(master.Addr, ":", " ", 1)}, durableArgs...)...)
	replica.Await("replication", "master_link_status:up")
	o, _ := under(t, nil, 1, replica.Addr)
	if _, err := store.OpenRedis(t.Context(), o); err == nil || !store.OutOfReach(err) || !strings.Contains(err.Error(), "takes itself for a replica") {
		t.Errorf("opened: %v", err)
	}
}

// TestASentinelWithTLSAndAnACLUser has one of Redis' own that grants the least.
func TestASentinelWithTLSAndAnACLUser(t *testing.T) {
	t.Parallel()
	ends := redistest.NewTLS(t)
	master := ends.Start(t, durableArgs...)
	host, port, _ := net.SplitHostPort(master)
	sentinel := ends.StartSentinel(t, "--sentinel", "monitor proofs "+host+" "+port+" 1", "--user",
		"countersign on >s3cret -@all +sentinel|master +sentinel|get-master-addr-by-name")
	o := store.RedisOptions{Master: "proofs", Addresses: []string{sentinel}, TLS: ends.Client(), SentinelUsername: "countersign", SentinelPassword: "s3cret"}
	everything(t, openRedis(t, o))
	o.SentinelPassword = "wrong"
	if _, err := store.OpenRedis(t.Context(), o); err == nil || store.OutOfReach(err) {
		t.Errorf("with a wrong password: %v", err)
	}
	o.SentinelPassword, o.TLS = "s3cret", redistest.NewTLS(t).Client()
	if _, err := store.OpenRedis(t.Context(), o); err == nil || store.OutOfReach(err) {
		t.Errorf("with another's root: %v", err)
	}
}

// TestNothingOfAStoreUnderSentinelsOutlivesIt looks for goroutines, and for connections.
func TestNothingOfAStoreUnderSentinelsOutlivesIt(t *testing.T) {
	server := startRedis(t, durableArgs...)
	door := redistest.OpenDoor(t, server.Addr)
	o, sentinels := under(t, nil, 1, door.Addr)
	sentinels[1].Hang()
	for range 3 {
		r := openRedis(t, o)
		put(t, r, "a")
		began := time.Now()
		if err := r.Close(); err != nil || time.Since(began) > 10*time.Second { // the sentinel that hangs has no end
			t.Errorf("closed in %s, %v", time.Since(began), err)
		}
		door.AwaitInside(0)
		for _, s := range sentinels {
			s.AwaitInside(0)
		}
	}
	stacks := make([]byte, 1<<20)
	if stacks = stacks[:runtime.Stack(stacks, true)]; strings.Contains(string(stacks), "store.(*masters)") {
		t.Errorf("still running:\n%s", stacks)
	}
}
