package store

import (
	"context"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// Limiter implements proofing.Limiter over any back end. Keys are not
// sealed: what is secret in one is hashed by its maker. A key and its prefix
// must fit in MaxName.
type Limiter struct{ kv KV }

var _ proofing.Limiter = Limiter{}

// NewLimiter returns the limiter that counts in that back end.
func NewLimiter(kv KV) Limiter { return Limiter{kv} }

// Add implements proofing.Limiter. A window is cut to whole milliseconds and is at
// least one.
func (l Limiter) Add(ctx context.Context, key string, n int64, window time.Duration) (total int64, resets time.Time, err error) {
	if window > 0 {
		window = max(window, time.Millisecond)
	}
	return l.kv.Add(ctx, proofing.BucketOf([]byte(key)), "l/"+key, n, window)
}
