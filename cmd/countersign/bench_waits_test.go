package main

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// waiters is how many wait at once for pages, and for answers to a CA.
const waiters = 64

// eased is how many requests a second those make who ask ten times a second each, which is more than people do.
const eased = 10 * waiters

// waited is a row of the tables of pages and of hooks in docs/performance.md. requests gives what is asked under each
// load, in turns, or each once, in which case a load ends when they do.
type waited struct {
	name, listener string
	requests       func() [][]byte
	once           bool
}

// next gives the requests of one load.
func (r waited) next() func() []byte {
	all := r.requests()
	var turn atomic.Int64
	return func() []byte {
		n := int(turn.Add(1)) - 1
		if r.once && n >= len(all) {
			return nil
		}
		return all[n%len(all)]
	}
}

// again are requests that can be asked as often as one likes.
func again(requests ...[]byte) func() [][]byte { return func() [][]byte { return requests } }

// waits prints how long each of the rows is waited for, of which the first is the echo that the others are compared with:
// as fast as answers come, in which each asks for the next as soon as it has the last; at half that rate; and at ten a
// second for each. In the last two a request counts from when it was due.
func (x *bench) waits(b *testing.B, store, kind string, rows []waited) {
	b.Helper()
	rounds, lasts := benchLength()
	type figures struct{ ratio, rate, cost, late, halfLate, easedLate, foreign []float64 }
	all := map[string]*figures{}
	for round := range rounds + 1 { // what is met first costs more
		var echo float64
		for _, row := range rows {
			wires := x.to(row.listener, waiters)
			next := row.next()
			x.drain()
			before := x.usage()
			profiled := x.profile(store+"-"+kind+"-"+row.name, round, lasts)
			fast := closedLoop(waiters, lasts, func(caller int, o *outcome) bool {
				request := next()
				if request == nil {
					return false
				}
				began := time.Now()
				r, err := wires[caller].ask(request)
				o.count(r, err, http.StatusOK, time.Since(began))
				return err == nil
			})
			u := x.usage().since(before)
			<-profiled
			half := openLoop(wires, fast.rate()/2, lasts, http.StatusOK, row.next())
			slow := openLoop(wires, eased, lasts, http.StatusOK, row.next())
			for _, o := range []outcome{fast, half, slow} {
				if bad := o.bad + o.refused; bad > 0 {
					b.Errorf("%s: %d bad or refused: %s", row.name, bad, o.first)
				}
			}
			if echo == 0 {
				echo = fast.rate()
			}
			if round == 0 {
				all[row.name] = &figures{}
				continue
			}
			f := all[row.name]
			f.ratio, f.rate, f.cost = append(f.ratio, fast.rate()/echo), append(f.rate, fast.rate()), append(f.cost, u.app*1e6/float64(max(fast.good, 1)))
			f.late, f.halfLate, f.easedLate = append(f.late, milliseconds(fast.at(.99))), append(f.halfLate, milliseconds(half.at(.99))), append(f.easedLate, milliseconds(slow.at(.99)))
			f.foreign = append(f.foreign, u.foreign/fast.took.Seconds())
		}
	}
	for _, row := range rows {
		f := all[row.name]
		fmt.Printf("%s%.3f | %.0f | %.0f | %.1f | %.1f | %.1f | %.2f |\n", benchRow(store, row.name), median(f.ratio), median(f.rate), median(f.cost),
			median(f.late), median(f.halfLate), median(f.easedLate), median(f.foreign))
		b.ReportMetric(median(f.late), row.name+"-p99-ms")
	}
}

// onLoadedStores runs a benchmark that ends by itself on each of the stores that loads are measured on.
func onLoadedStores(b *testing.B, run func(b *testing.B, name, fsync string)) {
	for _, s := range benchStores[:len(benchLoaded)] {
		b.Run(s.name, func(b *testing.B) {
			for range b.N {
				run(b, s.name, s.fsync)
			}
		})
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
