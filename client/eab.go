package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// VerifyRequest asks whether an external account binding is good (RFC 8555 7.3.4).
type VerifyRequest struct {
	// URL is the `url` of the outer JWS, which the authority has verified and compared with its own newAccount URL.
	URL string `json:"url"`
	// JWK is the `jwk` of the outer JWS, as it came.
	JWK json.RawMessage `json:"jwk"`
	// Binding is the `externalAccountBinding` member, as it came: the service is strict about its form, so do not draw it anew.
	Binding json.RawMessage `json:"externalAccountBinding"`
}

// Binding is a good external account binding: whose it is, and what it is good for.
type Binding struct {
	Kid               string          `json:"kid"`
	AccountThumbprint string          `json:"account_thumbprint"`
	Subject           string          `json:"subject,omitempty"`
	Profiles          []string        `json:"profiles"`
	Identifiers       []Identifier    `json:"identifiers"`
	Assessment        json.RawMessage `json:"assessment"` // null where a key was made without a proof
	BoundAt           time.Time       `json:"bound_at"`
	Expires           time.Time       `json:"expires"`
	RecheckAfter      time.Time       `json:"recheck_after"`
}

// ErrNoBinding is the error for a newAccount request without a binding, at an authority that requires one.
var ErrNoBinding error = &Problem{
	Type: ExternalAccountRequired, Title: "External account binding required", Status: http.StatusForbidden,
	Detail: "a new account needs an external account binding",
}

// VerifyEAB asks whether the binding is good, and binds its key to the account if it is the first time. Ask before the account is created; if creating it fails, the same
// account may come again with the same binding. Every error means that no account may be created; ACMEProblem says what to tell.
func (c *Client) VerifyEAB(ctx context.Context, r VerifyRequest) (*Binding, error) {
	if len(r.Binding) == 0 || string(r.Binding) == "null" {
		return nil, ErrNoBinding
	}
	thumbprint, err := Thumbprint(r.JWK)
	if err != nil { // the service would say the same
		return nil, &Problem{Type: BadPublicKey, Title: "Key not served", Status: http.StatusBadRequest, Detail: err.Error()}
	}
	b, err := fetch[Binding](ctx, c, call{method: http.MethodPost, path: "/v1/eab/verify", body: r})
	if err != nil {
		return nil, err
	}
	if b.Kid == "" || b.AccountThumbprint != thumbprint {
		return nil, fmt.Errorf("%w: the answer is about another account", ErrUnavailable)
	}
	return b, nil
}

// NewKey is what a key for external account binding is to be good for.
type NewKey struct {
	Profile     string       `json:"profile"`
	Identifiers []Identifier `json:"identifiers,omitempty"`
	Subject     string       `json:"subject,omitempty"`
	// Directory is the directory URL at which it is used; needed by authorities that have several.
	Directory   string `json:"directory,omitempty"`
	ExpiresIn   int64  `json:"expires_in,omitempty"`   // seconds; 0: as long as the service gives
	MaxAccounts int    `json:"max_accounts,omitempty"` // 0: one
	// IdempotencyKey makes a call that is repeated after a crash of the caller return the same key; empty: one for this call alone.
	IdempotencyKey string `json:"-"`
}

// MACKey is a secret that is shown once. It prints as a placeholder, so that no log has it by mistake.
type MACKey string

// Reveal returns the secret, base64url without padding.
func (k MACKey) Reveal() string { return string(k) }

// String implements fmt.Stringer.
func (MACKey) String() string { return "[secret]" }

// GoString implements fmt.GoStringer.
func (MACKey) GoString() string { return "[secret]" }

// MarshalText keeps the secret out of JSON and of structured logs.
func (MACKey) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

// CreatedKey is a new key, with its secret.
type CreatedKey struct {
	Kid          string            `json:"kid"`
	HMACKey      MACKey            `json:"hmac_key"`
	Algorithm    string            `json:"algorithm"`
	DirectoryURL string            `json:"directory_url"`
	Expires      time.Time         `json:"expires"`
	Instructions map[string]string `json:"instructions"` // by the client's name
	// Warnings are why the key is of no use yet.
	Warnings []struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
	} `json:"warnings,omitempty"`
}

// CreateKey makes a key. Its secret is in this answer and nowhere else.
func (c *Client) CreateKey(ctx context.Context, k NewKey) (*CreatedKey, error) {
	return create[CreatedKey](ctx, c, "/v1/eab/keys", k.IdempotencyKey, k)
}

// create makes a call that creates, under the caller's Idempotency-Key or one of our own.
func create[T any](ctx context.Context, c *Client, path, key string, body any) (*T, error) {
	if key == "" {
		key = newKey()
	}
	return fetch[T](ctx, c, call{method: http.MethodPost, path: path, body: body, key: key})
}

var errNoID = errors.New("countersign: an id is needed")
