package templates

import (
	"strings"
	"time"
)

// AdminAct is what a page of the console with forms says to who is at it.
type AdminAct struct {
	Notice *Problem // a problem that belongs to no field
	// Stale: before they change anything they must confirm that it is them, at Confirm. Never set on a page on which they change nothing.
	Stale   bool
	Confirm string
}

// AdminScope is one part of what somebody gets to see.
type AdminScope struct {
	Title   string // of an authority or organization; empty: everything
	Service bool   // it is the service itself
	Href    string
	Here    bool
}

// AdminOrganizations are the dossiers of an authority.
type AdminOrganizations struct {
	AdminFrame
	AdminAct
	Find AdminFind
	CAs  []AdminScope // the authorities of the person; the page chooses among several
	Rows []AdminOrganizationRow
	Own  []AdminOrganizationRow // those of which the person is one
	// Open is where a new dossier is opened, at CA; empty for who collects nothing. Name is what was typed, to be mended.
	Open, CA, Name string
	NameBad        *Problem
	// First and Next are where the first and the following ones are; empty: here, and nowhere.
	First, Next string
}

// AdminOrganizationRow is one dossier.
type AdminOrganizationRow struct {
	Href, Name, CA string
	Lacks          int
	AgesKind       string // of the item that ages next; empty: none
	Ages           time.Time
}

// AdminOrganization is one dossier.
type AdminOrganization struct {
	AdminFrame
	AdminAct
	Back  string
	Name  string // legal
	Known string // the name under which certificates are asked for
	CA    string
	Since time.Time
	Lacks []AdminLack
	Ages  []AdminAge
	Items []AdminItem
	Rule  AdminRules
	// Review is the last one of the dossier as a whole.
	Review AdminReview
	// People are those with a role here that has not ended; AllPeople is where the others are, too, and Log what the log tells of it.
	People         []AdminPersonRow
	AllPeople, Log string
	// Requests are those that people decide about or have, the newest first. First and Next are where the newest and the following ones are; empty: here, and nowhere.
	Requests    []AdminRequest
	First, Next string
}

// AdminReview is what is to be said of the reviews of a dossier.
type AdminReview struct {
	By string    // who made the last one; empty: nobody
	At time.Time // when
	// Since are the items that were recorded after it.
	Since []AdminLack
	// Save is where the reader says that it fits together, as of the entry Number; empty: they do not review. Collected: they have collected some of it.
	Save      string
	Number    int64
	Collected bool
	Bad       *Problem
}

// AdminRequest is a request in a list, whatever has become of it.
type AdminRequest struct {
	Href, ID, Profile string
	At                time.Time // when it was opened
	Status            string    // as in AdminCase
	Issuance          bool      // it is about one certificate request beneath another
}

// AdminAge is an item that ages, or what of a role ends.
type AdminAge struct {
	Kind  string
	Href  string // the person's page, for what of a role ends; empty: an item
	About string // the person; empty: the organization
	Until time.Time
	Over  bool
	Left  time.Duration
	// Unheard: people were to be reminded of it, and nobody could be.
	Unheard bool
}

// AdminItem is one kind of item with what is known.
type AdminItem struct {
	Kind, Clause string
	Need         string // "always", "ev", "business_entity" or "never"
	Facts        []AdminFact
	Past         []AdminFact
	Form         *AdminForm // nil for who collects nothing
}

// AdminFact is what was recorded once.
type AdminFact struct {
	Kind  string
	About string // the person; empty: the organization
	Value string
	Good  bool
	// State is "aged", "unconfirmed" or empty.
	State                         string
	Method, List, ListVersion     string
	Version, Signer               string
	Named                         bool // the kind names people
	Names                         []string
	Keys                          []string // whose protection it is about
	SourceKind, Source, Reference string
	Collected, Recorded           time.Time
	By                            string
	Confirmed                     time.Time
	ConfirmedHow                  string
	Until                         time.Time  // zero: for good
	Confirm                       *AdminForm // to say that it was used just now; nil where that is of no use
}

// AdminForm is a form of the console. Its members are a hidden Once, the Hidden ones, and the fields.
type AdminForm struct {
	Name   string // tells its fields from those of other forms on the page
	Action string
	Once   string // what comes twice with it is one
	Hidden []Choice
	Fields []AdminField
	Open   bool // it was sent and has a mistake
}

// AdminField is one field of a form. Name is a key under "admin.field".
type AdminField struct {
	Form, Name string // Form is AdminForm.Name
	Kind       string // of the item whose value it is
	Type       string // "text", "number", "date", "choice", "radio" or "checks"
	Must       bool
	Value      string
	Max        int // of a text
	Choices    []AdminChoice
	Bad        *Problem
}

// ID is the field's own on its page.
func (f AdminField) ID() string { return f.Form + "-" + f.Name }

// Hinted says whether there is more to be said of the field than its label: of how something was confirmed only where that may be left out.
func (f AdminField) Hinted() bool {
	return Says("admin.hint", f.Name) && !(f.Must && f.Name == "confirmed_how")
}

// Described are the ids of what describes the field; empty if nothing does.
func (f AdminField) Described() string {
	var ids []string
	if f.Hinted() {
		ids = append(ids, f.ID()+"-hint")
	}
	if f.Bad != nil {
		ids = append(ids, f.ID()+"-error")
	}
	return strings.Join(ids, " ")
}

// AdminChoice is one value of a field. Title is what people know it by; empty: the field's own words for the value.
type AdminChoice struct {
	Value, Title string
	Chosen       bool
}

// AdminRules are the approval rule and what is proposed.
type AdminRules struct {
	Now      AdminRule
	Proposed *AdminRule
	By       string // who proposed it
	At       time.Time
	Mine     bool   // the reader did
	Set      string // where another one sets it; empty: not theirs
	// Form proposes another rule, nil for who has no say; Of are those who can be named, and InOrder and Turns what was typed.
	Form    *AdminForm
	Of      []AdminTurn
	InOrder bool
	OfBad   *Problem
}

// AdminRule says who must approve.
type AdminRule struct {
	Needed  int
	Of      []Choice // the appointments and their people; none: whoever is an approver
	InOrder bool
}

// AdminTurn is somebody whom a rule can name.
type AdminTurn struct {
	ID, Name string
	Chosen   bool
	Turn     string
}

func (AdminOrganizations) page() string { return "adminorganizations" }
func (AdminOrganization) page() string  { return "adminorganization" }
