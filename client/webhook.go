package client

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// webhookAge is how far the time of a call may be from ours, either way (Standard Webhooks 1.0).
	webhookAge = 5 * time.Minute
	// maxEvent is the most that a call may carry; an event has less than a kilobyte.
	maxEvent = 64 << 10
)

// Webhook receives the service's calls (Standard Webhooks 1.0).
type Webhook struct {
	client  *Client
	secrets [][]byte
}

// errWebhook is what every forged or spoilt call is answered with; the reason is for our own log.
var errWebhook = errors.New("countersign: the call of the webhook is refused")

// NewWebhook reads the secrets (whsec_…) that the operator gave: one, or two while they overlap.
func (c *Client) NewWebhook(secrets ...string) (*Webhook, error) {
	w := &Webhook{client: c}
	for _, s := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "whsec_"))
		if err != nil || len(key) < 24 {
			return nil, errors.New("countersign: a webhook's secret is whsec_ and base64 of 24 bytes or more")
		}
		w.secrets = append(w.secrets, key)
	}
	if len(w.secrets) == 0 {
		return nil, errors.New("countersign: a webhook needs a secret: an empty one would let everybody call")
	}
	return w, nil
}

// Verify says whether the service made this call, a moment ago, and returns its event. body is what came, byte for byte.
func (w *Webhook) Verify(header http.Header, body []byte) (Event, error) {
	id, stamp := header.Get("Webhook-Id"), header.Get("Webhook-Timestamp")
	at, err := strconv.ParseInt(stamp, 10, 64)
	if id == "" || err != nil {
		return Event{}, fmt.Errorf("%w: no id, or no time", errWebhook)
	}
	if age := w.client.now().Sub(time.Unix(at, 0)); age > webhookAge || age < -webhookAge {
		return Event{}, fmt.Errorf("%w: made %v ago", errWebhook, age.Round(time.Second))
	}
	if !w.signed(id+"."+stamp+"."+string(body), header.Get("Webhook-Signature")) {
		return Event{}, fmt.Errorf("%w: no signature is right", errWebhook)
	}
	var e Event
	if err := json.Unmarshal(body, &e); err != nil {
		return Event{}, fmt.Errorf("%w: read the event: %w", errWebhook, err)
	}
	if e.ID != id {
		return Event{}, fmt.Errorf("%w: the event has another id", errWebhook)
	}
	return e, nil
}

// signed looks for one right signature among those given, under any of the secrets.
func (w *Webhook) signed(content, given string) bool {
	ok := false
	for one := range strings.FieldsSeq(given) {
		version, text, _ := strings.Cut(one, ",")
		mac, err := base64.StdEncoding.DecodeString(text)
		if version != "v1" || err != nil {
			continue
		}
		for _, secret := range w.secrets {
			h := hmac.New(sha256.New, secret)
			h.Write([]byte(content))
			ok = hmac.Equal(h.Sum(nil), mac) || ok
		}
	}
	return ok
}

// Handler serves the webhook's URL: it verifies each call, forgets what the event touches, and hands the event over. An error of handle is answered 500, so that the event comes again; events
// may come twice in any case, and Event.ID tells.
func (w *Webhook) Handler(handle func(context.Context, Event) error) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			rw.Header().Set("Allow", http.MethodPost)
			http.Error(rw, "only POST is served", http.StatusMethodNotAllowed)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxEvent))
		if err != nil {
			http.Error(rw, "the body cannot be read", http.StatusBadRequest)
			return
		}
		e, err := w.Verify(r.Header, body)
		if err != nil {
			http.Error(rw, "the signature is missing, wrong or old", http.StatusUnauthorized)
			return
		}
		w.client.heard(e)
		if err := handle(r.Context(), e); err != nil {
			http.Error(rw, "not taken; send it again", http.StatusInternalServerError)
			return
		}
		rw.WriteHeader(http.StatusNoContent)
	})
}
