package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

var _ Movable = (*Redis)(nil)

// EachCounter implements Movable. Counters are plain keys that nothing lists, so every
// master is asked for all of its keys, some hundred at a time: a SCAN
// holds nobody up, and shows each key that is there all the while.
func (r *Redis) EachCounter(ctx context.Context, visit func(bucket string, some []Counter) error) error {
	var one sync.Mutex // the masters are walked at once
	var failed error   // the first error of a walk, behind which the others only stop
	walk := func(ctx context.Context, master *redis.Client) error {
		err := r.walkCounters(ctx, master, func(bucket string, some []Counter) error {
			one.Lock()
			defer one.Unlock()
			if failed != nil {
				return failed
			}
			return visit(bucket, some)
		})
		one.Lock()
		defer one.Unlock()
		if failed == nil {
			failed = err
		}
		return err
	}
	var err error
	switch client := r.client.(type) {
	case *redis.ClusterClient:
		err = client.ForEachMaster(ctx, walk)
	case *redis.Client:
		err = walk(ctx, client)
	default:
		return fmt.Errorf("store: counters: a client of type %T", r.client)
	}
	if failed != nil {
		return failed
	}
	if err != nil {
		return unavailable("counters", cause(ctx, err))
	}
	return nil
}

func (r *Redis) walkCounters(ctx context.Context, master *redis.Client, visit func(bucket string, some []Counter) error) error {
	for cursor := uint64(0); ; {
		names, next, err := r.counterNames(ctx, master, cursor)
		if err != nil {
			return err
		}
		for bucket, all := range names {
			for some := range slices.Chunk(all, MaxScan) {
				found, err := r.Counters(ctx, bucket, some)
				if err == nil && len(found) > 0 {
					err = visit(bucket, found)
				}
				if err != nil {
					return err
				}
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// counterNames is one step of a walk over the keys of a master.
func (r *Redis) counterNames(ctx context.Context, master *redis.Client, cursor uint64) (names map[string][]string, next uint64, err error) {
	pattern := r.o.Prefix + ":{[0-9][0-9]}:c:*" // no prefix has a character that means more than itself
	keys, err := run(ctx, r, "counters", "", func(ctx context.Context) (keys []string, err error) {
		keys, next, err = master.Scan(ctx, cursor, pattern, counterPage).Result()
		return keys, err
	})
	if err != nil {
		return nil, 0, err
	}
	names = map[string][]string{}
	before := len(r.o.Prefix) + len(":{")
	for _, key := range keys {
		bucket, name := key[before:before+2], key[before+len("00}:c:"):]
		if checkName(bucket, name) == nil {
			names[bucket] = append(names[bucket], name)
		}
	}
	return names, next, nil
}

// Counters implements Movable.
func (r *Redis) Counters(ctx context.Context, bucket string, names []string) ([]Counter, error) {
	if err := checkNames(bucket, names); err != nil {
		return nil, err
	}
	prefix := r.bucket(bucket) + "c:"
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = prefix + name
	}
	values, err := run(ctx, r, "counters", bucket, func(ctx context.Context) ([]any, error) { return r.client.MGet(ctx, keys...).Result() })
	if err != nil {
		return nil, err
	}
	var found []Counter
	for i, value := range values {
		if value == nil {
			continue
		}
		c, err := redisCounter(names[i], value)
		if err != nil {
			return nil, err
		}
		found = append(found, c)
	}
	return found, nil
}

func redisCounter(name string, stored any) (Counter, error) {
	text, _ := stored.(string)
	total, expires, _ := strings.Cut(text, " ")
	n, err := strconv.ParseInt(total, 10, 64)
	ms, err2 := strconv.ParseInt(expires, 10, 64)
	if err := errors.Join(err, err2); err != nil {
		return Counter{}, unavailable("counters", fmt.Errorf("the counter %q is none of ours: %w", name, err))
	}
	c := Counter{Name: name, Total: n}
	if ms != 0 {
		c.Expires = time.UnixMilli(ms)
	}
	return c, nil
}

// SetCounters implements Movable.
func (r *Redis) SetCounters(ctx context.Context, bucket string, counters []Counter) error {
	if err := checkCounters(bucket, counters); err != nil {
		return err
	}
	prefix := r.bucket(bucket) + "c:"
	keys, args := make([]string, 0, len(counters)), make([]any, 0, 2*len(counters))
	for _, c := range counters {
		keys = append(keys, prefix+c.Name)
		expires := int64(0)
		if !c.Expires.IsZero() {
			expires = max(c.Expires.UnixMilli(), 1) // 0 would be never
		}
		args = append(args, c.Total, expires)
	}
	_, err := run(ctx, r, "set counters", bucket, func(ctx context.Context) (int, error) {
		return r.change(ctx, true, setCountersScript, keys, args...).Int()
	})
	return err
}
