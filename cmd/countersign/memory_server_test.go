package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// shiftedClock is ahead of the time by as much as it was told.
type shiftedClock struct{ ahead atomic.Int64 }

func (c *shiftedClock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// memory is what a server holds at one moment, in bytes.
type memory struct {
	// Heap is what lives on the heap with what the process remembers of records (Remembered, as
	// stored), Rest what is left of it when that is forgotten.
	Heap, Remembered, Rest uint64
	Inuse                  uint64 // spans of the heap, at the time of Heap
	Resident               uint64 // of the process, at the time of Heap
	Goroutines             int
}

// watchedInside lets the generator look into the server, and move its clock.
func (a *app) watchedInside(control *http.ServeMux, clock *shiftedClock) {
	control.HandleFunc("GET /later", func(w http.ResponseWriter, r *http.Request) {
		by, err := time.ParseDuration(r.FormValue("by"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		clock.ahead.Add(int64(by))
	})
	control.HandleFunc("GET /owed", func(w http.ResponseWriter, r *http.Request) {
		what, err := a.owed(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = fmt.Fprint(w, what)
	})
	control.HandleFunc("GET /memory", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(a.memory())
	})
}

// owed says what the worker, the sequencer or the deliveries still have to do; "": nothing.
func (a *app) owed(ctx context.Context) (string, error) {
	soon := fmt.Sprintf("%013d", a.now().Add(time.Minute).UnixMilli())
	due, _, err := a.service.Cases.List(ctx, proofing.Query{Index: "due", Below: soon, Limit: 1})
	if err != nil || len(due) > 0 {
		return "messages or effects", err
	}
	told, _, err := a.service.Cases.List(ctx, proofing.Query{Index: "entry", Below: "~", Limit: 1})
	if err != nil || len(told) > 0 {
		return "events", err
	}
	feeds, _, err := a.service.Feeds.List(ctx, proofing.Query{Index: "due", Below: "~", Limit: 1})
	if err != nil || len(feeds) > 0 {
		return "webhooks", err
	}
	return "", nil
}

// restingGoroutines is the fewest of a moment: looking through the buckets takes some hands again and again.
func restingGoroutines() int {
	fewest := runtime.NumGoroutine()
	for range 50 {
		time.Sleep(2 * time.Millisecond)
		fewest = min(fewest, runtime.NumGoroutine())
	}
	return fewest
}

// memory measures, and forgets what can be read again.
func (a *app) memory() (m memory) {
	var s runtime.MemStats
	settle := func() {
		for range 2 { // what a pool holds outlives one collection
			runtime.GC()
		}
		runtime.ReadMemStats(&s)
	}
	settle()
	m.Heap, m.Inuse, m.Remembered, m.Goroutines = s.HeapAlloc, s.HeapInuse, uint64(a.remembered()), restingGoroutines()
	debug.FreeOSMemory() // or what was in use at some time counts as resident for minutes
	m.Resident = resident()
	for range 2 {
		for _, t := range a.rememberers() {
			t.Age()
		}
	}
	settle()
	m.Rest = s.HeapAlloc
	return m
}

// resident is the memory of this process that the system keeps for it (proc(5), statm).
func resident() uint64 {
	var size, pages uint64
	text, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		_, err = fmt.Sscan(string(text), &size, &pages)
	}
	if err != nil {
		panic(err) // memory is measured on Linux alone
	}
	return pages * uint64(os.Getpagesize())
}

// plant names a leak that the server is to have.
const plant = "COUNTERSIGN_PLANTED_LEAK"

// planted is the handler with that leak, to show that it would be seen.
func planted(h http.Handler) http.Handler {
	leak := leaks[os.Getenv(plant)]
	if leak == nil {
		return h
	}
	var mu sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r)
		mu.Lock()
		defer mu.Unlock()
		leak(w, r)
	})
}

var leakedIDs = map[string]bool{}

// leaks are those that can be planted, by name.
var leaks = map[string]func(w http.ResponseWriter, r *http.Request){
	"ids": func(w http.ResponseWriter, _ *http.Request) { // of every case that is opened
		if url := w.Header().Get("Location"); url != "" {
			leakedIDs[url] = true
		}
	},
	"requests": func(_ http.ResponseWriter, r *http.Request) { // each with a goroutine that never ends
		go func() {
			<-make(chan struct{})
			runtime.KeepAlive(r)
		}()
	},
}

// Bounds on what may have grown between the first quarter of the samples and the last. What is remembered
// goes up and down by a sixth: it is forgotten a generation at a time.
const (
	mostGrowth     = 0.10
	mostSwing      = 0.20
	mostGoroutines = 5
)

// growth compares the medians of the first and the last quarter of the samples, and names what has
// grown. full says that what is remembered had reached its bounds before the first of them.
func growth(samples []memory, full bool) (grown []string) {
	quarter := len(samples) / 4
	if quarter == 0 {
		return []string{fmt.Sprintf("%d samples show nothing", len(samples))}
	}
	compare := func(what string, of func(memory) float64, bound func(first float64) float64) {
		var first, last []float64
		for i := range quarter {
			first, last = append(first, of(samples[i])), append(last, of(samples[len(samples)-1-i]))
		}
		if before, after := median(first), median(last); after > bound(before) {
			grown = append(grown, fmt.Sprintf("%s: %.0f in the first quarter, %.0f in the last", what, before, after))
		}
	}
	by := func(part float64) func(float64) float64 {
		return func(first float64) float64 { return first * (1 + part) }
	}
	compare("heap without remembered records", func(m memory) float64 { return float64(m.Rest) }, by(mostGrowth))
	compare("goroutines", func(m memory) float64 { return float64(m.Goroutines) }, func(first float64) float64 { return first + mostGoroutines })
	if full {
		compare("heap", func(m memory) float64 { return float64(m.Heap) }, by(mostSwing))
		compare("resident memory", func(m memory) float64 { return float64(m.Resident) }, by(mostSwing))
	}
	return grown
}

func TestGrowthIsSeen(t *testing.T) {
	flat := func(n int) (samples []memory) {
		for i := range n {
			samples = append(samples, memory{Heap: 100e6 + uint64(i%3)*5e6, Rest: 10e6 + uint64(i%2)*2e5, Resident: 200e6, Goroutines: 100 + i%4})
		}
		return samples
	}
	for _, c := range []struct {
		name   string
		n      int
		change func(i int, m *memory)
		full   bool
		grown  int
	}{
		{"nothing", 20, func(int, *memory) {}, true, 0},
		{"too few samples", 3, func(int, *memory) {}, true, 1},
		{"a heap that falls", 20, func(i int, m *memory) { m.Rest -= uint64(i) * 2e5 }, true, 0},
		{"what is not remembered", 20, func(i int, m *memory) { m.Rest += uint64(i) * 1e5 }, true, 1},
		{"what is remembered", 20, func(i int, m *memory) { m.Heap += uint64(i) * 2e6 }, true, 1},
		{"the same before it has reached its bounds", 20, func(i int, m *memory) { m.Heap += uint64(i) * 2e6 }, false, 0},
		{"goroutines", 20, func(i int, m *memory) { m.Goroutines += i }, false, 1},
		{"what is outside the heap", 20, func(i int, m *memory) { m.Resident += uint64(i) * 4e6 }, true, 1},
		{"one sample that stands out", 20, func(i int, m *memory) {
			if i == 17 {
				m.Rest, m.Heap, m.Resident, m.Goroutines = 2*m.Rest, 2*m.Heap, 2*m.Resident, 2*m.Goroutines
			}
		}, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			samples := flat(c.n)
			for i := range samples {
				c.change(i, &samples[i])
			}
			if grown := growth(samples, c.full); len(grown) != c.grown {
				t.Errorf("grown are %q", grown)
			}
		})
	}
}
