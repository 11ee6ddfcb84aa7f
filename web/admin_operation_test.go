package web

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

// failingHook gives an authority a webhook that has died on an event.
func (c *court) failingHook(name string) {
	c.t.Helper()
	ctx := c.t.Context()
	if _, err := c.svc.Authorities.Update(ctx, c.svc.AuthorityID(name), func(ca *proofing.Authority) error {
		ca.Webhook = &proofing.Webhook{URL: "https://ca.example/hook/of-a-secret-path?token=secret"}
		ca.Webhook.NewSecret(c.now(), 0)
		return nil
	}); err != nil {
		c.t.Fatal(err)
	}
	if err := c.svc.SetHook(ctx, name, "", true); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.svc.Feeds.Update(ctx, c.svc.FeedID(name), func(f *proofing.Feed) error {
		f.Hook.Dead = []proofing.Dead{{Event: proofing.Event{ID: "evt_dead_1", Object: "x", Change: proofing.ChangeStatus, At: c.now()}, At: c.now(), Reason: "timeout"}}
		return nil
	}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *court) dead(name string) (dead, late int) {
	c.t.Helper()
	f, err := c.svc.Feeds.Get(c.t.Context(), c.svc.FeedID(name))
	if err != nil {
		c.t.Fatal(err)
	}
	return len(f.Hook.Dead), len(f.Hook.Late)
}

func TestWhoRunsAnAuthoritySeesItsMessagesAndCallsItsWebhookAgain(t *testing.T) {
	c := newCourt(t)
	operator := c.seat("operator", proofing.RoleOperator, "example", "")
	c.want(operator.get("/admin/messages"), 200, "This authority has no webhook")
	c.sent.err = &proofing.SendError{Outcome: proofing.Refused, Reason: "rejected_address"}
	bad := c.open("server", "dns", "mail.example.com")
	c.asks(bad, "unlucky.person@example.net")
	c.work()
	c.sent.err = &proofing.SendError{Outcome: proofing.NotSent, Reason: "unreachable", Err: errors.New("planned")}
	waits := c.open("server", "dns", "www.example.com")
	c.asks(waits, "patient.person@example.net")
	c.work()
	c.sent.err = nil
	c.failingHook("example")
	page := operator.get("/admin/messages")
	c.want(page, 200, bad.ID, "the receiving side refuses the address", waits.ID, "Messages on their way", "evt_dead_1", "Call the webhook again", `action="/admin/messages/example/replay"`)
	for _, secret := range []string{"unlucky.person", "patient.person", "of-a-secret-path", "token=secret"} {
		if strings.Contains(page.Body.String(), secret) {
			t.Errorf("the page shows %q", secret)
		}
	}
	c.want(c.one.get("/admin/messages/other"), 200, "This authority has no webhook")
	if body := c.one.get("/admin/messages/other").Body.String(); strings.Contains(body, bad.ID) || strings.Contains(body, waits.ID) {
		t.Error("another authority's messages are among them")
	}
	operator.renew()
	for range 2 { // pressed twice
		c.want(operator.post("/admin/messages/example/replay"), 303)
		if dead, late := c.dead("example"); dead != 0 || late != 1 {
			t.Errorf("%d dead and %d late events after it was called again", dead, late)
		}
	}
	if body := operator.get("/admin/messages").Body.String(); strings.Contains(body, "Call the webhook again") {
		t.Error("the button is there with nothing to do")
	}
	c.want(operator.get("/admin/messages?after=x"), 303)
}

func TestNothingOfAnAuthoritysMessagesIsSeenOrDoneByOthers(t *testing.T) {
	c := newCourt(t)
	c.failingHook("example")
	people := c.strangers()
	get := func(path string) func(m *colleague) *httptest.ResponseRecorder {
		return func(m *colleague) *httptest.ResponseRecorder { return m.get(path) }
	}
	post := func(path string) func(m *colleague) *httptest.ResponseRecorder {
		return func(m *colleague) *httptest.ResponseRecorder { return m.post(path) }
	}
	run := everybody(200, "operator", "administrator", "away")
	c.hold(people, "evt_dead_1", []call{
		{"the messages of the authority", get("/admin/messages/example"), run},
		{"the messages of another one", get("/admin/messages/other"), everybody(200, "other operator", "administrator")},
		{"the messages of none", get("/admin/messages/nowhere"), nil},
		{"calling a webhook that there is not", post("/admin/messages/other/replay"), nil},
	})
	for who, m := range people { // of another authority, nothing at the page without a name
		if w := m.get("/admin/messages"); strings.Contains(w.Body.String(), "evt_dead_1") != (run[who] == 200) {
			t.Errorf("%s sees the dead event: %d", who, w.Code)
		}
		if nav := m.get("/admin").Body.String(); strings.Contains(nav, `href="/admin/messages"`) != (run[who] == 200 || who == "other operator") {
			t.Errorf("%s is led to messages: wrong", who)
		}
		if who != "operator" && who != "administrator" {
			m.post("/admin/messages/example/replay")
		}
	}
	operator := people["operator"]
	operator.site = "cross-site"
	c.want(operator.post("/admin/messages/example/replay"), 403, "another site")
	operator.site = "same-origin"
	for _, path := range []string{"/admin/messages", "/admin/messages/example", "/admin/messages/example/replay"} {
		operator.get(path)
		operator.send("HEAD", path, nil)
	}
	if dead, late := c.dead("example"); dead != 1 || late != 0 {
		t.Errorf("%d dead and %d late events: somebody has called the webhook who may not", dead, late)
	}
}
