package templates

import (
	"net/url"
	"time"
)

// The pages of the console, at /admin: what waits for people who decide about requests.

// adminPages are the files in pages/ that are pages of the console.
var adminPages = []string{"adminqueue", "admincase", "adminjoin", "adminorganizations", "adminorganization", "adminpeople", "adminperson", "adminpropose", "adminlog", "adminentry", "adminpolicies", "adminpolicy", "adminrevocations", "adminmessages", "adminspend", "adminkeys", "adminkey", "adminregistry", "adminauthorities", "adminsettings"}

// AdminFrame is what every page of the console carries.
type AdminFrame struct {
	Frame
	Reader  string // the name of who is signed in, as colleagues know them
	Nav     []AdminLink
	Query   url.Values // of this page, besides the language
	Me      string     // the path of the person's own page
	SignOut string     // where to post
	Now     time.Time  // that the page is of
}

func (AdminFrame) layout() string { return "admin" }

// In is this page in a language.
func (f AdminFrame) In(lang string) string {
	query := url.Values{"lang": {lang}}
	for name, values := range f.Query {
		query[name] = values
	}
	return f.Self + "?" + query.Encode()
}

// AdminLink leads to one of the pages. Name is a key under "admin.nav".
type AdminLink struct {
	Name string
	Href string
	Here bool
}

// AdminQueue is what waits at one stage.
type AdminQueue struct {
	AdminFrame
	Find AdminFind
	// Unheard: no notice reaches the reader, who has no address here. AdminFrame.Me is where they add one.
	Unheard bool
	Revoke  *AdminRevoke    // nil: nothing must be revoked
	Policy  *AdminPolicyRow // that waits for administrators, for one of them; nil: none does
	Frozen  []AdminFrozen   // requests that "this was not us" has frozen, of the authorities that the reader runs
	// FrozenMore: there are more of these.
	FrozenMore bool
	As         []AdminOffice // the person's appointments; the page chooses among several
	Stages     []AdminTab
	Rows       []AdminRow
	// Idle is the reader's role where no request waits at any stage, and Begin where they prepare what comes before one; empty: nowhere.
	Idle, Begin string
	// First and Next are where the oldest and the following ones are; empty: here, and nowhere.
	First, Next string
}

// AdminFind is the form that finds a request, a certificate or an organization.
type AdminFind struct {
	Action string     // the path of the queue, which shows what was found
	Query  url.Values // what it keeps of the queue's page
	Text   string     // what was looked for; empty: nothing was
	// Found is what was found, where it is not one thing alone; More: and there is more of it.
	Found []AdminFound
	More  bool
}

// AdminFound is a request, or an organization, whose Case is empty.
type AdminFound struct {
	Href, Name, CA string
	Case, State    string // its id, and as in AdminCase
}

// AdminFrozen is one of them.
type AdminFrozen struct {
	Name, CA, Href string
	Until          time.Time
	Asked          bool // somebody has asked that it be given back
}

// AdminOffice is an appointment of the person.
type AdminOffice struct {
	Role  string
	Where string // the authority or organization; empty: everywhere
	Href  string
	Here  bool
}

// AdminTab is one stage with how much waits there.
type AdminTab struct {
	Stage string
	N     string // "50+": as many at least
	Href  string
	Here  bool
}

// AdminRow is one request that waits.
type AdminRow struct {
	Href              string
	Name, CA, Profile string
	Since             time.Time // of the stage
	Age               time.Duration
	Turn              string // the role whose turn it is
	Approved, Needed  int    // where several approve; Needed is 0 elsewhere
	Lacks             []AdminLack
	More              int // that are lacking besides
	Unresolved        int // things that do not fit together
	Frozen            bool
	Mine              bool // it waits for this person
}

// AdminLack is one thing that stands between the request and a grant.
type AdminLack struct {
	Code, Item, Clause string
	About              string    // the person that it is about; empty: the organization
	Role               string    // that nobody holds; empty otherwise
	Since              time.Time // when it aged; zero: it is missing
}

// Whole says whether the words of the code say all by themselves, and name no item.
func (l AdminLack) Whole() bool {
	return l.Code == "role" || l.Code == "other_key" || l.Code == "not_listed" || l.Code == "agreement" || l.Code == "no_agreement" || l.Code == "reconfirm"
}

func (AdminQueue) page() string { return "adminqueue" }
