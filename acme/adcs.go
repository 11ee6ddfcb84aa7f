package acme

import (
	"errors"
	"log/slog"
	"net/http"
	"time"
)

// The dialect of ACME-Server-ADCS (3.1): it fetches the MAC key of a binding by its kid, verifies by itself, and may say what came of
// it, with GETs that have headers of its configuration and no body. It puts what it is answered into the problem that the ACME
// client gets, unless that is a 2xx. It asks when an account is made, and never again.

// adcsRefusal is all that a client reads of a refusal: what is wrong it must not learn.
const adcsRefusal = "this key is not known here, or it has ended"

// adcsLost is about the server's own configuration, and not about the key.
const adcsLost = "this server does not say which of its directories it is: its operator must put that into its MACRetrievalUrl"

// serveADCS is serve for calls whose answers are read by a person at the other end: a line of text.
func (a *api) serveADCS(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		c := &call{Request: r, w: w}
		ans, err := func() (out answer, err error) {
			if c.ca, c.by, err = a.authenticate(r); err != nil {
				return out, err
			}
			back, err := a.Shares.take(c.ca.Name, r)
			if err != nil {
				return out, err
			}
			defer back()
			return h(c)
		}()
		if err != nil {
			p := problemOf(err, a.Service.Now())
			ans = p.answer()
			ans.body = []byte(adcsRefusal)
			if errors.Is(err, errDirectory) {
				ans.body = []byte(adcsLost)
			}
			if p.Status == http.StatusUnauthorized || p.Status == http.StatusTooManyRequests || p.Status >= 500 {
				ans.body = []byte("the service that knows the keys cannot be asked now; try again later")
			}
			ans.header["Content-Type"] = "text/plain; charset=utf-8"
		}
		a.send(c, began, ans, err)
	})
}

// adcsMAC answers with the MAC key in base64url, and nothing else.
func (a *api) adcsMAC(c *call) (answer, error) {
	k, err := a.releaseKey(c)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, header: map[string]string{"Content-Type": "text/plain; charset=utf-8"}, body: []byte(k.Secret.Reveal())}, nil
}

// adcsReport hears what came of a binding. The call may be lost or come twice, and names no account: the first
// success is noted at the key, a failure in the log alone.
func (a *api) adcsReport(good bool) handler {
	return func(c *call) (answer, error) {
		k, err := a.Service.KeyReported(c.Context(), c.ca, c.PathValue("kid"), good)
		if err != nil {
			return answer{}, err
		}
		if !good {
			a.Log.LogAttrs(c.Context(), slog.LevelWarn, "told of a binding that failed", slog.String("ca", c.ca.Name), slog.String("kid", k.Kid))
		}
		return answer{status: http.StatusNoContent}, nil
	}
}
