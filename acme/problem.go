package acme

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

const (
	acmeError = "urn:ietf:params:acme:error:"
	ownError  = "urn:countersign:error:"
)

// The types of RFC 8555 6.7 are for what an authority may pass on to its client
// as it is; a fault between the authority and us has a type of ours.
const (
	typeMalformed             = acmeError + "malformed"
	typeBadCSR                = acmeError + "badCSR"
	typeBadNonce              = acmeError + "badNonce"
	typeBadSignatureAlgorithm = acmeError + "badSignatureAlgorithm"
	typeBadPublicKey          = acmeError + "badPublicKey"
	typeInvalidContact        = acmeError + "invalidContact"
	typeRejectedIdentifier    = acmeError + "rejectedIdentifier"
	typeUnsupportedIdentifier = acmeError + "unsupportedIdentifier"
	typeUnauthorized          = acmeError + "unauthorized"
	typeIncorrectResponse     = acmeError + "incorrectResponse"
	typeUserActionRequired    = acmeError + "userActionRequired"
	typeCompound              = acmeError + "compound"
	typeAccountDoesNotExist   = acmeError + "accountDoesNotExist"
	typeRateLimited           = acmeError + "rateLimited"
	typeServerInternal        = acmeError + "serverInternal"
	typeCAA                   = acmeError + "caa"
	typeDNS                   = acmeError + "dns"

	typeUnknownMember         = ownError + "unknownMember"
	typeDuplicateMember       = ownError + "duplicateMember"
	typeProfileUnknown        = ownError + "profileUnknown"
	typeAccountKeyTaken       = ownError + "accountKeyTaken"
	typeClosed                = ownError + "authorizationClosed"
	typeCredentialInvalid     = ownError + "credentialInvalid"
	typeNotFound              = ownError + "notFound"
	typeKeysWithheld          = ownError + "keysWithheld"
	typeMethodNotAllowed      = ownError + "methodNotAllowed"
	typeTooLarge              = ownError + "bodyTooLarge"
	typeMediaType             = ownError + "unsupportedMediaType"
	typeIdempotencyKeyInvalid = ownError + "idempotencyKeyInvalid"
	typeIdempotencyKeyReused  = ownError + "idempotencyKeyReused"
	typeIdempotencyKeyInUse   = ownError + "idempotencyKeyInUse"
	typeEventsExpired         = ownError + "eventsExpired"
	typeCertificateReported   = ownError + "certificateReported"
	typeUnavailable           = ownError + "unavailable"
)

// problemTypes has the title and the status of every type that we answer with.
var problemTypes = map[string]struct {
	title  string
	status int
}{
	typeMalformed:             {"Malformed request", http.StatusBadRequest},
	typeBadCSR:                {"Certificate signing request not acceptable", http.StatusBadRequest},
	typeBadNonce:              {"Nonce not acceptable", http.StatusBadRequest},
	typeBadSignatureAlgorithm: {"Signature algorithm not acceptable", http.StatusBadRequest},
	typeBadPublicKey:          {"Public key not acceptable", http.StatusBadRequest},
	typeInvalidContact:        {"Contact not usable", http.StatusBadRequest},
	typeRejectedIdentifier:    {"Identifier rejected", http.StatusForbidden},
	typeUnsupportedIdentifier: {"Identifier type not supported", http.StatusForbidden},
	typeUnauthorized:          {"Not authorized", http.StatusForbidden},
	typeIncorrectResponse:     {"Evidence not accepted", http.StatusForbidden},
	typeUserActionRequired:    {"A person must act", http.StatusForbidden},
	typeCompound:              {"Several reasons", http.StatusForbidden},
	typeAccountDoesNotExist:   {"Account not known", http.StatusNotFound},
	typeRateLimited:           {"Too many requests", http.StatusTooManyRequests},
	typeServerInternal:        {"Internal error", http.StatusInternalServerError},
	typeCAA:                   {"CAA records forbid issuance", http.StatusForbidden},
	typeDNS:                   {"Domain name system does not answer", http.StatusForbidden},

	typeUnknownMember:         {"Unknown member", http.StatusBadRequest},
	typeDuplicateMember:       {"Duplicate member", http.StatusBadRequest},
	typeProfileUnknown:        {"Unknown profile", http.StatusBadRequest},
	typeAccountKeyTaken:       {"Key belongs to another account", http.StatusConflict},
	typeClosed:                {"Authorization is over", http.StatusConflict},
	typeCredentialInvalid:     {"Credential missing or not valid", http.StatusUnauthorized},
	typeNotFound:              {"Not found", http.StatusNotFound},
	typeKeysWithheld:          {"MAC keys are not released", http.StatusForbidden},
	typeMethodNotAllowed:      {"Method not allowed", http.StatusMethodNotAllowed},
	typeTooLarge:              {"Body too large", http.StatusRequestEntityTooLarge},
	typeMediaType:             {"Unsupported media type", http.StatusUnsupportedMediaType},
	typeIdempotencyKeyInvalid: {"Idempotency key not valid", http.StatusBadRequest},
	typeIdempotencyKeyReused:  {"Idempotency key reused", http.StatusUnprocessableEntity},
	typeIdempotencyKeyInUse:   {"Idempotency key in use", http.StatusConflict},
	typeEventsExpired:         {"Events are no longer kept", http.StatusGone},
	typeCertificateReported:   {"Certificate reported for other authorizations", http.StatusConflict},
	typeUnavailable:           {"Temporarily unavailable", http.StatusServiceUnavailable},
}

// problem is a problem document (RFC 9457), with the subproblems of RFC 8555
// 6.7.1. It is an error, so that a handler returns it like any other.
type problem struct {
	Type        string       `json:"type"`
	Title       string       `json:"title"`
	Status      int          `json:"status"`
	Detail      string       `json:"detail,omitempty"`
	Instance    string       `json:"instance,omitempty"`
	Subproblems []subproblem `json:"subproblems,omitempty"`
	Algorithms  []string     `json:"algorithms,omitempty"` // that are served (RFC 8555 6.2)

	retryAfter time.Duration     // of a Retry-After header; 0: none
	header     map[string]string // others that the answer needs
	crowded    bool              // the authority has as much in hand as it may have: a moment later the answer is another
}

// subproblem is one of several reasons: about a place in the request, or about
// an identifier.
type subproblem struct {
	Type       string               `json:"type"`
	Detail     string               `json:"detail,omitempty"`
	Pointer    string               `json:"pointer,omitempty"`
	Identifier *proofing.Identifier `json:"identifier,omitempty"`
	Instance   string               `json:"instance,omitempty"`
}

// Error implements error.
func (p *problem) Error() string { return p.Type + ": " + p.Detail }

func newProblem(typ, detail string) *problem {
	return &problem{Type: typ, Title: problemTypes[typ].title, Status: problemTypes[typ].status, Detail: detail}
}

func malformed(detail string) *problem { return newProblem(typeMalformed, detail) }

const (
	// retryUnavailable is how long a store or provider that cannot answer is given.
	retryUnavailable = 5 * time.Second
	// retryLimited is for a limit that names no time.
	retryLimited = time.Hour
)

// problemOf is the one map from errors to problems. What it does not know is
// a fault of ours, of which nothing is told.
func problemOf(err error, now time.Time) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if input, ok := errors.AsType[*proofing.InputError](err); ok {
		return inputProblem(input)
	}
	if limit, ok := errors.AsType[*proofing.LimitError](err); ok {
		p := newProblem(typeRateLimited, "the limit "+limit.Limit+" is met")
		p.retryAfter = retryLimited
		if !limit.Until.IsZero() {
			p.retryAfter = max(limit.Until.Sub(now), time.Second)
		}
		return p
	}
	switch {
	case errors.Is(err, proofing.ErrNotFound):
		// Another authority's objects are not told from absent ones.
		return newProblem(typeNotFound, "there is no such object")
	case errors.Is(err, errDirectory):
		return malformed("say in the query's directory which of your directories this is: its URL as the operator has registered it, once; it may be missing where you have one alone")
	case errors.Is(err, proofing.ErrWithheld):
		return newProblem(typeKeysWithheld, "you are given no MAC keys: ask POST /v1/eab/verify about each binding, or let the operator release them to you")
	case errors.Is(err, proofing.ErrEventsExpired):
		return newProblem(typeEventsExpired, "what came behind the cursor is no longer kept: look at your objects, and begin anew without a cursor")
	case errors.Is(err, proofing.ErrBinding):
		return newProblem(typeUnauthorized, "the external account binding is not valid")
	case errors.Is(err, proofing.ErrClosed):
		return newProblem(typeClosed, "the authorization is over")
	case errors.Is(err, proofing.ErrFrozen):
		return newProblem(typeUnauthorized, "somebody said that it was not them: the authorization is held until that is settled")
	case errors.Is(err, proofing.ErrNotAdmitted), errors.Is(err, proofing.ErrOtherPerson):
		return newProblem(typeUnauthorized, "this is another account than those of the person who works on the authorization")
	case errors.Is(err, proofing.ErrUnavailable), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		p := newProblem(typeUnavailable, "nothing was lost; try again")
		p.retryAfter = retryUnavailable
		return p
	}
	return newProblem(typeServerInternal, "the fault is ours")
}

// inputProblem is the problem for something in the request that the domain refuses.
func inputProblem(e *proofing.InputError) *problem {
	detail := e.Detail
	if detail == "" {
		detail = strings.ReplaceAll(e.Code, "_", " ")
	}
	p := newProblem(inputType(e.Code), detail)
	if e.Field != "" {
		pointer := ""
		for name := range strings.SplitSeq(e.Field, ".") {
			pointer = join(pointer, name)
		}
		p.Subproblems = []subproblem{{Type: p.Type, Detail: detail, Pointer: fragment(pointer)}}
	}
	return p
}

// inputType is the type for the code of a proofing.InputError.
func inputType(code string) string {
	switch code {
	case "profile_unknown":
		return typeProfileUnknown
	case "identifier_unsupported", "token_type":
		return typeUnsupportedIdentifier
	case "identifier_rejected", "not_entitled", "token_ca", "token_csr", "token_levels":
		return typeRejectedIdentifier
	case "account_key_replaced", "account_deactivated", "binding_ended":
		return typeUnauthorized
	case "account_key_taken":
		return typeAccountKeyTaken
	case "certificate_key":
		return typeBadPublicKey
	case "certificate_csr", "csr_subject":
		return typeBadCSR
	case "certificate_ungranted":
		return typeUnauthorized
	case "certificate_reported":
		return typeCertificateReported
	case "contact_differs":
		return typeInvalidContact
	case "token_spent", "authenticator_cooling":
		return typeIncorrectResponse
	}
	if strings.HasPrefix(code, "oidc_") {
		return typeIncorrectResponse
	}
	if strings.HasPrefix(code, "email_") || strings.HasPrefix(code, "number_") {
		return typeInvalidContact
	}
	return typeMalformed
}
