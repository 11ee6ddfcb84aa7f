package acme

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// maxIdentifiers is the most that one question may be about.
const maxIdentifiers = 100

// allowed and refused are the two answers to a question; both are a 200, because
// the question was answered.
type allowed struct {
	Allow          bool            `json:"allow"` // true
	Authorizations []string        `json:"authorizations"`
	Assessment     json.RawMessage `json:"assessment"`
	Data           answerData      `json:"data"`
	RecheckAfter   time.Time       `json:"recheck_after"`
	DomainControl  string          `json:"domain_control,omitempty"`
	// Warnings are what does not stand against the answer under the profile, and is the authority's to weigh.
	Warnings []subproblem `json:"warnings,omitempty"`
}

// answerData is what may go into the certificate beside the identifiers that were asked about.
type answerData struct {
	Organization *organization `json:"organization,omitempty"` // the first that is authorized
}

type refused struct {
	Allow bool     `json:"allow"` // false
	Error *problem `json:"error"`
}

// authorize answers, at order or finalize, whether an applicant may have
// identifiers under a profile: all of them or none.
func (a *api) authorize(c *call) (answer, error) {
	r, err := readAuthorize(c.body)
	if err != nil {
		return answer{}, err
	}
	v, err := a.Service.Authorize(c.Context(), c.ca, r)
	if err != nil {
		return answer{}, err
	}
	a.logCAA(c.Context(), c.ca, r.Profile, v)
	if !v.Allow {
		return jsonAnswer(http.StatusOK, refused{Error: a.verdictProblem(v)})
	}
	out := allowed{Allow: true, RecheckAfter: v.RecheckAfter}
	for _, f := range v.CAA {
		out.Warnings = append(out.Warnings, caaProblem(f))
	}
	var grants []*proofing.Grant
	for _, one := range v.Authorizations {
		if slices.Contains(out.Authorizations, one.Case.ID) {
			continue // two spellings of one identifier
		}
		if one.Identifier.Type == proofing.IdentifierOrganization && out.Data.Organization == nil {
			o, err := a.organization(c.Context(), c.ca, one.Case.Profile, one.Identifier.Value)
			if err != nil {
				return answer{}, err
			}
			out.Data.Organization = o
		}
		out.Authorizations = append(out.Authorizations, one.Case.ID)
		grants = append(grants, one.Case.Grant)
		if s := domainControl(one.Identifier); s != "" {
			out.DomainControl = s
		}
	}
	if g := weakest(grants); g != nil {
		if out.Assessment, err = g.MarshalAssessment(); err != nil {
			return answer{}, err
		}
	}
	return jsonAnswer(http.StatusOK, out)
}

// organization is what a certificate under a profile may say of one, from what is good now in its dossier, where there is one.
func (a *api) organization(ctx context.Context, ca *proofing.Authority, profile, name string) (*organization, error) {
	out := &organization{Name: name}
	p := a.Service.Policy.Profiles[profile]
	if p == nil {
		return out, nil
	}
	as, err := a.Service.RegistrationOf(ctx, ca, p, []proofing.Identifier{{Type: proofing.IdentifierOrganization, Value: name}})
	if as != nil {
		out.Number, out.Jurisdiction = as.Number, as.Jurisdiction
	}
	return out, err
}

func readAuthorize(body []byte) (proofing.AuthorizeRequest, error) {
	m := &mistakes{}
	o, err := readBody(body, m)
	if err != nil {
		return proofing.AuthorizeRequest{}, err
	}
	who := readApplicant(o, false)
	r := proofing.AuthorizeRequest{
		Applicant: who.Applicant, CSRDigest: who.csrDigest,
		Profile: o.text("profile", 64), ExternalID: o.text("external_id", 256),
	}
	if who.csr != nil {
		r.CSR = who.csr.contents()
	}
	o.require("profile")
	o.require("identifiers")
	r.Identifiers = readIdentifiers(o, "identifiers")
	o.closed()
	return r, m.err()
}

// readIdentifiers reads the list of an order (RFC 8555 7.4), each identifier once.
func readIdentifiers(o *object, name string) []proofing.Identifier {
	v, ok := o.member(name, isArray)
	if !ok {
		return nil
	}
	if n := len(v.items); n == 0 || n > maxIdentifiers {
		o.mistake(name, fmt.Sprintf("1 to %d identifiers", maxIdentifiers))
		return nil
	}
	var ids []proofing.Identifier
	for i, item := range v.items {
		at := join(join(o.at, name), fmt.Sprint(i))
		if item.kind != isObject {
			o.m.add(typeMalformed, at, "an identifier must be an object")
			continue
		}
		if id := readIdentifier(newObject(item, at, o.m)); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// verdictProblem says why the answer is no, with a subproblem for each identifier
// that stands in the way, for each fault of the CSR, and for each domain whose CAA records forbid it. If a person can cure all of it, it is userActionRequired, and
// instance is where (RFC 8555 6.7); what nobody can cure comes first otherwise.
func (a *api) verdictProblem(v proofing.Verdict) *problem {
	var subs []subproblem
	for _, one := range v.Authorizations {
		if one.Problem == "" {
			continue
		}
		sub := a.whyNot(one)
		if !slices.ContainsFunc(subs, func(s subproblem) bool { return *s.Identifier == *sub.Identifier }) {
			subs = append(subs, sub)
		}
	}
	for _, f := range v.CSRFaults {
		subs = append(subs, subproblem{Type: typeBadCSR, Detail: f.Detail, Pointer: "#/csr"})
	}
	for _, f := range v.CAA {
		if f.Blocks {
			subs = append(subs, caaProblem(f))
		}
	}
	incurable := slices.DeleteFunc(slices.Clone(subs), func(s subproblem) bool { return s.Type == typeUserActionRequired })
	var p *problem
	switch {
	case len(incurable) == 0:
		p = newProblem(typeUserActionRequired, "the person behind the request must act; open the instance")
		p.Instance = subs[0].Instance
	case slices.ContainsFunc(incurable, func(s subproblem) bool { return s.Type != incurable[0].Type }):
		p = newProblem(typeCompound, "see the subproblems")
	default:
		p = newProblem(incurable[0].Type, incurable[0].Detail)
		switch n := len(incurable); {
		case n == 1:
		case p.Type == typeBadCSR:
			p.Detail = fmt.Sprintf("%d things are wrong with the CSR; see the subproblems", n)
		case p.Type == typeCAA:
			p.Detail = fmt.Sprintf("the CAA records of %d domains do not let this CA issue; see the subproblems", n)
		case p.Type == typeDNS:
			p.Detail = fmt.Sprintf("the CAA records of %d domains could not be looked up: try again; see the subproblems", n)
		}
	}
	p.Subproblems = subs
	return p
}

// whyNot is the reason for one identifier.
func (a *api) whyNot(one proofing.Authorization) subproblem {
	id := one.Identifier
	sub := subproblem{Identifier: &id, Detail: one.Detail}
	switch one.Problem {
	case "pending":
		sub.Type, sub.Detail = typeUserActionRequired, "a person must show who they are"
	case "review":
		sub.Type, sub.Detail = typeUserActionRequired, "the request waits for the decision of an approver"
	case "frozen":
		sub.Type, sub.Detail = typeUnauthorized, "somebody who was asked said that it was not them; nothing is authorized until that is settled"
	case "disowned":
		sub.Type, sub.Detail = typeUserActionRequired, "somebody who was asked said that it was not them; nothing is authorized until the person has signed in and said that it was"
	case "recovering":
		sub.Type, sub.Detail = typeUserActionRequired, "the person's account was recovered, and what they showed is suspended until they say that it is still theirs"
	case "binding_ended":
		sub.Type, sub.Detail = typeUnauthorized, "the external account binding of this account has ended: register with a new key"
	case "ended": // only where nothing is opened
		sub.Type, sub.Detail = typeUnauthorized, "what the authorization rested on has given way ("+one.Case.Reason+"): the person must prove it anew"
	case "csr_differs":
		sub.Type, sub.Detail = typeBadCSR, "the authorization was opened for another CSR, and is for no other: finalize with that one, or deactivate the authorization and open one anew"
	case "csr_subject":
		sub.Type, sub.Detail = typeBadCSR, proofing.TooLongSubject
	case "csr_unapproved":
		sub.Type, sub.Detail = typeUnauthorized, "each CSR takes an approval of its own, and none for this key is approved: the CSR must be asked about before the certificate"
	case "not_entitled":
		sub.Type, sub.Detail = typeRejectedIdentifier, "the person has no right to the identifier any more"
	case "dossier":
		sub.Type, sub.Detail = typeUnauthorized, "the organization's dossier does not carry the authorization now: "+one.Detail
	case "issuance_refused":
		sub.Type, sub.Detail = typeUnauthorized, "somebody who had to decide about this CSR has refused it"
	case "issuances_many":
		sub.Type, sub.Detail = typeRateLimited, "as many CSRs as may wait for a decision beneath this authorization wait already: finalize with one of them, or wait until one is decided"
	case "issuance":
		sub.Type, sub.Detail = typeUserActionRequired, "this CSR waits for the decision of an approver; leave the order ready, and finalize again with the same CSR"
	default:
		sub.Type = inputType(one.Problem)
	}
	if sub.Type == typeUserActionRequired {
		sub.Instance = a.caseURL(one.Case)
	}
	return sub
}

// weakest is the grant whose assessment claims no more than any other's, in
// every respect; nil if there is no such one, for then none speaks for all.
func weakest(grants []*proofing.Grant) *proofing.Grant {
	for _, g := range grants {
		if !slices.ContainsFunc(grants, func(other *proofing.Grant) bool { return claimsMore(g.Assessment, other.Assessment) }) {
			return g
		}
	}
	return nil
}

// claimsMore says whether a claims anything that b does not.
func claimsMore(a, b proofing.Assessment) bool {
	above := func(x, y *int) bool { return x != nil && (y == nil || *x > *y) }
	return above(a.IAL, b.IAL) || above(a.AAL, b.AAL) || above(a.FAL, b.FAL) ||
		a.PhishingResistant && !b.PhishingResistant || a.Attested && !b.Attested ||
		b.Restricted && !a.Restricted || b.Syncable && !a.Syncable
}
