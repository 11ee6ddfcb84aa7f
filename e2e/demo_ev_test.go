package e2e

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// A newcomer plays requester, approver and reviewer in the demo, one after the other in one browser, each with a passkey of their own, and ends
// with a file that verifies without the demo, and not once anything in it was changed: on a desk and on a telephone.
func TestANewcomerWalksTheDemoToItsEvidence(t *testing.T) {
	for _, s := range []screen{
		{name: "desktop", width: 1280, height: 900, lang: "en"},
		{name: "phone-dark-fr", width: 390, height: 844, phone: true, dark: true, lang: "fr"},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			address := free(t)
			demo := start(t, nil, binary, "demo", "--listen", address)
			t.Cleanup(func() { end(demo, syscall.SIGTERM) }) // so that it removes its folder
			origin, picture := "http://localhost:"+port(t, address), "demo-ev-"+s.name
			await(t, "the demo", 20*time.Second, answers(origin+"/"))
			n := newNewcomer(t, s)
			run(t, n, chromedp.Navigate(origin+"/"))
			const walk = `[data-page="demoev"] #here`
			submits(t, n, `a.button[href^="/demo/ev"]`, walk)
			look(t, n, picture+"-1-stage")
			opens := func(then string) { // what a new tab would show
				t.Helper()
				var href string
				run(t, n, chromedp.Evaluate(`document.querySelector('#here a.button[target="_blank"]').href`, &href))
				run(t, n, chromedp.Navigate(href), chromedp.WaitVisible(then, chromedp.ByQuery))
			}
			next := func() { // the demo does its part
				t.Helper()
				submits(t, n, `#here form[action*="/next"] button`, walk)
			}
			back := func() {
				t.Helper()
				run(t, n, chromedp.Navigate(origin+"/demo/ev"), chromedp.WaitVisible(walk, chromedp.ByQuery))
			}
			joins := func(name string) {
				t.Helper()
				look(t, n, picture+"-"+name)
				opens(`[data-page="adminjoin"]`)
				n.signsUpForIt(t)
				n.takesItUp(t)
				back()
				look(t, n, picture+"-"+name+"-taken")
				next()
			}
			leaves := func() { // signs out, and is where they were
				t.Helper()
				submits(t, n, `#here form[action*="sign-out"] button`, walk)
			}
			next()
			joins("2-requester")
			opens(`.panel form[action*="/begin"] button`)
			run(t, n, chromedp.Click(`.panel form[action*="/begin"] button`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="review"]`, chromedp.ByQuery))
			look(t, n, picture+"-3-submitted")
			back()

			leaves()
			joins("4-approver")
			opens(`[data-page="adminqueue"]`)
			n.readsWhatWaits(t, picture+"-5-approver")
			n.signs(t, picture+"-5-approver")
			back()
			look(t, n, picture+"-6-specialist")
			next()

			leaves()
			joins("7-reviewer")
			opens(`[data-page="adminqueue"]`)
			n.readsWhatWaits(t, picture+"-8-reviewer")
			n.signs(t, picture+"-8-reviewer")
			back()
			look(t, n, picture+"-9-issue")
			next()
			look(t, n, picture+"-10-evidence")

			var href, command string
			run(t, n, chromedp.Evaluate(`document.querySelector("#here a.button").href`, &href), chromedp.Evaluate(`document.querySelector("#here pre").textContent`, &command))
			_, key, _ := strings.Cut(command, "--log-key '")
			key = strings.TrimSuffix(strings.TrimSpace(key), "'")
			resp, err := http.Get(href)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(resp.Header.Get("Content-Disposition"), "evidence.json") {
				t.Fatalf("the file: %d, %v", resp.StatusCode, err)
			}
			file := filepath.Join(t.TempDir(), "evidence.json")
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			said, err := alone(t, "evidence", "verify", file, "--log-key", key)
			if err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
			for _, want := range []string{"The evidence holds.", "Example Signing Ltd", "Requester", "Approved    for the organization, by Approver", "Approved    what was collected, by Specialist", "Approved    in the final review, by Reviewer", "appointment confirmed by Second administrator"} {
				if !strings.Contains(said, want) {
					t.Errorf("the evidence does not say %q:\n%s", want, said)
				}
			}
			edited(t, file, key, "evidence", "verify")
		})
	}
}
