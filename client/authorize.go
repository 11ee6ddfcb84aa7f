package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// DER is a DER structure, which goes over the wire as base64url without padding.
type DER []byte

// MarshalText implements encoding.TextMarshaler.
func (d DER) MarshalText() ([]byte, error) {
	return []byte(base64.RawURLEncoding.EncodeToString(d)), nil
}

// AuthorizeRequest is the question at order or finalize. Name an Account, or a PublicKey, or the key of the CSR by neither.
type AuthorizeRequest struct {
	Account     *Account     `json:"account,omitempty"`
	PublicKey   DER          `json:"public_key,omitempty"` // SubjectPublicKeyInfo
	Identifiers []Identifier `json:"identifiers"`
	Profile     string       `json:"profile"`
	CSR         DER          `json:"csr,omitempty"` // the certification request, at finalize
	ExternalID  string       `json:"external_id,omitempty"`
}

// Data is what may go into the certificate beside the identifiers that were asked about.
type Data struct {
	Organization *Organization `json:"organization,omitempty"` // nil: none was asked about
}

// Organization is one that is authorized.
type Organization struct {
	Name               string `json:"name"`                          // for the subject's organization
	RegistrationNumber string `json:"registration_number,omitempty"` // empty: not known
	Jurisdiction       string `json:"jurisdiction,omitempty"`        // of the registration; empty: not known
}

// Allowed is a yes.
type Allowed struct {
	// Authorizations are the ids of those that the answer rests on.
	Authorizations []string        `json:"authorizations"`
	Assessment     json.RawMessage `json:"assessment"` // null where no single one speaks for all
	Data           Data            `json:"data"`
	RecheckAfter   time.Time       `json:"recheck_after"`
	// DomainControl is "not_checked" for names and addresses: that somebody may have one is no validation of it.
	DomainControl string `json:"domain_control,omitempty"`
	// Warnings are what is left to the authority to weigh: CAA records that speak against it, where the profile does not refuse for them.
	Warnings []Subproblem `json:"warnings,omitempty"`
}

// verdict is an answer to the question, before it is known to be a yes.
type verdict struct {
	Allow bool     `json:"allow"`
	Error *Problem `json:"error"`
	Allowed
}

// Authorize asks whether the applicant may have all of the identifiers. A refusal is a *Problem, in which userActionRequired has the
// link at which a person cures it; it may be passed on by ACMEProblem. Any error is a no.
func (c *Client) Authorize(ctx context.Context, r AuthorizeRequest) (*Allowed, error) {
	question, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("countersign: write the request: %w", err)
	}
	if yes := c.answers.find(question, c.now()); yes != nil {
		return yes, nil
	}
	since := c.answers.generation()
	k := call{method: http.MethodPost, path: "/v1/authorize", body: json.RawMessage(question)}
	got, err := c.do(ctx, k)
	if err != nil {
		return nil, err
	}
	var v verdict
	if err := got.read(k, &v); err != nil {
		return nil, err
	}
	switch {
	case v.Error != nil || !v.Allow:
		if v.Error == nil || v.Error.Type == "" {
			return nil, fmt.Errorf("%w: the answer is a no without a reason", ErrUnavailable)
		}
		return nil, v.Error
	case len(v.Authorizations) == 0 || v.RecheckAfter.IsZero():
		return nil, fmt.Errorf("%w: the answer is a yes that rests on nothing", ErrUnavailable)
	}
	// How long the answer holds is measured by the service's own clock from the time before it was asked, so that neither a clock
	// that is wrong nor a slow answer makes it longer.
	date := got.date
	if date.IsZero() {
		date = got.asked
	}
	c.answers.keepFor(question, got.body, v.Authorizations, since, got.asked, v.RecheckAfter.Sub(date))
	return &v.Allowed, nil
}
