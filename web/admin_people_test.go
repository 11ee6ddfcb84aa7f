package web

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

var joinShown = regexp.MustCompile(`<pre data-join>https://proof\.example\.org(/admin/join/[^<]+)</pre>`)

// proposes fills in the form for a role, and returns the page of the appointment and the link in the answer.
func (c *court) proposes(m *colleague, path string, pairs ...string) (page, link string) {
	c.t.Helper()
	m.renew()
	f := formAt(c.t, m.get(path).Body.String(), `name="once"`).with(pairs...)
	w := m.sends(f)
	c.want(w, 200, "Hand this link to")
	found := joinShown.FindStringSubmatch(w.Body.String())
	if found == nil {
		c.t.Fatalf("no link in:\n%s", w.Body)
	}
	// The same form once more is the same proposal.
	if again := m.sends(f); !strings.Contains(again.Body.String(), found[0]) {
		c.t.Error("the same form twice is two proposals")
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(found[1], "/admin/join/"), ".")
	return personPath(id), found[1]
}

func TestAnAppointmentFromItsProposalToItsEnd(t *testing.T) {
	c := newCourt(t)
	page := c.one.get("/admin/people?organization=" + c.org.ID)
	c.want(page, 200, "requester", "second", `href="/admin/propose/contract_signer/`+c.org.ID+`"`)
	path := "/admin/propose/contract_signer/" + c.org.ID
	c.want(c.one.get(path), 200, "As <b><bdi>Contract Signer</bdi></b> for <b><bdi>"+orgShown+"</bdi></b>", "Verified Professional Letter")
	f := formAt(t, c.one.get(path).Body.String(), `name="once"`)
	c.one.renew()
	c.want(c.one.sends(f.with("name", "S. <Signer>", "role_source", "contract", "source_reference", " ")), 422, `id="propose-role_source-error"`, `value="S. &lt;Signer&gt;"`, `<option value="contract" selected>`)
	c.want(c.one.sends(f.with("source_reference", "file <3>", "name", " ")), 422, `id="propose-name-error"`)
	c.want(c.one.sends(f.with("name", "S. <Signer>", "term", "2020-01-01")), 422, `id="propose-term-error"`)
	person, link := c.proposes(c.one, path, "name", "S. <Signer>", "role_source", "contract", "source_reference", "file <3>", "term", "2028-01-01")
	secret := link[strings.LastIndex(link, ".")+1:]
	for _, m := range []*colleague{c.one, c.two, c.specialist, c.approver} {
		if body := m.get(person).Body.String(); strings.Contains(body, secret) || strings.Contains(body, "data-join") || !strings.Contains(body, "S. &lt;Signer&gt;") {
			t.Error("the page of the appointment shows its link, or nothing")
		}
	}
	c.want(c.two.get(person), 200, "Waits for the person to take it up", "Nobody has taken it up yet", "file &lt;3&gt;", "Ends on", "1 January 2028", "Withdraw")

	signer := c.keyholder()
	signer.get(link)
	c.want(signer.post(link), http.StatusSeeOther)
	come := c.two.get(person)
	c.want(come, 200, "Waits for somebody else to confirm who has come", "Passkey shown when it was taken up", "Nothing attests what kind of device it is", "Make sure, in another way than by this page", "by <b><bdi>One</bdi></b>")
	c.want(c.one.get(person), 200, "You proposed this yourself. Somebody else has to do this.")
	if strings.Contains(c.one.get(person).Body.String(), person+"/confirm") || strings.Contains(c.specialist.get(person).Body.String(), "<form method=\"post\" action=\""+person) {
		t.Error("who may not do it is offered it")
	}
	confirm := formAt(t, come.Body.String(), person+"/confirm")
	c.two.renew()
	c.want(c.two.sends(formAt(t, come.Body.String(), person+"/confirm").with("seen", "1")), 422, "This has changed since you looked")
	c.want(c.two.sends(formAt(t, come.Body.String(), person+"/confirm").with("seen", "x")), 422, "This has changed since you looked")
	c.want(c.one.send("POST", confirm.action, confirm.values), 422, "You proposed this yourself")
	c.want(c.specialist.send("POST", confirm.action, confirm.values), 404)
	for range 2 { // it may come twice
		c.want(c.two.sends(confirm), http.StatusSeeOther)
	}
	c.want(c.two.get(person), 200, "In force", "Confirmed", "by <b><bdi>Two</bdi></b>")
	c.want(signer.get("/admin/organizations"), 200, orgShown)

	// Suspended by one; given back by two, of whom the second confirms what they saw.
	c.one.renew()
	suspend := formAt(t, c.one.get(person).Body.String(), person+"/suspend")
	c.want(c.one.sends(suspend.with("reason", " ")), 422, `id="suspend-reason-error"`)
	c.want(c.one.sends(suspend.with("reason", "lost <a key>")), http.StatusSeeOther)
	c.want(c.one.get(person), 200, "Suspended", "Reason: <bdi>lost &lt;a key&gt;</bdi>")
	c.want(signer.get("/admin/organizations"), 404)
	resume := formAt(t, c.one.get(person).Body.String(), person+`/resume"`, `name="reason"`)
	c.want(c.one.sends(resume.with("reason", "found <it>")), http.StatusSeeOther)
	c.want(c.one.get(person), 200, "You have asked for this. It waits for another person.", "Somebody has asked to give the role back.")
	c.want(c.two.get("/admin/people"), 200, "Somebody has asked to give the role back.")
	second := c.two.get(person)
	c.want(second, 200, "You are the second of two", "<bdi>found &lt;it&gt;</bdi>")
	agree := formAt(t, second.Body.String(), person+"/resume-second")
	c.two.renew()
	c.want(c.two.sends(formAt(t, second.Body.String(), person+"/resume-second").with("seen", "2")), 422, "This has changed since you looked")
	for range 2 {
		c.want(c.two.sends(agree), http.StatusSeeOther)
	}
	c.want(signer.get("/admin/organizations"), 200)

	// Confirmed again, and ended by two.
	again := formAt(t, c.two.get(person).Body.String(), person+"/reconfirm")
	c.want(c.two.sends(again.with("record", "")), 422, `id="reconfirm-record-error"`, "<details class=\"card move\" open>")
	c.want(c.two.sends(again.with("record", "file 4")), http.StatusSeeOther)
	c.want(c.two.get(person), 200, "Confirmed again")
	end := formAt(t, c.two.get(person).Body.String(), person+`/end"`)
	c.want(c.two.sends(end.with("reason", "left")), http.StatusSeeOther)
	c.one.renew()
	c.want(c.one.sends(formAt(t, c.one.get(person).Body.String(), person+"/end-second")), http.StatusSeeOther)
	c.want(c.one.get(person), 200, "Ended", "Reason: <bdi>left</bdi>", "There is nothing for you to do here.")
	c.want(signer.get("/admin/organizations"), 404)
	if to := c.one.follow(c.one.get(person + "/suspend")); to != person {
		t.Errorf("GET of a form leads to %s", to)
	}
}

func TestWhoHoldsARoleMayGiveItUp(t *testing.T) {
	c := newCourt(t)
	page := personPath(c.office[c.second].ID)
	c.second.renew()
	resign := formAt(t, c.second.get(page).Body.String(), page+"/resign")
	if to := c.second.follow(c.second.sends(resign)); to != "/me" {
		t.Errorf("after resigning: %s", to)
	}
	c.want(c.second.get(page), 404)
	c.want(c.one.get(page), 200, "The person has resigned.")
	// Of administrators two must be left.
	var mine string
	all, _, err := c.svc.ListAppointments(t.Context(), c.visits(c.two), proofing.AppointmentsQuery{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if a.Role == proofing.RoleAdministrator && a.Person == c.two.session().Person {
			mine = personPath(a.ID)
		}
	}
	c.want(c.two.sends(formAt(t, c.two.get(mine).Body.String(), mine+"/resign")), 422, "Two administrators who can act must be left")
	// What nobody has taken up is withdrawn by one.
	person, link := c.proposes(c.one, "/admin/propose/administrator", "name", "Third")
	c.want(c.two.sends(formAt(t, c.two.get(person).Body.String(), person+"/withdraw").with("reason", "a mistake")), http.StatusSeeOther)
	other := c.keyholder()
	other.get(link)
	other.post(link)
	if a, err := c.svc.Appointments.Get(t.Context(), strings.TrimPrefix(person, "/admin/people/")); err != nil || a.Status != proofing.AppointmentEnded || a.Person != "" || a.Reason != "a mistake" {
		t.Errorf("it was withdrawn, and is %+v (%v)", a, err)
	}
}

func TestAPreauthorizedApproverIsNamedByAnAgreement(t *testing.T) {
	c := newCourt(t)
	path := "/admin/propose/certificate_approver/" + c.org.ID
	c.want(c.one.get(path), 200, "This organization has no Contract Signer yet.")
	signer := c.seat("signer", proofing.RoleSigner, "", c.org.ID)
	c.one.renew()
	f := formAt(t, c.one.get(path).Body.String(), `name="once"`).with("name", "A", "role_source", "contract", "source_reference", "file 1", "agreement", "contract 5")
	c.want(c.one.sends(f), 422, `id="propose-agreement-error"`, "The agreement needs a reference")
	person, _ := c.proposes(c.one, path, "name", "A", "role_source", "signer_warranty", "source_reference", "file 1", "source_signer", c.office[signer].ID,
		"agreement", "contract <5>", "agreement_version", "2", "agreement_signer", c.office[signer].ID, "agreement_until", "2027-06-01")
	c.want(c.two.get(person), 200, "Warranty of a Contract Signer", "<b><bdi>contract &lt;5&gt;</bdi></b>, version <b><bdi>2</bdi></b>, signed by <b><bdi>signer</bdi></b>", "1 June 2027")
}

func TestWhoHasBeenAwayConfirmsFirstAndComesBack(t *testing.T) {
	c := newCourt(t)
	person := personPath(c.office[c.approver].ID)
	c.wait(20 * time.Minute)
	page := c.one.get(person)
	c.want(page, 200, "To change something, first confirm once more", `href="/me?method=fido&amp;to=%2Fadmin%2Fpeople%2F`)
	c.want(c.one.sends(formAt(t, page.Body.String(), person+"/suspend").with("reason", "a <doubt>")), 403, "First confirm once more that it is you", `value="a &lt;doubt&gt;"`)
	path := "/admin/propose/reviewer/example"
	c.want(c.one.sends(formAt(t, c.one.get(path).Body.String(), `name="once"`).with("name", "R. <Example>", "source_reference", "file 1")), 403, `value="R. &lt;Example&gt;"`)
	confirm := regexp.MustCompile(`href="(/me\?method=fido[^"]+)"`).FindStringSubmatch(page.Body.String())
	c.want(c.one.get(strings.ReplaceAll(confirm[1], "&amp;", "&")), 200)
	s := c.one.session()
	own := "/c/" + s.ID + "." + s.LinkSecret.Reveal()
	c.want(c.one.post(own+"/begin", "method", "fido"), http.StatusSeeOther)
	if to := c.one.signIn(own); to != person {
		t.Errorf("comes back to %s", to)
	}
	c.want(c.one.sends(formAt(t, c.one.get(person).Body.String(), person+"/suspend").with("reason", "a doubt")), http.StatusSeeOther)
}

func TestPeopleAreListedByPlaceAndStatus(t *testing.T) {
	c := newCourt(t)
	operator := c.seat("the operator", proofing.RoleOperator, "example", "")
	foreign := c.seat("the foreigner", proofing.RoleOperator, "other", "")
	c.want(c.one.get("/admin/people"), 200, "One", "Two", "the operator", "the foreigner", "requester", "Everywhere", "Other CA", `href="/admin/propose/administrator"`)
	page := operator.get("/admin/people")
	c.want(page, 200, "the operator", "requester", "reviewer", `href="/admin/propose/reviewer/example"`)
	if body := page.Body.String(); strings.Contains(body, "the foreigner") || strings.Contains(body, "propose/administrator") {
		t.Error("an operator sees what is not of their authority")
	}
	if body := foreign.get("/admin/people").Body.String(); strings.Contains(body, ">requester<") || strings.Contains(body, "the operator") {
		t.Error("another authority's operator sees its people")
	}
	for _, wrong := range []string{"?ca=example", "?organization=" + c.org.ID, "?status=nothing", "?organization=x"} {
		c.want(foreign.get("/admin/people"+wrong), 404)
	}
	c.want(operator.get("/admin/people?organization="+c.org.ID), 200, "requester", "second")
	page = c.approver.get("/admin/people")
	c.want(page, 200, "requester", "second")
	if body := page.Body.String(); strings.Contains(body, "specialist") || strings.Contains(body, "/admin/propose/") {
		t.Error("an approver sees the authority's people, or may propose")
	}
	c.want(c.one.get("/admin/people?status=suspended"), 200, "Nobody is listed here.")
	c.want(foreign.sends(formAt(t, foreign.get(personPath(c.office[foreign].ID)).Body.String(), personPath(c.office[foreign].ID)+"/resign")), http.StatusSeeOther)
	if body := c.one.get("/admin/people").Body.String(); strings.Contains(body, "the foreigner") || !strings.Contains(body, "since <time") {
		t.Error("who has ended is among the current ones, or nothing says since when these are there")
	}
	c.want(c.one.get("/admin/people?status=ended"), 200, "the foreigner", "Ended", "since <time")
	first := c.one.get("/admin/people?after=x&status=active")
	if to := c.one.follow(first); to != "/admin/people?status=active" {
		t.Errorf("a cursor of nowhere leads to %s", to)
	}
	for _, path := range []string{"/admin/propose/administrator/example", "/admin/propose/reviewer", "/admin/propose/reviewer/nowhere", "/admin/propose/certificate_approver/example", "/admin/propose/nobody", "/admin/people/x"} {
		c.want(c.one.get(path), 404)
	}
	for _, path := range []string{"/admin/propose/administrator", "/admin/propose/reviewer/example", "/admin/propose/certificate_approver/" + c.org.ID} {
		for _, m := range []*colleague{foreign, c.specialist, c.approver} {
			c.want(m.get(path), 404)
			c.want(m.post(path, "name", "x"), 404)
		}
	}
}

func TestWhoWasInvitedIsConfirmedByTwoAndEverybodyIsToldSo(t *testing.T) {
	c := newCourt(t)
	a, err := c.svc.InviteAdministrator(t.Context(), "Three")
	if err != nil {
		t.Fatal(err)
	}
	three, link, person := c.keyholder(), a.JoinURL("").Reveal(), personPath(a.ID)
	three.get(link)
	c.want(three.post(link), http.StatusSeeOther)
	c.want(three.get(link), 200, "Now two administrators must confirm that it was you")
	c.want(three.get("/admin"), 200, "Now two administrators must confirm that it was you")
	// Who comes in as them by a code is told no more than where others work.
	c.weak(three, "+447400123459")
	if body := three.get("/admin").Body.String(); strings.Contains(body, "two administrators") || !strings.Contains(body, `data-page="me"`) {
		t.Errorf("by a code they are told of the role:\n%s", body)
	}
	c.want(c.one.get("/admin/people?status=accepted"), 200, "Waits for two administrators to confirm who has come")
	first := c.one.get(person)
	c.want(first, 200, "Confirm who has come, as the first of two", "after you, another administrator must confirm it, too")
	c.one.renew()
	c.want(c.one.sends(formAt(t, first.Body.String(), person+"/confirm")), http.StatusSeeOther)
	c.want(three.get(link), 200, "one administrator has confirmed that it was you. A second one must, too")
	second := c.two.get(person)
	c.want(second, 200, "Confirmed by one administrator; waits for a second one", "With your confirmation they hold the role")
	c.two.renew()
	c.want(c.two.sends(formAt(t, second.Body.String(), person+"/confirm")), http.StatusSeeOther)
	c.want(three.get(link), 200, "The role is yours.")
}
