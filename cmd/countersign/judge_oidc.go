package main

import (
	"fmt"

	"github.com/countersign-id/countersign/proofing"
)

// issuers reports issuers that a profile names and that are not there, and oidc without any.
func (j *profileJudge) issuers() {
	path := j.at("issuers")
	if !j.profile.Offers(methodOIDC) {
		if len(j.profile.Issuers) > 0 {
			j.mistake(path, "is for the method oidc: add it to methods")
		}
		return
	}
	j.eachOnce(path, j.profile.Issuers, func(at, name string) {
		if _, ok := j.config.Issuers[name]; !ok {
			j.mistake(at, "there is no issuers.%s", name)
		}
	})
}

// federated is the most that the identity providers of the profile can give.
func (j *profileJudge) federated() (ial, aal, fal int) {
	if !j.profile.Offers(methodOIDC) {
		return 0, 0, 0
	}
	for _, name := range j.config.issuersOf(j.profile) {
		i, a, f := j.config.Issuers[name].reaches(j.profile.Framework, j.config.Assurance.VerifierFIPS140Validated)
		ial, aal, fal = max(ial, i), max(aal, a), max(fal, f)
	}
	return ial, aal, fal
}

// fal reports a federation level that no agreement of the profile's issuers can give.
func (j *profileJudge) fal(rules frameworkRules) {
	demanded := j.profile.Require.FAL
	_, _, most := j.federated()
	if demanded < 1 || demanded > 3 || demanded <= most {
		return
	}
	why := "a federation level belongs to the assertion of an identity provider: add oidc to methods"
	switch {
	case !j.profile.Offers(methodOIDC):
	case demanded == 3:
		why = "no assertion here is bound to a key of the person's"
	case j.profile.Framework == proofing.R4:
		why = "FAL2 takes an issuer with pre_established"
	default:
		why = "FAL2 takes an issuer with a decryption_key"
	}
	j.mistake(j.at("require.fal"), "FAL%d cannot be reached under %s: %s (%s)", demanded, j.profile.Framework, why, rules.falClause)
}

// oidcRule is what the trust agreements of the profile's issuers give.
func (j *profileJudge) oidcRule(clause string) methodRule {
	_, aal, _ := j.federated()
	return methodRule{aal, fmt.Sprintf("%s; it is what issuers.*.acr says, within cap", clause)}
}
