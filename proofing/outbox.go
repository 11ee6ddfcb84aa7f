package proofing

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
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
	Attempt string `json:"attempt,omitempty"`
	// Person is whose address it goes to, where that was known when it was put here.
	Person  string        `json:"person,omitempty"`
	State   OutgoingState `json:"state"`
	Since   time.Time     `json:"since,omitzero"`   // when it was put here
	Due     time.Time     `json:"due"`              // when to send, when a claim is given up, or when to look at a dead one
	Expires time.Time     `json:"expires,omitzero"` // sending it later makes no sense
	Sends   int           `json:"sends"`            // tries to send so far
	Claim   string        `json:"claim,omitempty"`  // the mark of whoever sends it, or did last
	// Reason is why the last try failed: a SendError's, ReasonCrowded or ReasonLimit. Died is when a notice was given up.
	Reason string    `json:"reason,omitempty"`
	Died   time.Time `json:"died,omitzero"`
}

// OutgoingState is where a message stands.
type OutgoingState string

// The states of a message. A code message that was claimed and whose outcome is unknown is
// never sent again by itself: at most once. A notification is sent again
// under its one Message-ID until a provider accepts it: at least once. One that a provider refuses for good, or that its time
// runs out for, is dead: it stays for deadFor, so that somebody sees it and can have it sent again.
const (
	MessagePending OutgoingState = "pending"
	MessageSending OutgoingState = "sending"
	MessageDead    OutgoingState = "dead"
)

const (
	// noticePatience is for how long a notice is tried, and mostNotices how many wait in one record: the change matters more than that everybody hears of each
	// one at once.
	noticePatience = 72 * time.Hour
	mostNotices    = 100
	// deadFor is how long a dead notice is kept, mostDeadNotices how many of them in one record, and deadLook how often it is looked at whether somebody still
	// is whose address it has.
	deadFor         = 30 * 24 * time.Hour
	mostDeadNotices = 40
	deadLook        = 24 * time.Hour
)

// ReasonCrowded is why a notice died that others have crowded out which came later.
const ReasonCrowded = "crowded"

// ReasonLimit is why a text message waits, or died, that a limit or a brake held back; limitLook is how often it is looked whether it may go.
const (
	ReasonLimit = "limit"
	limitLook   = time.Hour
)

// Code says whether the message carries a code.
func (m *Outgoing) Code() bool { return m.Attempt != "" }

// Expired says whether a dead notice died because its time ran out, and not by a refusal.
func (m *Outgoing) Expired() bool { return !m.Died.IsZero() && !m.Died.Before(m.Expires) }

// counted says whether it is a text message that is to be counted before it is sent: see mayNotify.
func (m *Outgoing) counted() bool { return !m.Code() && m.Channel == ChannelPhone && m.Sends <= 1 }

// rest has a dead notice looked at again.
func (m *Outgoing) rest(now time.Time) { m.Due = earliest(now.Add(deadLook), m.Died.Add(deadFor)) }

// revive has a dead notice sent again, as if it were new; under its one Message-ID.
func (m *Outgoing) revive(now time.Time) {
	m.State, m.Since, m.Due, m.Expires, m.Sends, m.Reason, m.Died = MessagePending, now, now, now.Add(noticePatience), 0, "", time.Time{}
}

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
	// At is when an authenticator has signed (EffectCopied).
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
	// EffectRevoke begins the clock of revocation of the certificates that rest on the case, and on those that its evidence served.
	EffectRevoke EffectKind = "revoke"
	// EffectRecover suspends what authenticated the person before they recovered their account, and EffectReactivate gives
	// one of it back, the Address record that Event names.
	EffectRecover    EffectKind = "recover"
	EffectReactivate EffectKind = "reactivate"
	// EffectCopied tells whose it is that there may be a copy of the passkey that Event names, because it was to sign a document.
	EffectCopied EffectKind = "copied"
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
func (o *Outbox) disown(now time.Time) { o.also(EffectDisown, now) }

// also adds an effect of which a case has one at most.
func (o *Outbox) also(kind EffectKind, now time.Time) {
	if !slices.ContainsFunc(o.Effects, func(e Effect) bool { return e.Kind == kind }) {
		o.Effects = append(o.Effects, Effect{ID: string(kind), Kind: kind, Due: now})
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

// owe puts a notice on its way, to an address of that person; empty: it is not known whose it is. Record is the id of the outbox's record.
func (o *Outbox) owe(record string, m Message, person string, now time.Time) {
	m.ID = record + "." + NewToken().Reveal()[:12]
	o.Messages = append(o.Messages, Outgoing{Message: m, Person: person, State: MessagePending, Since: now, Due: now, Expires: now.Add(noticePatience)})
	waiting := 0
	for i := len(o.Messages) - 1; i >= 0; i-- {
		if one := &o.Messages[i]; one.State == MessagePending && !one.Code() {
			if waiting++; waiting > mostNotices {
				o.bury(one, ReasonCrowded, now)
				return
			}
		}
	}
}

// Persons is how many people what is in it goes to.
func (o Outbox) Persons() int {
	persons := map[string]bool{}
	for _, m := range o.Messages {
		persons[m.Person] = true
	}
	return len(persons)
}

// bury gives a notice up, for a reason or for that of its last try. Where too many are dead the oldest go. What was to tell somebody that they are
// forgotten is forgotten itself: it is all that still has their address.
func (o *Outbox) bury(m *Outgoing, reason string, now time.Time) {
	if strings.TrimPrefix(m.Kind, "sms_") == noticeErased {
		o.settle(m.ID)
		return
	}
	m.State, m.Claim, m.Died, m.Reason = MessageDead, "", now, cmp.Or(reason, m.Reason)
	m.rest(now)
	for dead := o.dead(); len(dead) > mostDeadNotices; dead = dead[1:] {
		o.settle(dead[0].ID)
	}
}

// dead are the notices that were given up, the oldest first.
func (o *Outbox) dead() (all []Outgoing) {
	for _, m := range o.Messages {
		if m.State == MessageDead {
			all = append(all, m)
		}
	}
	slices.SortStableFunc(all, func(a, b Outgoing) int { return a.Died.Compare(b.Died) })
	return all
}

// owes says whether something is still to be done: a message to go out, an effect to follow, an event to be listed. What is dead is not.
func (o Outbox) owes() bool { return len(o.waiting())+len(o.Effects)+len(o.Events) > 0 }

// waiting are the messages that have yet to go out.
func (o *Outbox) waiting() []Outgoing {
	return slices.DeleteFunc(slices.Clone(o.Messages), func(m Outgoing) bool { return m.State == MessageDead })
}

// holdBack has a notice that a limit does not let through wait, as one that has not been tried; or go, if something else says the same.
func (o *Outbox) holdBack(m *Outgoing, now time.Time) {
	if !m.Waits {
		o.settle(m.ID)
		return
	}
	m.State, m.Reason, m.Due, m.Claim = MessagePending, ReasonLimit, now.Add(limitLook), ""
	m.Sends--
}

// settle removes a message, and with it the sealed code that it carried.
func (o *Outbox) settle(id string) {
	o.Messages = slices.DeleteFunc(o.Messages, func(m Outgoing) bool { return m.ID == id })
}
