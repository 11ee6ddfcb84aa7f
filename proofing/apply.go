package proofing

import (
	"context"
	"time"
)

// Apply opens a case by self-service: on the word of a person and without a call
// of the authority. It is always a new case, for nobody yet: were it for a key
// that somebody names, the link of another's open case could be had by naming
// theirs. Errors: ErrNotFound if the authority or the profile offers no
// self-service, *LimitError, and those of Open.
func (s *Service) Apply(ctx context.Context, v Visit, ca, profile string, id Identifier) (*Case, error) {
	p := s.Policy.Profiles[profile]
	if p == nil || !p.SelfService {
		return nil, ErrNotFound
	}
	authority, err := s.Authority(ctx, ca)
	if err != nil {
		return nil, err
	}
	if !authority.May(profile) {
		return nil, ErrNotFound
	}
	// What cannot be opened costs nothing.
	if id, err = s.canonicalIdentifier(p, id); err != nil {
		return nil, err
	}
	key := "client.opens." + s.clientKey(v.Client)
	if err := s.spendAll(ctx, []spend{{"client", key, 1, s.Policy.Limits.ClientOpens, time.Hour}}); err != nil {
		return nil, err
	}
	c, _, err := s.Open(ctx, authority, OpenRequest{
		Applicant: Applicant{Kind: ByNobody}, Identifier: id, Profile: profile, Lang: v.Lang, SelfService: true,
	})
	return c, err
}
