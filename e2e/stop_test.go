package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-id/countersign/notify/twiliotest"
	"github.com/countersign-id/countersign/store/redistest"
)

// slowHook is a CA's webhook that holds its calls until they are let go, and knows whom it was told of.
type slowHook struct {
	mu   sync.Mutex
	let  chan struct{}
	held int
	of   map[string]int // calls that were taken, by pre-authorization
}

func newSlowHook() *slowHook {
	h := &slowHook{let: make(chan struct{}), of: map[string]int{}}
	close(h.let)
	return h
}

// hold has calls wait until let is closed.
func (h *slowHook) hold() (let chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.let = make(chan struct{})
	return h.let
}

func (h *slowHook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	let := h.let
	h.held++
	h.mu.Unlock()
	<-let
	var e struct {
		Data struct{ Preauthorization string }
	}
	_ = json.Unmarshal(body, &e)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held--
	h.of[e.Data.Preauthorization]++
	w.WriteHeader(http.StatusNoContent)
}

func (h *slowHook) inHand() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held
}

func (h *slowHook) told(id any) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.of[id.(string)]
}

// openSlowly has a request in hand whose body comes when finish is called, which returns the answer.
func (p *program) openSlowly(account, email string) (finish func() (int, map[string]any, error)) {
	p.t.Helper()
	text, err := json.Marshal(request("address", account, email))
	if err != nil {
		p.t.Fatal(err)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.api, "http://"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprintf(conn, "POST /v1/preauthorizations HTTP/1.1\r\nHost: ca\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", p.token, len(text))
	answers := bufio.NewReader(conn)
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		p.t.Fatalf("the request is not in hand: %q, %v", line, err)
	}
	if _, err := answers.ReadString('\n'); err != nil { // the line that ends it
		p.t.Fatal(err)
	}
	return func() (int, map[string]any, error) {
		if _, err := conn.Write(text); err != nil {
			return 0, nil, err
		}
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			return 0, nil, err
		}
		defer resp.Body.Close()
		var answer map[string]any
		err = json.NewDecoder(resp.Body).Decode(&answer)
		return resp.StatusCode, answer, err
	}
}

// readiness is what the n-th process says of itself.
func (p *program) readiness(n int) (status int, word string) {
	resp, err := http.Get(p.operators[n] + "/readyz")
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	var said struct{ Status string }
	_ = json.NewDecoder(resp.Body).Decode(&said)
	return resp.StatusCode, said.Status
}

func listens(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// TestAStopFinishesWhatIsInHandAndLeavesNothingHeld tells one of two processes to stop while it has a request, a text
// message and a call of a webhook in hand, and looks how the other goes on.
func TestAStopFinishesWhatIsInHandAndLeavesNothingHeld(t *testing.T) {
	t.Parallel()
	const drain = 4 * time.Second
	p := newService(t, layout{processes: 2, drain: drain, store: onRedis([]*redistest.Server{redistest.Start(t, redistest.Durable()...)}, "")})
	each := both(p)
	hook := newSlowHook()
	s := httptest.NewServer(hook)
	defer s.Close()
	for _, field := range strings.Fields(p.command("webhook", "set", "example", s.URL)) {
		if strings.HasPrefix(field, "whsec_") {
			secret("the secret of a webhook", field)
		}
	}
	// The first does everything until the second is there again.
	end(p.others[0], syscall.SIGTERM)
	if code := p.others[0].ProcessState.ExitCode(); code != 0 {
		t.Errorf("who had nothing in hand ended with %d", code)
	}
	const email, phone = "stopped@example.org", "+447400123456"
	secret("a number", phone)
	opened := each[0].preauthorize("client", "stopped", email)
	h := each[0].person(opened["case_url"].(string))
	h.prove("email", email)
	await(t, "the first events", 10*time.Second, func() bool { return hook.told(opened["id"]) >= 2 })

	let := hook.hold()
	held := each[0].preauthorize("address", "held", "held@example.org")
	await(t, "a call of the webhook", 10*time.Second, func() bool { return hook.inHand() > 0 })
	p.twilio.Fail(twiliotest.Failure{Delay: 7 * time.Second})
	attempt, err := h.begin("sms", phone)
	if err != nil {
		t.Fatal(err)
	}
	finish := each[0].openSlowly("slow", "slow@example.org")
	second := p.process(1)

	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await(t, "not ready", drain/2, func() bool { status, word := p.readiness(0); return status == 503 && word == "stopping" })
	first := strings.TrimPrefix(each[0].api, "http://")
	if !listens(first) {
		t.Errorf("%v after the signal nobody listens: no load balancer has noticed by then", time.Since(began))
	}
	if status, _, err := each[0].try("GET", "/v1/preauthorizations/"+held["id"].(string), nil); status != http.StatusOK {
		t.Errorf("a request in the drain: %d, %v", status, err)
	}
	await(t, "the listeners close", drain+10*time.Second, func() bool { return !listens(first) })
	if waited := time.Since(began); waited < drain {
		t.Errorf("the listeners closed after %v, want %v", waited, drain)
	}
	if status, word := p.readiness(0); status != 503 || word != "stopping" {
		t.Errorf("while it stops it says %d %q", status, word)
	}
	status, slow, err := finish()
	if err != nil || status != http.StatusCreated {
		t.Fatalf("the request that was in hand: %d, %v", status, err)
	}
	secret("the link of a case", strings.TrimPrefix(slow["case_url"].(string), p.people))
	close(let)
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("a stop that finished everything ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
	}
	t.Logf("stopped %v after the signal", time.Since(began))
	over := time.Now()

	// The message that was in hand has arrived, once, and the other process takes its code.
	if n := len(p.texts(phone)); n != 1 {
		t.Errorf("%d text messages", n)
	}
	if status, _, err := h.at(each[1]).answer(attempt, each[1].codeAfter("sms", phone, 0)); err != nil || status != http.StatusOK {
		t.Errorf("its code: %d, %v", status, err)
	}
	// Neither the lease of who lists events nor the claim of the webhook has to run out: it would take six seconds, or minutes.
	next := each[1].preauthorize("address", "next", "next@example.org")
	await(t, "what happened before and after the stop is told", 5*time.Second, func() bool {
		return hook.told(held["id"]) > 0 && hook.told(slow["id"]) > 0 && hook.told(next["id"]) > 0
	})
	t.Logf("the other process went on %v after the end of the first", time.Since(over))
	if n := hook.told(held["id"]); n != 1 {
		t.Errorf("the call that was in hand was made %d times", n)
	}
	end(second, syscall.SIGTERM)
}

// TestWhoStartsAgainWaitsForNothing stops the only process with a call in hand and starts it again.
func TestWhoStartsAgainWaitsForNothing(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	hook := newSlowHook()
	s := httptest.NewServer(hook)
	defer s.Close()
	for _, field := range strings.Fields(p.command("webhook", "set", "example", s.URL)) {
		if strings.HasPrefix(field, "whsec_") {
			secret("the secret of a webhook", field)
		}
	}
	let := hook.hold()
	before := p.preauthorize("address", "before", "before@example.org")
	await(t, "a call of the webhook", 10*time.Second, func() bool { return hook.inHand() > 0 })
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await(t, "it does not listen", 10*time.Second, func() bool { return !listens(strings.TrimPrefix(p.api, "http://")) })
	close(let)
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	p.run()
	after := p.preauthorize("address", "after", "after@example.org")
	await(t, "events are told at once", 5*time.Second, func() bool { return hook.told(after["id"]) > 0 })
	if n := hook.told(before["id"]); n != 1 {
		t.Errorf("the call that was in hand was made %d times", n)
	}
}

// TestASecondSignalEndsAtOnce says it twice to a process that has a request in hand.
func TestASecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.openSlowly("never", "never@example.org")
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await(t, "not ready", 5*time.Second, func() bool { status, _ := p.readiness(0); return status == 503 })
	began := time.Now()
	end(p.cmd, syscall.SIGTERM)
	if late := time.Since(began); late > 3*time.Second {
		t.Errorf("it ended %v after the second signal", late)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 128+int(syscall.SIGTERM) {
		t.Errorf("exit %d", code)
	}
	p.run() // what was cut off is in nobody's way
}
