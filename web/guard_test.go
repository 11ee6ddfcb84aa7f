package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// links are every page of a case that somebody can hold a link of.
func links(c *proofing.Case, m proofing.Message) []string {
	return []string{path(c.CaseURL(origin)), path(m.Link), path(c.DisownURL(origin))}
}

func TestGettingChangesNothing(t *testing.T) {
	h := newHouse(t)
	c := h.open("server", "dns", "www.example.com")
	owner := h.browser()
	_, m := owner.begin(c, "email", "a@example.org")
	before := h.stored(c)
	for _, b := range []*browser{owner, h.browser()} {
		for _, link := range links(c, m) {
			for _, method := range []string{"GET", "HEAD"} {
				if w := b.send(method, link, nil); w.Code != 200 {
					t.Errorf("%s %s: %d", method, link, w.Code)
				}
				b.send(method, link+"?lang=de&method=sms&sure=yes&code="+m.Code.Reveal(), nil)
			}
			for _, verb := range []string{"/begin", "/resend", "/answer"} {
				b.send("GET", link+verb, nil)
			}
		}
	}
	h.work()
	if after := h.stored(c); after != before {
		t.Errorf("the case has changed:\n%s\n%s", before, after)
	}
}

// A scanner follows every link of a mail and submits every form it finds, with
// what stands in the form and without the cookie.
func TestAScannerChangesNothing(t *testing.T) {
	h := newHouse(t)
	c := h.open("server", "dns", "www.example.com")
	_, m := h.browser().begin(c, "email", "a@example.org")
	before := h.stored(c)
	for _, keepsCookies := range []bool{false, true} {
		for _, link := range links(c, m) {
			scanner := h.browser()
			page := scanner.get(link).Body.String()
			if !keepsCookies {
				scanner.cookie = ""
			}
			for part := range strings.SplitSeq(page, "<form ") {
				_, rest, ok := strings.Cut(part, `action="`)
				if !ok || strings.HasPrefix(part, "<!doctype") {
					continue
				}
				action, fields, _ := strings.Cut(rest, `"`)
				form := url.Values{}
				for input := range strings.SplitSeq(fields, "<input ") {
					if name := attribute(input, "name"); name != "" && attribute(input, "type") != "checkbox" {
						form.Set(name, attribute(input, "value"))
					}
				}
				if strings.HasSuffix(action, "/resend") && keepsCookies {
					continue // only who holds the case's link gets there; it sends what the person may ask for
				}
				if w := scanner.send("POST", action, form); w.Code < 400 && !strings.Contains(w.Header().Get("Location"), "said=") { // that page says what is wrong
					t.Errorf("POST %s with %v: %d", action, form, w.Code)
				}
				if scanner.cookie != "" && !keepsCookies {
					scanner.cookie = ""
				}
			}
		}
	}
	if after := h.stored(c); after != before {
		t.Errorf("the case has changed:\n%s\n%s", before, after)
	}
}

func attribute(tag, name string) string {
	tag, _, _ = strings.Cut(tag, ">")
	_, rest, ok := strings.Cut(tag, name+`="`)
	if !ok {
		return ""
	}
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

func TestALinkWorksByOnePressInItsOwnBrowser(t *testing.T) {
	h := newHouse(t)
	c := h.open("server", "dns", "www.example.com")
	b := h.browser()
	_, m := b.begin(c, "email", "a@example.org")
	h.want(b.get(path(m.Link)), 200, "Is this address yours?", "a•••@example.org", `name="how" value="link"`)
	w := b.post(path(m.Link), "how", "link")
	h.want(w, 303)
	if to := w.Header().Get("Location"); to != path(c.CaseURL(origin))+"#work" {
		t.Errorf("goes on at %q", to)
	}
	h.want(b.get(path(m.Link)), 200, "This address is confirmed", path(c.CaseURL(origin)))
}

func TestAnotherBrowserMustRetypeTheCode(t *testing.T) {
	h := newHouse(t)
	c := h.open("server", "dns", "www.example.com")
	_, m := h.browser().begin(c, "email", "a@example.org")
	other := h.browser()
	h.want(other.get(path(m.Link)), 200, "Opened in another browser", `autocomplete="one-time-code"`)
	other.told(other.post(path(m.Link), "how", "link"), 200, "only in the browser that asked")
	other.told(other.post(path(m.Link), "how", "code", "code", ""), 200, "does not look like the code")
	other.told(other.post(path(m.Link), "how", "code", "code", "ZZZZ-ZZZZ"), 200, "4 tries left")
	h.want(other.post(path(m.Link), "how", "code", "code", m.Code.Reveal()), 303)
	h.want(other.get(path(c.CaseURL(origin))), 200, ">Done<")
}

func TestWhoComesSecondIsTurnedAway(t *testing.T) {
	h := newHouse(t)
	c := h.open("server", "dns", "www.example.com")
	first, second := h.browser(), h.browser()
	a, m := first.begin(c, "email", "a@example.org")
	h.want(first.post(path(c.CaseURL(origin))+"/answer", "attempt", a.ID, "code", m.Code.Reveal()), 303)
	page := path(c.CaseURL(origin))
	h.want(second.get(page), 403, "Somebody is already at work", path(c.DisownURL(origin)))
	before := h.stored(c)
	for _, w := range []*httptest.ResponseRecorder{
		second.post(page+"/begin", "method", "sms", "address", "+447400123456"), second.post(page+"/resend", "attempt", a.ID),
		second.post(page+"/answer", "attempt", a.ID, "code", m.Code.Reveal()),
	} {
		if to := w.Header().Get("Location"); to != "" {
			w = second.get(to)
		}
		h.want(w, 403, "Somebody is already at work")
		if strings.Contains(w.Body.String(), "a•••") {
			t.Error("the second browser sees the address")
		}
	}
	if h.stored(c) != before {
		t.Error("the second browser changed the case")
	}
}

func TestDisowningTakesAPersonsWord(t *testing.T) {
	h := newHouse(t)
	c := h.open("server", "dns", "www.example.com")
	b, page := h.browser(), path(c.DisownURL(origin))
	b.begin(c, "email", "a@example.org")
	h.want(b.get(page), 200, "I did not ask for this certificate", "www.example.com")
	h.want(b.post(page), 422, "Tick the box")
	h.want(b.post(page, "sure", "yes"), 303)
	h.want(b.get(page), 200, "The request is frozen", "Give nobody a code")
	h.want(b.get(path(c.CaseURL(origin))), 200, "The request is frozen")
	h.want(b.post(path(c.CaseURL(origin))+"/begin", "method", "email", "address", "a@example.org"), 409, "The request is frozen")
	over := h.open("mail", "dns", "over.example.com")
	if _, err := h.svc.Deactivate(t.Context(), h.ca, over.ID); err != nil {
		t.Fatal(err)
	}
	h.want(b.get(path(over.DisownURL(origin))), 200, "This request is over already")
	// What a request that is over has bound can still be taken back.
	left := h.open("server", "dns", "left.example.com")
	b.prove(left, "email", "b@example.org")
	if _, err := h.svc.Deactivate(t.Context(), h.ca, left.ID); err != nil {
		t.Fatal(err)
	}
	page = path(left.DisownURL(origin))
	h.want(b.get(page), 200, "I did not ask for this certificate")
	h.want(b.post(page, "sure", "yes"), 303)
	h.want(b.get(page), 200, "Give nobody a code")
	h.work()
	stored, err := h.svc.Cases.Get(t.Context(), left.ID)
	if err != nil {
		t.Fatal(err)
	}
	if all, _, err := h.svc.Addresses.List(t.Context(), proofing.Query{Index: "person", Value: stored.Person}); err != nil || len(all) != 0 {
		t.Errorf("the mailbox is still somebody's: %v", err)
	}
}

// Who has the reference of an attempt, and not the link of the case, does not get the one for the other.
func TestTheWayBackFromAProviderTellsNobodyElseTheLink(t *testing.T) {
	h := newHouse(t)
	c := h.open("server", "dns", "www.example.com")
	_, m := h.browser().begin(c, "email", "a@example.org")
	ref := strings.TrimPrefix(path(m.Link), proofing.MessagePath)
	stranger := h.browser()
	stranger.get("/")
	w := stranger.post("/o/work", "state", ref, "code", "x")
	h.want(w, http.StatusForbidden)
	if strings.Contains(w.Body.String(), c.LinkSecret.Reveal()) {
		t.Error("the page has the link of the case")
	}
	// And an identity provider has the reference of the attempt that leads there.
	h.svc.Methods["away"] = away{}
	p := h.svc.Policy.Profiles["server"]
	p.Methods = append(p.Methods, "away")
	if _, _, err := h.svc.Begin(t.Context(), proofing.Visit{Link: proofing.Secret(c.ID + "." + c.LinkSecret.Reveal()), Browser: "x"}, "away", ""); err != nil {
		t.Fatal(err)
	}
	ref = h.current(c, "away").Away.Reveal()
	h.want(stranger.get(proofing.MessagePath+ref), http.StatusNotFound)
	h.want(stranger.post(proofing.MessagePath+ref), http.StatusNotFound)
}

// away is a method that sends people to another site, with the reference of the attempt for an address.
type away struct{ proofing.Method }

func (away) Name() string              { return "away" }
func (away) Channel() proofing.Channel { return proofing.ChannelIdentity }

func (away) Check(string) (proofing.Contact, error) {
	return proofing.Contact{Channel: proofing.ChannelIdentity}, nil
}

func (away) Begin(b proofing.Beginning) (proofing.Opening, error) {
	return proofing.Opening{State: []byte("{}"), Away: b.Ref, Lifetime: time.Minute, Tries: 1}, nil
}

func TestAnotherSiteCannotPressAButton(t *testing.T) {
	h := newHouse(t)
	c := h.open("server", "dns", "www.example.com")
	b := h.browser()
	b.get(path(c.CaseURL(origin)))
	before := h.stored(c)
	for _, site := range []string{"cross-site", "same-site"} {
		b.site = site
		h.want(b.post(path(c.CaseURL(origin))+"/begin", "method", "email", "address", "a@example.org"), 403, "This came from another site")
		h.want(b.post(path(c.DisownURL(origin)), "sure", "yes"), 403, "This came from another site")
	}
	r := httptest.NewRequest("POST", path(c.DisownURL(origin)), strings.NewReader("sure=yes"))
	r.Header.Set("Origin", "https://elsewhere.example") // a browser too old to say more
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Cookie", b.cookie)
	w := httptest.NewRecorder()
	h.site.ServeHTTP(w, r)
	h.want(w, 403, "This came from another site")
	if h.stored(c) != before {
		t.Error("the case has changed")
	}
	b.site = "cross-site"
	h.want(b.get(path(c.CaseURL(origin))), 200) // a link in web mail
}

func TestNoRedirectLeadsElsewhere(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	for _, target := range []string{
		"//elsewhere.example/c/x", "/c//elsewhere.example", "/c/%2F%2Felsewhere.example/begin", "/c/..%2F..%2Felsewhere.example/answer",
		"/c/%5C%5Celsewhere.example/resend", "/%2F/elsewhere.example", "/c/x/../../elsewhere.example", "/?next=https://elsewhere.example/", "/c/%0d%0aLocation:x/begin",
	} {
		w := b.get(target) // checkEveryResponse looks at the Location
		if strings.Contains(w.Body.String(), `href="//`) {
			t.Errorf("%s: a link that leads elsewhere", target)
		}
	}
}

func TestEveryNoHasItsPage(t *testing.T) {
	h := newHouse(t)
	c := h.open("server", "dns", "www.example.com")
	b, page := h.browser(), path(c.CaseURL(origin))
	h.want(b.get("/nothing"), 404, "There is nothing here")
	h.want(b.get("/static/nothing"), 404, "There is nothing here")
	h.want(b.get(page+"x"), 404, "This link leads nowhere")
	h.want(b.get("/c/"+c.ID), 404)
	h.want(b.get("/m/"+c.ID+".x.y"), 404)
	h.want(b.get("/n/"+c.ID+".x"), 404)
	h.want(b.get("/c/"+strings.Repeat("a", 3000)), 404)
	w := b.send("PUT", page, nil)
	h.want(w, 405, "This page cannot do that")
	if allow := w.Header().Get("Allow"); allow != "GET, HEAD" {
		t.Errorf("Allow is %q", allow)
	}
	h.want(h.browser().post(page+"/begin", "method", "email", "address", "a@example.org"), 403, "Your browser sent no cookie", page)
	h.want(b.post(page+"/begin", "address", strings.Repeat("a", maxBody)), 413, "That was too much")
	h.want(b.send("POST", page+"/begin?x=%zz", url.Values{"a": {"b"}}), 422)
	h.kv.down = true
	w = b.get(page)
	h.want(w, 503, "Nothing is lost")
	if w.Header().Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	h.kv.down = false
	h.site.Handle("GET /breaks", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("test") }))
	h.want(b.get("/breaks"), 500, "The fault is ours")
}

func TestStaticFilesAreServedAndKept(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	for name, kind := range map[string]string{"app.css": "text/css", "app.js": "text/javascript", "mark.svg": "image/svg+xml"} {
		w := b.get("/static/" + name)
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) || w.Header().Get("ETag") == "" {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
		r := httptest.NewRequest("GET", "/static/"+name, nil)
		r.Header.Set("If-None-Match", w.Header().Get("ETag"))
		again := httptest.NewRecorder()
		h.site.ServeHTTP(again, r)
		if again.Code != 304 {
			t.Errorf("%s again: %d", name, again.Code)
		}
	}
}

func TestLogsNameRoutesAndNoSecrets(t *testing.T) {
	h := newHouse(t)
	c := h.open("server", "dns", "www.example.com")
	b := h.browser()
	a, m := b.begin(c, "email", "person@example.org")
	b.post(path(c.CaseURL(origin))+"/answer", "attempt", a.ID, "code", "wrong")
	b.post(path(m.Link), "how", "link")
	b.get(path(c.DisownURL(origin)) + "?lang=de")
	h.kv.down = true
	b.get(path(c.CaseURL(origin)))
	logs := h.logs.String()
	if !strings.Contains(logs, `pattern="GET /c/{ref}"`) || !strings.Contains(logs, "status=503") {
		t.Errorf("the log says too little:\n%s", logs)
	}
	if !regexp.MustCompile(`(?m) took_ms=\d{1,4}(\.\d{1,3})?$`).MatchString(logs) {
		t.Errorf("the log does not say how many milliseconds a page took:\n%s", logs)
	}
	_, cookie, _ := strings.Cut(b.cookie, "=")
	for _, secret := range []string{c.LinkSecret.Reveal(), c.Disown.Reveal(), m.Code.Reveal(), m.Link.Reveal()[len(m.Link)-32:], "person@example.org", cookie} {
		if strings.Contains(logs, secret) {
			t.Errorf("the log holds %q:\n%s", secret, logs)
		}
	}
}

func TestHostileTextIsText(t *testing.T) {
	h := newHouse(t)
	hostile := `<script>alert("x")</script>'"><img src=x onerror=y>`
	h.authority("hostile", hostile)
	var err error
	if h.ca, err = h.svc.Authority(t.Context(), "hostile"); err != nil {
		t.Fatal(err)
	}
	c := h.open("mail", "organization", hostile)
	b := h.browser()
	for _, w := range []*httptest.ResponseRecorder{
		b.get(path(c.CaseURL(origin))), b.get(path(c.DisownURL(origin))), b.get("/"), b.get("/apply/hostile/mail"),
		b.post(path(c.CaseURL(origin))+"/begin", "method", "email", "address", hostile), b.post("/apply/hostile/mail", "type", hostile, "value", hostile),
	} {
		body := w.Body.String()
		if strings.Contains(body, "<script>alert") || strings.Contains(body, "<img") || !strings.Contains(body, "&lt;script&gt;") {
			t.Errorf("hostile text is not escaped:\n%s", body)
		}
	}
}

func TestTheOriginMustBeSafe(t *testing.T) {
	for o, ok := range map[string]bool{
		origin: true, "http://localhost:8080": true, "http://127.0.0.1": true, "http://[::1]:80": true,
		"http://proof.example.org": false, "": false, "https://proof.example.org/path": false, "ftp://localhost": false,
	} {
		svc := &proofing.Service{Policy: proofing.Policy{Origin: o}}
		if _, err := New(Options{Service: svc}); (err == nil) != ok {
			t.Errorf("%q: %v", o, err)
		}
	}
	h := newHouse(t)
	h.svc.Policy.Origin = "http://localhost:8080"
	site, err := New(Options{Service: h.svc})
	if err != nil {
		t.Fatal(err)
	}
	h.site = site
	b := h.browser()
	b.host = "localhost:8080"
	b.get(path(h.open("mail", "dns", "www.example.com").CaseURL(origin)))
	if !strings.HasPrefix(b.cookie, "countersign=") {
		t.Errorf("the cookie on this computer is %q", b.cookie)
	}
}

func TestOnThisComputerNoOtherNameIsServed(t *testing.T) {
	h := newHouse(t)
	h.svc.Policy.Origin = "http://localhost:8080"
	site, err := New(Options{Service: h.svc})
	if err != nil {
		t.Fatal(err)
	}
	h.site = site
	b := h.browser()
	for host, want := range map[string]int{
		"localhost:8080": 200, "127.0.0.1:8080": 200, "[::1]:8080": 200, "localhost": 200, "proof.localhost:8080": 200,
		"evil.example:8080": 421, "evil.example": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example:8080": 421, "192.0.2.1:8080": 421, "": 421,
	} {
		b.host = host
		if w := b.get("/"); w.Code != want {
			t.Errorf("%q: %d, want %d", host, w.Code, want)
		}
	}
}
