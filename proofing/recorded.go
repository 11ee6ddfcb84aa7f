package proofing

import (
	"slices"
	"time"
)

// RecordedProofing is what a representative recorded of the identity proofing of the case's person, on its way to
// becoming evidence. It is a part of the case, so that a review, the evidence and every notice of it are one change.
type RecordedProofing struct {
	ID        string         `json:"id"`
	Status    RecordedStatus `json:"status"`
	Person    string         `json:"person"`    // whom it is about
	Collector string         `json:"collector"` // the person who records
	// CollectorName and ReviewerName are those of the time.
	CollectorName string        `json:"collector_name"`
	Reviewer      string        `json:"reviewer,omitempty"`
	ReviewerName  string        `json:"reviewer_name,omitempty"`
	Draft         ProofingDraft `json:"draft"`
	Version       int           `json:"version"` // of the draft
	// Facts are what was submitted; nil before.
	Facts   *ProofingFacts `json:"facts,omitempty"`
	Changed time.Time      `json:"changed"`          // the last change of the draft, or of the status
	Reason  string         `json:"reason,omitempty"` // of a refusal, in the reviewer's words
}

// RecordedStatus is where a record of proofing stands.
type RecordedStatus string

// The statuses of a record. The last three are for good.
const (
	RecordDraft     RecordedStatus = "draft"
	RecordSubmitted RecordedStatus = "submitted" // waits for the review
	RecordAccepted  RecordedStatus = "accepted"
	RecordRefused   RecordedStatus = "refused"
	RecordExpired   RecordedStatus = "expired" // the case ended before a review
)

const (
	// maxRecorded is the most records of one case, and draftFor how long one stays that nobody submits.
	maxRecorded = 6
	draftFor    = 24 * time.Hour
	// maxPieces is the most that any level asks for.
	maxPieces = 3
)

// ProofingDraft is what a representative states. Addresses are those of the case, by the event that confirmed
// them, or the word that it was a letter: no address, no number of a document and no picture is written down.
type ProofingDraft struct {
	Type                    ProofingType         `json:"type"`
	Pieces                  []IdentityPiece      `json:"pieces"`
	Verification            IdentityVerification `json:"verification"`
	CoreAttributesValidated bool                 `json:"core_attributes_validated"`
	// Address is which address stands in a validated record: "postal", or the id of an event; empty: none.
	Address string `json:"address,omitempty"`
	// LetterSent and LetterBack are the days on which a code went to a postal address and came back; zero: none did.
	LetterSent time.Time `json:"letter_sent,omitzero"`
	LetterBack time.Time `json:"letter_back,omitzero"`
	// Notice is where the notice of the proofing goes: as Address.
	Notice string `json:"notice,omitempty"`
}

// postal is the choice of a postal address.
const postal = "postal"

// recorded is the record of that id.
func (c *Case) recorded(id string) *RecordedProofing {
	i := slices.IndexFunc(c.Proofings, func(r RecordedProofing) bool { return r.ID == id })
	if i < 0 {
		return nil
	}
	return &c.Proofings[i]
}

// Waiting is the record that waits for a review; nil if none does.
func (c *Case) Waiting() *RecordedProofing {
	i := slices.IndexFunc(c.Proofings, func(r RecordedProofing) bool { return r.Status == RecordSubmitted })
	if i < 0 {
		return nil
	}
	return &c.Proofings[i]
}

// Drafted is what a representative has begun and not submitted; nil if there is nothing.
func (c *Case) Drafted(collector string) *RecordedProofing {
	i := slices.IndexFunc(c.Proofings, func(r RecordedProofing) bool { return r.Status == RecordDraft && r.Collector == collector })
	if i < 0 {
		return nil
	}
	return &c.Proofings[i]
}

// endRecords lets the records of a case that is over go: what nobody submitted is forgotten.
func (c *Case) endRecords(now time.Time) {
	c.Proofings = slices.DeleteFunc(c.Proofings, func(r RecordedProofing) bool { return r.Status == RecordDraft })
	for i := range c.Proofings {
		if r := &c.Proofings[i]; r.Status == RecordSubmitted {
			r.Status, r.Changed = RecordExpired, now
		}
	}
}

// Addresses are the events of the case whose addresses a record may name.
func (c *Case) Addresses() []Evidence {
	return slices.DeleteFunc(slices.Clone(c.Evidence), func(e Evidence) bool { return e.Confirms() == "" })
}

// confirmedBy is the event of the case that confirmed an address.
func (c *Case) confirmedBy(event string) (Evidence, bool) {
	for _, e := range c.Addresses() {
		if e.ID == event {
			return e, true
		}
	}
	return Evidence{}, false
}

// proofingChannel is the kind of address that the event confirmed, in the words of proofing.
func (e Evidence) proofingChannel() ProofingChannel {
	if e.Confirms() == ChannelPhone {
		return ByPhone
	}
	return ByEmail
}

// facts are what the draft states, in the terms of the rules. What happened in the case itself, when a code
// went out and when it came back, is taken from the case. The *InputError codes are "record_form", "record_pieces", "record_address",
// "record_dates" and "record_notice".
func (d ProofingDraft) facts(c *Case, now time.Time) (*ProofingFacts, error) {
	if !slices.Contains([]ProofingType{OnsiteAttended, SupervisedRemote, RemoteAttended}, d.Type) ||
		!slices.Contains([]Pathway{NonBiometric, Biometric, DigitalEvidence}, d.Verification.Pathway) || !slices.Contains(strengths, d.Verification.Strength) {
		return nil, &InputError{Field: "type", Code: "record_form"}
	}
	if len(d.Pieces) == 0 || len(d.Pieces) > maxPieces || slices.ContainsFunc(d.Pieces, func(p IdentityPiece) bool {
		return !slices.Contains(strengths, p.Strength) || !slices.Contains(strengths, p.ValidatedStrength)
	}) {
		return nil, &InputError{Field: "pieces", Code: "record_pieces"}
	}
	f := &ProofingFacts{Type: d.Type, Pieces: slices.Clone(d.Pieces), Verification: d.Verification, CoreAttributesValidated: d.CoreAttributesValidated}
	switch e, known := c.confirmedBy(d.Address); {
	case d.Address == "":
	case d.Address == postal:
		f.AddressConfirmation = &AddressConfirmation{Channel: ByPost, Source: ValidatedRecord}
	case known:
		f.AddressConfirmation = &AddressConfirmation{Channel: e.proofingChannel(), Address: e.AddressOrNumber(), Source: ValidatedRecord}
		if a := c.attempt(e.ID); a != nil { // what came from another case says nothing of when its code went out
			f.AddressConfirmation.CodeSentAt, f.AddressConfirmation.CodeUsedAt = a.CodeAt, e.At
		}
	default:
		return nil, &InputError{Field: "address", Code: "record_address"}
	}
	if !d.LetterSent.IsZero() || !d.LetterBack.IsZero() {
		// The days count whole: a code that may have been late was.
		back := d.LetterBack.Add(24*time.Hour - time.Millisecond)
		if d.Address != postal || d.LetterSent.IsZero() || d.LetterBack.Before(d.LetterSent) || d.LetterBack.After(now) {
			return nil, &InputError{Field: "letter", Code: "record_dates"}
		}
		if back.After(now) {
			back = now
		}
		f.AddressConfirmation.CodeSentAt, f.AddressConfirmation.CodeUsedAt = d.LetterSent, back
	}
	switch e, known := c.confirmedBy(d.Notice); {
	case d.Notice == "":
	case d.Notice == postal:
		f.Notification = &ProofingNotice{Channel: ByPost}
	case known:
		f.Notification = &ProofingNotice{Channel: e.proofingChannel(), Address: e.AddressOrNumber()}
	default:
		return nil, &InputError{Field: "notice", Code: "record_notice"}
	}
	return f, nil
}
