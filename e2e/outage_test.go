package e2e

import (
	"context"
	"database/sql"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/countersign-id/countersign/notify/twiliotest"
)

// TestTheMailServerIsAwayAndComesBack sends a code while nobody takes mail.
func TestTheMailServerIsAwayAndComesBack(t *testing.T) {
	p := newProgram(t)
	const email = "away@example.org"
	a := p.preauthorize("address", "away", email)
	end(p.hog, syscall.SIGKILL)
	h := p.person(a["case_url"].(string))
	attempt, err := h.begin("email", email)
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the page to say so", 10*time.Second, func() bool {
		_, page, _ := h.get(h.page)
		return strings.Contains(page, `class="delivery waiting"`)
	})
	_, between := p.call("GET", "/v1/preauthorizations/"+a["id"].(string), nil)
	wantStatus(t, between, "pending")
	p.startMailHog()
	code := p.codeAfter("email", email, 0)
	if status, page, err := h.answer(attempt, code); err != nil || status != http.StatusOK {
		t.Fatalf("answer: %d %v %s", status, err, visible(page))
	}
	_, done := p.call("GET", "/v1/preauthorizations/"+a["id"].(string)+"?wait=60", nil)
	wantStatus(t, done, "valid")
}

// TestTwilioIsSlowOrGone lets Twilio hang, break off and refuse for a while.
func TestTwilioIsSlowOrGone(t *testing.T) {
	for what, c := range map[string]struct {
		failure twiliotest.Failure
		shown   string
	}{
		"busy at first": {twiliotest.Failure{Status: 429, Code: 20429}, "accepted"},
		"breaks off":    {twiliotest.Failure{Drop: true}, "unknown"},
	} {
		t.Run(what, func(t *testing.T) {
			p := newProgram(t)
			a := p.preauthorize("client", what, "slow@example.org")
			h := p.person(a["case_url"].(string))
			p.twilio.Fail(c.failure)
			if _, err := h.begin("sms", "+447400123456"); err != nil {
				t.Fatal(err)
			}
			await(t, "the page to show "+c.shown, 15*time.Second, func() bool {
				_, page, _ := h.get(h.page + "?method=sms")
				return strings.Contains(page, `class="delivery `+c.shown+`"`)
			})
			if c.shown == "unknown" {
				time.Sleep(3 * time.Second)
				if n := len(p.texts("+447400123456")); n > 1 {
					t.Errorf("a code of unknown fate was sent again: %d", n)
				}
			}
		})
	}
}

// TestTheStoreIsAwayAndComesBack locks the store's file from another process.
func TestTheStoreIsAwayAndComesBack(t *testing.T) {
	p := newProgram(t)
	a := p.preauthorize("address", "before", "before@example.org")
	h := p.person(a["case_url"].(string))
	if _, _, err := h.get(h.page); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(p.dir, "c.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	lock, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the lock", 10*time.Second, func() bool {
		_, err := lock.ExecContext(context.Background(), "BEGIN IMMEDIATE")
		return err == nil
	})
	resp := p.raw("POST", "/v1/preauthorizations", request("address", "during", "during@example.org"))
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("a CA gets %d, Retry-After %q; want 503 and a time", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	status, page, err := h.submit(h.page+"/begin", url.Values{"method": {"email"}, "address": {"before@example.org"}})
	if err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("a person gets %d %v: %s", status, err, visible(page))
	}
	if _, err := lock.ExecContext(context.Background(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	during := p.preauthorize("address", "during", "during@example.org")
	wantStatus(t, during, "pending")
	if _, err := h.begin("email", "before@example.org"); err != nil {
		t.Errorf("after it came back: %v", err)
	}
}

// TestDoctorTellsWhatIsWrong runs the checks with everything up, and with parts away.
func TestDoctorTellsWhatIsWrong(t *testing.T) {
	p := newProgram(t)
	if out := p.command("doctor"); strings.Contains(out, "FAIL") || !strings.Contains(out, "smtp answers") {
		t.Errorf("with everything up:\n%s", out)
	}
	end(p.hog, syscall.SIGKILL)
	out, err := p.attempt("doctor")
	if err == nil || !strings.Contains(out, "FAIL  email") {
		t.Errorf("without a mail server: %v\n%s", err, out)
	}
}

func port(t testing.TB, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}
