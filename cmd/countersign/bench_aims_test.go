package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// benchLoads name the rows of the second table in docs/performance.md: a CA that opens cases as fast as
// answers come, which is the peak; requests that come on their own time, at half of what the peak was in the same
// round, and echoes at half of theirs, which say what waiting the machine itself makes; and at four times the peak, over
// more connections than may have a request in hand.
var benchLoads = []string{"open, peak", "echo, half", "open, half", "status, half", "open, four times"}

// benchLoaded are the stores that these are measured on.
var benchLoaded = []string{"redis", "embedded"}

// benchCommits names the row of the third.
const benchCommits = "64 callers"

// crowd is how many connections four times the peak comes over: twice as many as
// listeners.max_requests lets have something in hand.
const crowd = 1024

// load is one of those loads in one round.
type load struct {
	outcome
	factor, ofPeak float64 // asked and answered of the peak
	// busy is how many processors the server, its Redis and the generator had while it asked, and foreign how many others had.
	busy, foreign float64
}

// loads measures all of them; echo and status are how fast those were in this round.
func (x *bench) loads(store string, round int, lasts time.Duration, echo, status float64) map[string]load {
	var turn atomic.Int64
	turn.Store(int64(x.n))
	open := func() []byte { return x.openRequest(int(turn.Add(1))) }
	var mu sync.Mutex
	x.cases = nil // those of before are granted by now, and their first status signs and stores a statement
	look := func() []byte { return x.statusRequest(x.cases[rand.IntN(len(x.cases))]) }
	all := map[string]load{}
	measure := func(name string, peak float64, run func() outcome) float64 {
		before := x.usage()
		profiled := x.profile(store+"-"+strings.NewReplacer(", ", "-", " ", "-").Replace(name), round, lasts)
		o := run()
		used := x.usage().since(before)
		<-profiled
		if o.bad > 0 || o.good == 0 {
			x.b.Errorf("%s: %d good and %d bad: %s", name, o.good, o.bad, o.first)
		}
		l := load{outcome: o, busy: (used.app + used.redis + used.own) / o.took.Seconds(), foreign: used.foreign / o.took.Seconds()}
		if peak == 0 {
			peak = o.rate()
		}
		l.factor, l.ofPeak = o.askedRate()/peak, o.rate()/peak
		all[name] = l
		x.drain()
		return o.rate()
	}
	wires := x.to("cas", x.callers)
	peak := measure("open, peak", 0, func() outcome {
		return closedLoop(x.callers, lasts, func(caller int, o *outcome) bool {
			began := time.Now()
			r, err := wires[caller].ask(open())
			o.count(r, err, 201, time.Since(began))
			if c, err := opened(r.body); err == nil {
				mu.Lock()
				x.cases = append(x.cases, c)
				mu.Unlock()
			}
			return err == nil
		})
	})
	echoes, request := x.to("echo", x.callers), x.echoRequest()
	measure("echo, half", echo, func() outcome {
		return openLoop(echoes, echo/2, lasts, 200, func() []byte { return request })
	})
	measure("open, half", peak, func() outcome { return openLoop(wires[:x.callers], peak/2, lasts, 201, open) })
	measure("status, half", status, func() outcome { return openLoop(wires[:x.callers], status/2, lasts, 200, look) })
	// Those of the crowd come when they are needed, and go: the server ends connections over which nothing is asked.
	many := x.to("cas", crowd)
	measure("open, four times", peak, func() outcome { return openLoop(many, 4*peak, lasts, 201, open) })
	x.part("cas", x.callers)
	x.n = int(turn.Load())
	return all
}

// printLoads prints the rows, medians of the rounds.
func printLoads(b *testing.B, store string, rounds []map[string]load) {
	for _, name := range benchLoads {
		var asked, factor, good, ofPeak, refused, late, busy, foreign []float64
		for _, r := range rounds {
			l := r[name]
			asked, factor = append(asked, l.askedRate()), append(factor, l.factor)
			good, ofPeak = append(good, l.rate()), append(ofPeak, l.ofPeak)
			refused, late, foreign = append(refused, float64(l.refused)/l.took.Seconds()), append(late, float64(l.at(.99).Microseconds())/1000), append(foreign, l.foreign)
			busy = append(busy, l.busy)
		}
		fmt.Printf("%s%.0f | %.2f | %.0f | %.2f | %.0f | %.1f | %.2f | %.2f |\n", benchRow(store, name), median(asked), median(factor), median(good), median(ofPeak), median(refused), median(late),
			median(busy), median(foreign))
		b.ReportMetric(median(factor), strings.ReplaceAll(strings.ReplaceAll(name, ", ", "-"), " ", "-")+"-asked/peak")
	}
}
