package challenges

import (
	"encoding/json"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"github.com/countersign-id/countersign/proofing"
)

// email confirms an address by a code, or by a click in the browser that asked
// for it. It confirms an address and authenticates nobody (SP 800-63B 5.1.3.1;
// SP 800-63B-4 3.1.3.1).
type email struct{ codes }

// emailLifetime is the longest that SP 800-63A 4.4.1.6 and SP 800-63A-4 3.8 allow a
// confirmation code by e-mail.
const emailLifetime = 24 * time.Hour

// mailDomain reads names as idna.Lookup does, and empty and overlong labels as mistakes.
var mailDomain = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true))

func (email) Name() string              { return "email" }
func (email) Channel() proofing.Channel { return proofing.ChannelEmail }

// Check reads an addr-spec. The domain becomes lower-case A-labels, because names
// that look alike are then told apart; the local part is the receiving host's own affair
// (RFC 5321 2.3.11) and stays as it is.
func (email) Check(address string) (proofing.Contact, error) {
	bad := func(code, detail string) (proofing.Contact, error) {
		return proofing.Contact{}, &proofing.InputError{Field: "address", Code: code, Detail: detail}
	}
	address = strings.TrimSpace(address)
	at := strings.LastIndexByte(address, '@')
	if at < 1 || at == len(address)-1 {
		return bad("email_malformed", "an e-mail address has a name, an @ and a domain")
	}
	local, domain := address[:at], address[at+1:]
	if !dotAtom(local) || len(local) > 64 {
		return bad("email_malformed", "the part before the @ has characters that are not served")
	}
	ascii, err := mailDomain.ToASCII(strings.TrimSuffix(domain, "."))
	if err == nil { // what was not even text becomes a name that is none
		ascii, err = mailDomain.ToASCII(ascii)
	}
	last := ascii[strings.LastIndexByte(ascii, '.')+1:]
	if err != nil || last == ascii || strings.Trim(last, "0123456789") == "" { // a number at the end makes it an IP address
		return bad("email_domain", "the part after the @ is not a domain name")
	}
	canonical := local + "@" + strings.ToLower(ascii)
	if len(canonical) > 254 { // RFC 5321 4.5.3.1.3 less the brackets
		return bad("email_too_long", "an e-mail address has at most 254 characters")
	}
	return proofing.Contact{
		Channel: proofing.ChannelEmail, Address: proofing.Secret(canonical),
		Shown: local[:1] + "•••@" + strings.ToLower(ascii),
	}, nil
}

// Begin makes a code of 40 bits.
func (m email) Begin(b proofing.Beginning) (proofing.Opening, error) {
	code := randomCode(crockford, emailLength)
	o, err := m.open(b, code)
	o.Lifetime = emailLifetime
	o.Message = proofing.Message{Kind: "email_code", Code: proofing.Secret(code), Link: b.Link, Minutes: int(emailLifetime.Minutes())}
	return o, err
}

// Judge implements proofing.Method.
func (m email) Judge(state json.RawMessage, c proofing.Contact, a proofing.Answer) (proofing.Proof, error) {
	e := proofing.Evidence{Kind: proofing.EmailCode, Address: c.Address}
	if a.Link != "" {
		e.Kind = proofing.EmailLink
	}
	return proofing.Proof{Evidence: e}, m.check(state, a, normalBase32)
}

// dotAtom is the part of RFC 5322's dot-atom that mail systems agree on: it has
// no quoting, no comments and nothing that a header could be broken with.
func dotAtom(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" {
			return false
		}
		for _, r := range label {
			if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r) {
				return false
			}
		}
	}
	return true
}
