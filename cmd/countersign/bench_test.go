package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// benchStores and benchOperations name the rows of the table in docs/performance.md.
var benchStores = []struct{ name, fsync string }{{"redis", "always"}, {"embedded", ""}, {"redis-everysec", "everysec"}}

var benchOperations = []struct {
	name string
	run  func(*bench, time.Duration) outcome
}{{"echo", (*bench).echo}, {"open+begin", (*bench).openAndBegin}, {"status", (*bench).status}, {"answer", (*bench).answer}}

// benchRow begins a row of that table.
func benchRow(store, operation string) string { return "| " + store + " | " + operation + " | " }

// BenchmarkService prints what docs/performance.md holds: how fast the program answers, as a
// part of how fast the same program echoes JSON in the same seconds, with what
// each operation costs in processor time. Run it by `make bench`.
//
// The server, its Redis and this generator share one machine; so do others, whose processor
// time is measured too: a round with more of it than strangers may have is marked.
func BenchmarkService(b *testing.B) {
	for _, s := range benchStores {
		b.Run(s.name, func(b *testing.B) {
			for range b.N {
				benchService(b, s.name, s.fsync)
			}
		})
	}
}

func benchSetting(name string, otherwise float64) float64 {
	if v, err := strconv.ParseFloat(os.Getenv(name), 64); err == nil {
		return v
	}
	return otherwise
}

// figure is one operation in one round.
type figure struct {
	outcome
	usage
	rest time.Duration // until nothing was owed any more
}

func (f figure) per(seconds float64) float64 { return seconds * 1e6 / float64(max(f.good, 1)) }

// benchLength is how many rounds there are and how long an operation takes in each.
func benchLength() (rounds int, lasts time.Duration) {
	return int(benchSetting("BENCH_ROUNDS", 5)), time.Duration(benchSetting("BENCH_SECONDS", 2) * float64(time.Second))
}

func benchService(b *testing.B, name, fsync string) {
	rounds, lasts := benchLength()
	strangers, callers := benchSetting("BENCH_FOREIGN", 0.15), int(benchSetting("BENCH_CALLERS", 256))
	x := startBench(b, name, fsync, callers)
	for _, op := range benchOperations { // what is met first costs more
		op.run(x, lasts/4)
		x.drain()
	}
	figures := map[string][]figure{}
	var loads []map[string]load
	for round := range rounds {
		x.cases = nil
		for _, op := range benchOperations {
			before := x.usage()
			profiled := x.profile(name+"-"+op.name, round, lasts)
			o := op.run(x, lasts)
			f := figure{outcome: o, usage: x.usage().since(before)}
			if o.bad+o.refused > 0 {
				b.Errorf("%s: %d bad and %d refused: %s", op.name, o.bad, o.refused, o.first)
			}
			drained := time.Now()
			logged := x.drain()
			f.rest = time.Since(drained)
			all := x.usage().since(before)
			f.app, f.redis = all.app, all.redis // with all that follows from it
			note := ""
			if f.foreign/f.took.Seconds() > strangers {
				note = fmt.Sprintf("  (%.2f foreign processors)", f.foreign/f.took.Seconds())
			}
			fmt.Printf("%-9s round %d %-11s %8.0f/s  app %6.1f us  redis %5.1f us  generator %5.1f us  p50 %s p99 %s, logged %s and worked off %s later%s\n", name, round, op.name, f.rate(),
				f.per(f.app), f.per(f.redis), f.per(f.own), f.at(.5).Round(10*time.Microsecond), f.at(.99).Round(10*time.Microsecond), logged.Round(time.Millisecond), f.rest.Round(time.Millisecond), note)
			<-profiled
			figures[op.name] = append(figures[op.name], f)
		}
		if slices.Contains(benchLoaded, name) {
			loads = append(loads, x.loads(name, round, lasts, figures["echo"][round].rate(), figures["status"][round].rate()))
		}
	}
	for _, op := range benchOperations {
		var ratios, rates, app, redis, foreign []float64
		var late []time.Duration
		for i, f := range figures[op.name] {
			ratios = append(ratios, f.rate()/figures["echo"][i].rate())
			rates, app, redis = append(rates, f.rate()), append(app, f.per(f.app)), append(redis, f.per(f.redis))
			late, foreign = append(late, f.at(.99)), append(foreign, f.foreign/f.took.Seconds())
		}
		fmt.Printf("%s%.3f | %.0f | %.0f | %.0f | %.1f | %.2f |\n", benchRow(name, op.name), median(ratios), median(rates), median(app), median(redis),
			float64(median(late).Microseconds())/1000, median(foreign))
		b.ReportMetric(median(ratios), op.name+"/echo")
	}
	if len(loads) > 0 {
		printLoads(b, name, loads)
	}
}

// profile writes a profile of the server in the first round, if BENCH_PROFILES names a folder for it.
func (x *bench) profile(name string, round int, lasts time.Duration) (done <-chan struct{}) {
	end, dir := make(chan struct{}), os.Getenv("BENCH_PROFILES")
	go func() {
		defer close(end)
		if dir == "" || round > 0 {
			return
		}
		text := x.control(fmt.Sprintf("/debug/pprof/profile?seconds=%d", max(1, int(benchSetting("BENCH_PROFILE_SECONDS", lasts.Seconds())))))
		if err := os.WriteFile(filepath.Join(dir, name+".pprof"), []byte(text), 0o600); err != nil {
			x.b.Error(err)
		}
	}()
	return end
}

func median[T cmp.Ordered](list []T) T {
	slices.Sort(list)
	return list[len(list)/2]
}

// echo, status, openAndBegin and answer are the operations, each by all callers at once.
func (x *bench) echo(lasts time.Duration) outcome {
	wires, request := x.to("echo", x.callers), x.echoRequest()
	return closedLoop(x.callers, lasts, func(caller int, o *outcome) bool {
		began := time.Now()
		r, err := wires[caller].ask(request)
		o.count(r, err, 200, time.Since(began))
		return err == nil
	})
}

func (x *bench) status(lasts time.Duration) outcome {
	wires := x.to("cas", x.callers)
	var requests [][]byte
	for _, c := range x.cases {
		requests = append(requests, x.statusRequest(c))
	}
	return closedLoop(x.callers, lasts, func(caller int, o *outcome) bool {
		began := time.Now()
		r, err := wires[caller].ask(requests[rand.IntN(len(requests))])
		o.count(r, err, 200, time.Since(began))
		return err == nil
	})
}

func (x *bench) openAndBegin(lasts time.Duration) outcome {
	cas, people := x.to("cas", x.callers), x.to("people", x.callers)
	var turn atomic.Int64
	turn.Store(int64(x.n))
	var mu sync.Mutex
	o := closedLoop(x.callers, lasts, func(caller int, o *outcome) bool {
		n := int(turn.Add(1))
		began := time.Now()
		r, err := cas[caller].ask(x.openRequest(n))
		if err != nil || r.status != 201 {
			o.count(r, err, 201, 0)
			return err == nil
		}
		c, err := opened(r.body)
		if err != nil {
			o.count(r, err, 201, 0)
			return false
		}
		r, err = people[caller].ask(c.beginRequest(n))
		o.count(r, err, 303, time.Since(began))
		mu.Lock()
		x.cases = append(x.cases, c)
		mu.Unlock()
		return err == nil
	})
	x.n = int(turn.Load())
	return o
}

func (x *bench) answer(time.Duration) outcome {
	people := x.to("people", x.callers)
	var turn atomic.Int64
	return closedLoop(x.callers, time.Minute, func(caller int, o *outcome) bool {
		n := int(turn.Add(1))
		if n > len(x.cases) {
			return false
		}
		request := x.cases[n-1].answerRequest(n)
		began := time.Now()
		r, err := people[caller].ask(request)
		o.count(r, err, 303, time.Since(began))
		return err == nil
	})
}
