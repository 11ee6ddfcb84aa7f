package proofing

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// assessVector is one file of testdata/assess: what a document earns, in full.
type assessVector struct {
	About  string          `json:"about"`
	Input  json.RawMessage `json:"input"`
	Output json.RawMessage `json:"output"`
}

func TestAssessVectors(t *testing.T) {
	files, err := filepath.Glob("testdata/assess/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			v := readVector(t, file)
			in, mistakes := DecodeAssessInput(bytes.NewReader(v.Input))
			if len(mistakes) > 0 {
				t.Fatalf("mistakes in the vector: %v", mistakes)
			}
			got, err := json.MarshalIndent(in.Assess(), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(decodedJSON(t, got), decodedJSON(t, v.Output)) {
				t.Errorf("%s\ngot %s\nwant %s", v.About, got, v.Output)
			}
		})
	}
}

func readVector(t *testing.T, file string) assessVector {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var v assessVector
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func decodedJSON(t *testing.T, data []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// The properties that hold for every record.

var assessNow = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// eachRecord calls check with many records of the events that draw makes, in every
// framework and for every set of the operator's facts.
func eachRecord(t *testing.T, draw func(*rand.Rand) Evidence, check func(t *testing.T, r *rand.Rand, f Framework, o OperatorFacts, evidence []Evidence)) {
	t.Helper()
	for seed := range uint64(600) {
		r := rand.New(rand.NewPCG(seed, 63))
		o := OperatorFacts{r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(2) == 0}
		evidence := make([]Evidence, r.IntN(7))
		for i := range evidence {
			evidence[i] = draw(r)
		}
		for _, f := range Frameworks() {
			check(t, r, f, o, evidence)
		}
		if t.Failed() {
			t.Fatalf("seed %d, operator %+v", seed, o)
		}
	}
}

func TestAssessNoCodeEarnsMoreThanAAL1(t *testing.T) {
	eachRecord(t, randomCode, func(t *testing.T, _ *rand.Rand, f Framework, o OperatorFacts, evidence []Evidence) {
		a := Assess(f, o, assessNow, evidence)
		if a.AAL != nil && (*a.AAL != 1 || !a.Restricted) || a.FAL != nil {
			t.Errorf("%s: AAL %v, restricted %v, FAL %v", f, levelOrZero(a.AAL), a.Restricted, levelOrZero(a.FAL))
		}
		if a.PhishingResistant || a.Syncable || a.Attested {
			t.Errorf("%s: a flag that no code can earn", f)
		}
		for i, e := range a.Events {
			if e.AAL != nil && (!evidence[i].bound() || evidence[i].Confirms() == ChannelEmail || evidence[i].LineType == LineVoIP) {
				t.Errorf("%s: event %d earned an AAL", f, i)
			}
		}
	})
}

// Two things that one has are one factor: codes, keys without user verification, and
// logins with nothing but such at the provider.
func TestAssessNoSumOfPossessionsPassesAAL1(t *testing.T) {
	draw := func(r *rand.Rand) Evidence {
		switch r.IntN(3) {
		case 0:
			return randomCode(r)
		case 1:
			e := randomKey(r)
			e.WebAuthn.UV = false
			return e
		}
		e := randomLogin(r)
		e.OIDC.AMR = some(r, amrPossession)
		if len(e.OIDC.AMR) == 0 {
			e.OIDC.AMR = amrPossession
		}
		return e
	}
	eachRecord(t, draw, func(t *testing.T, _ *rand.Rand, f Framework, o OperatorFacts, evidence []Evidence) {
		if a := Assess(f, o, assessNow, evidence); levelOrZero(a.AAL) > 1 {
			t.Errorf("%s: AAL%d", f, *a.AAL)
		}
	})
}

func TestAssessSelfAssertionIsIAL1InRevision3AndNoneInRevision4(t *testing.T) {
	draw := func(r *rand.Rand) Evidence {
		if r.IntN(2) == 0 {
			return randomKey(r)
		}
		return randomCode(r)
	}
	eachRecord(t, draw, func(t *testing.T, _ *rand.Rand, f Framework, o OperatorFacts, evidence []Evidence) {
		a := Assess(f, o, assessNow, evidence)
		want, basis := 1, BasisSelfAsserted
		if f == R4 {
			want, basis = 0, BasisNoIdentityProofing
		}
		if levelOrZero(a.IAL) != want || a.IALBasis != basis {
			t.Errorf("%s: IAL %d (%s)", f, levelOrZero(a.IAL), a.IALBasis)
		}
	})
}

// An IAL has a basis, and in revision 4 an event that gave it.
func TestAssessEveryIALHasItsBasis(t *testing.T) {
	eachRecord(t, randomEvidence, func(t *testing.T, _ *rand.Rand, f Framework, o OperatorFacts, evidence []Evidence) {
		a := Assess(f, o, assessNow, evidence)
		kind := map[string]EvidenceKind{BasisAssertedByIdP: OIDCLogin, BasisOperatorProofing: ProofingRecord}[a.IALBasis]
		given := slices.ContainsFunc(a.Events, func(e EventAssessment) bool {
			return e.Accepted && evidence[e.Index].Kind == kind && levelOrZero(e.IAL) == levelOrZero(a.IAL)
		})
		self := a.IALBasis == BasisSelfAsserted && f != R4 && levelOrZero(a.IAL) == 1
		none := a.IALBasis == BasisNoIdentityProofing && f == R4 && a.IAL == nil
		if !(kind != "" && given) && !self && !none {
			t.Errorf("%s: IAL %d (%s) of %+v", f, levelOrZero(a.IAL), a.IALBasis, a.Events)
		}
	})
}

// No event takes anything from another, not even one that warns: a rejected
// authenticator is worth nothing itself.
func TestAssessMoreEvidenceNeverLowersTheLabel(t *testing.T) {
	eachRecord(t, randomEvidence, func(t *testing.T, r *rand.Rand, f Framework, o OperatorFacts, evidence []Evidence) {
		before := Assess(f, o, assessNow, evidence)
		more := slices.Insert(slices.Clone(evidence), r.IntN(len(evidence)+1), randomEvidence(r))
		after := Assess(f, o, assessNow, more)
		if levelOrZero(after.IAL) < levelOrZero(before.IAL) || levelOrZero(after.AAL) < levelOrZero(before.AAL) || levelOrZero(after.FAL) < levelOrZero(before.FAL) {
			t.Errorf("%s: a level fell", f)
		}
		if len(after.AddressesConfirmed) < len(before.AddressesConfirmed) {
			t.Errorf("%s: a confirmed address went away", f)
		}
	})
}

// A later code is a longer label: all of them are of one level.
func TestAssessMoreCodesNeverShortenTheLabel(t *testing.T) {
	eachRecord(t, randomCode, func(t *testing.T, r *rand.Rand, f Framework, o OperatorFacts, evidence []Evidence) {
		before, after := Assess(f, o, assessNow, evidence), Assess(f, o, assessNow, append(slices.Clone(evidence), randomCode(r)))
		if before.AAL != nil && after.AALExpires.Before(*before.AALExpires) {
			t.Errorf("%s: the label expires earlier", f)
		}
	})
}

// The events have times of their own here: between equals the first in the list counts.
func TestAssessTheOrderOfEventsChangesNoLevel(t *testing.T) {
	eachRecord(t, randomEvidence, func(t *testing.T, r *rand.Rand, f Framework, o OperatorFacts, evidence []Evidence) {
		apart := slices.Clone(evidence)
		for i := range apart {
			apart[i].At = apart[i].At.Add(-time.Duration(i) * time.Microsecond)
		}
		shuffled := slices.Clone(apart)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		a, b := Assess(f, o, assessNow, apart), Assess(f, o, assessNow, shuffled)
		a.Events, b.Events, a.AddressesConfirmed, b.AddressesConfirmed = nil, nil, nil, nil
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s: %+v and %+v", f, a, b)
		}
	})
}

// Every null and every level must be explained: by the event, or at the top.
func TestAssessEveryNullAndLevelHasAReason(t *testing.T) {
	eachRecord(t, randomEvidence, func(t *testing.T, _ *rand.Rand, f Framework, o OperatorFacts, evidence []Evidence) {
		a := Assess(f, o, assessNow, evidence)
		wantCited(t, f, a.Reasons)
		fromEvents := func(level func(EventAssessment) *int) bool {
			return slices.ContainsFunc(a.Events, func(e EventAssessment) bool { return e.Accepted && level(e) != nil })
		}
		for _, level := range []struct {
			name    string
			ofEvent bool
			reasons []Reason // at the top
		}{
			{"IAL", fromEvents(func(e EventAssessment) *int { return e.IAL }), []Reason{f.rules().ialReason}},
			{"AAL", fromEvents(func(e EventAssessment) *int { return e.AAL }), []Reason{f.rules().noAAL}},
			{"FAL", fromEvents(func(e EventAssessment) *int { return e.FAL }), []Reason{f.rules().noFAL}},
		} {
			if top := slices.Contains(a.Reasons, level.reasons[0]); top == level.ofEvent {
				t.Errorf("%s: the reason of the %s: by an event %v, at the top %v", f, level.name, level.ofEvent, top)
			}
		}
		for _, e := range evidence {
			wantExplained(t, f, o, assessNow, e)
		}
	})
}

// wantExplained wants a reason for each level of an event, and for each cap.
func wantExplained(t *testing.T, f Framework, o OperatorFacts, now time.Time, e Evidence) {
	t.Helper()
	v := judge(f, o, now, e)
	wantCited(t, f, v.Reasons)
	if !v.Accepted {
		if len(v.Reasons) == 0 || v.AAL != nil || v.IAL != nil || v.FAL != nil || len(v.Flags) > 0 {
			t.Errorf("%s: rejected, and yet %+v", f, v.EventAssessment)
		}
		return
	}
	if len(v.aalReasons) == 0 || len(v.ialReasons) == 0 || len(v.falReasons) == 0 {
		t.Errorf("%s: not everything is explained: %+v", f, v)
	}
	for _, r := range slices.Concat(v.aalReasons, v.ialReasons, v.falReasons) {
		if !slices.Contains(v.Reasons, r) {
			t.Errorf("%s: %v is kept back", f, r)
		}
	}
	said := slices.ContainsFunc(v.Reasons, func(r Reason) bool { return strings.Contains(r.Text, "apped") })
	if v.has(FlagCapped) != said {
		t.Errorf("%s: capped %v, said %v: %+v", f, v.has(FlagCapped), said, v.Reasons)
	}
}

var clausePattern = regexp.MustCompile(`^(SP 800-63[ABC])(-4)? [0-9B]+(\.[0-9]+)*$`)

// wantCited wants clauses of the framework's own revision.
func wantCited(t *testing.T, f Framework, reasons []Reason) {
	t.Helper()
	for i, r := range reasons {
		clause := clausePattern.FindStringSubmatch(r.Clause)
		if clause == nil || (clause[2] == "-4") != (f == R4) || !strings.HasSuffix(r.Text, ".") {
			t.Errorf("%s: reason %+v", f, r)
		}
		if slices.Contains(reasons[:i], r) {
			t.Errorf("%s: %v is given twice", f, r)
		}
	}
}

func TestAssessPrintsExactlyTheMembersOfTheContract(t *testing.T) {
	top := []string{"aal", "aal_at", "aal_expires", "addresses_confirmed", "attested", "events", "fal", "framework", "ial", "ial_basis",
		"phishing_resistant", "reasons", "restricted", "syncable"}
	event := []string{"aal", "accepted", "fal", "flags", "ial", "index", "reasons"}
	flags := []any{"address_confirmed:email", "address_confirmed:phone", "restricted", "phishing_resistant", "syncable", "attested",
		"device_bound:claimed", "non_exportable", "clone_suspected", "line_type:unverified", "voip", "capped"}
	eachRecord(t, randomEvidence, func(t *testing.T, _ *rand.Rand, f Framework, o OperatorFacts, evidence []Evidence) {
		data, err := json.Marshal(Assess(f, o, assessNow, evidence))
		if err != nil {
			t.Fatal(err)
		}
		a := decodedJSON(t, data).(map[string]any)
		wantMembers(t, a, top...)
		if a["aal"] == nil != (a["aal_at"] == nil) || a["aal"] == nil != (a["aal_expires"] == nil) {
			t.Errorf("aal without its times: %s", data)
		}
		wantList(t, a["reasons"], "clause", "text")
		wantList(t, a["addresses_confirmed"], "address", "at", "channel")
		wantList(t, a["events"], event...)
		for _, e := range a["events"].([]any) {
			e := e.(map[string]any)
			wantList(t, e["reasons"], "clause", "text")
			for _, flag := range e["flags"].([]any) {
				if !slices.Contains(flags, flag) {
					t.Errorf("flag %v", flag)
				}
			}
		}
	})
}

func wantMembers(t *testing.T, object map[string]any, names ...string) {
	t.Helper()
	var have []string
	for name, value := range object {
		have = append(have, name)
		if value == 0.0 && name != "index" {
			t.Errorf("%s is 0", name)
		}
	}
	slices.Sort(have)
	if !slices.Equal(have, names) {
		t.Errorf("members %v, want %v", have, names)
	}
}

func wantList(t *testing.T, list any, names ...string) {
	t.Helper()
	items, ok := list.([]any)
	if !ok {
		t.Errorf("not a list: %v", list)
	}
	for _, item := range items {
		wantMembers(t, item.(map[string]any), names...)
	}
}

func TestAssessAKindWithoutRulesEarnsNothing(t *testing.T) {
	e := Evidence{Kind: "carrier_pigeon", At: assessNow, BoundAt: assessNow.Add(-time.Hour), Number: "+12025550143", LineType: LineMobile}
	for _, f := range Frameworks() {
		a := Assess(f, OperatorFacts{}, assessNow, []Evidence{e})
		if got := a.Events[0]; got.Accepted || got.AAL != nil || got.Flags == nil || len(got.Reasons) != 1 {
			t.Errorf("%s: %+v", f, got)
		}
		if a.AAL != nil || len(a.AddressesConfirmed) != 0 {
			t.Errorf("%s: %+v", f, a)
		}
	}
}

func TestEvidenceAndAssessmentSurviveStorage(t *testing.T) {
	eachRecord(t, randomEvidence, func(t *testing.T, _ *rand.Rand, f Framework, o OperatorFacts, evidence []Evidence) {
		a := Assess(f, o, assessNow, evidence)
		if b := Assess(f, o, assessNow, throughJSON(t, evidence)); !reflect.DeepEqual(a, b) {
			t.Errorf("%s: stored evidence earns something else", f)
		}
		if b := throughJSON(t, a); !reflect.DeepEqual(a, b) {
			t.Errorf("%s: a stored assessment is another: %+v and %+v", f, a, b)
		}
	})
}

func throughJSON[T any](t *testing.T, v T) (back T) {
	t.Helper()
	data, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(data, &back)
	}
	if err != nil {
		t.Fatal(err)
	}
	return back
}

// levelOrZero makes levels comparable: none is below all.
func levelOrZero(level *int) int {
	if level == nil {
		return 0
	}
	return *level
}
