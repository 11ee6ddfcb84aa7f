package proofing

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// KeyRelease lets an authority have the MAC keys of its bindings, because it can only verify them by itself. It is weaker than to
// be asked each time: who registers with a key, how often, and what for, is then the authority's word alone.
type KeyRelease struct {
	Since time.Time `json:"since"`
	// Limited says that keys which are limited to identifiers are among them. Such an authority does not see the limit.
	Limited bool `json:"limited,omitempty"`
}

// ErrWithheld: the authority is given no MAC keys.
var ErrWithheld = errors.New("MAC keys are not released to this authority")

// ReleasedKey is a key with what its authority must know to verify bindings by itself.
type ReleasedKey struct {
	*Key
	// RecheckAfter is how long it may be believed without asking again.
	RecheckAfter time.Time
}

// ReleaseKey hands a key's MAC key to its authority, as long as the key is active and what it rests on holds, its levels included: an
// authority that verifies by itself sees no assessment and could not judge them. Nor does it see which directory the key is for, so that it gets those of the directory that it
// names; an empty one stands for the only one, and an *InputError "directory_unknown" says that there are several, or none like it. The first time is noted, before anything is
// handed out. No key is handed out of a profile under which people decide: an authority that asks nobody again would issue past them. ErrWithheld if the authority
// is given none at all; ErrNotFound for every other reason.
func (s *Service) ReleaseKey(ctx context.Context, ca *Authority, kid, directory string) (*ReleasedKey, error) {
	if ca.Release == nil {
		return nil, ErrWithheld
	}
	directory, err := ca.directory(directory)
	if err != nil {
		return nil, err
	}
	k, err := s.Key(ctx, ca.Name, kid)
	if err != nil {
		return nil, err
	}
	now := s.now()
	p := s.Policy.Profiles[k.Profile]
	if p == nil || p.peopleDecide() || !ca.May(k.Profile) || k.Status(now) != KeyActive || len(k.Identifiers) > 0 && !ca.Release.Limited || !k.isFor(directory) {
		return nil, ErrNotFound
	}
	until := p.recheck(now, k.Expires)
	if k.Case != "" {
		grant, err := s.standingGrant(ctx, k, p)
		if err != nil {
			return nil, err
		}
		if grant.RecheckAfter.Before(until) {
			until = grant.RecheckAfter
		}
	}
	if k.Released.IsZero() {
		k, err = s.Keys.Update(ctx, k.ID, func(k *Key) error {
			if k.Status(now) != KeyActive {
				return ErrNotFound
			}
			if k.Released.IsZero() {
				k.Released = now
				k.write(byAuthority(ca).Actor, now, EntryKeyReleased, nil, nil)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("release key: %w", err)
		}
		s.mark(SubjectKey, k.ID[:2])
	}
	return &ReleasedKey{k, until}, nil
}

// ReleaseKeys is ReleaseKey for all keys that may be used at a directory, for software that cannot ask for one. The directory is as in
// ExportKeys. Withheld counts those that are active and are not handed out.
func (s *Service) ReleaseKeys(ctx context.Context, ca *Authority, directory string) (keys []*ReleasedKey, withheld int, err error) {
	if ca.Release == nil {
		return nil, 0, ErrWithheld
	}
	if directory, err = ca.directory(directory); err != nil {
		return nil, 0, err
	}
	for after := ""; ; {
		page, next, err := s.KeysOf(ctx, ca.Name, after, 500)
		if err != nil {
			return nil, 0, fmt.Errorf("list keys: %w", err)
		}
		for _, k := range page {
			if !k.isFor(directory) && k.at(ca) { // another directory of this authority has it
				continue
			}
			released, err := s.ReleaseKey(ctx, ca, k.Kid, directory)
			switch {
			case errors.Is(err, ErrNotFound):
				if k.Status(s.now()) == KeyActive {
					withheld++
				}
			case err != nil:
				return nil, 0, err
			default:
				keys = append(keys, released)
			}
		}
		if after = next; next == "" {
			return keys, withheld, nil
		}
	}
}

// standingGrant is the grant that a key rests on, if it would be made now as well; otherwise ErrNotFound.
func (s *Service) standingGrant(ctx context.Context, k *Key, p *Profile) (*Grant, error) {
	grant, err := s.keyGrant(ctx, k)
	if errors.Is(err, ErrBinding) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	if len(p.unmetLevels(grant.Assessment)) > 0 {
		return nil, ErrNotFound
	}
	return grant, nil
}

// KeyReported notes what an authority says of a binding that it verified by itself: the first good one stays. ErrWithheld and
// ErrNotFound as for ReleaseKey, but for any key that was released, however it is now.
func (s *Service) KeyReported(ctx context.Context, ca *Authority, kid string, good bool) (*Key, error) {
	if ca.Release == nil {
		return nil, ErrWithheld
	}
	k, err := s.Key(ctx, ca.Name, kid)
	if err != nil {
		return nil, err
	}
	if k.Released.IsZero() {
		return nil, ErrNotFound
	}
	if !good || !k.Reported.IsZero() {
		return k, nil
	}
	now := s.now()
	k, err = s.Keys.Update(ctx, k.ID, func(k *Key) error {
		if k.Reported.IsZero() {
			k.Reported = now
			k.write(byAuthority(ca).Actor, now, EntryKeyReported, nil, nil)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("note report: %w", err)
	}
	s.mark(SubjectKey, k.ID[:2])
	return k, nil
}
