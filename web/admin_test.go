package web

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

func TestTheQueueShowsEverybodyWhatIsTheirsToSee(t *testing.T) {
	c := newCourt(t)
	k := c.submitted("signing2")
	href := `href="/admin/cases/` + k.ID + `"`
	c.want(c.approver.get("/admin"), 200, href, "Example &lt;Corporation&gt;", "Example CA", "EV code signing", "Waits for you", "Certificate Approver", "0 of 2 have approved", "Legal name", "is missing", "and 1", `aria-current="page"`)
	for _, m := range []*colleague{c.requester, c.specialist, c.reviewer, c.one} {
		page := m.get("/admin?stage=submitted")
		c.want(page, 200, href)
		if strings.Contains(page.Body.String(), "Waits for you") {
			t.Errorf("it waits for %s", m.session().Person)
		}
	}
	// Where somebody decides their own stage comes first.
	c.want(c.specialist.get("/admin"), 200, "Nothing waits here.", `>Vetting <span class="count">0</span>`, `>For approval <span class="count">1</span>`)
	foreign := c.seat("foreign", proofing.RoleReviewer, "other", "")
	for _, stage := range []string{"submitted", "vetting", "cross_correlation"} {
		if page := foreign.get("/admin?stage=" + stage); page.Code != 200 || strings.Contains(page.Body.String(), "Corporation") {
			t.Errorf("a reviewer of another authority gets %d, or sees it", page.Code)
		}
	}
	// Whoever has several roles chooses by which they look.
	own := c.appoint(foreign, "foreign", proofing.RoleSpecialist, "example", "")
	c.want(foreign.get("/admin?as="+own.ID+"&stage=submitted"), 200, href, "Other CA", "Validation specialist")
	for _, wrong := range []string{"?as=" + c.office[c.approver].ID, "?stage=granted", "?as=" + own.ID + "x"} {
		c.want(foreign.get("/admin"+wrong), 404)
	}
	if to := foreign.follow(foreign.get("/admin?after=x&stage=vetting")); !strings.HasPrefix(to, "/admin?as=") {
		t.Errorf("a cursor of nowhere leads to %s", to)
	}
}

func TestTheQueueGoesOnFromPageToPage(t *testing.T) {
	c := newCourt(t)
	// The requester's one proof serves none of these, which differ in their accounts: they are put in place as they are stored.
	k := c.submitted("signing")
	for i := range queuePage + 4 {
		other := *k
		other.ID, other.Natural = proofing.NewID(nil), ""
		approval := *k.Approval
		approval.Since = k.Approval.Since.Add(time.Duration(i+1) * time.Minute)
		other.Approval = &approval
		if err := c.svc.Cases.Create(t.Context(), other.ID, &other); err != nil {
			t.Fatal(err)
		}
	}
	first := c.approver.get("/admin").Body.String()
	if n := strings.Count(first, `class="mine"`); n != queuePage || !strings.Contains(first, `For approval <span class="count">50&#43;</span>`) {
		t.Fatalf("%d rows on the first page", n)
	}
	_, rest, _ := strings.Cut(first, `<p class="pages"><a href="`)
	next, _, _ := strings.Cut(rest, `"`)
	second := c.approver.get(strings.ReplaceAll(next, "&amp;", "&")).Body.String()
	if n := strings.Count(second, `class="mine"`); n != 5 || !strings.Contains(second, `<span class="count">50&#43;</span>`) || !strings.Contains(second, "Back to the oldest") {
		t.Errorf("%d rows on the second page", n)
	}
}

func TestTheConsoleIsThereForItsPeopleAlone(t *testing.T) {
	c := newCourt(t)
	member := c.keyholder()
	nowhere := member.get("/nowhere")
	c.want(nowhere, 404)
	if got := member.get("/admin"); got.Code != 404 || got.Body.String() != nowhere.Body.String() {
		t.Errorf("who has no role gets %d and another page than at a path that does not exist", got.Code)
	}
	if got := member.post("/admin"); got.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST /admin: %d", got.Code)
	}
	c.want(c.approver.get("/me"), 200, `href="/admin"`)
	if page := member.get("/me").Body.String(); strings.Contains(page, `href="/admin"`) {
		t.Error("who has no role is led to the console")
	}
	// Nobody is signed in: they are asked to, and come back.
	c.approver.post("/me/sign-out")
	to := c.approver.follow(c.approver.get("/admin?lang=de"))
	if to != "/me/sign-in?lang=de&to=%2Fadmin" {
		t.Fatalf("led to %s", to)
	}
	c.want(c.approver.get(to), 200)
	page := c.approver.follow(c.approver.post("/me/sign-in"))
	c.want(c.approver.post(page+"/begin", "method", "fido"), http.StatusSeeOther)
	if to := c.approver.signIn(page); to != "/admin" {
		t.Errorf("after signing in: %s", to)
	}
	c.want(c.approver.get("/admin"), 200)
	if to := c.approver.follow(c.approver.post("/me/sign-out")); to != "/" || strings.Contains(c.approver.cookie, "__Host-back") {
		t.Errorf("the way back is kept: %s", c.approver.cookie)
	}
}

// signIn answers what the passkey was asked in a session's case, and returns where that leads.
func (m *colleague) signIn(page string) string {
	m.t.Helper()
	id, _, _ := strings.Cut(strings.TrimPrefix(page, "/c/"), ".")
	have, err := m.svc.Cases.Get(m.t.Context(), id)
	if err != nil {
		m.t.Fatal(err)
	}
	a := have.Current("fido")
	answer, err := m.key.Get(a.Ask, origin)
	if err != nil {
		m.t.Fatal(err)
	}
	return m.follow(m.post(page+"/answer", "attempt", a.ID, "response", string(answer)))
}

func TestOnlyTheConsoleIsComeBackTo(t *testing.T) {
	for path, want := range map[string]bool{
		"/admin": true, "/admin/cases/0a1b": true, "/admin/join/0a.Zz-_9": true,
		"": false, "/": false, "/me": false, "//evil.example": false, "/administrator": false, "/admin/..//evil.example": false, "/admin/../me": false,
		"https://evil.example/admin": false, `/admin\evil`: false, "/admin/x?y=z": false, "/admin/%2e%2e": false, "/admin/x#y": false, "/admin/\r\nx": false, "/admin/é": false,
	} {
		if ofConsole(path) != want {
			t.Errorf("%q: %v", path, !want)
		}
	}
}

func TestWhatHasEndedIsFoundOnTheDossierAndByWhatItIsCalled(t *testing.T) {
	c := newCourt(t)
	operator := c.seat("operator", proofing.RoleOperator, "example", "")
	foreign := c.seat("foreign operator", proofing.RoleOperator, "other", "")
	another, _, err := c.svc.OpenOrganization(t.Context(), c.visits(c.specialist), "example", "Another Corporation")
	if err != nil {
		t.Fatal(err)
	}
	stranger := c.seat("stranger", proofing.RoleApprover, "", another.ID)
	k := c.submitted("signing")
	if _, err := c.svc.Revoke(t.Context(), k.ID, "operator"); err != nil {
		t.Fatal(err)
	}
	c.wait(time.Minute)
	under := c.submitted("signing")
	cert := c.disowned(under, "1", "O=Example")
	c.want(operator.get("/admin?stage=vetting"), 200, `name="find"`, `<input type="hidden" name="stage" value="vetting">`) // nothing found, they are where they were
	if body := operator.get("/admin").Body.String(); strings.Contains(body, k.ID) {
		t.Error("what has ended waits")
	}
	dossier := organizationPath(c.org.ID)
	page := c.approver.get(dossier)
	c.want(page, 200, `href="/admin/cases/`+k.ID+`"`, `href="/admin/cases/`+under.ID+`"`, "Refused")
	if body := page.Body.String(); strings.Index(body, under.ID) > strings.Index(body, k.ID) {
		t.Error("the oldest stands first")
	}
	if to := c.approver.follow(c.approver.get(dossier + "?after=x")); to != dossier {
		t.Errorf("a cursor of nowhere leads to %s", to)
	}
	find := func(m *colleague, what string) string {
		t.Helper()
		w := m.get("/admin?find=" + url.QueryEscape(what))
		if w.Code == http.StatusOK {
			c.want(w, 200, "Nothing of yours is called like that.", `value="`+html.EscapeString(what)+`"`)
			return ""
		}
		return m.follow(w)
	}
	for _, m := range []*colleague{operator, c.approver, c.requester, c.one} {
		for what, want := range map[string]string{k.ID: "/admin/cases/" + k.ID, " " + k.ID + " ": "/admin/cases/" + k.ID, c.org.Name: dossier, cert.Serial: "/admin/cases/" + under.ID, "nobody": ""} {
			if to := find(m, what); to != want {
				t.Errorf("%q leads to %q", what, to)
			}
		}
	}
	for who, m := range map[string]*colleague{"another authority's operator": foreign, "another organization's approver": stranger} {
		for _, what := range []string{k.ID, c.org.Name, cert.Serial, cert.ID} {
			if to := find(m, what); to != "" {
				t.Errorf("%s finds %q at %s", who, what, to)
			}
		}
		// Neither the list of requests nor that of a request's certificates is on a page that they can open.
		for _, page := range []string{dossier, dossier + "?after=x", "/admin/cases/" + k.ID, "/admin/cases/" + under.ID} {
			c.want(m.get(page), 404)
		}
	}
	c.want(stranger.get("/admin?find=Another+Corporation"), 303)
	c.want(stranger.get("/admin/organizations"), 200, `<form class="find" method="get" action="/admin">`)
}

// Dossiers and serial numbers are an authority's own, so that one name may mean several things.
func TestWhatHasOneNameAndIsSeveralIsListed(t *testing.T) {
	c := newCourt(t)
	elsewhere := c.seat("foreign", proofing.RoleSpecialist, "other", "")
	twin, _, err := c.svc.OpenOrganization(t.Context(), c.visits(elsewhere), "other", c.org.Name)
	if err != nil {
		t.Fatal(err)
	}
	one := c.submitted("signing")
	cert := c.disowned(one, "1", "O=Example")
	if _, err := c.svc.Revoke(t.Context(), one.ID, "operator"); err != nil {
		t.Fatal(err)
	}
	c.wait(time.Minute)
	two := c.submitted("signing")
	c.disowned(two, "1", "O=Example") // its serial number is the same
	page := c.one.get("/admin?find=" + url.QueryEscape(c.org.Name) + "&stage=vetting")
	c.want(page, 200, "2 things of yours are called like that.", `href="`+organizationPath(c.org.ID)+`"`, `href="`+organizationPath(twin.ID)+`"`, `name="stage" value="vetting"`)
	if to := elsewhere.follow(elsewhere.get("/admin?find=" + url.QueryEscape(c.org.Name))); to != organizationPath(twin.ID) {
		t.Errorf("a specialist of the other authority finds %s", to)
	}
	c.want(c.one.get("/admin?lang=de&find="+cert.Serial), 200, "2 Ihrer Sachen heißen so.", one.ID, two.ID, "/admin/cases/"+one.ID+"?lang=de")
	c.want(elsewhere.get("/admin?find="+cert.Serial), 200, "Nothing of yours is called like that.")
}
