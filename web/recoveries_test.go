package web

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// aboutThem is the form of a recovery for whoever has an address.
func aboutThem(address string) []string {
	return []string{
		"address", address, "reference", "ledger <17>", "type", "onsite_attended", "strength1", "strong", "validated1", "strong",
		"government1", "yes", "portrait1", "yes", "verification", "strong", "pathway", "biometric",
	}
}

var recoveryCode = regexp.MustCompile(`data-code>([0-9A-Z-]{29})<`)

// member signs somebody up who is no representative.
func (h *house) member(name string) *colleague {
	h.t.Helper()
	c := h.colleague(name)
	if err := h.svc.Dismiss(h.t.Context(), c.session().Person); err != nil {
		h.t.Fatal(err)
	}
	return c
}

func TestARecoveryFromTheDeskToANewPasskey(t *testing.T) {
	h, ada, bob := atDesk(t)
	h.svc.Policy.Cooling = time.Hour
	lost := h.member("applicant")
	h.want(ada.get("/desk"), 200, `href="/recoveries"`)
	h.want(ada.get("/recoveries"), 200, "Recovery of an account", "Write down nothing else", "SP 800-63A-4 2.1.3")
	h.want(lost.get("/recoveries"), http.StatusNotFound)
	h.want(ada.post("/recoveries", aboutThem("<nobody@example.org")...), 422, `value="&lt;nobody@example.org"`)
	h.want(ada.post("/recoveries", aboutThem("nobody@example.org")...), 422, "Nobody is known here by this address", `value="ledger &lt;17&gt;"`, `<option value="strong" selected>`)
	page := ada.follow(ada.post("/recoveries", aboutThem("applicant@example.org")...))
	h.want(ada.get(page), 200, "Waits for the agreement of another representative", "a•••@example.org", "ledger &lt;17&gt;", "Started by <b><bdi>ada</bdi></b>")
	if body := ada.get(page).Body.String(); strings.Contains(body, "/agree") || strings.Contains(body, "/give") || strings.Contains(body, "applicant@example.org") {
		t.Error("who started it can agree, or make a code, or sees a whole address")
	}
	ada.work()
	if m := ada.sent.last(); m.Kind != "desk_recovery" || m.To.Reveal() != "applicant@example.org" || m.Disown == "" {
		t.Errorf("told was %+v", m)
	}
	h.want(lost.get(path(ada.sent.last().Disown)), 200, "asked for a way back into the account", "That was not me.")
	h.want(ada.post(page+"/give"), 422, "First another representative has to agree")
	h.want(bob.get("/desk"), 200, "Recoveries that wait", page)
	h.want(bob.get(page), 200, "Do you agree?", page+"/agree")
	h.want(bob.post(page+"/agree", "decision", "refuse"), 422, "Say why it is refused")
	h.want(bob.post(page+"/agree", "decision", "accept"), http.StatusSeeOther)
	h.want(ada.get(page), 200, "The code can be made", "Agreed by <b><bdi>bob</bdi></b>", page+"/give")
	given := ada.post(page + "/give")
	h.want(given, 200, "https://proof.example.org/me/regain", "It is good until")
	code := recoveryCode.FindStringSubmatch(given.Body.String())
	if code == nil {
		t.Fatal("no code is shown")
	}
	if strings.Contains(ada.get(page).Body.String(), code[1]) {
		t.Error("the code is shown a second time")
	}
	h.want(ada.get(page+"/give"), http.StatusSeeOther)

	anew := &colleague{h.browser(), webauthntest.New()}
	h.want(anew.get("/me/sign-in"), 200, `href="/me/regain"`)
	h.want(anew.get("/me/regain"), 200, "<noscript>", "Adding a passkey takes JavaScript")
	anew.told(anew.post("/me/regain", "code", "0000-0000"), 200, "This code is not good", `aria-invalid="true"`)
	h.want(anew.post("/me/regain", "code", strings.ToLower(code[1])), http.StatusSeeOther)
	h.want(anew.get("/me"), 200, "This account was recovered", "Suspended by a recovery", "Now add a new passkey", "Create another passkey")
	if strings.Contains(anew.get("/me").Body.String(), "Use my passkey") {
		t.Error("who has lost it is asked to use it")
	}
	if strings.Contains(anew.get("/me").Body.String(), "/me/recovery/stop") {
		t.Error("who came in by a representative is asked to stop it")
	}
	anew.told(anew.post("/me/regain", "code", code[1]), 200, "This code is not good")
	mine := anew.session()
	anew.passkey("/c/"+mine.ID+"."+mine.LinkSecret.Reveal(), "enrol")
	h.want(anew.get("/me"), 200, "What you have added counts from", "Then sign in by it")
	h.want(ada.get(page), 200, "The person has come in")
	h.want(lost.get("/me"), http.StatusSeeOther) // their session has ended

	// The new passkey counts after its time, and says what is still theirs.
	anew.wait(2 * time.Hour)
	page = anew.follow(anew.post("/me/sign-in"))
	anew.passkey(page, "begin")
	h.want(anew.get("/me"), 200, "It is still mine")
	binding := regexp.MustCompile(`action="/me/reactivate">\s*<input type="hidden" name="binding" value="([^"]+)"`).FindStringSubmatch(anew.get("/me").Body.String())
	if binding == nil {
		t.Fatal("nothing can be reactivated")
	}
	h.want(anew.post("/me/reactivate", "binding", binding[1]), http.StatusSeeOther)
	if strings.Contains(anew.get("/me").Body.String(), "This account was recovered") {
		t.Error("it is suspended still")
	}
}

// Who has lost nothing stops a recovery by a saved code on their own page.
func TestARecoveryIsStoppedOnOnesOwnPage(t *testing.T) {
	h, _, _ := atDesk(t)
	owner := h.member("owner")
	made := owner.post("/me/codes")
	code := regexp.MustCompile(`<code class="print">([0-9A-Z-]{19})</code>`).FindStringSubmatch(made.Body.String())
	if code == nil {
		t.Fatal("no codes")
	}
	owner.work()
	owner.wait(time.Second)
	thief := &colleague{h.browser(), webauthntest.New()}
	thief.get("/me")
	page := thief.follow(thief.post("/me/sign-in"))
	h.want(thief.post(page+"/begin", "method", "email", "address", "owner@example.org"), http.StatusSeeOther)
	thief.work()
	id, _, _ := strings.Cut(strings.TrimPrefix(page, "/c/"), ".")
	c, err := h.svc.Cases.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	h.want(thief.post(page+"/answer", "attempt", c.Current("email").ID, "code", thief.sent.last().Code.Reveal()), http.StatusSeeOther)
	thief.work()
	thief.told(thief.post(page+"/recover", "code", "0000-0000-0000-0000"), 200, "That is not the code.")
	in := thief.post(page+"/recover", "code", code[1])
	h.want(in, 200, "A new recovery code", "10 codes are left", "This account was recovered")
	renewed := regexp.MustCompile(`<code class="print">([0-9A-Z-]{19})</code>`).FindAllStringSubmatch(in.Body.String(), -1)
	if len(renewed) != 1 || renewed[0][1] == code[1] || strings.Contains(thief.get("/me").Body.String(), renewed[0][1]) {
		t.Errorf("in the place of the code are %v, and it is shown once", renewed)
	}
	h.want(thief.get(page+"/recover"), http.StatusSeeOther) // where that answer stands
	h.want(thief.post("/me/recovery/stop"), 403)
	h.want(owner.get("/me"), 200, "That was not me: stop it")
	h.want(owner.post("/me/recovery/stop"), http.StatusSeeOther)
	if strings.Contains(owner.get("/me").Body.String(), "This account was recovered") {
		t.Error("it goes on")
	}
	h.want(owner.get("/me"), 200, "You have no recovery codes.") // whoever used one has seen what they are written on
	if _, err := h.svc.Session(t.Context(), proofing.Visit{Link: proofing.Secret(thief.session().ID + ".x")}); err == nil {
		t.Error("the thief is in still")
	}
	h.want(thief.get("/me"), http.StatusSeeOther)
}

// All cookies have every attribute that 63B-4 5.1.1 asks for.
func TestCookiesAreOfTheHostAloneAndOfNoScript(t *testing.T) {
	h, _, _ := atDesk(t)
	b := &colleague{h.browser(), webauthntest.New()}
	seen := map[string]bool{}
	look := func(w interface{ Result() *http.Response }) {
		for _, c := range w.Result().Cookies() {
			if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
				t.Errorf("a cookie is %s", c.Raw)
			}
			seen[c.Name] = true
		}
	}
	look(b.get("/me"))
	wrong := b.post("/me/regain", "code", "0000-0000")
	look(wrong)
	look(b.get(b.follow(wrong)))
	start := b.post("/me/sign-in")
	look(start)
	page := b.follow(start)
	look(b.get(page))
	b.passkey(page, "enrol")
	b.wait(time.Second)
	b.passkey(page, "begin")
	look(b.get("/me"))
	look(b.post("/me/sign-out"))
	if !seen["__Host-session"] || len(seen) < 3 {
		t.Errorf("seen were %v", seen)
	}
}
