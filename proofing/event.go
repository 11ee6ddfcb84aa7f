package proofing

import (
	"fmt"
	"slices"
	"time"
)

// Event is one change of an object, as far as its authority can see it. It says
// little: whoever hears of it asks for the rest with their own credential.
type Event struct {
	// ID is the same whenever and however the event is told: a webhook's webhook-id.
	ID string `json:"id"`
	// Object is the id of the record that has changed, and Of what it is: empty for a case.
	Of     Subject `json:"of,omitempty"`
	Object string  `json:"object"`
	// Sequence numbers the events of one object: 1, 2, 3 …
	Sequence   int64     `json:"seq"`
	At         time.Time `json:"at"`
	Change     Change    `json:"change"`
	Profile    string    `json:"profile"`
	ExternalID string    `json:"external_id,omitempty"` // the authority's own reference
	// What the authority sees after the change.
	Status    Status `json:"status"`
	Challenge string `json:"challenge"` // status of the challenge (RFC 8555 8)
	Frozen    bool   `json:"frozen,omitempty"`
	Held      bool   `json:"held,omitempty"`
	Reason    string `json:"reason,omitempty"`
	// Ends is when a grant ends of which something has given way: Case.Ending.
	Ends time.Time `json:"ends,omitzero"`
	// Certificate is the digest of the certificate that somebody said was not theirs (ChangeCertificate).
	Certificate string `json:"certificate,omitempty"`
	// Kid is the name of the key that has changed (ChangeKeyRevoked).
	Kid string `json:"kid,omitempty"`
}

// Change is what an event tells of.
type Change string

// The changes, the weightiest first: an event that tells of several is called for the first of them.
const (
	ChangeCreated   Change = "created"
	ChangeStatus    Change = "status"
	ChangeFrozen    Change = "frozen"
	ChangeSuspended Change = "suspended"
	ChangeEnding    Change = "ending"
	ChangeRestored  Change = "restored"
	ChangeChallenge Change = "challenge"
	// ChangeCertificate tells that somebody said of a certificate that it is not theirs: it is to be revoked.
	ChangeCertificate Change = "certificate_disowned"
	// ChangeKeyRevoked tells that a key of external account bindings ended before its time. What its accounts were granted by it is told of besides.
	ChangeKeyRevoked Change = "key_revoked"
)

// view is what an authority can see change of a case.
type view struct {
	status    Status
	frozen    bool
	held      bool
	challenge string
	reason    string
	ending    Ending
}

func (c *Case) view() view {
	v := view{status: c.Status, frozen: c.Frozen != nil, held: !c.Held.IsZero() && c.Status == CaseGranted, challenge: c.ChallengeStatus(), reason: c.Reason}
	if c.Ending != nil && !c.Status.Over() {
		v.ending = *c.Ending
	}
	return v
}

// change names the difference between two views; empty if there is none.
func (v view) change(before view) Change {
	switch {
	case v.status != before.status || v.reason != before.reason:
		return ChangeStatus
	case v.frozen && !before.frozen:
		return ChangeFrozen
	case v.held && !before.held:
		return ChangeSuspended
	case v.ending != before.ending && v.ending.Reason != "":
		return ChangeEnding
	case !v.frozen && before.frozen, !v.held && before.held, v.ending.Reason == "" && before.ending.Reason != "":
		return ChangeRestored
	case v.challenge != before.challenge:
		return ChangeChallenge
	}
	return ""
}

// tell puts an event into the outbox.
func (c *Case) tell(change Change, now time.Time) {
	v := c.view()
	if v.reason == "" {
		v.reason = v.ending.Reason
	}
	c.Told++
	c.Outbox.Events = append(c.Outbox.Events, Event{
		ID: eventID(c.ID, c.Told), Object: c.ID, Sequence: c.Told, At: now, Change: change,
		Profile: c.Profile, ExternalID: c.ExternalID,
		Status: v.status, Challenge: v.challenge, Frozen: v.frozen, Held: v.held, Reason: v.reason, Ends: v.ending.At,
	})
}

// eventID names an event. Its end is of this event alone: a store that was restored counts from where it was, and its authority, which takes each id
// once, has seen the numbers already.
func eventID(object string, number int64) string {
	return fmt.Sprintf("evt_%s_%d_%s", object, number, NewToken().Reveal()[:8])
}

// unlisted are the events that are not in the feed yet.
func (c *Case) unlisted() (ca string, events []Event) { return c.CA, c.Outbox.Events }

// told takes events out of the outbox that are listed in the feed.
func (c *Case) told(ids map[string]bool) {
	c.Outbox.Events = slices.DeleteFunc(c.Outbox.Events, func(e Event) bool { return ids[e.ID] })
}
