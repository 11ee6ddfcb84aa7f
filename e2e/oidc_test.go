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

// provider is an OpenID provider that nobody here wrote: oidc-provider (see provider/provider.mjs), or mockoidc.
type provider struct {
	t         testing.TB
	name, url string // the issuer's, here and in its tokens
}

// newProvider starts oidc-provider, and has the program trust it; more are other issuers of the configuration.
func newProvider(t testing.TB, p *program, more ...string) *provider {
	t.Helper()
	address := free(t)
	clientSecret := secret("a client's secret", "Zm9yIGUyZSBvbmx5")
	if _, err := os.Stat("provider/node_modules/oidc-provider"); err != nil {
		t.Fatalf("the OpenID provider of the tests is missing: run `make provider`: %v", err)
	}
	start(t, nil, "node", "provider/provider.mjs", address, p.people+"/o/staff", clientSecret)
	i := &provider{t, "staff", "http://" + address}
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
` + strings.Join(more, ""))
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
	return i.lands(h, i.name, i.answers(h, i.leaves(h)))
}

// leaves begins a login, and returns where it leads.
func (i *provider) leaves(h *person) (away string) {
	i.t.Helper()
	if _, _, err := h.get(h.page); err != nil {
		i.t.Fatal(err)
	}
	status, page, err := h.submit(h.page+"/begin", url.Values{"method": {"oidc"}, "address": {i.name}})
	link := regexp.MustCompile(`href="(` + regexp.QuoteMeta(i.url) + `/[^"]+)"`).FindStringSubmatch(page)
	if err != nil || status != http.StatusOK || link == nil {
		i.t.Fatalf("no way to the provider: %d %v %s", status, err, visible(page))
	}
	return html.UnescapeString(link[1])
}

// answers has somebody log in there, and returns what the provider sends them back with.
func (i *provider) answers(h *person, away string) url.Values {
	i.t.Helper()
	resp, err := h.http.Get(away)
	if err != nil {
		i.t.Fatal(err)
	}
	back := resp.Request.URL
	if _, page, err := read(resp, nil); err != nil || !strings.HasPrefix(back.String(), h.p.people+"/o/"+i.name+"?") {
		i.t.Fatalf("it leads to %s: %v %s", back.Host+back.Path, err, visible(page))
	}
	secret("a code of the provider", back.Query().Get("code"))
	return back.Query()
}

// lands comes back to the page of an issuer, and returns what it says.
func (i *provider) lands(h *person, issuer string, with url.Values) string {
	i.t.Helper()
	at := h.p.people + "/o/" + issuer
	status, page, err := h.get(at + "?" + with.Encode())
	if err != nil || status != http.StatusOK {
		i.t.Fatalf("back: %d %v %s", status, err, visible(page))
	}
	form := url.Values{}
	for _, field := range hiddenField.FindAllStringSubmatch(page, -1) {
		form.Add(field[1], html.UnescapeString(field[2]))
	}
	status, page, err = h.submit(at, form)
	if err != nil || status >= 500 {
		i.t.Fatalf("back: %d %v %s", status, err, visible(page))
	}
	return visible(page)
}

func TestALoginAtAProviderThatNobodyHereWrote(t *testing.T) {
	p := newProgram(t)
	i := newProvider(t, p)
	assessment := p.assessment

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

// assessment is what the CA reads of a request: its status, and its levels where there are any.
func (p *program) assessment(o map[string]any) map[string]any {
	p.t.Helper()
	_, answer := p.call("GET", "/v1/preauthorizations/"+o["id"].(string), nil)
	got, _ := answer["assessment"].(map[string]any)
	if got == nil {
		got = map[string]any{}
	}
	got["status"] = answer["status"]
	return got
}
