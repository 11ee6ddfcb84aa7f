package store

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/countersign-id/countersign/proofing"
)

const defaultLimit = 100

// List implements proofing.Table. Limits above MaxScan are cut to it. An entry
// whose record has gone or changed since the entry was read is left out. A cursor
// that List did not make for this query is a *proofing.InputError.
func (t *Table[T, P]) List(ctx context.Context, q proofing.Query) (page []*T, next string, err error) {
	l, err := t.newListing(q)
	if err != nil {
		return nil, "", err
	}
	if q.Merged {
		return l.merge(ctx)
	}
	for _, bucket := range l.buckets {
		err := l.walk(ctx, bucket)
		if errors.Is(err, errPageFull) {
			return l.page, l.next, nil
		}
		if err != nil {
			return nil, "", err
		}
	}
	return l.page, "", nil
}

// errPageFull stops a walk at the first record behind the page, which is how
// the walk knows that there is a next one.
var errPageFull = errors.New("page full")

// listing is one List under way.
type listing[T any] struct {
	kv      KV
	read    func(ctx context.Context, bucket, entry, id string) (*T, error) // nil for what is left out
	prefix  string                                                          // of the entries in question
	below   string                                                          // where they end, if not empty
	buckets []string                                                        // still to be walked
	after   string                                                          // the entry to go on behind, in the first of them
	limit   int
	page    []*T
	next    string // the cursor behind the last of page
}

func (t *Table[T, P]) newListing(q proofing.Query) (*listing[T], error) {
	if !isWord(q.Index) {
		return nil, fmt.Errorf("%w: index %q", ErrInvalid, q.Index)
	}
	l := &listing[T]{
		kv: t.kv, read: t.forListing(q),
		prefix: indexPrefix(t.kind, q.Index), buckets: allBuckets(), limit: min(q.Limit, MaxScan),
	}
	switch {
	case q.Below != "":
		l.below = l.prefix + escape(q.Below)
	case q.Prefix != "":
		l.prefix += escape(q.Prefix)
	default:
		l.prefix += escape(q.Value) + "!"
	}
	if max(len(l.prefix), len(l.below)) > MaxName {
		return nil, fmt.Errorf("%w: a query for a value of %d bytes", ErrInvalid, max(len(q.Value), len(q.Below)))
	}
	if l.limit <= 0 {
		l.limit = defaultLimit
	}
	if q.Bucket != "" {
		if err := checkBucket(q.Bucket); err != nil {
			return nil, err
		}
		l.buckets = []string{q.Bucket}
	}
	if q.Merged {
		return l, l.resumeMerged(q.After)
	}
	return l, l.resume(q.After)
}

// forListing reads the record of an entry; nil for one that has gone or changed since the entry was read, and for a damaged one that the query asks to be told of.
func (t *Table[T, P]) forListing(q proofing.Query) func(ctx context.Context, bucket, entry, id string) (*T, error) {
	return func(ctx context.Context, bucket, entry, id string) (*T, error) {
		value, err := t.listed(ctx, bucket, entry, id)
		switch {
		case errors.Is(err, proofing.ErrNotFound):
			return nil, nil
		case q.Unreadable != nil && errors.Is(err, proofing.ErrUnreadable):
			q.Unreadable(id, err)
			return nil, nil
		}
		return value, err
	}
}

// resume moves the listing behind a cursor: the bucket and the entry that ended
// the page before.
func (l *listing[T]) resume(cursor string) error {
	if cursor == "" {
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	bucket, entry := "", ""
	if err == nil && len(text) > 2 {
		bucket, entry = string(text[:2]), string(text[2:])
	}
	at := slices.Index(l.buckets, bucket)
	if at < 0 || !strings.HasPrefix(entry, l.prefix) || len(entry) > MaxName {
		return errCursor()
	}
	l.buckets, l.after = l.buckets[at:], entry
	return nil
}

func errCursor() error {
	return &proofing.InputError{Field: "cursor", Code: "cursor_malformed", Detail: "is not a cursor of this listing"}
}

// walk adds what one bucket has to the page.
func (l *listing[T]) walk(ctx context.Context, bucket string) error {
	after := l.after
	l.after = "" // it is the first bucket's
	for {
		want := min(l.limit+1-len(l.page), MaxScan)
		items, err := l.kv.Scan(ctx, bucket, l.prefix, after, want)
		if err != nil {
			return err
		}
		for _, item := range items {
			if l.below != "" && item.Name >= l.below {
				return nil
			}
			if err := l.add(ctx, bucket, item.Name); err != nil {
				return err
			}
		}
		if len(items) < want {
			return nil
		}
		after = items[len(items)-1].Name
	}
}

func (l *listing[T]) add(ctx context.Context, bucket, entry string) error {
	value, err := l.read(ctx, bucket, entry, idOf(entry))
	if err != nil || value == nil {
		return err
	}
	if len(l.page) == l.limit {
		return errPageFull
	}
	l.page = append(l.page, value)
	l.next = base64.RawURLEncoding.EncodeToString([]byte(bucket + entry))
	return nil
}
