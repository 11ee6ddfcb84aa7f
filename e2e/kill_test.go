package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// acknowledged is what the program has said yes to.
type acknowledged struct {
	sync.Mutex
	opened  map[string]string // id of an authorization, and its address
	granted map[string]bool   // those that the person's page showed as done
}

// kills is how often a test kills.
func kills(few, many int) int {
	if os.Getenv("SOAK") != "" {
		return many
	}
	return few
}

// TestKillLosesNothing kills the real process again and again while CAs and people are
// at work.
func TestKillLosesNothing(t *testing.T) {
	// By itself: what it kills has a fraction of a second to get something done.
	p := newProgram(t)
	n := kills(25, 400)
	p.hold(n/2, func(func()) {
		for range n {
			time.Sleep(time.Duration(20+rand.IntN(400)) * time.Millisecond)
			end(p.cmd, syscall.SIGKILL)
			p.run()
		}
	})
}

// hold lets CAs and people work while something is done to the service, and then looks
// whether everything that was acknowledged is there. No code works twice, a code
// goes out at most once under one Message-ID, and every notice at least once under one.
//
// The disturbance is given a function that waits until one more was granted, so that
// what it disturbs has begun, however slow the machine.
func (p *program) hold(least int, disturb func(progress func())) {
	t := p.t
	t.Helper()
	acks := &acknowledged{opened: map[string]string{}, granted: map[string]bool{}}
	stop := make(chan struct{})
	var people sync.WaitGroup
	for n := range 4 {
		people.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					p.live(acks, fmt.Sprintf("k%d-%d", n, i), stop)
				}
			}
		})
	}
	halt := sync.OnceFunc(func() {
		close(stop)
		people.Wait()
	})
	defer halt()
	granted := func() int {
		acks.Lock()
		defer acks.Unlock()
		return len(acks.granted)
	}
	progress := func() {
		t.Helper()
		before := granted()
		await(t, "one more to be granted", 5*time.Minute, func() bool { return granted() > before })
	}
	disturb(progress)
	progress() // it has recovered
	await(t, fmt.Sprintf("%d to be granted: fewer are too little to have looked", least), 5*time.Minute, func() bool { return granted() >= least })
	halt()
	t.Logf("%d opened, %d granted", len(acks.opened), len(acks.granted))
	for id, email := range acks.opened {
		status, answer := p.call("GET", "/v1/preauthorizations/"+id, nil)
		if status != http.StatusOK {
			t.Errorf("an acknowledged authorization is gone: %s (%s): %d", id, email, status)
		}
		if acks.granted[id] && answer["status"] != "valid" {
			t.Errorf("an acknowledged grant is %v", answer["status"])
		}
		if assessment, granted := answer["assessment"].(map[string]any); granted {
			if events := assessment["events"].([]any); len(events) != 1 {
				t.Errorf("%s was proved by %d events: a code worked twice", id, len(events))
			}
		}
	}
	// A notice whose sender was killed is taken up when its claim runs out.
	for id := range acks.granted {
		await(t, "the notice of a grant", 4*time.Minute, func() bool {
			_, notices := p.mailsOf(acks.opened[id])
			return len(notices) > 0
		})
	}
	for id, email := range acks.opened {
		codes, notices := p.mailsOf(email)
		for message, times := range codes {
			if times > 1 {
				t.Errorf("a code went out %d times under one Message-ID %s", times, message)
			}
		}
		if len(notices) > 1 {
			t.Errorf("the notice of %s went out under %d Message-IDs", id, len(notices))
		}
	}
}

// mailsOf counts the mails to an address by Message-ID: those with codes and the others.
func (p *program) mailsOf(email string) (codes, notices map[string]int) {
	codes, notices = map[string]int{}, map[string]int{}
	for _, m := range p.mails(email) {
		if emailCode.MatchString(m.body) {
			codes[m.id]++
		} else {
			notices[m.id]++
		}
	}
	return codes, notices
}

// live is one case from the CA's call to the grant. Everybody tries again, since the
// program dies under them, and gives up after a while.
func (p *program) live(acks *acknowledged, name string, stop chan struct{}) {
	email := name + "@example.org"
	patience := time.Now().Add(90 * time.Second)
	again := func() bool {
		select {
		case <-stop:
			return false
		case <-time.After(30 * time.Millisecond):
			return time.Now().Before(patience)
		}
	}
	var answer map[string]any
	for {
		status, a, err := p.try("POST", "/v1/preauthorizations", request("address", name, email))
		if err == nil && status == http.StatusCreated {
			answer = a
			break
		}
		if !again() {
			return
		}
	}
	id := answer["id"].(string)
	acks.Lock()
	acks.opened[id] = email
	acks.Unlock()
	h := p.person(answer["case_url"].(string))
	attempt, code := "", ""
	for again() {
		status, page, err := h.get(h.page)
		switch {
		case err != nil || status != http.StatusOK:
			continue
		case strings.Contains(page, `data-page="granted"`):
			acks.Lock()
			acks.granted[id] = true
			acks.Unlock()
			if status, page, err := h.submit(h.page+"/answer", url.Values{"attempt": {attempt}, "code": {code}}); err == nil && status == http.StatusOK {
				p.t.Errorf("a code was taken a second time: %s", visible(page))
			}
			return
		}
		if found := attemptField.FindStringSubmatch(page); found != nil {
			if mails := codeMails(p.mails(email)); len(mails) > 0 {
				attempt, code = found[1], emailCode.FindString(mails[len(mails)-1].body)
				_, _, _ = h.submit(h.page+"/answer", url.Values{"attempt": {attempt}, "code": {code}})
				continue
			}
			_, _, _ = h.submit(h.page+"/resend", url.Values{"attempt": {found[1]}})
			continue
		}
		_, _, _ = h.submit(h.page+"/begin", url.Values{"method": {"email"}, "address": {email}})
	}
}
