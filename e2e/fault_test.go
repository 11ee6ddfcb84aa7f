package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/store/redistest"
)

// figure is one of the figures that the service tells its operators.
func (p *program) figure(name string) float64 {
	p.t.Helper()
	resp, err := http.Get(p.operators[0] + "/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if text, found := strings.CutPrefix(lines.Text(), name+" "); found {
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				p.t.Fatal(err)
			}
			return value
		}
	}
	p.t.Fatalf("there is no figure %s", name)
	return 0
}

// figures looks at one of them for two seconds. A single look may meet what a request or a collection has in hand at that moment.
func (p *program) figures(name string) (least, most float64) {
	p.t.Helper()
	least = p.figure(name)
	most = least
	for range 20 {
		time.Sleep(100 * time.Millisecond)
		now := p.figure(name)
		least, most = min(least, now), max(most, now)
	}
	return least, most
}

// TestNothingIsLostOnABadLineToRedis spoils the line to the store in every way while CAs
// and people work.
func TestNothingIsLostOnABadLineToRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Durable()...)
	toRedis := newLine(t, server.Addr)
	p := newService(t, layout{store: onRedis([]*redistest.Server{{Addr: toRedis.addr}}, "")})
	p.hold(5, func(func()) {
		for range kills(1, 20) {
			spoilAll(t, toRedis)
		}
	})
}

// spoilAll goes through the faults of a line, with a good line between them.
func spoilAll(t testing.TB, l *line) {
	t.Helper()
	for _, f := range []fault{
		{latency: 30 * time.Millisecond},
		{cutUp: 700}, {cutUp: 1900}, {cutDown: 5}, {cutDown: 300},
		{refused: true}, {deaf: true}, {frozen: true},
	} {
		least := 1500 * time.Millisecond
		if f.frozen || f.deaf {
			least = 4 * time.Second
		}
		l.under(t, f, least, nil)
		time.Sleep(700 * time.Millisecond)
	}
	l.cutAll()
	time.Sleep(500 * time.Millisecond)
}

// TestAFrozenRedisIsRefusedEarly freezes the store under load: CAs and people are told 503
// and when to come again, first within the store's patience and then at once; what
// the process holds does not grow; and it recovers by itself.
func TestAFrozenRedisIsRefusedEarly(t *testing.T) {
	// By itself: it looks at how long answers take.
	server := redistest.Start(t, redistest.Durable()...)
	toRedis := newLine(t, server.Addr)
	p := newService(t, layout{store: onRedis([]*redistest.Server{{Addr: toRedis.addr}}, "")})
	before := p.preauthorize("address", "before", "before@example.org")
	h := p.person(before["case_url"].(string))
	if _, _, err := h.get(h.page); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	// Fifty callers at once, each again and again until stop is closed, who wait for their answers.
	work := func(stop <-chan struct{}, heard func(r *http.Response, began time.Time)) *sync.WaitGroup {
		var load sync.WaitGroup
		var mu sync.Mutex
		for n := range 50 {
			load.Go(func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(20 * time.Millisecond):
					}
					at := p.api + "/v1/preauthorizations/" + before["id"].(string)
					if n%2 == 0 {
						at = h.page
					}
					req, err := http.NewRequest("GET", at, nil)
					if err != nil {
						t.Error(err)
						return
					}
					req.Header.Set("Authorization", "Bearer "+p.token)
					began := time.Now()
					resp, err := client.Do(req)
					if err != nil {
						t.Errorf("no answer: %v", err)
						return
					}
					_, _ = io.Copy(io.Discard, resp.Body) // or the connection could not be used again
					resp.Body.Close()
					mu.Lock()
					heard(resp, began)
					mu.Unlock()
				}
			})
		}
		return &load
	}
	// What this machine gives them while the line is good: how soon nine of ten have an answer, and how many there are in three seconds.
	var good []time.Duration
	stop := make(chan struct{})
	load := work(stop, func(_ *http.Response, began time.Time) { good = append(good, time.Since(began)) })
	time.Sleep(3 * time.Second)
	close(stop)
	load.Wait()
	if len(good) == 0 {
		t.Fatal("nobody is answered while the line is good")
	}
	slices.Sort(good)
	usual := good[len(good)*9/10]

	toRedis.spoil(fault{frozen: true})
	frozen := time.Now()
	var early, late []time.Duration // how long a no took, in the first seconds and after
	stop = make(chan struct{})
	load = work(stop, func(r *http.Response, began time.Time) {
		if r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d, Retry-After %q; want 503 and a time", r.Request.URL.Path, r.StatusCode, r.Header.Get("Retry-After"))
		}
		if began.Sub(frozen) < 5*time.Second {
			early = append(early, time.Since(began))
		} else {
			late = append(late, time.Since(began))
		}
	})
	time.Sleep(7 * time.Second)
	goroutines, _ := p.figures("go_goroutines")
	_, heap := p.figures("go_memstats_heap_inuse_bytes")
	time.Sleep(time.Duration(kills(8, 120)) * time.Second)
	laterGoroutines, _ := p.figures("go_goroutines")
	laterHeap, _ := p.figures("go_memstats_heap_inuse_bytes")
	close(stop)
	load.Wait()
	if len(early) == 0 || len(late) < max(50, len(good)/4) {
		t.Fatalf("%d answers at first and %d later, and %d in three seconds of a good line", len(early), len(late), len(good))
	}
	// The store's patience is three seconds, and so long would wait whoever waits for it.
	const patience = 3 * time.Second
	most := patience + max(2*time.Second, 20*usual)
	if longest := slices.Max(early); longest > most {
		t.Errorf("the longest wait for a first no was %s, more than %s", longest, most)
	}
	slices.Sort(late)
	if nine := late[len(late)*9/10]; nine > min(max(250*time.Millisecond, 3*usual), patience-500*time.Millisecond) || late[len(late)-1] > most {
		t.Errorf("of %d later answers nine of ten came within %s, all within %s; with a good line nine of ten within %s", len(late), nine, late[len(late)-1], usual)
	}
	if laterGoroutines > goroutines+50 || laterHeap > heap*2+8<<20 {
		t.Errorf("goroutines went from %.0f to %.0f, memory in use from %.1f to %.1f MB", goroutines, laterGoroutines, heap/(1<<20), laterHeap/(1<<20))
	}
	t.Logf("no within %s at first, then %s (median of %d; a yes takes %s); goroutines %.0f and %.0f, memory %.1f and %.1f MB", slices.Max(early), late[len(late)/2], len(late), good[len(good)/2],
		goroutines, laterGoroutines, heap/(1<<20), laterHeap/(1<<20))
	toRedis.spoil(fault{})
	await(t, "the service to recover", 10*time.Second, func() bool {
		// A change, since a process that was cut off for long first renews its note in the store.
		status, _, err := p.try("POST", "/v1/preauthorizations", request("address", "after", "after@example.org"))
		return err == nil && status == http.StatusCreated
	})
	h.prove("email", "before@example.org")
	_, done := p.call("GET", "/v1/preauthorizations/"+before["id"].(string)+"?wait=60", nil)
	wantStatus(t, done, "valid")
}

// TestNothingIsLostOnABadLineToTheMailServer breaks conversations with a real mail server at
// each point, before the mail and after it, while people work.
func TestNothingIsLostOnABadLineToTheMailServer(t *testing.T) {
	t.Parallel()
	p := newService(t, layout{lines: true, store: func(dir string) string { return "path: " + dir + "/c.db" }})
	p.hold(5, func(func()) {
		for range kills(1, 20) {
			for _, f := range []fault{
				{latency: 100 * time.Millisecond},
				{cutAt: "DATA\r\n"}, {cutAt: "DATA\r\n", cutAfter: true},
				{cutUp: 400}, {cutAt: "\r\n.\r\n", cutAfter: true}, {cutDown: 100},
				{refused: true}, {deaf: true}, {frozen: true},
			} {
				p.mailLine.under(t, f, 1500*time.Millisecond, nil)
				time.Sleep(500 * time.Millisecond)
			}
			p.mailLine.cutAll() // also those that the deaf line has left waiting
		}
		time.Sleep(8 * time.Second) // who got no code may ask for another
	})
}

// TestAProviderThatHangsIsGivenUp freezes the line to Twilio under many text messages:
// mail goes on, what the process holds does not grow, a code of unknown fate is not sent
// again by itself, and when the line is back so is the service.
func TestAProviderThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	p := newService(t, layout{lines: true, store: func(dir string) string { return "path: " + dir + "/c.db" }})
	const many, hands = 120, 16 // so many that the last would be given up minutes after the first
	people := make([]*person, many)
	for n := range people {
		a := p.preauthorize("client", fmt.Sprint("hang ", n), fmt.Sprintf("hang%d@example.org", n))
		people[n] = p.person(a["case_url"].(string))
	}
	p.textLine.spoil(fault{frozen: true})
	for n, h := range people { // in many ranges, or the brake would hold them back
		if _, err := h.begin("sms", fmt.Sprintf("+4474001%d%04d", n%10, n)); err != nil {
			t.Fatal(err)
		}
	}
	goroutines := 0.0
	for { // until all hands are at work
		_, now := p.figures("go_goroutines")
		if now <= goroutines {
			break
		}
		goroutines = now
	}
	a := p.preauthorize("address", "beside", "beside@example.org")
	p.person(a["case_url"].(string)).prove("email", "beside@example.org")
	await(t, "the first to be told that nobody knows", 45*time.Second, func() bool {
		for _, h := range people[:hands] {
			if _, page, _ := h.get(h.page + "?method=sms"); strings.Contains(page, `class="delivery unknown"`) {
				return true
			}
		}
		return false
	})
	if later, _ := p.figures("go_goroutines"); later > goroutines+50 {
		t.Errorf("goroutines went from %.0f to %.0f", goroutines, later)
	}
	p.textLine.spoil(fault{})
	await(t, "every message to be sent, or to be known as unknown", 60*time.Second, func() bool {
		for _, h := range people {
			_, page, _ := h.get(h.page + "?method=sms")
			if !strings.Contains(page, `class="delivery accepted"`) && !strings.Contains(page, `class="delivery unknown"`) {
				return false
			}
		}
		return true
	})
	unknown := 0
	for n, h := range people {
		_, page, _ := h.get(h.page + "?method=sms")
		if !strings.Contains(page, `class="delivery unknown"`) {
			continue
		}
		unknown++
		if status, page, err := h.submit(h.page+"/resend", url.Values{"attempt": {attemptField.FindStringSubmatch(page)[1]}}); unknown == 1 && (err != nil || status != http.StatusOK) {
			t.Errorf("%d asks for another: %d %v %s", n, status, err, visible(page))
		}
	}
	if unknown == 0 || unknown == many {
		t.Errorf("%d of %d codes are unknown: the fault was not what it should be", unknown, many)
	}
	time.Sleep(2 * time.Second)
	seen := map[string]int{} // each message names itself to Twilio
	for _, m := range p.twilio.Messages() {
		if seen[m.StatusCallback]++; seen[m.StatusCallback] > 1 {
			t.Errorf("a code message went out %d times", seen[m.StatusCallback])
		}
	}
	t.Logf("%d of %d unknown, %d messages at Twilio", unknown, many, len(seen))
}

// TestACodeGoesOutAtMostOnceOnABadLineToTwilio breaks calls of the provider at each point, before it has heard anything and after it has sent the
// message, while people ask for codes: each is told what became of theirs, no message goes out twice, and when the line is good again, so is the service.
func TestACodeGoesOutAtMostOnceOnABadLineToTwilio(t *testing.T) {
	t.Parallel()
	p := newService(t, layout{lines: true, store: func(dir string) string { return "path: " + dir + "/c.db" }})
	n := 0
	newcomer := func() (*person, string) {
		n++ // in many ranges, or the brake would hold them back
		a := p.preauthorize("client", fmt.Sprint("text ", n), fmt.Sprintf("text%d@example.org", n))
		return p.person(a["case_url"].(string)), fmt.Sprintf("+4474001%d%04d", n%10, n)
	}
	goroutines := p.figure("go_goroutines")
	var people []*person
	for range kills(1, 20) {
		for _, f := range []fault{
			{latency: 100 * time.Millisecond},
			{cutUp: 40}, {cutUp: 400}, {cutDown: 5}, {cutDown: 100},
			{refused: true}, {deaf: true}, {frozen: true},
		} {
			p.textLine.cutAll() // or a connection that was kept would not meet it from its beginning
			p.textLine.under(t, f, 1500*time.Millisecond, func() {
				for range 2 {
					h, number := newcomer()
					if _, err := h.begin("sms", number); err != nil {
						t.Fatalf("%+v: %v", f, err)
					}
					people = append(people, h)
				}
			})
		}
	}
	p.textLine.cutAll() // also those that the deaf line has left waiting
	told := map[string]int{}
	await(t, "everybody to be told what became of their message", 90*time.Second, func() bool {
		clear(told)
		for _, h := range people {
			_, page, _ := h.get(h.page + "?method=sms")
			found := delivered.FindStringSubmatch(page)
			if found == nil || found[1] == "waiting" || found[1] == "sending" {
				return false
			}
			told[found[1]]++
		}
		return true
	})
	if told["unknown"] == 0 || told["accepted"] == 0 {
		t.Errorf("%v: the faults were not what they should be", told)
	}
	h, number := newcomer()
	h.prove("sms", number)
	seen := map[string]int{} // each message names itself to Twilio
	for _, m := range p.twilio.Messages() {
		if seen[m.StatusCallback]++; seen[m.StatusCallback] > 1 {
			t.Errorf("a code message went out %d times", seen[m.StatusCallback])
		}
	}
	if later, _ := p.figures("go_goroutines"); later > goroutines+50 {
		t.Errorf("goroutines went from %.0f to %.0f", goroutines, later)
	}
	t.Logf("%v of %d; %d messages at Twilio", told, len(people), len(seen))
}

var delivered = regexp.MustCompile(`class="delivery ([a-z]+)"`)
