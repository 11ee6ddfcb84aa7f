package templates

import (
	"fmt"
	"strings"
	"time"
)

// Matter is what a decision is about, as its page and the text that is signed name it.
type Matter struct {
	Name, Number, Jurisdiction string // of the organization: its full legal name, and where it is registered under which number
	CA, Profile                string // titles
	IdentifierType, Identifier string
	KeyKind, Key               string // as in Request, and the whole thumbprint or digest
	CSR                        string // the digest of the certificate request; empty: the decision is about no certain one
	CSRKey, CSRSubject         string // what is known of it; may be empty
	CSRPrint                   string // SHA-256 of its public key; may be empty
}

// MatterFact is one thing that a matter is told by. Family and Code find its label; a value that is empty is not known.
type MatterFact struct{ Family, Code, Value string }

// Facts are all that a matter is told by, in their order.
func (m Matter) Facts() []MatterFact {
	facts := []MatterFact{
		{"matter", "name", m.Name}, {"matter", "number", m.Number}, {"matter", "jurisdiction", m.Jurisdiction},
		{"matter", "ca", m.CA}, {"matter", "profile", m.Profile}, {"identifier", m.IdentifierType, m.Identifier}, {"key", m.KeyKind, m.Key},
	}
	for _, f := range []MatterFact{{"matter", "csr", m.CSR}, {"matter", "csr_key", m.CSRKey}, {"matter", "csr_print", m.CSRPrint}, {"matter", "csr_subject", m.CSRSubject}} {
		if f.Value != "" {
			facts = append(facts, f)
		}
	}
	return facts
}

// Follows is what happens after a decision.
type Follows struct {
	// Code is "end", "others", "vetting", "cross_correlation", "grant", "grant_csr" (of one certificate request alone) or "grant_each" (of the
	// account, whose certificates are approved each by itself).
	Code     string
	Others   int // approvals that are still needed then
	Lifetime time.Duration
	Until    time.Time // of a grant
}

// Verdict is a decision that somebody is about to make.
type Verdict struct {
	Matter
	Step    string // "approve", "vet" or "review"
	Refuse  bool
	Reason  string // in their own words
	Follows Follows
}

// Text says in a few plain sentences what is decided, about what, and what follows from it. It is what is shown and signed: nothing that
// somebody else wrote can look like a line of its own.
func (v Verdict) Text(lang string) (string, error) {
	lang = Match(lang)
	w := words{lang, catalogs()[lang]}
	said, err := w.word("verdict", v.code())
	if err != nil {
		return "", fmt.Errorf("templates: text of a decision: %w", err)
	}
	lines := []string{said, ""}
	facts := v.Facts()
	if v.Refuse {
		facts = append(facts, MatterFact{"matter", "reason", v.Reason})
	}
	for _, f := range facts {
		label, err := w.word(f.Family, f.Code)
		if err != nil {
			return "", fmt.Errorf("templates: text of a decision: %w", err)
		}
		value := strings.Join(strings.Fields(f.Value), " ")
		if value == "" {
			if value, err = w.unknown(f); err != nil {
				return "", fmt.Errorf("templates: text of a decision: %w", err)
			}
		}
		lines = append(lines, label+w.colon()+value)
	}
	follows, err := w.follows(v.Follows)
	if err != nil {
		return "", fmt.Errorf("templates: text of a decision: %w", err)
	}
	return strings.Join(append(lines, "", follows), "\n"), nil
}

// unknown is what stands in the place of a value that is not known.
func (w words) unknown(f MatterFact) (string, error) {
	if f.Family == "key" {
		return w.text("request.no_key")
	}
	return w.text("matter_none")
}

// code is the word of what is decided.
func (v Verdict) code() string {
	if v.Refuse {
		return "refuse"
	}
	return v.Step
}

// colon stands between a label and its value.
func (w words) colon() string {
	if w.lang == "fr" {
		return "\u00a0: "
	}
	return ": "
}

// follows is the sentence that says what follows.
func (w words) follows(f Follows) (string, error) {
	switch f.Code {
	case "others":
		return w.plural("follows_others", f.Others)
	case "grant", "grant_csr", "grant_each":
		lifetime, err := w.long(f.Lifetime)
		if err != nil {
			return "", err
		}
		return w.word("follows", f.Code, "time", lifetime, "day", w.day(f.Until))
	}
	return w.word("follows", f.Code)
}
