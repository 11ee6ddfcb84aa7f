package store

import (
	"context"
	"fmt"
	"time"
)

// Movable is a back end whose counters can be seen and set: what moving a store
// needs, and serving people does not. All back ends are.
type Movable interface {
	KV

	// EachCounter shows the counters of all buckets, some at a time, in no order. One may be shown
	// twice, and what is added or removed meanwhile, or not. visit is called by one
	// goroutine at a time, with at least one and at most MaxScan counters; its error ends the walk and is returned.
	EachCounter(ctx context.Context, visit func(bucket string, some []Counter) error) error

	// Counters returns those of the named counters that there are, in the order of names.
	// There are 1 to MaxScan names.
	Counters(ctx context.Context, bucket string, names []string) ([]Counter, error)

	// SetCounters makes counters exactly what they are given as, whatever is there; one whose
	// expiry has passed is removed. All are set or none. There are 1 to MaxOps, each
	// with a name of its own.
	SetCounters(ctx context.Context, bucket string, counters []Counter) error
}

// Counter is a counter with all that is to be known of it.
type Counter struct {
	Name    string
	Total   int64
	Expires time.Time // zero: never
}

// longAgo is the expiry of what is to be removed.
var longAgo = time.UnixMilli(1)

func checkNames(bucket string, names []string) error {
	if len(names) < 1 || len(names) > MaxScan {
		return fmt.Errorf("%w: %d names", ErrInvalid, len(names))
	}
	for _, name := range names {
		if err := checkName(bucket, name); err != nil {
			return err
		}
	}
	return nil
}

func checkCounters(bucket string, counters []Counter) error {
	if len(counters) < 1 || len(counters) > MaxOps {
		return fmt.Errorf("%w: %d counters", ErrInvalid, len(counters))
	}
	seen := make(map[string]bool, len(counters))
	for _, c := range counters {
		if err := checkName(bucket, c.Name); err != nil {
			return err
		}
		if seen[c.Name] {
			return fmt.Errorf("%w: the counter %q twice", ErrInvalid, c.Name)
		}
		if c.Total < 0 || c.Total > MaxTotal {
			return fmt.Errorf("%w: a total of %d", ErrInvalid, c.Total)
		}
		seen[c.Name] = true
	}
	return nil
}
