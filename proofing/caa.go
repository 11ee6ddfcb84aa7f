package proofing

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// CAAMode says what becomes of an answer that the CAA records of a domain speak against (RFC 8659).
type CAAMode string

// The modes. Without one, nobody is asked.
const (
	CAAOff   CAAMode = ""
	CAAWarn  CAAMode = "warn"  // the authority is told beside the yes
	CAABlock CAAMode = "block" // the answer is no
)

// CAARecord is one CAA record (RFC 8659 4.1). Value is as it was sent, of whatever bytes.
type CAARecord struct {
	Flags      byte
	Tag, Value string
}

// caaCritical is the flag of a property without which a set must not be understood (RFC 8659 4.1).
const caaCritical = 0x80

// CAASet is the relevant record set of a domain (RFC 8659 3), and the name at which it was found: the domain or the
// nearest parent that has one. Neither has anything where there is none.
type CAASet struct {
	At      string
	Records []CAARecord
}

// CAALookup asks what domains say of who may issue for them.
type CAALookup interface {
	// CAA finds the relevant record set of a domain, which is in lower case and of A-labels. It takes a bounded time. What
	// could not be found out is a *CAALookupError.
	CAA(ctx context.Context, domain string) (CAASet, error)
}

// CAALookupError is why a record set could not be found out. At is the name that was asked for when it failed, and Why is
// fit for everybody; the cause may name what is inside the operator's network.
type CAALookupError struct {
	At, Why string
	Err     error
}

func (e *CAALookupError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("look up the CAA records at %s: %s", e.At, e.Why)
	}
	return fmt.Sprintf("look up the CAA records at %s: %v", e.At, e.Err) // the cause says more than the reason
}

func (e *CAALookupError) Unwrap() error { return e.Err }

// The codes of a CAAFinding.
const (
	CAAForbidden  = "forbidden"  // the records let others issue, or nobody
	CAAUnknown    = "unknown"    // they could not be looked up
	CAAParameters = "parameters" // they let the authority issue, under conditions that it alone can judge
	CAANoDomain   = "no_domain"  // nobody has registered a domain of the organization
)

// CAAFinding is what is to be said of one domain. Detail says what to do.
type CAAFinding struct {
	Identifier   Identifier
	Domain       string // empty: there is none to ask about
	Code, Detail string
	Blocks       bool  // it is why the answer is no
	Err          error // the cause of CAAUnknown, for the log
}

// CAAClaim is who wants to issue what.
type CAAClaim struct {
	Identifier Identifier
	Identities []string // the names of the authority in CAA records
	Account    string   // the URL of the ACME account; empty: not known
}

// property is the tag of the records that govern the claim (RFC 8659 4.2 and 4.3, RFC 9495 3).
func (c CAAClaim) property(records []CAARecord) string {
	switch {
	case c.Identifier.Type == IdentifierEmail:
		return "issuemail"
	case c.Identifier.Type == IdentifierDNS && strings.HasPrefix(c.Identifier.Value, "*.") && slices.ContainsFunc(records, func(r CAARecord) bool { return r.is("issuewild") }):
		return "issuewild"
	}
	return "issue"
}

// is compares a tag, in which case does not count (RFC 8659 4.1).
func (r CAARecord) is(tag string) bool { return lowerASCII(r.Tag) == tag }

// caaTags are the properties that are understood here. iodef is one because nothing follows from it.
var caaTags = []string{"issue", "issuewild", "issuemail", "iodef"}

// Judge says what a record set has to say of the claim; nil if nothing stands against it. What is malformed
// lets nobody issue (RFC 8659 4.2), and of several records any one is enough.
func (c CAAClaim) Judge(set CAASet) *CAAFinding {
	for _, r := range set.Records {
		if r.Flags&caaCritical != 0 && !slices.Contains(caaTags, lowerASCII(r.Tag)) {
			return c.finding(CAAForbidden, "the CAA records at %s have the property %s with the critical flag, which is not understood here, so that nobody may issue (RFC 8659 4.1): remove the record, or its flag", set.At, told(r.Tag))
		}
	}
	tag := c.property(set.Records)
	j := caaJudge{CAAClaim: c, at: set.At, tag: tag}
	for _, r := range set.Records {
		if r.is(tag) {
			j.found = true
			j.hold(r.Value)
		}
	}
	return j.verdict()
}

func (c CAAClaim) finding(code, format string, args ...any) *CAAFinding {
	return &CAAFinding{Identifier: c.Identifier, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// caaJudge holds the properties of one set against a claim, one by one.
type caaJudge struct {
	CAAClaim
	at, tag    string
	found      bool     // there is such a property
	permits    bool     // one of them, without more ado
	conditions []string // of one that permits under them
	others     []string // whom the properties name besides
	malformed  []string
	account    bool // one is for another account
	broken     bool // one is for the authority, with parameters that nothing can satisfy
}

// hold holds one property against the claim.
func (j *caaJudge) hold(value string) {
	v, ok := parseCAAValue(value)
	switch {
	case !ok:
		j.malformed = append(j.malformed, told(value))
		return
	case v.issuer == "":
		return
	case !slices.ContainsFunc(j.Identities, func(id string) bool { return lowerASCII(id) == lowerASCII(v.issuer) }):
		if name := told(lowerASCII(v.issuer)); !slices.Contains(j.others, name) {
			j.others = append(j.others, name)
		}
		return
	}
	accounts, methods := v.all("accounturi"), v.all("validationmethods")
	switch {
	case len(accounts) > 1 || len(methods) > 1 || len(methods) == 1 && !caaMethods(methods[0]): // RFC 8657 3 and 4
		j.broken = true
	case len(accounts) == 1 && (j.Account == "" || accounts[0] != j.Account): // letter by letter (RFC 8657 3)
		j.account = true
	case len(v.conditions()) == 0:
		j.permits = true
	case j.conditions == nil:
		j.conditions = v.conditions()
	}
}

// mostCAANames is how many authorities are named to whoever is not one of them.
const mostCAANames = 5

func (j *caaJudge) verdict() *CAAFinding {
	switch {
	case !j.found || j.permits:
		return nil
	case j.conditions != nil:
		return j.finding(CAAParameters, "the CAA records at %s let this CA issue under conditions that only the CA can judge: %s", j.at, strings.Join(j.conditions, "; "))
	case j.account && j.Account == "":
		return j.finding(CAAForbidden, "the CAA records at %s let this CA issue to certain accounts alone (accounturi, RFC 8657), and the URL of this account is not known here: the CA must send account.url", j.at)
	case j.account:
		return j.finding(CAAForbidden, "the CAA records at %s let this CA issue to other accounts alone (accounturi, RFC 8657): write %q there, letter by letter, or order with the account that is named", j.at, j.Account)
	case j.broken:
		return j.finding(CAAForbidden, "the CAA record at %s that names this CA has parameters that nothing can satisfy (RFC 8657): write accounturi and validationmethods once each, and validationmethods as names with commas between them", j.at)
	}
	who := "nobody issue"
	switch n := len(j.others); {
	case n > mostCAANames:
		who = fmt.Sprintf("only %s and %d others issue", strings.Join(j.others[:mostCAANames], ", "), n-mostCAANames)
	case n > 0:
		who = fmt.Sprintf("only %s issue", strings.Join(j.others, ", "))
	}
	if len(j.malformed) > 0 {
		who += fmt.Sprintf(" (what %s says is malformed, and lets nobody: RFC 8659 4.2)", j.malformed[0])
	}
	if len(j.Identities) == 0 {
		return j.finding(CAAForbidden, "the CAA records at %s let %s, and it is not known here by which name they would name this CA: its operator must register it", j.at, who)
	}
	return j.finding(CAAForbidden, "the CAA records at %s let %s: add one with %s %s, or order from a CA that is named", j.at, who, j.tag, told(j.Identities[0]))
}
