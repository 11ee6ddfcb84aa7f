package conformance

import "time"

// Level is how much the text asks for something (RFC 2119).
type Level string

// The levels that are told apart.
const (
	Must   Level = "MUST"
	Should Level = "SHOULD"
)

// Outcome is what came of a check.
type Outcome string

// The outcomes. Only Held is good news: Undecided says that nothing was shown, and NotApplicable that there was nothing to show.
const (
	Held          Outcome = "held"
	Broken        Outcome = "broken"
	Undecided     Outcome = "undecided"
	NotApplicable Outcome = "not applicable"
)

// Result is one check.
type Result struct {
	Check   string  `json:"check"`
	Level   Level   `json:"level"`
	Clause  string  `json:"clause"`
	Demand  string  `json:"demand"`
	Outcome Outcome `json:"outcome"`
	// Saw is what the server answered. What it quotes of the server's words is short and printable.
	Saw string `json:"saw"`
}

// Report is what a run has shown.
type Report struct {
	Directory string    `json:"directory"`
	At        time.Time `json:"at"`
	Checks    []Result  `json:"checks"`
	// Made counts the accounts that the server made, and Left lists those that could not be deactivated. Unsure counts
	// requests that nobody answered, or whose refusal is not to be believed: each may have made one more.
	Made   int      `json:"accounts_made"`
	Left   []string `json:"accounts_left"`
	Unsure int      `json:"accounts_unsure"`
}

// Count is how many checks of a level came out so.
func (r *Report) Count(level Level, outcome Outcome) (n int) {
	for _, c := range r.Checks {
		if c.Level == level && c.Outcome == outcome {
			n++
		}
	}
	return n
}

// Passed says whether every MUST was seen to hold. One that was not decided has not been seen.
func (r *Report) Passed() bool {
	return r.Count(Must, Held) > 0 && r.Count(Must, Broken) == 0 && r.Count(Must, Undecided) == 0
}
