package proofing

import (
	"encoding/json"
	"slices"
	"time"
)

// Outbox is what a record still owes the world: messages to send, effects on
// other records, and what its authority must be told. It is a part of the record, so that a change and what follows
// from it are stored in one step (law 4). Messages and effects are worked off by Service.Work,
// events by Service.Sequence.
type Outbox struct {
	Messages []Outgoing `json:"messages,omitempty"`
	Effects  []Effect   `json:"effects,omitempty"`
	Events   []Event    `json:"events,omitempty"`
}

// Outgoing is a message on its way.
type Outgoing struct {
	Message
	// Attempt is the attempt whose code the message carries; empty for a notification.
	Attempt string        `json:"attempt,omitempty"`
	State   OutgoingState `json:"state"`
	Since   time.Time     `json:"since,omitzero"`   // when it was put here
	Due     time.Time     `json:"due"`              // when to send, or when a claim is given up
	Expires time.Time     `json:"expires,omitzero"` // sending it later makes no sense
	Sends   int           `json:"sends"`            // tries to send so far
	Claim   string        `json:"claim,omitempty"`  // the mark of whoever sends it, or did last
}

// OutgoingState is where a message stands.
type OutgoingState string

// The states of a message. A code message that was claimed and whose outcome is unknown is
// never sent again by itself: at most once. A notification is sent again
// under its one Message-ID until a provider accepts it: at least once.
const (
	MessagePending OutgoingState = "pending"
	MessageSending OutgoingState = "sending"
)

// Code says whether the message carries a code.
func (m *Outgoing) Code() bool { return m.Attempt != "" }

// Effect is a change of another record that follows from this one. It is
// applied at least once, and applying it twice changes nothing more.
type Effect struct {
	ID   string     `json:"id"`
	Kind EffectKind `json:"kind"`
	Due  time.Time  `json:"due"`
	// Event is the id of the evidence that the effect is about.
	Event string `json:"event,omitempty"`
	// Kept is what the record of the authenticator that is bound, or has spoken, is to keep.
	Kept json.RawMessage `json:"kept,omitempty"`
	// At is when an authenticator has signed (EffectSigned).
	At    time.Time `json:"at,omitzero"`
	Tries int       `json:"tries,omitempty"`
}

// EffectKind names an effect.
type EffectKind string

// The effects of a case.
const (
	EffectBind  EffectKind = "bind"  // the confirmed address becomes the person's
	EffectShare EffectKind = "share" // evidence serves the applicant's other open cases
	// EffectDisown freezes the cases that evidence of this one served.
	EffectDisown EffectKind = "disown"
	// EffectRecover suspends what authenticated the person before they recovered their account, and EffectReactivate gives
	// one of it back, the Address record that Event names.
	EffectRecover    EffectKind = "recover"
	EffectReactivate EffectKind = "reactivate"
	// EffectSigned brings the Address record that Event names up to date after a document was signed.
	EffectSigned EffectKind = "signed"
)

// NextDue is when the first of the entries is due.
func (o *Outbox) NextDue() (due time.Time, ok bool) {
	take := func(t time.Time) {
		if !ok || t.Before(due) {
			due, ok = t, true
		}
	}
	for _, m := range o.Messages {
		take(m.Due)
	}
	for _, e := range o.Effects {
		take(e.Due)
	}
	return due, ok
}

// Drop forgets code messages that have not been claimed: the case is over. What
// people must be told, and what other records must learn, still goes out.
func (o *Outbox) Drop() {
	o.Messages = slices.DeleteFunc(o.Messages, func(m Outgoing) bool {
		return m.Code() && m.State == MessagePending
	})
}

// disown sees to it that a freeze follows the evidence of the case.
func (o *Outbox) disown(now time.Time) {
	if !slices.ContainsFunc(o.Effects, func(e Effect) bool { return e.Kind == EffectDisown }) {
		o.Effects = append(o.Effects, Effect{ID: string(EffectDisown), Kind: EffectDisown, Due: now})
	}
}

// message returns the outgoing message with that id.
func (o *Outbox) message(id string) *Outgoing {
	i := slices.IndexFunc(o.Messages, func(m Outgoing) bool { return m.ID == id })
	if i < 0 {
		return nil
	}
	return &o.Messages[i]
}

// settle removes a message, and with it the sealed code that it carried.
func (o *Outbox) settle(id string) {
	o.Messages = slices.DeleteFunc(o.Messages, func(m Outgoing) bool { return m.ID == id })
}
