package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
	"github.com/countersign-id/countersign/store/storetest"
)

// startCluster starts three masters with a replica each.
func startCluster(t *testing.T) (nodes []*redisServer) {
	t.Helper()
	port := freePort(t, 6)
	create := []string{"--cluster", "create"}
	for i := range 6 {
		s := newRedis(t, port+i, append([]string{"--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf",
			"--cluster-node-timeout", "2000", "--repl-diskless-sync-delay", "0"}, durableArgs...)...)
		s.start()
		nodes = append(nodes, s)
		create = append(create, s.addr)
	}
	create = append(create, "--cluster-replicas", "1", "--cluster-yes")
	if out, err := exec.Command(redisTool(t, "redis-cli"), create...).CombinedOutput(); err != nil {
		t.Fatalf("redis-cli: %v\n%s", err, out)
	}
	// The tool is back before the nodes agree, and a master that dies before its
	// replica has caught up is never replaced.
	for _, s := range nodes {
		s.await("cluster", "cluster_state:ok")
		if strings.Contains(s.info("replication"), "role:slave") {
			s.await("replication", "master_link_status:up")
		}
	}
	return nodes
}

// info is what the server says of itself.
func (s *redisServer) info(section string) string {
	client := s.client()
	defer client.Close()
	if section == "cluster" {
		return client.ClusterInfo(context.Background()).Val()
	}
	return client.Info(context.Background(), section).Val()
}

func (s *redisServer) await(section, words string) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(s.info(section), words); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("%s does not come to %q:\n%s", s.addr, words, s.info(section))
		}
	}
}

func TestRedisClusterKeepsTheContract(t *testing.T) {
	t.Parallel()
	nodes := startCluster(t)
	o := store.RedisOptions{Addresses: []string{nodes[0].addr, nodes[3].addr}, Cluster: true}
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
		for _, right := range append(slices.Clone(granted), "+cluster|slots", "+cluster|shards", "+command", "+readonly") {
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
	for b := range proofing.Buckets {
		if err := r.Apply(ctx, fmt.Sprintf("%02d", b), []store.Op{{Name: "a", If: store.Absent, Value: []byte("kept")}}); err != nil {
			t.Fatal(err)
		}
	}
	nodes[0].kill()
	seen := 0
	for b := range proofing.Buckets {
		bucket := fmt.Sprintf("%02d", b)
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			item, err := r.Get(ctx, bucket, "a")
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

// TestRedisBehindSentinels lets sentinels replace the master.
func TestRedisBehindSentinels(t *testing.T) {
	t.Parallel()
	master := startRedis(t, durableArgs...)
	host, port, _ := strings.Cut(master.addr, ":")
	replica := startRedis(t, append([]string{"--replicaof", host + " " + port, "--repl-diskless-sync-delay", "0"}, durableArgs...)...)
	replica.await("replication", "master_link_status:up")
	o := store.RedisOptions{Master: "proofs", Prefix: "s", Replicas: 1}
	for range 3 {
		s := newRedis(t, freePort(t, 1))
		conf := filepath.Join(s.dir, "sentinel.conf")
		text := fmt.Sprintf("sentinel monitor proofs %s %s 2\nsentinel down-after-milliseconds proofs 1000\nsentinel failover-timeout proofs 6000\n", host, port)
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s.args = append([]string{conf, "--sentinel"}, s.args...)
		s.start()
		o.Addresses = append(o.Addresses, s.addr)
	}
	knows(t, o.Addresses)
	r := openRedis(t, o)
	ctx := t.Context()
	if err := r.Apply(ctx, "07", []store.Op{{Name: "a", If: store.Absent, Value: []byte("kept")}}); err != nil {
		t.Fatal(err)
	}
	master.kill()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		item, err := r.Get(ctx, "07", "a")
		if err == nil && string(item.Value) == "kept" {
			break
		}
		if !errors.Is(err, proofing.ErrUnavailable) || time.Now().After(deadline) {
			t.Fatalf("%q, %v", item.Value, err)
		}
	}
	if !strings.Contains(replica.info("replication"), "role:master") {
		t.Error("the answer did not come from the new master")
	}
}

// knows waits until every sentinel has found the replica and the others.
func knows(t *testing.T, sentinels []string) {
	t.Helper()
	for _, addr := range sentinels {
		client := redis.NewSentinelClient(&redis.Options{Addr: addr, Protocol: 2, DisableIdentity: true})
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			m := client.Master(t.Context(), "proofs").Val()
			if m["num-slaves"] == "1" && m["num-other-sentinels"] == "2" {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("sentinel %s: %v", addr, m)
			}
		}
		client.Close()
	}
}
