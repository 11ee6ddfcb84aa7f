package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/countersign-id/countersign/proofing"
)

// Part is a master and the buckets that lie on it.
type Part struct {
	Addr    string
	Buckets []string
}

// Parts says which master has which buckets, in the order of their addresses, as this process knows
// them: it asks none of them. The parts of a cluster fail by themselves.
func (r *Redis) Parts(ctx context.Context) ([]Part, error) {
	cluster, several := r.client.(*redis.ClusterClient)
	byAddr := map[string][]string{}
	for b := range proofing.Buckets {
		bucket, addr := fmt.Sprintf("%02d", b), r.addr()
		if several {
			master, err := cluster.MasterForKey(ctx, r.bucket(bucket))
			if err != nil {
				return nil, unavailable("find the masters", err)
			}
			addr = master.Options().Addr
		}
		byAddr[addr] = append(byAddr[addr], bucket)
	}
	var parts []Part
	for addr, buckets := range byAddr {
		parts = append(parts, Part{addr, buckets})
	}
	slices.SortFunc(parts, func(a, b Part) int { return strings.Compare(a.Addr, b.Addr) })
	return parts, nil
}

// addr is where the one master is, for people.
func (r *Redis) addr() string {
	if r.o.Master != "" {
		return "the master of " + r.o.Master
	}
	return r.o.Addresses[0]
}
