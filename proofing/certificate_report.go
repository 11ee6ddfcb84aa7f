package proofing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// CertificateReport is what an authority says that it has issued.
type CertificateReport struct {
	DER []byte
	// Cases are the authorizations by their ids. Without them Applicant, Identifiers and Profile say which.
	Cases       []string
	Applicant   Applicant
	Identifiers []Identifier
	Profile     string
	// CSRDigest is of the CSR that it was issued for, and CSRKey the SHA-256 of that one's public key (SPKI), base64url; empty if the report has none.
	CSRDigest, CSRKey string
	Order             string
	Replaces          string
}

// CertificateIssued records a certificate. It may be called again with the same, and returns the same. Errors: ErrNotFound for an
// authorization that there is not, or that is another authority's; and the *InputError codes "certificate_malformed", "certificate_key" (it is
// for another key than the authorization, or the CSR), "certificate_csr" (the authorization is for another CSR), "certificate_ungranted" (nothing was ever granted there),
// "certificate_mixed" (the authorizations are of several applicants or profiles) and "certificate_reported" (it was reported for others).
func (s *Service) CertificateIssued(ctx context.Context, ca *Authority, r CertificateReport) (*Certificate, error) {
	facts, err := ParseCertificate(r.DER)
	if err != nil {
		return nil, &InputError{"certificate", "certificate_malformed", err.Error()}
	}
	cases, err := s.certified(ctx, ca, r)
	if err != nil {
		return nil, err
	}
	c := &Certificate{
		CA: ca.Name, DER: r.DER, Digest: Digest(r.DER), CertificateFacts: *facts,
		Applicant: cases[0].Applicant, Profile: cases[0].Profile, Order: r.Order, Replaces: r.Replaces, Reported: s.now(),
	}
	c.ID, c.CSRDigest = s.certificateID(c.CA, c.Digest), r.CSRDigest
	if a := cases[0].Approval; a != nil {
		c.Organization = a.Organization
	}
	var approvals []*Case
	for _, k := range cases {
		if k.Applicant.ID != cases[0].Applicant.ID || k.Applicant.Kind != cases[0].Applicant.Kind || k.Profile != cases[0].Profile {
			return nil, &InputError{"authorizations", "certificate_mixed", "the authorizations are of several applicants or profiles, and a certificate is for one"}
		}
		if err := c.holdAgainst(k, r, s.profileOf(k)); err != nil {
			return nil, err
		}
		if err := s.findHeld(ctx, c, k, "authorization"); err != nil {
			return nil, fmt.Errorf("record certificate: %w", err)
		}
		if s.profileOf(k) == nil { // the authority chooses when it reports
			c.find(FindingProfile, "the profile %s of the authorization %s is gone: what it demanded when the certificate was issued is not held against it", k.Profile, k.ID)
		}
		approval, err := s.approvalOf(ctx, c, k, r.CSRDigest)
		if err != nil {
			return nil, err
		}
		if approval != nil {
			c.Approvals, approvals = append(c.Approvals, approval.ID), append(approvals, approval)
		}
		if err := s.findKey(ctx, c, k); err != nil {
			return nil, err
		}
		c.Cases = append(c.Cases, k.ID)
		c.Renewal = c.Renewal || r.Replaces != "" || slices.ContainsFunc(k.Certificates, func(id string) bool { return id != c.ID })
	}
	there, err := s.Certificates.Get(ctx, c.ID)
	if errors.Is(err, ErrNotFound) {
		there, err = s.file(ctx, ca, c, append(slices.Clone(cases), approvals...))
	}
	if err != nil {
		return nil, fmt.Errorf("record certificate: %w", err)
	}
	if !slices.Equal(there.Cases, c.Cases) {
		return nil, &InputError{"authorizations", "certificate_reported", "the certificate was reported before, for other authorizations"}
	}
	if there.Disowned == nil {
		if there, err = s.disownLate(ctx, there); err != nil {
			return nil, fmt.Errorf("record certificate: %w", err)
		}
	}
	return there, nil
}

// approvalOf is the approval of the certificate's CSR beneath an authorization; nil if it takes none, or there is none.
func (s *Service) approvalOf(ctx context.Context, c *Certificate, k *Case, csrDigest string) (*Case, error) {
	p := s.profileOf(k)
	if p == nil || !p.eachCSR() || k.Parent != "" || k.CSRDigest != "" {
		return nil, nil
	}
	if csrDigest == "" {
		c.find(FindingCSRUnchecked, "under the authorization %s each CSR is approved: send it along, so that its approval is found", k.ID)
		return nil, nil
	}
	approval, err := s.Cases.Find(ctx, k.ID[:2], "issuance", issuanceOf(k.ID, csrDigest))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("look up the approval of a CSR: %w", err)
	}
	if err != nil || approval.Grant == nil {
		c.find(FindingCSRUnapproved, "nobody has approved this CSR under the authorization %s", k.ID)
		return nil, nil
	}
	if key := approval.csrKey(); key != "" && key != c.SPKI { // a digest is said; the key is in the certificate
		return nil, &InputError{"certificate", "certificate_key", "the certificate is for another key than the CSR that was approved as " + approval.ID}
	}
	return approval, s.findHeld(ctx, c, approval, "approval of this CSR,")
}

// findKey holds the certificate's key against what the dossier has about how it is protected, where people decided by one (CSBR 6.2.7.4.2).
func (s *Service) findKey(ctx context.Context, c *Certificate, k *Case) error {
	if k.Approval == nil {
		return nil
	}
	o, err := s.organization(ctx, k.Approval.Organization)
	if err != nil {
		return fmt.Errorf("read dossier: %w", err)
	}
	if lacks := o.lacksKey(c.SPKI, c.Reported); len(lacks) > 0 {
		c.find(FindingKey, "the dossier has nothing good about how the key %s of the certificate is protected: %s", c.SPKI, lackText(lacks))
	}
	return nil
}

// find notes something that is not as it should be, once.
func (c *Certificate) find(code, format string, args ...any) {
	if f := (CertificateFinding{code, fmt.Sprintf(format, args...)}); !slices.Contains(c.Findings, f) {
		c.Findings = append(c.Findings, f)
	}
}

// certified are the cases that a report is about, each once.
func (s *Service) certified(ctx context.Context, ca *Authority, r CertificateReport) (cases []*Case, err error) {
	add := func(c *Case, err error) error {
		if err != nil {
			return err
		}
		if c.Grant == nil {
			return &InputError{"authorizations", "certificate_ungranted", "the authorization " + c.ID + " was never valid, so that no certificate can rest on it"}
		}
		if !slices.ContainsFunc(cases, func(have *Case) bool { return have.ID == c.ID }) {
			cases = append(cases, c)
		}
		return nil
	}
	for _, id := range r.Cases {
		if err := add(s.Get(ctx, ca, id)); err != nil {
			return nil, err
		}
	}
	for _, id := range r.Identifiers {
		if err := add(s.Standing(ctx, ca, OpenRequest{Applicant: r.Applicant, Identifier: id, Profile: r.Profile})); err != nil {
			return nil, err
		}
	}
	if len(cases) == 0 {
		return nil, ErrNotFound
	}
	return cases, nil
}

// holdAgainst holds the certificate against what a case granted. What shows that it belongs elsewhere is an error; what the authority should not have
// issued, and has, is found. The profile is nil if it is gone.
func (c *Certificate) holdAgainst(k *Case, r CertificateReport, p *Profile) error {
	if r.CSRKey != "" && r.CSRKey != c.SPKI {
		return &InputError{"certificate", "certificate_key", "the certificate is for another key than the CSR"}
	}
	if key := k.csrKey(); key != "" && key != c.SPKI {
		return &InputError{"certificate", "certificate_key", "the certificate is for another key than the CSR of the authorization " + k.ID}
	}
	if k.Applicant.Kind == ByPublicKey && k.Applicant.SPKI != c.SPKI {
		return &InputError{"certificate", "certificate_key", "the certificate is for another key than the authorization " + k.ID}
	}
	find := c.find
	switch {
	case k.CSRDigest == "":
	case r.CSRDigest == "":
		find(FindingCSRUnchecked, "the authorization %s is for one CSR: send it along, so that the certificate can be held against it", k.ID)
	case r.CSRDigest != k.CSRDigest:
		return &InputError{"csr", "certificate_csr", "the authorization " + k.ID + " is for another CSR"}
	}
	if k.Applicant.Kind == ByAccount && c.Thumbprint != "" && c.Thumbprint == k.Applicant.Thumbprint {
		find(FindingAccountKey, "the certificate's key is the account's own (RFC 8555 11.1)")
	}
	if id := k.Identifier; id.Type == IdentifierOrganization && !slices.Equal(c.Organizations, []string{id.Value}) {
		find(FindingOrganization, "the subject's organizations are %q, and the authorization %s is for %q", c.Organizations, k.ID, id.Value)
	}
	if lasts := c.Validity(); p != nil && p.CodeSigning() && lasts > MostValidity {
		find(FindingValidity, "it lasts for %s, and a code signing certificate for %s at most (CSBR 6.3.2)", Days(lasts), Days(MostValidity))
	}
	if c.IsCA {
		find(FindingCA, "it may sign certificates itself")
	}
	return nil
}

// file stores a certificate, after what must outlive it is kept as long: a process that dies in between has kept something for too long, and the authority, which
// got no answer, says it again.
func (s *Service) file(ctx context.Context, ca *Authority, c *Certificate, cases []*Case) (*Certificate, error) {
	kind := EntryIssued
	if c.Renewal {
		kind = EntryRenewed
	}
	facts := map[string]any{
		"ca": c.CA, "profile": c.Profile, "certificate_sha256": c.Digest, "serial": c.Serial, "spki_sha256": c.SPKI,
		"not_before": c.NotBefore, "not_after": c.NotAfter, "cases": anyOf(c.Cases),
	}
	if c.CSRDigest != "" {
		facts["csr_digest"] = c.CSRDigest
	}
	if digest := s.Policy.Digest; digest != "" {
		facts["policy"] = digest // by which it was held against the authorizations
	}
	if c.Approvals != nil {
		facts["approvals"] = anyOf(c.Approvals)
	}
	var codes []string
	for _, f := range c.Findings {
		codes = append(codes, f.Code)
	}
	if codes != nil {
		facts["findings"] = anyOf(slices.Compact(codes))
	}
	private := map[string]any{"subject": c.Subject}
	for name, value := range map[string]string{"order": c.Order, "replaces": c.Replaces, "account": c.Applicant.URL} {
		if value != "" {
			private[name] = value
		}
	}
	var persons []string
	for _, k := range cases {
		if k.Person != "" && !slices.Contains(persons, k.Person) {
			persons = append(persons, k.Person)
		}
		if _, err := s.updateBy(ctx, byAuthority(ca), k.ID, func(k *Case, now time.Time) error {
			if k.certify(c) {
				k.write(byAuthority(ca), now, kind, map[string]any{"certificate": c.ID, "certificate_sha256": c.Digest, "serial": c.Serial, "not_after": c.NotAfter}, nil)
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	if err := s.keepProved(ctx, cases, keptUntil(c.NotAfter)); err != nil {
		return nil, err
	}
	c.Journal.Write(Note{
		Of: SubjectCertificate, Object: c.ID, Kind: kind, By: Actor{Kind: "ca", ID: ca.Name}, At: c.Reported, Facts: facts, Private: private, Persons: persons,
	})
	told, err := s.answerable(ctx, cases)
	if err != nil {
		return nil, err
	}
	notice := noticeIssued
	if c.Renewal {
		notice = noticeRenewed
	}
	s.tell(c, cases[0], told, notice, c.Reported)
	err = s.Certificates.Create(ctx, c.ID, c)
	if errors.Is(err, ErrExists) {
		return s.Certificates.Get(ctx, c.ID)
	}
	if err != nil {
		return nil, err
	}
	s.mark(SubjectCertificate, c.ID[:2])
	s.local().worker.miss(c.ID[:2])
	s.rouse()
	return c, nil
}

// keepProved keeps the cases in which that was proved, and decided, which the accounts of these have by a key. What has gone already nobody brings back.
func (s *Service) keepProved(ctx context.Context, cases []*Case, until time.Time) error {
	for _, k := range cases {
		if k.EABKid == "" {
			continue
		}
		from, err := s.provedFor(ctx, k)
		if err == nil && from != "" {
			_, err = s.update(ctx, from, func(from *Case, _ time.Time) error {
				from.keep(until)
				return nil
			})
		}
		if ignoreNotFound(err) != nil {
			return fmt.Errorf("keep what was proved for the key of %s: %w", k.ID, err)
		}
	}
	return nil
}

// provedFor is the case that ended in the key by which a case's account is bound, or in the one that this was put in the place of; empty for a key that an authority
// made. ErrNotFound where the key is gone.
func (s *Service) provedFor(ctx context.Context, c *Case) (string, error) {
	for kid, hops := c.EABKid, 0; kid != "" && hops < mostHops; hops++ {
		k, err := s.Keys.Get(ctx, s.keyID(kid))
		if err != nil {
			return "", err
		}
		if k.CA != c.CA {
			break
		}
		if k.Case != "" {
			return k.Case, nil
		}
		kid = k.Replaces
	}
	return "", nil
}

// mostCertificates is how many certificates a case knows by their ids: its record is bounded, and the index has all of them.
const mostCertificates = 500

// certify notes in the case that a certificate rests on it, and says whether that is new.
func (c *Case) certify(cert *Certificate) bool {
	if slices.Contains(c.Certificates, cert.ID) {
		return false
	}
	c.Certificates = append(c.Certificates, cert.ID)
	if over := len(c.Certificates) - mostCertificates; over > 0 {
		c.Certificates = slices.Delete(c.Certificates, 0, over)
	}
	c.keep(keptUntil(cert.NotAfter))
	return true
}

// keep keeps the case at least until then.
func (c *Case) keep(until time.Time) {
	if until.After(c.Keep) {
		c.Keep = until
	}
}
