package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/countersign-id/countersign/proofing"
)

var errLags = errors.New("the node knows less of the cluster than another did")

// layouts keeps a cluster's client from a layout that is older than one that it has had. The client
// asks any node for it, also one that has just woken, or hangs and answers when it wakes: a
// master that was replaced then names itself, and would be asked for what its heir has.
//
// A node owns slots in an epoch, which grows whenever they pass to another; the higher is right,
// for the nodes as well. A layout is refused, and another node asked, when a bucket would
// go to another owner without a higher epoch.
type layouts struct {
	mu      sync.Mutex
	owners  [proofing.Buckets]owner
	doubted time.Time // since when every node contradicts what was known; zero: they do not
}

// owner has a bucket's slot. The zero owner: nobody has been named yet.
type owner struct {
	id    string
	epoch uint64
}

// watch judges whatever layout any node of the cluster gives its client.
func (l *layouts) watch(cluster *redis.ClusterClient) {
	cluster.OnNewNode(func(node *redis.Client) { node.AddHook(layoutHook{l, node}) })
}

// layoutHook judges the layouts of one node.
type layoutHook struct {
	layouts *layouts
	node    *redis.Client
}

// DialHook implements redis.Hook.
func (layoutHook) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook implements redis.Hook.
func (layoutHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook implements redis.Hook.
func (h layoutHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		layout, ok := cmd.(*redis.ClusterSlotsCmd)
		if !ok {
			return next(ctx, cmd)
		}
		// First the epochs: a node that learns something between the two answers is taken to
		// know less than it does, and not more.
		text, err := h.node.ClusterNodes(ctx).Result()
		if err != nil {
			err = fmt.Errorf("ask for the epochs of the cluster: %w", err)
			cmd.SetErr(err)
			return err
		}
		if err := next(ctx, cmd); err != nil {
			return err
		}
		if err := h.layouts.judge(epochs(text), layout.Val(), time.Now()); err != nil {
			cmd.SetErr(err)
			return err
		}
		return nil
	}
}

// judge takes a layout for what is known, or refuses it.
func (l *layouts) judge(epochs map[string]uint64, layout []redis.ClusterSlot, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := l.owners
	lags := false
	for b, was := range l.owners {
		id := ownerOf(layout, slotOf(fmt.Sprintf("%02d", b)))
		switch {
		case id == "": // nobody has it for now
		case id == was.id:
			next[b].epoch = max(was.epoch, epochs[id])
		default:
			next[b] = owner{id, epochs[id]}
			lags = lags || was.id != "" && epochs[id] <= was.epoch
		}
	}
	switch {
	case !lags:
		l.doubted = time.Time{}
	case l.doubted.IsZero():
		l.doubted = now
		return errLags
	case now.Sub(l.doubted) < doubtFor:
		return errLags
	default: // the cluster was made anew, or slots were handed over by hand
		l.doubted = time.Time{}
	}
	l.owners = next
	return nil
}

// epochs reads the masters' from an answer of CLUSTER NODES:
// "<id> <address> <flags> <its master> <ping sent> <pong received> <epoch> …". A replica's is its master's.
func epochs(text string) map[string]uint64 {
	all := map[string]uint64{}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 7 || !strings.Contains(fields[2], "master") {
			continue
		}
		if epoch, err := strconv.ParseUint(fields[6], 10, 64); err == nil {
			all[fields[0]] = epoch
		}
	}
	return all
}

func ownerOf(layout []redis.ClusterSlot, slot int) string {
	for _, part := range layout {
		if part.Start <= slot && slot <= part.End && len(part.Nodes) > 0 {
			return part.Nodes[0].ID
		}
	}
	return ""
}

// slotOf is the slot of a hash tag: CRC-16/XMODEM modulo 16384 (the Redis Cluster specification,
// "Key distribution model").
func slotOf(tag string) int {
	sum := uint16(0)
	for _, c := range []byte(tag) {
		sum ^= uint16(c) << 8
		for range 8 {
			high := sum&0x8000 != 0
			sum <<= 1
			if high {
				sum ^= 0x1021
			}
		}
	}
	return int(sum) % 16384
}
