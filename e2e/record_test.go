package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// atDesk is a browser whose person has signed up at /me, with a passkey of its own and a mailbox, and
// whom the operator has named a representative.
func atDesk(t testing.TB, p *program, s screen, name string) context.Context {
	t.Helper()
	email := strings.ReplaceAll(strings.ToLower(name), " ", "-") + "-" + s.name + "@example.org"
	n := newNewcomer(t, s)
	run(t, n, chromedp.Navigate(p.people+"/me"), chromedp.WaitVisible(`[data-page="signin"]`, chromedp.ByQuery))
	n.signUp(t)
	run(t, n, chromedp.WaitVisible(`[data-page="me"]`, chromedp.ByQuery))
	n.keepsMailbox(t, p, email)
	out := ""
	await(t, "an address that can be named", 10*time.Second, func() (named bool) { // the mailbox becomes theirs a moment after its code
		out, named = p.named(email, name)
		return named
	})
	if !strings.Contains(out, name+" is a representative since") {
		t.Errorf("representative add says %s", out)
	}
	return n
}

// created waits until an authenticator has a passkey more than it had, and the page has sent it. Another one may be created then, so the page alone does not tell.
func created(id webauthn.AuthenticatorID, had int) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		for {
			have, err := webauthn.GetCredentials(id).Do(ctx)
			if err != nil {
				return err
			}
			asks := true // the page still does; while it changes, it cannot be asked
			_ = chromedp.Evaluate(`document.readyState !== "complete" || location.search.includes("method") || location.hash === "#ask"`, &asks).Do(ctx)
			if len(have) > had && !asks {
				return nil
			}
			if err := chromedp.Sleep(50 * time.Millisecond).Do(ctx); err != nil {
				return err
			}
		}
	})
}

// named names somebody a representative, once somebody has the address.
func (p *program) named(email, name string) (out string, ok bool) {
	out, err := p.attempt("representative", "add", email, "--name", name, "--trained", "identity documents, by the example trainer, 2026")
	return out, err == nil
}

// typeCode answers with the code that was sent there, once it has come.
func typeCode(p *program, method, to string) chromedp.Action {
	return chromedp.Tasks{
		chromedp.ActionFunc(func(ctx context.Context) error {
			return chromedp.SendKeys(`input[name="code"]`, p.codeAfter(method, to, 0), chromedp.ByQuery).Do(ctx)
		}),
		chromedp.Submit(`form.answer`, chromedp.ByQuery),
	}
}

// choose sets the fields of a form as a person does: boxes by their selectors, and lists by value.
func choose(boxes []string, lists map[string]string) (all chromedp.Tasks) {
	for _, box := range boxes {
		all = append(all, chromedp.Click(box, chromedp.ByQuery))
	}
	for list, value := range lists {
		all = append(all, chromedp.SetValue(`select[name="`+list+`"]`, value, chromedp.ByQuery))
	}
	return all
}

// TestTwoRepresentativesRecordAnIdentity has an applicant show a code, one representative record what they checked, and another
// review it: on desks and on telephones, under both revisions.
func TestTwoRepresentativesRecordAnIdentity(t *testing.T) {
	p := newProgram(t)
	for _, c := range []struct {
		screen
		profile, acr, phone string
	}{
		{screen{name: "desktop", width: 1280, height: 900, lang: "en"}, "proofed", "urn:countersign:acr:sp800-63-4:ial-2:aal-none", "+447400129001"},
		{screen{name: "phone", width: 390, height: 844, phone: true, dark: true, lang: "de"}, "proofed3", "urn:countersign:acr:sp800-63-3:ial-2:aal-none", "+447400129002"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, s, picture := p.in(t), c.screen, "record-"+c.name
			email := "shown-" + s.name + "@example.org"
			secret("a number", c.phone)
			a := p.preauthorize(c.profile, "record "+s.name, email)
			applicant := tab(t, s)
			run(t, applicant, chromedp.Navigate(a["case_url"].(string)), chromedp.WaitVisible("main"))
			look(t, applicant, picture+"-1-case")
			run(t, applicant, chromedp.Click(`.panel form[action*="/begin"] button`, chromedp.ByQuery), chromedp.WaitVisible(`input[name="code"]`, chromedp.ByQuery),
				typeCode(p, "email", email), chromedp.WaitVisible(`input[name="address"]`, chromedp.ByQuery),
				chromedp.SendKeys(`input[name="address"]`, c.phone, chromedp.ByQuery), chromedp.Submit(`.panel form[action*="/begin"]`, chromedp.ByQuery), chromedp.WaitVisible(`input[name="code"]`, chromedp.ByQuery),
				// The way to a representative is open from the first code on. Who takes it while the second is on its way back takes that back.
				typeCode(p, "sms", c.phone), chromedp.WaitNotPresent(`input[name="code"]`, chromedp.ByQuery), chromedp.WaitVisible(`form[action*="/representative"] button`, chromedp.ByQuery))
			var code string
			run(t, applicant, chromedp.Click(`form[action*="/representative"] button`, chromedp.ByQuery), chromedp.WaitVisible(`[data-desk-code]`, chromedp.ByQuery),
				chromedp.Evaluate(`document.querySelector("[data-desk-code]").textContent`, &code))
			look(t, applicant, picture+"-2-code")

			first := atDesk(t, p, s, "Desk 1")
			run(t, first, chromedp.Navigate(p.people+"/me"), chromedp.Click(`a[href*="/desk"]`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="records"]`, chromedp.ByQuery))
			look(t, first, picture+"-3-desk")
			run(t, first, chromedp.SendKeys(`input[name="code"]`, code, chromedp.ByQuery), chromedp.Submit(`form[action*="/desk/open"]`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="record"]`, chromedp.ByQuery))
			if said := text(t, first); !strings.Contains(said, code) || !strings.Contains(said, email) || strings.Contains(said, c.phone) {
				t.Errorf("the representative sees:\n%s", said)
			}
			look(t, first, picture+"-4-form")
			run(t, first, choose([]string{`input[name="government1"]`, `input[name="portrait1"]`, `input[name="portrait2"]`, `input[name="biometric"]`, `input[name="core"]`, `input[name="address"][value="postal"]`, `label:last-of-type > input[name="notice"]`},
				map[string]string{"strength1": "strong", "validated1": "strong", "strength2": "strong", "validated2": "strong", "pathway": "biometric", "verification": "strong"}))
			run(t, first, chromedp.Click(`form.record > button`, chromedp.ByQuery), chromedp.WaitVisible(`#worth`, chromedp.ByQuery))
			look(t, first, picture+"-5-worth")
			var level string
			run(t, first, chromedp.Text(`#worth .level b`, &level, chromedp.ByQuery))
			if level != "2" {
				t.Errorf("the record would earn %q:\n%s", level, text(t, first))
			}
			run(t, first, chromedp.Click(`form[action*="/submit"] button`, chromedp.ByQuery), chromedp.WaitNotPresent(`form.record`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="record"]`, chromedp.ByQuery))
			look(t, first, picture+"-6-waits")
			_, between := p.call("GET", "/v1/preauthorizations/"+a["id"].(string), nil)
			wantStatus(t, between, "pending")

			second, theirs := atDesk(t, p, s, "Desk 2"), `//h3/a[contains(., "`+email+`")]`
			run(t, second, chromedp.Navigate(p.people+"/desk"), chromedp.WaitVisible(theirs, chromedp.BySearch))
			look(t, second, picture+"-7-waiting")
			run(t, second, chromedp.Click(theirs, chromedp.BySearch), chromedp.WaitVisible(`form[action*="/review"] button`, chromedp.ByQuery))
			look(t, second, picture+"-8-review")
			run(t, second, chromedp.Click(`form[action*="/review"] button`, chromedp.ByQuery), chromedp.WaitNotPresent(`form[action*="/review"]`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="record"]`, chromedp.ByQuery))
			look(t, second, picture+"-9-accepted")
			if said := text(t, second); !strings.Contains(said, map[string]string{"en": "Accepted", "de": "Angenommen"}[c.lang]) {
				t.Errorf("after the review the page says:\n%s", said)
			}

			_, done := p.call("GET", "/v1/preauthorizations/"+a["id"].(string)+"?wait=60", nil)
			wantStatus(t, done, "valid")
			if assessment := done["assessment"].(map[string]any); assessment["ial"] != 2.0 || assessment["ial_basis"] != "operator_proofing" {
				t.Errorf("the label is %v", assessment)
			}
			claims := p.verified(done["statement"].(string))
			if claims["acr"] != c.acr {
				t.Errorf("the statement says %v", claims["acr"])
			}
			if _, has := claims["verified_claims"]; has {
				t.Error("the statement has claims of a person, and none are kept")
			}
			// The applicant's page goes on by itself.
			run(t, applicant, chromedp.WaitVisible(`[data-page="granted"]`, chromedp.ByQuery))
			look(t, applicant, picture+"-10-granted")

			if out := p.command("representative", "list"); !strings.Contains(out, "Desk 1") || !strings.Contains(out, "by the example trainer") {
				t.Errorf("representative list says:\n%s", out)
			}
			p.command("representative", "remove", "desk-2-"+s.name+"@example.org")
			run(t, second, chromedp.Navigate(p.people+"/desk"), chromedp.WaitNotPresent(`[data-page="records"]`, chromedp.ByQuery))
		})
	}
}
