package proofing

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// What administrators and an authority's operators see and do in the console about how that authority is served, and what of its messages and keys an organization's people see
// because it is theirs. A person's own messages, of sign-in and of their page, are no authority's: of these administrators see what waits or is dead, as of all that is the service's.

// Operates says whether somebody with these appointments runs an authority: its operator, or an administrator.
func Operates(mine []*Appointment, ca string) bool {
	_, err := actingBy(mine, func(a *Appointment) bool { return a.operates(ca) })
	return err == nil
}

func (a *Appointment) operates(ca string) bool {
	return a.Role == RoleAdministrator || a.Role == RoleOperator && a.CA == ca
}

// operated is an authority that somebody runs. ErrNotFound for any other.
func (s *Service) operated(ctx context.Context, mine []*Appointment, ca string) (*Authority, *Appointment, error) {
	by, err := actingBy(mine, func(a *Appointment) bool { return a.operates(ca) })
	if err != nil {
		return nil, nil, err
	}
	a, err := s.Authority(ctx, ca)
	return a, by, err
}

// OperatedMessages are the messages of a scope.
type OperatedMessages struct {
	Waiting  []Owed  // that have messages on their way, in no order
	Next     string  // the cursor of those that follow
	Troubled []*Case // of which a code failed within the day, or nobody knows what became of it: the newest first
	More     bool    // there may be more of these
	// Dead are records with notices that were given up, and DeadMore that there are others.
	Dead     []Owed
	DeadMore bool
	Runs     bool // the person runs what is in the scope, and may have notices sent again
}

// OperatedMessages are those of a scope that the person of a session gets to see. ErrNotFound for any other, besides the errors of Console; *InputError
// for a cursor that is not of this list.
func (s *Service) OperatedMessages(ctx context.Context, v Visit, in Scope, after string, limit int) (m OperatedMessages, err error) {
	_, mine, err := s.Console(ctx, v)
	if err != nil {
		return m, err
	}
	if _, err := actingBy(mine, in.seenBy); err != nil {
		return m, err
	}
	if in.CA != "" {
		if _, err := s.Authority(ctx, in.CA); err != nil {
			return m, err
		}
	}
	m.Runs = slices.ContainsFunc(mine, in.runBy)
	if m.Waiting, m.Next, err = s.waiting(ctx, after, limit, in.has); err != nil {
		return m, err
	}
	if m.Dead, m.DeadMore, err = s.dead(ctx, in.prefix(), limit); err != nil {
		return m, err
	}
	of := func(c *Case) bool { return in.has(c.ledger()) }
	if m.Troubled, m.More, err = newest(ctx, s.Cases, "trouble", s.now().Add(-24*time.Hour), limit, (*Case).trouble, of); err != nil {
		return m, fmt.Errorf("list messages that failed: %w", err)
	}
	return m, nil
}

// OperatedHook is an authority with how far its webhook has been told, where the person of a session runs it. ErrNotFound for any other, besides the
// errors of Console.
func (s *Service) OperatedHook(ctx context.Context, v Visit, ca string) (*Authority, *Hook, error) {
	_, mine, err := s.Console(ctx, v)
	if err != nil {
		return nil, nil, err
	}
	a, _, err := s.operated(ctx, mine, ca)
	if err != nil {
		return nil, nil, err
	}
	f, err := s.Feeds.Get(ctx, s.FeedID(ca))
	if err = ignoreNotFound(err); err != nil {
		return nil, nil, fmt.Errorf("read feed: %w", err)
	}
	if f == nil { // nothing was ever told
		f = &Feed{}
	}
	return a, &f.Hook, nil
}

// ReplayOperated has the webhook of an authority called again with what it never took, as Replay does, and says with how many events. It may be called again.
// Errors: those of Replay; ErrNotAdmitted for who has not authenticated within the last minutes, and ErrNotFound for an authority that is not theirs to run.
func (s *Service) ReplayOperated(ctx context.Context, v Visit, ca string) (revived int, err error) {
	o, err := s.officer(ctx, v)
	if err != nil {
		return 0, err
	}
	a, by, err := s.operated(ctx, o.appointments, ca)
	if err != nil {
		return 0, err
	}
	if f, err := s.Feeds.Get(ctx, s.FeedID(ca)); err != nil || !f.Hook.tells(a.Webhook) {
		if err = ignoreNotFound(err); err != nil {
			return 0, err
		}
		return 0, ErrNotFound
	}
	return s.replay(ctx, o.act(by, s.now()).By, ca, time.Time{})
}

// OperatedKeys are the keys of a scope that the person of a session gets to see, in no order, and the cursor of those that follow: of an authority all, of an
// organization those whose accounts may ask for it and nothing else. ErrNotFound for any other scope, besides the errors of Console; *InputError for a cursor that is not of this list.
func (s *Service) OperatedKeys(ctx context.Context, v Visit, in Scope, after string, limit int) ([]*Key, string, error) {
	if _, err := s.seesKeys(ctx, v, in); err != nil {
		return nil, "", err
	}
	if in.Organization == "" {
		return s.KeysOf(ctx, in.CA, after, limit)
	}
	keys, next, err := s.Keys.List(ctx, Query{Index: "organization", Value: in.Organization, After: after, Limit: limit})
	return slices.DeleteFunc(keys, func(k *Key) bool { return !in.holds(k) }), next, err
}

// FindOperatedKeys are those of them that somebody means by the name of a key or, for an administrator, by the id of a person: an authority knows people
// by other names. Errors are those of OperatedKeys; none is found where there is none.
func (s *Service) FindOperatedKeys(ctx context.Context, v Visit, in Scope, name string) (keys []*Key, err error) {
	by, err := s.seesKeys(ctx, v, in)
	if err != nil {
		return nil, err
	}
	k, err := s.Key(ctx, in.CA, name)
	switch {
	case err == nil:
		keys = []*Key{k}
	case ignoreNotFound(err) != nil:
		return nil, err
	case by.Role == RoleAdministrator:
		if _, id := IDBucket(name); !id {
			return nil, nil
		}
		if keys, err = s.PersonKeys(ctx, name); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(keys, func(k *Key) bool { return !in.holds(k) }), nil
}

// OperatedKey is one of the keys of a scope that the person of a session gets to see. ErrNotFound for any other, besides the errors of Console.
func (s *Service) OperatedKey(ctx context.Context, v Visit, in Scope, kid string) (*Key, error) {
	if _, err := s.seesKeys(ctx, v, in); err != nil {
		return nil, err
	}
	k, err := s.Key(ctx, in.CA, kid)
	if err == nil && !in.holds(k) {
		return nil, ErrNotFound
	}
	return k, err
}

// seesKeys is the appointment by which the person of a session looks at the keys of a scope: the service itself has none.
func (s *Service) seesKeys(ctx context.Context, v Visit, in Scope) (*Appointment, error) {
	_, mine, err := s.Console(ctx, v)
	if err != nil {
		return nil, err
	}
	if in.CA == "" {
		return nil, ErrNotFound
	}
	if _, err := s.Authority(ctx, in.CA); err != nil {
		return nil, err
	}
	return actingBy(mine, in.seenBy)
}

// holds says whether a key is in the scope.
func (in Scope) holds(k *Key) bool {
	return k.CA == in.CA && (in.Organization == "" || k.Organization == in.Organization)
}

// RevokeOperatedKey is RevokeKey for who runs the authority. Errors: ErrNotAdmitted for who has not authenticated within the last minutes, and ErrNotFound for a key
// that is not theirs to end.
func (s *Service) RevokeOperatedKey(ctx context.Context, v Visit, ca, kid string) (*Key, error) {
	o, err := s.officer(ctx, v)
	if err != nil {
		return nil, err
	}
	_, by, err := s.operated(ctx, o.appointments, ca)
	if err != nil {
		return nil, err
	}
	return s.revokeKey(ctx, author{Actor: o.act(by, s.now()).By}, ca, kid, ReasonByOperator)
}

// OperatedRegistry lists the registry's entries of an authority that the person of a session runs, and the cursor of those that follow. Errors are those of
// OperatedKeys.
func (s *Service) OperatedRegistry(ctx context.Context, v Visit, ca, after string, limit int) ([]*RegistryEntry, string, error) {
	if _, err := s.runs(ctx, v, ca); err != nil {
		return nil, "", err
	}
	return s.Registered(ctx, ca, after, limit)
}

// FindOperatedRegistry are the entries of an authority for an identifier, of whatever type it is. Errors are those of OperatedKeys; none is found where
// there is none.
func (s *Service) FindOperatedRegistry(ctx context.Context, v Visit, ca, value string) (found []*RegistryEntry, err error) {
	if _, err := s.runs(ctx, v, ca); err != nil {
		return nil, err
	}
	for _, typ := range registryProfile.Identifiers {
		id, err := s.canonicalIdentifier(&registryProfile, Identifier{typ, value})
		if err != nil { // it is none of that type
			continue
		}
		e, err := s.Registry.Get(ctx, s.registryID(ca, id))
		if err = ignoreNotFound(err); err != nil {
			return nil, err
		}
		if e != nil && e.Removed.IsZero() {
			found = append(found, e)
		}
	}
	return found, nil
}

// OperatedAuthority is an authority that the person of a session runs. ErrNotFound for any other, besides the errors of Console.
func (s *Service) OperatedAuthority(ctx context.Context, v Visit, ca string) (*Authority, error) {
	if _, err := s.runs(ctx, v, ca); err != nil {
		return nil, err
	}
	return s.Authority(ctx, ca)
}

// runs is the appointment by which the person of a session runs an authority.
func (s *Service) runs(ctx context.Context, v Visit, ca string) (*Appointment, error) {
	_, mine, err := s.Console(ctx, v)
	if err != nil {
		return nil, err
	}
	_, by, err := s.operated(ctx, mine, ca)
	return by, err
}

// runsOrServes is runs with the authority itself; an empty name is the service, which administrators run.
func (s *Service) runsOrServes(ctx context.Context, v Visit, ca string) (*Authority, *Appointment, error) {
	_, mine, err := s.Console(ctx, v)
	if err != nil {
		return nil, nil, err
	}
	if ca == "" {
		by, err := actingBy(mine, func(a *Appointment) bool { return a.Role == RoleAdministrator })
		return &Authority{}, by, err
	}
	return s.operated(ctx, mine, ca)
}
