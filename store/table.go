package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// Table implements proofing.Table over any back end. A record is one sealed
// value, in the bucket that its id names, beside its index entries: see names.go.
type Table[T any, P interface {
	*T
	proofing.Record
}] struct {
	kv   KV
	ring *Ring
	kind string
}

// NewTable returns the table of one kind of record. The kind is part of every name that the
// table stores and of what is sealed; it is 1 to 32 of a-z, 0-9, "-" and "_", and
// NewTable panics at anything else.
func NewTable[T any, P interface {
	*T
	proofing.Record
}](kv KV, ring *Ring, kind string) *Table[T, P] {
	if !isWord(kind) {
		panic(fmt.Sprintf("store: a table of kind %q", kind))
	}
	return &Table[T, P]{kv, ring, kind}
}

// recordForm is the form of record that this program writes and the newest that it reads.
// An update writes the whole record anew, so what its writer does not know is gone:
// where several versions share a store, an older one would undo what a newer one
// wrote. A release whose records hold what must not be lost that way counts this up,
// and older programs from then on keep off what it has written.
const recordForm = 0

// stored is a record as it is sealed. It carries the names of its index entries,
// so that they can be found again when the program's idea of them has changed:
// the next update of the record then puts them right.
type stored struct {
	Form    int             `json:"f,omitempty"`
	Entries []string        `json:"e,omitempty"`
	Record  json.RawMessage `json:"r"`
}

// loaded is a record as it was read.
type loaded[T any] struct {
	stored
	value   *T
	version uint64
	expires time.Time
}

// Create implements proofing.Table.
func (t *Table[T, P]) Create(ctx context.Context, id string, v *T) error {
	bucket, ok := proofing.IDBucket(id)
	if !ok {
		return fmt.Errorf("%w: %q is not an id", ErrInvalid, id)
	}
	ops, err := t.change(bucket, recordName(t.kind, id), id, nil, v)
	if err != nil {
		return err
	}
	err = t.kv.Apply(ctx, bucket, ops)
	if errors.Is(err, ErrConflict) {
		// Only the id and unique values carry a condition.
		return fmt.Errorf("store: create %s: %w", t.kind, proofing.ErrExists)
	}
	return err
}

// Get implements proofing.Table.
func (t *Table[T, P]) Get(ctx context.Context, id string) (*T, error) {
	bucket, name, err := t.place(id)
	if err != nil {
		return nil, err
	}
	l, err := t.load(ctx, bucket, name)
	if err != nil {
		return nil, err
	}
	return l.value, nil
}

// Update implements proofing.Table. An edit that changes nothing writes nothing.
func (t *Table[T, P]) Update(ctx context.Context, id string, edit func(*T) error) (*T, error) {
	bucket, name, err := t.place(id)
	if err != nil {
		return nil, err
	}
	var after *T
	err = t.retry(ctx, func(again bool) error {
		before, err := t.load(ctx, bucket, name)
		if err != nil {
			return err
		}
		if err := edit(before.value); err != nil {
			return err
		}
		after = before.value
		ops, err := t.change(bucket, name, id, before, after)
		if err != nil || len(ops) == 0 {
			return err
		}
		if again { // look for the cause before trying in vain
			if err := t.claimable(ctx, bucket, ops); err != nil {
				return err
			}
		}
		return t.kv.Apply(ctx, bucket, ops)
	})
	if err != nil {
		return nil, err
	}
	return after, nil
}

// Delete implements proofing.Table.
func (t *Table[T, P]) Delete(ctx context.Context, id string) error {
	bucket, name, err := t.place(id)
	if err != nil {
		return err
	}
	return t.retry(ctx, func(bool) error {
		l, err := t.load(ctx, bucket, name)
		if err != nil {
			return err
		}
		ops := []Op{{Name: name, If: Match, Version: l.version, Delete: true}}
		for _, entry := range l.Entries {
			ops = append(ops, Op{Name: entry, If: Any, Delete: true})
		}
		return t.kv.Apply(ctx, bucket, ops)
	})
}

// Find implements proofing.Table.
func (t *Table[T, P]) Find(ctx context.Context, bucket, index, value string) (*T, error) {
	if !isWord(index) {
		return nil, fmt.Errorf("%w: index %q", ErrInvalid, index)
	}
	unique := uniqueName(t.kind, index, value)
	var found *T
	err := t.retry(ctx, func(bool) error {
		claim, err := t.kv.Get(ctx, bucket, unique)
		if err != nil {
			return err
		}
		found, err = t.listed(ctx, bucket, unique, string(claim.Value))
		if errors.Is(err, proofing.ErrNotFound) {
			return ErrConflict // the claim has moved since, or gone: read it again
		}
		return err
	})
	return found, err
}

// listed returns the record with that id if it has that entry.
func (t *Table[T, P]) listed(ctx context.Context, bucket, entry, id string) (*T, error) {
	l, err := t.load(ctx, bucket, recordName(t.kind, id))
	if err != nil {
		return nil, err
	}
	if !slices.Contains(l.Entries, entry) {
		return nil, fmt.Errorf("store: find %s: %w", t.kind, proofing.ErrNotFound)
	}
	return l.value, nil
}

func (t *Table[T, P]) place(id string) (bucket, name string, err error) {
	bucket, ok := proofing.IDBucket(id)
	if !ok { // whoever asks for it typed it, or guesses
		return "", "", fmt.Errorf("store: %s: not an id: %w", t.kind, proofing.ErrNotFound)
	}
	return bucket, recordName(t.kind, id), nil
}

func (t *Table[T, P]) load(ctx context.Context, bucket, name string) (*loaded[T], error) {
	item, err := t.kv.Get(ctx, bucket, name)
	if err != nil {
		return nil, err
	}
	plain, err := t.ring.open(bucket, name, item.Value)
	if err != nil {
		return nil, err
	}
	l := &loaded[T]{value: new(T), version: item.Version, expires: item.Expires}
	if err := json.Unmarshal(plain, &l.stored); err != nil {
		return nil, fmt.Errorf("store: read %s: %w", t.kind, err)
	}
	if l.Form > recordForm { // who asks again may meet a process that knows it
		return nil, unavailable("read "+t.kind, fmt.Errorf("written by a newer version of countersign (form %d, this one knows %d): run no older version beside it", l.Form, recordForm))
	}
	if err := json.Unmarshal(l.Record, l.value); err != nil {
		return nil, fmt.Errorf("store: read %s: %w", t.kind, err)
	}
	return l, nil
}

// change lists the operations that put v where before was (nil: nothing); none
// if nothing changes.
func (t *Table[T, P]) change(bucket, name, id string, before *loaded[T], v *T) ([]Op, error) {
	entries, err := entriesOf(t.kind, id, P(v).Indexes())
	if err != nil {
		return nil, err
	}
	record, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("store: write %s: %w", t.kind, err)
	}
	put := Op{Name: name, If: Absent, Expires: P(v).ExpiresAt()}
	var old []string
	moved := false // the expiry is, and every entry's with it
	if before != nil {
		old = before.Entries
		moved = toMillis(before.expires) != toMillis(put.Expires)
		if !moved && slices.Equal(old, entries) && string(before.Record) == string(record) {
			return nil, nil
		}
		put.If, put.Version = Match, before.version
	}
	plain, err := json.Marshal(stored{recordForm, entries, record})
	if err != nil {
		return nil, fmt.Errorf("store: write %s: %w", t.kind, err)
	}
	put.Value = t.ring.seal(bucket, name, plain)
	ops := []Op{put}
	for _, entry := range entries {
		kept := slices.Contains(old, entry)
		if !kept || moved {
			ops = append(ops, entryOp(entry, id, put.Expires, kept))
		}
	}
	for _, entry := range old {
		if !slices.Contains(entries, entry) {
			ops = append(ops, Op{Name: entry, If: Any, Delete: true})
		}
	}
	return ops, nil
}

// claimable returns proofing.ErrExists if another record holds a unique value that the
// operations claim.
func (t *Table[T, P]) claimable(ctx context.Context, bucket string, ops []Op) error {
	for _, op := range ops[1:] {
		if op.If != Absent {
			continue
		}
		_, err := t.kv.Get(ctx, bucket, op.Name)
		if err == nil {
			return fmt.Errorf("store: update %s: %w", t.kind, proofing.ErrExists)
		}
		if !errors.Is(err, proofing.ErrNotFound) {
			return err
		}
	}
	return nil
}

const (
	tries    = 100
	maxPause = 50 * time.Millisecond
)

// retry runs try until it meets no other writer. The pauses are random and grow, so that
// many who want one record part.
func (t *Table[T, P]) retry(ctx context.Context, try func(again bool) error) error {
	for n := range tries {
		err := try(n > 0)
		if !errors.Is(err, ErrConflict) {
			return err
		}
		longest := min(time.Millisecond<<min(n, 10), maxPause)
		if err := pause(ctx, rand.N(longest)); err != nil {
			return err
		}
	}
	return unavailable("change "+t.kind, fmt.Errorf("%d other writers came first: %w", tries, ErrConflict))
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return unavailable("wait for another writer", context.Cause(ctx))
	}
}
