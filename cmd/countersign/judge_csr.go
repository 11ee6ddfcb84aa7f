package main

import (
	"cmp"
	"slices"

	"github.com/countersign-id/countersign/proofing"
)

// The least sizes of RSA keys that a profile may accept: CSBR 6.1.5.2 for code signing, and what this service takes at all.
const (
	leastRSACodeSigning = 3072
	leastRSA            = 2048
	mostRSA             = 8192
)

// policy fills in what the section leaves to the defaults. Without a purpose there is no section.
func (c CSRConfig) policy() proofing.CSRPolicy {
	if c.Purpose == "" {
		return proofing.CSRPolicy{}
	}
	common := proofing.CommonNameAuthorized
	if proofing.CSRPurpose(c.Purpose) == proofing.CSRCodeSigning {
		common = proofing.CommonNameNoDomain
	}
	p := proofing.CSRPolicy{
		Purpose: proofing.CSRPurpose(c.Purpose), ClientAuth: c.ClientAuth, MinRSABits: cmp.Or(c.MinRSABits, leastRSACodeSigning),
		CommonName: cmp.Or(proofing.CommonNameRule(c.CommonName), common),
	}
	for _, k := range c.Keys {
		p.Keys = append(p.Keys, proofing.KeyKind(k))
	}
	if p.Keys == nil {
		p.Keys = []proofing.KeyKind{proofing.KeyRSA, proofing.KeyP256, proofing.KeyP384}
	}
	return p
}

// csr reports what is wrong with the rules for CSRs.
func (j *profileJudge) csr(c CSRConfig) {
	at := j.at("csr")
	if !j.given(at) {
		if j.profile.EV {
			j.warning(at, "is not set in an EV profile: nobody holds the keys, usages and names of CSRs to CSBR 6.1.5.2, 7.1.2.3 and 3.2.2.2.2; add csr: {purpose: code-signing}")
		}
		return
	}
	codeSigning := proofing.CSRPurpose(c.Purpose) == proofing.CSRCodeSigning
	need(j.report, join(at, "purpose"), c.Purpose)
	if c.Purpose != "" {
		oneOf(j.report, join(at, "purpose"), c.Purpose, string(proofing.CSRCodeSigning), string(proofing.CSROther))
	}
	if j.profile.EV && proofing.CSRPurpose(c.Purpose) == proofing.CSROther {
		j.warning(join(at, "purpose"), "is other in an EV profile, whose certificates are for code signing: write code-signing, or nobody holds the keys and usages of CSRs to CSBR 6.1.5.2 and 7.1.2.3")
	}
	if c.ClientAuth && !codeSigning {
		j.mistake(join(at, "client_auth"), "is for purpose: code-signing; other purposes are free to have clientAuth")
	}
	known := []string{string(proofing.KeyRSA), string(proofing.KeyP256), string(proofing.KeyP384), string(proofing.KeyP521)}
	j.eachOnce(join(at, "keys"), c.Keys, func(at, key string) { oneOf(j.report, at, key, known...) })
	if j.given(join(at, "keys")) && len(c.Keys) == 0 && !faulty(j.report, join(at, "keys")) {
		j.mistake(join(at, "keys"), "is empty: no key would be accepted")
	}
	j.rsaBits(c, codeSigning)
	switch path := join(at, "common_name"); proofing.CommonNameRule(c.CommonName) {
	case "", proofing.CommonNameNoDomain, proofing.CommonNameAuthorized:
		if codeSigning && c.CommonName == string(proofing.CommonNameAuthorized) && slices.Contains(j.profile.Identifiers, proofing.IdentifierDNS) {
			j.warning(path, "lets domain names into code-signing certificates, which the CA/Browser Forum forbids (CSBR 3.2.2.2.6)")
		}
	case proofing.CommonNameDomain:
		if !slices.Contains(j.profile.Identifiers, proofing.IdentifierDNS) {
			j.mistake(path, "domain needs dns among the identifiers of the profile: the domain must be one that is asked for")
		}
		if codeSigning {
			j.warning(path, "lets domain names into code-signing certificates, which the CA/Browser Forum forbids (CSBR 3.2.2.2.6)")
		}
	default:
		oneOf(j.report, path, c.CommonName, string(proofing.CommonNameNoDomain), string(proofing.CommonNameDomain), string(proofing.CommonNameAuthorized))
	}
}

func (j *profileJudge) rsaBits(c CSRConfig, codeSigning bool) {
	path, least := j.at("csr.min_rsa_bits"), leastRSA
	if codeSigning {
		least = leastRSACodeSigning
	}
	switch n := c.MinRSABits; {
	case !j.given(path) || faulty(j.report, path):
	case n < least || n > mostRSA:
		j.mistake(path, "must be %d to %d, not %d", least, mostRSA, n)
	case len(c.Keys) > 0 && !slices.Contains(c.Keys, string(proofing.KeyRSA)):
		j.mistake(path, "is for rsa, which is not among the keys")
	}
}
