package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-id/countersign/notify/twiliotest"
	"github.com/countersign-id/countersign/store/redistest"
)

// binary is the program, built once.
var binary, mailhog string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "countersign-e2e")
	if err != nil {
		panic(err)
	}
	binary, mailhog = filepath.Join(dir, "countersign"), filepath.Join(dir, "MailHog")
	for _, build := range [][]string{
		{"..", "build", "-o", binary, "./cmd/countersign"},
		{"../tools", "build", "-o", mailhog, "github.com/mailhog/MailHog"},
	} {
		cmd := exec.Command("go", build[1:]...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = build[0], os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			fmt.Fprintf(os.Stderr, "go %s: %v\n", strings.Join(build[1:], " "), err)
			os.Exit(1)
		}
	}
	code := m.Run()
	if code == 0 {
		code = checkLogs()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// spoken is everything secret that any test used, and logged what the program
// wrote meanwhile: the two must have nothing in common.
var spoken struct {
	sync.Mutex
	secrets map[string]string // the secret, and what it is
	logged  bytes.Buffer
}

// secret notes something that no log may show.
func secret(what, value string) string {
	spoken.Lock()
	defer spoken.Unlock()
	if spoken.secrets == nil {
		spoken.secrets = map[string]string{}
	}
	if len(value) >= 6 {
		spoken.secrets[value] = what
	}
	return value
}

// checkLogs looks for every secret of the whole run in all that was logged at
// debug level.
func checkLogs() int {
	spoken.Lock()
	defer spoken.Unlock()
	log := spoken.logged.String()
	whole := flag.Lookup("test.run").Value.String() == "" // or only some tests were asked for
	if whole && (len(spoken.secrets) < 20 || len(log) < 1000) {
		fmt.Fprintf(os.Stderr, "FAIL: %d secrets and %d bytes of log: too little to have looked\n", len(spoken.secrets), len(log))
		return 1
	}
	code := 0
	for value, what := range spoken.secrets {
		if strings.Contains(log, value) {
			fmt.Fprintf(os.Stderr, "FAIL: %s is in the log: %q\n", what, value)
			code = 1
		}
	}
	return code
}

type logWriter struct{}

func (logWriter) Write(p []byte) (int, error) {
	spoken.Lock()
	defer spoken.Unlock()
	return spoken.logged.Write(p)
}

// free is a loopback address that nobody listens on, and that no connection of another
// test is given before somebody does.
func free(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", redistest.FreePorts(t, 1))
}

// start runs a process until the test ends.
func start(t testing.TB, env []string, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = logWriter{}, logWriter{}
	if filepath.Base(name) == "MailHog" {
		cmd.Stdout, cmd.Stderr = io.Discard, io.Discard // it logs the mails themselves
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(cmd, syscall.SIGKILL) })
	return cmd
}

// end stops a process by its id and waits for it.
func end(cmd *exec.Cmd, signal syscall.Signal) {
	_ = cmd.Process.Signal(signal)
	_ = cmd.Wait()
}

// slowest is what await waits at least: many times what a mail, a child or a page takes on a machine that is slow and has other tests to run. Who waits for
// something that comes has nothing to gain by giving up sooner.
const slowest = 3 * time.Minute

// await tries until it works, or fails the test when it has not worked for so long, and for the slowest at least: how soon something comes is what promptly
// looks at.
func await(t testing.TB, what string, within time.Duration, try func() bool) {
	t.Helper()
	promptly(t, what, max(within, slowest), try)
}

// promptly is await for what must come within a time, since a fault would make it later.
func promptly(t testing.TB, what string, within time.Duration, try func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if try() {
			return
		}
	}
	t.Fatalf("%s: not within %v", what, within)
}

func answers(url string) func() bool {
	return func() bool {
		r, err := http.Get(url)
		if err != nil {
			return false
		}
		r.Body.Close()
		return true
	}
}

// program is a running service with its mail server, its double of Twilio and one
// CA that may call it.
type program struct {
	t         testing.TB
	dir       string
	people    string // base URL of the pages
	api       string // base URL for CAs
	token     string
	http      *http.Client // of the CA
	smtp      string       // where MailHog takes mail
	mail      string       // base URL of MailHog's own API
	hog       *exec.Cmd
	twilio    *twiliotest.Server
	cmd       *exec.Cmd
	others    []*exec.Cmd // further processes of the same service
	operators []string    // where each process tells how it is: base URLs
	// Lines that a test may spoil; nil where nobody asked for them.
	mailLine, textLine  *line
	peopleLine, apiLine *line // share the work among several processes
}

const (
	accountSID = "AC0123456789abcdef0123456789abcdef"
	authToken  = "0123456789abcdef0123456789abcdef"
)

// newProgram writes a configuration, starts everything and adds a CA.
func newProgram(t testing.TB) *program {
	t.Helper()
	return newProgramOver(t, onFile)
}

// onFile are the settings of a store that is a file.
func onFile(dir string) string { return "path: " + filepath.Join(dir, "c.db") }

// newProgramOver is newProgram with the store that the settings name.
func newProgramOver(t testing.TB, store func(dir string) string) *program {
	t.Helper()
	return newService(t, layout{store: store})
}

// layout says how a service is put together.
type layout struct {
	store     func(dir string) string
	processes int  // 0: one
	lines     bool // between us and those who deliver
	drain     time.Duration
	root      *root // whose certificate the listener for CAs shows; nil: none
}

func newService(t testing.TB, l layout) *program {
	t.Helper()
	p := &program{t: t, dir: t.TempDir(), http: http.DefaultClient}
	p.smtp, p.mail = free(t), "http://"+free(t)
	p.startMailHog()
	p.twilio = twiliotest.New(accountSID, secret("Twilio's token", authToken))
	twilioURL, stop, err := p.twilio.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	smtp := p.smtp
	if l.lines {
		p.mailLine, p.textLine = newLine(t, smtp), newLine(t, strings.TrimPrefix(twilioURL, "http://"))
		smtp, twilioURL = p.mailLine.addr, "http://"+p.textLine.addr
	}
	var people, cas []string
	for range max(l.processes, 1) {
		people, cas, p.operators = append(people, free(t)), append(cas, free(t)), append(p.operators, "http://"+free(t))
	}
	p.people, p.api = "http://localhost:"+port(t, people[0]), "http://"+cas[0]
	if l.processes > 1 {
		p.peopleLine, p.apiLine = newLine(t, people...), newLine(t, cas...)
		p.people, p.api = "http://localhost:"+port(t, p.peopleLine.addr), "http://"+p.apiLine.addr
	}
	tls := ""
	if l.root != nil {
		cert, key := l.root.server("cas")
		p.http, p.api, tls = l.root.http(), "https://localhost:"+port(t, cas[0]), fmt.Sprintf("cas_tls: {cert_file: %s, key_file: %s}, ", cert, key)
	}
	for n := range people {
		p.configure(n, fmt.Sprintf("{people: %s, cas: %s, %scas_origin: %q, operators: %s, drain: %s}", people[n], cas[n], tls, p.api, strings.TrimPrefix(p.operators[n], "http://"), l.drain),
			l.store(p.dir), smtp, twilioURL)
	}
	p.token = secret("a CA's token", p.addCA("example"))
	p.run()
	for n := range p.operators[1:] {
		p.others = append(p.others, p.process(n+1))
	}
	return p
}

// configure writes the configuration of the n-th process.
func (p *program) configure(n int, listeners, store, smtp, twilioURL string) {
	p.t.Helper()
	config := fmt.Sprintf(`
origin: %s
operator: {name: Example Operator, contact: help@example.org}
listeners: %s
store: {%s, key_ring: %s}
providers: {email: smtp, sms: twilio}
smtp: {host: 127.0.0.1, port: %s, tls: none, from: proof@example.org}
twilio: {account_sid: %s, auth_token: "env:TWILIO_TOKEN", from: "+15005550006", base_url: %s, status_callbacks: true}
sms: {countries: [GB, US], prices: {default: "0.05"}}
webhooks: {allow_networks: [127.0.0.0/8]}
log: {level: debug}
limits: {cooldown: 5s, address_hour: 1000, address_day: 1000, client_hour: 10000, prefix_hour: 1000}
profiles:
  client:
    title: Client certificate
    identifiers: [email]
    methods: [email, sms]
    require: {confirmed_addresses: [email, phone]}
    self_service: true
  sign:
    title: Code signing
    framework: sp800-63-3
    identifiers: [email]
    methods: [email, sms]
    require: {aal: 1, all_methods: [email]}
    require_start: true
  strong:
    title: Strong certificate
    identifiers: [email]
    methods: [fido, email]
    require: {aal: 2, phishing_resistant: true, confirmed_addresses: [email]}
  proofed3:
    title: Proofed certificate of revision 3
    framework: sp800-63-3
    identifiers: [email]
    methods: [email, sms, representative]
    require: {ial: 2, confirmed_addresses: [email, phone]}
  proofed:
    title: Proofed certificate
    identifiers: [email]
    methods: [email, sms, representative]
    require: {ial: 2, confirmed_addresses: [email, phone]}
  address:
    title: Address
    identifiers: [email]
    methods: [email]
    require: {confirmed_addresses: [email]}
  device:
    title: Device
    identifiers: [dns]
    methods: [email]
    require: {confirmed_addresses: [email]}
  organization:
    title: Code signing for an organization
    identifiers: [organization]
    methods: [email]
    require: {confirmed_addresses: [email]}
  ev:
    title: EV code signing
    identifiers: [organization]
    methods: [fido, email]
    require: {aal: 2, phishing_resistant: true, confirmed_addresses: [email]}
    ev: true
    approvals: 2
    approve: each-certificate
`, p.people, listeners, store, filepath.Join(p.dir, "c.keys"), port(p.t, smtp), accountSID, twilioURL)
	if err := os.WriteFile(p.file(n), []byte(config), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *program) file(n int) string {
	if n == 0 {
		return filepath.Join(p.dir, "c.yaml")
	}
	return filepath.Join(p.dir, fmt.Sprintf("c%d.yaml", n))
}

func (p *program) startMailHog() {
	p.t.Helper()
	api := strings.TrimPrefix(p.mail, "http://")
	p.hog = start(p.t, nil, mailhog, "-smtp-bind-addr", p.smtp, "-api-bind-addr", api, "-ui-bind-addr", api)
	await(p.t, "MailHog", 10*time.Second, answers(p.mail+"/api/v2/messages"))
}

// in is the same program for a subtest.
func (p *program) in(t testing.TB) *program {
	copied := *p
	copied.t = t
	return &copied
}

func (p *program) env() []string { return []string{"TWILIO_TOKEN=" + authToken} }

// addCA registers a CA with the program's own command and returns its token.
func (p *program) addCA(name string) string {
	p.t.Helper()
	out := p.command("ca", "add", name, "--title", "CA "+name, "--directory", "https://"+name+".example/dir", "--new-account", "https://"+name+".example/new-account",
		"--profile", "client", "--profile", "sign", "--profile", "address", "--profile", "strong", "--profile", "proofed3", "--profile", "proofed")
	for _, field := range strings.Fields(out) {
		if strings.HasPrefix(field, "csca.") {
			return field
		}
	}
	p.t.Fatalf("ca add printed no token: %s", out)
	return ""
}

// command runs a subcommand on the program's store.
func (p *program) command(args ...string) string {
	p.t.Helper()
	out, err := p.attempt(args...)
	if err != nil {
		p.t.Fatalf("countersign %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// attempt is command for one that may fail.
func (p *program) attempt(args ...string) (string, error) {
	cmd := exec.Command(binary, append([]string{"--config", filepath.Join(p.dir, "c.yaml")}, args...)...)
	cmd.Env = append(os.Environ(), p.env()...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// run starts the service.
func (p *program) run() {
	p.t.Helper()
	p.cmd = p.process(0)
}

// process starts the n-th process of the service and waits until it serves.
func (p *program) process(n int) *exec.Cmd {
	p.t.Helper()
	cmd := start(p.t, p.env(), binary, "--config", p.file(n), "serve")
	await(p.t, "the service", 30*time.Second, func() bool {
		r, err := http.Get(p.operators[n] + "/readyz")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	return cmd
}

// askAgain is how long a CA asks again who is told to come later.
const askAgain = time.Minute

// call is one request of the CA; it returns the status and the decoded answer. Who hears that there is no answer now, as of a grant that is not in
// the log yet, asks again when it may, as a CA must.
func (p *program) call(method, path string, body any) (int, map[string]any) {
	p.t.Helper()
	for began := time.Now(); ; {
		status, answer, later, err := p.hear(method, path, body)
		if err != nil {
			p.t.Fatalf("%s %s: %v", method, path, err)
		}
		seconds, err := strconv.Atoi(later)
		if status != http.StatusServiceUnavailable || err != nil || time.Since(began) > askAgain {
			return status, answer
		}
		time.Sleep(time.Duration(seconds) * time.Second)
	}
}

// try is call once, for one that may fail.
func (p *program) try(method, path string, body any) (int, map[string]any, error) {
	status, answer, _, err := p.hear(method, path, body)
	return status, answer, err
}

// hear is try with what Retry-After says.
func (p *program) hear(method, path string, body any) (status int, answer map[string]any, later string, err error) {
	resp, err := p.do(method, path, body)
	if err != nil {
		return 0, nil, "", err
	}
	defer resp.Body.Close()
	err = json.NewDecoder(resp.Body).Decode(&answer)
	return resp.StatusCode, answer, resp.Header.Get("Retry-After"), err
}

// raw is call for a test that reads the answer's head.
func (p *program) raw(method, path string, body any) *http.Response {
	p.t.Helper()
	resp, err := p.do(method, path, body)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	resp.Body.Close()
	return resp
}

func (p *program) do(method, path string, body any) (*http.Response, error) {
	var r io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		r = bytes.NewReader(text)
	}
	req, err := http.NewRequest(method, p.api+path, r)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	req.Header.Set("Content-Type", "application/json")
	return p.http.Do(req)
}

// preauthorize opens a case for an e-mail identifier.
func (p *program) preauthorize(profile, account, email string) map[string]any {
	p.t.Helper()
	status, answer := p.call("POST", "/v1/preauthorizations", request(profile, account, email))
	if status != http.StatusCreated {
		p.t.Fatalf("open: %d %v", status, answer)
	}
	secret("the link of a case", strings.TrimPrefix(answer["case_url"].(string), p.people))
	return answer
}

func request(profile, account, email string) map[string]any {
	return map[string]any{
		"account":    map[string]any{"url": "https://example.example/acct/" + account, "thumbprint": thumbprint(account)},
		"identifier": map[string]any{"type": "email", "value": secret("an address", email)}, "profile": profile,
	}
}

// thumbprint stands for the key of an account of that name.
func thumbprint(account string) string {
	sum := sha256.Sum256([]byte(account))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
