package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

// Backup writes a copy of the store, as it is at one moment, to a new file of
// mode 0600, while the store is used. The file appears whole and synced or not
// at all; one that exists is never overwritten (os.ErrExist).
//
// What is sealed stays sealed: the key ring is not part of a backup. It must be
// kept elsewhere, for without it a backup cannot be read by anybody, and with it
// beside the backup by everybody who finds the two.
func (s *SQLite) Backup(ctx context.Context, path string) error {
	if _, err := os.Lstat(path); err == nil { // say so before the work, too
		return fmt.Errorf("store: back up to %s: %w", path, os.ErrExist)
	}
	err := writeFile(path, false, func(f *os.File) error { return s.copyTo(ctx, f.Name()) })
	if err != nil {
		return fmt.Errorf("store: back up to %s: %w", path, err)
	}
	return nil
}

// copyTo goes through a connection of its own, since VACUUM INTO is
// not for those that are query_only. It reads from one snapshot and holds up no writer.
func (s *SQLite) copyTo(ctx context.Context, path string) (err error) {
	select {
	case <-s.closed:
		return unavailable("back up", errClosed)
	default:
	}
	db, err := openFile(s.path, "rw", time.Second)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", path)
	return err
}

// Restore puts a copy of the backup in the file from in place as the store in
// the file to, after it has found the copy to be whole, a store of ours, and of
// a schema that this program knows. An existing store is replaced only with
// overwrite, and never while another process has it open (ErrInUse).
//
// The key ring that the backup was sealed with must be there too: see Backup.
func Restore(ctx context.Context, from, to string, overwrite bool) error {
	err := restore(ctx, from, to, overwrite)
	switch {
	case errors.Is(err, ErrNotStore):
		return fmt.Errorf("store: %s is %w", from, err)
	case err != nil:
		return fmt.Errorf("store: restore %s to %s: %w", from, to, err)
	}
	return nil
}

func restore(ctx context.Context, from, to string, overwrite bool) error {
	if info, err := os.Stat(from + "-wal"); err == nil && info.Size() > 0 {
		return errors.New("not a backup but a store in use: its last changes are in its log")
	}
	if _, err := os.Lstat(to); err == nil && !overwrite {
		return os.ErrExist
	}
	return writeFile(to, overwrite, func(f *os.File) error {
		// The copy is verified, not the source: it is the copy that will be used.
		if err := copyInto(f, from); err != nil {
			return err
		}
		if err := verify(ctx, f.Name()); err != nil {
			return err
		}
		if err := ownLike(f.Name(), to); err != nil {
			return err
		}
		return retire(ctx, to)
	})
}

// verify reads the whole file.
func verify(ctx context.Context, path string) (err error) {
	db, err := openFile(path, "ro", time.Second, "immutable=1")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	version, err := fileVersion(ctx, db, len(migrations))
	if err != nil {
		return err
	}
	if version == 0 {
		return fmt.Errorf("%w: it is empty", ErrNotStore)
	}
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		return fmt.Errorf("integrity check: %w", err)
	}
	if verdict != "ok" {
		return fmt.Errorf("integrity check: %s", verdict)
	}
	return nil
}

// retire readies a store for being replaced. Its log must be gone before the
// new file has its name, or SQLite would replay it into the new one.
func retire(ctx context.Context, path string) error {
	if _, err := os.Lstat(path); err == nil {
		if err := leaveWAL(ctx, path); err != nil {
			return err
		}
	}
	for _, side := range []string{"-wal", "-shm"} {
		if err := os.Remove(path + side); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// leaveWAL succeeds only where nobody else has the file open, which is what it
// is for. A file too broken to tell is no reason to keep it: it is
// what restoring is for.
func leaveWAL(ctx context.Context, path string) (err error) {
	db, err := openFile(path, "rw", time.Second)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var mode string
	err = db.QueryRowContext(ctx, "PRAGMA journal_mode = DELETE").Scan(&mode)
	switch {
	case isSQLite(err, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
		return nil
	case isSQLite(err, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED), err == nil && mode != "delete":
		return ErrInUse
	case err != nil:
		return fmt.Errorf("leave WAL mode: %w", err)
	}
	return nil
}

// Unused returns an error that wraps ErrInUse if any process, this one too, has the store
// in the file open. A file that is no store of ours is left as it is (ErrNotStore).
func Unused(ctx context.Context, path string) error {
	err := identify(ctx, path)
	if err == nil {
		err = leaveWAL(ctx, path)
	}
	if err != nil {
		return fmt.Errorf("store: %s: %w", path, err)
	}
	return nil
}

func identify(ctx context.Context, path string) (err error) {
	db, err := openFile(path, "ro", time.Second)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = fileVersion(ctx, db, len(migrations))
	return err
}
