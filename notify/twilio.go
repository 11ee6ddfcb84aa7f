package notify

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/twilio/twilio-go/client"
	api "github.com/twilio/twilio-go/rest/api/v2010"

	"github.com/countersign-id/countersign/proofing"
)

// TwilioConfig says through which Twilio account text messages go.
type TwilioConfig struct {
	AccountSID string
	// AuthToken signs Twilio's callbacks, and authenticates our requests unless
	// an API key does.
	AuthToken proofing.Secret
	KeySID    string          // of an API key; may be empty
	KeySecret proofing.Secret // of that key

	// From is our number in E.164 form; or MessagingService names the service
	// that picks one. Exactly one of the two is set.
	From             string
	MessagingService string

	// StatusCallback returns the public URL to which Twilio reports on a message
	// (`<origin>/hooks/sms/<message id>`); nil asks for no reports. Signatures are
	// checked against this URL, never against what a request says of itself.
	StatusCallback func(messageID string) string

	// Currency is that of the budget, as ISO 4217 has it; "USD" if empty. Prices
	// in another are not passed on.
	Currency string
	// BaseURL replaces https://api.twilio.com. The environment's TWILIO_EDGE and
	// TWILIO_REGION change nothing.
	BaseURL string
	// HTTP makes the requests; nil means a client of our own. Redirects are not
	// followed either way.
	HTTP *http.Client
}

// Twilio delivers text messages through Twilio's Messages API.
type Twilio struct {
	config    TwilioConfig
	base      *url.URL
	http      *http.Client
	validator client.RequestValidator
}

const twilioURL = "https://api.twilio.com"

var (
	accountSID = regexp.MustCompile(`^AC[0-9a-f]{32}$`)
	keySID     = regexp.MustCompile(`^SK[0-9a-f]{32}$`)
	serviceSID = regexp.MustCompile(`^MG[0-9a-f]{32}$`)
	messageSID = regexp.MustCompile(`^(SM|MM)[0-9a-f]{32}$`)
	e164       = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
)

// NewTwilio checks the configuration; it does not call Twilio.
func NewTwilio(c TwilioConfig) (*Twilio, error) {
	if c.BaseURL == "" {
		c.BaseURL = twilioURL
	}
	if c.Currency == "" {
		c.Currency = "USD"
	}
	base, err := url.Parse(c.BaseURL)
	switch {
	case err != nil || base.Host == "" || base.RawQuery != "" || base.User != nil:
		return nil, errors.New("the base URL must be an absolute one, without query or user")
	case base.Scheme != "https" && !(base.Scheme == "http" && isLoopback(base.Hostname())):
		return nil, errors.New("the base URL must be https")
	case !accountSID.MatchString(c.AccountSID):
		return nil, errors.New("the account SID must be AC and 32 hexadecimal digits")
	case c.AuthToken == "":
		return nil, errors.New("no auth token")
	case (c.KeySID == "") != (c.KeySecret == ""), c.KeySID != "" && !keySID.MatchString(c.KeySID):
		return nil, errors.New("an API key needs its SID (SK and 32 hexadecimal digits) and its secret")
	case (c.From == "") == (c.MessagingService == ""):
		return nil, errors.New("exactly one of a from number and a messaging service must be set")
	case c.From != "" && !e164.MatchString(c.From):
		return nil, errors.New("the from number must be in E.164 form")
	case c.MessagingService != "" && !serviceSID.MatchString(c.MessagingService):
		return nil, errors.New("the messaging service must be MG and 32 hexadecimal digits")
	}
	return &Twilio{
		config: c, base: base, http: strict(c.HTTP),
		validator: client.NewRequestValidator(c.AuthToken.Reveal()),
	}, nil
}

// strict returns a client like h that follows no redirect: one would carry the
// code to wherever it points.
func strict(h *http.Client) *http.Client {
	var c http.Client
	if h != nil {
		c = *h
	} else if t, ok := http.DefaultTransport.(*http.Transport); ok {
		t = t.Clone()
		t.IdleConnTimeout = 20 * time.Second
		c.Transport = t
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// Deliver implements Provider.
func (t *Twilio) Deliver(ctx context.Context, m proofing.Message, r Rendered) (proofing.Receipt, error) {
	if err := checkID(m.ID); err != nil {
		return proofing.Receipt{}, refused(reasonConfiguration, err)
	}
	if !e164.MatchString(m.To.Reveal()) {
		return proofing.Receipt{}, refused(reasonNumberInvalid, errors.New("the number is not in E.164 form"))
	}
	if strings.TrimSpace(r.Text) == "" {
		return proofing.Receipt{}, refused(reasonConfiguration, errors.New("a text message needs a text"))
	}
	call := &twilioCall{ctx: ctx, twilio: t}
	made, err := api.NewApiServiceWithClient(call).CreateMessage(t.params(m, r))
	if err != nil {
		return proofing.Receipt{}, call.failure(err)
	}
	return t.receipt(made)
}

func (t *Twilio) params(m proofing.Message, r Rendered) *api.CreateMessageParams {
	p := &api.CreateMessageParams{}
	p.SetTo(m.To.Reveal()).SetBody(r.Text)
	if t.config.From != "" {
		p.SetFrom(t.config.From)
	} else {
		p.SetMessagingServiceSid(t.config.MessagingService)
	}
	if t.config.StatusCallback != nil {
		p.SetStatusCallback(t.config.StatusCallback(m.ID))
	}
	if m.Minutes > 0 {
		// A code that waited in Twilio's queue for longer than it lives is not sent.
		p.SetValidityPeriod(min(m.Minutes*60, 36000))
	}
	return p
}

// receipt reads Twilio's answer to a request that it did not refuse.
func (t *Twilio) receipt(made *api.ApiV2010Message) (proofing.Receipt, error) {
	if made.Sid == nil || !messageSID.MatchString(*made.Sid) {
		return proofing.Receipt{}, unknown(reasonUnreachable, errors.New("the answer names no message"))
	}
	if made.Status != nil && ourStatus[*made.Status] == statusUndelivered {
		code := 0
		if made.ErrorCode != nil {
			code = *made.ErrorCode
		}
		return proofing.Receipt{}, codeFailure(code, http.StatusCreated, 0)
	}
	return proofing.Receipt{
		Provider: "twilio", Reference: *made.Sid,
		CostMicros: t.cost(made.Price, made.PriceUnit),
	}, nil
}

// cost is a price in millionths, rounded up; 0 if there is none in the budget's
// currency. Twilio writes what it takes as a negative amount.
func (t *Twilio) cost(price, unit *string) int64 {
	if price == nil || unit == nil || !strings.EqualFold(*unit, t.config.Currency) || !amount.MatchString(*price) {
		return 0
	}
	micros, ok := new(big.Rat).SetString(*price)
	if !ok {
		return 0
	}
	micros.Abs(micros).Mul(micros, big.NewRat(1_000_000, 1))
	whole, rest := new(big.Int).QuoRem(micros.Num(), micros.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		whole.Add(whole, big.NewInt(1))
	}
	return whole.Int64()
}

// amount is a decimal number small enough to count in millionths.
var amount = regexp.MustCompile(`^-?[0-9]{1,9}(\.[0-9]{1,12})?$`)

// codeFailure is what a clear "no" of Twilio's means.
func codeFailure(code, status int, retryAfter time.Duration) *proofing.SendError {
	cause := fmt.Errorf("twilio answered %d, code %d", status, code)
	if status >= 500 {
		// Twilio may have queued the message before it failed.
		return unknown(reasonBusy, cause)
	}
	reason := twilioReason(code)
	if reason == "" {
		reason = statusReason(status)
	}
	if reason == reasonBusy || reason == reasonTimeout {
		e := notSent(reason, cause)
		e.RetryAfter = retryAfter
		return e
	}
	return refused(reason, cause)
}

// statusReason is what the class of a status says where the code says nothing:
// Twilio splits its codes as it learns, so no code may be needed to tell these.
func statusReason(status int) string {
	switch {
	case status == http.StatusTooManyRequests:
		return reasonBusy
	case status == http.StatusRequestTimeout:
		return reasonTimeout
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusNotFound,
		status == http.StatusProxyAuthRequired, status >= 300 && status < 400:
		return reasonConfiguration
	}
	return reasonProvider
}

// twilioReason is the reason behind one of Twilio's error codes
// (https://www.twilio.com/docs/api/errors); empty if we do not know the code.
func twilioReason(code int) string {
	switch code {
	case 21211, 21217, 21401, 21421, 21601, 30005:
		return reasonNumberInvalid
	case 21612, 30003:
		return reasonNumberUnreachable
	case 21408, 21215:
		return reasonCountry
	case 21610, 30004:
		return reasonNumberBlocked
	case 21614, 21635, 30006:
		return reasonNotSMS
	case 14107, 20429, 21611, 30001:
		return reasonBusy
	case 20003, 20008, 21212, 21603, 21606, 21609, 21659, 21660, 21701, 21703, 21704, 21705, 30034:
		return reasonConfiguration
	}
	return ""
}
