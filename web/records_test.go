package web

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/challenges"
	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// colleague is a representative at a browser of theirs.
type colleague struct {
	*browser
	key *webauthntest.Authenticator
}

// atDesk is a house with a profile that takes records, and with two representatives.
func atDesk(t *testing.T) (h *house, ada, bob *colleague) {
	t.Helper()
	h = newHouse(t)
	rp, err := webauthn.New(webauthn.Config{ID: "proof.example.org", Name: "Example", Origins: []string{origin}, Now: h.now})
	if err != nil {
		t.Fatal(err)
	}
	h.svc.Methods = challenges.Table(challenges.Config{Hasher: h.svc.Hasher, Countries: []string{"GB"}, Passkeys: rp})
	const day = 24 * time.Hour
	h.svc.Policy.Own = &proofing.Profile{Title: "Own", Framework: proofing.R4, Methods: []string{"fido", "email"}}
	h.svc.Policy.Profiles["proofed"] = &proofing.Profile{
		Name: "proofed", Title: "Proofed certificate", Framework: proofing.R4, Identifiers: []string{"email"}, Methods: []string{"email", "sms", "representative"},
		Require:      proofing.Requirement{IAL: 2, ConfirmedAddresses: []proofing.Channel{proofing.ChannelEmail, proofing.ChannelPhone}},
		CaseLifetime: 3 * day, GrantLifetime: 30 * day, Retention: 90 * day,
	}
	h.ca.Profiles = append(h.ca.Profiles, "proofed")
	return h, h.colleague("ada"), h.colleague("bob")
}

// colleague signs somebody up at /me, and names them.
func (h *house) colleague(name string) *colleague {
	h.t.Helper()
	c := &colleague{h.browser(), webauthntest.New()}
	c.get("/me")
	page := c.follow(c.post("/me/sign-in"))
	c.passkey(page, "enrol")
	c.wait(time.Second)
	c.passkey(page, "begin")
	c.want(c.get("/me"), 200, "What is yours here")
	mine := c.session() // its reference is new
	page = "/c/" + mine.ID + "." + mine.LinkSecret.Reveal()
	c.want(c.post(page+"/begin", "method", "email", "address", name+"@example.org"), http.StatusSeeOther)
	c.work()
	mine = c.session()
	c.want(c.post(page+"/answer", "attempt", mine.Current("email").ID, "code", c.sent.last().Code.Reveal()), http.StatusSeeOther)
	c.work()
	contact, err := h.svc.Methods["email"].Check(name + "@example.org")
	if err == nil {
		_, err = h.svc.Appoint(h.t.Context(), contact, name, "documents, 2026", time.Time{})
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// follow is where an answer leads.
func (c *colleague) follow(w interface{ Result() *http.Response }) string {
	c.t.Helper()
	to, _, _ := strings.Cut(w.Result().Header.Get("Location"), "#")
	if to == "" {
		c.t.Fatalf("status %d leads nowhere", w.Result().StatusCode)
	}
	return to
}

// passkey creates or uses the passkey in a session's case.
func (c *colleague) passkey(page, what string) {
	c.t.Helper()
	c.want(c.post(page+"/"+what, "method", "fido"), http.StatusSeeOther)
	id, _, _ := strings.Cut(strings.TrimPrefix(page, "/c/"), ".")
	have, err := c.svc.Cases.Get(c.t.Context(), id)
	if err != nil {
		c.t.Fatal(err)
	}
	a := have.Current("fido")
	var answer []byte
	if what == "enrol" {
		answer, err = c.key.Create(a.Ask, origin)
	} else {
		answer, err = c.key.Get(a.Ask, origin)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	c.want(c.post(page+"/answer", "attempt", a.ID, "response", string(answer)), http.StatusSeeOther)
	c.work()
}

var sessionCookie = regexp.MustCompile(`__Host-session=([0-9a-z]+)\.`)

// session is the case that the browser's session cookie names.
func (c *colleague) session() *proofing.Case {
	c.t.Helper()
	m := sessionCookie.FindStringSubmatch(c.cookie)
	if m == nil {
		c.t.Fatalf("no session in %q", c.cookie)
	}
	have, err := c.svc.Cases.Get(c.t.Context(), m[1])
	if err != nil {
		c.t.Fatal(err)
	}
	return have
}

// onSite are the fields of two pieces that were seen on site, as the form posts them.
var onSite = []string{
	"type", "onsite_attended", "strength1", "strong", "validated1", "strong", "government1", "yes", "portrait1", "yes",
	"strength2", "strong", "validated2", "superior", "portrait2", "yes", "verification", "strong", "pathway", "biometric", "biometric", "yes", "core", "yes", "address", "postal",
}

var formField = regexp.MustCompile(`name="(record|version)" value="([^"]*)"`)

func TestARecordFromTheApplicantsPageToTheGrant(t *testing.T) {
	h, ada, bob := atDesk(t)
	c := h.open("proofed", "email", "applicant@example.org")
	applicant, page := h.browser(), path(c.CaseURL(origin))
	h.want(applicant.get(page), 200, "Reach identity level IAL 2", "Have your identity recorded in person", "First do one of the other steps", "identity recorded by a representative")
	applicant.prove(c, "email", "applicant@example.org")
	applicant.prove(c, "sms", "+447400123456")
	h.want(applicant.get(page), 200, "Show the code for the representative", `aria-current="step"`)
	h.want(applicant.post(page+"/representative"), http.StatusSeeOther)
	shown := regexp.MustCompile(`data-desk-code>([0-9A-Z]{4}-[0-9A-Z]{4})<`).FindStringSubmatch(applicant.get(page).Body.String())
	if shown == nil {
		t.Fatal("the applicant's page shows no code")
	}

	h.want(ada.get("/me"), 200, `href="/desk"`)
	h.want(ada.get("/desk"), 200, "Nothing waits.", "ada")
	h.want(ada.post("/desk/open", "code", "0000-<0000"), 422, "No open request shows this code", `value="0000-&lt;0000"`)
	record := ada.follow(ada.post("/desk/open", "code", strings.ToLower(shown[1])))
	body := ada.get(record).Body.String()
	for _, said := range []string{shown[1], "applicant@example.org", "••", "Write down nothing else", "SP 800-63A-4 3.10", "3Zqx 9fKd 0aBc"} {
		if !strings.Contains(body, said) {
			t.Errorf("the record's page does not say %q", said)
		}
	}
	if strings.Contains(body, "+447400123456") || strings.Contains(body, "/n/") {
		t.Error("the representative sees the whole number, or the link of not me")
	}

	// A mistake keeps what was typed.
	h.want(ada.post(record+"/save", append(onSite, "address", "nowhere")...), 422, "Choose one of the addresses", `<option value="superior" selected>`)
	number := regexp.MustCompile(`name="notice" value="([^"]+)"> <span>Sent from here[^<]*<bdi class="value">&#43;44`).FindStringSubmatch(body)
	if number == nil {
		t.Fatal("the number is not offered for the notice")
	}
	h.want(ada.post(record+"/save", onSite...), http.StatusSeeOther)
	h.want(ada.get(record), 200, "No notice of the proofing was sent", "Reach identity level IAL 2")
	h.want(ada.post(record+"/save", append(onSite, "notice", html.UnescapeString(number[1]))...), http.StatusSeeOther)
	saved := ada.get(record)
	h.want(saved, 200, "What it would earn", "<b>2</b>", "Nothing else would be missing", "Hand it in for review")
	h.want(ada.get("/desk"), 200, "You have begun; nothing is handed in.")
	form := map[string]string{}
	for _, m := range formField.FindAllStringSubmatch(saved.Body.String(), -1) {
		form[m[1]] = m[2]
	}
	h.want(ada.post(record+"/submit", "record", form["record"], "version", "1"), 422, "has changed since you saw it")
	h.want(ada.post(record+"/submit", "record", form["record"], "version", form["version"]), http.StatusSeeOther)
	h.want(ada.get(record), 200, "waits for somebody else’s review")
	h.want(ada.get("/desk"), 200, "Waits for somebody else’s review.")
	h.want(ada.post(record+"/review", "record", form["record"], "decision", "accept"), 422, "You recorded this yourself")
	h.want(applicant.get(page), 200, "A second person has to review it")

	h.want(bob.get("/desk"), 200, "Waits for your review.", "applicant@example.org")
	h.want(bob.get(record), 200, "Recorded by <b><bdi>ada</bdi></b>", "validated as SUPERIOR", "Accept it", "<b>2</b>")
	h.want(bob.post(record+"/review", "record", form["record"], "decision", "refuse", "reason", " "), 422, "Say why it is refused")
	h.want(bob.post(record+"/review", "record", form["record"], "decision", "maybe"), 422)
	h.want(bob.post(record+"/review", "record", form["record"], "decision", "accept"), http.StatusSeeOther)
	h.work()
	h.want(applicant.get(page), 200, "Done: the request is authorized", "Identity recorded by a representative, and reviewed", "<b>2</b>")
	h.want(bob.get(record), 200, "takes no record any more", "Reviewed by <b><bdi>bob</bdi></b>")
	h.want(bob.get("/desk"), 200, "Nothing waits.")
}

func TestTheDeskIsThereForRepresentativesAlone(t *testing.T) {
	h, ada, bob := atDesk(t)
	c := h.open("proofed", "email", "applicant@example.org")
	applicant := h.browser()
	applicant.prove(c, "email", "applicant@example.org")
	record := "/desk/" + c.ID
	h.want(ada.get(record), http.StatusNotFound)
	h.want(applicant.post(path(c.CaseURL(origin))+"/representative"), http.StatusSeeOther)
	h.want(ada.get(record), 200)
	if to := ada.follow(applicant.get("/desk")); to != "/me/sign-in" {
		t.Errorf("a stranger is sent to %s", to)
	}
	if err := h.svc.Dismiss(t.Context(), bob.session().Person); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/desk", record} {
		h.want(bob.get(path), http.StatusNotFound)
	}
	for _, path := range []string{"/desk/open", record + "/save", record + "/submit", record + "/review"} {
		h.want(bob.post(path, "version", "1", "decision", "accept"), http.StatusNotFound)
		if to := ada.follow(ada.get(path)); to != "/desk" && to != record {
			t.Errorf("GET %s leads to %s", path, to)
		}
	}
	before := h.stored(c)
	ada.get(record)
	ada.get("/desk")
	if h.stored(c) != before {
		t.Error("looking at a record has changed its case")
	}
	// Saving takes longer than an authentication is fresh; handing in takes one.
	h.wait(11 * time.Minute)
	h.want(ada.post(record+"/save", onSite...), http.StatusSeeOther)
	h.want(ada.get(record), 200, "first confirm once more that it is you", `href="/me?method=fido"`)
	have, err := h.svc.Cases.Get(t.Context(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	h.want(ada.post(record+"/submit", "record", have.Proofings[0].ID, "version", "1"), http.StatusForbidden, "what you saved is still there")
}
