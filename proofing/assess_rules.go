package proofing

import "time"

// Assess turns evidence into a label. (The rules follow in their own change.)
func Assess(f Framework, o OperatorFacts, now time.Time, evidence []Evidence) Assessment {
	return Assessment{Framework: f}
}
