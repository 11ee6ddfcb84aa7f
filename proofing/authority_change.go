package proofing

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// The entries of an authority in the log.
const (
	EntryAuthorityAdded   EntryKind = "authority_added"
	EntryAuthorityChanged EntryKind = "authority_changed"
	EntryAuthorityRevoked EntryKind = "authority_revoked"
	// What was done for it, or to those who ask there: an address that failures had closed was opened again, a brake on text messages lifted, keys
	// printed with their secrets, and its webhook called again.
	EntryAddressUnblocked EntryKind = "address_unblocked"
	EntryBrakeLifted      EntryKind = "brake_lifted"
	EntryKeysExported     EntryKind = "keys_exported"
	EntryReplayed         EntryKind = "webhook_replayed"
)

// noteAt writes into the log of an authority what is about to be done there and is kept in no record of its own, or in one that has no journal. It is called
// before: what dies in between has told of more than was done, and nothing is done that is not told.
func (s *Service) noteAt(ctx context.Context, ca string, by Actor, kind EntryKind, facts map[string]any) error {
	facts["ca"] = ca
	a, err := s.Authorities.Update(ctx, s.AuthorityID(ca), func(a *Authority) error {
		a.Journal.Write(Note{Of: SubjectAuthority, Object: a.ID, Kind: kind, By: by, At: s.now(), Facts: facts})
		return nil
	})
	if err != nil {
		return fmt.Errorf("write into the log: %w", err)
	}
	s.mark(SubjectAuthority, a.ID[:2])
	return nil
}

// AddAuthority adds an authority, for the operator on the server. ErrExists if there is one of that name.
func (s *Service) AddAuthority(ctx context.Context, a *Authority) error {
	now := s.now()
	a.write(s.operator(), now, EntryAuthorityAdded, nil)
	if err := s.Authorities.Create(ctx, a.ID, a); err != nil {
		return err
	}
	s.mark(SubjectAuthority, a.ID[:2])
	return nil
}

// ChangeAuthority changes an authority, for the operator on the server, and writes what of it has changed into the log: nothing, if nothing has. Errors are those
// of the edit, and ErrNotFound.
func (s *Service) ChangeAuthority(ctx context.Context, name string, edit func(*Authority) error) (*Authority, error) {
	a, err := s.Authorities.Update(ctx, s.AuthorityID(name), func(a *Authority) error {
		before, revoked := a.parts(), !a.Revoked.IsZero()
		if err := edit(a); err != nil {
			return err
		}
		var changed []string
		after := a.parts()
		for _, part := range slices.Sorted(maps.Keys(bothOf(before, after))) {
			if !bytes.Equal(before[part], after[part]) {
				changed = append(changed, part)
			}
		}
		kind := EntryAuthorityChanged
		if !revoked && !a.Revoked.IsZero() {
			kind = EntryAuthorityRevoked
		}
		if changed != nil {
			a.write(s.operator(), s.now(), kind, changed)
		}
		return nil
	})
	if err == nil {
		s.mark(SubjectAuthority, a.ID[:2])
	}
	return a, err
}

// parts are the members of an authority's record by their names, without its journal.
func (a *Authority) parts() map[string]json.RawMessage {
	b, err := json.Marshal(a)
	parts := map[string]json.RawMessage{}
	if err == nil {
		err = json.Unmarshal(b, &parts)
	}
	if err != nil {
		panic(fmt.Sprintf("proofing: parts of an authority: %v", err)) // it was read from JSON
	}
	delete(parts, "journal")
	return parts
}

// bothOf has the names of both.
func bothOf(a, b map[string]json.RawMessage) map[string]json.RawMessage {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// write adds an entry to the authority's journal: which parts of it have changed, what it may ask for, and by which credentials it can call now. No
// credential is among it, and no address of one.
func (a *Authority) write(by Actor, at time.Time, kind EntryKind, changed []string) {
	facts := map[string]any{"ca": a.Name, "profiles": anyOf(a.Profiles)}
	if changed != nil {
		facts["changed"] = anyOf(changed)
	}
	var tokens, pins []string
	for _, t := range a.Tokens {
		if t.Revoked.IsZero() {
			tokens = append(tokens, t.ID)
		}
	}
	for _, c := range a.Certificates {
		pins = append(pins, c.Pin)
	}
	for name, values := range map[string][]string{"tokens": tokens, "pins": pins} {
		if values != nil {
			facts[name] = anyOf(values)
		}
	}
	a.Journal.Write(Note{Of: SubjectAuthority, Object: a.ID, Kind: kind, By: by, At: at, Facts: facts})
}
