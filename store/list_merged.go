package store

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/countersign-id/countersign/proofing"
)

// A merged listing has one order over all buckets. Names of entries sort as their values do and then as ids do, and an id begins
// with its bucket, so that the name of the last one of a page is where the next page begins in every bucket.

const (
	mergeScans = 16 // buckets that are looked into at once
	mergeReads = 16 // records that are read at once

	// mergeFirst is how many entries of each bucket are asked for at first: spread over all buckets, a few of each are a page. Where
	// they lie together it is mergeMore times as many each time, up to a whole page.
	mergeFirst, mergeMore = 4, 4
)

// resumeMerged moves the listing behind a cursor: the entry that ended the page before.
func (l *listing[T]) resumeMerged(cursor string) error {
	if cursor == "" {
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	entry := strings.TrimPrefix(string(text), mergedMark)
	if err != nil || len(entry) == len(text) || !strings.HasPrefix(entry, l.prefix) || len(entry) > MaxName {
		return errCursor()
	}
	l.after = entry
	return nil
}

// mergedMark tells the cursors of merged listings from those of others, which begin with a bucket.
const mergedMark = "m"

// merge fills the page.
func (l *listing[T]) merge(ctx context.Context) (page []*T, next string, err error) {
	for want := mergeFirst; ; want *= mergeMore {
		want = min(want, l.limit+1, MaxScan)
		names, horizon, err := l.ahead(ctx, want)
		if err != nil {
			return nil, "", err
		}
		for chunk := range slices.Chunk(names, mergeReads) {
			values, err := l.readAll(ctx, chunk)
			if err != nil {
				return nil, "", err
			}
			for i, value := range values {
				switch {
				case value == nil: // it is left out
				case len(l.page) == l.limit:
					return l.page, l.next, nil
				default:
					l.page = append(l.page, value)
					l.next = base64.RawURLEncoding.EncodeToString([]byte(mergedMark + chunk[i]))
				}
			}
		}
		if horizon == "" {
			return l.page, "", nil
		}
		l.after = horizon
	}
}

// ahead are the next entries in their order, as far as every bucket has been looked into: up to the horizon, behind which there may
// be more. It is empty if there is nothing behind.
func (l *listing[T]) ahead(ctx context.Context, want int) (names []string, horizon string, err error) {
	found := make([][]Item, len(l.buckets))
	errs := make([]error, len(l.buckets))
	atOnce(len(l.buckets), mergeScans, func(i int) { found[i], errs[i] = l.kv.Scan(ctx, l.buckets[i], l.prefix, l.after, want) })
	if err := errors.Join(errs...); err != nil {
		return nil, "", err
	}
	for _, items := range found {
		if len(items) == want {
			if last := items[want-1].Name; horizon == "" || last < horizon {
				horizon = last
			}
		}
	}
	for _, items := range found {
		for _, item := range items {
			if (horizon == "" || item.Name <= horizon) && (l.below == "" || item.Name < l.below) {
				names = append(names, item.Name)
			}
		}
	}
	if l.below != "" && horizon >= l.below {
		horizon = ""
	}
	slices.Sort(names)
	return names, horizon, nil
}

// readAll reads the records of entries; nil for one that is left out.
func (l *listing[T]) readAll(ctx context.Context, names []string) ([]*T, error) {
	values, errs := make([]*T, len(names)), make([]error, len(names))
	atOnce(len(names), mergeReads, func(i int) {
		id := idOf(names[i])
		bucket, ok := proofing.IDBucket(id)
		if !ok {
			return
		}
		values[i], errs[i] = l.read(ctx, bucket, names[i], id)
	})
	return values, errors.Join(errs...)
}

// atOnce does n things, so many of them at a time.
func atOnce(n, most int, do func(i int)) {
	var hands sync.WaitGroup
	slots := make(chan struct{}, most)
	for i := range n {
		slots <- struct{}{}
		hands.Go(func() {
			defer func() { <-slots }()
			do(i)
		})
	}
	hands.Wait()
}
