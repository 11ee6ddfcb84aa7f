package proofing_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// tallies is a Limiter in memory, for more messages than a disk would take in a test.
type tallies struct {
	mu    sync.Mutex
	now   func() time.Time
	kept  map[string]tallied
	calls int
}

type tallied struct {
	n   int64
	end time.Time
}

func (l *tallies) Add(_ context.Context, key string, n int64, window time.Duration) (int64, time.Time, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	c, ok := l.kept[key]
	if !ok || !c.end.IsZero() && !l.now().Before(c.end) {
		if delete(l.kept, key); n <= 0 {
			return 0, time.Time{}, nil
		}
		if c = (tallied{}); window > 0 {
			c.end = l.now().Add(window)
		}
	}
	c.n = max(c.n+n, 0)
	l.kept[key] = c
	return c.n, c.end, nil
}

// traffic is a town of people who ask for codes and mostly answer them.
type traffic struct {
	*world
	*rand.Rand
	limiter *tallies
	pending []answer
	refused int
}

type answer struct {
	at   time.Time
	c    *proofing.Case
	to   proofing.Contact
	sent []time.Time
}

func newTraffic(t *testing.T, seed uint64) *traffic {
	w := braked(t)
	tr := &traffic{world: w, Rand: rand.New(rand.NewPCG(seed, seed)), limiter: &tallies{now: w.clock, kept: map[string]tallied{}}}
	w.Limiter = tr.limiter
	return tr
}

func somewhere(country string, rng int) proofing.Contact {
	return proofing.Contact{Channel: proofing.ChannelPhone, Country: country, Prefix: proofing.Secret(fmt.Sprintf("+%s%06d", country, rng))}
}

// send is one message; with a delay it is answered after that.
func (tr *traffic) send(ca string, to proofing.Contact, delay time.Duration) error {
	c := &proofing.Case{ID: proofing.NewID(nil), CA: ca}
	sent, err := tr.CountText(tr.t.Context(), c, to)
	if err == nil && delay > 0 {
		tr.pending = append(tr.pending, answer{tr.clock().Add(delay), c, to, sent})
	}
	return err
}

// minute lets a minute pass, in which people send n messages of which some are answered.
func (tr *traffic) minute(n int, rate float64) {
	for range n {
		delay := time.Duration(0)
		if tr.Float64() < rate {
			delay = time.Duration(10+tr.ExpFloat64()*60) * time.Second
		}
		if err := tr.send("alpha", somewhere("GB", tr.IntN(2000)), delay); err != nil {
			tr.refused++
		}
	}
	tr.pass(time.Minute)
	slices.SortFunc(tr.pending, func(a, b answer) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	for len(tr.pending) > 0 && !tr.pending[0].at.After(tr.clock()) {
		a := tr.pending[0]
		tr.pending = tr.pending[1:]
		tr.AnsweredText(tr.t.Context(), a.c, a.to, a.sent)
	}
}

// learn lets weeks pass from which it is known what is usual.
func (tr *traffic) learn(rate float64) {
	for range 5 {
		for range 60 {
			tr.minute(5, rate)
		}
		tr.pass(7*24*time.Hour - time.Hour)
	}
}

// days passes with a daily pattern: next to nothing at night, a sharp rise in the morning.
func (tr *traffic) days(n int, peak int, rate float64) {
	for range n * 24 * 60 {
		hour := tr.clock().Hour()
		mean := float64(peak)
		switch {
		case hour < 6:
			mean /= 40
		case hour < 8 || hour > 20:
			mean /= 5
		case hour == 9:
			mean *= 1.5
		}
		n := int(mean)
		if tr.Float64() < mean-float64(n) {
			n++
		}
		tr.minute(n, rate)
	}
}

func TestUsualTrafficIsNeverHeldBack(t *testing.T) {
	for what, c := range map[string]struct {
		learn      bool
		days, peak int
		rate       float64
	}{
		"a quiet office":                 {false, 4, 1, .8},
		"a busy one":                     {false, 1, 12, .85},
		"one whose people often give up": {false, 2, 4, .5},
		"one that sends a great deal":    {false, 1, 20, .75},
		"one that knows what is usual":   {true, 2, 5, .9},
		"one that knows that few answer": {true, 2, 5, .45},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			tr := newTraffic(t, 7)
			if c.learn {
				tr.learn(c.rate)
			}
			tr.days(c.days, c.peak, c.rate)
			if all := tr.brakes(); tr.refused > 0 || len(all) > 0 {
				t.Errorf("%d messages refused by %d brakes, the first %+v", tr.refused, len(all), all[0])
			}
		})
	}
}

// TestPumpingManyRangesIsHeldBackByTheCountry spreads messages so thinly that no range
// tells, among honest ones.
func TestPumpingManyRangesIsHeldBackByTheCountry(t *testing.T) {
	for what, c := range map[string]struct {
		learn bool
		most  int // that may go out to the fraud before it is held back
	}{
		"an installation that knows nothing yet": {false, 330},
		"one that knows what is usual":           {true, 330},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			tr := newTraffic(t, 9)
			if c.learn {
				tr.learn(.8)
			}
			pumped := 0
			for ; pumped < 5000; pumped++ {
				if err := tr.send("alpha", somewhere("GB", 100_000+pumped), 0); err != nil {
					wantLimit(t, "a message", err, "brake")
					break
				}
				if pumped%20 == 0 {
					tr.minute(0, 0)
				}
			}
			t.Logf("%d messages went out", pumped)
			if pumped > c.most {
				t.Errorf("%d messages went out before the country was held back, want %d at most", pumped, c.most)
			}
			if err := tr.send("alpha", somewhere("US", 1), 0); err != nil {
				t.Errorf("another country: %v", err)
			}
			if err := tr.send("beta", somewhere("GB", 1), 0); err != nil {
				t.Errorf("another authority's people: %v", err)
			}
			tr.pass(time.Hour + time.Minute)
			if err := tr.send("alpha", somewhere("GB", 1), 0); err != nil {
				t.Errorf("after it let go: %v", err)
			}
		})
	}
}

// TestWhoAnswersSomeCodesMaySendTwiceAsMany states what an attacker gets who answers with
// numbers of their own: two more unanswered messages for each that is answered, beyond the bound.
func TestWhoAnswersSomeCodesMaySendTwiceAsMany(t *testing.T) {
	tr := newTraffic(t, 3)
	to := somewhere("GB", 5)
	for range 20 {
		if err := tr.send("alpha", to, time.Second); err != nil {
			t.Fatal(err)
		}
	}
	tr.minute(0, 0)
	n := 0
	for tr.send("alpha", to, 0) == nil {
		n++
	}
	if n != 40 {
		t.Errorf("%d unanswered messages went out beside 20 answered ones, want 40", n)
	}
}

// TestWhatIsAssumedHoldsAtOnceWhenItIsChanged changes it as a reload does, after it was judged by.
func TestWhatIsAssumedHoldsAtOnceWhenItIsChanged(t *testing.T) {
	tr := newTraffic(t, 3)
	beyond := func(rng int) (n int) {
		for range 20 {
			if err := tr.send("alpha", somewhere("GB", rng), time.Second); err != nil {
				t.Fatal(err)
			}
		}
		tr.minute(0, 0)
		for tr.send("alpha", somewhere("GB", rng), 0) == nil {
			n++
		}
		return n
	}
	if n := beyond(5); n != 40 {
		t.Errorf("while 60 %% are assumed to answer %d go unanswered beside 20, want 40", n)
	}
	changed := tr.Policy
	changed.Brake.Assumed = 40
	tr.Service = tr.With(changed, tr.Methods, tr.Sender, tr.Caller)
	if n := beyond(6); n != 90 {
		t.Errorf("once 40 %% are assumed to answer %d go unanswered beside 20, want 90", n)
	}
}

// TestJudgingCostsLittle bounds what a busy country's messages cost on average.
func TestJudgingCostsLittle(t *testing.T) {
	tr := newTraffic(t, 5)
	tr.days(1, 10, .6)
	messages := 0
	for range 20 {
		before := tr.limiter.calls
		tr.minute(100, .6)
		messages += 100
		if each := float64(tr.limiter.calls-before) / 100; each > 12 {
			t.Fatalf("%.1f calls of the counters for each message and its answer", each)
		}
	}
	if len(tr.limiter.kept) > 200_000 {
		t.Errorf("%d counters", len(tr.limiter.kept))
	}
}

func TestAFaultOfTheStoreIsNoBrake(t *testing.T) {
	w := braked(t)
	f := &faulty{KV: w.kv}
	w.over(f)
	for n := int64(1); n < 14; n++ {
		f.calls.Store(0)
		f.n = 0
		c := w.openAs("client", fmt.Sprint("fault", n), "fault@example.org")
		f.calls.Store(0)
		f.n = n
		if _, _, err := w.Begin(t.Context(), visit(c, "b"), "sms", fmt.Sprintf("+44740012%04d", n)); err != nil && !errors.Is(err, proofing.ErrUnavailable) {
			t.Errorf("call %d: %v", n, err)
		}
	}
}
