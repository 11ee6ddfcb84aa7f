package audit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/proofing"
)

// tiles is a table in memory, which costs what reading the record's JSON does.
type tiles[T any] struct {
	mu  sync.Mutex
	all map[string][]byte
}

func (t *tiles[T]) Create(_ context.Context, id string, v *T) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = map[string][]byte{}
	}
	if t.all[id] != nil {
		return proofing.ErrExists
	}
	t.all[id], _ = json.Marshal(v)
	return nil
}

func (t *tiles[T]) Get(_ context.Context, id string) (*T, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all[id] == nil {
		return nil, proofing.ErrNotFound
	}
	v := new(T)
	return v, json.Unmarshal(t.all[id], v)
}

func (t *tiles[T]) Update(ctx context.Context, id string, edit func(*T) error) (*T, error) {
	v, err := t.Get(ctx, id)
	if err == nil {
		err = edit(v)
	}
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all[id], err = json.Marshal(v)
	return v, err
}

func (t *tiles[T]) Delete(context.Context, string) error { panic("nothing is deleted") }
func (t *tiles[T]) Find(context.Context, string, string, string) (*T, error) {
	panic("nothing is found")
}
func (t *tiles[T]) List(context.Context, proofing.Query) ([]*T, string, error) {
	panic("nothing is listed")
}
func (t *tiles[T]) Count(context.Context, proofing.Query) (int, bool, error) {
	panic("nothing is counted")
}

// BenchmarkAProofAmongAMillion is a log of a million entries in pages of 200, taken in, and then a proof of any of them.
func BenchmarkAProofAmongAMillion(b *testing.B) {
	const entries, page = 1 << 20, 1 << 8
	w := newWorld(b)
	tree := &audit.Tree{
		Tiles: &tiles[audit.Tile]{}, Heads: &tiles[audit.Head]{}, Hasher: w.Service.Hasher, Origin: "proof.example.org/log",
		Key: w.Tree.Key, MakeKey: w.Tree.MakeKey, Now: time.Now,
		Page: func(_ context.Context, n int64) (*proofing.LogPage, error) {
			if n > entries/page {
				return nil, proofing.ErrNotFound
			}
			p := &proofing.LogPage{Number: n, First: (n - 1) * page}
			for i := range int64(page) {
				p.Entries = append(p.Entries, proofing.Entry{Leaf: leafOf(p.First + i)})
			}
			return p, nil
		},
	}
	began := time.Now()
	if err := tree.Record(b.Context()); err != nil {
		b.Fatal(err)
	}
	taken := time.Since(began)
	h, err := tree.Head(b.Context())
	if err != nil || h.Size != entries {
		b.Fatal(h, err)
	}
	for b.Loop() {
		place := rand.Int64N(entries)
		p, err := tree.Prove(b.Context(), place, leafOf(place))
		if err != nil {
			b.Fatal(err)
		}
		if len(p.Path) != 20 {
			b.Fatal(len(p.Path))
		}
	}
	b.ReportMetric(float64(taken.Microseconds())/entries, "µs/entry-taken-in")
	place := int64(entries / 3)
	p, err := tree.Prove(b.Context(), place, leafOf(place))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := p.Verify(h.Verifier); err != nil {
		b.Fatal(err)
	}
}

func leafOf(place int64) string { return fmt.Sprintf(`{"number":%d}`, place) }
