package proofing

import "time"

// sweepParts is in how many parts all buckets are looked through. Looking finds nothing most of the time, and is still a round trip for each
// bucket and table: all of them at once would be what somebody waits behind who asks in that moment.
const sweepParts = 16

// sweep looks through all buckets again and again, evenly over the time that one round takes. The zero value begins with all of them.
type sweep struct {
	next int       // the bucket whose turn is next
	at   time.Time // when its turn came
}

// due are the buckets whose turn has come by now, of a round that takes so long; round says that one has come to its end.
func (w *sweep) due(now time.Time, takes time.Duration) (buckets []string, round bool) {
	turn := takes / Buckets
	n := int64(now.Sub(w.at) / turn)
	if w.at.IsZero() || n >= Buckets || n < 0 {
		w.next, w.at = 0, now
		return allBuckets(), true
	}
	for range n {
		buckets = append(buckets, bucketName(w.next))
		w.next = (w.next + 1) % Buckets
		round = round || w.next == 0
	}
	w.at = w.at.Add(time.Duration(n) * turn)
	return buckets, round
}
