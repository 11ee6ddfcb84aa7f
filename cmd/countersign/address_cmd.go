package main

import "errors"

type addressCommand struct {
	Release releaseCommand `cmd:"" help:"Take an address from the person who has it here, when they have lost it."`
}

type releaseCommand struct {
	Address string `arg:"" help:"The e-mail address or telephone number."`
}

func (c *releaseCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		contact, err := a.anyContact(c.Address)
		if err != nil {
			return err
		}
		released, err := a.service.Release(a.ctx, contact)
		if err != nil {
			return err
		}
		if !released {
			return errors.New("nobody has " + contact.Shown + " here")
		}
		a.say("%s is nobody's now: the next code to it confirms it and authenticates nobody, and its former owner may bind another number", contact.Shown)
		return nil
	})
}
