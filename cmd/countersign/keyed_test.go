package main

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// keyed is a person's browser that has passkeys, at the pages of a server. It follows no redirect by itself.
type keyed struct {
	t      testing.TB
	base   string // of the pages, wherever they are reached
	origin string // of the pages, as passkeys know it
	client string // its network address, as the proxy says
	http   *http.Client
	device *webauthntest.Authenticator
	seal   string // what the forms of the page that was seen last have in them
}

func newKeyed(t testing.TB, base, origin, client string) *keyed {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &keyed{t, base, origin, client, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, webauthntest.New(), ""}
}

// again is another browser with the same passkeys.
func (k *keyed) again(client string) *keyed {
	other := newKeyed(k.t, k.base, k.origin, client)
	other.device = k.device
	return other
}

func (k *keyed) send(method, path string, form url.Values, want int) *http.Response {
	k.t.Helper()
	req, err := http.NewRequest(method, k.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		k.t.Fatal(err)
	}
	req.Header.Set("X-Forwarded-For", k.client)
	req.Header.Set("Accept-Language", "en")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	resp, err := k.http.Do(req)
	if err != nil {
		k.t.Fatal(err)
	}
	if resp.StatusCode != want {
		text, _ := io.ReadAll(resp.Body)
		k.t.Fatalf("%s %s: %d, not %d: %s", method, path, resp.StatusCode, want, text)
	}
	return resp
}

// get is a page.
func (k *keyed) get(path string) string {
	k.t.Helper()
	resp := k.send(http.MethodGet, path, nil, http.StatusOK)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		k.t.Fatal(err)
	}
	if m := keyedSeal.FindSubmatch(text); m != nil {
		k.seal = string(m[1])
	}
	return string(text)
}

// post sends a form, and returns the path that it leads to.
func (k *keyed) post(path string, pairs ...string) string {
	k.t.Helper()
	form := url.Values{"seal": {k.seal}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	resp := k.send(http.MethodPost, path, form, http.StatusSeeOther)
	resp.Body.Close()
	to, _, _ := strings.Cut(resp.Header.Get("Location"), "#")
	return to
}

var (
	keyedAsk     = regexp.MustCompile(`data-ask="([^"]+)" data-kind="(create|get)"`)
	keyedSeal    = regexp.MustCompile(`name="seal" value="([^"]+)"`)
	keyedAttempt = regexp.MustCompile(`name="attempt" value="([^"]+)"`)
)

// response is what the passkey says to what stands in a page.
func (k *keyed) response(page string) (attempt, response string) {
	k.t.Helper()
	ask, at := keyedAsk.FindStringSubmatch(page), keyedAttempt.FindStringSubmatch(page)
	if ask == nil || at == nil {
		k.t.Fatalf("the page asks for no passkey: %s", page)
	}
	answer := k.device.Get
	if ask[2] == "create" {
		answer = k.device.Create
	}
	said, err := answer([]byte(html.UnescapeString(ask[1])), k.origin)
	if err != nil {
		k.t.Fatal(err)
	}
	return at[1], string(said)
}

// enrol creates a passkey on the page of a case.
func (k *keyed) enrol(ref string) {
	k.t.Helper()
	k.get(ref)
	attempt, said := k.response(k.get(k.post(ref+"/enrol", "method", "fido")))
	k.post(ref+"/answer", "attempt", attempt, "response", said)
}

// signIn signs in by a passkey.
func (k *keyed) signIn() {
	k.t.Helper()
	k.get("/me/sign-in")
	ref := k.post("/me/sign-in", "start", "")
	attempt, said := k.response(k.get(k.post(ref+"/begin", "method", "fido")))
	if to := k.post(ref+"/answer", "attempt", attempt, "response", said); to != "/me" {
		k.t.Fatalf("signing in leads to %s", to)
	}
}

// cookies are what the browser would send, as a line of a request.
func (k *keyed) cookies() string {
	at, err := url.Parse(k.base)
	if err != nil {
		k.t.Fatal(err)
	}
	var all []string
	for _, c := range k.http.Jar.Cookies(at) {
		all = append(all, fmt.Sprintf("%s=%s", c.Name, c.Value))
	}
	return strings.Join(all, "; ")
}
