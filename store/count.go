package store

import (
	"context"
	"errors"
	"slices"

	"github.com/countersign-id/countersign/proofing"
)

// countFirst is how many entries of each bucket a count asks for at first.
const countFirst = 4

// Count implements proofing.Table, up to 999. It reads names of entries alone, and of no more buckets than it needs.
func (t *Table[T, P]) Count(ctx context.Context, q proofing.Query) (n int, more bool, err error) {
	l, err := t.newListing(proofing.Query{Index: q.Index, Value: q.Value, Below: q.Below, Prefix: q.Prefix, Bucket: q.Bucket, Limit: q.Limit})
	if err != nil {
		return 0, false, err
	}
	l.limit = min(l.limit, MaxScan-1) // one scan of a bucket tells whether there are more
	for buckets := range slices.Chunk(l.buckets, mergeScans) {
		// Where there are many, a few of each bucket are more than is asked for. Only a bucket that had no more room is looked into again.
		for want := min(countFirst, l.limit+1-n); len(buckets) > 0; want = l.limit + 1 - n {
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
			sum := n
			for _, m := range found {
				sum += m
			}
			if sum > l.limit {
				return l.limit, true, nil
			}
			var full []string
			for i, m := range found {
				if m == want {
					full = append(full, buckets[i])
				} else {
					n += m
				}
			}
			buckets = full
		}
	}
	return n, false, nil
}
