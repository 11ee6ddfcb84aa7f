package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn"
)

// profileJudge reports what is wrong with one profile. It says no to a profile that nobody
// could ever satisfy, with the clause that stands in the way, so that the
// operator learns it now and not an applicant later.
type profileJudge struct {
	*report
	path    string
	config  *Config
	profile *proofing.Profile
	offered []string // the methods of the profile that this version serves
}

var profileName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// judge reports on every profile.
func (c *Config) judge(r *report) {
	if len(c.Profiles) == 0 && !faulty(r, "profiles") {
		r.mistake("profiles", "there is none: a CA asks for a profile by name, and `countersign config example` shows four")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Profiles)) {
		p := c.Profiles[name]
		j := profileJudge{report: r, path: join("profiles", name), config: c, profile: p.resolve(name, c.Assurance.Framework)}
		if !profileName.MatchString(name) {
			r.mistake(j.path, "a profile's name is up to 32 letters a-z, digits and hyphens")
		}
		if p.Framework != "" {
			validateFramework(r, j.at("framework"), p.Framework)
		}
		j.identifiers()
		j.methods()
		j.issuers()
		j.addresses()
		j.levels()
		j.attestation()
		j.lineTypes()
		j.smsAlone()
		j.approvals()
		j.lifetimes(p)
		j.csr(p.CSR)
		j.caa(p.CAA)
	}
}

func (j *profileJudge) at(key string) string { return j.path + "." + key }

func (j *profileJudge) identifiers() {
	known := []string{
		proofing.IdentifierEmail, proofing.IdentifierDNS, proofing.IdentifierIP,
		proofing.IdentifierPermanent, proofing.IdentifierHardware, proofing.IdentifierOrganization,
	}
	path := j.at("identifiers")
	if len(j.profile.Identifiers) == 0 && !faulty(j.report, path) {
		j.mistake(path, "is empty: list what may be asked for: %s", strings.Join(known, ", "))
	}
	j.eachOnce(path, j.profile.Identifiers, func(at, id string) {
		if !slices.Contains(known, id) {
			j.mistake(at, "there is no identifier type %q; known are %s", id, strings.Join(known, ", "))
		}
	})
	if slices.Contains(j.profile.Identifiers, proofing.IdentifierEmail) && len(j.profile.Methods) > 0 && !j.profile.Offers(methodEmail) {
		j.mistake(path, "email needs the method email: confirming the address is what entitles a person to it")
	}
}

// eachOnce visits each element of a list and reports those that come again.
func (j *profileJudge) eachOnce(path string, list []string, visit func(at, element string)) {
	for i, element := range list {
		at := path + "[" + strconv.Itoa(i) + "]"
		if slices.Index(list, element) < i {
			j.mistake(at, "%q is listed twice", element)
			continue
		}
		visit(at, element)
	}
}

func (j *profileJudge) methods() {
	path := j.at("methods")
	if len(j.profile.Methods) == 0 && !faulty(j.report, path) {
		j.mistake(path, "is empty: list what a person may use: %s", servedMethods())
	}
	j.eachOnce(path, j.profile.Methods, func(at, method string) {
		if why := refuseMethod(method); why != "" {
			j.mistake(at, "%s", why)
			return
		}
		j.offered = append(j.offered, method)
		j.provider(at, method)
	})
	j.eachOnce(j.at("require.all_methods"), j.profile.Require.AllMethods, func(at, method string) {
		switch why := refuseMethod(method); {
		case why != "":
			j.mistake(at, "%s", why)
		case !j.profile.Offers(method):
			j.mistake(at, "%s is required but not offered: add it to methods", method)
		}
	})
}

// provider reports a method whose messages nobody would deliver.
func (j *profileJudge) provider(at, method string) {
	switch {
	case method == methodEmail && j.config.Providers.Email == providerNone:
		j.mistake(at, "email needs a provider: set providers.email")
	case method == methodSMS && j.config.Providers.SMS == providerNone:
		j.mistake(at, "sms needs a provider: set providers.sms")
	case method == methodFIDO && !j.config.named() && !faulty(j.report, "origin"):
		j.mistake(at, "fido needs an origin with a name: no browser makes passkeys for an address (WebAuthn Level 3, 5.1.3)")
	case method == methodOIDC && len(j.config.Issuers) == 0 && !faulty(j.report, "issuers"):
		j.mistake(at, "oidc needs an identity provider: set issuers")
	case method == methodRepresentative && (j.config.own() == nil || !j.config.named()):
		j.mistake(at, "representative needs a sign-in for representatives, by passkey: set people.sign_in, and an origin with a name")
	case method == methodRepresentative && !slices.ContainsFunc(j.profile.Methods, func(m string) bool { return m != methodRepresentative }):
		j.mistake(at, "representative cannot be all: the applicant shows a code on a page of theirs, and is told of the record, so offer email too")
	case method == methodSMS && len(j.config.SMS.Countries) == 0:
		j.mistake(at, "sms needs countries: sms.countries is empty, so that every number is refused")
	}
}

func (j *profileJudge) addresses() {
	for i, ch := range j.profile.Require.ConfirmedAddresses {
		at := j.at("require.confirmed_addresses[" + strconv.Itoa(i) + "]")
		method := ""
		switch ch {
		case proofing.ChannelEmail:
			method = methodEmail
		case proofing.ChannelPhone:
			method = methodSMS
		default:
			j.mistake(at, "must be email or phone, not %q", string(ch))
			continue
		}
		if !j.profile.Offers(method) {
			j.mistake(at, "%s is never confirmed: no method that is offered does it; add %s to methods", ch, method)
		}
	}
}

// levels reports levels that no evidence from the offered methods can earn.
func (j *profileJudge) levels() {
	r, rules := j.profile.Require, rulesOf(j.profile.Framework)
	for _, l := range []struct {
		name string
		have int
	}{{"ial", r.IAL}, {"aal", r.AAL}, {"fal", r.FAL}} {
		if l.have < 0 || l.have > 3 {
			j.mistake(j.at("require."+l.name), "must be 1, 2 or 3, or left out, not %d", l.have)
		}
	}
	asserted, _, _ := j.federated()
	if slices.Contains(j.offered, methodRepresentative) {
		asserted = 3
	}
	if r.IAL > max(rules.ial, asserted) && r.IAL <= 3 {
		j.mistake(j.at("require.ial"), "IAL%d cannot be reached under %s: it takes identity evidence that is validated and verified (%s): add representative to methods; or an identity provider that asserts as much at FAL2",
			r.IAL, j.profile.Framework, rules.ialClause[r.IAL])
	}
	if r.AAL >= 1 && r.AAL <= 3 && len(j.offered) > 0 && r.AAL > j.highestAAL(rules) {
		j.mistake(j.at("require.aal"), "AAL%d cannot be reached under %s: %s%s", r.AAL, j.profile.Framework, j.whatEachGives(rules), rules.adding(r.AAL))
	}
	j.fal(rules)
	if r.IAL == 0 && r.AAL == 0 && r.FAL == 0 && !r.PhishingResistant && len(r.ConfirmedAddresses)+len(r.AllMethods) == 0 {
		j.warning(j.at("require"), "demands nothing: any one method is enough")
	}
	if r.PhishingResistant && !slices.Contains(j.offered, methodFIDO) {
		j.mistake(j.at("require.phishing_resistant"), "cannot be reached: a code that is typed in by hand is never phishing-resistant (%s); add fido to methods", rules.phishingClause)
	}
	if j.profile.Framework == proofing.R4 && r.AAL >= 2 && r.AAL <= j.highestAAL(rules) && !slices.Contains(j.offered, methodFIDO) {
		j.mistake(j.at("methods"), "must have fido: AAL2 offers something that cannot be phished (SP 800-63B-4 2.2.2)")
	}
	if r.BindingAge != 0 {
		within(j.report, j.at("require.binding_age"), r.BindingAge, time.Hour, 365*day)
		if life := j.profile.CaseLifetime; life > 0 && r.BindingAge > life {
			j.mistake(j.at("require.binding_age"), "must not be longer than case_lifetime (%s): a request of somebody who has nothing here yet would always run out before what they create for it counts", life)
		}
		if r.AAL == 0 && !r.PhishingResistant {
			j.mistake(j.at("require.binding_age"), "asks for how long something has been bound, and nothing is asked to authenticate: set require.aal")
		}
	}
}

// attestation reports what is asked of authenticators and cannot be known.
func (j *profileJudge) attestation() {
	p, path := j.profile.Attestation, j.at("attestation")
	switch p.Accept {
	case "", proofing.AcceptAny:
	case proofing.AcceptTrusted, proofing.AcceptListed, proofing.AcceptFIPS:
		if !j.config.Passkeys.known() {
			j.mistake(path, "%s takes what is known of models: set passkeys.metadata_file", p.Accept)
		}
	default:
		j.mistake(path, "must be none, trusted, listed or fips, not %q", string(p.Accept))
	}
	switch {
	case p.Accept == proofing.AcceptListed && len(p.AAGUIDs) == 0:
		j.mistake(j.at("aaguids"), "is empty: list the models that are accepted")
	case p.Accept != proofing.AcceptListed && len(p.AAGUIDs) > 0:
		j.mistake(j.at("aaguids"), "is for attestation: listed")
	}
	j.eachOnce(j.at("aaguids"), p.AAGUIDs, func(at, id string) {
		if _, err := webauthn.ParseAAGUID(id); err != nil {
			j.mistake(at, "%v", err)
		}
	})
}

func (j *profileJudge) highestAAL(rules frameworkRules) int {
	most := 0
	for _, m := range j.offered {
		most = max(most, j.reaches(m, rules).aal)
	}
	return most
}

// reaches is what a method gives in this installation.
func (j *profileJudge) reaches(method string, rules frameworkRules) methodRule {
	gives := rules.methods[method]
	if method == methodOIDC {
		return j.oidcRule(gives.clause)
	}
	if method == methodFIDO {
		switch a := j.config.Assurance; {
		case a.RequireAttestation && !j.config.Passkeys.known():
			gives = methodRule{1, "without passkeys.metadata_file no attestation is trusted, and assurance.require_attestation asks for one"}
		case !a.VerifierFIPS140Validated:
			gives = methodRule{2, gives.clause + "; AAL3 takes assurance.verifier_fips140_validated"}
		case !j.config.Passkeys.known():
			gives = methodRule{2, gives.clause + "; AAL3 takes passkeys.metadata_file"}
		}
	}
	return gives
}

func (j *profileJudge) whatEachGives(rules frameworkRules) string {
	var parts []string
	for _, m := range j.offered {
		gives := j.reaches(m, rules)
		if gives.aal == 0 {
			parts = append(parts, fmt.Sprintf("%s gives no AAL (%s)", m, gives.clause))
		} else {
			parts = append(parts, fmt.Sprintf("%s gives AAL%d at most (%s)", m, gives.aal, gives.clause))
		}
	}
	return strings.Join(parts, ", ")
}

// lineTypes reports an AAL that hangs on knowing what line a number is, where nobody can know.
func (j *profileJudge) lineTypes() {
	p, facts := j.profile, j.config.Assurance
	if p.Framework != proofing.R3 && p.Framework != proofing.R3Sup1 || facts.AcceptUnverifiedLineType ||
		p.Require.AAL != 1 || !slices.Contains(j.offered, methodSMS) {
		return
	}
	var blind []string
	for _, country := range j.config.SMS.Countries {
		if slices.Contains(untold, country) {
			blind = append(blind, country)
		}
	}
	say := j.warning
	switch len(blind) {
	case 0:
		return
	case len(j.config.SMS.Countries):
		say = j.mistake
	}
	say(j.at("require.aal"), "AAL1 cannot be reached with numbers of %s: their plans do not tell a mobile from a landline, and SP 800-63B 5.1.3.3 asks for a known device; assurance.accept_unverified_line_type would count them all the same", strings.Join(blind, ", "))
}

// smsAlone speaks up when SMS, which is restricted, is all there is to
// authenticate with. E-mail beside it changes nothing: it is no authenticator.
func (j *profileJudge) smsAlone() {
	i := slices.Index(j.profile.Methods, methodSMS)
	others := slices.ContainsFunc(j.offered, func(m string) bool { return m != methodSMS && m != methodEmail && m != methodRepresentative })
	if i < 0 || others {
		return
	}
	at, rules := j.at("methods["+strconv.Itoa(i)+"]"), rulesOf(j.profile.Framework)
	beside := ""
	if j.profile.Offers(methodEmail) {
		beside = " (email is no authenticator)"
	}
	if j.profile.EV {
		j.mistake(at, "sms must not be the only authenticator of an EV profile%s: it is restricted (%s), and whoever takes over the number would speak for the organization; remove it until another method is offered", beside, rules.restrictedClause)
		return
	}
	j.warning(at, "sms is the only authenticator%s and is restricted: %s asks for another one that is not, for a notice of the risk, and for a plan to leave it", beside, rules.restrictedClause)
}

func (j *profileJudge) approvals() {
	path := j.at("approvals")
	switch n := j.profile.Approvals; {
	case faulty(j.report, path):
	case n < 0 || n > 10:
		j.mistake(path, "must be 0 to 10, not %d", n)
	case n == 0 && j.profile.EV:
		j.mistake(path, "must be at least 1 for EV: an approver must agree to the request (CSBR 3.2.2.2.9), and nobody may validate and authorize one alone (CSBR 5.2.4)")
	case n > 0 && !slices.Equal(j.profile.Identifiers, []string{proofing.IdentifierOrganization}):
		j.mistake(path, "take identifiers: [organization] and no other: who approves is named in the dossier of an organization (CSBR 3.2.2.2)")
	}
	if j.profile.EV && j.profile.Require.AAL < 2 {
		j.warning(j.at("require.aal"), "is less than 2 in an EV profile: whoever asks for a certificate is then known by an address that they confirm, and not by a secure login (CSBR 3.2.2.2.8(2))")
	}
	if j.profile.EV && j.profile.Require.AAL >= 2 && j.profile.Require.BindingAge == 0 {
		j.warning(j.at("require.binding_age"), "is not set in an EV profile: a passkey speaks for an organization in the moment in which it is created; set a time in which its owner can hear of it, such as 1d")
	}
	if path := j.at("approve"); j.profile.Approve != "" {
		oneOf(j.report, path, string(j.profile.Approve), string(proofing.ApproveEach), string(proofing.ApprovePre))
	}
	if path := j.at("approval_lifetime"); j.profile.ApprovalLifetime != 0 || j.given(path) {
		within(j.report, path, j.profile.ApprovalLifetime, time.Hour, mostApprovalLifetime)
	}
	for _, name := range []string{"approve", "approval_lifetime"} {
		if path := j.at(name); j.profile.Approvals == 0 && j.given(path) && !faulty(j.report, path) {
			j.mistake(path, "says nothing without approvals")
		}
	}
}

// mostGrace is the longest that a grant may go on under which something has given way.
const mostGrace = 30 * day

// lifetimes bounds how long things last.
func (j *profileJudge) lifetimes(written ProfileConfig) {
	p := j.profile
	for _, l := range []struct {
		name  string
		value time.Duration
	}{{"case_lifetime", written.CaseLifetime}, {"grant_lifetime", written.GrantLifetime}, {"retention", written.Retention}} {
		if path := j.at(l.name); l.value == 0 && j.given(path) && !faulty(j.report, path) {
			j.mistake(path, "must be more than nothing: leave it out for the default")
		}
	}
	within(j.report, j.at("case_lifetime"), p.CaseLifetime, time.Hour, 90*day)
	within(j.report, j.at("retention"), p.Retention, day, 36500*day)
	path := j.at("grant_lifetime")
	switch most := mostGrantLifetime(p.EV); {
	case faulty(j.report, path):
	case p.GrantLifetime < time.Minute:
		j.mistake(path, "must be at least 1m, not %s", formatDuration(p.GrantLifetime))
	case p.GrantLifetime > most && p.EV:
		j.mistake(path, "must be at most %s for EV, not %s: what was verified may not be relied on for longer (CSBR 4.2.1.1.3)", formatDuration(most), formatDuration(p.GrantLifetime))
	case p.GrantLifetime > most:
		j.mistake(path, "must be at most %s, not %s (CSBR 4.2.1)", formatDuration(most), formatDuration(p.GrantLifetime))
	}
	if p.RecheckAfter > p.GrantLifetime {
		j.mistake(j.at("recheck_after"), "must not be after grant_lifetime (%s): nothing is left to check again", formatDuration(p.GrantLifetime))
	}
	if path := j.at("proof_age"); p.Recheck.ProofAge != 0 || j.given(path) {
		within(j.report, path, p.Recheck.ProofAge, time.Hour, p.GrantLifetime)
	}
	if path := j.at("grace"); p.Recheck.Grace != 0 && !faulty(j.report, path) {
		within(j.report, path, p.Recheck.Grace, time.Minute, mostGrace)
		if p.EV {
			j.mistake(path, "is not for EV: what was verified must hold when a certificate is issued (CSBR 4.2.1.1.3)")
		}
	}
	if e := written.EAB; e != (EABConfig{}) {
		if e.Algorithm != "" {
			oneOf(j.report, j.at("eab.algorithm"), e.Algorithm, proofing.KeyAlgorithms()...)
		}
		if e.Lifetime != 0 {
			within(j.report, j.at("eab.lifetime"), e.Lifetime, time.Minute, mostGrantLifetime(p.EV))
		}
		if e.Unused != 0 {
			within(j.report, j.at("eab.unused"), e.Unused, time.Minute, 90*day)
		}
		if path := j.at("eab.max_accounts"); (e.MaxAccounts < 0 || e.MaxAccounts > proofing.MostKeyAccounts) && !faulty(j.report, path) {
			j.mistake(path, "must be 1 to %d, not %d", proofing.MostKeyAccounts, e.MaxAccounts)
		}
	}
	if path := j.at("retention"); p.EV && !faulty(j.report, path) {
		switch {
		case p.Retention < twoYears:
			j.mistake(path, "must be at least %s for EV, not %s: records stay for two years (CSBR 5.4.3, 5.5.2)", formatDuration(twoYears), formatDuration(p.Retention))
		case p.Retention < retentionEV:
			j.warning(path, "%s is counted from the end of the grant, and a certificate may live 460d longer (CSBR 6.3.2): to outlive each by two years (CSBR 5.4.3) it takes %s", formatDuration(p.Retention), formatDuration(retentionEV))
		}
	}
}
