package proofing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// SpentToken says that a token has been handed in, and for which case. It stays until the token is good no more: of
// many processes that are handed the same token at once one makes the record.
type SpentToken struct {
	ID      string    `json:"id"`
	Case    string    `json:"case"`
	Expires time.Time `json:"expires"`
}

// Indexes implements Record.
func (t *SpentToken) Indexes() []Index { return nil }

// ExpiresAt implements Record.
func (t *SpentToken) ExpiresAt() time.Time { return t.Expires }

// HandIn takes a signed token that a client or a build system has got for a case: the same evidence as a login in the
// browser, but by a front channel. Challenge is the URL of the case's challenge, as its account knows it.
//
// A token serves once. Handed in for the same case again it changes nothing and gets the same answer, so that who
// heard none may ask again. Errors: *InputError for the token ("token_spent" for one that served another case),
// ErrClosed, ErrFrozen, ErrNotAdmitted, ErrOtherPerson, ErrNotFound, ErrUnavailable, *LimitError.
func (s *Service) HandIn(ctx context.Context, ca *Authority, id string, token Secret, challenge string) (*Case, error) {
	c, err := s.Get(ctx, ca, id)
	if err != nil {
		return nil, err
	}
	p := s.profileOf(c)
	m, _ := s.Methods["oidc"].(Receiver)
	if m == nil || p == nil || !p.Offers(m.Name()) {
		return nil, &InputError{"type", "method_unknown", "the profile takes no tokens"}
	}
	handed, err := m.Receive(ctx, token, Handover{KeyAuthorization: c.keyAuthorization(), Origin: s.Policy.Origin, Challenge: challenge})
	if err != nil {
		return nil, fmt.Errorf("token handed in: %w", err)
	}
	if !slices.ContainsFunc(p.Choices(m, c.Identifier), func(k Contact) bool { return k.Address.Reveal() == handed.Issuer }) {
		return nil, &InputError{"token", "oidc_issuer_unknown", "the profile takes no tokens of this issuer, or it may not speak for this identifier"}
	}
	sum := s.Hasher.Sum("token handed in", handed.Once)
	spent := &SpentToken{ID: FixedID(sum), Case: c.ID, Expires: handed.Expires.Add(ClockSkew)}
	event := spent.ID
	if c.has(event) {
		return c, nil
	}
	if err := c.receivable(m.Name(), s.Policy.Limits); err != nil {
		return nil, err
	}
	known, err := s.speaker(ctx, c, handed.Proof.Contact)
	if err != nil {
		return nil, err
	}
	g, err := s.grounds(ctx, c)
	if err != nil {
		return nil, err
	}
	// Spent first: if the process dies here, this case may still have it, and no other.
	if err := s.spendToken(ctx, spent); err != nil {
		return nil, err
	}
	newcomer := NewID(nil)
	c, err = s.updateBy(ctx, byAuthority(ca), c.ID, func(c *Case, now time.Time) error {
		if c.has(event) {
			return nil // another call was quicker
		}
		if err := c.receivable(m.Name(), s.Policy.Limits); err != nil {
			return err
		}
		proof := handed.Proof
		proof.Evidence.Authenticator = &handed.Proof.Contact
		c.Attempts = append(c.Attempts, Attempt{ID: event, Method: m.Name(), Contact: handed.Proof.Contact, Status: AttemptOpen, Began: now})
		if err := s.pass(c, &c.Attempts[len(c.Attempts)-1], proof, known, newcomer, now); err != nil {
			return err
		}
		return s.progress(c, g, now)
	})
	if err != nil {
		return nil, fmt.Errorf("token handed in: %w", err)
	}
	return c, nil
}

// receivable says whether the case takes a token now. Which browser works on it does not matter: the token came
// by the authority, for the account's key.
func (c *Case) receivable(method string, l Limits) error {
	switch {
	case c.Frozen != nil:
		return ErrFrozen
	case c.Status != CaseOpen:
		return ErrClosed
	}
	return c.room(method, l)
}

// spendToken makes the record of a token, unless there is one for the same case.
func (s *Service) spendToken(ctx context.Context, t *SpentToken) error {
	err := s.Tokens.Create(ctx, t.ID, t)
	if !errors.Is(err, ErrExists) {
		return err
	}
	there, err := s.Tokens.Get(ctx, t.ID)
	if err == nil && there.Case == t.Case {
		return nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("spend token: %w", err)
	}
	return &InputError{"token", "token_spent", "the token has served already"} // or has just expired
}
