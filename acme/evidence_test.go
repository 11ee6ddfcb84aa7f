package acme_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/countersign-id/countersign/challenges"
	"github.com/countersign-id/countersign/challenges/oidctest"
	"github.com/countersign-id/countersign/proofing"
)

// provider gives the world an identity provider whose tokens may be handed in, and a profile for them.
func (w *world) provider(t testing.TB) *oidctest.Provider {
	t.Helper()
	idp := &oidctest.Provider{ClientID: "countersign", Now: w.clock}
	server := httptest.NewServer(idp)
	t.Cleanup(server.Close)
	idp.Issuer = server.URL
	m, err := challenges.NewOIDC(challenges.OIDCConfig{Now: w.clock, Issuers: []challenges.Issuer{{
		Name: "build", Title: "Build system", URL: server.URL, ClientID: "countersign", Auth: challenges.AuthNone, Algorithms: []string{"ES256"},
		MaxAge: time.Hour, HandedIn: true, Client: server.Client(),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	w.Methods["oidc"] = m
	p := *w.Policy.Profiles["device"]
	p.Name, p.Methods, p.Require, p.ReviewEntitlement = "machine", []string{"oidc"}, proofing.Requirement{FAL: 1}, true
	w.Policy.Profiles["machine"] = &p
	w.ca.Profiles = append(w.ca.Profiles, "machine")
	if _, err := w.Authorities.Update(t.Context(), w.ca.ID, func(a *proofing.Authority) error {
		a.Profiles = w.ca.Profiles
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return idp
}

// handed is the body that hands in a token for an authorization.
func handed(idp *oidctest.Provider, o object, edit func(claims map[string]any)) string {
	claims := idp.Claims(oidctest.Account{Subject: "job-7"})
	sum := sha256.Sum256([]byte(o.list("challenges")[0].text("token") + "." + thumbprint))
	claims["aud"] = "https://proof.example.org/ka/" + base64.RawURLEncoding.EncodeToString(sum[:])
	if edit != nil {
		edit(claims)
	}
	body, err := json.Marshal(map[string]string{"type": "oidc", "token": idp.Token(claims)})
	if err != nil {
		panic(err)
	}
	return string(body)
}

func TestATokenIsHandedIn(t *testing.T) {
	w := newWorld(t)
	idp := w.provider(t)
	o := w.open(t, "machine")
	body := handed(idp, o, nil)
	got := w.want(t, 200, "POST", path(o)+"/evidence", body)
	if got.text("id") != o.text("id") || got.list("challenges")[0].text("status") != "processing" || got.text("reason") != "not_entitled" {
		t.Errorf("%v", got)
	}
	// Who did not hear the answer asks again, with a key and without.
	w.want(t, 200, "POST", path(o)+"/evidence", body)
	key := []string{"Idempotency-Key", "one"}
	w.want(t, 200, "POST", path(o)+"/evidence", body, key...)
	w.want(t, 200, "POST", path(o)+"/evidence", body, key...)
	w.want(t, 422, "POST", path(o)+"/evidence", handed(idp, o, nil), key...)
	c, err := w.Get(t.Context(), w.ca, o.text("id"))
	if err != nil || len(c.Evidence) != 1 {
		t.Errorf("%d events, %v", len(c.Evidence), err)
	}
}

// TestABindingByTheChallengeURL binds a token as wire-oidc-01 does.
func TestABindingByTheChallengeURL(t *testing.T) {
	w := newWorld(t)
	idp := w.provider(t)
	o := w.open(t, "machine")
	ch := o.list("challenges")[0]
	bind := func(url string) func(map[string]any) {
		return func(claims map[string]any) {
			claims["aud"], claims["keyauth"], claims["acme_aud"] = "countersign", ch.text("token")+"."+thumbprint, url
		}
	}
	w.want(t, 403, "POST", path(o)+"/evidence", handed(idp, o, bind(ch.text("url")+"x")))
	w.want(t, 200, "POST", path(o)+"/evidence", handed(idp, o, bind(ch.text("url"))))
}

func TestTokensThatAreNotAccepted(t *testing.T) {
	w := newWorld(t)
	idp := w.provider(t)
	o, other := w.open(t, "machine"), w.open(t, "client")
	evidence := path(o) + "/evidence"
	expect := func(what string, status int, problem, method, at, body string) {
		t.Helper()
		if got := w.want(t, status, method, at, body); got.text("type") != problem {
			t.Errorf("%s: %v", what, got)
		}
	}
	const acmeError, own = "urn:ietf:params:acme:error:", "urn:countersign:error:"
	good := handed(idp, o, nil)
	expect("nothing", 400, acmeError+"malformed", "POST", evidence, `{}`)
	expect("another type", 400, acmeError+"malformed", "POST", evidence, `{"type":"saml","token":"x"}`)
	expect("a token that is none", 403, acmeError+"incorrectResponse", "POST", evidence, `{"type":"oidc","token":"x"}`)
	expect("a member that nobody knows", 400, own+"unknownMember", "POST", evidence, `{"type":"oidc","token":"x","issuer":"y"}`)
	expect("a token twice", 400, own+"duplicateMember", "POST", evidence, `{"type":"oidc","token":"x","token":"y"}`)
	expect("for another authorization", 403, acmeError+"incorrectResponse", "POST", evidence, handed(idp, other, nil))
	expect("expired", 403, acmeError+"incorrectResponse", "POST", evidence, handed(idp, o, func(c map[string]any) { c["exp"] = c["exp"].(int64) - 3600 }))
	expect("in a profile without", 400, acmeError+"malformed", "POST", path(other)+"/evidence", good)
	if r := w.do(t, "POST", evidence, w.stranger, good); r.Code != http.StatusNotFound {
		t.Errorf("another authority: %d", r.Code)
	}
	if r := w.do(t, "GET", evidence, w.token, ""); r.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", r.Code)
	}
	w.disown(t, o.text("id"))
	expect("a frozen authorization", 403, acmeError+"unauthorized", "POST", evidence, good)
	w.want(t, 200, "POST", path(o), `{"status":"deactivated"}`)
	expect("one that is over", 409, own+"authorizationClosed", "POST", evidence, good)
	w.Methods["oidc"] = nil
	expect("where no provider is configured", 400, acmeError+"malformed", "POST", path(w.open(t, "machine"))+"/evidence", good)
}

func TestAnIssuerThatIsDownIsNobodysFault(t *testing.T) {
	w := newWorld(t)
	idp := w.provider(t)
	o := w.open(t, "machine")
	idp.Metadata = func(m map[string]any) { m["issuer"] = "https://other.example" }
	body := handed(idp, o, nil)
	r := w.do(t, "POST", path(o)+"/evidence", w.token, body)
	if r.Code != http.StatusServiceUnavailable || r.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", r.Code, r.Body)
	}
	idp.Metadata = nil
	w.pass(31 * time.Second)
	w.want(t, 200, "POST", path(o)+"/evidence", body)
}
