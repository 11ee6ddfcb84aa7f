package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

type caCertCommand struct {
	Add    caCertAddCommand    `cmd:"" help:"Let a CA authenticate by a client certificate, and print the pin of its key."`
	List   caCertListCommand   `cmd:"" help:"List the client certificates of a CA."`
	Remove caCertRemoveCommand `cmd:"" help:"Accept a client certificate no longer."`
}

type caCertAddCommand struct {
	Name string `arg:"" help:"The CA."`
	File string `arg:"" help:"The certificate (PEM); the first one counts. What is pinned is its key, so that a renewal for the same key needs nothing." placeholder:"FILE"`
}

func (c *caCertAddCommand) Run(g *globals) error {
	cert, err := clientCertificate(c.File, g.now())
	if err != nil {
		return err
	}
	return g.administer(false, func(a *admin) error {
		if _, err := a.living(c.Name); err != nil {
			return err
		}
		pin := proofing.PinOf(cert.RawSubjectPublicKeyInfo)
		err := a.service.PinCertificate(a.ctx, c.Name, proofing.AuthorityCertificate{Pin: pin, Subject: cert.Subject.String(), NotAfter: cert.NotAfter})
		if input, ok := errors.AsType[*proofing.InputError](err); ok {
			if input.Code == "pinned" {
				return usagef("the key of this certificate is pinned to the CA %s: `countersign ca cert remove %s %s` takes it away there", input.Detail, input.Detail, pin)
			}
			return usagef("%s: remove one first", input.Detail)
		}
		if err != nil {
			return noSuchCA(err, c.Name)
		}
		a.say("pinned the key of %s to %s; this certificate holds until %s, and another for the same key after it", cert.Subject, c.Name, when(cert.NotAfter))
		if !a.config.Listeners.CAsTLS.on() {
			a.say("listeners.cas_tls is not set: behind a proxy that ends TLS no client certificate reaches the service, and %s needs a token", c.Name)
		}
		_, err = fmt.Fprintln(a.stdout, pin)
		return err
	})
}

// clientCertificate reads a certificate that may be pinned. Who issued it does not
// matter, nor what for: whoever has its key is the CA from now on.
func clientCertificate(file string, now time.Time) (*x509.Certificate, error) {
	text, err := readPEM(file, 0)
	if err != nil {
		return nil, usagef("the certificate %w", err)
	}
	cert, err := firstCertificate(text)
	if err != nil {
		return nil, usagef("%s: %w", file, err)
	}
	if !now.Before(cert.NotAfter) {
		return nil, usagef("the certificate in %s has expired on %s", file, when(cert.NotAfter))
	}
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		if n := key.N.BitLen(); n < 2048 {
			return nil, usagef("the key of the certificate in %s is too small: RSA of %d bits, and 2048 are needed", file, n)
		}
	case *ecdsa.PublicKey, ed25519.PublicKey:
	default:
		return nil, usagef("the key of the certificate in %s is of a kind that TLS does not take: use ECDSA, Ed25519 or RSA", file)
	}
	return cert, nil
}

type caCertListCommand struct {
	Name string `arg:"" help:"The CA."`
	JSON bool   `name:"json" help:"For machines."`
}

type caCertView struct {
	Pin      string    `json:"pin"`
	Subject  string    `json:"subject"`
	Created  time.Time `json:"created"`
	NotAfter time.Time `json:"not_after"`
}

func viewCertificates(ca *proofing.Authority) (views []caCertView) {
	for _, c := range ca.Certificates {
		views = append(views, caCertView(c))
	}
	return views
}

func (c *caCertListCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		ca, err := a.authority(c.Name)
		if err != nil {
			return err
		}
		return list(g, c.JSON, viewCertificates(ca), []string{"PIN", "PINNED", "CERTIFICATE SEEN THEN", "UNTIL"}, func(v caCertView) []string {
			return []string{v.Pin, when(v.Created), v.Subject, when(v.NotAfter)}
		})
	})
}

type caCertRemoveCommand struct {
	Name string `arg:"" help:"The CA."`
	Pin  string `arg:"" help:"The pin, as 'ca cert list' shows it."`
}

func (c *caCertRemoveCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		before, err := a.authority(c.Name)
		if err != nil {
			return err
		}
		err = a.service.UnpinCertificate(a.ctx, c.Name, c.Pin)
		if errors.Is(err, proofing.ErrNotFound) {
			return usagef("the CA %s has no certificate with the pin %q: `countersign ca cert list %s` shows them", c.Name, c.Pin, c.Name)
		}
		if err != nil {
			return err
		}
		a.say("certificates with the pin %s are not accepted any more, on connections that are open too", c.Pin)
		if len(before.Certificates) == 1 && before.HasPinned(c.Pin) && !before.HasToken() {
			a.say("%s cannot call any more until `countersign ca token %s` or `ca cert add` gives it a credential", c.Name, c.Name)
		}
		return nil
	})
}
