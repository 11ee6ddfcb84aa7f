package proofing

import (
	"slices"
	"time"
)

// Person is somebody who has proved something here. A person is known by what
// is bound to them, and by nothing that they merely said.
type Person struct {
	ID       string    `json:"id"`
	Created  time.Time `json:"created"`
	Bindings []Binding `json:"bindings"`
}

// Binding is an address that belongs to a person since a certain time. It is
// what tells a later authentication from a first confirmation: an authenticator
// counts only once it is bound (SP 800-63B 6.1; SP 800-63B-4 4.1).
type Binding struct {
	ID      string    `json:"id"`    // of the Address record
	Event   string    `json:"event"` // the evidence that bound it
	Contact Contact   `json:"contact"`
	BoundAt time.Time `json:"bound_at"`
}

// Indexes implements Record.
func (p *Person) Indexes() []Index { return nil }

// ExpiresAt implements Record: a person stays until erased.
func (p *Person) ExpiresAt() time.Time { return time.Time{} }

// admits says whether an address may become the person's by what the case proves.
// Whoever adds to what a person has must first authenticate with what they have
// (SP 800-63B 6.1.2.1; SP 800-63B-4 4.1.2.1), or a thief of a mailbox would add a number of
// their own and be the person from then on. A person who is of this case alone
// has nothing yet to authenticate with, and neither has one without a number.
func (p *Person) admits(b Binding, c *Case, authenticated bool) bool {
	if authenticated {
		return true
	}
	elsewhere := slices.DeleteFunc(slices.Clone(p.Bindings), func(have Binding) bool { return c.has(have.Event) })
	if len(elsewhere) == 0 || slices.ContainsFunc(elsewhere, func(have Binding) bool { return have.ID == b.ID }) {
		return true
	}
	return b.Contact.Channel == ChannelPhone &&
		!slices.ContainsFunc(elsewhere, func(have Binding) bool { return have.Contact.Channel == ChannelPhone })
}

// bind adds a binding, once.
func (p *Person) bind(b Binding) {
	if !slices.ContainsFunc(p.Bindings, func(have Binding) bool { return have.ID == b.ID }) {
		p.Bindings = append(p.Bindings, b)
	}
}

// Address says whose an address is. There is one record for each address, under
// an id that follows from its keyed hash.
type Address struct {
	ID      string    `json:"id"`
	Person  string    `json:"person"`
	Event   string    `json:"event"` // the evidence that bound it
	Contact Contact   `json:"contact"`
	BoundAt time.Time `json:"bound_at"`
	// Former are the persons whose lists may still have the address.
	Former []string `json:"former,omitempty"`
}

// Indexes implements Record.
func (a *Address) Indexes() []Index { return []Index{{Name: "person", Value: a.Person}} }

// ExpiresAt implements Record.
func (a *Address) ExpiresAt() time.Time { return time.Time{} }
