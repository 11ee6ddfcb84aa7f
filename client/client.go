package client

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Config says where the service is and who calls it. URL and one kind of credential are needed; the rest has defaults.
type Config struct {
	// URL is the address of the listener for authorities, such as https://ca.proof.example.org. Without TLS only loopback
	// addresses are called, because the token and the people's links would be open to everybody on the way.
	URL string
	// Token is the authority's bearer token. It may be empty if HTTP presents a client certificate that is pinned to the authority.
	Token string
	// HTTP makes the calls; give one with a client certificate or with roots of your own. Redirects are never followed, whatever
	// it says, for they would carry the token elsewhere. Nil: one with sensible limits.
	HTTP *http.Client
	// CacheFor is how long a yes of Authorize may be given again without asking, and it ends with the answer's recheck_after in any
	// case. So long may a revocation go unseen, unless events are read or received by this Client, which forgets what they touch. 0: every
	// question is asked.
	CacheFor time.Duration
	// Attempts is the most times that one call is made; 0: four.
	Attempts int
	// Timeout bounds each attempt, beside what a call waits for on purpose; 0: ten seconds.
	Timeout time.Duration
	// MaxWait is the longest pause before another attempt. If the service asks for a longer one, its answer is returned at once, with
	// RetryAfter in it; 0: ten seconds.
	MaxWait time.Duration
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Client calls one countersign service for one authority.
type Client struct {
	base     string
	token    string
	http     *http.Client
	attempts int
	timeout  time.Duration
	maxWait  time.Duration
	now      func() time.Time
	answers  answers
	keys     keySet
}

// New checks the configuration; it calls nobody.
func New(c Config) (*Client, error) {
	if c.Token == "" && c.HTTP == nil {
		return nil, errors.New("countersign: a Token is needed, or an HTTP client with a certificate")
	}
	return newClient(c)
}

func newClient(c Config) (*Client, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, fmt.Errorf("countersign: URL: %w", err)
	}
	switch {
	case u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("countersign: URL must be like https://ca.proof.example.org")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, errors.New("countersign: URL must be https: a token and the links of people go over it")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("countersign: URL must be https")
	case strings.ContainsFunc(c.Token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("countersign: Token has characters that no token has")
	case c.CacheFor < 0 || c.Attempts < 0 || c.Timeout < 0 || c.MaxWait < 0:
		return nil, errors.New("countersign: a number of the configuration is negative")
	}
	out := &Client{
		base: strings.TrimSuffix(u.String(), "/"), token: c.Token,
		attempts: or(c.Attempts, 4), timeout: or(c.Timeout, 10*time.Second), maxWait: or(c.MaxWait, 10*time.Second),
		now: c.Now, answers: answers{most: mostAnswers, keep: c.CacheFor},
	}
	if out.now == nil {
		out.now = time.Now
	}
	caller := http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: 5 * time.Second, IdleConnTimeout: 90 * time.Second, MaxIdleConnsPerHost: 64, MaxResponseHeaderBytes: 64 << 10,
	}}
	if c.HTTP != nil {
		caller = *c.HTTP
	}
	caller.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	out.http = &caller
	return out, nil
}

func or[T int | time.Duration](given, otherwise T) T {
	if given != 0 {
		return given
	}
	return otherwise
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
