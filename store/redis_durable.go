package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// durable is what a server must be set to, to keep what it has acknowledged: a log of
// every change, synced before the answer, also while a child process writes the log
// anew or a snapshot, and no key thrown away for want of memory.
var durable = []struct{ setting, want string }{
	{"appendonly", "yes"},
	{"appendfsync", "always"},
	{"no-appendfsync-on-rewrite", "no"}, // for that time "yes" puts "always" out of force
	{"maxmemory-policy", "noeviction"},
}

// oldestRedis is the least major version: before it expiries cannot be set with KEEPTTL and PXAT as scripts here
// rely on, and the log has no base file that is replaced in one step.
const oldestRedis = 7

// RedisServer is a master and what it promises.
type RedisServer struct {
	Addr    string
	Version string // "Redis 7.0.15", "Valkey 8.0.1"
	// Replicas is how many follow it now, and MinReplicas how many must, or it takes no changes.
	Replicas, MinReplicas int
	// Err says why it may forget what it has acknowledged, or that it does not say; nil: it keeps it.
	Err error
}

// String implements fmt.Stringer.
func (s RedisServer) String() string {
	if s.Err != nil {
		return s.Addr + ": " + s.Err.Error()
	}
	text := fmt.Sprintf("%s, %s, syncs every change; replicas: %d", s.Addr, s.Version, s.Replicas)
	if s.MinReplicas > 0 {
		text += fmt.Sprintf(", and with fewer than %d it takes no changes", s.MinReplicas)
	}
	return text
}

// Servers asks every master how it is set, in the order of their addresses. The error is that of
// one that cannot be reached.
func (r *Redis) Servers(ctx context.Context) ([]RedisServer, error) {
	cluster, ok := r.client.(*redis.ClusterClient)
	if !ok {
		s, err := r.server(ctx, r.addr(), r.client)
		return []RedisServer{s}, err
	}
	var mu sync.Mutex
	var all []RedisServer
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
		s, err := r.server(ctx, master.Options().Addr, master)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Addr, err)
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, s)
		return nil
	})
	slices.SortFunc(all, func(a, b RedisServer) int { return strings.Compare(a.Addr, b.Addr) })
	return all, err
}

// checkServers finds every master in reach and, unless less is accepted, its settings durable.
func (r *Redis) checkServers(ctx context.Context) error {
	servers, err := r.Servers(ctx)
	if err != nil {
		return err
	}
	for _, s := range servers {
		if s.Err != nil && (!r.o.AcceptLessDurable || errors.Is(s.Err, errTooOld)) {
			return fmt.Errorf("%s: %w", s.Addr, s.Err)
		}
	}
	return nil
}

var errTooOld = errors.New("the server is too old")

func (r *Redis) server(ctx context.Context, addr string, server redis.Cmdable) (RedisServer, error) {
	s := RedisServer{Addr: addr}
	if err := server.Ping(ctx).Err(); err != nil {
		return s, err
	}
	info, err := server.Info(ctx).Result()
	if isRefusal(err) {
		s.Err = fmt.Errorf("how old the server is and what follows it cannot be told, since INFO fails (grant it, or set store.redis.accept_less_durable): %w", err)
		return s, nil
	}
	if err != nil {
		return s, err
	}
	facts := infoFacts(info)
	s.Version = "Redis " + facts["redis_version"]
	if v := facts["valkey_version"]; v != "" {
		s.Version = "Valkey " + v
	}
	s.Replicas, _ = strconv.Atoi(facts["connected_slaves"]) // none, if it does not say
	major, _, _ := strings.Cut(facts["redis_version"], ".") // which Valkey has too, for those who know only that
	if n, err := strconv.Atoi(major); err != nil || n < oldestRedis {
		s.Err = fmt.Errorf("%w: it is %s, and Redis 7.0 is the oldest that will do", errTooOld, s.Version)
		return s, nil
	}
	return s, s.readSettings(ctx, server)
}

func (s *RedisServer) readSettings(ctx context.Context, server redis.Cmdable) error {
	var least string // replicas
	for _, d := range append(slices.Clone(durable), struct{ setting, want string }{setting: "min-replicas-to-write"}) {
		got, err := server.ConfigGet(ctx, d.setting).Result()
		if err != nil && !isRefusal(err) {
			return err
		}
		if err != nil {
			s.Err = fmt.Errorf("whether the server keeps what it acknowledges cannot be told, since CONFIG GET %s fails (grant it, or set store.redis.accept_less_durable): %w", d.setting, err)
			return nil
		}
		if d.want == "" {
			least = got[d.setting]
		} else if got[d.setting] != d.want {
			s.Err = fmt.Errorf("the server may forget what it has acknowledged: its %s is %q and must be %q (or set store.redis.accept_less_durable)", d.setting, got[d.setting], d.want)
			return nil
		}
	}
	s.MinReplicas, _ = strconv.Atoi(least)
	return nil
}

// isRefusal says whether a server has answered that it will not do it, whenever it is asked.
func isRefusal(err error) bool {
	_, answered := errors.AsType[redis.Error](err)
	return answered && !slices.ContainsFunc(passing, func(word string) bool { return redis.HasErrorPrefix(err, word) })
}

// infoFacts reads the answer of INFO.
func infoFacts(text string) map[string]string {
	facts := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			facts[name] = value
		}
	}
	return facts
}
