package main

import "strings"

type limitsCommand struct {
	Unblock unblockCommand `cmd:"" help:"Let an address be used again after too many wrong answers in a row."`
}

type unblockCommand struct {
	CA      string `name:"ca" required:"" help:"The CA whose requests were refused." placeholder:"NAME"`
	Address string `arg:"" help:"The e-mail address or telephone number."`
}

func (c *unblockCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		if _, err := a.living(c.CA); err != nil {
			return err
		}
		method := methodSMS
		if strings.Contains(c.Address, "@") {
			method = methodEmail
		}
		contact, err := a.contact(method, c.Address)
		if err != nil {
			return err
		}
		n, err := a.service.Unblock(a.ctx, c.CA, contact)
		if err != nil {
			return err
		}
		if n == 0 {
			a.say("%s was not blocked: there were no wrong answers in a row", contact.Shown)
			return nil
		}
		a.say("%s may be used again; wrong answers in a row before: %d", contact.Shown, n)
		return nil
	})
}
