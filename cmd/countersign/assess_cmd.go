package main

// assessCommand leaves its arguments to runAssess, which needs no configuration.
type assessCommand struct {
	Args []string `arg:"" optional:"" passthrough:"" name:"file" help:"The document; standard input unless given."`
}

// Run ends with the exit code that runAssess chose; it has said why.
func (c *assessCommand) Run(g *globals) error {
	if code := runAssess(c.Args, g.stdin, g.stdout, g.stderr); code != exitOK {
		return exitError(code)
	}
	return nil
}
