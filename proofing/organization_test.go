package proofing_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

const someDay = 24 * time.Hour

var today = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// whole is a dossier in which nothing is missing for EV, all of it collected today, and the people of a request.
func whole() (*proofing.Organization, []*proofing.Appointment) {
	o := &proofing.Organization{ID: "00org", CA: "alpha", Name: "Example GmbH", Rule: proofing.ApprovalRule{Needed: 1}}
	var people []*proofing.Appointment
	for _, role := range []proofing.Role{proofing.RoleRequester, proofing.RoleApprover, proofing.RoleSigner} {
		people = append(people, &proofing.Appointment{
			ID: "00" + string(role), Role: role, CA: o.CA, Organization: o.ID, Person: "person of " + string(role), Status: proofing.AppointmentActive,
		})
	}
	for _, r := range proofing.ItemRules() {
		if r.Needed == proofing.NeedNever || r.Needed == proofing.NeedBusinessEntity {
			continue
		}
		it := proofing.Item{
			ID: string(r.Kind), Kind: r.Kind, Source: "register", SourceKind: proofing.SourceQGIS, CollectedAt: today, CollectedBy: "specialist", Outcome: proofing.OutcomeGood,
			ConfirmedAt: today, ConfirmedBy: "specialist", Method: 2, Signer: "", Version: "3",
		}
		if r.Kind == proofing.ItemAgreement {
			it.Signer = "00contract_signer"
		}
		if len(r.PerPerson) == 0 || r.Kind == proofing.ItemDenied {
			o.Items = append(o.Items, it)
		}
		for _, a := range people {
			if slices.Contains(r.PerPerson, a.Role) {
				it.Subject = a.ID
				o.Items = append(o.Items, it)
			}
		}
	}
	return o, people
}

// told writes lacks in a line.
func told(lacks []proofing.Lack) string {
	var words []string
	for _, l := range lacks {
		words = append(words, l.Code+":"+cmp.Or(string(l.Kind), l.Subject))
	}
	return strings.Join(words, " ")
}

func TestAWholeDossierLacksNothingAndEachPartOfItIsMissed(t *testing.T) {
	o, people := whole()
	if got := o.Lacks(true, people, today.Add(time.Minute)); len(got) != 0 {
		t.Fatalf("it lacks %s", told(got))
	}
	for i, it := range o.Items {
		less := *o
		less.Items = slices.Delete(slices.Clone(o.Items), i, i+1)
		got := less.Lacks(true, people, today)
		if len(got) != 1 || got[0].Code != proofing.LackMissing || got[0].Kind != it.Kind || got[0].Subject != it.Subject || got[0].Clause == "" {
			t.Errorf("without %s it lacks %+v", it.Kind, got)
		}
	}
	for i := range people {
		if people[i].Role == proofing.RoleRequester {
			continue // an approver may ask, too
		}
		got := o.Lacks(true, slices.Delete(slices.Clone(people), i, i+1), today)
		if len(got) == 0 || !slices.ContainsFunc(got, func(l proofing.Lack) bool { return l.Code == proofing.LackRole && l.Subject == string(people[i].Role) }) {
			t.Errorf("without the %s it lacks %s", people[i].Role, told(got))
		}
	}
	// People of another organization, or of another authority, do not count.
	for _, change := range []func(*proofing.Appointment){func(a *proofing.Appointment) { a.Organization = "00other" }, func(a *proofing.Appointment) { a.CA = "beta" }} {
		o, people := whole()
		change(people[1])
		if got := told(o.Lacks(true, people, today)); !strings.Contains(got, "role:certificate_approver") {
			t.Errorf("with an approver of others it lacks %q", got)
		}
	}
}

// Each kind is good for as long as its clause says, to the millisecond, for EV and for others.
func TestEveryKindOfItemAgesByItsClause(t *testing.T) {
	ages := map[proofing.ItemKind][2]time.Duration{
		proofing.ItemDenied: {30 * someDay, 30 * someDay}, proofing.ItemSuspect: {30 * someDay, 30 * someDay},
		proofing.ItemAgreement: {}, proofing.ItemRequesterList: {},
		// Thirteen months from the 26th of November 2026.
		proofing.ItemKeyProtection: {time.Date(2027, 12, 26, 12, 0, 0, 0, time.UTC).Sub(today), time.Date(2027, 12, 26, 12, 0, 0, 0, time.UTC).Sub(today)},
	}
	for _, r := range proofing.ItemRules() {
		want, special := ages[r.Kind]
		if !special {
			want = [2]time.Duration{398 * someDay, 825 * someDay}
		}
		for n, ev := range []bool{true, false} {
			it := proofing.Item{Kind: r.Kind, CollectedAt: today, Method: 4}
			if want[n] == 0 {
				if got := it.GoodUntil(ev); !got.IsZero() {
					t.Errorf("%s, EV %v: good until %v", r.Kind, ev, got)
				}
			} else if got := it.GoodUntil(ev); !got.Equal(today.Add(want[n])) {
				t.Errorf("%s, EV %v: good until %v, want %v", r.Kind, ev, got, today.Add(want[n]))
			}
			it.Until = today.Add(someDay) // its own term ends first
			if got := it.GoodUntil(ev); !got.Equal(it.Until) {
				t.Errorf("%s, EV %v: with its own term good until %v", r.Kind, ev, got)
			}
		}
		if r.Clause == "" || r.Needed == "" {
			t.Errorf("%s has no clause or no need", r.Kind)
		}
	}
	for start, want := range map[string]string{"2026-01-31": "2027-02-28", "2027-01-31": "2028-02-29", "2026-12-31": "2028-01-31", "2026-05-31": "2027-06-30"} {
		at, _ := time.Parse(time.DateOnly, start)
		it := proofing.Item{Kind: proofing.ItemKeyProtection, CollectedAt: at, Method: 1}
		if got := it.GoodUntil(true).Format(time.DateOnly); got != want {
			t.Errorf("thirteen months after %s is %s, want %s", start, got, want)
		}
	}
	o, people := whole()
	at := today.Add(398 * someDay)
	before, after := o.Lacks(true, people, at.Add(-time.Millisecond)), o.Lacks(true, people, at)
	aged := func(all []proofing.Lack, kind proofing.ItemKind) bool {
		return slices.ContainsFunc(all, func(l proofing.Lack) bool { return l.Kind == kind && l.Code == proofing.LackAged && l.Since.Equal(at) })
	}
	if aged(before, proofing.ItemLegalName) || !aged(after, proofing.ItemLegalName) {
		t.Errorf("the name: before %s, after %s", told(before), told(after))
	}
	if got := o.Lacks(false, people, at); aged(got, proofing.ItemLegalName) {
		t.Errorf("for others it lacks %s", told(got))
	}
}

func TestWhatADossierLacksIsSaidByName(t *testing.T) {
	tests := map[string]struct {
		change func(o *proofing.Organization, people []*proofing.Appointment)
		want   string
	}{
		"a name that was refuted": {func(o *proofing.Organization, _ []*proofing.Appointment) {
			item(o, proofing.ItemLegalName).Outcome = proofing.OutcomeBad
		}, "bad:legal_name"},
		"somebody on a denied list": {func(o *proofing.Organization, _ []*proofing.Appointment) {
			item(o, proofing.ItemDenied).Outcome = proofing.OutcomeBad
		}, "bad:denied_list"},
		"suspect code": {func(o *proofing.Organization, _ []*proofing.Appointment) {
			item(o, proofing.ItemSuspect).Outcome = proofing.OutcomeBad
		}, "bad:suspect_code"},
		"a telephone that nobody called": {func(o *proofing.Organization, _ []*proofing.Appointment) {
			item(o, proofing.ItemCommunication).ConfirmedAt = time.Time{}
		}, "unconfirmed:communication"},
		"authority by the approver": {func(o *proofing.Organization, _ []*proofing.Appointment) {
			item(o, proofing.ItemApprover).CollectedBy = "person of certificate_approver"
		}, "own_source:approver_authority"},
		"confirmed by the approver": {func(o *proofing.Organization, _ []*proofing.Appointment) {
			item(o, proofing.ItemApprover).ConfirmedBy = "person of certificate_approver"
		}, "own_source:approver_authority"},
		"their own source": {func(_ *proofing.Organization, p []*proofing.Appointment) { p[1].Source.By = p[1].Person }, "own_source:approver_authority"},
		"warranted by the approver": {func(o *proofing.Organization, p []*proofing.Appointment) {
			item(o, proofing.ItemApprover).Signer, p[2].Person = p[2].ID, p[1].Person
		}, "own_source:approver_authority"},
		"an agreement of a former signer": {func(o *proofing.Organization, _ []*proofing.Appointment) {
			item(o, proofing.ItemAgreement).Signer = "00former"
		}, "signer:subscriber_agreement"},
		"an agreement that has run out": {func(o *proofing.Organization, _ []*proofing.Appointment) {
			item(o, proofing.ItemAgreement).Until = today
		}, "aged:subscriber_agreement"},
		"an approver's agreement that has run out": {func(_ *proofing.Organization, p []*proofing.Appointment) {
			p[1].Agreement = &proofing.Agreement{Until: today}
		}, "agreement:00certificate_approver"},
		"an approver who was not confirmed again": {func(_ *proofing.Organization, p []*proofing.Appointment) { p[1].ReconfirmBy = today }, "reconfirm:00certificate_approver"},
		"a business entity without its principal": {func(o *proofing.Organization, _ []*proofing.Appointment) {
			o.Items = append(o.Items, proofing.Item{ID: "b", Kind: proofing.ItemBusinessEntity, Outcome: proofing.OutcomeGood, CollectedAt: today})
		}, "missing:principal_individual"},
		"a newer item": {func(o *proofing.Organization, _ []*proofing.Appointment) {
			item(o, proofing.ItemLegalName).Outcome = proofing.OutcomeBad
			o.Items = append(o.Items, proofing.Item{ID: "n", Kind: proofing.ItemLegalName, Outcome: proofing.OutcomeGood, CollectedAt: today})
		}, ""},
	}
	for what, tt := range tests {
		o, people := whole()
		tt.change(o, people)
		lacks := o.Lacks(true, people, today)
		for i := range lacks {
			if lacks[i].Code == proofing.LackAgreement || lacks[i].Code == proofing.LackReconfirm {
				lacks[i].Kind = ""
			}
		}
		if got := told(lacks); got != tt.want {
			t.Errorf("%s: it lacks %q, want %q", what, got, tt.want)
		}
	}
}

func item(o *proofing.Organization, kind proofing.ItemKind) *proofing.Item {
	i := slices.IndexFunc(o.Items, func(it proofing.Item) bool { return it.Kind == kind })
	return &o.Items[i]
}

// However a rule is met, it is met by as many different people as it says, of those whom it names, in its order.
func TestARuleIsMetByWhomItNames(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	names := []string{"a", "b", "c", "d", "e", "x", "y"}
	for range 5000 {
		rule := proofing.ApprovalRule{Needed: 1 + r.IntN(3)}
		if r.IntN(2) == 0 {
			rule.Of = slices.Clone(names[:rule.Needed+r.IntN(3)])
			if rule.InOrder = r.IntN(2) == 0; rule.InOrder {
				rule.Of = rule.Of[:rule.Needed]
			}
		}
		var approved []string
		for range 20 {
			who := names[r.IntN(len(names))]
			of, anybody := rule.Next(approved)
			if rule.Met(approved) != (of == nil && !anybody) {
				t.Fatalf("%+v after %v: met %v, and next are %v %v", rule, approved, rule.Met(approved), of, anybody)
			}
			if slices.Contains(approved, who) || !anybody && !slices.Contains(of, who) {
				continue
			}
			if rule.InOrder && who != rule.Of[len(approved)] {
				t.Fatalf("%+v after %v: %s came out of order", rule, approved, who)
			}
			approved = append(approved, who)
		}
		if len(approved) > rule.Needed || rule.Met(approved) != (len(approved) == rule.Needed) {
			t.Fatalf("%+v by %v: %v", rule, approved, rule.Met(approved))
		}
		if twice := slices.Repeat(approved[:min(1, len(approved))], rule.Needed); rule.Needed > 1 && rule.Met(twice) {
			t.Fatalf("%+v is met by one person, %v", rule, twice)
		}
	}
}

// recorded is a draft that is right for the kind.
func recorded(kind proofing.ItemKind, at time.Time) proofing.ItemDraft {
	d := proofing.ItemDraft{Kind: kind, Value: "Example GmbH", Source: "the commercial register", SourceKind: proofing.SourceQGIS, Reference: "file 3", CollectedAt: at, Outcome: proofing.OutcomeGood}
	for _, r := range proofing.ItemRules() {
		if r.Kind == kind && len(r.Sources) > 0 {
			d.SourceKind = r.Sources[0]
		}
	}
	switch kind {
	case proofing.ItemDenied, proofing.ItemSuspect:
		d.List, d.ListVersion = "consolidated list", "2026-11-23"
	case proofing.ItemKeyProtection:
		d.Method = 4
	case proofing.ItemAgreement:
		d.Version = "3"
	case proofing.ItemCommunication:
		d.Value = "+49 30 1234"
	case proofing.ItemDomain:
		d.Value = "Example.ORG"
	}
	return d
}

func TestASpecialistFillsADossierUntilNothingIsLacking(t *testing.T) {
	s := staff(t)
	ctx := t.Context()
	specialist, org := s.who["alpha-val"], s.orgs["alpha"]
	specialist.renew()
	people := must[[]*proofing.Appointment](t)(s.PeopleOf(ctx, org.ID))
	if len(people) != 3 {
		t.Fatalf("%d people", len(people))
	}
	record := func(d proofing.ItemDraft) {
		t.Helper()
		d.Once = proofing.NewToken()
		for range 2 { // it may come twice
			org = must[*proofing.Organization](t)(s.RecordItem(ctx, specialist.visit(), org.ID, d))
		}
	}
	for _, r := range proofing.ItemRules() {
		d := recorded(r.Kind, s.clock())
		switch r.Kind {
		case proofing.ItemApprover, proofing.ItemSigner, proofing.ItemDenied:
			if r.Kind == proofing.ItemDenied {
				record(d)
			}
			for _, role := range r.PerPerson {
				d.Subject = s.held["alpha-"+strings.TrimPrefix(string(role), "certificate_")[:3]].ID
				record(d)
			}
			continue
		case proofing.ItemAgreement, proofing.ItemEnterpriseRA:
			d.Signer = s.held["alpha-con"].ID
		case proofing.ItemRequesterList:
			d.Names = []string{s.held["alpha-req"].ID}
		}
		record(d)
	}
	if got := told(org.Lacks(true, people, s.clock())); got != "unconfirmed:communication" {
		t.Fatalf("it lacks %q", got)
	}
	if got := told(org.Lacks(false, people, s.clock())); got != "unconfirmed:communication" {
		t.Errorf("for others it lacks %q", got)
	}
	// The call is made by another, who then is no reviewer either.
	call := org.Current(proofing.ItemCommunication, "")
	operator := s.who["alpha-ope"]
	operator.renew()
	s.pass(time.Hour)
	operator.renew()
	_, err := s.RecordItem(ctx, operator.visit(), org.ID, proofing.ItemDraft{ConfirmedItem: call.ID})
	wantInput(t, "a call of which nothing is said", err, "item_confirmed")
	org = must[*proofing.Organization](t)(s.RecordItem(ctx, operator.visit(), org.ID, proofing.ItemDraft{ConfirmedItem: call.ID, ConfirmedHow: "called the switchboard, was put through"}))
	_, err = s.RecordItem(ctx, operator.visit(), org.ID, proofing.ItemDraft{ConfirmedItem: call.ID, ConfirmedHow: "again"})
	wantInput(t, "confirming what is not current any more", err, "item_changed")
	if got := org.Current(proofing.ItemCommunication, ""); got.CollectedBy != specialist.person() || got.ConfirmedBy != operator.person() || !got.CollectedAt.Equal(call.CollectedAt) {
		t.Errorf("the telephone is %+v", got)
	}
	if got := told(org.Lacks(true, people, s.clock())); got != "" {
		t.Errorf("it lacks %q", got)
	}
	if got := org.Collectors(s.clock()); len(got) != 2 || !slices.Contains(got, specialist.person()) || !slices.Contains(got, operator.person()) {
		t.Errorf("collectors are %v", got)
	}
	if !org.Combined(s.clock()) || !org.EnterpriseRA(s.clock()) || org.Combined(s.clock().Add(398*someDay)) {
		t.Error("what was declared does not hold, or holds for ever")
	}
	if names, listed := org.Requesters(); !listed || len(names) != 1 {
		t.Errorf("who may ask are %v, %v", names, listed)
	}
	// What ages first is a screening.
	ages := org.Ages()
	if len(ages) == 0 || ages[0].Item.Kind != proofing.ItemDenied && ages[0].Item.Kind != proofing.ItemSuspect || !slices.IsSortedFunc(ages, func(a, b proofing.Aging) int { return a.Until.Compare(b.Until) }) {
		t.Errorf("ages are %+v", ages)
	}
	// Every item is an entry, and none of the leaves has what was found.
	if int64(len(org.Items))+1 != org.Version() {
		t.Errorf("%d items and %d entries", len(org.Items), org.Version())
	}
	for _, e := range org.Journal.Pending {
		var leaf proofing.Leaf
		if err := json.Unmarshal([]byte(e.Leaf), &leaf); err != nil || leaf.Of != proofing.SubjectOrganization || leaf.By.Appointment == "" {
			t.Errorf("entry %s: %v", e.Leaf, err)
		}
		for _, word := range []string{"Example", "+49", "register", "alpha-val"} {
			if strings.Contains(e.Leaf, word) {
				t.Errorf("%q is in %s", word, e.Leaf)
			}
		}
	}
}

func TestWhatIsWrongWithAnItemIsSaid(t *testing.T) {
	s := staff(t)
	ctx := t.Context()
	// Somebody who collects at the authority and approves for the organization, which no rule forbids.
	both := s.who["alpha-app"]
	s.adds(both, s.one, s.two, draft(proofing.RoleSpecialist, "alpha", ""))
	org := s.orgs["alpha"]
	tests := map[string]struct {
		kind   proofing.ItemKind
		change func(*proofing.ItemDraft)
		code   string
	}{
		"a kind that there is none of":         {"shoe_size", func(*proofing.ItemDraft) {}, "item_kind"},
		"no source":                            {proofing.ItemLegalName, func(d *proofing.ItemDraft) { d.Source = "" }, "item_source"},
		"a source of another kind":             {proofing.ItemLegalName, func(d *proofing.ItemDraft) { d.SourceKind = proofing.SourceApplicant }, "item_source"},
		"an address from the applicant":        {proofing.ItemCommunication, func(d *proofing.ItemDraft) { d.SourceKind = proofing.SourceApplicant }, "item_source"},
		"a principal from a register":          {proofing.ItemPrincipal, func(d *proofing.ItemDraft) { d.SourceKind = proofing.SourceQGIS }, "item_source"},
		"a name by independent confirmation":   {proofing.ItemLegalName, func(d *proofing.ItemDraft) { d.SourceKind = proofing.SourceIndependent }, "item_source"},
		"no date":                              {proofing.ItemLegalName, func(d *proofing.ItemDraft) { d.CollectedAt = time.Time{} }, "item_collected"},
		"tomorrow":                             {proofing.ItemLegalName, func(d *proofing.ItemDraft) { d.CollectedAt = s.clock().Add(someDay) }, "item_collected"},
		"no outcome":                           {proofing.ItemLegalName, func(d *proofing.ItemDraft) { d.Outcome = "perhaps" }, "item_outcome"},
		"another name":                         {proofing.ItemLegalName, func(d *proofing.ItemDraft) { d.Value = "Example AG" }, "item_name"},
		"no number":                            {proofing.ItemRegistration, func(d *proofing.ItemDraft) { d.Value = " " }, "item_value"},
		"a list without its version":           {proofing.ItemSuspect, func(d *proofing.ItemDraft) { d.ListVersion = "" }, "item_list"},
		"method 8":                             {proofing.ItemKeyProtection, func(d *proofing.ItemDraft) { d.Method = 8 }, "item_method"},
		"attestation of no key":                {proofing.ItemKeyProtection, func(d *proofing.ItemDraft) { d.Method = 2 }, "item_keys"},
		"a witness of no key":                  {proofing.ItemKeyProtection, func(d *proofing.ItemDraft) { d.Method = 6 }, "item_keys"},
		"a key that is no digest":              {proofing.ItemKeyProtection, func(d *proofing.ItemDraft) { d.Keys = []string{"ab12"} }, "item_keys"},
		"a key of an organization's name":      {proofing.ItemLegalName, func(d *proofing.ItemDraft) { d.Keys = []string{strings.Repeat("a", 64)} }, "item_keys"},
		"more keys than anybody looks at":      {proofing.ItemKeyProtection, func(d *proofing.ItemDraft) { d.Keys = manyKeys(21) }, "item_keys"},
		"a method without its evidence":        {proofing.ItemKeyProtection, func(d *proofing.ItemDraft) { d.Reference = "" }, "item_method"},
		"an Enterprise RA without a contract":  {proofing.ItemEnterpriseRA, func(*proofing.ItemDraft) {}, "item_signer"},
		"an agreement that nobody has signed":  {proofing.ItemAgreement, func(*proofing.ItemDraft) {}, "item_agreement"},
		"one signed by a requester":            {proofing.ItemAgreement, func(d *proofing.ItemDraft) { d.Signer = s.held["alpha-req"].ID }, "item_subject"},
		"one signed by another's signer":       {proofing.ItemAgreement, func(d *proofing.ItemDraft) { d.Signer = s.held["other-con"].ID }, "item_subject"},
		"an end before its beginning":          {proofing.ItemAgreement, func(d *proofing.ItemDraft) { d.Signer, d.Until = s.held["alpha-con"].ID, s.clock().Add(-someDay) }, "item_until"},
		"a name about a person":                {proofing.ItemLegalName, func(d *proofing.ItemDraft) { d.Subject = s.held["alpha-con"].ID }, "item_subject"},
		"authority of nobody":                  {proofing.ItemApprover, func(*proofing.ItemDraft) {}, "item_subject"},
		"authority of a signer as an approver": {proofing.ItemApprover, func(d *proofing.ItemDraft) { d.Subject = s.held["alpha-con"].ID }, "item_subject"},
		"their own authority":                  {proofing.ItemApprover, func(d *proofing.ItemDraft) { d.Subject = s.held["alpha-app"].ID }, "item_own"},
		"a list of others":                     {proofing.ItemRequesterList, func(d *proofing.ItemDraft) { d.Names = []string{s.held["other-req"].ID} }, "item_subject"},
		"a domain that is none":                {proofing.ItemDomain, func(d *proofing.ItemDraft) { d.Value = "localhost" }, "identifier_malformed"},
		"a name that was confirmed by a call":  {proofing.ItemLegalName, func(d *proofing.ItemDraft) { d.ConfirmedHow = "called" }, "item_confirmed"},
	}
	both.renew()
	for what, tt := range tests {
		d := recorded(tt.kind, s.clock())
		tt.change(&d)
		_, err := s.RecordItem(ctx, both.visit(), org.ID, d)
		wantInput(t, what, err, tt.code)
	}
	if got := must[*proofing.Organization](t)(s.OrganizationOf(ctx, "alpha", "Example GmbH")); len(got.Items) != 0 || got.ID != org.ID {
		t.Errorf("it has %d items", len(got.Items))
	}
}

func TestARuleIsSetByTwoWhomItDoesNotName(t *testing.T) {
	s := staff(t)
	ctx := t.Context()
	org, approver := s.orgs["alpha"], s.held["alpha-app"]
	rule := proofing.ApprovalRule{Needed: 1, Of: []string{approver.ID}}
	s.one.renew()
	for what, tt := range map[string]struct {
		rule proofing.ApprovalRule
		code string
	}{
		"nobody":               {proofing.ApprovalRule{}, "rule_needed"},
		"two of one":           {proofing.ApprovalRule{Needed: 2, Of: []string{approver.ID}}, "rule_needed"},
		"one twice":            {proofing.ApprovalRule{Needed: 2, Of: []string{approver.ID, approver.ID}}, "rule_twice"},
		"a role in order":      {proofing.ApprovalRule{Needed: 2, InOrder: true}, "rule_order"},
		"one of two in order":  {proofing.ApprovalRule{Needed: 1, Of: []string{approver.ID, "x"}, InOrder: true}, "rule_order"},
		"a requester":          {proofing.ApprovalRule{Needed: 1, Of: []string{s.held["alpha-req"].ID}}, "rule_of"},
		"another's approver":   {proofing.ApprovalRule{Needed: 1, Of: []string{s.held["other-app"].ID}}, "rule_of"},
		"more than there ever": {proofing.ApprovalRule{Needed: 21}, "rule_needed"},
	} {
		_, err := s.SetApprovalRule(ctx, s.one.visit(), org.ID, tt.rule)
		wantInput(t, what, err, tt.code)
	}
	for range 2 {
		got := must[*proofing.Organization](t)(s.SetApprovalRule(ctx, s.one.visit(), org.ID, rule))
		if got.Proposed == nil || len(got.Rule.Of) != 0 {
			t.Fatalf("proposed by one it is %+v", got.Rule)
		}
	}
	operator := s.who["alpha-ope"]
	operator.renew()
	// Another rule takes its place, and nothing is set.
	got := must[*proofing.Organization](t)(s.SetApprovalRule(ctx, operator.visit(), org.ID, proofing.ApprovalRule{Needed: 2}))
	if got.Rule.Needed != 1 || got.Proposed.Needed != 2 {
		t.Errorf("after another one was proposed it is %+v, proposed %+v", got.Rule, got.Proposed)
	}
	for range 2 {
		got = must[*proofing.Organization](t)(s.SetApprovalRule(ctx, s.one.visit(), org.ID, proofing.ApprovalRule{Needed: 2}))
	}
	if got.Rule.Needed != 2 || got.Proposed != nil {
		t.Errorf("by two it is %+v, proposed %+v", got.Rule, got.Proposed)
	}
	// What somebody has proposed who has lost their role since counts for nothing.
	operator.renew()
	must[*proofing.Organization](t)(s.SetApprovalRule(ctx, operator.visit(), org.ID, rule))
	s.one.renew()
	must[*proofing.Appointment](t)(s.SuspendAppointment(ctx, s.one.visit(), s.held["alpha-ope"].ID, "stolen"))
	if got = must[*proofing.Organization](t)(s.SetApprovalRule(ctx, s.one.visit(), org.ID, rule)); got.Rule.Needed != 2 || got.Proposed.By.ID != s.one.person() {
		t.Errorf("by two, one of whom has no role any more, it is %+v, proposed %+v", got.Rule, got.Proposed)
	}
	// Nobody sets one that names themselves.
	admin := s.who["alpha-app"]
	s.adds(admin, s.one, s.two, draft(proofing.RoleAdministrator, "", ""))
	_, err := s.SetApprovalRule(ctx, admin.visit(), org.ID, rule)
	wantInput(t, "their own", err, "rule_own")
}

// A dossier keeps what counts however much is recorded, at two processes at once, and no record grows too large for the store.
func TestADossierKeepsWhatCounts(t *testing.T) {
	s := staff(t)
	other := s.process(s.kv)
	other.Methods, other.Policy = s.Methods, s.Policy
	ctx := t.Context()
	specialist, org := s.who["alpha-val"], s.orgs["alpha"]
	specialist.renew()
	must[*proofing.Organization](t)(s.RecordItem(ctx, specialist.visit(), org.ID, recorded(proofing.ItemLegalName, s.clock())))
	long := strings.Repeat("\U00020000", 300)
	for round := range 6 {
		var writers []func()
		for n := range 4 {
			writers = append(writers, func() {
				for range 4 {
					d := recorded(proofing.ItemCommunication, s.clock())
					d.Value, d.Source, d.ConfirmedHow, d.Reference = fmt.Sprint(round, n, long), long, long, long
					if _, err := []*proofing.Service{s.Service, other}[n%2].RecordItem(ctx, specialist.visit(), org.ID, d); err != nil {
						t.Error(err)
					}
				}
			})
		}
		atOnce(writers...)
		got := must[*proofing.Organization](t)(s.OrganizationOf(ctx, "alpha", org.Name))
		if len(got.Journal.Pending) < 16 {
			t.Fatalf("%d entries of 16 items", len(got.Journal.Pending))
		}
		for more := true; more; { // until the log is too far behind
			_, err := s.RecordItem(ctx, specialist.visit(), org.ID, recorded(proofing.ItemPlace, s.clock()))
			if more = err == nil; !more {
				wantErr(t, "with too much before the log", err, proofing.ErrUnavailable)
			}
		}
		must[*proofing.Organization](t)(s.Dossiers.Update(ctx, org.ID, func(o *proofing.Organization) error {
			o.Journal.Pending = nil // as if the sequencer had taken them
			return nil
		}))
	}
	got := must[*proofing.Organization](t)(s.OrganizationOf(ctx, "alpha", org.Name))
	if got.Current(proofing.ItemLegalName, "") == nil || got.Current(proofing.ItemPlace, "") == nil || got.Version() < 6*16 || len(got.Items) > 250 || len(got.Items) < 20 {
		t.Errorf("%d items and %d entries", len(got.Items), got.Version())
	}
}
