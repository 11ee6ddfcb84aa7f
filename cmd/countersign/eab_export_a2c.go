package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/countersign-id/countersign/proofing"
)

type eabExportA2CCommand struct {
	CA        string `arg:"" name:"ca" help:"The CA."`
	Directory string `help:"The directory that acme2certifier serves, if the CA has several." placeholder:"URL"`
	Format    string `enum:"json,csv" default:"json" help:"json for its json_handler, csv for its file_handler."`
	File      string `help:"Write this file, readable by its owner alone, in one step; otherwise standard output." placeholder:"FILE"`
}

func (c *eabExportA2CCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		ca, err := a.living(c.CA)
		if err != nil {
			return err
		}
		keys, withheld, err := a.service.ReleaseKeys(a.ctx, ca, c.Directory)
		if errors.Is(err, proofing.ErrWithheld) {
			return usagef("%s is given no MAC keys: `countersign ca mac-keys release %s` says what that means", ca.Name, ca.Name)
		}
		if input, ok := errors.AsType[*proofing.InputError](err); ok {
			return usagef("--directory: %s", input.Detail)
		}
		if err != nil {
			return err
		}
		write := func(w io.Writer) error { return c.write(w, keys) }
		if c.File == "" {
			err = write(a.stdout)
		} else {
			err = writePrivate(c.File, write)
		}
		if err != nil {
			return err
		}
		a.say("exported %d keys of %s with their MAC keys; %d active ones are withheld, because what they rest on does not hold, their limit would be lost or their directory is not the CA's any more", len(keys), c.CA, withheld)
		a.say("acme2certifier uses them until the file is written anew: export as often as a revocation must take")
		return nil
	})
}

// write writes the file that acme2certifier's handlers read.
func (c *eabExportA2CCommand) write(w io.Writer, keys []*proofing.ReleasedKey) error {
	if c.Format == "json" {
		macs := map[string]string{}
		for _, k := range keys {
			macs[k.Kid] = k.Secret.Reveal()
		}
		return writeJSON(w, macs)
	}
	table := csv.NewWriter(w)
	rows := [][]string{{"eab_kid", "eab_mac"}}
	for _, k := range keys {
		rows = append(rows, []string{k.Kid, k.Secret.Reveal()})
	}
	if err := table.WriteAll(rows); err != nil {
		return fmt.Errorf("write keys: %w", err)
	}
	return nil
}

// writePrivate puts a file in the place of what is there, as a whole and with the mode 0600. Whoever reads it meanwhile
// reads the old one or the new one.
func writePrivate(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".export-*") // 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	return nil
}
