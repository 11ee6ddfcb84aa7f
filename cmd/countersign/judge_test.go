package main

import (
	"strings"
	"testing"
)

// judged puts one profile into a configuration that can deliver everything, and
// returns what is said of the profile.
func judged(profile string) []string {
	_, lines := read(`origin: http://localhost
operator: {name: Example, contact: help@example.org}
providers: {email: mailbox, sms: mailbox}
sms: {countries: [DE]}
profiles:
  p:
` + indent(profile))
	var about []string
	for _, l := range lines {
		if _, after, ok := strings.Cut(l, "profiles.p"); ok {
			if strings.Contains(l, ": warning: ") {
				after = "warning " + after
			}
			about = append(about, strings.TrimPrefix(after, "."))
		} else if !strings.Contains(l, "mailbox") {
			about = append(about, l)
		}
	}
	return about
}

func indent(s string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n    ") + "\n"
}

const (
	r3 = "framework: sp800-63-3\n"
	r4 = "framework: sp800-63-4\n"

	byEmail = "identifiers: [dns]\nmethods: [email]\n"
	bySMS   = "identifiers: [dns]\nmethods: [sms]\n"
	byBoth  = "identifiers: [dns]\nmethods: [email, sms]\n"
	byEV    = "ev: true\nidentifiers: [organization]\nmethods: [fido, email]\nrequire: {aal: 2, phishing_resistant: true, confirmed_addresses: [email], binding_age: 1d}\n" + forCode
	forCode = "csr: {purpose: code-signing}\n"

	aloneR3 = "warning .methods[0]: sms is the only authenticator and is restricted: SP 800-63B 5.2.10 asks for another one that is not, for a notice of the risk, and for a plan to leave it"
	aloneR4 = "warning .methods[0]: sms is the only authenticator and is restricted: SP 800-63B-4 3.2.9 asks for another one"
	besides = "warning .methods[1]: sms is the only authenticator (email is no authenticator) and is restricted"
)

func TestProfilesThatNobodyCanSatisfyAreRefusedWithTheReason(t *testing.T) {
	tests := []struct {
		name, profile string
		want          []string
	}{
		{"a confirmed address", r4 + byEmail + "require: {confirmed_addresses: [email]}", nil},
		{"AAL1 by a bound phone", r4 + bySMS + "require: {aal: 1}", []string{aloneR4}},
		{"AAL1 by a bound phone in revision 3", r3 + bySMS + "require: {aal: 1}", []string{aloneR3}},
		{"AAL1 with e-mail beside it", r4 + byBoth + "require: {aal: 1}", []string{besides}},
		{"self-asserted identity in revision 3", r3 + byEmail + "require: {ial: 1}", nil},
		{"AAL2 by SMS", r3 + bySMS + "require: {aal: 2}", []string{aloneR3,
			"require.aal: AAL2 cannot be reached under sp800-63-3: sms gives AAL1 at most (SP 800-63B 4.1.1, 5.1.3.3); AAL2 and above take two different factors (SP 800-63B 4.2.1), and what is something that one has adds up to no more; fido has both"}},
		{"AAL2 by SMS in revision 4", r4 + bySMS + "require: {aal: 2}", []string{aloneR4,
			"require.aal: AAL2 cannot be reached under sp800-63-4: sms gives AAL1 at most (SP 800-63B-4 2.1.1, 3.1.3.3); AAL2 and above take two different factors (SP 800-63B-4 2.2.1)"}},
		{"AAL3 by both", "framework: sp800-63-3+63bsup1\n" + byBoth + "require: {aal: 3}", []string{besides,
			"require.aal: AAL3 cannot be reached under sp800-63-3+63bsup1: email gives no AAL (SP 800-63B 5.1.3.1), sms gives AAL1 at most"}},
		{"AAL1 by e-mail", r4 + byEmail + "require: {aal: 1}", []string{
			"require.aal: AAL1 cannot be reached under sp800-63-4: email gives no AAL (SP 800-63B-4 3.1.3.1)"}},
		{"a level that does not exist", r4 + byEmail + "require: {aal: 4}", []string{"require.aal: must be 1, 2 or 3, or left out, not 4"}},
		{"IAL1 in revision 4", r4 + byEmail + "require: {ial: 1}", []string{
			"require.ial: IAL1 cannot be reached under sp800-63-4: it takes identity evidence that is validated and verified (SP 800-63A-4 4.1): add representative to methods; or an identity provider that asserts as much at FAL2"}},
		{"IAL2 in revision 3", r3 + byEmail + "require: {ial: 2}", []string{"require.ial: IAL2 cannot be reached under sp800-63-3: it takes identity evidence that is validated and verified (SP 800-63A 4.4.1)"}},
		{"IAL3 in revision 3", r3 + byEmail + "require: {ial: 3}", []string{"(SP 800-63A 4.5)"}},
		{"IAL2 by representatives", r4 + "identifiers: [dns]\nmethods: [email, representative]\nrequire: {ial: 2}", nil},
		{"IAL3 by representatives in revision 3", r3 + "identifiers: [dns]\nmethods: [email, representative]\nrequire: {ial: 3}", nil},
		{"AAL1 by representatives", r4 + "identifiers: [dns]\nmethods: [email, representative]\nrequire: {aal: 1}", []string{
			"require.aal: AAL1 cannot be reached under sp800-63-4: email gives no AAL (SP 800-63B-4 3.1.3.1), representative gives no AAL (SP 800-63B-4 2)"}},
		{"representatives alone", r4 + "identifiers: [dns]\nmethods: [representative]\nrequire: {ial: 2}", []string{"methods[0]: representative cannot be all"}},
		{"representatives beside text messages", r4 + "identifiers: [dns]\nmethods: [sms, representative]\nrequire: {aal: 1, ial: 2}", []string{aloneR4}},
		{"a federation level", r3 + byEmail + "require: {fal: 1}", []string{"require.fal: FAL1 cannot be reached under sp800-63-3: a federation level belongs to the assertion of an identity provider: add oidc to methods (SP 800-63C 4)"}},
		{"phishing resistance", r4 + byEmail + "require: {phishing_resistant: true}", []string{"require.phishing_resistant: cannot be reached: a code that is typed in by hand is never phishing-resistant (SP 800-63B-4 3.2.5); add fido to methods"}},
		{"nothing", byEmail, []string{"warning .require: demands nothing: any one method is enough"}},
		{"a phone that no method confirms", byEmail + "require: {confirmed_addresses: [phone]}", []string{"require.confirmed_addresses[0]: phone is never confirmed: no method that is offered does it; add sms to methods"}},
		{"an address of another kind", byEmail + "require: {confirmed_addresses: [postal]}", []string{`require.confirmed_addresses[0]: must be email or phone, not "postal"`}},
		{"a method that is not offered", byEmail + "require: {all_methods: [email, sms]}", []string{"require.all_methods[1]: sms is required but not offered"}},
		{"security questions", "identifiers: [dns]\nmethods: [email, security-questions]\nrequire: {all_methods: [email]}", []string{`methods[1]: "security-questions" is refused: SP 800-63A-4 2.5.1 bars knowledge-based verification`}},
		{"knowledge-based verification", "identifiers: [dns]\nmethods: [email, kbv, knowledge, red_herring_questions]\nrequire: {all_methods: [email]}", []string{
			`methods[1]: "kbv" is refused: SP 800-63A-4 2.5.1 bars knowledge-based verification`, `methods[2]: "knowledge" is refused`, `methods[3]: "red_herring_questions" is refused`}},
		{"kba as a requirement", byEmail + "require: {all_methods: [KBA]}", []string{`require.all_methods[0]: "KBA" is refused: SP 800-63A-4 2.5.1`}},
		{"oidc", "identifiers: [dns]\nmethods: [oidc]\nrequire: {aal: 1}", []string{"methods[0]: oidc needs an identity provider: set issuers", "require.aal: AAL1 cannot be reached"}},
		{"a passkey", "identifiers: [dns]\nmethods: [fido]\nrequire: {aal: 2, phishing_resistant: true}", nil},
		{"a passkey at AAL3", r4 + "identifiers: [dns]\nmethods: [fido]\nrequire: {aal: 3}", []string{"require.aal: AAL3 cannot be reached under sp800-63-4: fido gives AAL2 at most (SP 800-63B-4 3.1.7; AAL3 takes assurance.verifier_fips140_validated)"}},
		{"a passkey for a week", "identifiers: [dns]\nmethods: [fido]\nrequire: {aal: 2, binding_age: 7d}", nil},
		{"a passkey for a moment", "identifiers: [dns]\nmethods: [fido]\nrequire: {aal: 2, binding_age: 1m}", []string{"require.binding_age: must be 1h to 365d, not 1m"}},
		{"an age of nothing", byEmail + "require: {confirmed_addresses: [email], binding_age: 1d}", []string{"require.binding_age: asks for how long something has been bound, and nothing is asked to authenticate"}},
		{"models that nobody knows", "identifiers: [dns]\nmethods: [fido]\nattestation: trusted\nrequire: {aal: 2}", []string{"attestation: trusted takes what is known of models: set passkeys.metadata_file"}},
		{"another word for models", "identifiers: [dns]\nmethods: [fido]\nattestation: some\nrequire: {aal: 2}", []string{`attestation: must be none, trusted, listed or fips, not "some"`}},
		{"models without their kind", "identifiers: [dns]\nmethods: [fido]\naaguids: [x]\nrequire: {aal: 2}", []string{"aaguids: is for attestation: listed", "aaguids[0]:"}},
		{"voice", "identifiers: [dns]\nmethods: [voice]\nrequire: {all_methods: [voice]}", []string{"methods[0]: voice is not offered yet", "require.all_methods[0]: voice is not offered yet"}},
		{"an unknown method", "identifiers: [dns]\nmethods: [pigeon]\nrequire: {aal: 1}", []string{`methods[0]: there is no method "pigeon"; this version has email, sms, fido, oidc and representative`}},
		{"no method", "identifiers: [dns]\nrequire: {aal: 1}", []string{"methods: is empty"}},
		{"no identifier", "methods: [email]\nrequire: {all_methods: [email]}", []string{"identifiers: is empty"}},
		{"a method twice", "identifiers: [dns]\nmethods: [email, email]\nrequire: {all_methods: [email]}", []string{`methods[1]: "email" is listed twice`}},
		{"an address that nobody confirms", "identifiers: [email]\nmethods: [sms]\nrequire: {aal: 1}", []string{"identifiers: email needs the method email", aloneR4}},

		{"EV", byEV + "approvals: 1", nil},
		{"EV whose CSRs nobody judges", strings.Replace(byEV, forCode, "", 1) + "approvals: 1", []string{"warning .csr: is not set in an EV profile: nobody holds the keys, usages and names of CSRs to CSBR 6.1.5.2, 7.1.2.3 and 3.2.2.2.2; add csr: {purpose: code-signing}"}},
		{"EV for something else", strings.Replace(byEV, "code-signing", "other", 1) + "approvals: 1", []string{"warning .csr.purpose: is other in an EV profile, whose certificates are for code signing: write code-signing"}},
		{"EV for whoever reads a mail", forCode + "ev: true\napprovals: 1\nidentifiers: [organization]\nmethods: [email]\nrequire: {confirmed_addresses: [email]}\n", []string{"warning .require.aal: is less than 2 in an EV profile: whoever asks for a certificate is then known by an address that they confirm, and not by a secure login (CSBR 3.2.2.2.8(2))"}},
		{"approvals for a name", byEmail + "require: {confirmed_addresses: [email]}\napprovals: 1", []string{"approvals: take identifiers: [organization] and no other"}},
		{"EV that is approved once", byEV + "approvals: 1\napprove: pre-authorized\napproval_lifetime: 90d", nil},
		{"EV that is approved somehow", byEV + "approvals: 1\napprove: sometimes", []string{"approve: must be one of each-certificate, pre-authorized, not \"sometimes\""}},
		{"an approval that waits too long", byEV + "approvals: 1\napproval_lifetime: 91d", []string{"approval_lifetime: must be 1h to 90d, not 91d"}},
		{"a way to approve what nobody approves", byEmail + "require: {confirmed_addresses: [email]}\napprove: pre-authorized", []string{"approve: says nothing without approvals"}},
		{"EV without approvers", byEV, []string{"approvals: must be at least 1 for EV: an approver must agree to the request (CSBR 3.2.2.2.9), and nobody may validate and authorize one alone (CSBR 5.2.4)"}},
		{"EV by SMS alone", r4 + forCode + "ev: true\napprovals: 1\nidentifiers: [organization]\nmethods: [sms]\nrequire: {aal: 1}", []string{
			"methods[0]: sms must not be the only authenticator of an EV profile: it is restricted (SP 800-63B-4 3.2.9)", "warning .require.aal: is less than 2"}},
		{"EV by SMS with e-mail beside it", r3 + forCode + "ev: true\napprovals: 1\nidentifiers: [organization]\nmethods: [email, sms]\nrequire: {aal: 1}", []string{
			"methods[1]: sms must not be the only authenticator of an EV profile (email is no authenticator): it is restricted (SP 800-63B 5.2.10)", "warning .require.aal: is less than 2"}},
		{"EV for too long", byEV + "approvals: 1\ngrant_lifetime: 399d", []string{"grant_lifetime: must be at most 398d for EV, not 399d: what was verified may not be relied on for longer (CSBR 4.2.1.1.3)"}},
		{"EV that is forgotten early", byEV + "approvals: 1\nretention: 730d", []string{"retention: must be at least 731d for EV, not 730d: records stay for two years"}},
		{"EV that is forgotten before its certificate", byEV + "approvals: 1\nretention: 731d", []string{"warning .retention: 731d is counted from the end of the grant"}},
		{"too many approvers", byEmail + "require: {all_methods: [email]}\napprovals: 11", []string{"approvals: must be 0 to 10, not 11"}},
		{"for ever", byEmail + "require: {all_methods: [email]}\ngrant_lifetime: 826d", []string{"grant_lifetime: must be at most 825d, not 826d (CSBR 4.2.1)"}},
		{"for no time", byEmail + "require: {all_methods: [email]}\ngrant_lifetime: 0s", []string{"grant_lifetime: must be more than nothing: leave it out for the default"}},
		{"a check after the end", byEmail + "require: {all_methods: [email]}\nrecheck_after: 31d", []string{"recheck_after: must not be after grant_lifetime (30d)"}},
		{"no time to act", byEmail + "require: {all_methods: [email]}\ncase_lifetime: 5m", []string{"case_lifetime: must be 1h to 90d, not 5m"}},
		{"an unknown framework", "framework: eidas\n" + byEmail + "require: {all_methods: [email]}", []string{`framework: must be one of`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantLines(t, judged(tt.profile), tt.want...)
		})
	}
}

func TestAMethodWithoutAProviderIsRefused(t *testing.T) {
	_, got := read(strings.Replace(whole, "methods: [email]", "methods: [email, sms]", 1) + "providers: {email: none}\n")
	wantLines(t, got, "methods[0]: email needs a provider: set providers.email", "methods[1]: sms needs a provider: set providers.sms", "sms is the only authenticator")
	_, got = read(strings.Replace(whole, "methods: [email]", "methods: [sms, email]", 1)+twilio("from: +15005550006")+"providers: {sms: twilio}\n", "TOKEN=t")
	wantLines(t, got, "methods[0]: sms needs countries: sms.countries is empty, so that every number is refused", "sms is the only authenticator")
}

func TestAAL1InRevision3NeedsToKnowTheLine(t *testing.T) {
	countries := func(list, assurance string) []string {
		_, got := read(strings.NewReplacer("methods: [email]", "methods: [sms]", "confirmed_addresses: [email]", "aal: 1").Replace(whole)+
			"providers: {sms: twilio}\n"+twilio("from: +15005550006")+"assurance: {"+assurance+"}\nsms: {prices: {default: 1}, countries: ["+list+"]}\n", "TOKEN=t")
		return got[1:] // the first is about SMS alone
	}
	wantLines(t, countries("DE", "framework: sp800-63-3"))
	wantLines(t, countries("DE, US", "framework: sp800-63-3"), "warning: profiles.device.require.aal: AAL1 cannot be reached with numbers of US: their plans do not tell a mobile from a landline, and SP 800-63B 5.1.3.3 asks for a known device")
	wantLines(t, countries("CA, US", "framework: sp800-63-3"), "c.yaml:8: profiles.device.require.aal: AAL1 cannot be reached with numbers of CA, US")
	wantLines(t, countries("US", "framework: sp800-63-3, accept_unverified_line_type: true"))
	wantLines(t, countries("US", "framework: sp800-63-4"))
}

func TestProfileNames(t *testing.T) {
	_, got := read(strings.Replace(whole, "device:", "Device X:", 1))
	wantLines(t, got, `c.yaml:5: profiles."Device X": a profile's name is up to 32 letters a-z, digits and hyphens`)
	_, got = read(strings.Split(whole, "profiles:")[0])
	wantLines(t, got, "c.yaml: profiles: there is none")
}
