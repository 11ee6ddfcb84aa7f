package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// benchHooks name the rows of the table of hooks in docs/performance.md, which is what a CA waits for: a binding that is
// verified again for the account that has it, one that binds a new account, and whether an account may have what was proved.
var benchHooks = []string{"echo", "eab/verify-again", "eab/verify-new", "authorize", "step-ca/enriching", "step-ca/authorizing"}

// hookPool is how many keys there are to bind under each load; it ends when they do.
const hookPool = 4000

const (
	hookConfig     = benchConfig + "  machines: {title: Machines, identifiers: [email], methods: [email], require: {confirmed_addresses: [email]}}\n"
	hookNewAccount = "https://ca.example/new-account"
)

// BenchmarkHooks prints how fast a CA is answered.
func BenchmarkHooks(b *testing.B) {
	onLoadedStores(b, func(b *testing.B, name, fsync string) {
		x := startServer(b, hookConfig, []string{"client", "machines"}, name, fsync, waiters)
		x.token = x.command("ca", "add", "hooks", "--directory", "https://ca.example/hooks", "--new-account", hookNewAccount, "--profile", "client", "--profile", "machines")
		bound := x.bindings(waiters)
		for _, request := range bound {
			if r, err := x.to("cas", 1)[0].ask(request); err != nil || r.status != http.StatusOK {
				b.Fatalf("bind: %d %v %s", r.status, err, r.body)
			}
		}
		x.connectSteps()
		steps := x.stepKeys(waiters)
		x.waits(b, name, "hook", []waited{
			{name: benchHooks[0], listener: "echo", requests: again(x.echoRequest())},
			{name: benchHooks[1], listener: "cas", requests: again(bound...)},
			{name: benchHooks[2], listener: "cas", requests: func() [][]byte { return x.bindings(hookPool) }, once: true},
			{name: benchHooks[3], listener: "cas", requests: again(x.authorizedAccounts(waiters)...)},
			{name: benchHooks[4], listener: "cas", requests: func() [][]byte { return stepRequests(benchSteps[0], steps, time.Now()) }},
			{name: benchHooks[5], listener: "cas", requests: func() [][]byte { return stepRequests(benchSteps[1], steps, time.Now()) }},
		})
	})
}

// authorizedAccounts has people prove their addresses for accounts, and returns what the CA asks about each.
func (x *bench) authorizedAccounts(n int) (requests [][]byte) {
	x.b.Helper()
	var bodies []string
	for i := range n {
		account := fmt.Sprintf(`{"account": {"url": "https://ca.example/acct/h%d", "thumbprint": "%s"}, "profile": "client", `, i, benchThumbprint())
		id := fmt.Sprintf(`{"type": "email", "value": "hook-%d@example.org"}`, i)
		bodies = append(bodies, account+`"identifier": `+id+`}`)
		requests = append(requests, post("/v1/authorize", x.caHeaders(i), account+`"identifiers": [`+id+`]}`))
	}
	x.provedCases(bodies)
	cas := x.to("cas", 1)[0]
	for _, request := range requests {
		if r, err := cas.ask(request); err != nil || r.status != http.StatusOK {
			x.b.Fatalf("authorize: %d %v %s", r.status, err, r.body)
		}
	}
	return requests
}

// provedCases opens cases, and has their people prove their addresses.
func (x *bench) provedCases(bodies []string) {
	x.b.Helper()
	cas, people := x.to("cas", 1)[0], x.to("people", 1)[0]
	var mine []*benchCase
	for i, body := range bodies {
		r, err := cas.ask(post("/v1/preauthorizations", x.caHeaders(i), body))
		if err != nil || r.status != http.StatusCreated {
			x.b.Fatalf("open: %d %v %s", r.status, err, r.body)
		}
		c, err := opened(r.body)
		if err != nil {
			x.b.Fatal(err)
		}
		if r, err = people.ask(c.beginRequest(i)); err != nil || r.status != http.StatusSeeOther {
			x.b.Fatalf("begin: %d %v %s", r.status, err, r.body)
		}
		mine = append(mine, c)
	}
	x.cases = mine
	x.drain()
	for i, c := range mine {
		if r, err := people.ask(c.answerRequest(i)); err != nil || r.status != http.StatusSeeOther {
			x.b.Fatalf("answer: %d %v %s", r.status, err, r.body)
		}
	}
	x.cases = nil
}

// bindings has the CA make n keys, and returns for each what it asks when an account of its own comes with it.
func (x *bench) bindings(n int) [][]byte {
	x.b.Helper()
	wires, all := x.to("cas", x.callers), make([][]byte, n)
	var turn atomic.Int64
	var work sync.WaitGroup
	var failed atomic.Pointer[string]
	for _, w := range wires {
		work.Go(func() {
			for i := int(turn.Add(1)) - 1; i < n && failed.Load() == nil; i = int(turn.Add(1)) - 1 {
				request, err := x.binding(w, i)
				if err != nil {
					text := err.Error()
					failed.Store(&text)
					return
				}
				all[i] = request
			}
		})
	}
	work.Wait()
	if why := failed.Load(); why != nil {
		x.b.Fatal(*why)
	}
	return all
}

// binding makes a key, and a new account's binding by it (RFC 8555 7.3.4).
func (x *bench) binding(w *wire, i int) ([]byte, error) {
	r, err := w.ask(post("/v1/eab/keys", x.caHeaders(i), `{"profile": "machines", "max_accounts": 1, "identifiers": [{"type": "email", "value": "machine@example.org"}]}`))
	if err != nil || r.status != http.StatusCreated {
		return nil, fmt.Errorf("make a key: %d %v %s", r.status, err, r.body)
	}
	var made struct {
		Kid     string `json:"kid"`
		HMACKey string `json:"hmac_key"`
	}
	if err := json.Unmarshal(r.body, &made); err != nil {
		return nil, err
	}
	raw, err := base64.RawURLEncoding.DecodeString(made.HMACKey)
	if err != nil {
		return nil, err
	}
	jwk, err := newJWK()
	if err != nil {
		return nil, err
	}
	body := fmt.Sprintf(`{"url": %q, "jwk": %s, "externalAccountBinding": %s}`, hookNewAccount, jwk, bindingOf(made.Kid, raw, hookNewAccount, jwk))
	return post("/v1/eab/verify", x.caHeaders(i), body), nil
}

// newJWK is the public key of a new account.
func newJWK() (string, error) {
	key, err := newSignerKey()
	if err != nil {
		return "", err
	}
	return jwkOf(&key.PublicKey)
}

func newSignerKey() (*ecdsa.PrivateKey, error) {
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func jwkOf(key *ecdsa.PublicKey) (string, error) {
	point, err := key.Bytes() // 4, x, y
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, base64.RawURLEncoding.EncodeToString(point[1:33]), base64.RawURLEncoding.EncodeToString(point[33:])), nil
}

// bindingOf is an external account binding by HS256, in JSON.
func bindingOf(kid string, secret []byte, url, jwk string) string {
	protected := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"alg":"HS256","kid":%q,"url":%q}`, kid, url))
	payload := base64.RawURLEncoding.EncodeToString([]byte(jwk))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(protected + "." + payload))
	return fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, protected, payload, base64.RawURLEncoding.EncodeToString(mac.Sum(nil)))
}
