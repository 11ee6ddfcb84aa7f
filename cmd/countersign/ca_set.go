package main

import (
	"strings"

	"github.com/countersign-id/countersign/proofing"
)

type caSetCommand struct {
	Name            string   `arg:"" help:"The CA."`
	CAAIdentity     []string `name:"caa-identity" xor:"caa" help:"A name that it has in CAA records (repeatable). They take the place of those before." placeholder:"NAME"`
	NoCAAIdentities bool     `name:"no-caa-identities" xor:"caa" help:"It has no name in CAA records."`
}

func (c *caSetCommand) Run(g *globals) error {
	if len(c.CAAIdentity) == 0 && !c.NoCAAIdentities {
		return usagef("say what to change: give --caa-identity or --no-caa-identities")
	}
	if err := checkCAAIdentities(c.CAAIdentity); err != nil {
		return err
	}
	return g.administer(false, func(a *admin) error {
		if _, err := a.living(c.Name); err != nil {
			return err
		}
		_, err := a.service.ChangeAuthority(a.ctx, c.Name, func(ca *proofing.Authority) error {
			ca.CAAIdentities = c.CAAIdentity
			return nil
		})
		if err != nil {
			return noSuchCA(err, c.Name)
		}
		if c.NoCAAIdentities {
			a.say("%s has no name in CAA records: where they let only some CAs issue, it is none of them", c.Name)
			return nil
		}
		a.say("%s is called %s in CAA records", c.Name, strings.Join(c.CAAIdentity, ", "))
		return nil
	})
}

func checkCAAIdentities(names []string) error {
	for _, name := range names {
		if name != strings.ToLower(name) || !strings.Contains(name, ".") || !proofing.IssuerDomain(name) {
			return usagef("%q cannot be a CAA identity: it is a domain name in lower case (RFC 8659 4.2)", name)
		}
	}
	return nil
}
