package main

import (
	"errors"

	"github.com/countersign-id/countersign/proofing"
)

type personCommand struct {
	Unblock personUnblockCommand `cmd:"" help:"Let a person's recovery codes be used again after too many wrong ones in a row."`
}

type personUnblockCommand struct {
	Who    string `arg:"" name:"address" help:"An address or number of theirs, or their id."`
	Forget bool   `name:"forget-codes" help:"Their codes are worth nothing from then on: somebody may have seen them."`
}

func (c *personUnblockCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		id, err := a.personOf(c.Who)
		if err != nil {
			return err
		}
		n, err := a.service.UnblockRecovery(a.ctx, id, c.Forget)
		if errors.Is(err, proofing.ErrNotFound) {
			return usagef("nobody has %s here", c.Who)
		}
		if err != nil {
			return err
		}
		switch {
		case c.Forget:
			a.say("%s has no recovery codes any more, and may make new ones at %s/me; wrong ones in a row before: %d", c.Who, a.config.Origin, n)
		case n == 0:
			a.say("%s was not blocked: there were no wrong recovery codes in a row", c.Who)
		default:
			a.say("%s may use their recovery codes again; wrong ones in a row before: %d", c.Who, n)
		}
		return nil
	})
}

// personOf is the id of who has an address here; an id is taken as it is.
func (a *admin) personOf(who string) (string, error) {
	if _, ok := proofing.IDBucket(who); ok {
		return who, nil
	}
	contact, err := a.anyContact(who)
	if err != nil {
		return "", err
	}
	id, err := a.service.Owner(a.ctx, contact)
	if errors.Is(err, proofing.ErrNotFound) {
		return "", usagef("nobody has %s here", contact.Shown)
	}
	return id, err
}
