package proofing

import (
	"errors"
	"fmt"
	"time"
)

// The errors that callers decide by. Everything else is a fault of ours.
var (
	// ErrNotFound: there is no such object, or it is somebody else's.
	ErrNotFound = errors.New("not found")
	// ErrExists: the id or a unique value is taken.
	ErrExists = errors.New("already exists")
	// ErrUnavailable: a store or provider cannot answer now; nothing was lost.
	ErrUnavailable = errors.New("unavailable")
	// ErrClock: records that a decision rests on are dated later than this process's clock says it is. Nothing was decided. It is ErrUnavailable, too.
	ErrClock = fmt.Errorf("the clock is behind: %w", ErrUnavailable)
	// ErrUnreadable: a record is there and is damaged.
	ErrUnreadable = errors.New("unreadable")
	// ErrWrongAnswer: the answer is wrong and cost a try.
	ErrWrongAnswer = errors.New("wrong answer")
	// ErrNoTries: every try of this code is spent; a new code may be asked for.
	ErrNoTries = errors.New("no tries left")
	// ErrAttemptOver: the attempt has expired, or was replaced or used.
	ErrAttemptOver = errors.New("attempt is over")
	// ErrBlocked: too many failures in a row at this address; no code helps.
	ErrBlocked = errors.New("blocked after too many failures")
	// ErrClaimed: another browser has claimed the case.
	ErrClaimed = errors.New("claimed by another browser")
	// ErrOtherBrowser: a link works only in the browser that asked for it.
	ErrOtherBrowser = errors.New("opened in another browser")
	// ErrNotStarted: the profile sends nothing before the CA starts the challenge.
	ErrNotStarted = errors.New("not started by the certificate authority")
	// ErrClosed: the case's status allows no such move.
	ErrClosed = errors.New("closed to this move")
	// ErrFrozen: somebody said "this was not me".
	ErrFrozen = errors.New("frozen")
	// ErrNotAdmitted: a person who has authenticators must first authenticate with one of them.
	ErrNotAdmitted = errors.New("authenticate with what is registered first")
	// ErrOtherPerson: the authenticator is another person's than the one who has authenticated.
	ErrOtherPerson = errors.New("an authenticator of another person")
	// ErrNotRequester: whoever has authenticated holds no role by which they may ask for the organization. Nothing of it is kept.
	ErrNotRequester = errors.New("nobody who may ask for the organization")
)

// InputError is a mistake in what somebody gave us. Code is from a closed list
// and has words in every language ("number_premium", "email_malformed", …); Field is the
// member or form field at fault.
type InputError struct {
	Field  string
	Code   string
	Detail string // for people who read JSON; plain English, without secrets
}

func (e *InputError) Error() string {
	if e.Detail != "" {
		return fmt.Sprintf("%s: %s", e.Field, e.Detail)
	}
	return fmt.Sprintf("%s: %s", e.Field, e.Code)
}

// LimitError says that a limit was met and when trying again makes sense.
type LimitError struct {
	// Limit is from a closed list: "cooldown", "address", "prefix", "client",
	// "ca_messages", "ca_spend", "codes", "attempts", "brake", "things", "dossier", "changes", "decisions", "session".
	Limit string
	Until time.Time // zero: not by waiting
}

func (e *LimitError) Error() string { return "limit met: " + e.Limit }

// Outcome is how sure a Sender is that a message did not go out.
type Outcome string

const (
	// NotSent: certainly not accepted, and may be tried again.
	NotSent Outcome = "not_sent"
	// Refused: certainly not accepted, and trying again will not help.
	Refused Outcome = "refused"
	// Unknown: the line dropped after the message was on its way.
	Unknown Outcome = "unknown"
)

// SendError is every outcome of Sender.Send other than acceptance.
type SendError struct {
	Outcome Outcome
	// Reason is from a closed list that pages have words for: "unreachable",
	// "timeout", "rejected_address", "number_invalid", "number_unreachable",
	// "number_blocked", "country_not_enabled", "not_sms_capable", "provider_busy",
	// "provider_refused", "configuration", "expired".
	Reason string
	// RetryAfter is how long the provider asked us to wait; 0 if it did not.
	RetryAfter time.Duration
	Err        error // the cause, without secrets
}

func (e *SendError) Error() string {
	return fmt.Sprintf("send: %s (%s): %v", e.Outcome, e.Reason, e.Err)
}

func (e *SendError) Unwrap() error { return e.Err }
