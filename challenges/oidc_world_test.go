package challenges

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/challenges/oidctest"
	"github.com/countersign-id/countersign/proofing"
)

// idp is a provider that a test may have say anything, and the method that trusts it.
type idp struct {
	*oidctest.Provider
	t      testing.TB
	method *OIDC
	issuer Issuer
	client *http.Client

	mu  sync.Mutex
	now time.Time
	// before sees each request to the provider; true: it has answered.
	before func(w http.ResponseWriter, r *http.Request) bool
}

const testOrigin = "https://proof.example.org"

func newIDP(t testing.TB, change ...func(*Issuer)) *idp {
	t.Helper()
	w := &idp{t: t, now: time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		before := w.before
		w.mu.Unlock()
		if before == nil || !before(rw, r) {
			w.ServeHTTP(rw, r)
		}
	}))
	t.Cleanup(server.Close)
	w.client = server.Client()
	w.Provider = &oidctest.Provider{
		Issuer: server.URL + "/idp", ClientID: "countersign", ClientSecret: "client-secret", Redirects: []string{testOrigin + "/o/work"},
		Accounts: []oidctest.Account{{Subject: "alice-1", Name: "Alice", AMR: []string{"pwd", "otp"}}}, ACR: []string{"urn:low", "urn:high"}, Now: w.clock,
	}
	w.issuer = Issuer{
		Name: "work", Title: "Work account", URL: w.Issuer, ClientID: "countersign", Auth: AuthBasic, Secret: "client-secret", Client: w.client,
		Algorithms: []string{"ES256", "RS256"}, MaxAge: time.Hour, HandedIn: true, PreEstablished: true,
		ACR: map[string]proofing.StatedLevels{"urn:low": {AAL: 1}, "urn:high": {AAL: 2, IAL: 2}}, Cap: proofing.StatedLevels{AAL: 2},
	}
	for _, c := range change {
		c(&w.issuer)
	}
	w.restart()
	return w
}

// restart makes the method anew, with empty caches.
func (w *idp) restart() {
	w.t.Helper()
	var err error
	if w.method, err = NewOIDC(OIDCConfig{Issuers: []Issuer{w.issuer}, Now: w.clock}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *idp) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *idp) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *idp) intercept(before func(http.ResponseWriter, *http.Request) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before = before
}

// trip is one way to the provider and back.
type trip struct {
	w       *idp
	opening proofing.Opening
	contact proofing.Contact
	keyAuth [32]byte
}

func (w *idp) begin(b proofing.Beginning) trip {
	w.t.Helper()
	c, err := w.method.Check("work")
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.method.Prepare(w.t.Context(), c); err != nil {
		w.t.Fatal(err)
	}
	b.Contact, b.Origin = c, testOrigin
	if b.Ref == "" {
		b.Ref = "case.attempt.secret"
	}
	o, err := w.method.Begin(b)
	if err != nil {
		w.t.Fatal(err)
	}
	return trip{w, o, c, b.KeyAuth}
}

// visit goes to the provider as a browser does, and returns what it brings back.
func (tr trip) visit() url.Values {
	tr.w.t.Helper()
	browser := *tr.w.client
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := browser.Get(tr.opening.Away.Reveal())
	if err != nil {
		tr.w.t.Fatal(err)
	}
	defer resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		tr.w.t.Fatalf("the provider answers %d and leads nowhere", resp.StatusCode)
	}
	return back.Query()
}

// response is what the page makes of it.
func response(q url.Values) json.RawMessage {
	members := map[string]string{"issuer": "work"}
	for name := range q {
		members[name] = q.Get(name)
	}
	text, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return text
}

// answer brings something back.
func (tr trip) answer(r json.RawMessage) (proofing.Proof, error) {
	tr.w.t.Helper()
	a := proofing.Answer{KeyAuth: tr.keyAuth, Response: r}
	var err error
	if a.Fetched, err = tr.w.method.Fetch(tr.w.t.Context(), tr.opening.State, tr.contact, a); err != nil {
		return proofing.Proof{}, err
	}
	who, err := tr.w.method.Speaks(tr.opening.State, a)
	if err != nil {
		return proofing.Proof{}, err
	}
	proof, err := tr.w.method.Judge(tr.opening.State, tr.contact, a)
	if err == nil && proof.Contact != who {
		tr.w.t.Errorf("%v speaks and %v is proved", who.Address.Reveal(), proof.Contact.Address.Reveal())
	}
	return proof, err
}

// login is the whole way.
func (w *idp) login() (proofing.Proof, error) {
	w.t.Helper()
	tr := w.begin(proofing.Beginning{})
	return tr.answer(response(tr.visit()))
}

// refusedWith checks that an error is a refusal with that code, whose detail has a certain word in it.
func refusedWith(t testing.TB, err error, code, word string) {
	t.Helper()
	var input *proofing.InputError
	switch {
	case !errors.As(err, &input):
		t.Errorf("it is no refusal: %v", err)
	case input.Code != code || !strings.Contains(input.Detail, word):
		t.Errorf("it is refused as %s (%s), and not as %s with %q", input.Code, input.Detail, code, word)
	}
}
