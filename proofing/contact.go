package proofing

import (
	"slices"
	"strings"
)

// Channel is a kind of address or authenticator.
type Channel string

// The channels. Messages reach the addresses of the first two; the others are
// authenticators, which a person brings to a page.
const (
	ChannelEmail    Channel = "email"
	ChannelPhone    Channel = "phone"
	ChannelPasskey  Channel = "passkey"
	ChannelIdentity Channel = "identity" // an account at an OpenID provider
)

// Reached says whether messages can be sent to what is of the channel.
func (ch Channel) Reached() bool { return ch == ChannelEmail || ch == ChannelPhone }

// Authenticates says whether what is of the channel may authenticate the person
// that it is bound to: a mailbox never does (SP 800-63B 5.1.3.1; SP 800-63B-4 3.1.3.1).
func (ch Channel) Authenticates() bool { return ch != ChannelEmail && ch != "" }

// Contact is an address or an authenticator of a person in canonical form with what is known of it.
type Contact struct {
	Channel Channel `json:"channel"`
	// Address is an e-mail address (domain as lower-case A-labels, local part
	// untouched), a number in E.164 form, the id of a passkey (base64url), or issuer
	// and subject of an identity: see Identity.
	Address Secret `json:"address"`
	// Shown is the masked form that pages may show: "a…@example.org", "+1 ••• ••10".
	Shown string `json:"shown"`
	// Country is the ISO 3166-1 alpha-2 code of a number's region, and LineType
	// what its numbering plan says of the line; both empty for e-mail.
	Country  string   `json:"country,omitempty"`
	LineType LineType `json:"line_type,omitempty"`
	// Prefix is what numbers of one range have in common: the E.164 number
	// without its last four digits, hashed before use; empty for e-mail.
	Prefix Secret `json:"prefix,omitempty"`
}

// counted is the address as limits of sending count it. Most hosts deliver every case of
// a name, and whatever follows a plus sign, to one mailbox; if a host does not, a few
// people share a limit. Nothing else goes by this form: neither whose an address is, nor
// the row of failures, which its owner's right answer ends.
func (k Contact) counted() string {
	address := k.Address.Reveal()
	at := strings.LastIndexByte(address, '@')
	if k.Channel != ChannelEmail || at < 0 {
		return address
	}
	name, _, _ := strings.Cut(address[:at], "+")
	return strings.ToLower(name) + address[at:]
}

// LineType is what is known of the line behind a number (SP 800-63B 5.1.3.3 bars
// lines that are not a specific physical device).
type LineType string

// The line types of the label rules.
const (
	LineMobile   LineType = "mobile"
	LineLandline LineType = "landline"
	LineVoIP     LineType = "voip"
	LineUnknown  LineType = "unknown"
)

// lacks says whether any of the contacts is not yet one that the case offers.
func (c *Case) lacks(contacts []Contact) bool {
	return slices.ContainsFunc(contacts, func(k Contact) bool {
		own := c.Offered(k.Channel)
		return own == nil || own.Address != k.Address
	})
}

// adopt makes the contacts the only ones of their channels that the case offers.
// What is under way at another address ends; what was proved at one stands in the way.
func (c *Case) adopt(contacts []Contact) error {
	for _, k := range contacts {
		for _, proved := range c.confirmed() {
			if proved.Channel == k.Channel && proved.Address != k.Address {
				return &InputError{"contacts", "contact_differs", "the authorization that is there was proved at another address: deactivate it first"}
			}
		}
		if c.Status != CaseOpen {
			continue
		}
		c.Contacts = append(slices.DeleteFunc(c.Contacts, func(have Contact) bool { return have.Channel == k.Channel }), k)
		for i := range c.Attempts {
			if a := &c.Attempts[i]; a.Status == AttemptOpen && a.Contact.Channel == k.Channel && a.Contact.Address != k.Address {
				c.replace(a)
			}
		}
	}
	return nil
}
