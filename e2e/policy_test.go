package e2e

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/countersign-id/countersign/store/redistest"
)

// TestAChangeOfThePolicyTakesTwoPeople changes the configuration under two administrators, who sign what changes in Chromium: on both
// stores, and with a second process on Redis that has the old file, and takes up what they have approved.
func TestAChangeOfThePolicyTakesTwoPeople(t *testing.T) {
	const before, after = "title: Client certificate", "title: Other <certificate>"
	for _, c := range []struct {
		screen
		start func(t *testing.T) *program
	}{
		{screen{name: "desktop", width: 1280, height: 900, lang: "en"}, func(t *testing.T) *program { return newProgram(t) }},
		{screen{name: "phone-dark-de", width: 390, height: 844, phone: true, dark: true, lang: "de"}, func(t *testing.T) *program {
			return newService(t, layout{store: onRedis([]*redistest.Server{redistest.Start(t, redistest.Durable()...)}, ""), processes: 2})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, s, picture := c.start(t), c.screen, "policy-"+c.name
			links := joinLink.FindAllString(p.command("admin", "bootstrap", "Administrator One", "Administrator Two"), -1)
			one, two := newNewcomer(t, s), newNewcomer(t, s)
			for i, ctx := range []*newcomer{one, two} {
				secret("a link to a role", links[i][strings.LastIndex(links[i], "/")+1:])
				run(t, ctx, chromedp.Navigate(links[i]), chromedp.WaitVisible(`[data-page="adminjoin"]`, chromedp.ByQuery), chromedp.Click(`a[href*="/me/sign-in"]`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="signin"]`, chromedp.ByQuery))
				ctx.signUp(t)
				run(t, ctx, chromedp.WaitVisible(`[data-page="adminjoin"] form button`, chromedp.ByQuery), chromedp.Click(`[data-page="adminjoin"] form button`, chromedp.ByQuery), chromedp.WaitNotPresent(`[data-page="adminjoin"] form`, chromedp.ByQuery))
			}
			run(t, one, chromedp.Navigate(p.people+"/admin/policy"), chromedp.WaitVisible(`[data-page="adminpolicies"] code`, chromedp.ByQuery))
			look(t, one, picture+"-1-adopted")
			adopted := p.command("policy")

			// Somebody changes the file, and has it read again.
			config, err := os.ReadFile(p.file(0))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(p.file(0), []byte(strings.Replace(string(config), before, after, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			await(t, "the proposal", 10*time.Second, func() bool {
				out, err := p.attempt("policy")
				return err == nil && strings.Contains(out, "Proposal")
			})
			a := p.preauthorize("client", "policy "+s.name, s.name+"@example.org")
			title := func() string {
				resp, err := http.Get(a["case_url"].(string))
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				page, _ := io.ReadAll(resp.Body)
				return string(page)
			}
			if !strings.Contains(title(), "Client certificate") {
				t.Error("the new policy is in force before anybody has approved it")
			}

			for i, ctx := range []*newcomer{one, two} {
				run(t, ctx, chromedp.Navigate(p.people+"/admin/policy"), chromedp.WaitVisible(`.box.warn a`, chromedp.ByQuery))
				if i == 0 {
					look(t, ctx, picture+"-2-waits")
				}
				run(t, ctx, chromedp.Click(`.box.warn a`, chromedp.ByQuery))
				ctx.keepsFresh(t, `[data-page="adminpolicy"]`)
				run(t, ctx, chromedp.WaitVisible(`[data-page="adminpolicy"] form[action*="/decide"]`, chromedp.ByQuery))
				if said := text(t, ctx); !strings.Contains(said, "profiles.client.title") || !strings.Contains(said, "Other <certificate>") {
					t.Errorf("the page does not say what changes:\n%s", said)
				}
				look(t, ctx, picture+"-3-proposal-"+[]string{"one", "two"}[i])
				run(t, ctx, chromedp.Click(`[aria-labelledby="agree-title"] button`, chromedp.ByQuery), chromedp.WaitVisible(`form[data-sign] button`, chromedp.ByQuery))
				look(t, ctx, picture+"-4-sign-"+[]string{"one", "two"}[i])
				run(t, ctx, chromedp.Click(`form[data-sign] button`, chromedp.ByQuery), chromedp.WaitVisible(`[data-page="adminpolicy"] .decisions`, chromedp.ByQuery))
				look(t, ctx, picture+"-5-signed-"+[]string{"one", "two"}[i])
			}

			// Every process has it within seconds, and keeps it when it starts again.
			taken := func() bool {
				for range 4 { // the line shares requests among the processes
					if !strings.Contains(title(), "Other &lt;certificate&gt;") {
						return false
					}
				}
				return true
			}
			await(t, "the new policy", 20*time.Second, taken)
			if said := p.command("policy"); said == adopted || strings.Contains(said, "Proposal") || !strings.Contains(said, "Nothing is proposed") {
				t.Errorf("in force is\n%s", said)
			}
			end(p.cmd, syscall.SIGTERM)
			p.run()
			for n, other := range p.others { // with the file as it was
				end(other, syscall.SIGTERM)
				p.others[n] = p.process(n + 1)
			}
			if !taken() {
				t.Error("after a restart it is not in force")
			}
			if said := p.command("policy", "list"); strings.Contains(said, "waiting") {
				t.Errorf("a restart proposes\n%s", said)
			}
			p.command("audit", "verify")

			// Who has approved what convinces somebody who has nothing but the files and the log's key.
			id := strings.Fields(p.command("policy", "list", "--json"))
			i := slices.Index(id, `"id":`)
			key := regexp.MustCompile(`\S+\+[0-9a-f]{8}\+\S+`).FindString(p.command("audit", "key"))
			var files []string
			await(t, "the approvals to be in a checkpoint", 20*time.Second, func() bool {
				out, err := p.attempt("policy", "approvals", strings.Trim(id[i+1], `",`), "--out", t.TempDir())
				files = strings.Fields(out)
				return err == nil
			})
			for n, who := range []string{"Administrator One", "Administrator Two"} {
				if said := p.command("verify-approval", files[n], "--log-key", key); !strings.Contains(said, who) || !strings.Contains(said, "profiles.client.title") || !strings.Contains(said, "proposed policy: sha256:") {
					t.Errorf("of one it is proved:\n%s", said)
				}
			}
			run(t, two, chromedp.Navigate(p.people+"/admin/policy"), chromedp.WaitVisible(`[data-page="adminpolicies"] table`, chromedp.ByQuery))
			look(t, two, picture+"-6-after")
		})
	}
}
