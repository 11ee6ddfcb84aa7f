package store_test

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
	"github.com/countersign-id/countersign/store/redistest"
)

// vow is a record of which something is said once.
type vow struct{ Said string }

func (*vow) Indexes() []proofing.Index { return nil }
func (*vow) ExpiresAt() time.Time      { return time.Time{} }

// say makes a change that changes nothing the second time.
func say(t *testing.T, vows proofing.Table[vow], id string) error {
	t.Helper()
	_, err := vows.Update(t.Context(), id, func(v *vow) error { v.Said = "yes"; return nil })
	return err
}

// startReplicated starts a master and its replica.
func startReplicated(t *testing.T) (master, replica *redisServer) {
	t.Helper()
	master = startRedis(t, append(redistest.Durable(), "--repl-diskless-sync-delay", "0")...)
	host, port, _ := strings.Cut(master.Addr, ":")
	replica = startRedis(t, append(redistest.Durable(), "--replicaof", host+" "+port)...)
	replica.Await("replication", "master_link_status:up")
	master.Await("replication", "state=online")
	return master, replica
}

// TestWhatReplicasLackIsNotTakenForDoneByWhoTriesAgain stops the replica, so that the master has changes that it lacks. Whoever
// makes one again finds it made; before the replica has it, that is no answer to give.
func TestWhatReplicasLackIsNotTakenForDoneByWhoTriesAgain(t *testing.T) {
	t.Parallel()
	master, replica := startReplicated(t)
	o := master.options()
	o.Prefix, o.Replicas, o.Timeout = "again", 1, 900*time.Millisecond
	ring, err := store.NewRing(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	one, other := store.NewTable[vow](openRedis(t, o), ring, "vow"), store.NewTable[vow](openRedis(t, o), ring, "vow")
	const id, created, gone = "07a", "07b", "07c"
	for _, id := range []string{id, gone} {
		await(t, func() error { // a replica that is busy may need longer than a change waits
			if err := one.Create(t.Context(), id, &vow{}); !errors.Is(err, proofing.ErrExists) {
				return err
			}
			return nil
		})
	}
	if _, err := other.Get(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	create := func(vows proofing.Table[vow]) error { return vows.Create(t.Context(), created, &vow{}) }

	replica.Signal(syscall.SIGSTOP)
	for _, c := range []struct {
		what string
		err  error
	}{
		{"a change", say(t, one, id)},
		{"the change again", say(t, one, id)},
		{"the change again, by another process", say(t, other, id)},
		{"and once more", say(t, other, id)},
		{"a record that is new", create(one)},
		{"the record again", create(one)},
		{"the record again, by another process", create(other)},
		{"a deletion", one.Delete(t.Context(), gone)},
		{"the deletion again", one.Delete(t.Context(), gone)},
		{"the deletion again, by another process", other.Delete(t.Context(), gone)},
	} {
		if !errors.Is(c.err, proofing.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", c.what, c.err)
		}
	}
	replica.Signal(syscall.SIGCONT)
	await(t, func() error { return say(t, other, id) })
	await(t, func() error { // who asks too soon is told so once more
		if err := create(other); !errors.Is(err, proofing.ErrExists) {
			return fmt.Errorf("the record, when the replica has it: %v", err)
		}
		if err := other.Delete(t.Context(), gone); !errors.Is(err, proofing.ErrNotFound) {
			return fmt.Errorf("the deletion, when the replica has it: %v", err)
		}
		return nil
	})

	master.Kill()
	if _, err := replica.Do("REPLICAOF", "NO", "ONE"); err != nil {
		t.Fatal(err)
	}
	o.Addresses, o.Replicas = []string{replica.Addr}, 0
	heir := store.NewTable[vow](openRedis(t, o), ring, "vow")
	if v, err := heir.Get(t.Context(), id); err != nil || v.Said != "yes" {
		t.Errorf("the heir has %+v, %v", v, err)
	}
	if _, err := heir.Get(t.Context(), created); err != nil {
		t.Errorf("the heir lacks the record that is new: %v", err)
	}
	if v, err := heir.Get(t.Context(), gone); !errors.Is(err, proofing.ErrNotFound) {
		t.Errorf("the heir has what was deleted: %+v, %v", v, err)
	}
}

func TestWhatIsConfirmedStaysAsItWas(t *testing.T) {
	t.Parallel()
	master, _ := startReplicated(t)
	o := master.options()
	o.Prefix, o.Replicas = "as-it-was", 1
	r := openRedis(t, o)
	ctx := t.Context()
	put := []store.Op{{Name: "a", If: store.Absent, Value: []byte("v"), Expires: time.Now().Add(time.Hour)}, {Name: "b", If: store.Absent, Value: []byte("w")}}
	await(t, func() error {
		if err := r.Apply(ctx, "07", put); !errors.Is(err, store.ErrConflict) { // the replica was late, and the change is there
			return err
		}
		return nil
	})
	before, err := r.Scan(ctx, "07", "", "", 10)
	if err != nil || len(before) != len(put) {
		t.Fatalf("%v, %v", before, err)
	}
	for _, item := range before {
		if err := r.Confirm(ctx, "07", item.Name, item.Version); err != nil {
			t.Errorf("%s: %v", item.Name, err)
		}
		if err := r.Confirm(ctx, "07", item.Name, item.Version+1); !errors.Is(err, store.ErrConflict) {
			t.Errorf("another version of %s: %v, want a conflict", item.Name, err)
		}
	}
	if err := r.Confirm(ctx, "07", "c", 1); !errors.Is(err, store.ErrConflict) {
		t.Errorf("what is not there: %v, want a conflict", err)
	}
	if after, err := r.Scan(ctx, "07", "", "", 10); err != nil || !reflect.DeepEqual(after, before) {
		t.Errorf("%v became %v, %v", before, after, err)
	}
	ttl, err := master.Do("PTTL", "as-it-was:{07}:v:a")
	if ms, _ := strconv.Atoi(ttl); err != nil || ms < 1000 {
		t.Errorf("the server keeps it for %s ms, %v", ttl, err)
	}
}

// await waits until something goes well.
func await(t *testing.T, do func() error) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		err := do()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

var scriptsRun = regexp.MustCompile(`cmdstat_eval(?:sha)?:calls=\d+`)

// TestWhatReplicasAreKnownToHaveIsNotAskedForAgain counts the scripts that the server runs.
func TestWhatReplicasAreKnownToHaveIsNotAskedForAgain(t *testing.T) {
	t.Parallel()
	master, _ := startReplicated(t)
	ring, err := store.NewRing(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	const id = "07a"
	for replicas := range 2 {
		o := master.options()
		o.Prefix, o.Replicas, o.Sweep = "known"+string(rune('a'+replicas)), replicas, time.Hour
		one, other := store.NewTable[vow](openRedis(t, o), ring, "vow"), store.NewTable[vow](openRedis(t, o), ring, "vow")
		if err := one.Create(t.Context(), id, &vow{Said: "yes"}); err != nil {
			t.Fatal(err)
		}
		again := func(vows proofing.Table[vow]) (ran bool) {
			t.Helper()
			before := scriptsRun.FindAllString(master.Info("commandstats"), -1)
			if err := say(t, vows, id); err != nil {
				t.Fatal(err)
			}
			after := scriptsRun.FindAllString(master.Info("commandstats"), -1)
			if len(before) == 0 {
				t.Fatal("the server counts no scripts")
			}
			return strings.Join(before, " ") != strings.Join(after, " ")
		}
		if again(one) {
			t.Errorf("%d replicas: who has written it asks whether they have it", replicas)
		}
		if asked := again(other); asked != (replicas > 0) {
			t.Errorf("%d replicas: who has only read it asks whether they have it: %t", replicas, asked)
		}
		if again(other) {
			t.Errorf("%d replicas: who has asked once asks again", replicas)
		}
	}
}
