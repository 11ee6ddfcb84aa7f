package proofing

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// canonicalIdentifier reads an identifier and returns the one form in which it
// is stored, compared and shown.
func (s *Service) canonicalIdentifier(p *Profile, id Identifier) (Identifier, error) {
	known := []string{IdentifierDNS, IdentifierIP, IdentifierEmail, IdentifierPermanent, IdentifierHardware, IdentifierOrganization}
	if !slices.Contains(known, id.Type) {
		return id, &InputError{"identifier.type", "identifier_unsupported", fmt.Sprintf("identifier type %q is not served", id.Type)}
	}
	if !slices.Contains(p.Identifiers, id.Type) {
		return id, &InputError{"identifier.type", "identifier_unsupported", fmt.Sprintf("profile %s is not for identifiers of type %s", p.Name, id.Type)}
	}
	malformed := func(why string) (Identifier, error) {
		return id, &InputError{"identifier.value", "identifier_malformed", why}
	}
	switch id.Type {
	case IdentifierDNS:
		name := lowerASCII(strings.TrimSuffix(id.Value, ".")) // the Kelvin sign in lower case is somebody else's k
		if strings.Contains(name, "*") {                      // RFC 8555 7.4.1: a pre-authorization names one identifier exactly
			return id, &InputError{"identifier.value", "identifier_rejected", "a wildcard name cannot be pre-authorized"}
		}
		if err := checkDNSName(name); err != nil {
			return malformed(err.Error())
		}
		id.Value = name
	case IdentifierIP:
		ip, err := netip.ParseAddr(id.Value)
		if err != nil || ip.Zone() != "" {
			return malformed("not an IP address")
		}
		id.Value = ip.Unmap().String()
	case IdentifierEmail:
		contact, err := s.Methods["email"].Check(id.Value)
		if err != nil {
			return malformed("not an e-mail address")
		}
		id.Value = contact.Address.Reveal()
	default:
		// What hides, turns or doubles characters would let two identifiers look like one.
		if id.Value == "" || len(id.Value) > 256 || !utf8.ValidString(id.Value) || strings.ContainsFunc(id.Value, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return malformed("must be 1 to 256 printable characters")
		}
		if strings.Join(strings.Fields(id.Value), " ") != id.Value {
			return malformed("must not begin or end with a space, nor have two together")
		}
	}
	return id, nil
}

// checkDNSName accepts fully qualified host names in A-label form (RFC 5890).
func checkDNSName(name string) error {
	labels := strings.Split(name, ".")
	if len(name) > 253 || len(labels) < 2 {
		return errors.New("not a fully qualified domain name")
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return errors.New("a label of the name is empty, too long, or begins or ends with a hyphen")
		}
		if strings.ContainsFunc(l, func(r rune) bool {
			return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
		}) {
			return errors.New("names are letters, digits and hyphens; write others as A-labels (xn--…)")
		}
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" { // RFC 1123 2.1
		return errors.New("a name whose last label is a number is an address")
	}
	return nil
}

// contacts reads the addresses that the CA knows. For an e-mail identifier the one
// address is the identifier itself: nothing else would prove it.
func (s *Service) contacts(id Identifier, r OpenRequest) ([]Contact, error) {
	var contacts []Contact
	given := []struct {
		field, method string
		address       Secret
	}{{"contacts.email", "email", r.Email}, {"contacts.phone", "sms", r.Phone}}
	if id.Type == IdentifierEmail {
		given[0].address = Secret(id.Value)
	}
	for _, g := range given {
		m := s.Methods[g.method]
		if g.address == "" || m == nil {
			continue
		}
		contact, err := m.Check(g.address.Reveal())
		if err != nil {
			if input, ok := errors.AsType[*InputError](err); ok {
				return nil, &InputError{g.field, input.Code, input.Detail}
			}
			return nil, err
		}
		contacts = append(contacts, contact)
	}
	return contacts, nil
}

// asksByRole says whether the right to ask comes from the dossier, by role (CSBR 3.2.2.2), and from nowhere else.
func (c *Case) asksByRole(p *Profile) bool {
	return p != nil && p.Approvals > 0 && c.Identifier.Type == IdentifierOrganization
}

// turnedAway says whether somebody who has just authenticated may not ask at all, so that nothing of theirs is taken and whoever may can still come: who holds the
// link would end the request otherwise, by any passkey that lies at hand. A login that nobody is known by may be anybody's until they have authenticated.
func (c *Case) turnedAway(p *Profile, g *grounds, spoke Contact, known *Address) bool {
	return !spoke.Channel.Reached() && (known != nil || spoke.Channel == ChannelPasskey) && c.asksByRole(p) && !p.ReviewEntitlement && g.asks(c.Person) == nil
}

// entitlement says whether what was proved in the case gives a right to the
// identifier, and on what that right rests.
func (c *Case) entitlement(p *Profile, g *grounds) (basis string, ok bool) {
	if c.asksByRole(p) {
		return "dossier", g.asks(c.Person) != nil
	}
	confirmed, entry := c.confirmed(), g.entry
	if c.Identifier.Type == IdentifierEmail {
		own := slices.ContainsFunc(confirmed, func(k Contact) bool {
			return k.Channel == ChannelEmail && k.Address.Reveal() == c.Identifier.Value
		})
		return "confirmed_address", own
	}
	if g.asksThrough(c) || entry != nil && entry.Names(c.Person, confirmed) {
		return "registry", true
	}
	if g.asks(c.Person) != nil && len(g.unlisted(c)) == 0 {
		return "dossier", true
	}
	return "", false
}

// confirmed lists the addresses that were confirmed in the case.
func (c *Case) confirmed() []Contact {
	var contacts []Contact
	for _, e := range c.Evidence {
		if ch := e.Confirms(); ch != "" {
			contacts = append(contacts, Contact{Channel: ch, Address: e.AddressOrNumber()})
		}
	}
	return contacts
}

// registryEntry is the operator's entry for the case's identifier; nil if there is none.
func (s *Service) registryEntry(ctx context.Context, c *Case) (*RegistryEntry, error) {
	if c.Own() {
		return nil, nil
	}
	entry, err := s.Registry.Get(ctx, s.registryID(c.CA, c.Identifier))
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read registry: %w", err)
	}
	if !entry.Removed.IsZero() {
		return nil, nil
	}
	return entry, nil
}

func (s *Service) registryID(ca string, id Identifier) string {
	return FixedID(s.Hasher.Sum("registry", ca, id.Type, id.Value))
}

// registryProfile stands for what the registry may have entries of.
var registryProfile = Profile{Name: "registry", Identifiers: []string{IdentifierDNS, IdentifierIP, IdentifierPermanent, IdentifierHardware, IdentifierOrganization}}

// Register adds holders to the entry of an identifier, or makes it.
func (s *Service) Register(ctx context.Context, ca string, id Identifier, note string, holders ...Holder) (*RegistryEntry, error) {
	id, err := s.canonicalIdentifier(&registryProfile, id)
	if err != nil {
		return nil, err
	}
	return s.register(ctx, ca, id, note, nil, holders)
}

// RegisterOrganization is Register for an organization with domains, whose CAA records count for it. All of it is written at once or
// nothing is: an organization is entitled from then on, and one without a domain is let pass with a warning. An *InputError of the
// field "domain" says what is wrong with one of them.
func (s *Service) RegisterOrganization(ctx context.Context, ca string, id Identifier, note string, domains []string, holders ...Holder) (*RegistryEntry, error) {
	id, err := s.canonicalIdentifier(&Profile{Name: registryProfile.Name, Identifiers: []string{IdentifierOrganization}}, id)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, d := range domains {
		name, err := s.canonicalIdentifier(&Profile{Name: registryProfile.Name, Identifiers: []string{IdentifierDNS}}, Identifier{IdentifierDNS, d})
		if input, wrong := errors.AsType[*InputError](err); wrong {
			return nil, &InputError{"domain", input.Code, fmt.Sprintf("%q: %s", d, input.Detail)}
		}
		if err != nil {
			return nil, err
		}
		names = append(names, name.Value)
	}
	return s.register(ctx, ca, id, note, names, holders)
}

func (s *Service) register(ctx context.Context, ca string, id Identifier, note string, domains []string, holders []Holder) (*RegistryEntry, error) {
	for i, h := range holders {
		if h.Organization == "" {
			continue
		}
		var err error
		if holders[i].Organization, err = s.holderOrganization(ctx, ca, id, h.Organization); err != nil {
			return nil, err
		}
	}
	now := s.now()
	add := func(e *RegistryEntry) error {
		if !e.Removed.IsZero() {
			e.Removed, e.Created = time.Time{}, now
		}
		s.noteRegistered(e, now, holders, domains)
		e.Holders, e.Domains = union(e.Holders, holders), union(e.Domains, domains)
		if len(e.Domains) > mostDomains {
			return &InputError{"domain", "domains_many", fmt.Sprintf("an organization has at most %d domains here", mostDomains)}
		}
		if note != "" {
			e.Note = note
		}
		return nil
	}
	entry := &RegistryEntry{ID: s.registryID(ca, id), CA: ca, Identifier: id, Created: now}
	if err := add(entry); err != nil {
		return nil, err
	}
	err := s.Registry.Create(ctx, entry.ID, entry)
	if errors.Is(err, ErrExists) {
		entry, err = s.Registry.Update(ctx, entry.ID, add)
	}
	if err != nil {
		return nil, err
	}
	s.mark(SubjectRegistry, entry.ID[:2])
	return entry, nil
}

// holderOrganization is the name of an organization that has a dossier at the authority.
func (s *Service) holderOrganization(ctx context.Context, ca string, of Identifier, name string) (string, error) {
	if of.Type == IdentifierOrganization {
		return "", &InputError{"organization", "organization_of_organization", "an organization's own dossier says who asks for it"}
	}
	id, err := s.canonicalIdentifier(&registryProfile, Identifier{IdentifierOrganization, name})
	if err != nil {
		return "", err
	}
	o, err := s.dossier(ctx, ca, id)
	if err == nil && o == nil {
		err = &InputError{"organization", "organization_unknown", fmt.Sprintf("%s has no dossier of an organization of that name", ca)}
	}
	return id.Value, err
}

// noteRegistered writes that holders or domains of an identifier were registered. The leaf has whom it names by the ids of persons and addresses; the
// identifier is beside it.
func (s *Service) noteRegistered(e *RegistryEntry, now time.Time, holders []Holder, domains []string) {
	facts := map[string]any{"ca": e.CA, "type": e.Identifier.Type}
	var persons, addresses, organizations []string
	for _, h := range holders {
		switch {
		case h.Person != "":
			persons = append(persons, h.Person)
		case h.Organization != "":
			organizations = append(organizations, s.organizationID(e.CA, h.Organization))
		default:
			addresses = append(addresses, s.addressID(Contact{Channel: h.Channel, Address: h.Address}))
		}
	}
	for name, values := range map[string][]string{"persons": persons, "addresses": addresses, "organizations": organizations} {
		if values != nil {
			facts[name] = anyOf(values)
		}
	}
	private := map[string]any{"identifier": e.Identifier.Value}
	if domains != nil {
		private["domains"] = anyOf(domains)
	}
	e.Journal.Write(Note{Of: SubjectRegistry, Object: e.ID, Kind: EntryRegistered, By: s.operator(), At: now, Facts: facts, Private: private})
}

// mostDomains is how many domains an organization may have in the registry: all of them are looked up.
const mostDomains = 20

// Unregister removes the entry of an identifier; ErrNotFound if there is none.
func (s *Service) Unregister(ctx context.Context, ca string, id Identifier) error {
	id, err := s.canonicalIdentifier(&registryProfile, id)
	if err != nil {
		return err
	}
	entry, err := s.Registry.Update(ctx, s.registryID(ca, id), func(have *RegistryEntry) error {
		if !have.Removed.IsZero() {
			return ErrNotFound
		}
		now := s.now()
		have.Removed, have.Holders, have.Domains, have.Note = now, nil, nil, ""
		have.Journal.Write(Note{
			Of: SubjectRegistry, Object: have.ID, Kind: EntryUnregistered, By: s.operator(), At: now,
			Facts: map[string]any{"ca": have.CA, "type": have.Identifier.Type}, Private: map[string]any{"identifier": have.Identifier.Value},
		})
		return nil
	})
	if err == nil {
		s.mark(SubjectRegistry, entry.ID[:2])
	}
	return err
}

// Registered lists the entries of one authority.
func (s *Service) Registered(ctx context.Context, ca, after string, limit int) ([]*RegistryEntry, string, error) {
	return s.Registry.List(ctx, Query{Index: "ca", Value: ca, After: after, Limit: limit})
}

// natural is the keyed hash of what a case is unique by.
func (s *Service) natural(ca string, a Applicant, id Identifier, profile string) [32]byte {
	return s.Hasher.Sum("natural", ca, string(a.Kind), a.ID, id.Type, id.Value, profile)
}

// findNatural is the case that is pending or valid for a natural key. One whose
// time is over but which the worker has not seen yet is ended on the way, so that it makes room.
func (s *Service) findNatural(ctx context.Context, a Applicant, natural []byte) (*Case, error) {
	c, err := s.Cases.Find(ctx, BucketOf(a.home()), "natural", hexOf(natural))
	if err != nil {
		return nil, err
	}
	if c.lapse(s.now(), s.retention(c)); c.Status.Over() {
		if _, err := s.update(ctx, c.ID, keep); err != nil {
			return nil, err
		}
		return nil, ErrNotFound
	}
	return c, nil
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }
