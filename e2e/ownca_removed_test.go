package e2e

import (
	"context"
	"errors"
	"testing"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"golang.org/x/crypto/acme"
)

// TestWhoTakesTheirPasskeyAwayGetsNoMoreCertificatesByItsKey has a person prove who they are by a passkey, get certificates at a CA with the key that they are given,
// and take the passkey away on their own page: the next order is refused with a link, where the passkey of another device lets it pass again.
func TestWhoTakesTheirPasskeyAwayGetsNoMoreCertificatesByItsKey(t *testing.T) {
	t.Parallel()
	p, ca := newProgram(t), newOwnCA(t)
	asCA := p.ca("own", ca.url("/dir"), ca.url("/new-account"), "strong")
	ca.asks(t, p.api, asCA.token, map[string]string{"email": "strong"})
	ctx := t.Context()
	const email = "leaver@example.org"

	opened := opensForKey(t, asCA, "strong", email)
	window := tab(t, screen{name: "removed", width: 390, height: 844, phone: true, lang: "en"})
	old := passkeys(t, window)
	run(t, window, onEachPage(`PublicKeyCredential.isConditionalMediationAvailable = async () => false`))
	// proves has the person use the passkey that the page asks for, and confirm their address.
	proves := func() {
		t.Helper()
		before := len(codeMails(p.mails(email)))
		run(t, window, chromedp.WaitVisible(`.panel form[action*="/begin"] button`, chromedp.ByQuery), chromedp.Click(`.panel form[action*="/begin"] button`, chromedp.ByQuery),
			chromedp.WaitReady(`.panel input[value="email"]`, chromedp.ByQuery), chromedp.Click(`.panel form[action*="/begin"] button`, chromedp.ByQuery), chromedp.WaitVisible(`input[name="code"]`, chromedp.ByQuery))
		run(t, window, chromedp.SendKeys(`input[name="code"]`, p.codeAfter("email", email, before), chromedp.ByQuery), chromedp.Submit(`form.answer`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="granted"]`, chromedp.ByQuery))
	}
	run(t, window, chromedp.Navigate(opened["case_url"].(string)), chromedp.WaitVisible("main"), chromedp.Click(`form[action*="/enrol"] button`, chromedp.ByQuery), created(old, 0))
	proves()
	binding, mine := keyOnPage(t, window), ca.acmeClient()
	if _, err := mine.Register(ctx, &acme.Account{ExternalAccountBinding: binding}, acme.AcceptTOS); err != nil {
		t.Fatal(err)
	}
	if _, err := ca.obtain(mine, email); err != nil {
		t.Fatal(err)
	}

	run(t, window, chromedp.Navigate(p.people+"/me"), chromedp.WaitVisible(`[data-page="signin"]`, chromedp.ByQuery), chromedp.Click(`main form button`, chromedp.ByQuery), chromedp.WaitVisible(`input[autocomplete="username webauthn"]`, chromedp.ByQuery))
	look(t, window, "removed-0-signin")
	run(t, window, chromedp.Click(`.panel form[action*="/begin"] button`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="me"]`, chromedp.ByQuery))
	look(t, window, "removed-1-me")
	var thing string
	run(t, window, chromedp.Evaluate(`[...document.querySelectorAll(".things > li")].find((li) => li.querySelector("h3").textContent.startsWith("Passkey")).querySelector('input[name="binding"]').value`, &thing))
	removal := `form[action*="/me/remove"]:has(input[value="` + thing + `"])`
	takeAway := func() {
		t.Helper()
		run(t, window, chromedp.Evaluate(`document.querySelector('`+removal+`').closest("details").open = true`, nil), chromedp.Click(removal+` button`, chromedp.ByQuery))
	}
	takeAway() // it is all by which they could come back
	run(t, window, chromedp.WaitVisible(`[role="alert"]`, chromedp.ByQuery))
	look(t, window, "removed-2-the-only-one")
	// The next device has a passkey of its own, and then the old one can go.
	run(t, window, chromedp.ActionFunc(func(ctx context.Context) error { return webauthn.RemoveVirtualAuthenticator(old).Do(ctx) }))
	next := passkeys(t, window)
	run(t, window, chromedp.Navigate(p.people+"/me?method=fido"), chromedp.WaitVisible(`form[action*="/enrol"] button`, chromedp.ByQuery), chromedp.Click(`form[action*="/enrol"] button`, chromedp.ByQuery), created(next, 0))
	run(t, window, chromedp.Navigate(p.people+"/me"), chromedp.WaitVisible(`[data-page="me"]`, chromedp.ByQuery))
	takeAway()
	run(t, window, chromedp.WaitNotPresent(removal, chromedp.ByQuery), chromedp.WaitVisible("main", chromedp.ByQuery))
	look(t, window, "removed-3-gone")

	_, err := ca.obtain(mine, email)
	refused(t, "after the passkey was taken away", err, "userActionRequired", "open the instance")
	no, ok := errors.AsType[*acme.Error](err)
	if !ok || no.Instance == "" {
		t.Fatalf("no link is told: %v", err)
	}
	_, err = ca.acmeClient().Register(ctx, &acme.Account{ExternalAccountBinding: binding}, acme.AcceptTOS)
	refused(t, "the key after that", err, "unauthorized", "binding")
	run(t, window, chromedp.Navigate(no.Instance), chromedp.WaitVisible("main"))
	look(t, window, "removed-4-anew")
	proves()
	if _, err := ca.obtain(mine, email); err != nil {
		t.Errorf("proved anew: %v", err)
	}
}
