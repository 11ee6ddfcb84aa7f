package proofing

import "time"

// Evidence is what a method proved, as facts and never as a level.
type Evidence struct {
	ID   string       `json:"id"`
	Kind EvidenceKind `json:"kind"`
	At   time.Time    `json:"at"`
	// BoundAt is when the authenticator was bound to the person. Zero, or equal
	// to At: this event is the binding itself.
	BoundAt  time.Time `json:"bound_at,omitzero"`
	Address  Secret    `json:"address,omitempty"` // of an e-mail event
	Number   Secret    `json:"number,omitempty"`  // of an SMS or voice event, E.164
	LineType LineType  `json:"line_type,omitempty"`
}

// EvidenceKind names what happened.
type EvidenceKind string

// The kinds of evidence.
const (
	EmailCode EvidenceKind = "email_code"
	EmailLink EvidenceKind = "email_link"
	SMSCode   EvidenceKind = "sms_code"
	VoiceCode EvidenceKind = "voice_code"
)

// Confirms is the kind of address that the event confirmed; empty for none.
func (e Evidence) Confirms() Channel {
	switch e.Kind {
	case EmailCode, EmailLink:
		return ChannelEmail
	case SMSCode, VoiceCode:
		return ChannelPhone
	}
	return ""
}

// AddressOrNumber is the address that the event confirmed.
func (e Evidence) AddressOrNumber() Secret {
	if e.Number != "" {
		return e.Number
	}
	return e.Address
}

// Method is the name of the method that left the event.
func (e Evidence) Method() string {
	switch e.Kind {
	case EmailCode, EmailLink:
		return "email"
	case SMSCode:
		return "sms"
	case VoiceCode:
		return "voice"
	}
	return ""
}

// AMR names the method in the words of RFC 8176; an e-mail code has none.
func (e Evidence) AMR() []string {
	switch e.Kind {
	case SMSCode:
		return []string{"sms", "otp"}
	case VoiceCode:
		return []string{"tel", "otp"}
	}
	return nil
}

// evidenceOf is what a passed attempt proved.
func evidenceOf(a *Attempt, byLink bool, now time.Time) Evidence {
	e := Evidence{ID: a.ID, At: now}
	switch {
	case a.Method == "email" && byLink:
		e.Kind, e.Address = EmailLink, a.Contact.Address
	case a.Method == "email":
		e.Kind, e.Address = EmailCode, a.Contact.Address
	case a.Method == "sms":
		e.Kind, e.Number, e.LineType = SMSCode, a.Contact.Address, a.Contact.LineType
	}
	return e
}
