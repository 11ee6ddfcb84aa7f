package main

import (
	"fmt"
	"strings"

	"github.com/countersign-id/countersign/proofing"
)

// The methods that this version serves.
const (
	methodEmail = "email"
	methodSMS   = "sms"
	methodFIDO  = "fido"
	methodOIDC  = "oidc"
	// methodRepresentative has no form for the applicant: representatives record (proofing.RecordedProofing).
	methodRepresentative = "representative"
)

func servedMethods() string {
	return methodEmail + ", " + methodSMS + ", " + methodFIDO + ", " + methodOIDC + " and " + methodRepresentative
}

// frameworkRules is what one revision of SP 800-63 says of the methods that are
// served. It can only refuse a profile: labels are the business of proofing.Assess.
type frameworkRules struct {
	ial              int       // the highest level that needs no identity evidence
	ialClause        [4]string // where each level asks for evidence
	falClause        string
	phishingClause   string
	restrictedClause string
	addClause        string // why possessions do not add up
	methods          map[string]methodRule
}

// methodRule is the highest AAL that a method can give; 0 for none.
type methodRule struct {
	aal    int
	clause string
}

func rulesOf(f proofing.Framework) frameworkRules {
	if f == proofing.R3 || f == proofing.R3Sup1 {
		return rulesR3
	}
	return rulesR4
}

var rulesR3 = frameworkRules{
	ial:              1, // SP 800-63A 4.3: what people assert of themselves
	ialClause:        [4]string{2: "SP 800-63A 4.4.1", 3: "SP 800-63A 4.5"},
	falClause:        "SP 800-63C 4",
	phishingClause:   "SP 800-63B 5.2.5",
	restrictedClause: "SP 800-63B 5.2.10",
	addClause:        "SP 800-63B 4.2.1",
	methods: map[string]methodRule{
		methodEmail:          {0, "SP 800-63B 5.1.3.1"},
		methodSMS:            {1, "SP 800-63B 4.1.1, 5.1.3.3"},
		methodFIDO:           {3, "SP 800-63B 5.1.8, 5.1.9"},
		methodOIDC:           {0, "SP 800-63C 5.1.1"},
		methodRepresentative: {0, "SP 800-63B 4"},
	},
}

var rulesR4 = frameworkRules{
	ial:              0,
	ialClause:        [4]string{1: "SP 800-63A-4 4.1", 2: "SP 800-63A-4 4.2", 3: "SP 800-63A-4 4.3"},
	falClause:        "SP 800-63C-4 2",
	phishingClause:   "SP 800-63B-4 3.2.5",
	restrictedClause: "SP 800-63B-4 3.2.9",
	addClause:        "SP 800-63B-4 2.2.1",
	methods: map[string]methodRule{
		methodEmail:          {0, "SP 800-63B-4 3.1.3.1"},
		methodSMS:            {1, "SP 800-63B-4 2.1.1, 3.1.3.3"},
		methodFIDO:           {3, "SP 800-63B-4 3.1.7"},
		methodOIDC:           {0, "SP 800-63C-4 2.5"},
		methodRepresentative: {0, "SP 800-63B-4 2"},
	},
}

// adding explains why levels above AAL1 do not come from several of these methods.
func (r frameworkRules) adding(aal int) string {
	if aal < 2 {
		return ""
	}
	return fmt.Sprintf("; AAL2 and above take two different factors (%s), and what is something that one has adds up to no more; fido has both", r.addClause)
}

// untold are the countries whose numbering plans give mobiles and landlines the
// same ranges, so that nobody can tell which a number is.
var untold = []string{"CA", "CL", "DO", "FM", "GU", "MP", "MX", "PR", "US", "VI"}

// refuseMethod says why a profile cannot offer a method; empty if it can.
func refuseMethod(name string) string {
	switch word := strings.ToLower(strings.NewReplacer("-", " ", "_", " ").Replace(name)); {
	case name == methodEmail || name == methodSMS || name == methodFIDO || name == methodOIDC || name == methodRepresentative:
		return ""
	case name == "voice":
		return "voice is not offered yet; this version has " + servedMethods()
	case word == "kba" || word == "kbv" || strings.Contains(word, "question") || strings.HasPrefix(word, "knowledge"):
		return fmt.Sprintf("%q is refused: SP 800-63A-4 2.5.1 bars knowledge-based verification, whose answers others can find out, and no framework lets it authenticate", name)
	}
	return fmt.Sprintf("there is no method %q; this version has %s", name, servedMethods())
}
