package store

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// durable is what a server must be set to, to keep what it has acknowledged: a log of
// every change, synced before the answer, and no key thrown away for want of memory.
var durable = []struct{ setting, want string }{
	{"appendonly", "yes"},
	{"appendfsync", "always"},
	{"maxmemory-policy", "noeviction"},
}

// checkServers finds every master in reach and its settings durable.
func (r *Redis) checkServers(ctx context.Context) error {
	if cluster, ok := r.client.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
			if err := r.checkServer(ctx, master); err != nil {
				return fmt.Errorf("%s: %w", master.Options().Addr, err)
			}
			return nil
		})
	}
	return r.checkServer(ctx, r.client)
}

func (r *Redis) checkServer(ctx context.Context, server redis.Cmdable) error {
	if err := server.Ping(ctx).Err(); err != nil {
		return err
	}
	if r.o.AcceptLessDurable {
		return nil
	}
	for _, d := range durable {
		got, err := server.ConfigGet(ctx, d.setting).Result()
		if err != nil {
			return fmt.Errorf("whether the server keeps what it acknowledges cannot be told, since CONFIG GET %s fails (grant it, or accept less): %w", d.setting, err)
		}
		if got[d.setting] != d.want {
			return fmt.Errorf("the server may forget what it has acknowledged: its %s is %q and must be %q (or accept less)", d.setting, got[d.setting], d.want)
		}
	}
	return nil
}
