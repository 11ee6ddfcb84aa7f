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
	cut  []time.Duration // how long those calls were held that the caller ended
	of   map[string]int  // calls that were taken, by pre-authorization
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
	began := time.Now()
	h.mu.Lock()
	let := h.let
	h.held++
	h.mu.Unlock()
	select {
	case <-let:
	case <-r.Context().Done():
		h.mu.Lock()
		defer h.mu.Unlock()
		h.held--
		h.cut = append(h.cut, time.Since(began))
		return
	}
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

// gaveUp says whether a call was given up after the fifteen seconds that the program gives one, while it was held. Then the machine is too slow for what
// a test wants to see of it. A call that was ended sooner was broken off, which fails the test.
func (h *slowHook) gaveUp(t testing.TB) bool {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, held := range h.cut {
		if held < 14*time.Second {
			t.Errorf("the call in hand was broken off after %v", held)
			continue
		}
		t.Logf("a call was given up after %v: this machine is too slow to see what becomes of one that is in hand", held)
	}
	return len(h.cut) > 0
}

// usual is how long it takes this machine to tell of something while nothing is in the way.
func (h *slowHook) usual(p *program, account string) time.Duration {
	p.t.Helper()
	began := time.Now()
	a := p.preauthorize("address", account, account+"@example.org")
	await(p.t, "an event to be told", slowest, func() bool { return h.told(a["id"]) > 0 })
	return time.Since(began)
}

// wantNoLease wants something told before a lease can have run out, which takes six seconds; where everything takes long, time does not tell.
func wantNoLease(t testing.TB, took, usual time.Duration) {
	t.Helper()
	switch {
	case took < 5*time.Second:
	case usual > 300*time.Millisecond:
		t.Logf("told after %v, and usually after %v: this machine is too slow to see whether a lease was waited for", took, usual)
	default:
		t.Errorf("told after %v, and usually after %v", took, usual)
	}
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
	_ = conn.SetDeadline(time.Now().Add(slowest))
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
	const drain = 6 * time.Second
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

	usual := hook.usual(each[0], "usual")
	let := hook.hold()
	held := each[0].preauthorize("address", "held", "held@example.org")
	await(t, "a call of the webhook", 10*time.Second, func() bool { return hook.inHand() > 0 })
	p.twilio.Fail(twiliotest.Failure{Delay: 9 * time.Second})
	attempt, err := h.begin("sms", phone)
	if err != nil {
		t.Fatal(err)
	}
	finish := each[0].openSlowly("slow", "slow@example.org")

	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	promptly(t, "not ready", drain, func() bool { status, word := p.readiness(0); return status == 503 && word == "stopping" })
	first := strings.TrimPrefix(each[0].api, "http://")
	still := listens(first)
	status, _, err := each[0].try("GET", "/v1/preauthorizations/"+held["id"].(string), nil)
	if soon := time.Since(began); soon >= drain {
		t.Logf("this machine is too slow to look into the drain: it took %v", soon)
	} else if !still || status != http.StatusOK {
		t.Errorf("%v after the signal somebody listens: %v; and a request: %d, %v", soon, still, status, err)
	}
	second := p.process(1) // meanwhile
	await(t, "the listeners close", drain+10*time.Second, func() bool { return !listens(first) })
	if waited := time.Since(began); waited < drain {
		t.Errorf("the listeners closed after %v, want %v", waited, drain)
	}
	if status, word := p.readiness(0); status != 503 || word != "stopping" {
		t.Errorf("while it stops it says %d %q", status, word)
	}
	var slow map[string]any
	status, slow, err = finish()
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
	case <-time.After(time.Minute):
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
	await(t, "what happened before and after the stop is told", slowest, func() bool {
		return hook.told(held["id"]) > 0 && hook.told(slow["id"]) > 0 && hook.told(next["id"]) > 0
	})
	took := time.Since(over)
	t.Logf("the other process went on %v after the end of the first", took)
	if !hook.gaveUp(t) {
		wantNoLease(t, took, max(usual, hook.usual(each[1], "again")))
	}
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
	took := hook.usual(p, "after")
	if hook.gaveUp(t) {
		return
	}
	wantNoLease(t, took, hook.usual(p, "usual"))
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
	if late := time.Since(began); late > 10*time.Second { // what is in hand would have twenty
		t.Errorf("it ended %v after the second signal", late)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 128+int(syscall.SIGTERM) {
		t.Errorf("exit %d", code)
	}
	p.run() // what was cut off is in nobody's way
}
