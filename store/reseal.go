package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// reseals is how many values are read at a time: at the largest they are 16 MiB.
const reseals = 64

// Reseal seals every record that is under an older key again under the current
// one, and returns how many it was. It may run beside every other use of the
// store and loses no writer's change. It may be stopped and run again; it then
// passes over what is done. Expiries stay.
func Reseal(ctx context.Context, kv KV, ring *Ring) (resealed int, err error) {
	err = eachSealed(ctx, kv, func(bucket string, item Item) error {
		done, err := resealOne(ctx, kv, ring, bucket, item)
		if done {
			resealed++
		}
		return err
	})
	return resealed, err
}

// resealOne goes on until the value is under the current key, whoever sealed it.
func resealOne(ctx context.Context, kv KV, ring *Ring, bucket string, item Item) (bool, error) {
	for {
		current, err := ring.current(item.Value)
		if err != nil || current {
			return false, err
		}
		plain, err := ring.open(bucket, item.Name, item.Value)
		if err != nil {
			return false, err
		}
		err = kv.Apply(ctx, bucket, []Op{{
			Name: item.Name, If: Match, Version: item.Version,
			Value: ring.seal(bucket, item.Name, plain), Expires: item.Expires,
		}})
		if !errors.Is(err, ErrConflict) {
			return err == nil, err
		}
		item, err = kv.Get(ctx, bucket, item.Name, 0)
		if errors.Is(err, proofing.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// Prune drops the sealing keys that have been replaced, once it has read the
// whole store and found nothing under them: otherwise it changes nothing and says
// how much there is to Reseal. It drops the signing keys that were retired before
// that time too: once every statement that they signed has expired, nobody needs
// them. The ring's file follows.
//
// It cannot see a process that has not loaded the current key: every one
// must have done so before the Reseal that comes before it.
func (r *Ring) Prune(ctx context.Context, kv KV, retiredBefore time.Time) error {
	old := 0
	err := eachSealed(ctx, kv, func(_ string, item Item) error {
		current, err := r.current(item.Value)
		if !current {
			old++
		}
		return err
	})
	if err != nil {
		return err
	}
	if old > 0 {
		return fmt.Errorf("store: prune: %d records are still sealed under older keys: reseal them first", old)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := ringKeys{index: r.index, log: r.log, sealing: r.sealing[len(r.sealing)-1:], next: r.next}
	for _, k := range r.signing {
		if k.Retired.IsZero() || !k.Retired.Before(retiredBefore) {
			keys.signing = append(keys.signing, k)
		}
	}
	return r.replace(keys)
}

// eachSealed visits every record in the store.
func eachSealed(ctx context.Context, kv KV, visit func(bucket string, item Item) error) error {
	for _, bucket := range allBuckets() {
		after := ""
		for {
			items, err := kv.Scan(ctx, bucket, recordPrefix, after, reseals)
			if err != nil {
				return err
			}
			for _, item := range items {
				if err := visit(bucket, item); err != nil {
					return fmt.Errorf("record %s in bucket %s: %w", item.Name, bucket, err)
				}
			}
			if len(items) < reseals {
				break
			}
			after = items[len(items)-1].Name
		}
	}
	return nil
}
