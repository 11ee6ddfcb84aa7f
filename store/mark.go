package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

var (
	// ErrMoved: the store is being moved, or has been: it is not to be used, since
	// what it would be told the other one would never know.
	ErrMoved = errors.New("the store was moved")
	// ErrHalf: the store is a copy that was not finished, and is not to be used.
	ErrHalf = errors.New("the store is half a copy")
)

// What says that a store is not to be used, and who uses it, lies beside the mark of
// its key ring: in one bucket, so that one Apply changes them together. None of it is
// sealed or copied: it is about this store and holds nothing of anybody's.
const (
	movedName      = "m/moved" // in a store that was moved, or is being
	halfName       = "m/half"  // in a copy that is not finished
	presencePrefix = "p/"      // of each process that uses the store
)

// isAside says whether an item is about the store itself, and stays when what it holds is
// moved. The mark of the ring goes last, by itself.
func isAside(bucket, name string) bool {
	return bucket == markBucket && (name == movedName || name == halfName || name == markName || strings.HasPrefix(name, presencePrefix))
}

// Mark is what a store says of its being moved.
type Mark struct {
	Place string    `json:"place"` // of the other store, for people
	Since time.Time `json:"since"`
	Done  bool      `json:"done,omitempty"` // all of it is there
	Run   string    `json:"run,omitempty"`  // which Copy holds the target
}

// readMark returns the mark of that name and its version; no mark has none.
func readMark(ctx context.Context, kv KV, name string) (m Mark, version uint64, err error) {
	item, err := kv.Get(ctx, markBucket, name, 0)
	if errors.Is(err, proofing.ErrNotFound) {
		return Mark{}, 0, nil
	}
	if err != nil {
		return Mark{}, 0, err
	}
	if err := json.Unmarshal(item.Value, &m); err != nil {
		return Mark{}, 0, fmt.Errorf("store: the mark %s: %w", name, err)
	}
	return m, item.Version, nil
}

// markOp puts a mark where there is none, with version 0, or in the place of that one.
func markOp(name string, m Mark, version uint64) (Op, error) {
	text, err := json.Marshal(m)
	op := Op{Name: name, If: Absent, Version: version, Value: text}
	if version != 0 {
		op.If = Match
	}
	return op, err
}

// InPlace returns nil for a store that may be used, and else an error that wraps
// ErrMoved or ErrHalf and says where to and since when.
func InPlace(ctx context.Context, kv KV) error {
	// One Scan and not two Gets, so that what is judged is one moment of the store.
	items, err := kv.Scan(ctx, markBucket, "m/", "", 2)
	if err != nil {
		return err
	}
	for _, item := range items {
		var m Mark
		if err := json.Unmarshal(item.Value, &m); err != nil {
			return fmt.Errorf("store: the mark %s: %w", item.Name, err)
		}
		since := m.Since.UTC().Format(time.RFC3339)
		switch {
		case item.Name == halfName:
			return fmt.Errorf("%w: of %s, begun at %s and not finished", ErrHalf, m.Place, since)
		case item.Name == movedName && m.Done:
			return fmt.Errorf("%w: to %s, at %s", ErrMoved, m.Place, since)
		case item.Name == movedName:
			return fmt.Errorf("%w: to %s, since %s and not to its end", ErrMoved, m.Place, since)
		}
	}
	return nil
}

// Reopen takes a store that was moved into use again. One that was moved to the end is
// left alone (ErrMoved) unless although is set: what the other store has been told
// since is not in this one.
func Reopen(ctx context.Context, kv KV, although bool) error {
	half, _, err := readMark(ctx, kv, halfName)
	if err != nil {
		return err
	}
	if !half.Since.IsZero() {
		return InPlace(ctx, kv)
	}
	m, version, err := readMark(ctx, kv, movedName)
	if err != nil || version == 0 {
		return err
	}
	if m.Done && !although {
		return InPlace(ctx, kv)
	}
	return kv.Apply(ctx, markBucket, []Op{{Name: movedName, If: Match, Version: version, Delete: true}})
}
