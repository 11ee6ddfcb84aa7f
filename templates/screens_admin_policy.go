package templates

import (
	"fmt"
	"strings"
	"time"
)

// AdminPolicies is which policy is in force, what is proposed, and what became of other proposals.
type AdminPolicies struct {
	AdminFrame
	// None: there is no policy that anybody could approve; the configuration file is in force.
	None   bool
	Digest string // of what is in force
	Since  time.Time
	From   string // the proposal that it came by; empty: it was adopted
	Waits  *AdminPolicyRow
	Rows   []AdminPolicyRow
	// First and Next are where the newest and the following ones are; empty: here, and nowhere.
	First, Next string
}

// AdminPolicyRow is a proposal in a list.
type AdminPolicyRow struct {
	Href             string
	At               time.Time
	By               string // "file" or "operator"
	Status           string // "waiting", "approved", "refused" or "replaced"
	Changes          int
	Approved, Needed int
}

// AdminPolicy is one proposal.
type AdminPolicy struct {
	AdminFrame
	AdminAct
	PolicyMatter
	Back      string
	By        string // as in AdminPolicyRow
	At, Ended time.Time
	Status    string
	Decisions []AdminPolicyDecision
	Approved  int // approvals that count, of Needed
	Needed    int
	Log       string              // what the log tells of it
	Decide    *AdminPolicyDecides // nil: it is not for this person to decide now
	WhyNot    *Problem            // why it is not, if it waits
	Typed     string              // the reason that did not go through
	Bad       *Problem            // at the field of Typed
}

// AdminPolicyDecision is what one administrator has decided.
type AdminPolicyDecision struct {
	Name, Reason string
	Refused      bool
	At           time.Time
	Void         string // why it counts no more; empty: it counts
}

// AdminPolicyDecides is what the person may decide.
type AdminPolicyDecides struct {
	Action string
	Number int64  // of the entry that the page shows
	Agree  string // what follows from agreeing: a code of "policy_follows"
}

func (AdminPolicies) page() string { return "adminpolicies" }
func (AdminPolicy) page() string   { return "adminpolicy" }

// PolicyMatter is what changes with a policy.
type PolicyMatter struct {
	Digest, Against string // of the proposed policy, and of the one in whose place it would be
	Changes         []PolicyLine
}

// PolicyLine is one setting that changes; an empty side says that it is not set there.
type PolicyLine struct{ Setting, Old, New string }

// Code is the word of what happens to the setting.
func (l PolicyLine) Code() string {
	switch {
	case l.Old == "":
		return "new"
	case l.New == "":
		return "gone"
	}
	return "changed"
}

// PolicyVerdict is a decision about a policy that somebody is about to make.
type PolicyVerdict struct {
	PolicyMatter
	Refuse bool
	Reason string // in their own words
	Agree  string // as in AdminPolicyDecides
}

// Text says what is decided, with every setting that changes, and what follows from it. It is what is shown and signed: nothing that somebody else
// wrote can look like a line of its own.
func (v PolicyVerdict) Text(lang string) (string, error) {
	lang = Match(lang)
	w := words{lang, catalogs()[lang]}
	code, follows := "approve", v.Agree
	if v.Refuse {
		code, follows = "refuse", "refuse"
	}
	var lines []string
	var fault error
	say := func(text string, err error) {
		if err != nil && fault == nil {
			fault = fmt.Errorf("templates: text of a decision: %w", err)
		}
		lines = append(lines, text)
	}
	one := func(value string) string { return strings.Join(strings.Fields(value), " ") }
	say(w.word("policy_verdict", code))
	lines = append(lines, "")
	say(w.word("policy_signed", "digest", "digest", v.Digest))
	say(w.word("policy_signed", "against", "digest", v.Against))
	if v.Refuse {
		say(w.word("policy_signed", "reason", "reason", one(v.Reason)))
	}
	lines = append(lines, "")
	say(w.word("policy_signed", "changes"))
	for _, l := range v.Changes {
		say(w.word("policy_line", l.Code(), "setting", one(l.Setting), "old", one(l.Old), "new", one(l.New)))
	}
	lines = append(lines, "")
	say(w.word("policy_follows", follows))
	return strings.Join(lines, "\n"), fault
}
