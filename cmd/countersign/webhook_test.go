package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// allow lets webhooks lead to this machine.
func (d *desk) allow(network string) {
	d.t.Helper()
	text, err := os.ReadFile(d.config)
	if err == nil {
		err = os.WriteFile(d.config, []byte(strings.Replace(string(text), "\n  allow_networks: []", "\n  allow_networks: ["+network+"]", 1)), 0o600)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

func TestAWebhookIsSetWithASecretThatIsShownOnce(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	secret, said := d.run(exitOK, "webhook", "set", "example", "https://ca.example/hook/0123456789")
	contains(t, said, "told of what changes from now on", "webhook test example")
	if !strings.HasPrefix(secret, "whsec_") || strings.Count(secret, "\n") != 1 {
		t.Errorf("standard output has %q", secret)
	}
	if again, said := d.run(exitOK, "webhook", "set", "example", "https://ca.example/other"); again != "" || !strings.Contains(said, "its secret stays") {
		t.Errorf("moving it printed %q, %q", again, said)
	}
	next, said := d.run(exitOK, "webhook", "secret", "example")
	contains(t, said, "2026-11-24T10:00:00Z")
	if next == secret {
		t.Error("the new secret is the old one")
	}
	out, _ := d.run(exitOK, "webhook", "list")
	contains(t, out, "example", "well", "https://ca.example")
	if strings.Contains(out, "/other") || strings.Contains(out, "whsec_") {
		t.Errorf("the list shows what may be secret:\n%s", out)
	}
	var views []webhookView
	asJSON, _ := d.run(exitOK, "webhook", "list", "--json")
	if err := json.Unmarshal([]byte(asJSON), &views); err != nil || len(views) != 1 || views[0].Secrets != 2 || views[0].State != "well" {
		t.Errorf("%v %s", err, asJSON)
	}
	d.run(exitOK, "webhook", "secret", "example", "--overlap", "0s")
	d.run(exitOK, "webhook", "remove", "example")
	if out, _ := d.run(exitOK, "webhook", "list"); strings.Contains(out, "example") {
		t.Errorf("after its removal the list has\n%s", out)
	}
}

// TestASettingThatBrokeOffIsSeenAndDoneAgain leaves what a process leaves that died after the first of its two writes.
func TestASettingThatBrokeOffIsSeenAndDoneAgain(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	var lost proofing.Secret
	d.service(func(s *proofing.Service) {
		var err error
		if _, lost, err = s.SetWebhook(t.Context(), "example", "https://ca.example/hook"); err != nil {
			t.Fatal(err)
		}
	})
	out, _ := d.run(exitOK, "webhook", "list")
	contains(t, out, "off")
	secret, said := d.run(exitOK, "webhook", "set", "example", "https://ca.example/hook")
	contains(t, said, "told of what changes from now on")
	if !strings.HasPrefix(secret, "whsec_") || strings.TrimSpace(secret) == lost.Reveal() {
		t.Errorf("done again it printed %q", secret)
	}
	out, _ = d.run(exitOK, "webhook", "list")
	contains(t, out, "well")
}

func TestMistakesInAWebhook(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	for _, c := range []struct {
		name string
		args []string
		says string
	}{
		{"plain http elsewhere", []string{"set", "example", "http://ca.example/hook"}, "https URL"},
		{"a user in the URL", []string{"set", "example", "https://me:pw@ca.example/hook"}, "https URL"},
		{"no URL", []string{"set", "example", "hook"}, "https URL"},
		{"no such CA", []string{"set", "nobody", "https://ca.example/hook"}, `no CA "nobody"`},
		{"a secret without a webhook", []string{"secret", "example"}, "has no webhook"},
		{"a replay without a webhook", []string{"replay", "example"}, "has no webhook"},
		{"a test without a webhook", []string{"test", "example"}, "has no webhook"},
		{"an overlap in the past", []string{"secret", "example", "--overlap=-1h"}, "must not be negative"},
		{"a replay of what is gone", []string{"replay", "example", "--since", "2000h"}, "older events are not kept"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, said := d.run(exitUsage, append([]string{"webhook"}, c.args...)...)
			contains(t, said, c.says)
		})
	}
}

func TestAWebhookIsTried(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	status := http.StatusNoContent
	var got struct{ Type string }
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewDecoder(r.Body).Decode(&got)
		w.WriteHeader(status)
	}))
	defer s.Close()
	d.run(exitOK, "webhook", "set", "example", s.URL+"/hook")
	_, said := d.run(exitUsage, "webhook", "test", "example")
	contains(t, said, "may not be reached", "webhooks.allow_networks")
	d.allow("127.0.0.0/8")
	_, said = d.run(exitOK, "webhook", "test", "example")
	contains(t, said, "took the call")
	if got.Type != "ping" {
		t.Errorf("the call has type %q", got.Type)
	}
	status = http.StatusFound
	_, said = d.run(exitUsage, "webhook", "test", "example")
	contains(t, said, "302", "Redirects are not followed")
	status = http.StatusInternalServerError
	_, said = d.run(exitUsage, "webhook", "test", "example")
	contains(t, said, "answered with 500")
}

// TestDeadEventsAreListedAndReplayed has an endpoint that is away for four days.
func TestDeadEventsAreListedAndReplayed(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	d.run(exitOK, "webhook", "set", "example", "http://127.0.0.1:9/hook")
	opened := d.open("example", "client", proofing.Identifier{Type: "email", Value: "me@example.org"})
	round := func() {
		d.service(func(s *proofing.Service) {
			s.Caller = measuredCaller{(&Config{}).caller(), newMeters()} // nothing of this machine may be called
			if err := s.SequenceOnce(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := s.DeliverOnce(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
	round()
	out, _ := d.run(exitOK, "webhook", "list")
	contains(t, out, "failing since 2026-11-23T10:00:00Z", "address_forbidden")
	for range 4 {
		d.at = d.at.Add(24 * time.Hour)
		round()
	}
	out, _ = d.run(exitOK, "webhook", "dead", "example")
	contains(t, out, "evt_"+opened.ID+"_1", "address_forbidden")
	_, said := d.run(exitOK, "webhook", "replay", "example")
	contains(t, said, "1 dead events are tried again; 0 stay dead")
	if out, _ := d.run(exitOK, "webhook", "dead", "example"); strings.Contains(out, "evt_") {
		t.Errorf("after the replay still dead:\n%s", out)
	}
	_, said = d.run(exitOK, "webhook", "replay", "example", "--since", "200h")
	contains(t, said, "told again what happened since")
}
