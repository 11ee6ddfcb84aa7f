package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/countersign-id/countersign/store"
)

type backupCommand struct {
	File string `arg:"" help:"The new file. One that exists is not overwritten."`
}

func (c *backupCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		file, ok := a.storage.kv.(*store.SQLite)
		if !ok {
			return notOurs(a.config.Store)
		}
		err := file.Backup(a.ctx, c.File)
		if errors.Is(err, os.ErrExist) {
			return usagef("%s exists already: name a new file", c.File)
		}
		if err != nil {
			return err
		}
		a.say("wrote %s: it is of no use without the key ring %s, which is not in it; keep the two apart", c.File, a.config.Store.KeyRing)
		return nil
	})
}

// notOurs refuses to copy what Redis keeps: a copy of it that is of one moment only
// Redis can make.
func notOurs(c StoreConfig) error {
	return usagef("the store is %s, which has backups of its own: copy its append-only files (docs/decisions/0008-redis.md), and keep the key ring %s apart from them", c.place(), c.KeyRing)
}

type restoreCommand struct {
	File      string `arg:"" help:"The backup."`
	Overwrite bool   `help:"Replace the store that is there. Nothing may have it open."`
}

func (c *restoreCommand) Run(g *globals) error {
	config, _, err := loadConfig(g.configFile, g.environ, skipSecrets)
	if err != nil {
		return err
	}
	if config.Store.Kind != storeSQLite {
		return notOurs(config.Store)
	}
	// Without its keys a store that was restored would only be in the way.
	if _, err := openRing(config.Store, false, g.now); err != nil {
		return err
	}
	err = store.Restore(g.ctx, c.File, config.Store.Path, c.Overwrite)
	if errors.Is(err, os.ErrExist) {
		return usagef("there is a store at %s: stop what uses it, and --overwrite it if that is meant", config.Store.Path)
	}
	if errors.Is(err, store.ErrNotStore) {
		return notStore(err, "name a file that `countersign backup` wrote")
	}
	if errors.Is(err, store.ErrInUse) {
		return fmt.Errorf("stop the server first: the store %s is in use", config.Store.Path)
	}
	if err != nil {
		return err
	}
	err = g.administer(false, func(a *admin) error {
		a.say("restored %s from %s; what happened since that backup is gone", config.Store.Path, c.File)
		return nil
	})
	if errors.Is(err, store.ErrForeignRing) {
		return fmt.Errorf("%s is restored, but the key ring %s does not open it: put the copy there that belongs to the backup", config.Store.Path, config.Store.KeyRing)
	}
	return err
}
