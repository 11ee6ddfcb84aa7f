package e2e

import (
	"bytes"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// provider is an OpenID provider that nobody here wrote: see provider/provider.mjs.
type provider struct {
	t   testing.TB
	url string
}

// newProvider starts one, and has the program trust it.
func newProvider(t testing.TB, p *program) *provider {
	t.Helper()
	address := free(t)
	clientSecret := secret("a client's secret", "Zm9yIGUyZSBvbmx5")
	if _, err := os.Stat("provider/node_modules/oidc-provider"); err != nil {
		t.Fatalf("the OpenID provider of the tests is missing: run `make provider`: %v", err)
	}
	start(t, nil, "node", "provider/provider.mjs", address, p.people+"/o/staff", clientSecret)
	i := &provider{t, "http://" + address}
	await(t, "the OpenID provider", 20*time.Second, answers(i.url+"/.well-known/openid-configuration"))
	f, err := os.OpenFile(p.file(0), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(`  login:
    title: Login
    identifiers: [email]
    methods: [oidc, fido, email]
    require: {aal: 2, fal: 2, confirmed_addresses: [email]}
issuers:
  staff:
    title: Staff account
    url: ` + i.url + `
    client_id: countersign
    client_secret: env:CLIENT_SECRET
    algorithms: [ES256]
    allow_networks: [127.0.0.0/8]
    pre_established: true
    acr:
      "urn:example:password": {aal: 1}
      "urn:example:two-factor": {aal: 2}
    cap: {aal: 2}
`)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("CLIENT_SECRET", clientSecret)
	end(p.cmd, syscall.SIGTERM)
	for _, field := range strings.Fields(p.command("ca", "add", "federated", "--title", "CA federated", "--directory", "https://federated.example/dir", "--profile", "login")) {
		if strings.HasPrefix(field, "csca.") {
			p.token = secret("a CA's token", field)
		}
	}
	p.run()
	return i
}

// next says how the next logins go.
func (i *provider) next(how map[string]any) {
	i.t.Helper()
	text, err := json.Marshal(how)
	if err != nil {
		i.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPut, i.url+"/next", bytes.NewReader(text))
	if err != nil {
		i.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		i.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		i.t.Fatalf("the provider answers %d", resp.StatusCode)
	}
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)

// login goes to the provider and comes back, and returns what the page says then.
func (i *provider) login(h *person) string {
	i.t.Helper()
	if _, _, err := h.get(h.page); err != nil {
		i.t.Fatal(err)
	}
	status, page, err := h.submit(h.page+"/begin", url.Values{"method": {"oidc"}, "address": {"staff"}})
	away := regexp.MustCompile(`href="(` + regexp.QuoteMeta(i.url) + `/auth[^"]+)"`).FindStringSubmatch(page)
	if err != nil || status != http.StatusOK || away == nil {
		i.t.Fatalf("no way to the provider: %d %v %s", status, err, visible(page))
	}
	resp, err := h.http.Get(html.UnescapeString(away[1]))
	if err != nil {
		i.t.Fatal(err)
	}
	back := resp.Request.URL
	if _, page, err = read(resp, nil); err != nil || !strings.HasPrefix(back.String(), h.p.people+"/o/staff?") {
		i.t.Fatalf("it leads to %s: %v %s", back.Host+back.Path, err, visible(page))
	}
	secret("a code of the provider", back.Query().Get("code"))
	form := url.Values{}
	for _, field := range hiddenField.FindAllStringSubmatch(page, -1) {
		form.Add(field[1], html.UnescapeString(field[2]))
	}
	back.RawQuery = ""
	status, page, err = h.submit(back.String(), form)
	if err != nil || status >= 500 {
		i.t.Fatalf("back: %d %v %s", status, err, visible(page))
	}
	return visible(page)
}

func TestALoginAtAProviderThatNobodyHereWrote(t *testing.T) {
	p := newProgram(t)
	i := newProvider(t, p)
	assessment := func(o map[string]any) map[string]any {
		_, answer := p.call("GET", "/v1/preauthorizations/"+o["id"].(string), nil)
		got, _ := answer["assessment"].(map[string]any)
		if got == nil {
			got = map[string]any{}
		}
		got["status"] = answer["status"]
		return got
	}

	o := p.preauthorize("login", "one", "one@example.org")
	h := p.person(o["case_url"].(string))
	i.login(h)
	h.prove("email", "one@example.org")
	got := assessment(o)
	if got["status"] != "valid" || got["aal"] != 2.0 || got["fal"] != 2.0 {
		t.Errorf("two factors end with %v", got)
	}

	// Weaker than it was asked for.
	i.next(map[string]any{"account": "bob", "acr": "urn:example:password", "amr": []string{"pwd"}})
	o = p.preauthorize("login", "two", "two@example.org")
	h = p.person(o["case_url"].(string))
	i.login(h)
	h.prove("email", "two@example.org")
	if got := assessment(o); got["status"] != "pending" {
		t.Errorf("a password alone ends with %v", got)
	}

	// Longer ago than it was asked for.
	i.next(map[string]any{"account": "carol", "acr": "urn:example:two-factor", "amr": []string{"pwd", "otp"}, "age": 7200})
	o = p.preauthorize("login", "three", "three@example.org")
	h = p.person(o["case_url"].(string))
	i.login(h)
	// Refused there.
	i.next(map[string]any{"age": 0, "deny": true})
	i.login(h)
	if got := assessment(o); got["status"] != "pending" {
		t.Errorf("a stale login and a refusal end with %v", got)
	}
	// And then done.
	i.next(map[string]any{"deny": false})
	i.login(h)
	h.prove("email", "three@example.org")
	if got := assessment(o); got["status"] != "valid" || got["aal"] != 2.0 {
		t.Errorf("in the end it is %v", got)
	}
}
