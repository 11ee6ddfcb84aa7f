package main

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// TestAWebhookThatTakesNothingIsSeenAmongThoseThatDo counts them as an alert sees them.
func TestAWebhookThatTakesNothingIsSeenAmongThoseThatDo(t *testing.T) {
	d := newDesk(t)
	for _, ca := range []string{"alpha", "beta", "gamma", "without"} {
		d.addCA(ca)
		if ca != "without" {
			d.run(exitOK, "webhook", "set", ca, "https://ca.example/hook")
		}
	}
	a := d.app(io.Discard)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { a.watchHooks(ctx, 10*time.Millisecond); close(ended) }()
	defer func() { stop(); <-ended }()
	figures := func(well, failing, stopped string) {
		t.Helper()
		want := `countersign_webhooks{state="failing"} ` + failing + "\n" + `countersign_webhooks{state="off"} 0` + "\n" +
			`countersign_webhooks{state="stopped"} ` + stopped + "\n" + `countersign_webhooks{state="well"} ` + well + "\n"
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			_, said := probe(t, a.operators(), "/metrics")
			if strings.Contains(said, want) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("want\n%s among\n%s", want, said)
			}
		}
	}
	hook := func(ca string, edit func(h *proofing.Hook)) {
		t.Helper()
		if _, err := a.service.Feeds.Update(t.Context(), a.service.FeedID(ca), func(f *proofing.Feed) error { edit(&f.Hook); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	figures("3", "0", "0")
	hook("alpha", func(h *proofing.Hook) { h.Failing = d.at })
	hook("beta", func(h *proofing.Hook) { h.Stopped = d.at })
	figures("1", "1", "1")
	hook("alpha", func(h *proofing.Hook) { h.Failing = time.Time{} })
	figures("2", "0", "1")
}
