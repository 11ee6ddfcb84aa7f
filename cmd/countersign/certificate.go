package main

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"
)

// on says whether the listener speaks TLS.
func (c ListenerTLSConfig) on() bool { return c.CertFile != "" || c.KeyFile != "" }

// listener is one of the places that the service listens at.
type listener struct {
	name    string // for people; its setting ends with it
	address string
	tls     ListenerTLSConfig
	origin  string // what a certificate must be for; empty if nobody knows
	fits    func(pair) error
}

func (l listener) path() string { return "listeners." + l.name }

func (l listener) tlsPath() string {
	if l.name == tokenCertificate {
		return tokenCertificate
	}
	return l.path() + "_tls"
}

// all lists the listeners. That for operators is there only if it is set.
func (c *Config) listeners() []listener {
	all := []listener{
		{listenPeople, c.Listeners.People, c.Listeners.PeopleTLS, c.Origin, nil},
		{listenCAs, c.Listeners.CAs, c.Listeners.CAsTLS, c.apiOrigin(), nil},
	}
	if c.Listeners.Operators != "" {
		all = append(all, listener{listenOperators, c.Listeners.Operators, c.Listeners.OperatorsTLS, "", nil})
	}
	return all
}

// The names of the listeners.
const (
	listenPeople    = "people"
	listenCAs       = "cas"
	listenOperators = "operators"
)

// pair is a certificate with its key, and the sum of the files that they were read from.
type pair struct {
	*tls.Certificate
	sum [sha256.Size]byte
}

// fileError is what is wrong with one of the two files of a pair.
type fileError struct {
	setting string // that names the file
	error
}

func (e fileError) Unwrap() error { return e.error }

// maxPEM bounds the file of a certificate or a key.
const maxPEM = 1 << 20

// load reads both files and puts them together. The error is a fileError and repeats nothing
// that is in the files.
func (c ListenerTLSConfig) load() (pair, error) {
	cert, err := readPEM(c.CertFile, 0)
	if err != nil {
		return pair{}, fileError{"cert_file", err}
	}
	key, err := readPEM(c.KeyFile, 0o007)
	if err != nil {
		return pair{}, fileError{"key_file", err}
	}
	if _, err := firstCertificate(cert); err != nil {
		return pair{}, fileError{"cert_file", fmt.Errorf("%s: %w", c.CertFile, err)}
	}
	if strings.Contains(string(key), "ENCRYPTED") {
		return pair{}, fileError{"key_file", fmt.Errorf("the key in %s is encrypted: nobody is there to type its passphrase when the service starts", c.KeyFile)}
	}
	both, err := tls.X509KeyPair(cert, key)
	if err != nil {
		err = errors.New(strings.TrimPrefix(err.Error(), "tls: "))
		return pair{}, fileError{"key_file", fmt.Errorf("%s is not the key of the certificate in %s: %w", c.KeyFile, c.CertFile, err)}
	}
	return pair{&both, sha256.Sum256(append(cert, key...))}, nil
}

// readPEM reads a file whose mode has none of the forbidden bits.
func readPEM(path string, forbidden os.FileMode) ([]byte, error) {
	// A named pipe would block the opening for ever, so look first.
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot be read: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s must be a regular file", path)
	case info.Mode().Perm()&forbidden != 0:
		return nil, fmt.Errorf("%s can be read or written by everybody on this machine (mode %04o): run chmod o-rwx on it", path, info.Mode().Perm())
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPEM+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot be read: %w", err)
	case len(text) > maxPEM:
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxPEM)
	}
	return text, nil
}

// firstCertificate is the first certificate of a PEM file: that of the holder, by custom.
func firstCertificate(text []byte) (*x509.Certificate, error) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return nil, errors.New("there is no certificate in PEM form in it")
		}
		if block.Type == "CERTIFICATE" {
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("its first certificate cannot be read: %w", err)
			}
			return c, nil
		}
	}
}

// mostNotice is the longest before its end that a certificate is warned of.
const mostNotice = 14 * day

// remaining says how long the certificate still holds, and what is worth a word about that:
// an error if it does not hold now, a warning if it ends soon. Soon is the last third of a
// short life, since such certificates are meant to be replaced late.
func remaining(c *x509.Certificate, now time.Time) (left time.Duration, warning, err error) {
	left = c.NotAfter.Sub(now)
	notice := min(mostNotice, c.NotAfter.Sub(c.NotBefore)/3)
	switch {
	case left <= 0:
		return left, nil, fmt.Errorf("the certificate has expired on %s: replace both files, it is taken up without a restart", when(c.NotAfter))
	case now.Before(c.NotBefore):
		return left, nil, fmt.Errorf("the certificate is not valid before %s: is this machine's clock right?", when(c.NotBefore))
	case left < notice:
		return left, fmt.Errorf("the certificate ends on %s, in %s: replace both files, they are taken up without a restart", when(c.NotAfter), roughly(left)), nil
	}
	return left, nil, nil
}

// roughly is a time as people say it.
func roughly(d time.Duration) string {
	if d < 2*day {
		return fmt.Sprintf("%d hours", int(d/time.Hour))
	}
	return fmt.Sprintf("%d days", int(d/day))
}

// validateCertificates reads the listeners' certificates. One that has expired is no
// mistake: the service must come up all the same, to take up its successor.
func (c *Config) validateCertificates(r *report, now time.Time) {
	for _, l := range append(c.listeners(), c.tokens()) {
		path := l.tlsPath()
		if l.tls.CertFile == "" || l.tls.KeyFile == "" {
			continue
		}
		p, err := l.tls.load()
		if err == nil && l.fits != nil {
			err = l.fits(p)
		}
		if err != nil {
			if at, ok := errors.AsType[fileError](err); ok {
				path = join(path, at.setting)
			}
			r.mistake(path, "%v", err)
			continue
		}
		_, warning, err := remaining(p.Leaf, now)
		if err = errors.Join(warning, err); err != nil {
			r.warning(join(path, "cert_file"), "%v", err)
		}
		if u, err := url.Parse(l.origin); err == nil && u.Hostname() != "" && len(c.Listeners.TrustedProxies) == 0 && p.Leaf.VerifyHostname(u.Hostname()) != nil {
			r.warning(join(path, "cert_file"), "the certificate is not for %s, where this listener is reached: whoever comes there will be warned off", u.Hostname())
		}
	}
}
