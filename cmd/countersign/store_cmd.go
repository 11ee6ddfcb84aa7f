package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

type storeCommand struct {
	Copy   storeCopyCommand   `cmd:"" help:"Move the store to where another configuration has it: from a file to Redis, or back."`
	Reopen storeReopenCommand `cmd:"" help:"Take a store that was moved into use again."`
	Erase  storeEraseCommand  `cmd:"" help:"Remove everything from a store that was moved, or from half a copy."`
}

type storeCopyCommand struct {
	To string `required:"" placeholder:"FILE" help:"The configuration with the new store; its key ring is the same. The old one is that of --config."`
}

// Run moves a store and marks the old one, so that nobody serves it by mistake.
func (c *storeCopyCommand) Run(g *globals) error {
	old, _, err := loadConfig(g.configFile, g.environ, storeSecrets)
	if err != nil {
		return err
	}
	next, _, err := loadConfig(c.To, g.environ, storeSecrets)
	if err != nil {
		return err
	}
	m := move{globals: g, from: old.Store, to: next.Store}
	total, err := m.run(c.To)
	if errors.Is(err, store.ErrAlready) {
		g.say("%s was moved to %s before: there is nothing left to do", m.from.whole(), m.to.whole())
		return nil
	}
	if err != nil {
		return m.explain(err)
	}
	g.say("moved %d values and %d counters from %s to %s; all of it was read back and is the same", total.Values, total.Counters, m.from.whole(), m.to.whole())
	g.say("from now on use --config %s with every command; %s is marked as moved, and is not served any more", c.To, m.from.whole())
	g.say("once you are sure, `countersign --config %s store erase` removes what is in the old one", g.configFile)
	return nil
}

// move is a store on its way.
type move struct {
	*globals
	from, to StoreConfig

	mu   sync.Mutex
	said time.Time // when progress was told last
}

// whole is place in words that tell two stores apart, wherever they are read.
func (c StoreConfig) whole() string {
	if c.Kind == storeRedis {
		return c.place() + " with prefix " + c.Redis.Prefix
	}
	if path, err := filepath.Abs(c.Path); err == nil {
		return "the file " + path
	}
	return "the file " + c.Path
}

func (m *move) run(toFile string) (store.Total, error) {
	if m.from.whole() == m.to.whole() {
		return store.Total{}, usagef("%s and %s have the same store, %s: name a configuration that differs in store:", m.configFile, toFile, m.from.whole())
	}
	if m.from.Kind == storeSQLite && m.to.Kind == storeSQLite {
		return store.Total{}, usagef("both stores are files: `countersign backup` and `countersign restore` copy one")
	}
	ring, err := m.rings()
	if err != nil {
		return store.Total{}, err
	}
	if m.from.Kind == storeSQLite && notThere(m.from.Path) {
		return store.Total{}, usagef("there is no store at %s: check store.path in %s", m.from.Path, m.configFile)
	}
	to, err := m.open(m.to)
	if err != nil {
		return store.Total{}, err
	}
	total, err := m.copyTo(to, ring)
	return total, errors.Join(err, to.Close())
}

// rings wants both configurations to have the keys of the store.
func (m *move) rings() (*store.Ring, error) {
	ring, err := openRing(m.from, false, m.now)
	if err != nil || m.from.KeyRing == m.to.KeyRing {
		return ring, err
	}
	other, err := openRing(m.to, false, m.now)
	if err != nil {
		return nil, err
	}
	if !ring.Same(other) {
		return nil, usagef("the key rings %s and %s differ: what is copied stays sealed, so both configurations need the same", m.from.KeyRing, m.to.KeyRing)
	}
	return ring, nil
}

// open opens a store that may be marked, empty, or half a copy.
func (m *move) open(c StoreConfig) (store.Movable, error) {
	if c.Kind == storeSQLite {
		return store.OpenSQLite(m.ctx, c.Path, store.Options{Now: m.now})
	}
	o, err := c.Redis.options()
	if err != nil {
		return nil, err
	}
	kv, err := store.OpenRedis(m.ctx, o)
	if err != nil {
		return nil, err
	}
	there, err := kv.Clock(m.ctx)
	if err == nil {
		err = checkClock(m.now(), there, c.place()).err
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the clock of %s: %w", c.place(), err), kv.Close())
	}
	return kv, nil
}

func (m *move) copyTo(to store.Movable, ring *store.Ring) (total store.Total, err error) {
	c := store.Copy{To: to, FromPlace: m.from.whole(), ToPlace: m.to.whole(), Ring: ring, Now: m.now, Progress: m.tell}
	if m.from.Kind == storeSQLite {
		if err := m.closeFile(c); err != nil {
			return store.Total{}, err
		}
	}
	if c.From, err = m.open(m.from); err != nil {
		return store.Total{}, err
	}
	total, err = c.Run(m.ctx)
	return total, errors.Join(err, c.From.Close())
}

// closeFile marks the store in a file, and then sees that no process has it open. In this order nobody slips
// through: who opened it before is seen, and who comes after reads the mark.
func (m *move) closeFile(c store.Copy) error {
	if err := store.Unused(m.ctx, m.from.Path); err != nil { // as a rule it is found before anything is marked
		return err
	}
	fresh := false
	err := m.withSource(func(kv store.Movable) (err error) {
		c.From = kv
		fresh, err = c.Begin(m.ctx)
		return err
	})
	if err != nil {
		return err
	}
	err = store.Unused(m.ctx, m.from.Path)
	if err != nil && fresh {
		err = errors.Join(err, m.withSource(func(kv store.Movable) error { return store.Reopen(context.WithoutCancel(m.ctx), kv, false) }))
	}
	return err
}

func (m *move) withSource(work func(kv store.Movable) error) error {
	kv, err := m.open(m.from)
	if err != nil {
		return err
	}
	return errors.Join(work(kv), kv.Close())
}

// progressEvery is the time between two lines about a copy that takes long.
const progressEvery = 5 * time.Second

func (m *move) tell(p store.Progress) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.said.IsZero() {
		m.said = time.Now()
	}
	if time.Since(m.said) < progressEvery {
		return
	}
	m.said = time.Now()
	doing := "copied"
	if p.Checking {
		doing = "read back"
	}
	m.globals.say("%s %d values and %d counters so far", doing, p.Values, p.Counters)
}

// explain adds to an error what to do about it.
func (m *move) explain(err error) error {
	switch {
	case errors.Is(err, store.ErrInUse):
		return fmt.Errorf("%w: stop every server and command that uses either store, and run this again", err)
	case errors.Is(err, store.ErrNotEmpty):
		return usageError{fmt.Errorf("%w: nothing was changed; a copy goes only where nothing is (`countersign --config FILE store erase` empties a store that was moved away or is half a copy)", err)}
	case errors.Is(err, store.ErrChanged):
		return fmt.Errorf("%w: something still uses one of them; stop it, and run this again. Until then neither is served", err)
	case errors.Is(err, store.ErrMoved), errors.Is(err, store.ErrHalf), errors.Is(err, store.ErrForeignRing):
		return m.from.unfit(err)
	case errors.Is(err, store.ErrNotStore):
		return notStore(err, "name a new file in store.path")
	case errors.Is(err, proofing.ErrNotFound):
		return usagef("there is no store at %s", m.from.whole())
	case errors.Is(err, proofing.ErrUnavailable):
		return fmt.Errorf("%w: run this again: it goes on where it was, and a store that it has marked is not served until then", err)
	}
	return err
}

// unfit says of a store why it is not used, and what to do.
func (c StoreConfig) unfit(err error) error {
	switch {
	case errors.Is(err, store.ErrForeignRing):
		return usageError{fmt.Errorf("%s is not the key ring of the store %s: put the right copy there; nothing was written (%w)", c.KeyRing, c.place(), err)}
	case errors.Is(err, store.ErrMoved):
		return usageError{fmt.Errorf("the store %s is not to be used: %w. Name the other one in the configuration; if the move was not finished, `countersign store copy` goes on with it; `countersign store reopen` takes this one into use again", c.place(), err)}
	case errors.Is(err, store.ErrHalf):
		return usageError{fmt.Errorf("the store %s is not to be used: %w. `countersign store copy` goes on with it, `countersign store erase` removes it", c.place(), err)}
	}
	return err
}

type storeReopenCommand struct {
	AlthoughMoved bool `help:"Also if all of it was moved: what the other store was told since then is not in this one, and a code that was spent there is good again."`
}

func (c *storeReopenCommand) Run(g *globals) error {
	return g.onMarked(func(s StoreConfig, kv store.Movable) error {
		err := store.Reopen(g.ctx, kv, c.AlthoughMoved)
		if errors.Is(err, store.ErrMoved) {
			return usageError{fmt.Errorf("%w: what happened there since is not in %s. Move that one back with `countersign store copy`, or give up what happened with --although-moved", err, s.whole())}
		}
		if err != nil {
			return s.unfit(err)
		}
		g.say("%s may be used again", s.whole())
		return nil
	})
}

type storeEraseCommand struct{}

func (storeEraseCommand) Run(g *globals) error {
	return g.onMarked(func(s StoreConfig, kv store.Movable) error {
		total, err := store.Erase(g.ctx, kv, s.whole())
		if errors.Is(err, store.ErrNotMoved) {
			return usageError{fmt.Errorf("%w: only a store that was moved, or half a copy, is erased", err)}
		}
		if errors.Is(err, store.ErrInUse) {
			return fmt.Errorf("%w: stop it first", err)
		}
		if err != nil {
			return err
		}
		g.say("erased %d values and %d counters from %s", total.Values, total.Counters, s.whole())
		return nil
	})
}

// onMarked runs a command on a store that other commands refuse.
func (g *globals) onMarked(work func(s StoreConfig, kv store.Movable) error) error {
	c, _, err := loadConfig(g.configFile, g.environ, storeSecrets)
	if err != nil {
		return err
	}
	if c.Store.Kind == storeSQLite && notThere(c.Store.Path) {
		return usagef("there is no store at %s: check store.path in the configuration", c.Store.Path)
	}
	m := move{globals: g, from: c.Store}
	return m.withSource(func(kv store.Movable) error { return work(c.Store, kv) })
}
