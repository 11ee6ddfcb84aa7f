package notify_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/notify"
	"github.com/countersign-id/countersign/notify/twiliotest"
	"github.com/countersign-id/countersign/proofing"
)

// reports keeps what a Report was told.
type reports struct {
	mu   sync.Mutex
	list []string
	err  error
}

func (r *reports) report(_ context.Context, id, status, code string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, strings.TrimSpace(id+" "+status+" "+code))
	return r.err
}

func (r *reports) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

// startCallbacks runs a server for Twilio's callbacks and sends one message
// whose status they tell.
func startCallbacks(t *testing.T) (*twiliotest.Server, *reports, twiliotest.Message) {
	t.Helper()
	double, config := startDouble(t)
	told := &reports{}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	config.StatusCallback = func(id string) string { return server.URL + "/hooks/sms/" + id }
	p := newTwilio(t, config)
	mux.Handle("/hooks/sms/", p.Callback(told.report))
	receipt, err := p.Deliver(ctxFor(t, 30*time.Second), text(goodNumber), textWords)
	if err != nil {
		t.Fatal(err)
	}
	m, ok := double.Find(receipt.Reference)
	if !ok {
		t.Fatal("the message is not there")
	}
	return double, told, m
}

func TestTwilioCallbackStatuses(t *testing.T) {
	double, told, m := startCallbacks(t)
	for _, c := range []struct{ status, code, want string }{
		{"queued", "", "msg-0001 accepted"},
		{"sending", "", "msg-0001 accepted"},
		{"sent", "", "msg-0001 sent"},
		{"delivered", "", "msg-0001 delivered"},
		{"undelivered", "30006", "msg-0001 undelivered not_sms_capable"},
		{"failed", "30008", "msg-0001 undelivered provider_refused"},
		{"failed", "not a code", "msg-0001 undelivered provider_refused"},
	} {
		// Twice, since Twilio repeats itself.
		for range 2 {
			if status, err := double.Report(ctxFor(t, 30*time.Second), m.SID, c.status, c.code); err != nil || status != http.StatusNoContent {
				t.Errorf("%s: got %d, %v", c.status, status, err)
			}
			if got := told.take(); !slices.Equal(got, []string{c.want}) {
				t.Errorf("%s: told %q, want %q", c.status, got, c.want)
			}
		}
	}
	if status, err := double.Report(ctxFor(t, 30*time.Second), m.SID, "teleported", ""); err != nil || status != http.StatusNoContent {
		t.Errorf("a new word of Twilio's: got %d, %v", status, err)
	}
	if got := told.take(); len(got) != 0 {
		t.Errorf("a word nobody knows was reported: %q", got)
	}
}

func TestTwilioCallbackReportFails(t *testing.T) {
	double, told, m := startCallbacks(t)
	for err, want := range map[error]int{
		proofing.ErrNotFound:    http.StatusNoContent,
		proofing.ErrUnavailable: http.StatusServiceUnavailable,
		errors.New("a fault"):   http.StatusServiceUnavailable,
	} {
		told.err = err
		if status, _ := double.Report(ctxFor(t, 30*time.Second), m.SID, "sent", ""); status != want {
			t.Errorf("%v: got %d, want %d", err, status, want)
		}
	}
}

func TestTwilioCallbackForgeries(t *testing.T) {
	double, told, m := startCallbacks(t)
	good := double.StatusForm(m, "delivered", "")
	goodSignature := double.Sign(m.StatusCallback, good)
	other := strings.Replace(m.StatusCallback, "msg-0001", "msg-0002", 1)
	form := func(change func(url.Values)) url.Values {
		f := url.Values{}
		for name, values := range good {
			f[name] = slices.Clone(values)
		}
		change(f)
		return f
	}
	// The same signed text, cut differently into names and values.
	recut := form(func(f url.Values) {
		f.Del("MessageStatus")
		f.Set("MessageSid", m.SID+"MessageStatus"+"delivered")
	})
	foreign := form(func(f url.Values) { f.Set("AccountSid", "ACffffffffffffffffffffffffffffffff") })
	stranger := twiliotest.New(testAccount, "ffffffffffffffffffffffffffffffff")
	odd := strings.Replace(m.StatusCallback, "msg-0001", "msg%0a1", 1)

	for _, c := range []struct {
		name      string
		target    string
		form      url.Values
		signature string
		change    func(*http.Request)
		want      int
	}{
		{"signed", m.StatusCallback, good, goodSignature, nil, 204},
		{"signed, by another host name", m.StatusCallback, good, goodSignature, func(r *http.Request) { r.Host = "evil.example.org" }, 204},
		{"replayed", m.StatusCallback, good, goodSignature, nil, 204},
		{"replayed at another message", other, good, goodSignature, nil, 403},
		{"another status under the signature", m.StatusCallback, form(func(f url.Values) { f.Set("MessageStatus", "failed") }), goodSignature, nil, 403},
		{"a status added twice", m.StatusCallback, form(func(f url.Values) { f.Add("MessageStatus", "failed") }), goodSignature, nil, 403},
		{"cut differently", m.StatusCallback, recut, goodSignature, nil, 403},
		{"another account, rightly signed", m.StatusCallback, foreign, double.Sign(m.StatusCallback, foreign), nil, 403},
		{"signed with another token", m.StatusCallback, good, stranger.Sign(m.StatusCallback, good), nil, 403},
		{"signed for the host that it names", m.StatusCallback, good, double.Sign("https://evil.example.org/hooks/sms/msg-0001", good),
			func(r *http.Request) { r.Host = "evil.example.org" }, 403},
		{"no signature", m.StatusCallback, good, "", nil, 403},
		{"an id that is none", odd, good, double.Sign(odd, good), nil, 403},
		{"by GET", m.StatusCallback, good, goodSignature, func(r *http.Request) { r.Method = http.MethodGet }, 405},
		{"as JSON", m.StatusCallback, good, goodSignature, func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, 415},
		{"too large", m.StatusCallback, form(func(f url.Values) { f.Set("Body", strings.Repeat("x", 1<<20)) }), goodSignature, nil, 413},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(ctxFor(t, 30*time.Second), http.MethodPost, c.target, strings.NewReader(c.form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("X-Twilio-Signature", c.signature)
			if c.change != nil {
				c.change(r)
			}
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != c.want {
				t.Errorf("got %d, want %d", res.StatusCode, c.want)
			}
			got := told.take()
			if c.want == 204 && !slices.Equal(got, []string{"msg-0001 delivered"}) || c.want != 204 && len(got) != 0 {
				t.Errorf("told %q", got)
			}
		})
	}
}

func TestTwilioCallbackNeedsAURL(t *testing.T) {
	double, config := startDouble(t) // without StatusCallback
	told := &reports{}
	server := httptest.NewServer(newTwilio(t, config).Callback(told.report))
	defer server.Close()
	target := server.URL + "/hooks/sms/msg-0001"
	f := double.StatusForm(twiliotest.Message{SID: "SM0123456789abcdef0123456789abcdef"}, "sent", "")
	r, err := http.NewRequestWithContext(ctxFor(t, 30*time.Second), http.MethodPost, target, strings.NewReader(f.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("X-Twilio-Signature", double.Sign(target, f))
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusForbidden || len(told.take()) != 0 {
		t.Errorf("got %d", res.StatusCode)
	}
}

var _ notify.Reporter = (*notify.Twilio)(nil)
