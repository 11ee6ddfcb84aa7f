package main

import (
	_ "embed"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// configExample is a configuration that works as it is, on one machine, and shows
// every setting.
//
//go:embed config.example.yaml
var configExample string

type configCommand struct {
	Check   configCheckCommand   `cmd:"" help:"Report every mistake in a configuration, and what it would do."`
	Example configExampleCommand `cmd:"" help:"Print a commented configuration that works as it is."`
}

type configCheckCommand struct {
	File      string `arg:"" optional:"" help:"The file to check; the one of --config unless given."`
	NoSecrets bool   `help:"Check how secrets are referred to, and not that they can be read here."`
}

// Run exits with 2 if there are mistakes. Warnings alone are no failure.
func (c *configCheckCommand) Run(g *globals) error {
	file := c.File
	if file == "" {
		file = g.configFile
	}
	use := readSecrets
	if c.NoSecrets {
		use = skipSecrets
	}
	config, report, err := loadConfig(file, g.environ, use)
	if err != nil {
		return err
	}
	report.print(g.stderr)
	_, err = fmt.Fprintf(g.stdout, "%s: ok: %s\n", file, config.summary(report))
	return err
}

// summary is what the configuration amounts to, in a line.
func (c *Config) summary(r *report) string {
	profiles := slices.Sorted(maps.Keys(c.Profiles))
	s := fmt.Sprintf("%s by %s, labels by %s, profiles %s, e-mail by %s, SMS by %s",
		c.Origin, c.Operator.Name, c.Assurance.Framework, strings.Join(profiles, " "), c.Providers.Email, c.Providers.SMS)
	switch n := r.warnings(); n {
	case 0:
		return s
	case 1:
		return s + "; 1 warning"
	default:
		return fmt.Sprintf("%s; %d warnings", s, n)
	}
}

type configExampleCommand struct{}

func (configExampleCommand) Run(g *globals) error {
	_, err := io.WriteString(g.stdout, configExample)
	return err
}
