package notify_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/notify"
	"github.com/countersign-id/countersign/notify/twiliotest"
	"github.com/countersign-id/countersign/proofing"
)

// plainWords renders what the tests need to see.
type plainWords struct{}

func (plainWords) Render(m proofing.Message) (notify.Rendered, error) {
	if m.Kind == "unwritten" {
		return notify.Rendered{}, errors.New("no such template")
	}
	return notify.Rendered{Subject: "Your code", Text: "Your code is " + m.Code.Reveal() + "."}, nil
}

func newRouter(t *testing.T, channels map[proofing.Channel]notify.Config) *notify.Router {
	t.Helper()
	r, err := notify.NewRouter(plainWords{}, channels)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

var _ proofing.Sender = (*notify.Router)(nil)

func TestRouterSendsByChannel(t *testing.T) {
	h := startMailHog(t)
	double, twilio := startDouble(t)
	twilio.StatusCallback = func(id string) string { return "https://id.example.org/hooks/sms/" + id }
	r := newRouter(t, map[proofing.Channel]notify.Config{
		proofing.ChannelEmail: {Provider: "smtp", SMTP: h.config()},
		proofing.ChannelPhone: {Provider: "twilio", Twilio: twilio},
	})
	for _, m := range []proofing.Message{mailTo("msg-1", "alice@example.com"), text(goodNumber)} {
		if _, err := r.Send(ctxFor(t, 30*time.Second), m); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(h.search(t, "alice@example.com")); n != 1 {
		t.Errorf("MailHog has %d mails", n)
	}
	if got := double.Messages(); len(got) != 1 || got[0].Body != "Your code is 314159." {
		t.Errorf("the double took %+v", got)
	}
	told := &reports{}
	if r.Callback(proofing.ChannelPhone, told.report) == nil {
		t.Error("no handler for Twilio's callbacks")
	}
	if r.Callback(proofing.ChannelEmail, told.report) != nil || r.Callback("pigeon", told.report) != nil {
		t.Error("a handler for callbacks that nobody makes")
	}
}

func TestRouterRefusesWhatItCannotSend(t *testing.T) {
	box := notify.NewMailbox(10, time.Now)
	r := newRouter(t, map[proofing.Channel]notify.Config{
		proofing.ChannelEmail: {Provider: "mailbox", Mailbox: notify.MailboxConfig{Mailbox: box}},
	})
	_, err := r.Send(context.Background(), text(goodNumber))
	wantFailure(t, err, proofing.Refused, "configuration", goodNumber)
	m := mailTo("msg-1", "alice@example.com")
	m.Kind = "unwritten"
	_, err = r.Send(context.Background(), m)
	wantFailure(t, err, proofing.Refused, "configuration", "alice")
	if len(box.List()) != 0 {
		t.Error("something was delivered")
	}
}

func TestRouterBoundsTimeAndNumber(t *testing.T) {
	double, twilio := startDouble(t)
	r := newRouter(t, map[proofing.Channel]notify.Config{
		proofing.ChannelPhone: {Provider: "twilio", Twilio: twilio, Concurrency: 1, Timeout: 3 * time.Second},
	})
	double.Fail(twiliotest.Failure{Hang: true}, twiliotest.Failure{Hang: true})
	start := time.Now()
	outcomes := make(chan error, 3)
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			_, err := r.Send(context.Background(), text(goodNumber))
			outcomes <- err
		})
	}
	group.Wait()
	close(outcomes)
	counts := map[proofing.Outcome]int{}
	for err := range outcomes {
		var e *proofing.SendError
		if err == nil {
			counts["sent"]++
		} else if errors.As(err, &e) {
			counts[e.Outcome]++
		}
	}
	// One hangs for its time. Of the two that wait, one at most gets its turn
	// before its own patience ends; whoever does not, has certainly sent nothing.
	if counts[proofing.Unknown] < 1 || counts[proofing.NotSent] < 1 || counts["sent"] > 0 {
		t.Errorf("got %v", counts)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("three sends of 3 s each took %v", took)
	}
}

func TestRouterReportsEveryMistake(t *testing.T) {
	_, err := notify.NewRouter(plainWords{}, map[proofing.Channel]notify.Config{
		proofing.ChannelEmail: {Provider: "twilio"},
		proofing.ChannelPhone: {Provider: "pigeon"},
	})
	if err == nil || !strings.Contains(err.Error(), "pigeon") || !strings.Contains(err.Error(), "twilio") {
		t.Errorf("got %v", err)
	}
	for name, c := range map[string]notify.Config{
		"no provider":           {},
		"a mailbox without one": {Provider: "mailbox"},
		"a negative time":       {Provider: "mailbox", Timeout: -1, Mailbox: notify.MailboxConfig{Mailbox: notify.NewMailbox(1, time.Now)}},
		"a mail server nowhere": {Provider: "smtp"},
	} {
		if _, err := notify.NewRouter(plainWords{}, map[proofing.Channel]notify.Config{proofing.ChannelEmail: c}); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
