package proofing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Under a profile that approves each certificate there are two objects: the authorization, which says who may have certificates for
// what, and beneath it an issuance approval for each CSR, which the people of both sides decide about (RFC 8555 shows a CSR only at
// finalize, when the authorization has long been valid). An issuance approval is a case with a parent.

// CSRShown is what of a CSR people are shown who decide about it.
type CSRShown struct {
	Key     string `json:"key"`            // kind and size: "rsa 3072"
	SPKI    string `json:"spki,omitempty"` // of the CSR
	Subject string `json:"subject"`        // its members in their order, with what is escaped in RFC 4514: "O=Example, C=DE"
}

// shown is the CSR as people see it.
func (r *CSR) shown() *CSRShown {
	if r == nil {
		return nil
	}
	key := string(r.Key)
	if r.Key == KeyRSA {
		key += " " + strconv.Itoa(r.Bits)
	}
	return &CSRShown{Key: key, SPKI: r.SPKI, Subject: r.subject()}
}

// mostSubject is the length in characters beyond which nobody reads a subject. The longest name of a place that a certificate has is of 128 (RFC 5280, Appendix A.1).
const mostSubject = 1000

// TooLongSubject says so.
const TooLongSubject = "the subject of the CSR is longer than the 1000 characters that anybody is shown who decides about it: leave out of it what is not needed"

// tooLong says whether the subject is longer than people could be shown who decide about it.
func (r *CSR) tooLong() bool { return r != nil && utf8.RuneCountInString(r.subject()) > mostSubject }

// mostIssuances is how many CSRs wait for a decision beneath one authorization: each calls people, and whoever has the account's key
// could make any number of them. Two that are asked about at once may both find the last place free.
const mostIssuances = 10

// errIssuances: too many CSRs wait for a decision already.
var errIssuances = errors.New("too many issuance approvals are open")

// eachCSR says whether a case's authorization takes a word for each CSR.
func (p *Profile) eachCSR() bool { return p.Approvals > 0 && p.Approve == ApproveEach }

// approveCSR holds an authorization that holds to the CSR that is asked about: to the one that it names, or, where each is approved, to
// those that were.
func (s *Service) approveCSR(ctx context.Context, r AuthorizeRequest, sound bool, out *Authorization) error {
	c := out.Case
	p := s.profileOf(c)
	if p != nil && p.eachCSR() && r.Final && out.Problem == "" && c.Approval != nil && c.CSRDigest == "" {
		return s.approvedBeneath(ctx, c, out)
	}
	if p == nil || !p.eachCSR() || r.CSRDigest == "" || out.Problem != "" || c.Approval == nil || c.CSRDigest != "" {
		out.hold(r.CSRDigest)
		return s.protects(ctx, c, r, out)
	}
	if cmp.Or(r.CSR, r.Facts).tooLong() {
		out.Problem = "csr_subject"
		return nil
	}
	if !sound { // the verdict says what is wrong with it, whoever would approve it
		return nil
	}
	issuance, err := s.issuance(ctx, c, r)
	if errors.Is(err, ErrNotFound) { // there is nobody to decide about it
		out.Problem = "csr_differs"
		return nil
	}
	if errors.Is(err, errIssuances) {
		out.Problem = "issuances_many"
		return nil
	}
	if err != nil {
		return err
	}
	judged, err := s.judged(ctx, issuance)
	if err != nil {
		return err
	}
	switch {
	case issuance.Status == CaseRefused:
		out.Case, out.Problem = issuance, "issuance_refused"
	case judged.Problem == "review":
		out.Case, out.Problem = issuance, "issuance"
	case judged.Problem != "":
		out.Case, out.Problem, out.Detail = judged.Case, judged.Problem, judged.Detail
	}
	return s.protects(ctx, issuance, r, out)
}

// protects holds what is authorized to what the dossier has about the key of the CSR (CSBR 6.2.7.4.2), where the case was decided before that one was known.
func (s *Service) protects(ctx context.Context, c *Case, r AuthorizeRequest, out *Authorization) error {
	csr := cmp.Or(r.CSR, r.Facts)
	if csr == nil || csr.SPKI == c.SubjectKey() || out.Problem != "" || c.Approval == nil {
		return nil
	}
	g, err := s.grounds(ctx, c)
	if err != nil {
		return err
	}
	g.key = csr.SPKI
	if lacks := g.lacks(c, s.profileOf(c), nil, s.now()); len(lacks) > 0 {
		out.Problem, out.Detail = "dossier", lackText(lacks)
	}
	return nil
}

// approvedBeneath holds a certificate to the CSRs that were approved beneath its authorization, of which one at least must hold.
func (s *Service) approvedBeneath(ctx context.Context, c *Case, out *Authorization) error {
	for o, err := range s.casesOf(ctx, c.Applicant.ID) {
		if err != nil {
			return err
		}
		if o.lapse(s.now(), s.retention(o)); o.Parent != c.ID || o.Status != CaseGranted {
			continue
		}
		judged, err := s.judged(ctx, o)
		if err != nil {
			return err
		}
		if judged.Problem == "" {
			return nil
		}
	}
	out.Problem = "csr_unapproved"
	return nil
}

// issuance is the approval of a CSR beneath an authorization, which is opened if there is none. One that was refused stays
// so: the CA may finalize as often as it likes, and nobody is asked again.
func (s *Service) issuance(ctx context.Context, c *Case, r AuthorizeRequest) (*Case, error) {
	value := issuanceOf(c.ID, r.CSRDigest)
	for range 5 { // of two at once one is first, and it may have run out by the time the other looks
		found, err := s.Cases.Find(ctx, c.ID[:2], "issuance", value)
		if err == nil {
			if found.lapse(s.now(), s.retention(found)); found.Status == CaseExpired {
				if _, err = s.update(ctx, found.ID, keep); err == nil {
					err = ErrNotFound
				}
			}
		}
		if err == nil || !errors.Is(err, ErrNotFound) {
			return found, err
		}
		if err := s.roomForIssuance(ctx, c); err != nil {
			return nil, err
		}
		g, err := s.grounds(ctx, c)
		if err != nil {
			return nil, err
		}
		if g.organization == nil {
			return nil, ErrNotFound
		}
		opened := s.newIssuance(c, g, r)
		err = s.Cases.Create(ctx, opened.ID, opened)
		if err == nil {
			s.changed(opened)
			return opened, nil
		}
		if !errors.Is(err, ErrExists) {
			return nil, fmt.Errorf("open issuance approval: %w", err)
		}
	}
	return nil, fmt.Errorf("open issuance approval: %w", ErrUnavailable)
}

// roomForIssuance says whether another CSR may wait for a decision beneath an authorization: errIssuances if not.
func (s *Service) roomForIssuance(ctx context.Context, c *Case) error {
	waiting := 0
	for o, err := range s.casesOf(ctx, c.Applicant.ID) {
		if err != nil {
			return err
		}
		if o.lapse(s.now(), s.retention(o)); o.Parent == c.ID && o.Status == CaseReview {
			if waiting++; waiting >= mostIssuances {
				return errIssuances
			}
		}
	}
	return nil
}

func (s *Service) newIssuance(c *Case, g *grounds, r AuthorizeRequest) *Case {
	now, p := s.now(), s.profileOf(c)
	n := &Case{
		ID: c.ID[:2] + NewID(nil)[2:], CA: c.CA, CATitle: c.CATitle, Profile: c.Profile, Parent: c.ID, ParentExpires: c.Expires,
		Token: NewToken(), LinkSecret: NewToken(), Disown: NewToken(), Applicant: c.Applicant, Identifier: c.Identifier, EABKid: c.EABKid,
		ExternalID: r.ExternalID, CSRDigest: r.CSRDigest, CSR: cmp.Or(r.CSR, r.Facts).shown(), Lang: c.Lang,
		Status: CaseOpen, Created: now, Changed: now, Started: true, Retain: now.Add(p.CaseLifetime + p.Retention),
		Browser: c.Browser, Person: c.Person,
	}
	s.beginCase(n, author{Actor: Actor{Kind: "ca", ID: c.CA}})
	before := s.writeTaken(n, c, now)
	s.submit(n, p, g, now)
	s.writeSince(n, before, byService, now)
	return n
}

func issuanceOf(parent, digest string) string { return parent + "." + digest }
