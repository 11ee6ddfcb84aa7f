package proofing

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/url"
	"strings"
	"time"
)

// Webhook is where an authority wants to be told, and what we sign with.
type Webhook struct {
	ID      string          `json:"id,omitempty"` // of its own; it stays when the webhook moves
	URL     string          `json:"url"`
	Secrets []WebhookSecret `json:"secrets"` // the newest first
}

// WebhookSecret is one signing secret of a webhook (Standard Webhooks 1.0).
type WebhookSecret struct {
	Key     Secret    `json:"key"` // whsec_ and the standard base64 of 32 random bytes
	Created time.Time `json:"created"`
	Until   time.Time `json:"until,omitzero"` // when it stops signing; zero: never
}

const (
	webhookSecretPrefix = "whsec_"
	// SecretOverlap is how long a replaced secret signs beside the new one, unless
	// its operator says otherwise.
	SecretOverlap = 24 * time.Hour
	// mostSecrets bounds the signatures that a call carries.
	mostSecrets = 4
)

// NewSecret puts a new secret in force and returns it; those that are in force end
// after the overlap. Of several replaced secrets the oldest end at once.
func (w *Webhook) NewSecret(now time.Time, overlap time.Duration) Secret {
	key := make([]byte, 32)
	rand.Read(key)
	secret := Secret(webhookSecretPrefix + base64.StdEncoding.EncodeToString(key))
	kept := []WebhookSecret{{Key: secret, Created: now}}
	for _, s := range w.inForce(now) {
		if end := now.Add(overlap); s.Until.IsZero() || s.Until.After(end) {
			s.Until = end
		}
		if s.Until.After(now) && len(kept) < mostSecrets {
			kept = append(kept, s)
		}
	}
	w.Secrets = kept
	return secret
}

func (w *Webhook) inForce(now time.Time) []WebhookSecret {
	var living []WebhookSecret
	for _, s := range w.Secrets {
		if s.Until.IsZero() || now.Before(s.Until) {
			living = append(living, s)
		}
	}
	return living
}

// Keys are the bytes of every secret that signs now, the newest first.
func (w *Webhook) Keys(now time.Time) [][]byte {
	var keys [][]byte
	for _, s := range w.inForce(now) {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s.Key.Reveal(), webhookSecretPrefix))
		if err == nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// Call is one call of a webhook.
type Call struct {
	URL   string
	Keys  [][]byte // that sign it, the newest first
	At    time.Time
	Event Event
}

// Caller calls webhooks.
type Caller interface {
	// Call returns nil once the endpoint has answered 2xx. Every other outcome is a
	// *SendError; its Reason "gone" asks us not to call again.
	Call(ctx context.Context, c Call) error
}

// ChangePing is the event of a call that an operator makes to try a webhook. No feed has it.
const ChangePing Change = "ping"

// Ping calls an authority's webhook with an event that tells of nothing. The error is
// a *SendError, or ErrNotFound if there is no webhook.
func (s *Service) Ping(ctx context.Context, ca *Authority) error {
	if ca.Webhook == nil {
		return ErrNotFound
	}
	now := s.now()
	return s.Caller.Call(ctx, Call{
		URL: ca.Webhook.URL, Keys: ca.Webhook.Keys(now), At: now,
		Event: Event{ID: "evt_" + NewToken().Reveal(), At: now, Change: ChangePing},
	})
}

// SetWebhook says where an authority is told; SetHook with the id then turns the telling on. One that
// is told already moves, and keeps its secrets. Any other gets a new secret, which is to be shown before the
// telling is turned on: a call that breaks off in between may be made again, and gives another. An
// earlier one that somebody may have been given signs beside it for SecretOverlap.
func (s *Service) SetWebhook(ctx context.Context, ca, url string) (id string, secret Secret, err error) {
	f, err := s.feed(ctx, ca)
	if err != nil {
		return "", "", err
	}
	_, err = s.ChangeAuthority(ctx, ca, func(a *Authority) error {
		secret = ""
		told := f.Hook.tells(a.Webhook)
		if a.Webhook == nil {
			a.Webhook = &Webhook{ID: NewToken().Reveal()[:12]}
		}
		a.Webhook.URL = url
		if !told {
			secret = a.Webhook.NewSecret(s.now(), SecretOverlap)
		}
		id = a.Webhook.ID
		return nil
	})
	return id, secret, err
}

// RemoveWebhook takes an authority's webhook away. It may be called again after a call that broke off.
func (s *Service) RemoveWebhook(ctx context.Context, ca string) error {
	f, err := s.feed(ctx, ca)
	if err != nil {
		return err
	}
	// The place goes last: without an address nothing is told, whatever the place.
	id := f.Hook.Of
	_, err = s.ChangeAuthority(ctx, ca, func(a *Authority) error {
		if a.Webhook != nil {
			id = a.Webhook.ID
		}
		a.Webhook = nil
		return nil
	})
	if err != nil {
		return err
	}
	return s.SetHook(ctx, ca, id, false)
}

// Shown is where the webhook is as far as people may read it: path and query of a URL may be a
// secret of the authority's.
func (h *Webhook) Shown() string {
	u, err := url.Parse(h.URL)
	if err != nil {
		return "-"
	}
	return u.Scheme + "://" + u.Host
}
