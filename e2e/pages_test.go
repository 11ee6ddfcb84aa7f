package e2e

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestPagesFitATelephone opens the pages that no case leads through, those of operators and those of the
// demo, on a telephone and on a desk.
func TestPagesFitATelephone(t *testing.T) {
	p := newProgram(t)
	address := free(t)
	demo := start(t, nil, binary, "demo", "--listen", address)
	t.Cleanup(func() { end(demo, syscall.SIGTERM) }) // so that it removes its folder
	origin := "http://localhost:" + port(t, address)
	await(t, "the demo", 20*time.Second, answers(origin+"/"))
	form, err := http.PostForm(origin+"/demo/call", url.Values{})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(form.Body)
	form.Body.Close()
	if err != nil || !strings.Contains(string(body), "/c/") {
		t.Fatalf("the demo made no call: %v %s", err, visible(string(body)))
	}
	pages := map[string]string{
		"home": p.people + "/", "apply": p.people + "/apply/example/client", "no-page": p.people + "/nope",
		"no-case": p.people + "/c/00abc.def", "docs": p.api + "/docs", "demo": origin + "/", "mailbox": origin + "/mailbox",
		"desk": p.operators[0] + "/", "desk-messages": p.operators[0] + "/messages", "desk-spend": p.operators[0] + "/spend",
		"desk-brakes": p.operators[0] + "/brakes", "desk-webhooks": p.operators[0] + "/webhooks",
	}
	for _, s := range []screen{{name: "phone", width: 390, height: 844, phone: true, dark: true, lang: "de"}, {name: "desk", width: 1280, height: 900, lang: "en"}} {
		ctx := tab(t, s)
		for name, page := range pages {
			run(t, ctx, chromedp.Navigate(page), chromedp.WaitVisible("main", chromedp.ByQuery))
			look(t, ctx, "page-"+name+"-"+s.name)
		}
	}
}
