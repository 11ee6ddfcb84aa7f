package challenges

import (
	"encoding/json"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// sms proves possession of a telephone number by a code in a text message. The
// first time it binds the number; later it authenticates, as a RESTRICTED
// authenticator (SP 800-63B 5.1.3.3; SP 800-63B-4 3.1.3.3).
type sms struct {
	codes
	countries countries
}

// smsLifetime is the longest that SP 800-63B 5.1.3.2 and SP 800-63B-4 3.1.3.2 allow.
const smsLifetime = 10 * time.Minute

func (sms) Name() string              { return "sms" }
func (sms) Channel() proofing.Channel { return proofing.ChannelPhone }

// Check reads a number in international form and refuses what a text message
// must not or cannot go to.
func (m sms) Check(number string) (proofing.Contact, error) { return m.countries.check(number) }

// Begin makes a code of ten digits for a number that is new and of eight for one that is bound.
func (m sms) Begin(b proofing.Beginning) (proofing.Opening, error) {
	length := newNumberLength
	if b.Bound {
		length = boundNumberLength
	}
	code := randomCode("0123456789", length)
	b.Link = "" // a text message carries no link: it could not be told from a fraud's
	o, err := m.open(b, code)
	o.Lifetime = smsLifetime
	o.Message = proofing.Message{Kind: "sms_code", Code: proofing.Secret(code), Minutes: int(smsLifetime.Minutes())}
	return o, err
}

// Judge implements proofing.Method.
func (m sms) Judge(state json.RawMessage, c proofing.Contact, a proofing.Answer) (proofing.Proof, error) {
	e := proofing.Evidence{Kind: proofing.SMSCode, Number: c.Address, LineType: c.LineType}
	return proofing.Proof{Evidence: e}, m.check(state, a, normalDigits)
}
