package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestWhatABrowserOffersByItselfIsInNobodysWay is the page to sign in at a browser that offers passkeys by itself, for
// which the page's script begins with one before anybody has chosen.
func TestWhatABrowserOffersByItselfIsInNobodysWay(t *testing.T) {
	a := newDesk(t).app(io.Discard)
	served := httptest.NewServer(a.people())
	t.Cleanup(served.Close)
	k := newKeyed(t, served.URL, a.config.Origin, clientOf(1))
	k.get("/me/sign-in")
	ref := k.post("/me/sign-in", "start", "")
	page := k.get(ref)
	if !strings.Contains(page, `autocomplete="username webauthn"`) || !strings.Contains(page, "data-begin") {
		t.Fatalf("no field in which a passkey could be offered: %s", page)
	}
	asked := func() string {
		found := keyedAsk.FindStringSubmatch(k.get(k.post(ref+"/begin", "method", "fido")))
		if found == nil {
			t.Fatal("no challenge")
		}
		return found[1]
	}
	if first := asked(); asked() != first {
		t.Error("a second page has a second challenge while the first is in force")
	}
	k.post(ref+"/begin", "method", "email", "address", "lost@example.org")
	if page = k.get(ref); !strings.Contains(page, `autocomplete="one-time-code"`) {
		t.Errorf("who has sent for a code cannot type it: %s", page)
	}
	k.send(http.MethodGet, "/me", nil, http.StatusSeeOther).Body.Close()
}
