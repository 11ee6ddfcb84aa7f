package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/countersign-id/countersign/proofing"
)

const (
	policyBefore = `{"profiles":{"ev":{"approvals":"2","title":"EV"}}}`
	policyAfter  = `{"profiles":{"ev":{"approvals":"1","title":"EV <b>"}}}`
)

// ruledCourt is a court with a policy in force.
func ruledCourt(t *testing.T) *court {
	t.Helper()
	c := newCourt(t)
	c.svc.Policy.Text, c.svc.Policy.Digest = policyBefore, proofing.PolicyDigest(policyBefore)
	c.proposedPolicy(policyBefore)
	return c
}

// proposedPolicy is the page of what a process proposes that reads a policy; empty if nothing is proposed.
func (c *court) proposedPolicy(text string) string {
	c.t.Helper()
	b, err := c.svc.OfferPolicy(c.t.Context(), text, false)
	if err != nil {
		c.t.Fatal(err)
	}
	if b.Proposed == nil {
		return ""
	}
	return policyPath(b.Proposed.ID)
}

// decidesPolicy makes a decision at the pages and returns the text that was signed.
func (c *court) decidesPolicy(m *colleague, page, decision, reason string) string {
	c.t.Helper()
	m.renew()
	form := formOf(m.get(page).Body.String(), decision)
	if form == nil {
		c.t.Fatalf("no form to %s in:\n%s", decision, m.get(page).Body)
	}
	if to := m.follow(m.post(page+"/decide", append(form, "reason", reason)...)); to != "/admin/sign" {
		c.t.Fatalf("led to %s", to)
	}
	c.want(m.get("/admin/sign"), 200, `name="policy" value="`+strings.TrimPrefix(page, "/admin/policy/")+`"`, `href="`+page+`"`)
	text, answer := m.signs()
	for range 2 { // it may be sent twice
		if to := m.follow(m.post("/admin/sign", "policy", strings.TrimPrefix(page, "/admin/policy/"), "response", answer)); to != page {
			c.t.Fatalf("after signing: %s", to)
		}
	}
	return text
}

func TestAPolicyFromItsProposalUntilItIsInForce(t *testing.T) {
	c := newCourt(t)
	c.want(c.one.get("/admin/policy"), 200, "the configuration file is in force", `href="/admin/policy" aria-current="page"`)
	if strings.Contains(c.specialist.get("/admin").Body.String(), `href="/admin/policy"`) {
		t.Error("others are led to the policy")
	}
	c.svc.Policy.Text, c.svc.Policy.Digest = policyBefore, proofing.PolicyDigest(policyBefore)
	c.proposedPolicy(policyBefore)
	c.want(c.one.get("/admin/policy"), 200, "there were administrators for the first time", proofing.PolicyDigest(policyBefore), "Nothing was decided yet.")
	page := c.proposedPolicy(policyAfter)
	c.want(c.one.get("/admin/policy"), 200, "A new policy waits for administrators.", "2 settings change", "0 of 2 have approved", `href="`+page+`"`)
	c.want(c.one.get("/admin"), 200, "A new policy waits for administrators.", "0 of 2 have approved", `href="`+page+`"`)
	if strings.Contains(c.specialist.get("/admin").Body.String(), "policy") {
		t.Error("others are told of the policy")
	}
	c.one.renew()
	c.want(c.one.get(page), 200, "Waits for two administrators", "The configuration file has it", "<code>profiles.ev.approvals</code>", "<del><bdi>2</bdi></del>", "<ins><bdi>1</bdi></ins>", "EV &lt;b&gt;", "0 of 2 have approved",
		"Then one more administrator must approve it within seven days.", proofing.PolicyDigest(policyAfter))

	text := c.decidesPolicy(c.one, page, "approve", "")
	for _, said := range []string{"I approve this change of the policy.", "Proposed policy: " + proofing.PolicyDigest(policyAfter), "In the place of: " + proofing.PolicyDigest(policyBefore),
		`profiles.ev.approvals: from "2" to "1"`, `profiles.ev.title: from "EV" to "EV <b>"`, "Then one more administrator"} {
		if !strings.Contains(text, said) {
			t.Errorf("%q is not in what was signed:\n%s", said, text)
		}
	}
	after := c.one.get(page)
	c.want(after, 200, "Approved by one administrator; waits for a second one", "You have approved this policy already.", "1 of 2 have approved", "<b><bdi>One</bdi></b> has approved")
	if strings.Contains(after.Body.String(), "<form method=\"post\" action=\""+page) {
		t.Error("who has approved is asked again")
	}
	c.two.renew()
	c.want(c.two.get(page), 200, "You are the second: then it is in force")
	c.decidesPolicy(c.two, page, "approve", "")
	c.want(c.two.get(page), 200, "Approved", "<b><bdi>Two</bdi></b> has approved")
	c.want(c.two.get("/admin/policy"), 200, "a proposal that two administrators have approved", proofing.PolicyDigest(policyAfter), `href="`+page+`"`)
	if body := c.two.get("/admin/policy").Body.String(); strings.Contains(body, "waits for administrators") {
		t.Error("it still waits")
	}
	if to := c.one.follow(c.one.get(page + "/decide")); to != page {
		t.Errorf("GET of a form leads to %s", to)
	}
}

func TestAPolicyIsRefusedWithAReason(t *testing.T) {
	c := ruledCourt(t)
	page := c.proposedPolicy(policyAfter)
	c.one.renew()
	form := formOf(c.one.get(page).Body.String(), "refuse")
	c.want(c.one.post(page+"/decide", append(form, "reason", " ")...), 422, `id="reason-error"`, "Say why you refuse.")
	c.want(c.one.post(page+"/decide", append(form, "number", "1", "reason", "no")...), 422, "since this page was made", ">no</textarea>")
	c.want(c.one.post(page+"/decide", append(form, "number", "many", "reason", "no")...), 422)
	c.want(c.one.post(page+"/decide", append(form, "decision", "perhaps")...), 422)
	text := c.decidesPolicy(c.one, page, "refuse", "too <weak>")
	if !strings.Contains(text, "I refuse this change of the policy.") || !strings.Contains(text, "Reason: too <weak>") {
		t.Error(text)
	}
	c.want(c.two.get(page), 200, "Refused", "too &lt;weak&gt;", "has refused")
	c.want(c.two.get("/admin/policy"), 200, "Refused")
	if again := c.proposedPolicy(policyAfter); again != "" {
		t.Error("it is proposed again")
	}
}

// Who was shown a proposal that another one has taken the place of signs nothing of the newer one.
func TestWhatWasAskedAboutAnOlderProposalDecidesNothing(t *testing.T) {
	c := ruledCourt(t)
	page := c.proposedPolicy(policyAfter)
	c.one.renew()
	form := formOf(c.one.get(page).Body.String(), "approve")
	c.one.follow(c.one.post(page+"/decide", form...))
	newer := c.proposedPolicy(strings.Replace(policyAfter, `"1"`, `"3"`, 1))
	_, answer := c.one.signs()
	id := strings.TrimPrefix(page, "/admin/policy/")
	c.want(c.one.post("/admin/sign", "policy", id, "response", answer), 422, "waits for nobody any more", "Replaced by a newer proposal")
	c.want(c.one.get(newer), 200, "0 of 2 have approved")
	c.want(c.one.post(page+"/decide", form...), 422, "waits for nobody any more")
	c.want(c.two.get(page), 200, "Replaced by a newer proposal")
}

func TestNothingOfPoliciesIsSeenOrDoneByOthers(t *testing.T) {
	c := ruledCourt(t)
	page := c.proposedPolicy(policyAfter)
	people := c.strangers()
	get := func(path string) func(m *colleague) *httptest.ResponseRecorder {
		return func(m *colleague) *httptest.ResponseRecorder { return m.get(path) }
	}
	number := formOf(c.two.get(page).Body.String(), "approve")
	if number == nil {
		c.two.renew()
		number = formOf(c.two.get(page).Body.String(), "approve")
	}
	c.hold(people, "profiles.ev.approvals", []call{
		{"the policy", get("/admin/policy"), everybody(200, "administrator")},
		{"a proposal", get(page), everybody(200, "administrator")},
		{"a proposal that there is not", get("/admin/policy/00nothing"), nil},
		{"a proposal by another record's id", get("/admin/policy/" + c.org.ID), nil},
		{"a decision", func(m *colleague) *httptest.ResponseRecorder {
			return m.post(page+"/decide", append(number, "decision", "refuse", "reason", "no")...)
		}, everybody(http.StatusSeeOther, "administrator")},
		{"a signature", func(m *colleague) *httptest.ResponseRecorder {
			return m.post("/admin/sign", "policy", strings.TrimPrefix(page, "/admin/policy/"), "response", "{}")
		}, everybody(422, "administrator")},
	})
	// And what no form of ours sends does nothing.
	c.two.renew()
	form := append(formOf(c.two.get(page).Body.String(), "refuse"), "reason", "no")
	c.two.site = "cross-site"
	c.want(c.two.post(page+"/decide", form...), 403, "another site")
	c.two.site = "same-origin"
	for _, path := range []string{"/admin/policy", page, page + "/decide"} {
		c.two.send("GET", path+"?decision=refuse&reason=no", nil)
	}
	b, err := c.svc.PolicyBook(t.Context())
	if err != nil || b.Proposed == nil || len(b.Proposed.Decisions) != 0 {
		t.Errorf("%+v %v", b, err)
	}
}

// The list and the queue count what the page of the proposal counts.
func TestAnApprovalOfAPolicyThatCountsNoMoreIsCountedNowhere(t *testing.T) {
	c := ruledCourt(t)
	page := c.proposedPolicy(policyAfter)
	c.decidesPolicy(c.one, page, "approve", "")
	counted := func(want string) {
		t.Helper()
		for _, path := range []string{page, "/admin/policy", "/admin"} {
			c.want(c.two.get(path), 200, want)
		}
	}
	counted("1 of 2 have approved")
	_, held, err := c.svc.Console(t.Context(), c.visits(c.one))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.svc.SuspendAppointment(t.Context(), c.visits(c.two), held[0].ID, "a doubt"); err != nil {
		t.Fatal(err)
	}
	counted("0 of 2 have approved")
}
