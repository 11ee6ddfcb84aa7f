package proofing

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// earned is a verdict as a rule would give it, for levels that no kind of
// evidence reaches by itself.
func earned(aal int, at time.Time, flags ...string) verdict {
	v := accept(flags...)
	v.AAL, v.at, v.aalAt = new(aal), at, at
	return v
}

func TestCombineTakesTheHighestAALAndBreaksTies(t *testing.T) {
	at, later := assessNow.Add(-2*time.Hour), assessNow.Add(-time.Hour)
	rejected := earned(3, later)
	rejected.Accepted = false
	first := earned(1, at)
	first.aalAt = at.Add(-time.Minute) // tells it from its equal
	for _, c := range []struct {
		name     string
		verdicts []verdict
		want     int
	}{
		{"the highest level, whatever its flags", []verdict{earned(1, later, FlagPhishingResistant, FlagAttested), earned(2, at, FlagRestricted)}, 1},
		{"not one that was rejected", []verdict{rejected, earned(1, at)}, 1},
		{"not restricted before phishing resistant", []verdict{earned(2, later, FlagRestricted, FlagPhishingResistant, FlagAttested), earned(2, at)}, 1},
		{"phishing resistant before attested", []verdict{earned(2, later, FlagAttested), earned(2, at, FlagPhishingResistant)}, 1},
		{"attested before later", []verdict{earned(2, later, FlagPhishingResistant), earned(2, at, FlagPhishingResistant, FlagAttested)}, 1},
		{"the latest", []verdict{earned(2, at), earned(2, later), earned(2, at)}, 1},
		{"the first in the list", []verdict{first, earned(1, at)}, 0},
	} {
		for _, f := range Frameworks() {
			a, want := combine(f, c.verdicts), c.verdicts[c.want]
			if *a.AAL != *want.AAL || !a.AALAt.Equal(want.aalAt) || !a.AALExpires.Equal(want.aalAt.Add(f.Reauthentication(*want.AAL))) {
				t.Errorf("%s: AAL%d at %v until %v", c.name, *a.AAL, a.AALAt, a.AALExpires)
			}
			for flag, have := range map[string]bool{FlagRestricted: a.Restricted, FlagPhishingResistant: a.PhishingResistant, FlagAttested: a.Attested, FlagSyncable: a.Syncable} {
				if have != want.has(flag) {
					t.Errorf("%s: %s is %v", c.name, flag, have)
				}
			}
		}
	}
}

func TestCombineTakesTheHighestIALAndItsBasis(t *testing.T) {
	proofed := func(ial int, basis string) verdict {
		v := accept()
		v.IAL, v.ialBasis = new(ial), basis
		return v
	}
	for _, c := range []struct {
		name     string
		verdicts []verdict
		ial      int
		basis    string
	}{
		{"the highest", []verdict{proofed(1, BasisOperatorProofing), proofed(2, BasisAssertedByIdP)}, 2, BasisAssertedByIdP},
		{"on a tie the operator's", []verdict{proofed(2, BasisAssertedByIdP), proofed(2, BasisOperatorProofing), proofed(2, BasisAssertedByIdP)}, 2, BasisOperatorProofing},
		{"an event's IAL1 before self-assertion", []verdict{proofed(1, BasisAssertedByIdP)}, 1, BasisAssertedByIdP},
	} {
		for _, f := range Frameworks() {
			if a := combine(f, c.verdicts); *a.IAL != c.ial || a.IALBasis != c.basis {
				t.Errorf("%s, %s: IAL%d (%s)", f, c.name, *a.IAL, a.IALBasis)
			}
		}
	}
}

func TestCombineTakesTheHighestFAL(t *testing.T) {
	one, two := accept(), accept()
	one.FAL, two.FAL = new(1), new(2)
	for _, f := range Frameworks() {
		if a := combine(f, []verdict{one, two, one}); *a.FAL != 2 {
			t.Errorf("%s: FAL%d", f, *a.FAL)
		}
	}
}

// served adds a kind of evidence for a test, with one rule in every framework.
func served(t *testing.T, apply rule) EvidenceKind {
	t.Helper()
	before := kinds
	t.Cleanup(func() { kinds = before })
	rules := map[Framework]rule{}
	for _, f := range Frameworks() {
		rules[f] = apply
	}
	kinds = append(slices.Clone(kinds), kind{name: "of_this_test", stated: always, rules: rules})
	return "of_this_test"
}

func TestJudgeCapsEveryAALWithoutAValidatedVerifier(t *testing.T) {
	k := served(t, func(OperatorFacts, Evidence) verdict { return earned(3, time.Time{}) })
	for _, f := range Frameworks() {
		for validated, want := range map[bool]int{true: 3, false: 2} {
			v := judge(f, OperatorFacts{VerifierFIPS140Validated: validated}, assessNow, Evidence{Kind: k, At: assessNow})
			if *v.AAL != want || v.has(FlagCapped) == validated || (len(v.Reasons) == 0) != validated {
				t.Errorf("%s, validated %v: AAL%d, %v, %v", f, validated, *v.AAL, v.Flags, v.Reasons)
			}
		}
	}
}

func TestJudgeExpiresAtTheReauthenticationLimit(t *testing.T) {
	hours := map[Framework][]time.Duration{R3: {720, 12, 12}, R3Sup1: {720, 12, 12}, R4: {720, 24, 12}}
	for f, limits := range hours {
		for i, limit := range limits {
			t.Run(fmt.Sprintf("%s AAL%d", f, i+1), func(t *testing.T) { testExpiry(t, f, i+1, limit*time.Hour) })
		}
	}
}

func testExpiry(t *testing.T, f Framework, aal int, limit time.Duration) {
	k := served(t, func(OperatorFacts, Evidence) verdict { return earned(aal, time.Time{}) })
	o := OperatorFacts{VerifierFIPS140Validated: true}
	if f.Reauthentication(aal) != limit {
		t.Errorf("limit %v", f.Reauthentication(aal))
	}
	if v := judge(f, o, assessNow, Evidence{Kind: k, At: assessNow.Add(-limit + 1)}); v.AAL == nil {
		t.Error("expired before its limit")
	}
	if v := judge(f, o, assessNow, Evidence{Kind: k, At: assessNow.Add(-limit)}); v.AAL != nil || !v.Accepted || len(v.Reasons) == 0 {
		t.Error("holds at its limit")
	}
}

// A rule may know that the authentication was earlier than the event.
func TestJudgeCountsAgeFromTheAuthentication(t *testing.T) {
	k := served(t, func(_ OperatorFacts, e Evidence) verdict { return earned(2, e.At.Add(-12*time.Hour)) })
	if v := judge(R3, OperatorFacts{}, assessNow, Evidence{Kind: k, At: assessNow}); v.AAL != nil {
		t.Error("a stale authentication counts")
	}
	a := Assess(R4, OperatorFacts{}, assessNow, []Evidence{{Kind: k, At: assessNow}})
	if !a.AALAt.Equal(assessNow.Add(-12*time.Hour)) || !a.AALExpires.Equal(assessNow.Add(12*time.Hour)) {
		t.Errorf("at %v until %v", a.AALAt, a.AALExpires)
	}
}

func TestFrameworkNames(t *testing.T) {
	for _, f := range []Framework{R3, R3Sup1, R4} {
		if !f.Valid() || f.Title() == "" {
			t.Errorf("%s: valid %v, title %q", f, f.Valid(), f.Title())
		}
	}
	if f := Framework("sp800-63-5"); f.Valid() || f.Title() != "" {
		t.Errorf("%s is valid", f)
	}
}

// A kind that has no rule in some framework would earn nothing there in silence.
func TestEveryKindHasARuleInEveryFramework(t *testing.T) {
	for _, k := range kinds {
		for _, f := range Frameworks() {
			if k.rules[f] == nil {
				t.Errorf("%s has no rule in %s", k.name, f)
			}
		}
		if k.read == nil || k.method == "" || k.amr == nil || k.stated == nil {
			t.Errorf("%s is incomplete", k.name)
		}
	}
}
