package client

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

const acmeError = "urn:ietf:params:acme:error:"

// Types of problems that a caller may want to tell apart. Those of RFC 8555 may be passed on to an ACME client; those of
// countersign's own are between the service and the authority.
const (
	UserActionRequired      = acmeError + "userActionRequired"
	Unauthorized            = acmeError + "unauthorized"
	ExternalAccountRequired = acmeError + "externalAccountRequired"
	RejectedIdentifier      = acmeError + "rejectedIdentifier"
	UnsupportedIdentifier   = acmeError + "unsupportedIdentifier"
	AccountDoesNotExist     = acmeError + "accountDoesNotExist"
	BadCSR                  = acmeError + "badCSR"
	Malformed               = acmeError + "malformed"
	BadPublicKey            = acmeError + "badPublicKey" // of an account: not served, or no key at all
	BadNonce                = acmeError + "badNonce"     // of an account's holder: too old, or it has served; a Holder takes the next one
	CAAForbids              = acmeError + "caa"          // CAA records do not let the authority issue
	DNSFails                = acmeError + "dns"          // CAA records could not be looked up: ask again
	RateLimited             = acmeError + "rateLimited"
	ServerInternal          = acmeError + "serverInternal"

	NotFound            = "urn:countersign:error:notFound"
	CredentialInvalid   = "urn:countersign:error:credentialInvalid"
	Closed              = "urn:countersign:error:authorizationClosed"
	EventsExpired       = "urn:countersign:error:eventsExpired"
	IdempotencyKeyInUse = "urn:countersign:error:idempotencyKeyInUse"
	Unavailable         = "urn:countersign:error:unavailable"
)

// Problem is a problem document (RFC 9457) with the subproblems of RFC 8555 6.7.1. As an error it is the service's no, with
// the reason.
type Problem struct {
	Type        string       `json:"type"`
	Title       string       `json:"title,omitempty"`
	Status      int          `json:"status,omitempty"`
	Detail      string       `json:"detail,omitempty"`
	Instance    string       `json:"instance,omitempty"` // of userActionRequired: where a person acts
	Subproblems []Subproblem `json:"subproblems,omitempty"`
	// RetryAfter is when trying again makes sense; 0: nothing was said.
	RetryAfter time.Duration `json:"-"`
}

// Subproblem is one of several reasons: about an identifier, or about a place in the request.
type Subproblem struct {
	Type       string      `json:"type"`
	Detail     string      `json:"detail,omitempty"`
	Identifier *Identifier `json:"identifier,omitempty"`
	Instance   string      `json:"instance,omitempty"`
	// Pointer is a place in the authority's request, and means nothing to an ACME client.
	Pointer string `json:"pointer,omitempty"`
}

// Error implements error.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Type
	}
	return p.Type + ": " + p.Detail
}

// IsProblem says whether the error is a problem of that type.
func IsProblem(err error, typ string) bool {
	p, ok := errors.AsType[*Problem](err)
	return ok && p.Type == typ
}

// ACMEProblem is what the authority tells its ACME client of an error of this package: the service's reason if RFC 8555 has a type for it, and
// otherwise no more than that the request could not be checked. It is never nil for an error, and nil for none. Set Retry-After by its RetryAfter
// if that is not 0.
func ACMEProblem(err error) *Problem {
	if err == nil {
		return nil
	}
	p, ok := errors.AsType[*Problem](err)
	if !ok || errors.Is(err, ErrUnavailable) || !strings.HasPrefix(p.Type, acmeError) || p.Status >= 500 {
		out := &Problem{
			Type: ServerInternal, Status: http.StatusServiceUnavailable,
			Detail: "who is behind the account could not be checked; nothing was lost, try again later", RetryAfter: 5 * time.Second,
		}
		if ok && p.RetryAfter > 0 {
			out.RetryAfter = p.RetryAfter
		}
		return out
	}
	out := *p
	if out.Status < 400 {
		out.Status = http.StatusForbidden
	}
	out.Subproblems = nil
	for _, sub := range p.Subproblems {
		if !strings.HasPrefix(sub.Type, acmeError) {
			continue // a type that no ACME client knows
		}
		sub.Pointer = ""
		out.Subproblems = append(out.Subproblems, sub)
	}
	return &out
}
