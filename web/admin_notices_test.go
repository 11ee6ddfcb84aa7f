package web

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// died is a notice of a record that was given up.
func (c *court) died(record, kind, to string) proofing.Outgoing {
	at := c.now()
	return proofing.Outgoing{
		Message: proofing.Message{ID: record + ".dead", Kind: kind, Channel: proofing.ChannelEmail, To: proofing.Secret(to)}, State: proofing.MessageDead,
		Since: at, Due: at.Add(time.Hour), Expires: at.Add(72 * time.Hour), Died: at, Reason: "rejected_address", Sends: 1,
	}
}

// deadCertificate is a certificate of the court's organization whose notice was given up.
func (c *court) deadCertificate() *proofing.Certificate {
	c.t.Helper()
	k := c.submitted("signing")
	id := k.ID[:len(k.ID)-1] + "z"
	cert := &proofing.Certificate{
		ID: id, CA: "example", Organization: c.org.ID, Cases: []string{k.ID}, Reported: c.now(), CertificateFacts: proofing.CertificateFacts{Serial: "a1b2c3", NotAfter: c.now().Add(time.Hour)},
		Outbox: proofing.Outbox{Messages: []proofing.Outgoing{c.died(id, "issued", "unlucky.person@example.net")}},
	}
	if err := c.svc.Certificates.Create(c.t.Context(), cert.ID, cert); err != nil {
		c.t.Fatal(err)
	}
	return cert
}

// isDead says whether the certificate's notice still is.
func (c *court) isDead(cert *proofing.Certificate) bool {
	c.t.Helper()
	now, err := c.svc.Certificates.Get(c.t.Context(), cert.ID)
	if err != nil {
		c.t.Fatal(err)
	}
	return len(now.Outbox.Messages) == 1 && now.Outbox.Messages[0].State == proofing.MessageDead
}

// own has an administrator's own session have a notice that was given up.
func (c *court) own(m *colleague) *proofing.Case {
	c.t.Helper()
	s := m.session()
	if _, err := c.svc.Cases.Update(c.t.Context(), s.ID, func(k *proofing.Case) error {
		k.Outbox.Messages = append(k.Outbox.Messages, c.died(k.ID, "recovered", "somebodys.own@example.net"))
		return nil
	}); err != nil {
		c.t.Fatal(err)
	}
	return s
}

func TestANoticeThatWasGivenUpIsSeenAndSentAgain(t *testing.T) {
	c := newCourt(t)
	operator := c.seat("operator", proofing.RoleOperator, "example", "")
	cert, own := c.deadCertificate(), c.own(c.one)
	page := operator.get("/admin/messages")
	c.want(page, 200, "What did not arrive", "given up: the receiving side refuses the address", "notice of a certificate", "a1b2c3", "u•••@example.net", "/admin/log?find="+cert.ID, `action="/admin/messages/example/resend"`, "Send again")
	if body := page.Body.String(); strings.Contains(body, "unlucky.person") || strings.Contains(body, own.ID) {
		t.Error("the page shows an address, or what is nobody's of the authority")
	}
	// An organization's people see the same of theirs, and cannot send it.
	theirs := "/admin/messages/-" + c.org.ID
	for _, path := range []string{"/admin/messages", theirs} {
		page = c.approver.get(path)
		c.want(page, 200, "a1b2c3", "u•••@example.net", "this organization")
		if body := page.Body.String(); strings.Contains(body, "Send again") || strings.Contains(body, "webhook") {
			t.Errorf("%s: an organization's people can do something", path)
		}
	}
	// What is of no authority is for administrators.
	page = c.one.get("/admin/messages/-")
	c.want(page, 200, own.ID, "notice of a recovery", "s•••@example.net", "Sign-in", `action="/admin/messages/-/resend"`)
	if strings.Contains(page.Body.String(), cert.ID) {
		t.Error("an authority's are among the service's own")
	}
	operator.renew()
	for range 2 { // pressed twice
		c.want(operator.post("/admin/messages/example/resend", "of", "certificate", "object", cert.ID, "message", cert.ID+".dead"), 303)
	}
	c.work()
	now, err := c.svc.Certificates.Get(t.Context(), cert.ID)
	if err != nil || len(now.Outbox.Messages) != 0 {
		t.Errorf("it was not sent: %+v, %v", now, err)
	}
	if err := c.svc.SequenceOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.want(operator.get("/admin/log?find="+cert.ID), 200, "A notice that was given up is sent again", c.office[operator].Name)
	if body := operator.get("/admin/messages").Body.String(); strings.Contains(body, "Send again") {
		t.Error("the button is there with nothing to do")
	}
	c.wait(20 * time.Minute)
	c.own(c.one)
	c.want(c.one.get("/admin/messages/-"), 200, "confirm")
	c.want(c.one.post("/admin/messages/-/resend", "of", "session", "object", own.ID, "message", own.ID+".dead"), 403, "confirm")
}

func TestNothingOfNoticesThatWereGivenUpIsSeenOrDoneByOthers(t *testing.T) {
	c := newCourt(t)
	cert := c.deadCertificate()
	people := c.strangers()
	get := func(path string) func(m *colleague) *httptest.ResponseRecorder {
		return func(m *colleague) *httptest.ResponseRecorder { return m.get(path) }
	}
	resend := func(at, of string) func(m *colleague) *httptest.ResponseRecorder {
		return func(m *colleague) *httptest.ResponseRecorder {
			return m.post("/admin/messages/"+at+"/resend", "of", of, "object", cert.ID, "message", cert.ID+".dead")
		}
	}
	run := everybody(200, "operator", "administrator", "away")
	c.hold(people, "a1b2c3", []call{
		{"the messages of the authority", get("/admin/messages/example"), run},
		{"those of the organization", get("/admin/messages/-" + c.org.ID), everybody(200, "requester", "approver")},
		{"those of no organization", get("/admin/messages/-0nowhere"), nil},
		{"those of the service", get("/admin/messages/-"), everybody(200, "administrator")},
		{"sending as of another kind", resend("example", "organization"), everybody(403, "away")},
		{"sending as of no kind", resend("example", "nothing"), everybody(403, "away")},
	})
	for who, m := range people {
		body := m.get("/admin/messages").Body.String()
		if sees := run[who] == 200 || who == "requester" || who == "approver"; strings.Contains(body, "a1b2c3") != sees {
			t.Errorf("%s sees the notice: %v", who, !sees)
		}
		if who != "operator" && who != "administrator" {
			resend("example", "certificate")(m)
			resend("-"+c.org.ID, "certificate")(m)
			resend("-", "certificate")(m)
		}
	}
	operator := people["operator"]
	operator.site = "cross-site"
	c.want(resend("example", "certificate")(operator), 403, "another site")
	operator.site = "same-origin"
	for _, path := range []string{"/admin/messages/example", "/admin/messages/example/resend"} {
		operator.get(path)
		operator.send("HEAD", path, nil)
	}
	if !c.isDead(cert) {
		t.Error("somebody has sent it again who may not")
	}
	c.want(resend("example", "certificate")(operator), 303)
	if c.isDead(cert) {
		t.Error("it was not sent again")
	}
}

func TestAnOrganizationsPeopleSeeItsKeysAlone(t *testing.T) {
	c := newCourt(t)
	issue := func(subject string, ids ...proofing.Identifier) *proofing.Key {
		t.Helper()
		profile := "signing"
		if len(ids) == 0 || ids[0].Type != "organization" {
			profile = c.ca.Profiles[0]
		}
		k, err := c.svc.IssueKey(t.Context(), c.ca, proofing.KeyRequest{Profile: profile, Subject: subject, Identifiers: ids})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	org := func(name string) proofing.Identifier { return proofing.Identifier{Type: "organization", Value: name} }
	k, foreign, free := issue("customer 17", org(orgName)), issue("customer 18", org("Another Corporation")), issue("customer 19")
	both := issue("customer 20", org(orgName), org("Another Corporation"))
	next, err := c.svc.RotateKey(t.Context(), c.ca, k.Kid, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	people := c.strangers()
	keys := "/admin/keys/-" + c.org.ID
	page := c.approver.get("/admin/keys")
	c.want(page, 200, k.Kid, next.Kid, keys+"/"+k.Kid, "of this organization")
	for _, other := range []*proofing.Key{foreign, free, both} {
		if strings.Contains(page.Body.String(), other.Kid) {
			t.Errorf("%s is among them", other.Subject)
		}
		c.want(c.approver.get(keys+"/"+other.Kid), 404)
		c.want(c.approver.get(keys+"?find="+other.Kid), 200, "There is no key here.")
	}
	c.want(c.approver.get(keys+"?find="+k.Kid), 200, keys+"/"+k.Kid)
	page = c.approver.get(keys + "/" + k.Kid)
	c.want(page, 200, "Example &lt;Corporation&gt;", keys+"/"+next.Kid)
	if body := page.Body.String(); strings.Contains(body, "customer 17") || strings.Contains(body, "/revoke") || strings.Contains(body, k.Secret.Reveal()) {
		t.Error("they see what the authority calls its customer, a secret, or a button")
	}
	c.want(c.approver.get("/admin/log?find="+k.ID), 200, "Key made")
	if body := c.approver.get("/admin/log?find=" + k.ID).Body.String(); strings.Contains(body, "customer 17") {
		t.Error("the log tells them what the authority calls its customer")
	}
	get := func(path string) func(m *colleague) *httptest.ResponseRecorder {
		return func(m *colleague) *httptest.ResponseRecorder { return m.get(path) }
	}
	post := func(path string) func(m *colleague) *httptest.ResponseRecorder {
		return func(m *colleague) *httptest.ResponseRecorder { return m.post(path) }
	}
	its := everybody(200, "requester", "approver")
	c.hold(people, k.Kid, []call{
		{"the keys of the organization", get(keys), its},
		{"one of them", get(keys + "/" + k.Kid), its},
		{"one of another organization under it", get(keys + "/" + foreign.Kid), nil},
		{"the keys of the authority", get("/admin/keys/example"), everybody(200, "operator", "administrator", "away")},
		{"the keys of the service", get("/admin/keys/-"), nil},
		{"ending one of them", post(keys + "/" + k.Kid + "/revoke"), nil},
		{"ending one of them at another authority", post("/admin/keys/other/" + k.Kid + "/revoke"), nil},
	})
	if now, err := c.svc.Key(t.Context(), "example", k.Kid); err != nil || !now.Revoked.IsZero() {
		t.Errorf("somebody has ended it: %+v, %v", now, err)
	}
	c.want(people["operator"].post("/admin/keys/example/"+k.Kid+"/revoke"), 303)
}

func TestOperatorsSeeNoticesThatWereGivenUpAndNobodysName(t *testing.T) {
	c := newCourt(t)
	p := c.operators()
	if body := says(t, p, "/"); strings.Contains(body, "given up") {
		t.Error("something is given up in a new house")
	}
	cert, office := c.deadCertificate(), c.office[c.approver]
	if _, err := c.svc.Appointments.Update(t.Context(), office.ID, func(a *proofing.Appointment) error {
		a.Outbox.Messages = append(a.Outbox.Messages, c.died(a.ID, "appointment", "unlucky.person@example.net"))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	says(t, p, "/", "Notices of the last day that were given up: 2.")
	body := says(t, p, "/messages", cert.ID, office.ID, "notice of a certificate", "notice of a role", "given up", "u•••@example.net")
	for _, hidden := range []string{"unlucky.person", office.Name + "<", "Send again"} {
		if strings.Contains(body, hidden) {
			t.Errorf("whoever reaches the listener reads %q", hidden)
		}
	}
	c.wait(25 * time.Hour)
	if body := says(t, p, "/"); strings.Contains(body, "given up") {
		t.Error("it is news after a day")
	}
	says(t, p, "/messages", office.ID)
}
