package proofing

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// The kinds of entries of an authenticator. They are in its own record, so that what it signs later can be held against the key that
// was enrolled, whoever had the store meanwhile.
const (
	EntryEnrolled EntryKind = "enrolled"
	EntryRemoved  EntryKind = "removed"
)

// FactKey is the name under which an enrolment has the base64url SHA-256 of the authenticator's public key, as it was enrolled.
const FactKey = "public_key_sha256"

// Enroller is a Method whose authenticators sign: the log tells of each of them.
type Enroller interface {
	Method
	// Enrolment is what the log says of an authenticator, by what was kept of it (Proof.Kept): names and digests that tell it from
	// all others.
	Enrolment(kept json.RawMessage) (map[string]any, error)
}

// enrolment is what the log says of the authenticator that an event binds; nil if it tells nothing of its kind.
func (s *Service) enrolment(c *Case, e Evidence, kept json.RawMessage) (map[string]any, error) {
	m, ok := s.Methods[e.Method()].(Enroller)
	if !ok || kept == nil {
		return nil, nil
	}
	facts, err := m.Enrolment(kept)
	if err != nil {
		return nil, fmt.Errorf("enrolment: %w", err)
	}
	facts["person"], facts["case"], facts["event"] = c.Person, c.ID, e.ID
	return facts, nil
}

// KeptKey is the digest of the public key that is kept of an authenticator (FactKey), empty where nothing is kept of it any more. It is readable where this process has the method.
func (s *Service) KeptKey(a *Address) (key string, readable bool, err error) {
	if a.Kept == nil {
		return "", true, nil
	}
	for _, m := range s.Methods {
		if enroller, ok := m.(Enroller); ok {
			facts, err := enroller.Enrolment(a.Kept)
			key, _ = facts[FactKey].(string)
			return key, err == nil, err
		}
	}
	return "", false, nil
}

func (a *Address) write(by author, now time.Time, kind EntryKind, facts map[string]any) {
	a.Journal.Write(Note{Of: SubjectAuthenticator, Object: a.ID, Kind: kind, By: by.Actor, At: now, Facts: facts})
}

// forget makes an address or authenticator nobody's, unless somebody else has bound it since the record was read. Of one that the log tells of the record stays, with
// nothing in it but what it has said, so that its entries are whole and their numbers go on.
func (s *Service) forget(ctx context.Context, by author, seen *Address) error {
	_, err := s.unowned(ctx, by, seen, nil)
	return err
}

// unowned is forget with what is left to do for those who have had it: as long as there is that, the record stays. It returns the record, nil if there is none.
func (s *Service) unowned(ctx context.Context, by author, seen *Address, left *Withdrawal) (*Address, error) {
	a, err := s.Addresses.Update(ctx, seen.ID, func(a *Address) error {
		a.Withdrawn = cmp.Or(left, a.Withdrawn)
		if a.Person == "" || a.Person != seen.Person || a.Event != seen.Event {
			return nil
		}
		*a = Address{ID: a.ID, BoundAt: a.BoundAt, Journal: a.Journal, Withdrawn: a.Withdrawn}
		if a.Gone = a.unused(); a.Journal.Written > 0 {
			a.write(by, s.now(), EntryRemoved, nil)
		}
		return nil
	})
	if err == nil && !a.Journal.Logged() {
		s.mark(SubjectAuthenticator, seen.ID[:2])
	}
	if ignoreNotFound(err) != nil {
		return nil, fmt.Errorf("forget address: %w", err)
	}
	return a, nil
}

// unused says whether nobody has the address, and nothing is known or left to do of it.
func (a *Address) unused() bool {
	return a.Person == "" && a.Withdrawn == nil && a.Journal.Written == 0
}

// EnrolmentEntry is the entry of the log that tells of the enrolment of the key that has signed, and its place; also once the authenticator was taken away.
// ErrNotFound if the log has none of this key, and an error that wraps ErrUnavailable if it is not there yet.
func (s *Service) EnrolmentEntry(ctx context.Context, signed *Signature) (place int64, e *Entry, err error) {
	a, err := s.Addresses.Get(ctx, s.addressID(Contact{Channel: ChannelPasskey, Address: Secret(signed.Credential.String())}))
	if err != nil {
		return 0, nil, fmt.Errorf("enrolment of what signed: %w", err)
	}
	sum := sha256.Sum256(signed.PublicKey)
	key := Octets(sum[:]).String()
	for _, place := range slices.Backward(a.Journal.Places) {
		e, _, err := s.LogEntry(ctx, place)
		if err != nil {
			return 0, nil, fmt.Errorf("enrolment of what signed: %w", err)
		}
		if e.enrols(key) {
			return place, e, nil
		}
	}
	if slices.ContainsFunc(a.Journal.Pending, func(e Entry) bool { return e.enrols(key) }) {
		return 0, nil, fmt.Errorf("the enrolment of what signed is not in the log yet: %w", ErrUnavailable)
	}
	return 0, nil, fmt.Errorf("the log has no enrolment of the key that signed: %w", ErrNotFound)
}

// enrols says whether the entry is of the enrolment of a key of that digest.
func (e *Entry) enrols(key string) bool {
	var leaf Leaf
	return json.Unmarshal([]byte(e.Leaf), &leaf) == nil && leaf.Kind == EntryEnrolled && leaf.Facts[FactKey] == key
}
