package proofing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"
)

// AuthorizeRequest is a CA's question at order or finalize.
type AuthorizeRequest struct {
	Applicant   Applicant
	Identifiers []Identifier
	Profile     string
	// CSRDigest is of the CSR that is asked about; empty: of none yet. A case that names another is not for it.
	CSRDigest string
	// CSR is held against the profile's rules; nil where the edge judges the certificate itself. Facts is then what people are shown of it.
	CSR, Facts *CSR
	ExternalID string
	// Find opens no case of a person: an identifier for which there is none has the problem "missing". A CSR that is to be approved is.
	Find bool
	// Final is a question about the certificate itself, whose CSR is not known any more.
	Final bool
}

// Authorization is the answer for one identifier.
type Authorization struct {
	Identifier Identifier
	Case       *Case
	// Problem is nil if the identifier is authorized; otherwise a code:
	// "pending" (a person can cure it at the case's link), "review", "frozen", "disowned" (frozen, and its person can give it back), "not_entitled", "binding_ended",
	// "recovering" (the account was recovered, and what the grant rests on is suspended: its person can cure that),
	// "dossier" (what the organization's dossier must have is missing or too old, and Detail says which), "csr_differs" (the case is for another CSR), "csr_subject" (its subject is longer than anybody reads who would decide about it), "csr_unapproved" (with Final: no CSR beneath it is approved), "issuance" (the CSR waits for the decision of people: Case is its approval) "issuance_refused" and "issuances_many" (as many as may wait beneath one authorization wait already), "ended" (it has just ceased to hold, and Case.Reason says why),
	// "missing" (only with Find), or the code of an *InputError.
	Problem string
	Detail  string
	// until is when the key runs out by which the account is bound; zero: it has none, or that never does.
	until time.Time
}

// Verdict is the answer to a whole AuthorizeRequest: all or nothing.
type Verdict struct {
	Allow          bool
	Authorizations []Authorization
	// CSRFaults are what is wrong with the CSR under the profile.
	CSRFaults []CSRFault
	// CAA is what there is to be said of CAA records.
	CAA []CAAFinding
	// RecheckAfter is when the CA should ask again: the earliest of all grants.
	RecheckAfter time.Time
}

// Authorize answers whether an applicant may have identifiers under a profile
// now. Nothing is remembered from an earlier answer: every grant is judged again,
// and so is the entitlement under it. What is missing is opened, so that the
// problem can carry the link at which a person cures it.
func (s *Service) Authorize(ctx context.Context, ca *Authority, r AuthorizeRequest) (Verdict, error) {
	v := Verdict{Allow: true}
	p := s.Policy.Profiles[r.Profile]
	if p != nil && r.CSR != nil {
		var registered *Registration
		if p.CSR.Purpose != "" && slices.ContainsFunc(r.CSR.Subject, SubjectMember.SaysRegistration) {
			var err error
			if registered, err = s.RegistrationOf(ctx, ca, p, r.Identifiers); err != nil {
				return Verdict{}, fmt.Errorf("authorize: %w", err)
			}
		}
		v.CSRFaults = p.CSR.Judge(r.CSR, s.canonicalIdentifiers(p, r.Identifiers), registered)
	}
	for _, id := range r.Identifiers {
		a, err := s.authorizeOne(ctx, ca, r, id, len(v.CSRFaults) == 0)
		if err != nil {
			return Verdict{}, fmt.Errorf("authorize: %w", err)
		}
		v.add(a)
	}
	if p == nil {
		return v, nil
	}
	authorized := v.Allow
	v.Allow = v.Allow && len(v.CSRFaults) == 0
	if authorized && p.CAA != CAAOff {
		account := func(c *Case) string { return cmp.Or(r.Applicant.URL, c.Applicant.URL) }
		if err := s.heedCAA(ctx, ca, p, account, &v); err != nil {
			return Verdict{}, fmt.Errorf("authorize: %w", err)
		}
	}
	return v, nil
}

// canonicalIdentifiers are the identifiers in their one form. What has none is refused already, and stays as it is.
func (s *Service) canonicalIdentifiers(p *Profile, ids []Identifier) []Identifier {
	var list []Identifier
	for _, id := range ids {
		if known, err := s.canonicalIdentifier(p, id); err == nil {
			id = known
		}
		list = append(list, id)
	}
	return list
}

// authorizeOne judges one identifier. Nobody is called to a CSR that is not sound.
func (s *Service) authorizeOne(ctx context.Context, ca *Authority, r AuthorizeRequest, id Identifier, sound bool) (Authorization, error) {
	out := Authorization{Identifier: id}
	// A case that is opened here names no CSR: what is asked for is the identifier, and the next certificate has another CSR.
	open := OpenRequest{Applicant: r.Applicant, Identifier: id, Profile: r.Profile, ExternalID: r.ExternalID}
	var c *Case
	var err error
	if r.Find {
		c, err = s.Standing(ctx, ca, open)
	} else {
		c, _, err = s.Open(ctx, ca, open)
	}
	if r.Find && errors.Is(err, ErrNotFound) {
		out.Problem = "missing"
		return out, nil
	}
	if input, ok := errors.AsType[*InputError](err); ok && input.Field != "profile" {
		out.Problem, out.Detail = input.Code, input.Detail
		return out, nil
	}
	if err != nil {
		return out, err
	}
	out, err = s.judged(ctx, c)
	if err == nil && out.Problem == "ended" && !r.Find { // its place is free: the person may prove it anew
		if c, _, err = s.Open(ctx, ca, open); err == nil {
			out, err = s.judged(ctx, c)
		}
	}
	if err == nil {
		err = s.approveCSR(ctx, r, sound, &out)
	}
	return out, err
}

// hold holds the case to the CSR that it names. Nothing that a person can do makes another one good.
func (a *Authorization) hold(csrDigest string) {
	if named := a.Case.CSRDigest; named == "" || csrDigest == "" || named == csrDigest {
		return
	}
	if a.Problem == "" || a.Problem == "pending" || a.Problem == "review" {
		a.Problem = "csr_differs"
	}
}

// judged is what a case authorizes now. The error wraps ErrUnavailable for an EV grant that is not in the log yet: it is to be asked again at once.
func (s *Service) judged(ctx context.Context, c *Case) (Authorization, error) {
	c, err := s.sequenced(ctx, c)
	if err != nil {
		return Authorization{}, err
	}
	out := Authorization{Identifier: c.Identifier, Case: c}
	switch {
	case c.Frozen != nil:
		who, err := s.restorer(ctx, c)
		if out.Problem = "frozen"; who != nil {
			out.Problem = "disowned"
		}
		return out, err
	case c.Status == CaseReview:
		out.Problem = "review"
		return out, nil
	case c.Status != CaseGranted:
		out.Problem = "pending"
		return out, nil
	}
	if c.EABKid != "" {
		problem, until, err := s.bound(ctx, c)
		if err != nil || problem != "" {
			out.Problem = problem
			return out, err
		}
		out.until = until
	}
	p := s.profileOf(c)
	if p == nil {
		out.Problem = "not_entitled"
		return out, nil
	}
	g, err := s.grounds(ctx, c)
	if err != nil {
		return out, err
	}
	if err := s.weigh(ctx, c); err != nil {
		return out, err
	}
	if !c.Held.IsZero() {
		out.Problem = "recovering"
		return out, nil
	}
	reason := s.shaken(c, p, g, s.now())
	if reason == reasonUnentitled && c.Ending == nil && p.Recheck.Grace <= 0 {
		// Whoever is put back into the registry before the next look has lost nothing.
		out.Problem = "not_entitled"
		return out, nil
	}
	if (reason == "") != (c.Ending == nil) || reason == reasonModel { // it has given way, or was mended
		if c, err = s.recheck(ctx, c.ID); err != nil {
			return out, err
		}
		if out.Case = c; c.Status != CaseGranted || c.Frozen != nil {
			out.Problem = "ended"
			return out, nil
		}
	}
	if c.Approval != nil {
		if lacks := g.lacks(c, p, nil, s.now()); len(lacks) > 0 { // somebody may collect it, and then it holds again
			out.Problem, out.Detail = "dossier", lackText(lacks)
			return out, nil
		}
	}
	if p.EV && !c.Journal.Logged() { // it has just been rechecked
		return out, errUnlogged(c)
	}
	c.Evidence, _ = asOfNow(g.models, c.Evidence)
	c.Grant = s.renewed(c)
	return out, nil
}

// mostSiblings is how many cases one page shows.
const mostSiblings = 100

// Siblings are the cases of the same applicant, authority and profile that are
// not over, a hundred at most: one page shows them together, because evidence
// given once serves them all.
func (s *Service) Siblings(ctx context.Context, c *Case) ([]*Case, error) {
	var siblings []*Case
	for o, err := range s.siblings(ctx, c) {
		if err != nil {
			return nil, err
		}
		if siblings = append(siblings, o); len(siblings) == mostSiblings {
			break
		}
	}
	return siblings, nil
}

func (s *Service) siblings(ctx context.Context, c *Case) iter.Seq2[*Case, error] {
	return func(yield func(*Case, error) bool) {
		for o, err := range s.casesOf(ctx, c.Applicant.ID) {
			if err == nil {
				o.lapse(s.now(), s.retention(o))
				if o.ID == c.ID || o.CA != c.CA || o.Profile != c.Profile || o.Status.Over() {
					continue
				}
			}
			if !yield(o, err) {
				return
			}
		}
	}
}

// casesOf goes through the cases of an applicant that are not over, all of which are in one bucket. They may be
// changed on the way. It ends with the first error.
func (s *Service) casesOf(ctx context.Context, applicant string) iter.Seq2[*Case, error] {
	return func(yield func(*Case, error) bool) {
		if applicant == "" {
			return
		}
		q := Query{Index: "applicant", Value: applicant, Bucket: BucketOf(home(applicant)), Limit: 100}
		for more := true; more; more = q.After != "" {
			page, next, err := s.Cases.List(ctx, q)
			if err != nil {
				yield(nil, fmt.Errorf("list cases of an applicant: %w", err))
				return
			}
			for _, c := range page {
				if !yield(c, nil) {
					return
				}
			}
			q.After = next
		}
	}
}
