package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	comparePage    = 64      // values in memory of each store for each worker: at the largest they are 16 MiB
	compareBytes   = 1 << 20 // of one change of the target, which holds up everybody else there
	compareWorkers = 4       // buckets at a time
	// compareSkew is how far the clocks of two stores may differ: what expires sooner may be in one alone.
	compareSkew = 30 * time.Second
)

// difference is what a comparison found.
type difference struct {
	seen             Total    // in the source
	values, counters int      // that were not the same
	some             []string // of them, in words
}

// String lists what differs, or its beginning.
func (d difference) String() string {
	list := strings.Join(d.some, "; ")
	if more := d.values + d.counters - len(d.some); more > 0 {
		list += fmt.Sprintf("; and %d more", more)
	}
	return list
}

// comparison is a walk through two stores. It makes the target like the source if it is to mend.
// It keeps a few pages in memory, however much there is.
type comparison struct {
	Copy
	mend                            bool
	values, counters, unlike, other atomic.Int64
	back                            atomic.Int64 // counters of the target

	mu   sync.Mutex
	some []string
}

// mostNamed is how many of the differences are named.
const mostNamed = 10

// note keeps what differs in words. Names show no secret: what is one is hashed in them.
func (w *comparison) note(kind, bucket, name, how string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.some) < mostNamed {
		w.some = append(w.some, fmt.Sprintf("%s %q of bucket %s %s", kind, name, bucket, how))
	}
}

// compare compares the stores, and with mend changes the target until they are the same.
func (c Copy) compare(ctx context.Context, mend bool) (difference, error) {
	w := &comparison{Copy: c, mend: mend}
	err := w.allValues(ctx)
	if err == nil {
		err = w.allCounters(ctx)
	}
	// A walk may show a counter twice; where both stores have the same, the least of two counts is the best.
	seen := Total{int(w.values.Load()), int(min(w.counters.Load(), w.back.Load()))}
	return difference{seen, int(w.unlike.Load()), int(w.other.Load()), w.some}, err
}

func (w *comparison) tell() {
	if w.Progress != nil {
		w.Progress(Progress{!w.mend, int(w.values.Load()), int(w.counters.Load())})
	}
}

func (w *comparison) allValues(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	buckets := make(chan string)
	var all sync.WaitGroup
	for range compareWorkers {
		all.Go(func() {
			for bucket := range buckets {
				if err := w.untilQuiet(ctx, bucket); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, bucket := range allBuckets() {
		select {
		case buckets <- bucket:
		case <-ctx.Done():
		}
	}
	close(buckets)
	all.Wait()
	return context.Cause(ctx)
}

// pages reads the values of a bucket in their order.
type pages struct {
	kv     KV
	bucket string
	page   []Item
	after  string
	end    bool
}

// first is the next value, or nil behind the last.
func (p *pages) first(ctx context.Context) (*Item, error) {
	for {
		for len(p.page) > 0 && isAside(p.bucket, p.page[0].Name) {
			p.page = p.page[1:]
		}
		if len(p.page) > 0 {
			return &p.page[0], nil
		}
		if p.end {
			return nil, nil
		}
		page, err := p.kv.Scan(ctx, p.bucket, "", p.after, comparePage)
		if err != nil {
			return nil, err
		}
		p.page, p.end = page, len(page) < comparePage
		if len(page) > 0 {
			p.after = page[len(page)-1].Name
		}
	}
}

// conflicts is how often a bucket is begun anew because the target changed beneath.
const conflicts = 3

// untilQuiet begins a bucket anew when what was to be replaced has gone meanwhile, as what expires does.
func (w *comparison) untilQuiet(ctx context.Context, bucket string) (err error) {
	for range conflicts {
		if err = w.bucketValues(ctx, bucket); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("%w: another process changes %s: %w", ErrInUse, w.ToPlace, err)
}

func (w *comparison) bucketValues(ctx context.Context, bucket string) error {
	from, to := pages{kv: w.From, bucket: bucket}, pages{kv: w.To, bucket: bucket}
	var ops []Op
	size := 0
	for {
		op, more, err := w.nextValue(ctx, &from, &to)
		if err != nil {
			return err
		}
		if op != nil {
			ops = append(ops, *op)
			size += len(op.Name) + len(op.Value)
		}
		if len(ops) > 0 && (!more || len(ops) == MaxOps || size >= compareBytes) {
			if err := w.To.Apply(ctx, bucket, ops); err != nil {
				return err
			}
			ops, size = nil, 0
			w.tell()
		}
		if !more {
			return nil
		}
	}
}

// nextValue compares one name, and returns the change that the target needs.
func (w *comparison) nextValue(ctx context.Context, from, to *pages) (op *Op, more bool, err error) {
	a, err := from.first(ctx)
	if err != nil {
		return nil, false, err
	}
	b, err := to.first(ctx)
	if err != nil || a == nil && b == nil {
		return nil, false, err
	}
	order := 0
	switch {
	case a == nil:
		order = 1
	case b == nil:
		order = -1
	default:
		order = strings.Compare(a.Name, b.Name)
	}
	if order <= 0 {
		from.page = from.page[1:]
		if n := w.values.Add(1); n%1000 == 0 {
			w.tell()
		}
	}
	if order >= 0 {
		to.page = to.page[1:]
	}
	how := ""
	switch {
	case order == 0 && bytes.Equal(a.Value, b.Value) && a.Expires.Equal(b.Expires):
		return nil, true, nil
	// Nothing is changed that is not as it was read: somebody else's change stays and is told of.
	case order > 0:
		op, how = &Op{Name: b.Name, If: Match, Version: b.Version, Delete: true}, "is in the copy alone"
	case order < 0:
		op, how = &Op{Name: a.Name, If: Absent, Value: a.Value, Expires: a.Expires}, "is not in the copy"
	default:
		op, how = &Op{Name: a.Name, If: Match, Version: b.Version, Value: a.Value, Expires: a.Expires}, "is another in the copy"
		if bytes.Equal(a.Value, b.Value) {
			how = "expires at another time in the copy"
		}
	}
	if !w.mend {
		if order == 0 || order < 0 && w.lasts(a.Expires) || order > 0 && w.lasts(b.Expires) {
			w.unlike.Add(1)
			w.note("the value", from.bucket, op.Name, how)
		}
		return nil, true, nil
	}
	w.unlike.Add(1)
	return op, true, nil
}

// lasts says whether a store must have what expires then, whatever its clock.
func (w *comparison) lasts(expires time.Time) bool {
	return expires.IsZero() || expires.After(w.Now().Add(compareSkew))
}

// allCounters looks for those of each store in the other.
func (w *comparison) allCounters(ctx context.Context) error {
	wanted := pile{check: func(bucket string, some []Counter) error { return w.someCounters(ctx, bucket, some) }}
	if err := w.From.EachCounter(ctx, func(bucket string, some []Counter) error {
		w.counters.Add(int64(len(some)))
		w.tell()
		return wanted.add(bucket, some)
	}); err != nil {
		return err
	}
	if err := wanted.rest(); err != nil {
		return err
	}
	kept := pile{check: func(bucket string, some []Counter) error { return w.strayCounters(ctx, bucket, some) }}
	if err := w.To.EachCounter(ctx, func(bucket string, some []Counter) error {
		w.back.Add(int64(len(some)))
		return kept.add(bucket, some)
	}); err != nil {
		return err
	}
	return kept.rest()
}

// pile gathers the counters of each bucket, each once, until there are enough for one call.
type pile struct {
	check   func(bucket string, some []Counter) error
	waiting map[string]map[string]Counter
}

func (p *pile) add(bucket string, some []Counter) error {
	if p.waiting == nil {
		p.waiting = map[string]map[string]Counter{}
	}
	for _, c := range some {
		if p.waiting[bucket] == nil {
			p.waiting[bucket] = map[string]Counter{}
		}
		p.waiting[bucket][c.Name] = c
		if len(p.waiting[bucket]) == MaxOps {
			if err := p.flush(bucket); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *pile) flush(bucket string) error {
	some := make([]Counter, 0, len(p.waiting[bucket]))
	for _, c := range p.waiting[bucket] {
		some = append(some, c)
	}
	delete(p.waiting, bucket)
	return p.check(bucket, some)
}

func (p *pile) rest() error {
	for bucket := range p.waiting {
		if err := p.flush(bucket); err != nil {
			return err
		}
	}
	return nil
}

func named(ctx context.Context, kv Movable, bucket string, some []Counter) (map[string]Counter, error) {
	names := make([]string, len(some))
	for i, c := range some {
		names[i] = c.Name
	}
	found, err := kv.Counters(ctx, bucket, names)
	by := make(map[string]Counter, len(found))
	for _, c := range found {
		by[c.Name] = c
	}
	return by, err
}

// someCounters wants counters of the source to be in the target as they are.
func (w *comparison) someCounters(ctx context.Context, bucket string, some []Counter) error {
	there, err := named(ctx, w.To, bucket, some)
	if err != nil {
		return err
	}
	some = slices.DeleteFunc(some, func(c Counter) bool {
		t, ok := there[c.Name]
		return ok && t.Total == c.Total && t.Expires.Equal(c.Expires) || !ok && !w.mend && !w.lasts(c.Expires)
	})
	for _, c := range some {
		t, ok := there[c.Name]
		switch {
		case !ok:
			w.note("the counter", bucket, c.Name, "is not in the copy")
		case t.Total != c.Total:
			w.note("the counter", bucket, c.Name, fmt.Sprintf("is %d, and %d in the copy", c.Total, t.Total))
		default:
			w.note("the counter", bucket, c.Name, "expires at another time in the copy")
		}
	}
	w.other.Add(int64(len(some)))
	if !w.mend || len(some) == 0 {
		return nil
	}
	return w.To.SetCounters(ctx, bucket, some)
}

// strayCounters wants counters of the target to be in the source.
func (w *comparison) strayCounters(ctx context.Context, bucket string, some []Counter) error {
	there, err := named(ctx, w.From, bucket, some)
	if err != nil {
		return err
	}
	some = slices.DeleteFunc(some, func(c Counter) bool {
		_, ok := there[c.Name]
		return ok || !w.mend && !w.lasts(c.Expires)
	})
	for _, c := range some {
		w.note("the counter", bucket, c.Name, "is in the copy alone")
	}
	w.other.Add(int64(len(some)))
	if !w.mend || len(some) == 0 {
		return nil
	}
	for i := range some {
		some[i].Expires = longAgo
	}
	return w.To.SetCounters(ctx, bucket, some)
}
