package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// content is all that a store holds, versions apart, in lines.
func content(t *testing.T, kv Movable) []string {
	t.Helper()
	var lines []string
	for _, bucket := range allBuckets() {
		for after := ""; ; {
			items, err := kv.Scan(t.Context(), bucket, "", after, 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, item := range items {
				if !isAside(bucket, item.Name) || item.Name == markName {
					lines = append(lines, fmt.Sprintf("%s %q = %x until %d", bucket, item.Name, item.Value, item.Expires.UnixMilli()))
				}
				after = item.Name
			}
			if len(items) < 100 {
				break
			}
		}
	}
	counters := map[string]bool{}
	if err := kv.EachCounter(t.Context(), func(bucket string, some []Counter) error {
		for _, c := range some {
			counters[fmt.Sprintf("%s %q: %d until %d", bucket, c.Name, c.Total, c.Expires.UnixMilli())] = true
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return append(lines, slices.Sorted(maps.Keys(counters))...)
}

// fillAtRandom makes values and counters of every kind; what expires does so long after the test.
func fillAtRandom(t *testing.T, kv KV, r *rand.Rand, calls int) {
	t.Helper()
	names := []string{"a", "a\x00", "a/b", "b\xff\xff", "c {08}", "\xff", "r/case/x", "i/case/y!x", "l/z"}
	for i := range calls {
		bucket := fmt.Sprintf("%02d", r.IntN(64))
		name := names[r.IntN(len(names))] + fmt.Sprint(r.IntN(9))
		var err error
		switch r.IntN(5) {
		case 0, 1:
			ttl := []time.Duration{0, time.Hour, 1000 * time.Hour}[r.IntN(3)]
			_, _, err = kv.Add(t.Context(), bucket, name, r.Int64N(7)-1, ttl)
		case 2:
			err = kv.Apply(t.Context(), bucket, []Op{{Name: name, If: Any, Delete: true}})
		default:
			op := Op{Name: name, If: Any, Value: make([]byte, r.IntN(2000))}
			for j := range op.Value {
				op.Value[j] = byte(r.Uint32())
			}
			if i%7 == 0 {
				op.Value = nil
			}
			if r.IntN(2) == 0 {
				op.Expires = time.Now().Add(time.Hour + time.Duration(r.IntN(1e9)))
			}
			err = kv.Apply(t.Context(), bucket, []Op{op})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func newCopy(t *testing.T, ring *Ring, from, to Movable) Copy {
	t.Helper()
	return Copy{From: from, To: to, FromPlace: "here", ToPlace: "there", Ring: ring, Now: time.Now, life: 6 * time.Second}
}

func newRing(t *testing.T) *Ring {
	t.Helper()
	ring, err := NewRing(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func newFile(t *testing.T) *SQLite {
	t.Helper()
	return openTest(t, filepath.Join(t.TempDir(), "s.db"), Options{})
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("%s: lost: %.120s", what, line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("%s: not there before: %.120s", what, line)
		}
	}
}

// TestACopyThatIsCutOffAnywhereIsRunAgain fails one call after another, as a crash at that place would, and
// wants at every moment that at most one of the two stores can be claimed, and in the end all of it in the target.
func TestACopyThatIsCutOffAnywhereIsRunAgain(t *testing.T) {
	t.Parallel()
	r, ring := rand.New(rand.NewPCG(1, 2)), newRing(t)
	from := newFile(t)
	wantNil(t, Claim(t.Context(), from, ring))
	fillAtRandom(t, from, r, 600)
	want := content(t, from)
	finished := 0
	for cut := 1; finished < 3; cut += 1 + cut/5 {
		to := newFile(t)
		stop := &cutOff{left: cut}
		c := newCopy(t, ring, stop.from(from), stop.to(to))
		_, err := c.Run(t.Context())
		if err == nil {
			finished++
		}
		first, second := Claim(t.Context(), from, ring), Claim(t.Context(), to, newRing(t))
		fresh := errors.Is(err, errCut) && len(content(t, to)) == 1 && !errors.Is(second, ErrHalf) // nothing had begun
		if first == nil && !errors.Is(second, ErrHalf) && !fresh || err == nil && first == nil {
			t.Errorf("cut at call %d (%v): the source is claimed (%v), and the target says %v", cut, err, first, second)
		}
		if fresh {
			to = newFile(t) // the other ring's mark is in it
		}
		if err != nil {
			total, err := newCopy(t, ring, from, to).Run(t.Context())
			if err != nil && !errors.Is(err, ErrAlready) {
				t.Fatalf("after a cut at call %d: %v", cut, err)
			}
			if err == nil && (total.Values < 100 || total.Counters < 50) {
				t.Fatalf("copied %+v: too little to have looked", total)
			}
		}
		same(t, fmt.Sprint("cut at call ", cut), content(t, to), want)
		if err := Claim(t.Context(), to, ring); err != nil {
			t.Errorf("the copy: %v", err)
		}
		if err := Claim(t.Context(), from, ring); !errors.Is(err, ErrMoved) || !strings.Contains(err.Error(), "to there") {
			t.Errorf("the source: %v, want that it was moved, and where to", err)
		}
		if _, err := newCopy(t, ring, from, to).Run(t.Context()); !errors.Is(err, ErrAlready) {
			t.Errorf("once more: %v", err)
		}
		wantNil(t, Reopen(t.Context(), from, true))
		same(t, "the source", content(t, from), want)
	}
}

var errCut = errors.New("cut off")

// cutOff lets some calls through to both stores, and none after them.
type cutOff struct{ left int }

type cutKV struct {
	Movable
	stop *cutOff
	mu   chan struct{}
}

func (c *cutOff) from(kv Movable) Movable { return cutKV{Movable: kv, stop: c, mu: lock} }
func (c *cutOff) to(kv Movable) Movable   { return cutKV{Movable: kv, stop: c, mu: lock} }

var lock = make(chan struct{}, 1)

func (k cutKV) call() error {
	k.mu <- struct{}{}
	defer func() { <-k.mu }()
	if k.stop.left--; k.stop.left < 0 {
		return errCut
	}
	return nil
}

func (k cutKV) Get(ctx context.Context, bucket, name string, known uint64) (Item, error) {
	if err := k.call(); err != nil {
		return Item{}, err
	}
	return k.Movable.Get(ctx, bucket, name, known)
}

func (k cutKV) Scan(ctx context.Context, bucket, prefix, after string, limit int) ([]Item, error) {
	if err := k.call(); err != nil {
		return nil, err
	}
	return k.Movable.Scan(ctx, bucket, prefix, after, limit)
}

// Apply may be made although its answer is lost.
func (k cutKV) Apply(ctx context.Context, bucket string, ops []Op) error {
	err := k.call()
	if err != nil && k.stop.left != -1 {
		return err
	}
	return errors.Join(err, k.Movable.Apply(ctx, bucket, ops))
}

func (k cutKV) SetCounters(ctx context.Context, bucket string, counters []Counter) error {
	err := k.call()
	if err != nil && k.stop.left != -1 {
		return err
	}
	return errors.Join(err, k.Movable.SetCounters(ctx, bucket, counters))
}

func TestACopyGoesOnlyWhereNothingIs(t *testing.T) {
	ctx, ring := t.Context(), newRing(t)
	from, to := newFile(t), newFile(t)
	if _, err := newCopy(t, ring, from, to).Run(ctx); err == nil {
		t.Error("a store that nobody has claimed was copied")
	}
	wantNil(t, Claim(ctx, from, ring))
	if _, err := newCopy(t, newRing(t), from, to).Run(ctx); !errors.Is(err, ErrForeignRing) {
		t.Errorf("with another ring: %v", err)
	}
	for what, fill := range map[string]func(kv KV) error{
		"a value": func(kv KV) error { return kv.Apply(ctx, "63", []Op{{Name: "a", If: Any}}) },
		"a counter": func(kv KV) error {
			_, _, err := kv.Add(ctx, "63", "a", 1, 0)
			return err
		},
		"a store of its own": func(kv KV) error { return Claim(ctx, kv, newRing(t)) },
	} {
		full := newFile(t)
		wantNil(t, fill(full))
		before := content(t, full)
		if _, err := newCopy(t, ring, from, full).Run(ctx); !errors.Is(err, ErrNotEmpty) {
			t.Errorf("over %s: %v", what, err)
		}
		same(t, what, content(t, full), before)
		wantNil(t, Claim(ctx, from, ring))
	}
	if _, err := newCopy(t, ring, from, to).Run(ctx); err != nil {
		t.Error(err)
	}
	elsewhere := newCopy(t, ring, from, newFile(t))
	elsewhere.ToPlace = "elsewhere"
	if _, err := elsewhere.Run(ctx); !errors.Is(err, ErrMoved) {
		t.Errorf("to a second place: %v", err)
	}
}

func TestAStoreThatIsUsedIsNotCopied(t *testing.T) {
	t.Parallel()
	ctx, ring := t.Context(), newRing(t)
	from, to := newFile(t), newFile(t)
	wantNil(t, Claim(ctx, from, ring))
	p, err := Enter(ctx, from, "serve on here")
	if err != nil {
		t.Fatal(err)
	}
	beating, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for beating.Err() == nil {
			_ = p.Beat(ctx)
			time.Sleep(100 * time.Millisecond)
		}
	}()
	if _, err := newCopy(t, ring, from, to).Run(ctx); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "serve on here") {
		t.Errorf("while it is served: %v", err)
	}
	if err := Claim(ctx, from, ring); err != nil {
		t.Errorf("a copy that was refused left its mark: %v", err)
	}
	stop()
	<-ended
	p.life = time.Second
	wantNil(t, p.Beat(ctx)) // and then it is killed
	if _, err := newCopy(t, ring, from, to).Run(ctx); err != nil {
		t.Errorf("once it is gone: %v", err)
	}
	if err := p.Beat(ctx); !errors.Is(err, ErrMoved) {
		t.Errorf("one that wakes up: %v", err)
	}
	wantNil(t, p.Leave(ctx))
	if _, err := Enter(ctx, from, "late"); !errors.Is(err, ErrMoved) {
		t.Errorf("one that comes late: %v", err)
	}
	if notes, err := from.Scan(ctx, markBucket, presencePrefix, "", 9); err != nil || len(notes) != 0 {
		t.Errorf("notes that stay: %v, %v", notes, err)
	}
}

// TestAPausedProcessAcknowledgesNothingOfAStoreThatWasMoved wakes a process up that was taken for dead.
func TestAPausedProcessAcknowledgesNothingOfAStoreThatWasMoved(t *testing.T) {
	t.Parallel()
	ctx, ring := t.Context(), newRing(t)
	from, to := newFile(t), newFile(t)
	wantNil(t, Claim(ctx, from, ring))
	p := newPresence(from, "serve on here", 3*time.Second)
	op := []Op{{Name: "a", If: Any}}
	if err := p.Apply(ctx, "63", op); !errors.Is(err, proofing.ErrUnavailable) {
		t.Errorf("before it has left its note: %v", err)
	}
	wantNil(t, p.Beat(ctx))
	wantNil(t, p.Apply(ctx, "63", op))
	_, _, err := p.Add(ctx, "63", "n", 1, 0)
	wantNil(t, err)
	// Its note runs out while a change is on its way: who moves the store may have read that bucket before.
	p.KV = slowKV{from, 3600 * time.Millisecond}
	if err := p.Apply(ctx, "63", []Op{{Name: "late", If: Any}}); !errors.Is(err, errAbsent) {
		t.Errorf("a change that took longer than the note: %v", err)
	}
	p.KV = from
	if _, err := newCopy(t, ring, from, to).Run(ctx); err != nil {
		t.Fatal(err)
	}
	want := content(t, from)
	for range 2 {
		_, _, err = p.Add(ctx, "63", "n", 1, 0)
		if err := errors.Join(p.Apply(ctx, "63", op), err); !errors.Is(err, proofing.ErrUnavailable) {
			t.Errorf("once it wakes up: %v", err)
		}
		if err := p.Beat(ctx); !errors.Is(err, ErrMoved) {
			t.Errorf("when it renews its note: %v", err)
		}
	}
	if err := p.Apply(ctx, "63", op); !errors.Is(err, ErrMoved) {
		t.Errorf("once it knows: %v", err)
	}
	same(t, "the source", content(t, from), want)
	wantNil(t, Reopen(ctx, from, true))
	wantNil(t, p.Beat(ctx))
	wantNil(t, p.Apply(ctx, "63", op))
}

// slowKV is a store whose answers to changes take a while.
type slowKV struct {
	KV
	after time.Duration
}

func (k slowKV) Apply(ctx context.Context, bucket string, ops []Op) error {
	err := k.KV.Apply(ctx, bucket, ops)
	time.Sleep(k.after)
	return err
}

func TestTwoCopiesAtOnceDoNotMeet(t *testing.T) {
	t.Parallel()
	ctx, ring := t.Context(), newRing(t)
	from, to := newFile(t), newFile(t)
	wantNil(t, Claim(ctx, from, ring))
	fillAtRandom(t, from, rand.New(rand.NewPCG(3, 4)), 300)
	want := content(t, from)
	errs := make(chan error, 6)
	for range cap(errs) {
		go func() { _, err := newCopy(t, ring, from, to).Run(ctx); errs <- err }()
	}
	done := 0
	for range cap(errs) {
		err := <-errs
		if err == nil {
			done++
		} else if !errors.Is(err, ErrInUse) && !errors.Is(err, ErrAlready) && !errors.Is(err, ErrNotEmpty) { // the last: it looked before there was a mark
			t.Error(err)
		}
	}
	if done != 1 {
		t.Errorf("%d copies were made", done)
	}
	same(t, "the copy", content(t, to), want)
}

// TestACopyThatSleptTooLongWritesNoMore lets another take its place meanwhile.
func TestACopyThatSleptTooLongWritesNoMore(t *testing.T) {
	t.Parallel()
	ctx, ring := t.Context(), newRing(t)
	from, to := newFile(t), newFile(t)
	wantNil(t, Claim(ctx, from, ring))
	fillAtRandom(t, from, rand.New(rand.NewPCG(5, 6)), 200)
	slow := newCopy(t, ring, from, to)
	slow.Progress = func(Progress) { time.Sleep(50 * time.Millisecond) }
	ended := make(chan error, 1)
	go func() { _, err := slow.Run(ctx); ended <- err }()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		m, version, err := readMark(ctx, to, halfName)
		if err != nil || time.Since(began) > 5*time.Second {
			t.Fatal("it does not begin", err)
		}
		if version != 0 { // what a second one does, once it takes the first for dead
			op, err := markOp(halfName, Mark{Place: m.Place, Since: m.Since, Run: "another"}, version)
			wantNil(t, err)
			if to.Apply(ctx, markBucket, []Op{op}) == nil {
				break
			}
		}
	}
	if err := <-ended; !errors.Is(err, ErrInUse) {
		t.Errorf("it ended with %v", err)
	}
	if err := Claim(ctx, to, ring); !errors.Is(err, ErrHalf) {
		t.Errorf("the target: %v", err)
	}
}

func TestAChangeBesideACopyIsFound(t *testing.T) {
	t.Parallel()
	ctx, ring := t.Context(), newRing(t)
	for what, change := range map[string]func(kv KV) error{
		`1 values and 0 counters differ: the value "new" of bucket 63 is not in the copy`: func(kv KV) error { return kv.Apply(ctx, "63", []Op{{Name: "new", If: Absent}}) },
		`the value "a" of bucket 63 is another in the copy`:                               func(kv KV) error { return kv.Apply(ctx, "63", []Op{{Name: "a", If: Any, Value: []byte("2")}}) },
		`the value "a" of bucket 63 expires at another time in the copy`: func(kv KV) error {
			return kv.Apply(ctx, "63", []Op{{Name: "a", If: Any, Value: []byte("1"), Expires: time.Now().Add(time.Hour)}})
		},
		`the value "a" of bucket 63 is in the copy alone`:                                      func(kv KV) error { return kv.Apply(ctx, "63", []Op{{Name: "a", If: Any, Delete: true}}) },
		`0 values and 1 counters differ: the counter "n" of bucket 63 is 2, and 1 in the copy`: func(kv KV) error { _, _, err := kv.Add(ctx, "63", "n", 1, 0); return err },
		`the counter "m" of bucket 63 is not in the copy`:                                      func(kv KV) error { _, _, err := kv.Add(ctx, "63", "m", 1, 0); return err },
	} {
		from, to := newFile(t), newFile(t)
		wantNil(t, Claim(ctx, from, ring))
		wantNil(t, from.Apply(ctx, "63", []Op{{Name: "a", If: Any, Value: []byte("1")}}))
		_, _, err := from.Add(ctx, "63", "n", 1, 0)
		wantNil(t, err)
		// It comes when all has been copied and nothing read back.
		c := newCopy(t, ring, &changedAfter{Movable: from, change: change}, to)
		if _, err := c.Run(ctx); !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
		if err := Claim(ctx, to, ring); !errors.Is(err, ErrHalf) {
			t.Errorf("%s: the target: %v", what, err)
		}
		if _, err := newCopy(t, ring, from, to).Run(ctx); err != nil {
			t.Errorf("%s, again: %v", what, err)
		}
		same(t, what, content(t, to), content(t, from))
	}
}

// changedAfter changes the store behind the first walk over its counters, which ends the copying.
type changedAfter struct {
	Movable
	change func(kv KV) error
}

func (c *changedAfter) EachCounter(ctx context.Context, visit func(bucket string, some []Counter) error) error {
	err := c.Movable.EachCounter(ctx, visit)
	if change := c.change; change != nil {
		c.change = nil
		err = errors.Join(err, change(c.Movable))
	}
	return err
}

func TestWhatIsMovedOrHalfIsErasedAndNothingElse(t *testing.T) {
	t.Parallel()
	ctx, ring := t.Context(), newRing(t)
	from, to := newFile(t), newFile(t)
	wantNil(t, Claim(ctx, from, ring))
	fillAtRandom(t, from, rand.New(rand.NewPCG(7, 8)), 200)
	want := content(t, from)
	if _, err := Erase(ctx, from, "here"); !errors.Is(err, ErrNotMoved) {
		t.Errorf("a store in use: %v", err)
	}
	stop := &cutOff{left: 300}
	if _, err := newCopy(t, ring, stop.from(from), stop.to(to)).Run(ctx); err == nil {
		t.Fatal("it was not cut off")
	}
	if err := Reopen(ctx, to, true); !errors.Is(err, ErrHalf) {
		t.Errorf("half a copy was taken into use: %v", err)
	}
	if _, err := Erase(ctx, to, "there"); err != nil {
		t.Error(err)
	}
	if left := content(t, to); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
	wantNil(t, Reopen(ctx, from, false)) // it was not moved to the end
	same(t, "the source", content(t, from), want)
	if _, err := newCopy(t, ring, from, to).Run(ctx); err != nil {
		t.Fatal(err)
	}
	if err := Reopen(ctx, from, false); !errors.Is(err, ErrMoved) {
		t.Errorf("a store that was moved was taken into use: %v", err)
	}
	stop = &cutOff{left: 80}
	if _, err := Erase(ctx, stop.from(from), "here"); err == nil {
		t.Fatal("it was not cut off")
	}
	if err := Reopen(ctx, from, true); !errors.Is(err, ErrHalf) {
		t.Errorf("a store that is half erased was taken into use: %v", err)
	}
	if _, err := Erase(ctx, from, "here"); err != nil || len(content(t, from)) != 0 {
		t.Errorf("erase again: %v", err)
	}
	wantNil(t, Claim(ctx, from, newRing(t)))
	same(t, "the copy", content(t, to), want)
}
