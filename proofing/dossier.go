package proofing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// collects says whether the appointment's holder may record what is found out about organizations of an authority.
func (a *Appointment) collects(ca string) bool {
	return (a.Role == RoleSpecialist || a.Role == RoleOperator) && a.CA == ca && ca != ""
}

// reads says whether the appointment's holder may look at a dossier: administrators, the people of its authority, and its own.
func (a *Appointment) reads(o *Organization) bool { return a.Covers(o.CA, o.ID) }

func (s *Service) organizationID(ca, name string) string {
	return FixedID(s.Hasher.Sum("organization", ca, name))
}

// organization reads a dossier.
func (s *Service) organization(ctx context.Context, id string) (*Organization, error) {
	if _, ok := IDBucket(id); !ok {
		return nil, ErrNotFound
	}
	return s.Dossiers.Get(ctx, id)
}

// OrganizationOf is the dossier of an authority for an identifier of type "organization"; ErrNotFound if there is none. The name is
// canonical: that of a case.
func (s *Service) OrganizationOf(ctx context.Context, ca, name string) (*Organization, error) {
	return s.organization(ctx, s.organizationID(ca, name))
}

// OpenOrganization opens the dossier of an organization by its legal name, or returns the one that is there; created says which. ErrNotFound for an
// authority at which the person of the session collects nothing, besides the errors of Console and ErrNotAdmitted; and the
// *InputError codes of the identifier.
func (s *Service) OpenOrganization(ctx context.Context, v Visit, ca, name string) (o *Organization, created bool, err error) {
	me, err := s.officer(ctx, v)
	if err != nil {
		return nil, false, err
	}
	mine, err := actingBy(me.appointments, func(a *Appointment) bool { return a.collects(ca) })
	if err != nil {
		return nil, false, err
	}
	id, err := s.canonicalIdentifier(&Profile{Name: "organization", Identifiers: []string{IdentifierOrganization}}, Identifier{IdentifierOrganization, name})
	if err != nil {
		return nil, false, err
	}
	act := me.act(mine, s.now())
	o = &Organization{ID: s.organizationID(ca, id.Value), CA: ca, Name: id.Value, Created: act.At, Rule: ApprovalRule{Needed: 1}}
	o.write(OrganizationIsOpened, act, nil, map[string]any{"name": o.Name})
	err = s.Dossiers.Create(ctx, o.ID, o)
	if errors.Is(err, ErrExists) {
		o, err = s.organization(ctx, o.ID)
		return o, false, err
	}
	if err != nil {
		return nil, false, fmt.Errorf("open dossier: %w", err)
	}
	return o, true, nil
}

// write adds an entry to the journal.
func (o *Organization) write(kind EntryKind, by Act, facts map[string]any, private any, persons ...string) {
	if facts == nil {
		facts = map[string]any{}
	}
	facts["ca"] = o.CA
	o.Journal.Write(Note{Of: SubjectOrganization, Object: o.ID, Kind: kind, By: by.By, At: by.At, Facts: facts, Private: private, Persons: persons})
}

// Organization is a dossier that the person of a session may look at, with the appointments there are for it; ErrNotFound for any
// other, besides the errors of Console.
func (s *Service) Organization(ctx context.Context, v Visit, id string) (*Organization, []*Appointment, error) {
	_, mine, err := s.Console(ctx, v)
	if err != nil {
		return nil, nil, err
	}
	o, err := s.organization(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if !slices.ContainsFunc(mine, func(a *Appointment) bool { return a.reads(o) }) {
		return nil, nil, ErrNotFound
	}
	people, err := s.appointments(ctx, "organization", o.ID)
	for _, a := range people {
		a.Link = "" // it is for who proposed it
	}
	return o, people, err
}

// OrganizationName is the name of an appointment's organization, for whoever may look at the appointment; empty for one that is of none.
func (s *Service) OrganizationName(ctx context.Context, a *Appointment) (string, error) {
	if a.Organization == "" {
		return "", nil
	}
	o, err := s.organization(ctx, a.Organization)
	if err != nil {
		return "", err
	}
	return o.Name, nil
}

// OrganizationsOf lists the dossiers of an authority, the oldest first, page by page, and returns the cursor of the next one. ErrNotFound for an authority that is not
// theirs, besides the errors of Console.
func (s *Service) OrganizationsOf(ctx context.Context, v Visit, ca, after string, limit int) (page []*Organization, next string, err error) {
	_, mine, err := s.Console(ctx, v)
	if err != nil {
		return nil, "", err
	}
	if !slices.ContainsFunc(mine, func(a *Appointment) bool {
		return a.Role == RoleAdministrator || a.Role.Side() == SideAuthority && a.CA == ca
	}) {
		return nil, "", ErrNotFound
	}
	page, next, err = s.Dossiers.List(ctx, Query{Index: "ca", Prefix: ca + ".", Merged: true, After: after, Limit: limit})
	if err != nil {
		return nil, "", fmt.Errorf("list dossiers: %w", err)
	}
	return page, next, nil
}

// PeopleOf are the appointments of an organization that stand now.
func (s *Service) PeopleOf(ctx context.Context, organization string) (standing []*Appointment, err error) {
	return s.standingIn(ctx, &grounds{persons: map[string]*Person{}}, (&Appointment{Role: RoleRequester, Organization: organization}).scope())
}

// deskDossier is a dossier that an officer is about to change, the appointment by which they may, and those of its people.
type deskDossier struct {
	officer      *officer
	organization *Organization
	mine         *Appointment
	people       []*Appointment
}

// atDossier is a dossier for the person of a session who may change it by an appointment at its authority. ErrNotFound for any other, besides the errors of Console
// and ErrNotAdmitted.
func (s *Service) atDossier(ctx context.Context, v Visit, organization string, may func(a *Appointment, ca string) bool) (at deskDossier, err error) {
	if at.officer, err = s.officer(ctx, v); err != nil {
		return at, err
	}
	if at.organization, err = s.organization(ctx, organization); err != nil {
		return at, err
	}
	ca := at.organization.CA
	if at.mine, err = actingBy(at.officer.appointments, func(a *Appointment) bool { return may(a, ca) }); err != nil {
		return at, err
	}
	at.people, err = s.appointments(ctx, "organization", at.organization.ID)
	return at, err
}

// ItemDraft is what somebody records. Fields are those of Item.
type ItemDraft struct {
	Kind          ItemKind
	Subject       string
	Value         string
	Source        string
	SourceKind    SourceKind
	Reference     string
	CollectedAt   time.Time
	Outcome       Outcomes
	ConfirmedHow  string // set: it was used just now, and an affirmative response came
	List          string
	ListVersion   string
	Method        int
	Keys          []string // in base64url, or in hexadecimal
	Version       string
	Signer        string
	Names         []string
	Until         time.Time
	Once          Secret // as in AppointmentDraft
	ConfirmedItem string // the item that this confirms: everything but ConfirmedHow is taken from there
}

const (
	// mostOfItems is how long the items of a dossier may be together, in bytes as they are stored: a record holds no more than
	// 256 KiB. Of those that others have taken the place of, and of evidence of certain keys that has aged, the oldest go when it is too much, and what is bad is
	// gathered. They stay in the log.
	mostOfItems = 96 << 10
	// mostPending is the same for what waits for the log. With more of it nothing is recorded until the log has caught up.
	mostPending = 96 << 10
	// mostNames is the most appointments on a list of requesters.
	mostNames = 50
)

// RecordItem records something that was found out about an organization. It takes the place of what was known of the kind and its subject, and
// may come twice. ErrNotFound for a dossier at which the person of the session collects nothing, besides the errors of Console and ErrNotAdmitted; and the
// *InputError codes of Item.check, "item_subject" (there is no such appointment, or not in such a role), "item_own" (it is
// about themselves), "item_side" (they act for the organization) and "item_changed". The *LimitError "dossier" if the dossier is full of what counts, and ErrUnavailable while too much of it
// waits for the log.
func (s *Service) RecordItem(ctx context.Context, v Visit, organization string, d ItemDraft) (*Organization, error) {
	at, err := s.atDossier(ctx, v, organization, (*Appointment).collects)
	if err != nil {
		return nil, err
	}
	me, o, mine, people := at.officer, at.organization, at.mine, at.people
	told, err := s.toReview(ctx, o, people, d.Kind, me.Person.ID)
	if err != nil {
		return nil, err
	}
	title := s.titleOfCA(ctx, o.CA)
	id := NewToken().Reveal()
	if d.Once != "" {
		id = s.Hasher.Hex("item once", o.ID, me.Person.ID, d.Once.Reveal())[:26]
	}
	return s.Dossiers.Update(ctx, o.ID, func(o *Organization) error {
		now := s.now()
		if slices.ContainsFunc(o.Items, func(it Item) bool { return it.ID == id }) {
			return nil
		}
		if o.Journal.size() >= mostPending {
			return fmt.Errorf("record item: the log is behind: %w", ErrUnavailable)
		}
		act := me.act(mine, now)
		it, err := d.item(s, o, people, me.Person.ID, now)
		if err != nil {
			return err
		}
		if SidesWith(people, o, me.Person.ID, now) {
			return &InputError{Field: "kind", Code: "item_side"}
		}
		it.ID, it.RecordedAt, it.Appointment = id, now, mine.ID
		if it.CollectedBy == "" {
			it.CollectedBy, it.CollectedByName = me.Person.ID, mine.Name
		}
		it.Entry = o.Version() + 1
		if len(told.boxes) > 0 && len(o.recordedAfter(max(told.after, o.reviewedTo()))) == 0 {
			s.tellOfDossier(o, noticeReview, title, "", time.Time{}, told.boxes, now)
		}
		o.Items = append(o.Items, it)
		if !o.trim(now) {
			return &LimitError{Limit: "dossier"}
		}
		facts := map[string]any{"item": it.ID, "kind": string(it.Kind), "outcome": string(it.Outcome), "source": string(it.SourceKind)}
		var persons []string
		if it.Subject != "" && len(it.Kind.rule().PerPerson) > 0 {
			facts["subject"], persons = it.Subject, []string{personOf(people, it.Subject)}
		}
		if it.Kind == ItemKeyProtection { // which keys it is of is held against certificates for as long as the log is there
			facts["method"], facts["keys"] = int64(it.Method), anyOf(it.Keys)
		}
		if until := it.GoodUntil(true); !until.IsZero() { // what had aged, for extended validation, is held against reviews
			facts["good_until"] = until
		}
		it.CollectedByName = "" // who did it is in the leaf
		o.write(OrganizationItem, act, facts, it, persons...)
		return nil
	})
}

// item makes an item of a draft.
func (d *ItemDraft) item(s *Service, o *Organization, people []*Appointment, me string, now time.Time) (it Item, err error) {
	if d.ConfirmedItem != "" {
		i := slices.IndexFunc(o.Items, func(it Item) bool { return it.ID == d.ConfirmedItem })
		if i < 0 || o.Items[i].Kind != ItemCommunication || o.Current(ItemCommunication, o.Items[i].Subject) != &o.Items[i] {
			return it, &InputError{Field: "item", Code: "item_changed"}
		}
		it = o.Items[i]
		if it.ConfirmedHow = oneLine(d.ConfirmedHow, 300); it.ConfirmedHow == "" {
			return it, &InputError{Field: "confirmed_how", Code: "item_confirmed"}
		}
		it.ConfirmedAt, it.ConfirmedBy = now, me
		return it, nil
	}
	it = Item{
		Kind: d.Kind, Subject: d.Subject, Value: oneLine(d.Value, 300), Source: oneLine(d.Source, 300), SourceKind: d.SourceKind, Reference: oneLine(d.Reference, 120),
		CollectedAt: d.CollectedAt.UTC().Truncate(time.Millisecond), Outcome: d.Outcome, List: oneLine(d.List, 120), ListVersion: oneLine(d.ListVersion, 120),
		Method: d.Method, Version: oneLine(d.Version, 60), Signer: d.Signer, Names: slices.Compact(slices.Sorted(slices.Values(d.Names))), Until: d.Until.UTC().Truncate(time.Millisecond),
	}
	if how := oneLine(d.ConfirmedHow, 300); how != "" {
		it.ConfirmedAt, it.ConfirmedBy, it.ConfirmedHow = now, me, how
	}
	if d.Kind == ItemDomain {
		id, err := s.canonicalIdentifier(&Profile{Identifiers: []string{IdentifierDNS}}, Identifier{IdentifierDNS, it.Value})
		if err != nil {
			return it, err
		}
		it.Value, it.Subject = id.Value, id.Value
	}
	var named bool
	if it.Keys, named = readKeys(d.Keys); !named {
		return it, &InputError{Field: "keys", Code: "item_keys"}
	}
	if err := it.check(o, now); err != nil {
		return it, err
	}
	if len(it.Keys) > 0 { // evidence of one key does not take the place of that of another
		it.Subject = strings.Join(it.Keys, " ")
	}
	return it, it.checkPeople(people, me)
}

// check says what is wrong with an item by itself, by the *InputError codes "item_kind", "item_source", "item_collected", "item_outcome", "item_value",
// "item_name" (not the name that certificates are asked for), "item_confirmed", "item_list", "item_method", "item_keys" (it is of certain keys, and does not say which), "item_agreement", "item_signer", "item_until" and "item_names".
func (it *Item) check(o *Organization, now time.Time) error {
	fault := func(field string) error { return &InputError{Field: field, Code: "item_" + field} }
	r := it.Kind.rule()
	switch {
	case r == nil:
		return fault("kind")
	case it.Source == "" || !slices.Contains(SourceKinds(), it.SourceKind) || len(r.Sources) > 0 && !slices.Contains(r.Sources, it.SourceKind):
		return fault("source")
	case it.CollectedAt.IsZero() || it.CollectedAt.After(now):
		return fault("collected")
	case it.Outcome != OutcomeGood && it.Outcome != OutcomeBad:
		return fault("outcome")
	case !it.Until.IsZero() && !it.Until.After(it.CollectedAt):
		return fault("until")
	case len(r.PerPerson) == 0 && it.Subject != "" && it.Kind != ItemDomain:
		return fault("subject")
	case it.ConfirmedHow != "" && it.Kind != ItemCommunication:
		return fault("confirmed")
	case it.Kind != ItemKeyProtection && len(it.Keys) > 0:
		return fault("keys")
	}
	switch it.Kind {
	case ItemLegalName:
		if it.Outcome == OutcomeGood && it.Value != o.Name {
			return fault("name")
		}
	case ItemRegistration, ItemJurisdiction, ItemPlace, ItemCommunication, ItemDomain:
		if it.Value == "" {
			return fault("value")
		}
	case ItemDenied, ItemSuspect:
		if it.List == "" || it.ListVersion == "" {
			return fault("list")
		}
	case ItemKeyProtection:
		if it.Method < 1 || it.Method > 7 || it.Reference == "" {
			return fault("method")
		}
		if !it.namesKeys() {
			return fault("keys")
		}
	case ItemAgreement:
		if it.Version == "" || it.Signer == "" {
			return fault("agreement")
		}
	case ItemEnterpriseRA: // a contract of the organization (CSBR 1.3.2.1.2)
		if it.Signer == "" {
			return fault("signer")
		}
	}
	return nil
}

// checkPeople checks the appointments that an item names.
func (it *Item) checkPeople(people []*Appointment, me string) error {
	is := func(id string, roles ...Role) bool {
		return slices.ContainsFunc(people, func(a *Appointment) bool { return a.ID == id && slices.Contains(roles, a.Role) })
	}
	r := it.Kind.rule()
	if len(r.PerPerson) > 0 && !(it.Kind == ItemDenied && it.Subject == "") {
		if !is(it.Subject, r.PerPerson...) {
			return &InputError{Field: "subject", Code: "item_subject"}
		}
		if personOf(people, it.Subject) == me {
			return &InputError{Field: "subject", Code: "item_own"}
		}
	}
	if it.Signer != "" && !is(it.Signer, RoleSigner) {
		return &InputError{Field: "signer", Code: "item_subject"}
	}
	if len(it.Names) > mostNames || len(it.Names) > 0 && it.Kind != ItemRequesterList {
		return &InputError{Field: "names", Code: "item_names"}
	}
	for _, id := range it.Names {
		if !is(id, RoleRequester, RoleApprover) {
			return &InputError{Field: "names", Code: "item_subject"}
		}
	}
	return nil
}

// SetApprovalRule proposes who of an organization must approve, or sets it if another person has proposed the same: what gives rights takes two, of whom
// neither is named by it. It may come twice. ErrNotFound for a dossier that they do not govern, besides the errors of Console and ErrNotAdmitted; and the
// *InputError codes of ApprovalRule.check, "rule_of" (somebody named is no Certificate Approver there) and "rule_own".
func (s *Service) SetApprovalRule(ctx context.Context, v Visit, organization string, rule ApprovalRule) (*Organization, error) {
	at, err := s.atDossier(ctx, v, organization, func(a *Appointment, ca string) bool { return a.governs(&Appointment{Role: RoleApprover, CA: ca}) })
	if err != nil {
		return nil, err
	}
	me, o, mine, people := at.officer, at.organization, at.mine, at.people
	if err := rule.check(); err != nil {
		return nil, err
	}
	for _, id := range rule.Of {
		if !slices.ContainsFunc(people, func(a *Appointment) bool {
			return a.ID == id && a.Role == RoleApprover && a.Status != AppointmentEnded
		}) {
			return nil, &InputError{Field: "of", Code: "rule_of"}
		}
		if personOf(people, id) == me.Person.ID {
			return nil, &InputError{Field: "of", Code: "rule_own"}
		}
	}
	still := true
	if p := o.Proposed; p != nil && p.By.ID != me.Person.ID {
		if still, err = s.stillActs(ctx, p.Act, ""); err != nil {
			return nil, err
		}
	}
	told, err := s.ruled(ctx, o, people)
	if err != nil {
		return nil, err
	}
	seen, title := o.Proposed, s.titleOfCA(ctx, o.CA)
	return s.Dossiers.Update(ctx, o.ID, func(o *Organization) error {
		act := me.act(mine, s.now())
		facts := map[string]any{"needed": int64(rule.Needed), "in_order": rule.InOrder, "of": anyOf(rule.Of)}
		p := o.Proposed
		switch {
		case o.Rule.equal(rule) && p == nil:
			return nil
		case p != nil && p.equal(rule) && p.By.ID == me.Person.ID:
			return nil
		case p != nil && p.equal(rule) && still && seen != nil && seen.By.ID == p.By.ID && seen.At.Equal(p.At):
			o.Rule, o.Proposed = rule, nil
			o.write(OrganizationRuleSet, act, facts, nil)
			s.tellOfRule(o, "set", title, v.Lang, act, told)
		default:
			o.Proposed = &ProposedRule{rule, act}
			o.write(OrganizationRuleProposed, act, facts, nil)
			s.tellOfRule(o, "proposed", title, v.Lang, act, told)
		}
		return nil
	})
}

func (r ApprovalRule) equal(o ApprovalRule) bool {
	return r.Needed == o.Needed && r.InOrder == o.InOrder && slices.Equal(r.Of, o.Of)
}

// anyOf is a list as facts have it.
func anyOf(list []string) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}
