// Package oidctest is a small OpenID provider: for tests, which can have it say anything, and for the demo. It keeps
// everything in memory, has one client, and believes whoever says who they are.
package oidctest

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Account is somebody whom the provider knows.
type Account struct {
	Subject string
	Name    string   // as its own page shows it
	AMR     []string // how they log in (RFC 8176)
}

// Provider is an OpenID provider of the authorization code flow with PKCE. Its fields are set before it serves; a test may
// change those from Edit on while it does, between calls.
type Provider struct {
	// Issuer is its identifier; its path is that of the provider on the server that serves it.
	Issuer string
	// ClientID and ClientSecret are those of its one client; without a secret the client is a public one.
	ClientID, ClientSecret string
	Redirects              []string
	Accounts               []Account
	// ACR are the values that it can give; it gives the first that it is asked for, or its own first.
	ACR []string
	Now func() time.Time
	// Ask has it show a page on which one of the accounts is chosen. Without, it is the first.
	Ask bool

	// Edit may change the header and the claims of a token before it is signed.
	Edit func(header, claims map[string]any)
	// Seal may change a token after it was signed.
	Seal func(token string) string
	// Metadata may change what it says of itself.
	Metadata func(map[string]any)

	mu    sync.Mutex
	keys  []*Key
	codes map[string]grant
	calls map[string]int
}

// grant is what a code stands for.
type grant struct {
	account              Account
	redirect, challenge  string
	nonce, acr, clientID string
	expires, authTime    time.Time
}

const codeLife = time.Minute

// Calls is how often a path below the issuer was asked for: "/jwks".
func (p *Provider) Calls(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[path]
}

// ServeHTTP implements http.Handler.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, p.path())
	p.mu.Lock()
	if p.calls == nil {
		p.calls = make(map[string]int)
	}
	p.calls[path]++
	p.mu.Unlock()
	w.Header().Set("Cache-Control", "no-store")
	switch path {
	case "/.well-known/openid-configuration":
		p.describe(w)
	case "/jwks":
		p.showKeys(w)
	case "/authorize":
		p.authorize(w, r)
	case "/token":
		p.exchange(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (p *Provider) path() string {
	u, err := url.Parse(p.Issuer)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(u.Path, "/")
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // who asked has left
}

func (p *Provider) describe(w http.ResponseWriter) {
	m := map[string]any{
		"issuer": p.Issuer, "authorization_endpoint": p.Issuer + "/authorize", "token_endpoint": p.Issuer + "/token", "jwks_uri": p.Issuer + "/jwks",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "scopes_supported": []string{"openid"},
		"id_token_signing_alg_values_supported": []string{"ES256", "RS256"}, "acr_values_supported": p.ACR,
		"code_challenge_methods_supported":               []string{"S256"},
		"token_endpoint_auth_methods_supported":          []string{"client_secret_basic", "client_secret_post", "none"},
		"authorization_response_iss_parameter_supported": true,
	}
	if p.Metadata != nil {
		p.Metadata(m)
	}
	answer(w, http.StatusOK, m)
}

// authorize answers the request of a browser (OpenID Connect Core 3.1.2).
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.FormValue
	if q("client_id") != p.ClientID || !slices.Contains(p.Redirects, q("redirect_uri")) {
		http.Error(w, "this client or its redirect URI is not known here", http.StatusBadRequest) // and nobody is sent there
		return
	}
	switch {
	case q("response_type") != "code" || !slices.Contains(strings.Fields(q("scope")), "openid"):
		p.back(w, r, url.Values{"error": {"invalid_request"}})
	case q("code_challenge_method") != "S256" || q("code_challenge") == "":
		p.back(w, r, url.Values{"error": {"invalid_request"}, "error_description": {"PKCE with S256 is required"}})
	case p.Ask && r.Method != http.MethodPost:
		p.choose(w, r)
	case q("deny") != "":
		p.back(w, r, url.Values{"error": {"access_denied"}})
	default:
		i := 0
		if p.Ask {
			i = slices.IndexFunc(p.Accounts, func(a Account) bool { return a.Subject == q("account") })
		}
		if i < 0 {
			p.back(w, r, url.Values{"error": {"access_denied"}})
			return
		}
		p.back(w, r, url.Values{"code": {p.grant(r, p.Accounts[i])}})
	}
}

func (p *Provider) grant(r *http.Request, a Account) (code string) {
	acr := ""
	if len(p.ACR) > 0 {
		acr = p.ACR[0]
	}
	for _, asked := range strings.Fields(r.FormValue("acr_values")) {
		if slices.Contains(p.ACR, asked) {
			acr = asked
			break
		}
	}
	now := p.Now()
	code = rand.Text()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.codes == nil {
		p.codes = make(map[string]grant)
	}
	for old, g := range p.codes {
		if now.After(g.expires) {
			delete(p.codes, old)
		}
	}
	p.codes[code] = grant{
		account: a, redirect: r.FormValue("redirect_uri"), challenge: r.FormValue("code_challenge"),
		nonce: r.FormValue("nonce"), acr: acr, clientID: p.ClientID, expires: now.Add(codeLife), authTime: now,
	}
	return code
}

// back sends the browser back to the client (RFC 6749 4.1.2, RFC 9207).
func (p *Provider) back(w http.ResponseWriter, r *http.Request, with url.Values) {
	with.Set("iss", p.Issuer)
	if state := r.FormValue("state"); state != "" {
		with.Set("state", state)
	}
	w.Header().Set("Location", r.FormValue("redirect_uri")+"?"+with.Encode())
	w.WriteHeader(http.StatusSeeOther)
}

// exchange gives the tokens for a code, once.
func (p *Provider) exchange(w http.ResponseWriter, r *http.Request) {
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	if id != p.ClientID || subtle.ConstantTimeCompare([]byte(secret), []byte(p.ClientSecret)) != 1 {
		answer(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
		return
	}
	p.mu.Lock()
	g, ok := p.codes[r.PostFormValue("code")]
	delete(p.codes, r.PostFormValue("code"))
	p.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !ok || p.Now().After(g.expires) || g.redirect != r.PostFormValue("redirect_uri") || g.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
		answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	access := rand.Text()
	claims := p.Claims(g.account)
	claims["nonce"], claims["acr"], claims["auth_time"], claims["at_hash"] = g.nonce, g.acr, g.authTime.Unix(), halfHash(access)
	answer(w, http.StatusOK, map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 60, "id_token": p.Token(claims)})
}

// halfHash is the at_hash of OpenID Connect Core 3.1.3.6.
func halfHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}
