package notify

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/countersign-id/countersign/proofing"
)

func hookTo(t *testing.T, h http.HandlerFunc) (*Webhook, string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // a server notices that its caller has gone only once it has read all
		r.Body = io.NopCloser(bytes.NewReader(body))
		h(w, r)
	}))
	t.Cleanup(s.Close)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &Webhook{Client: client, Body: func(e proofing.Event) ([]byte, error) { return []byte(`{"id":"` + e.ID + `"}`), nil }}, s.URL
}

func key(t *testing.T) []byte {
	t.Helper()
	k := make([]byte, 32)
	_, _ = rand.Read(k)
	return k
}

// TestTheStandardsOwnLibraryVerifiesOurCalls takes the reference implementation as the judge.
func TestTheStandardsOwnLibraryVerifiesOurCalls(t *testing.T) {
	old, current, other := key(t), key(t), key(t)
	verify := map[string]error{}
	var head http.Header
	w, url := hookTo(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		head = r.Header
		for name, k := range map[string][]byte{"old": old, "current": current, "other": other} {
			judge, err := standardwebhooks.NewWebhookRaw(k)
			if err != nil {
				t.Error(err)
			}
			verify[name] = judge.Verify(body, r.Header)
		}
	})
	call := proofing.Call{URL: url, Keys: [][]byte{current, old}, At: time.Now(), Event: proofing.Event{ID: "evt_07x_3"}}
	if err := w.Call(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	if verify["old"] != nil || verify["current"] != nil || verify["other"] == nil {
		t.Errorf("while secrets overlap: %v", verify)
	}
	if head.Get("webhook-id") != "evt_07x_3" || head.Get("content-type") != "application/json" || strings.Contains(head.Get("webhook-id"), ".") {
		t.Errorf("headers: %v", head)
	}
	call.Keys = call.Keys[:1]
	if err := w.Call(t.Context(), call); err != nil || verify["old"] == nil || verify["current"] != nil {
		t.Errorf("after the overlap: %v, %v", verify, err)
	}
	call.At = time.Now().Add(-10 * time.Minute)
	if err := w.Call(t.Context(), call); err != nil || verify["current"] == nil {
		t.Error("a call that is ten minutes old is still taken")
	}
}

func TestOutcomesOfWebhooks(t *testing.T) {
	var followed atomic.Bool
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		outcome proofing.Outcome // empty: taken
		reason  string
		after   time.Duration
	}{
		{"200 is taken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) }, "", "", 0},
		{"204 is taken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, "", "", 0},
		{"an endless answer is taken and not read", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 32<<10)); err != nil {
					return
				}
			}
		}, "", "", 0},
		{"a redirect is not followed", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				followed.Store(true)
			}
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, proofing.Refused, "endpoint_redirects", 0},
		{"410 asks for no more", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(410) }, proofing.Refused, "gone", 0},
		{"400 is refused", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400) }, proofing.Refused, "endpoint_refused", 0},
		{"500 is refused", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, proofing.Refused, "endpoint_refused", 0},
		{"429 says when", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "7"); w.WriteHeader(429) }, proofing.NotSent, "provider_busy", 7 * time.Second},
		{"503 for a year is an hour", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "31536000")
			w.WriteHeader(503)
		}, proofing.NotSent, "provider_busy", time.Hour},
		{"a line that drops is unknown", func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				c.Close()
			}
		}, proofing.Unknown, "unreachable", 0},
		{"no answer in time is unknown", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, proofing.Unknown, "timeout", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, url := hookTo(t, c.handler)
			patience := 20 * time.Second
			if c.reason == "timeout" {
				patience = 500 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			err := w.Call(ctx, proofing.Call{URL: url + "/secret-path", Keys: [][]byte{key(t)}, At: time.Now(), Event: proofing.Event{ID: "evt_1"}})
			if c.outcome == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			failed, ok := errors.AsType[*proofing.SendError](err)
			if !ok || failed.Outcome != c.outcome || failed.Reason != c.reason || failed.RetryAfter != c.after {
				t.Fatalf("%v, want %s %s %s", err, c.outcome, c.reason, c.after)
			}
			if strings.Contains(err.Error(), "secret-path") {
				t.Errorf("the error names the URL: %v", err)
			}
		})
	}
	if followed.Load() {
		t.Error("a redirect was followed")
	}
}

func TestNobodyListens(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	w := &Webhook{Client: http.DefaultClient, Body: func(proofing.Event) ([]byte, error) { return []byte("{}"), nil }}
	err := w.Call(t.Context(), proofing.Call{URL: s.URL, At: time.Now(), Event: proofing.Event{ID: "evt_1"}})
	if failed, ok := errors.AsType[*proofing.SendError](err); !ok || failed.Reason != "unreachable" {
		t.Errorf("%v", err)
	}
}

func TestConnectionsOfWebhooksAreKept(t *testing.T) {
	var remotes = map[string]bool{}
	w, url := hookTo(t, func(_ http.ResponseWriter, r *http.Request) { remotes[r.RemoteAddr] = true })
	for range 20 {
		if err := w.Call(t.Context(), proofing.Call{URL: url, At: time.Now(), Event: proofing.Event{ID: "evt_1"}}); err != nil {
			t.Fatal(err)
		}
	}
	if len(remotes) != 1 {
		t.Errorf("20 calls on %d connections", len(remotes))
	}
}
