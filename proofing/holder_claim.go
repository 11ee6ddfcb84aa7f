package proofing

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// HolderNonce is a nonce of ours in a request that an account's key has signed.
type HolderNonce struct {
	Value string
	Until time.Time // when nobody takes it any more, whether it has served or not
}

// ErrNonceUsed says that a nonce has served already.
var ErrNonceUsed = errors.New("the nonce has served already")

// ClaimAuthorityByHolder is ClaimAuthority for the holder of an account, by the name of its authority; r.Thumbprint is of the key that has signed the request.
// The nonce serves once, at whichever process. An authority and an account that there are none of are told as a grant that is missing, and nothing is stored for
// them: anybody can make a key and sign by it.
func (s *Service) ClaimAuthorityByHolder(ctx context.Context, authority string, r TokenRequest, nonce HolderNonce, notAfter time.Time) (*Authority, *AuthorityClaim, Authorization, error) {
	none := Authorization{Identifier: r.Identifier, Problem: "missing"}
	ca, err := s.Authority(ctx, authority)
	if errors.Is(err, ErrNotFound) {
		return nil, nil, none, nil
	}
	if err != nil {
		return nil, nil, none, fmt.Errorf("look up the authority of an account: %w", err)
	}
	switch _, err := s.Accounts.Get(ctx, s.accountID(ca.Name, r.Thumbprint)); {
	case errors.Is(err, ErrNotFound):
		return ca, nil, none, nil
	case err != nil:
		return nil, nil, none, fmt.Errorf("look up account: %w", err)
	}
	spent := &SpentToken{ID: FixedID(s.Hasher.Sum("nonce that has served", nonce.Value)), Expires: nonce.Until.Add(2 * ClockSkew)}
	switch err := s.Tokens.Create(ctx, spent.ID, spent); {
	case errors.Is(err, ErrExists):
		return nil, nil, none, ErrNonceUsed
	case err != nil:
		return nil, nil, none, fmt.Errorf("spend nonce: %w", err)
	}
	t, one, err := s.ClaimAuthority(ctx, ca, r, notAfter)
	return ca, t, one, err
}
