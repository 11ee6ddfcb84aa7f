package challenges

import (
	"encoding/json"
	"fmt"
)

// callback is what a provider gave the browser to bring back (RFC 6749 4.1.2, RFC 9207).
type callback struct {
	Code, State, Iss, Error string
	// Issuer is the configured name in the path at which it arrived.
	Issuer string
}

const (
	maxCallback        = 16 << 10
	maxCallbackMembers = 40
)

// readCallback reads a JSON object of the parameters, each a string and given once. Parameters that
// nobody knows are ignored, as RFC 6749 4.1.2 asks. Beside them stands "issuer", which the page adds.
func readCallback(response json.RawMessage) (c callback, err error) {
	malformed := func(detail string) (callback, error) {
		return callback{}, refuse("response", oidcMalformed, detail)
	}
	if len(response) > maxCallback {
		return malformed("it is too large")
	}
	list, err := membersOf(response)
	if err != nil {
		return malformed(err.Error())
	}
	if len(list) > maxCallbackMembers {
		return malformed("it has too many parameters")
	}
	wanted := map[string]*string{"code": &c.Code, "state": &c.State, "iss": &c.Iss, "error": &c.Error, "issuer": &c.Issuer}
	for name, value := range list {
		var text string
		if err := json.Unmarshal(value, &text); err != nil || value[0] != '"' {
			return malformed(fmt.Sprintf("%.64q is not a string", name))
		}
		if into := wanted[name]; into != nil {
			*into = text
		}
	}
	return c, nil
}

// errorCodes are the errors of RFC 6749 4.1.2.1, OpenID Connect Core 3.1.2.6 and OpenID Connect
// Unmet Authentication Requirements 1.0 that people can do something about. What a provider says besides
// is not shown: its text is anybody's, since it comes with the browser.
var errorCodes = map[string]string{
	"access_denied":                     oidcDenied,
	"consent_required":                  oidcDenied,
	"login_required":                    oidcDenied,
	"interaction_required":              oidcDenied,
	"account_selection_required":        oidcDenied,
	"unmet_authentication_requirements": oidcTooWeak,
	"server_error":                      oidcProviderDown,
	"temporarily_unavailable":           oidcProviderDown,
}

// belongs says whether the answer is to that trip, and is one with a code. Where it came from is asked before
// what it says, so that nobody else's answer ends a trip with words of theirs.
func (c callback) belongs(s oidcState, p *provider, meta metadata) error {
	switch {
	case c.State == "" || !equal(hashOf(c.State), s.Ref):
		return refuse("state", oidcMixedUp, "the answer belongs to another attempt")
	case c.Issuer != s.Issuer: // RFC 9700 4.4.2.2
		return refuse("issuer", oidcMixedUp, "the answer came to the address of another identity provider")
	case c.Iss != "" && c.Iss != p.URL: // RFC 9207 2.4
		return refuse("iss", oidcMixedUp, "the answer is of another identity provider")
	case c.Iss == "" && meta.issParameter:
		return refuse("iss", oidcMixedUp, "the answer does not say which identity provider it is of, and this one always does")
	case c.Error != "":
		code := errorCodes[c.Error]
		if code == "" {
			code = oidcLoginFailed
		}
		return refuse("error", code, "the identity provider has given no code")
	case c.Code == "":
		return refuse("code", oidcMalformed, "there is no code")
	}
	return nil
}
