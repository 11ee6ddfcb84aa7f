package store

import (
	"context"
	"errors"
	"slices"

	"github.com/countersign-id/countersign/proofing"
)

// Count implements proofing.Table. It reads names of entries alone, and of no more buckets than it needs.
func (t *Table[T, P]) Count(ctx context.Context, q proofing.Query) (n int, more bool, err error) {
	l, err := t.newListing(proofing.Query{Index: q.Index, Value: q.Value, Below: q.Below, Prefix: q.Prefix, Bucket: q.Bucket, Limit: q.Limit})
	if err != nil {
		return 0, false, err
	}
	for buckets := range slices.Chunk(l.buckets, mergeScans) {
		want := min(l.limit+1-n, MaxScan)
		found, errs := make([]int, len(buckets)), make([]error, len(buckets))
		atOnce(len(buckets), mergeScans, func(i int) {
			var items []Item
			items, errs[i] = l.kv.Scan(ctx, buckets[i], l.prefix, "", want)
			for _, item := range items {
				if l.below == "" || item.Name < l.below {
					found[i]++
				}
			}
		})
		if err := errors.Join(errs...); err != nil {
			return 0, false, err
		}
		for _, m := range found {
			n += m
		}
		if n > l.limit {
			return l.limit, true, nil
		}
	}
	return n, false, nil
}
