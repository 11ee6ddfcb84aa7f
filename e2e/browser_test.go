package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// chromium finds the browser. There must be one: see `make tools`.
func chromium(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("CHROME_PATH"); path != "" {
		return path
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no Chromium: run `make tools`, or set CHROME_PATH")
	return ""
}

// screen is how a person looks at a page.
type screen struct {
	name          string
	width, height int64
	phone         bool
	noScript      bool
	dark          bool
	lang          string
}

// step is the time that one step in a browser has: many times what it takes, on a machine that may be slow. A whole visit has no
// limit of its own, since how long it takes says how busy the machine is, and nothing of the pages.
const step = 2 * time.Minute

// withoutScript is the key of a tab's context by which audit knows that it runs none.
type withoutScript struct{}

// tab opens a browser of its own, as one person's device, and returns a context to drive it with.
func tab(t testing.TB, s screen) context.Context {
	t.Helper()
	options := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	options = append(options, chromedp.ExecPath(chromium(t)), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(profileDir(t)),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("accept-lang", s.lang))
	alloc, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	// The first run starts the browser, which lasts as long as that run's context: it is not one of those that end with a step.
	start := time.AfterFunc(2*step, cancel)
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("browser: it does not start: %v", err)
	}
	start.Stop()
	setup := chromedp.Tasks{chromedp.EmulateViewport(s.width, s.height)}
	if s.phone {
		setup = append(setup, chromedp.EmulateViewport(s.width, s.height, chromedp.EmulateScale(2), chromedp.EmulateMobile))
	}
	if s.noScript {
		ctx = context.WithValue(ctx, withoutScript{}, true)
		setup = append(setup, emulation.SetScriptExecutionDisabled(true))
	}
	run(t, ctx, append(setup, s.media()))
	return ctx
}

// media has pages drawn as for that screen.
func (s screen) media() chromedp.Action {
	if s.dark {
		return mediaScheme("dark")
	}
	return mediaScheme("light")
}

// mediaScheme has pages drawn light or dark, and nothing move.
func mediaScheme(scheme string) chromedp.Action {
	return emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}})
}

// profileDir is a folder for one browser. What a dying browser still writes there is no
// fault of the test, so nobody minds if it cannot be removed at once.
func profileDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "countersign-browser")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func run(t testing.TB, ctx context.Context, actions ...chromedp.Action) {
	t.Helper()
	for _, action := range actions {
		if tasks, ok := action.(chromedp.Tasks); ok {
			run(t, ctx, tasks...)
			continue
		}
		err := do(ctx, action)
		// What was found may be of the page before, which the browser has just left: then nothing was done to it.
		for tries := 0; tries < 5 && err != nil && strings.Contains(err.Error(), "Could not find node with given id"); tries++ {
			err = do(ctx, action)
		}
		if err != nil {
			t.Fatalf("browser: %v", err)
		}
	}
}

// do is one step, within its time.
func do(ctx context.Context, action chromedp.Action) error {
	ctx, cancel := context.WithTimeout(ctx, step)
	defer cancel()
	return chromedp.Run(ctx, action)
}

// look keeps a picture of the page if E2E_PICTURES names a folder, and checks
// that nothing of it is cut off at the side and that it keeps nobody out.
func look(t testing.TB, ctx context.Context, name string) {
	t.Helper()
	var picture []byte
	await(t, name+" to be loaded", slowest, func() (loaded bool) { // what is seen before the style sheet has come is another page
		run(t, ctx, chromedp.Evaluate(`document.readyState === "complete"`, &loaded))
		return loaded
	})
	if wide(t, ctx) {
		t.Errorf("%s: the page is wider than the screen", name)
	}
	if dir := os.Getenv("E2E_PICTURES"); dir != "" {
		run(t, ctx, chromedp.FullScreenshot(&picture, 100))
		if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	audit(t, ctx, name)
}

// wide says whether the page is wider than the screen.
func wide(t testing.TB, ctx context.Context) (over bool) {
	t.Helper()
	run(t, ctx, chromedp.Evaluate(`document.documentElement.scrollWidth > document.documentElement.clientWidth`, &over))
	return over
}

// text is what stands in the page's main part.
func text(t testing.TB, ctx context.Context) string {
	t.Helper()
	var s string
	run(t, ctx, chromedp.Text("main", &s, chromedp.ByQuery))
	return s
}

// TestAPersonInABrowser does the main job in Chromium: on a desk, on a telephone,
// and without script.
func TestAPersonInABrowser(t *testing.T) {
	p := newProgram(t)
	for i, s := range []screen{
		{name: "desktop", width: 1280, height: 900, lang: "en"},
		{name: "phone-dark-de", width: 390, height: 844, phone: true, dark: true, lang: "de"},
		{name: "phone-noscript-fr", width: 360, height: 740, phone: true, noScript: true, lang: "fr"},
	} {
		t.Run(s.name, func(t *testing.T) {
			p := p.in(t)
			email, phone := fmt.Sprintf("applicant%d@example.org", i), fmt.Sprintf("+44740012%04d", 5000+i)
			secret("a number", phone)
			a := p.preauthorize("client", "browser "+s.name, email)
			ctx := tab(t, s)
			run(t, ctx, chromedp.Navigate(a["case_url"].(string)), chromedp.WaitVisible("main"))
			for _, said := range []string{"CA example", email, fingerprint("browser " + s.name)} {
				if !strings.Contains(text(t, ctx), said) {
					t.Errorf("the page does not say %q:\n%s", said, text(t, ctx))
				}
			}
			look(t, ctx, s.name+"-1-case")

			run(t, ctx, chromedp.Click(`.panel form[action$="/begin"] button`, chromedp.ByQuery), chromedp.WaitVisible(`input[name="code"]`, chromedp.ByQuery))
			look(t, ctx, s.name+"-2-code")
			code := p.codeAfter("email", email, 0)
			run(t, ctx, chromedp.SendKeys(`input[name="code"]`, code, chromedp.ByQuery), chromedp.Submit(`form.answer`, chromedp.ByQuery), chromedp.WaitVisible(`input[name="address"]`, chromedp.ByQuery))
			look(t, ctx, s.name+"-3-number")

			run(t, ctx, chromedp.SendKeys(`input[name="address"]`, "+44 12", chromedp.ByQuery), chromedp.SendKeys(`input[name="address"]`, kb.Enter, chromedp.ByQuery), chromedp.WaitVisible(`#address-error`, chromedp.ByQuery))
			look(t, ctx, s.name+"-4-mistake")
			run(t, ctx, chromedp.SetValue(`input[name="address"]`, phone, chromedp.ByQuery), chromedp.SendKeys(`input[name="address"]`, kb.Enter, chromedp.ByQuery), chromedp.WaitVisible(`input[name="code"]`, chromedp.ByQuery))
			code = p.codeAfter("sms", phone, 0)
			run(t, ctx, chromedp.SendKeys(`input[name="code"]`, "12345678", chromedp.ByQuery), chromedp.SendKeys(`input[name="code"]`, kb.Enter, chromedp.ByQuery), chromedp.WaitVisible(`#code-error`, chromedp.ByQuery))
			look(t, ctx, s.name+"-5-wrong")
			var focused bool // loading the page again sends nothing again, and nor does going back to it
			run(t, ctx, chromedp.Evaluate(`document.activeElement.name === "code"`, &focused), chromedp.Reload(), chromedp.WaitVisible(`input[name="code"]`, chromedp.ByQuery), chromedp.WaitNotPresent(`#code-error`, chromedp.ByQuery))
			if !focused {
				t.Error("the field that is wrong has not the focus")
			}
			run(t, ctx, chromedp.SetValue(`input[name="code"]`, code, chromedp.ByQuery), chromedp.SendKeys(`input[name="code"]`, kb.Enter, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="granted"]`, chromedp.ByQuery))
			look(t, ctx, s.name+"-6-done")
			if !s.noScript { // there the browser may show the page as it was left, without asking for it
				run(t, ctx, chromedp.NavigateBack(), chromedp.WaitVisible(`[data-page="granted"]`, chromedp.ByQuery))
			}
			_, done := p.call("GET", "/v1/preauthorizations/"+a["id"].(string)+"?wait=60", nil)
			wantStatus(t, done, "valid")
		})
	}
}

// TestWithTheKeyboardAlone does a case without ever touching the mouse.
func TestWithTheKeyboardAlone(t *testing.T) {
	p := newProgram(t)
	const email = "keys@example.org"
	a := p.preauthorize("address", "keyboard", email)
	ctx := tab(t, screen{width: 1280, height: 900, lang: "en"})
	run(t, ctx, chromedp.Navigate(a["case_url"].(string)), chromedp.WaitVisible("main"))
	press(t, ctx, `.panel form[action$="/begin"] button`)
	run(t, ctx, chromedp.WaitVisible(`input[name="code"]`, chromedp.ByQuery))
	code := p.codeAfter("email", email, 0)
	walkTo(t, ctx, `input[name="code"]`)
	run(t, ctx, chromedp.KeyEvent(code), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(`[data-page="granted"]`, chromedp.ByQuery))
}

// walkTo presses Tab until what the selector names has the focus.
func walkTo(t testing.TB, ctx context.Context, selector string) {
	t.Helper()
	for range 200 {
		var there bool
		run(t, ctx, chromedp.Evaluate(fmt.Sprintf("document.activeElement.matches(%q)", selector), &there))
		if there {
			return
		}
		run(t, ctx, chromedp.KeyEvent(kb.Tab))
	}
	t.Fatalf("the keyboard does not reach %s", selector)
}

func press(t testing.TB, ctx context.Context, selector string) {
	t.Helper()
	walkTo(t, ctx, selector)
	run(t, ctx, chromedp.KeyEvent(kb.Enter))
}

// TestTheLinkOfAMailInTwoBrowsers opens a mail's link in the browser that asked for it
// and in another one, where it does nothing by itself.
func TestTheLinkOfAMailInTwoBrowsers(t *testing.T) {
	p := newProgram(t)
	const email = "link@example.org"
	a := p.preauthorize("address", "two browsers", email)
	mine, other := tab(t, screen{width: 1100, height: 800, lang: "en"}), tab(t, screen{width: 390, height: 844, phone: true, lang: "en"})
	run(t, mine, chromedp.Navigate(a["case_url"].(string)), chromedp.Click(`.panel form[action$="/begin"] button`, chromedp.ByQuery), chromedp.WaitVisible(`input[name="code"]`, chromedp.ByQuery))
	p.codeAfter("email", email, 0)
	link := ""
	for _, found := range linkIn.FindAllString(p.mails(email)[0].body, -1) {
		if strings.Contains(found, "/m/") {
			link = found
		}
	}
	if link == "" {
		t.Fatalf("no link in the mail: %s", p.mails(email)[0].body)
	}
	run(t, other, chromedp.Navigate(link), chromedp.WaitVisible(`input[name="code"]`, chromedp.ByQuery))
	look(t, other, "link-other-browser")
	_, between := p.call("GET", "/v1/preauthorizations/"+a["id"].(string), nil)
	wantStatus(t, between, "pending")
	run(t, mine, chromedp.Navigate(link), chromedp.WaitVisible(`form button[type="submit"]`, chromedp.ByQuery))
	look(t, mine, "link-same-browser")
	run(t, mine, chromedp.Click(`input[name="how"][value="link"] ~ button`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="granted"]`, chromedp.ByQuery))
	_, done := p.call("GET", "/v1/preauthorizations/"+a["id"].(string)+"?wait=60", nil)
	wantStatus(t, done, "valid")
}

// TestThisWasNotMeInABrowser follows the link of a mail to its end.
func TestThisWasNotMeInABrowser(t *testing.T) {
	p := newProgram(t)
	const email = "notme@example.org"
	a := p.preauthorize("address", "not me", email)
	h := p.person(a["case_url"].(string))
	if _, err := h.begin("email", email); err != nil {
		t.Fatal(err)
	}
	p.codeAfter("email", email, 0)
	link := ""
	for _, found := range linkIn.FindAllString(p.mails(email)[0].body, -1) {
		if strings.Contains(found, "/n/") {
			link = found
		}
	}
	ctx := tab(t, screen{width: 390, height: 844, phone: true, lang: "en"})
	run(t, ctx, chromedp.Navigate(link), chromedp.WaitVisible(`#sure`, chromedp.ByQuery))
	look(t, ctx, "not-me-ask")
	run(t, ctx, chromedp.Click(`#sure`, chromedp.ByQuery), chromedp.Click(`button.danger`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="disowned"]`, chromedp.ByQuery))
	look(t, ctx, "not-me-done")
	_, frozen := p.call("GET", "/v1/preauthorizations/"+a["id"].(string), nil)
	if frozen["status"] != "pending" || frozen["reason"] != "frozen" {
		t.Errorf("the CA reads %v (%v)", frozen["status"], frozen["reason"])
	}
}

// fingerprint is the short form of an account's key, as pages show it.
func fingerprint(account string) string {
	k := thumbprint(account)
	return k[:4] + " " + k[4:8] + " " + k[8:12]
}
