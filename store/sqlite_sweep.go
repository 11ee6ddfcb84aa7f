package store

import (
	"context"
	"time"
)

// sweepSize is the most rows of each table that one removal takes, so that no
// caller waits long behind it.
const sweepSize = 500

func (s *SQLite) sweepEvery(d time.Duration) {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-s.closed:
			return
		case <-t.C:
		}
		// A sweep that fails is no news: whoever writes hears of the same trouble,
		// and the next sweep tries again.
		for more := true; more; {
			more, _ = s.sweep()
			select {
			case <-s.closed:
				return
			default:
			}
		}
	}
}

// sweep removes up to sweepSize expired rows of each table and says whether
// there may be more.
func (s *SQLite) sweep() (more bool, err error) {
	err = s.writes.do(context.Background(), "sweep", func(*writeTx) error {
		now := s.now().UnixMilli()
		for _, table := range []string{"item", "counter"} {
			n, err := s.writes.sweepTable(table, now)
			if err != nil {
				return err
			}
			more = more || n == sweepSize
		}
		return nil
	})
	return more && err == nil, err
}

func (w *writer) sweepTable(table string, now int64) (int64, error) {
	result, err := w.conn.ExecContext(context.Background(), `DELETE FROM `+table+` WHERE (bucket, name) IN
		(SELECT bucket, name FROM `+table+` WHERE expires <= ? LIMIT ?)`, now, sweepSize)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
