package e2e

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/countersign-id/countersign/store/redistest"
)

// signed is a decision that somebody has signed in their browser, and that the browser has not sent: a test sends it, where and when it likes.
type signed struct {
	form    string
	cookies []*http.Cookie
}

// signsUnsent has somebody sign what waits for them, and keeps what their browser would send. With a reason they refuse it.
func (c *chain) signsUnsent(n *newcomer, reason string) (s signed) {
	c.t.Helper()
	run(c.t, n, chromedp.Navigate(c.people+"/admin"))
	n.readsWhatWaits(c.t, c.pictures)
	if reason != "" { // they think again, and ask for the other
		run(c.t, n, chromedp.Navigate(c.people+"/admin"), chromedp.WaitVisible(`[data-page="adminqueue"]`, chromedp.ByQuery))
		submits(c.t, n, `tr.mine a`, `[data-page="admincase"]`)
		n.keepsFresh(c.t, `[data-page="admincase"]`)
		fills(c.t, n, `form[aria-labelledby="refuse-title"]`, map[string]string{"reason": reason})
		submits(c.t, n, `form[aria-labelledby="refuse-title"] button`, `form[data-sign] button`)
	}
	run(c.t, n, chromedp.Evaluate(`HTMLFormElement.prototype.submit = function () { document.body.dataset.held = new URLSearchParams(new FormData(this)) }`, nil),
		chromedp.Click(`form[data-sign] button`, chromedp.ByQuery), chromedp.WaitVisible(`body[data-held]`, chromedp.ByQuery), chromedp.Evaluate(`document.body.dataset.held`, &s.form),
		chromedp.ActionFunc(func(ctx context.Context) error {
			all, err := network.GetCookies().WithURLs([]string{c.people}).Do(ctx)
			for _, k := range all {
				s.cookies = append(s.cookies, &http.Cookie{Name: k.Name, Value: secret("a cookie", k.Value)})
			}
			return err
		}))
	return s
}

// sent is what a process answers to a decision.
func (s signed) sent(people string) (status int, said string, err error) {
	r, err := http.NewRequest("POST", people+"/admin/sign", strings.NewReader(s.form))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, k := range s.cookies {
		r.AddCookie(k)
	}
	client := http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header.Get("Location") + string(page), err
}

// TestDecisionsOfTwoProcessesAndOfOneThatDies has people decide about an EV request at two processes on one Redis. One process is killed with a decision in
// hand, sooner or later: what was signed counts once, whether it was stored before or is sent again. Then of two reviewers one grants and the other refuses at the same
// instant, each at a process of their own: one of them has decided, and the other is told so.
func TestDecisionsOfTwoProcessesAndOfOneThatDies(t *testing.T) {
	// By itself: five browsers beside those of the other chains keep everybody waiting.
	p := newService(t, layout{processes: 2, store: onRedis([]*redistest.Server{redistest.Start(t, redistest.Durable()...)}, "")})
	each := both(p)
	c := newChain(t, p, screen{name: "desktop", width: 1280, height: 900, lang: "en"}, p.ca("twice", "https://twice.example/directory", "https://twice.example/new-account", "ev"), "twice",
		x509.CertificateRequest{Subject: pkix.Name{Organization: []string{chainName}, CommonName: chainName}})
	c.pictures = "twice"
	c.staff()
	other := c.appoints("reviewer", "ca="+c.ca, "Reviewer Two", map[string]string{"source_reference": "training 2026-8"})
	c.collect()
	opened := c.opens(map[string]any{"account": map[string]any{"url": "https://twice.example/acct/1", "thumbprint": thumbprint("twice")}, "identifier": map[string]any{"type": "organization", "value": chainName}, "profile": "ev"})
	id := opened["id"].(string)
	c.asks(opened["case_url"].(string))

	for n, by := range []*newcomer{c.approvers[0], c.approvers[1], c.specialist} {
		s := c.signsUnsent(by, "")
		answered := make(chan error, 1)
		go func() {
			_, _, err := s.sent(each[0].people)
			answered <- err
		}()
		time.Sleep([]time.Duration{3 * time.Millisecond, 12 * time.Millisecond, 40 * time.Millisecond}[n])
		end(p.cmd, syscall.SIGKILL)
		t.Logf("decision %d was in hand when the process died: %v", n+1, <-answered)
		p.run()
		if status, said, err := s.sent(each[0].people); err != nil || status != http.StatusSeeOther || !strings.HasPrefix(said, "/admin/cases/"+id) {
			t.Fatalf("decision %d, sent again: %d %s %v", n+1, status, said, err)
		}
	}

	// What was signed first must be sent within five minutes, and the second person takes a while.
	var decisions []signed
	for range 3 {
		began := time.Now()
		if decisions = []signed{c.signsUnsent(c.reviewer, ""), c.signsUnsent(other, "not as the register has it")}; time.Since(began) < 4*time.Minute {
			break
		}
	}
	var statuses [2]int
	var answers [2]string
	var at sync.WaitGroup
	start := make(chan struct{})
	for n, s := range decisions {
		at.Go(func() {
			<-start
			var err error
			if statuses[n], answers[n], err = s.sent(each[n].people); err != nil {
				t.Error(err)
			}
		})
	}
	close(start)
	at.Wait()
	won := 0
	if statuses[1] == http.StatusSeeOther {
		won = 1
	}
	if statuses[won] != http.StatusSeeOther || statuses[1-won] != http.StatusUnprocessableEntity {
		t.Fatalf("of two who decide at once the one hears %d, and the other %d", statuses[0], statuses[1])
	}
	if said := answers[1-won]; !strings.Contains(said, "The request does not wait for this decision now.") && !strings.Contains(said, "The request has changed since this page was made.") {
		t.Errorf("who came second is told\n%s", said)
	}
	_, now := c.call("GET", "/v1/preauthorizations/"+id+"?wait=60", nil)
	wantStatus(t, now, []string{"valid", "invalid"}[won])
	if status, said, err := decisions[1-won].sent(each[won].people); err != nil || status != http.StatusUnprocessableEntity {
		t.Errorf("sent again to the other process: %d %s %v", status, said, err)
	}

	// What is proved of it: four decisions, one of them a reviewer's.
	await(t, "all of it to be in the log", 20*time.Second, func() bool {
		out, err := c.attempt("evidence", "approvals", id, "--out", t.TempDir())
		return err == nil && strings.Count(out, "wrote ") == 4
	})
	p.command("audit", "verify")
}
