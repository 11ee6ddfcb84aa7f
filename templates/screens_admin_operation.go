package templates

import "time"

// AdminOperated is a page of what an authority has, for those who run it.
type AdminOperated struct {
	AdminFrame
	CAs         []AdminScope // the page chooses among several
	CA          string       // empty: there is none
	Find        string       // what was looked for, as it was typed
	First, Next string
}

// AdminKeys are keys for external account binding.
type AdminKeys struct {
	AdminOperated
	People bool // they can be looked up by a person's id
	Theirs bool // they are an organization's
	Rows   []AdminKeyRow
}

// AdminKeyRow is one key in few words.
type AdminKeyRow struct {
	Kid, Href, Status, Profile string
	Accounts, Most             int
	Made, Until                time.Time
}

// AdminKey is one key, without its secret.
type AdminKey struct {
	AdminFrame
	AdminAct
	AdminKeyRow
	Back, Log               string
	CA, Algorithm           string
	Directory               string
	For                     []AdminMember // identifiers by their types; none: it does not say
	Case, CaseHref, Subject string
	Person                  string // empty: nobody's, or the reader may not know
	Unused                  time.Time
	Released, Revoked       time.Time
	Reason                  string // a key under "admin.key_reason"
	Replaced, ReplacedHref  string
	Bound                   []AdminBound
	End                     string // where to post that it ends; empty: it has ended
}

// AdminBound is an account that is bound to a key.
type AdminBound struct {
	URL, Thumbprint string
	At              time.Time
	Off             bool
}

// AdminRegistry are entries of the registry.
type AdminRegistry struct {
	AdminOperated
	Rows []AdminRegistered
}

// AdminRegistered is one entry.
type AdminRegistered struct {
	Type, Value string
	Holders     []AdminHolder
	Domains     []string
	Since       time.Time
	Note        string
	Log         string
}

// AdminHolder is whom an entry names: by a masked address, a person by their id, or an organization by its name.
type AdminHolder struct {
	Shown        string
	Person       bool // without Shown: one whom the reader may not know
	Organization bool // Shown is its name: whoever may ask for it
}

// AdminAuthorities are the authorities that the reader runs.
type AdminAuthorities struct {
	AdminFrame
	Rows []AdminAuthority
}

// AdminAuthority is one of them.
type AdminAuthority struct {
	Name, Title  string
	Since        time.Time
	Directories  []string
	Profiles     []string
	CAA          []string
	Tokens, Pins int
	Step         int // webhooks of step-ca
	MAC          bool
	TokenTypes   []string
	Links        []AdminLink // to what else there is of it; names are keys under "admin.nav"
}

func (AdminKeys) page() string        { return "adminkeys" }
func (AdminKey) page() string         { return "adminkey" }
func (AdminRegistry) page() string    { return "adminregistry" }
func (AdminAuthorities) page() string { return "adminauthorities" }
