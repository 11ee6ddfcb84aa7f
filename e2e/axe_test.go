package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// axe is the source of axe-core.
var axe = sync.OnceValues(func() (string, error) {
	source, err := os.ReadFile("axe/node_modules/axe-core/axe.min.js")
	if err != nil {
		return "", fmt.Errorf("axe-core is missing: run `make axe`: %w", err)
	}
	return string(source), nil
})

// findings runs every rule for WCAG 2.2 at level AA, and what axe-core calls best practice, and returns a line for each
// thing that breaks one.
const findings = `(async () => {
  const found = await axe.run(document, {
    runOnly: {type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]},
    rules: {"target-size": {enabled: true}},
    resultTypes: ["violations"],
  });
  return found.violations.flatMap((v) => v.nodes.map((n) => v.id + ": " + n.target.join(" ") + ": " + n.failureSummary.replace(/\s+/g, " ")));
})()`

// unfold shows what is folded away, or hidden until a script wants it.
const unfold = `for (const d of document.querySelectorAll("details")) d.open = true;
for (const h of document.querySelectorAll("main [hidden]")) {
  if (h.matches("[data-ask-error]")) h.textContent = document.querySelector("[data-refused]").dataset.refused;
  h.hidden = false;
}`

// audit lets axe-core look at the page that is open. Our policy forbids scripts that are not ours; the browser's own
// protocol may run them all the same.
func audit(t testing.TB, ctx context.Context, name string) {
	t.Helper()
	source, err := axe()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	look := chromedp.Tasks{
		emulation.SetScriptExecutionDisabled(false), // what it has to say, it says by a promise
		chromedp.Evaluate("typeof axe === 'undefined' && (() => {"+source+"\n})()", nil),
		chromedp.Evaluate(findings, &found, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }),
		emulation.SetScriptExecutionDisabled(ctx.Value(withoutScript{}) != nil),
	}
	if err := do(ctx, look); err != nil { // a page may load itself anew meanwhile
		run(t, ctx, chromedp.WaitReady("main", chromedp.ByQuery), look)
	}
	for _, f := range found {
		t.Errorf("%s: %s", name, f)
	}
}

// TestAxeFindsNothing opens the sample of every page, on a desk and on a telephone, light and dark; in every language, whose
// words are of different lengths. Nothing is cut off at the side, on the narrowest screen that WCAG 2.2 asks for (1.4.10) or a wider one.
func TestAxeFindsNothing(t *testing.T) {
	t.Parallel()
	samples, err := filepath.Glob("../templates/testdata/page-*.html")
	if err != nil || len(samples) < 180 {
		t.Fatalf("%d samples: %v", len(samples), err)
	}
	mux := http.NewServeMux()
	mux.Handle("/samples/", http.StripPrefix("/samples/", http.FileServer(http.Dir("../templates/testdata"))))
	mux.Handle("/static/", http.StripPrefix("/static/", http.FileServer(http.Dir("../web/static"))))
	mux.HandleFunc("/static/app.js", http.NotFound) // it would send forms off by itself
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: mux}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })

	light, dark := mediaScheme("light"), mediaScheme("dark")
	desk := chromedp.EmulateViewport(1280, 900)
	phone := chromedp.EmulateViewport(360, 740, chromedp.EmulateScale(2), chromedp.EmulateMobile)
	for _, c := range []struct {
		lang  string
		looks []lookedAt
	}{
		{"en", []lookedAt{{"a desk", chromedp.Tasks{desk, light}}, {"a dark telephone", chromedp.Tasks{phone, dark}}}},
		{"de", []lookedAt{{"a telephone", chromedp.Tasks{phone, light}}}},
		{"fr", []lookedAt{{"a dark desk", chromedp.Tasks{desk, dark}}}},
	} {
		var names []string
		for _, sample := range samples {
			if name := filepath.Base(sample); strings.HasSuffix(name, "."+c.lang+".html") {
				names = append(names, name)
			}
		}
		t.Run(c.lang, func(t *testing.T) {
			ctx := tab(t, screen{width: 1280, height: 900, lang: c.lang})
			for _, name := range names {
				run(t, ctx, chromedp.Navigate("http://"+listener.Addr().String()+"/samples/"+name), chromedp.WaitReady("main", chromedp.ByQuery), chromedp.Evaluate(unfold, nil))
				for _, width := range []int64{320, 390, 768, 1280} {
					if run(t, ctx, chromedp.EmulateViewport(width, 900)); wide(t, ctx) {
						t.Errorf("%s is wider than a screen of %d pixels", name, width)
					}
				}
				for _, l := range c.looks {
					run(t, ctx, l.as)
					audit(t, ctx, name+" on "+l.name)
				}
			}
		})
	}
}

// lookedAt is a way in which a page is seen.
type lookedAt struct {
	name string
	as   chromedp.Action
}
