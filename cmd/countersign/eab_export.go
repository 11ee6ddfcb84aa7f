package main

import (
	"errors"

	"github.com/countersign-id/countersign/proofing"
)

type eabExportCommand struct {
	Pebble         eabExportPebbleCommand `cmd:"" help:"Print the members of Pebble's configuration that have the keys of a CA."`
	Acme2certifier eabExportA2CCommand    `cmd:"" name:"acme2certifier" help:"Write the key_file of acme2certifier's json_handler or file_handler."`
}

type eabExportPebbleCommand struct {
	CA        string `arg:"" name:"ca" help:"The CA."`
	Directory string `help:"The directory that Pebble serves, if the CA has several." placeholder:"URL"`
}

// pebbleConfig is what Pebble's configuration has of external account binding: MAC keys in base64url by their kids.
type pebbleConfig struct {
	Pebble struct {
		Required bool              `json:"externalAccountBindingRequired"`
		MACKeys  map[string]string `json:"externalAccountMACKeys"`
	} `json:"pebble"`
}

func (c *eabExportPebbleCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		ca, err := a.living(c.CA)
		if err != nil {
			return err
		}
		keys, err := a.service.ExportKeys(a.ctx, ca, c.Directory)
		if input, ok := errors.AsType[*proofing.InputError](err); ok {
			return usagef("--directory: %s", input.Detail)
		}
		if err != nil {
			return err
		}
		var out pebbleConfig
		out.Pebble.Required, out.Pebble.MACKeys = true, map[string]string{}
		for _, k := range keys {
			out.Pebble.MACKeys[k.Kid] = k.Secret.Reveal()
		}
		a.say("printing the MAC keys of %s, %d of them: whoever reads them can register accounts in the name of those to whom they were given. Keep them where nobody else reads, and out of logs.", ca.Name, len(keys))
		a.say("Pebble binds any number of accounts to a key, asks nobody again, and tells nobody: what is revoked, used up or expires works there until this is run again and Pebble has been started with it.")
		return writeJSON(a.stdout, out)
	})
}
