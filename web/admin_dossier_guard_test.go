package web

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// strangers are people in every role and state, by what is to be said of them, at the court's authority and organization, at others, and nowhere.
// All have just confirmed who they are but the one who is away.
func (c *court) strangers() (people map[string]*colleague) {
	c.t.Helper()
	elsewhere, _, err := c.svc.OpenOrganization(c.t.Context(), c.visits(c.specialist), "example", "Another Corporation")
	if err != nil {
		c.t.Fatal(err)
	}
	people = map[string]*colleague{
		"nobody": {browser: c.browser()}, "no role": c.keyholder(), "other organization": c.seat("stranger", proofing.RoleApprover, "", elsewhere.ID),
		"other reviewer": c.seat("foreign", proofing.RoleReviewer, "other", ""), "other operator": c.seat("foreign operator", proofing.RoleOperator, "other", ""),
		"operator": c.seat("operator", proofing.RoleOperator, "example", ""), "administrator": c.one, "requester": c.requester, "approver": c.approver, "specialist": c.specialist, "reviewer": c.reviewer,
		"weak": c.seat("weak", proofing.RoleSpecialist, "example", ""), "suspended": c.seat("gone", proofing.RoleOperator, "example", ""), "away": c.seat("away", proofing.RoleOperator, "example", ""),
	}
	people["nobody"].get("/")
	c.wait(time.Hour) // all of them have come from one address
	c.weak(people["weak"], "+447400123456")
	if _, err := c.svc.SuspendAppointment(c.t.Context(), c.visits(c.one), c.office[people["suspended"]].ID, "a doubt"); err != nil {
		c.t.Fatal(err)
	}
	people["away"].renew()
	c.wait(20 * time.Minute)
	for who, m := range people {
		if who != "nobody" && who != "weak" && who != "away" {
			m.renew()
		}
	}
	return people
}

// call is something that a browser can do, with the status that each of those gets who do not get 404.
type call struct {
	name string
	send func(m *colleague) *httptest.ResponseRecorder
	want map[string]int
}

// hold makes every call by everybody.
func (c *court) hold(people map[string]*colleague, secret string, calls []call) {
	c.t.Helper()
	nowhere := people["no role"].get("/nowhere").Body.String()
	defer c.holding()()
	for _, call := range calls {
		for who, m := range people {
			want := call.want[who]
			switch {
			case want != 0:
			case who == "nobody":
				want = 303
			case who == "weak":
				want = 403
			default:
				want = 404
			}
			got := call.send(m)
			if got.Code != want {
				c.t.Errorf("%s by %s: %d, want %d", call.name, who, got.Code, want)
			}
			body := got.Body.String()
			if strings.Contains(body, secret) && (call.want[who] == 0 || who == "nobody" || who == "weak") {
				c.t.Errorf("%s by %s: the answer of %d tells of it", call.name, who, got.Code)
			}
			if got.Code == 404 && body != nowhere {
				c.t.Errorf("%s by %s: another page than at a path that does not exist", call.name, who)
			}
			if to := got.Header().Get("Location"); who == "nobody" && !strings.HasPrefix(to, "/me/sign-in") {
				c.t.Errorf("%s by nobody leads to %q", call.name, to)
			}
		}
	}
}

// everybody is a map with one status for all of these.
func everybody(status int, names ...string) map[string]int {
	all := map[string]int{}
	for _, name := range names {
		all[name] = status
	}
	return all
}

func and(maps ...map[string]int) map[string]int {
	all := map[string]int{}
	for _, m := range maps {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}

func TestNothingOfDossiersAndPeopleIsSeenOrDoneByOthers(t *testing.T) {
	c := newCourt(t)
	signer := c.seat("Secret Signer", proofing.RoleSigner, "", c.org.ID)
	dossier, person := c.dossier(), personPath(c.office[signer].ID)
	people := c.strangers()
	get := func(path string) func(m *colleague) *httptest.ResponseRecorder {
		return func(m *colleague) *httptest.ResponseRecorder { return m.get(path) }
	}
	post := func(path string, pairs ...string) func(m *colleague) *httptest.ResponseRecorder {
		return func(m *colleague) *httptest.ResponseRecorder { return m.post(path, pairs...) }
	}
	anybody := []string{"other organization", "other reviewer", "other operator", "operator", "administrator", "requester", "approver", "specialist", "reviewer", "away"}
	readers := []string{"operator", "administrator", "requester", "approver", "specialist", "reviewer", "away"}
	before := c.dossierNow().Journal.Written
	calls := []call{
		{"the organizations", get("/admin/organizations"), everybody(200, anybody...)},
		{"the organizations of the authority", get("/admin/organizations?ca=example"), everybody(200, "operator", "administrator", "specialist", "reviewer", "away")},
		{"a new dossier", post("/admin/organizations", "ca", "example", "name", " "), and(everybody(422, "operator", "specialist"), everybody(403, "away"))},
		{"the dossier", get(dossier), everybody(200, readers...)},
		{"a dossier that there is not", get(dossier[:len(dossier)-1] + "x"), nil},
		{"an item", post(dossier+"/items", "kind", "legal_name"), and(everybody(422, "operator", "specialist"), everybody(403, "away"))},
		{"a review", post(dossier+"/review", "number", "999999"), and(everybody(422, "reviewer"), everybody(403, "away"))},
		{"a rule", post(dossier+"/rule", "needed", "0"), and(everybody(422, "operator", "administrator"), everybody(403, "away"))},
		{"the people", get("/admin/people"), everybody(200, anybody...)},
		{"the people of the organization", get("/admin/people?organization=" + c.org.ID), everybody(200, readers...)},
		{"the people of the authority", get("/admin/people?ca=example"), everybody(200, "operator", "administrator", "specialist", "reviewer", "away")},
		{"an appointment", get(person), everybody(200, readers...)},
		{"an administrator's appointment", get(personPath(c.administrators()[0])), everybody(200, "administrator")},
		{"the form for an administrator", get("/admin/propose/administrator"), everybody(200, "administrator")},
		{"the form for a signer", get("/admin/propose/contract_signer/" + c.org.ID), everybody(200, "operator", "administrator", "away")},
		{"an administrator", post("/admin/propose/administrator", "name", " "), everybody(422, "administrator")},
		{"a signer", post("/admin/propose/contract_signer/"+c.org.ID, "name", " "), and(everybody(422, "operator", "administrator"), everybody(403, "away"))},
		{"a reviewer", post("/admin/propose/reviewer/example", "name", " "), and(everybody(422, "operator", "administrator"), everybody(403, "away"))},
	}
	// What is not theirs to do is not there; what it lacks, or that it is in force already, is told to those whose it is alone.
	for _, m := range moves {
		want := and(everybody(422, "operator", "administrator"), everybody(403, "away"))
		switch m.path {
		case "suspend":
			want["approver"] = 422
		case "confirm":
			want["operator"], want["administrator"] = 409, 409
		case "resume", "resume-second":
			want["operator"], want["administrator"] = 409, 409
		}
		calls = append(calls, call{"to " + m.path, post(person+"/"+m.path, "seen", "x"), want})
	}
	c.hold(people, "Secret Signer", calls)
	if after := c.dossierNow().Journal.Written; after != before {
		t.Errorf("the dossier has changed")
	}
	a, err := c.svc.Appointments.Get(t.Context(), c.office[signer].ID)
	if err != nil || a.Status != proofing.AppointmentActive || a.Asked != nil {
		t.Errorf("the appointment has changed: %+v, %v", a, err)
	}

	// And what no form of ours sends does nothing.
	c.one.renew()
	for _, path := range []string{"/admin/organizations", dossier + "/items", dossier + "/review", dossier + "/rule", person + "/suspend", "/admin/propose/administrator"} {
		c.one.site = "cross-site"
		c.want(c.one.post(path, "reason", "x", "name", "x", "needed", "1"), 403, "another site")
		c.one.site = "same-origin"
		cookie := c.one.cookie
		c.one.cookie = ""
		c.want(c.one.post(path, "reason", "x", "name", "x", "needed", "1"), 403)
		c.one.cookie = cookie
	}
	for _, path := range []string{"/admin/organizations", dossier, dossier + "/items", dossier + "/review", dossier + "/rule", "/admin/people", person, person + "/suspend", "/admin/propose/administrator"} {
		c.one.send("HEAD", path+"?reason=x&name=x&needed=1", nil)
		c.one.get(path + "?reason=x&name=x&needed=1")
	}
	if after := c.dossierNow().Journal.Written; after != before {
		t.Errorf("looking at the dossier has changed it")
	}
}

// administrators are the appointments of the first two.
func (c *court) administrators() (ids []string) {
	c.t.Helper()
	all, err := c.svc.ListAdministrators(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	for _, a := range all {
		ids = append(ids, a.ID)
	}
	return ids
}
