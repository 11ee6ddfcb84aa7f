package acme_test

import (
	"context"
	"crypto/elliptic"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/acme"
	"github.com/countersign-id/countersign/proofing"
)

var (
	oidNumber   = asn1.ObjectIdentifier{2, 5, 4, 5}
	oidCategory = asn1.ObjectIdentifier{2, 5, 4, 15}
	oidIncL     = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 60, 2, 1, 1}
	oidIncST    = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 60, 2, 1, 2}
	oidIncC     = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 60, 2, 1, 3}
)

// dossier puts items into the dossier of an organization at the authority alpha.
func (w *world) dossier(t testing.TB, name string, items map[proofing.ItemKind]string) {
	t.Helper()
	id := proofing.FixedID(w.Hasher.Sum("organization", "alpha", name))
	o := &proofing.Organization{ID: id, CA: "alpha", Name: name, Created: w.clock()}
	for kind, value := range items {
		o.Items = append(o.Items, proofing.Item{Kind: kind, Value: value, Outcome: proofing.OutcomeGood, CollectedAt: w.clock()})
	}
	if err := w.Dossiers.Create(context.Background(), id, o); err != nil {
		t.Fatal(err)
	}
}

// TestASubjectSaysHowTheDossierHasTheOrganizationRegistered: an EV certificate for code signing must say it (CSBR 7.1.4.2).
func TestASubjectSaysHowTheDossierHasTheOrganizationRegistered(t *testing.T) {
	german := proofing.Registration{Number: "HRB 1234", Jurisdiction: "DE"}
	american := proofing.Registration{Number: "7", Jurisdiction: "US, Delaware"}
	local := proofing.Registration{Number: "7", Jurisdiction: "Wilmington, Delaware, US"}
	stateless := proofing.Registration{Number: "7", Jurisdiction: "DE, , Berlin"}
	narrow := proofing.Registration{Number: "7", Jurisdiction: "Berlin,, DE"}
	spelled := proofing.Registration{Number: "7", Jurisdiction: "Germany"}
	business := proofing.Registration{Number: "7", Business: true}
	key := ecKey(t, elliptic.P256())
	type member struct {
		oid   asn1.ObjectIdentifier
		value any
	}
	for what, c := range map[string]struct {
		by      *proofing.Registration
		subject []member
		want    string // words of the fault; empty: none
	}{
		"all of it":                        {&german, []member{{oidNumber, "HRB 1234"}, {oidCategory, "Private Organization"}, {oidIncC, "DE"}}, ""},
		"the state, as the dossier has it": {&american, []member{{oidNumber, "7"}, {oidIncC, "US"}, {oidIncST, "Delaware"}}, ""},
		"the locality, the other way":      {&local, []member{{oidIncC, "US"}, {oidIncST, "Delaware"}, {oidIncL, "Wilmington"}}, ""},
		"a locality without a state":       {&stateless, []member{{oidNumber, "7"}, {oidIncC, "DE"}, {oidIncL, "Berlin"}}, ""},
		"the same, the other way":          {&narrow, []member{{oidIncC, "DE"}, {oidIncL, "Berlin"}}, ""},
		"such a locality as the state":     {&stateless, []member{{oidIncC, "DE"}, {oidIncST, "Berlin"}}, `the jurisdiction "Berlin, DE"`},
		"such a locality and a state":      {&stateless, []member{{oidIncC, "DE"}, {oidIncST, "Berlin"}, {oidIncL, "Berlin"}}, "the jurisdiction"},
		"a country without its locality":   {&stateless, []member{{oidIncC, "DE"}}, `the jurisdiction "DE"`},
		"a locality and an empty state":    {&stateless, []member{{oidIncC, "DE"}, {oidIncST, ""}, {oidIncL, "Berlin"}}, "the jurisdiction"},
		"a Business Entity":                {&business, []member{{oidCategory, "Business Entity"}}, ""},
		"without a dossier, a number":      {nil, []member{{oidNumber, "HRB 1234"}}, "not the registration number"},
		"without a dossier, a category":    {nil, []member{{oidCategory, "Private Organization"}}, "no category"},
		"without a dossier, a country":     {nil, []member{{oidIncC, "DE"}}, `the jurisdiction "DE"`},
		"another number":                   {&german, []member{{oidNumber, "HRB 12345"}}, `serialNumber "HRB 12345"`},
		"a number in another case":         {&german, []member{{oidNumber, "hrb 1234"}}, "not the registration number"},
		"no number":                        {&german, []member{{oidNumber, ""}}, "not the registration number"},
		"two numbers":                      {&german, []member{{oidNumber, "HRB 1234"}, {oidNumber, "HRB 1234"}}, "serialNumber twice"},
		"a number that is no text":         {&german, []member{{oidNumber, 1234}}, "cannot be read"},
		"another country":                  {&german, []member{{oidIncC, "FR"}}, `the jurisdiction "FR"`},
		"a state more than there is":       {&german, []member{{oidIncC, "DE"}, {oidIncST, "Berlin"}}, `the jurisdiction "Berlin, DE"`},
		"a country without its state":      {&american, []member{{oidIncC, "US"}}, `the jurisdiction "US"`},
		"a state without its country":      {&american, []member{{oidIncST, "Delaware"}}, `the jurisdiction "Delaware"`},
		"all in the country":               {&german, []member{{oidIncC, "DE"}, {oidIncC, "FR"}}, "jurisdictionC twice"},
		"a state within the country":       {&american, []member{{oidIncC, "US, Delaware"}}, `the jurisdiction "US, Delaware"`},
		"a state as the locality":          {&american, []member{{oidIncC, "US"}, {oidIncL, "Delaware"}}, `the jurisdiction "Delaware, US"`},
		"a state in the country's place":   {&american, []member{{oidIncST, "US, Delaware"}}, "the jurisdiction"},
		"all in the locality":              {&american, []member{{oidIncL, "Delaware, US"}}, "the jurisdiction"},
		"the other way in the country":     {&american, []member{{oidIncC, "Delaware"}, {oidIncST, "US"}}, `the jurisdiction "US, Delaware"`},
		"a country as the locality":        {&german, []member{{oidIncL, "DE"}}, `the jurisdiction "DE"`},
		"a country as the state":           {&german, []member{{oidIncST, "DE"}}, `the jurisdiction "DE"`},
		"a country that is no code":        {&spelled, []member{{oidIncC, "Germany"}}, `the jurisdiction "Germany"`},
		"a locality within the state":      {&local, []member{{oidIncC, "US"}, {oidIncST, "Wilmington, Delaware"}}, "the jurisdiction"},
		"a locality without its state":     {&local, []member{{oidIncC, "US"}, {oidIncL, "Wilmington, Delaware"}}, "the jurisdiction"},
		"a state that is empty":            {&german, []member{{oidIncC, "DE"}, {oidIncST, ""}}, "the jurisdiction"},
		"a category that there is not":     {&german, []member{{oidCategory, "Bank"}}, `businessCategory "Bank"`},
		"a Business Entity that is none":   {&german, []member{{oidCategory, "Business Entity"}}, "no category"},
		"another of a Business Entity":     {&business, []member{{oidCategory, "Private Organization"}}, "no category"},
		"a jurisdiction that is not known": {&business, []member{{oidIncC, ""}}, "the jurisdiction"},
	} {
		template := good()
		for _, m := range c.subject {
			template.Subject.ExtraNames = append(template.Subject.ExtraNames, pkix.AttributeTypeAndValue{Type: m.oid, Value: m.value})
		}
		described, err := acme.DescribeCSR(sign(t, template, key))
		if err != nil {
			t.Fatal(err)
		}
		faults := codeSigning.Judge(described, asked, c.by)
		switch {
		case c.want == "" && len(faults) != 0, c.want != "" && (len(faults) != 1 || faults[0].Code != "subject" || !strings.Contains(faults[0].Detail, c.want)):
			t.Errorf("%s: %v, want %q", what, faults, c.want)
		}
		if faults := silent.Judge(described, asked, c.by); len(faults) != 0 {
			t.Errorf("%s, where nothing is said of CSRs: %v", what, faults)
		}
	}
}

func TestACSRMayNameTheRegistrationOfTheDossier(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{company, "Another GmbH"} {
		if _, err := w.Register(t.Context(), "alpha", proofing.Identifier{Type: "organization", Value: name}, "", proofing.Holder{Channel: proofing.ChannelEmail, Address: applicant}); err != nil {
			t.Fatal(err)
		}
	}
	ev := good()
	ev.Subject.SerialNumber = "HRB 1234"
	ev.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: oidCategory, Value: "Private Organization"}, {Type: oidIncC, Value: "DE"}}
	csr := sign(t, ev, ecKey(t, elliptic.P256()))
	problem := w.ask(t, askFor("code", "organization:"+company, csr)).object("error")
	if subs := problem.list("subproblems"); len(subs) != 4 { // what the person must do, and three members
		t.Fatalf("without a dossier: %v", problem)
	}
	w.prove(t, problem.list("subproblems")[0].text("instance"), applicant)
	w.dossier(t, company, map[proofing.ItemKind]string{proofing.ItemRegistration: "HRB 1234", proofing.ItemJurisdiction: "DE"})
	if yes := w.ask(t, askFor("code", "organization:"+company, csr)); yes["allow"] != true || yes.object("data").object("organization").text("registration_number") != "HRB 1234" {
		t.Errorf("by the dossier: %v", yes)
	}
	// What is too old for a certificate (CSBR 4.2.1) no CA is given to write into one.
	collected := func(at time.Time) {
		id := proofing.FixedID(w.Hasher.Sum("organization", "alpha", company))
		if _, err := w.Dossiers.Update(t.Context(), id, func(o *proofing.Organization) error {
			for i := range o.Items {
				o.Items[i].CollectedAt = at
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	collected(w.clock().AddDate(0, 0, -826))
	plain := sign(t, good(), ecKey(t, elliptic.P256()))
	if yes := w.ask(t, askFor("code", "organization:"+company, plain)); yes["allow"] != true || len(yes.object("data").object("organization")) != 1 {
		t.Errorf("by a dossier that is too old: %v", yes)
	}
	collected(w.clock())
	// The dossier of one organization says nothing of a CSR that is asked for with another.
	both := strings.Replace(askFor("code", "organization:"+company, csr), `"identifiers":[`, `"identifiers":[{"type":"organization","value":"Another GmbH"},`, 1)
	if subs := w.ask(t, both).object("error").list("subproblems"); len(subs) != 4 {
		t.Errorf("of two organizations: %v", subs)
	}
	w.pass(826 * 24 * time.Hour) // CSBR 4.2.1: what is in the dossier is too old by then
	aged := w.ask(t, askFor("code", "organization:"+company, csr)).object("error")
	bad := 0
	for _, s := range aged.list("subproblems") {
		if s.text("type") == "urn:ietf:params:acme:error:badCSR" {
			bad++
		}
	}
	if bad != 3 {
		t.Errorf("by a dossier that is too old: %v", aged)
	}
}

func TestACertificateOfStepCAMayNameTheRegistrationOfTheDossier(t *testing.T) {
	w := newStepWorld(t)
	w.preauthorize(t, "signing", "organization", org, true)
	names := func(list ...string) (extra []fields) {
		for _, one := range list {
			oid, value, _ := strings.Cut(one, "=")
			extra = append(extra, fields{"type": oid, "value": value})
		}
		return extra
	}
	subject := func(number string, extra any) fields {
		return w.authorizing(t, fields{"commonName": org, "organization": []string{org}, "serialNumber": number, "extraNames": extra})
	}
	whole := subject("HRB 1234", names(oidCategory.String()+"=Private Organization", oidIncC.String()+"=DE"))
	w.denied(t, w.callStep(t, "authorizing", whole), "nameNotProved", "dossier of one organization")
	w.dossier(t, org, map[proofing.ItemKind]string{proofing.ItemRegistration: "HRB 1234", proofing.ItemJurisdiction: "DE"})
	data := w.allowed(t, w.callStep(t, "enriching", w.enriching(t, pkix.Name{})))
	if o := data.object("organization"); o.text("name") != org || o.text("registration_number") != "HRB 1234" || o.text("jurisdiction") != "DE" {
		t.Errorf("a template is given %v", o)
	}
	w.allowed(t, w.callStep(t, "authorizing", whole))
	for what, c := range map[string]struct {
		call fields
		code string
		word string
	}{
		"another number":                    {subject("HRB 1", nil), "nameNotProved", "not the registration number"},
		"another country":                   {subject("", names(oidIncC.String()+"=FR")), "nameNotProved", `jurisdiction "FR"`},
		"a number among the rest":           {subject("", names(oidNumber.String()+"=HRB 1")), "nameNotProved", "not the registration number"},
		"a number in both places":           {subject("HRB 1234", names(oidNumber.String()+"=HRB 1234")), "nameNotProved", "twice"},
		"another organization":              {subject("", names("2.5.4.10=Other Ltd")), "nameNotProved", "extraNames"},
		"something nobody judges":           {subject("", names(oidIncC.String()+"=DE", "2.5.4.42=x")), "nameNotProved", "extraNames"},
		"a value that is no text":           {subject("", []fields{{"type": oidIncC.String(), "value": []byte(nil)}}), "nameNotProved", "cannot be read"},
		"a name that is no object":          {subject("", []string{"x"}), "malformed", "object"},
		"a number without its organization": {w.authorizing(t, fields{"serialNumber": "HRB 1234"}), "nameNotProved", "names nothing"},
	} {
		t.Run(what, func(t *testing.T) { w.denied(t, w.callStep(t, "authorizing", c.call), c.code, c.word) })
	}
}
