package templates

import "time"

// Regain is where somebody brings the code that a representative gave them.
type Regain struct {
	Frame
	Start string // where the code goes
	Bad   *Problem
}

// DeskRecover is where a representative starts the recovery of an account.
type DeskRecover struct {
	Frame
	checkLists
	Notice *Problem
	// Fresh: the representative has just authenticated. Confirm is where they do so.
	Fresh              bool
	Confirm, Desk      string
	Start              string // where the form goes
	Address, Reference string // as they were typed
	// AddressBad and ReferenceBad are what is wrong with them.
	AddressBad, ReferenceBad *Problem
	Same                     bool   // as it was ticked
	Short                    *Worth // what the check lacks of the level at which they were proofed
	Form                     *RecordForm
	Clauses                  RecordClauses
}

// DeskRecovery is one recovery of an account as a representative sees it.
type DeskRecovery struct {
	Frame
	Notice        *Problem
	Fresh         bool
	Confirm, Desk string
	// State is "waits", "ready", "given", "used", "stopped", "refused" or "over".
	State     string
	Things    []Thing // by what the account is known
	Recorded  RecordForm
	Short     *Worth // as in DeskRecover
	Same      bool
	Reference string
	Collector string
	Confirmer string // empty: nobody has agreed
	Refusal   string
	At        time.Time
	// Agree is where a second representative answers, and Give where the code is made; empty: not by this one, or not now.
	Agree, Give string
	Reason      string // of a refusal, as it was typed
	// Code is what was made just now, good until CodeUntil, to be typed at Where.
	Code, Where string
	CodeUntil   time.Time
}

// RecoveryRow is a recovery that waits.
type RecoveryRow struct {
	Href, State, Collector string
	Since                  time.Time
}

// checkLists are the closed lists of what a representative checks.
type checkLists struct{}

func (checkLists) Types() []string {
	return []string{"onsite_attended", "supervised_remote", "remote_attended"}
}
func (checkLists) Strengths() []string { return []string{"fair", "strong", "superior"} }
func (checkLists) Pathways() []string {
	return []string{"biometric", "non_biometric", "digital_evidence"}
}

func (Regain) page() string       { return "regain" }
func (DeskRecover) page() string  { return "recover" }
func (DeskRecovery) page() string { return "recovery" }
