package templates

import (
	"html"
	"strings"
	"testing"
	"time"
)

// signSamples are the pages at which decisions are signed.
func signSamples() map[string]Screen {
	panel := SignPanel{
		Action: "/admin/cases/1/decide", Fields: []Field{{"nonce", "nonce"}}, Ask: `{"challenge":"AAAA"}`,
		Text: "Beispiel GmbH, HRB 1234, Amtsgericht <Charlottenburg>\nsoll ein Zertifikat bekommen.", Language: "de",
		Decision: "approve", Button: "grant", Passkey: "My <key>", Until: at.Add(5 * time.Minute),
	}
	refuse, over := panel, panel
	refuse.Decision, refuse.Button, refuse.Passkey, refuse.Fields = "refuse", "refuse", "", nil
	over.Over = "expired"
	return map[string]Screen{
		"sign":        Sign{Frame: frame, Panel: panel, Back: "/admin/cases/1"},
		"sign-refuse": Sign{Frame: frame, Panel: refuse, Notice: &Problem{Family: "input", Code: "signing_wrong"}},
		"sign-over":   Sign{Frame: frame, Panel: over, Back: "/admin/cases/1"},
	}
}

// What is signed is what is seen: to the letter, in its own language, whatever the page's is.
func TestTheTextThatIsSignedIsShownToTheLetter(t *testing.T) {
	s := signSamples()["sign"].(Sign)
	for _, lang := range Languages() {
		_, rest, _ := strings.Cut(draw(t, lang, s), `<blockquote class="signed" lang="de" dir="auto"><pre>`)
		text, _, ok := strings.Cut(rest, "</pre></blockquote>")
		if !ok || html.UnescapeString(text) != s.Panel.Text {
			t.Errorf("%s: the page shows %q", lang, text)
		}
	}
	if drawn := draw(t, "en", signSamples()["sign-over"]); strings.Contains(drawn, "data-sign=") || strings.Contains(drawn, "<form") {
		t.Error("what is over can be signed")
	}
}
