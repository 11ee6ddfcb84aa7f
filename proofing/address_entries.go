package proofing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// The kinds of entries of an authenticator. They are in its own record, so that what it signs later can be held against the key that
// was enrolled, whoever had the store meanwhile.
const (
	EntryEnrolled EntryKind = "enrolled"
	EntryRemoved  EntryKind = "removed"
)

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

func (a *Address) write(by author, now time.Time, kind EntryKind, facts map[string]any) {
	a.Journal.Write(Note{Of: SubjectAuthenticator, Object: a.ID, Kind: kind, By: by.Actor, At: now, Facts: facts})
}

// errUntold: the log tells nothing of the record.
var errUntold = errors.New("no entry tells of it")

// forget makes an address or authenticator nobody's. Of one that the log tells of the record stays, with nothing in it but what it has said,
// so that its entries are whole and their numbers go on.
func (s *Service) forget(ctx context.Context, by author, id string) error {
	a, err := s.Addresses.Update(ctx, id, func(a *Address) error {
		if a.Journal.Written == 0 {
			return errUntold
		}
		if a.Person == "" {
			return nil
		}
		*a = Address{ID: a.ID, BoundAt: a.BoundAt, Journal: a.Journal}
		a.write(by, s.now(), EntryRemoved, nil)
		return nil
	})
	if errors.Is(err, errUntold) {
		err = s.Addresses.Delete(ctx, id)
	} else if err == nil && !a.Journal.Logged() {
		s.mark(id[:2])
	}
	return ignoreNotFound(err)
}
