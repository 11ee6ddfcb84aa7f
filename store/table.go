package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
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
	kv     KV
	ring   *Ring
	kind   string
	recent recent[T]
	detach detacher
}

// NewTable returns the table of one kind of record. The kind is part of every name that the
// table stores and of what is sealed; it is 1 to 32 of a-z, 0-9, "-" and "_", and
// NewTable panics at anything else. So it does at a record that is not plain data: what JSON
// cannot bring back as it was has no place in one.
func NewTable[T any, P interface {
	*T
	proofing.Record
}](kv KV, ring *Ring, kind string) *Table[T, P] {
	if !isWord(kind) {
		panic(fmt.Sprintf("store: a table of kind %q", kind))
	}
	detach, err := detacherOf(reflect.TypeFor[T]())
	if err != nil {
		panic(fmt.Sprintf("store: a table of kind %q: %v", kind, err))
	}
	return &Table[T, P]{kv: kv, ring: ring, kind: kind, detach: detach}
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
type stored[T any] struct {
	Form    int      `json:"f,omitempty"`
	Entries []string `json:"e,omitempty"`
	Record  *T       `json:"r"`
}

// loaded is a record as it was read. Nothing in it but its value may be changed.
type loaded[T any] struct {
	value   *T
	entries []string
	size    int    // as the store has it, in bytes
	plain   []byte // opened
	version uint64
	expires time.Time
	sure    bool // the store keeps it as it keeps what it has acknowledged, and not only shows it
}

// atVersion is the version of a record; 0: there is none.
func (l *loaded[T]) atVersion() uint64 {
	if l == nil {
		return 0
	}
	return l.version
}

// Create implements proofing.Table.
func (t *Table[T, P]) Create(ctx context.Context, id string, v *T) error {
	bucket, ok := proofing.IDBucket(id)
	if !ok {
		return fmt.Errorf("%w: %q is not an id", ErrInvalid, id)
	}
	name := recordName(t.kind, id)
	ops, after, err := t.change(bucket, name, id, nil, v)
	if err != nil {
		return err
	}
	err = t.kv.Apply(ctx, bucket, ops)
	if errors.Is(err, ErrConflict) {
		// Only the id and unique values carry a condition.
		return fmt.Errorf("store: create %s: %w", t.kind, proofing.ErrExists)
	}
	if err == nil {
		t.remember(name, after)
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

// Update implements proofing.Table. An edit that changes nothing writes nothing. It is done once the store is
// sure to keep what it found: that may be its own change, made by a try before this one, whose
// caller was told that it may be lost.
//
// It is first tried on the record as this process last saw it: the comparison of versions shows whether it is
// still that one, and mostly it is, which saves reading it again. Whatever comes of that but a change
// that was made, an error of the edit too, may be for want of news, and the record is read.
func (t *Table[T, P]) Update(ctx context.Context, id string, edit func(*T) error) (*T, error) {
	bucket, name, err := t.place(id)
	if err != nil {
		return nil, err
	}
	var after *T
	try := func(before *loaded[T], again bool) (made bool, err error) {
		if err := edit(before.value); err != nil {
			return false, err
		}
		after = before.value
		ops, changed, err := t.change(bucket, name, id, before, after)
		if err != nil || len(ops) == 0 {
			return false, err
		}
		if again { // look for the cause before trying in vain
			if err := t.claimable(ctx, bucket, ops); err != nil {
				return false, err
			}
		}
		if err := t.kv.Apply(ctx, bucket, ops); err != nil {
			t.recent.forget(name)
			return false, err
		}
		t.remember(name, changed)
		return true, nil
	}
	if known := t.recent.get(name); known != nil {
		made, err := try(t.copyOf(known), false)
		if made {
			return after, nil
		}
		if errors.Is(err, proofing.ErrUnavailable) {
			return nil, err // it may have been made
		}
	}
	err = t.retry(ctx, func(again bool) error {
		before, err := t.load(ctx, bucket, name)
		if err != nil {
			return err
		}
		made, err := try(before, again)
		if err == nil && !made {
			err = t.confirm(ctx, bucket, name, before)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return after, nil
}

func (t *Table[T, P]) confirm(ctx context.Context, bucket, name string, l *loaded[T]) error {
	if l.sure {
		return nil
	}
	err := t.kv.Confirm(ctx, bucket, name, l.version)
	if err == nil {
		t.recent.confirm(name, l.version)
	}
	return err
}

// Delete implements proofing.Table. That there is nothing is an answer as in Update: once it is sure to stay so.
func (t *Table[T, P]) Delete(ctx context.Context, id string) error {
	bucket, name, err := t.place(id)
	if err != nil {
		return err
	}
	return t.retry(ctx, func(bool) error {
		l, err := t.load(ctx, bucket, name)
		if errors.Is(err, proofing.ErrNotFound) {
			return cmp.Or(t.kv.Apply(ctx, bucket, []Op{{Name: name, If: Absent, Delete: true}}), err)
		}
		if err != nil {
			return err
		}
		ops := []Op{{Name: name, If: Match, Version: l.version, Delete: true}}
		for _, entry := range l.entries {
			ops = append(ops, Op{Name: entry, If: Any, Delete: true})
		}
		t.recent.forget(name)
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
		claim, err := t.kv.Get(ctx, bucket, unique, 0)
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
	if !slices.Contains(l.entries, entry) {
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
	known := t.recent.get(name)
	item, err := t.kv.Get(ctx, bucket, name, known.atVersion())
	if err != nil {
		return nil, err
	}
	if known != nil && known.version == item.Version {
		return t.copyOf(known), nil
	}
	plain, err := t.ring.open(bucket, name, item.Value)
	if err != nil {
		return nil, err
	}
	var s stored[T]
	err = json.Unmarshal(plain, &s)
	if s.Form > recordForm { // who asks again may meet a process that knows it
		return nil, unavailable("read "+t.kind, fmt.Errorf("written by a newer version of countersign (form %d, this one knows %d): run no older version beside it", s.Form, recordForm))
	}
	if err == nil && s.Record == nil {
		err = errors.New("there is no record in it")
	}
	if err != nil {
		return nil, fmt.Errorf("store: read %s: %w: %w", t.kind, proofing.ErrUnreadable, err)
	}
	l := &loaded[T]{value: s.Record, entries: s.Entries, size: len(item.Value), plain: plain, version: item.Version, expires: item.Expires}
	t.remember(name, l)
	return l, nil
}

// remember keeps a copy of what is stored under a name now.
func (t *Table[T, P]) remember(name string, l *loaded[T]) { t.recent.put(name, t.copyOf(l)) }

// Age has the table forget what it remembers of records that nobody has asked for since Age was last
// called. Without it a process that has little to do would remember who its last visitors were for as long as it runs.
func (t *Table[T, P]) Age() { t.recent.age() }

// Remembered is the size of what the table remembers of records, in bytes as stored.
func (t *Table[T, P]) Remembered() int { return t.recent.bytes() }

// copyOf is a record whose value may be changed.
func (t *Table[T, P]) copyOf(l *loaded[T]) *loaded[T] {
	c, v := *l, *l.value
	if t.detach != nil {
		t.detach(reflect.ValueOf(&v).Elem())
	}
	c.value = &v
	return &c
}

// change lists the operations that put v where before was (nil: nothing), and what is stored
// then; none if nothing changes.
func (t *Table[T, P]) change(bucket, name, id string, before *loaded[T], v *T) ([]Op, *loaded[T], error) {
	entries, err := entriesOf(t.kind, id, P(v).Indexes())
	if err != nil {
		return nil, nil, err
	}
	plain, err := json.Marshal(stored[T]{recordForm, entries, v})
	if err != nil {
		return nil, nil, fmt.Errorf("store: write %s: %w", t.kind, err)
	}
	put := Op{Name: name, If: Absent, New: uint64(newVersion()), Expires: P(v).ExpiresAt()}
	var old []string
	moved := false // the expiry is, and every entry's with it
	if before != nil {
		old = before.entries
		moved = toMillis(before.expires) != toMillis(put.Expires)
		if !moved && bytes.Equal(before.plain, plain) {
			return nil, nil, nil
		}
		put.If, put.Version = Match, before.version
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
	return ops, &loaded[T]{value: v, entries: entries, size: len(put.Value), plain: plain, version: put.New, expires: put.Expires, sure: true}, nil
}

// claimable returns proofing.ErrExists if another record holds a unique value that the
// operations claim.
func (t *Table[T, P]) claimable(ctx context.Context, bucket string, ops []Op) error {
	for _, op := range ops[1:] {
		if op.If != Absent {
			continue
		}
		_, err := t.kv.Get(ctx, bucket, op.Name, 0)
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
