package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// Who goes back to a page of a sign-in that has succeeded is told so, in the browser in which they signed in, and led on. For anybody else the same link is one that
// somebody made up.
func TestWhoGoesBackToAFinishedSignInIsToldSo(t *testing.T) {
	h, ada, bob := atDesk(t)
	page := ada.follow(ada.post("/me/sign-in"))
	ada.passkey(page, "begin")
	id, secret, _ := strings.Cut(strings.TrimPrefix(page, "/c/"), ".")
	pages := map[string]func(b *browser, id string) *httptest.ResponseRecorder{
		"its page": func(b *browser, id string) *httptest.ResponseRecorder { return b.get("/c/" + id + "." + secret) },
		"its form": func(b *browser, id string) *httptest.ResponseRecorder {
			return b.post("/c/"+id+"."+secret+"/answer", "attempt", "x", "response", "{}")
		},
		"where a provider leads back to": func(b *browser, id string) *httptest.ResponseRecorder {
			return b.get("/o/idp?code=x&state=" + id + ".attempt.secret")
		},
		"what is sent from there": func(b *browser, id string) *httptest.ResponseRecorder {
			return b.post("/o/idp", "code", "x", "state", id+".attempt.secret")
		},
	}
	check := func(status int, words ...string) {
		t.Helper()
		for name, opens := range pages {
			t.Log(name)
			h.want(opens(ada.browser, id), status, words...)
		}
	}
	check(http.StatusGone, "You are signed in already", `href="/me"`, "Go to your page")
	h.want(ada.get(page+"?lang=fr"), http.StatusGone, "Vous êtes déjà connecté", `href="/me?lang=fr"`)
	h.want(ada.get("/m/"+id+".attempt.secret"), 404, "This link leads nowhere")
	fresh := h.browser()
	fresh.get("/me/sign-in")
	for who, b := range map[string]*browser{"without a cookie": h.browser(), "in a browser of nobody": fresh, "in that of somebody else": bob.browser} {
		for name, opens := range pages {
			got, made := opens(b, id), opens(b, proofing.NewID(nil))
			if got.Code != made.Code || got.Code == http.StatusGone || got.Body.String() != made.Body.String() {
				t.Errorf("%s %s: %d, and of a link that was made up %d", name, who, got.Code, made.Code)
			}
		}
	}
	h.wait(13 * time.Hour)
	check(http.StatusGone, "This sign-in is over", `href="/me/sign-in"`, "Sign in again")
}
