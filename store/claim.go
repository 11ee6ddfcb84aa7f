package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/countersign-id/countersign/proofing"
)

// ErrForeignRing: the key ring is not the one that the store was made with.
var ErrForeignRing = errors.New("the key ring is not this store's")

const markBucket = "00"

var markName = recordName("ring", "mark")

// Claim ties a store to its key ring. The first ring to claim a store leaves a sealed mark in
// it; every later one must open the mark, and hash to what it says. Without this a
// wrong ring would be found out only by what it cannot read, after it had
// sealed what the right one cannot. Whoever opens a store claims it before anything else;
// the error wraps ErrForeignRing, and nothing has been written, if it is another's. A store that was
// moved, or is half a copy, is not claimed at all: see InPlace.
func Claim(ctx context.Context, kv KV, ring *Ring) error {
	if err := InPlace(ctx, kv); err != nil {
		return err
	}
	return claimRing(ctx, kv, ring)
}

// Owns finds a store that this ring has claimed, and writes nothing: the error wraps proofing.ErrNotFound
// if nobody has, and ErrForeignRing if another has.
func Owns(ctx context.Context, kv KV, ring *Ring) error {
	if _, err := kv.Get(ctx, markBucket, markName, 0); err != nil {
		return err
	}
	return claimRing(ctx, kv, ring)
}

func claimRing(ctx context.Context, kv KV, ring *Ring) error {
	hasher, err := ring.Hasher()
	if err != nil {
		return err
	}
	sum := hasher.Sum("ring mark")
	mark := hex.EncodeToString(sum[:])
	item, err := kv.Get(ctx, markBucket, markName, 0)
	if errors.Is(err, proofing.ErrNotFound) {
		err = kv.Apply(ctx, markBucket, []Op{{Name: markName, If: Absent, Value: ring.seal(markBucket, markName, []byte(mark))}})
		if !errors.Is(err, ErrConflict) {
			return err
		}
		item, err = kv.Get(ctx, markBucket, markName, 0) // another was first: is its ring ours?
	}
	if err != nil {
		return err
	}
	plain, err := ring.open(markBucket, markName, item.Value)
	if err != nil {
		return fmt.Errorf("store: %w: %w", ErrForeignRing, err)
	}
	if string(plain) != mark {
		return fmt.Errorf("store: %w: its index secret is another", ErrForeignRing)
	}
	return nil
}
