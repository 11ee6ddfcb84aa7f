package proofing

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// Person is somebody who has proved something here. A person is known by what
// is bound to them, and by nothing that they merely said.
type Person struct {
	ID       string    `json:"id"`
	Created  time.Time `json:"created"`
	Bindings []Binding `json:"bindings"`
	// Recovery are keyed hashes of the saved codes that have not been used.
	Recovery []string `json:"recovery,omitempty"`
	// RecoveryMade is when the person last had them made.
	RecoveryMade time.Time `json:"recovery_made,omitzero"`
	// RecoveryCase is the session in which they had them made.
	RecoveryCase string `json:"recovery_case,omitempty"`
	// Representative is set by the operator for who may record the proofing of others.
	Representative *Representative `json:"representative,omitempty"`
	// Recovered is when the account was last recovered: no office that was held before counts from then on.
	Recovered time.Time `json:"recovered,omitzero"`
	// Parted: something that authenticated them is theirs no more.
	Parted bool `json:"parted,omitempty"`
	// Unsettled is since when requests are to hear that something which signed an approval of theirs may do so no more; zero: they know.
	Unsettled time.Time `json:"unsettled,omitzero"`
	// Absence is since when they have not been here.
	Absence Absence `json:"absence,omitzero"`
	// Going is when forgetting them began: from then on they are nobody, and the worker goes on until nothing is left.
	Going time.Time `json:"going,omitzero"`
	// Journal is what the log tells of what operators have done to them.
	Journal Journal `json:"journal,omitzero"`
}

// Binding is an address or authenticator that belongs to a person since a certain time. It is
// what tells a later authentication from a first confirmation: an authenticator
// counts only once it is bound (SP 800-63B 6.1; SP 800-63B-4 4.1).
type Binding struct {
	ID      string    `json:"id"`    // of the Address record
	Event   string    `json:"event"` // the evidence that bound it
	Contact Contact   `json:"contact"`
	BoundAt time.Time `json:"bound_at"`
	// Facts is the event that bound it, and Shown a later use that would earn more: from the two follows what it can reach.
	Facts Evidence `json:"facts,omitzero"`
	Shown Evidence `json:"shown,omitzero"`
	// Model is what was known of a passkey's model when it was used last, if that was not as at its binding, and ModelAt when. Its MDSFresh says whether
	// the list of models was ever seen not to be overdue.
	Model   *Attestation `json:"model,omitempty"`
	ModelAt time.Time    `json:"model_at,omitzero"`
	// Name is what the person calls it, so that they can tell two apart.
	Name string `json:"name,omitempty"`
	// Gone is when its person began to take it away: nothing rests on it from then on.
	Gone time.Time `json:"gone,omitzero"`
	// Counts is from when on it may be used, if it was added by somebody who recovered the account, or by a mailbox alone where there had been more.
	Counts time.Time `json:"counts,omitzero"`
	// Suspended is by which recoveries it has been suspended since.
	Suspended []Suspension `json:"suspended,omitempty"`
	// Copied is since when there may be a copy of it (Address.Copied); zero: nothing says so.
	Copied time.Time `json:"copied,omitzero"`
}

// Indexes implements Record.
func (p *Person) Indexes() []Index {
	ix := append(p.Journal.index(), p.dueIndex())
	if !p.Unsettled.IsZero() && p.Going.IsZero() {
		ix = append(ix, Index{Name: "going", Value: stamp(p.Unsettled)})
	}
	if p.Representative != nil {
		ix = append(ix, Index{Name: "representative", Value: stamp(p.Representative.Since)})
	}
	return ix
}

// dueIndex is what the worker finds the person by: who is to be looked at is looked for only where people are forgotten who do not come back, and who
// is being forgotten everywhere.
func (p *Person) dueIndex() Index {
	if !p.Going.IsZero() {
		return Index{Name: "going", Value: stamp(p.Going)}
	}
	return Index{Name: "due", Value: stamp(p.lookAt())}
}

// ExpiresAt implements Record: a person stays until they are erased, at their own word or because they do not come back (Policy.PersonRetention).
func (p *Person) ExpiresAt() time.Time { return time.Time{} }

// of lists what of a channel is bound to the person; nobody has nothing.
func (p *Person) of(ch Channel) []Binding {
	if p == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(p.Bindings), func(b Binding) bool { return b.Contact.Channel != ch || !b.Gone.IsZero() })
}

// admits says whether an address or authenticator may become the person's by what the case proves.
// Whoever adds to what a person has must first authenticate with what they have, as strongly as
// they can (SP 800-63B 6.1.2.1; SP 800-63B-4 4.1.2.1), or a thief of a mailbox would add a number of
// their own and be the person from then on. A person who is of this case alone
// has nothing yet to authenticate with, and neither has one who has nothing but mailboxes elsewhere.
func (s *Service) admits(c *Case, p *Person, k Contact) bool {
	if p == nil { // nobody yet, or nobody any more; who is named in a dossier has a passkey already
		return !c.knew() && !(k.Channel == ChannelPasskey && c.asksByRole(s.profileOf(c)))
	}
	if !p.Going.IsZero() {
		return false
	}
	elsewhere, within := p.Bindings, freshFor
	if c.Grant == nil || !c.Own() { // in a session what was proved in it is not asked for again
		elsewhere = p.elsewhere(c)
		if !k.Channel.Authenticates() { // a code for a mailbox is read when it comes, and opens nothing by itself
			within = 0
		}
	}
	id := s.addressID(k)
	known := slices.ContainsFunc(p.Bindings, func(have Binding) bool { return have.ID == id })
	if !known && p.full() {
		return false
	}
	if len(elsewhere) == 0 || slices.ContainsFunc(elsewhere, func(have Binding) bool { return have.ID == id }) {
		return true
	}
	if s.authenticatedFor(c, p, elsewhere, within, s.now()) || c.recovered(s.now()) && k.Channel.Authenticates() {
		return true
	}
	able := slices.ContainsFunc(elsewhere, func(have Binding) bool { return have.Contact.Channel.Authenticates() })
	return !able && k.Channel.Authenticates()
}

// knew says whether the case has heard something that was its person's before: then there was a record of them, and if there is none now
// they were forgotten, and nothing makes them anew.
func (c *Case) knew() bool {
	return !c.Recovered.IsZero() || slices.ContainsFunc(c.Evidence, Evidence.bound)
}

// cools is until when something new counts for nothing; zero for at once. What somebody adds who has recovered the account has to cool, so that its
// owner hears of it in time. So has what is added without anything that earns a level, where there had been more: whoever reads a mailbox does
// not come into all that its owner was.
func (s *Service) cools(c *Case, p *Person, b Binding) time.Time {
	had, can := p.Parted, false
	now := b.BoundAt
	others := &Person{Bindings: slices.DeleteFunc(slices.Clone(p.Bindings), func(have Binding) bool { return have.ID == b.ID })}
	for _, f := range s.frameworks() {
		can = can || s.strongest(f, others.Bindings, nil, now) > 0
	}
	had = had || s.everReached(others, now) > 0
	if c.recovered(now) || b.Contact.Channel.Authenticates() && had && !can {
		return now.Add(s.Policy.Cooling)
	}
	return time.Time{}
}

// full says whether the person has as much as one may have.
func (p *Person) full() bool { return p != nil && len(p.Bindings) >= maxBindings }

// signsBy says whether a passkey is the person's, and not suspended.
func (p *Person) signsBy(credential string) bool {
	return p != nil && slices.ContainsFunc(p.Bindings, func(b Binding) bool {
		return b.Contact.Channel == ChannelPasskey && b.Contact.Address.Reveal() == credential && b.Gone.IsZero() && len(b.Suspended) == 0
	})
}

// elsewhere is what is bound to the person by other cases, or was handed in: who is at the browser need not be
// who has handed it in.
func (p *Person) elsewhere(c *Case) []Binding {
	return slices.DeleteFunc(slices.Clone(p.Bindings), func(have Binding) bool { return c.has(have.Event) && !have.Facts.handedIn() })
}

// person is the person of that id; nil if there is none yet, or none any more: who is being forgotten is nobody.
func (s *Service) person(ctx context.Context, id string) (*Person, error) {
	if id == "" {
		return nil, nil
	}
	p, err := s.People.Get(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && !p.Going.IsZero() {
		return nil, nil
	}
	return p, err
}

// kept is what was kept of the person's authenticators of a channel.
func (s *Service) kept(ctx context.Context, p *Person, ch Channel) (all []json.RawMessage, err error) {
	have := p.of(ch)
	records, errs := make([]*Address, len(have)), make([]error, len(have))
	together(len(have), func(i int) { records[i], errs[i] = s.address(ctx, have[i].Contact) })
	for _, a := range records {
		if a != nil && a.Person == p.ID && a.Kept != nil { // else it has moved on, or was removed
			all = append(all, a.Kept)
		}
	}
	return all, errors.Join(errs...)
}

// personHandle is how authenticators know a person: the same for all that one person has, and nothing
// that could be read (WebAuthn Level 3, 14.6.1). Nobody has none.
func (s *Service) personHandle(id string) []byte {
	if id == "" {
		return nil
	}
	sum := s.Hasher.Sum("person handle", id)
	return sum[:]
}

// unsettle notes that something of theirs signs no more.
func (p *Person) unsettle(now time.Time) { p.Unsettled = now }

// bind adds a binding, once.
func (p *Person) bind(b Binding) {
	if !slices.ContainsFunc(p.Bindings, func(have Binding) bool { return have.ID == b.ID }) {
		p.Bindings = append(p.Bindings, b)
	}
}

// Address says whose an address or authenticator is. There is one record for each, under
// an id that follows from its keyed hash.
type Address struct {
	ID      string    `json:"id"`
	Person  string    `json:"person"` // empty: nobody's any more
	Event   string    `json:"event"`  // the evidence that bound it
	Contact Contact   `json:"contact"`
	BoundAt time.Time `json:"bound_at"`
	// Former are the persons whose lists may still have the address.
	Former []string `json:"former,omitempty"`
	// Kept is what the method must know of an authenticator (Proof.Kept), as of KeptAt, when it was used last; of an address that is known to a day, and only where
	// people are forgotten who do not come back.
	Kept   json.RawMessage `json:"kept,omitempty"`
	KeptAt time.Time       `json:"kept_at,omitzero"`
	// Counts and Suspended are as in Binding.
	Counts    time.Time    `json:"counts,omitzero"`
	Suspended []Suspension `json:"suspended,omitempty"`
	// Copied is whether there may be a copy of a passkey, and Heard are its newest answers.
	Copied Copied  `json:"copied,omitzero"`
	Heard  []Heard `json:"heard,omitempty"`
	// Journal is what the log tells of an authenticator that signs. A record that has one stays when it is nobody's any more.
	Journal Journal `json:"journal,omitzero"`
	// Withdrawn is whom it was taken from, until everything is done that goes with that.
	Withdrawn *Withdrawal `json:"withdrawn,omitempty"`
	// Gone takes the record away as it is stored, and only if nobody has changed it meanwhile.
	Gone bool `json:"gone,omitempty"`
}

// Withdrawal is what is left to do about an address or authenticator that was taken from people, and speaks for none of them any more.
type Withdrawal struct {
	Event   string   `json:"event"`   // the evidence that had bound it
	Persons []string `json:"persons"` // who had it
}

// Indexes implements Record.
func (a *Address) Indexes() []Index {
	ix := a.Journal.index()
	if a.Person != "" {
		ix = append(ix, Index{Name: "person", Value: a.Person})
	}
	if !a.Copied.Due.IsZero() {
		ix = append(ix, Index{Name: "due", Value: stamp(a.Copied.Due)})
	}
	return ix
}

// ExpiresAt implements Record.
func (a *Address) ExpiresAt() time.Time {
	if a.Gone {
		return time.Unix(1, 0) // what has expired is deleted
	}
	return time.Time{}
}
