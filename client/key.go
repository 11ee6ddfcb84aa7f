package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Key is a key for external account binding, without its secret.
type Key struct {
	Kid          string       `json:"kid"`
	Status       string       `json:"status"`
	Profile      string       `json:"profile"`
	Identifiers  []Identifier `json:"identifiers"`
	Subject      string       `json:"subject,omitempty"`
	DirectoryURL string       `json:"directory_url"`
	Algorithm    string       `json:"algorithm"`
	MaxAccounts  int          `json:"max_accounts"`
	Accounts     []KeyAccount `json:"accounts"`
	// Authorization is that of the proof which the key is the result of; empty if the authority has made it.
	Authorization string     `json:"authorization,omitempty"`
	Created       time.Time  `json:"created"`
	Expires       time.Time  `json:"expires"`
	UnusedUntil   *time.Time `json:"unused_until,omitempty"` // it ends then if nobody uses it; nil when somebody has
	Revoked       *time.Time `json:"revoked,omitempty"`
	Released      *time.Time `json:"released,omitempty"` // since when you have the MAC key, to verify by yourself
	Reason        string     `json:"reason,omitempty"`
	// Replaces and ReplacedBy are the kids of its neighbours where keys were rotated.
	Replaces   string `json:"replaces,omitempty"`
	ReplacedBy string `json:"replaced_by,omitempty"`
}

// KeyAccount is an account that a key is bound to.
type KeyAccount struct {
	Thumbprint string    `json:"thumbprint"`
	URL        string    `json:"url,omitempty"`
	BoundAt    time.Time `json:"bound_at"`
}

// KeysPage is a part of the authority's keys.
type KeysPage struct {
	Keys []Key `json:"keys"`
	// Next is for the next call; empty behind the last.
	Next string `json:"next"`
}

// Keys lists the authority's keys: those behind a cursor, which is empty at the beginning, and limit of them at most; 0: as many as the service gives.
func (c *Client) Keys(ctx context.Context, after string, limit int) (*KeysPage, error) {
	return fetch[KeysPage](ctx, c, call{method: http.MethodGet, path: "/v1/eab/keys" + page(after, limit, 0)})
}

// KeysOf lists the keys that are for one subject, as Keys does for all: in the authority's words, or by the name that it knows a person by.
func (c *Client) KeysOf(ctx context.Context, subject, after string, limit int) (*KeysPage, error) {
	if subject == "" {
		return nil, errNoID
	}
	q := "?subject=" + url.QueryEscape(subject)
	if more := page(after, limit, 0); more != "" {
		q += "&" + more[1:]
	}
	return fetch[KeysPage](ctx, c, call{method: http.MethodGet, path: "/v1/eab/keys" + q})
}

// Key reads one key.
func (c *Client) Key(ctx context.Context, kid string) (*Key, error) {
	if kid == "" {
		return nil, errNoID
	}
	return fetch[Key](ctx, c, call{method: http.MethodGet, path: "/v1/eab/keys/" + url.PathEscape(kid)})
}

// RevokeKey ends a key, and with it what rests on it. It may be called again.
func (c *Client) RevokeKey(ctx context.Context, kid string) error {
	if kid == "" {
		return errNoID
	}
	defer c.answers.forgetAll()
	_, err := c.do(ctx, call{method: http.MethodPost, path: "/v1/eab/keys/" + url.PathEscape(kid) + "/revoke", body: struct{}{}})
	return err
}

// RotateKey puts a new key in the place of one, which works on for the accounts that it has bound: for the overlap, or for as long as the service gives if that is 0. Its
// secret is in this answer and nowhere else. With an idempotencyKey, a call that is repeated after a crash of the caller returns the same key; empty: one for this call alone.
func (c *Client) RotateKey(ctx context.Context, kid string, overlap time.Duration, idempotencyKey string) (*CreatedKey, error) {
	if kid == "" {
		return nil, errNoID
	}
	body := map[string]int64{}
	if overlap > 0 {
		body["overlap"] = int64((overlap + time.Second - 1) / time.Second)
	}
	return create[CreatedKey](ctx, c, "/v1/eab/keys/"+url.PathEscape(kid)+"/rotate", idempotencyKey, body)
}

// page is the query of a list.
func page(after string, limit int, wait time.Duration) string {
	q := url.Values{}
	if after != "" {
		q.Set("after", after)
	}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	if wait > 0 {
		q.Set("wait", strconv.Itoa(seconds(wait)))
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// maxPatience is the longest that the service waits with an answer.
const maxPatience = 60 * time.Second

// seconds is a time to wait as the service takes it.
func seconds(wait time.Duration) int {
	return int((min(wait, maxPatience) + time.Second - 1) / time.Second)
}
