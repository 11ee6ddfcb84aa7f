// Package challenges holds the methods by which a person proves something, one
// file each. A method is stateless: what it must remember, the service keeps
// sealed in the case. It touches no storage, and only OIDC calls others and reads
// a clock.
package challenges

import (
	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/webauthn"
)

// Config is what the methods need from the operator.
type Config struct {
	Hasher proofing.Hasher
	// Countries that text messages may go to, ISO 3166-1 alpha-2 in upper case.
	// Empty: none.
	Countries []string
	// Passkeys is the relying party of passkeys and security keys; nil: there are none.
	Passkeys *webauthn.RelyingParty
	// OIDC is the method of identity providers; nil: it is not offered.
	OIDC *OIDC
}

// Table is every method by its name. Another method is a file and a line here.
func Table(c Config) map[string]proofing.Method {
	all := map[string]proofing.Method{
		"email": email{codes{c.Hasher}},
		"sms":   sms{codes{c.Hasher}, countries(c.Countries)},
	}
	if c.Passkeys != nil {
		all["fido"] = fido{c.Passkeys}
	}
	if c.OIDC != nil {
		all["oidc"] = c.OIDC
	}
	return all
}
