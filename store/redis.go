package store

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/countersign-id/countersign/proofing"
)

// RedisOptions say which Redis, and how much it must promise.
type RedisOptions struct {
	// Addresses are host:port: of the one server; with Master those of all sentinels;
	// with Cluster those of some nodes, from which the others are learnt.
	Addresses []string
	Master    string // the name of the master that the sentinels watch
	Cluster   bool

	Username, Password                 string // of an ACL user, or the password alone
	SentinelUsername, SentinelPassword string
	TLS                                *tls.Config // nil: none

	// Prefix begins every key, so that several stores can share a server; "" means "cs".
	Prefix string
	// AcceptLessDurable opens the store although the server may forget what it
	// has acknowledged.
	AcceptLessDurable bool
	// Replicas is how many replicas must have a change before its call returns nil.
	Replicas int
	// Timeout is how long the server may take for one answer; 0 means three seconds.
	Timeout time.Duration
	// Queue is how many calls may be under way before further ones are refused
	// with proofing.ErrUnavailable; 0 means 4096.
	Queue int
	// Sweep is the time between two removals of the names of what has expired; 0
	// means a minute.
	Sweep time.Duration
}

func (o RedisOptions) withDefaults() RedisOptions {
	if o.Prefix == "" {
		o.Prefix = "cs"
	}
	if o.Timeout == 0 {
		o.Timeout = 3 * time.Second
	}
	if o.Queue == 0 {
		o.Queue = 4096
	}
	if o.Sweep == 0 {
		o.Sweep = time.Minute
	}
	return o
}

var prefixForm = regexp.MustCompile(`^[a-z0-9:_-]{1,32}$`)

func (o RedisOptions) check() error {
	switch {
	case len(o.Addresses) == 0:
		return errors.New("no address")
	case o.Master != "" && o.Cluster:
		return errors.New("either sentinels or a cluster, not both")
	case len(o.Addresses) > 1 && o.Master == "" && !o.Cluster:
		return errors.New("several addresses, but neither sentinels nor a cluster")
	case !prefixForm.MatchString(o.Prefix):
		return fmt.Errorf("the prefix %q: it is 1 to 32 of a-z, 0-9, colon, hyphen and underscore", o.Prefix)
	case o.Replicas < 0:
		return fmt.Errorf("%d replicas", o.Replicas)
	}
	return nil
}

// Redis is the back end for several machines: one Redis or Valkey server, one that
// sentinels watch over, or a cluster. Every change is one script over the keys of
// one bucket; see redis_scripts.go for what those are.
//
// A change is sent once. Nothing resends it when its answer is lost, because it
// may have been made; only what a server has certainly not run (it lacks the script, or
// names another node for it) goes out again.
//
// A context that ends lets its caller go at once; the change may still be made.
type Redis struct {
	o       RedisOptions
	client  redis.UniversalClient
	masters *masters // nil: no sentinels
	// hot gathers what many callers ask for at once into few round trips. What is
	// large goes past it, so that it does not hold up the others.
	hot interface {
		Process(ctx context.Context, cmd redis.Cmder) error
	}

	mu     sync.RWMutex // held for reading while a call enters
	closed bool
	calls  sync.WaitGroup
	places chan struct{} // one for each call under way
	gates  []gate        // one, or in a cluster one for each bucket, since its nodes fail by themselves
	stop   chan struct{} // stops the sweeper
	swept  sync.WaitGroup
}

var _ KV = (*Redis)(nil)

// OpenRedis connects to the store and refuses servers that may forget what they
// acknowledge, unless the options accept that. ctx bounds the opening alone.
func OpenRedis(ctx context.Context, o RedisOptions) (*Redis, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("store: open redis: %w", err)
	}
	r := &Redis{o: o, places: make(chan struct{}, o.Queue), stop: make(chan struct{})}
	r.client, r.masters = newClient(o)
	r.gates = make([]gate, 1)
	if o.Cluster {
		r.gates = make([]gate, proofing.Buckets)
	}
	pipelines := redis.DefaultBlockingAutoPipelineOptions()
	pipelines.MaxQueuedCommands = o.Queue
	pipelines.Unordered, pipelines.MaxConcurrentBatches = true, 4 // whoever needs an order waits for the answer
	if o.Cluster {
		// Whoever shares a batch waits for all of it, so the buckets of one master share none with those of another
		// that hangs. A shard has a run of slots, and so short a one that it has two masters only where they meet.
		pipelines.NumShards = 2 * proofing.Buckets
	}
	hot, err := r.client.AutoPipelineWithOptions(pipelines)
	if err == nil {
		r.hot = hot
		err = r.checkServers(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("store: open redis at %s: %w", strings.Join(o.Addresses, ", "), err), r.disconnect())
	}
	r.swept.Go(r.sweepEvery)
	return r, nil
}

// The library would write every failed connection to standard error; what fails is in
// the errors that our callers get.
func init() { logging.Disable() }

func newClient(o RedisOptions) (redis.UniversalClient, *masters) {
	all := &redis.UniversalOptions{
		Addrs: o.Addresses, IsClusterMode: o.Cluster,
		Username: o.Username, Password: o.Password,
		TLSConfig: o.TLS,
		// Reads are repeated once; changes see to it themselves that they are not.
		MaxRetries:  1,
		DialTimeout: o.Timeout, DialerRetries: 1, ReadTimeout: o.Timeout, WriteTimeout: o.Timeout,
		ContextTimeoutEnabled: true,
		PoolSize:              32,
		// Plain commands only: an ACL user need not be granted those of a client's own.
		Protocol: 2, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if o.Master == "" {
		client := redis.NewUniversalClient(all)
		if cluster, ok := client.(*redis.ClusterClient); ok {
			new(layouts).watch(cluster)
		}
		return client, nil
	}
	m, one := newMasters(o), all.Simple()
	one.Network, one.Addr, one.Dialer, one.OnConnect = "tcp", o.Master, m.dial, m.greet
	return redis.NewClient(one), m
}

func (r *Redis) disconnect() error {
	err := r.client.Close()
	if r.masters != nil {
		err = errors.Join(err, r.masters.close())
	}
	return err
}

// Close implements KV.
func (r *Redis) Close() error {
	r.mu.Lock()
	again := r.closed
	r.closed = true
	r.mu.Unlock()
	if again {
		return nil
	}
	close(r.stop)
	r.swept.Wait()
	r.calls.Wait()
	return r.disconnect()
}

func (r *Redis) bucket(bucket string) string { return r.o.Prefix + ":{" + bucket + "}:" }

// Get implements KV.
func (r *Redis) Get(ctx context.Context, bucket, name string, known uint64) (Item, error) {
	if err := checkName(bucket, name); err != nil {
		return Item{}, err
	}
	key := r.bucket(bucket) + "v:" + name
	if known != 0 { // most often it is that one still: its head is enough
		head, err := r.read(ctx, bucket, "getrange", key, 0, headLen-1)
		if err != nil {
			return Item{}, err
		}
		if head == "" { // so says Redis of a key that is not there
			return Item{}, fmt.Errorf("store: get: %w", proofing.ErrNotFound)
		}
		if item, err := redisItem("get", name, head); err != nil || item.Version == known {
			return item, err
		}
	}
	value, err := r.read(ctx, bucket, "get", key)
	if errors.Is(err, redis.Nil) {
		return Item{}, fmt.Errorf("store: get: %w", proofing.ErrNotFound)
	}
	if err != nil {
		return Item{}, err
	}
	return redisItem("get", name, value)
}

// read asks for what is under a key.
func (r *Redis) read(ctx context.Context, bucket, command, key string, args ...any) (string, error) {
	args = append([]any{command, key}, args...)
	return run(ctx, r, "get", bucket, func(ctx context.Context) (string, error) {
		// A pipeline is sent in runs of commands of one kind of repetition, so a read that
		// may be repeated among changes that may not would undo their gathering.
		cmd := once{redis.NewCmd(ctx, args...)}
		_ = r.hot.Process(ctx, cmd) // the error is the command's
		if isNetwork(cmd.Err()) {
			return r.client.Do(ctx, args...).Text()
		}
		return cmd.Text()
	})
}

const headLen = 16 // bytes of version and expiry before a value

func redisItem(doing, name, stored string) (Item, error) {
	if len(stored) < headLen {
		return Item{}, unavailable(doing, fmt.Errorf("the value of %q is none of ours", name))
	}
	head := []byte(stored[:headLen])
	item := Item{Name: name, Value: []byte(stored[headLen:]), Version: binary.BigEndian.Uint64(head)}
	if ms := int64(binary.BigEndian.Uint64(head[8:])); ms != 0 {
		item.Expires = time.UnixMilli(ms)
	}
	return item, nil
}

// smallScan is the most items of a Scan that shares a round trip with others: whoever lists looks into many buckets, most of which have little.
const smallScan = 256

// Scan implements KV.
func (r *Redis) Scan(ctx context.Context, bucket, prefix, after string, limit int) ([]Item, error) {
	if err := checkScan(bucket, prefix, after, limit); err != nil {
		return nil, err
	}
	from, before := scanBounds(prefix, after)
	keys := r.bucket(bucket)
	found, err := run(ctx, r, "scan", bucket, func(ctx context.Context) ([]string, error) {
		look := func(to processor) *redis.Cmd {
			return r.script(ctx, to, scanScript, []string{keys + "n"}, keys+"v:", "["+from, "("+before, limit)
		}
		if limit <= smallScan {
			if cmd := look(r.hot); !isNetwork(cmd.Err()) {
				return cmd.StringSlice()
			}
		}
		return look(r.client).StringSlice()
	})
	if err != nil {
		return nil, err
	}
	items := make([]Item, 0, len(found)/2)
	for i := 0; i+1 < len(found); i += 2 {
		item, err := redisItem("scan", found[i], found[i+1])
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// smallApply is the most bytes of an Apply that shares a round trip with others.
const smallApply = 16 << 10

// Apply implements KV.
func (r *Redis) Apply(ctx context.Context, bucket string, ops []Op) error {
	if err := checkOps(bucket, ops); err != nil {
		return err
	}
	prefix := r.bucket(bucket)
	keys := append(make([]string, 0, 2+len(ops)), prefix+"n", prefix+"x")
	args := append(make([]any, 0, 1+3*len(ops)), len(prefix)+len("v:"))
	size := 0
	for _, op := range ops {
		condition, value, expires := redisOp(op)
		keys = append(keys, prefix+"v:"+op.Name)
		args = append(args, condition, value, expires)
		size += len(op.Name) + len(value)
	}
	made, err := run(ctx, r, "apply", bucket, func(ctx context.Context) (int, error) {
		return r.change(ctx, size <= smallApply, applyScript, keys, args...).Int()
	})
	if err == nil && made == 0 {
		return fmt.Errorf("store: apply: %w", ErrConflict)
	}
	return err
}

// redisOp puts an operation as applyScript takes it. All of it is copied: the
// caller may go, and use its bytes again, while they are still being sent.
func redisOp(op Op) (condition string, value []byte, expires string) {
	switch op.If {
	case Any:
		condition = "*"
	case Match:
		condition = string(binary.BigEndian.AppendUint64(nil, op.Version))
	}
	if op.Delete {
		return condition, nil, ""
	}
	value = make([]byte, headLen, headLen+len(op.Value))
	binary.BigEndian.PutUint64(value, op.newVersion())
	if !op.Expires.IsZero() {
		ms := op.Expires.UnixMilli()
		binary.BigEndian.PutUint64(value[8:], uint64(ms))
		expires = strconv.FormatInt(ms, 10)
	}
	return condition, append(value, op.Value...), expires
}

// Add implements KV.
func (r *Redis) Add(ctx context.Context, bucket, name string, delta int64, ttl time.Duration) (int64, time.Time, error) {
	if err := checkAdd(bucket, name, delta, ttl); err != nil {
		return 0, time.Time{}, err
	}
	keys := []string{r.bucket(bucket) + "c:" + name}
	answer, err := run(ctx, r, "add", bucket, func(ctx context.Context) ([]int64, error) {
		if delta == 0 {
			return r.script(ctx, r.hot, addScript, keys, delta, ttl.Milliseconds()).Int64Slice()
		}
		return r.change(ctx, true, addScript, keys, delta, ttl.Milliseconds()).Int64Slice()
	})
	if err != nil {
		return 0, time.Time{}, err
	}
	if len(answer) != 2 {
		return 0, time.Time{}, unavailable("add", fmt.Errorf("an answer of %d parts", len(answer)))
	}
	if answer[1] == 0 {
		return answer[0], time.Time{}, nil
	}
	return answer[0], time.UnixMilli(answer[1]), nil
}

// run makes a call for a bucket: it takes a place, or refuses; lets the caller go when
// its context or the server's time for an answer ends; and says unavailable for
// whatever fails but redis.Nil.
func run[V any](ctx context.Context, r *Redis, doing, bucket string, call func(ctx context.Context) (V, error)) (none V, _ error) {
	if ctx.Err() != nil {
		return none, unavailable(doing, context.Cause(ctx))
	}
	if err := r.enter(); err != nil {
		return none, unavailable(doing, err)
	}
	g := r.gate(bucket)
	look, open := g.enter()
	if !open {
		r.leave()
		return none, unavailable(doing, errGate)
	}
	type outcome struct {
		value V
		err   error
	}
	done := make(chan outcome, 1)
	// Nobody waits longer than that, however many stand before them in the pipeline.
	until := time.Now().Add(r.o.Timeout)
	callers, given := ctx.Deadline()
	hurried := given && callers.Before(until)
	ctx, cancel := context.WithDeadlineCause(ctx, until, errSilent)
	defer cancel()
	go func() {
		defer r.leave()
		value, err := call(ctx)
		g.leave(look, heardBy(err, hurried))
		done <- outcome{value, err}
	}()
	select {
	case <-ctx.Done():
		return none, unavailable(doing, context.Cause(ctx))
	case o := <-done:
		if o.err != nil && !errors.Is(o.err, redis.Nil) {
			r.lost(o.err)
			return none, unavailable(doing, cause(ctx, o.err))
		}
		return o.value, o.err
	}
}

// gate is the one before the server that has the bucket.
func (r *Redis) gate(bucket string) *gate {
	if n, err := strconv.Atoi(bucket); err == nil && len(r.gates) > 1 {
		return &r.gates[n]
	}
	return &r.gates[0]
}

func (r *Redis) enter() error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed {
		return errClosed
	}
	select {
	case r.places <- struct{}{}:
		r.calls.Add(1)
		return nil
	default:
		return errFull
	}
}

func (r *Redis) leave() {
	<-r.places
	r.calls.Done()
}

// lost has a cluster's layout read again after a node was out of reach or knew better:
// its replica may have taken its place, and the client would ask only after a while.
func (r *Redis) lost(err error) {
	if cluster, ok := r.client.(*redis.ClusterClient); ok && (isSilence(err) || isMoved(err) || redis.HasErrorPrefix(err, "CLUSTERDOWN")) {
		cluster.ReloadState(context.Background())
	}
}

// isMoved says whether a node has not run a command, since the keys are another's.
func isMoved(err error) bool { return redis.HasErrorPrefix(err, "MOVED") }

// once is a command that the client sends at most once, unless a server says
// that it has not run it.
type once struct{ *redis.Cmd }

// NoRetry implements redis.Cmder.
func (once) NoRetry() bool { return true }

// Clone implements redis.Cmder.
func (c once) Clone() redis.Cmder { return once{c.Cmd.Clone().(*redis.Cmd)} }

type processor interface {
	Process(ctx context.Context, cmd redis.Cmder) error
}

// script runs a script by its digest, or by its text where the server lacks it, in
// which case nothing of it has been run.
func (r *Redis) script(ctx context.Context, to processor, s script, keys []string, args ...any) *redis.Cmd {
	cmd := scriptCmd(ctx, "evalsha", s.hash, keys, args)
	_ = to.Process(ctx, cmd) // the error is the command's
	if redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
		cmd = scriptCmd(ctx, "eval", s.text, keys, args)
		_ = to.Process(ctx, cmd)
	}
	return cmd.Cmd
}

func scriptCmd(ctx context.Context, how, which string, keys []string, args []any) once {
	all := append(make([]any, 0, 3+len(keys)+len(args)), how, which, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	return once{redis.NewCmd(ctx, append(all, args...)...)}
}

// sweepBatch is the most names that one script forgets: it holds up everybody else.
const sweepBatch = 500

func (r *Redis) sweepEvery() {
	tick := time.NewTicker(r.o.Sweep)
	defer tick.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-tick.C:
		}
		for b := range proofing.Buckets {
			if r.sweep(fmt.Sprintf("%02d", b)) != nil {
				break // out of reach: the next time will do
			}
		}
	}
}

func (r *Redis) sweep(bucket string) error {
	keys := r.bucket(bucket)
	for {
		select {
		case <-r.stop:
			return errClosed
		default:
		}
		n, err := r.script(context.Background(), r.client, sweepScript, []string{keys + "n", keys + "x"}, keys+"v:", sweepBatch).Int()
		if err != nil || n < sweepBatch {
			return err
		}
	}
}

// Clock is the time by which the server judges expiry.
func (r *Redis) Clock(ctx context.Context) (time.Time, error) {
	return run(ctx, r, "clock", "00", func(ctx context.Context) (time.Time, error) { return r.client.Time(ctx).Result() })
}

// Empty says whether the store holds no item, as one that has never been used.
func (r *Redis) Empty(ctx context.Context) (bool, error) {
	for b := range proofing.Buckets {
		items, err := r.Scan(ctx, fmt.Sprintf("%02d", b), "", "", 1)
		if err != nil || len(items) > 0 {
			return false, err
		}
	}
	return true, nil
}
