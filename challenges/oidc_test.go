package challenges

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/challenges/oidctest"
	"github.com/countersign-id/countersign/proofing"
)

func TestALoginProvesWhoSaysSo(t *testing.T) {
	w := newIDP(t)
	tr := w.begin(proofing.Beginning{AAL: 2, KeyAuth: [32]byte{7}})
	w.pass(30 * time.Second)
	proof, err := tr.answer(response(tr.visit()))
	if err != nil {
		t.Fatal(err)
	}
	if c := proof.Contact; c.Channel != proofing.ChannelIdentity || c.Address.Reveal() != w.Issuer+" alice-1" || c.Shown != "Work account" {
		t.Errorf("the contact is %+v, %s", c, c.Address.Reveal())
	}
	f := proof.Evidence.OIDC
	if proof.Evidence.Kind != proofing.OIDCLogin || f == nil {
		t.Fatalf("the evidence is %+v", proof.Evidence)
	}
	if f.Issuer != w.Issuer || f.Subject.Reveal() != "alice-1" || f.Channel != proofing.ChannelBack || f.Encrypted ||
		f.ACR != "urn:high" || !slices.Equal(f.AMR, []string{"pwd", "otp"}) || !f.AuthTime.Equal(w.clock()) || f.MaxAge == nil || *f.MaxAge != 3600 {
		t.Errorf("the facts are %+v", f)
	}
	want := &proofing.OIDCTrust{PreEstablished: true, RPInitiated: true, InjectionProtected: true, ACRMap: w.issuer.ACR, Cap: w.issuer.Cap}
	if got, _ := json.Marshal(f.Trust); string(got) != string(must(json.Marshal(want))) {
		t.Errorf("the trust is %s", got)
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestThePersonIsSentAwayWithAllThatBindsTheLogin(t *testing.T) {
	w := newIDP(t, func(i *Issuer) { i.Scopes = []string{"profile"} })
	tr := w.begin(proofing.Beginning{AAL: 1, KeyAuth: [32]byte{7}, Ref: "c.a.s"})
	u, err := url.Parse(tr.opening.Away.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for name, want := range map[string]string{
		"response_type": "code", "client_id": "countersign", "redirect_uri": testOrigin + "/o/work", "state": "c.a.s", "scope": "openid profile",
		"code_challenge_method": "S256", "max_age": "3600", "acr_values": "urn:low urn:high",
	} {
		if q.Get(name) != want || len(q[name]) != 1 {
			t.Errorf("%s is %q", name, q[name])
		}
	}
	var s oidcState
	if err := json.Unmarshal(tr.opening.State, &s); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(s.Verifier))
	if q.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) || len(s.Random) != 32 || q.Get("nonce") != s.nonce([32]byte{7}) {
		t.Errorf("the challenge %s and the nonce %s are not those of the state", q.Get("code_challenge"), q.Get("nonce"))
	}
	if strings.Contains(string(tr.opening.State), "c.a.s") {
		t.Error("the state holds the attempt's reference")
	}
	again := w.begin(proofing.Beginning{AAL: 1, KeyAuth: [32]byte{7}, Ref: "c.a.s"})
	v, _ := url.Parse(again.opening.Away.Reveal())
	for _, name := range []string{"nonce", "code_challenge"} {
		if v.Query().Get(name) == q.Get(name) {
			t.Errorf("%s comes twice", name)
		}
	}
	if tr.opening.Tries != 1 || tr.opening.Lifetime != 15*time.Minute || tr.opening.Message.Kind != "" {
		t.Errorf("the opening is %+v", tr.opening)
	}
}

func TestACRValuesAreThoseThatReachWhatIsDemanded(t *testing.T) {
	i := Issuer{ACR: map[string]proofing.StatedLevels{"a": {AAL: 3}, "b": {AAL: 1}, "c": {AAL: 2}, "d": {IAL: 2}}}
	for _, c := range []struct {
		aal, most int
		want      string
	}{{0, 0, ""}, {1, 0, "b c a"}, {2, 0, "c a"}, {3, 0, "a"}, {2, 2, "c a"}, {3, 2, ""}, {1, 1, "b c a"}} {
		i.Cap.AAL = c.most
		if got := i.acrValues(c.aal); got != c.want {
			t.Errorf("for AAL%d, capped at %d: %q", c.aal, c.most, got)
		}
	}
}

// TestWhatTheBrowserBringsBack changes what a provider has sent.
func TestWhatTheBrowserBringsBack(t *testing.T) {
	with := func(name, value string) func(url.Values) json.RawMessage {
		return func(q url.Values) json.RawMessage { q.Set(name, value); return response(q) }
	}
	without := func(names ...string) func(url.Values) json.RawMessage {
		return func(q url.Values) json.RawMessage {
			for _, name := range names {
				q.Del(name)
			}
			return response(q)
		}
	}
	raw := func(s string) func(url.Values) json.RawMessage {
		return func(url.Values) json.RawMessage { return json.RawMessage(s) }
	}
	failed := func(with string) func(url.Values) json.RawMessage {
		return func(q url.Values) json.RawMessage { q.Del("code"); q.Set("error", with); return response(q) }
	}
	for what, c := range map[string]struct {
		change func(url.Values) json.RawMessage
		code   string
	}{
		"the state of another attempt":        {with("state", "case.other.secret"), oidcMixedUp},
		"no state":                            {without("state"), oidcMixedUp},
		"another issuer":                      {with("iss", "https://other.example"), oidcMixedUp},
		"no issuer, though it always says it": {without("iss"), oidcMixedUp},
		"at no address":                       {raw(`{"code":"a","state":"case.attempt.secret"}`), oidcMixedUp},
		"at another issuer's address":         {with("issuer", "home"), oidcMixedUp},
		"a code that nobody gave":             {with("code", "made-up"), oidcLoginFailed},
		"no code":                             {without("code"), oidcMalformed},
		"a refusal":                           {failed("access_denied"), oidcDenied},
		"nobody who could log in":             {failed("login_required"), oidcDenied},
		"a login that is too weak":            {failed("unmet_authentication_requirements"), oidcTooWeak},
		"a provider that cannot":              {failed("temporarily_unavailable"), oidcProviderDown},
		"an error that nobody knows":          {failed("<script>"), oidcLoginFailed},
		"an error and a code":                 {with("error", "access_denied"), oidcDenied},
		"a refusal of another attempt":        {func(q url.Values) json.RawMessage { q.Set("state", "x"); return failed("access_denied")(q) }, oidcMixedUp},
		"no JSON":                             {raw(`code=x`), oidcMalformed},
		"a list":                              {raw(`["code"]`), oidcMalformed},
		"nothing":                             {raw(``), oidcMalformed},
		"a number":                            {raw(`{"code":1}`), oidcMalformed},
		"null":                                {raw(`{"code":null}`), oidcMalformed},
		"a code twice":                        {raw(`{"code":"a","code":"b","state":"case.attempt.secret"}`), oidcMalformed},
		"more than a browser brings":          {raw(`{"code":"` + strings.Repeat("a", maxCallback) + `"}`), oidcMalformed},
		"more parameters than a provider can think": {raw(`{` + manyMembers(41) + `}`), oidcMalformed},
	} {
		t.Run(what, func(t *testing.T) {
			w := newIDP(t)
			tr := w.begin(proofing.Beginning{})
			_, err := tr.answer(c.change(tr.visit()))
			refusedWith(t, err, c.code, "")
			if c.code == oidcMixedUp && w.Calls("/token") > 0 {
				t.Error("the provider was asked all the same")
			}
		})
	}
	w := newIDP(t)
	tr := w.begin(proofing.Beginning{})
	if _, err := tr.answer(with("session_state", "whatever")(tr.visit())); err != nil {
		t.Errorf("with a parameter that nobody knows: %v", err)
	}
}

func manyMembers(n int) string {
	var b []string
	for range n {
		b = append(b, `"p`+strings.Repeat("x", len(b))+`":""`)
	}
	return strings.Join(b, ",")
}

// TestAnswersAreNotMixedUp sends a person of one provider to another one, as a false provider does: the honest one's
// code must not reach the false one's token endpoint (RFC 9700 4.4).
func TestAnswersAreNotMixedUp(t *testing.T) {
	honest, wicked := newIDP(t), newIDP(t)
	for _, issSent := range []bool{true, false} {
		wicked.Metadata = func(m map[string]any) {
			m["authorization_endpoint"] = honest.Issuer + "/authorize"
			m["authorization_response_iss_parameter_supported"] = issSent
		}
		wicked.issuer.Name = "evil"
		method, err := NewOIDC(OIDCConfig{Issuers: []Issuer{honest.issuer, wicked.issuer}, Now: wicked.clock})
		if err != nil {
			t.Fatal(err)
		}
		honest.Redirects = []string{testOrigin + "/o/work", testOrigin + "/o/evil"} // the worst case: the honest one takes any
		c, err := method.Check("evil")
		if err == nil {
			err = method.Prepare(t.Context(), c)
		}
		if err != nil {
			t.Fatal(err)
		}
		o, err := method.Begin(proofing.Beginning{Contact: c, Origin: testOrigin, Ref: "case.attempt.secret"})
		if err != nil {
			t.Fatal(err)
		}
		q := trip{w: honest, opening: o}.visit()
		if q.Get("code") == "" {
			t.Fatal("the honest provider gave no code")
		}
		if !issSent {
			q.Del("iss") // a provider that does not know RFC 9207: the address at which it arrives must do
		}
		_, err = method.Fetch(t.Context(), o.State, c, proofing.Answer{Response: response(q)})
		refusedWith(t, err, oidcMixedUp, "")
		if n := wicked.Calls("/token"); n != 0 {
			t.Errorf("the code was sent to the false provider %d times", n)
		}
	}
}

// TestATokenAnswersItsOwnAttemptAndCase has codes and tokens used for what they were not given for.
func TestATokenAnswersItsOwnAttemptAndCase(t *testing.T) {
	w := newIDP(t)
	one, other := w.begin(proofing.Beginning{Ref: "c.one.s", KeyAuth: [32]byte{1}}), w.begin(proofing.Beginning{Ref: "c.two.s", KeyAuth: [32]byte{1}})
	// A code that somebody else got, put into one's own answer: PKCE sees it, before any token is given.
	q := one.visit()
	q.Set("state", "c.two.s")
	_, err := other.answer(response(q))
	refusedWith(t, err, oidcLoginFailed, "does not take the code")
	// The same code again.
	q = one.visit()
	if _, err := one.answer(response(q)); err != nil {
		t.Fatal(err)
	}
	_, err = one.answer(response(q))
	refusedWith(t, err, oidcLoginFailed, "does not take the code")
	// A provider that is careless with PKCE and codes: the nonce sees it.
	var kept string
	w.Seal = func(token string) string {
		if kept == "" {
			kept = token
		}
		return kept
	}
	if _, err := one.answer(response(one.visit())); err != nil {
		t.Fatal(err)
	}
	_, err = other.answer(response(other.visit()))
	refusedWith(t, err, oidcLoginFailed, "nonce")
	w.Seal = nil
	// The same opening in a case of another key.
	elsewhere := w.begin(proofing.Beginning{KeyAuth: [32]byte{1}})
	q = elsewhere.visit()
	elsewhere.keyAuth = [32]byte{2}
	_, err = elsewhere.answer(response(q))
	refusedWith(t, err, oidcLoginFailed, "nonce")
}

// TestJudgeGoesByTheOpeningInForce has an attempt begin anew while the provider was asked.
func TestJudgeGoesByTheOpeningInForce(t *testing.T) {
	w := newIDP(t)
	first, second := w.begin(proofing.Beginning{}), w.begin(proofing.Beginning{})
	a := proofing.Answer{Response: response(first.visit())}
	var err error
	if a.Fetched, err = w.method.Fetch(t.Context(), first.opening.State, first.contact, a); err != nil {
		t.Fatal(err)
	}
	if _, err := w.method.Judge(second.opening.State, second.contact, a); !errors.Is(err, proofing.ErrWrongAnswer) {
		t.Errorf("it is judged by another opening: %v", err)
	}
	if _, err := w.method.Judge(first.opening.State, first.contact, proofing.Answer{Response: a.Response}); err == nil {
		t.Error("it is judged though nothing was fetched")
	}
}

func TestEachWayOfAuthenticatingAsAClient(t *testing.T) {
	key := testKeyPEM(t, "EC")
	for auth, secret := range map[string]proofing.Secret{AuthBasic: "client-secret", AuthPost: "client-secret", AuthNone: "", AuthPrivateKeyJWT: ""} {
		t.Run(auth, func(t *testing.T) {
			w := newIDP(t, func(i *Issuer) { i.Auth, i.Secret, i.Key, i.KeyID = auth, secret, key, "ours" })
			w.ClientSecret = secret.Reveal()
			var form url.Values
			var header string
			w.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, "/token") {
					if err := r.ParseForm(); err != nil {
						t.Error(err)
					}
					form, header = maps.Clone(r.PostForm), r.Header.Get("Authorization")
				}
				return false
			})
			if _, err := w.login(); err != nil {
				t.Fatal(err)
			}
			if got := strings.HasPrefix(header, "Basic "); got != (auth == AuthBasic) {
				t.Errorf("Authorization: %q", header)
			}
			if got := form.Get("client_secret") != ""; got != (auth == AuthPost) {
				t.Errorf("client_secret: %t", got)
			}
			if got := form.Get("client_assertion") != ""; got != (auth == AuthPrivateKeyJWT) {
				t.Fatalf("client_assertion: %t", got)
			}
			if auth == AuthPrivateKeyJWT {
				header, claims := claimsOf(form.Get("client_assertion"))
				if header["alg"] != "ES256" || header["kid"] != "ours" || claims["iss"] != "countersign" || claims["sub"] != "countersign" ||
					claims["aud"] != w.Issuer || claims["exp"].(float64)-claims["iat"].(float64) != 60 || len(claims["jti"].(string)) < 20 {
					t.Errorf("the assertion is %v %v", header, claims)
				}
			}
		})
	}
}

func TestATokenEndpointThatFails(t *testing.T) {
	for what, c := range map[string]struct {
		answer http.HandlerFunc
		code   string // of a refusal; empty: it is unavailable
	}{
		"a fault of its own": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "leak client-secret", 500) }, ""},
		"too many requests":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) }, ""},
		"a client that is wrong": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(401)
			_, _ = w.Write([]byte(`{"error":"invalid_client"}`))
		}, ""},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", 307) }, ""},
		"a bad code": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
		}, oidcLoginFailed},
		"no ID token": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"access_token":"a","token_type":"Bearer"}`))
		}, oidcLoginFailed},
		"what is no token": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"access_token":"a","id_token":[]}`))
		}, oidcLoginFailed},
		"no JSON": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`<html>`)) }, ""},
		"more than 1 MiB": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"id_token":"` + strings.Repeat("a", 2<<20) + `"}`))
		}, ""},
	} {
		t.Run(what, func(t *testing.T) {
			w := newIDP(t)
			w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, "/token") {
					if r.URL.Path == "/elsewhere" {
						t.Error("a redirect was followed")
					}
					return false
				}
				rw.Header().Set("Content-Type", "application/json")
				c.answer(rw, r)
				return true
			})
			_, err := w.login()
			if c.code != "" {
				refusedWith(t, err, c.code, "")
				return
			}
			if !errors.Is(err, proofing.ErrUnavailable) {
				t.Errorf("it ends with %v", err)
			}
			if strings.Contains(err.Error(), "client-secret") {
				t.Errorf("the error says what the provider said: %v", err)
			}
		})
	}
}

func TestIssuersThatCannotBe(t *testing.T) {
	good := newIDP(t).issuer
	for what, change := range map[string]func(*Issuer){
		"no TLS":                       func(i *Issuer) { i.URL = "http://idp.example" },
		"a query":                      func(i *Issuer) { i.URL = "https://idp.example/?a=b" },
		"a fragment":                   func(i *Issuer) { i.URL = "https://idp.example/#" },
		"a user":                       func(i *Issuer) { i.URL = "https://u@idp.example/" },
		"no host":                      func(i *Issuer) { i.URL = "idp.example" },
		"no algorithm":                 func(i *Issuer) { i.Algorithms = nil },
		"none":                         func(i *Issuer) { i.Algorithms = []string{"none"} },
		"an algorithm with a secret":   func(i *Issuer) { i.Algorithms = []string{"HS256"} },
		"no authentication":            func(i *Issuer) { i.Auth = "" },
		"no key":                       func(i *Issuer) { i.Auth = AuthPrivateKeyJWT },
		"a key that is none":           func(i *Issuer) { i.Auth, i.Key = AuthPrivateKeyJWT, "-----BEGIN NONSENSE-----" },
		"a decryption key too short":   func(i *Issuer) { i.Decryption = testKeyPEM(t, "RSA1024") },
		"a decryption key that cannot": func(i *Issuer) { i.Decryption = testKeyPEM(t, "Ed25519") },
	} {
		i := good
		change(&i)
		if _, err := NewOIDC(OIDCConfig{Issuers: []Issuer{i}, Now: time.Now}); err == nil {
			t.Errorf("%s: it is accepted", what)
		}
	}
	two := good
	two.Name = "other"
	for what, issuers := range map[string][]Issuer{"a name twice": {good, good}, "tokens handed in under two names": {good, two}} {
		if _, err := NewOIDC(OIDCConfig{Issuers: issuers, Now: time.Now}); err == nil {
			t.Errorf("%s: it is accepted", what)
		}
	}
	m := newIDP(t).method
	_, err := m.Check("nobody")
	refusedWith(t, err, oidcIssuerUnknown, "")
	_, err = m.Begin(proofing.Beginning{Contact: proofing.Contact{Address: "nobody"}})
	refusedWith(t, err, oidcIssuerUnknown, "")
	if _, err := m.Begin(proofing.Beginning{Contact: proofing.Contact{Address: "work"}}); !errors.Is(err, proofing.ErrUnavailable) {
		t.Errorf("begun before it was prepared: %v", err)
	}
	refusedWith(t, m.Prepare(t.Context(), proofing.Contact{Address: "nobody"}), oidcIssuerUnknown, "")
}

// TestAnIssuerThatIsGone has an issuer leave the configuration while somebody is away.
func TestAnIssuerThatIsGone(t *testing.T) {
	w := newIDP(t)
	tr := w.begin(proofing.Beginning{})
	back := response(tr.visit())
	w.issuer.Name = "renamed"
	w.restart()
	_, err := tr.answer(back)
	refusedWith(t, err, oidcIssuerUnknown, "")
}

// TestAPersonMayRefuseOnTheProvidersPage goes through its page.
func TestAPersonMayRefuseOnTheProvidersPage(t *testing.T) {
	w := newIDP(t)
	w.Ask, w.Accounts = true, append(w.Accounts, oidctest.Account{Subject: "bob-2", Name: `Bob "<b>"`})
	tr := w.begin(proofing.Beginning{})
	browser := *w.client
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	shown, err := browser.Get(tr.opening.Away.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	shown.Body.Close()
	if shown.StatusCode != http.StatusOK {
		t.Fatalf("the page answers %d", shown.StatusCode)
	}
	u, _ := url.Parse(tr.opening.Away.Reveal())
	press := func(name, value string) url.Values {
		form := u.Query()
		form.Set(name, value)
		resp, err := browser.PostForm(w.Issuer+"/authorize", form)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		back, err := resp.Location()
		if err != nil {
			t.Fatal(err)
		}
		return back.Query()
	}
	_, err = tr.answer(response(press("deny", "yes")))
	refusedWith(t, err, oidcDenied, "")
	proof, err := tr.answer(response(press("account", "bob-2")))
	if err != nil || proof.Evidence.OIDC.Subject.Reveal() != "bob-2" {
		t.Errorf("%v %v", proof.Evidence.OIDC, err)
	}
}
