package templates

import "time"

// AdminPeople are the appointments that somebody gets to see.
type AdminPeople struct {
	AdminFrame
	Scopes   []AdminScope
	Statuses []AdminStatus
	Rows     []AdminPersonRow
	// Proposals lead to where somebody is proposed, one for each role that the reader may give there.
	Proposals   []AdminProposal
	First, Next string
}

// AdminStatus narrows the list to a status; empty: to whatever has not ended.
type AdminStatus struct {
	Status, Href string
	Here         bool
}

// AdminProposal leads to the form for a role.
type AdminProposal struct{ Role, Href string }

// AdminPersonRow is one appointment in a list.
type AdminPersonRow struct {
	Href, Name, Role string
	Where            string    // empty: the whole service
	Status           string    // as in proofing.AppointmentStatus, or why it gives no role
	Awaits           string    // as in proofing.Awaits
	Since            time.Time // when it came to that; zero: not known
	Asked            string    // "resume", "end" or empty
}

// AdminPropose is where somebody is proposed for one role.
type AdminPropose struct {
	AdminFrame
	AdminAct
	Back        string
	Role, Where string
	Signers     bool // the role may rest on the word of a Contract Signer
	NoSigner    bool // and there is none
	Form        AdminForm
}

// AdminPerson is one appointment.
type AdminPerson struct {
	AdminFrame
	AdminAct
	Back              string
	Name, Role, Where string
	WhereHref         string // the dossier; empty for none
	Status, Awaits    string // as in AdminPersonRow
	// Link is how the appointment is taken up: only in the answer to the one who proposed it.
	Link      string
	LinkUntil time.Time
	// Waits: nobody has taken it up, and somebody still can.
	Waits   bool
	Passkey *AdminPasskey // of who has; nil before
	Known   []Thing       // what else they are known by, masked
	Basis   AdminBasis
	Until   time.Time // of its term; zero: none
	// ReconfirmBy is when it must be confirmed again; zero: never.
	ReconfirmBy time.Time
	Unheard     bool // people were to be reminded of what ends of it, and nobody could be
	History     []AdminActed
	Log         string // what the log tells of it
	Asked       *AdminAsked
	Moves       []AdminMove
}

// AdminPasskey is the authenticator that somebody has shown.
type AdminPasskey struct {
	Name             string
	Since            time.Time
	Attested, Synced bool
}

// AdminBasis is what a role rests on. Kind is empty for what needs nothing.
type AdminBasis struct {
	Kind, Reference, Signer string
	At                      time.Time
	Agreement               *AdminAgreement
}

// AdminAgreement is the contract that makes somebody a pre-authorized approver.
type AdminAgreement struct {
	Reference, Version, Signer string
	Until                      time.Time
}

// AdminActed is something that was done to an appointment.
type AdminActed struct {
	What   string // a key under "admin.act"
	Actor  string // "person", "operator" or "service"
	By     string // the person's name
	At     time.Time
	Reason string // a code, or words
}

// AdminAsked is what waits for a second person.
type AdminAsked struct {
	What, By, Reason string
	At               time.Time
}

// AdminMove is something that the reader can do, or why not. What is a key under "move".
type AdminMove struct {
	What string
	Deny *Problem // nil: they can
	Form AdminForm
	Bad  bool // it takes rights away: the button says so
	Fold bool // it is rarely wanted
}

func (AdminPeople) page() string  { return "adminpeople" }
func (AdminPerson) page() string  { return "adminperson" }
func (AdminPropose) page() string { return "adminpropose" }
