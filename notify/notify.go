// Package notify hands messages to the providers that deliver them: mail by
// SMTP, text messages by Twilio, and the demo's mailbox. A provider is one file
// here and one line in the table below.
//
// It owns one question: did the message go out? A code must reach a person at
// most once, so a provider says "not sent" only when that is certain, "sent" as
// soon as the other side has taken the message, and "unknown" when the line
// dropped in between. It does not own the words of a message (package
// templates), when it is sent or tried again (package proofing), or any log:
// errors leave here without addresses, codes and provider's prose.
package notify

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// Rendered is a message in the words that its reader sees.
type Rendered struct {
	Subject string // of a mail; one line
	Text    string
	HTML    string // of a mail; may be empty
}

// Renderer puts a message into words.
type Renderer interface {
	Render(m proofing.Message) (Rendered, error)
}

// Provider delivers rendered messages of one or more channels. It is safe for
// concurrent use, and bounds a delivery by the context alone.
type Provider interface {
	// Deliver returns a receipt once the other side has accepted the message;
	// every other outcome is a *proofing.SendError.
	Deliver(ctx context.Context, m proofing.Message, r Rendered) (proofing.Receipt, error)
}

// Report is told what became of a message after it was accepted. status is
// "accepted", "sent", "delivered" or "undelivered"; the reason why a message did
// not arrive is one of proofing.SendError's, and empty otherwise. Reports repeat
// and overtake each other, so a Report must be idempotent and never move a
// message back from its last status.
type Report func(ctx context.Context, messageID, status, reason string) error

// Reporter is a Provider that learns what became of its messages.
type Reporter interface {
	// Callback returns the handler of the provider's callbacks.
	Callback(report Report) http.Handler
}

// Config says who delivers the messages of one channel, and within which bounds.
type Config struct {
	// Provider is a name in the table: "smtp", "twilio", "mailbox".
	Provider string
	// Concurrency is how many deliveries may be under way at once; 0 means 8.
	Concurrency int
	// Timeout bounds one delivery, and the wait for its turn; 0 means 30 s.
	Timeout time.Duration

	SMTP    SMTPConfig    // of "smtp"
	Twilio  TwilioConfig  // of "twilio"
	Mailbox MailboxConfig // of "mailbox"
}

const (
	defaultConcurrency = 8
	defaultTimeout     = 30 * time.Second
)

// provider is one line of the table.
type provider struct {
	channels []proofing.Channel
	open     func(Config) (Provider, error)
}

// providers is the table of everything that can be named in a Config.
var providers = map[string]provider{
	"smtp": {
		channels: []proofing.Channel{proofing.ChannelEmail},
		open:     func(c Config) (Provider, error) { return NewSMTP(c.SMTP) },
	},
	"twilio": {
		channels: []proofing.Channel{proofing.ChannelPhone},
		open:     func(c Config) (Provider, error) { return NewTwilio(c.Twilio) },
	},
	"mailbox": {
		channels: []proofing.Channel{proofing.ChannelEmail, proofing.ChannelPhone},
		open:     func(c Config) (Provider, error) { return c.Mailbox.open() },
	},
}

// Every way in which a delivery can fail, by how sure we are of it.

func notSent(reason string, cause error) *proofing.SendError {
	return &proofing.SendError{Outcome: proofing.NotSent, Reason: reason, Err: cause}
}

func refused(reason string, cause error) *proofing.SendError {
	return &proofing.SendError{Outcome: proofing.Refused, Reason: reason, Err: cause}
}

func unknown(reason string, cause error) *proofing.SendError {
	return &proofing.SendError{Outcome: proofing.Unknown, Reason: reason, Err: cause}
}

// The reasons of proofing.SendError that this package gives.
const (
	reasonUnreachable       = "unreachable"
	reasonTimeout           = "timeout"
	reasonRejectedAddress   = "rejected_address"
	reasonNumberInvalid     = "number_invalid"
	reasonNumberUnreachable = "number_unreachable"
	reasonNumberBlocked     = "number_blocked"
	reasonCountry           = "country_not_enabled"
	reasonNotSMS            = "not_sms_capable"
	reasonBusy              = "provider_busy"
	reasonProvider          = "provider_refused"
	reasonConfiguration     = "configuration"
)

// checkID refuses an id that could not stand in a header or a URL as it is.
func checkID(id string) error {
	if id == "" || len(id) > 128 {
		return fmt.Errorf("message id has %d characters", len(id))
	}
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return fmt.Errorf("message id has a character %q", c)
		}
	}
	return nil
}
