package templates

import (
	"html/template"
	"slices"
	"time"
)

// pageNames are the files in pages/ that are pages of their own.
var pageNames = []string{"home", "case", "claimed", "outcome", "link", "returned", "disown", "disowncertificate", "disowned", "apply", "signin", "me", "regain", "records", "record", "recover", "recovery", "sign", "fault", "demohome", "demoev", "mailbox"}

// Frame is what every page carries.
type Frame struct {
	Operator string       // who runs this service
	Contact  string       // where people turn with questions: an e-mail address or https link; may be empty
	Self     string       // the path at which this page can be seen again
	Carry    template.URL // what it is seen with besides the language: encoded, and with an & before it
	Home     string       // the path of the home page
	// Mailbox is where messages can be read that nobody delivers; empty where they go out.
	Mailbox string
	Demo    bool // the program runs as its own demo
}

func (Frame) layout() string { return "layout" }

// Request is what every page of a case says of it, so that people can tell
// whether it is theirs.
type Request struct {
	CA             string // the certificate authority's title
	IdentifierType string // as in RFC 8555: "dns", "email", …
	Identifier     string
	Profile        string // the profile's title
	KeyKind        string // "account", "public_key" or "none"
	Fingerprint    string // of that key, short; empty if there is none
	Disown         string // the path of "this was not me"; empty where it is no use
}

// Problem is why something did not work.
type Problem struct {
	Family string // "input", "limit" or "error"
	Code   string
	Until  time.Time     // trying again makes sense then; zero: not by waiting
	Wait   time.Duration // until then
	Tries  int           // left for the code in force, after a wrong one
	// Other is a method that would do as well, and OtherHref where to use it; empty: none.
	Other, OtherHref string
}

// problemAt is a problem and the form field that describes itself by it.
type problemAt struct {
	Field string
	*Problem
}

// Case is the page where a person works: one step at a time.
type Case struct {
	Frame
	Request
	// Waiting: the authority has not started the challenge; nothing can be done yet.
	Waiting bool
	// Stuck: what is missing cannot be proved by any method that is offered.
	Stuck    bool
	Notice   *Problem // a problem that belongs to no field
	Steps    []Step
	Panel    *Panel    // the step at hand; nil if there is none
	InPerson *InPerson // the way to a representative; nil if there is none
	Siblings []Sibling
	Terms    Terms
	Expires  time.Time
}

// Later says that a step is done already: whoever works here has compared the request,
// and on a small screen the form may take its place.
func (c Case) Later() bool {
	return c.Panel != nil && slices.ContainsFunc(c.Steps, func(s Step) bool { return s.State == "done" })
}

// Step is one thing to do, or done.
type Step struct {
	Code   string // as in a profile's demands: "address", "method", "ial", …, or "review", "answer"
	Detail string // the method, channel or level
	State  string // "done", "now" or "todo"
	Href   string // where to do it first instead; empty: not now
}

// Panel is the form of one method.
type Panel struct {
	Method  string // "email", "sms", "fido" or "oidc"
	Begin   string // where to post an address
	Answer  string // where to post a code
	Resend  string // where to ask for another message
	Offered string // the contact that the authority gave, masked unless it is the identifier; empty: the person names one
	Address string // what the person typed, to be mended
	// Begun is the attempt at hand; nil before anything was sent.
	Begun *Begun
	// Again: the number is confirmed, and a second code is needed to authenticate with it.
	Again *Again
	// Restricted is what must be said of text messages; nil for other methods.
	Restricted *Restricted
	AddressBad *Problem // at the address field
	CodeBad    *Problem // at the code field
	// Enrol is where to ask for a new passkey; empty: none can be added now.
	Enrol string
	// Owned: the person has a passkey here. Created: they have just made it, and are to use it.
	Owned, Created bool
	// New: they may as well have none here yet, so that creating one is as good a way as using one.
	New bool
	// Choices are the providers to sign in with.
	Choices []Choice
	// Use is the passkey or sign-in that has been asked for; nil before.
	Use *Use
}

// Choice is something to choose instead of typing it.
type Choice struct{ Name, Title string }

// Use is an attempt that the browser itself, or another site, has to answer.
type Use struct {
	Attempt string
	Kind    string // "get" or "create" of the browser's credentials, or "away"
	Ask     string // what the browser is asked, JSON; empty for "away"
	Away    string // the address to go to; empty for the others
	Shown   string // whose that is
	// Over says why the challenge is no longer good: "tries", "expired" or empty.
	Over    string
	Expires time.Time
}

// Begun is an attempt whose code has been asked for.
type Begun struct {
	Attempt  string
	Shown    string // the address, masked unless it is the identifier
	Delivery string // as in proofing.Delivery
	Reason   string // of a failure
	Tries    int
	// Over says why the code in force is none: "tries", "expired" or empty.
	Over       string
	Expires    time.Time
	ResendAt   time.Time     // another message may be asked for then
	ResendWait time.Duration // until then; 0: now
}

// Again is an attempt that confirmed a number, to be used once more.
type Again struct {
	// Foreign: the number was not bound, because the person has another one; it
	// is that one which must be used.
	Foreign bool
	Attempt string // empty if the number was confirmed elsewhere, and must be named again
	Shown   string
	AAL     string // the level that the profile demands
}

// Restricted is the notice that SP 800-63B 5.2.10 and SP 800-63B-4 3.2.9 ask for.
type Restricted struct {
	Clause        string   // where the profile's framework says so
	Authenticates bool     // the profile demands more than a confirmed number
	Alternatives  []string // methods of the profile that are not restricted
}

// Sibling is another identifier that the same proof serves.
type Sibling struct{ IdentifierType, Identifier string }

// Terms are what the authority gets to know, and for how long.
type Terms struct {
	Methods       []string // names of the methods that may be used
	Channels      []string // kinds of addresses that may be confirmed
	GrantLifetime time.Duration
	Retention     time.Duration
}

// Claimed turns away a browser that came second.
type Claimed struct {
	Frame
	Request
}

// Outcome is the page of a case at which a person has nothing left to do.
type Outcome struct {
	Frame
	Request
	Status string // "review", "granted", "refused", "expired", "withdrawn", "revoked", "frozen" or "held"
	Me     string // where its person signs in, if it is held, or frozen and they may give it back
	// GiveBack: its person may give back what is frozen; Restore is where that goes, for who has signed in.
	GiveBack bool
	Restore  string
	// Ending says that something of a grant has given way: Reason is what, and Until when it ends.
	Ending bool
	Reason string // a code
	At     time.Time
	Until  time.Time // of the grant, or of the freeze; zero: none
	Levels []Level
	// SelfAsserted: the IAL is one that asks for no identity (IAL1 of SP 800-63-3).
	SelfAsserted bool
	// Restricted: the AAL rests on a restricted authenticator. PhishingResistant: on one that no false site can use.
	Restricted, PhishingResistant bool
	Later                         int // the AAL that one more code to the number just confirmed reaches; 0: none
	Proved                        []Proof
	Key                           *EABKey // that the case ends in; nil if in none
	Token                         *AuthorityToken
	Terms                         Terms
	Notice                        *Problem
}

// EABKey is the external account binding key that a case ends in: offered, or shown in the one answer that has it.
type EABKey struct {
	Make   string // where the form goes; empty: none can be made
	Before bool   // one was made
	// Directories are those of an authority that has several: a key is good at the one that is chosen.
	Directories []string
	// NotReady says that the authority is not set up to take any key yet.
	NotReady bool
	// Kid and the rest are of the key that is shown; empty: none is.
	Kid, Secret, Algorithm, Directory string
	Until                             time.Time
	Clients                           []ClientText
}

// AuthorityToken is how the holder of an account gets one (RFC 9447), where the authority takes such tokens: what their client asks, and where. First: they register the account first.
type AuthorityToken struct {
	URL, Payload string
	First        bool
}

// ClientText is what can be pasted for an ACME client.
type ClientText struct{ Name, Text string }

// Said is what the page says of the status. A grant for nobody yet is a record that waits
// for an account: no program goes on by itself.
func (o Outcome) Said() string {
	if o.Status == "granted" && o.KeyKind == "none" {
		return "recorded"
	}
	return o.Status
}

// Controls is what was confirmed where no level was reached that proves anything: "both", "email", "phone" or
// "other"; empty where one was, or where nothing is shown.
func (o Outcome) Controls() string {
	claimed := func(l Level) bool { return l.Value != "" && !(l.Name == "IAL" && o.SelfAsserted) }
	if len(o.Levels) == 0 || slices.ContainsFunc(o.Levels, claimed) {
		return ""
	}
	has := func(kinds ...string) bool {
		return slices.ContainsFunc(o.Proved, func(p Proof) bool { return slices.Contains(kinds, p.Kind) })
	}
	mail, phone := has("email_code", "email_link"), has("sms_code", "sms_again", "voice_code")
	switch {
	case mail && phone:
		return "both"
	case mail:
		return "email"
	case phone:
		return "phone"
	}
	return "other"
}

// Level is one part of the label, with what it rests on.
type Level struct {
	Name    string // "IAL", "AAL" or "FAL"
	Value   string // a number, or empty for none
	Reasons []Clause
}

// Clause is a clause of the standard and what it says of this case.
type Clause struct{ Clause, Text string }

// Proof is one thing that was proved, without the address itself.
type Proof struct {
	Kind  string // as in proofing.Evidence
	Shown string // the masked address
	At    time.Time
}

// Link is where the link of a mail leads.
type Link struct {
	Frame
	Request
	// Mode is "confirm" in the browser that asked for the mail, "retype" in any
	// other, "passed" when it is done and "over" when the code is no longer good.
	Mode    string
	Method  string // of the attempt
	Action  string
	Case    string // the path of the case's page; only for the browser that has it already
	Shown   string
	Expires time.Time
	CodeBad *Problem
	Notice  *Problem
}

// Returned is where a person lands who comes back from another site.
type Returned struct {
	Frame
	Action string
	// Fields are what that site says, to be sent on.
	Fields []Field
}

// Field is a hidden field of a form.
type Field struct{ Name, Value string }

// Disown asks whether it really was not them.
type Disown struct {
	Frame
	Request
	Action string
	Over   bool // the case is over: there is nothing to freeze
	// Certificates: some rest on it, whose revocation follows.
	Certificates bool
	Own          bool // it is a session or a recovery of the person's own, and no authority's request
	Bad          *Problem
}

// DisownCertificate asks whoever answers for a certificate whether it is theirs, and says what came of their word.
type DisownCertificate struct {
	Frame
	CA, Subject, Serial string
	Issued, Ends        time.Time
	Action              string
	Over                bool // it was revoked, or has ended
	Disowned            bool
	RevokeBy, Revoked   time.Time
	Bad                 *Problem
}

func (DisownCertificate) page() string { return "disowncertificate" }

// Disowned says that the case is frozen.
type Disowned struct {
	Frame
	Request
	Until time.Time
	Own   bool // as in Disown
}

// Apply is the form of self-service.
type Apply struct {
	Frame
	CA, Profile string // titles
	Action      string
	Types       []string // identifier types of the profile
	Type, Value string   // what the person gave, to be mended
	Terms       Terms
	TypeBad     *Problem
	ValueBad    *Problem
	Notice      *Problem
}

// Home says what this service is.
type Home struct {
	Frame
	Me      string // the path of what is a person's own; empty where nobody signs in
	Applies []Offer
}

// Offer is a profile that a person may apply for without a call of the authority.
type Offer struct{ CA, Profile, Href string }

// Fault is every page that says no.
type Fault struct {
	Frame
	Code  string // "not_found", "cross_site", …: the catalogs have the list under "fault.title"
	Until time.Time
	Wait  time.Duration
	Back  string // where to go on; empty: nowhere
	Go    string // what that is: the catalogs have the list under "fault.go"; empty: the page where it happened
}

// DemoBar leads from one part of the demo to another.
type DemoBar struct {
	Call, Mailbox, Answer string // paths
	Person                string // the path of the person's page; empty before the call
	At                    string // "mailbox" on the mailbox page
}

// DemoHome walks a newcomer through one case: the authority's call, the person's
// page, and what the authority reads in the end.
type DemoHome struct {
	Frame
	CA         string // the demo authority's title
	Bar        *DemoBar
	Start      string   // where to post to make the call of step 1
	EV         string   // the path of the other walk
	Profiles   []string // that it may be for: "client", "staff" or "signing"
	Identifier string   // that the call will be about
	Call       *DemoCall
	Result     *DemoResult
}

// DemoEV walks a newcomer through an EV code signing certificate, of which they play three parts.
type DemoEV struct {
	Frame
	Back             string // the path of the other walk
	CA, Organization string
	Steps            []DemoStep
	Why              string // why the walk cannot go on: "over" (the request has ended) or "twice" (one person has two parts); empty: it can
	Next             string // where to post so that the demo does its part
	Again            string // where to post to begin anew; empty at the beginning
	SignOut          string // where to post to be signed out
	Link             string // where the newcomer's part is done, or the file
	File, Key        string // the evidence by its name, and the key of the log
}

// DemoStep is one step of it, in Role if it is somebody's.
type DemoStep struct {
	Code, Role string
	Here, Done bool
}

// Part is the newcomer's own: they do it, and not the demo.
func (s DemoStep) Part() bool {
	return slices.Contains([]string{"join", "prove", "approve", "review"}, s.Code)
}

// DemoCall is step 1 as it happened.
type DemoCall struct {
	Profile  string // of DemoHome.Profiles, what it was for
	Curl     string // the same call for a terminal
	Request  string // JSON, indented
	Response string // JSON, indented
	Case     string // the path of the person's page
}

// DemoResult is what the authority reads at the moment.
type DemoResult struct {
	Status        string // of the authorization, as in RFC 8555
	Authorization string // JSON, indented
	Statement     string // the compact JWS; empty until the case is granted
	Header        string // its decoded header
	Claims        string // its decoded claims
}

// Mailbox shows what would have been sent.
type Mailbox struct {
	Frame
	Bar    *DemoBar // nil outside the demo
	Origin string   // links that begin with it can be followed
	Query  string   // what such links carry on: the chosen language, as "?lang=…"
	Mails  []Mail   // the newest first
}

// Mail is one message in the mailbox.
type Mail struct {
	Channel string // "email" or "phone"
	To      string
	Subject string // empty for a text message
	At      time.Time
	Text    string
}

func (Home) page() string     { return "home" }
func (Case) page() string     { return "case" }
func (Claimed) page() string  { return "claimed" }
func (Outcome) page() string  { return "outcome" }
func (Link) page() string     { return "link" }
func (Returned) page() string { return "returned" }
func (Disown) page() string   { return "disown" }
func (Disowned) page() string { return "disowned" }
func (Apply) page() string    { return "apply" }
func (Fault) page() string    { return "fault" }
func (DemoHome) page() string { return "demohome" }
func (DemoEV) page() string   { return "demoev" }
func (Mailbox) page() string  { return "mailbox" }
