package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/store"
)

// trips counts the calls of a back end. Each is one round trip on Redis. A call takes its time,
// so that those that are made at once overlap: they are one in the row.
type trips struct {
	store.KV
	mu                     sync.Mutex
	reads, changes, counts int
	inHand, inRow, written int
	writing                bool // one of those in hand writes
	counting               bool // else nobody looks, and calls take no time
}

// tripTakes is so long that those who are made at once overlap on a machine that has other things to do between them.
const tripTakes = 250 * time.Millisecond

func (k *trips) begin(kind *int, writes bool) (end func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	*kind++
	if k.inHand++; k.inHand == 1 {
		k.inRow++
		k.writing = false
	}
	if writes && !k.writing {
		k.writing = true
		k.written++
	}
	return func() {
		k.mu.Lock()
		counting := k.counting
		k.mu.Unlock()
		if counting {
			time.Sleep(tripTakes)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.inHand--
	}
}

// count begins to count.
func (k *trips) count() {
	k.row("")
	k.mu.Lock()
	defer k.mu.Unlock()
	k.counting = true
}

// row is what was counted since then, as the page has it, and ends it.
func (k *trips) row(flow string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.counting = false
	row := fmt.Sprintf("| %s | %d | %d | %d | %d | %d |", flow, k.reads, k.changes, k.counts, k.inRow, k.written)
	k.reads, k.changes, k.counts, k.inRow, k.written = 0, 0, 0, 0, 0
	return row
}

func (k *trips) Get(ctx context.Context, bucket, name string, known uint64) (store.Item, error) {
	defer k.begin(&k.reads, false)()
	return k.KV.Get(ctx, bucket, name, known)
}

func (k *trips) Scan(ctx context.Context, bucket, prefix, after string, limit int) ([]store.Item, error) {
	defer k.begin(&k.reads, false)()
	return k.KV.Scan(ctx, bucket, prefix, after, limit)
}

func (k *trips) Apply(ctx context.Context, bucket string, ops []store.Op) error {
	defer k.begin(&k.changes, true)()
	return k.KV.Apply(ctx, bucket, ops)
}

func (k *trips) Add(ctx context.Context, bucket, name string, delta int64, ttl time.Duration) (int64, time.Time, error) {
	defer k.begin(&k.counts, delta != 0)()
	return k.KV.Add(ctx, bucket, name, delta, ttl)
}

// TestRoundTripsAreWhatThePageSays counts the calls of the store that each request makes before it is
// answered, and holds docs/performance.md to them.
func TestRoundTripsAreWhatThePageSays(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t)
	token := d.addCA("bench")
	out, _ := d.run(exitOK, "ca", "add", "signing", "--directory", "https://ca.example/dir", "--profile", "code-signing")
	signing := strings.TrimSpace(out)
	c, _, err := loadConfig(d.config, nil, readSecrets)
	if err != nil {
		t.Fatal(err)
	}
	a := prepareApp(c, newLog(io.Discard, c.Log), time.Now)
	if a.storage, err = openStore(t.Context(), c.Store, true, time.Now); err != nil {
		t.Fatal(err)
	}
	kv := &trips{KV: a.storage.kv}
	a.storage.kv = kv
	if err := a.build(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.close() })
	post := &postbox{}
	a.service.Sender = post
	people, cas := a.people(), a.authorities()
	ask := func(flow string, h http.Handler, r *http.Request, want int) string {
		t.Helper()
		kv.count()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Fatalf("%s: %d %s", flow, w.Code, w.Body)
		}
		row := kv.row(flow)
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/performance.md lacks the row\n%s", row)
		}
		return w.Body.String()
	}
	call := func(method, path, body string) *http.Request {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		return r
	}
	opens := openBody(1)
	x, err := opened([]byte(ask("open", cas, call("POST", "/v1/preauthorizations", opens), http.StatusCreated)))
	if err != nil {
		t.Fatal(err)
	}
	ask("status", cas, call("GET", "/v1/preauthorizations/"+x.id, ""), http.StatusOK)
	form := func(verb, body string) *http.Request {
		r := httptest.NewRequest("POST", c.Origin+"/c/"+x.ref+verb, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.AddCookie(&http.Cookie{Name: "countersign", Value: x.cookie})
		return r
	}
	ask("begin", people, form("/begin", "method=email&address="), http.StatusSeeOther)
	if _, err := a.service.WorkOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	post.ServeHTTP(w, nil)
	f := strings.Fields(w.Body.String())
	if len(f) != 3 {
		t.Fatalf("codes: %q", w.Body)
	}
	ask("answer", people, form("/answer", "attempt="+f[1]+"&code="+f[2]), http.StatusSeeOther)

	// Whether it may be issued for.
	asks := strings.Replace(strings.Replace(opens, `"identifier": {`, `"identifiers": [{`, 1), `}, "profile"`, `}], "profile"`, 1)
	if said := ask("authorize", cas, call("POST", "/v1/authorize", asks), http.StatusOK); !strings.Contains(said, x.ref) {
		t.Errorf("authorize: %s", said)
	}

	// An external account binding, of an account that is new to its key, and again.
	d.run(exitOK, "ca", "set", "bench", "--new-account", hookNewAccount)
	w = httptest.NewRecorder()
	cas.ServeHTTP(w, call("POST", "/v1/eab/keys", `{"profile": "client"}`))
	var made struct {
		Kid     string `json:"kid"`
		HMACKey string `json:"hmac_key"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || w.Code != http.StatusCreated {
		t.Fatalf("a key: %d %s", w.Code, w.Body)
	}
	raw, err := base64.RawURLEncoding.DecodeString(made.HMACKey)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := newJWK()
	if err != nil {
		t.Fatal(err)
	}
	binding := fmt.Sprintf(`{"url": %q, "jwk": %s, "externalAccountBinding": %s}`, hookNewAccount, jwk, bindingOf(made.Kid, raw, hookNewAccount, jwk))
	ask("binding, new account", cas, call("POST", "/v1/eab/verify", binding), http.StatusOK)
	ask("binding, bound account", cas, call("POST", "/v1/eab/verify", binding), http.StatusOK)

	// A passkey: how a case gets one, how the next case is answered with it, and how its person signs in.
	served := httptest.NewServer(people)
	t.Cleanup(served.Close)
	k := newKeyed(t, served.URL, c.Origin, clientOf(1))
	token = signing
	asked := func(n int) (ref string) {
		w := httptest.NewRecorder()
		cas.ServeHTTP(w, call("POST", "/v1/preauthorizations", strings.Replace(openBody(n), `"client"`, `"code-signing"`, 1)))
		x, err := opened(w.Body.Bytes())
		if err != nil || w.Code != http.StatusCreated {
			t.Fatalf("open: %d %s", w.Code, w.Body)
		}
		return "/c/" + x.ref
	}
	costs := func(flow string, run func()) {
		t.Helper()
		kv.count()
		run()
		if row := kv.row(flow); !strings.Contains(string(page), row) {
			t.Errorf("docs/performance.md lacks the row\n%s", row)
		}
	}
	answer := func(flow, ref, drawn string) {
		t.Helper()
		attempt, said := k.response(drawn)
		costs(flow, func() { k.post(ref+"/answer", "attempt", attempt, "response", said) })
	}
	ref := asked(2)
	k.get(ref)
	answer("answer, new passkey", ref, k.get(k.post(ref+"/enrol", "method", "fido")))
	ref = asked(3)
	costs("page of a case", func() { k.get(ref) })
	var to string
	costs("begin, passkey", func() { to = k.post(ref+"/begin", "method", "fido") })
	answer("answer, passkey", ref, k.get(to))
	costs("page to sign in", func() { k.get("/me/sign-in") })
	ref = k.post("/me/sign-in", "start", "")
	answer("answer, sign-in", ref, k.get(k.post(ref+"/begin", "method", "fido")))
	costs("own page", func() { k.get("/me") })
}

func TestThePageHasTheRowsThatTheBenchPrints(t *testing.T) {
	page, err := os.ReadFile("../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	var operations, loads, pages, hooks []string
	for _, s := range benchStores {
		for _, op := range benchOperations {
			operations = append(operations, benchRow(s.name, op.name))
		}
	}
	for _, s := range benchLoaded {
		for _, load := range benchLoads {
			loads = append(loads, benchRow(s, load))
		}
		for _, page := range benchPages {
			pages = append(pages, benchRow(s, page))
		}
		for _, hook := range benchHooks {
			hooks = append(hooks, benchRow(s, hook))
		}
	}
	for head, rows := range map[string][]string{
		"| store | operation |": operations, "| store | load |": loads, "| store | page |": pages, "| store | hook |": hooks, "| store | commits |": {benchRow("embedded", benchCommits)},
	} {
		_, table, _ := strings.Cut(string(page), head)
		table, _, _ = strings.Cut(table, "\n\n")
		for _, row := range rows {
			if !strings.Contains(table, "\n"+row) {
				t.Errorf("the table %q of docs/performance.md has no row %q", head, row)
			}
		}
		if n := strings.Count(table, "\n| ") - 1; n != len(rows) {
			t.Errorf("the table %q has %d rows and the bench prints %d", head, n, len(rows))
		}
	}
}
