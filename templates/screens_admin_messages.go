package templates

import "time"

// AdminMessages are the messages of an authority, with its webhook, of an organization or of the service itself.
type AdminMessages struct {
	AdminFrame
	AdminAct
	CAs      []AdminScope // the page chooses among several
	CA       string       // empty: there is none
	Whose    string       // "authority", "organization" or "service"
	Troubled []DeskMessage
	More     bool // there may be more of these
	Waiting  []DeskMessage
	// First and Next are where the first and the following ones of those that wait are; empty: here, and nowhere.
	First, Next string
	Hook        *DeskWebhook // nil: the authority has none
	Dead        []AdminDead
	Lost        int    // dead events that are not listed
	Replay      string // where to post that it is called again; empty: it needs nothing
}

// AdminDead is an event that a webhook is not called with any more.
type AdminDead struct {
	ID, Change, Status string
	At, Since          time.Time
	Reason             string
}

func (AdminMessages) page() string { return "adminmessages" }
