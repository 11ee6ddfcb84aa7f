package proofing

import (
	"slices"
	"time"
)

// Organization is the dossier of one organization at one authority: what was found out about it, by whom, from where, and for how
// long that is good. Nothing in it is edited: a newer item takes the place of an older one, which stays.
type Organization struct {
	// ID follows from the authority and the name, as the registry's do: there is one dossier for an identifier.
	ID string `json:"id"`
	CA string `json:"ca"`
	// Name is the legal name in its canonical form: the value of the identifier of type "organization" that a CA asks about.
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Items   []Item    `json:"items,omitempty"`
	// Rule is who of the organization must approve, and Proposed one that a second person has yet to agree to.
	Rule     ApprovalRule  `json:"rule"`
	Proposed *ProposedRule `json:"proposed,omitempty"`
	// Review is the last time that somebody who has collected nothing has looked at all of it.
	Review *DossierReview `json:"review,omitempty"`
	// Reminded are the limits of age of which people have been told, see ageLimit, and PutOff those of which they could not be.
	Reminded []string `json:"reminded,omitempty"`
	PutOff   PutOff   `json:"put_off,omitzero"`
	Outbox   Outbox   `json:"outbox,omitempty"`
	Journal  Journal  `json:"journal,omitempty"`
}

// Version is the number of the last change of the dossier: what somebody was shown, and what a decision is about.
func (o *Organization) Version() int64 { return o.Journal.Written }

// ApprovalRule says who of an organization must approve a request.
type ApprovalRule struct {
	// Needed is how many must, of the appointments in Of, or of everybody who is a Certificate Approver if there are none.
	Needed int      `json:"needed"`
	Of     []string `json:"of,omitempty"`
	// InOrder: each of Of only after the one before.
	InOrder bool `json:"in_order,omitempty"`
}

// ProposedRule is a rule that waits for a second person.
type ProposedRule struct {
	ApprovalRule
	Act
}

// mostApprovers is the most approvers that a rule asks for.
const mostApprovers = 20

// check says what is wrong with a rule by itself.
func (r ApprovalRule) check() error {
	unique := slices.Compact(slices.Sorted(slices.Values(r.Of)))
	switch {
	case r.Needed < 1 || r.Needed > mostApprovers || len(r.Of) > mostApprovers || len(r.Of) > 0 && r.Needed > len(r.Of):
		return &InputError{Field: "needed", Code: "rule_needed"}
	case len(unique) != len(r.Of):
		return &InputError{Field: "of", Code: "rule_twice"}
	case r.InOrder && (len(r.Of) == 0 || r.Needed != len(r.Of)):
		return &InputError{Field: "in_order", Code: "rule_order"}
	}
	return nil
}

// Next are the approvers whose turn it is, after those who have approved already, by their appointments: nil and
// true for anybody who is a Certificate Approver. Nobody is left once Met.
func (r ApprovalRule) Next(approved []string) (of []string, anybody bool) {
	switch {
	case r.Met(approved):
		return nil, false
	case len(r.Of) == 0:
		return nil, true
	}
	left := slices.DeleteFunc(slices.Clone(r.Of), func(id string) bool { return slices.Contains(approved, id) })
	if r.InOrder {
		left = left[:1]
	}
	return left, false
}

// Met says whether the approvals are as many as the rule asks for, of those whom it names, each once.
func (r ApprovalRule) Met(approved []string) bool { return r.Needed > 0 && r.left(approved) == 0 }

// left is how many approvals are still needed.
func (r ApprovalRule) left(approved []string) int {
	unique := slices.Compact(slices.Sorted(slices.Values(approved)))
	if len(r.Of) > 0 {
		unique = slices.DeleteFunc(unique, func(id string) bool { return !slices.Contains(r.Of, id) })
	}
	return max(0, r.Needed-len(unique))
}

// Current is the newest item of a kind about a subject; nil if there is none.
func (o *Organization) Current(kind ItemKind, subject string) *Item {
	for i := len(o.Items) - 1; i >= 0; i-- {
		if it := &o.Items[i]; it.Kind == kind && it.Subject == subject {
			return it
		}
	}
	return nil
}

// Currents are the newest items of each kind and subject, in the order in which they came. Of those that name keys it is whatever is the newest that names one of its keys:
// others of the same keys take its place, in whatever sets they name them.
func (o *Organization) Currents() (all []*Item) {
	spoken := map[string]bool{} // what a newer item is about
	for i := len(o.Items) - 1; i >= 0; i-- {
		it, is := &o.Items[i], false
		for _, name := range it.names() {
			is, spoken[name] = is || !spoken[name], true
		}
		if is {
			all = append(all, it)
		}
	}
	slices.Reverse(all)
	return all
}

// names are what the item takes the place of others by: its kind and its subject, or each key that it names.
func (it *Item) names() (names []string) {
	for _, key := range it.Keys {
		names = append(names, string(it.Kind)+" "+key)
	}
	if len(names) == 0 {
		names = []string{string(it.Kind) + " " + it.Subject}
	}
	return names
}

// Combined says whether the organization lets who asks for a certificate approve it, too (CSBR 3.2.2.2). It has said so from
// a source, and has not taken it back.
func (o *Organization) Combined(now time.Time) bool { return o.declares(ItemRolesCombined, now) }

// lacksCombined are the faults of that word: nothing while it stands.
func (o *Organization) lacksCombined(now time.Time) []Lack {
	return o.lacks(*ItemRolesCombined.rule(), "", nil, "", true, nil, now)
}

// EnterpriseRA says whether one person of the organization's own may make the final cross-correlation (CSBR 1.3.2.1.2).
func (o *Organization) EnterpriseRA(now time.Time) bool { return o.declares(ItemEnterpriseRA, now) }

// exempts says whether somebody may review what they have collected, because an Enterprise RA works for its own organization; but not by their own word that
// one does.
func (o *Organization) exempts(person string, now time.Time) bool {
	it := o.Current(ItemEnterpriseRA, "")
	return o.EnterpriseRA(now) && it.CollectedBy != person && it.ConfirmedBy != person
}

func (o *Organization) declares(kind ItemKind, now time.Time) bool {
	it := o.Current(kind, "")
	return it != nil && it.Outcome == OutcomeGood && it.good(true, now)
}

// Collectors are who has recorded or confirmed anything that counts in the dossier now: none of them may review it (CSBR 3.2.9). Evidence of certain keys, whose place
// nothing takes, counts until it has aged.
func (o *Organization) Collectors(now time.Time) (persons []string) {
	for _, it := range o.Currents() {
		if it.spent(now) {
			continue
		}
		for _, p := range []string{it.CollectedBy, it.ConfirmedBy} {
			if p != "" && !slices.Contains(persons, p) {
				persons = append(persons, p)
			}
		}
	}
	return persons
}

// Requesters are the appointments of those who alone may ask for certificates, if the organization has said so in writing; listed
// says whether it has (CSBR 3.2.5).
func (o *Organization) Requesters() (appointments []string, listed bool) {
	it := o.Current(ItemRequesterList, "")
	if it == nil || it.Outcome != OutcomeGood {
		return nil, false
	}
	return it.Names, true
}

// The entries of a dossier in the log.
const (
	OrganizationIsOpened     EntryKind = "organization_opened"
	OrganizationItem         EntryKind = "organization_item"
	OrganizationReviewed     EntryKind = "organization_reviewed"
	OrganizationRuleProposed EntryKind = "organization_rule_proposed"
	OrganizationRuleSet      EntryKind = "organization_rule_set"
)

// Indexes implements Record.
func (o *Organization) Indexes() []Index {
	ix := []Index{{Name: "ca", Value: o.CA + "." + stamp(o.Created)}}
	if due, ok := o.nextDue(); ok {
		ix = append(ix, Index{Name: "due", Value: stamp(due)})
	}
	return append(append(ix, o.ledger().deadIndexes()...), o.Journal.index()...)
}

// ExpiresAt implements Record.
func (o *Organization) ExpiresAt() time.Time { return time.Time{} }

// value is what the newest item of a kind says, if it is good; empty otherwise.
func (o *Organization) value(kind ItemKind) string {
	if it := o.Current(kind, ""); it != nil && it.Outcome == OutcomeGood {
		return it.Value
	}
	return ""
}

// Registered is the number that the organization is registered under, and where; empty where the dossier has nothing good. It is for the
// document of a decision, which says who the organization is, as the page showed it: what of it has aged is a lack of its own. What a certificate may say is its Registration.
func (o *Organization) Registered() (number, jurisdiction string) {
	return o.value(ItemRegistration), o.value(ItemJurisdiction)
}

// Digest is of everything in the dossier: what was shown of it to somebody can be told from what came later.
func (o *Organization) Digest() string {
	text, err := Canonical(struct {
		ID    string       `json:"id"`
		CA    string       `json:"ca"`
		Name  string       `json:"name"`
		Items []Item       `json:"items"`
		Rule  ApprovalRule `json:"rule"`
	}{o.ID, o.CA, o.Name, o.Items, o.Rule})
	if err != nil {
		panic("proofing: digest of dossier: " + err.Error()) // it has neither fractions nor functions
	}
	return Digest(text)
}
