package store

import (
	"context"
	"database/sql"
	"errors"
)

var _ Movable = (*SQLite)(nil)

// counterPage is how many counters are read at a time.
const counterPage = 500

// EachCounter implements Movable.
func (s *SQLite) EachCounter(ctx context.Context, visit func(bucket string, some []Counter) error) error {
	for _, bucket := range allBuckets() {
		for after := ""; ; {
			page, err := s.counterPage(ctx, bucket, after)
			if err != nil {
				return unavailable("counters", cause(ctx, err))
			}
			if len(page) > 0 {
				if err := visit(bucket, page); err != nil {
					return err
				}
				after = page[len(page)-1].Name
			}
			if len(page) < counterPage {
				break
			}
		}
	}
	return nil
}

func (s *SQLite) counterPage(ctx context.Context, bucket, after string) (_ []Counter, err error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT name, total, expires FROM counter
		WHERE bucket = ? AND name > ? AND (expires IS NULL OR expires > ?)
		ORDER BY name LIMIT ?`, bucket, []byte(after), s.now().UnixMilli(), counterPage)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var page []Counter
	for rows.Next() {
		var c Counter
		var expires sql.NullInt64
		if err := rows.Scan(&c.Name, &c.Total, &expires); err != nil {
			return nil, err
		}
		c.Expires = fromMillis(expires)
		page = append(page, c)
	}
	return page, rows.Err()
}

// Counters implements Movable.
func (s *SQLite) Counters(ctx context.Context, bucket string, names []string) ([]Counter, error) {
	if err := checkNames(bucket, names); err != nil {
		return nil, err
	}
	stmt, err := s.reads.PrepareContext(ctx, `SELECT total, expires FROM counter
		WHERE bucket = ? AND name = ? AND (expires IS NULL OR expires > ?)`)
	if err != nil {
		return nil, unavailable("counters", cause(ctx, err))
	}
	defer func() { _ = stmt.Close() }() // it has changed nothing
	now := s.now().UnixMilli()
	var found []Counter
	for _, name := range names {
		c := Counter{Name: name}
		var expires sql.NullInt64
		err := stmt.QueryRowContext(ctx, bucket, []byte(name), now).Scan(&c.Total, &expires)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, unavailable("counters", cause(ctx, err))
		}
		c.Expires = fromMillis(expires)
		found = append(found, c)
	}
	return found, nil
}

// SetCounters implements Movable.
func (s *SQLite) SetCounters(ctx context.Context, bucket string, counters []Counter) error {
	if err := checkCounters(bucket, counters); err != nil {
		return err
	}
	return s.writes.do(ctx, "set counters", func(tx *writeTx) error {
		now := s.now().UnixMilli()
		for _, c := range counters {
			expires := toMillis(c.Expires)
			if expires.Valid && expires.Int64 <= now {
				if _, err := tx.dropTotal.Exec(bucket, []byte(c.Name)); err != nil {
					return err
				}
				continue
			}
			if err := tx.setCounter(bucket, c.Name, c.Total, expires); err != nil {
				return err
			}
		}
		return nil
	})
}
