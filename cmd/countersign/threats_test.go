package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// Threats of docs/threat-model.md that no other test is about.

func TestOnlyATrustedProxySaysWhoTheClientIs(t *testing.T) {
	a := &app{config: &Config{}}
	a.config.Listeners.TrustedProxies = []string{"10.0.0.0/8", "::1/128"}
	seen := ""
	h := a.clientAddress(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.RemoteAddr }))
	for _, c := range []struct {
		what, peer string
		forwarded  []string
		want       string
	}{
		{"a stranger who claims to be another", "192.0.2.7:4000", []string{"198.51.100.1"}, "192.0.2.7:4000"},
		{"a proxy that says nothing", "10.0.0.1:4000", nil, "10.0.0.1:0"},
		{"a proxy", "10.0.0.1:4000", []string{"198.51.100.1"}, "198.51.100.1:0"},
		{"a client that wrote a header of its own", "10.0.0.1:4000", []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1:0"},
		{"a client that wrote a whole field", "10.0.0.1:4000", []string{"203.0.113.9", "198.51.100.1"}, "198.51.100.1:0"},
		{"a client that claims to be a proxy", "10.0.0.1:4000", []string{"203.0.113.9, 10.9.9.9, 198.51.100.1"}, "198.51.100.1:0"},
		{"two proxies", "[::1]:4000", []string{"198.51.100.1, 10.0.0.2"}, "198.51.100.1:0"},
		{"nonsense before a proxy", "10.0.0.1:4000", []string{"unknown, 10.0.0.2"}, "10.0.0.2:0"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.peer
		for _, f := range c.forwarded {
			r.Header.Add("X-Forwarded-For", f)
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
		if seen != c.want {
			t.Errorf("%s: %s, want %s", c.what, seen, c.want)
		}
	}
}

func TestAClockThatIsOffIsTold(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for off, ok := range map[time.Duration]bool{0: true, 30 * time.Second: true, -30 * time.Second: true, 31 * time.Second: false, -31 * time.Second: false, 24 * time.Hour: false} {
		if u := checkClock(now.Add(off), now, "the mail server"); (u.err == nil) != ok {
			t.Errorf("%s off: %v", off, u.err)
		}
	}
}
