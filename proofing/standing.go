package proofing

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Standing is the case that Open would return, if there is one: pending or valid, of that applicant, for that identifier,
// under that profile. Otherwise it is ErrNotFound, and nothing is opened. Its other errors are those of Open.
func (s *Service) Standing(ctx context.Context, ca *Authority, r OpenRequest) (*Case, error) {
	profile, ok := s.Policy.Profiles[r.Profile]
	if !ok || !ca.May(r.Profile) {
		return nil, &InputError{"profile", "profile_unknown", fmt.Sprintf("%q is not a profile of this certificate authority", r.Profile)}
	}
	id, err := s.canonicalIdentifier(profile, r.Identifier)
	if err != nil {
		return nil, err
	}
	if r.Applicant.Kind == ByNobody {
		return nil, ErrNotFound
	}
	var account *Account
	if r.Applicant, account, err = s.applicant(ctx, ca.Name, r.Applicant); err != nil {
		return nil, err
	}
	natural := s.natural(ca.Name, r.Applicant, id, profile.Name)
	c, err := s.findNatural(ctx, r.Applicant, natural[:])
	if err != nil {
		return nil, err
	}
	return c, s.allows(ctx, byAuthority(ca), c, account)
}

// Organizations are the applicant's cases under the profile, pending or valid, that are for an organization.
func (s *Service) Organizations(ctx context.Context, ca *Authority, a Applicant, profile string) ([]*Case, error) {
	a, _, err := s.applicant(ctx, ca.Name, a)
	if err != nil {
		return nil, err
	}
	var found []*Case
	for c, err := range s.casesOf(ctx, a.ID) {
		if err != nil {
			return nil, err
		}
		if c.lapse(s.now(), s.retention(c)); c.CA == ca.Name && c.Profile == profile && c.Identifier.Type == IdentifierOrganization && !c.Status.Over() {
			found = append(found, c)
		}
	}
	return found, nil
}

// namesFoundByThemselves are the types of identifiers whose cases may be found without their applicant: an authority makes sure by itself that whoever
// asks has them (RFC 8555 8), which nobody does for an organization or an address.
var namesFoundByThemselves = []string{IdentifierDNS, IdentifierIP, IdentifierPermanent}

// AuthorizeNames is Authorize for an authority that cannot say who the applicant is: an identifier is authorized if
// anybody's case for it is, and is for that CSR. Nothing is opened. Profiles that do not take this (Profile.Knows) are an *InputError with the code "correlation".
func (s *Service) AuthorizeNames(ctx context.Context, ca *Authority, profile string, ids []Identifier, csrDigest string) (Verdict, error) {
	p, ok := s.Policy.Profiles[profile]
	if !ok || !ca.May(profile) {
		return Verdict{}, &InputError{"profile", "profile_unknown", fmt.Sprintf("%q is not a profile of this certificate authority", profile)}
	}
	if !p.Knows(CorrelateIdentifier) {
		return Verdict{}, &InputError{"profile", "correlation", fmt.Sprintf("cases under the profile %s are found by key alone", profile)}
	}
	v := Verdict{Allow: true}
	for _, id := range ids {
		a, err := s.authorizeName(ctx, ca, p, id, csrDigest)
		if err != nil {
			return Verdict{}, fmt.Errorf("authorize by identifier: %w", err)
		}
		v.add(a)
	}
	if v.Allow && p.CAA != CAAOff {
		stranger := func(*Case) string { return "" } // the case may be another's
		if err := s.heedCAA(ctx, ca, p, stranger, &v); err != nil {
			return Verdict{}, fmt.Errorf("authorize by identifier: %w", err)
		}
	}
	return v, nil
}

func (s *Service) authorizeName(ctx context.Context, ca *Authority, p *Profile, id Identifier, csrDigest string) (Authorization, error) {
	out := Authorization{Identifier: id, Problem: "missing"}
	canonical, err := s.canonicalIdentifier(p, id)
	if input, ok := errors.AsType[*InputError](err); ok {
		out.Problem, out.Detail = input.Code, input.Detail
		return out, nil
	}
	if err != nil {
		return out, err
	}
	out.Identifier = canonical
	known := s.knownBy(ca.Name, p, canonical)
	if known == "" {
		out.Problem, out.Detail = "identifier_unsupported", fmt.Sprintf("cases for identifiers of type %s are found by key alone", id.Type)
		return out, nil
	}
	for q := (Query{Index: "identifier", Value: known}); ; {
		page, next, err := s.Cases.List(ctx, q)
		if err != nil {
			return out, fmt.Errorf("list cases of an identifier: %w", err)
		}
		for _, c := range page {
			if c.lapse(s.now(), s.retention(c)); c.Status != CaseGranted || c.Identifier != canonical || c.Profile != p.Name || c.CA != ca.Name {
				continue
			}
			if confined, err := s.confined(ctx, byService, c, nil); err != nil {
				return out, err
			} else if confined {
				continue
			}
			one, err := s.judged(ctx, c)
			if err != nil {
				return out, err
			}
			if one.hold(csrDigest); one.Problem == "" {
				return one, nil
			}
			out = one
		}
		if q.After = next; next == "" {
			return out, nil
		}
	}
}

// knownBy is the keyed hash under which a granted case is found by its identifier; empty if it is not found so.
func (s *Service) knownBy(ca string, p *Profile, id Identifier) string {
	if !slices.Contains(namesFoundByThemselves, id.Type) || !p.Knows(CorrelateIdentifier) {
		return ""
	}
	return s.Hasher.Hex("identifier", ca, id.Type, id.Value, p.Name)
}

// add counts one identifier in.
func (v *Verdict) add(a Authorization) {
	v.Authorizations = append(v.Authorizations, a)
	if a.Problem != "" {
		v.Allow = false
		return
	}
	v.RecheckAfter = earliest(v.RecheckAfter, a.Case.Grant.RecheckAfter, a.until)
}
