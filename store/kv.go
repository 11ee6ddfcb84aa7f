// Package store keeps the domain's records: typed, sealed and indexed on the
// outside (Table, Limiter), versioned bytes under ordered names on the inside (KV).
// Everything but the bytes is written once, above KV, so that no two back
// ends can differ in what a record, an index or a sealed value is.
//
// It owns no rule of the product and knows none of its types.
package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// The bounds that every back end admits and enforces.
const (
	MaxName  = 1024      // bytes of a name; the least is 1
	MaxValue = 256 << 10 // bytes of a value; the least is 0
	MaxOps   = 64        // operations of one Apply
	MaxScan  = 1000      // items of one Scan
	MaxTotal = 1<<53 - 1 // of a counter, which stays there; also the most that one Add adds or takes
)

var (
	// ErrConflict: an operation's condition did not hold, and nothing was changed.
	ErrConflict = errors.New("changed by another writer")
	// ErrInvalid: the call itself breaks a bound or a rule of the contract, and
	// nothing was changed. It is a fault of the caller and will not pass by waiting.
	ErrInvalid = errors.New("invalid store call")
)

// KV is a back end: versioned values and counters under names in buckets.
//
// A bucket is one of proofing.Buckets two-digit strings, "00" to "63". What one
// call reads or changes lies in one bucket, and a back end may keep buckets on
// different machines; it keeps nothing that every write would have to touch.
// Names are bytes in the order of bytes. Values and counters
// have name spaces of their own: a counter is seen by Add alone.
//
// A value or counter with an expiry is absent, for every method, from that
// instant on by the back end's clock, whether or not its bytes are gone yet.
// Expiries are cut to whole milliseconds.
//
// Every change is atomic and, once its call has returned nil, durable and seen
// by every call that starts later. All methods may be called at once.
//
// Every method returns an error that wraps proofing.ErrUnavailable when the
// back end cannot answer: it is closed, overloaded, out of reach or out of
// space, or the context ended first (the error then wraps the context's cause
// too). A change that ended so was made wholly or not at all, and the caller
// cannot tell which: it reads again or repeats what is safe to repeat.
// ErrInvalid is returned for what breaks a bound.
type KV interface {
	// Get returns the item of that name; proofing.ErrNotFound if there is none. An item of the version known, which
	// whoever asks has already (0: none), may come without its value.
	Get(ctx context.Context, bucket, name string, known uint64) (Item, error)

	// Scan returns, in order, the first limit items (1 to MaxScan) whose names
	// begin with prefix and sort after the name after, which need not exist.
	// An empty prefix admits every name and an empty after is before all of them. Fewer than
	// limit items mean that there are no more. One Scan sees one moment of the bucket.
	Scan(ctx context.Context, bucket, prefix, after string, limit int) ([]Item, error)

	// Apply makes every operation's change, or, if the condition of any does
	// not hold, none, and returns ErrConflict. All conditions are judged against what
	// was there before the first change. There are 1 to MaxOps operations,
	// each with a name of its own. The caller may use ops again once Apply returns.
	Apply(ctx context.Context, bucket string, ops []Op) error

	// Confirm returns nil once the item of that version, which the caller has read, is kept as surely as
	// a change that was acknowledged; ErrConflict if another is there, or none. A back end in
	// which nothing can be read that is not kept so does nothing.
	Confirm(ctx context.Context, bucket, name string, version uint64) error

	// Add adds delta to the counter of that name and returns its total and its
	// expiry (zero: none). An absent counter starts at zero; an addition to it
	// makes it and fixes its expiry at ttl from then (zero: none; otherwise at
	// least a millisecond), which later additions do not move. A delta of
	// zero only looks. A total neither falls below zero nor passes MaxTotal. An absent counter
	// to which nothing is added, or from which something is taken, stays
	// absent: the answer is zero and no expiry.
	Add(ctx context.Context, bucket, name string, delta int64, ttl time.Duration) (total int64, expires time.Time, err error)

	// Close waits for the calls under way and releases what the back end
	// holds. Later calls return proofing.ErrUnavailable; a second Close returns nil.
	Close() error
}

// Item is one stored value.
type Item struct {
	Name  string
	Value []byte
	// Version is never zero, and differs for any two puts that a name ever
	// sees, also across a deletion or an expiry between them. It has no order.
	Version uint64
	Expires time.Time // zero: never
}

// Condition says what must be true of a name for an operation on it to be made.
// Its zero value is refused, so that nobody overwrites by forgetting it.
type Condition int

const (
	// Any admits whatever is there, or nothing.
	Any Condition = iota + 1
	// Absent demands that there is no item.
	Absent
	// Match demands an item of exactly Op.Version.
	Match
)

// Op is one operation of an Apply: a put, or with Delete a deletion. To delete
// what is absent is no error. A put whose expiry has passed deletes.
type Op struct {
	Name    string
	If      Condition
	Version uint64 // for Match
	New     uint64 // of what is put: at random, so that none comes twice; zero leaves that to the back end
	Delete  bool
	Value   []byte
	Expires time.Time // zero: never
}

func checkName(bucket, name string) error {
	if err := checkBucket(bucket); err != nil {
		return err
	}
	if len(name) < 1 || len(name) > MaxName {
		return fmt.Errorf("%w: a name of %d bytes", ErrInvalid, len(name))
	}
	return nil
}

func checkBucket(bucket string) error {
	n, err := strconv.ParseUint(bucket, 10, 8)
	if err != nil || len(bucket) != 2 || n >= proofing.Buckets {
		return fmt.Errorf("%w: bucket %q", ErrInvalid, bucket)
	}
	return nil
}

func checkScan(bucket, prefix, after string, limit int) error {
	if limit < 1 || limit > MaxScan {
		return fmt.Errorf("%w: a scan of %d items", ErrInvalid, limit)
	}
	if len(prefix) > MaxName || len(after) > MaxName {
		return fmt.Errorf("%w: a scan from a name of %d bytes", ErrInvalid, max(len(prefix), len(after)))
	}
	return checkBucket(bucket)
}

func checkOps(bucket string, ops []Op) error {
	if len(ops) < 1 || len(ops) > MaxOps {
		return fmt.Errorf("%w: %d operations", ErrInvalid, len(ops))
	}
	seen := make(map[string]bool, len(ops))
	for _, op := range ops {
		if err := checkName(bucket, op.Name); err != nil {
			return err
		}
		switch {
		case seen[op.Name]:
			return fmt.Errorf("%w: two operations on %q", ErrInvalid, op.Name)
		case op.If < Any || op.If > Match:
			return fmt.Errorf("%w: no condition for %q", ErrInvalid, op.Name)
		case (op.If == Match) != (op.Version != 0):
			return fmt.Errorf("%w: a version without Match, or Match without one, for %q", ErrInvalid, op.Name)
		case len(op.Value) > MaxValue:
			return fmt.Errorf("%w: a value of %d bytes for %q", ErrInvalid, len(op.Value), op.Name)
		case op.New > 1<<63-1:
			return fmt.Errorf("%w: a version beyond 63 bits for %q", ErrInvalid, op.Name)
		case op.Delete && (len(op.Value) > 0 || !op.Expires.IsZero() || op.New != 0):
			return fmt.Errorf("%w: a deletion of %q with a value", ErrInvalid, op.Name)
		}
		seen[op.Name] = true
	}
	return nil
}

func checkAdd(bucket, name string, delta int64, ttl time.Duration) error {
	if delta > MaxTotal || delta < -MaxTotal {
		return fmt.Errorf("%w: an addition of %d", ErrInvalid, delta)
	}
	if ttl < 0 || (ttl > 0 && ttl < time.Millisecond) {
		return fmt.Errorf("%w: a lifetime of %s", ErrInvalid, ttl)
	}
	return checkName(bucket, name)
}

// unavailable wraps the cause of an outage; %w twice, so that callers can tell
// an ended context from a broken disk.
func unavailable(doing string, cause error) error {
	return fmt.Errorf("store: %s: %w: %w", doing, proofing.ErrUnavailable, cause)
}
