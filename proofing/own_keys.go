package proofing

import (
	"context"
	"errors"
)

// reasonByPerson is why a key ended whose person wanted it so.
const reasonByPerson = "person_ended"

// OwnKeys lists the keys that are the result of what the person of a session has proved, in the order of PersonKeys.
func (s *Service) OwnKeys(ctx context.Context, session *Session) ([]*Key, error) {
	return s.PersonKeys(ctx, session.Person.ID)
}

// EndOwnKey ends a key of who is signed in, and with it what its accounts were granted. It may be called again. ErrNotFound for
// another's; ErrNotAdmitted unless they have authenticated recently, as strongly as they can: who has only found a
// session open must not end what a program lives by.
func (s *Service) EndOwnKey(ctx context.Context, v Visit, kid string) error {
	session, err := s.Session(ctx, v)
	if err != nil {
		return err
	}
	if !session.Fresh {
		return ErrNotAdmitted
	}
	k, err := s.Keys.Get(ctx, s.keyID(kid))
	if err == nil && k.Person != session.Person.ID {
		err = ErrNotFound
	}
	if errors.Is(err, ErrNotFound) {
		return ErrNotFound
	}
	if err != nil {
		return err
	}
	_, err = s.revokeKey(ctx, byPerson(session, v), k.CA, kid, reasonByPerson)
	return err
}
