package proofing

import (
	"crypto/subtle"
	"strings"
)

// The paths of the links that leave the service in messages and answers. Links
// are made from the configured public origin and never from a request's Host.
const (
	CasePath    = "/c/" // <case>.<secret>: the person's page
	MessagePath = "/m/" // <case>.<attempt>.<secret>: the link in a mail
	DisownPath  = "/n/" // <case>.<secret>: "this was not me"
)

// CaseURL is where the person works.
func (c *Case) CaseURL(origin string) Secret {
	return Secret(origin + CasePath + c.ID + "." + c.LinkSecret.Reveal())
}

// DisownURL is where a person says "this was not me".
func (c *Case) DisownURL(origin string) Secret {
	return Secret(origin + DisownPath + c.ID + "." + c.Disown.Reveal())
}

// messageURL is what the link in a mail opens.
func (c *Case) messageURL(origin, attempt string, secret Secret) Secret {
	return Secret(origin + MessagePath + c.ID + "." + attempt + "." + secret.Reveal())
}

// splitRef cuts a reference of n dot-separated parts, the first of which is an id.
func splitRef(ref Secret, n int) ([]string, bool) {
	if len(ref) > 256 {
		return nil, false
	}
	parts := strings.Split(ref.Reveal(), ".")
	if len(parts) != n {
		return nil, false
	}
	if _, ok := IDBucket(parts[0]); !ok {
		return nil, false
	}
	return parts, true
}

// same compares two secrets in a time that does not tell where they differ. An
// empty secret is the same as nothing.
func same(a, b Secret) bool {
	return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
