package notify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// Prober is a Provider that can be asked whether it would work, without sending
// anything.
type Prober interface {
	// Probe goes as far as authentication and returns what the other side says of
	// the time, if it says anything.
	Probe(ctx context.Context) (clock time.Time, err error)
}

// Probe implements Prober: a new connection, TLS and authentication.
func (s *SMTP) Probe(ctx context.Context) (time.Time, error) {
	l, err := s.dial(ctx)
	if err != nil {
		return time.Time{}, err
	}
	l.quit()
	return time.Time{}, nil
}

// Probe implements Prober: it reads the account that messages are sent from.
// Twilio lets test credentials send messages and read nothing, and says so.
func (t *Twilio) Probe(ctx context.Context) (time.Time, error) {
	u := t.base.JoinPath("2010-04-01", "Accounts", t.config.AccountSID+".json").String()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return time.Time{}, err
	}
	t.authorize(req)
	res, err := t.http.Do(req)
	if err != nil {
		return time.Time{}, notSent(reasonUnreachable, errors.New("twilio: the account cannot be read"))
	}
	_ = res.Body.Close()
	clock, _ := http.ParseTime(res.Header.Get("Date"))
	switch {
	case res.StatusCode == http.StatusOK, res.StatusCode == http.StatusForbidden:
		return clock, nil
	case res.StatusCode == http.StatusUnauthorized:
		return clock, refused(reasonConfiguration, errors.New("twilio: the account or its token is wrong"))
	}
	return clock, notSent(reasonProvider, fmt.Errorf("twilio: reading the account was answered with %s", res.Status))
}

// Probe asks the provider of a channel; the error is nil if there is nothing to ask.
func (r *Router) Probe(ctx context.Context, channel proofing.Channel) (provider string, clock time.Time, err error) {
	route, ok := r.routes[channel]
	if !ok {
		return "", time.Time{}, nil
	}
	if p, ok := route.provider.(Prober); ok {
		ctx, cancel := context.WithTimeout(ctx, route.timeout)
		defer cancel()
		clock, err = p.Probe(ctx)
	}
	return route.name, clock, err
}
