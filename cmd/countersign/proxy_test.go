package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestWhoTheClientIs(t *testing.T) {
	a := &app{config: &Config{Listeners: ListenersConfig{TrustedProxies: []string{"10.0.0.0/8", "2001:db8:1::/48"}}}}
	for what, c := range map[string]struct {
		peer    string
		headers []string
		want    string
	}{
		"a client without a proxy":                  {"192.0.2.1:5000", nil, "192.0.2.1:5000"},
		"a client that writes the header itself":    {"192.0.2.1:5000", []string{"198.51.100.9"}, "192.0.2.1:5000"},
		"a client behind a proxy":                   {"10.0.0.1:5000", []string{"198.51.100.9"}, "198.51.100.9:0"},
		"a client that lies to the proxy":           {"10.0.0.1:5000", []string{"203.0.113.1, 198.51.100.9"}, "198.51.100.9:0"},
		"a client that claims to be a proxy":        {"10.0.0.1:5000", []string{"10.9.9.9, 198.51.100.9"}, "198.51.100.9:0"},
		"two proxies":                               {"10.0.0.1:5000", []string{"203.0.113.1, 198.51.100.9, 10.0.0.2"}, "198.51.100.9:0"},
		"several headers count as one":              {"10.0.0.1:5000", []string{"203.0.113.1", "198.51.100.9", "10.0.0.2"}, "198.51.100.9:0"},
		"proxies all the way":                       {"10.0.0.1:5000", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3:0"},
		"a proxy that adds nothing":                 {"10.0.0.1:5000", nil, "10.0.0.1:0"},
		"an empty header":                           {"10.0.0.1:5000", []string{""}, "10.0.0.1:0"},
		"garbage nearest to us":                     {"10.0.0.1:5000", []string{"198.51.100.9, unknown"}, "10.0.0.1:0"},
		"garbage behind a proxy":                    {"10.0.0.1:5000", []string{"<script>, 10.0.0.2"}, "10.0.0.2:0"},
		"a trailing comma":                          {"10.0.0.1:5000", []string{"198.51.100.9,"}, "10.0.0.1:0"},
		"an IPv6 client":                            {"10.0.0.1:5000", []string{"2001:db8::7"}, "[2001:db8::7]:0"},
		"an IPv6 proxy":                             {"[2001:db8:1::1]:5000", []string{"2001:db8::7"}, "[2001:db8::7]:0"},
		"an IPv6 address in brackets":               {"10.0.0.1:5000", []string{"[2001:db8::7]"}, "[2001:db8::7]:0"},
		"addresses with ports":                      {"10.0.0.1:5000", []string{"[2001:db8::7]:443, 10.0.0.2:8080"}, "[2001:db8::7]:0"},
		"a proxy that is an IPv4-mapped address":    {"[::ffff:10.0.0.1]:5000", []string{"::ffff:198.51.100.9"}, "198.51.100.9:0"},
		"a zone, which is nobody's business":        {"10.0.0.1:5000", []string{"fe80::1%eth0"}, "[fe80::1]:0"},
		"a peer that is no address (a UNIX socket)": {"@", []string{"198.51.100.9"}, "@"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.peer
		r.Header["X-Forwarded-For"] = c.headers
		got := ""
		a.clientAddress(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr })).ServeHTTP(httptest.NewRecorder(), r)
		if got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
}
