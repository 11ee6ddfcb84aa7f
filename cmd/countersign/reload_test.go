package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// rewrite changes the desk's configuration.
func (d *desk) rewrite(pairs ...string) {
	d.t.Helper()
	text, err := os.ReadFile(d.config)
	if err != nil {
		d.t.Fatal(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(string(text), pairs[i]) {
			d.t.Fatalf("no %q in the configuration", pairs[i])
		}
	}
	if err := os.WriteFile(d.config, []byte(strings.NewReplacer(pairs...).Replace(string(text))), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return string(text)
}

// TestAHangupReadsTheConfigurationAgain cannot run beside others: the signal is for the whole process.
func TestAHangupReadsTheConfigurationAgain(t *testing.T) {
	d := newDesk(t)
	people, operators := unused(t), unused(t)
	log, stop, code := d.serveCommand("COUNTERSIGN_LISTENERS_PEOPLE="+people, "COUNTERSIGN_LISTENERS_CAS="+unused(t), "COUNTERSIGN_LISTENERS_OPERATORS="+operators)
	eventually(t, "it does not serve", func() bool { status, _ := ready(operators); return status == http.StatusOK })
	hangup := func(said string) {
		t.Helper()
		before := strings.Count(log.String(), said)
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the log does not say "+said, func() bool { return strings.Count(log.String(), said) > before })
	}
	const page = "/.well-known/jwks.json"
	if get(t, "http://"+people+page) == "" {
		t.Error("nothing is served")
	}

	d.rewrite("max_connections: 4096", "max_connections: 2048", "level: info", "level: debug", "address_hour: 6", "address_hour: 7",
		"title: EV code signing certificate", "title: Another title")
	hangup("configuration read again")
	contains(t, log.String(), `"in_force":["limits.address_hour","log.level","profiles.code-signing-ev.title"]`, `"wait_for_restart":["listeners.max_connections"]`)
	get(t, "http://"+people+page)

	// One that has mistakes changes nothing, and the log names each with its line.
	d.rewrite("address_hour: 7", "address_hour: none", "level: debug", "level: loud")
	hangup("configuration not read again")
	contains(t, log.String(), "limits.address_hour: must be a whole number", "log.level: must be one of", "c.yaml:")
	figures := get(t, "http://"+operators+"/metrics")
	contains(t, figures, `countersign_config_reloads_total{result="taken"} 2`, `countersign_config_reloads_total{result="refused"} 1`)

	// What was refused is no step: the next one is compared with what is in force.
	d.rewrite("address_hour: none", "address_hour: 8", "level: loud", "level: info")
	hangup("configuration read again")
	contains(t, log.String(), `"in_force":["limits.address_hour","log.level"]`)
	if err := os.Remove(d.config); err != nil {
		t.Fatal(err)
	}
	hangup("configuration not read again")
	get(t, "http://"+people+page)
	stop()
	if got := <-code; got != exitOK {
		t.Errorf("exit %d\n%s", got, log)
	}
}

// reloading is an app whose next configuration the test decides.
func (d *desk) reloading(log io.Writer, change func(*Config)) (*app, *reloads) {
	a := d.appWith(log, func(*Config) {})
	r := &reloads{level: new(slog.LevelVar), read: func() (*Config, *report, error) {
		c, found, err := loadConfig(d.config, nil, readSecrets)
		if err == nil {
			change(c)
		}
		return c, found, err
	}}
	return a, r
}

func TestRequestsAreAnsweredByTheConfigurationOfNow(t *testing.T) {
	d := newDesk(t)
	a, r := d.reloading(io.Discard, func(c *Config) {
		c.Operator.Contact = "https://help.example/after"
		c.Listeners.TrustedProxies = []string{"192.0.2.0/24"}
	})
	r.show(a)
	if _, page := probe(t, &r.people, "/"); strings.Contains(page, "help.example/after") {
		t.Fatal("it is there before")
	}
	next := a.reload(t.Context(), r)
	if next == nil {
		t.Fatal("refused")
	}
	if _, page := probe(t, &r.people, "/"); !strings.Contains(page, "help.example/after") {
		t.Errorf("people read %s", page)
	}
	if r.operatorsPages(a) != next.pages {
		t.Error("operators look at the configuration before")
	}
	if next.service == a.service || a.service.Policy.Contact == next.service.Policy.Contact {
		t.Error("the service before was changed under its callers")
	}
}

// TestSettingsThatFitTogetherMayNotFitInPart moves the origin to this machine, where a mailbox may be shown:
// until the restart the origin is still everybody's.
func TestSettingsThatFitTogetherMayNotFitInPart(t *testing.T) {
	var log syncBuffer
	d := newDesk(t)
	a, r := d.reloading(&log, func(c *Config) {})
	public := *a.config
	public.Origin, public.Providers.Email, public.Providers.SMS = "https://proof.example.org", providerNone, providerNone
	a.config = &public
	if a.reload(t.Context(), r) != nil {
		t.Error("the mailbox is shown to everybody")
	}
	contains(t, log.String(), "cannot be taken into use in part", `"wait_for_restart":["origin"]`, "mailbox")
}

// TestAMessageInHandIsFinishedByTheProviderThatHasIt reloads while a message is being sent.
// TestTheManualNamesWhatWaitsForARestart holds docs/operating.md to keepWhatStays.
func TestTheManualNamesWhatWaitsForARestart(t *testing.T) {
	var set func(v reflect.Value)
	set = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for _, f := range settings(v.Type()) {
				set(v.Field(f.index))
			}
		case reflect.String:
			v.SetString("x")
		case reflect.Bool:
			v.SetBool(true)
		case reflect.Int, reflect.Int64:
			v.SetInt(1)
		}
	}
	var before, after Config
	set(reflect.ValueOf(&before).Elem())
	after.keepWhatStays(&before)
	kept := changedSettings(&Config{}, &after)
	if len(kept) < 20 {
		t.Fatalf("only %q are kept", kept)
	}
	_, section, _ := strings.Cut(readDoc(t, "operating.md"), "`wait_for_restart`")
	section, _, _ = strings.Cut(section, "Requests and messages")
	for _, path := range kept {
		part, _, _ := strings.Cut(path, ".")
		if !strings.Contains(section, "`"+part+"`") && !strings.Contains(section, "`"+path+"`") {
			t.Errorf("%s waits for a restart, and the manual does not say so", path)
		}
	}
}

func TestAMessageInHandIsFinishedByTheProviderThatHasIt(t *testing.T) {
	d := newDesk(t)
	d.at = time.Now()
	d.addCA("alpha")
	a, r := d.reloading(io.Discard, func(c *Config) { c.Operator.Name = "Another" })
	sending, let, sent := make(chan struct{}, 9), make(chan struct{}), make(chan string, 9)
	a.service.Sender = sendFunc(func(ctx context.Context, m proofing.Message) (proofing.Receipt, error) {
		sending <- struct{}{}
		select {
		case <-let:
		case <-ctx.Done():
			return proofing.Receipt{}, errors.New("cut off")
		}
		sent <- "before"
		return proofing.Receipt{}, nil
	})
	ctx, stop := context.WithCancel(t.Context())
	var background sync.WaitGroup
	first := a.newCrew(ctx)
	begin := func(s *proofing.Service, address string) {
		t.Helper()
		ca, err := s.Authority(ctx, "alpha")
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := s.Open(ctx, ca, proofing.OpenRequest{
			Applicant: proofing.Applicant{Kind: proofing.ByNobody}, Identifier: proofing.Identifier{Type: "email", Value: address}, Profile: "client",
		})
		if err == nil {
			v := proofing.Visit{Link: proofing.Secret(c.ID + "." + c.LinkSecret.Reveal()), Browser: "b", Client: "192.0.2.7", Lang: "en"}
			_, _, err = s.Begin(ctx, v, "email", "")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	begin(a.service, "one@example.org")
	<-sending
	next := a.reload(t.Context(), r)
	if next == nil {
		t.Fatal("refused")
	}
	next.service.Sender = sendFunc(func(context.Context, proofing.Message) (proofing.Receipt, error) {
		sent <- "after"
		return proofing.Receipt{}, nil
	})
	second := first.relieve(next, ctx, &background)
	begin(next.service, "two@example.org")
	if got := <-sent; got != "after" {
		t.Errorf("the first to be finished is %q", got)
	}
	close(let)
	if got := <-sent; got != "before" {
		t.Errorf("then %q", got)
	}
	background.Wait()
	stop()
	second.wait()
	a.router = next.router
}
