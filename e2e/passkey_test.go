package e2e

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// passkeys gives a browser an authenticator of its own, such as a telephone or a laptop has built in, whose
// user is always there and verified.
func passkeys(t testing.TB, ctx context.Context) webauthn.AuthenticatorID {
	t.Helper()
	var id webauthn.AuthenticatorID
	run(t, ctx, chromedp.ActionFunc(func(ctx context.Context) (err error) {
		if err = webauthn.Enable().Do(ctx); err != nil {
			return err
		}
		id, err = webauthn.AddVirtualAuthenticator(&webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
			DefaultBackupEligibility: true, DefaultBackupState: true,
		}).Do(ctx)
		return err
	}))
	return id
}

// TestAPasskeyInABrowser has a person create a passkey, use it, and be known by it the next time: on a
// desk and on a telephone.
func TestAPasskeyInABrowser(t *testing.T) {
	p := newProgram(t)
	for _, s := range []screen{
		{name: "desktop", width: 1280, height: 900, lang: "en"},
		{name: "phone-dark-de", width: 390, height: 844, phone: true, dark: true, lang: "de"},
	} {
		t.Run(s.name, func(t *testing.T) {
			p := p.in(t)
			email := "keyed-" + s.name + "@example.org"
			a := p.preauthorize("strong", "passkey "+s.name, email)
			ctx := tab(t, s)
			authenticator := passkeys(t, ctx)
			run(t, ctx, chromedp.Navigate(a["case_url"].(string)), chromedp.WaitVisible("main"))
			look(t, ctx, "passkey-"+s.name+"-1-case")

			run(t, ctx, chromedp.ActionFunc(func(ctx context.Context) error {
				return webauthn.SetUserVerified(authenticator, false).Do(ctx)
			}))
			run(t, ctx, chromedp.Click(`form[action*="/enrol"] button`, chromedp.ByQuery), chromedp.WaitVisible(`[data-ask-error]`, chromedp.ByQuery))
			look(t, ctx, "passkey-"+s.name+"-2-refused")
			run(t, ctx, chromedp.ActionFunc(func(ctx context.Context) error {
				return webauthn.SetUserVerified(authenticator, true).Do(ctx)
			}))
			run(t, ctx, chromedp.Click(`form[data-kind="create"] button`, chromedp.ByQuery), chromedp.WaitNotPresent(`form[data-kind="create"]`, chromedp.ByQuery),
				chromedp.WaitVisible(`.panel form[action*="/begin"] button`, chromedp.ByQuery))
			_, between := p.call("GET", "/v1/preauthorizations/"+a["id"].(string), nil)
			wantStatus(t, between, "pending")
			look(t, ctx, "passkey-"+s.name+"-3-created")

			run(t, ctx, chromedp.Click(`.panel form[action*="/begin"] button`, chromedp.ByQuery), chromedp.WaitReady(`.panel input[value="email"]`, chromedp.ByQuery))
			run(t, ctx, chromedp.Click(`.panel form[action*="/begin"] button`, chromedp.ByQuery), chromedp.WaitVisible(`input[name="code"]`, chromedp.ByQuery))
			run(t, ctx, chromedp.SendKeys(`input[name="code"]`, p.codeAfter("email", email, 0), chromedp.ByQuery), chromedp.Submit(`form.answer`, chromedp.ByQuery),
				chromedp.WaitVisible(`[data-page="granted"]`, chromedp.ByQuery))
			look(t, ctx, "passkey-"+s.name+"-4-done")
			_, done := p.call("GET", "/v1/preauthorizations/"+a["id"].(string)+"?wait=60", nil)
			wantStatus(t, done, "valid")
			assessment := done["assessment"].(map[string]any)
			if assessment["aal"] != 2.0 || assessment["phishing_resistant"] != true || assessment["syncable"] != true || assessment["ial"] != nil {
				t.Errorf("the label is %v", assessment)
			}
			if claims := p.verified(done["statement"].(string)); claims["acr"] != "urn:countersign:acr:sp800-63-4:ial-none:aal-2" {
				t.Errorf("the statement says %v", claims["acr"])
			}

			// The next time the passkey says who it is, and nothing is created.
			b := p.preauthorize("strong", "passkey again "+s.name, email)
			run(t, ctx, chromedp.Navigate(b["case_url"].(string)), chromedp.WaitVisible("main"))
			run(t, ctx, chromedp.Click(`.panel form[action*="/begin"] button`, chromedp.ByQuery), chromedp.WaitReady(`.panel input[value="email"]`, chromedp.ByQuery))

			// And it opens the person's own page: by a button, or with what the browser fills in where it can do that.
			if s.phone {
				run(t, ctx, onEachPage(`PublicKeyCredential.isConditionalMediationAvailable = async () => false`))
			}
			present := func(yes bool) chromedp.Action {
				return chromedp.ActionFunc(func(ctx context.Context) error {
					return webauthn.SetAutomaticPresenceSimulation(authenticator, yes).Do(ctx)
				})
			}
			run(t, ctx, present(false), chromedp.Navigate(p.people+"/me"), chromedp.WaitVisible(`[data-page="signin"]`, chromedp.ByQuery))
			look(t, ctx, "passkey-"+s.name+"-5-signin")
			run(t, ctx, chromedp.Click(`main form button`, chromedp.ByQuery), chromedp.WaitVisible(`input[autocomplete="username webauthn"]`, chromedp.ByQuery))
			look(t, ctx, "passkey-"+s.name+"-6-signing-in")
			if s.phone {
				run(t, ctx, present(true), chromedp.Click(`.panel form[action*="/begin"] button`, chromedp.ByQuery))
			} else {
				first := offered(t, ctx)
				if again := offered(t, ctx); again != first {
					t.Errorf("looking at the page again began attempt %s beside %s", again, first)
				}
				run(t, ctx, present(true), chromedp.Reload())
			}
			run(t, ctx, chromedp.WaitVisible(`[data-page="me"]`, chromedp.ByQuery))
			look(t, ctx, "passkey-"+s.name+"-7-me")
			if said := text(t, ctx); !strings.Contains(said, "k•••@example.org") && !strings.Contains(said, "@example.org") {
				t.Errorf("the page does not show the mailbox:\n%s", said)
			}
			run(t, ctx, chromedp.Click(`form[action*="/me/codes"] button`, chromedp.ByQuery), chromedp.WaitVisible(`.codes`, chromedp.ByQuery))
			look(t, ctx, "passkey-"+s.name+"-8-codes")
			var codes []string
			run(t, ctx, chromedp.Evaluate(`[...document.querySelectorAll(".codes code")].map((c) => c.textContent)`, &codes))
			for _, code := range codes {
				secret("a recovery code", code)
			}
			if len(codes) != 10 {
				t.Errorf("%d recovery codes are shown", len(codes))
			}
			run(t, ctx, chromedp.Click(`form[action*="/me/sign-out"] button`, chromedp.ByQuery), chromedp.WaitNotPresent(`[data-page="me"]`, chromedp.ByQuery))
			run(t, ctx, chromedp.Navigate(p.people+"/me"), chromedp.WaitVisible(`[data-page="signin"]`, chromedp.ByQuery))
			if !s.phone { // and at once where the person lets the browser do it
				run(t, ctx, chromedp.Click(`main form button`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="me"]`, chromedp.ByQuery))
			}
		})
	}
}

// onEachPage runs a script before those of each page that is opened from now on.
func onEachPage(script string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(script).Do(ctx)
		return err
	})
}

// offered loads the page until it shows that a passkey has been asked for without a press of the button, and
// returns the attempt.
func offered(t testing.TB, ctx context.Context) (attempt string) {
	t.Helper()
	await(t, "the browser to be asked for a passkey", 10*time.Second, func() bool {
		run(t, ctx, chromedp.Reload(), chromedp.WaitVisible("main", chromedp.ByQuery),
			chromedp.Evaluate(`document.querySelector('form[data-kind="get"] [name="attempt"]')?.value ?? ""`, &attempt))
		return attempt != ""
	})
	return attempt
}

// TestWithoutScriptAPasskeyPageSaysWhatToDo opens it in a browser that runs none.
func TestWithoutScriptAPasskeyPageSaysWhatToDo(t *testing.T) {
	p := newProgram(t)
	a := p.preauthorize("strong", "no script", "noscript@example.org")
	ctx := tab(t, screen{width: 390, height: 844, phone: true, noScript: true, lang: "en"})
	run(t, ctx, chromedp.Navigate(a["case_url"].(string)), chromedp.WaitVisible("main"))
	if said := text(t, ctx); !strings.Contains(said, "needs JavaScript") {
		t.Errorf("the page says:\n%s", said)
	}
	look(t, ctx, "passkey-noscript")
}

// TestTheDemoWithAPasskeyAndAnAccount is what a newcomer sees of both in the demo, by way of the example identity
// provider: on a desk and on a telephone.
func TestTheDemoWithAPasskeyAndAnAccount(t *testing.T) {
	for _, s := range []screen{
		{name: "desktop", width: 1280, height: 900, lang: "en"},
		{name: "phone", width: 390, height: 844, phone: true, lang: "fr"},
	} {
		t.Run(s.name, func(t *testing.T) {
			address := free(t)
			demo := start(t, nil, binary, "demo", "--listen", address)
			t.Cleanup(func() { end(demo, syscall.SIGTERM) }) // so that it removes its folder
			origin := "http://localhost:" + port(t, address)
			await(t, "the demo", 20*time.Second, answers(origin+"/"))
			ctx := tab(t, s)
			passkeys(t, ctx)
			run(t, ctx, chromedp.Navigate(origin+"/"), chromedp.WaitVisible("main"))
			look(t, ctx, "demo-"+s.name+"-1-home")
			run(t, ctx, chromedp.Click(`input[value="signing"]`, chromedp.ByQuery), chromedp.Click(`#call form button`, chromedp.ByQuery), chromedp.WaitVisible(`#person a.button`, chromedp.ByQuery))
			var person string // it opens in a tab of its own, which has no passkeys
			run(t, ctx, chromedp.Evaluate(`document.querySelector('#person a.button[target="_blank"]').href`, &person))
			run(t, ctx, chromedp.Navigate(person), chromedp.WaitVisible(`form[action*="/enrol"] button`, chromedp.ByQuery))
			look(t, ctx, "demo-"+s.name+"-2-case")
			run(t, ctx, chromedp.Click(`form[action*="/enrol"] button`, chromedp.ByQuery), chromedp.WaitNotPresent(`form[action*="/enrol"]`, chromedp.ByQuery),
				chromedp.WaitVisible(`.panel form[action*="/begin"] button`, chromedp.ByQuery))
			run(t, ctx, chromedp.Click(`.panel form[action*="/begin"] button`, chromedp.ByQuery), chromedp.WaitReady(`.panel input[value="example"], .panel input[value="email"]`, chromedp.ByQuery))
			for range 2 { // the account and the mailbox, in the order of the page
				var first string
				run(t, ctx, chromedp.Value(`.panel input[name="method"]`, &first, chromedp.ByQuery))
				look(t, ctx, "demo-"+s.name+"-3-"+first)
				if first == "oidc" {
					run(t, ctx, chromedp.Click(`.panel form[action*="/begin"] button`, chromedp.ByQuery), chromedp.WaitVisible(`button[name="account"][value="two-factors"]`, chromedp.ByQuery))
					look(t, ctx, "demo-"+s.name+"-4-provider")
					run(t, ctx, chromedp.Click(`button[name="account"][value="two-factors"]`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="case"], [data-page="granted"]`, chromedp.ByQuery))
					continue
				}
				run(t, ctx, chromedp.Click(`.panel form[action*="/begin"] button`, chromedp.ByQuery), chromedp.WaitVisible(`input[name="code"]`, chromedp.ByQuery))
				run(t, ctx, chromedp.SendKeys(`input[name="code"]`, demoCode(t, origin), chromedp.ByQuery), chromedp.Submit(`form.answer`, chromedp.ByQuery),
					chromedp.WaitNotPresent(`input[name="code"]`, chromedp.ByQuery))
			}
			run(t, ctx, chromedp.WaitVisible(`[data-page="granted"]`, chromedp.ByQuery))
			look(t, ctx, "demo-"+s.name+"-5-done")
			var reasons string // they are folded
			if run(t, ctx, chromedp.Evaluate(`[...document.querySelectorAll("details cite")].map(c => c.textContent).join("; ")`, &reasons)); !strings.Contains(reasons, "SP 800-63B-4 ") {
				t.Errorf("the page gives these clauses for the levels: %s", reasons)
			}
			run(t, ctx, chromedp.Navigate(origin+"/"), chromedp.WaitVisible(`#answer pre`, chromedp.ByQuery))
			look(t, ctx, "demo-"+s.name+"-6-answer")
			if said := text(t, ctx); !strings.Contains(said, "urn:countersign:acr:sp800-63-4:ial-none:aal-2") {
				t.Errorf("the statement does not say AAL2:\n%s", said)
			}
			var object string // it is folded, too
			if run(t, ctx, chromedp.Evaluate(`document.querySelector("#answer").textContent`, &object)); !regexp.MustCompile(`"phishing_resistant": ?true`).MatchString(object) {
				t.Errorf("the answer does not say that it resists phishing:\n%s", object)
			}
			var again, kept bool // nobody has given a number, so none is known the next time
			run(t, ctx, chromedp.Evaluate(`!!document.querySelector("#answer form.again")`, &again), chromedp.Evaluate(`document.querySelector('input[value="signing"]').checked`, &kept))
			if again || !kept {
				t.Errorf("a second time with a number: %v; what was asked for stays chosen: %v", again, kept)
			}
		})
	}
}

// demoCode is the newest code in the demo's mailbox.
func demoCode(t testing.TB, origin string) (code string) {
	t.Helper()
	await(t, "a code in the mailbox", 10*time.Second, func() bool {
		resp, err := http.Get(origin + "/mailbox")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		page, err := io.ReadAll(resp.Body)
		if err != nil {
			return false
		}
		code = mailedCode.FindString(string(page))
		return code != ""
	})
	return code
}

var mailedCode = regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}\b`)
