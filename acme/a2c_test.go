package acme_test

import (
	"bufio"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// a2c is a Python process that has loaded the handler of contrib/acme2certifier, and asks it what acme2certifier asks.
type a2c struct {
	*world
	t      testing.TB
	in     io.Writer
	out    *bufio.Reader
	said   *syncBuffer
	cache  string
	config string
	token  string // the file
	server *httptest.Server
	calls  atomic.Int64
	front  atomic.Pointer[http.HandlerFunc] // answers in countersign's place
}

func newA2C(t testing.TB, w *world, settings ...string) *a2c {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatalf("the handler for acme2certifier is tried with Python 3: install it (%v)", err)
	}
	dir := t.TempDir()
	a := &a2c{world: w, t: t, said: &syncBuffer{}, cache: filepath.Join(dir, "keys.cache")}
	a.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		a.calls.Add(1)
		if h := a.front.Load(); h != nil {
			(*h)(rw, r)
			return
		}
		w.handler.ServeHTTP(rw, r)
	}))
	t.Cleanup(a.server.Close)
	a.token, a.config = filepath.Join(dir, "token"), filepath.Join(dir, "acme_srv.cfg")
	write(t, a.token, w.token+"\n", 0o600)
	a.configure(settings...)
	const handler, driver = "../contrib/acme2certifier/countersign_eab_handler.py", "testdata/acme2certifier/driver.py"
	for _, path := range []string{handler, driver, "testdata/acme2certifier/acme_srv/helper.py"} {
		if _, err := os.ReadFile(path); err != nil { // so that go test knows what its result depends on
			t.Fatal(err)
		}
	}
	process := exec.CommandContext(t.Context(), python, "-B", driver, handler)
	process.Env = append(os.Environ(), "PYTHONPATH=testdata/acme2certifier", "ACME_SRV_CONFIGFILE="+a.config)
	process.Stderr = a.said
	stdin, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); _ = process.Wait() })
	a.in, a.out = stdin, bufio.NewReader(out)
	return a
}

// configure writes acme_srv.cfg, which the handler reads each time.
func (a *a2c) configure(settings ...string) {
	a.t.Helper()
	lines := []string{"[EABhandler]", "countersign_url: " + a.server.URL, "countersign_token_file: " + a.token, "countersign_cache_file: " + a.cache}
	write(a.t, a.config, strings.Join(append(lines, settings...), "\n"), 0o600)
}

func write(t testing.TB, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// ask asks the handler at the world's time: do is "get", "check" or "verify".
func (a *a2c) ask(do string, question map[string]any) any {
	a.t.Helper()
	q := map[string]any{"do": do, "now": float64(a.clock().UnixMilli()) / 1000}
	for name, v := range question {
		q[name] = v
	}
	line, err := json.Marshal(q)
	if err != nil {
		a.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(a.in, "%s\n", line); err != nil {
		a.t.Fatalf("%v\n%s", err, a.said)
	}
	text, err := a.out.ReadBytes('\n')
	if err != nil {
		a.t.Fatalf("%v\n%s", err, a.said)
	}
	var answer any
	if err := json.Unmarshal(text, &answer); err != nil {
		a.t.Fatal(err)
	}
	return answer
}

func (a *a2c) want(when, kid string, want any) {
	a.t.Helper()
	if got := a.ask("get", map[string]any{"kid": kid}); got != want {
		a.t.Errorf("%s: %v, want %v\n%s", when, got, want, a.said)
	}
}

// away puts something else in countersign's place; nil brings it back.
func (a *a2c) away(h http.HandlerFunc) {
	if h == nil {
		a.front.Store(nil)
		return
	}
	a.front.Store(&h)
}

func status(code int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func TestAcme2certifierVerifiesBindingsByKeysOfCountersign(t *testing.T) {
	w := withDirectory(t)
	a := newA2C(t, w)
	k := w.makeKey(t, `{"profile": "client"}`)
	b := newBinding(t, k.text("kid"), k.text("hmac_key"))
	jws := func(b *binding) map[string]any {
		var body map[string]any
		if err := json.Unmarshal([]byte(b.body(t)), &body); err != nil {
			t.Fatal(err)
		}
		return map[string]any{"jws": body["externalAccountBinding"]}
	}
	if got := a.ask("verify", jws(b)); got != "raised Refused" {
		t.Errorf("keys are withheld: %v", got)
	}
	w.release(t, &proofing.KeyRelease{Since: w.clock()})
	if got := a.ask("verify", jws(b)); got != "good" {
		t.Errorf("a good binding: %v\n%s", got, a.said)
	}
	other := w.makeKey(t, `{"profile": "client"}`)
	if got := a.ask("verify", jws(newBinding(t, k.text("kid"), other.text("hmac_key")))); got != "eab signature verification failed" {
		t.Errorf("a binding by another key: %v", got)
	}
	for _, kid := range []string{"csnone", "../../keys", "a b", ""} {
		b.header["kid"] = kid
		if got := a.ask("verify", jws(b)); got != "eab kid lookup failed" {
			t.Errorf("kid %q: %v", kid, got)
		}
	}
	w.want(t, 200, "POST", "/v1/eab/keys/"+k.text("kid")+"/revoke", "")
	if !a.ask("check", map[string]any{"kid": k.text("kid")}).(bool) {
		t.Error("what was good a moment ago is believed for as long as the settings say")
	}
	w.pass(30 * time.Second)
	if a.ask("check", map[string]any{"kid": k.text("kid")}).(bool) {
		t.Error("it was revoked half a minute ago")
	}
	for _, secret := range []string{k.text("hmac_key"), other.text("hmac_key"), w.token} {
		if strings.Contains(a.said.String(), secret) || strings.Contains(w.log.String(), secret) {
			t.Error("a log has a secret")
		}
	}
}

// One credential serves several of acme2certifier's servers: each says which it is, and what one has kept is not believed for another.
func TestAcme2certifierSaysWhichDirectoryItServes(t *testing.T) {
	w := withDirectory(t)
	a := newA2C(t, w)
	production, staging := w.twoDirectories(t)
	kid, mac := production.text("kid"), production.text("hmac_key")
	a.want("no directory is said", kid, "raised Refused")
	// What it logs comes by another pipe than what it answers.
	for deadline := time.Now().Add(time.Minute); !strings.Contains(a.said.String(), "set countersign_directory"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("said is\n%s", a.said)
		}
	}
	a.configure("countersign_directory: https://ca.example/acme/directory")
	a.want("of the directory", kid, mac)
	a.want("of the other", staging.text("kid"), nil)
	a.configure("countersign_directory: https://ca.example/staging/directory")
	a.want("kept by the one", kid, nil)
	a.want("of its own", staging.text("kid"), staging.text("hmac_key"))
}

func TestWhileCountersignIsAwayAcme2certifierBelievesWhatItWasToldForAWhile(t *testing.T) {
	w := withDirectory(t)
	w.release(t, &proofing.KeyRelease{Since: w.clock()})
	k, unseen := w.makeKey(t, `{"profile": "client"}`), w.makeKey(t, `{"profile": "client"}`)
	kid, mac := k.text("kid"), k.text("hmac_key")
	a := newA2C(t, w, "countersign_cache_age: 600")
	for what, h := range map[string]http.HandlerFunc{
		"down":                      status(503, "application/problem+json", `{"type":"urn:countersign:error:unavailable"}`),
		"a proxy's 404":             status(404, "text/html", "not found"),
		"a proxy's 404 in JSON":     status(404, "application/problem+json", `{"type":"about:blank"}`),
		"a proxy's 403":             status(403, "text/html", "forbidden"),
		"a page of somebody else":   status(200, "text/html", "<html>"),
		"a key of somebody else":    status(200, "application/json", `{"kid":"csother","hmac_key":"`+strings.Repeat("A", 43)+`","recheck_after":"2030-01-01T00:00:00Z"}`),
		"a redirect":                func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, "/v1/eab/keys/csother/mac", 302) },
		"a connection that is shut": func(rw http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) },
		"an answer without an end":  func(rw http.ResponseWriter, _ *http.Request) { rw.Header().Set("Content-Length", "500") },
	} {
		w.pass(31 * time.Second)
		a.want("asked", kid, mac)
		a.away(h)
		w.pass(31 * time.Second)
		a.want(what+" for a moment", kid, mac)
		a.want(what+", and never asked", unseen.text("kid"), "raised Unreachable")
		w.pass(568 * time.Second)
		a.want(what+" for ten minutes less a second", kid, mac)
		w.pass(time.Second)
		a.want(what+" for ten minutes", kid, "raised Unreachable")
		a.away(nil)
		a.want("back after "+what, kid, mac)
	}
}

func TestWhatCountersignSaysNoToIsForgotten(t *testing.T) {
	w := withDirectory(t)
	w.release(t, &proofing.KeyRelease{Since: w.clock()})
	down := status(503, "text/plain", "")
	k, other := w.makeKey(t, `{"profile": "client"}`), w.makeKey(t, `{"profile": "client"}`)
	a := newA2C(t, w)
	a.want("asked", k.text("kid"), k.text("hmac_key"))
	a.want("asked", other.text("kid"), other.text("hmac_key"))
	w.want(t, 200, "POST", "/v1/eab/keys/"+k.text("kid")+"/revoke", "")
	w.pass(31 * time.Second)
	a.want("revoked", k.text("kid"), nil)
	a.away(down)
	a.want("revoked, and away", k.text("kid"), "raised Unreachable")
	a.want("the other, and away", other.text("kid"), other.text("hmac_key"))
	a.away(nil)
	w.release(t, nil) // the operator withholds them: nothing that is kept is good
	w.pass(31 * time.Second)
	a.want("withheld", other.text("kid"), "raised Refused")
	a.away(down)
	a.want("withheld, and away", other.text("kid"), "raised Unreachable")
	if text, err := os.ReadFile(a.cache); err != nil || strings.Contains(string(text), other.text("hmac_key")) {
		t.Errorf("%s %v", text, err)
	}
}

// TestAKeptKeyEndsWhenCountersignSaid: the profile's recheck_after is a day, and the settings would allow as much.
func TestAKeptKeyEndsWhenCountersignSaid(t *testing.T) {
	w := withDirectory(t)
	w.release(t, &proofing.KeyRelease{Since: w.clock()})
	k := decode(t, w.do(t, "POST", "/v1/eab/keys", w.token, `{"profile": "client", "expires_in": 120}`))
	a := newA2C(t, w, "countersign_cache_age: 86400", "countersign_fresh: 300")
	a.want("asked", k.text("kid"), k.text("hmac_key"))
	a.away(status(503, "text/plain", ""))
	w.pass(119 * time.Second)
	a.want("a second before its end", k.text("kid"), k.text("hmac_key"))
	w.pass(time.Second)
	a.want("at its end", k.text("kid"), "raised Unreachable")
	w.pass(-time.Hour)
	a.want("by a clock that was set back", k.text("kid"), "raised Unreachable")
}

func TestTheCacheOfKeysIsPrivateAndBounded(t *testing.T) {
	w := withDirectory(t)
	w.release(t, &proofing.KeyRelease{Since: w.clock()})
	a := newA2C(t, w, "countersign_cache_keys: 3")
	var keys []object
	for range 5 {
		k := w.makeKey(t, `{"profile": "client"}`)
		a.want("asked", k.text("kid"), k.text("hmac_key"))
		keys = append(keys, k)
		w.pass(time.Second)
	}
	for _, path := range []string{a.cache, a.cache + ".lock"} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info.Mode(), err)
		}
	}
	calls := a.calls.Load()
	for i, k := range keys[2:] {
		a.want(fmt.Sprint("kept ", i), k.text("kid"), k.text("hmac_key"))
	}
	if a.calls.Load() != calls {
		t.Error("what is fresh was asked for")
	}
	a.away(status(503, "text/plain", ""))
	a.want("the oldest", keys[0].text("kid"), "raised Unreachable")

	// What others could have written is believed by nobody.
	last := keys[4]
	text, err := os.ReadFile(a.cache)
	if err != nil {
		t.Fatal(err)
	}
	spoil := map[string]func(){
		"it can be read by others": func() { write(t, a.cache, string(text), 0o644) },
		"it is of another service": func() {
			write(t, a.cache, strings.Replace(string(text), a.server.URL, "https://other.example", 1), 0o600)
		},
		"it is cut off": func() { write(t, a.cache, string(text[:len(text)/2]), 0o600) },
		"it is something else": func() {
			write(t, a.cache, `{"url":"`+a.server.URL+`","keys":{"`+last.text("kid")+`":{"mac":true,"at":"x"}}}`, 0o600)
		},
		"it is a link to somewhere": func() {
			must0(t, os.Remove(a.cache))
			write(t, a.cache+".real", string(text), 0o600)
			must0(t, os.Symlink(a.cache+".real", a.cache))
		},
	}
	for what, do := range spoil {
		do()
		a.want(what, last.text("kid"), "raised Unreachable")
		must0(t, os.Remove(a.cache))
		write(t, a.cache, string(text), 0o600)
		a.want("as it was", last.text("kid"), last.text("hmac_key"))
	}
}

func must0(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheHandlerBelievesNoServerThatItWasNotToldOf(t *testing.T) {
	w := withDirectory(t)
	w.release(t, &proofing.KeyRelease{Since: w.clock()})
	k := w.makeKey(t, `{"profile": "client"}`)
	var tokens atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			tokens.Add(1)
		}
		w.handler.ServeHTTP(rw, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	a := newA2C(t, w, "countersign_url: "+server.URL)
	a.want("its certificate is nobody's", k.text("kid"), "raised Unreachable")
	if tokens.Load() != 0 {
		t.Error("the token was shown to a stranger")
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	write(t, file, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})), 0o644)
	a.configure("countersign_url: "+server.URL, "countersign_ca_file: "+file)
	a.want("its certificate is the one of the settings", k.text("kid"), k.text("hmac_key"))

	// Nor does it follow where it is sent.
	a.away(func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, server.URL+r.URL.Path, http.StatusFound)
	})
	seen := tokens.Load()
	w.pass(2 * time.Hour)
	a.configure("countersign_ca_file: " + file)
	a.want("sent to another server", k.text("kid"), "raised Unreachable")
	if tokens.Load() != seen {
		t.Error("the token was sent elsewhere")
	}
}

func TestProcessesOfAcme2certifierShareTheCache(t *testing.T) {
	w := withDirectory(t)
	w.release(t, &proofing.KeyRelease{Since: w.clock()})
	first := newA2C(t, w)
	second := newA2C(t, w, "countersign_cache_file: "+first.cache, "countersign_url: "+first.server.URL)
	var keys []object
	for range 20 {
		keys = append(keys, w.makeKey(t, `{"profile": "client"}`))
	}
	var both sync.WaitGroup
	for i, a := range []*a2c{first, second} {
		both.Go(func() {
			for j, k := range keys {
				if j%2 == i {
					a.ask("get", map[string]any{"kid": k.text("kid")})
				}
			}
		})
	}
	both.Wait()
	first.away(status(503, "text/plain", ""))
	for _, k := range keys {
		second.want("by either", k.text("kid"), k.text("hmac_key"))
	}
}

func TestSettingsOfTheHandlerThatCannotBeRefuseEverything(t *testing.T) {
	a := newA2C(t, withDirectory(t))
	for what, settings := range map[string][]string{
		"http to another machine": {"countersign_url: http://proof.example.org"},
		"no URL":                  {"countersign_url: "},
		"a token for all to read": {"countersign_token_file: testdata/acme2certifier/driver.py"},
		"no token":                {"countersign_token_file: "},
		"a cache for ever":        {"countersign_cache_age: 86401"},
		"no number":               {"countersign_fresh: soon"},
	} {
		a.configure(settings...)
		a.want(what, "csnone", "raised ValueError")
	}
}
