package proofing

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"
)

// DisownedCertificate is somebody's word that a certificate is not theirs.
type DisownedCertificate struct {
	At time.Time `json:"at"`
	// RevokeBy is until when the authority must have revoked it (CSBR 4.9.1.1).
	RevokeBy time.Time `json:"revoke_by"`
	// Channel and Person are those of the link that it was said by; empty if that was one of a request, and not of the certificate.
	Channel Channel `json:"channel,omitempty"`
	Person  string  `json:"person,omitempty"`
	// Spread is when everything was frozen and the authority told; zero: not yet.
	Spread time.Time `json:"spread,omitzero"`
	// Called is when the authority's webhook took the word of it; zero: it has not.
	Called time.Time `json:"called,omitzero"`
}

// revokeWithin is how long the authority has after the word of whoever answers for a certificate (CSBR 4.9.1.1(2)).
const revokeWithin = 24 * time.Hour

// What the log tells of a certificate afterwards.
const (
	EntryCertificateDisowned EntryKind = "certificate_disowned"
	EntryCertificateRevoked  EntryKind = "certificate_revoked"
)

// CertificateByLink is the certificate that a "this was not us" link is about, unchanged; ErrNotFound for any fault in the link.
func (s *Service) CertificateByLink(ctx context.Context, ref Secret) (*Certificate, error) {
	c, _, err := s.certificateByLink(ctx, ref)
	return c, err
}

func (s *Service) certificateByLink(ctx context.Context, ref Secret) (*Certificate, CertificateLink, error) {
	parts, ok := splitRef(ref, 2)
	if !ok {
		return nil, CertificateLink{}, ErrNotFound
	}
	c, err := s.Certificates.Get(ctx, parts[0])
	if err != nil {
		return nil, CertificateLink{}, err
	}
	i := slices.IndexFunc(c.Links, func(l CertificateLink) bool { return same(l.Secret, Secret(parts[1])) })
	if i < 0 {
		return nil, CertificateLink{}, ErrNotFound
	}
	return c, c.Links[i], nil
}

// DisownCertificate takes the word of somebody who was told of a certificate that it is not theirs: the clock of its revocation begins, the account's grants at that
// authority are frozen, and the authority is told. It may be called again. One that was revoked, or has ended, stays as it is.
func (s *Service) DisownCertificate(ctx context.Context, ref Secret) (*Certificate, error) {
	c, by, err := s.certificateByLink(ctx, ref)
	if err != nil {
		return nil, err
	}
	facts := map[string]any{"channel": string(by.Channel)}
	if by.Person != "" { // whose link it was, which is not to say who had it in their hands
		facts["link_of"] = by.Person
	}
	return s.disownCertificate(ctx, c.ID, by, facts)
}

// disownCertificates takes somebody's word that a request was not theirs as one about its certificates, and about those of the requests that what was proved in
// it served, whatever has become of these (CSBR 4.9.1.1(2)). It may be done again.
func (s *Service) disownCertificates(ctx context.Context, c *Case) error {
	if c.Repudiated.IsZero() {
		return nil // it was given back before this was done
	}
	served := map[string]bool{c.ID: true} // by their ids, whether what was proved in the case served them
	for o, err := range s.siblings(ctx, c) {
		if err != nil {
			return err
		}
		served[o.ID] = o.reachedBy(c) != ""
	}
	all, err := s.certificatesAbout(ctx, c)
	if err != nil {
		return err
	}
	for _, cert := range all {
		for _, id := range cert.Cases {
			if _, known := served[id]; !known { // it is over, and no index of the applicant's has it
				o, err := s.get(ctx, id)
				if ignoreNotFound(err) != nil {
					return err
				}
				served[id] = err == nil && o.reachedBy(c) != ""
			}
		}
		if !slices.ContainsFunc(slices.Concat(cert.Cases, cert.Approvals), func(id string) bool { return served[id] }) {
			continue
		}
		if _, err := s.disownCertificate(ctx, cert.ID, CertificateLink{}, map[string]any{"case": c.ID}); ignoreNotFound(err) != nil {
			return err
		}
	}
	return nil
}

// certificatesAbout are those of a case, of its applicant at the same authority, and of the accounts that are bound by the keys that it has ended in.
func (s *Service) certificatesAbout(ctx context.Context, c *Case) ([]*Certificate, error) {
	all, err := s.CertificatesOf(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	var applicants []string
	if c.Applicant.ID != "" {
		applicants = append(applicants, c.Applicant.ID)
	}
	bound, err := s.boundByKeysOf(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, applicant := range append(applicants, bound...) {
		theirs, err := s.certificates(ctx, Query{Index: "applicant", Value: c.CA + "." + applicant})
		if err != nil {
			return nil, err
		}
		for _, cert := range theirs {
			if !slices.ContainsFunc(all, func(have *Certificate) bool { return have.ID == cert.ID }) {
				all = append(all, cert)
			}
		}
	}
	return all, nil
}

// boundByKeysOf are the accounts that are bound by the keys that a case has ended in.
func (s *Service) boundByKeysOf(ctx context.Context, c *Case) (accounts []string, err error) {
	for _, kid := range c.Keys {
		k, err := s.newest(ctx, kid) // what came in its place has all accounts
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look up key of case: %w", err)
		}
		for _, b := range k.Accounts {
			accounts = append(accounts, b.Account)
		}
	}
	return accounts, nil
}

// sharesWith says whether anything that was proved in another case is at work in this one.
func (c *Case) sharesWith(o *Case) bool {
	return slices.ContainsFunc(o.Evidence, func(e Evidence) bool { return c.has(e.ID) })
}

// ReachedBy is how the word of somebody that a case was not them reached another one.
type ReachedBy struct {
	Event string    `json:"event"` // what was proved in both
	Case  string    `json:"case"`  // which it was said of
	At    time.Time `json:"at"`
}

// reaches is how somebody's word about another case, which stands, is also about this one: what was proved there is at work here. Of a case that the word has only reached it is
// what it was reached by alone: nobody has said anything of the rest.
func (c *Case) reaches(o *Case) (all []ReachedBy) {
	if o.Repudiated.IsZero() {
		return nil
	}
	for _, e := range o.Evidence {
		if !c.has(e.ID) {
			continue
		}
		if len(o.Reached) == 0 {
			all = append(all, ReachedBy{e.ID, o.ID, o.Repudiated})
		} else if i := slices.IndexFunc(o.Reached, func(r ReachedBy) bool { return r.Event == e.ID }); i >= 0 {
			all = append(all, o.Reached[i])
		}
	}
	return all
}

// reachedBy is the case of which it was said if the word reaches this one through another case, and this one was not given back since; empty if it does not.
func (c *Case) reachedBy(o *Case) string {
	for _, r := range c.reaches(o) {
		if r.At.After(c.Lifted) {
			return r.Case
		}
	}
	return ""
}

// repudiate marks the case as one that a word has reached: what is issued on it later is no more theirs.
func (c *Case) repudiate(r ReachedBy) {
	own := !c.Repudiated.IsZero() && len(c.Reached) == 0
	if r.At.After(c.Repudiated) {
		c.Repudiated = r.At
	}
	i := slices.IndexFunc(c.Reached, func(have ReachedBy) bool { return have.Event == r.Event })
	switch {
	case own: // and of all that was proved in it
	case i < 0:
		c.Reached = append(c.Reached, r)
	case r.At.After(c.Reached[i].At):
		c.Reached[i] = r
	}
}

// disownLate begins the clock of a certificate that was reported after somebody had said of its request, of the approval of its CSR or of a request that the same
// proof served that it was not them. An authority that got no answer reports it again, and so it is done in the end.
func (s *Service) disownLate(ctx context.Context, c *Certificate) (*Certificate, error) {
	for _, id := range slices.Concat(c.Cases, c.Approvals) {
		k, err := s.get(ctx, id)
		if ignoreNotFound(err) != nil {
			return nil, err
		}
		if err != nil {
			continue
		}
		by, err := s.saidOf(ctx, k)
		if err != nil {
			return nil, err
		}
		if by != "" {
			return s.disownCertificate(ctx, c.ID, CertificateLink{}, map[string]any{"case": by})
		}
	}
	return c, nil
}

// saidOf is the case by whose link somebody has said, as it stands, that a case was not them; empty: none.
func (s *Service) saidOf(ctx context.Context, k *Case) (string, error) {
	if len(k.Reached) > 0 {
		return k.Reached[0].Case, nil
	}
	if !k.Repudiated.IsZero() {
		return k.ID, nil
	}
	// Also if it is not over: the word may be on its way to it, and have looked through the certificates already.
	where := []iter.Seq2[*Case, error]{s.casesOf(ctx, k.Applicant.ID)}
	if k.Person != "" { // theirs are found once they are over, too
		where = append(where, s.casesOfPerson(ctx, k.Person))
	}
	for _, all := range where {
		for o, err := range all {
			if err != nil {
				return "", err
			}
			if o.CA != k.CA { // of another applicant, if it is the one that a key of its account is the result of
				continue
			}
			if by := k.reachedBy(o); by != "" {
				return by, nil
			}
		}
	}
	return "", nil
}

// disownCertificate begins the clock of a certificate's revocation, once. Facts say by whose word.
func (s *Service) disownCertificate(ctx context.Context, id string, by CertificateLink, facts map[string]any) (*Certificate, error) {
	c, err := s.Certificates.Update(ctx, id, func(c *Certificate) error {
		now := s.now()
		if c.Disowned != nil || c.Over(now) {
			return nil
		}
		c.Disowned = &DisownedCertificate{At: now, RevokeBy: now.Add(revokeWithin), Channel: by.Channel, Person: by.Person}
		facts := maps.Clone(facts)
		facts["revoke_by"] = c.Disowned.RevokeBy
		c.Journal.Write(Note{Of: SubjectCertificate, Object: c.ID, Kind: EntryCertificateDisowned, By: byBearer().Actor, At: now, Facts: facts})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("disown certificate: %w", err)
	}
	s.mark(SubjectCertificate, c.ID[:2])
	if c.Disowned != nil && c.Disowned.Spread.IsZero() {
		// At once, as far as the store answers: the worker finishes what is left.
		if err := s.spreadDisowned(ctx, c); err != nil {
			s.Log.WarnContext(ctx, "not everything is frozen yet", "certificate", c.ID, "error", err)
			s.local().worker.miss(c.ID[:2])
			s.rouse()
		}
	}
	return c, nil
}

// Over says whether nothing follows any more from somebody's word.
func (c *Certificate) Over(now time.Time) bool { return !c.Revoked.IsZero() || now.After(c.NotAfter) }

// spreadDisowned freezes what the account has at that authority, and tells the authority. It may be done again.
func (s *Service) spreadDisowned(ctx context.Context, cert *Certificate) error {
	ids, err := s.restingOn(ctx, cert)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := s.disown(ctx, byBearer(), id, false); ignoreNotFound(err) != nil {
			return fmt.Errorf("freeze %s: %w", id, err)
		}
	}
	for _, id := range cert.Cases {
		_, err := s.updateBy(ctx, byBearer(), id, func(c *Case, now time.Time) error {
			if slices.Contains(c.Disowned, cert.ID) {
				return nil
			}
			c.Disowned = append(c.Disowned, cert.ID)
			c.tell(ChangeCertificate, now)
			c.Outbox.Events[len(c.Outbox.Events)-1].Certificate = cert.Digest
			return nil
		})
		if ignoreNotFound(err) != nil {
			return fmt.Errorf("tell of %s: %w", id, err)
		}
	}
	_, err = s.Certificates.Update(ctx, cert.ID, func(c *Certificate) error {
		if c.Disowned != nil && c.Disowned.Spread.IsZero() {
			c.Disowned.Spread = s.now()
		}
		return nil
	})
	return ignoreNotFound(err)
}

// restingOn are the cases that fall with a certificate: what it was reported for, which may have no account of its own and end in a key; and what else the account has, and
// those that such a key has bound.
func (s *Service) restingOn(ctx context.Context, cert *Certificate) (ids []string, err error) {
	accounts := []string{cert.Applicant.ID}
	for _, id := range slices.Concat(cert.Cases, cert.Approvals) {
		c, err := s.get(ctx, id)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		bound, err := s.boundByKeysOf(ctx, c)
		if err != nil {
			return nil, err
		}
		ids, accounts = append(ids, id), append(accounts, bound...)
	}
	for _, account := range accounts {
		for c, err := range s.casesOf(ctx, account) {
			if err != nil {
				return nil, err
			}
			if c.CA == cert.CA && !c.Own() && !slices.Contains(ids, c.ID) {
				ids = append(ids, c.ID)
			}
		}
	}
	return ids, nil
}

// CertificateRevoked records that the authority has revoked a certificate: the clock of its revocation stops. It may be called again. ErrNotFound for
// another authority's.
func (s *Service) CertificateRevoked(ctx context.Context, ca *Authority, id string) (*Certificate, error) {
	if _, ok := IDBucket(id); !ok {
		return nil, ErrNotFound
	}
	c, err := s.Certificates.Get(ctx, id)
	if err == nil && c.CA != ca.Name {
		err = ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	c, err = s.Certificates.Update(ctx, id, func(c *Certificate) error {
		if !c.Revoked.IsZero() {
			return nil
		}
		c.Revoked = s.now()
		c.Journal.Write(Note{Of: SubjectCertificate, Object: c.ID, Kind: EntryCertificateRevoked, By: byAuthority(ca).Actor, At: c.Revoked})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("record revocation: %w", err)
	}
	s.mark(SubjectCertificate, c.ID[:2])
	return c, nil
}
