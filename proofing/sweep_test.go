package proofing

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// However late and however often it is asked, no bucket waits for longer than a round, and none has its turn for nothing.
func TestASweepComesByEveryBucketInItsTime(t *testing.T) {
	var w sweep
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	first, round := w.due(at, time.Second)
	if !slices.Equal(first, allBuckets()) || !round {
		t.Fatalf("it begins with %d buckets", len(first))
	}
	seen := map[string]time.Time{}
	for _, b := range first {
		seen[b] = at
	}
	looked, rounds := 0, 0
	began, late := at, time.Duration(0)
	for range 2000 {
		late = time.Duration(rand.Int64N(int64(150 * time.Millisecond)))
		at = at.Add(late)
		buckets, round := w.due(at, time.Second)
		looked += len(buckets)
		if round {
			rounds++
		}
		for _, b := range buckets {
			seen[b] = at
		}
		for b, last := range seen {
			if at.Sub(last) > time.Second+late {
				t.Fatalf("%s waits for %s", b, at.Sub(last))
			}
		}
	}
	whole := at.Sub(began).Seconds()
	if most := whole*Buckets + 1; float64(looked) > most || float64(looked) < most-Buckets || float64(rounds) > whole+1 || float64(rounds) < whole-2 {
		t.Errorf("%d looks and %d rounds in %.1f s", looked, rounds, whole)
	}
	if again, _ := w.due(at, time.Second); len(again) > 1 {
		t.Errorf("asked at once again: %d buckets", len(again))
	}
	if all, _ := w.due(at.Add(time.Minute), time.Second); len(all) != Buckets {
		t.Errorf("after a pause: %d buckets", len(all))
	}
	if all, _ := w.due(at.Add(-time.Hour), time.Second); len(all) != Buckets {
		t.Errorf("after the clock was set back: %d buckets", len(all))
	}
}
