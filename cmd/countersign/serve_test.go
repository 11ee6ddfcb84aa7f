package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

// syncBuffer is a buffer that a test may read while the program writes.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// app is the program over the desk's configuration, with the real clock.
func (d *desk) app(log io.Writer) *app {
	d.t.Helper()
	return d.appWith(log, func(*Config) {})
}

// appWith is the same with a configuration that was changed.
func (d *desk) appWith(log io.Writer, change func(*Config)) *app {
	d.t.Helper()
	c, _, err := loadConfig(d.config, nil, readSecrets)
	if err != nil {
		d.t.Fatal(err)
	}
	change(c)
	a, err := newApp(d.t.Context(), c, newLog(log, c.Log), time.Now, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = a.close() })
	return a
}

func localListener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

type sendFunc func(context.Context, proofing.Message) (proofing.Receipt, error)

func (f sendFunc) Send(ctx context.Context, m proofing.Message) (proofing.Receipt, error) {
	return f(ctx, m)
}

func TestStoppingFinishesRequestsAndMessages(t *testing.T) {
	d := newDesk(t)
	d.addCA("alpha")
	a := d.app(io.Discard)
	ctx, stop := context.WithCancel(t.Context())
	sending := make(chan struct{})
	a.service.Sender = sendFunc(func(ctx context.Context, m proofing.Message) (proofing.Receipt, error) {
		close(sending)
		select {
		case <-time.After(100 * time.Millisecond):
			return proofing.Receipt{}, nil
		case <-ctx.Done():
			return proofing.Receipt{}, &proofing.SendError{Outcome: proofing.Unknown, Reason: "timeout", Err: ctx.Err()}
		}
	})
	accepted, open := make(chan struct{}), make(chan *proofing.Case, 1)
	l := localListener(t)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(accepted)
		<-ctx.Done() // the program has been told to stop, and somebody asks for a code
		authority, err := a.service.Authority(r.Context(), "alpha")
		if err != nil {
			t.Error(err)
			return
		}
		c, _, err := a.service.Open(r.Context(), authority, proofing.OpenRequest{Applicant: proofing.Applicant{Kind: proofing.ByNobody}, Identifier: address, Profile: "client"})
		if err != nil {
			t.Error(err)
			return
		}
		c, _, err = a.service.Begin(r.Context(), proofing.Visit{Link: proofing.Secret(c.ID + "." + c.LinkSecret.Reveal()), Browser: "b"}, "email", "")
		if err != nil {
			t.Error(err)
			return
		}
		open <- c
		<-sending
		_, _ = io.WriteString(w, "done")
	})
	ended := make(chan error, 1)
	go func() { ended <- a.serve(ctx, []endpoint{{name: "people", listener: l, handler: handler}}) }()
	answer := make(chan string, 1)
	go func() {
		resp, err := http.Get("http://" + l.Addr().String())
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		answer <- string(text)
	}()
	<-accepted
	stop()
	if got := <-answer; got != "done" {
		t.Errorf("the accepted request got %q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("it still listens")
	}
	c, err := a.service.Cases.Get(t.Context(), (<-open).ID)
	if err != nil || c.Attempts[0].Delivery.Status != "accepted" {
		t.Errorf("the code on its way: %+v, %v", c.Attempts, err)
	}
}

func TestNobodyIsServedByHalfOfTheProgram(t *testing.T) {
	a := newDesk(t).app(io.Discard)
	taken := localListener(t)
	defer taken.Close()
	first := localListener(t)
	asked := false
	err := a.serve(t.Context(), []endpoint{
		{name: "people", listener: first, handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true })},
		{name: "cas", address: taken.Addr().String()},
	})
	if err == nil || !strings.Contains(err.Error(), "listen for cas") {
		t.Errorf("got %v", err)
	}
	if _, err := net.Dial("tcp", first.Addr().String()); err == nil || asked {
		t.Error("the first endpoint still listens")
	}
}

func TestACAThatWaitsIsLetGo(t *testing.T) {
	d := newDesk(t)
	token := d.addCA("alpha")
	c := d.open("alpha", "client", address)
	a := d.app(io.Discard)
	ctx, stop := context.WithCancel(t.Context())
	l := localListener(t)
	ended := make(chan error, 1)
	handler := a.authorities()
	go func() {
		ended <- a.serve(ctx, []endpoint{{name: "cas", listener: l, handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.AfterFunc(200*time.Millisecond, stop) // it is here, and will wait by then
			handler.ServeHTTP(w, r)
		})}})
	}()
	began := time.Now()
	req, _ := http.NewRequest(http.MethodGet, "http://"+l.Addr().String()+"/v1/preauthorizations/"+c.ID+"?wait=30", nil)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if err := <-ended; err != nil || resp.StatusCode != http.StatusOK || time.Since(began) > 25*time.Second {
		t.Errorf("%s after %v, %v", resp.Status, time.Since(began), err)
	}
}

func TestTheKeyRingIsReadAgainAsSoonAsItCanBe(t *testing.T) {
	d := newDesk(t)
	d.addCA("alpha")
	log := &syncBuffer{}
	a := d.app(log)
	ctx, stop := context.WithCancel(t.Context())
	var watch sync.WaitGroup
	watch.Go(func() { a.watchRing(ctx) })
	defer watch.Wait()
	defer stop()
	file := a.config.Store.KeyRing
	other, err := store.LoadRing(file)
	if err != nil {
		t.Fatal(err)
	}
	before := a.keys().SigningKey()
	if err := other.Rotate(time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o644); err != nil { // as a careless copy would
		t.Fatal(err)
	}
	wait := func(what string, ok func() bool) {
		t.Helper()
		for began := time.Now(); !ok(); time.Sleep(20 * time.Millisecond) {
			if time.Since(began) > time.Minute {
				t.Fatal(what)
			}
		}
	}
	wait("a ring that all can read is not reported", func() bool { return strings.Contains(log.String(), "key ring cannot be read again") })
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	wait("the ring is not read once its mode is right", func() bool { return !a.keys().SigningKey().Equal(before) })
	if n := strings.Count(log.String(), "key ring cannot"); n != 1 {
		t.Errorf("reported %d times, want once", n)
	}
}

func TestARetiredKeyIsPublishedAsLongAsItsStatements(t *testing.T) {
	a := newDesk(t).app(io.Discard)
	retired := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := a.storage.ring.Rotate(retired); err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]int{0: 2, statementLife - time.Second: 2, statementLife: 1} {
		a.now = func() time.Time { return retired.Add(after) }
		if n := len(a.keys().PublicKeys()); n != want {
			t.Errorf("%v after its retirement: %d keys, want %d", after, n, want)
		}
	}
}

func TestServeSaysEverythingInItsLog(t *testing.T) {
	d := newDesk(t)
	var environ []string
	var held []net.Listener // until all are known, so that they differ
	for _, name := range []string{"PEOPLE", "CAS", "OPERATORS"} {
		held = append(held, localListener(t))
		environ = append(environ, "COUNTERSIGN_LISTENERS_"+name+"="+held[len(held)-1].Addr().String())
	}
	for _, l := range held {
		l.Close()
	}
	_, _, checked := call(t, environ, "", "--config", d.config, "config", "check")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	said, code := &syncBuffer{}, make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"--config", d.config, "serve"}, &globals{environ: environ, stdin: strings.NewReader(""), stdout: io.Discard, stderr: said, now: time.Now})
	}()
	for began := time.Now(); strings.Count(said.String(), `"msg":"listening"`) < len(held); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("it does not listen: %s", said)
		}
	}
	stop()
	if c := <-code; c != exitOK {
		t.Errorf("exit %d", c)
	}
	warnings := 0
	for line := range strings.Lines(said.String()) {
		var entry struct{ Level, Msg, Setting, Mailbox string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("%v: %s", err, line)
		}
		if entry.Level == "WARN" {
			warnings++
			contains(t, checked, entry.Setting+": "+entry.Msg)
		}
	}
	if want := strings.Count(checked, ": warning: "); warnings != want || want == 0 {
		t.Errorf("%d warnings, want %d:\n%s", warnings, want, said)
	}
	contains(t, said.String(), `"mailbox":"http://localhost:8080/mailbox"`)
}

func TestWhereCAsReachUs(t *testing.T) {
	for _, c := range []struct{ origin, listen, configured, want string }{
		{"https://proof.example.org", "127.0.0.1:8081", "", "https://proof.example.org"},
		{"https://proof.example.org", "127.0.0.1:8081", "https://ca-api.example.org", "https://ca-api.example.org"},
		{"http://localhost:8080", "127.0.0.1:8081", "", "http://127.0.0.1:8081"},
		{"http://localhost:8080", ":8081", "", "http://localhost:8081"},
		{"http://localhost:8080", "[::]:8081", "", "http://localhost:8081"},
		{"http://localhost:8080", "0.0.0.0:8081", "", "http://localhost:8081"},
		{"http://localhost:8080", "localhost:8081", "", "http://localhost:8081"},
		{"http://localhost:8080", "[::1]:8081", "", "http://[::1]:8081"},
		{"http://localhost:8080", ":8081", "http://localhost:9000", "http://localhost:9000"},
	} {
		config := &Config{Origin: c.origin, Listeners: ListenersConfig{CAs: c.listen, CAsOrigin: c.configured}}
		if got := config.apiOrigin(); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
