package templates

import "time"

// The pages for operators: what is wrong first, what is fine in few words. They show
// no code and no whole address.

// deskPages are the files in pages/ that are pages for operators. One more takes its name
// here, its struct, its file and a line in web/operators.go.
var deskPages = []string{"deskoverview", "deskspend", "deskmessages", "deskcase", "deskbrakes", "deskwebhooks", "deskfault"}

// Desk is what every page for operators carries.
type Desk struct {
	Operator string
	Self     string // the path of this page, with its query
	Lang     string // to be carried on, as "?lang=…"; empty: none was chosen
	Nav      []DeskLink
	Now      time.Time // that the page is of
}

func (Desk) layout() string { return "desk" }

// DeskLink leads to one of the pages. Name is a key under "desk.nav".
type DeskLink struct {
	Name string
	Href string
	Here bool
}

// DeskFinding is one thing that needs somebody. Code is a key under "desk.finding".
type DeskFinding struct {
	Code    string
	Subject string
	N       string
	Href    string
	Bad     bool // or merely worth a look
}

// DeskOverview is the first page.
type DeskOverview struct {
	Desk
	Findings []DeskFinding
	Waiting  string
	Brakes   string
	CAs      []DeskSpent // those that sent most today, few of them
	Version  string
	Started  time.Time
}

// DeskSpend is what each authority has used of its day.
type DeskSpend struct {
	Desk
	CAs  []DeskSpent
	Next string // where the following ones are; empty: nowhere
}

// DeskSpent is one authority's day.
type DeskSpent struct {
	CA, Title                        string
	State                            string // "fine", "near", "spent" or "revoked"
	Messages, MostMessages, LeftOver string
	Money, MostMoney, LeftMoney      string
	Used                             int64  // messages
	Href                             string // where there is more of it; empty: nowhere
}

// DeskMessages is what waits, and what went wrong lately.
type DeskMessages struct {
	Desk
	Asked    string // the id that somebody looked for and that there is none of
	Waiting  []DeskMessage
	Next     string
	Troubled []DeskMessage
	More     bool // there are more of these
	Outcomes []DeskOutcome
	Started  time.Time // since when they are counted
}

// DeskMessage is one message on its way, or one that did not arrive.
type DeskMessage struct {
	Of         string // what kind of record it is of, a key under "subject"
	Case, Href string // the id of that record, and where it is
	Name       string // what people know it by; empty: nothing that is shown
	CA         string
	Message    string // its own id
	Kind       string // "email_code", …
	Text       bool   // it is a notice by text message
	Shown      string // the masked address
	State      string // as in proofing.Delivery or proofing.OutgoingState, or "expired"
	Reason     string
	At         time.Time // of its state, or since when it waits
	Age        time.Duration
	Tries      int
	Next       time.Time // when it is tried again; zero: not
	Bad        bool
	Resend     string // where to post that it is sent again; empty: nowhere
}

// DeskOutcome is what the provider of a channel answered, to this process.
type DeskOutcome struct {
	Channel string // "email" or "phone"
	Outcome string // "accepted", "not_sent", "refused" or "unknown"
	N       int64
	Last    time.Time
	Reason  string // of the last one
}

// DeskCase says why a person got no code.
type DeskCase struct {
	Desk
	ID, CA, Profile  string
	IdentifierType   string
	Identifier       string // empty where it is an address
	Status           string
	Frozen           bool
	Created, Expires time.Time
	Why              []DeskWhy
	Messages         []DeskMessage
	Limits           []DeskLimits
	Brakes           []DeskBrake
}

// DeskWhy is one sentence of the answer. Code is a key under "desk.why".
type DeskWhy struct {
	Code   string
	Method string // of the attempt that it is about; empty: the whole request
	Shown  string
	Status string // of the case, where that is why
	Reason string
	N      int
	At     time.Time
	Bad    bool
}

// DeskLimits are the limits at one address.
type DeskLimits struct {
	Shown  string
	Counts []DeskCount
}

// DeskCount is how far a limit is used. Limit is a key under "desk.limit".
type DeskCount struct {
	Limit      string
	Used, Most string
	Full       bool
	Until      time.Time
}

// DeskBrakes is every brake of the last week.
type DeskBrakes struct {
	Desk
	Brakes            []DeskBrake
	More              bool
	Ranges, Countries string // the modes: "enforce", "report" or "off"
}

// DeskBrake is one brake.
type DeskBrake struct {
	ID         string
	Scope      string // "range" or "country"
	Place      string
	CA         string
	State      string // "holds", "reports", "lifted" or "over"
	Unanswered int64
	Answered   int64
	Usual      int64
	Known      bool
	Refused    int64
	At, Until  time.Time
}

// DeskWebhooks is how the webhooks of authorities are.
type DeskWebhooks struct {
	Desk
	Hooks []DeskWebhook
	Next  string // where the following ones are; empty: nowhere
}

// DeskWebhook is one authority's webhook.
type DeskWebhook struct {
	CA, Title string
	At        string // where it leads, without what may be secret
	State     string // "well", "failing", "stopped" or "off"
	Since     time.Time
	Reason    string
	Tries     int
	Again     time.Time // when it is tried again; zero: not by itself
	Late      int
	Dead      int64
}

// DeskFault is a page that says no.
type DeskFault struct {
	Desk
	Code string // "not_found", "unavailable", "method", "internal": the catalogs have the list under "desk.fault"
}

func (DeskOverview) page() string { return "deskoverview" }
func (DeskSpend) page() string    { return "deskspend" }
func (DeskMessages) page() string { return "deskmessages" }
func (DeskCase) page() string     { return "deskcase" }
func (DeskBrakes) page() string   { return "deskbrakes" }
func (DeskWebhooks) page() string { return "deskwebhooks" }
func (DeskFault) page() string    { return "deskfault" }
