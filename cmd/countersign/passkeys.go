package main

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"time"

	"github.com/countersign-id/countersign/webauthn"
)

// relyingParty is who asks for passkeys. Without metadata no attestation is trusted. It is nil where
// the origin is an address and not a name: no browser makes passkeys there (WebAuthn Level 3, 5.1.3).
func (c *Config) relyingParty(mds *webauthn.MDS, now func() time.Time) (*webauthn.RelyingParty, error) {
	if !c.named() {
		return nil, nil
	}
	rp, err := webauthn.New(webauthn.Config{
		ID: c.rpID(), Name: cmp.Or(c.Operator.Name, c.rpID()), Origins: []string{c.Origin}, MDS: mds, Now: now,
	})
	if err != nil {
		return nil, fmt.Errorf("passkeys: %w", err)
	}
	return rp, nil
}

// rpID is the domain that passkeys are made for.
func (c *Config) rpID() string {
	if c.Passkeys.RPID != "" {
		return c.Passkeys.RPID
	}
	u, err := url.Parse(c.Origin)
	if err != nil { // validate has read it
		return ""
	}
	return u.Hostname()
}

// named says whether the origin has a name and not an address.
func (c *Config) named() bool {
	u, err := url.Parse(c.Origin)
	if err != nil {
		return false
	}
	_, err = netip.ParseAddr(u.Hostname())
	return err != nil
}

// metadata is what is known of models of authenticators; nil if nobody has configured it. An
// edition that cannot be had now does not keep the service from starting: until there is one, no
// attestation is trusted.
func (c *Config) metadata(ctx context.Context, now func() time.Time) (*webauthn.MDS, error) {
	if !c.Passkeys.known() {
		return nil, nil
	}
	m := webauthn.MDSConfig{Now: now, Source: webauthn.File(c.Passkeys.MetadataFile)}
	if c.Passkeys.MetadataURL != "" {
		m.Source = webauthn.URL{Address: c.Passkeys.MetadataURL, Client: newEgress(nil)}
		m.Keep = webauthn.KeptFile(c.Passkeys.MetadataFile)
	}
	mds, err := webauthn.OpenMDS(ctx, m)
	if err != nil {
		return nil, fmt.Errorf("passkeys: %w", err)
	}
	return mds, nil
}
