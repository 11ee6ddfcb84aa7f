package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// untouched is a body that nobody may read.
type untouched struct{ t *testing.T }

func (b untouched) Read([]byte) (int, error) {
	b.t.Error("the body of a refused request was read")
	return 0, io.EOF
}

// narrow is an app that has few requests in hand.
func narrow(t *testing.T, log io.Writer, requests, connections int) (a *app, token string) {
	d := newDesk(t)
	token = d.addCA("narrow")
	return d.appWith(log, func(c *Config) { c.Listeners.MaxRequests, c.Listeners.MaxConnections = requests, connections }), token
}

func asCA(token, method, path string, body io.Reader) *http.Request {
	r := httptest.NewRequest(method, path, body)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	return r
}

func answerOf(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestARequestBeyondTheBoundIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	const most = 3
	var log syncBuffer
	a, token := narrow(t, &log, most, 64)
	reached, release := make(chan struct{}, most), make(chan struct{})
	held := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { reached <- struct{}{}; <-release })
	a.site.Handle("GET /held", held)
	// hold has requests in hand until the end of what do does; a body that does not come holds a CA's.
	hold := func(h http.Handler, request func() *http.Request, inHand func() int, do func()) {
		t.Helper()
		var all sync.WaitGroup
		for range most {
			all.Go(func() { answerOf(h, request()) })
		}
		eventually(t, "they are not in hand", func() bool { return inHand() == most })
		do()
		all.Wait()
	}
	refusal := func(listener string, h http.Handler, r *http.Request) *httptest.ResponseRecorder {
		t.Helper()
		began := time.Now()
		w := answerOf(h, r)
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", listener, w.Code, w.Header())
		}
		if late := time.Since(began); late > 15*time.Second {
			t.Errorf("%s: it took %s", listener, late)
		}
		return w
	}

	people := a.people()
	hold(people, func() *http.Request { return httptest.NewRequest("GET", a.config.Origin+"/held", nil) }, func() int { return len(reached) }, func() {
		for lang, says := range map[string]string{"de": "Nichts ist verloren", "en": "Nothing is lost", "fr": "Rien n"} {
			r := httptest.NewRequest("POST", a.config.Origin+"/c/x/begin", untouched{t})
			r.Header.Set("Accept-Language", lang)
			w := refusal(listenPeople, people, r)
			contains(t, w.Body.String(), says)
			if got := w.Header(); got.Get("Content-Type") != "text/html; charset=utf-8" || got.Get("Content-Security-Policy") == "" || got.Get("Content-Language") != lang {
				t.Errorf("the headers are %v", got)
			}
		}
		close(release)
	})

	cas := a.authorities()
	var bodies []*io.PipeWriter
	var mu sync.Mutex
	slow := func() *http.Request {
		body, writer := io.Pipe()
		mu.Lock()
		defer mu.Unlock()
		bodies = append(bodies, writer)
		return asCA(token, "POST", "/v1/preauthorizations", body)
	}
	hold(cas, slow, func() int { return len(a.gates[listenCAs].requests) }, func() {
		w := refusal(listenCAs, cas, asCA(token, "POST", "/v1/preauthorizations", untouched{t}))
		var problem struct {
			Type   string
			Status int
		}
		if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil || problem.Type != "urn:countersign:error:unavailable" || problem.Status != 503 || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%v %s", w.Header(), w.Body)
		}
		// What an app before let in is still in hand when the configuration is read again.
		next, err := a.with(a.config, a.read)
		if err != nil {
			t.Fatal(err)
		}
		defer next.router.Close()
		refusal("after a reload", next.authorities(), asCA(token, "POST", "/v1/preauthorizations", untouched{t}))
		mu.Lock()
		defer mu.Unlock()
		for _, body := range bodies {
			body.Close()
		}
	})

	figures := answerOf(a.operators(), httptest.NewRequest("GET", "/metrics", nil)).Body.String()
	for listener, want := range map[string]int{listenPeople: 3, listenCAs: 2} {
		contains(t, figures, fmt.Sprintf("countersign_refused_requests_total{listener=%q} %d\n", listener, want))
		if n := strings.Count(log.String(), fmt.Sprintf(`"listener":%q,"in_hand":%d`, listener, most)); n != 1 {
			t.Errorf("%s: the log says %d times that requests are refused, want once", listener, n)
		}
	}
	if w := answerOf(people, httptest.NewRequest("GET", a.config.Origin+"/", nil)); w.Code != http.StatusOK {
		t.Errorf("afterwards: %d", w.Code)
	}
}

func TestWhoWaitsOnPurposeFillsNothing(t *testing.T) {
	t.Parallel()
	const waits, share = 4, 3
	d := newDesk(t)
	token, other := d.addCA("narrow"), d.addCA("other")
	a := d.appWith(io.Discard, func(c *Config) { c.Listeners.MaxRequests, c.Listeners.MaxConnections = 2, 2*waits })
	cas := a.authorities()
	opened := answerOf(cas, asCA(token, "POST", "/v1/preauthorizations", strings.NewReader(openBody(1))))
	var c struct{ ID string }
	if err := json.Unmarshal(opened.Body.Bytes(), &c); err != nil || c.ID == "" {
		t.Fatalf("%d %s", opened.Code, opened.Body)
	}
	path := "/v1/preauthorizations/" + c.ID
	ctx, leave := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for n := range share {
		query := []string{"?wait=60", "?w%61it=60"}[n%2]
		all.Go(func() { answerOf(cas, asCA(token, "GET", path+query, nil).WithContext(ctx)) })
	}
	eventually(t, "its share does not wait", func() bool { return len(a.gates[listenCAs].waits) == share })
	if w := answerOf(cas, asCA(token, "GET", path+"?wait=60", nil)); w.Code != http.StatusTooManyRequests {
		t.Errorf("one CA has all places: %d %s", w.Code, w.Body)
	}
	all.Go(func() { answerOf(cas, asCA(other, "GET", "/v1/events?wait=60", nil).WithContext(ctx)) })
	eventually(t, "they do not wait", func() bool { return len(a.gates[listenCAs].waits) == waits })
	for _, query := range []string{"", "?wait=0"} {
		if w := answerOf(cas, asCA(token, "GET", path+query, nil)); w.Code != http.StatusOK {
			t.Errorf("who does not wait: %d %s", w.Code, w.Body)
		}
	}
	if w := answerOf(cas, asCA(token, "GET", path+"?wait=60", nil)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("one more who waits: %d %s", w.Code, w.Body)
	}
	if w := answerOf(cas, asCA(token, "POST", path+"?wait=60", strings.NewReader("{}"))); w.Code == http.StatusServiceUnavailable {
		t.Errorf("a change waits for nothing, whatever it says: %d", w.Code)
	}
	leave()
	all.Wait()
	if w := answerOf(cas, asCA(token, "GET", path+"?wait=1", nil)); w.Code != http.StatusOK {
		t.Errorf("when they have left: %d %s", w.Code, w.Body)
	}
}

func TestSlotsComeBackHoweverARequestEnds(t *testing.T) {
	t.Parallel()
	a, token := narrow(t, io.Discard, 2, 64)
	g := a.gates[listenCAs]
	for _, how := range []any{"a fault", errors.New("another"), http.ErrAbortHandler} {
		h := g.admit(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(how) }), nil)
		for range 5 {
			func() {
				defer func() { _ = recover() }()
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
			}()
			if n := len(g.requests); n != 0 {
				t.Fatalf("after a panic with %v %d slots are taken", how, n)
			}
		}
	}
	server := httptest.NewServer(a.authorities())
	defer server.Close()
	for _, request := range []string{
		"POST /v1/preauthorizations HTTP/1.1\r\nContent-Length: 100\r\n",
		"GET /v1/events?wait=60 HTTP/1.1\r\n",
	} {
		var cut []net.Conn
		for range 2 {
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "%sHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\n\r\n", request, token)
			cut = append(cut, conn)
		}
		eventually(t, "they are not in hand", func() bool { return len(g.requests)+len(g.waits) == 2 })
		for _, conn := range cut {
			conn.Close()
		}
		eventually(t, "the slots of those who were cut off do not come back", func() bool { return len(g.requests)+len(g.waits) == 0 })
	}
}

// A CA that has as many requests in hand as it can get, with bodies that do not come, is refused the rest by itself, and another is answered.
func TestOneCADoesNotHoldAnotherBack(t *testing.T) {
	t.Parallel()
	const most = 16
	d := newDesk(t)
	flood, calm := d.addCA("flood"), d.addCA("calm")
	a := d.appWith(io.Discard, func(c *Config) { c.Listeners.MaxRequests = most })
	cas := a.authorities()
	var all sync.WaitGroup
	var mu sync.Mutex
	var bodies []*io.PipeWriter
	limited := 0
	for range 2 * most {
		body, writer := io.Pipe()
		bodies = append(bodies, writer)
		all.Go(func() {
			w := answerOf(cas, asCA(flood, "POST", "/v1/preauthorizations", body))
			if w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "1" && strings.Contains(w.Body.String(), "urn:ietf:params:acme:error:rateLimited") {
				mu.Lock()
				defer mu.Unlock()
				limited++
			} else if w.Code == http.StatusServiceUnavailable { // all of them came at once
				mu.Lock()
				defer mu.Unlock()
				limited++
			}
		})
	}
	held := most * 3 / 4
	eventually(t, "it is not refused what is beyond its share", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return limited >= 2*most-held && len(a.gates[listenCAs].requests) <= held
	})
	if n := len(a.gates[listenCAs].requests); n == 0 {
		t.Error("it has nothing in hand")
	}
	if w := answerOf(cas, asCA(calm, "GET", "/v1/events", nil)); w.Code != http.StatusOK {
		t.Errorf("another CA is answered %d %s", w.Code, w.Body)
	}
	if w := answerOf(cas, asCA(flood, "POST", "/v1/authorize", untouched{t})); w.Code != http.StatusTooManyRequests {
		t.Errorf("the one with so much in hand is answered %d %s", w.Code, w.Body)
	}
	for _, b := range bodies {
		_ = b.Close()
	}
	all.Wait()
	if w := answerOf(cas, asCA(flood, "GET", "/v1/events", nil)); w.Code != http.StatusOK { // its places came back
		t.Errorf("afterwards it is answered %d %s", w.Code, w.Body)
	}
}
