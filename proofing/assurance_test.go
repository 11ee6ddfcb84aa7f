package proofing

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the tables of docs/assurance.md anew")

const assuranceDoc = "../docs/assurance.md"

// TestTheTablesOfAssuranceAreWhatTheRulesSay keeps docs/assurance.md true: what
// stands there between markers is drawn from the rules, and never by hand.
func TestTheTablesOfAssuranceAreWhatTheRulesSay(t *testing.T) {
	text, err := os.ReadFile(assuranceDoc)
	if err != nil {
		t.Fatal(err)
	}
	drawn := string(text)
	for name, draw := range map[string]func(*testing.T) string{"records": drawRecords, "codes": drawCodes, "logins": drawRows(loginRows),
		"authenticators": drawRows(keyRows), "proofing": drawRows(recordRows), "clauses": drawClauses} {
		drawn = between(t, drawn, name, draw(t))
	}
	if *update {
		if err := os.WriteFile(assuranceDoc, []byte(drawn), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if drawn != string(text) {
		t.Errorf("%s is stale: run `go test ./proofing -run Assurance -update`, and read the difference", assuranceDoc)
	}
}

// between replaces what stands between the two markers of that name.
func between(t *testing.T, text, name, drawn string) string {
	t.Helper()
	begin, end := "<!-- drawn from the rules: "+name+" -->\n", "<!-- end of "+name+" -->\n"
	before, rest, ok := strings.Cut(text, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed || strings.Contains(after, begin) {
		t.Fatalf("%s must have the markers of %q once, in order", assuranceDoc, name)
	}
	return before + begin + "\n" + drawn + "\n" + end + after
}

// circumstance is one line of the tables: what else, besides its kind, decides
// what an event earns.
type circumstance struct {
	words string
	holds func(Evidence, OperatorFacts) bool
}

// circumstances are those of the kinds that confirm an address of each channel: the
// codes and links. That they cover everything, and that each gives one verdict, is tested and not assumed.
var circumstances = map[Channel][]circumstance{
	ChannelEmail: {{"always", func(Evidence, OperatorFacts) bool { return true }}},
	ChannelPhone: {
		{"the line is VoIP", func(e Evidence, _ OperatorFacts) bool { return e.LineType == LineVoIP }},
		{"any other line; the number was not bound before", func(e Evidence, _ OperatorFacts) bool { return e.LineType != LineVoIP && !e.bound() }},
		{"bound before; mobile or landline", func(e Evidence, _ OperatorFacts) bool {
			return e.bound() && (e.LineType == LineMobile || e.LineType == LineLandline)
		}},
		{"bound before; line unknown", func(e Evidence, o OperatorFacts) bool {
			return e.bound() && e.LineType == LineUnknown && !o.AcceptUnverifiedLineType
		}},
		{"bound before; line unknown, which the operator accepts", func(e Evidence, o OperatorFacts) bool {
			return e.bound() && e.LineType == LineUnknown && o.AcceptUnverifiedLineType
		}},
	},
}

// everyEvent lists the events of a kind with all that may matter to a rule.
func everyEvent(k kind, each func(Evidence, OperatorFacts)) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for _, boundAt := range []time.Time{{}, now, now.Add(-24 * time.Hour)} {
		for _, line := range []LineType{LineMobile, LineLandline, LineVoIP, LineUnknown} {
			for bits := range 8 {
				o := OperatorFacts{VerifierFIPS140Validated: bits&1 > 0, AcceptUnverifiedLineType: bits&2 > 0, RequireAttestation: bits&4 > 0}
				each(Evidence{Kind: k.name, At: now, BoundAt: boundAt, LineType: line}, o)
			}
		}
	}
}

// outcome is what the events of a kind earn under one circumstance.
type outcome struct {
	words    string
	verdicts []verdict // in the order of Frameworks
}

// verdictsOn judges one event in every framework.
func verdictsOn(o OperatorFacts, now time.Time, e Evidence) (verdicts []verdict) {
	for _, f := range Frameworks() {
		verdicts = append(verdicts, judge(f, o, now, e))
	}
	return verdicts
}

// outcomesOf judges every event of a kind, and fails unless each belongs to
// one circumstance and all events of a circumstance earn the same.
func outcomesOf(t *testing.T, k kind) []outcome {
	t.Helper()
	// Three facts are of other kinds, each of which has rows of its own, who spoke is not for the rules, and what is suspended has no
	// AAL whatever its kind.
	if facts := reflect.TypeFor[Evidence]().NumField() + reflect.TypeFor[OperatorFacts]().NumField(); facts != 8+3+3+1 {
		t.Fatal("there are new facts: let everyEvent go through them, and say here how many there are")
	}
	listed, ok := circumstances[k.confirms]
	if !ok {
		t.Fatalf("%s: say in circumstances what decides what it earns", k.name)
	}
	outcomes := make([]outcome, len(listed))
	everyEvent(k, func(e Evidence, o OperatorFacts) {
		at := -1
		for i, c := range listed {
			if c.holds(e, o) {
				if at >= 0 {
					t.Fatalf("%s: %+v belongs to two circumstances", k.name, e)
				}
				at = i
			}
		}
		if at < 0 {
			t.Fatalf("%s: %+v belongs to no circumstance", k.name, e)
		}
		verdicts := verdictsOn(o, e.At, e)
		for i := range verdicts {
			verdicts[i].at, verdicts[i].aalAt = time.Time{}, time.Time{}
		}
		if had := &outcomes[at]; had.verdicts == nil {
			*had = outcome{listed[at].words, verdicts}
		} else if !reflect.DeepEqual(had.verdicts, verdicts) {
			t.Fatalf("%s: %q does not decide what it earns: cut it finer", k.name, listed[at].words)
		}
	})
	return outcomes
}

// drawCodes is a table for all kinds of codes that earn the same under the same circumstances.
func drawCodes(t *testing.T) string {
	type group struct {
		names    []string
		outcomes []outcome
	}
	var groups []group
	for _, k := range kinds {
		if k.confirms == "" {
			continue
		}
		o := outcomesOf(t, k)
		i := slices.IndexFunc(groups, func(g group) bool { return reflect.DeepEqual(g.outcomes, o) })
		if i < 0 {
			groups = append(groups, group{outcomes: o})
			i = len(groups) - 1
		}
		groups[i].names = append(groups[i].names, "`"+string(k.name)+"`")
	}
	var b strings.Builder
	for i, g := range groups {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "**%s**\n\n", strings.Join(g.names, ", "))
		drawTable(&b, g.outcomes)
	}
	return b.String()
}

// drawRows is a table of what a list of events earn.
func drawRows(rows []labelRow) func(*testing.T) string {
	return func(*testing.T) string {
		var outcomes []outcome
		for _, r := range rows {
			outcomes = append(outcomes, outcome{r.words, verdictsOn(r.operator, assessNow, r.event)})
		}
		var b strings.Builder
		drawTable(&b, outcomes)
		return b.String()
	}
}

// drawTable has a line for each outcome and each group of frameworks that agree on it.
func drawTable(b *strings.Builder, outcomes []outcome) {
	fmt.Fprintln(b, "| when | framework | AAL | IAL | FAL | flags |\n|---|---|---|---|---|---|")
	for _, o := range outcomes {
		words := o.words
		for _, same := range alike(o.verdicts) {
			v := o.verdicts[same[0]]
			if v.Accepted {
				fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", words, titles(same), cell(v.AAL, v.aalReasons), cell(v.IAL, v.ialReasons), cell(v.FAL, v.falReasons), flags(v))
			} else {
				fmt.Fprintf(b, "| %s | %s | not accepted%s | – | – | – |\n", words, titles(same), cited(v.Reasons))
			}
			words = ""
		}
	}
}

// alike groups the places of frameworks in which something is the same.
func alike[T any](of []T) [][]int {
	var groups [][]int
	for i := range of {
		j := slices.IndexFunc(groups, func(g []int) bool { return reflect.DeepEqual(of[g[0]], of[i]) })
		if j < 0 {
			groups, j = append(groups, nil), len(groups)
		}
		groups[j] = append(groups[j], i)
	}
	return groups
}

func titles(places []int) string {
	var names []string
	for _, i := range places {
		names = append(names, "`"+string(Frameworks()[i])+"`")
	}
	return strings.Join(names, ", ")
}

// cell is a level with the clauses behind it.
func cell(level *int, reasons []Reason) string {
	if level == nil {
		return "none" + cited(reasons)
	}
	return "**" + strconv.Itoa(*level) + "**" + cited(reasons)
}

// cited is the clauses of reasons, each once, with the name of a volume where it begins.
func cited(reasons []Reason) string {
	var clauses []string
	for _, r := range reasons {
		if clause := short(r.Clause); !slices.Contains(clauses, clause) {
			clauses = append(clauses, clause)
		}
	}
	if clauses == nil {
		return ""
	}
	var list []string
	volume := ""
	for _, clause := range clauses {
		list = append(list, strings.TrimPrefix(clause, volume+" "))
		volume, _, _ = strings.Cut(clause, " ")
	}
	return " (" + strings.Join(list, ", ") + ")"
}

// short drops what every clause begins with: "63B 5.1.3.3", "63B-4 3.1.3.3".
func short(clause string) string { return strings.TrimPrefix(clause, "SP 800-") }

// flags is the flags of an event with the clauses that are of no level.
func flags(v verdict) string {
	var names []string
	for _, f := range v.Flags {
		names = append(names, "`"+f+"`")
	}
	ofLevels := slices.Concat(v.aalReasons, v.ialReasons, v.falReasons)
	own := slices.DeleteFunc(slices.Clone(v.Reasons), func(r Reason) bool { return slices.Contains(ofLevels, r) })
	return strings.Join(names, " ") + cited(own)
}

// drawRecords says what a framework makes of any record, whatever is in it.
func drawRecords(t *testing.T) string {
	var b strings.Builder
	fmt.Fprintln(&b, "| framework | IAL of a record in which nothing gives one | AAL where nothing authenticated | FAL without an assertion | an AAL lasts | cap without a validated verifier | AAL by what a recovery has suspended |\n|---|---|---|---|---|---|---|")
	var rules []*revision
	for _, f := range frameworks {
		rules = append(rules, f.rules)
	}
	for _, same := range alike(rules) {
		r := rules[same[0]]
		value := "none"
		if r.ial != nil {
			value = strconv.Itoa(*r.ial)
		}
		var lasts []string
		for aal := 1; aal <= 3; aal++ {
			d := r.reauthentication[aal]
			words := fmt.Sprintf("%d hours", int(d.after.Hours()))
			if d.after > 48*time.Hour {
				words = fmt.Sprintf("%d days", int(d.after.Hours()/24))
			}
			lasts = append(lasts, fmt.Sprintf("AAL%d: %s (%s)", aal, words, short(d.due.Clause)))
		}
		fmt.Fprintf(&b, "| %s | %s, `%s` (%s) | none (%s) | none (%s) | %s | AAL2 (%s) | none (%s) |\n", titles(same), value, r.ialBasis, short(r.ialReason.Clause),
			short(r.noAAL.Clause), short(r.noFAL.Clause), strings.Join(lasts, "; "), short(r.unvalidatedVerifier.Clause), short(r.suspended.Clause))
	}
	return b.String()
}

// reasonsInTables are the reasons that are behind the tables, in their order.
func reasonsInTables(t *testing.T) (reasons []Reason) {
	add := func(more ...Reason) {
		for _, r := range more {
			if !slices.Contains(reasons, r) {
				reasons = append(reasons, r)
			}
		}
	}
	for place, f := range frameworks {
		for _, k := range kinds {
			if k.confirms == "" {
				continue
			}
			for _, o := range outcomesOf(t, k) {
				add(o.verdicts[place].Reasons...)
			}
		}
		for _, row := range slices.Concat(loginRows, keyRows, recordRows) {
			add(judge(f.name, row.operator, assessNow, row.event).Reasons...)
		}
		add(f.rules.ialReason, f.rules.noAAL, f.rules.noFAL, f.rules.unvalidatedVerifier, f.rules.suspended, f.rules.suspendedWord)
		for aal := 1; aal <= 3; aal++ {
			add(f.rules.reauthentication[aal].due)
		}
	}
	return reasons
}

// drawClauses lists every reason that evidence can get, in the words of the label.
func drawClauses(t *testing.T) string {
	var b strings.Builder
	fmt.Fprintln(&b, "| clause | what the label says |\n|---|---|")
	for _, r := range reasonsInTables(t) {
		fmt.Fprintf(&b, "| %s | %s |\n", r.Clause, r.Text)
	}
	return b.String()
}

// A reason that no row of the tables shows would be in a label and in no page.
func TestTheTablesShowEveryReasonOfTheRules(t *testing.T) {
	shown := reasonsInTables(t)
	for _, rules := range []any{r3OIDC, r4OIDC, r3WebAuthn, r3Sup1WebAuthn, r4WebAuthn, r3Proofing, r4Proofing} {
		for _, r := range reasonsIn(reflect.ValueOf(rules)) {
			if r != (Reason{}) && !slices.Contains(shown, r) {
				t.Errorf("in no table: %s: %s", r.Clause, r.Text)
			}
		}
	}
}

// reasonsIn finds the reasons in a structure of rules.
func reasonsIn(v reflect.Value) (reasons []Reason) {
	switch {
	case v.Type() == reflect.TypeFor[Reason]():
		return []Reason{{v.Field(0).String(), v.Field(1).String()}}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			reasons = append(reasons, reasonsIn(v.Field(i))...)
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			reasons = append(reasons, reasonsIn(v.Index(i))...)
		}
	}
	return reasons
}
