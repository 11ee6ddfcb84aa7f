package proofing

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The members of a subject that say what an organization is and where it is registered (CSBR 7.1.4.2). For EV they must be there.
const (
	SubjectNumber       = "serialNumber"
	SubjectCategory     = "businessCategory"
	SubjectJurisdiction = "jurisdiction" // the begin of jurisdictionC, jurisdictionST and jurisdictionL
)

// businessEntity is the category of which a dossier says whether it is the organization's. Which of the others one is the authority finds out, as it does places.
const businessEntity = "Business Entity"

// countryCode is how a subject names a country (ISO 3166-1 alpha-2).
var countryCode = regexp.MustCompile(`^[A-Z]{2}$`)

var businessCategories = []string{"Private Organization", "Government Entity", businessEntity, "Non-Commercial Entity"}

// Registration is what a subject may say of an organization beside its name, by its dossier.
type Registration struct {
	Number, Jurisdiction string // empty: not known
	Business             bool   // it is a Business Entity
	BusinessAged         bool   // it was found to be one, too long ago: whether it still is nobody knows
}

// Registration is what of the dossier is good now, for a certificate that is for EV or not.
func (o *Organization) Registration(ev bool, now time.Time) *Registration {
	value := func(kind ItemKind) string {
		if it := o.Current(kind, ""); it != nil && it.Outcome == OutcomeGood && it.good(ev, now) {
			return it.Value
		}
		return ""
	}
	r := &Registration{Number: value(ItemRegistration), Jurisdiction: value(ItemJurisdiction)}
	if it := o.Current(ItemBusinessEntity, ""); it != nil && it.Outcome == OutcomeGood { // with a value or without
		r.Business, r.BusinessAged = it.good(ev, now), !it.good(ev, now)
	}
	return r
}

// RegistrationOf is that of the one organization among the identifiers; nil if there is none or several, or it has no dossier.
func (s *Service) RegistrationOf(ctx context.Context, ca *Authority, p *Profile, ids []Identifier) (*Registration, error) {
	var names []string
	for _, id := range s.canonicalIdentifiers(p, ids) {
		if id.Type == IdentifierOrganization && !slices.Contains(names, id.Value) {
			names = append(names, id.Value)
		}
	}
	if len(names) != 1 {
		return nil, nil
	}
	o, err := s.OrganizationOf(ctx, ca.Name, names[0])
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read dossier: %w", err)
	}
	return o.Registration(p.EV, s.now()), nil
}

// SaysRegistration says whether the member is one that a registration is judged by.
func (m SubjectMember) SaysRegistration() bool {
	return m.Name == SubjectNumber || m.Name == SubjectCategory || strings.HasPrefix(m.Name, SubjectJurisdiction)
}

// Judge lists what of a subject is not as it is registered, member by member. Of nil nothing is known.
func (r *Registration) Judge(subject []SubjectMember) (faults []CSRFault) {
	subject = slices.DeleteFunc(slices.Clone(subject), func(m SubjectMember) bool { return !m.SaysRegistration() })
	if len(subject) == 0 {
		return nil
	}
	if r == nil {
		r = &Registration{}
	}
	fault := func(format string, args ...any) {
		faults = append(faults, CSRFault{"subject", fmt.Sprintf(format, args...)})
	}
	said := map[string]string{}
	for _, m := range subject {
		if _, twice := said[m.Name]; twice || m.NoText {
			fault("the subject has %s twice, or in a form that cannot be read here: write it once, as a text", m.Name)
			continue
		}
		said[m.Name] = m.Value
		switch {
		case m.Name == SubjectNumber && (r.Number == "" || m.Value != r.Number):
			fault("the subject has %s %s, which is not the registration number that the dossier of one organization that is asked for has: leave it out, or write that", m.Name, told(m.Value))
		case m.Name == SubjectCategory && (r.Number == "" || r.BusinessAged || !slices.Contains(businessCategories, m.Value) || (m.Value == businessEntity) != r.Business):
			fault("the subject has %s %s, which is no category by the dossier of one organization that is asked for: leave it out, or write one of CSBR 7.1.4.2 (%q for one that the dossier says is such, and no other; none while what it says of that is too old)", m.Name, told(m.Value), businessEntity)
		}
	}
	var places []string
	for _, place := range []string{"L", "ST", "C"} {
		if v, ok := said[SubjectJurisdiction+place]; ok {
			places = append(places, v)
		}
	}
	placed := !slices.Contains(places, "") && r.placed(said[SubjectJurisdiction+"C"], said[SubjectJurisdiction+"ST"], said[SubjectJurisdiction+"L"])
	if len(places) > 0 && !placed {
		fault("the subject has the jurisdiction %s, which is not, in these attributes, that of the dossier of one organization that is asked for: leave it out, or write jurisdictionCountryName, by its two letters, and the state and the locality where the dossier has them, each as it does", told(strings.Join(places, ", ")))
	}
	return faults
}

// placed says whether a jurisdiction is the dossier's, each part in its own attribute (CSBR 7.1.4.2): the country by the two letters of ISO 3166, alone, with a state, with a state and a locality, or with a
// locality alone where there are no states. The dossier has them with commas between them, the widest or the narrowest first. A second part is a state: where a locality has none, the
// place of the state stays empty, as in "DE, , Berlin".
func (r *Registration) placed(country, state, locality string) bool {
	places := []string{country}
	switch {
	case locality != "":
		places = append(places, state, locality)
	case state != "":
		places = append(places, state)
	}
	registered := strings.Split(r.Jurisdiction, ",")
	for i, part := range registered {
		registered[i] = strings.TrimSpace(part)
	}
	if !countryCode.MatchString(country) { // nor has it a comma, as none of the parts has
		return false
	}
	if slices.Equal(registered, places) {
		return true
	}
	slices.Reverse(places)
	return slices.Equal(registered, places)
}
