package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// demoCommand runs the service with nothing configured and nothing installed:
// the same program as `serve`, over a store in a temporary folder, with a mailbox
// in the place of providers, one example CA, and a page that walks through a case.
type demoCommand struct {
	Listen string `help:"Where to listen; unless given, 127.0.0.1:8080, or a free port if that is in use." placeholder:"HOST:PORT"`
	Auto   bool   `help:"Play the CA and the person over HTTP, print every step, and end."`
}

// demoConfig differs from the example of `config example` in what a demo needs:
// where it listens and keeps things, and a mailbox for every message.
const demoConfig = `
operator: {name: countersign demo, contact: nobody@example.org}
providers: {email: mailbox, sms: mailbox}
sms: {countries: [AT, AU, BE, CA, CH, DE, DK, ES, FR, GB, IE, IT, NL, NO, NZ, SE, US], prices: {default: "0.05"}}
log: {level: warn, format: text}
limits: {cooldown: 5s, client_opens_hour: 200}
profiles:
  client:
    title: Client certificate
    identifiers: [email]
    methods: [email, sms]
    require: {confirmed_addresses: [email, phone]}
    self_service: true
  signing:
    title: Code signing certificate
    identifiers: [email]
    methods: [fido, oidc, email]
    require: {aal: 2, phishing_resistant: true, confirmed_addresses: [email], all_methods: [oidc]}
`

// demoProfiles are what the example CA can ask for, the first of them unless another is chosen.
var demoProfiles = []string{"client", "staff", "signing"}

const (
	demoCA         = "example"
	demoIdentifier = "you@example.org"
)

// Run implements the subcommand.
func (d demoCommand) Run(g *globals) (err error) {
	if d.Listen != "" && !listensLocally(d.Listen) {
		return usagef("the demo shows every code and its CA's token to whoever reaches it: --listen on this machine, such as 127.0.0.1:8080, not %s", d.Listen)
	}
	dir, err := os.MkdirTemp("", "countersign-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if d.Auto {
		d.Listen = "127.0.0.1:0"
	}
	l, err := d.listen(g)
	if err != nil {
		return err
	}
	defer l.Close()
	c, err := readDemoConfig(dir, l)
	if err != nil {
		return err
	}
	demo, err := newDemo(g, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, demo.app.close()) }()
	// The end of the terminal ends the demo too, or its folder would stay.
	ctx, stop := signal.NotifyContext(g.ctx, syscall.SIGHUP)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- demo.app.serve(ctx, []endpoint{{name: "demo", listener: l, handler: demo.handler()}}) }()
	if d.Auto {
		err = demo.play(ctx, g.stdout)
		stop()
		return errors.Join(err, <-ended)
	}
	fmt.Fprintf(g.stdout, `countersign demo: open %[1]s/ in a browser. Its mailbox is at %[1]s%[2]s.

To call it as a CA, from another terminal:
    export CS=%[1]s TOKEN=%[3]s

Everything is in %[4]s and is removed when you press Ctrl-C.
`, demo.origin, mailboxPath, demo.token.Reveal(), dir)
	return <-ended
}

// demoListen is where the demo listens if nobody says where.
const demoListen = "127.0.0.1:8080"

// listen takes another port only where nobody has asked for this one: whoever
// names an address has something else that relies on it.
func (d demoCommand) listen(g *globals) (net.Listener, error) {
	if d.Listen != "" {
		l, err := net.Listen("tcp", d.Listen)
		if err != nil {
			return nil, fmt.Errorf("the demo cannot listen where --listen says: %w", err)
		}
		return l, nil
	}
	l, err := net.Listen("tcp", demoListen)
	if errors.Is(err, syscall.EADDRINUSE) {
		fmt.Fprintf(g.stderr, "countersign: %v; taking a free port\n", err)
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	return l, err
}

// demo is the program with the example CA beside it.
type demo struct {
	app    *app
	origin string
	token  proofing.Secret

	mu   sync.Mutex
	last string // the id of the last pre-authorization that the CA opened here
	call *templates.DemoCall

	ev demoEV // the other walk
}

// readDemoConfig is the configuration of a demo with its store in a folder.
func readDemoConfig(dir string, l net.Listener) (*Config, error) {
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return nil, err
	}
	origin := "http://localhost:" + port
	text := fmt.Sprintf("origin: %q\nstore: {path: %q, key_ring: %q}\n%s", origin, filepath.Join(dir, "countersign.db"), filepath.Join(dir, "countersign.keys"), demoConfig+demoEVProfiles+demoIssuers(origin))
	c, report := readConfig("demo", []byte(text), nil, readSecrets)
	if report.failed() {
		return nil, configError{report}
	}
	c.Listeners.CAs = strings.TrimPrefix(origin, "http://")
	return c, nil
}

func newDemo(g *globals, c *Config) (_ *demo, err error) {
	d := &demo{origin: c.Origin}
	d.app, err = newApp(g.ctx, c, newLog(g.stderr, c.Log), g.now, http.HandlerFunc(d.home))
	if err != nil {
		return nil, err
	}
	d.app.bar = d.bar
	ca := &proofing.Authority{
		ID: d.app.service.AuthorityID(demoCA), Name: demoCA, Title: "Example CA", Created: g.now(),
		Directories: []string{"https://ca.example/directory"}, NewAccounts: []string{"https://ca.example/new-account"}, Profiles: append(slices.Clone(demoProfiles), demoEVProfile),
	}
	_, d.token = ca.NewToken(g.now())
	if err := d.app.service.AddAuthority(g.ctx, ca); err != nil {
		return nil, errors.Join(fmt.Errorf("add the example CA: %w", err), d.app.close())
	}
	return d, nil
}

// handler serves people and CAs at one address, and the pages that only the demo has.
func (d *demo) handler() http.Handler {
	mux := http.NewServeMux()
	api := d.app.authorities()
	for _, path := range []string{"/v1/", "/openapi.yaml", "/openapi.json", "/docs"} {
		mux.Handle(path, api)
	}
	mux.Handle(demoProviderPath+"/", newDemoProvider(d.origin, d.app.now))
	d.app.site.Handle("POST /demo/call", http.HandlerFunc(d.callAgain))
	d.app.site.Handle("GET "+demoEVPath, http.HandlerFunc(d.evHome))
	d.app.site.Handle("POST "+demoEVPath+"/next", http.HandlerFunc(d.evNext))
	d.app.site.Handle("POST "+demoEVPath+"/again", http.HandlerFunc(d.evAgain))
	d.app.site.Handle("POST "+demoEVPath+"/sign-out", d.app.site.SignOut(demoEVPath))
	d.app.site.Handle("GET "+demoEVPath+"/"+demoEVFile, http.HandlerFunc(d.evEvidence))
	mux.Handle("/", d.app.people())
	return mux
}

// home walks a newcomer through a case.
func (d *demo) home(w http.ResponseWriter, r *http.Request) {
	screen, err := d.homeScreen(r)
	d.show(w, r, screen, err)
}

func (d *demo) show(w http.ResponseWriter, r *http.Request, screen templates.Screen, err error) {
	if err == nil {
		err = d.app.site.Render(w, r, http.StatusOK, screen)
	}
	if err != nil {
		d.app.log.Error("demo page", "error", err)
		http.Error(w, "the demo cannot draw this page", http.StatusInternalServerError)
	}
}

func (d *demo) homeScreen(r *http.Request) (templates.Screen, error) {
	d.mu.Lock()
	call, id := d.call, d.last
	d.mu.Unlock()
	page := templates.DemoHome{
		Frame: d.app.site.Frame(r, "/"), CA: "Example CA", Bar: d.bar(r), Start: d.app.site.Keep(r, "/demo/call"), EV: d.app.site.Keep(r, demoEVPath), Identifier: demoIdentifier, Profiles: demoProfiles,
	}
	if call != nil {
		here := *call
		here.Case = d.app.site.Keep(r, call.Case)
		page.Call = &here
	}
	if id == "" {
		return page, nil
	}
	status, body, err := d.ask(r.Context(), "GET", "/v1/preauthorizations/"+id, "")
	if err != nil || status != http.StatusOK {
		return nil, fmt.Errorf("read the authorization: %d %w", status, err)
	}
	page.Result, err = result(body)
	return page, err
}

// bar leads from one part of the demo to another.
func (d *demo) bar(r *http.Request) *templates.DemoBar {
	keep := func(path string) string { return d.app.site.Keep(r, path) }
	b := &templates.DemoBar{Call: keep("/") + "#call", Mailbox: keep(mailboxPath), Answer: keep("/") + "#answer"}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.call != nil {
		b.Person = keep(d.call.Case)
	}
	return b
}

// result is what the CA reads, with the statement taken apart.
func result(body []byte) (*templates.DemoResult, error) {
	var a struct {
		Status    string
		Statement *string
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, fmt.Errorf("decode the authorization: %w", err)
	}
	res := &templates.DemoResult{Status: a.Status, Authorization: indented(body)}
	if a.Statement == nil {
		return res, nil
	}
	parts := strings.Split(*a.Statement, ".")
	if len(parts) != 3 {
		return nil, errors.New("the statement is no compact JWS")
	}
	header, err1 := base64.RawURLEncoding.DecodeString(parts[0])
	claims, err2 := base64.RawURLEncoding.DecodeString(parts[1])
	res.Statement, res.Header, res.Claims = *a.Statement, indented(header), indented(claims)
	return res, errors.Join(err1, err2)
}

func indented(text []byte) string {
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return string(text)
	}
	return b.String()
}

// demoRequest is the CA's call: an account asks for a certificate.
func demoRequest(account, profile string) string {
	return fmt.Sprintf(`{
  "account": {"url": "https://ca.example/acct/%s", "thumbprint": "%s"},
  "identifier": {"type": "email", "value": "%s"},
  "profile": "%s"
}`, account[:6], account, demoIdentifier, profile)
}

// callAgain is step 1: the CA opens a pre-authorization for a new account.
func (d *demo) callAgain(w http.ResponseWriter, r *http.Request) {
	profile := r.FormValue("profile")
	if !slices.Contains(demoProfiles, profile) {
		profile = demoProfiles[0]
	}
	request := demoRequest(demoThumbprint(), profile)
	status, body, err := d.ask(r.Context(), "POST", "/v1/preauthorizations", request)
	var answer struct {
		ID      string
		CaseURL string `json:"case_url"`
	}
	if err == nil && status != http.StatusCreated {
		err = fmt.Errorf("the call was answered with %d: %s", status, body)
	}
	if err == nil {
		err = json.Unmarshal(body, &answer)
	}
	if err != nil {
		d.app.log.Error("demo call", slog.Any("error", err))
		http.Error(w, "the example CA's call failed", http.StatusInternalServerError)
		return
	}
	d.mu.Lock()
	d.last = answer.ID
	d.call = &templates.DemoCall{
		Profile: profile,
		Curl:    fmt.Sprintf("curl -s %s/v1/preauthorizations \\\n  -H 'Authorization: Bearer %s' \\\n  -H 'Content-Type: application/json' \\\n  -d '%s'", d.origin, d.token.Reveal(), request),
		Request: request, Response: indented(body), Case: strings.TrimPrefix(answer.CaseURL, d.origin),
	}
	d.mu.Unlock()
	http.Redirect(w, r, d.app.site.Keep(r, "/")+"#person", http.StatusSeeOther) // where the walk goes on
}

// demoThumbprint is that of an account nobody has: 256 random bits look like one.
func demoThumbprint() string {
	a, b := proofing.NewToken().Reveal(), proofing.NewToken().Reveal()
	return base64.RawURLEncoding.EncodeToString([]byte(a + b)[:32])
}

// ask calls the service as the CA does, over HTTP.
func (d *demo) ask(ctx context.Context, method, path, body string) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, d.origin+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+d.token.Reveal())
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, text, err
}
