package notify_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-id/countersign/notify"
	"github.com/countersign-id/countersign/notify/twiliotest"
	"github.com/countersign-id/countersign/proofing"
)

const (
	testAccount = "AC0123456789abcdef0123456789abcdef"
	testToken   = "0123456789abcdef0123456789abcdef"
	goodNumber  = "+15005550010"
)

// account is a Twilio to send through: the double, or Twilio itself.
type account struct {
	name    string
	config  notify.TwilioConfig
	service *twiliotest.Server // nil: Twilio itself
}

// startDouble runs the double and returns a configuration for it.
func startDouble(t *testing.T) (*twiliotest.Server, notify.TwilioConfig) {
	t.Helper()
	double := twiliotest.New(testAccount, testToken)
	base, stop, err := double.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return double, notify.TwilioConfig{AccountSID: testAccount, AuthToken: testToken, From: twiliotest.From, BaseURL: base}
}

// accounts are the double and, when the environment has credentials for tests,
// Twilio itself.
func accounts(t *testing.T) []account {
	t.Helper()
	double, config := startDouble(t)
	list := []account{{"the double", config, double}}
	if sid := os.Getenv("TWILIO_ACCOUNT_SID"); sid != "" {
		list = append(list, account{"twilio itself", notify.TwilioConfig{
			AccountSID: sid, AuthToken: proofing.Secret(os.Getenv("TWILIO_AUTH_TOKEN")), From: twiliotest.From,
		}, nil})
	}
	return list
}

func newTwilio(t *testing.T, c notify.TwilioConfig) *notify.Twilio {
	t.Helper()
	p, err := notify.NewTwilio(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func text(to string) proofing.Message {
	return proofing.Message{
		ID: "msg-0001", Kind: "sms_code", Channel: proofing.ChannelPhone,
		To: proofing.Secret(to), Code: "314159", Minutes: 10,
	}
}

var textWords = notify.Rendered{Text: "Your code is 314159."}

func ctxFor(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// wantFailure checks an outcome, and that the error gives no secret away.
func wantFailure(t *testing.T, err error, outcome proofing.Outcome, reason string, secrets ...string) *proofing.SendError {
	t.Helper()
	var e *proofing.SendError
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a SendError", err)
	}
	if e.Outcome != outcome || e.Reason != reason {
		t.Errorf("got %s (%s), want %s (%s): %v", e.Outcome, e.Reason, outcome, reason, err)
	}
	for _, secret := range secrets {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error gives away %q: %v", secret, err)
		}
	}
	return e
}

func TestTwilioMagicNumbers(t *testing.T) {
	cases := []struct {
		name     string
		from, to string
		outcome  proofing.Outcome // empty: accepted
		reason   string
	}{
		{"a good number", twiliotest.From, goodNumber, "", ""},
		{"an invalid number", twiliotest.From, "+15005550001", proofing.Refused, "number_invalid"},
		{"a number that cannot be routed", twiliotest.From, "+15005550002", proofing.Refused, "number_unreachable"},
		{"a country not enabled", twiliotest.From, "+15005550003", proofing.Refused, "country_not_enabled"},
		{"a number that opted out", twiliotest.From, "+15005550004", proofing.Refused, "number_blocked"},
		{"a number that takes no text", twiliotest.From, "+15005550009", proofing.Refused, "not_sms_capable"},
		{"an invalid sender", "+15005550001", goodNumber, proofing.Refused, "configuration"},
		{"a sender not owned", "+15005550007", goodNumber, proofing.Refused, "configuration"},
		{"a sender unknown", "+15005550019", goodNumber, proofing.Refused, "configuration"},
		{"a sender with a full queue", "+15005550008", goodNumber, proofing.NotSent, "provider_busy"},
	}
	for _, a := range accounts(t) {
		for _, c := range cases {
			t.Run(a.name+"/"+c.name, func(t *testing.T) {
				config := a.config
				config.From = c.from
				receipt, err := newTwilio(t, config).Deliver(ctxFor(t, 20*time.Second), text(c.to), textWords)
				if c.outcome != "" {
					wantFailure(t, err, c.outcome, c.reason, c.to, "314159")
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if receipt.Provider != "twilio" || !strings.HasPrefix(receipt.Reference, "SM") {
					t.Errorf("got receipt %+v", receipt)
				}
			})
		}
		if a.service != nil && len(a.service.Messages()) != 1 {
			t.Errorf("the double took %d messages, want 1", len(a.service.Messages()))
		}
	}
}

func TestTwilioRequest(t *testing.T) {
	// Neither variable may send a code elsewhere than was configured.
	t.Setenv("TWILIO_EDGE", "sydney")
	t.Setenv("TWILIO_REGION", "au1")
	double, config := startDouble(t)
	double.Price = "-0.00753"
	config.StatusCallback = func(id string) string { return "https://id.example.org/hooks/sms/" + id }
	receipt, err := newTwilio(t, config).Deliver(ctxFor(t, 30*time.Second), text(goodNumber), textWords)
	if err != nil {
		t.Fatal(err)
	}
	if receipt.CostMicros != 7530 {
		t.Errorf("got cost %d, want 7530", receipt.CostMicros)
	}
	got, _ := double.Find(receipt.Reference)
	want := twiliotest.Message{
		SID: receipt.Reference, From: twiliotest.From, To: goodNumber, Body: "Your code is 314159.",
		StatusCallback: "https://id.example.org/hooks/sms/msg-0001", ValidityPeriod: "600",
	}
	if got != want {
		t.Errorf("the double took %+v, want %+v", got, want)
	}

	config.Currency = "EUR"
	config.From, config.MessagingService = "", "MG0123456789abcdef0123456789abcdef"
	receipt, err = newTwilio(t, config).Deliver(ctxFor(t, 30*time.Second), text(goodNumber), textWords)
	if err != nil {
		t.Fatal(err)
	}
	if receipt.CostMicros != 0 {
		t.Errorf("a price in dollars was counted as euros: %d", receipt.CostMicros)
	}
	if got, _ = double.Find(receipt.Reference); got.MessagingService != config.MessagingService || got.From != "" {
		t.Errorf("the messaging service was not used: %+v", got)
	}
}

func TestTwilioFailures(t *testing.T) {
	page := "<html>Bad gateway for " + goodNumber + "</html>"
	cases := []struct {
		name    string
		failure twiliotest.Failure
		outcome proofing.Outcome
		reason  string
		retry   time.Duration
	}{
		{"too many requests", twiliotest.Failure{Status: 429, Code: 20429, RetryAfter: "7"}, proofing.NotSent, "provider_busy", 7 * time.Second},
		{"too many requests, no code", twiliotest.Failure{Status: 429, RetryAfter: "999999"}, proofing.NotSent, "provider_busy", time.Hour},
		{"too many requests, nonsense to wait", twiliotest.Failure{Status: 429, RetryAfter: "-3"}, proofing.NotSent, "provider_busy", 0},
		{"a rate within an account", twiliotest.Failure{Status: 400, Code: 14107}, proofing.NotSent, "provider_busy", 0},
		{"number not valid, other code", twiliotest.Failure{Status: 400, Code: 21217}, proofing.Refused, "number_invalid", 0},
		{"a code that nobody knows yet", twiliotest.Failure{Status: 400, Code: 29999}, proofing.Refused, "provider_refused", 0},
		{"wrong credentials, unknown code", twiliotest.Failure{Status: 401, Code: 29998}, proofing.Refused, "configuration", 0},
		{"a page where JSON was due", twiliotest.Failure{Status: 403, Body: page}, proofing.Refused, "configuration", 0},
		{"a redirect", twiliotest.Failure{Status: 307, Body: page}, proofing.Refused, "configuration", 0},
		{"a server error", twiliotest.Failure{Status: 500, Code: 20500, Take: true}, proofing.Unknown, "provider_busy", 0},
		{"a gateway's page", twiliotest.Failure{Status: 502, Body: page, Take: true}, proofing.Unknown, "provider_busy", 0},
		{"accepted, but not in JSON", twiliotest.Failure{Status: 201, Body: page, Take: true}, proofing.Unknown, "unreachable", 0},
		{"accepted without a name", twiliotest.Failure{Status: 201, Body: "{}", Take: true}, proofing.Unknown, "unreachable", 0},
		{"created as failed", twiliotest.Failure{Status: 201, Body: `{"sid":"SM0123456789abcdef0123456789abcdef","status":"failed","error_code":30006}`}, proofing.Refused, "not_sms_capable", 0},
		{"an answer without end", twiliotest.Failure{Status: 201, Body: `{"sid":"` + strings.Repeat("S", 1<<20) + `"}`, Take: true}, proofing.Unknown, "unreachable", 0},
		{"the line dropped after the request", twiliotest.Failure{Drop: true, Take: true}, proofing.Unknown, "unreachable", 0},
		{"no answer in time", twiliotest.Failure{Hang: true, Take: true}, proofing.Unknown, "timeout", 0},
	}
	double, config := startDouble(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			double.Fail(c.failure)
			_, err := newTwilio(t, config).Deliver(ctxFor(t, patience(c.reason)), text(goodNumber), textWords)
			if e := wantFailure(t, err, c.outcome, c.reason, goodNumber, "314159", "html"); e.RetryAfter != c.retry {
				t.Errorf("got %v to wait, want %v", e.RetryAfter, c.retry)
			}
		})
	}
}

func TestTwilioWrongCredentials(t *testing.T) {
	double, config := startDouble(t)
	wrong := config
	wrong.AuthToken = "ffffffffffffffffffffffffffffffff"
	_, err := newTwilio(t, wrong).Deliver(ctxFor(t, 30*time.Second), text(goodNumber), textWords)
	wantFailure(t, err, proofing.Refused, "configuration", "ffffffff")

	wrong = config
	wrong.KeySID, wrong.KeySecret = "SK0123456789abcdef0123456789abcdef", "a-secret/with+signs"
	_, err = newTwilio(t, wrong).Deliver(ctxFor(t, 30*time.Second), text(goodNumber), textWords)
	wantFailure(t, err, proofing.Refused, "configuration", "a-secret")
	if n := len(double.Messages()); n != 0 {
		t.Errorf("the double took %d messages", n)
	}
}

func TestTwilioUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + l.Addr().String()
	_ = l.Close() // so that nobody listens there
	_, config := startDouble(t)
	config.BaseURL = base
	_, err = newTwilio(t, config).Deliver(ctxFor(t, 30*time.Second), text(goodNumber), textWords)
	wantFailure(t, err, proofing.NotSent, "unreachable", goodNumber)

	gone, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = newTwilio(t, config).Deliver(gone, text(goodNumber), textWords)
	wantFailure(t, err, proofing.NotSent, "timeout", goodNumber)
}

func TestTwilioCancelReachesTheRequest(t *testing.T) {
	double, config := startDouble(t)
	double.Fail(twiliotest.Failure{Hang: true, Take: true})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // once the double has it
		for ctx.Err() == nil && len(double.Messages()) == 0 {
			time.Sleep(5 * time.Millisecond)
		}
		cancel()
	}()
	start := time.Now()
	_, err := newTwilio(t, config).Deliver(ctx, text(goodNumber), textWords)
	wantFailure(t, err, proofing.Unknown, "timeout")
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("cancelling took %v", took)
	}
}

func TestTwilioUsesTheClientItIsGiven(t *testing.T) {
	_, config := startDouble(t)
	refusal := errors.New("egress to this address is not allowed")
	config.HTTP = &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, refusal })}
	_, err := newTwilio(t, config).Deliver(ctxFor(t, 30*time.Second), text(goodNumber), textWords)
	if wantFailure(t, err, proofing.NotSent, "unreachable"); !errors.Is(err, refusal) {
		t.Errorf("got %v", err)
	}
}

func TestTwilioFollowsNoRedirect(t *testing.T) {
	var elsewhere atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("/2010-04-01/", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusPermanentRedirect)
	})
	mux.HandleFunc("/elsewhere", func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	server := httptest.NewServer(mux)
	defer server.Close()
	_, config := startDouble(t)
	config.BaseURL, config.HTTP = server.URL, server.Client()
	_, err := newTwilio(t, config).Deliver(ctxFor(t, 30*time.Second), text(goodNumber), textWords)
	wantFailure(t, err, proofing.Refused, "configuration")
	if elsewhere.Load() != 0 {
		t.Error("the code was carried elsewhere")
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTwilioRefusesBeforeItAsks(t *testing.T) {
	double, config := startDouble(t)
	p := newTwilio(t, config)
	for _, to := range []string{"", "15005550010", "+1500555001x", "whatsapp:+15005550010", "+15005550010\r\n"} {
		_, err := p.Deliver(ctxFor(t, 30*time.Second), text(to), textWords)
		wantFailure(t, err, proofing.Refused, "number_invalid")
	}
	m := text(goodNumber)
	m.ID = "../../x"
	_, err := p.Deliver(ctxFor(t, 30*time.Second), m, textWords)
	wantFailure(t, err, proofing.Refused, "configuration")
	_, err = p.Deliver(ctxFor(t, 30*time.Second), text(goodNumber), notify.Rendered{})
	wantFailure(t, err, proofing.Refused, "configuration")
	if n := len(double.Messages()); n != 0 {
		t.Errorf("the double took %d messages", n)
	}
}

func TestTwilioConfigMistakes(t *testing.T) {
	_, good := startDouble(t)
	for name, spoil := range map[string]func(*notify.TwilioConfig){
		"no account":               func(c *notify.TwilioConfig) { c.AccountSID = "" },
		"an account in capitals":   func(c *notify.TwilioConfig) { c.AccountSID = strings.ToUpper(c.AccountSID) },
		"no token":                 func(c *notify.TwilioConfig) { c.AuthToken = "" },
		"half an API key":          func(c *notify.TwilioConfig) { c.KeySecret = "x" },
		"neither sender":           func(c *notify.TwilioConfig) { c.From = "" },
		"both senders":             func(c *notify.TwilioConfig) { c.MessagingService = "MG0123456789abcdef0123456789abcdef" },
		"a sender without country": func(c *notify.TwilioConfig) { c.From = "5005550006" },
		"a service that is none":   func(c *notify.TwilioConfig) { c.From, c.MessagingService = "", "MG1" },
		"plain http to the world":  func(c *notify.TwilioConfig) { c.BaseURL = "http://api.example.org" },
		"a base URL with a query":  func(c *notify.TwilioConfig) { c.BaseURL = "https://api.example.org/?a=b" },
		"a relative base URL":      func(c *notify.TwilioConfig) { c.BaseURL = "/twilio" },
	} {
		c := good
		spoil(&c)
		if _, err := notify.NewTwilio(c); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
