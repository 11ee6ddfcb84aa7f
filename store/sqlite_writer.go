package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// batchSize is the most writes that share a commit. Beyond it the sync is
// cheap beside the writes themselves, and the first caller waits for nothing.
const batchSize = 256

// walLimit cuts the log back to 64 MiB after a burst; SQLite would keep it at its largest.
const walLimit = "_pragma=journal_size_limit(67108864)"

var (
	errClosed = errors.New("the store is closed")
	errFull   = errors.New("too many writes are waiting")
)

// writer is the one goroutine that writes, and its queue.
type writer struct {
	db    *sql.DB
	conn  *sql.Conn
	tx    *writeTx
	queue chan *write

	mu     sync.RWMutex // held for reading while a write enters the queue
	closed bool
	done   chan struct{}
}

// write is a request in the queue.
type write struct {
	ctx context.Context
	run func(*writeTx) error
	// taken is set once, by whoever comes first: the writer, which then
	// answers, or the caller, who then goes without having changed anything.
	taken  atomic.Bool
	answer chan error
	err    error // of run, until the commit
}

func openWriter(ctx context.Context, path string, o Options) (w *writer, err error) {
	w = &writer{queue: make(chan *write, o.Queue), done: make(chan struct{})}
	if w.db, err = openFile(path, "rw", o.Busy, "_synchronous=FULL", walLimit); err != nil {
		return nil, err
	}
	if w.conn, err = w.db.Conn(ctx); err != nil {
		return nil, errors.Join(err, w.db.Close())
	}
	w.tx = &writeTx{}
	if err := w.tx.prepare(ctx, w.conn); err != nil {
		return nil, errors.Join(err, w.tx.close(), w.conn.Close(), w.db.Close())
	}
	go w.loop()
	return w, nil
}

// do puts a write in the queue and waits until it is committed or refused.
func (w *writer) do(ctx context.Context, doing string, run func(*writeTx) error) error {
	if ctx.Err() != nil {
		return unavailable(doing, context.Cause(ctx))
	}
	r := &write{ctx: ctx, run: run, answer: make(chan error, 1)}
	if err := w.enqueue(r); err != nil {
		return unavailable(doing, err)
	}
	var err error
	select {
	case err = <-r.answer:
	case <-ctx.Done():
		if r.taken.CompareAndSwap(false, true) {
			return unavailable(doing, context.Cause(ctx))
		}
		err = <-r.answer
	}
	if err != nil && !errors.Is(err, ErrConflict) {
		return unavailable(doing, err)
	}
	return err
}

func (w *writer) enqueue(r *write) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return errClosed
	}
	select {
	case w.queue <- r:
		return nil
	default:
		return errFull
	}
}

func (w *writer) close() error {
	w.mu.Lock()
	w.closed = true
	close(w.queue)
	w.mu.Unlock()
	<-w.done
	return errors.Join(w.tx.close(), w.conn.Close(), w.db.Close())
}

func (w *writer) loop() {
	defer close(w.done)
	for first := range w.queue {
		w.commit(first)
	}
}

// commit makes one transaction of the first write and of those behind it. The transaction is
// begun before any of them is taken, so that the wait for another process's
// lock is one that callers can still leave.
func (w *writer) commit(first *write) {
	ctx := context.Background() // a caller's context must not end what others share
	_, err := w.conn.ExecContext(ctx, "BEGIN IMMEDIATE")
	batch := w.take(first)
	if err == nil {
		err = w.runAll(batch)
	}
	if err == nil {
		_, err = w.conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		// SQLite may have rolled back by itself; then this fails and is right to.
		_, _ = w.conn.ExecContext(ctx, "ROLLBACK")
	}
	for _, r := range batch {
		if err != nil {
			r.err = err
		}
		r.answer <- r.err
	}
}

// take claims what waits, up to a batch, and drops what its callers have left.
func (w *writer) take(first *write) []*write {
	batch := make([]*write, 0, min(batchSize, 1+len(w.queue)))
	for r := first; ; {
		if r.taken.CompareAndSwap(false, true) {
			batch = append(batch, r)
		}
		if len(batch) == batchSize {
			return batch
		}
		select {
		case next, open := <-w.queue:
			if !open {
				return batch
			}
			r = next
		default:
			return batch
		}
	}
}

// runAll runs the writes in turn. A conflict is found before its write has changed
// anything, so it needs no savepoint and touches nobody else; every other error is the
// disk's, and none of the batch can be relied upon.
func (w *writer) runAll(batch []*write) error {
	for _, r := range batch {
		r.err = r.run(w.tx)
		if r.err != nil && !errors.Is(r.err, ErrConflict) {
			return r.err
		}
	}
	return nil
}

// writeTx is what a write can do, inside the open transaction. Its errors,
// ErrConflict apart, condemn the transaction.
type writeTx struct {
	version, put, rewrite, write, drop, total, setTotal, dropTotal *sql.Stmt
}

func (tx *writeTx) prepare(ctx context.Context, conn *sql.Conn) (err error) {
	for _, p := range []struct {
		to  **sql.Stmt
		sql string
	}{
		{&tx.version, `SELECT version FROM item
			WHERE bucket = ? AND name = ? AND (expires IS NULL OR expires > ?)`},
		{&tx.put, `INSERT INTO item (bucket, name, value, body, version, expires) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET value = excluded.value, body = excluded.body, version = excluded.version, expires = excluded.expires`},
		{&tx.rewrite, `UPDATE body SET value = ? WHERE id = (SELECT body FROM item WHERE bucket = ? AND name = ?) RETURNING id`},
		{&tx.write, `INSERT INTO body (value) VALUES (?) RETURNING id`},
		{&tx.drop, `DELETE FROM item WHERE bucket = ? AND name = ?`},
		{&tx.total, `SELECT total, expires FROM counter
			WHERE bucket = ? AND name = ? AND (expires IS NULL OR expires > ?)`},
		{&tx.setTotal, `INSERT INTO counter (bucket, name, total, expires) VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET total = excluded.total, expires = excluded.expires`},
		{&tx.dropTotal, `DELETE FROM counter WHERE bucket = ? AND name = ?`},
	} {
		if *p.to, err = conn.PrepareContext(ctx, p.sql); err != nil {
			return err
		}
	}
	return nil
}

// close matters: statements of a sql.Conn are nobody else's to close, and one
// left open would keep the file open and locked.
func (tx *writeTx) close() error {
	var errs []error
	for _, stmt := range []*sql.Stmt{tx.version, tx.put, tx.rewrite, tx.write, tx.drop, tx.total, tx.setTotal, tx.dropTotal} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	return errors.Join(errs...)
}

func (tx *writeTx) compare(bucket string, op Op, now int64) error {
	if op.If == Any {
		return nil
	}
	var version uint64
	err := tx.version.QueryRow(bucket, []byte(op.Name), now).Scan(&version)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if version != op.Version { // both are zero where nothing is and nothing should be
		return fmt.Errorf("store: apply: %w", ErrConflict)
	}
	return nil
}

func (tx *writeTx) change(bucket string, op Op, now int64) error {
	expires := toMillis(op.Expires)
	if op.Delete || (expires.Valid && expires.Int64 <= now) {
		_, err := tx.drop.Exec(bucket, []byte(op.Name))
		return err
	}
	value, body := op.Value, sql.NullInt64{}
	if len(value) >= longValue {
		var err error
		if body, err = tx.body(bucket, op.Name, value); err != nil {
			return err
		}
		value = nil
	}
	if value == nil {
		value = []byte{} // nil would be NULL
	}
	_, err := tx.put.Exec(bucket, []byte(op.Name), value, body, int64(op.newVersion()), expires)
	return err
}

// body puts a long value where the item of that name has one, or in a row of its own.
func (tx *writeTx) body(bucket, name string, value []byte) (id sql.NullInt64, err error) {
	err = tx.rewrite.QueryRow(value, bucket, []byte(name)).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = tx.write.QueryRow(value).Scan(&id)
	}
	return id, err
}

type counter struct {
	exists  bool
	total   int64
	expires sql.NullInt64
}

func (tx *writeTx) counter(bucket, name string, now int64) (c counter, err error) {
	err = tx.total.QueryRow(bucket, []byte(name), now).Scan(&c.total, &c.expires)
	if errors.Is(err, sql.ErrNoRows) {
		return counter{}, nil
	}
	c.exists = true
	return c, err
}

func (tx *writeTx) setCounter(bucket, name string, total int64, expires sql.NullInt64) error {
	_, err := tx.setTotal.Exec(bucket, []byte(name), total, expires)
	return err
}
