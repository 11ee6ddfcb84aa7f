package templates

import "time"

// Records is where representatives find the requests that wait for them.
type Records struct {
	Frame
	Notice *Problem
	Name   string    // of the representative
	Ends   time.Time // of their training, if that is soon
	Find   string    // where a code goes
	Code   string    // as it was typed, to be mended
	Bad    *Problem
	Rows   []RecordRow
	// Recover is where the recovery of an account starts, and Recoveries are those that wait.
	Recover    string
	Recoveries []RecoveryRow
	Me         string // the path of the representative's own page
}

// RecordRow is one request with a record on its way.
type RecordRow struct {
	Href           string
	CA, Identifier string
	State          string // "draft", "mine" (waits for another's review) or "review"
	Collector      string
	Since          time.Time
}

// Record is one request as a representative sees it.
type Record struct {
	Frame
	Request
	checkLists
	Notice *Problem
	// Fresh: the representative has just authenticated. Confirm is where they do so.
	Fresh   bool
	Confirm string
	Desk    string // the path of Records
	Code    string // that the applicant's page shows, for both to compare
	Closed  bool   // the request takes no records any more
	// Addresses are what the applicant has confirmed.
	Addresses []Choice
	// Form is what is being recorded; nil where that is not to be done. Saved: it is kept as it stands.
	Form  *RecordForm
	Saved bool
	// Waiting is what waits for a review, and Mine says that it is not this representative's to review.
	Waiting *Recorded
	Mine    bool
	// Worth is what would be earned by what is saved, or waits; nil if nothing is.
	Worth *Worth
	// Past are the records that were decided.
	Past    []Recorded
	Reason  string // of a refusal, as it was typed
	Clauses RecordClauses
	// Where forms go, and what they are about.
	Save, Submit, Review string
	ID                   string
	Version              int
}

// RecordClauses are where the standard speaks of each part of a record.
type RecordClauses struct{ Type, Pieces, Verification, Core, Address, Notice, Review string }

// RecordForm is what a representative states.
type RecordForm struct {
	Type              string // "onsite_attended", "supervised_remote" or "remote_attended"
	Pieces            []RecordPiece
	Strength, Pathway string
	Biometric, Core   bool
	Address, Notice   string // "postal", the name of one of Record.Addresses, or empty
	Sent, Back        string // days, YYYY-MM-DD
}

// RecordPiece is one piece of identity evidence.
type RecordPiece struct {
	N                                     int
	Strength, Validated                   string
	Source, Proofed, Government, Portrait bool
}

// Recorded is a record that was handed in.
type Recorded struct {
	RecordForm
	Status, Collector, Reviewer, Reason string
	At                                  time.Time
	// AddressShown and NoticeShown are the addresses that it names, masked.
	AddressShown, NoticeShown string
}

// Worth is what a record would earn, and why.
type Worth struct {
	IAL     string // empty: none
	Reasons []Clause
	Unmet   []Step // what the request would still lack
}

func (Records) page() string { return "records" }
func (Record) page() string  { return "record" }

// InPerson is the part of a case's page that leads to a representative.
type InPerson struct {
	Ask     string // where to ask for a code
	Code    string // in groups; empty before
	Nobody  bool   // nothing is confirmed yet: there is nobody to record
	Waits   bool   // a record waits for its review
	Refused bool   // the last one was refused
}
