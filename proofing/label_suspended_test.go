package proofing

import "testing"

// Whoever has stolen an account at a provider has all that the provider says by it, and not its authenticator alone.
func TestASuspendedLoginEarnsNoLevel(t *testing.T) {
	for _, f := range frameworks {
		before := Assess(f.name, OperatorFacts{VerifierFIPS140Validated: true}, assessNow, []Evidence{someLogin()})
		if before.IAL == nil || *before.IAL < 2 || before.FAL == nil {
			t.Fatalf("%s: a login earns %+v", f.name, before)
		}
		e := someLogin()
		e.Suspended = true
		a := Assess(f.name, OperatorFacts{VerifierFIPS140Validated: true}, assessNow, []Evidence{e}).Events[0]
		if a.AAL != nil || a.IAL != nil || a.FAL != nil {
			t.Errorf("%s: a suspended login earns IAL %v, AAL %v, FAL %v", f.name, a.IAL, a.AAL, a.FAL)
		}
		// What somebody was proofed at is theirs, whatever they authenticate by.
		record := someRecord()
		record.Suspended = true
		if a := Assess(f.name, OperatorFacts{VerifierFIPS140Validated: true}, assessNow, []Evidence{record}).Events[0]; a.IAL == nil {
			t.Errorf("%s: a record earns no IAL", f.name)
		}
	}
}
