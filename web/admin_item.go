package web

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/templates"
)

// need is whether a form has a field.
type need int

const (
	without need = iota
	may
	must
)

// itemFields are the fields that a kind of item takes besides those that all have.
type itemFields struct {
	value, reference, until                                      need
	list, method, agreement, signer, names, confirmed, perPerson bool
}

// itemForms are the fields of each kind. What each takes the service checks; this is what its page asks for.
var itemForms = map[proofing.ItemKind]itemFields{
	proofing.ItemLegalName:      {value: must, reference: may},
	proofing.ItemRegistration:   {value: must, reference: may},
	proofing.ItemJurisdiction:   {value: must, reference: may},
	proofing.ItemBusinessEntity: {value: may, reference: may},
	proofing.ItemPrincipal:      {value: may, reference: may},
	proofing.ItemPlace:          {value: must, reference: may},
	proofing.ItemCommunication:  {value: must, reference: may, confirmed: true},
	proofing.ItemOperational:    {value: may, reference: may},
	proofing.ItemDomain:         {value: must, reference: may},
	proofing.ItemApprover:       {value: may, reference: may, until: may, perPerson: true},
	proofing.ItemSigner:         {value: may, reference: may, until: may, perPerson: true},
	proofing.ItemAgreement:      {reference: may, until: may, agreement: true, signer: true},
	proofing.ItemDenied:         {value: may, reference: may, list: true, perPerson: true},
	proofing.ItemSuspect:        {value: may, reference: may, list: true},
	proofing.ItemRequesterList:  {reference: may, until: may, names: true},
	proofing.ItemEnterpriseRA:   {value: may, reference: may, until: may, signer: true},
	proofing.ItemRolesCombined:  {reference: may, until: may},
	proofing.ItemKeyProtection:  {value: may, reference: must, method: true},
}

// itself is the organization among those whom an item can be about.
const itself = "organization"

// readItem is what a form records. What it says wrongly, the service refuses.
func readItem(form url.Values) proofing.ItemDraft {
	method, _ := strconv.Atoi(form.Get("method"))
	d := proofing.ItemDraft{
		Kind: proofing.ItemKind(form.Get("kind")), Subject: form.Get("subject"), Value: form.Get("value"), Source: form.Get("source"), SourceKind: proofing.SourceKind(form.Get("source_kind")),
		Reference: form.Get("reference"), CollectedAt: readDay(form.Get("collected")), Outcome: proofing.Outcomes(form.Get("outcome")), ConfirmedHow: form.Get("confirmed_how"),
		List: form.Get("list"), ListVersion: form.Get("list_version"), Method: method, Keys: strings.FieldsFunc(form.Get("keys"), func(r rune) bool { return r == ',' || unicode.IsSpace(r) }), Version: form.Get("version"), Signer: form.Get("signer"), Names: form["names"],
		Until: readDay(form.Get("until")), Once: proofing.Secret(form.Get("once")), ConfirmedItem: form.Get("confirmed_item"),
	}
	if d.Subject == itself {
		d.Subject = ""
	}
	return d
}

// itemFaults are the fields at which the mistakes of an item are told, where they have another name there.
var itemFaults = map[string]string{"name": "value", "identifier.value": "value", "confirmed": "confirmed_how", "agreement": "version"}

const ruleForm = "rule"

// mostTypedKeys is how long a list of keys may be: twenty SHA-256 in hexadecimal, by pairs with a colon between them.
const mostTypedKeys = 20 * 96

func confirmForm(item string) string { return "confirm-" + item }

// dossierView is what the page of a dossier is drawn from.
type dossierView struct {
	*proofing.Organization
	people            []*proofing.Appointment
	now               time.Time
	collects, governs bool
	items, rule       string // where forms go
	me                string
	// sent is the form that has a mistake, with what was typed; empty if none has.
	sent   string
	typed  url.Values
	answer answer
}

// fault is the field of the form with a mistake at which it is told.
func (v *dossierView) fault() string {
	if to := itemFaults[v.answer.field]; to != "" {
		return to
	}
	return v.answer.field
}

// placed says whether the mistake is told at a field.
func (v *dossierView) placed() bool {
	if v.sent == ruleForm {
		return v.governs && slices.Contains([]string{"needed", "of", "in_order"}, v.fault())
	}
	var form *templates.AdminForm
	if rule, known := itemRule(proofing.ItemKind(v.sent)); known {
		form = v.form(rule)
	} else if strings.HasPrefix(v.sent, confirmForm("")) {
		form = v.confirm(v.sent)
	}
	return form != nil && v.collects && slices.ContainsFunc(form.Fields, func(f templates.AdminField) bool { return f.Bad != nil })
}

func itemRule(kind proofing.ItemKind) (proofing.ItemRule, bool) {
	rules := proofing.ItemRules()
	i := slices.IndexFunc(rules, func(r proofing.ItemRule) bool { return r.Kind == kind })
	if i < 0 {
		return proofing.ItemRule{}, false
	}
	return rules[i], true
}

// person is what somebody is called who has an appointment in the organization.
func (v *dossierView) person(id string) string {
	for _, a := range v.people {
		if a.ID == id {
			return a.Name
		}
	}
	return id
}

// about is the person whom an item is about; empty for the organization.
func (v *dossierView) about(it *proofing.Item) string {
	if it.Subject == "" || it.Kind == proofing.ItemDomain || it.Kind == proofing.ItemKeyProtection {
		return ""
	}
	return v.person(it.Subject)
}

// item is a kind of item with all that is known of it.
func (v *dossierView) item(rule proofing.ItemRule) templates.AdminItem {
	out := templates.AdminItem{Kind: string(rule.Kind), Clause: rule.Clause, Need: string(rule.Needed)}
	current := v.Currents()
	for i := range v.Items {
		it := &v.Items[i]
		switch {
		case it.Kind != rule.Kind:
		case slices.Contains(current, it):
			out.Facts = append(out.Facts, v.fact(it, true))
		default:
			out.Past = append(out.Past, v.fact(it, false))
		}
	}
	slices.Reverse(out.Past) // the newest first
	if v.collects {
		out.Form = v.form(rule)
	}
	return out
}

func (v *dossierView) fact(it *proofing.Item, current bool) templates.AdminFact {
	f := templates.AdminFact{
		Kind: string(it.Kind), About: v.about(it), Value: it.Value, Good: it.Outcome == proofing.OutcomeGood, List: it.List, ListVersion: it.ListVersion, Version: it.Version,
		SourceKind: string(it.SourceKind), Source: it.Source, Reference: it.Reference, Collected: it.CollectedAt, Recorded: it.RecordedAt, By: it.CollectedByName,
		Keys: it.Keys, Confirmed: it.ConfirmedAt, ConfirmedHow: it.ConfirmedHow, Until: it.GoodUntil(true), Named: itemForms[it.Kind].names,
	}
	if len(it.Gathered) > 0 {
		f.Reference = entriesNamed(it.Gathered)
	}
	if it.Method > 0 {
		f.Method = strconv.Itoa(it.Method)
	}
	if it.Signer != "" {
		f.Signer = v.person(it.Signer)
	}
	for _, id := range it.Names {
		f.Names = append(f.Names, v.person(id))
	}
	switch {
	case !f.Until.IsZero() && !v.now.Before(f.Until):
		f.State = "aged"
	case itemForms[it.Kind].confirmed && f.Good && it.ConfirmedAt.IsZero():
		f.State = "unconfirmed"
	}
	if current && v.collects && f.Good && itemForms[it.Kind].confirmed {
		f.Confirm = v.confirm(confirmForm(it.ID))
	}
	return f
}

// entriesNamed names entries of a dossier, of which the log has the words; of many the first and the last.
func entriesNamed(entries []int64) string {
	const most = 12
	var names []string
	for i, n := range entries {
		switch {
		case len(entries) <= most || i < most-1 || i == len(entries)-1:
			names = append(names, "#"+strconv.FormatInt(n, 10))
		case i == most-1:
			names = append(names, "…")
		}
	}
	return strings.Join(names, " ")
}

// confirm is the form by which an item is confirmed.
func (v *dossierView) confirm(name string) *templates.AdminForm {
	return v.fill(&templates.AdminForm{
		Name: name, Action: v.items, Hidden: []templates.Choice{{Name: "confirmed_item", Title: strings.TrimPrefix(name, confirmForm(""))}},
		Fields: []templates.AdminField{{Name: "confirmed_how", Type: "text", Must: true, Max: 300}},
	})
}

// form is the one that records an item of a kind.
func (v *dossierView) form(rule proofing.ItemRule) *templates.AdminForm {
	has := itemForms[rule.Kind]
	f := &templates.AdminForm{Name: string(rule.Kind), Action: v.items, Hidden: []templates.Choice{{Name: "kind", Title: string(rule.Kind)}}}
	add := func(when need, field templates.AdminField) {
		if field.Must = when == must; when != without {
			f.Fields = append(f.Fields, field)
		}
	}
	onlyIf := func(is bool) need {
		if is {
			return must
		}
		return without
	}
	text := func(name string, most int) templates.AdminField {
		return templates.AdminField{Name: name, Type: "text", Max: most}
	}
	subjects := v.choices(rule.PerPerson...)
	if rule.Kind == proofing.ItemDenied {
		subjects = append([]templates.AdminChoice{{Value: itself}}, subjects...)
	}
	add(onlyIf(has.perPerson), templates.AdminField{Name: "subject", Type: "choice", Choices: subjects})
	add(has.value, text("value", 300))
	methods := templates.AdminField{Name: "method", Type: "choice"}
	for n := 1; n <= 7; n++ {
		methods.Choices = append(methods.Choices, templates.AdminChoice{Value: strconv.Itoa(n)})
	}
	add(onlyIf(has.method), methods)
	if has.method {
		add(may, text("keys", mostTypedKeys))
	}
	add(onlyIf(has.list), text("list", 120))
	add(onlyIf(has.list), text("list_version", 120))
	add(onlyIf(has.agreement), text("version", 60))
	add(onlyIf(has.signer), templates.AdminField{Name: "signer", Type: "choice", Choices: v.choices(proofing.RoleSigner)})
	add(must, templates.AdminField{Name: "outcome", Type: "radio", Choices: []templates.AdminChoice{{Value: string(proofing.OutcomeGood)}, {Value: string(proofing.OutcomeBad)}}})
	if has.names {
		add(may, templates.AdminField{Name: "names", Type: "checks", Choices: v.choices(proofing.RoleRequester, proofing.RoleApprover)})
	}
	sources := templates.AdminField{Name: "source_kind", Type: "choice"}
	kinds := rule.Sources
	if len(kinds) == 0 {
		kinds = proofing.SourceKinds()
	}
	for _, kind := range kinds {
		sources.Choices = append(sources.Choices, templates.AdminChoice{Value: string(kind), Chosen: len(kinds) == 1})
	}
	add(must, sources)
	add(must, text("source", 300))
	add(has.reference, text("reference", 120))
	add(must, templates.AdminField{Name: "collected", Type: "date"})
	add(has.until, templates.AdminField{Name: "until", Type: "date"})
	if has.confirmed {
		add(may, text("confirmed_how", 300))
	}
	for i := range f.Fields {
		f.Fields[i].Kind = string(rule.Kind)
	}
	return v.fill(f)
}

// choices are the people of the organization who have, or are to have, one of the roles.
func (v *dossierView) choices(roles ...proofing.Role) (all []templates.AdminChoice) {
	for _, a := range v.people {
		if slices.Contains(roles, a.Role) && a.Status != proofing.AppointmentEnded {
			all = append(all, templates.AdminChoice{Value: a.ID, Title: a.Name})
		}
	}
	return all
}

// fill gives a form what comes twice with it, and what was typed into it if it was sent.
func (v *dossierView) fill(f *templates.AdminForm) *templates.AdminForm {
	fillForm(f, v.sent == f.Name, v.typed, v.fault(), v.answer.problem)
	return f
}

// fillForm gives a form its random value and, if it was sent, what was typed with the problem at its field.
func fillForm(f *templates.AdminForm, sent bool, typed url.Values, fault string, problem *templates.Problem) {
	f.Once, f.Open = proofing.NewToken().Reveal(), sent
	if sent && typed.Get("once") != "" {
		f.Once = typed.Get("once")
	}
	for i := range f.Fields {
		field := &f.Fields[i]
		field.Form = f.Name
		if !sent {
			continue
		}
		field.Value = typed.Get(field.Name)
		for n := range field.Choices {
			field.Choices[n].Chosen = slices.Contains(typed[field.Name], field.Choices[n].Value)
		}
		if problem != nil && field.Name == fault {
			field.Bad = problem
		}
	}
}

// rules are who must approve, and what is proposed.
func (v *dossierView) rules() templates.AdminRules {
	view := func(rule proofing.ApprovalRule) templates.AdminRule {
		out := templates.AdminRule{Needed: rule.Needed, InOrder: rule.InOrder}
		for _, id := range rule.Of {
			out.Of = append(out.Of, templates.Choice{Name: id, Title: v.person(id)})
		}
		return out
	}
	out := templates.AdminRules{Now: view(v.Rule)}
	if p := v.Proposed; p != nil {
		rule := view(p.ApprovalRule)
		out.Proposed, out.By, out.At, out.Mine = &rule, p.Name, p.At, p.By.ID == v.me
		if v.governs {
			out.Set = v.rule
		}
	}
	if !v.governs {
		return out
	}
	out.Form = v.fill(&templates.AdminForm{Name: ruleForm, Action: v.rule, Fields: []templates.AdminField{{Name: "needed", Type: "number", Must: true, Value: "1"}}})
	out.Form.Once = "" // the same rule is the same
	sent := v.sent == ruleForm
	out.InOrder = sent && v.typed.Get("in_order") == "yes"
	for _, c := range v.choices(proofing.RoleApprover) {
		turn := templates.AdminTurn{ID: c.Value, Name: c.Title}
		if sent {
			turn.Chosen, turn.Turn = slices.Contains(v.typed["of"], c.Value), v.typed.Get("turn-"+c.Value)
		}
		out.Of = append(out.Of, turn)
	}
	if sent && (v.fault() == "of" || v.fault() == "in_order") {
		out.OfBad = v.answer.problem
	}
	return out
}
