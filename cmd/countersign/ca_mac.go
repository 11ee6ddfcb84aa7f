package main

import "github.com/countersign-id/countersign/proofing"

type caMACCommand struct {
	Release  caMACReleaseCommand  `cmd:"" help:"Give the CA the MAC keys of its active bindings, so that it verifies by itself. Weaker: see docs/dialects.md."`
	Withhold caMACWithholdCommand `cmd:"" help:"Give the CA no MAC keys from now on."`
}

type caMACReleaseCommand struct {
	Name    string `arg:"" help:"The CA."`
	Limited bool   `help:"Keys that are limited to identifiers too. The CA does not see the limit: its accounts may ask for whatever else the CA validates."`
}

func (c *caMACReleaseCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		ca, err := a.living(c.Name)
		if err != nil {
			return err
		}
		err = a.editCA(c.Name, func(ca *proofing.Authority) error {
			if ca.Release == nil {
				ca.Release = &proofing.KeyRelease{Since: a.time()}
			}
			ca.Release.Limited = c.Limited
			return nil
		})
		if err != nil {
			return noSuchCA(err, c.Name)
		}
		a.say("%s is given the MAC keys of its active bindings: it decides by itself how many accounts use one, and for what, and a key that is revoked works there until it asks again", c.Name)
		if len(ca.Directories) > 1 {
			a.say("it has several directories: each of its servers must say which one it is (countersign_directory of acme2certifier's handler, ?directory=URL in the URL of ACME-Server-ADCS), and is given no key before")
		}
		a.say("keys of profiles under which people decide (ev, approvals) are never among them")
		if !c.Limited {
			a.say("keys that are limited to identifiers, as those of people are, are not among them; --limited gives those too, and the CA does not see the limit")
		}
		return nil
	})
}

type caMACWithholdCommand struct {
	Name string `arg:"" help:"The CA."`
}

func (c *caMACWithholdCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		if _, err := a.living(c.Name); err != nil {
			return err
		}
		if err := a.editCA(c.Name, func(ca *proofing.Authority) error { ca.Release = nil; return nil }); err != nil {
			return noSuchCA(err, c.Name)
		}
		a.say("%s is given no MAC keys from now on. What it has it has: `countersign eab list %s --json` shows which keys were released", c.Name, c.Name)
		return nil
	})
}
