package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

func TestTheFirstTwoAdministratorsJoinByTheirLinks(t *testing.T) {
	h := consoleHouse(newHouse(t))
	first, err := h.svc.Bootstrap(t.Context(), [2]string{"One <1>", "Two"}, false)
	if err != nil {
		t.Fatal(err)
	}
	one, two := &colleague{h.browser(), webauthntest.New()}, &colleague{h.browser(), webauthntest.New()}
	link := path(first[0].JoinURL(origin))
	shown := one.get(link)
	h.want(shown, 200, "For <b><bdi>One &lt;1&gt;</bdi></b>", "Administrator", "The whole service", "whoever runs the server", "Sign in, or create a passkey")
	if strings.Contains(shown.Body.String(), "<form") {
		t.Error("who is not signed in is shown a form")
	}
	// Whoever has nothing yet creates a passkey, uses it, and comes back.
	h.want(one.get("/me/sign-in?to="+link), 200, "the next page creates one", `href="/me/sign-in?lang=de&amp;to=`+url.QueryEscape(link)+`"`)
	page := one.follow(one.post("/me/sign-in"))
	const create = `<button type="submit">Create a passkey</button>`
	h.want(one.get(page), 200, "<h1>Sign in, or create a passkey</h1>", `<button type="submit">Use my passkey</button>`, "If you have one here already.", create, "If you have none here yet.")
	plain := h.browser()
	plain.get("/me/sign-in")
	to, _, _ := strings.Cut(plain.post("/me/sign-in").Header().Get("Location"), "#")
	if body := plain.get(to).Body.String(); strings.Contains(body, create) || !strings.Contains(body, "<h1>Sign in</h1>") {
		t.Errorf("whoever comes to sign in is asked to create a passkey first:\n%s", body)
	}
	one.passkey(page, "enrol")
	h.wait(time.Second)
	if strings.Contains(one.get(page).Body.String(), create) {
		t.Error("who has just created one is asked to create another")
	}
	h.want(one.post(page+"/begin", "method", "fido"), http.StatusSeeOther)
	if to := one.signIn(page); to != link {
		t.Fatalf("after signing in: %s", to)
	}
	h.want(one.get("/admin"), 404)
	h.want(one.get(link), 200, "Yes, I take up this role")
	h.want(one.post(link), http.StatusSeeOther)
	h.want(one.get(link), 200, "The console opens as soon as the other")
	early := one.get("/admin")
	h.want(early, 200, "For <b><bdi>One &lt;1&gt;</bdi></b>", "The console opens as soon as the other")
	if body := early.Body.String(); strings.Contains(body, `href="/admin/people"`) || strings.Contains(body, first[0].Link.Reveal()) {
		t.Error("who has no role yet is led on, or shown a link")
	}
	h.want(one.get("/admin/people"), 200, "The console opens as soon as the other")
	h.want(one.get("/admin/people/x/confirm"), 303)
	h.want(one.post(link), http.StatusSeeOther) // it may come twice

	two.get("/me")
	page = two.follow(two.post("/me/sign-in"))
	two.passkey(page, "enrol")
	h.wait(time.Second)
	two.passkey(page, "begin")
	// Somebody else's link, used, says nothing of it.
	over := two.get(link)
	h.want(over, 200, "This link has been used")
	if strings.Contains(over.Body.String(), "One &lt;1&gt;") {
		t.Error("a link that was used says for whom it was")
	}
	h.want(two.post(link), http.StatusSeeOther)
	other := path(first[1].JoinURL(origin))
	h.wait(11 * time.Minute)
	stale := two.post(other)
	h.want(stale, 403, "Confirm with your passkey", "to=%2Fadmin%2Fjoin%2F")
	two.renew()
	h.want(two.post(other), http.StatusSeeOther)
	h.want(two.get(other), 200, "Both are there: the console is open.", `href="/admin"`)
	for _, m := range []*colleague{one, two} {
		h.want(m.get("/admin"), 200, "Nothing waits here.", "Before it, you name who works for an authority", `<a href="/admin/people">Name somebody</a>`)
	}
}

func TestARoleIsTakenUpByAnotherAndWaitsForAThird(t *testing.T) {
	c := newCourt(t)
	a, err := c.svc.ProposeAppointment(t.Context(), c.visits(c.one), proofing.AppointmentDraft{
		Name: "New <approver>", Role: proofing.RoleApprover, Organization: c.org.ID, Source: proofing.RoleSource{Kind: proofing.SourceResolution, Reference: "file 3"},
	})
	if err != nil {
		t.Fatal(err)
	}
	link := path(a.JoinURL(origin))
	m := c.keyholder()
	c.want(m.get(link), 200, "New &lt;approver&gt;", "Certificate Approver", "Example &lt;Corporation&gt;", "<bdi>One</bdi>", "You approve, for your organization", "The link is good until")
	c.want(c.one.post(link), 422, "You proposed this yourself.")
	// Whoever shares a browser sees whose session it is before they take up a role in it.
	c.want(c.approver.get(link), 200, "Certificate Approver", "You are signed in as somebody who has here already", "Sign out")
	// Who signs out there is told so, where they sign in as somebody else, and comes back.
	leaver := *c.approver
	to := leaver.follow(leaver.post("/me/sign-out?lang=de", "to", link))
	if !strings.HasPrefix(to, "/me/sign-in?") || !strings.Contains(to, "lang=de") {
		t.Errorf("signing out there leads to %s", to)
	}
	c.want(leaver.get(to), 200, "Sie sind abgemeldet.")
	if got := m.get(to).Body.String(); strings.Contains(got, "Sie sind abgemeldet.") {
		t.Error("who is signed in is told that they are not")
	}
	page := leaver.follow(leaver.post("/me/sign-in"))
	c.want(leaver.post(page+"/begin", "method", "fido"), http.StatusSeeOther)
	if back := leaver.signIn(page); back != link {
		t.Errorf("after signing in again: %s", back)
	}
	for _, wrong := range []string{"https://elsewhere.example/", "//elsewhere.example/admin/join/x", "/admin/join/../../x", "/admin"} {
		other := c.keyholder()
		if to := other.follow(other.post("/me/sign-out", "to", wrong)); to != "/" {
			t.Errorf("%s leads to %s", wrong, to)
		}
	}
	c.approver.renew()
	if got := m.get(link).Body.String(); strings.Contains(got, "who has here already") {
		t.Error("who has no role is shown some")
	}
	c.approver.renew()
	c.want(c.approver.post(link), 422, "This person holds the role already.")
	c.want(m.post(link), http.StatusSeeOther)
	c.want(m.get(link), 200, "somebody else who names people there must confirm")
	if a, err = c.svc.Appointments.Get(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := c.svc.ConfirmAppointment(t.Context(), c.visits(c.two), a.ID, a.Journal.Written); err != nil {
		t.Fatal(err)
	}
	c.want(m.get(link), 200, "The role is yours.", `href="/admin"`)

	// What is no link says that of it, and nothing else.
	for _, wrong := range []string{link + "x", "/admin/join/" + a.ID, "/admin/join/" + a.ID + ".", "/admin/join/x.y"} {
		c.want(m.get(wrong), 404, "link")
		c.want(m.post(wrong), 404)
	}
	b, err := c.svc.ProposeAppointment(t.Context(), c.visits(c.one), proofing.AppointmentDraft{Name: "Late", Role: proofing.RoleOperator, CA: "example"})
	if err != nil {
		t.Fatal(err)
	}
	c.wait(8 * 24 * time.Hour)
	c.want(m.get(path(b.JoinURL(origin))), 200, "This link has been used, has run out")
}
