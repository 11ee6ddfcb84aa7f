package templates

import (
	"slices"
	"time"
)

// AdminCase is one request as those see it who decide about it.
type AdminCase struct {
	AdminFrame
	Matter Matter
	Notice *Problem
	ID     string
	// Version is the number of the last entry of the request, and Seen the one that the person had looked at when they decided; 0: none.
	Version, Seen int64
	// Looked is when the person had looked before, or last did something about it; zero: never. Changes are what others have changed since.
	Looked        time.Time
	Changes       []AdminChange
	Status        string // "review", "frozen", or how it ended
	Why           string // it ended so: a code; empty: none
	Stage         string // where it stands in review
	Since         time.Time
	Expires       time.Time
	Turn          string // the role that it waits for; empty: nobody
	Approved      int    // of the organization, of Needed
	Needed        int
	Named         []string // who alone may approve
	InOrder       bool
	Protection    AdminProtection
	Requester     AdminRequester
	Decisions     []AdminDecision
	Lacks         []AdminLack
	Discrepancies []AdminDiscrepancy
	// Fresh: the person has just authenticated; only then do forms do anything. Confirm is where they do so.
	Fresh   bool
	Confirm string
	Decide  *AdminDecide // nil: it is not for this person to decide now
	WhyNot  string       // why it is not, for somebody whose role it would be: a code of "input"
	Mine    *AdminDecision
	// Raise and Resolve are where the forms about discrepancies go; empty: they are not this person's.
	Raise, Resolve string
	// Typed is what the person has written that did not go through, and Resolving the discrepancy that it was about.
	Typed     string
	Resolving string
	Bad       *Problem // at the field of Typed
	Queue     string
	Dossier   string       // where what was collected about the organization is
	Freeze    *AdminFreeze // nil: it is not frozen
	// Certificates are the newest that rest on it; MoreCertificates: there are others.
	Certificates     []AdminCertificate
	MoreCertificates bool
}

// AdminProtection is what the dossier has about how the key is protected that a request is for.
type AdminProtection struct {
	// Code is "named" (it is for this key), "practice" (for all keys of the organization), "other" (there is none for this key), "bad" (what there is was refuted, or has aged), or empty: no key is known yet.
	Code              string
	Method, Reference string
}

// AdminCertificate is one that rests on a request.
type AdminCertificate struct {
	Serial, Digest, Subject string
	From, Until             time.Time
	Days                    int
	Reported                time.Time
	Renewal                 bool
	Disowned, RevokeBy      time.Time // zero: nobody has said that it was not them
	Revoked                 time.Time // zero: it is not, as far as the authority has told
	Findings                []string  // codes under "finding"
	Unheard                 bool      // people were to be reminded of its end, and nobody could be
}

// Found says whether anything about a certificate is not as it should be.
func (c AdminCase) Found() bool {
	return slices.ContainsFunc(c.Certificates, func(x AdminCertificate) bool { return len(x.Findings) > 0 })
}

// AdminFreeze is what "this was not us" has brought about.
type AdminFreeze struct {
	At, Until    time.Time
	Granted      bool // it authorizes nothing until then
	Certificates bool // some of it are to be revoked all the same
	// AskedBy is who has asked that it be given back, when, and why; empty: nobody has.
	AskedBy, Reason string
	Asked           time.Time
	Mine            bool   // that was the reader
	WhyNot          string // the reader runs the authority and may not all the same: a code of "input"
	Action          string // where the form goes; empty: it is not the reader's to give back
	Number          int64
	Bad             *Problem
}

// Loose says whether what the person has written stands in no field of the page any more: it is shown by itself, so that it is not lost.
func (c AdminCase) Loose() bool {
	switch {
	case c.Typed == "", c.Freeze != nil && c.Fresh && c.Freeze.Action != "":
		return false
	case !c.Fresh:
		return true
	case c.Resolving == "":
		return c.Decide == nil
	case c.Resolving == "new":
		return c.Raise == ""
	}
	return c.Resolve == "" || !slices.ContainsFunc(c.Discrepancies, func(d AdminDiscrepancy) bool { return d.ID == c.Resolving && d.Resolved.IsZero() })
}

// AdminRequester is who asks.
type AdminRequester struct {
	Name, Role string // by which appointment; empty: none
	Levels     []Level
	Proved     []Proof
}

// AdminDecision is a decision that was made.
type AdminDecision struct {
	Step, Reason, Name string
	Refused            bool
	At, Until          time.Time // and until when it counts for a request that is not granted yet
	Void               string    // why it counts no more, as in proofing.Decision; empty: it does
	Over               bool      // Until is over
	Entry              int64
	New                bool // since the person looked
	Older              bool // the dossier that was shown with it said something else than it does now
}

// AdminChange is something that was changed. Code is a key under "case_change".
type AdminChange struct {
	Code      string
	Item      string // the kind of item of the dossier that it is about; empty: none
	About     string // the person that the item is about
	Value, By string
	At        time.Time
}

// Code is the word of what was decided.
func (d AdminDecision) Code() string {
	if d.Refused {
		return "refuse"
	}
	return d.Step
}

// AdminDiscrepancy is something that does not fit together.
type AdminDiscrepancy struct {
	ID, Text, Name, Resolution, Resolver string
	At, Resolved                         time.Time
}

// AdminDecide is what the person may decide.
type AdminDecide struct {
	Action      string // where both forms go
	Appointment string
	Step        string
	Number      int64  // of the version that the page shows
	Dossier     string // the digest of the dossier that it is made of
	Shown       time.Time
	May         bool    // agree; refusing takes no more than the role
	Agree       Follows // from agreeing
	Refuse      Follows
}

// AdminJoin is where somebody takes up a role.
type AdminJoin struct {
	AdminFrame
	Notice *Problem
	// State is "open", or how it stands: a code of "join_state".
	State    string
	For      string // the name that they were appointed by
	Role     string
	Where    string // the authority or organization; empty: everywhere
	By       string // who has proposed it; empty: it began on the server
	Until    time.Time
	SignedIn bool
	// Have are the roles that whoever is signed in has already, and Leave where a form goes that ends their session.
	Have    []AdminHeld
	Leave   string
	Fresh   bool   // and has just authenticated with a passkey
	SignIn  string // where they sign in, or confirm that it is them
	Take    string // where the form goes
	Console string // the path of the console, once it is theirs
}

// AdminHeld is a role that somebody has.
type AdminHeld struct{ Role, Where string }

func (AdminCase) page() string { return "admincase" }
func (AdminJoin) page() string { return "adminjoin" }
