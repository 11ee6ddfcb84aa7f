package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestAPersonWhoHasLostEverythingComesBackAtTheDesk has one representative start a recovery, another agree, and the person bring the code in a
// browser of their own and add a passkey: on desks and on telephones.
func TestAPersonWhoHasLostEverythingComesBackAtTheDesk(t *testing.T) {
	p := newProgram(t)
	for _, s := range []screen{
		{name: "desktop", width: 1280, height: 900, lang: "en"},
		{name: "phone", width: 390, height: 844, phone: true, dark: true, lang: "de"},
		{name: "french", width: 390, height: 844, phone: true, lang: "fr"},
	} {
		t.Run(s.name, func(t *testing.T) {
			p, picture := p.in(t), "recovery-"+s.name
			owner := atDesk(t, p, s, "Owner")
			email := "owner-" + s.name + "@example.org"
			p.command("representative", "remove", email)
			first, second := atDesk(t, p, s, "Desk 1"), atDesk(t, p, s, "Desk 2")
			run(t, first, chromedp.Navigate(p.people+"/desk"), chromedp.Click(`a[href*="/recoveries"]`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="recover"]`, chromedp.ByQuery))
			look(t, first, picture+"-1-form")
			run(t, first, chromedp.SendKeys(`input[name="address"]`, email, chromedp.ByQuery), chromedp.SendKeys(`input[name="reference"]`, "ledger 17", chromedp.ByQuery),
				choose([]string{`input[name="government1"]`, `input[name="portrait1"]`}, map[string]string{"strength1": "strong", "validated1": "strong", "pathway": "biometric", "verification": "strong"}),
				chromedp.Click(`form.record > button`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="recovery"]`, chromedp.ByQuery))
			if said := text(t, first); strings.Contains(said, email) {
				t.Errorf("the representative sees a whole address:\n%s", said)
			}
			look(t, first, picture+"-2-waits")
			run(t, second, chromedp.Navigate(p.people+"/desk"), chromedp.Click(`h3 a[href*="/recoveries/"]`, chromedp.ByQuery), chromedp.WaitVisible(`form[action*="/agree"] button`, chromedp.ByQuery))
			look(t, second, picture+"-3-agree")
			run(t, second, chromedp.Click(`form[action*="/agree"] button`, chromedp.ByQuery), chromedp.WaitNotPresent(`form[action*="/agree"]`, chromedp.ByQuery))
			var code string
			run(t, first, chromedp.Reload(), chromedp.WaitVisible(`form[action*="/give"] button`, chromedp.ByQuery), chromedp.Click(`form[action*="/give"] button`, chromedp.ByQuery),
				chromedp.WaitVisible(`[data-code]`, chromedp.ByQuery), chromedp.Text(`[data-code]`, &code, chromedp.ByQuery))
			look(t, first, picture+"-4-code")

			back := tab(t, s)
			authenticator := passkeys(t, back)
			run(t, back, onEachPage(`PublicKeyCredential.isConditionalMediationAvailable = async () => false`), chromedp.Navigate(p.people+"/me/sign-in"), chromedp.WaitVisible(`[data-page="signin"]`, chromedp.ByQuery))
			look(t, back, picture+"-5-signin")
			run(t, back, chromedp.Click(`a[href*="/me/regain"]`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="regain"]`, chromedp.ByQuery))
			look(t, back, picture+"-6-regain")
			run(t, back, chromedp.SendKeys(`input[name="code"]`, "0000", chromedp.ByQuery), chromedp.Submit(`form[action*="/regain"]`, chromedp.ByQuery), chromedp.WaitVisible(`[aria-invalid="true"]`, chromedp.ByQuery))
			look(t, back, picture+"-7-wrong")
			run(t, back, chromedp.SetValue(`input[name="code"]`, strings.ToLower(code), chromedp.ByQuery), chromedp.Submit(`form[action*="/regain"]`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="me"]`, chromedp.ByQuery))
			look(t, back, picture+"-8-in")
			run(t, back, chromedp.Navigate(p.people+"/me?method=fido"), chromedp.WaitVisible(`form[action*="/enrol"] button`, chromedp.ByQuery), chromedp.Click(`form[action*="/enrol"] button`, chromedp.ByQuery), created(authenticator, 0))
			run(t, back, chromedp.Navigate(p.people+"/me"), chromedp.WaitVisible(`[data-page="me"]`, chromedp.ByQuery))
			look(t, back, picture+"-9-added")
			run(t, owner, chromedp.Navigate(p.people+"/me"), chromedp.WaitVisible(`[data-page="signin"]`, chromedp.ByQuery)) // their session has ended
			for _, who := range []string{"desk-1-", "desk-2-"} {
				p.command("representative", "remove", who+s.name+"@example.org")
			}
		})
	}
}
