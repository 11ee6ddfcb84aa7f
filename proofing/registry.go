package proofing

import (
	"slices"
	"time"
)

// RegistryEntry is the operator's word that somebody may have certificates for
// an identifier. Proving who one is proves no right to a name: that is
// entitlement, and for everything but one's own address it comes from here.
type RegistryEntry struct {
	ID         string     `json:"id"`
	CA         string     `json:"ca"` // the authority it serves; entries of one serve no other
	Identifier Identifier `json:"identifier"`
	// Holders are whom the entry names; any one of them will do.
	Holders []Holder `json:"holders"`
	// Domains are an organization's, whose CAA records count for it.
	Domains []string  `json:"domains,omitempty"`
	Created time.Time `json:"created"`
	Note    string    `json:"note,omitempty"`
}

// Holder is one whom a registry entry names: a person by id, or whoever has
// confirmed an address in the case.
type Holder struct {
	Person  string  `json:"person,omitempty"`
	Channel Channel `json:"channel,omitempty"`
	Address Secret  `json:"address,omitempty"`
}

// Indexes implements Record.
func (r *RegistryEntry) Indexes() []Index {
	return []Index{{Name: "ca", Value: r.CA}}
}

// ExpiresAt implements Record.
func (r *RegistryEntry) ExpiresAt() time.Time { return time.Time{} }

// Names says whether the entry names the person, or an address among those
// confirmed in this case. Addresses compare in canonical form, exactly.
func (r *RegistryEntry) Names(person string, confirmed []Contact) bool {
	return slices.ContainsFunc(r.Holders, func(h Holder) bool {
		if h.Person != "" {
			return h.Person == person
		}
		return slices.ContainsFunc(confirmed, func(c Contact) bool {
			return h.Address != "" && c.Channel == h.Channel && c.Address == h.Address
		})
	})
}
