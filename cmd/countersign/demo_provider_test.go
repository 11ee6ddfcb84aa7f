package main

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

var (
	hiddenInput = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)
	wayToIdP    = regexp.MustCompile(`href="([^"]*` + demoProviderPath + `/authorize[^"]*)"`)
)

// TestTheDemosProviderIsLoggedInAt goes through the pages as a person does: applies, leaves, chooses an account and
// comes back.
func TestTheDemosProviderIsLoggedInAt(t *testing.T) {
	out, _, dir, stop := startDemo(t, "--listen", "127.0.0.1:0")
	at := origin(t, out)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Timeout: 20 * time.Second}
	page := func(resp *http.Response, err error) (string, *url.URL) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		text := string(raw)
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s", resp.Request.URL.Path, resp.StatusCode, text)
		}
		return text, resp.Request.URL
	}
	fields := func(text string) url.Values {
		form := url.Values{}
		for _, m := range hiddenInput.FindAllStringSubmatch(text, -1) {
			form.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
		}
		return form
	}
	post := func(u string, form url.Values) (*http.Response, error) {
		req, err := http.NewRequest(http.MethodPost, u, strings.NewReader(form.Encode()))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		return browser.Do(req)
	}
	text, _ := page(browser.Get(at + "/apply/" + demoCA + "/staff"))
	form := fields(text)
	form.Set("type", "email")
	form.Set("value", "staff@example.org")
	_, opened := page(post(at+"/apply/"+demoCA+"/staff", form))
	caseURL := at + opened.Path
	text, _ = page(post(caseURL+"/begin", url.Values{"method": {"oidc"}, "address": {demoIssuer}}))
	away := wayToIdP.FindStringSubmatch(text)
	if away == nil {
		t.Fatalf("no way to the provider: %s", text)
	}
	text, asked := page(browser.Get(html.UnescapeString(away[1])))
	form = fields(text)
	form.Set("account", "two-factors")
	text, back := page(post(asked.String(), form))
	if back.Path != "/o/"+demoIssuer {
		t.Fatalf("it leads to %s", back)
	}
	text, _ = page(post(at+back.Path, fields(text)))
	if !strings.Contains(text, "FAL 2 <small>Done") {
		t.Errorf("the login has earned nothing: %s", text)
	}
	resp, err := http.Get(strings.Replace(at, "localhost", "127.0.0.1", 1) + demoProviderPath + "/jwks")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("under another name the provider answers %d", resp.StatusCode)
	}
	if code := stop(); code != exitOK {
		t.Errorf("the demo ends with %d", code)
	}
	nothingLeft(t, dir)
}
