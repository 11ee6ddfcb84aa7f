package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrNotStore says that a file is something else than a store of ours.
var ErrNotStore = errors.New("not a countersign store")

// ErrInUse says that somebody has a store open that nobody may have open.
var ErrInUse = errors.New("in use")

// applicationID marks a SQLite file as ours ("CsgN"); file(1) and SQLite itself
// keep it in the header.
const applicationID = 0x4373674e

// migrations bring a file from the schema version of their index to the next.
// Their number is the version that this program writes. One that has been
// released is never edited.
var migrations = []string{
	// WITHOUT ROWID: a row lies where its name sorts, so that a scan of index entries
	// reads neighbouring pages and a look-up walks one tree.
	`CREATE TABLE item (
		bucket TEXT NOT NULL, name BLOB NOT NULL,
		value BLOB NOT NULL, version INTEGER NOT NULL, expires INTEGER,
		PRIMARY KEY (bucket, name)) STRICT, WITHOUT ROWID;
	CREATE INDEX item_expires ON item (expires) WHERE expires IS NOT NULL;
	CREATE TABLE counter (
		bucket TEXT NOT NULL, name BLOB NOT NULL,
		total INTEGER NOT NULL, expires INTEGER,
		PRIMARY KEY (bucket, name)) STRICT, WITHOUT ROWID;
	CREATE INDEX counter_expires ON counter (expires) WHERE expires IS NOT NULL`,
	// Long values are in a table of their own: in the tree of names each one that a look-up passes would be
	// read whole, to compare its name. What is there stays in its row until it is next written.
	`CREATE TABLE body (id INTEGER PRIMARY KEY, value BLOB NOT NULL) STRICT;
	DROP INDEX item_expires;
	ALTER TABLE item RENAME TO item_before;
	CREATE TABLE item (
		bucket TEXT NOT NULL, name BLOB NOT NULL,
		version INTEGER NOT NULL, expires INTEGER, body INTEGER, value BLOB NOT NULL,
		PRIMARY KEY (bucket, name)) STRICT, WITHOUT ROWID;
	INSERT INTO item (bucket, name, version, expires, value) SELECT bucket, name, version, expires, value FROM item_before;
	DROP TABLE item_before;
	CREATE INDEX item_expires ON item (expires) WHERE expires IS NOT NULL;
	CREATE TRIGGER item_deleted AFTER DELETE ON item WHEN old.body IS NOT NULL
		BEGIN DELETE FROM body WHERE id = old.body; END;
	CREATE TRIGGER item_shortened AFTER UPDATE OF body ON item WHEN old.body IS NOT NULL AND new.body IS NULL
		BEGIN DELETE FROM body WHERE id = old.body; END`,
}

// longValue is from how many bytes on a value has a row of its own in body. What is below it is as long as a name.
const longValue = 256

// openFile opens a SQLite file; mode is SQLite's own word ("ro", "rw"), and
// nothing but these parameters can come in through a strange path.
func openFile(path, mode string, busy time.Duration, params ...string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	sqlite.StrictPragmas(true)
	query := fmt.Sprintf("mode=%s&_busy_timeout=%d", mode, busy.Milliseconds())
	for _, p := range params {
		query += "&" + p
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: query}
	return sql.Open("sqlite", u.String())
}

// prepareFile makes sure that there is a file of ours with the current schema.
func prepareFile(ctx context.Context, path string, busy time.Duration) (err error) {
	if err := createFile(path); err != nil {
		return err
	}
	db, err := openFile(path, "rw", busy, "_synchronous=FULL")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	// Nothing of a stranger's file may change, so it is identified before
	// it is put into WAL mode.
	if _, err := fileVersion(ctx, db, len(migrations)); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "PRAGMA journal_mode = WAL"); err != nil {
		return err
	}
	return migrate(ctx, db, migrations)
}

// createFile makes an empty file for its owner alone; SQLite gives its side files the
// same mode. An existing one is not opened: closing it would drop the locks
// that this process may hold on it.
func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		if info, err := os.Stat(path); err != nil {
			return err
		} else if !info.Mode().IsRegular() {
			return fmt.Errorf("%w: it is no regular file", ErrNotStore)
		}
		return os.Chmod(path, 0o600)
	}
	if err != nil {
		return err
	}
	return errors.Join(ownLike(path, filepath.Dir(path)), f.Close())
}

// fileVersion returns the schema version of a file of ours, 0 for an empty
// file, and an error for anything else and for a version above newest.
func fileVersion(ctx context.Context, db queryer, newest int) (int, error) {
	var id, version, tables int
	for _, q := range []struct {
		text string
		into *int
	}{{"PRAGMA application_id", &id}, {"PRAGMA user_version", &version}, {"SELECT count(*) FROM sqlite_schema", &tables}} {
		err := db.QueryRowContext(ctx, q.text).Scan(q.into)
		if isSQLite(err, sqlite3.SQLITE_NOTADB) {
			return 0, ErrNotStore
		}
		if err != nil {
			return 0, err // the others would say the same
		}
	}
	switch {
	case id == 0 && version == 0 && tables == 0:
		return 0, nil
	case id != applicationID:
		return 0, fmt.Errorf("%w but another program's database (application id %#x)", ErrNotStore, id)
	case version > newest:
		return 0, fmt.Errorf("made by a newer version of countersign (schema %d, this one knows %d): downgrade refused", version, newest)
	}
	return version, nil
}

// isSQLite says whether the error is SQLite's, with one of these primary codes.
func isSQLite(err error, codes ...int) bool {
	said, ok := errors.AsType[*sqlite.Error](err)
	return ok && slices.Contains(codes, said.Code()&0xff)
}

type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// migrate brings the file up to date in one transaction: it ends in the
// old schema or in the new one.
func migrate(ctx context.Context, db *sql.DB, steps []string) (err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	// Another process may be doing the same: look again under the lock.
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := migrateLocked(ctx, conn, steps); err != nil {
		_, back := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return errors.Join(err, back)
	}
	_, err = conn.ExecContext(ctx, "COMMIT")
	return err
}

func migrateLocked(ctx context.Context, conn *sql.Conn, steps []string) error {
	version, err := fileVersion(ctx, conn, len(steps))
	if err != nil {
		return err
	}
	for ; version < len(steps); version++ {
		stamp := fmt.Sprintf("; PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, version+1)
		if _, err := conn.ExecContext(ctx, steps[version]+stamp); err != nil {
			return fmt.Errorf("migrate from schema %d: %w", version, err)
		}
	}
	return nil
}
