package proofing

import "slices"

// oidcRules is what one revision says of a login at an identity provider. The
// provider's word counts as far as the trust agreement maps it, and never beyond
// what the methods in amr can carry.
type oidcRules struct {
	// biometrics are the values of amr (RFC 8176) that say what the person is.
	biometrics []string
	// federation gives the FAL and the reason for it; 0 is none.
	federation func(*oidcRules, *OIDCFacts) (fal int, why Reason)

	stale, noAuthTime Reason // rejected
	restricted        Reason

	unmapped, noStatedAAL, undated    Reason // no AAL
	mapped, cappedByAgreement         Reason
	cappedByOneFactor, cappedByUnsure Reason

	noMappedIAL, weakFederation  Reason // no IAL
	mappedIAL, ialCappedByAgreed Reason

	falOne, falTwo, falNone, falFront, falNoAgreement Reason
}

// The values of amr that name something that one has, and something that one
// knows (RFC 8176 2).
var (
	amrPossession = []string{"otp", "hwk", "swk", "sc", "sms", "tel"}
	amrKnowledge  = []string{"pwd", "pin", "kba"}
	amrHardware   = []string{"hwk", "sc"}  // possessions that can reach AAL3
	amrTelephone  = []string{"sms", "tel"} // restricted
)

// ceiling is the highest AAL that the methods can carry. It only lowers: a list
// of methods is no level. A value that nobody knows counts for nothing, and makes
// the list no shorter.
func (r *oidcRules) ceiling(amr []string) int {
	had := func(values []string) bool {
		return slices.ContainsFunc(amr, func(v string) bool { return slices.Contains(values, v) })
	}
	second := had(amrKnowledge) || had(r.biometrics)
	switch {
	case second && had(amrHardware):
		return 3
	case second && had(amrPossession), slices.Contains(amr, "mfa"), len(amr) == 0:
		return 2
	}
	return 1
}

// judge is the rule for a login at an identity provider.
func (r *oidcRules) judge(_ OperatorFacts, e Evidence) verdict {
	login := e.OIDC
	switch {
	case login.MaxAge != nil && login.AuthTime.IsZero():
		return reject(r.noAuthTime)
	case login.stale(e.At):
		return reject(r.stale)
	}
	v := accept()
	v.aalAt = login.AuthTime.UTC()
	if slices.ContainsFunc(login.AMR, func(m string) bool { return slices.Contains(amrTelephone, m) }) {
		v.flag(FlagRestricted)
		v.because(r.restricted)
	}
	r.authentication(&v, login)
	fal, why := r.federation(r, login)
	if v.onFAL(why); fal > 0 {
		v.FAL = new(fal)
	}
	r.identity(&v, login)
	return v
}

// authentication gives the AAL that the agreement maps the acr to, within the
// agreement's cap and what the methods can carry.
func (r *oidcRules) authentication(v *verdict, login *OIDCFacts) {
	levels, mapped := login.mapped()
	switch {
	case !mapped:
		v.onAAL(r.unmapped)
		return
	case levels.AAL == 0:
		v.onAAL(r.noStatedAAL)
		return
	case login.AuthTime.IsZero():
		v.onAAL(r.undated)
		return
	}
	v.AAL = new(levels.AAL)
	v.onAAL(r.mapped)
	if agreed := login.Trust.Cap.AAL; agreed > 0 {
		v.capAAL(agreed, r.cappedByAgreement)
	}
	switch ceiling := r.ceiling(login.AMR); ceiling {
	case 1:
		v.capAAL(1, r.cappedByOneFactor)
	case 2:
		v.capAAL(2, r.cappedByUnsure)
	}
}

// identity gives the IAL that the agreement maps the acr to, within the agreement's
// cap, if the assertion came well protected.
func (r *oidcRules) identity(v *verdict, login *OIDCFacts) {
	levels, _ := login.mapped()
	switch {
	case levels.IAL == 0:
		v.onIAL(r.noMappedIAL)
		return
	case v.FAL == nil || *v.FAL < 2:
		v.onIAL(r.weakFederation)
		return
	}
	v.IAL, v.ialBasis = new(levels.IAL), BasisAssertedByIdP
	v.onIAL(r.mappedIAL)
	if agreed := login.Trust.Cap.IAL; agreed > 0 {
		v.capIAL(agreed, r.ialCappedByAgreed)
	}
}

// r3Federation is SP 800-63C 4: encryption to the relying party makes FAL2, and a
// front channel must have it.
func r3Federation(r *oidcRules, login *OIDCFacts) (int, Reason) {
	switch {
	case login.Encrypted:
		return 2, r.falTwo
	case login.Channel == ChannelBack:
		return 1, r.falOne
	}
	return 0, r.falNone
}

// r4Federation is SP 800-63C-4 2: an agreement made before, a transaction that we
// began, and protection against injected assertions make FAL2.
func r4Federation(r *oidcRules, login *OIDCFacts) (int, Reason) {
	switch t := login.Trust; {
	case login.Channel != ChannelBack:
		return 1, r.falFront
	case t == nil:
		return 1, r.falNoAgreement
	case t.PreEstablished && t.RPInitiated && t.InjectionProtected:
		return 2, r.falTwo
	}
	return 1, r.falOne
}

var r3OIDC = oidcRules{
	biometrics: []string{"fpt", "face", "iris", "retina", "vbm"},
	federation: r3Federation,

	stale: Reason{"SP 800-63C 5.3",
		"The person authenticated at the identity provider longer ago than was asked for: the assertion is stale."},
	noAuthTime: Reason{"SP 800-63C 5.3",
		"A maximum age was asked for, and the assertion does not say when the person authenticated."},
	restricted: Reason{"SP 800-63B 5.2.10",
		"The identity provider used the telephone network, which makes the authenticator a restricted one."},

	unmapped: Reason{"SP 800-63C 6",
		"The assertion has no authentication context that a trust agreement maps to a level, and the relying party must not assign one."},
	noStatedAAL: Reason{"SP 800-63C 6",
		"The trust agreement states no AAL for this authentication context, and the relying party must not assign one."},
	undated: Reason{"SP 800-63C 5.3",
		"The assertion does not say when the person authenticated, so that nobody can tell how long that holds."},
	mapped: Reason{"SP 800-63C 5.1.1",
		"The trust agreement with the issuer maps the authentication context to this AAL."},
	cappedByAgreement: Reason{"SP 800-63C 5.1.1",
		"The trust agreement takes no higher AAL from this issuer: capped."},
	cappedByOneFactor: Reason{"SP 800-63B 4.2.1",
		"The methods that the identity provider names are not two factors: capped at AAL1."},
	cappedByUnsure: Reason{"SP 800-63B 4.3.1",
		"The methods that the identity provider names do not include a hardware key with a second factor: capped at AAL2."},

	noMappedIAL: Reason{"SP 800-63C 6",
		"Neither the assertion nor a trust agreement states an IAL, and the relying party must not assign one."},
	weakFederation: Reason{"SP 800-63C 4",
		"An IAL on an identity provider's word is taken at FAL2 or above alone, which this assertion has not."},
	mappedIAL: Reason{"SP 800-63C 5.1.1",
		"The trust agreement with the issuer maps the authentication context to this IAL."},
	ialCappedByAgreed: Reason{"SP 800-63C 5.1.1",
		"The trust agreement takes no higher IAL from this issuer: capped."},

	falOne: Reason{"SP 800-63C 4",
		"A signed bearer assertion that came by the back channel and is not encrypted to us: FAL1."},
	falTwo: Reason{"SP 800-63C 4",
		"A signed bearer assertion that is encrypted to us: FAL2."},
	falNone: Reason{"SP 800-63C 4",
		"A front channel must have FAL2 or above, and this assertion is not encrypted to us: it has no FAL."},
}

var r4OIDC = oidcRules{
	// Revision 4 lets no voice be compared (SP 800-63B-4 3.2.3): vbm is missing.
	biometrics: []string{"fpt", "face", "iris", "retina"},
	federation: r4Federation,

	stale: Reason{"SP 800-63C-4 4.7",
		"The person authenticated at the identity provider longer ago than was asked for: the assertion is stale."},
	noAuthTime: Reason{"SP 800-63C-4 4.7",
		"A maximum age was asked for, and the assertion does not say when the person authenticated."},
	restricted: Reason{"SP 800-63B-4 3.2.9",
		"The identity provider used the telephone network, which makes the authenticator a restricted one."},

	unmapped: Reason{"SP 800-63C-4 2.5",
		"The assertion has no authentication context that a trust agreement maps to a level, and the relying party cannot determine one."},
	noStatedAAL: Reason{"SP 800-63C-4 2.5",
		"The trust agreement states no AAL for this authentication context, and the relying party cannot determine one."},
	undated: Reason{"SP 800-63C-4 4.7",
		"The assertion does not say when the person authenticated, so that nobody can tell how long that holds."},
	mapped: Reason{"SP 800-63C-4 2.5",
		"The trust agreement with the issuer maps the authentication context to this AAL."},
	cappedByAgreement: Reason{"SP 800-63C-4 2.5",
		"The trust agreement takes no higher AAL from this issuer: capped."},
	cappedByOneFactor: Reason{"SP 800-63B-4 2.2.1",
		"The methods that the identity provider names are not two factors: capped at AAL1."},
	cappedByUnsure: Reason{"SP 800-63B-4 2.3.1",
		"The methods that the identity provider names do not include a hardware key with a second factor: capped at AAL2."},

	noMappedIAL: Reason{"SP 800-63C-4 2.5",
		"Neither the assertion nor a trust agreement states an IAL, and IAL1 must not be assumed."},
	weakFederation: Reason{"SP 800-63C-4 2.2",
		"An IAL on an identity provider's word is taken at FAL2 or above alone, which this assertion has not."},
	mappedIAL: Reason{"SP 800-63C-4 2.5",
		"The trust agreement with the issuer maps the authentication context to this IAL."},
	ialCappedByAgreed: Reason{"SP 800-63C-4 2.5",
		"The trust agreement takes no higher IAL from this issuer: capped."},

	falOne: Reason{"SP 800-63C-4 2.2",
		"FAL2 needs an agreement made before, a transaction that the relying party began, and protection against injected assertions, of which not all are there: FAL1."},
	falTwo: Reason{"SP 800-63C-4 2.2",
		"The agreement was made before, the relying party began the transaction, and injected assertions are kept out: FAL2."},
	falFront: Reason{"SP 800-63C-4 2.1",
		"The assertion was handed over by a browser or client, which could inject another: FAL1."},
	falNoAgreement: Reason{"SP 800-63C-4 2.1",
		"There is no trust agreement made before, which FAL2 needs: FAL1."},
}
