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
	// Removed: the entry names nobody any more, and is kept for its journal. Whoever registers its identifier again takes it up again.
	Removed time.Time `json:"removed,omitzero"`
	Journal Journal   `json:"journal,omitzero"`
}

// The entries of the registry's entries in the log.
const (
	EntryRegistered   EntryKind = "registry_added"
	EntryUnregistered EntryKind = "registry_removed"
)

// Holder is one whom a registry entry names: a person by id, whoever has
// confirmed an address in the case, or whoever may ask for certificates of an organization.
type Holder struct {
	Person string `json:"person,omitempty"`
	// Organization is the legal name of one whose dossier the authority has: whom it names as requester or approver, and its list does not exclude.
	Organization string  `json:"organization,omitempty"`
	Channel      Channel `json:"channel,omitempty"`
	Address      Secret  `json:"address,omitempty"`
}

// Indexes implements Record.
func (r *RegistryEntry) Indexes() []Index {
	ix := r.Journal.index()
	if r.Removed.IsZero() {
		ix = append(ix, Index{Name: "ca", Value: r.CA})
	}
	return ix
}

// ExpiresAt implements Record.
func (r *RegistryEntry) ExpiresAt() time.Time { return time.Time{} }

// Names says whether the entry names the person, or an address among those
// confirmed in this case; not whether it does by an organization (see grounds). Addresses compare in canonical form, exactly.
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
