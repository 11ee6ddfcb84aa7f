package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// receiver is a CA's webhook that verifies calls with the standard's own library.
type receiver struct {
	mu     sync.Mutex
	secret string
	events []map[string]any
	down   bool
	forged int
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	judge, err := standardwebhooks.NewWebhook(r.secret)
	if err != nil || judge.Verify(body, req.Header) != nil {
		r.forged++
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var e map[string]any
	_ = json.Unmarshal(body, &e)
	if e["id"] != req.Header.Get("webhook-id") {
		r.forged++
	}
	r.events = append(r.events, e)
	w.WriteHeader(http.StatusNoContent)
}

func (r *receiver) types(object any) (list []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e["data"].(map[string]any)["preauthorization"] == object {
			list = append(list, e["type"].(string))
		}
	}
	return list
}

func (r *receiver) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

// TestACAIsToldByWebhookAndByAsking follows a case from outside, with a program that is killed in between.
func TestACAIsToldByWebhookAndByAsking(t *testing.T) {
	p := newProgram(t)
	hook := &receiver{}
	s := httptest.NewServer(hook)
	defer s.Close()
	secretOf := func(out string) string {
		for _, field := range strings.Fields(out) {
			if strings.HasPrefix(field, "whsec_") {
				return secret("the secret of a webhook", field)
			}
		}
		t.Fatalf("no secret in %s", out)
		return ""
	}
	first := secretOf(p.command("webhook", "set", "example", s.URL))
	hook.set(func() { hook.secret = first })
	if out := p.command("webhook", "test", "example"); !strings.Contains(out, "took the call") {
		t.Errorf("test: %s", out)
	}
	const email = "hooked@example.org"
	opened := p.preauthorize("address", "hooked", email)
	p.person(opened["case_url"].(string)).prove("email", email)
	id := opened["id"]
	await(t, "the webhook", 10*time.Second, func() bool { return len(hook.types(id)) == 3 })
	want := "preauthorization.created preauthorization.challenge_processing preauthorization.valid"
	if got := strings.Join(hook.types(id), " "); got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	status, feed := p.call("GET", "/v1/events?limit=500", nil)
	var asked []string
	for _, e := range feed["events"].([]any) {
		e := e.(map[string]any)
		if e["data"].(map[string]any)["preauthorization"] == id {
			asked = append(asked, e["type"].(string))
		}
	}
	if got := strings.Join(asked, " "); status != http.StatusOK || got != want {
		t.Errorf("asked %d: %q, want %q", status, got, want)
	}
	// Who waits is told as soon as there is something.
	waited := make(chan int)
	go func() {
		_, more, err := p.try("GET", "/v1/events?wait=20&after="+url.QueryEscape(feed["next"].(string)), nil)
		if err != nil {
			waited <- 0
			return
		}
		waited <- len(more["events"].([]any))
	}()
	time.Sleep(300 * time.Millisecond)
	// The endpoint is away, the program dies, and nothing is lost.
	hook.set(func() { hook.down = true })
	if status, _ := p.call("POST", "/v1/preauthorizations/"+id.(string), map[string]any{"status": "deactivated"}); status != http.StatusOK {
		t.Fatalf("deactivate: %d", status)
	}
	if n := <-waited; n != 1 {
		t.Errorf("who waited was told of %d events", n)
	}
	second := secretOf(p.command("webhook", "secret", "example"))
	end(p.cmd, syscall.SIGKILL)
	hook.set(func() { hook.down, hook.secret = false, second })
	p.run()
	await(t, "the webhook after a kill", 5*time.Minute, func() bool { return len(hook.types(id)) == 4 })
	if got := hook.types(id)[3]; got != "preauthorization.deactivated" {
		t.Errorf("after the kill told %q", got)
	}
	if hook.forged != 0 {
		t.Errorf("%d calls were not signed as they should be", hook.forged)
	}
}
