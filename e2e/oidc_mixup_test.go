package e2e

import (
	"crypto/rand"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/oauth2-proxy/mockoidc"
)

// colleague is somebody at mockoidc, who has logged in just now.
type colleague struct {
	*mockoidc.MockUser
	acr string
}

func (c colleague) Claims(_ []string, said *mockoidc.IDTokenClaims) (jwt.Claims, error) {
	return struct {
		*mockoidc.IDTokenClaims
		ACR      string `json:"acr"`
		AuthTime int64  `json:"auth_time"`
	}{said, c.acr, time.Now().Unix()}, nil
}

// newPartner starts mockoidc, and returns what the configuration says of it.
func newPartner(t testing.TB) (*provider, *mockoidc.MockOIDC, string) {
	t.Helper()
	m, err := mockoidc.NewServer(nil)
	if err != nil {
		t.Fatal(err)
	}
	m.ClientID, m.ClientSecret = "countersign", secret("a client's secret", rand.Text())
	at, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(at, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Shutdown() })
	t.Setenv("PARTNER_SECRET", m.ClientSecret)
	return &provider{t, "partner", m.Issuer()}, m, `  partner:
    title: Partner account
    url: ` + m.Issuer() + `
    client_id: countersign
    client_secret: env:PARTNER_SECRET
    client_auth: client_secret_post
    algorithms: [RS256]
    allow_networks: [127.0.0.0/8]
    pre_established: true
    acr:
      "urn:example:two-factor": {aal: 2}
    cap: {aal: 2}
`
}

// TestTheAnswersOfTwoProvidersAreNotMixedUp has two OpenID providers that nobody here wrote, and an attacker who carries what one of them answers to
// where the other's answer is awaited (RFC 9700 4.4).
func TestTheAnswersOfTwoProvidersAreNotMixedUp(t *testing.T) {
	p := newProgram(t)
	partner, m, trusted := newPartner(t)
	staff := newProvider(t, p, trusted)
	two := func(subject string) colleague {
		return colleague{&mockoidc.MockUser{Subject: subject, Email: subject + "@partner.example", EmailVerified: true}, "urn:example:two-factor"}
	}

	// By itself it is as good as the other.
	m.QueueUser(two("dora"))
	o := p.preauthorize("login", "dora", "dora@example.org")
	h := p.person(o["case_url"].(string))
	partner.login(h)
	h.prove("email", "dora@example.org")
	if got := p.assessment(o); got["status"] != "valid" || got["aal"] != 2.0 || got["fal"] != 2.0 {
		t.Fatalf("a login at the second provider ends with %v", got)
	}
	// A level that the agreement does not name is none.
	weak := two("emil")
	weak.acr = "urn:example:unheard-of"
	m.QueueUser(weak)
	o = p.preauthorize("login", "emil", "emil@example.org")
	h = p.person(o["case_url"].(string))
	partner.login(h)
	h.prove("email", "emil@example.org")
	if got := p.assessment(o); got["status"] != "pending" {
		t.Errorf("a login of a level that nobody agreed on ends with %v", got)
	}

	for name, mix := range map[string]func(h *person){
		"the second's answer, for the login that was begun at the first": func(h *person) {
			mine := partner.answers(h, partner.leaves(h))
			theirs := staff.answers(h, staff.leaves(h))
			partner.lands(h, "staff", url.Values{"code": mine["code"], "state": theirs["state"]})
			partner.lands(h, "staff", url.Values{"code": mine["code"], "state": theirs["state"], "iss": theirs["iss"]})
		},
		"the first's answer, for the login that was begun at the second": func(h *person) {
			theirs := staff.answers(h, staff.leaves(h))
			mine := partner.answers(h, partner.leaves(h))
			staff.lands(h, "partner", url.Values{"code": theirs["code"], "state": mine["state"]})
			staff.lands(h, "partner", url.Values{"code": theirs["code"], "state": mine["state"], "iss": theirs["iss"]})
		},
		"the first's own answer, at the second's page": func(h *person) {
			staff.lands(h, "partner", staff.answers(h, staff.leaves(h)))
		},
		"the second's own answer, at the first's page": func(h *person) {
			partner.lands(h, "staff", partner.answers(h, partner.leaves(h)))
		},
		"the first's own answer, that says that it is the second's": func(h *person) {
			theirs := staff.answers(h, staff.leaves(h))
			theirs.Set("iss", partner.url)
			staff.lands(h, "staff", theirs)
		},
		"the first's own answer, that does not say whose it is": func(h *person) { // it promises to (RFC 9207 3)
			theirs := staff.answers(h, staff.leaves(h))
			theirs.Del("iss")
			staff.lands(h, "staff", theirs)
		},
	} {
		account := strings.ToLower(rand.Text())
		m.QueueUser(two(account))
		staff.next(map[string]any{"account": account})
		o := p.preauthorize("login", account, account+"@example.org")
		h := p.person(o["case_url"].(string))
		mix(h)
		h.prove("email", account+"@example.org")
		if got := p.assessment(o); got["status"] != "pending" {
			t.Errorf("%s: it ends with %v", name, got)
		}
		staff.login(h) // who was attacked is not locked out
		if got := p.assessment(o); got["status"] != "valid" {
			t.Errorf("%s: afterwards it ends with %v", name, got)
		}
	}
}
