package client_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/client"
)

const token = "csca.example.token"

// double is a service whose answers a test lays out, in the form that its OpenAPI document has.
type double struct {
	mu      sync.Mutex
	asked   []asked
	answers []answer // one for each call, and the last for all that follow
}

type asked struct {
	method, uri, key, auth, body string
}

type answer struct {
	status int
	body   string
	header map[string]string
	during func() // while the call is worked on
}

func (d *double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	d.mu.Lock()
	d.asked = append(d.asked, asked{r.Method, r.URL.RequestURI(), r.Header.Get("Idempotency-Key"), r.Header.Get("Authorization"), string(body)})
	a := d.answers[min(len(d.asked), len(d.answers))-1]
	d.mu.Unlock()
	if a.during != nil {
		a.during()
	}
	if a.status == 0 { // the line breaks
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	if a.status >= 400 {
		w.Header().Set("Content-Type", "application/problem+json")
	}
	for name, v := range a.header {
		w.Header().Set(name, v)
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

func (d *double) calls() []asked {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]asked{}, d.asked...)
}

// newDouble serves the answers to a client.
func newDouble(t *testing.T, config client.Config, answers ...answer) (*client.Client, *double) {
	t.Helper()
	d := &double{answers: answers}
	s := httptest.NewServer(d)
	t.Cleanup(s.Close)
	config.URL = s.URL
	if config.Token == "" {
		config.Token = token
	}
	c, err := client.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return c, d
}

// clock is a time that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func problem(status int, typ, more string) answer {
	return answer{status: status, body: fmt.Sprintf(`{"type":%q,"title":"No","status":%d%s}`, typ, status, more)}
}

func yes(recheck time.Time) string {
	return fmt.Sprintf(`{"allow":true,"authorizations":["a1"],"assessment":null,"data":{},"recheck_after":%q}`, recheck.UTC().Format(time.RFC3339))
}

const jwk = `{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}`

var question = client.AuthorizeRequest{
	Account:     &client.Account{URL: "https://ca.example/acct/1", JWK: json.RawMessage(jwk)},
	Identifiers: []client.Identifier{client.DNS("example.com")}, Profile: "device",
}
