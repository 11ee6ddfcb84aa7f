package web

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

func TestACaseFromTheFirstPageToTheGrant(t *testing.T) {
	h := newHouse(t)
	h.entitle("www.example.com", "holder@example.org")
	c := h.open("server", "dns", "www.example.com")
	h.open("server", "dns", "mail.example.com")
	b, page := h.browser(), path(c.CaseURL(origin))

	h.want(b.get(page), 200, "Example CA", "www.example.com", "Server certificate", "3Zqx 9fKd 0aBc", "Example Operations",
		"mail.example.com", "30 days", "90 days", `autocomplete="email"`, path(c.DisownURL(origin)))
	if !strings.HasPrefix(b.cookie, "__Host-countersign=") {
		t.Fatalf("the cookie is %q", b.cookie)
	}
	_, m := b.begin(c, "email", "holder@example.org")
	h.want(b.get(page), 200, "h•••@example.org", `autocomplete="one-time-code"`, `aria-current="step"`, "Sent. It should arrive shortly.", "data-wait=")
	a := h.current(c, "email")
	wrong := b.post(page+"/answer", "attempt", a.ID, "code", "0000-0000")
	b.told(wrong, 200, "That is not the code.", "4 tries left.", `aria-invalid="true"`, "autofocus")
	typed := strings.ToLower(m.Code.Reveal()[:4]) + " - " + m.Code.Reveal()[4:]
	h.want(b.post(page+"/answer", "attempt", a.ID, "code", typed), http.StatusSeeOther)
	h.work()
	h.want(b.get(page), 200, `autocomplete="tel"`, "RESTRICTED", "Here the code only confirms a number", ">Done<")

	b.begin(c, "sms", "+44 7400 123456")
	h.want(b.get(page), 200, "data-otp", `inputmode="numeric"`)
	if body := b.get(page).Body.String(); strings.Contains(body, "8 digits") || strings.Contains(body, "10 digits") || strings.Contains(body, `maxlength="10"`) {
		t.Error("the page tells how long the code is")
	}
	a, m = h.current(c, "sms"), h.sent.last()
	h.want(b.post(page+"/answer", "attempt", a.ID, "code", m.Code.Reveal()), http.StatusSeeOther)
	h.work()
	h.want(b.get(page), 200, "Done: the request is authorized", "IAL", "h•••@example.org", "SP 800-63",
		"You control this e-mail address and this telephone number. That proves no identity. IAL 1 asks for none, and no other NIST level is claimed. A later code to the same number reaches AAL 1.")
	if other := h.browser().get(page); other.Code != 200 || strings.Contains(other.Body.String(), "h•••") {
		t.Error("another browser with the link sees what was proved")
	}
}

func TestASecondCodeAuthenticates(t *testing.T) {
	h := newHouse(t)
	h.entitle("www.example.com", "+447400123456")
	c := h.open("strong", "dns", "www.example.com")
	b, page := h.browser(), path(c.CaseURL(origin))
	h.want(b.get(page), 200, "Authenticate at level AAL 1", "This kind of certificate offers no unrestricted authenticator")
	b.prove(c, "sms", "+44 7400 123456")
	first, _ := h.svc.Cases.Get(t.Context(), c.ID)
	h.wait(time.Minute)
	h.want(b.get(page), 200, "One more code, to authenticate", "only confirmed that this number is yours", "•• 56")
	h.want(b.post(page+"/resend", "attempt", first.Attempts[0].ID), http.StatusSeeOther)
	h.work()
	a := h.current(c, "sms")
	h.want(b.post(page+"/answer", "attempt", a.ID, "code", h.sent.last().Code.Reveal()), http.StatusSeeOther)
	h.want(b.get(page), 200, "Done: the request is authorized", "Number confirmed by text message", "Authenticated by text message", "AAL 1 is restricted here")
}

func TestEveryStateOfACaseHasItsPage(t *testing.T) {
	h := newHouse(t)
	h.entitle("granted.example.com", "a@example.org")
	prove := func(profile, name string) *proofing.Case {
		c := h.open(profile, "dns", name)
		h.browser().prove(c, "email", "a@example.org")
		return c
	}
	must := func(_ *proofing.Case, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	granted := prove("mail", "granted.example.com")
	refused := prove("mail", "refused.example.com")
	h.entitle("review.example.com", "a@example.org")
	review := prove("review", "review.example.com")
	withdrawn, frozen := h.open("mail", "dns", "withdrawn.example.com"), h.open("mail", "dns", "frozen.example.com")
	must(h.svc.Deactivate(t.Context(), h.ca, withdrawn.ID))
	must(h.svc.Disown(t.Context(), proofing.Secret(strings.TrimPrefix(path(frozen.DisownURL(origin)), "/n/"))))
	later, stuck := h.open("later", "dns", "later.example.com"), h.open("beyond", "dns", "stuck.example.com")
	for c, words := range map[*proofing.Case]string{
		granted: "Done: the request is authorized", refused: "The request was refused", review: "Your part is done", withdrawn: "The request was withdrawn",
		frozen: "The request is frozen", later: "Nothing to do yet", stuck: "This cannot be finished here",
	} {
		for _, lang := range []string{"en", "de", "fr"} {
			b := h.browser()
			b.language = lang
			w := b.get(path(c.CaseURL(origin)))
			if w.Code != 200 || !strings.Contains(w.Body.String(), `<html lang="`+lang+`">`) || lang == "en" && !strings.Contains(w.Body.String(), words) {
				t.Errorf("%s in %s: %d, wanted %q:\n%s", c.Identifier.Value, lang, w.Code, words, w.Body)
			}
		}
	}
	must(h.svc.Revoke(t.Context(), granted.ID, "operator"))
	h.want(h.browser().get(path(granted.CaseURL(origin))), 200, "The authorization was taken back")
	h.wait(4 * 24 * time.Hour)
	h.want(h.browser().get(path(later.CaseURL(origin))), 200, "The request has expired")
}

func TestADemandOfEverythingGoesStepByStep(t *testing.T) {
	h := newHouse(t)
	h.entitle("www.example.com", "a@example.org")
	c := h.open("both", "dns", "www.example.com")
	b, page := h.browser(), path(c.CaseURL(origin))
	h.want(b.get(page), 200, `type="email"`, page+"?method=sms", "Start with this instead")
	h.want(b.get(page+"?method=sms"), 200, `type="tel"`, page+"?method=email")
	h.want(b.get(page+"?lang=fr&method=sms"), 200, `type="tel"`, page+"?lang=fr&amp;method=email")
	h.want(b.get(page+"?method=fido"), 200, `type="email"`)
	b.prove(c, "sms", "+447400123456")
	h.want(b.get(page), 200, `type="email"`)
	b.prove(c, "email", "a@example.org")
	h.want(b.get(page), 200, "One more code, to authenticate")
}

func TestMistakesAreShownAtTheirField(t *testing.T) {
	h := newHouse(t)
	c := h.open("server", "dns", "www.example.com")
	b, page := h.browser(), path(c.CaseURL(origin))
	b.get(page)
	w := b.post(page+"/begin", "method", "email", "address", `no"body`)
	h.want(w, 422, "That is not an e-mail address.", `value="no&#34;body"`, `aria-describedby="address-hint address-error"`, `role="alert"`)
	h.want(b.post(page+"/begin", "method", "sms", "address", "07400 123456"), 422, "and the country code, as in", `type="tel"`)
	h.want(b.post(page+"/begin", "method", "fido", "address", "x"), 422, "does not offer this method")
	b.told(b.post(page+"/begin", "method", "fido"), 200, "does not offer this method")
	a, _ := b.begin(c, "email", "a@example.org")
	b.told(b.post(page+"/answer", "attempt", a.ID, "code", "not it"), 200, "This does not look like the code")
	b.told(b.post(page+"/resend", "attempt", a.ID), 200, "A message has just gone out", "Try again in 1 minute.")
	for range 4 {
		b.told(b.post(page+"/answer", "attempt", a.ID, "code", "ZZZZZZZZ"), 200, "That is not the code.")
	}
	b.told(b.post(page+"/answer", "attempt", a.ID, "code", "ZZZZZZZZ"), 200, "it was the last try")
	h.want(b.get(page), 200, "Every try for this code is used up")
	h.want(b.post(page+"/answer", "attempt", "nothing", "code", "ZZZZZZZZ"), 404)
}

func TestWhatBecomesOfAMessageIsSaid(t *testing.T) {
	for reason, words := range map[string]string{"number_unreachable": "switched on", "configuration": "fault is ours", "something new": "Ask for another message"} {
		h := newHouse(t)
		h.sent.err = &proofing.SendError{Outcome: proofing.Refused, Reason: reason, Err: errTest}
		c := h.open("strong", "dns", "www.example.com")
		b, page := h.browser(), path(c.CaseURL(origin))
		b.get(page)
		h.want(b.post(page+"/begin", "method", "sms", "address", "+447400123456"), 303)
		h.want(b.get(page), 200, "waiting to be sent")
		h.work()
		h.want(b.get(page), 200, "The message was not sent.", words)
	}
	h := newHouse(t)
	h.sent.err = &proofing.SendError{Outcome: proofing.Unknown, Reason: "timeout", Err: errTest}
	c := h.open("mail", "dns", "www.example.com")
	b := h.browser()
	b.get(path(c.CaseURL(origin)))
	b.post(path(c.CaseURL(origin))+"/begin", "method", "email", "address", "a@example.org")
	h.work()
	h.want(b.get(path(c.CaseURL(origin))), 200, "We do not know whether the message went out")
}

func TestTheLanguageOfAnAddressStays(t *testing.T) {
	h := newHouse(t)
	c := h.open("mail", "dns", "www.example.com")
	b, page := h.browser(), path(c.CaseURL(origin))
	w := b.get(page + "?lang=de")
	h.want(w, 200, `<html lang="de">`, page+"/begin?lang=de", page+"?lang=fr")
	w = b.post(page+"/begin?lang=de", "method", "email", "address", "a@example.org")
	if to := w.Header().Get("Location"); to != page+"?lang=de#work" {
		t.Errorf("goes on at %q", to)
	}
	h.work()
	if h.sent.last().Lang != "de" {
		t.Errorf("the mail is in %q", h.sent.last().Lang)
	}
}

func TestSelfServiceOpensANewCase(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	h.want(b.get("/"), 200, "/apply/example/mail", "Mail certificate")
	h.want(b.get("/apply/example/mail"), 200, "Example CA")
	h.want(b.get("/apply/example/server"), 404)
	h.want(b.get("/apply/nobody/mail"), 404)
	h.want(b.post("/apply/example/mail", "type", "dns", "value", "*.example.com"), 422, "A name with * cannot be authorized", `value="*.example.com"`)
	h.want(b.post("/apply/example/mail", "type", "email", "value", "nobody"), 422, "That is not an e-mail address.")
	first := b.post("/apply/example/mail", "type", "email", "value", "a@example.org")
	second := b.post("/apply/example/mail", "type", "email", "value", "a@example.org")
	if first.Code != 303 || second.Code != 303 || first.Header().Get("Location") == second.Header().Get("Location") {
		t.Fatalf("%d %q, %d %q: want two cases", first.Code, first.Header().Get("Location"), second.Code, second.Header().Get("Location"))
	}
	h.want(b.get(first.Header().Get("Location")), 200, `only go to this address: <bdi class="value">a@example.org</bdi>`, "none yet")
	for range 18 {
		h.want(b.post("/apply/example/mail", "type", "dns", "value", "www.example.com"), 303)
	}
	h.want(b.post("/apply/example/mail", "type", "dns", "value", "www.example.com"), 429, "Too many requests came from your network")
}

func TestTheOperatorCanBeReachedWhereverSomebodyIsStuck(t *testing.T) {
	h := newHouse(t)
	c := h.open("mail", "dns", "www.example.com")
	link := `href="mailto:help@example.org"`
	h.want(h.browser().get("/"), 200, link)
	for _, kind := range []string{"/c/", "/m/", "/n/"} {
		h.want(h.browser().get(kind+"nothing"), http.StatusNotFound, "Copy the whole link", link)
	}
	h.want(h.browser().get("/nothing"), http.StatusNotFound, "There is no page at this address", `class="help"`, link)
	h.browser().prove(c, "email", "a@example.org")
	h.want(h.browser().get(path(c.CaseURL(origin))), 200, `data-page="refused"`, `class="help"`, link)
	other := h.open("server", "dns", "other.example.com")
	h.browser().prove(other, "email", "a@example.org")
	h.want(h.browser().get(path(other.CaseURL(origin))), http.StatusForbidden, `data-page="claimed"`, `class="help"`, link)
	if m := h.sent.last(); m.Context.Contact != "help@example.org" {
		t.Errorf("the message says %q", m.Context.Contact)
	}
}

func TestAProofForNobodyYetIsRecordedAndGoesOnByNoProgram(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	b.get("/apply/example/mail")
	page, _, _ := strings.Cut(b.post("/apply/example/mail", "type", "email", "value", "a@example.org").Header().Get("Location"), "#")
	h.want(b.post(page+"/begin", "method", "email"), http.StatusSeeOther)
	h.work()
	m := h.sent.last()
	attempt := regexp.MustCompile(`name="attempt" value="([^"]+)"`).FindStringSubmatch(b.get(page).Body.String())
	h.want(b.post(page+"/answer", "attempt", attempt[1], "code", m.Code.Reveal()), http.StatusSeeOther)
	h.work()
	w := b.get(page)
	h.want(w, 200, `data-page="granted"`, "Done: your proof is recorded", "The proof is recorded until <time", "With the key below an ACME client registers an account at Example CA", "Create the key")
	if strings.Contains(w.Body.String(), "by itself") {
		t.Error("the page promises what no program does")
	}

	notReady, noDirectory := "has not been set up here to take keys yet", "Put the URL of the ACME directory of"
	h.want(w, 200, notReady)
	first := b.post(page + "/key")
	h.want(first, 200, notReady, noDirectory)
	if _, err := h.svc.Authorities.Update(t.Context(), h.ca.ID, func(ca *proofing.Authority) error {
		ca.Directories, ca.NewAccounts = []string{"https://ca.example/directory"}, []string{"https://ca.example/new-account"}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	first = b.post(page + "/key")
	for _, words := range []string{notReady, noDirectory} {
		if strings.Contains(first.Body.String(), words) {
			t.Errorf("where all is set up the page says %q", words)
		}
	}
	secret := regexp.MustCompile(`data-hmac>([A-Za-z0-9_-]{43})<`).FindStringSubmatch(first.Body.String())
	h.want(first, 200, "Copy it now", "certbot register", "Register by")
	if secret == nil || first.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("the key is not shown, or may be kept: %v", first.Header())
	}
	again := b.get(page)
	h.want(again, 200, "A key was created", "Create another key")
	if strings.Contains(again.Body.String(), secret[1]) {
		t.Error("the key is shown a second time")
	}
	h.want(b.get(page+"/key"), http.StatusSeeOther)
	if w := h.browser().get(page); strings.Contains(w.Body.String(), "Create") {
		t.Error("another browser that has the link is offered a key")
	}
	thief := h.browser()
	thief.get(page)
	h.want(thief.post(page+"/key"), http.StatusForbidden)
	second := regexp.MustCompile(`data-hmac>([A-Za-z0-9_-]{43})<`).FindStringSubmatch(b.post(page + "/key").Body.String())
	if second == nil || second[1] == secret[1] {
		t.Errorf("another key is %v", second)
	}

	// Where there are several directories, who registers says at which.
	const live, staging = "https://ca.example/directory", "https://ca.example/staging"
	if _, err := h.svc.Authorities.Update(t.Context(), h.ca.ID, func(ca *proofing.Authority) error {
		ca.Directories, ca.NewAccounts = []string{live, staging}, []string{"https://ca.example/new-account", "https://ca.example/staging/new-account"}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	h.want(b.get(page), 200, "At which ACME directory", `value="`+live+`" required>`, `value="`+staging+`" required>`)
	none := b.post(page + "/key")
	h.want(none, 422, "Choose the ACME directory", `value="`+staging+`" required>`)
	if strings.Contains(none.Body.String(), "data-hmac") {
		t.Error("a key is shown for no directory")
	}
	third := b.post(page+"/key", "directory", staging)
	h.want(third, 200, "--server "+staging+" --eab-kid", `<code class="print">`+staging+`</code>`, `value="`+staging+`" required checked>`)
	if strings.Contains(third.Body.String(), "--server "+live) || strings.Contains(third.Body.String(), noDirectory) {
		t.Error("the instructions are for another directory")
	}
}

// Who has begun one thing and then another is at the other, whichever of them the page would begin with.
func TestThePageIsAtWhatWasBegunLast(t *testing.T) {
	h := newHouse(t)
	c := h.open("server", "dns", "www.example.com")
	b, page := h.browser(), path(c.CaseURL(origin))
	b.get(page)
	for _, begun := range []struct{ method, address string }{{"email", "a@example.org"}, {"sms", "+447400123456"}, {"email", "a@example.org"}} {
		h.wait(10 * time.Minute) // codes are sent at a measured pace
		to := b.post(page+"/begin", "method", begun.method, "address", begun.address).Header().Get("Location")
		a := h.current(c, begun.method)
		h.want(b.get(to), 200, `name="attempt" value="`+a.ID+`"`)
	}
}
