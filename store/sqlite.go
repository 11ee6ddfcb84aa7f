package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// Options of a SQLite store. The zero value is right outside tests.
type Options struct {
	// Now is the store's clock; nil means time.Now.
	Now func() time.Time
	// Queue is how many writes may wait before further ones are refused with
	// proofing.ErrUnavailable; 0 means 4096.
	Queue int
	// Busy is how long a call waits for another process that has the file
	// locked; 0 means five seconds.
	Busy time.Duration
	// Sweep is the time between two removals of what has expired; 0 means a minute.
	Sweep time.Duration
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Queue == 0 {
		o.Queue = 4096
	}
	if o.Busy == 0 {
		o.Busy = 5 * time.Second
	}
	if o.Sweep == 0 {
		o.Sweep = time.Minute
	}
	return o
}

// SQLite is the embedded back end: one file in WAL mode, synced at every
// commit. One goroutine makes all of this process's writes and commits those
// that wait together, so that callers share the cost of a sync; reads go past
// it through connections of their own. Other processes (a command beside the
// server) may open the same file; SQLite's locks keep them apart.
//
// A context that ends while its write waits in the queue or for another
// process's lock withdraws it for certain; from then on the caller waits for
// the commit and gets its true outcome.
type SQLite struct {
	path   string
	now    func() time.Time
	reads  *sql.DB
	get    *sql.Stmt
	scan   *sql.Stmt
	writes *writer

	closing sync.Once
	closed  chan struct{} // stops the sweeper
	swept   sync.WaitGroup
}

var _ KV = (*SQLite)(nil)

const readers = 4 // connections: reads are short, and more than a few only contend for the processor

// OpenSQLite opens the store in the file at path, or makes it, readable by its
// owner alone. It refuses a file that is not a store of ours, and one that a
// newer version of the program has changed. ctx bounds the opening alone.
func OpenSQLite(ctx context.Context, path string, o Options) (*SQLite, error) {
	o = o.withDefaults()
	if err := prepareFile(ctx, path, o.Busy); errors.Is(err, ErrNotStore) {
		return nil, fmt.Errorf("store: %s is %w", path, err)
	} else if err != nil {
		return nil, fmt.Errorf("store: open %s: %w", path, err)
	}
	s := &SQLite{path: path, now: o.Now, closed: make(chan struct{})}
	if err := s.connect(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("store: open %s: %w", path, err), s.disconnect())
	}
	s.swept.Go(func() { s.sweepEvery(o.Sweep) })
	return s, nil
}

func (s *SQLite) connect(ctx context.Context, o Options) (err error) {
	// The writer comes first: it makes the files that readers then share.
	if s.writes, err = openWriter(ctx, s.path, o); err != nil {
		return err
	}
	if s.reads, err = openFile(s.path, "ro", o.Busy, "_query_only=1"); err != nil {
		return err
	}
	s.reads.SetMaxOpenConns(readers)
	s.reads.SetMaxIdleConns(readers)
	if s.get, err = s.reads.PrepareContext(ctx, `SELECT CASE version WHEN ? THEN x'' ELSE coalesce((SELECT value FROM body WHERE id = item.body), value) END,
		version, expires FROM item
		WHERE bucket = ? AND name = ? AND (expires IS NULL OR expires > ?)`); err != nil {
		return err
	}
	s.scan, err = s.reads.PrepareContext(ctx, `SELECT name, coalesce((SELECT value FROM body WHERE id = item.body), value), version, expires FROM item
		WHERE bucket = ? AND name >= ? AND name < ? AND (expires IS NULL OR expires > ?)
		ORDER BY name LIMIT ?`)
	return err
}

func (s *SQLite) disconnect() error {
	var errs []error
	if s.reads != nil {
		errs = append(errs, s.reads.Close())
	}
	if s.writes != nil {
		errs = append(errs, s.writes.close())
	}
	return errors.Join(errs...)
}

// Close implements KV. Writes that wait are still committed.
func (s *SQLite) Close() (err error) {
	s.closing.Do(func() {
		close(s.closed)
		s.swept.Wait()
		err = s.disconnect()
	})
	return err
}

// Get implements KV.
func (s *SQLite) Get(ctx context.Context, bucket, name string, known uint64) (Item, error) {
	if err := checkName(bucket, name); err != nil {
		return Item{}, err
	}
	row := s.get.QueryRowContext(ctx, int64(known), bucket, []byte(name), s.now().UnixMilli())
	item := Item{Name: name}
	var expires sql.NullInt64
	err := row.Scan(&item.Value, &item.Version, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return Item{}, fmt.Errorf("store: get: %w", proofing.ErrNotFound)
	}
	if err != nil {
		return Item{}, unavailable("get", cause(ctx, err))
	}
	item.Expires = fromMillis(expires)
	return item, nil
}

// Scan implements KV.
func (s *SQLite) Scan(ctx context.Context, bucket, prefix, after string, limit int) ([]Item, error) {
	if err := checkScan(bucket, prefix, after, limit); err != nil {
		return nil, err
	}
	from, to := scanBounds(prefix, after)
	rows, err := s.scan.QueryContext(ctx, bucket, []byte(from), []byte(to), s.now().UnixMilli(), limit)
	if err != nil {
		return nil, unavailable("scan", cause(ctx, err))
	}
	defer func() { _ = rows.Close() }() // what matters of it is in rows.Err
	var items []Item
	for rows.Next() {
		var item Item
		var expires sql.NullInt64
		if err := rows.Scan(&item.Name, &item.Value, &item.Version, &expires); err != nil {
			return nil, unavailable("scan", cause(ctx, err))
		}
		item.Expires = fromMillis(expires)
		items = append(items, item)
	}
	if err := rows.Err(); err != nil {
		return nil, unavailable("scan", cause(ctx, err))
	}
	return items, nil
}

// scanBounds turns a prefix and a name to start behind into a half-open range.
func scanBounds(prefix, after string) (from, to string) {
	from = prefix
	if after >= prefix && after != "" {
		from = after + "\x00" // the very next name
	}
	end := []byte(strings.TrimRight(prefix, "\xff"))
	if len(end) == 0 {
		return from, strings.Repeat("\xff", MaxName+2) // behind every name
	}
	end[len(end)-1]++
	return from, string(end)
}

// Confirm implements KV: what can be read has been synced.
func (*SQLite) Confirm(context.Context, string, string, uint64) error { return nil }

// Apply implements KV.
func (s *SQLite) Apply(ctx context.Context, bucket string, ops []Op) error {
	if err := checkOps(bucket, ops); err != nil {
		return err
	}
	return s.writes.do(ctx, "apply", func(tx *writeTx) error {
		now := s.now().UnixMilli()
		for _, op := range ops {
			if err := tx.compare(bucket, op, now); err != nil {
				return err
			}
		}
		for _, op := range ops {
			if err := tx.change(bucket, op, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// Add implements KV.
func (s *SQLite) Add(ctx context.Context, bucket, name string, delta int64, ttl time.Duration) (total int64, expires time.Time, err error) {
	if err := checkAdd(bucket, name, delta, ttl); err != nil {
		return 0, time.Time{}, err
	}
	err = s.writes.do(ctx, "add", func(tx *writeTx) error {
		now := s.now().UnixMilli()
		c, err := tx.counter(bucket, name, now)
		if err != nil {
			return err
		}
		if !c.exists && ttl > 0 {
			c.expires = sql.NullInt64{Int64: now + ttl.Milliseconds(), Valid: true}
		}
		if !c.exists && delta <= 0 {
			return nil
		}
		total = min(max(c.total+delta, 0), MaxTotal)
		expires = fromMillis(c.expires)
		if delta == 0 {
			return nil
		}
		return tx.setCounter(bucket, name, total, c.expires)
	})
	if err != nil {
		return 0, time.Time{}, err
	}
	return total, expires, nil
}

// Versions are random rather than counted: a count would be a row that every write
// touches, and would have to outlive what it counts.
func newVersion() int64 { return 1 + rand.Int64N(1<<63-1) }

// newVersion is the version of what the operation puts.
func (op Op) newVersion() uint64 {
	if op.New != 0 {
		return op.New
	}
	return uint64(newVersion())
}

func toMillis(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMilli(), Valid: !t.IsZero()}
}

func fromMillis(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return time.UnixMilli(ms.Int64)
}

// cause prefers the reason why the context ended over the word "interrupted".
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
