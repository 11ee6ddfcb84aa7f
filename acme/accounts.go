package acme

import (
	"cmp"
	"net/http"
)

// accountEvent is what an authority tells of an account.
type accountEvent struct {
	Event         string `json:"event"`
	Account       known  `json:"account"`
	kid           string
	oldThumbprint string
}

// known is an account as it is known from then on.
type known struct {
	URL        string `json:"url,omitempty"`
	Thumbprint string `json:"thumbprint"`
}

// accountEvent attaches an account's URL to its key, follows a key rollover (RFC
// 8555 7.3.5), or ends what was granted to the account (7.3.6). If it names the binding, that must be the account's: nothing is changed otherwise.
func (a *api) accountEvent(c *call) (answer, error) {
	e, err := readAccountEvent(c.body)
	if err != nil {
		return answer{}, err
	}
	if e.kid != "" {
		if err := a.Service.AccountBoundBy(c.Context(), c.ca, cmp.Or(e.oldThumbprint, e.Account.Thumbprint), e.kid); err != nil {
			return answer{}, err
		}
	}
	switch e.Event {
	case "created":
		err = a.Service.AccountCreated(c.Context(), c.ca, e.Account.URL, e.Account.Thumbprint)
	case "key_changed":
		err = a.Service.AccountKeyChanged(c.Context(), c.ca, e.Account.URL, e.oldThumbprint, e.Account.Thumbprint)
	case "deactivated":
		err = a.Service.AccountDeactivated(c.Context(), c.ca, e.Account.Thumbprint)
	}
	if isNotFound(err) {
		return answer{}, newProblem(typeAccountDoesNotExist, "no account with this key is known")
	}
	if err != nil {
		return answer{}, err
	}
	return jsonAnswer(http.StatusOK, e)
}

func readAccountEvent(body []byte) (accountEvent, error) {
	m := &mistakes{}
	o, err := readBody(body, m)
	if err != nil {
		return accountEvent{}, err
	}
	e := accountEvent{Event: o.text("event", 32), oldThumbprint: o.text("old_thumbprint", 64)}
	o.require("event")
	o.require("account")
	e.kid = readKid(o, "kid")
	who := readAccount(o, nil, e.Event == "created")
	e.Account = known{URL: who.URL, Thumbprint: who.Thumbprint}
	switch e.Event {
	case "", "created", "deactivated":
	case "key_changed":
		o.require("old_thumbprint")
		if e.oldThumbprint != "" && e.oldThumbprint == who.Thumbprint {
			o.mistake("old_thumbprint", "the old key is the new one")
		}
	default:
		o.mistake("event", `an event is "created", "key_changed" or "deactivated"`)
	}
	if e.oldThumbprint != "" {
		if err := checkThumbprint(e.oldThumbprint); err != nil {
			o.mistake("old_thumbprint", err.Error())
		}
		if e.Event != "key_changed" {
			o.mistake("old_thumbprint", "only a key_changed event has an old key")
		}
	}
	o.closed()
	return e, m.err()
}
