package acme

import (
	"net/url"

	"github.com/countersign-id/countersign/proofing"
)

// applicant is whom a request is for, with the CSR beside it.
type applicant struct {
	proofing.Applicant
	csrDigest string
	csr       *csr // nil: none was given
}

// readApplicant reads who the applicant is: an account, a public key (or a CSR
// by itself), or, where that is allowed, nobody yet. Exactly one of them.
func readApplicant(o *object, nobody bool) applicant {
	request := readCSR(o, "csr")
	a := applicant{}
	if request != nil {
		a.csrDigest, a.csr = request.digest, request
	}
	result := nobody && o.has("result")
	switch {
	case o.has("account") && o.has("public_key"), result && (o.has("account") || o.has("public_key") || o.has("csr")):
		o.mistake("", "name one applicant: an account, a public key, or the result eab_key")
		for _, name := range []string{"account", "public_key", "result"} {
			o.ask(name)
		}
	case o.has("account"):
		a.Applicant = readAccount(o, request, false)
	case o.has("public_key"):
		a.Applicant = readPublicKey(o, request)
	case o.has("csr"):
		if request != nil {
			a.Applicant = proofing.Applicant{Kind: proofing.ByPublicKey, SPKI: spkiDigest(request.spki)}
		}
	case result:
		if o.text("result", 32) != "eab_key" {
			o.mistake("result", `the only result that can be asked for is "eab_key"`)
		}
		a.Applicant = proofing.Applicant{Kind: proofing.ByNobody}
	default:
		o.mistake("", "the applicant is missing: name an account or a public key")
	}
	return a
}

// readAccount reads an ACME account. It is an ACME object: members that we do not
// know are ignored (RFC 8555 7.1).
func readAccount(o *object, request *csr, needURL bool) proofing.Applicant {
	a := proofing.Applicant{Kind: proofing.ByAccount}
	acct := o.object("account")
	if acct == nil {
		return a
	}
	if needURL {
		acct.require("url")
	}
	a.URL = readAccountURL(acct)
	if !acct.has("jwk") && !acct.has("thumbprint") {
		acct.mistake("", `an account is named by its "jwk" or its "thumbprint"`)
		return a
	}
	if a.Thumbprint = acct.text("thumbprint", 64); a.Thumbprint != "" {
		if err := checkThumbprint(a.Thumbprint); err != nil {
			acct.mistake("thumbprint", err.Error())
		}
	}
	if key := readJWK(acct, "jwk"); key != nil {
		thumbprint, err := thumbprintOf(key)
		switch {
		case err != nil:
			acct.wrong(typeBadPublicKey, "jwk", err.Error())
		case a.Thumbprint != "" && a.Thumbprint != thumbprint:
			acct.mistake("thumbprint", "the thumbprint is not the jwk's")
		}
		a.Thumbprint = thumbprint
	}
	// RFC 8555 11.1: the account key must not be the key of a certificate.
	if request != nil {
		if thumbprint, err := thumbprintOf(request.key); err == nil && thumbprint == a.Thumbprint {
			o.wrong(typeBadCSR, "csr", "the CSR is for the account's own key")
		}
	}
	return a
}

// readAccountURL reads the URL that a CA knows an account by. It is a name to
// us: nobody fetches it.
func readAccountURL(acct *object) string {
	text := acct.text("url", 2048)
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		acct.mistake("url", "must be the absolute URL of the account")
		return ""
	}
	return text
}

// readPublicKey reads a SubjectPublicKeyInfo, with which a CSR must agree.
func readPublicKey(o *object, request *csr) proofing.Applicant {
	a := proofing.Applicant{Kind: proofing.ByPublicKey}
	text := o.text("public_key", 4096)
	if text == "" {
		return a
	}
	der, err := decode64(text)
	if err == nil {
		_, err = parseSPKI(der)
	}
	if err != nil {
		o.wrong(typeBadPublicKey, "public_key", err.Error())
		return a
	}
	a.SPKI = spkiDigest(der)
	if request != nil && spkiDigest(request.spki) != a.SPKI {
		o.wrong(typeBadCSR, "csr", "the CSR is for another key than public_key")
	}
	return a
}

// readIdentifier reads an ACME identifier object (RFC 8555 7.1.3).
func readIdentifier(o *object) proofing.Identifier {
	o.require("type")
	o.require("value")
	return proofing.Identifier{Type: o.text("type", 64), Value: o.text("value", 512)}
}
