package webauthn

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
)

// COSE algorithms (RFC 9053, RFC 8812) that a credential may use.
const (
	ES256 int64 = -7
	EdDSA int64 = -8
	ES384 int64 = -35
	ES512 int64 = -36
	RS256 int64 = -257
)

// Config says who the relying party is and whom it trusts.
type Config struct {
	// ID is the RP ID: the host name of the origins, or a parent of it that is not a
	// public suffix. Credentials are tied to it for good.
	ID string
	// Name is shown to people by their authenticators.
	Name string
	// Origins are the pages from which ceremonies are accepted, exactly as browsers
	// write them: https://host or https://host:port, in lower case, without the
	// default port; http for localhost alone.
	Origins []string
	// Timeout is how long a ceremony lasts; 0 means five minutes (WebAuthn 15.1
	// recommends five to ten).
	Timeout time.Duration
	// Algorithms are offered in this order; nil means ES256, EdDSA, RS256.
	Algorithms []int64
	// Policy is that of ceremonies that bring none; its zero value accepts every
	// authenticator.
	Policy Policy
	// MDS is FIDO's metadata; nil means that there is none, and then only Roots vouch.
	MDS *MDS
	// Roots vouch for attestations beside the metadata's.
	Roots []*x509.Certificate
	// FIPS140 is what the operator knows from NIST's list of validated modules, by
	// AAGUID. It replaces what the metadata says.
	FIPS140 map[AAGUID]FIPS140
	// Now is the clock; nil means time.Now. The library reads the machine's clock when
	// it looks at the dates of an attestation certificate that is being registered.
	Now func() time.Time
}

// RelyingParty runs ceremonies. It keeps nothing of them and may be used by many
// goroutines at once.
type RelyingParty struct {
	config    Config
	roots     *x509.CertPool
	verdicts  verdicts
	challenge func(p Purpose, rpID string, nonce, binding []byte) []byte // Challenge, outside tests
}

// New checks a configuration and reports every mistake in it.
func New(c Config) (*RelyingParty, error) {
	var mistakes []error
	if err := protocol.ValidateRPID(c.ID); err != nil || c.ID != strings.ToLower(c.ID) {
		mistakes = append(mistakes, fmt.Errorf("id %q is not the name of a host in lower case", c.ID))
	}
	if c.Name == "" {
		mistakes = append(mistakes, errors.New("name is empty"))
	}
	if len(c.Origins) == 0 {
		mistakes = append(mistakes, errors.New("there is no origin"))
	}
	for _, o := range c.Origins {
		if err := checkOrigin(o, c.ID); err != nil {
			mistakes = append(mistakes, fmt.Errorf("origin %q %w", o, err))
		}
	}
	if c.Timeout < 0 {
		mistakes = append(mistakes, errors.New("timeout is negative"))
	}
	for _, a := range c.Algorithms {
		if !slices.Contains([]int64{ES256, EdDSA, ES384, ES512, RS256}, a) {
			mistakes = append(mistakes, fmt.Errorf("algorithm %d is not served", a))
		}
	}
	if err := c.Policy.check(); err != nil {
		mistakes = append(mistakes, err)
	}
	if len(mistakes) > 0 {
		return nil, fmt.Errorf("webauthn: relying party: %w", errors.Join(mistakes...))
	}
	c.Timeout = cmp.Or(c.Timeout, 5*time.Minute)
	if len(c.Algorithms) == 0 {
		c.Algorithms = []int64{ES256, EdDSA, RS256}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	rp := &RelyingParty{config: c, roots: x509.NewCertPool(), challenge: Challenge}
	for _, root := range c.Roots {
		rp.roots.AddCert(root)
	}
	return rp, nil
}

// checkOrigin refuses what no browser would write as the origin of a page that may
// use the RP ID (WebAuthn 5.1.3, step 8).
func checkOrigin(origin, id string) error {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || origin != u.Scheme+"://"+u.Host || origin != strings.ToLower(origin) {
		return errors.New("is not scheme://host[:port] in lower case")
	}
	host := u.Hostname()
	if host != id && !strings.HasSuffix(host, "."+id) {
		return fmt.Errorf("is not on %s", id)
	}
	local := host == "localhost" || strings.HasSuffix(host, ".localhost")
	switch {
	case u.Scheme != "https" && !(u.Scheme == "http" && local):
		return errors.New("is not https (http is for localhost alone)")
	case strings.HasSuffix(u.Host, ":") || u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80":
		return errors.New("names the default port, which browsers leave out")
	}
	return nil
}
