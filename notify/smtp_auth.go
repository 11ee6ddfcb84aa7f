package notify

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wneessen/go-mail/smtp"
)

// The mechanisms that we speak, best first. The ones that hand over the password
// need TLS, or a server on this machine; go-mail sees to that.
const (
	scramPlus = "SCRAM-SHA-256-PLUS"
	scram     = "SCRAM-SHA-256"
	plain     = "PLAIN"
	login     = "LOGIN"
)

// authModes are the values of SMTPConfig.Auth.
var authModes = map[string][]string{
	"none":          nil,
	"auto":          {scramPlus, scram, plain, login},
	"scram-sha-256": {scramPlus, scram},
	"plain":         {plain},
	"login":         {login},
}

// authenticator logs in to an SMTP server. The mechanism is chosen here because
// go-mail's own discovery would also take CRAM-MD5 and NTLM.
type authenticator struct {
	host       string
	mechanisms []string
	username   string
	password   string
}

func newAuthenticator(c SMTPConfig) (authenticator, error) {
	mode := c.Auth
	if mode == "" {
		mode = "none"
		if c.Username != "" {
			mode = "auto"
		}
	}
	mechanisms, ok := authModes[mode]
	switch {
	case !ok:
		return authenticator{}, fmt.Errorf("there is no authentication %q", c.Auth)
	case mechanisms != nil && (c.Username == "" || c.Password == ""):
		return authenticator{}, errors.New("authentication needs a user name and a password")
	case mechanisms == nil && c.Username != "":
		return authenticator{}, errors.New(`authentication "none" has a user name`)
	}
	return authenticator{host: c.Host, mechanisms: mechanisms, username: c.Username, password: c.Password.Reveal()}, nil
}

func (a authenticator) authenticate(c *smtp.Client) error {
	if len(a.mechanisms) == 0 {
		return nil
	}
	_, parameters := c.Extension("AUTH")
	offered := strings.Fields(strings.ToUpper(parameters))
	state, err := c.GetTLSConnectionState()
	if err != nil {
		state = nil
	}
	for _, mechanism := range a.mechanisms {
		if slices.Contains(offered, mechanism) && (mechanism != scramPlus || state != nil) {
			return c.Auth(a.start(mechanism, state))
		}
	}
	return errNoMechanism
}

func (a authenticator) start(mechanism string, state *tls.ConnectionState) smtp.Auth {
	switch mechanism {
	case scramPlus:
		return smtp.ScramSHA256PlusAuth(a.username, a.password, state)
	case scram:
		return smtp.ScramSHA256Auth(a.username, a.password)
	case plain:
		return smtp.PlainAuth("", a.username, a.password, a.host, false)
	default:
		return smtp.LoginAuth(a.username, a.password, a.host, false)
	}
}
