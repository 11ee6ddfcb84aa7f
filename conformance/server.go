package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	// maxAnswer is the most that is read of an answer.
	maxAnswer = 256 << 10
	// maxQuoted is how much of a server's words a report repeats, in characters.
	maxQuoted = 160
	// requestTime bounds one request; maxNonces how often one is made again because its nonce was not taken (RFC 8555 6.5).
	requestTime = 20 * time.Second
	maxNonces   = 10
	// maxWaits and maxWait bound what a server that is busy is waited for.
	maxWaits = 2
	maxWait  = 30 * time.Second
)

// directory is what of a directory object matters here (RFC 8555 7.1.1).
type directory struct {
	NewNonce   string `json:"newNonce"`
	NewAccount string `json:"newAccount"`
	NewOrder   string `json:"newOrder"`
	NewAuthz   string `json:"newAuthz"`
	Meta       struct {
		Terms    string `json:"termsOfService"`
		Required bool   `json:"externalAccountRequired"`
	} `json:"meta"`
}

// server speaks ACME to one server.
type server struct {
	client *http.Client
	dir    directory
	nonce  string // that came last
	used   string // that was sent last, and taken or not
}

// answer is what a server said.
type answer struct {
	status   int
	location string
	problem  bool // it calls itself a problem document, and has a type
	kind     string
	detail   string
	body     map[string]json.RawMessage
	nonce    bool // a nonce came with it
	retry    time.Duration
}

// ok says whether the request was granted.
func (a answer) ok() bool { return a.status/100 == 2 }

const errorPrefix = "urn:ietf:params:acme:error:"

// refused says whether the answer is a judgement of the request, and not of the server's state, of our manners or of the nonce.
func (a answer) refused() bool {
	switch a.kind {
	case errorPrefix + "badNonce", errorPrefix + "rateLimited", errorPrefix + "serverInternal":
		return false
	}
	return a.status/100 == 4 && a.status != http.StatusTooManyRequests && a.status != http.StatusRequestTimeout
}

// String is for reports.
func (a answer) String() string {
	s := strconv.Itoa(a.status)
	if a.kind != "" {
		s += " " + quote(strings.TrimPrefix(a.kind, errorPrefix))
	}
	if a.detail != "" {
		s += ": " + quote(a.detail)
	}
	return s
}

// quote makes words of others short and harmless: a terminal obeys control characters, and some letters turn the direction of a line.
func quote(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > maxQuoted {
			b.WriteString("…")
			break
		}
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			r = '·'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// address checks a URL before it is called: MACs and nonces go there, and what comes back is believed.
func address(what, raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.User != nil:
		return fmt.Errorf("%s: %s is no URL to call", what, quote(raw))
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%s: %s is not https, as RFC 8555 6.1 demands (http is for loopback alone)", what, quote(raw))
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// reach reads the directory.
func reach(ctx context.Context, client *http.Client, at string) (*server, error) {
	if err := address("the directory", at); err != nil {
		return nil, err
	}
	follow := *client
	follow.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s := &server{client: &follow}
	a, raw, err := s.send(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, fmt.Errorf("read the directory: %w", err)
	}
	if a.status != http.StatusOK {
		return nil, fmt.Errorf("read the directory: %s answered %s", at, a)
	}
	if err := json.Unmarshal(raw, &s.dir); err != nil {
		return nil, fmt.Errorf("read the directory: %s is no directory object: %w", at, err)
	}
	if err := errors.Join(address("newNonce", s.dir.NewNonce), address("newAccount", s.dir.NewAccount)); err != nil {
		return nil, fmt.Errorf("read the directory: %w", err)
	}
	return s, nil
}

// send makes one request and reads its answer.
func (s *server) send(ctx context.Context, method, to string, body []byte) (answer, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(body))
	if err != nil {
		return answer{}, nil, err
	}
	req.Header.Set("User-Agent", "countersign-conformance") // RFC 8555 6.1 asks for one
	if body != nil {
		req.Header.Set("Content-Type", "application/jose+json")
	}
	res, err := s.client.Do(req)
	if err != nil {
		return answer{}, nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return answer{}, nil, fmt.Errorf("read the answer: %w", err)
	case len(raw) > maxAnswer:
		return answer{}, nil, fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	s.nonce = res.Header.Get("Replay-Nonce")
	a := answer{status: res.StatusCode, location: res.Header.Get("Location"), nonce: s.nonce != ""}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		a.retry = time.Duration(min(seconds, 1<<20)) * time.Second
	}
	if json.Unmarshal(raw, &a.body) != nil {
		a.body = nil
	}
	if !a.ok() {
		_ = json.Unmarshal(a.body["type"], &a.kind) // no text: no type
		_ = json.Unmarshal(a.body["detail"], &a.detail)
		media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
		a.problem = media == "application/problem+json" && a.kind != ""
	}
	return a, raw, nil
}

// post sends a signed request. The payload is made anew for each attempt, since it may hold the nonce. An empty kid signs with the key
// itself, as newAccount wants it (RFC 8555 6.2).
func (s *server) post(ctx context.Context, to string, key accountKey, kid string, payload func(nonce string) ([]byte, error)) (answer, error) {
	return s.postWith(ctx, to, key, kid, payload, false, nil)
}

// postWith is post with a header that something is done to. It is sent again as long as its nonce is not taken, unless the nonce is what
// it is about, or the server asks for patience.
func (s *server) postWith(ctx context.Context, to string, key accountKey, kid string, payload func(nonce string) ([]byte, error), aboutNonce bool, alter func(object)) (answer, error) {
	for nonces, waits := 0, 0; ; {
		nonce, err := s.takeNonce(ctx)
		if err != nil {
			return answer{}, err
		}
		header := object{"alg": "ES256", "nonce": nonce, "url": to}
		if kid == "" {
			header["jwk"] = key.jwk()
		} else {
			header["kid"] = kid
		}
		if alter != nil {
			alter(header)
		}
		body, err := payload(nonce)
		if err != nil {
			return answer{}, err
		}
		if body, err = key.outer(header, body); err != nil {
			return answer{}, err
		}
		if header["nonce"] == nonce {
			s.used = nonce
		}
		a, _, err := s.send(ctx, http.MethodPost, to, body)
		switch {
		case err != nil:
			return answer{}, err
		case a.kind == errorPrefix+"badNonce" && nonces < maxNonces && !aboutNonce:
			nonces++
		case (a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable) && a.retry <= maxWait && waits < maxWaits:
			waits++
			if err := sleep(ctx, max(a.retry, time.Second)); err != nil {
				return answer{}, err
			}
		default:
			return a, nil
		}
	}
}

// takeNonce is the one that came last, or a new one (RFC 8555 7.2).
func (s *server) takeNonce(ctx context.Context) (string, error) {
	if s.nonce == "" {
		a, _, err := s.send(ctx, http.MethodHead, s.dir.NewNonce, nil)
		switch {
		case err != nil:
			return "", fmt.Errorf("ask for a nonce: %w", err)
		case !a.ok() || s.nonce == "":
			return "", fmt.Errorf("ask for a nonce: the server answered %s without one", a)
		}
	}
	nonce := s.nonce
	s.nonce = ""
	return nonce, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
