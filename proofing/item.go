package proofing

import (
	"slices"
	"time"
)

// Item is one thing that is known of an organization.
type Item struct {
	ID   string   `json:"id"`
	Kind ItemKind `json:"kind"`
	// Subject is the appointment that the item is about, for what is asked of each person, the domain, or the keys that it names; else empty.
	Subject string `json:"subject,omitempty"`
	// Value is what was found, Source where, Reference the place of the document, and SourceKind what kind of source it is.
	Value      string     `json:"value,omitempty"`
	Source     string     `json:"source"`
	SourceKind SourceKind `json:"source_kind"`
	Reference  string     `json:"reference,omitempty"`
	// CollectedAt is when it was obtained: its age counts from there (CSBR 4.2.1.1.3). CollectedBy is the person who did.
	CollectedAt     time.Time `json:"collected_at"`
	CollectedBy     string    `json:"collected_by"`
	CollectedByName string    `json:"collected_by_name,omitempty"`
	Appointment     string    `json:"appointment"` // by which they acted
	RecordedAt      time.Time `json:"recorded_at"`
	Entry           int64     `json:"entry,omitempty"` // the number of the dossier's entry that tells of it
	Outcome         Outcomes  `json:"outcome"`
	// Confirmed: a means of communication was used and an affirmative response came (CSBR 3.2.2.2.4(2)).
	ConfirmedAt  time.Time `json:"confirmed_at,omitzero"`
	ConfirmedBy  string    `json:"confirmed_by,omitempty"`
	ConfirmedHow string    `json:"confirmed_how,omitempty"`
	// List and ListVersion are what was searched in a screening.
	List        string `json:"list,omitempty"`
	ListVersion string `json:"list_version,omitempty"`
	// Method is how the protection of the private key was verified, 1 to 7 (CSBR 6.2.7.4.2).
	Method int `json:"method,omitempty"`
	// Keys are the private keys that this is of, each by the SHA-256 of its SubjectPublicKeyInfo in base64url, sorted; none: see About.
	Keys []string `json:"keys,omitempty"`
	// Gathered are the dossier's entries that tell of what this was made of, where one item stands for several that say that keys are bad (Organization.gather); none
	// where it is as it was recorded.
	Gathered []int64 `json:"gathered,omitempty"`
	// Version is that of a Subscriber Agreement, and Signer the appointment of who has signed it.
	Version string `json:"version,omitempty"`
	Signer  string `json:"signer,omitempty"`
	// Names are the appointments on a list of requesters.
	Names []string `json:"names,omitempty"`
	// Until is the end that the item has by itself, as a contract does; zero: none.
	Until time.Time `json:"until,omitzero"`
}

// Outcomes is what an item says.
type Outcomes string

// The outcomes. What is bad is known, and stands in the way until a newer item says otherwise.
const (
	OutcomeGood Outcomes = "good" // verified; clear; declared
	OutcomeBad  Outcomes = "bad"  // refuted; on the list; taken back
)

// SourceKind is a kind of source of an item.
type SourceKind string

// The kinds of sources (CSBR 1.6.1).
const (
	SourceQGIS         SourceKind = "qgis" // Qualified Government Information Source
	SourceQTIS         SourceKind = "qtis" // Qualified Government Tax Information Source
	SourceQIIS         SourceKind = "qiis" // Qualified Independent Information Source
	SourceLetter       SourceKind = "professional_letter"
	SourceAgency       SourceKind = "registration_agency" // the Incorporating or Registration Agency itself
	SourceApplicant    SourceKind = "applicant"           // the organization's own document
	SourceIndependent  SourceKind = "independent_confirmation"
	SourceSiteVisit    SourceKind = "site_visit"
	SourceList         SourceKind = "list"      // of a screening
	SourceAttestation  SourceKind = "key_proof" // of the protection of a key
	SourceSignedByThem SourceKind = "signed"    // by the Contract Signer
)

// SourceKinds are all of them.
func SourceKinds() []SourceKind {
	return []SourceKind{SourceQGIS, SourceQTIS, SourceQIIS, SourceLetter, SourceAgency, SourceApplicant, SourceIndependent, SourceSiteVisit, SourceList, SourceAttestation, SourceSignedByThem}
}

// ItemKind is a kind of item.
type ItemKind string

// The kinds of items.
const (
	ItemLegalName      ItemKind = "legal_name"
	ItemRegistration   ItemKind = "registration_number"
	ItemJurisdiction   ItemKind = "jurisdiction"
	ItemPlace          ItemKind = "place_of_business"
	ItemDomain         ItemKind = "domain"
	ItemCommunication  ItemKind = "communication"
	ItemOperational    ItemKind = "operational_existence"
	ItemPrincipal      ItemKind = "principal_individual"
	ItemApprover       ItemKind = "approver_authority"
	ItemSigner         ItemKind = "signer_authority"
	ItemAgreement      ItemKind = "subscriber_agreement"
	ItemDenied         ItemKind = "denied_list"
	ItemSuspect        ItemKind = "suspect_code"
	ItemRequesterList  ItemKind = "requester_list"
	ItemEnterpriseRA   ItemKind = "enterprise_ra"
	ItemRolesCombined  ItemKind = "roles_combined"
	ItemKeyProtection  ItemKind = "key_protection"
	ItemBusinessEntity ItemKind = "business_entity"
)

// How old what was collected may become. Dates are counted in days of 24 hours.
const (
	evAge     = 398 * 24 * time.Hour // EV: CSBR 4.2.1.1.3
	ovAge     = 825 * 24 * time.Hour // others: CSBR 4.2.1
	keyMonths = 13                   // of the calendar: CSBR 4.2.1
)

// screenAge is ours: lists change daily, and the clauses ask for a search and not for its age.
const screenAge = 30 * 24 * time.Hour

// ItemRule is what the standard asks of a kind of item.
type ItemRule struct {
	Kind   ItemKind
	Clause string // of the Code Signing Baseline Requirements
	// Needed is for whom a dossier must have it.
	Needed Need
	// EV and Other are how old it may become for a certificate for EV and for others; 0: as old as its own term lets it.
	EV, Other time.Duration
	// Months is the same in months of the calendar.
	Months int
	// Sources are the kinds that it may come from; none: any.
	Sources []SourceKind
	// PerPerson: it is about an appointment of one of these roles.
	PerPerson []Role
}

// Need is when a dossier lacks an item.
type Need string

// The needs.
const (
	NeedAlways Need = "always"
	NeedEV     Need = "ev"
	// NeedNever is what may be declared or kept besides.
	NeedNever Need = "never"
	// NeedBusinessEntity is what is asked of a Business Entity alone, for EV.
	NeedBusinessEntity Need = "business_entity"
)

var official = []SourceKind{SourceQGIS, SourceAgency, SourceLetter}

// itemRules are the kinds of items with what is asked of them, in the order in which a dossier shows them.
var itemRules = []ItemRule{
	{ItemLegalName, "3.2.2.2.1", NeedAlways, evAge, ovAge, 0, official, nil},
	{ItemRegistration, "3.2.2.2.1", NeedEV, evAge, ovAge, 0, official, nil},
	{ItemJurisdiction, "3.2.2.2.1", NeedEV, evAge, ovAge, 0, official, nil},
	{ItemBusinessEntity, "3.2.2.2.1", NeedNever, evAge, ovAge, 0, official, nil},
	{ItemPrincipal, "3.2.2.2.1", NeedBusinessEntity, evAge, ovAge, 0, []SourceKind{SourceLetter, SourceIndependent, SourceSiteVisit}, nil},
	{ItemPlace, "3.2.2.2.3", NeedAlways, evAge, ovAge, 0, []SourceKind{SourceQGIS, SourceQTIS, SourceQIIS, SourceLetter, SourceSiteVisit, SourceAgency}, nil},
	{ItemCommunication, "3.2.2.2.4", NeedAlways, evAge, ovAge, 0, []SourceKind{SourceQGIS, SourceQTIS, SourceQIIS, SourceLetter}, nil},
	{ItemOperational, "3.2.2.2.5", NeedEV, evAge, ovAge, 0, []SourceKind{SourceQGIS, SourceQTIS, SourceQIIS, SourceLetter, SourceAgency}, nil},
	{ItemDomain, "3.2.2.2.6", NeedNever, evAge, ovAge, 0, nil, nil}, // kept for CAA and mail; no certificate for code signing has it
	{ItemApprover, "3.2.2.2.7", NeedEV, evAge, ovAge, 0, nil, []Role{RoleApprover}},
	{ItemSigner, "3.2.2.2.7", NeedEV, evAge, ovAge, 0, nil, []Role{RoleSigner}},
	{ItemAgreement, "9.6.3", NeedAlways, 0, 0, 0, []SourceKind{SourceSignedByThem}, nil},
	{ItemDenied, "3.2.8", NeedEV, screenAge, screenAge, 0, []SourceKind{SourceList}, []Role{RoleApprover, RoleSigner}},
	{ItemSuspect, "4.2.1", NeedAlways, screenAge, screenAge, 0, []SourceKind{SourceList}, nil},
	{ItemRequesterList, "3.2.5", NeedNever, 0, 0, 0, []SourceKind{SourceApplicant, SourceSignedByThem}, nil},
	{ItemEnterpriseRA, "1.3.2.1.2", NeedNever, evAge, ovAge, 0, []SourceKind{SourceSignedByThem}, nil},
	{ItemRolesCombined, "3.2.2.2", NeedNever, evAge, ovAge, 0, []SourceKind{SourceApplicant, SourceSignedByThem}, nil},
	{ItemKeyProtection, "6.2.7.4.2", NeedAlways, 0, 0, keyMonths, []SourceKind{SourceAttestation, SourceLetter, SourceApplicant, SourceSignedByThem}, nil},
}

// ItemRules are the kinds of items and what is asked of them.
func ItemRules() []ItemRule { return slices.Clone(itemRules) }

// rule is that of the item's kind; nil if there is no such kind.
func (k ItemKind) rule() *ItemRule {
	i := slices.IndexFunc(itemRules, func(r ItemRule) bool { return r.Kind == k })
	if i < 0 {
		return nil
	}
	return &itemRules[i]
}

// GoodUntil is until when the item is good for a certificate: its own term and the age that the standard lets it have, whichever
// ends first. Zero: for good.
func (it *Item) GoodUntil(ev bool) time.Time {
	r := it.Kind.rule()
	if r == nil {
		return it.CollectedAt
	}
	age := r.Other
	if ev {
		age = r.EV
	}
	var aged time.Time
	switch {
	case age > 0:
		aged = it.CollectedAt.Add(age)
	case r.Months > 0:
		// CSBR 4.2.1 names methods 4, 5 and 7. We hold all seven to it.
		aged = monthsAfter(it.CollectedAt, r.Months)
	}
	return earliest(aged, it.Until)
}

// monthsAfter is the same day of a later month, or the last of that month if it has none.
func monthsAfter(t time.Time, months int) time.Time {
	at := t.AddDate(0, months, 0)
	if at.Day() != t.Day() {
		at = at.AddDate(0, 0, -at.Day())
	}
	return at
}

// good says whether the item has not aged.
func (it *Item) good(ev bool, now time.Time) bool {
	until := it.GoodUntil(ev)
	return until.IsZero() || now.Before(until)
}
