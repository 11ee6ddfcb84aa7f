package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-id/countersign/store/redistest"
)

// told is one event of a feed, as far as its order is concerned.
type told struct {
	id, object string
	sequence   int
}

// feedFrom reads a feed behind a cursor to its end, and returns the cursor behind it.
func (p *program) feedFrom(after string) (events []told, next string) {
	p.t.Helper()
	for next = after; ; {
		status, answer := p.call("GET", "/v1/events?limit=50&after="+url.QueryEscape(next), nil)
		if status != http.StatusOK {
			p.t.Fatalf("events: %d %v", status, answer)
		}
		page := answer["events"].([]any)
		for _, e := range page {
			e := e.(map[string]any)
			object, _ := e["data"].(map[string]any)["preauthorization"].(string)
			events = append(events, told{e["id"].(string), object, int(e["sequence"].(float64))})
		}
		next = answer["next"].(string)
		if len(page) == 0 {
			return events, next
		}
	}
}

// TestASequencerThatIsStoppedAndWakesUpIsFencedOff stops each of two processes in turn for
// longer than its lease: the other lists what happens meanwhile,
// and when the stopped one goes on the feed has no gap, no double and no disorder.
func TestASequencerThatIsStoppedAndWakesUpIsFencedOff(t *testing.T) {
	t.Parallel()
	p := newService(t, layout{processes: 2, store: onRedis([]*redistest.Server{redistest.Start(t, redistest.Durable()...)}, "")})
	each, running := both(p), []*exec.Cmd{p.cmd, p.others[0]}
	live := &sync.RWMutex{} // held for writing while a process is being stopped
	stopped := -1
	opened := map[string]bool{}
	var mu sync.Mutex
	over := make(chan struct{})
	var load sync.WaitGroup
	for n := range 6 {
		load.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-over:
					return
				case <-time.After(80 * time.Millisecond): // what is tested is who lists, and not how fast: a busy machine must keep up
				}
				live.RLock()
				at := each[n%2]
				if stopped == n%2 {
					at = each[1-n%2]
				}
				live.RUnlock()
				name := fmt.Sprintf("s%d-%d", n, i)
				status, answer, err := at.try("POST", "/v1/preauthorizations", request("address", name, name+"@example.org"))
				if err != nil || status != http.StatusCreated {
					continue // it was stopped with the request in hand
				}
				id := answer["id"].(string)
				mu.Lock()
				opened[id] = true
				mu.Unlock()
				if i%3 == 0 {
					_, _, _ = at.try("POST", "/v1/preauthorizations/"+id, map[string]any{"status": "deactivated"})
				}
			}
		})
	}
	var followed []told // by a CA that asks again and again
	cursor := ""
	follow := func(at *program) {
		more, next := at.feedFrom(cursor)
		followed, cursor = append(followed, more...), next
	}
	// After the first turn the other is the one that lists, and is stopped in the second.
	for turn := range kills(3, 40) {
		time.Sleep(2 * time.Second)
		which := turn % 2
		live.Lock()
		stopped = which
		live.Unlock()
		if err := running[which].Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		other := each[1-which]
		_, answer := other.call("POST", "/v1/preauthorizations", request("address", fmt.Sprint("turn ", turn), fmt.Sprintf("turn%d@example.org", turn)))
		mark := answer["id"].(string)
		await(t, "the other to take over", 3*time.Minute, func() bool {
			follow(other)
			return slices.ContainsFunc(followed, func(e told) bool { return e.object == mark })
		})
		time.Sleep(time.Second)
		if err := running[which].Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		live.Lock()
		stopped = -1
		live.Unlock()
		follow(each[which])
	}
	await(t, "a hundred authorizations: fewer are too little to have looked", 5*time.Minute, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(opened) >= 100
	})
	time.Sleep(time.Second)
	close(over)
	load.Wait()
	// A request that was in hand when its process was stopped may have come to an end after that, unheard.
	var whole []told
	await(t, "every change to be listed", 5*time.Minute, func() bool {
		whole, _ = p.feedFrom("")
		seen := map[string]bool{}
		for _, e := range whole {
			seen[e.object] = true
		}
		for id := range opened {
			if !seen[id] {
				return false
			}
		}
		again, _ := p.feedFrom("")
		return len(again) == len(whole)
	})
	follow(each[0])
	if !slices.Equal(followed, whole) {
		t.Errorf("who followed was told %d events, who reads the feed anew %d, or others", len(followed), len(whole))
	}
	if other, _ := each[1].feedFrom(""); !slices.Equal(other, whole) {
		t.Error("the two processes tell different feeds")
	}
	ids, last := map[string]bool{}, map[string]int{}
	for _, e := range whole {
		if ids[e.id] {
			t.Errorf("event %s is told twice", e.id)
		}
		ids[e.id] = true
		if last[e.object]++; e.sequence != last[e.object] {
			t.Errorf("of %s event %d is told in the place of %d", e.object, e.sequence, last[e.object])
		}
	}
	t.Logf("%d authorizations, %d events", len(opened), len(whole))
}
