package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/countersign-id/countersign/store"
)

type keysCommand struct {
	List    keysListCommand    `cmd:"" help:"List the keys that statements and the log are signed with."`
	Prepare keysPrepareCommand `cmd:"" help:"Make the keys of the next rotation, for other machines to have before it."`
	Rotate  keysRotateCommand  `cmd:"" help:"Take new keys into use, to seal and to sign with. The old ones stay, to read and to verify."`
	Reseal  keysResealCommand  `cmd:"" help:"Seal every record under the newest key, after a rotation."`
	Prune   keysPruneCommand   `cmd:"" help:"Forget the old keys, once nothing needs them."`
}

type keysListCommand struct {
	JSON bool `name:"json" help:"For machines."`
}

type keyView struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Retired time.Time `json:"retired,omitzero"`
	Next    bool      `json:"next,omitempty"` // it will sign from the next rotation on
	Log     bool      `json:"log,omitempty"`  // it signs the log's checkpoints, for good
}

func (v keyView) row() []string {
	state := "signs"
	switch {
	case v.Log:
		state = "signs the log"
	case v.Next:
		state = "next"
	case !v.Retired.IsZero():
		state = "retired " + when(v.Retired)
	}
	return []string{v.ID, when(v.Created), state}
}

func (c *keysListCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		var views []keyView
		if k, ok := a.storage.ring.NextSigningKey(); ok {
			views = append(views, keyView{ID: k.ID, Created: k.Created, Next: true})
		}
		for _, k := range a.storage.ring.SigningKeys() {
			views = append(views, keyView{ID: k.ID, Created: k.Created, Retired: k.Retired})
		}
		if k, ok := a.storage.ring.LogKey(); ok {
			views = append(views, keyView{ID: k.ID(), Created: k.Created, Log: true})
		}
		return list(g, c.JSON, views, []string{"ID", "CREATED", "STATE"}, keyView.row)
	})
}

type keysPrepareCommand struct{}

func (keysPrepareCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		err := a.storage.ring.Prepare(a.time())
		if errors.Is(err, store.ErrPrepared) {
			return usagef("the next keys are in %s already: copy it to every machine, and then run `countersign keys rotate` on one", a.config.Store.KeyRing)
		}
		if err != nil {
			return err
		}
		a.say("made the next keys in %s, and nothing uses them yet: copy it to every machine that serves this store, and then run `countersign keys rotate` on one", a.config.Store.KeyRing)
		return nil
	})
}

type keysRotateCommand struct{}

func (keysRotateCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		_, prepared := a.storage.ring.NextSigningKey()
		if err := a.storage.ring.Rotate(a.time()); err != nil {
			return err
		}
		a.say("new keys are in use in %s: copy it to where your copy of it is", a.config.Store.KeyRing)
		if a.config.Store.Kind == storeRedis && !prepared {
			a.say("copy it to every other machine that serves this store, now: until one has it, it cannot read what others write; `countersign keys prepare` avoids that")
		}
		a.say("a running server takes the new keys up within a second; then run `countersign keys reseal`")
		_, err := fmt.Fprintln(g.stdout, a.storage.ring.SigningKeys()[0].ID)
		return err
	})
}

type keysResealCommand struct{}

func (keysResealCommand) Run(g *globals) error {
	return g.administer(false, func(a *admin) error {
		n, err := store.Reseal(a.ctx, a.storage.kv, a.storage.ring)
		if err != nil {
			return fmt.Errorf("resealed %d records, then: %w: run it again to go on", n, err)
		}
		a.say("resealed %d records under the newest key; `countersign keys prune` forgets the old ones", n)
		return nil
	})
}

type keysPruneCommand struct {
	RetiredFor string `help:"Forget signing keys that were retired this long ago. No statement lives longer than a day." default:"30d" placeholder:"DURATION"`
}

func (c *keysPruneCommand) Run(g *globals) error {
	age, err := parseDuration(c.RetiredFor)
	if err != nil {
		return usagef("--retired-for %v", err)
	}
	if age < day {
		return usagef("--retired-for must be at least 1d: statements that were signed yesterday are still relied on")
	}
	return g.administer(false, func(a *admin) error {
		before := len(a.storage.ring.SigningKeys())
		if err := a.storage.ring.Prune(a.ctx, a.storage.kv, a.time().Add(-age)); err != nil {
			return fmt.Errorf("%w (`countersign keys reseal` does that)", err)
		}
		a.say("forgot the old sealing keys, and %d signing keys: records in older backups can only be read with an older copy of the key ring", before-len(a.storage.ring.SigningKeys()))
		return nil
	})
}
