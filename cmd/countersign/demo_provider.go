package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/countersign-id/countersign/challenges/oidctest"
)

// The demo has an identity provider of its own beside it, on the same listener, so that a login can be tried with
// nothing configured. It believes whoever says who they are, which is why it is here and nowhere else.
const (
	demoProviderPath = "/example-idp"
	demoIssuer       = "example"
	demoClient       = "countersign-demo"
	// demoTwoFactors is what it calls a login of somebody who has two factors.
	demoTwoFactors = "urn:example:two-factor"
)

// demoIssuers is the trust agreement with it, and the profile that takes its word.
func demoIssuers(origin string) string {
	return fmt.Sprintf(`  staff:
    title: Staff certificate
    identifiers: [email]
    methods: [oidc, fido, email]
    require: {aal: 2, fal: 2, confirmed_addresses: [email]}
    self_service: true
issuers:
  %s:
    title: Example identity provider
    url: %q
    client_id: %s
    client_auth: none
    algorithms: [ES256]
    allow_networks: [127.0.0.0/8, "::1/128"]
    pre_established: true
    acr: {%q: {aal: 2}}
    cap: {aal: 2}
`, demoIssuer, origin+demoProviderPath, demoClient, demoTwoFactors)
}

// newDemoProvider is the provider at an origin.
func newDemoProvider(origin string, now func() time.Time) http.Handler {
	p := &oidctest.Provider{
		Issuer: origin + demoProviderPath, ClientID: demoClient, Redirects: []string{origin + "/o/" + demoIssuer},
		ACR: []string{demoTwoFactors}, Now: now, Ask: true,
		Accounts: []oidctest.Account{
			{Subject: "two-factors", Name: "somebody with a password and a code", AMR: []string{"pwd", "otp"}},
			{Subject: "one-factor", Name: "somebody with a password alone", AMR: []string{"pwd"}},
		},
	}
	// A name that leads here from elsewhere must not bring anybody's page along: see web.Site.
	host := strings.TrimPrefix(origin, "http://")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != host {
			http.Error(w, "the example identity provider is at "+origin, http.StatusMisdirectedRequest)
			return
		}
		p.ServeHTTP(w, r)
	})
}
