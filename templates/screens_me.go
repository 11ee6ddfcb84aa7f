package templates

import "time"

// SignIn is where people sign in to see what is theirs.
type SignIn struct {
	Frame
	Start  string // where to begin; empty once somebody has
	New    bool   // and whoever comes may have nothing here yet
	Out    bool   // they have just signed out, to come back as somebody else
	Regain string // where a code of a representative goes
	Notice *Problem
	Panel  *Panel
	Others []Way
	// Recover is where a saved code goes; empty unless a mailbox has been confirmed.
	Recover string
	// Lost is where the mailbox goes of somebody who has lost the rest; empty where Others leads there. Its field is
	// where a browser offers passkeys by itself.
	Lost string
}

// Later implements what the parts of a case's page ask: there is nothing to compare here.
func (SignIn) Later() bool { return false }

// Way is a method and where to use it.
type Way struct{ Code, Href string }

// Me is what somebody has here.
type Me struct {
	Frame
	Notice *Problem
	// Fresh: the person has just authenticated, as strongly as they can, and may change things.
	Fresh bool
	Panel *Panel // what is being added, or the confirmation that it is them; nil: nothing
	// Things are what the person is known by, and Adds the ways to more.
	Things []Thing
	Adds   []Way
	// Codes are recovery codes that have just been made, and CodesLeft how many are good.
	Codes     []string
	CodesLeft int
	Until     time.Time // the end of the session, if nothing is done
	Levels    []Level
	// Recovering: the account was recovered, and something is suspended since. StopRecovery is where it goes that this was not them.
	Recovering   bool
	StopRecovery string
	// Back: they have just come in by a recovery, and are to add something; Cools is when what they have added counts, if they have.
	Back    bool
	Cools   time.Time
	Console string // the path of the console; empty for who has no role there
	Desk    string // the path of Records, for a representative
	// Keys are those that they have proved themselves a right to; ShowKeys is where they are shown, if it is not here.
	Keys     []MyKey
	ShowKeys string
	// Where forms go.
	Rename, Remove, Reactivate, NewCodes, SignOut, Export, Erase, EndKey string
}

// MyKey is an external account binding key that somebody has proved themselves a right to.
type MyKey struct {
	Kid, Identifier, CA string
	Status              string // "active", "expired" or "revoked"
	Directory           string // at which it works, where the authority has several
	Accounts            int
	Made, Until         time.Time
}

// Thing is one address or authenticator.
type Thing struct {
	ID         string
	Kind       string // "email", "phone", "passkey" or "identity"
	Shown      string // masked
	Name       string // that the person gave it; may be empty
	Added      time.Time
	Counts     time.Time // from when on it counts, if that is not yet
	Suspended  time.Time // since when a recovery has suspended it; zero: it has not
	Copied     time.Time // since when there may be a copy of it; zero: nothing says so
	Restricted bool
}

func (SignIn) page() string { return "signin" }
func (Me) page() string     { return "me" }
