package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
	"github.com/countersign-id/countersign/store/storetest"
)

// prefixes keep the stores of one server apart.
var prefixes atomic.Int64

func openRedis(t *testing.T, o store.RedisOptions) *store.Redis {
	t.Helper()
	if o.Prefix == "" {
		o.Prefix = fmt.Sprint("t", prefixes.Add(1))
	}
	r, err := store.OpenRedis(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func (s *redisServer) options() store.RedisOptions {
	return store.RedisOptions{Addresses: []string{s.Addr}}
}

// onServer remembers where it is, for opening it again.
type onServer struct {
	*store.Redis
	server  *redisServer
	options store.RedisOptions
}

func TestRedisKeepsTheContract(t *testing.T) {
	shared := startRedis(t, durableArgs...)
	storetest.RunDurable(t, func(t *testing.T) store.KV {
		server := shared
		if strings.Contains(t.Name(), "reopening") {
			server = startRedis(t, durableArgs...) // one that may be killed
		}
		o := server.options()
		o.Prefix = fmt.Sprint("t", prefixes.Add(1))
		return onServer{openRedis(t, o), server, o}
	}, func(t *testing.T, kv store.KV) store.KV {
		was := kv.(onServer)
		was.server.Kill()
		was.server.Start()
		return openRedis(t, was.options)
	})
}

func TestRedisRefusesAServerThatMayForget(t *testing.T) {
	for _, x := range []struct {
		setting string
		args    []string
	}{
		{"appendonly", []string{"--maxmemory-policy", "noeviction"}},
		{"appendfsync", []string{"--appendonly", "yes"}},
		{"maxmemory-policy", []string{"--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "allkeys-lru"}},
		{"no-appendfsync-on-rewrite", []string{"--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction", "--no-appendfsync-on-rewrite", "yes"}},
	} {
		t.Run(x.setting, func(t *testing.T) {
			t.Parallel()
			o := startRedis(t, x.args...).options()
			if r, err := store.OpenRedis(t.Context(), o); err == nil || !strings.Contains(err.Error(), "its "+x.setting+" is ") {
				t.Errorf("opened %v, %v; want an error that names %s", r, err, x.setting)
			}
			o.AcceptLessDurable = true
			if _, _, err := openRedis(t, o).Add(t.Context(), "07", "n", 1, 0); err != nil {
				t.Errorf("with less accepted: %v", err)
			}
		})
	}
}

func TestRedisIsOpenedInOneWayOnly(t *testing.T) {
	for what, o := range map[string]store.RedisOptions{
		"no address":            {},
		"sentinels and cluster": {Addresses: []string{"a:1"}, Master: "m", Cluster: true},
		"several servers":       {Addresses: []string{"a:1", "b:1"}},
		"a tag in a prefix":     {Addresses: []string{"a:1"}, Prefix: "{x}"},
		"minus one replica":     {Addresses: []string{"a:1"}, Replicas: -1},
	} {
		if _, err := store.OpenRedis(t.Context(), o); err == nil {
			t.Errorf("%s: opened", what)
		}
	}
}

func TestRedisIsUnavailableWhileTheServerIsAwayAndComesBack(t *testing.T) {
	server := startRedis(t, durableArgs...)
	r := openRedis(t, server.options())
	ctx := t.Context()
	if _, _, err := r.Add(ctx, "07", "n", 1, 0); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	if _, _, err := r.Add(ctx, "07", "n", 1, 0); !errors.Is(err, proofing.ErrUnavailable) {
		t.Errorf("add: %v, want ErrUnavailable", err)
	}
	if _, err := r.Get(ctx, "07", "a", 0); !errors.Is(err, proofing.ErrUnavailable) || errors.Is(err, proofing.ErrNotFound) {
		t.Errorf("get: %v, want ErrUnavailable", err)
	}
	server.Start() // without the scripts
	var total int64
	for deadline := time.Now().Add(time.Minute); ; {
		var err error
		if total, _, err = r.Add(ctx, "07", "n", 1, 0); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	if total != 2 {
		t.Errorf("a total of %d, want 2", total)
	}
}

// TestRedisSendsAChangeOnce stops the server, so that changes reach it but their
// answers come too late: each must be made once, not once for each patience.
func TestRedisSendsAChangeOnce(t *testing.T) {
	t.Parallel()
	server := startRedis(t, durableArgs...)
	o := server.options()
	o.Timeout = time.Second
	r := openRedis(t, o)
	ctx := t.Context()
	if _, _, err := r.Add(ctx, "07", "n", 1, 0); err != nil { // the script is there, and the connection
		t.Fatal(err)
	}
	server.Signal(syscall.SIGSTOP)
	_, _, err := r.Add(ctx, "07", "n", 1, 0)
	time.Sleep(5 * o.Timeout) // long enough for any repetition
	server.Signal(syscall.SIGCONT)
	if !errors.Is(err, proofing.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	time.Sleep(o.Timeout)
	total := int64(0)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if total, _, err = r.Add(ctx, "07", "n", 0, 0); err == nil || time.Now().After(deadline) {
			break
		}
	}
	if err != nil || total != 2 {
		t.Errorf("a total of %d, %v; want 2", total, err)
	}
}

func TestRedisLetsCallersGoAndRefusesMoreThanItsQueue(t *testing.T) {
	server := startRedis(t, durableArgs...)
	o := server.options()
	o.Queue, o.Timeout = 4, 30*time.Second // those who were let go still hold the queue
	r := openRedis(t, o)
	server.Signal(syscall.SIGSTOP)
	defer server.Signal(syscall.SIGCONT)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, errGone)
	defer cancel()
	start := time.Now()
	answers := make(chan error, o.Queue)
	for range o.Queue {
		go func() { _, err := r.Get(ctx, "07", "a", 0); answers <- err }()
	}
	for range o.Queue {
		if err := <-answers; !errors.Is(err, errGone) || !errors.Is(err, proofing.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable and the context's cause", err)
		}
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("callers waited %s", took)
	}
	if _, err := r.Get(t.Context(), "07", "a", 0); !errors.Is(err, proofing.ErrUnavailable) || !strings.Contains(err.Error(), "too many") {
		t.Errorf("beyond the queue: %v", err)
	}
}

var errGone = errors.New("the caller has gone")

// TestRedisForgetsTheNamesOfWhatExpired looks at the sorted sets themselves.
func TestRedisForgetsTheNamesOfWhatExpired(t *testing.T) {
	server := startRedis(t, durableArgs...)
	o := server.options()
	o.Prefix, o.Sweep = "p", 200*time.Millisecond
	r := openRedis(t, o)
	ctx := t.Context()
	var ops []store.Op
	for i := range 10 {
		ops = append(ops, store.Op{Name: fmt.Sprint("gone", i), If: store.Any, Expires: time.Now().Add(200 * time.Millisecond)})
	}
	for _, name := range []string{"kept", "prolonged"} {
		ops = append(ops, store.Op{Name: name, If: store.Any, Expires: time.Now().Add(300 * time.Millisecond)})
	}
	if err := r.Apply(ctx, "07", ops); err != nil {
		t.Fatal(err)
	}
	if err := r.Apply(ctx, "07", []store.Op{
		{Name: "kept", If: store.Any}, {Name: "prolonged", If: store.Any, Expires: time.Now().Add(time.Hour)},
	}); err != nil {
		t.Fatal(err)
	}
	client := server.client()
	defer client.Close()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		names, expiring := client.ZRange(ctx, "p:{07}:n", 0, -1).Val(), client.ZRange(ctx, "p:{07}:x", 0, -1).Val()
		if fmt.Sprint(names, expiring) == "[kept prolonged] [prolonged]" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("names %q, of which expire %q", names, expiring)
		}
	}
}

var granted = strings.Fields("on >s3cret ~cs:* +eval +evalsha +get +mget +set +del +exists +getrange +zadd +zrem" +
	" +zrangebylex +zrangebyscore +time +wait +ping +info +scan +config|get")

// TestRedisAsAnACLUser grants what decision 8 lists, and no more.
func TestRedisAsAnACLUser(t *testing.T) {
	args := append(slices.Clone(durableArgs), "--user", "countersign")
	server := startRedis(t, append(append(args, granted...), "--user", "default", "off")...)
	o := server.options()
	o.Prefix = "cs"
	if _, err := store.OpenRedis(t.Context(), o); err == nil {
		t.Error("opened without a password")
	}
	o.Username, o.Password = "countersign", "wrong"
	if _, err := store.OpenRedis(t.Context(), o); err == nil || strings.Contains(err.Error(), "wrong\"") {
		t.Errorf("with a wrong password: %v", err)
	}
	o.Password = "s3cret"
	r := openRedis(t, o)
	everything(t, r)
}

// everything makes each kind of call once.
func everything(t *testing.T, r *store.Redis) {
	t.Helper()
	ctx := t.Context()
	if err := r.Apply(ctx, "07", []store.Op{{Name: "a", If: store.Absent, Expires: time.Now().Add(time.Hour)}, {Name: "b", If: store.Any, Delete: true}}); err != nil {
		t.Error(err)
	}
	items, err := r.Scan(ctx, "07", "", "", 10)
	if err != nil || len(items) != 1 {
		t.Fatalf("%v, %v", items, err)
	}
	if err := r.Confirm(ctx, "07", "a", items[0].Version); err != nil {
		t.Error(err)
	}
	if _, _, err := r.Add(ctx, "07", "n", 1, time.Minute); err != nil {
		t.Error(err)
	}
	if servers, err := r.Servers(ctx); err != nil || len(servers) < 1 || servers[0].Err != nil || !strings.HasPrefix(servers[0].Version, "Redis 7") && !strings.Contains(servers[0].Version, " 8") && !strings.HasPrefix(servers[0].Version, "Valkey") {
		t.Errorf("%v, %v", servers, err)
	}
	seen := 0
	if err := r.EachCounter(ctx, func(_ string, some []store.Counter) error { seen += len(some); return nil }); err != nil || seen == 0 {
		t.Errorf("%d counters, %v", seen, err)
	}
}
