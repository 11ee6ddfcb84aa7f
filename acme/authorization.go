package acme

import (
	"encoding/json"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// authorization is an RFC 8555 7.1.4 authorization object with members of ours beside it.
type authorization struct {
	ID            string              `json:"id"`
	Status        string              `json:"status"`
	Expires       time.Time           `json:"expires"`
	Identifier    proofing.Identifier `json:"identifier"`
	Challenges    []challenge         `json:"challenges"`
	CaseURL       string              `json:"case_url"`
	Profile       string              `json:"profile"`
	Methods       []string            `json:"methods"`
	Assessment    json.RawMessage     `json:"assessment"` // null until valid
	Statement     *string             `json:"statement"`  // null unless it may be relied on
	Approvals     approvals           `json:"approvals"`
	Reason        *string             `json:"reason"`
	Ends          *time.Time          `json:"ends,omitempty"` // a grant of which something has given way
	ExternalID    string              `json:"external_id,omitempty"`
	Parent        string              `json:"parent,omitempty"` // of an issuance approval: the authorization that it is beneath
	DomainControl string              `json:"domain_control,omitempty"`
}

// challenge is the one challenge of an authorization (RFC 8555 8). There is one,
// because ACME takes any one valid challenge as sufficient (7.1.4).
type challenge struct {
	Type      string     `json:"type"`
	URL       string     `json:"url"`
	Status    string     `json:"status"`
	Token     string     `json:"token"`
	Validated *time.Time `json:"validated,omitempty"`
	Error     *problem   `json:"error,omitempty"`
}

// approvals says how many people must agree, and how many have.
type approvals struct {
	Needed int `json:"needed"`
	Given  int `json:"given"`
}

// challengeType is what the challenge is called.
const challengeType = "countersign-01"

// outside is the status that an authority sees (RFC 8555 7.1.6). A frozen case
// keeps its status: /v1/authorize is where a freeze tells.
var outside = map[proofing.Status]string{
	proofing.CaseOpen:      "pending",
	proofing.CaseReview:    "pending",
	proofing.CaseGranted:   "valid",
	proofing.CaseRefused:   "invalid",
	proofing.CaseWithdrawn: "deactivated",
	proofing.CaseExpired:   "expired",
	proofing.CaseRevoked:   "revoked",
}

// authorization draws a case for its authority.
func (a *api) authorization(k *proofing.Case) (authorization, error) {
	out := authorization{
		ID: k.ID, Status: outside[k.Status], Expires: k.Expires, Identifier: k.Identifier,
		Challenges: []challenge{a.challenge(k)},
		CaseURL:    a.caseURL(k), Profile: k.Profile, Methods: []string{},
		Reason: reason(k), ExternalID: k.ExternalID, Parent: k.Parent, DomainControl: domainControl(k.Identifier),
	}
	if p := a.Service.Policy.Profiles[k.Profile]; p != nil {
		out.Methods = append(out.Methods, p.Methods...)
		out.Approvals.Needed = p.Approvals
	}
	if k.Approval != nil {
		out.Approvals.Needed, out.Approvals.Given = k.Approval.Rule.Needed, len(k.Approval.Approved(a.Service.Now()))
	}
	if k.Status != proofing.CaseGranted {
		return out, nil
	}
	if k.Ending != nil {
		out.Ends = &k.Ending.At
	}
	var err error
	if out.Assessment, err = k.Grant.MarshalAssessment(); err != nil {
		return out, err
	}
	if s := k.Grant.Statement.Reveal(); s != "" && k.Frozen == nil {
		out.Statement = &s
	}
	return out, nil
}

func (a *api) challenge(k *proofing.Case) challenge {
	ch := challenge{
		Type: challengeType, URL: a.challengeURL(k.ID),
		Status: k.ChallengeStatus(), Token: k.Token.Reveal(),
	}
	switch {
	case ch.Status == "valid" && k.Grant != nil:
		ch.Validated = &k.Grant.At
	case ch.Status == "invalid" && k.Status == proofing.CaseRefused:
		ch.Error = refusal(k.Reason)
	}
	return ch
}

// refusal is the problem of a case that was refused for a reason.
func refusal(reason string) *problem {
	switch reason {
	case "not_entitled":
		return newProblem(typeRejectedIdentifier, "the person has proved no right to the identifier")
	case "disowned":
		return newProblem(typeUnauthorized, "somebody who was asked said that it was not them")
	}
	return newProblem(typeUnauthorized, "the request was refused")
}

// reason says why the case stands where it stands: a code, or null.
func reason(k *proofing.Case) *string {
	code := outwardReason(k.Reason, k.Frozen != nil, k.Status == proofing.CaseGranted && !k.Held.IsZero())
	if code == "" && k.Ending != nil {
		code = k.Ending.Reason
	}
	if code == "" {
		return nil
	}
	return &code
}

func outwardReason(code string, frozen, held bool) string {
	switch {
	case frozen:
		return "frozen"
	case held:
		return "recovering"
	}
	return code
}

// caseURL is where the person works.
func (a *api) caseURL(k *proofing.Case) string {
	return k.CaseURL(a.Service.Policy.Origin).Reveal()
}

// domainControl keeps a grant for a name or an address from being read as
// domain validation, which it is not.
func domainControl(id proofing.Identifier) string {
	if id.Type == proofing.IdentifierDNS || id.Type == proofing.IdentifierIP {
		return "not_checked"
	}
	return ""
}
