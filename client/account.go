package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// Account is an ACME account, by its key: the JWK as it came, or its thumbprint (RFC 7638, SHA-256, base64url). If both are given they must agree.
type Account struct {
	URL        string          `json:"url,omitempty"`
	JWK        json.RawMessage `json:"jwk,omitempty"`
	Thumbprint string          `json:"thumbprint,omitempty"`
}

// accountEvent is what the service is told of an account.
type accountEvent struct {
	Event         string  `json:"event"`
	Account       Account `json:"account"`
	Kid           string  `json:"kid,omitempty"`
	OldThumbprint string  `json:"old_thumbprint,omitempty"`
}

// AccountCreated attaches the URL of an account that was just created to its key, and to the external account binding that it was made
// with; kid is empty if there was none. It may be called again.
func (c *Client) AccountCreated(ctx context.Context, a Account, kid string) error {
	if a.URL == "" {
		return errors.New("countersign: an account that was created has a URL")
	}
	return c.tell(ctx, accountEvent{Event: "created", Account: a, Kid: kid})
}

// AccountKeyChanged follows a key rollover (RFC 8555 7.3.5): what was granted to the account moves to the new key. Tell it before the
// old key is forgotten; it may be called again.
func (c *Client) AccountKeyChanged(ctx context.Context, a Account, oldThumbprint string) error {
	return c.tell(ctx, accountEvent{Event: "key_changed", Account: a, OldThumbprint: oldThumbprint})
}

// AccountDeactivated ends everything that was granted to the account (RFC 8555 7.3.6). It may be called again. An account that
// the service never heard of has nothing to end, which is no error.
func (c *Client) AccountDeactivated(ctx context.Context, a Account) error {
	if err := c.tell(ctx, accountEvent{Event: "deactivated", Account: a}); !IsProblem(err, AccountDoesNotExist) {
		return err
	}
	return nil
}

// tell makes the call. Whatever an account's event changes, no earlier yes may be given again.
func (c *Client) tell(ctx context.Context, e accountEvent) error {
	defer c.answers.forgetAll()
	_, err := c.do(ctx, call{method: http.MethodPost, path: "/v1/accounts", body: e})
	return err
}
