package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twilio/twilio-go/client"

	"github.com/countersign-id/countersign/proofing"
)

const (
	maxTwilioAnswer = 64 << 10
	maxRetryAfter   = time.Hour
)

// twilioCall is the client.BaseClient of one request. The library's own knows no
// context, no bound and no base URL, drops the headers of an error, and fails
// without a hint when an error is not JSON.
type twilioCall struct {
	ctx    context.Context // of this one request; the library's interface has no room for it
	twilio *Twilio

	connected  atomic.Bool // the request may have been written
	status     int         // 0 until Twilio answered
	retryAfter time.Duration
}

// AccountSid implements client.BaseClient.
func (c *twilioCall) AccountSid() string { return c.twilio.config.AccountSID }

// SetTimeout implements client.BaseClient; the context is the only bound.
func (c *twilioCall) SetTimeout(time.Duration) {}

// SetOauth implements client.BaseClient; we authenticate with a key or a token.
func (c *twilioCall) SetOauth(client.OAuth) {}

// OAuth implements client.BaseClient.
func (c *twilioCall) OAuth() client.OAuth { return nil }

// SendRequest implements client.BaseClient for the one kind of request that we
// make, a form sent by POST.
func (c *twilioCall) SendRequest(method, rawURL string, form url.Values, _ map[string]interface{}, _ ...byte) (*http.Response, error) {
	target, err := url.Parse(rawURL)
	if err != nil {
		return nil, err
	}
	// Only the path is taken: into the host the library has put what it found in
	// the environment.
	ctx := httptrace.WithClientTrace(c.ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { c.connected.Store(true) },
	})
	req, err := http.NewRequestWithContext(ctx, method, c.twilio.base.JoinPath(target.Path).String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "countersign")
	c.twilio.authorize(req)
	res, err := c.twilio.http.Do(req)
	if err != nil {
		return nil, err
	}
	return c.read(res)
}

// authorize says who we are, by a key or by the account's token.
func (t *Twilio) authorize(req *http.Request) {
	if t.config.KeySID != "" {
		req.SetBasicAuth(t.config.KeySID, t.config.KeySecret.Reveal())
		return
	}
	req.SetBasicAuth(t.config.AccountSID, t.config.AuthToken.Reveal())
}

// read takes an answer in as far as its bound, and makes an error of a refusal.
func (c *twilioCall) read(res *http.Response) (*http.Response, error) {
	defer func() { _ = res.Body.Close() }()
	c.status = res.StatusCode
	c.retryAfter = retryAfter(res.Header.Get("Retry-After"))
	body, err := io.ReadAll(io.LimitReader(res.Body, maxTwilioAnswer))
	if res.StatusCode < 200 || res.StatusCode > 299 {
		// A body that is not Twilio's JSON leaves the code at 0; the status is
		// clear all the same.
		refusal := &client.TwilioRestError{}
		_ = json.Unmarshal(body, refusal)
		return nil, refusal
	}
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

// failure says how sure we are that a call that returned err sent nothing.
func (c *twilioCall) failure(err error) *proofing.SendError {
	var refusal *client.TwilioRestError
	if errors.As(err, &refusal) {
		return codeFailure(refusal.Code, c.status, c.retryAfter)
	}
	// The library's and the standard library's errors may quote a body or a URL.
	cause := errors.New("the answer cannot be read")
	var request *url.Error
	if errors.As(err, &request) {
		cause = fmt.Errorf("post: %w", request.Err)
	}
	reason := reasonUnreachable
	if timedOut(c.ctx, err) {
		reason = reasonTimeout
	}
	if !c.connected.Load() && c.status == 0 {
		return notSent(reason, cause)
	}
	return unknown(reason, cause)
}

// retryAfter reads the header of that name: seconds, or a date (RFC 9110 10.2.3).
func retryAfter(value string) time.Duration {
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = time.Until(at)
	}
	return min(max(wait, 0), maxRetryAfter)
}
