package audit_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
	"github.com/countersign-id/countersign/store/redistest"
)

// TestTheTreeIsThatOfRFC6962 grows a log by a few entries at a time, and compares every checkpoint with a tree that is computed without tiles.
func TestTheTreeIsThatOfRFC6962(t *testing.T) {
	w := newWorld(t)
	var before []string
	for _, n := range []int{1, 1, 2, 3, 60, 188, 1, 1, 300} { // over the edge of a tile, twice
		w.open(n)
		w.sequence()
		h := w.head()
		c, err := audit.OpenCheckpoint(h.Checkpoint, h.Verifier)
		if err != nil || c.Size != h.Size || c.Origin != "proof.example.org/log" {
			t.Fatalf("%+v, %v", c, err)
		}
		if want := w.plainRoot(h.Size); c.Root != want {
			t.Fatalf("the root over %d entries is %s, want %s", h.Size, c.Root, want)
		}
		for _, old := range before {
			p, err := w.ProveConsistent(t.Context(), old, "")
			if err != nil {
				t.Fatal(err)
			}
			if older, newer, err := p.Verify(h.Verifier); err != nil || older.Size > newer.Size || newer.Size != h.Size {
				t.Errorf("from %d to %d: %v", older.Size, newer.Size, err)
			}
		}
		before = append(before, h.Checkpoint)
	}
	h := w.head()
	if h.Size != 557 {
		t.Fatalf("%d entries", h.Size)
	}
	for place := range h.Size {
		p, err := w.Prove(t.Context(), place, w.leaf(place))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Verify(h.Verifier); err != nil {
			t.Errorf("entry %d: %v", place, err)
		}
		if place%50 != 0 {
			continue
		}
		for name, change := range map[string]func(*audit.Inclusion){
			"another leaf":  func(p *audit.Inclusion) { p.Leaf = strings.Replace(p.Leaf, "alpha", "omega", 1) },
			"another place": func(p *audit.Inclusion) { p.Index++ },
			"no path":       func(p *audit.Inclusion) { p.Path = nil },
			"another path":  func(p *audit.Inclusion) { p.Path[0] = p.Path[1] },
		} {
			other := *p
			other.Path = append([]string(nil), p.Path...)
			change(&other)
			if _, err := other.Verify(h.Verifier); err == nil {
				t.Errorf("entry %d with %s is in the log", place, name)
			}
		}
	}
}

// plainRoot is the root of RFC 6962 2.1, computed as it stands there.
func (w *world) plainRoot(size int64) tlog.Hash {
	w.t.Helper()
	var leaves []tlog.Hash
	for n := int64(1); int64(len(leaves)) < size; n++ {
		p, err := w.LogPage(context.Background(), n)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, e := range p.Entries {
			leaves = append(leaves, tlog.RecordHash([]byte(e.Leaf)))
		}
	}
	return merkle(leaves[:size])
}

func merkle(leaves []tlog.Hash) tlog.Hash {
	if len(leaves) == 1 {
		return leaves[0]
	}
	k := 1
	for k*2 < len(leaves) {
		k *= 2
	}
	return tlog.NodeHash(merkle(leaves[:k]), merkle(leaves[k:]))
}

// TestVectorsOfRFC6962 holds hashes and roots against those that Certificate Transparency's own implementations test with.
func TestVectorsOfRFC6962(t *testing.T) {
	text, err := os.ReadFile("testdata/rfc6962.txt")
	if err != nil {
		t.Fatal(err)
	}
	var leaves []tlog.Hash
	roots := 0
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		switch words[0] {
		case "leaf":
			data, err := hex.DecodeString(strings.Trim(words[1], `"`))
			if err != nil {
				t.Fatal(err)
			}
			leaves = append(leaves, tlog.RecordHash(data))
		case "root":
			n, _ := strconv.Atoi(words[1])
			want, err := hex.DecodeString(words[2])
			if err != nil {
				t.Fatal(err)
			}
			if got := merkle(leaves[:n]); !bytes.Equal(got[:], want) {
				t.Errorf("the root over %d leaves is %x, want %x", n, got[:], want)
			}
			roots++
		}
	}
	if roots < 8 {
		t.Errorf("%d roots", roots)
	}
}

// TestAnyOrderOfWritesIsEnteredOnce has two processes write and list in any order, and holds the log whole at the end.
func TestAnyOrderOfWritesIsEnteredOnce(t *testing.T) {
	for seed := range uint64(8) {
		one := newWorld(t)
		anyOrder(t, one, seed)
		one.kv.Close()
	}
}

// TestTheLogOnRedis is the same on the other kind of store, and all that is done with the log there.
func TestTheLogOnRedis(t *testing.T) {
	server := redistest.Start(t, redistest.Durable()...)
	for seed := range uint64(3) {
		kv, err := store.OpenRedis(t.Context(), store.RedisOptions{Addresses: []string{server.Addr}, Prefix: fmt.Sprint("t", seed)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = kv.Close() })
		ring, err := store.NewRing(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		one := worldOver(t, kv, ring)
		one.at = time.Now() // Redis has a clock of its own
		one.Tree.Anchor = audit.Anchor{Path: filepath.Join(t.TempDir(), "checkpoint")}
		anyOrder(t, one, seed)
		h := one.head()
		p, err := one.Prove(t.Context(), h.Size/2, one.leaf(h.Size/2))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Verify(h.Verifier); err != nil {
			t.Error(err)
		}
		dir := filepath.Join(t.TempDir(), "log")
		if _, err := one.Tree.Export(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
		if v, err := audit.VerifyExport(dir, h.Verifier); err != nil || v.Entries != h.Size {
			t.Errorf("%+v, %v", v, err)
		}
	}
}

// anyOrder writes and lists in an order that the seed decides.
func anyOrder(t *testing.T, one *world, seed uint64) {
	t.Helper()
	two := worldOver(t, one.kv, one.ring)
	two.n = 1000 // other applicants
	r := rand.New(rand.NewPCG(seed, 1))
	written := 0
	for range 40 {
		w := []*world{one, two}[r.IntN(2)]
		switch r.IntN(5) {
		case 0:
			w.sequence()
		case 1:
			w.at = w.at.Add(time.Duration(r.IntN(7200)-3600) * time.Second) // clocks are set, back too
		case 2:
			for _, id := range w.open(1 + r.IntN(3)) {
				if _, err := w.Revoke(t.Context(), id, "operator"); err != nil {
					t.Fatal(err)
				}
				written += 2
			}
		default:
			written += len(w.open(r.IntN(4)))
		}
	}
	one.sequence()
	h := one.head()
	if h.Size != int64(written) {
		t.Errorf("seed %d: %d of %d entries", seed, h.Size, written)
	}
	if _, err := one.Tree.Verify(t.Context(), one.Service); err != nil {
		t.Errorf("seed %d: %v", seed, err)
	}
}

// failing fails the n-th call of a store, before or after it takes effect, and every later one.
type failing struct {
	store.KV
	calls atomic.Int64
	n     int64
	after bool
}

var errDead = errors.New("planned death")

func (f *failing) dead() (now, already bool) {
	calls := f.calls.Add(1)
	return calls == f.n, calls > f.n && f.n > 0
}

func (f *failing) Get(ctx context.Context, bucket, name string, known uint64) (store.Item, error) {
	if now, already := f.dead(); now || already {
		return store.Item{}, errDead
	}
	return f.KV.Get(ctx, bucket, name, known)
}

func (f *failing) Apply(ctx context.Context, bucket string, ops []store.Op) error {
	now, already := f.dead()
	if now && f.after {
		_ = f.KV.Apply(ctx, bucket, ops)
	}
	if now || already {
		return errDead
	}
	return f.KV.Apply(ctx, bucket, ops)
}

// TestWhoeverTakesPagesInMayDieAnywhere fails every call of the store in turn while the tree takes pages in; the next finishes it.
func TestWhoeverTakesPagesInMayDieAnywhere(t *testing.T) {
	for _, after := range []bool{false, true} {
		n := int64(1)
		for reached := true; reached; n++ {
			w := newWorld(t)
			w.open(250)
			w.sequence()
			w.Recorder = nil
			w.open(20) // over the edge of a tile
			w.sequence()
			w.open(1)
			w.sequence()
			f := &failing{KV: w.kv, n: n, after: after}
			_ = worldOver(t, f, w.ring).Record(t.Context())
			reached = f.calls.Load() >= n
			w.open(1)
			w.Recorder = w.Tree
			w.sequence()
			if _, err := w.Tree.Verify(t.Context(), w.Service); err != nil {
				t.Errorf("call %d, after %v: %v", n, after, err)
			}
			if h := w.head(); h.Size != 272 {
				t.Errorf("call %d, after %v: %d entries", n, after, h.Size)
			}
			w.kv.Close()
		}
		if n < 10 {
			t.Errorf("only %d calls were made to fail", n-1)
		}
	}
}

// TestWhoTakesPagesInLateSpoilsNothing stops one before each of its writes while another goes on.
func TestWhoTakesPagesInLateSpoilsNothing(t *testing.T) {
	for stop := int64(1); stop < 5; stop++ {
		w := newWorld(t)
		w.open(30)
		w.sequence()
		w.Recorder = nil
		w.open(10)
		w.sequence()
		slow := &halting{KV: w.kv, at: stop, reached: make(chan bool), on: make(chan bool)}
		late := worldOver(t, slow, w.ring)
		late.Tree.Anchor = audit.Anchor{Path: filepath.Join(t.TempDir(), "checkpoint")}
		done := make(chan error)
		go func() { done <- late.Record(context.Background()) }()
		select {
		case <-slow.reached:
		case err := <-done: // it writes less often
			if err != nil || stop < 3 {
				t.Errorf("write %d: %v", stop, err)
			}
			continue
		}
		w.Recorder, w.Tree.Anchor = w.Tree, late.Tree.Anchor
		w.open(300)
		w.sequence()
		before := w.head()
		close(slow.on)
		if err := <-done; err != nil {
			t.Errorf("write %d: %v", stop, err)
		}
		if after := w.head(); *after != *before {
			t.Errorf("write %d: the head went from %+v to %+v", stop, before, after)
		}
		if _, err := w.Tree.Verify(t.Context(), w.Service); err != nil {
			t.Errorf("write %d: %v", stop, err)
		}
		if shown, err := os.ReadFile(late.Tree.Anchor.Path); err != nil || string(shown) != before.Checkpoint {
			t.Errorf("write %d: the file has %s, %v", stop, shown, err)
		}
	}
}

// halting stops before its n-th write.
type halting struct {
	store.KV
	writes  atomic.Int64
	at      int64
	once    sync.Once
	reached chan bool
	on      chan bool
}

func (h *halting) Apply(ctx context.Context, bucket string, ops []store.Op) error {
	if h.writes.Add(1) == h.at {
		h.once.Do(func() { h.reached <- true; <-h.on })
	}
	return h.KV.Apply(ctx, bucket, ops)
}

func TestAMachineWithoutTheLogsKeyStatesNothing(t *testing.T) {
	w := newWorld(t)
	w.open(3)
	w.sequence()
	before := w.head()
	other, err := store.NewRing(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	foreign := worldOver(t, w.kv, w.ring)
	foreign.n = 1000
	for name, key := range map[string]func() (store.LogKey, bool){
		"none":    func() (store.LogKey, bool) { return store.LogKey{}, false },
		"another": other.LogKey,
	} {
		foreign.Tree.Key = audit.Keyed(func() []byte { k, _ := key(); return k.Private() })
		foreign.open(1)
		if err := foreign.SequenceOnce(t.Context()); !errors.Is(err, audit.ErrForeignKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := w.head(); *after != *before {
		t.Errorf("the head went from %+v to %+v", before, after)
	}
	w.sequence() // which finds the pages that were made meanwhile
	if h := w.head(); h.Size != 5 || h.Verifier != before.Verifier {
		t.Errorf("%+v", h)
	}
}

func TestACheckpointHasOneForm(t *testing.T) {
	w := newWorld(t)
	w.open(1)
	w.sequence()
	h := w.head()
	for i := range h.Checkpoint {
		for _, change := range []byte{1, 0x20} {
			changed := []byte(h.Checkpoint)
			changed[i] ^= change
			if c, err := audit.OpenCheckpoint(string(changed), h.Verifier); err == nil {
				t.Errorf("with byte %d changed it is still a checkpoint: %+v", i, c)
			}
		}
	}
}

func TestTheCheckpointFileShowsAnOlderStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint")
	newer := newWorld(t)
	// What a backup of it would be: the same keys, and less.
	older, empty := newWorldOf(t, newer.ring), newWorldOf(t, newer.ring)
	older.open(5)
	older.sequence()
	newer.open(5)
	newer.Tree.Anchor = audit.Anchor{Path: path}
	newer.sequence()
	newer.open(3)
	newer.sequence()
	shown, err := os.ReadFile(path)
	if err != nil || string(shown) != newer.head().Checkpoint {
		t.Fatalf("the file has %s, %v", shown, err)
	}
	older.Tree.Anchor, empty.Tree.Anchor = newer.Tree.Anchor, newer.Tree.Anchor
	for name, w := range map[string]*world{"older": older, "empty": empty} {
		w.open(1)
		err := w.SequenceOnce(t.Context())
		loss, ok := errors.AsType[*audit.LossError](err)
		if !ok || loss.Was != 8 || !strings.Contains(err.Error(), "had 8") || !strings.Contains(err.Error(), "older backup") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// As long, and another history.
	older.Tree.Anchor = audit.Anchor{}
	older.open(20)
	older.sequence()
	older.Tree.Anchor = newer.Tree.Anchor
	older.open(1)
	if err := older.SequenceOnce(t.Context()); err == nil || !strings.Contains(err.Error(), "another history") {
		t.Errorf("another history: %v", err)
	}
	if size := older.head().Size; size != 5+1+20 {
		t.Errorf("it went on, to %d entries", size)
	}
	if now, _ := os.ReadFile(path); !bytes.Equal(now, shown) {
		t.Error("the file has changed")
	}
	err = newer.Admit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	loss, _ := errors.AsType[*audit.LossError](empty.Admit(t.Context()))
	if aside, err := newer.Tree.Anchor.PutAside(loss); err != nil || aside != path+".lost-8" {
		t.Fatal(aside, err)
	}
	older.sequence()
	if now, _ := os.ReadFile(path); string(now) != older.head().Checkpoint {
		t.Error("the file does not show the log that goes on")
	}
	var none proofing.Recorder = older.Tree
	if err := none.Admit(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestAPageThatTheStoreHasLostIsSaid takes away a page that the tree has not taken in yet.
func TestAPageThatTheStoreHasLostIsSaid(t *testing.T) {
	w := newWorld(t)
	w.open(2)
	w.sequence()
	stated := w.head().Checkpoint
	w.Recorder = nil
	for range 3 {
		w.open(2)
		w.sequence()
	}
	w.drop(3)
	w.Recorder = w.Tree
	w.open(1)
	for range 2 {
		err := w.SequenceOnce(t.Context())
		if !errors.Is(err, proofing.ErrLogPageLost) || !strings.Contains(err.Error(), "page 3 is missing") {
			t.Fatalf("it says %v", err)
		}
	}
	if h := w.head(); h.Page != 3 || h.Checkpoint == stated {
		t.Errorf("the tree has not taken in what was before it: %+v", h)
	}
	if h, err := w.LogHead(t.Context()); err != nil || h.Size != 9 || h.Journal.Written != 0 {
		t.Errorf("the log does not go on beside it: %+v, %v", h, err)
	}
	_, err := w.Tree.Verify(t.Context(), w.Service)
	if !errors.Is(err, proofing.ErrLogPageLost) {
		t.Errorf("who checks the log hears %v", err)
	}
}
