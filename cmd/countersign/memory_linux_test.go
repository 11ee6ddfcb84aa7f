package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-id/countersign/store/redistest"
)

// soakConfig is that of the benchmark with everything on: two methods, limits, the brake, a webhook.
const soakConfig = `
origin: http://localhost:8080
operator: {name: Example Trust Services, contact: help@example.org}
listeners: {people: 127.0.0.1:1, cas: 127.0.0.1:2, trusted_proxies: [127.0.0.1/32]}
providers: {email: mailbox, sms: mailbox}
sms: {countries: [DE], prices: {default: 0.01}}
webhooks: {allow_networks: [127.0.0.0/8]}
limits: {ca_messages_day: 1000000000, ca_spend_day: 1000000}
profiles:
  client: {title: Client certificates, identifiers: [email], methods: [email, sms], require: {confirmed_addresses: [email, phone]}, case_lifetime: 1h}
`

// One case of so many is a person's who comes; of those one of so many goes after the first code, and
// one of so many mistypes it.
const (
	soakComes    = 10
	soakGoes     = 4
	soakMistypes = 5
)

// soakFree is the room on the disk that a long run leaves alone.
const soakFree = 10 << 30

// soak is one run.
type soak struct {
	*bench
	t       *testing.T
	told    atomic.Int64 // calls of the webhook
	refused atomic.Int64 // requests that were answered 503 or 429
	cursor  string       // in the feed
}

// plan is how long a run is.
type plan struct {
	warmUp, parts, part int // cases before the first sample; samples; cases before each of them
	most                time.Duration
	full                bool // the warm-up fills what is bounded
}

// shortPlan takes seconds.
var shortPlan = plan{warmUp: 500, parts: 4, part: 400, most: 30 * time.Minute}

func startSoak(t *testing.T, name, fsync string, callers int, environ ...string) *soak {
	t.Helper()
	x := &soak{t: t, bench: startServer(t, soakConfig, []string{"client"}, name, fsync, callers, environ...)}
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		x.told.Add(1)
	}))
	t.Cleanup(hook.Close)
	x.command("webhook", "set", "bench", hook.URL)
	return x
}

// TestMemoryStaysFlat drives the whole program: a CA opens cases, one person of ten comes, gets codes by mail and
// text message, and answers; the rest run out. Every change is told to a webhook. What the server holds
// is measured when nothing is owed any more, twenty times, and must not grow.
//
// In short it takes seconds. With SOAK=1 it is SOAK_CASES (a million) on Redis and a fifth of them on the embedded store, and the warm-up
// fills what is bounded. It fails if that is not done within SOAK_MINUTES (150) for each store.
func TestMemoryStaysFlat(t *testing.T) {
	for _, s := range []struct{ name, fsync string }{{"redis", "everysec"}, {"embedded", ""}} {
		t.Run(s.name, func(t *testing.T) {
			soaks := os.Getenv("SOAK") != ""
			if !soaks {
				t.Parallel()
			}
			p, callers := shortPlan, 16
			if soaks { // one after the other: a disk and two stores of this size are a lot
				all := int(benchSetting("SOAK_CASES", 1e6))
				if s.name == "embedded" {
					all /= 5
				}
				p = plan{warmUp: 30000, parts: 20, part: (all - 30000) / 20, most: time.Duration(benchSetting("SOAK_MINUTES", 150) * float64(time.Minute)), full: true}
				callers = 64
			}
			for _, grown := range startSoak(t, s.name, s.fsync, callers).run(p) {
				t.Error("grown: " + grown)
			}
		})
	}
}

// TestALeakIsSeen plants leaks. That of some bytes a case takes many cases to be seen, so it is for SOAK=1.
func TestALeakIsSeen(t *testing.T) {
	for _, leak := range []struct {
		name string
		says []string
		long bool
		plan
	}{
		{"requests", []string{"goroutines", "heap without"}, false, shortPlan},
		{"ids", []string{"heap without"}, true, plan{warmUp: 10000, parts: 8, part: 5000, most: 20 * time.Minute}},
	} {
		if leak.long && os.Getenv("SOAK") == "" {
			continue
		}
		t.Run(leak.name, func(t *testing.T) {
			t.Parallel()
			grown := strings.Join(startSoak(t, "redis", "everysec", 16, plant+"="+leak.name).run(leak.plan), "; ")
			for _, says := range leak.says {
				if !strings.Contains(grown, says) {
					t.Errorf("grown are %q and not %q", grown, says)
				}
			}
			t.Log(grown)
		})
	}
}

// run drives the server, prints a row for each sample, and says what has grown.
func (x *soak) run(p plan) (grown []string) {
	x.t.Helper()
	began := time.Now()
	empty := x.stored()
	var samples []memory
	x.drive(p.warmUp)
	x.look()
	fmt.Println("| store | cases | heap, MiB | in use, MiB | remembered, MiB | rest, MiB | resident, MiB | goroutines | store, bytes a case | webhook calls | minutes |")
	for len(samples) < p.parts {
		if free := x.free(); p.full && free < soakFree {
			x.t.Fatalf("only %d MiB are left on the disk after %d cases", free>>20, x.n)
		}
		if took := time.Since(began); took > p.most {
			x.t.Errorf("only %d of %d cases in %s: it takes more time, or fewer cases", x.n, p.warmUp+p.parts*p.part, took.Round(time.Second))
			break
		}
		x.drive(p.part)
		m := x.look()
		samples = append(samples, m)
		fmt.Printf("| %s | %d | %.1f | %.1f | %.1f | %.2f | %.1f | %d | %d | %d | %.1f |\n", x.name, x.n, mib(m.Heap), mib(m.Inuse), mib(m.Remembered), mib(m.Rest), mib(m.Resident), m.Goroutines,
			(x.stored()-empty)/int64(x.n), x.told.Load(), time.Since(began).Minutes())
	}
	if told := x.told.Load(); told < 2*int64(x.n) { // opened, and then granted or run out
		x.t.Errorf("the webhook was called %d times for %d cases", told, x.n)
	}
	few := int64(100)
	if !p.full { // a store that stalls for a second refuses all callers of that second, which is more of a short run
		few = 10
	}
	if refused := x.refused.Load(); refused > int64(x.n)/few {
		x.t.Errorf("%d requests were refused with 503 or 429 for %d cases", refused, x.n)
	} else if refused > 0 {
		fmt.Printf("%s: %d requests were refused with 503 or 429 and made again\n", x.name, refused)
	}
	if x.redis != nil {
		fmt.Printf("%s: %d bytes of log a case\n", x.name, x.onDisk()/int64(x.n))
	}
	return growth(samples, p.full)
}

func mib(n uint64) float64 { return float64(n) / (1 << 20) }

// look measures the server.
func (x *soak) look() (m memory) {
	x.t.Helper()
	if err := json.Unmarshal([]byte(x.control("/memory")), &m); err != nil {
		x.t.Fatal(err)
	}
	return m
}

// stored is the size of the store: of the file, or in the memory of Redis.
func (x *soak) stored() int64 {
	x.t.Helper()
	if x.redis == nil {
		return x.onDisk()
	}
	_, rest, _ := strings.Cut((&redistest.Server{Addr: x.at["redis"]}).Info("memory"), "used_memory:")
	text, _, _ := strings.Cut(rest, "\r")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		x.t.Fatal(err)
	}
	return n
}

func (x *soak) onDisk() (sum int64) {
	x.t.Helper()
	err := filepath.WalkDir(x.dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().IsRegular() {
			sum += info.Size()
		}
		return err
	})
	if err != nil {
		x.t.Fatal(err)
	}
	return sum
}

func (x *soak) free() int64 {
	x.t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(x.dir, &s); err != nil {
		x.t.Fatal(err)
	}
	return int64(s.Bavail) * s.Bsize
}

// await waits until the server owes nothing: two times in a row, since what it takes out of one
// hand it may not yet have in the other.
func (x *soak) await() {
	x.t.Helper()
	for deadline, calm := time.Now().Add(10*time.Minute), 0; calm < 2; {
		switch what := x.control("/owed"); {
		case what == "":
			calm++
		case time.Now().After(deadline):
			x.t.Fatalf("after ten minutes there are still %s to work off", what)
		default:
			calm = 0
		}
		time.Sleep(100 * time.Millisecond)
	}
	x.fetchCodes()
}

// soakCase is a case whose person comes.
type soakCase struct {
	*benchCase
	n int
}

// drive opens so many cases and sees them to their ends.
func (x *soak) drive(cases int) {
	x.t.Helper()
	if cases == 0 {
		return
	}
	from := x.n
	x.n += cases
	var mu sync.Mutex
	var come []soakCase
	x.cases = nil
	x.each("cas", cases, func(w *wire, i int) error {
		n := from + i
		r, err := x.ask(w, "open", 201, post("/v1/preauthorizations", x.caHeaders(n), soakBody(n, "identifier", "{%s}")))
		if err != nil || n%soakComes != 0 {
			return err
		}
		c, err := opened(r.body)
		if err != nil || c.ref == "" { // the first try had opened it: its person has lost the link
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		x.cases, come = append(x.cases, c), append(come, soakCase{c, n})
		return nil
	})
	x.confirm(come, "email", func(int) string { return "" })
	var stay []soakCase
	for i, c := range come {
		if i%soakGoes != 0 {
			stay = append(stay, c)
		}
	}
	x.confirm(stay, "sms", soakNumber)
	x.each("cas", len(stay), func(w *wire, i int) error {
		c := stay[i]
		r, err := x.ask(w, "status", 200, x.statusRequest(c.benchCase))
		if err != nil {
			return err
		}
		if !strings.Contains(string(r.body), `"valid"`) {
			return fmt.Errorf("a case whose person has confirmed everything is %s", r.body)
		}
		_, err = x.ask(w, "authorize", 200, post("/v1/authorize", x.caHeaders(c.n), soakBody(c.n, "identifiers", "[{%s}]")))
		return err
	})
	x.control("/later?by=2h")
	x.await()
	x.read()
}

// confirm has people ask for a code and answer it.
func (x *soak) confirm(people []soakCase, method string, address func(n int) string) {
	x.t.Helper()
	x.each("people", len(people), func(w *wire, i int) error {
		c := people[i]
		_, err := x.ask(w, "begin "+method, 303, c.beginWith(c.n, method, address(c.n)))
		return err
	})
	x.await()
	x.each("people", len(people), func(w *wire, i int) error {
		c := people[i]
		r, err := x.ask(w, "page", 200, c.pageRequest(c.n))
		if err != nil {
			return err
		}
		if c.attempt, err = attemptOn(r.body); err != nil {
			return err
		}
		if i%soakMistypes == 0 {
			wrong := *c.benchCase
			wrong.code = "000000"
			if _, err := x.ask(w, "a wrong answer", 303, wrong.answerRequest(c.n)); err != nil {
				return err
			}
		}
		_, err = x.ask(w, "answer "+method, 303, c.answerRequest(c.n))
		return err
	})
	x.await()
}

// read reads some of the feed.
func (x *soak) read() {
	x.t.Helper()
	w, err := dialWire(x.at["cas"])
	if err != nil {
		x.t.Fatal(err)
	}
	defer w.close()
	for range 20 {
		r, err := x.ask(w, "events", 200, fmt.Appendf(nil, "GET /v1/events?after=%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", x.cursor, x.token))
		if err != nil {
			x.t.Fatal(err)
		}
		var page struct{ Next string }
		if err := json.Unmarshal(r.body, &page); err != nil || page.Next == "" {
			x.t.Fatalf("events: %s, %v", r.body, err)
		}
		x.cursor = page.Next
	}
}

// each has n things done over as many connections to a listener as there are callers, which come and go.
func (x *soak) each(listener string, n int, do func(w *wire, i int) error) {
	x.t.Helper()
	var all sync.WaitGroup
	var turn atomic.Int64
	var failed atomic.Pointer[error]
	for range x.callers {
		all.Go(func() {
			w, err := dialWire(x.at[listener])
			if err == nil {
				defer w.close()
			}
			for i := 0; err == nil && i < n && failed.Load() == nil; {
				if i = int(turn.Add(1)) - 1; i < n {
					err = do(w, i)
				}
			}
			if err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		x.t.Fatal(*err)
	}
}

// ask makes a request and reads an answer of that status. A store that is slow for a moment is
// answered for with 503 or 429, and the request made again, as CAs and people do; what
// comes then may be about what the first one did.
func (x *soak) ask(w *wire, what string, status int, request []byte) (reply, error) {
	for try := 0; ; try++ {
		r, err := w.ask(request)
		switch {
		case err == nil && (r.status == status || try > 0 && r.status < 500 && r.status != 429):
			return r, nil
		case err == nil && (r.status == 503 || r.status == 429) && try < 30:
			x.refused.Add(1)
			time.Sleep(time.Second)
		case err != nil:
			return r, fmt.Errorf("%s: %w", what, err)
		default:
			return r, fmt.Errorf("%s: %d %.400s", what, r.status, r.body)
		}
	}
}

func (c soakCase) pageRequest(n int) []byte {
	return fmt.Appendf(nil, "GET /c/%s HTTP/1.1\r\nHost: localhost\r\nAccept-Language: en\r\nX-Forwarded-For: %s\r\nCookie: countersign=%s\r\n\r\n", c.ref, clientOf(n), c.cookie)
}

// attemptOn is the attempt that a page asks for the code of.
func attemptOn(page []byte) (string, error) {
	_, rest, ok := strings.Cut(string(page), `name="attempt" value="`)
	attempt, _, _ := strings.Cut(rest, `"`)
	if !ok {
		return "", fmt.Errorf("the page asks for no code: %s", page)
	}
	return attempt, nil
}

func soakNumber(n int) string { return fmt.Sprintf("+49151%08d", n*7919%1e8) }

// soakBody is a CA's request about the n-th account and what it wants.
func soakBody(n int, name, form string) string {
	print := sha256.Sum256([]byte(strconv.Itoa(n)))
	wants := fmt.Sprintf(form, fmt.Sprintf(`"type": "email", "value": "person-%d@example.org"`, n))
	return fmt.Sprintf(`{"account": {"url": "https://ca.example/acct/%d", "thumbprint": "%s"}, %q: %s, "profile": "client"}`,
		n, base64.RawURLEncoding.EncodeToString(print[:]), name, wants)
}
