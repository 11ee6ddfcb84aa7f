package templates

import (
	"strings"
	"time"
)

func adminFields(form string, fields ...AdminField) []AdminField {
	for i := range fields {
		fields[i].Form = form
	}
	return fields
}

// adminOrganizationSamples are the pages of dossiers.
func adminOrganizationSamples() map[string]Screen {
	day := 24 * time.Hour
	rows := []AdminOrganizationRow{
		{"/admin/organizations/1", "Example <Corporation>", "Example CA", 3, "denied_list", at.Add(20 * day)},
		{"/admin/organizations/2", "Gesellschaft für Beispiele mit beschränkter Haftung", "Example CA", 0, "subscriber_agreement", at.Add(300 * day)},
		{"/admin/organizations/3", "Third Corporation", "Example CA", 1, "", time.Time{}},
	}
	list := AdminOrganizations{
		AdminFrame: adminFrame("organizations", "/admin/organizations"), CAs: []AdminScope{{Title: "Example CA", Href: "/admin/organizations", Here: true}, {Title: "Other CA", Href: "/admin/organizations?ca=other", Here: false}},
		Find: AdminFind{Action: "/admin"}, Rows: rows, Open: "/admin/organizations", CA: "example", First: "/admin/organizations", Next: "/admin/organizations?after=x",
	}
	wrong := list
	wrong.AdminAct = AdminAct{Notice: &Problem{Family: "error", Code: "not_fresh"}, Stale: true, Confirm: "/me?method=fido"}
	wrong.Rows, wrong.First, wrong.Next, wrong.Name, wrong.NameBad = nil, "", "", "<>", &Problem{Family: "input", Code: "identifier_malformed"}
	own := AdminOrganizations{AdminFrame: adminFrame("organizations", "/admin/organizations"), Find: AdminFind{Action: "/admin"}, Own: rows[:1]}

	sources := []AdminChoice{{Value: "qgis"}, {Value: "registration_agency"}, {Value: "professional_letter", Chosen: true}}
	outcome := AdminField{Name: "outcome", Type: "radio", Must: true, Choices: []AdminChoice{{Value: "good", Chosen: true}, {Value: "bad"}}}
	people := []AdminChoice{{Value: "a1", Title: "A. <Example>", Chosen: true}, {Value: "a2", Title: "B. Example"}}
	form := func(kind string, fields ...AdminField) *AdminForm {
		for i := range fields {
			fields[i].Kind = kind
		}
		return &AdminForm{Name: kind, Action: "/admin/organizations/1/items", Once: "once", Hidden: []Choice{{"kind", kind}}, Fields: adminFields(kind, fields...)}
	}
	legal := form("legal_name",
		AdminField{Name: "value", Type: "text", Must: true, Max: 300}, outcome, AdminField{Name: "source_kind", Type: "choice", Must: true, Choices: sources},
		AdminField{Name: "source", Type: "text", Must: true, Max: 300}, AdminField{Name: "reference", Type: "text", Max: 120}, AdminField{Name: "collected", Type: "date", Must: true, Value: "2026-11-23"})
	method := AdminField{Name: "method", Type: "choice", Must: true, Bad: &Problem{Family: "input", Code: "item_method"}}
	for _, n := range []string{"1", "2", "3", "4", "5", "6", "7"} {
		method.Choices = append(method.Choices, AdminChoice{Value: n})
	}
	key := form("key_protection", method, AdminField{Name: "keys", Type: "text", Max: 1920}, outcome, AdminField{Name: "source_kind", Type: "choice", Must: true, Choices: []AdminChoice{{Value: "key_proof"}}})
	key.Open = true
	list2 := form("requester_list", AdminField{Name: "names", Type: "checks", Choices: people})
	denied := form("denied_list", AdminField{Name: "subject", Type: "choice", Must: true, Choices: append([]AdminChoice{{Value: "organization"}}, people...)}, AdminField{Name: "list", Type: "text", Must: true}, AdminField{Name: "list_version", Type: "text", Must: true}, outcome)
	confirm := &AdminForm{Name: "confirm1", Action: "/admin/organizations/1/items", Once: "once", Hidden: []Choice{{"confirmed_item", "i1"}}, Fields: adminFields("confirm1", AdminField{Name: "confirmed_how", Type: "text", Must: true, Max: 300})}
	fact := AdminFact{
		Kind: "legal_name", Value: "Example <Corporation>", Good: true, SourceKind: "registration_agency", Source: "Register of companies <1>", Reference: "file <17>",
		Collected: at.Add(-30 * day), Recorded: at.Add(-29 * day), By: "V. <Specialist>", Until: at.Add(368 * day),
	}
	refuted, phone, screen, protected, agreed, named := fact, fact, fact, fact, fact, fact
	refuted.Good = false
	phone.Kind, phone.Value, phone.State, phone.Confirm = "communication", "+49 30 1234567", "unconfirmed", confirm
	answered := phone
	answered.State, answered.Confirm, answered.Confirmed, answered.ConfirmedHow = "", nil, at.Add(-day), "called; the reception answered"
	screen.Kind, screen.Value, screen.List, screen.ListVersion, screen.About, screen.State, screen.Until = "denied_list", "", "Sanctions", "2026-10-01", "A. <Example>", "aged", at.Add(-day)
	protected.Kind, protected.Value, protected.Method = "key_protection", "", "2"
	protected.Keys = []string{strings.Repeat("AbCdEfGhIj", 5)[:43], strings.Repeat("KlMnOpQrSt", 5)[:43]}
	agreed.Kind, agreed.Value, agreed.Version, agreed.Signer, agreed.Until = "subscriber_agreement", "", "3", "C. Example", time.Time{}
	named.Kind, named.Value, named.Named, named.Names = "requester_list", "", true, []string{"A. <Example>", "B. Example"}
	nobody := named
	nobody.Names = nil
	page := AdminOrganization{
		AdminFrame: adminFrame("organizations", "/admin/organizations/1"), Back: "/admin/organizations", Name: "Example <Corporation>", Known: "Example Corporation", CA: "Example CA", Since: at,
		Lacks: []AdminLack{{Code: "missing", Item: "registration_number", Clause: "3.2.2.2.1"}, {Code: "aged", Item: "denied_list", Clause: "3.2.8", About: "A. <Example>", Since: at.Add(-day)}, {Code: "role", Clause: "3.2.2.2", Role: "contract_signer"}},
		Ages: []AdminAge{
			{"denied_list", "", "A. <Example>", at.Add(-day), true, 0, false}, {"agreement", "/admin/people/a1", "A. <Example>", at.Add(-day), true, 0, false},
			{"reconfirm", "/admin/people/a2", "B. Example", at.Add(7 * day), false, 7 * day, false}, {"legal_name", "", "", at.Add(368 * day), false, 368 * day, true},
		},
		Items: []AdminItem{
			{"legal_name", "3.2.2.2.1", "always", []AdminFact{fact}, []AdminFact{refuted}, legal},
			{"registration_number", "3.2.2.2.1", "ev", nil, nil, nil},
			{"principal_individual", "3.2.2.2.1", "business_entity", nil, nil, nil},
			{"communication", "3.2.2.2.4", "always", []AdminFact{phone}, []AdminFact{answered}, nil},
			{"subscriber_agreement", "9.6.3", "always", []AdminFact{agreed}, nil, nil},
			{"denied_list", "3.2.8", "ev", []AdminFact{screen}, nil, denied},
			{"requester_list", "3.2.5", "never", []AdminFact{named, nobody}, nil, list2},
			{"key_protection", "6.2.7.4.2", "always", []AdminFact{protected}, nil, key},
		},
		Rule: AdminRules{
			Now: AdminRule{Needed: 1}, Proposed: &AdminRule{2, []Choice{{"a1", "A. <Example>"}, {"a2", "B. Example"}}, true}, By: "O. Example", At: at, Set: "/admin/organizations/1/rule",
			Form: &AdminForm{Name: "rule", Action: "/admin/organizations/1/rule", Fields: adminFields("rule", AdminField{Name: "needed", Type: "number", Must: true, Value: "1"})},
			Of:   []AdminTurn{{"a1", "A. <Example>", true, "2"}, {"a2", "B. Example", false, ""}}, InOrder: true,
		},
		Review: AdminReview{
			By: "R. <Reviewer>", At: at, Since: []AdminLack{{Item: "denied_list", About: "A. <Example>"}, {Item: "key_protection"}}, Save: "/admin/organizations/1/review", Number: 17,
			Bad: &Problem{Family: "input", Code: "review_stale"},
		},
		People:    []AdminPersonRow{{"/admin/people/1", "A. <Example>", "certificate_approver", "Example <Corporation>", "active", "", at, ""}},
		AllPeople: "/admin/people?organization=1", Log: "/admin/log?object=1",
		Requests: []AdminRequest{
			{"/admin/cases/1", "0qqaen0v80dfvj93m3z4kznb9tmz", "EV <code> signing", at, "review", false}, {"/admin/cases/2", "0qqaen0v80dfvj93m3z4kznb9tmy", "EV <code> signing", at, "granted", true},
			{"/admin/cases/3", "0qqaen0v80dfvj93m3z4kznb9tmx", "EV <code> signing", at.AddDate(-1, 0, 0), "revoked", false},
		},
		First: "/admin/organizations/1#requests", Next: "/admin/organizations/1?after=x#requests",
	}
	page.Notice = &Problem{Family: "input", Code: "item_method"}
	read := page
	read.Review = AdminReview{Since: []AdminLack{{Item: "legal_name"}}}
	read.Requests, read.First, read.Next = nil, "", ""
	read.AdminAct, read.Lacks, read.Ages, read.Items, read.People = AdminAct{}, nil, nil, []AdminItem{{"legal_name", "3.2.2.2.1", "always", nil, nil, nil}}, nil
	read.Rule = AdminRules{Now: AdminRule{2, []Choice{{"a1", "A. <Example>"}, {"a2", "B. Example"}}, false}, Proposed: &AdminRule{Needed: 1}, By: "O. Example", At: at, Mine: true}
	stale := read
	stale.Stale, stale.Confirm = true, "/me?method=fido"
	stale.Review.By, stale.Review.At, stale.Review.Save, stale.Review.Collected = "R. <Reviewer>", at, "/admin/organizations/1/review", true
	stale.Rule.Form, stale.Rule.OfBad, stale.Rule.Of = page.Rule.Form, &Problem{Family: "input", Code: "rule_order"}, page.Rule.Of
	return map[string]Screen{
		"admin-organizations": list, "admin-organizations-wrong": wrong, "admin-organizations-own": own,
		"admin-organization": page, "admin-organization-read": read, "admin-organization-stale": stale,
	}
}
