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

// The properties that hold for every record of codes and links.

var assessNow = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// eachRecord calls check with many records, in every framework and for every
// set of the operator's facts.
func eachRecord(t *testing.T, check func(t *testing.T, r *rand.Rand, f Framework, o OperatorFacts, evidence []Evidence)) {
	t.Helper()
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 63))
		o := OperatorFacts{r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(2) == 0}
		evidence := make([]Evidence, r.IntN(7))
		for i := range evidence {
			evidence[i] = randomEvidence(r)
		}
		for _, f := range Frameworks() {
			check(t, r, f, o, evidence)
		}
		if t.Failed() {
			t.Fatalf("seed %d, operator %+v", seed, o)
		}
	}
}

func randomEvidence(r *rand.Rand) Evidence {
	k := kinds[r.IntN(len(kinds))]
	e := Evidence{Kind: k.name, At: assessNow.Add(-time.Duration(r.IntN(40*24)) * time.Hour)}
	if k.confirms == ChannelEmail {
		e.Address = Secret([]string{"a@example.org", "b@example.org"}[r.IntN(2)])
		return e
	}
	e.Number = Secret([]string{"+12025550143", "+442079460958"}[r.IntN(2)])
	e.LineType = []LineType{LineMobile, LineLandline, LineVoIP, LineUnknown}[r.IntN(4)]
	if r.IntN(3) > 0 {
		e.BoundAt = e.At.Add(-time.Duration(r.IntN(3)) * time.Hour)
	}
	return e
}

func TestAssessNoCodeEarnsMoreThanAAL1(t *testing.T) {
	eachRecord(t, func(t *testing.T, _ *rand.Rand, f Framework, o OperatorFacts, evidence []Evidence) {
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

func TestAssessSelfAssertionIsIAL1InRevision3AndNoneInRevision4(t *testing.T) {
	eachRecord(t, func(t *testing.T, _ *rand.Rand, f Framework, o OperatorFacts, evidence []Evidence) {
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

func TestAssessMoreEvidenceNeverLowersTheLabel(t *testing.T) {
	eachRecord(t, func(t *testing.T, r *rand.Rand, f Framework, o OperatorFacts, evidence []Evidence) {
		before := Assess(f, o, assessNow, evidence)
		more := slices.Insert(slices.Clone(evidence), r.IntN(len(evidence)+1), randomEvidence(r))
		after := Assess(f, o, assessNow, more)
		if levelOrZero(after.IAL) < levelOrZero(before.IAL) || levelOrZero(after.AAL) < levelOrZero(before.AAL) || levelOrZero(after.FAL) < levelOrZero(before.FAL) {
			t.Errorf("%s: a level fell", f)
		}
		if before.AAL != nil && after.AALExpires.Before(*before.AALExpires) {
			t.Errorf("%s: the label expires earlier", f)
		}
		if len(after.AddressesConfirmed) < len(before.AddressesConfirmed) {
			t.Errorf("%s: a confirmed address went away", f)
		}
	})
}

func TestAssessTheOrderOfEventsChangesNoLevel(t *testing.T) {
	eachRecord(t, func(t *testing.T, r *rand.Rand, f Framework, o OperatorFacts, evidence []Evidence) {
		shuffled := slices.Clone(evidence)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		a, b := Assess(f, o, assessNow, evidence), Assess(f, o, assessNow, shuffled)
		a.Events, b.Events, a.AddressesConfirmed, b.AddressesConfirmed = nil, nil, nil, nil
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s: %+v and %+v", f, a, b)
		}
	})
}

// Every null and every level must be explained: by the event, or at the top.
func TestAssessEveryNullAndLevelHasAReason(t *testing.T) {
	eachRecord(t, func(t *testing.T, _ *rand.Rand, f Framework, o OperatorFacts, evidence []Evidence) {
		a := Assess(f, o, assessNow, evidence)
		wantClauses(t, f, a.Reasons, a.AAL == nil)
		for _, e := range a.Events {
			wantClauses(t, f, e.Reasons, true)
		}
	})
}

var clausePattern = regexp.MustCompile(`^(SP 800-63[ABC])(-4)? [0-9]+(\.[0-9]+)*$`)

// wantClauses wants reasons of the framework's own revision for everything that
// is said: volume B on authentication, C on federation, and A or C on identity.
func wantClauses(t *testing.T, f Framework, reasons []Reason, authentication bool) {
	t.Helper()
	count := map[string]int{}
	for _, r := range reasons {
		clause := clausePattern.FindStringSubmatch(r.Clause)
		if clause == nil || (clause[2] == "-4") != (f == R4) || !strings.HasSuffix(r.Text, ".") {
			t.Fatalf("%s: reason %+v", f, r)
		}
		count[clause[1]]++
	}
	if count["SP 800-63C"] < 1 || count["SP 800-63A"]+count["SP 800-63C"] < 2 || authentication && count["SP 800-63B"] < 1 {
		t.Errorf("%s: not everything is explained: %v", f, reasons)
	}
}

func TestAssessPrintsExactlyTheMembersOfTheContract(t *testing.T) {
	top := []string{"aal", "aal_at", "aal_expires", "addresses_confirmed", "attested", "events", "fal", "framework", "ial", "ial_basis",
		"phishing_resistant", "reasons", "restricted", "syncable"}
	event := []string{"aal", "accepted", "fal", "flags", "ial", "index", "reasons"}
	flags := []any{FlagEmailConfirmed, FlagPhoneConfirmed, FlagRestricted, FlagLineTypeUnverified, FlagVoIP}
	eachRecord(t, func(t *testing.T, _ *rand.Rand, f Framework, o OperatorFacts, evidence []Evidence) {
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
	eachRecord(t, func(t *testing.T, _ *rand.Rand, f Framework, o OperatorFacts, evidence []Evidence) {
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
