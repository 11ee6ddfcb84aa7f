package proofing

import "time"

// Assessment is the label of a record of evidence, with the clause behind every
// part of it.
type Assessment struct {
	Framework          Framework          `json:"framework"`
	IAL                *int               `json:"ial"`
	IALBasis           string             `json:"ial_basis"`
	AAL                *int               `json:"aal"`
	AALAt              *time.Time         `json:"aal_at"`
	AALExpires         *time.Time         `json:"aal_expires"`
	FAL                *int               `json:"fal"`
	PhishingResistant  bool               `json:"phishing_resistant"`
	Restricted         bool               `json:"restricted"`
	Syncable           bool               `json:"syncable"`
	Attested           bool               `json:"attested"`
	AddressesConfirmed []ConfirmedAddress `json:"addresses_confirmed"`
	Reasons            []Reason           `json:"reasons"`
	Events             []EventAssessment  `json:"events"`
}

// ConfirmedAddress is one address that somebody was shown to control.
type ConfirmedAddress struct {
	Channel Channel   `json:"channel"`
	Address Secret    `json:"address"`
	At      time.Time `json:"at"`
}

// Reason is a clause of the standard and what it says of this record.
type Reason struct {
	Clause string `json:"clause"`
	Text   string `json:"text"`
}

// EventAssessment is what one event earns by itself.
type EventAssessment struct {
	Index    int      `json:"index"`
	Accepted bool     `json:"accepted"`
	AAL      *int     `json:"aal"`
	IAL      *int     `json:"ial"`
	FAL      *int     `json:"fal"`
	Flags    []string `json:"flags"`
	Reasons  []Reason `json:"reasons"`
}
