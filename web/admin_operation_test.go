package web

import (
	"errors"
	"html"
	"net/http"
	"net/http/httptest"
	"regexp"
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
	run, belong := everybody(200, "operator", "administrator", "away"), everybody(200, "requester", "approver", "other organization")
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
		if nav := m.get("/admin").Body.String(); strings.Contains(nav, `href="/admin/messages"`) != (run[who]+belong[who] == 200 || who == "other operator") {
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

// key makes a key at an authority that has been used once.
func (c *court) key(ca, subject string) *proofing.Key {
	c.t.Helper()
	a, err := c.svc.Authority(c.t.Context(), ca)
	if err != nil {
		c.t.Fatal(err)
	}
	k, err := c.svc.IssueKey(c.t.Context(), a, proofing.KeyRequest{Profile: a.Profiles[0], Subject: subject})
	if err != nil {
		c.t.Fatal(err)
	}
	return k
}

func TestWhoRunsAnAuthorityLooksUpItsKeysAndEndsThem(t *testing.T) {
	c := newCourt(t)
	operator := c.seat("operator", proofing.RoleOperator, "example", "")
	c.want(operator.get("/admin/keys"), 200, "There is no key here.")
	k, other := c.key("example", "customer <17>"), c.key("example", "customer 18")
	if _, err := c.svc.Keys.Update(t.Context(), other.ID, func(k *proofing.Key) error { k.Person = "0person"; return nil }); err != nil {
		t.Fatal(err)
	}
	page := "/admin/keys/example/" + k.Kid
	c.want(operator.get("/admin/keys"), 200, k.Kid, other.Kid, "0 of ")
	found := operator.get("/admin/keys/example?find=" + k.Kid)
	c.want(found, 200, page)
	if strings.Contains(found.Body.String(), other.Kid) {
		t.Error("another key is found, too")
	}
	// People have other names at an authority: their ids are an administrator's to know.
	c.want(c.one.get("/admin/keys/example?find=0person"), 200, "There is no key here.")
	person := c.one.session().Person
	if _, err := c.svc.Keys.Update(t.Context(), other.ID, func(k *proofing.Key) error { k.Person = person; return nil }); err != nil {
		t.Fatal(err)
	}
	c.want(c.one.get("/admin/keys/example?find="+person), 200, other.Kid)
	c.want(operator.get("/admin/keys/example?find="+person), 200, "There is no key here.")
	c.want(c.one.get("/admin/keys/example/"+other.Kid), 200, person)
	if strings.Contains(operator.get("/admin/keys/example/"+other.Kid).Body.String(), person) {
		t.Error("an operator learns the id of a person")
	}

	c.want(operator.get(page), 200, "customer &lt;17&gt;", "No account has been registered with it.", `action="`+page+`/revoke"`)
	if strings.Contains(operator.get(page).Body.String(), k.Secret.Reveal()) {
		t.Error("the page shows the secret")
	}
	operator.renew()
	for range 2 { // pressed twice
		c.want(operator.post(page+"/revoke"), 303)
	}
	c.want(operator.get(page), 200, "Who runs the authority wanted it so.")
	if strings.Contains(operator.get(page).Body.String(), "/revoke") {
		t.Error("a key that has ended can be ended")
	}
	if err := c.svc.SequenceOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.want(operator.get("/admin/log?find="+k.ID), 200, "Key made", "Key revoked", c.office[operator].Name)
	c.want(operator.get("/admin/keys?after=x"), 303)
}

func TestWhoRunsAnAuthorityReadsItsRegistryAndHowItCalls(t *testing.T) {
	c := newCourt(t)
	operator := c.seat("operator", proofing.RoleOperator, "example", "")
	c.want(operator.get("/admin/registry"), 200, "There is no entry here.")
	person := c.one.session().Person
	if _, err := c.svc.Register(t.Context(), "example", proofing.Identifier{Type: "dns", Value: "host.example.org"}, "ticket <7>",
		proofing.Holder{Channel: "email", Address: "somebody.known@example.org"}, proofing.Holder{Person: person}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/admin/registry", "/admin/registry/example?find=HOST.example.org."} {
		page := operator.get(path)
		c.want(page, 200, "host.example.org", "s•••@example.org", "ticket &lt;7&gt;", "countersign registry", "a person")
		if body := page.Body.String(); strings.Contains(body, "somebody.known") || strings.Contains(body, person) {
			t.Errorf("%s shows who somebody is", path)
		}
	}
	c.want(c.one.get("/admin/registry/example"), 200, person)
	c.want(operator.get("/admin/registry/example?find=other.example.org"), 200, "There is no entry here.")
	c.want(operator.get("/admin/registry?after=x"), 303)
	if _, err := c.svc.Register(t.Context(), "example", proofing.Identifier{Type: "dns", Value: "host.example.org"}, "", proofing.Holder{Organization: c.org.Name}); err != nil {
		t.Fatal(err)
	}
	c.want(operator.get("/admin/registry"), 200, html.EscapeString(c.org.Name), "whoever may ask for its certificates")
	page := operator.get("/admin/authorities")
	c.want(page, 200, "Example CA", "Server certificate", "/admin/keys/example", "/admin/log?find="+c.ca.ID)
	if body := page.Body.String(); strings.Contains(body, "Other CA") {
		t.Error("another authority is shown")
	}
	c.want(c.one.get("/admin/authorities"), 200, "Example CA", "Other CA")
}

func TestNothingOfKeysRegistryAndAuthoritiesIsSeenOrDoneByOthers(t *testing.T) {
	c := newCourt(t)
	k, foreign := c.key("example", "Secret Customer"), c.key("other", "Foreign Customer")
	if _, err := c.svc.Register(t.Context(), "example", proofing.Identifier{Type: "dns", Value: "secret.example.org"}, "", proofing.Holder{Channel: "email", Address: "a@example.org"}); err != nil {
		t.Fatal(err)
	}
	people := c.strangers()
	get := func(path string) func(m *colleague) *httptest.ResponseRecorder {
		return func(m *colleague) *httptest.ResponseRecorder { return m.get(path) }
	}
	post := func(path string) func(m *colleague) *httptest.ResponseRecorder {
		return func(m *colleague) *httptest.ResponseRecorder { return m.post(path) }
	}
	run, elsewhere := everybody(200, "operator", "administrator", "away"), everybody(200, "other operator", "administrator")
	c.hold(people, "Secret Customer", []call{
		{"the keys", get("/admin/keys/example"), run},
		{"the keys of another authority", get("/admin/keys/other"), elsewhere},
		{"a key", get("/admin/keys/example/" + k.Kid), run},
		{"a key under another authority", get("/admin/keys/other/" + k.Kid), nil},
		{"a key of another authority", get("/admin/keys/other/" + foreign.Kid), elsewhere},
		{"a key that there is not", get("/admin/keys/example/nobody"), nil},
		{"ending a key under another authority", post("/admin/keys/other/" + k.Kid + "/revoke"), nil},
		{"ending a key that there is not", post("/admin/keys/example/nobody/revoke"), nil},
	})
	c.hold(people, "secret.example.org", []call{
		{"the registry", get("/admin/registry/example"), run},
		{"an entry", get("/admin/registry/example?find=secret.example.org"), run},
		{"the registry of another authority", get("/admin/registry/other"), elsewhere},
		{"an entry there", get("/admin/registry/other?find=secret.example.org"), elsewhere},
		{"the registry of none", get("/admin/registry/nowhere"), nil},
	})
	c.hold(people, "Example CA<", []call{
		{"the authorities", get("/admin/authorities"), and(run, elsewhere)},
	})
	for who, m := range people {
		mine := run[who] == 200
		if said := strings.Contains(m.get("/admin/authorities").Body.String(), "/admin/keys/example"); said != mine {
			t.Errorf("%s sees the authority: %v", who, said)
		}
		if said := strings.Contains(m.get("/admin/keys").Body.String(), k.Kid); said != mine {
			t.Errorf("%s sees the key: %v", who, said)
		}
		if who != "operator" && who != "administrator" {
			m.post("/admin/keys/example/" + k.Kid + "/revoke")
		}
	}
	c.want(people["away"].post("/admin/keys/example/"+k.Kid+"/revoke"), 403, "confirm")
	operator := people["operator"]
	operator.site = "cross-site"
	c.want(operator.post("/admin/keys/example/"+k.Kid+"/revoke"), 403, "another site")
	operator.site = "same-origin"
	for _, path := range []string{"/admin/keys", "/admin/keys/example/" + k.Kid, "/admin/keys/example/" + k.Kid + "/revoke", "/admin/registry", "/admin/authorities"} {
		operator.get(path)
		operator.send("HEAD", path, nil)
	}
	if now, err := c.svc.Key(t.Context(), "example", k.Kid); err != nil || !now.Revoked.IsZero() {
		t.Errorf("somebody has ended a key who may not: %+v, %v", now, err)
	}
}

func TestAdministratorsAloneSeeTheSettings(t *testing.T) {
	c := newCourt(t)
	c.house.site.shown = []Setting{{Path: "smtp.host", Value: "secret-mail.example.org", Line: 7}, {Path: "smtp.password", Value: "set", Secret: true, Variable: "COUNTERSIGN_SMTP_PASSWORD"}, {Path: "limits.tries"}}
	c.want(c.one.get("/admin/settings"), 200, "secret-mail.example.org", "file, line 7", "a secret, which is set", "COUNTERSIGN_SMTP_PASSWORD", "limits.tries", "not set")
	if body := c.one.get("/admin/settings?find=HOST").Body.String(); !strings.Contains(body, "smtp.host") || strings.Contains(body, "smtp.password") {
		t.Errorf("what was looked for:\n%s", body)
	}
	people := c.strangers()
	c.hold(people, "secret-mail.example.org", []call{
		{"the settings", func(m *colleague) *httptest.ResponseRecorder { return m.get("/admin/settings") }, everybody(200, "administrator")},
	})
	for who, m := range people {
		if led := strings.Contains(m.get("/admin").Body.String(), `href="/admin/settings"`); led != (who == "administrator") {
			t.Errorf("%s is led to the settings: %v", who, led)
		}
	}
}

// Whoever runs the authority and is of the organization ends its key from either page.
func TestAKeyIsEndedFromThePageOfItsOrganization(t *testing.T) {
	c := newCourt(t)
	both := c.seat("operator", proofing.RoleOperator, "example", "")
	c.appoint(both, "operator", proofing.RoleRequester, "", c.org.ID)
	k := c.key("example", "customer 17")
	if _, err := c.svc.Keys.Update(t.Context(), k.ID, func(k *proofing.Key) error { k.Organization = c.org.ID; return nil }); err != nil {
		t.Fatal(err)
	}
	page := "/admin/keys/-" + c.org.ID + "/" + k.Kid
	both.renew()
	form := regexp.MustCompile(`action="([^"]+/revoke)"`).FindStringSubmatch(both.get(page).Body.String())
	if form == nil {
		t.Fatal("there is no button")
	}
	c.want(both.post(form[1]), http.StatusSeeOther)
	c.want(both.get(page), 200, "Who runs the authority wanted it so.")
}
