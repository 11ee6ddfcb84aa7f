package main

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/countersign-id/countersign/proofing"
)

type personCommand struct {
	Unblock personUnblockCommand `cmd:"" help:"Let a person's recovery codes be used again after too many wrong ones in a row."`
	Erase   personEraseCommand   `cmd:"" help:"Forget a person who has asked for it and cannot sign in; who can does it on their own page."`
}

type personEraseCommand struct {
	Who  string `arg:"" name:"address" help:"An address or number of theirs, or their id."`
	Sure bool   `help:"Do it. Without this only what would go is said."`
}

func (c *personEraseCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		id, err := a.personOf(c.Who)
		if err != nil {
			return err
		}
		known, err := a.service.KnownOf(a.ctx, id)
		if errors.Is(err, proofing.ErrNotFound) {
			return usagef("nobody has %s here", c.Who)
		}
		if err != nil {
			return err
		}
		if !c.Sure {
			a.say("%s (%s) has %d addresses and authenticators, %d requests that wait, %d grants that stand, and %d roles that stand or wait%s", c.Who, id, known.Bindings, known.Open, known.Granted, len(known.Offices), rolesOf(known.Offices))
			return usagef("all of it ends, and nothing brings it back: say --sure once you have made sure who asks")
		}
		a.say("%s is the person %s; if this breaks off, the service goes on with it, and so does the same command with that id", c.Who, id)
		// Their record goes once the log has its last entry, which nobody else may be there to write.
		if err := a.sequencing(func() error { return a.service.Forget(a.ctx, id) }); err != nil {
			return err
		}
		a.say("%s is forgotten: requests that waited and grants have ended, the log says no more who it was, and every address of theirs is told as soon as the service runs", c.Who)
		return nil
	})
}

func rolesOf(roles []proofing.Role) string {
	if len(roles) == 0 {
		return ""
	}
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// sequencing does something while the log is written, if no service is there that writes it.
func (a *admin) sequencing(work func() error) error {
	a.service.Start()
	ctx, stop := context.WithCancel(a.ctx)
	var writes sync.WaitGroup
	writes.Go(func() { a.service.Sequence(ctx) })
	defer writes.Wait()
	defer stop()
	return work()
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
