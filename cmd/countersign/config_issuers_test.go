package main

import (
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// federated is a configuration with an identity provider, and a profile p that offers oidc.
func federated(issuer, profile string) string {
	return `origin: http://localhost
operator: {name: Example, contact: help@example.org}
providers: {email: mailbox, sms: mailbox}
issuers:
  work:
    title: Work account
    url: https://login.example.org
    client_id: countersign
` + indent(issuer) + `profiles:
  p:
    identifiers: [dns]
    methods: [oidc]
` + indent(profile)
}

const withSecret = "client_secret: env:SECRET"

// saidOf reads a configuration and returns what is said, without what is said of the mailbox.
func saidOf(text string) (*Config, []string) {
	c, lines := read(text, "SECRET=hunter2")
	var about []string
	for _, l := range lines {
		if !strings.Contains(l, "mailbox") {
			about = append(about, l)
		}
	}
	return c, about
}

func TestMistakesInATrustAgreement(t *testing.T) {
	for what, c := range map[string]struct {
		issuer string
		want   []string
	}{
		"nothing":                     {withSecret, nil},
		"an unknown member":           {withSecret + "\nsubjects: [alice]", []string{"issuers.work.subjects: unknown key"}},
		"no secret":                   {"client_auth: client_secret_post", []string{"issuers.work.client_secret: is missing: client_secret_post needs it"}},
		"a secret in the file":        {"client_secret: hunter2", []string{"issuers.work.client_secret: a secret does not belong in this file"}},
		"a secret of no use":          {withSecret + "\nclient_auth: none", []string{"issuers.work.client_secret: is not used with client_auth: none"}},
		"a public client":             {"client_auth: none", nil},
		"a key that is none":          {"client_auth: private_key_jwt\nclient_key: env:SECRET", []string{"issuers.work.client_key: is not in PEM form"}},
		"a key's id of no use":        {withSecret + "\nclient_key_id: a", []string{"issuers.work.client_key_id: is not used with client_auth: client_secret_basic"}},
		"no key":                      {"client_auth: private_key_jwt", []string{"issuers.work.client_key: is missing: private_key_jwt needs it"}},
		"an unknown way":              {withSecret + "\nclient_auth: client_secret_jwt", []string{"issuers.work.client_auth: must be one of client_secret_basic, client_secret_post, private_key_jwt, none"}},
		"an algorithm without a key":  {withSecret + "\nalgorithms: [none]", []string{"issuers.work.algorithms[0]: must be one of ES256, RS256"}},
		"an algorithm with a secret":  {withSecret + "\nalgorithms: [HS256]", []string{"issuers.work.algorithms[0]: must be one of"}},
		"no algorithm":                {withSecret + "\nalgorithms: []", []string{"issuers.work.algorithms: is empty"}},
		"a decryption key of nothing": {withSecret + "\ndecryption_key: env:SECRET", []string{"issuers.work.decryption_key: is not in PEM form"}},
		"openid again":                {withSecret + "\nscopes: [openid]", []string{"issuers.work.scopes[0]: openid is always asked for"}},
		"two scopes in one":           {withSecret + "\nscopes: [\"email profile\"]", []string{"issuers.work.scopes[0]: \"email profile\" is no scope"}},
		"an age of a moment":          {withSecret + "\nmax_age: 10s", []string{"issuers.work.max_age: must be 1m to 30d"}},
		"every network":               {withSecret + "\nallow_networks: [0.0.0.0/0]", []string{"issuers.work.allow_networks[0]: is everything"}},
		"a network that is none":      {withSecret + "\nallow_networks: [idp.internal]", []string{"issuers.work.allow_networks[0]: must be a network"}},
		"a level that does not exist": {withSecret + "\nacr: {\"urn:x\": {aal: 4}}", []string{`issuers.work.acr."urn:x".aal: must be 1, 2 or 3`}},
		"a level of zero":             {withSecret + "\ncap: {ial: 0}", []string{"issuers.work.cap.ial: must be 1, 2 or 3, or left out, not 0"}},
		"a level under another name":  {withSecret + "\nacr: {\"urn:x\": {fal: 2}}", []string{`issuers.work.acr."urn:x".fal: unknown key`}},
		"no domains":                  {withSecret + "\ndomains: []", []string{"issuers.work.domains: is empty"}},
		"a domain with a wildcard":    {withSecret + "\ndomains: [\"*.example.org\"]", []string{"issuers.work.domains[0]: must be a domain in lower case"}},
		"a domain in capitals":        {withSecret + "\ndomains: [example.org, Example.net]", []string{"issuers.work.domains[1]: must be a domain in lower case"}},
		"two contexts in one":         {withSecret + "\nacr: {\"urn:x urn:y\": {aal: 2}}", []string{"is no authentication context"}},
	} {
		t.Run(what, func(t *testing.T) {
			_, said := saidOf(federated(c.issuer, "require: {all_methods: [oidc]}"))
			wantLines(t, said, c.want...)
		})
	}
	for url, want := range map[string]string{
		"http://login.example.org":          "must be https",
		"https://login.example.org/?a=b":    "must be a URL such as https://login.example.org, without user",
		"https://login.example.org/#a":      "must be a URL such as https://login.example.org, without user",
		"https://user@login.example.org":    "must be a URL such as https://login.example.org, without user",
		"login.example.org":                 "must be a URL",
		"http://localhost:9000/realms/work": "",
	} {
		_, said := saidOf(strings.Replace(federated(withSecret, "require: {all_methods: [oidc]}"), "https://login.example.org", url, 1))
		if want == "" {
			wantLines(t, said)
		} else {
			wantLines(t, said, "issuers.work.url: "+want)
		}
	}
	_, said := saidOf(strings.Replace(federated(withSecret, "require: {all_methods: [oidc]}"), "  work:", "  Work Account:", 1))
	wantLines(t, said, "an issuer's name is up to 32 letters")
}

func TestOneProviderUnderTwoAgreements(t *testing.T) {
	more := "  home:\n    title: Home\n    url: https://login.example.org\n    client_id: other\n    client_auth: none\n    handed_in: true\n"
	text := strings.Replace(federated(withSecret+"\nhanded_in: true", "require: {all_methods: [oidc]}"), "issuers:\n", "issuers:\n"+more, 1)
	_, said := saidOf(text)
	wantLines(t, said, "issuers.work.handed_in: is set for issuers.home already")
	_, said = saidOf(strings.Replace(text, "client_auth: none\n    handed_in: true", "client_auth: none", 1))
	wantLines(t, said)
}

// TestProfilesThatNoAgreementCanSatisfy asks for what the identity providers of a profile cannot give.
func TestProfilesThatNoAgreementCanSatisfy(t *testing.T) {
	const two = withSecret + "\npre_established: true\nacr: {\"urn:x\": {ial: 2, aal: 2}}"
	for what, c := range map[string]struct{ issuer, profile, want string }{
		"AAL2 with nothing beside it":   {two, "require: {aal: 2}", "methods: must have fido: AAL2 offers something that cannot be phished (SP 800-63B-4 2.2.2)"},
		"AAL2 in revision 3":            {two, r3 + "require: {aal: 2}", ""},
		"AAL2 above the cap":            {two + "\ncap: {aal: 1}", "require: {aal: 2}", "require.aal: AAL2 cannot be reached under sp800-63-4: oidc gives AAL1 at most (SP 800-63C-4 2.5; it is what issuers.*.acr says, within cap)"},
		"AAL2 with no context":          {withSecret, "require: {aal: 2}", "require.aal: AAL2 cannot be reached under sp800-63-4: oidc gives no AAL"},
		"AAL3 without a module":         {withSecret + "\nacr: {\"urn:x\": {aal: 3}}", "require: {aal: 3}", "require.aal: AAL3 cannot be reached under sp800-63-4: oidc gives AAL2"},
		"FAL1":                          {withSecret, "require: {fal: 1}", ""},
		"FAL2 as agreed":                {two, "require: {fal: 2}", ""},
		"FAL2 with no agreement before": {withSecret, "require: {fal: 2}", "require.fal: FAL2 cannot be reached under sp800-63-4: FAL2 takes an issuer with pre_established (SP 800-63C-4 2)"},
		"FAL2 in the clear, revision 3": {two, r3 + "require: {fal: 2}", "require.fal: FAL2 cannot be reached under sp800-63-3: FAL2 takes an issuer with a decryption_key (SP 800-63C 4)"},
		"FAL3":                          {two, "require: {fal: 3}", "require.fal: FAL3 cannot be reached under sp800-63-4: no assertion here is bound to a key of the person's"},
		"IAL2 as agreed":                {two, "require: {ial: 2}", ""},
		"IAL2 at FAL1":                  {two, r3 + "require: {ial: 2}", "require.ial: IAL2 cannot be reached under sp800-63-3"},
		"IAL3":                          {two, "require: {ial: 3}", "require.ial: IAL3 cannot be reached under sp800-63-4"},
		"an issuer that is not there":   {two, "issuers: [home]\nrequire: {fal: 1}", "issuers[0]: there is no issuers.home"},
	} {
		t.Run(what, func(t *testing.T) {
			_, said := saidOf(federated(c.issuer, c.profile))
			if c.want == "" {
				wantLines(t, said)
			} else if len(said) == 0 || !strings.Contains(said[0], "profiles.p."+c.want) {
				t.Errorf("%q is not said: %q", c.want, said)
			}
		})
	}
	wantLines(t, judged("identifiers: [dns]\nmethods: [email]\nissuers: [work]\nrequire: {all_methods: [email]}"), "issuers: is for the method oidc: add it to methods")
}

func TestAnAgreementReachesTheMethodWhole(t *testing.T) {
	c, said := saidOf(federated(withSecret+"\npre_established: true\nhanded_in: true\nacr: {\"urn:x\": {ial: 1, aal: 2}}\ncap: {aal: 2}", "require: {all_methods: [oidc]}"))
	wantLines(t, said)
	i := c.Issuers["work"].issuer("work")
	if i.Name != "work" || i.Title != "Work account" || i.URL != "https://login.example.org" || i.Auth != "client_secret_basic" || i.Secret == "" ||
		i.MaxAge != time.Hour || !i.HandedIn || !i.PreEstablished || i.ACR["urn:x"] != (proofing.StatedLevels{IAL: 1, AAL: 2}) || i.Cap.AAL != 2 {
		t.Errorf("%+v", i)
	}
	m, err := c.oidc(time.Now)
	if err != nil || len(m.Choices(proofing.Identifier{})) != 1 || m.Choices(proofing.Identifier{})[0].Address != "work" {
		t.Errorf("%v %v", m, err)
	}
	before, err := c.policy()
	if err != nil {
		t.Fatal(err)
	}
	less := c.Issuers["work"]
	less.Cap.AAL = 1
	c.Issuers["work"] = less
	if after, err := c.policy(); err != nil || after.Digest == before.Digest {
		t.Errorf("another agreement is the same policy: %v", err)
	}
}
