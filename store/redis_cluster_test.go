package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
	"github.com/countersign-id/countersign/store/redistest"
	"github.com/countersign-id/countersign/store/storetest"
)

// startCluster starts three masters with a replica each.
func startCluster(t *testing.T) (nodes []*redisServer) {
	t.Helper()
	for _, s := range redistest.StartCluster(t) {
		nodes = append(nodes, &redisServer{s})
	}
	return nodes
}

func TestRedisClusterKeepsTheContract(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t)
	o := store.RedisOptions{Addresses: []string{nodes[0].Addr, nodes[3].Addr}, Cluster: true}
	t.Run("suite", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.KV {
			o := o
			o.Prefix = fmt.Sprint("t", prefixes.Add(1))
			if strings.Contains(t.Name(), "additions") || strings.Contains(t.Name(), "apply") {
				o.Replicas = 1
			}
			return openRedis(t, o)
		})
	})
	t.Run("it agrees with the embedded store", func(t *testing.T) { agree(t, o, 11, 12, 13) })
	t.Run("a store is moved there and back", func(t *testing.T) { thereAndBack(t, o, 11, 12) })
	t.Run("a master whose settings forget is found", func(t *testing.T) {
		client := nodes[2].client()
		defer client.Close()
		if err := client.ConfigSet(t.Context(), "appendfsync", "everysec").Err(); err != nil {
			t.Fatal(err)
		}
		defer client.ConfigSet(context.Background(), "appendfsync", "always")
		if _, err := store.OpenRedis(t.Context(), o); err == nil || !strings.Contains(err.Error(), "appendfsync") {
			t.Errorf("opened: %v", err)
		}
	})
	t.Run("an ACL user with the least", func(t *testing.T) {
		user := []any{"acl", "setuser", "countersign"}
		for _, right := range append(slices.Clone(granted), "+cluster|slots", "+cluster|nodes", "+cluster|shards", "+command", "+readonly") {
			user = append(user, right)
		}
		for _, s := range nodes {
			client := s.client()
			if err := client.Do(t.Context(), user...).Err(); err != nil {
				t.Fatal(err)
			}
			client.Close()
		}
		o := o
		o.Prefix, o.Username, o.Password, o.Replicas = "cs", "countersign", "s3cret", 1
		everything(t, openRedis(t, o))
	})
	t.Run("a master that hangs holds up only its own buckets", func(t *testing.T) { partly(t, nodes, o) })
	t.Run("what replicas confirmed outlives its master", func(t *testing.T) { failover(t, nodes, o) })
}

// failover kills the master of a bucket and waits until its replica answers for it.
func failover(t *testing.T, nodes []*redisServer, o store.RedisOptions) {
	ctx := t.Context()
	o.Prefix, o.Replicas = "failover", 1
	r := openRedis(t, o)
	for b := range proofing.Buckets { // Any, since one without an answer may have been made
		if err := insist(func() error {
			return r.Apply(ctx, fmt.Sprintf("%02d", b), []store.Op{{Name: "a", If: store.Any, Value: []byte("kept")}})
		}); err != nil {
			t.Fatal(err)
		}
	}
	nodes[0].Kill()
	seen := 0
	for b := range proofing.Buckets {
		bucket := fmt.Sprintf("%02d", b)
		for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
			item, err := r.Get(ctx, bucket, "a", 0)
			if err == nil && string(item.Value) == "kept" {
				seen++
				break
			}
			if !errors.Is(err, proofing.ErrUnavailable) || time.Now().After(deadline) {
				t.Fatalf("bucket %s: %q, %v", bucket, item.Value, err)
			}
		}
	}
	if seen != proofing.Buckets {
		t.Errorf("%d buckets of %d", seen, proofing.Buckets)
	}
	// The replica that took over has none itself, so what it is told now is not confirmed.
	unconfirmed := 0
	for b := range proofing.Buckets {
		err := r.Apply(ctx, fmt.Sprintf("%02d", b), []store.Op{{Name: "b", If: store.Absent}})
		switch {
		case err != nil && strings.Contains(err.Error(), "0 of 1 replicas"):
			unconfirmed++
		case err != nil:
			t.Errorf("bucket %02d: %v", b, err)
		}
		if unconfirmed > 0 {
			break // each takes the whole patience
		}
	}
	if unconfirmed == 0 {
		t.Error("a change without a replica was called done")
	}
}

// TestANodeThatLagsTakesNoBucketBack has a node answer in the belief that it is the master, as one does that has
// just woken, when its replica has taken its place.
func TestANodeThatLagsTakesNoBucketBack(t *testing.T) {
	t.Parallel()
	nodes := redistest.StartCluster(t)
	r := openRedis(t, store.RedisOptions{Addresses: []string{nodes[1].Addr}, Cluster: true})
	for b := range proofing.Buckets {
		putIn(t, r, fmt.Sprintf("%02d", b), "before")
	}
	memory := redistest.Remember(nodes[0])
	nodes[0].Kill()
	redistest.AwaitReplaced(nodes, nodes[0])
	for b := range proofing.Buckets {
		putIn(t, r, fmt.Sprintf("%02d", b), "after")
	}
	asked := redistest.StartLagging(t, memory)
	for deadline := time.Now().Add(2 * time.Minute); asked() < 3 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		r.ReadLayout()
		for b := range proofing.Buckets {
			if _, err := r.Get(t.Context(), fmt.Sprintf("%02d", b), "after", 0); err != nil {
				t.Fatalf("bucket %02d, when the node was asked %d times: %v", b, asked(), err)
			}
		}
	}
	if asked() == 0 {
		t.Error("the node was not asked")
	}
}

func TestSlotsAreTheServers(t *testing.T) {
	t.Parallel()
	s := startRedis(t, "--cluster-enabled", "yes")
	for b := range proofing.Buckets {
		tag := fmt.Sprintf("%02d", b)
		if slot, err := s.Do("CLUSTER", "KEYSLOT", "cs:{"+tag+"}:v:a"); err != nil || slot != fmt.Sprint(store.SlotOf(tag)) {
			t.Errorf("bucket %s is in slot %d, and in %s by the server (%v)", tag, store.SlotOf(tag), slot, err)
		}
	}
}

// TestRedisBehindSentinels lets sentinels replace the master.
func TestRedisBehindSentinels(t *testing.T) {
	t.Parallel()
	w := redistest.StartWatched(t, 1)
	o := store.RedisOptions{Master: w.Name, Prefix: "s", Replicas: 1}
	for _, s := range w.Sentinels {
		o.Addresses = append(o.Addresses, s.Addr)
	}
	r := openRedis(t, o)
	ctx := t.Context()
	if err := insist(func() error {
		return r.Apply(ctx, "07", []store.Op{{Name: "a", If: store.Any, Value: []byte("kept")}})
	}); err != nil {
		t.Fatal(err)
	}
	w.Nodes[0].Kill()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		item, err := r.Get(ctx, "07", "a", 0)
		if err == nil && string(item.Value) == "kept" {
			break
		}
		if !errors.Is(err, proofing.ErrUnavailable) || time.Now().After(deadline) {
			t.Fatalf("%q, %v", item.Value, err)
		}
	}
	if !w.Nodes[1].IsMaster() {
		t.Error("the answer did not come from the new master")
	}
	// It has no replica, and is set to take no changes then.
	if err := r.Apply(ctx, "07", []store.Op{{Name: "b", If: store.Absent}}); !errors.Is(err, proofing.ErrUnavailable) || !strings.Contains(err.Error(), "NOREPLICAS") {
		t.Errorf("a change without a replica: %v", err)
	}
}
