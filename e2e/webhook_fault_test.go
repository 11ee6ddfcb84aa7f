package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// hostile are receivers that do not behave until they are told to.
var hostile = map[string]func(w http.ResponseWriter, gone <-chan struct{}, wrote *atomic.Int64){
	"hangs": func(_ http.ResponseWriter, gone <-chan struct{}, _ *atomic.Int64) { <-gone },
	"drips": func(w http.ResponseWriter, gone <-chan struct{}, _ *atomic.Int64) {
		w.WriteHeader(http.StatusInternalServerError)
		for {
			_, _ = io.WriteString(w, ".")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-gone:
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	},
	"endless": func(w http.ResponseWriter, _ <-chan struct{}, wrote *atomic.Int64) {
		w.WriteHeader(http.StatusInternalServerError)
		for piece := make([]byte, 32<<10); ; {
			n, err := w.Write(piece)
			if wrote.Add(int64(n)); err != nil {
				return
			}
		}
	},
	"swells": func(w http.ResponseWriter, gone <-chan struct{}, wrote *atomic.Int64) { // an endless head
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 500 No\r\n")
		for n := 0; ; n++ {
			more, err := fmt.Fprintf(c, "X-%d: %s\r\n", n, strings.Repeat("x", 4000))
			if wrote.Add(int64(more)); err != nil {
				return
			}
		}
	},
}

// TestAWebhookThatHangsOrNeverEndsKeepsNobodyBack gives CAs webhooks that hang, drip, or
// answer without end: others are told as if nothing were, what the process holds does not
// grow, and when such a webhook behaves it is told everything.
func TestAWebhookThatHangsOrNeverEndsKeepsNobodyBack(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	var well atomic.Bool
	// Who takes events, and which ids, by the CA's name.
	var mu sync.Mutex
	taken := map[string]map[string]bool{}
	var calls, wrote atomic.Int64
	cas := map[string]*program{}
	hook := func(name string, spoil func(http.ResponseWriter, <-chan struct{}, *atomic.Int64)) {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			_, _ = io.Copy(io.Discard, req.Body)
			if spoil != nil && !well.Load() {
				calls.Add(1)
				spoil(w, req.Context().Done(), &wrote)
				return
			}
			mu.Lock()
			taken[name][req.Header.Get("webhook-id")] = true
			mu.Unlock()
		}))
		t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
		one := *p
		one.token, taken[name] = secret("a CA's token", p.addCA(name)), map[string]bool{}
		p.command("webhook", "set", name, s.URL)
		cas[name] = &one
	}
	hook("good", nil)
	for name, spoil := range hostile {
		hook(name, spoil)
	}
	number := 0
	open := func(name string) {
		number++
		cas[name].preauthorize("address", fmt.Sprint("hook ", number), fmt.Sprintf("hook%d@example.org", number))
	}
	wants := func(name string) (ids []string) {
		events, _ := cas[name].feedFrom("")
		for _, e := range events {
			ids = append(ids, e.id)
		}
		return ids
	}
	told := func(name string, least int) func() bool {
		return func() bool {
			ids := wants(name)
			mu.Lock()
			defer mu.Unlock()
			for _, id := range ids {
				if !taken[name][id] {
					return false
				}
			}
			return len(ids) >= least
		}
	}
	for name := range hostile {
		for range 20 {
			open(name)
		}
	}
	await(t, "the hostile to be called", 10*time.Second, func() bool { return calls.Load() >= 4*4 })
	time.Sleep(2 * time.Second)
	_, goroutines := p.figures("go_goroutines")
	_, heap := p.figures("go_memstats_heap_inuse_bytes")
	rounds, slow := kills(20, 300), 0
	for n := range rounds { // more for everybody; only the good one's are taken
		for name := range cas {
			open(name)
		}
		began := time.Now()
		await(t, "the good one to be told", slowest, told("good", n+1))
		if took := time.Since(began); took > 5*time.Second {
			t.Logf("round %d: told after %v", n, took)
			slow++
		}
		time.Sleep(time.Second)
	}
	// Who waits behind calls that hang waits for their fifteen seconds again and again.
	if slow > rounds/4 {
		t.Errorf("the good one was told late in %d of %d rounds", slow, rounds)
	}
	// What is being mailed at this moment goes; what the hostile hold would stay, since they are called on.
	var laterGoroutines, laterHeap float64
	await(t, "the process to hold no more than before", 30*time.Second, func() bool {
		laterGoroutines, laterHeap = p.figure("go_goroutines"), p.figure("go_memstats_heap_inuse_bytes")
		return laterGoroutines <= goroutines+50 && laterHeap <= heap*2+16<<20
	})
	if made := calls.Load(); wrote.Load() > made*(8<<20) {
		t.Errorf("of %d calls %d MB were read", made, wrote.Load()>>20)
	}
	t.Logf("goroutines %.0f and %.0f, memory %.1f and %.1f MB, %d hostile calls, %d MB written by them", goroutines, laterGoroutines, heap/(1<<20), laterHeap/(1<<20), calls.Load(), wrote.Load()>>20)
	well.Store(true) // one that has failed for long is tried every five minutes, and a quarter more
	for name := range hostile {
		await(t, "the one that "+name+" to be told everything", 8*time.Minute, told(name, 20))
	}
}
