package proofing

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"
)

// AuthorityCertificate is a client certificate that an authority may show instead of a token. It
// is known by its key, so that a renewal for the same key goes on.
type AuthorityCertificate struct {
	Pin     string    `json:"pin"`     // of its key: see PinOf
	Subject string    `json:"subject"` // for people
	Created time.Time `json:"created"`
	// NotAfter is the end of the certificate that was seen when it was pinned. What counts is
	// the one that is shown.
	NotAfter time.Time `json:"not_after"`
}

// Pin says whose a key is. It is a record of its own because a certificate does not name an
// authority as a token does, and a key belongs to one authority alone. The authority's own
// record has the last word: a pin that is not in it opens nothing.
type Pin struct {
	ID      string    `json:"id"`
	CA      string    `json:"ca"`
	Created time.Time `json:"created"`
}

// Indexes implements Record.
func (p *Pin) Indexes() []Index { return nil }

// ExpiresAt implements Record: a pin stays until it is removed.
func (p *Pin) ExpiresAt() time.Time { return time.Time{} }

// PinOf is the SHA-256 of a public key in SPKI form, as base64url.
func PinOf(spki []byte) string {
	sum := sha256.Sum256(spki)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// ShownCertificate is the certificate of a connection whose other end has proved that it has the
// key.
type ShownCertificate struct {
	Pin                 string
	NotBefore, NotAfter time.Time
}

func (c ShownCertificate) holds(now time.Time) bool {
	return !now.Before(c.NotBefore) && !now.After(c.NotAfter)
}

// maxPins bounds the record of an authority.
const maxPins = 16

// HasPinned says whether a key is one of the authority's.
func (a *Authority) HasPinned(pin string) bool {
	return slices.ContainsFunc(a.Certificates, func(c AuthorityCertificate) bool { return c.Pin == pin })
}

// AuthorityByCertificate is the authority that the certificate is pinned to; ErrNotFound for any
// other, whatever is wrong with it.
func (s *Service) AuthorityByCertificate(ctx context.Context, c ShownCertificate) (*Authority, error) {
	if !c.holds(s.now()) {
		return nil, ErrNotFound
	}
	// Where a pin led before saves a read. As with the name in a token, it proves nothing.
	if name, ok := s.local().pins.Load(c.Pin); ok {
		a, err := s.Authority(ctx, name.(string))
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		if err == nil && a.HasPinned(c.Pin) {
			return a, nil
		}
		s.local().pins.Delete(c.Pin)
	}
	name, err := s.PinnedTo(ctx, c.Pin)
	if err != nil {
		return nil, err
	}
	a, err := s.Authority(ctx, name)
	if err != nil {
		return nil, err
	}
	if !a.HasPinned(c.Pin) {
		return nil, ErrNotFound
	}
	s.local().pins.Store(c.Pin, name)
	return a, nil
}

// PinnedTo is the name of the authority that a key is pinned to; ErrNotFound if it is none's.
func (s *Service) PinnedTo(ctx context.Context, pin string) (string, error) {
	p, err := s.Pins.Get(ctx, s.pinID(pin))
	if err != nil {
		return "", err
	}
	return p.CA, nil
}

func (s *Service) pinID(pin string) string { return FixedID(s.Hasher.Sum("pin", pin)) }

// PinCertificate gives an authority a certificate. It may be called again, also after a call
// that broke off. A key that is another's is an *InputError with the code "pinned" and its name.
func (s *Service) PinCertificate(ctx context.Context, ca string, c AuthorityCertificate) error {
	tooMany := &InputError{"certificate", "too_many", fmt.Sprintf("an authority has %d certificates at most", maxPins)}
	a, err := s.Authority(ctx, ca)
	if err != nil {
		return err
	}
	if !a.HasPinned(c.Pin) && len(a.Certificates) >= maxPins {
		return tooMany
	}
	// The claim comes first: from then on the key is nobody else's.
	p := &Pin{ID: s.pinID(c.Pin), CA: ca, Created: s.now()}
	err = s.Pins.Create(ctx, p.ID, p)
	claimed := err == nil
	if errors.Is(err, ErrExists) {
		var name string
		if name, err = s.PinnedTo(ctx, c.Pin); err == nil && name != ca {
			return &InputError{"certificate", "pinned", name}
		}
	}
	if err != nil {
		return fmt.Errorf("pin certificate: %w", err)
	}
	c.Created = s.now()
	_, err = s.ChangeAuthority(ctx, ca, func(a *Authority) error {
		a.Certificates = slices.DeleteFunc(a.Certificates, func(old AuthorityCertificate) bool { return old.Pin == c.Pin })
		if len(a.Certificates) >= maxPins {
			return tooMany
		}
		a.Certificates = append(a.Certificates, c)
		return nil
	})
	if claimed && errors.Is(err, tooMany) { // another has taken the last place since; the key stays free
		err = errors.Join(err, ignoreNotFound(s.Pins.Delete(ctx, p.ID)))
	}
	return err
}

// UnpinCertificate takes a certificate from an authority, which may be revoked by now. It may be
// called again after a call that broke off; ErrNotFound if there is nothing of it.
func (s *Service) UnpinCertificate(ctx context.Context, ca, pin string) error {
	found := false
	// The authority's record comes first: from then on the certificate opens nothing.
	_, err := s.ChangeAuthority(ctx, ca, func(a *Authority) error {
		found = a.HasPinned(pin)
		a.Certificates = slices.DeleteFunc(a.Certificates, func(c AuthorityCertificate) bool { return c.Pin == pin })
		return nil
	})
	if err != nil {
		return err
	}
	name, err := s.PinnedTo(ctx, pin)
	if err == nil && name == ca {
		found = true
		err = s.Pins.Delete(ctx, s.pinID(pin))
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("unpin certificate: %w", err)
	}
	if !found {
		return ErrNotFound
	}
	return nil
}
