package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/countersign-id/countersign/proofing"
)

// Webhook is the proofing.Caller of the program: it calls an authority's endpoint
// as Standard Webhooks 1.0 has it.
type Webhook struct {
	// Client makes the calls. It follows no redirects and decides which addresses may be
	// reached; this package bounds a call by its context and the answer by its size.
	Client *http.Client
	// Body writes an event.
	Body func(proofing.Event) ([]byte, error)
}

const (
	// maxWebhookAnswer is read of an answer, so that the connection can be used again.
	maxWebhookAnswer = 16 << 10
	reasonGone       = "gone"
	reasonRefused    = "endpoint_refused"
	reasonRedirect   = "endpoint_redirects"
	reasonForbidden  = "address_forbidden"
)

// ErrForbiddenAddress is what the client's error wraps if it may not reach the
// address that a name stands for.
var ErrForbiddenAddress = errors.New("this address may not be reached")

// Call implements proofing.Caller.
func (w *Webhook) Call(ctx context.Context, c proofing.Call) error {
	body, err := w.Body(c.Event)
	if err != nil {
		return refused(reasonConfiguration, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(body))
	if err != nil {
		return refused(reasonConfiguration, errors.New("webhook: the URL is malformed"))
	}
	timestamp := strconv.FormatInt(c.At.Unix(), 10)
	// The names are written as the standard writes them; HTTP does not mind.
	req.Header.Set("Webhook-Id", c.Event.ID)
	req.Header.Set("Webhook-Timestamp", timestamp)
	req.Header.Set("Webhook-Signature", signatures(c.Keys, c.Event.ID, timestamp, body))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "countersign")
	res, err := w.Client.Do(req)
	switch {
	case errors.Is(err, ErrForbiddenAddress):
		return notSent(reasonForbidden, ErrForbiddenAddress)
	case errors.Is(err, context.DeadlineExceeded):
		return unknown(reasonTimeout, errors.New("webhook: no answer in time"))
	case err != nil: // it names the URL, which may carry a secret of the authority's
		return unknown(reasonUnreachable, fmt.Errorf("webhook: %w", withoutURL(err)))
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxWebhookAnswer))
	return verdict(res)
}

// verdict reads the answer's status; what it says beside that is for nobody.
func verdict(res *http.Response) error {
	cause := fmt.Errorf("webhook: answered with %d", res.StatusCode)
	switch code := res.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusGone:
		return refused(reasonGone, cause)
	case code >= 300 && code < 400:
		return refused(reasonRedirect, cause)
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable:
		busy := notSent(reasonBusy, cause)
		busy.RetryAfter = retryAfter(res.Header.Get("Retry-After"))
		return busy
	}
	return refused(reasonRefused, cause)
}

// withoutURL is the cause of a failed request.
func withoutURL(err error) error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		return outer.Err
	}
	return err
}

// signatures signs what is sent with every key, as `v1,<base64>` with spaces between them.
func signatures(keys [][]byte, id, timestamp string, body []byte) string {
	var list []string
	for _, key := range keys {
		m := hmac.New(sha256.New, key)
		_, _ = fmt.Fprintf(m, "%s.%s.%s", id, timestamp, body)
		list = append(list, "v1,"+base64.StdEncoding.EncodeToString(m.Sum(nil)))
	}
	return strings.Join(list, " ")
}
