package main

type limitsCommand struct {
	Unblock unblockCommand `cmd:"" help:"Let an address be used again after too many wrong answers in a row."`
	Brake   brakeCommand   `cmd:"" help:"Show and lift what holds text messages back that nobody answers."`
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
		contact, err := a.anyContact(c.Address)
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
		a.say("%s may be used again; wrong answers in a row before: %d. If it was bound to a person and closed, it is bound anew by its next code, which authenticates nobody", contact.Shown, n)
		return nil
	})
}
