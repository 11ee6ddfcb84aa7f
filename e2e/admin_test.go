package e2e

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"github.com/countersign-id/countersign/store/redistest"
)

var joinLink = regexp.MustCompile(`http://localhost:[0-9]+/admin/join/\S+`)

// TestTheFirstAdministratorsOpenTheConsole names two administrators on the server, who take their roles up in Chromium with passkeys of their
// own: on both stores, at a desk and with a telephone. Nobody else finds a console, and who signs in with less than a passkey is
// told so, and comes back with it.
func TestTheFirstAdministratorsOpenTheConsole(t *testing.T) {
	for _, c := range []struct {
		screen
		start func(t *testing.T) *program
	}{
		{screen{name: "desktop", width: 1280, height: 900, lang: "en"}, func(t *testing.T) *program { return newProgram(t) }},
		{screen{name: "phone-dark-de", width: 390, height: 844, phone: true, dark: true, lang: "de"}, func(t *testing.T) *program {
			return newProgramOver(t, onRedis([]*redistest.Server{redistest.Start(t, redistest.Durable()...)}, ""))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, s, picture := c.start(t), c.screen, "admin-"+c.name
			links := joinLink.FindAllString(p.command("admin", "bootstrap", "Administrator One", "Administrator Two"), -1)
			if len(links) != 2 {
				t.Fatalf("%d links", len(links))
			}
			one, two := newNewcomer(t, s), newNewcomer(t, s)
			for i, ctx := range []*newcomer{one, two} {
				ctx.opensLink(t, links[i])
				if said := text(t, ctx); !strings.Contains(said, []string{"Administrator One", "Administrator Two"}[i]) {
					t.Errorf("the link does not say for whom it is:\n%s", said)
				}
				if i == 0 {
					look(t, ctx, picture+"-1-link")
				}
				ctx.signsUpForIt(t)
				if i == 0 {
					look(t, ctx, picture+"-2-back")
				}
				ctx.takesItUp(t)
				look(t, ctx, picture+"-3-taken-"+[]string{"one", "two"}[i])
			}
			run(t, two, chromedp.Click(`a[href^="/admin"].button`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="adminqueue"]`, chromedp.ByQuery))
			look(t, two, picture+"-4-queue")
			two.aroundTheConsole(t, p, picture)
			run(t, one, chromedp.Navigate(p.people+"/me"), chromedp.WaitVisible(`[data-page="me"]`, chromedp.ByQuery), chromedp.Click(`a[href^="/admin"]`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="adminqueue"]`, chromedp.ByQuery))

			// Who has no role finds nothing there, signed in or not by then.
			other := newNewcomer(t, s)
			run(t, other, chromedp.Navigate(p.people+"/admin"), chromedp.WaitVisible(`[data-page="signin"]`, chromedp.ByQuery))
			other.signUp(t)
			run(t, other, chromedp.WaitVisible(`[data-page="fault"]`, chromedp.ByQuery))
			look(t, other, picture+"-5-nothing")
			run(t, other, chromedp.Navigate(links[0]), chromedp.WaitVisible(`[data-page="adminjoin"]`, chromedp.ByQuery))
			if said := text(t, other); strings.Contains(said, "Administrator One") {
				t.Errorf("a link that was used tells of whom it was:\n%s", said)
			}

			// A code to a number signs in, and opens no console.
			number := "+447400126001"
			if s.phone {
				number = "+447400126002"
			}
			secret("a number", number)
			run(t, one, chromedp.Navigate(p.people+"/me?method=sms"), chromedp.WaitVisible(`input[name="address"]`, chromedp.ByQuery), chromedp.SendKeys(`input[name="address"]`, number, chromedp.ByQuery),
				chromedp.Submit(`.panel form[action*="/begin"]`, chromedp.ByQuery), chromedp.WaitVisible(`input[name="code"]`, chromedp.ByQuery), typeCode(p, "sms", number), chromedp.WaitNotPresent(`input[name="code"]`, chromedp.ByQuery),
				chromedp.WaitVisible(`[data-page="me"]`, chromedp.ByQuery), chromedp.Click(`form[action*="/me/sign-out"] button`, chromedp.ByQuery), chromedp.WaitNotPresent(`[data-page="me"]`, chromedp.ByQuery))
			seen := len(p.texts(number))
			run(t, one, chromedp.Navigate(p.people+"/admin"), chromedp.WaitVisible(`[data-page="signin"]`, chromedp.ByQuery), chromedp.Click(`main form button`, chromedp.ByQuery),
				chromedp.WaitVisible(`a[href*="method=sms"]`, chromedp.ByQuery), chromedp.Click(`a[href*="method=sms"]`, chromedp.ByQuery), chromedp.WaitVisible(`input[autocomplete="tel"]`, chromedp.ByQuery),
				chromedp.SendKeys(`input[autocomplete="tel"]`, number, chromedp.ByQuery))
			time.Sleep(5 * time.Second) // the cooldown of the number
			run(t, one, chromedp.Submit(`.panel form[action*="/begin"]`, chromedp.ByQuery), chromedp.WaitVisible(`input[name="code"]`, chromedp.ByQuery))
			code := p.codeAfter("sms", number, seen)
			run(t, one, chromedp.SendKeys(`input[name="code"]`, code, chromedp.ByQuery), chromedp.Submit(`form.answer`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="me"] [role="alert"]`, chromedp.ByQuery))
			look(t, one, picture+"-6-too-weak")
			run(t, one, chromedp.Click(`.panel form[action*="/begin"] button`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="adminqueue"]`, chromedp.ByQuery))
		})
	}
}

// aroundTheConsole proposes somebody, and reads of it in the log, with the proof that the log gives of itself.
func (n *newcomer) aroundTheConsole(t testing.TB, p *program, picture string) {
	t.Helper()
	to := func(path, page string) chromedp.Tasks {
		return chromedp.Tasks{chromedp.Click(`nav.tabs a[href^="/admin`+path+`"]`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="`+page+`"]`, chromedp.ByQuery)}
	}
	run(t, n, to("/organizations", "adminorganizations"))
	look(t, n, picture+"-organizations")
	run(t, n, to("/people", "adminpeople"))
	if said := text(t, n); !strings.Contains(said, "Administrator One") || !strings.Contains(said, "Administrator Two") {
		t.Errorf("the page of people has:\n%s", said)
	}
	look(t, n, picture+"-people")
	run(t, n, chromedp.Click(`a[href*="/admin/propose/administrator"]`, chromedp.ByQuery))
	n.keepsFresh(t, `[data-page="adminpropose"]`)
	run(t, n, chromedp.WaitVisible(`input[name="name"]`, chromedp.ByQuery))
	look(t, n, picture+"-propose")
	run(t, n, chromedp.SendKeys(`input[name="name"]`, "Administrator Three", chromedp.ByQuery), chromedp.Submit(`input[name="name"]`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="adminperson"]`, chromedp.ByQuery))
	link := joinLink.FindString(text(t, n))
	if link == "" {
		t.Fatalf("no link is shown:\n%s", text(t, n))
	}
	secret("a link to a role", link[strings.LastIndex(link, "/")+1:])
	look(t, n, picture+"-person")
	if said := p.command("admin", "list"); !strings.Contains(said, "Administrator Three") {
		t.Errorf("the command does not know of them:\n%s", said)
	}
	time.Sleep(3 * time.Second) // until what was done is in the log, and the log stated
	run(t, n, to("/log", "adminlog"))
	look(t, n, picture+"-log")
	var proof string
	run(t, n, chromedp.Click(`ol.entries h3 a`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="adminentry"]`, chromedp.ByQuery))
	await(t, "the proof of an entry, with its checkpoint", slowest, func() bool {
		run(t, n, chromedp.Reload(), chromedp.WaitVisible(`[data-page="adminentry"]`, chromedp.ByQuery), chromedp.Evaluate(`document.querySelector("details pre")?.textContent ?? ""`, &proof))
		return strings.Contains(proof, "localhost") && strings.Contains(proof, "— ")
	})
	run(t, n, chromedp.WaitVisible(`a[download]`, chromedp.ByQuery))
	look(t, n, picture+"-entry")
	p.command("audit", "verify")
	run(t, n, chromedp.Click(`nav.tabs li:first-child a`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="adminqueue"]`, chromedp.ByQuery))
}

// newcomer is a browser with a passkey authenticator of its own, whose person has nothing here yet.
type newcomer struct {
	context.Context
	authenticator webauthn.AuthenticatorID
	look          chromedp.Action // how pages are drawn for them
	keyboard      bool            // they press buttons by the keyboard alone
	confirmed     time.Time       // when they used their passkey last to show that it is them
}

func newNewcomer(t testing.TB, s screen) *newcomer {
	t.Helper()
	ctx := tab(t, s)
	n := &newcomer{Context: ctx, authenticator: passkeys(t, ctx), look: s.media()}
	// What the browser offers by itself would sign in between two steps; TestAPasskeyInABrowser looks at that.
	run(t, ctx, onEachPage(`PublicKeyCredential.isConditionalMediationAvailable = async () => false`))
	return n
}

// passkeys is how many their authenticator has.
func (n *newcomer) passkeys(t testing.TB) (has int) {
	t.Helper()
	run(t, n.Context, chromedp.ActionFunc(func(ctx context.Context) error {
		have, err := webauthn.GetCredentials(n.authenticator).Do(ctx)
		has = len(have)
		return err
	}))
	return has
}

// signUp goes from the page of signing in on to where they wanted to be: a passkey is created, and used.
func (n *newcomer) signUp(t testing.TB) {
	t.Helper()
	run(t, n.Context, chromedp.Click(`main form button`, chromedp.ByQuery), chromedp.WaitVisible(`form[action*="/enrol"] button`, chromedp.ByQuery),
		chromedp.Click(`form[action*="/enrol"] button`, chromedp.ByQuery), created(n.authenticator, n.passkeys(t)),
		chromedp.WaitVisible(`.panel form[action*="/begin"] button`, chromedp.ByQuery), chromedp.Click(`.panel form[action*="/begin"] button`, chromedp.ByQuery),
		chromedp.WaitNotPresent(`[data-page="signin"]`, chromedp.ByQuery))
	n.confirmed = time.Now()
}

// confirmFirst leads whoever has signed in some time ago to where they confirm with their passkey that it is them.
const confirmFirst = `main a[href*="method=fido"]`

// confirmsIfAsked confirms if the page asks for it, as it does on a slow machine, comes back to the page, whose selector is then, and says whether it did.
func (n *newcomer) confirmsIfAsked(t testing.TB, then string) (asked bool) {
	t.Helper()
	run(t, n, chromedp.Evaluate("!!document.querySelector('"+confirmFirst+"')", &asked))
	if asked {
		submits(t, n, confirmFirst, `.panel form[action*="/begin"] button`)
		n.confirms(t, then)
	}
	return asked
}

// confirms presses the button of the page to confirm at.
func (n *newcomer) confirms(t testing.TB, then string) {
	t.Helper()
	submits(t, n, `.panel form[action*="/begin"] button`, then)
	n.confirmed = time.Now()
}

// keepsFresh confirms once more before the ten minutes are over that the console lets somebody change something for, and comes back to the page that they
// look at. An act that begins after it has six minutes at least; what a form says that is sent later would be lost.
func (n *newcomer) keepsFresh(t testing.TB, then string) {
	t.Helper()
	run(t, n, chromedp.WaitVisible(then, chromedp.ByQuery))
	if n.confirmsIfAsked(t, then) || time.Since(n.confirmed) < 4*time.Minute {
		return
	}
	var confirm string
	run(t, n, chromedp.Evaluate(`location.origin + "/me?" + new URLSearchParams({method: "fido", to: location.pathname + location.search})`, &confirm))
	run(t, n, chromedp.Navigate(confirm), chromedp.WaitVisible(`.panel form[action*="/begin"] button`, chromedp.ByQuery))
	n.confirms(t, then)
}

// opensLink opens the link to a role, which shows for whom it is.
func (n *newcomer) opensLink(t testing.TB, link string) {
	t.Helper()
	secret("a link to a role", link[strings.LastIndex(link, "/")+1:])
	run(t, n.Context, chromedp.Navigate(link), chromedp.WaitVisible(`[data-page="adminjoin"]`, chromedp.ByQuery))
}

// signsUpForIt goes from the page of a link to that of signing in, and comes back with a passkey.
func (n *newcomer) signsUpForIt(t testing.TB) {
	t.Helper()
	run(t, n.Context, chromedp.Click(`a[href*="/me/sign-in"]`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="signin"]`, chromedp.ByQuery))
	n.signUp(t)
	run(t, n.Context, chromedp.WaitVisible(`[data-page="adminjoin"] form button`, chromedp.ByQuery))
}

// takesItUp takes the role.
func (n *newcomer) takesItUp(t testing.TB) {
	t.Helper()
	run(t, n.Context, chromedp.Click(`[data-page="adminjoin"] form button`, chromedp.ByQuery), chromedp.WaitNotPresent(`[data-page="adminjoin"] form`, chromedp.ByQuery),
		chromedp.WaitVisible(`[data-page="adminjoin"]`, chromedp.ByQuery))
}

// keepsMailbox has somebody who is signed in confirm a mailbox, which is theirs from then on.
func (n *newcomer) keepsMailbox(t testing.TB, p *program, email string) {
	t.Helper()
	run(t, n.Context, chromedp.Navigate(p.people+"/me?method=email"), chromedp.WaitVisible(`input[name="address"]`, chromedp.ByQuery),
		chromedp.SendKeys(`input[name="address"]`, email, chromedp.ByQuery), chromedp.Submit(`.panel form[action*="/begin"]`, chromedp.ByQuery), chromedp.WaitVisible(`input[name="code"]`, chromedp.ByQuery),
		typeCode(p, "email", email), chromedp.WaitNotPresent(`input[name="code"]`, chromedp.ByQuery))
}
