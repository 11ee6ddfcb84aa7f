package proofing

import (
	"slices"
	"time"
)

// PutOff are the reminders of a record that were due and could not be given. They are neither given nor forgotten: each lookAgain it is tried again.
type PutOff struct {
	Again time.Time `json:"again,omitzero"` // no reminder is given before; zero: all are when they are due
	// Nobody are the marks of those that nobody heard of: of all whom they are for, none has an address.
	Nobody []string `json:"nobody,omitempty"`
}

// lookAgain is how soon it is looked again whether a reminder can be given that could not be when it was due.
const lookAgain = 24 * time.Hour

// holds says whether it is too soon to try again.
func (p PutOff) holds(now time.Time) bool { return now.Before(p.Again) }

// from is when a reminder is to be given that is due at some time.
func (p PutOff) from(due time.Time) time.Time {
	if due.Before(p.Again) {
		return p.Again
	}
	return due
}

// nobody says whether a reminder is one that nobody heard of.
func (p PutOff) nobody(mark string) bool { return slices.Contains(p.Nobody, mark) }
