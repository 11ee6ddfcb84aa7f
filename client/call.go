package client

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"net/http"
	"strconv"
	"time"
)

const (
	// maxRequest is the most that the service takes.
	maxRequest = 64 << 10
	// maxAnswer is the most that is read of an answer: a page of 500 events has a fourth of it.
	maxAnswer = 1 << 20
)

// ErrUnavailable is wrapped by every error of a call that got no answer to rely on: nobody answered, or what came was not what this
// package understands. It is a no for as long as it lasts.
var ErrUnavailable = errors.New("countersign did not answer")

// call is one call, with all its attempts.
type call struct {
	method, path string
	body         any
	media        string        // of the body; empty: JSON
	key          string        // Idempotency-Key; empty: none
	wait         time.Duration // what the service waits on purpose
	public       bool          // without a credential
}

// reply is what came back with a status of success. Of any other there is the nonce alone.
type reply struct {
	body  []byte
	nonce string // for the next request of an account's holder
	// asked is our time before the attempt that was answered, and date the service's; zero if it did not say.
	asked, date time.Time
}

// do makes the call until it is answered, cannot be, or may not be any more. A refusal is a *Problem.
func (c *Client) do(ctx context.Context, k call) (reply, error) {
	var body []byte
	if k.body != nil {
		var err error
		if body, err = json.Marshal(k.body); err != nil {
			return reply{}, fmt.Errorf("countersign: write the request: %w", err)
		}
		if len(body) > maxRequest {
			return reply{}, fmt.Errorf("countersign: the request has %d bytes, and %d are taken", len(body), maxRequest)
		}
	}
	return c.again(ctx, k, func() (reply, error) { return c.attempt(ctx, k, body) })
}

// again makes attempts at a call until one is answered, none can be, or none may be made any more.
func (c *Client) again(ctx context.Context, k call, attempt func() (reply, error)) (reply, error) {
	for n := 1; ; n++ {
		r, err := attempt()
		if err == nil {
			return r, nil
		}
		if ctx.Err() != nil {
			return reply{}, fmt.Errorf("%w: %s %s: %w", ErrUnavailable, k.method, k.path, ctx.Err())
		}
		pause, again := c.pause(err, n)
		if !again || n == c.attempts {
			return reply{}, err
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= pause {
			return reply{}, err // a pause that nobody lives to see the end of
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return reply{}, fmt.Errorf("%w: %s %s: %w", ErrUnavailable, k.method, k.path, ctx.Err())
		case <-timer.C:
		}
	}
}

const (
	firstPause = 100 * time.Millisecond
	// shareOfPause is how far pauses are spread, so that callers that failed together do not come back together.
	shareOfPause = 2
)

// pause says how long to wait after the n-th attempt, and whether another can end otherwise.
func (c *Client) pause(err error, n int) (time.Duration, bool) {
	least := firstPause << min(n-1, 10)
	if p, ok := errors.AsType[*Problem](err); ok {
		switch p.Status {
		case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		default:
			if p.Type != IdempotencyKeyInUse && p.Type != BadNonce {
				return 0, false
			}
		}
		least = max(least, p.RetryAfter)
	} else if !errors.Is(err, ErrUnavailable) {
		return 0, false
	}
	if least > c.maxWait {
		return 0, false
	}
	return min(least+random(least/shareOfPause), c.maxWait), true
}

// random is a time below the limit.
func random(limit time.Duration) time.Duration {
	if limit <= 0 {
		return 0
	}
	n, err := rand.Int(rand.Reader, big.NewInt(int64(limit)))
	if err != nil {
		return limit
	}
	return time.Duration(n.Int64())
}

// newKey is an Idempotency-Key that nobody has used.
func newKey() string { return rand.Text() }

// attempt makes the call once.
func (c *Client) attempt(ctx context.Context, k call, body []byte) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout+k.wait)
	defer cancel()
	var sent io.Reader
	if body != nil {
		sent = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, k.method, c.base+k.path, sent)
	if err != nil {
		return reply{}, fmt.Errorf("countersign: %s %s: %w", k.method, k.path, err)
	}
	req.Header.Set("Accept", "application/json, application/problem+json")
	req.Header.Set("User-Agent", "countersign-client-go/1")
	if body != nil {
		req.Header.Set("Content-Type", cmp.Or(k.media, "application/json"))
	}
	if k.key != "" {
		req.Header.Set("Idempotency-Key", k.key)
	}
	if c.token != "" && !k.public {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	r := reply{asked: c.now()}
	resp, err := c.http.Do(req)
	if err != nil {
		return reply{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer resp.Body.Close()
	r.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return reply{}, fmt.Errorf("%w: %s %s: read the answer: %w", ErrUnavailable, k.method, k.path, err)
	case len(r.body) > maxAnswer:
		return reply{}, fmt.Errorf("%w: %s %s: the answer has more than %d bytes", ErrUnavailable, k.method, k.path, maxAnswer)
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		r.date = date
	}
	r.nonce = resp.Header.Get("Replay-Nonce")
	if resp.StatusCode/100 == 2 {
		return r, nil
	}
	return reply{nonce: r.nonce}, c.problem(k, resp, r.body)
}

// problem is the error of an answer that is not a success.
func (c *Client) problem(k call, resp *http.Response, body []byte) error {
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	var p Problem
	ours := media == "application/problem+json" && json.Unmarshal(body, &p) == nil && p.Type != "" && resp.StatusCode >= 400
	if !ours {
		// Not from the service: a proxy before it, or another server. What it says is nobody's business but ours.
		p = Problem{Type: Unavailable, Title: http.StatusText(resp.StatusCode), Detail: fmt.Sprintf("%s %s was answered %d by something that is not countersign", k.method, k.path, resp.StatusCode)}
	}
	p.Status = resp.StatusCode
	p.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), c.now())
	if !ours || p.Status >= 500 {
		return fmt.Errorf("%w: %w", ErrUnavailable, &p)
	}
	return &p
}

// retryAfter reads the header (RFC 9110 10.2.3); 0 if there is none.
func retryAfter(v string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// read decodes an answer into a value. Members that it does not have are ignored: answers may gain some.
func (r reply) read(k call, into any) error {
	if err := json.Unmarshal(r.body, into); err != nil {
		return fmt.Errorf("%w: %s %s: read the answer: %w", ErrUnavailable, k.method, k.path, err)
	}
	return nil
}

// fetch makes the call and decodes its answer.
func fetch[T any](ctx context.Context, c *Client, k call) (*T, error) {
	r, err := c.do(ctx, k)
	if err != nil {
		return nil, err
	}
	out := new(T)
	return out, r.read(k, out)
}
