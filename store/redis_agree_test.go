package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

func TestBothBackEndsAgree(t *testing.T) {
	t.Parallel()
	agree(t, startRedis(t, durableArgs...).options(), 1, 2, 3, 4, 5, 6, 7, rand.Uint64(), rand.Uint64(), rand.Uint64())
}

// agree makes the same random calls on both back ends, and wants the same
// answers. A failure names its seed, which alone decides the calls.
func agree(t *testing.T, o store.RedisOptions, seeds ...uint64) {
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			o := o
			o.Prefix = fmt.Sprint("t", prefixes.Add(1))
			p := pair{
				T: t, Rand: rand.New(rand.NewPCG(seed, 0)),
				kvs:  [2]store.KV{openNew(t), openRedis(t, o)},
				seen: map[string][][2]uint64{},
			}
			for p.step = range 400 {
				p.call()
			}
			p.soon()
			if p.conflicts == 0 || p.changes == 0 || p.found == 0 || p.counted == 0 {
				t.Errorf("%d changes, %d conflicts, %d items and %d counters found: the calls test nothing", p.changes, p.conflicts, p.found, p.counted)
			}
		})
	}
}

// pair is a back end of each kind and what both were asked so far.
type pair struct {
	*testing.T
	*rand.Rand
	kvs                [2]store.KV
	seen               map[string][][2]uint64 // the versions of a name, as each back end gave them
	step               int
	changes, conflicts int
	found, counted     int
}

// The names sort between one another, and some are the beginnings of others.
var pairNames = []string{"a", "a\x00", "a/", "a/b", "a/b/c", "ab", "b", "b\xff", "b\xff\xff", "c {08}", "\xff", "\xff\xff"}

func pick[V any](p *pair, from ...V) V { return from[p.IntN(len(from))] }

func (p *pair) name() string   { return pick(p, pairNames...) }
func (p *pair) bucket() string { return pick(p, "00", "07", "63") }

// expiry is far enough from now that no clock decides.
func (p *pair) expiry() time.Time {
	return pick(p, time.Time{}, time.Time{}, time.Now().Add(time.Hour), time.Now().Add(-time.Hour), time.Unix(0, 0), time.Unix(-5, 0), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))
}

func (p *pair) call() {
	p.Helper()
	switch p.IntN(6) {
	case 0, 1:
		p.get(p.bucket(), p.name())
	case 2:
		p.scan()
	case 3:
		p.add()
	default:
		p.apply()
	}
}

// errs compares the two errors by what they mean, and says whether there is one.
func (p *pair) errs(what string, errs [2]error) bool {
	p.Helper()
	for _, meaning := range []error{proofing.ErrNotFound, proofing.ErrUnavailable, store.ErrConflict, store.ErrInvalid} {
		if errors.Is(errs[0], meaning) != errors.Is(errs[1], meaning) {
			p.Fatalf("step %d: %s: SQLite %v, Redis %v", p.step, what, errs[0], errs[1])
		}
	}
	if (errs[0] == nil) != (errs[1] == nil) || errors.Is(errs[0], proofing.ErrUnavailable) {
		p.Fatalf("step %d: %s: SQLite %v, Redis %v", p.step, what, errs[0], errs[1])
	}
	return errs[0] != nil
}

func (p *pair) same(what string, a, b store.Item) {
	p.Helper()
	if a.Name != b.Name || !bytes.Equal(a.Value, b.Value) || !a.Expires.Equal(b.Expires) {
		p.Fatalf("step %d: %s: SQLite %v, Redis %v", p.step, what, a, b)
	}
	p.found++
}

func (p *pair) get(bucket, name string) {
	p.Helper()
	var items [2]store.Item
	var errs [2]error
	for i, kv := range p.kvs {
		items[i], errs[i] = kv.Get(p.Context(), bucket, name, 0)
	}
	what := fmt.Sprintf("get %s %q", bucket, name)
	if p.errs(what, errs) {
		return
	}
	p.same(what, items[0], items[1])
	p.seen[bucket+name] = append(p.seen[bucket+name], [2]uint64{items[0].Version, items[1].Version})
}

func (p *pair) scan() {
	p.Helper()
	bucket, prefix, after, limit := p.bucket(), pick(p, "", "a", "a/", "b", "b\xff", "\xff", "zz", p.name()), pick(p, "", "", p.name()), pick(p, 1, 2, 3, 100)
	var items [2][]store.Item
	var errs [2]error
	for i, kv := range p.kvs {
		items[i], errs[i] = kv.Scan(p.Context(), bucket, prefix, after, limit)
	}
	what := fmt.Sprintf("scan %s %q after %q limit %d", bucket, prefix, after, limit)
	if p.errs(what, errs) {
		return
	}
	if len(items[0]) != len(items[1]) {
		p.Fatalf("step %d: %s: SQLite %v, Redis %v", p.step, what, items[0], items[1])
	}
	for i := range items[0] {
		p.same(what, items[0][i], items[1][i])
	}
}

func (p *pair) add() {
	p.Helper()
	bucket, name := p.bucket(), p.name()
	delta := pick(p, 0, 1, 1, 5, -1, -3, store.MaxTotal, store.MaxTotal-1, -store.MaxTotal, p.Int64N(store.MaxTotal))
	ttl := pick(p, 0, time.Hour, 1000*24*time.Hour)
	var totals [2]int64
	var expires [2]time.Time
	var errs [2]error
	for i, kv := range p.kvs {
		totals[i], expires[i], errs[i] = kv.Add(p.Context(), bucket, name, delta, ttl)
	}
	what := fmt.Sprintf("add %d to %s %q for %s", delta, bucket, name, ttl)
	if p.errs(what, errs) {
		return
	}
	if totals[0] > 0 {
		p.counted++
	}
	// The windows began a moment apart.
	if totals[0] != totals[1] || expires[0].IsZero() != expires[1].IsZero() || expires[0].Sub(expires[1]).Abs() > time.Minute {
		p.Fatalf("step %d: %s: SQLite %d until %v, Redis %d until %v", p.step, what, totals[0], expires[0], totals[1], expires[1])
	}
}

func (p *pair) apply() {
	p.Helper()
	bucket := p.bucket()
	var ops [2][]store.Op
	for _, n := range p.Perm(len(pairNames))[:1+p.IntN(4)] {
		op := store.Op{Name: pairNames[n], If: pick(p, store.Any, store.Any, store.Absent, store.Match), Delete: p.IntN(4) == 0}
		if !op.Delete {
			op.Value, op.Expires = fmt.Append(nil, "v", p.step, n), p.expiry()
		}
		var versions [2]uint64
		if op.If == store.Match {
			if p.IntN(4) > 0 { // the one that is there, if any
				p.get(bucket, op.Name)
			}
			known := p.seen[bucket+op.Name]
			if len(known) == 0 {
				op.If = store.Absent
			} else if p.IntN(4) > 0 {
				versions = known[len(known)-1]
			} else {
				versions = pick(p, known...)
			}
		}
		for i := range ops {
			op.Version = versions[i]
			ops[i] = append(ops[i], op)
		}
	}
	var errs [2]error
	for i, kv := range p.kvs {
		errs[i] = kv.Apply(p.Context(), bucket, ops[i])
	}
	if p.errs(fmt.Sprintf("apply %s %v", bucket, ops[0]), errs) {
		p.conflicts++
		return
	}
	p.changes++
}

// soon lets values and counters of a moment's life run out, and wants both back ends to
// have them before and neither to have them after. What is put in their place is new to both.
func (p *pair) soon() {
	p.Helper()
	const life = 5 * time.Second
	expires := time.Now().Add(life)
	for _, kv := range p.kvs {
		if err := kv.Apply(p.Context(), "07", []store.Op{{Name: "soon", If: store.Any, Value: []byte("v"), Expires: expires}}); err != nil {
			p.Fatal(err)
		}
		if total, _, err := kv.Add(p.Context(), "07", "soon", 5, life); err != nil || total != 5 {
			p.Fatalf("a counter: %d, %v", total, err)
		}
	}
	p.get("07", "soon")
	if n := len(p.seen["07soon"]); n != 1 {
		p.Fatalf("%d of the values that expire soon are there", n)
	}
	time.Sleep(life + 200*time.Millisecond)
	p.get("07", "soon")
	if n := len(p.seen["07soon"]); n != 1 {
		p.Fatal("what has expired is still there")
	}
	for i, kv := range p.kvs {
		if total, _, err := kv.Add(p.Context(), "07", "soon", 1, time.Hour); err != nil || total != 1 {
			p.Fatalf("a counter after its window: %d, %v", total, err)
		}
		stale := store.Op{Name: "soon", If: store.Match, Version: p.seen["07soon"][0][i], Value: []byte("w")}
		if err := kv.Apply(p.Context(), "07", []store.Op{stale}); !errors.Is(err, store.ErrConflict) {
			p.Fatalf("a change of what has expired: %v", err)
		}
	}
}
