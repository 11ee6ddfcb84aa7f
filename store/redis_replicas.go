package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// change runs a script that changes something and, where replicas are demanded, waits
// until they have it. WAIT speaks of the changes of its own connection, so it goes
// out behind the script on the same one.
func (r *Redis) change(ctx context.Context, small bool, s script, keys []string, args ...any) *redis.Cmd {
	if r.o.Replicas == 0 {
		if small {
			return r.script(ctx, r.hot, s, keys, args...)
		}
		return r.script(ctx, r.client, s, keys, args...)
	}
	cmd, wait := r.confirmed(ctx, s, keys, args)
	for range movedTries {
		if !isMoved(cmd.Err()) {
			break
		}
		r.lost(cmd.Err())
		if err := pause(ctx, movedPause); err != nil {
			return failed(ctx, err)
		}
		cmd, wait = r.confirmed(ctx, s, keys, args)
	}
	switch {
	case cmd.Err() != nil:
		return cmd
	case wait.Err() != nil:
		return failed(ctx, fmt.Errorf("wait for replicas: %w", wait.Err()))
	}
	if n, err := wait.Int(); err != nil || n < r.o.Replicas {
		return failed(ctx, replicaError{n, r.o.Replicas})
	}
	return cmd
}

// A node that hands a bucket on is asked for the new layout this often, with time
// for it to be read in between.
const (
	movedTries = 5
	movedPause = 100 * time.Millisecond
)

// confirmed runs a script and WAIT on the master of its keys.
func (r *Redis) confirmed(ctx context.Context, s script, keys []string, args []any) (cmd, wait *redis.Cmd) {
	to, err := r.masterFor(ctx, keys[0])
	if err != nil {
		return failed(ctx, err), failed(ctx, err)
	}
	cmd, wait = withWait(ctx, to, r.o, scriptCmd(ctx, "evalsha", s.hash, keys, args))
	if redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
		cmd, wait = withWait(ctx, to, r.o, scriptCmd(ctx, "eval", s.text, keys, args))
	}
	return cmd, wait
}

func withWait(ctx context.Context, to processorWithPipeline, o RedisOptions, cmd once) (*redis.Cmd, *redis.Cmd) {
	// A third, so that a server that lacks the script can be waited for twice.
	wait := once{redis.NewCmd(ctx, "wait", o.Replicas, o.Timeout.Milliseconds()/3)}
	pipe := to.Pipeline()
	_, _ = pipe.Process(ctx, cmd), pipe.Process(ctx, wait)
	_, _ = pipe.Exec(ctx) // the errors are the commands'
	return cmd.Cmd, wait.Cmd
}

type processorWithPipeline interface{ Pipeline() redis.Pipeliner }

func failed(ctx context.Context, err error) *redis.Cmd {
	cmd := redis.NewCmd(ctx)
	cmd.SetErr(err)
	return cmd
}

func (r *Redis) masterFor(ctx context.Context, key string) (processorWithPipeline, error) {
	if cluster, ok := r.client.(*redis.ClusterClient); ok {
		return cluster.MasterForKey(ctx, key)
	}
	return r.client, nil
}

// Confirm implements KV. A master shows a change at once, also one that its replicas lack, whose caller was
// told that it may be lost. So what was read is put there once more, and waited for like any change.
func (r *Redis) Confirm(ctx context.Context, bucket, name string, version uint64) error {
	if r.o.Replicas == 0 {
		return nil
	}
	if err := checkName(bucket, name); err != nil {
		return err
	}
	keys := []string{r.bucket(bucket) + "v:" + name}
	there, err := run(ctx, r, "confirm", bucket, func(ctx context.Context) (int, error) {
		return r.change(ctx, true, confirmScript, keys, binary.BigEndian.AppendUint64(nil, version)).Int()
	})
	if err == nil && there == 0 {
		return fmt.Errorf("store: confirm: %w", ErrConflict)
	}
	return err
}
