package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// weak signs somebody out, and in again by a code to a number of theirs.
func (c *court) weak(m *colleague, number string) {
	c.t.Helper()
	code := func(page string) {
		c.t.Helper()
		c.want(m.post(page+"/begin", "method", "sms", "address", number), http.StatusSeeOther)
		c.work()
		id, _, _ := strings.Cut(strings.TrimPrefix(page, "/c/"), ".")
		have, err := c.svc.Cases.Get(c.t.Context(), id)
		if err != nil {
			c.t.Fatal(err)
		}
		c.want(m.post(page+"/answer", "attempt", have.Current("sms").ID, "code", c.sent.last().Code.Reveal()), http.StatusSeeOther)
		c.work()
	}
	m.renew()
	s := m.session()
	code("/c/" + s.ID + "." + s.LinkSecret.Reveal())
	m.post("/me/sign-out")
	c.wait(time.Minute)
	code(m.follow(m.post("/me/sign-in")))
}

// TestNothingOfTheConsoleIsSeenOrDoneByOthers holds every page and every form of the console against everybody whose it is not.
func TestNothingOfTheConsoleIsSeenOrDoneByOthers(t *testing.T) {
	c := newCourt(t)
	k := c.submitted("signing2")
	page := "/admin/cases/" + k.ID
	if _, err := c.svc.RaiseDiscrepancy(t.Context(), c.visits(c.specialist), k.ID, "Something secret"); err != nil {
		t.Fatal(err)
	}
	elsewhere, _, err := c.svc.OpenOrganization(t.Context(), c.visits(c.specialist), "example", "Another Corporation")
	if err != nil {
		t.Fatal(err)
	}
	people := map[string]*colleague{
		"nobody": {browser: c.browser()}, "without a role": c.keyholder(),
		"an approver of another organization": c.seat("stranger", proofing.RoleApprover, "", elsewhere.ID), "a signer of another organization": c.seat("strange signer", proofing.RoleSigner, "", elsewhere.ID),
		"a reviewer of another authority": c.seat("foreign", proofing.RoleReviewer, "other", ""), "an operator of another authority": c.seat("foreign operator", proofing.RoleOperator, "other", ""),
		"an operator": c.seat("operator", proofing.RoleOperator, "example", ""), "an administrator": c.one, "the requester": c.requester, "the approver": c.approver, "the specialist": c.specialist, "the reviewer": c.reviewer,
	}
	people["nobody"].get("/")
	weak := c.seat("weak", proofing.RoleApprover, "", c.org.ID)
	c.weak(weak, "+447400123456")
	people["an approver by a text message"] = weak
	gone := c.seat("gone", proofing.RoleApprover, "", c.org.ID)
	if _, err := c.svc.SuspendAppointment(t.Context(), c.visits(c.one), c.office[gone].ID, "a doubt"); err != nil {
		t.Fatal(err)
	}
	people["a suspended approver"] = gone
	away := c.seat("away", proofing.RoleApprover, "", c.org.ID)
	people["an approver who has been away"] = away

	// By 20 minutes later only those are fresh who confirm it.
	c.wait(20 * time.Minute)
	fresh := func(who string) {
		m := people[who]
		switch who {
		case "nobody", "an approver by a text message", "an approver who has been away":
		default:
			m.renew()
		}
	}
	now, err := c.svc.Cases.Get(t.Context(), k.ID)
	if err != nil {
		t.Fatal(err)
	}
	decide := func(m *colleague, step string) []string {
		as := ""
		if c.office[m] != nil {
			as = c.office[m].ID
		}
		return []string{"as", as, "step", step, "decision", "refuse", "reason", "no", "number", "1"}
	}
	let := c.holding()
	for _, call := range []struct {
		name string
		send func(m *colleague) *httptest.ResponseRecorder
		want map[string]int
	}{
		{"the queue", func(m *colleague) *httptest.ResponseRecorder { return m.get("/admin") }, map[string]int{
			"nobody": 303, "without a role": 404, "a suspended approver": 404, "an approver by a text message": 403,
			"an approver of another organization": 200, "a signer of another organization": 200, "a reviewer of another authority": 200, "an operator of another authority": 200,
			"an operator": 200, "an administrator": 200, "the requester": 200, "the approver": 200, "the specialist": 200, "the reviewer": 200, "an approver who has been away": 200}},
		{"the request", func(m *colleague) *httptest.ResponseRecorder { return m.get(page) }, map[string]int{
			"nobody": 303, "an approver by a text message": 403,
			"an operator": 200, "an administrator": 200, "the requester": 200, "the approver": 200, "the specialist": 200, "the reviewer": 200, "an approver who has been away": 200}},
		{"a request that there is not", func(m *colleague) *httptest.ResponseRecorder { return m.get(page[:len(page)-1] + "x") }, map[string]int{"nobody": 303, "an approver by a text message": 403}},
		{"a decision for the organization", func(m *colleague) *httptest.ResponseRecorder { return m.post(page+"/decide", decide(m, "approve")...) }, map[string]int{
			"nobody": 303, "an approver by a text message": 403, "an approver who has been away": 403,
			// Those who see it are told why not: the page that they show is old, or it is not theirs to decide.
			"the requester": 422, "the approver": 422, "the specialist": 422, "the reviewer": 422, "an operator": 422}},
		{"a discrepancy", func(m *colleague) *httptest.ResponseRecorder { return m.post(page+"/discrepancies", "text", " ") }, map[string]int{
			"nobody": 303, "an approver by a text message": 403,
			// An empty text is found first, by those alone who see the request.
			"an operator": 422, "an administrator": 422, "the requester": 422, "the approver": 422, "the specialist": 422, "the reviewer": 422, "an approver who has been away": 422}},
		{"a discrepancy in words", func(m *colleague) *httptest.ResponseRecorder {
			return m.post(page+"/discrepancies", "text", "Something else")
		}, map[string]int{"nobody": 303, "an approver by a text message": 403, "the specialist": 303, "the reviewer": 303}},
		{"an explanation", func(m *colleague) *httptest.ResponseRecorder {
			return m.post(page+"/explanations", "discrepancy", now.Approval.Discrepancies[0].ID, "resolution", "It is so.")
		}, map[string]int{"nobody": 303, "an approver by a text message": 403, "the specialist": 303, "the reviewer": 303}},
		{"a signature", func(m *colleague) *httptest.ResponseRecorder {
			return m.post("/admin/sign", "case", k.ID, "response", "{}")
		}, map[string]int{"nobody": 303, "an approver by a text message": 403,
			// Nothing is asked of them: those who see the request are told so, on its page.
			"an operator": 422, "an administrator": 422, "the requester": 422, "the approver": 422, "the specialist": 422, "the reviewer": 422, "an approver who has been away": 422}},
		{"what is to be signed", func(m *colleague) *httptest.ResponseRecorder { return m.get("/admin/sign") }, map[string]int{
			"nobody": 303, "without a role": 404, "a suspended approver": 404, "an approver by a text message": 403,
			"an approver of another organization": 303, "a signer of another organization": 303, "a reviewer of another authority": 303, "an operator of another authority": 303,
			"an operator": 303, "an administrator": 303, "the requester": 303, "the approver": 303, "the specialist": 303, "the reviewer": 303, "an approver who has been away": 303}},
	} {
		for who, m := range people {
			fresh(who)
			want := call.want[who]
			if want == 0 {
				want = 404
			}
			got := call.send(m)
			if got.Code != want {
				t.Errorf("%s by %s: %d, want %d", call.name, who, got.Code, want)
			}
			body := got.Body.String()
			sees := got.Code < 300 || got.Code == 422 || who == "an approver who has been away"
			if said := strings.Contains(body, "Example &lt;Corporation&gt;") || strings.Contains(body, "Something secret") || strings.Contains(body, k.ID); said && !sees {
				t.Errorf("%s by %s: the answer of %d tells of the request", call.name, who, got.Code)
			}
			if got.Code == 404 && body != m.get("/nowhere").Body.String() {
				t.Errorf("%s by %s: another page than at a path that does not exist", call.name, who)
			}
			if to := got.Header().Get("Location"); who == "nobody" && !strings.HasPrefix(to, "/me/sign-in") {
				t.Errorf("%s by nobody leads to %q", call.name, to)
			}
		}
	}

	let()

	// And what no form of ours sends does nothing.
	before := c.stored(k)
	c.approver.renew()
	form := formOf(c.approver.get(page).Body.String(), "refuse")
	for _, post := range []string{page + "/decide", page + "/discrepancies", page + "/explanations", "/admin/sign"} {
		c.approver.site = "cross-site"
		c.want(c.approver.post(post, append(form, "reason", "no")...), 403, "another site")
		c.approver.site = "same-origin"
		cookie := c.approver.cookie
		c.approver.cookie = ""
		c.want(c.approver.post(post, append(form, "reason", "no")...), 403)
		c.approver.cookie = cookie
	}
	c.want(c.approver.post(page+"/decide", append(form, "decision", "perhaps")...), 422)
	c.want(c.approver.post(page+"/decide", append(form, "number", "many")...), 422)
	c.want(c.approver.post(page+"/decide", append(form, "as", c.office[c.second].ID, "reason", "no")...), 404)
	c.want(c.approver.post(page+"/decide", append(form, "step", "review", "reason", "no")...), 422, "does not wait for this decision")
	for _, get := range []string{"/admin", page, "/admin/sign", page + "/decide", page + "/discrepancies"} {
		for _, method := range []string{"GET", "HEAD"} {
			c.approver.send(method, get+"?decision=refuse&reason=no&text=x", nil)
		}
	}
	if after := c.stored(k); after != before {
		t.Errorf("the request has changed:\n%s\n%s", before, after)
	}
}
