package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-id/countersign/store/redistest"
)

// bench is one server with its store, as the generator sees it.
type bench struct {
	b       testing.TB
	name    string
	dir     string // of the store
	config  string
	token   string
	server  *exec.Cmd
	redis   *exec.Cmd          // nil: the embedded store
	at      map[string]string  // addresses by listener
	cases   []*benchCase       // that are open
	wires   map[string][]*wire // kept open, by listener
	callers int
	n       int // cases ever opened
}

// benchCase is a case as the generator knows it.
type benchCase struct {
	id, ref, cookie string
	attempt, code   string
}

// benchConfig raises what would stop one machine that plays everybody: budgets of a CA, and
// nothing that a person or their address is counted by.
const benchConfig = `
origin: http://localhost:8080
operator: {name: Example Trust Services, contact: help@example.org}
listeners: {people: 127.0.0.1:1, cas: 127.0.0.1:2, trusted_proxies: [127.0.0.1/32]}
providers: {email: mailbox}
limits: {ca_messages_day: 1000000000}
profiles:
  client: {title: Client certificates, identifiers: [email], methods: [email], require: {confirmed_addresses: [email]}}
`

// freeAddress is below the ports that connections go out from, and is given once: another server cannot have got it by the time that it is used.
func freeAddress(b testing.TB) string {
	b.Helper()
	return fmt.Sprintf("127.0.0.1:%d", redistest.FreePorts(b, 1))
}

// startBench starts a server on a store of its own: "embedded", or Redis with that appendfsync.
func startBench(b testing.TB, name, fsync string, callers int) *bench {
	b.Helper()
	return startServer(b, benchConfig, []string{"client"}, name, fsync, callers)
}

// startServer is startBench with a configuration, the profiles that the CA may use and, for the server, an environment of
// the caller's.
func startServer(b testing.TB, text string, profiles []string, name, fsync string, callers int, environ ...string) *bench {
	b.Helper()
	dir := b.TempDir()
	x := &bench{b: b, name: name, dir: dir, at: map[string]string{}, wires: map[string][]*wire{}, callers: callers}
	text += "store:\n  key_ring: " + filepath.Join(dir, "keys") + "\n"
	if fsync == "" {
		text += "  path: " + filepath.Join(dir, "store.db") + "\n"
	} else {
		address := freeAddress(b)
		_, port, _ := net.SplitHostPort(address)
		x.redis = start(b, exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", dir, "--save", "",
			"--appendonly", "yes", "--appendfsync", fsync, "--maxmemory-policy", "noeviction", "--logfile", filepath.Join(dir, "log"),
			"--auto-aof-rewrite-percentage", "0"))
		awaitPort(b, address)
		x.at["redis"] = address
		text += fmt.Sprintf("  kind: redis\n  redis: {addresses: ['%s'], accept_less_durable: %t}\n", address, fsync != "always")
	}
	config := filepath.Join(dir, "c.yaml")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	x.config = config
	add := []string{"ca", "add", "bench", "--directory", "https://ca.example/dir"}
	for _, profile := range profiles {
		add = append(add, "--profile", profile)
	}
	x.token = x.command(add...)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), environ...), benchServer+"="+config)
	for _, l := range []string{"people", "cas", "echo", "control"} {
		x.at[l] = freeAddress(b)
		cmd.Env = append(cmd.Env, "BENCH_"+strings.ToUpper(l)+"="+x.at[l])
	}
	x.server = start(b, cmd)
	for _, l := range []string{"people", "cas", "echo", "control"} {
		awaitPort(b, x.at[l])
	}
	return x
}

// command runs a command of the program beside the server, and returns what it prints.
func (x *bench) command(args ...string) string {
	x.b.Helper()
	return x.commandWith("", args...)
}

// commandWith gives the command something on standard input.
func (x *bench) commandWith(stdin string, args ...string) string {
	x.b.Helper()
	var out, said bytes.Buffer
	g := &globals{ctx: x.b.Context(), configFile: x.config, stdin: strings.NewReader(stdin), stdout: &out, stderr: &said, now: time.Now}
	if code := run(x.b.Context(), append([]string{"--config", x.config}, args...), g); code != exitOK {
		x.b.Fatalf("%s: %s", args, said.String())
	}
	return strings.TrimSpace(out.String())
}

func start(b testing.TB, cmd *exec.Cmd) *exec.Cmd {
	b.Helper()
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		timer.Stop()
	})
	return cmd
}

func awaitPort(b testing.TB, address string) {
	b.Helper()
	for range 3000 {
		if c, err := net.Dial("tcp", address); err == nil {
			_ = c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.Fatalf("nobody listens at %s", address)
}

// to returns n open connections to a listener.
func (x *bench) to(listener string, n int) []*wire {
	x.b.Helper()
	for len(x.wires[listener]) < n {
		w, err := dialWire(x.at[listener])
		if err != nil {
			x.b.Fatal(err)
		}
		x.b.Cleanup(w.close)
		x.wires[listener] = append(x.wires[listener], w)
	}
	return x.wires[listener][:n]
}

// part leaves n connections to a listener.
func (x *bench) part(listener string, n int) {
	for _, w := range x.wires[listener][n:] {
		w.close()
	}
	x.wires[listener] = x.wires[listener][:n]
}

func (x *bench) control(path string) string {
	x.b.Helper()
	resp, err := http.Get("http://" + x.at["control"] + path)
	if err != nil {
		x.b.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		x.b.Fatalf("%s: %s %v", path, text, err)
	}
	return string(text)
}

// drain waits until nothing is owed, gives the cases the codes that were sent, and says after how long the log had everything.
func (x *bench) drain() (logged time.Duration) {
	x.b.Helper()
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		due, unlogged, _ := strings.Cut(x.control("/due"), " ")
		if logged == 0 && unlogged == "0" {
			logged = time.Since(began)
		}
		if due == "0" && unlogged == "0" {
			break
		}
		if time.Since(began) > 2*time.Minute {
			x.b.Fatal("what is owed, or the log, is not worked off")
		}
	}
	x.fetchCodes()
	return logged
}

func (x *bench) fetchCodes() {
	x.b.Helper()
	byID := map[string]*benchCase{}
	for _, c := range x.cases {
		byID[c.id] = c
	}
	for line := range strings.Lines(x.control("/codes")) {
		f := strings.Fields(line)
		if c := byID[f[0]]; c != nil {
			c.attempt, c.code = f[1], f[2]
		}
	}
}

// The requests. Each client has an address of its own, told by the proxy that the generator
// plays, so that limits count as they would.

func clientOf(n int) string { return fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255) }

func post(path, headers, body string) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n%s", path, headers, len(body), body)
}

func openBody(n int) string {
	return fmt.Sprintf(`{"account": {"url": "https://ca.example/acct/%d", "thumbprint": "%s"}, "identifier": {"type": "email", "value": "person-%d@example.org"}, "profile": "client"}`,
		n, benchThumbprint(), n)
}

// benchThumbprint is that of an account which nobody has seen.
func benchThumbprint() string {
	var print [32]byte
	rand.Read(print[:])
	return base64.RawURLEncoding.EncodeToString(print[:])
}

func (x *bench) caHeaders(n int) string {
	return "Authorization: Bearer " + x.token + "\r\nContent-Type: application/json\r\nX-Forwarded-For: " + clientOf(n) + "\r\n"
}

func (x *bench) openRequest(n int) []byte {
	return post("/v1/preauthorizations", x.caHeaders(n), openBody(n))
}

func (x *bench) echoRequest() []byte { return post("/echo", x.caHeaders(1), openBody(1)) }

func (x *bench) statusRequest(c *benchCase) []byte {
	return fmt.Appendf(nil, "GET /v1/preauthorizations/%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n", c.id, x.token)
}

func (c *benchCase) form(n int, verb, form string) []byte {
	return post("/c/"+c.ref+verb, "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\nAccept-Language: en\r\nX-Forwarded-For: "+clientOf(n)+
		"\r\nCookie: countersign="+c.cookie+"\r\n", form)
}

func (c *benchCase) beginRequest(n int) []byte { return c.beginWith(n, "email", "") }

func (c *benchCase) beginWith(n int, method, address string) []byte {
	return c.form(n, "/begin", "method="+method+"&address="+url.QueryEscape(address))
}

func (c *benchCase) answerRequest(n int) []byte {
	return c.form(n, "/answer", "attempt="+c.attempt+"&code="+c.code)
}

// opened reads the case in an answer to openRequest.
func opened(body []byte) (*benchCase, error) {
	var a struct {
		ID      string `json:"id"`
		CaseURL string `json:"case_url"`
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, err
	}
	var cookie [16]byte
	rand.Read(cookie[:])
	return &benchCase{id: a.ID, ref: a.CaseURL[strings.LastIndexByte(a.CaseURL, '/')+1:], cookie: base64.RawURLEncoding.EncodeToString(cookie[:])}, nil
}

// usage is processor time, in seconds.
type usage struct {
	app, redis, own, foreign float64
	wall                     time.Time
}

const ticksPerSecond = 100 // USER_HZ, on every Linux

func (x *bench) usage() usage {
	u := usage{app: cpuOf(x.b, x.server.Process.Pid), own: cpuOf(x.b, os.Getpid()), wall: time.Now()}
	if x.redis != nil {
		u.redis = cpuOf(x.b, x.redis.Process.Pid)
	}
	u.foreign = cpuBusy(x.b) - u.app - u.own - u.redis
	return u
}

func (u usage) since(before usage) usage {
	return usage{app: u.app - before.app, redis: u.redis - before.redis, own: u.own - before.own, foreign: u.foreign - before.foreign}
}

func cpuOf(b testing.TB, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	return ticks(b, f[11]) + ticks(b, f[12])
}

func cpuBusy(b testing.TB) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		b.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	f := strings.Fields(first) // cpu user nice system idle iowait irq softirq steal
	sum := 0.0
	for _, i := range []int{1, 2, 3, 6, 7, 8} {
		sum += ticks(b, f[i])
	}
	return sum
}

func ticks(b testing.TB, text string) float64 {
	b.Helper()
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		b.Fatal(err)
	}
	return n / ticksPerSecond
}
