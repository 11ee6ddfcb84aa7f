package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// OpenRequest opens a pre-authorization (RFC 8555 7.4.1). Name an Account, a PublicKey, the key of the CSR by itself, or, with Result, nobody yet.
type OpenRequest struct {
	Account   *Account `json:"account,omitempty"`
	PublicKey DER      `json:"public_key,omitempty"`
	// Result is ResultKey if there is no account yet and the person is to get a key for external account binding.
	Result     string     `json:"result,omitempty"`
	EABKid     string     `json:"eab_kid,omitempty"`
	Identifier Identifier `json:"identifier"`
	Profile    string     `json:"profile"`
	CSR        DER        `json:"csr,omitempty"`
	Contacts   *Contacts  `json:"contacts,omitempty"`
	ExternalID string     `json:"external_id,omitempty"`
	// IdempotencyKey makes a call that is repeated after a crash of the caller return the same authorization, also where there is no applicant yet; empty: one for this call alone.
	IdempotencyKey string `json:"-"`
}

// ResultKey is the Result of who has no account yet.
const ResultKey = "eab_key"

// Contacts are addresses that the authority knows; no others of the same kind are offered to the person then.
type Contacts struct {
	Email string `json:"email,omitempty"`
	Phone string `json:"phone,omitempty"`
}

// The statuses of an authorization (RFC 8555 7.1.6).
const (
	StatusPending     = "pending"
	StatusValid       = "valid"
	StatusInvalid     = "invalid"
	StatusDeactivated = "deactivated"
	StatusExpired     = "expired"
	StatusRevoked     = "revoked"
)

// Authorization is an authorization object (RFC 8555 7.1.4) with the service's members beside it. A valid one may be frozen, and only Authorize tells; never issue on
// its Status alone.
type Authorization struct {
	ID         string          `json:"id"`
	Status     string          `json:"status"`
	Expires    time.Time       `json:"expires"`
	Identifier Identifier      `json:"identifier"`
	Challenges []Challenge     `json:"challenges"`
	CaseURL    string          `json:"case_url"` // where the person works: for the applicant alone
	Profile    string          `json:"profile"`
	Methods    []string        `json:"methods"`
	Assessment json.RawMessage `json:"assessment"` // null unless valid
	Statement  string          `json:"statement"`  // a signed JWT; empty unless it may be relied on
	Approvals  struct {
		Needed int `json:"needed"`
		Given  int `json:"given"`
	} `json:"approvals"`
	Reason string `json:"reason"`
	// Ends is when a valid one will be revoked under which something has given way; nil for others.
	Ends          *time.Time `json:"ends,omitempty"`
	ExternalID    string     `json:"external_id,omitempty"`
	DomainControl string     `json:"domain_control,omitempty"`
}

// Challenge is the one challenge of an authorization. URL is for the authority, which shows its account a challenge URL of its own.
type Challenge struct {
	Type      string     `json:"type"`
	URL       string     `json:"url"`
	Status    string     `json:"status"`
	Token     string     `json:"token"`
	Validated *time.Time `json:"validated,omitempty"`
	Error     *Problem   `json:"error,omitempty"`
}

// Open opens an authorization, or returns the one that is pending or valid already.
func (c *Client) Open(ctx context.Context, r OpenRequest) (*Authorization, error) {
	return create[Authorization](ctx, c, "/v1/preauthorizations", r.IdempotencyKey, r)
}

// Authorization reads an authorization.
func (c *Client) Authorization(ctx context.Context, id string) (*Authorization, error) {
	return c.read(ctx, id, 0)
}

// Wait reads an authorization, and waits up to so long, a minute at most, for it to look different from what it is when the question
// comes; one that is not pending is returned at once.
func (c *Client) Wait(ctx context.Context, id string, most time.Duration) (*Authorization, error) {
	return c.read(ctx, id, most)
}

// Decided waits until the authorization is not pending any more, or the context ends.
func (c *Client) Decided(ctx context.Context, id string) (*Authorization, error) {
	for {
		a, err := c.read(ctx, id, maxPatience)
		if err != nil || a.Status != StatusPending {
			return a, err
		}
	}
}

func (c *Client) read(ctx context.Context, id string, wait time.Duration) (*Authorization, error) {
	if id == "" {
		return nil, errNoID
	}
	return fetch[Authorization](ctx, c, call{
		method: http.MethodGet, path: "/v1/preauthorizations/" + url.PathEscape(id) + page("", 0, wait), wait: min(wait, maxPatience),
	})
}

// Deactivate ends an authorization for the account that gives it up (RFC 8555 7.5.2). It may be called again.
func (c *Client) Deactivate(ctx context.Context, id string) (*Authorization, error) {
	if id == "" {
		return nil, errNoID
	}
	defer c.answers.forget(id)
	return fetch[Authorization](ctx, c, call{
		method: http.MethodPost, path: "/v1/preauthorizations/" + url.PathEscape(id), body: map[string]string{"status": StatusDeactivated},
	})
}

// StartChallenge tells that the account has answered its challenge (RFC 8555 7.5.1); under some profiles nothing is sent to anybody before. It may be called again.
func (c *Client) StartChallenge(ctx context.Context, id string) (*Challenge, error) {
	if id == "" {
		return nil, errNoID
	}
	return fetch[Challenge](ctx, c, call{method: http.MethodPost, path: "/v1/preauthorizations/" + url.PathEscape(id) + "/challenge", body: struct{}{}})
}

// HandInToken gives the authorization an ID token that a client or a build system has got from an identity provider.
func (c *Client) HandInToken(ctx context.Context, id, token string) (*Authorization, error) {
	if id == "" {
		return nil, errNoID
	}
	return create[Authorization](ctx, c, "/v1/preauthorizations/"+url.PathEscape(id)+"/evidence", "", map[string]string{"type": "oidc", "token": token})
}
