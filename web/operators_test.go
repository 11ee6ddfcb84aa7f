package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// operators are the pages for operators over the house's service.
func (h *house) operators() *Operators {
	return NewOperators(OperatorsOptions{
		Service: h.svc, Names: []string{"desk.example.org"}, Version: "v-test", Started: h.at, Log: slog.New(slog.NewTextHandler(h.logs, nil)),
		Outcomes: func() []Outcome { return []Outcome{{proofing.ChannelEmail, "refused", 3, h.at, "rejected_address"}} },
	})
}

func (p *Operators) ask(method, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, target, nil)
	r.Host = "127.0.0.1:8082"
	p.ServeHTTP(w, r)
	return w
}

// asks has a person ask for a code by mail, and lets nothing go out yet.
func (h *house) asks(c *proofing.Case, address string) {
	h.t.Helper()
	b := h.browser()
	b.get(path(c.CaseURL(origin)))
	b.want(b.post(path(c.CaseURL(origin))+"/begin", "method", "email", "address", address), http.StatusSeeOther)
}

// says fails unless the page has every word.
func says(t *testing.T, p *Operators, target string, want ...string) string {
	t.Helper()
	w := p.ask("GET", target)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d\n%s", target, w.Code, w.Body)
	}
	for _, s := range want {
		if !strings.Contains(w.Body.String(), s) {
			t.Errorf("%s does not say %q:\n%s", target, s, w.Body)
		}
	}
	return w.Body.String()
}

func TestOperatorsSeeWhatFailsAndNoAddress(t *testing.T) {
	h := newHouse(t)
	h.authority("hostile", `<script>alert(1)</script>"'`)
	p := h.operators()
	says(t, p, "/", "Nothing needs you", "v-test")
	c := h.open("server", "dns", "www.example.com")
	_, m := h.browser().begin(c, "email", "person.of.interest@example.org")
	says(t, p, "/case?id="+c.ID, c.ID, "p•", "www.example.com")

	h.sent.err = &proofing.SendError{Outcome: proofing.Refused, Reason: "rejected_address"}
	bad := h.open("server", "dns", "mail.example.com")
	h.asks(bad, "unlucky.person@example.net")
	h.work()
	says(t, p, "/", "What needs you", "Codes of the last hour that failed, or of which nobody knows: 1.")
	says(t, p, "/messages", bad.ID, "the receiving side refuses the address", "refused")
	says(t, p, "/case?id="+bad.ID, "the receiving side refuses the address", "Messages to this address in an hour")
	says(t, p, "/spend", "Example CA", "&lt;script&gt;", "2 of")
	before := h.stored(c)
	for _, target := range []string{"/", "/messages", "/spend", "/brakes", "/case?id=" + c.ID, "/case?id=" + bad.ID, "/?lang=de", "/messages?lang=fr"} {
		body := says(t, p, target, "<h1>")
		for _, secret := range []string{"person.of.interest", "unlucky.person", m.Code.Reveal(), m.Link.Reveal(), "<script", path(c.CaseURL(origin)), thumbprint} {
			if strings.Contains(body, secret) {
				t.Errorf("%s shows %q", target, secret)
			}
		}
	}
	if after := h.stored(c); after != before {
		t.Errorf("looking changed the case:\n%s\n%s", before, after)
	}
}

func TestOperatorsSeeWhatHasWaitedForLong(t *testing.T) {
	h := newHouse(t)
	p := h.operators()
	c := h.open("server", "dns", "www.example.com")
	h.asks(c, "a.person@example.org")
	says(t, p, "/", "Nothing needs you")
	h.wait(3 * time.Minute)
	says(t, p, "/", "Messages that have waited for more than two minutes: 1.")
	if body := says(t, p, "/messages", c.ID, "code by e-mail"); strings.Contains(body, "a.person") {
		t.Error("a whole address is shown")
	}
}

// deaf is a webhook that fails as it is told to.
type deaf struct{ err *proofing.SendError }

func (d deaf) Call(context.Context, proofing.Call) error { return d.err }

func TestOperatorsSeeWebhooksThatTakeNothing(t *testing.T) {
	h := newHouse(t)
	p := h.operators()
	says(t, p, "/webhooks", "No certificate authority has a webhook")
	ctx := t.Context()
	_, err := h.svc.Authorities.Update(ctx, h.svc.AuthorityID("example"), func(ca *proofing.Authority) error {
		ca.Webhook = &proofing.Webhook{URL: "https://ca.example/hook/of-a-secret-path?token=secret"}
		ca.Webhook.NewSecret(h.at, 0)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	says(t, p, "/webhooks", "never turned on", "countersign webhook set example")
	says(t, p, "/", "The webhook of Example CA is not turned on.")
	if err := h.svc.SetHook(ctx, "example", "", true); err != nil {
		t.Fatal(err)
	}
	says(t, p, "/webhooks", "It takes what it is told.", "https://ca.example")
	says(t, p, "/", "Nothing needs you")
	h.svc.Caller = deaf{&proofing.SendError{Outcome: proofing.NotSent, Reason: "unreachable", Err: errors.New("refused")}}
	h.open("server", "dns", "www.example.com")
	if err := h.svc.SequenceOnce(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := h.svc.DeliverOnce(ctx); err != nil {
		t.Fatal(err)
	}
	says(t, p, "/", "The webhook of Example CA takes nothing.")
	body := says(t, p, "/webhooks", "It takes nothing.", "It cannot be reached.", "countersign webhook test example")
	for _, secret := range []string{"of-a-secret-path", "token=secret", "whsec_"} {
		if strings.Contains(body, secret) {
			t.Errorf("the page shows %q", secret)
		}
	}
}

func TestPagesForOperatorsAreBounded(t *testing.T) {
	h := newHouse(t)
	for i := range viewRows + 5 {
		h.authority(fmt.Sprintf("ca%03d", i), fmt.Sprintf("CA number %d", i))
	}
	p := h.operators()
	body := says(t, p, "/spend", "after=")
	if n := strings.Count(body, `<th scope="row">`); n > viewRows {
		t.Errorf("%d rows on a page, at most %d", n, viewRows)
	}
	seen := map[string]bool{}
	for next, pages := "/spend", 0; next != ""; pages++ {
		if pages > 5 {
			t.Fatal("the pages do not end")
		}
		body := says(t, p, next)
		for _, row := range strings.Split(body, `<th scope="row">`)[1:] {
			name, _, _ := strings.Cut(row, "</th>")
			if seen[name] {
				t.Errorf("%s twice", name)
			}
			seen[name] = true
		}
		_, rest, more := strings.Cut(body, `<a class="quiet" href="`)
		if next = ""; more {
			next, _, _ = strings.Cut(rest, `"`)
		}
	}
	if len(seen) != viewRows+6 {
		t.Errorf("%d authorities on all pages, want %d", len(seen), viewRows+6)
	}
}

func TestPagesForOperatorsOpenUnderOurNamesAlone(t *testing.T) {
	p := newHouse(t).operators()
	hosts := []struct {
		host string
		code int
	}{
		{"127.0.0.1:8082", 200}, {"[::1]:8082", 200}, {"192.0.2.4", 200}, {"localhost:8082", 200}, {"Desk.example.org", 200},
		{"evil.example", 421}, {"desk.example.org.evil.example:8082", 421}, {"127.0.0.1.evil.example", 421}, {"", 421},
	}
	for _, s := range hosts {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = s.host
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		if w.Code != s.code {
			t.Errorf("under %q: %d, want %d", s.host, w.Code, s.code)
		}
	}
}

func TestPagesForOperatorsCanOnlyBeRead(t *testing.T) {
	h := newHouse(t)
	p := h.operators()
	asks := []struct {
		method, target string
		code           int
	}{
		{"HEAD", "/", 200}, {"POST", "/", 405}, {"DELETE", "/case?id=x", 405}, {"PUT", "/nope", 405},
		{"GET", "/nope", 404}, {"GET", "/case", 404}, {"GET", "/case?id=%00", 404}, {"GET", "/case?id=<script>", 404}, {"GET", "/case?id=00aaaaaaaaaaaaaaaaaaaa", 404},
		{"GET", "/static/desk.css", 200}, {"GET", "/static/nope", 404},
	}
	for _, a := range asks {
		w := p.ask(a.method, a.target)
		if w.Code != a.code {
			t.Errorf("%s %s: %d, want %d", a.method, a.target, w.Code, a.code)
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "script-src") || strings.Contains(w.Body.String(), "<script") {
			t.Errorf("%s %s: a script could run: %s", a.method, a.target, csp)
		}
	}
	h.kv.down = true
	if w := p.ask("GET", "/case?id="+h.svc.AuthorityID("example")); w.Code != http.StatusServiceUnavailable {
		t.Errorf("without its store: %d", w.Code)
	}
}
