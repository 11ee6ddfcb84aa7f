package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/client"
)

func TestACallIsTriedAgainWhereThatCanHelp(t *testing.T) {
	good := answer{status: 201, body: `{"id":"a1","status":"pending"}`}
	for name, first := range map[string]answer{
		"broken line":        {},
		"busy":               {status: 429, body: `{"type":"urn:ietf:params:acme:error:rateLimited"}`, header: map[string]string{"Retry-After": "0"}},
		"store away":         problem(503, client.Unavailable, ""),
		"a proxy's own 502":  {status: 502, body: "<html>", header: map[string]string{"Content-Type": "text/html"}},
		"the key is in use":  problem(409, client.IdempotencyKeyInUse, ""),
		"a fault inside":     problem(500, client.ServerInternal, ""),
		"nobody knows where": {status: 504, header: map[string]string{"Content-Type": "text/plain"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, d := newDouble(t, client.Config{}, first, good)
			a, err := c.Open(t.Context(), client.OpenRequest{Result: client.ResultKey, Identifier: client.DNS("example.com"), Profile: "device"})
			if err != nil || a.ID != "a1" {
				t.Fatalf("opened %v, %v", a, err)
			}
			calls := d.calls()
			if len(calls) != 2 || calls[0].key == "" || calls[0].key != calls[1].key || calls[0].body != calls[1].body {
				t.Errorf("the second attempt is not the first again: %+v", calls)
			}
			if calls[0].auth != "Bearer "+token {
				t.Errorf("called as %q", calls[0].auth)
			}
		})
	}
}

func TestARefusalIsNotTriedAgain(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 409, 410, 422} {
		c, d := newDouble(t, client.Config{}, problem(status, client.NotFound, ""))
		_, err := c.Authorization(t.Context(), "a1")
		if !client.IsProblem(err, client.NotFound) || errors.Is(err, client.ErrUnavailable) {
			t.Errorf("%d: %v", status, err)
		}
		if n := len(d.calls()); n != 1 {
			t.Errorf("%d was asked %d times", status, n)
		}
	}
}

// A load balancer that has lost the service for a while says so by a page of its own, and that is no word of the service.
func TestAnAnswerThatIsNotTheServicesIsNoAnswer(t *testing.T) {
	page := func(status int) answer {
		return answer{status: status, body: "<html>", header: map[string]string{"Content-Type": "text/html"}}
	}
	for _, status := range []int{401, 403, 404, 410, 421} {
		c, d := newDouble(t, client.Config{}, page(status))
		_, err := c.Authorization(t.Context(), "a1")
		if !errors.Is(err, client.ErrUnavailable) || !client.IsProblem(err, client.Unavailable) || len(d.calls()) != 1 {
			t.Errorf("%d: %v after %d calls", status, err, len(d.calls()))
		}
	}
	c, d := newDouble(t, client.Config{}, page(429), answer{status: 200, body: `{"id":"a1","status":"pending"}`})
	if a, err := c.Authorization(t.Context(), "a1"); err != nil || a.ID != "a1" || len(d.calls()) != 2 {
		t.Errorf("of a proxy that is busy: %v after %d calls", err, len(d.calls()))
	}
	typeless := answer{status: 404, body: `{"title":"No"}`}
	c, _ = newDouble(t, client.Config{}, typeless)
	if _, err := c.Authorization(t.Context(), "a1"); !errors.Is(err, client.ErrUnavailable) {
		t.Errorf("of a problem without a type: %v", err)
	}
}

func TestAttemptsEndAndAnOutageIsNoYes(t *testing.T) {
	c, d := newDouble(t, client.Config{Attempts: 2}, answer{})
	yes, err := c.Authorize(t.Context(), question)
	if yes != nil || !errors.Is(err, client.ErrUnavailable) || len(d.calls()) != 2 {
		t.Errorf("%v, %v after %d calls", yes, err, len(d.calls()))
	}
	p := client.ACMEProblem(err)
	if p.Type != client.ServerInternal || p.Status != 503 || p.RetryAfter == 0 || strings.Contains(p.Detail, "127.0.0.1") {
		t.Errorf("passed on as %+v", p)
	}
}

func TestALongRetryAfterIsToldAndNotSleptThrough(t *testing.T) {
	limited := problem(429, client.RateLimited, "")
	limited.header = map[string]string{"Retry-After": "3600"}
	c, d := newDouble(t, client.Config{}, limited)
	_, err := c.Authorize(t.Context(), question)
	p, ok := errors.AsType[*client.Problem](err)
	if !ok || p.RetryAfter != time.Hour || len(d.calls()) != 1 {
		t.Errorf("%+v after %d calls", err, len(d.calls()))
	}
	if p := client.ACMEProblem(err); p.Type != client.RateLimited || p.RetryAfter != time.Hour {
		t.Errorf("passed on as %+v", p)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	limited := problem(503, client.Unavailable, "")
	limited.header = map[string]string{"Retry-After": "1"}
	c, _ := newDouble(t, client.Config{}, limited, answer{status: 200, body: yes(time.Now().Add(time.Hour))})
	began := time.Now()
	if _, err := c.Authorize(t.Context(), question); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("asked again after %v", took)
	}
}

func TestTheContextEndsACall(t *testing.T) {
	later := problem(503, client.Unavailable, "")
	later.header = map[string]string{"Retry-After": "30"}
	c, d := newDouble(t, client.Config{MaxWait: time.Minute}, later)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := c.Authorize(ctx, question); !errors.Is(err, client.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	if n := len(d.calls()); n != 1 {
		t.Errorf("%d calls, though no pause would have fitted", n)
	}
	cancel()
	if _, err := c.Authorize(ctx, question); !errors.Is(err, client.ErrUnavailable) || !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestAnAnswerIsBounded(t *testing.T) {
	c, _ := newDouble(t, client.Config{Attempts: 1}, answer{status: 200, body: yes(time.Now().Add(time.Hour)) + strings.Repeat(" ", 2<<20)})
	if yes, err := c.Authorize(t.Context(), question); yes != nil || !errors.Is(err, client.ErrUnavailable) {
		t.Errorf("%v, %v", yes, err)
	}
	many := question
	many.ExternalID = strings.Repeat("x", 70<<10)
	if _, err := c.Authorize(t.Context(), many); err == nil || errors.Is(err, client.ErrUnavailable) {
		t.Errorf("a request of 70 KiB: %v", err)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	other := &double{answers: []answer{{status: 200, body: yes(time.Now().Add(time.Hour))}}}
	elsewhere := httptest.NewServer(other)
	defer elsewhere.Close()
	for _, config := range []client.Config{{Attempts: 1}, {Attempts: 1, HTTP: &http.Client{}}} {
		c, _ := newDouble(t, config, answer{status: 307, header: map[string]string{"Location": elsewhere.URL}})
		if yes, err := c.Authorize(t.Context(), question); yes != nil || !errors.Is(err, client.ErrUnavailable) {
			t.Errorf("%v, %v", yes, err)
		}
	}
	if len(other.calls()) != 0 {
		t.Error("the token went elsewhere")
	}
}

func TestAConfigurationThatWouldLeakIsRefused(t *testing.T) {
	for name, c := range map[string]client.Config{
		"plain HTTP":       {URL: "http://ca.proof.example.org", Token: token},
		"no credential":    {URL: "https://ca.proof.example.org"},
		"a line break":     {URL: "https://ca.proof.example.org", Token: "a\nb"},
		"no host":          {URL: "https://", Token: token},
		"user information": {URL: "https://u:p@ca.proof.example.org", Token: token},
		"another scheme":   {URL: "ftp://ca.proof.example.org", Token: token},
		"a negative time":  {URL: "https://ca.proof.example.org", Token: token, CacheFor: -1},
	} {
		if _, err := client.New(c); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	for _, u := range []string{"https://ca.proof.example.org/", "http://127.0.0.1:8080", "http://[::1]:8080", "http://localhost:8080"} {
		if _, err := client.New(client.Config{URL: u, Token: token}); err != nil {
			t.Errorf("%s: %v", u, err)
		}
	}
}
