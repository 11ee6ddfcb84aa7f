package proofing_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/challenges"
	"github.com/countersign-id/countersign/challenges/oidctest"
	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn/webauthntest"
)

// federation is a world with an identity provider, at which alice and bob have accounts.
type federation struct {
	*world
	idp     *oidctest.Provider
	client  *http.Client
	down    bool
	domains []string // that the provider may speak for
	cap     proofing.StatedLevels
	maker   *webauthntest.Authority // of passkeys: withModels
}

const idpOrigin = "https://proof.example.org"

func withProvider(t testing.TB) *federation {
	t.Helper()
	f := &federation{world: newWorld(t), cap: proofing.StatedLevels{AAL: 2}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.down {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		f.idp.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	f.client = server.Client()
	f.idp = &oidctest.Provider{
		Issuer: server.URL, ClientID: "countersign", ClientSecret: "client-secret", Redirects: []string{idpOrigin + "/o/work"},
		Accounts: []oidctest.Account{{Subject: "alice", AMR: []string{"pwd", "otp"}}}, ACR: []string{"urn:low", "urn:high"}, Now: f.clock,
	}
	f.trust("work", "home")
	const day = 24 * time.Hour
	for name, p := range map[string]*proofing.Profile{
		"login":     {Methods: []string{"oidc", "email"}, Issuers: []string{"work"}, Require: proofing.Requirement{AAL: 2, ConfirmedAddresses: []proofing.Channel{proofing.ChannelEmail}}},
		"elsewhere": {Methods: []string{"oidc"}, Issuers: []string{"home"}, Require: proofing.Requirement{AAL: 2}},
		"machine":   {Methods: []string{"oidc"}, Require: proofing.Requirement{FAL: 1, AllMethods: []string{"oidc"}}},
	} {
		p.Name, p.Title, p.Framework, p.Identifiers = name, name, proofing.R4, []string{"email", "dns"}
		p.CaseLifetime, p.GrantLifetime, p.Retention = 7*day, 30*day, 90*day
		f.Policy.Profiles[name] = p
		f.ca.Profiles = append(f.ca.Profiles, name)
	}
	return f
}

// trust makes the method anew, with an agreement for each name.
func (f *federation) trust(names ...string) {
	f.t.Helper()
	var issuers []challenges.Issuer
	for i, name := range names {
		issuers = append(issuers, challenges.Issuer{
			Name: name, Title: "The " + name + " account", URL: f.idp.Issuer, ClientID: "countersign", Auth: challenges.AuthBasic, Secret: "client-secret", Client: f.client,
			Algorithms: []string{"ES256"}, MaxAge: time.Hour, HandedIn: i == 0, PreEstablished: true,
			ACR: map[string]proofing.StatedLevels{"urn:low": {AAL: 1}, "urn:high": {AAL: 2}}, Cap: f.cap, Domains: f.domains,
		})
	}
	m, err := challenges.NewOIDC(challenges.OIDCConfig{Issuers: issuers, Now: f.clock})
	if err != nil {
		f.t.Fatal(err)
	}
	f.Methods = challenges.Table(challenges.Config{Hasher: f.Hasher, Countries: []string{"GB"}, OIDC: m})
}

// goAway begins a login and visits the provider, as far as the way back.
func (f *federation) goAway(v proofing.Visit) (ref proofing.Secret, response json.RawMessage) {
	f.t.Helper()
	_, a, err := f.Begin(f.t.Context(), v, "oidc", "work")
	if err != nil {
		f.t.Fatal(err)
	}
	return f.comeBack(a.Away)
}

func (f *federation) comeBack(away proofing.Secret) (ref proofing.Secret, response json.RawMessage) {
	f.t.Helper()
	browser := *f.client
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := browser.Get(away.Reveal())
	if err != nil {
		f.t.Fatal(err)
	}
	resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		f.t.Fatalf("the provider answers %d and leads nowhere", resp.StatusCode)
	}
	return proofing.Secret(back.Query().Get("state")), said(back.Query())
}

func said(q url.Values) json.RawMessage {
	members := map[string]string{"issuer": "work"}
	for name := range q {
		members[name] = q.Get(name)
	}
	text, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return text
}

func (f *federation) login(v proofing.Visit) (*proofing.Case, error) {
	f.t.Helper()
	ref, response := f.goAway(v)
	c, _, err := f.Returned(f.t.Context(), v, ref, response)
	return c, err
}

func TestALoginAtAProviderEarnsWhatTheAgreementSays(t *testing.T) {
	f := withProvider(t)
	c := f.open("login")
	c, err := f.login(visit(c, "browser"))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Evidence) != 1 || c.Evidence[0].OIDC == nil || c.Evidence[0].OIDC.ACR != "urn:high" || c.Evidence[0].Method() != "oidc" {
		t.Fatalf("the evidence is %+v", c.Evidence)
	}
	c = f.prove(c, "browser", "email", "applicant@example.org")
	if c.Status != proofing.CaseGranted || c.Grant.Assessment.AAL == nil || *c.Grant.Assessment.AAL != 2 || *c.Grant.Assessment.FAL != 2 {
		t.Errorf("it ends %s with %+v", c.Status, c.Grant)
	}
	// The next case is the same person's, though nobody says so but the provider.
	other := request("login")
	other.Identifier.Value = "second@example.org"
	second, _, err := f.Open(t.Context(), f.ca, other)
	if err != nil {
		t.Fatal(err)
	}
	f.pass(time.Minute)
	second, err = f.login(visit(second, "another browser"))
	if err != nil || second.Person != c.Person || !second.Evidence[0].BoundAt.Equal(c.Evidence[0].At) {
		t.Errorf("it is another person's: %v", err)
	}
	// Another account is another person's.
	f.idp.Accounts[0].Subject = "bob"
	other.Identifier.Value = "third@example.org"
	third, _, err := f.Open(t.Context(), f.ca, other)
	if err != nil {
		t.Fatal(err)
	}
	if third, err = f.login(visit(third, "a third browser")); err != nil || third.Person == c.Person {
		t.Errorf("two accounts are one person: %v", err)
	}
}

// TestALowerACRThanAskedEarnsNoMore has the provider authenticate more weakly than it was asked to.
func TestALowerACRThanAskedEarnsNoMore(t *testing.T) {
	f := withProvider(t)
	for acr, want := range map[string]int{"urn:low": 1, "urn:unheard-of": 0, "urn:high": 2} {
		f.idp.Edit = func(_, claims map[string]any) { claims["acr"], claims["sub"] = acr, acr }
		r := request("login")
		r.Identifier.Value = acr[4:] + "@example.org"
		c, _, err := f.Open(t.Context(), f.ca, r)
		if err != nil {
			t.Fatal(err)
		}
		if c, err = f.login(visit(c, acr)); err != nil {
			t.Fatal(err)
		}
		got := 0
		if aal := proofing.Assess(proofing.R4, proofing.OperatorFacts{}, f.clock(), c.Evidence).AAL; aal != nil {
			got = *aal
		}
		if got != want || c.Status == proofing.CaseGranted {
			t.Errorf("%s earns AAL%d, and the case is %s", acr, got, c.Status)
		}
	}
}

// TestALoginAnswersOnlyInItsOwnBrowserAndAttempt tries to put one's own login into somebody else's case, and theirs into
// one's own.
func TestALoginAnswersOnlyInItsOwnBrowserAndAttempt(t *testing.T) {
	f := withProvider(t)
	ctx := t.Context()
	mine := f.open("login")
	r := request("login")
	r.Identifier.Value = "victim@example.org"
	theirs, _, err := f.Open(ctx, f.ca, r)
	if err != nil {
		t.Fatal(err)
	}
	ref, response := f.goAway(visit(mine, "attacker"))
	theirRef, theirResponse := f.goAway(visit(theirs, "victim"))
	// The victim is led to the attacker's callback: a login of the attacker's, in the victim's browser.
	_, _, err = f.Returned(ctx, visit(mine, "victim"), ref, response)
	wantErr(t, "in another browser", err, proofing.ErrOtherBrowser)
	_, _, err = f.Returned(ctx, visit(mine, ""), ref, response)
	wantErr(t, "in a browser without a cookie", err, proofing.ErrOtherBrowser)
	// The attacker has seen the victim's callback.
	_, _, err = f.Returned(ctx, visit(mine, "attacker"), theirRef, theirResponse)
	wantErr(t, "the victim's in the attacker's browser", err, proofing.ErrOtherBrowser)
	// And puts the victim's code into an answer of their own: the state does not fit, and then PKCE does not.
	var members map[string]string
	if err := json.Unmarshal(theirResponse, &members); err != nil {
		t.Fatal(err)
	}
	_, _, err = f.Returned(ctx, visit(mine, "attacker"), ref, theirResponse)
	wantInput(t, "the victim's answer whole", err, "oidc_mixed_up")
	members["state"] = ""
	again, _ := f.goAway(visit(mine, "attacker"))
	members["state"] = again.Reveal()
	injected, _ := json.Marshal(members)
	_, _, err = f.Returned(ctx, visit(mine, "attacker"), again, injected)
	wantInput(t, "the victim's code", err, "oidc_login_failed")
	// With another attempt's reference nothing is found at all.
	_, _, err = f.Returned(ctx, visit(mine, "attacker"), ref+"x", response)
	wantErr(t, "a reference of nobody's", err, proofing.ErrNotFound)
	if c := f.reload(mine); len(c.Evidence) != 0 || c.Browser != "" {
		t.Errorf("the attacker's case has %d events", len(c.Evidence))
	}
}

// TestAnAnswerServesOnce brings the same answer back again and again, also at once.
func TestAnAnswerServesOnce(t *testing.T) {
	f := withProvider(t)
	c := f.open("login")
	v := visit(c, "browser")
	ref, response := f.goAway(v)
	var all sync.WaitGroup
	var mu sync.Mutex
	passed := 0
	for range 8 {
		all.Go(func() {
			_, a, err := f.Returned(t.Context(), v, ref, response)
			mu.Lock()
			defer mu.Unlock()
			if err == nil && a.Status == proofing.AttemptPassed {
				passed++
			}
		})
	}
	all.Wait()
	if c = f.reload(c); passed != 1 || len(c.Evidence) != 1 || f.idp.Calls("/token") != 1 {
		t.Errorf("%d of eight passed, with %d events and %d calls for a token", passed, len(c.Evidence), f.idp.Calls("/token"))
	}
	_, _, err := f.Returned(t.Context(), v, ref, response)
	wantErr(t, "later", err, proofing.ErrAttemptOver)
}

// TestATripThatFailedIsBegunAnew has a person refuse, and then not.
func TestATripThatFailedIsBegunAnew(t *testing.T) {
	f := withProvider(t)
	c := f.open("login")
	v := visit(c, "browser")
	f.idp.Accounts = nil
	f.idp.Ask = true
	_, first, err := f.Begin(t.Context(), v, "oidc", "work")
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(first.Away.Reveal())
	state := proofing.Secret(u.Query().Get("state"))
	denied := said(url.Values{"error": {"access_denied"}, "state": {state.Reveal()}, "iss": {f.idp.Issuer}})
	_, _, err = f.Returned(t.Context(), v, state, denied)
	wantInput(t, "a refusal", err, "oidc_denied")
	_, _, err = f.Returned(t.Context(), v, state, denied)
	wantErr(t, "again", err, proofing.ErrNoTries)
	f.idp.Accounts, f.idp.Ask = []oidctest.Account{{Subject: "alice", AMR: []string{"pwd", "otp"}}}, false
	_, second, err := f.Begin(t.Context(), v, "oidc", "work")
	if err != nil || second.Away == first.Away {
		t.Fatalf("the next trip is the last one: %v", err)
	}
	ref, response := f.comeBack(second.Away)
	if c, _, err = f.Returned(t.Context(), v, ref, response); err != nil || len(c.Evidence) != 1 {
		t.Errorf("%v", err)
	}
}

func TestAProviderThatIsDownGrantsNothingAndLosesNothing(t *testing.T) {
	f := withProvider(t)
	c := f.open("login")
	v := visit(c, "browser")
	f.down = true
	_, _, err := f.Begin(t.Context(), v, "oidc", "work")
	wantErr(t, "nobody knows where to go", err, proofing.ErrUnavailable)
	f.down = false
	f.pass(31 * time.Second)
	ref, response := f.goAway(v)
	f.down = true
	_, _, err = f.Returned(t.Context(), v, ref, response)
	wantErr(t, "the code cannot be exchanged", err, proofing.ErrUnavailable)
	f.down = false
	if c = f.reload(c); c.Status != proofing.CaseOpen || len(c.Evidence) != 0 {
		t.Errorf("the case is %s with %d events", c.Status, len(c.Evidence))
	}
	f.pass(31 * time.Second)
	if _, err := f.login(v); err != nil {
		t.Errorf("when it is back: %v", err)
	}
}

// TestAProfileChoosesItsIssuers asks for one that is for another profile.
func TestAProfileChoosesItsIssuers(t *testing.T) {
	f := withProvider(t)
	c := f.open("elsewhere")
	_, _, err := f.Begin(t.Context(), visit(c, "browser"), "oidc", "work")
	wantInput(t, "another profile's issuer", err, "method_unknown")
	_, _, err = f.Begin(t.Context(), visit(c, "browser"), "oidc", "nobody")
	wantInput(t, "nobody's issuer", err, "oidc_issuer_unknown")
	_, err = f.HandIn(t.Context(), f.ca, c.ID, f.tokenFor(c, nil), "")
	wantInput(t, "a token of another profile's issuer", err, "oidc_issuer_unknown")
}

// An agreement that names domains is about these alone, whatever way the issuer's word comes.
func TestAnIssuerSpeaksForItsDomainsAlone(t *testing.T) {
	f := withProvider(t)
	f.domains = []string{"example.org"}
	f.trust("work")
	mine, theirs := f.openFor("login", "applicant@example.org", ""), f.openFor("login", "applicant@example.com", "")
	_, _, err := f.Begin(t.Context(), visit(theirs, "browser"), "oidc", "work")
	wantInput(t, "a login for another domain", err, "method_unknown")
	_, err = f.HandIn(t.Context(), f.ca, theirs.ID, f.tokenFor(theirs, nil), "")
	wantInput(t, "a token for another domain", err, "oidc_issuer_unknown")
	if mine = must[*proofing.Case](t)(f.login(visit(mine, "browser"))); len(mine.Evidence) != 1 {
		t.Fatalf("in the case of its domain the login left %+v", mine.Evidence)
	}
	f.work()
	if theirs = f.reload(theirs); theirs.Status != proofing.CaseOpen || len(theirs.Evidence) > 0 {
		t.Errorf("the login for one domain served another: %s, %+v", theirs.Status, theirs.Evidence)
	}
	f.domains = nil
	f.trust("work")
	if c := must[*proofing.Case](t)(f.login(visit(theirs, "browser"))); len(c.Evidence) != 1 {
		t.Errorf("without domains the login left %+v", c.Evidence)
	}
}

func TestDomainsAreComparedLabelByLabel(t *testing.T) {
	within := []string{"example.org", "net.example"}
	for id, want := range map[proofing.Identifier]bool{
		{Type: "dns", Value: "example.org"}:                  true,
		{Type: "dns", Value: "a.b.example.org"}:              true,
		{Type: "dns", Value: "net.example"}:                  true,
		{Type: "dns", Value: "evilexample.org"}:              false,
		{Type: "dns", Value: "example.org.evil.test"}:        false,
		{Type: "dns", Value: "example"}:                      false,
		{Type: "email", Value: "a@example.org"}:              true,
		{Type: "email", Value: "a@sub.example.org"}:          true,
		{Type: "email", Value: "example.org@evil.test"}:      false,
		{Type: "email", Value: "a@evilexample.org"}:          false,
		{Type: "organization", Value: "example.org"}:         false,
		{Type: "permanent-identifier", Value: "example.org"}: false,
		{Type: "ip", Value: "192.0.2.1"}:                     false,
	} {
		if got := id.Within(within); got != want {
			t.Errorf("%s %s is within %v: %v", id.Type, id.Value, within, got)
		}
		if !(&proofing.OIDCTrust{}).SpeaksFor(id) {
			t.Errorf("an agreement that names none does not speak for %s", id.Value)
		}
	}
}

// tokenFor is a token that is bound to the case.
func (f *federation) tokenFor(c *proofing.Case, edit func(claims map[string]any)) proofing.Secret {
	claims := f.idp.Claims(oidctest.Account{Subject: "build-7"})
	claims["aud"] = idpOrigin + "/ka/" + keyAuthDigest(c)
	if edit != nil {
		edit(claims)
	}
	return proofing.Secret(f.idp.Token(claims))
}

// TestAnAccountThatIsNewHasNoAge asks for something that has been somebody's for a day.
func TestAnAccountThatIsNewHasNoAge(t *testing.T) {
	f := withProvider(t)
	p := f.Policy.Profiles["login"]
	p.Require.BindingAge = 24 * time.Hour
	c := must[*proofing.Case](t)(f.login(visit(f.open("login"), "browser")))
	if c = f.prove(c, "browser", "email", ""); c.Status != proofing.CaseOpen {
		t.Fatalf("an account that nobody has seen before leaves the case %s", c.Status)
	}
	f.pass(25 * time.Hour)
	if c = must[*proofing.Case](t)(f.login(visit(c, "browser"))); c.Status != proofing.CaseGranted {
		t.Errorf("a day later it is %s", c.Status)
	}
}

// TestALoginThatIsOldIsNotFresh has somebody sit down at a browser that is logged in at the provider.
func TestALoginThatIsOldIsNotFresh(t *testing.T) {
	f := withProvider(t)
	f.Policy.Own = &proofing.Profile{Title: "Account", Framework: proofing.R4, Methods: []string{"oidc", "email"}}
	must[*proofing.Case](t)(f.login(visit(f.open("login"), "b")))
	f.pass(time.Hour)
	ago := func(d time.Duration) {
		f.idp.Edit = func(_, claims map[string]any) { claims["auth_time"] = f.clock().Add(-d).Unix() }
	}
	ago(6 * time.Minute)
	_, err := f.login(ownVisit(f.openOwn()))
	wantInput(t, "a session by a login of six minutes ago", err, "oidc_stale")
	r := request("login")
	r.Identifier.Value = "second@example.org"
	c, _, err := f.Open(t.Context(), f.ca, r)
	if err != nil {
		t.Fatal(err)
	}
	must[*proofing.Case](t)(f.login(visit(c, "b"))) // for which the agreement's hour holds
	ago(4 * time.Minute)
	if s := f.session(must[*proofing.Case](t)(f.login(ownVisit(f.openOwn())))); !s.Fresh {
		t.Error("a login of four minutes ago is not fresh")
	}
}
