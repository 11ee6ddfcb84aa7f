package client_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/client"
)

func events(next string, ids ...string) answer {
	var list []string
	for _, id := range ids {
		list = append(list, fmt.Sprintf(`{"id":%q,"type":"preauthorization.valid","timestamp":"2026-01-01T00:00:00Z","sequence":1,"data":{"preauthorization":"a1","frozen":false,"reason":null}}`, id))
	}
	return answer{status: 200, body: fmt.Sprintf(`{"events":[%s],"next":%q}`, strings.Join(list, ","), next)}
}

func TestTheFeedIsFollowedFromPageToPage(t *testing.T) {
	c, d := newDouble(t, client.Config{Attempts: 1}, events("1", "e1", "e2"), events("1"), answer{}, events("2", "e3"), events("2"))
	ctx, cancel := context.WithCancel(t.Context())
	var seen []string
	err := c.Follow(ctx, "0", func(_ context.Context, p *client.EventsPage) error {
		for _, e := range p.Events {
			seen = append(seen, e.ID)
		}
		if p.Next == "2" {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || !slices.Equal(seen, []string{"e1", "e2", "e3"}) {
		t.Errorf("%v, %v", seen, err)
	}
	var asked []string
	for _, call := range d.calls()[:4] {
		asked = append(asked, call.uri)
	}
	if want := []string{"/v1/events?after=0&wait=60", "/v1/events?after=1&wait=60", "/v1/events?after=1&wait=60", "/v1/events?after=1&wait=60"}; !slices.Equal(asked, want) {
		t.Errorf("asked %v", asked)
	}
}

func TestFollowingEndsWhereTheCallerOrTheServiceSaysSo(t *testing.T) {
	c, _ := newDouble(t, client.Config{}, events("1", "e1"))
	full := errors.New("the disk is full")
	if err := c.Follow(t.Context(), "", func(context.Context, *client.EventsPage) error { return full }); !errors.Is(err, full) {
		t.Error(err)
	}
	c, _ = newDouble(t, client.Config{}, problem(410, client.EventsExpired, ""))
	if err := c.Follow(t.Context(), "old", nil); !client.IsProblem(err, client.EventsExpired) {
		t.Error(err)
	}
}

func TestFollowingWaitsOutWhatAProxySaysInTheServicesPlace(t *testing.T) {
	for _, status := range []int{403, 404, 421, 429} {
		c, _ := newDouble(t, client.Config{Attempts: 1}, answer{status: status, body: "<html>", header: map[string]string{"Content-Type": "text/html"}}, events("1", "e1"))
		found := errors.New("found")
		if err := c.Follow(t.Context(), "0", func(context.Context, *client.EventsPage) error { return found }); !errors.Is(err, found) {
			t.Errorf("%d: %v", status, err)
		}
	}
}

const whsec = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func sign(secret, id string, at time.Time, body string) http.Header {
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	m := hmac.New(sha256.New, key)
	stamp := fmt.Sprint(at.Unix())
	m.Write([]byte(id + "." + stamp + "." + body))
	h := http.Header{}
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", stamp)
	h.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(m.Sum(nil)))
	return h
}

func TestAWebhookIsVerified(t *testing.T) {
	// The example of Standard Webhooks' own libraries.
	c, err := client.New(client.Config{URL: "https://ca.proof.example.org", Token: token, Now: func() time.Time { return time.Unix(1614265330, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	w, err := c.NewWebhook(whsec)
	if err != nil {
		t.Fatal(err)
	}
	known := http.Header{}
	known.Set("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
	known.Set("webhook-timestamp", "1614265330")
	known.Set("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
	if _, err := w.Verify(known, []byte(`{"test": 2432232314}`)); err == nil || !strings.Contains(err.Error(), "another id") {
		t.Errorf("the signature of the standard's example: %v", err) // its body is no event of ours, and the signature is right
	}

	now := time.Unix(1614265330, 0)
	body := `{"id":"e1","type":"preauthorization.valid","timestamp":"2026-01-01T00:00:00Z","sequence":1,"data":{"preauthorization":"a1","frozen":false,"reason":null}}`
	if e, err := w.Verify(sign(whsec, "e1", now, body), []byte(body)); err != nil || e.Data.Preauthorization != "a1" {
		t.Errorf("%+v, %v", e, err)
	}
	other := "whsec_" + base64.StdEncoding.EncodeToString([]byte("another secret of 24 byte"))
	both, err := c.NewWebhook(other, whsec)
	if err != nil {
		t.Fatal(err)
	}
	two := sign(other, "e1", now, body)
	two.Set("webhook-signature", "v1a,AAAA v1,AAAA v1,!! "+two.Get("webhook-signature"))
	if _, err := both.Verify(two, []byte(body)); err != nil {
		t.Error(err)
	}
	for name, bad := range map[string]http.Header{
		"another secret":       sign(other, "e1", now, body),
		"six minutes old":      sign(whsec, "e1", now.Add(-6*time.Minute), body),
		"six minutes ahead":    sign(whsec, "e1", now.Add(6*time.Minute), body),
		"another body":         sign(whsec, "e1", now, body+" "),
		"another id":           sign(whsec, "e2", now, body),
		"no signature":         {"Webhook-Id": {"e1"}, "Webhook-Timestamp": {fmt.Sprint(now.Unix())}},
		"nothing":              {},
		"a signature of kind2": {"Webhook-Id": {"e1"}, "Webhook-Timestamp": {fmt.Sprint(now.Unix())}, "Webhook-Signature": {"v2," + strings.TrimPrefix(sign(whsec, "e1", now, body).Get("webhook-signature"), "v1,")}},
	} {
		if e, err := w.Verify(bad, []byte(body)); err == nil {
			t.Errorf("%s: %+v", name, e)
		}
	}
	for _, secrets := range [][]string{{}, {""}, {"whsec_"}, {"whsec_AAAA"}, {"whsec_?"}} {
		if _, err := c.NewWebhook(secrets...); err == nil {
			t.Errorf("%q is accepted", secrets)
		}
	}
}

func TestAWebhooksHandlerForgetsAndAsksForTheEventAgain(t *testing.T) {
	c, d := newDouble(t, client.Config{CacheFor: time.Hour}, answer{status: 200, body: yes(time.Now().Add(time.Hour))})
	if _, err := c.Authorize(t.Context(), question); err != nil {
		t.Fatal(err)
	}
	w, err := c.NewWebhook(whsec)
	if err != nil {
		t.Fatal(err)
	}
	broken := true
	s := httptest.NewServer(w.Handler(func(_ context.Context, e client.Event) error {
		if broken {
			return errors.New("the queue is full")
		}
		return nil
	}))
	defer s.Close()
	body := `{"id":"e1","type":"preauthorization.frozen","timestamp":"2026-01-01T00:00:00Z","sequence":1,"data":{"preauthorization":"a1","frozen":true,"reason":"frozen"}}`
	post := func(header http.Header, body string) int {
		req, _ := http.NewRequest("POST", s.URL, strings.NewReader(body))
		req.Header = header
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	good := sign(whsec, "e1", time.Now(), body)
	if got := post(good, body); got != 500 {
		t.Errorf("an event that was not taken: %d", got)
	}
	broken = false
	for want, r := range map[int]struct {
		h http.Header
		b string
	}{204: {good, body}, 401: {good, body + " "}, 400: {good, strings.Repeat(" ", 65<<10)}} {
		if got := post(r.h, r.b); got != want {
			t.Errorf("%d, want %d", got, want)
		}
	}
	if resp, err := http.Get(s.URL); err != nil || resp.StatusCode != 405 {
		t.Errorf("%v %v", resp, err)
	}
	if _, err := c.Authorize(t.Context(), question); err != nil || len(d.calls()) != 2 {
		t.Errorf("%v after %d calls", err, len(d.calls()))
	}
}
