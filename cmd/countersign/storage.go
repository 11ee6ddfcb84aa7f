package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/countersign-id/countersign/challenges"
	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
	"github.com/countersign-id/countersign/webauthn"
)

// storage is the open store with its keys.
type storage struct {
	kv   store.KV
	ring *store.Ring
	made bool // the store was not there before

	// What a store has that several machines share; nil for a file.
	shared *store.Redis
	note   *note
}

// openStore opens the store that the configuration names. A server and any
// number of commands may have it open at once. With makeIt, a store that is not
// there is made, with its keys; without it that is a mistake, because a
// command in the wrong folder would otherwise find everything gone.
func openStore(ctx context.Context, c StoreConfig, makeIt bool, now func() time.Time) (*storage, error) {
	if c.Kind == storeRedis {
		return openRedis(ctx, c, makeIt, now)
	}
	missing := notThere(c.Path)
	if missing && !makeIt {
		return nil, usagef("there is no store at %s: check store.path in the configuration; `countersign ca add` makes the store when it adds the first CA", c.Path)
	}
	ring, err := openRing(c, missing, now)
	if err != nil {
		return nil, err
	}
	kv, err := store.OpenSQLite(ctx, c.Path, store.Options{Now: now})
	if errors.Is(err, store.ErrNotStore) {
		return nil, notStore(err, "check store.path in the configuration")
	}
	if err != nil {
		return nil, err
	}
	if err := claim(ctx, c, kv, ring); err != nil {
		return nil, errors.Join(err, kv.Close())
	}
	return &storage{kv: kv, ring: ring, made: missing}, nil
}

// claim ties the store to its key ring, and refuses another's. It refuses a store that was moved, too.
func claim(ctx context.Context, c StoreConfig, kv store.KV, ring *store.Ring) error {
	return c.unfit(store.Claim(ctx, kv, ring))
}

// openRing loads the keys. New ones are made only for a new store: what is
// in an old one could never be read with them.
func openRing(c StoreConfig, newStore bool, now func() time.Time) (*store.Ring, error) {
	ring, err := store.LoadRing(c.KeyRing)
	if !errors.Is(err, os.ErrNotExist) {
		return ring, err
	}
	if !newStore {
		return nil, usagef("the key ring %s of the store %s is missing: put your copy of it there (mode 0600); nobody can read the store without it", c.KeyRing, c.place())
	}
	if ring, err = store.NewRing(now()); err != nil {
		return nil, err
	}
	err = ring.Create(c.KeyRing)
	if errors.Is(err, os.ErrExist) { // another process made it at the same time
		return store.LoadRing(c.KeyRing)
	}
	if err != nil {
		return nil, fmt.Errorf("make the key ring: %w", err)
	}
	return ring, nil
}

// notStore is the store's own sentence about a file that is something else, and what to do.
func notStore(err error, hint string) error {
	return usagef("%s: %s", strings.TrimPrefix(err.Error(), "store: "), hint)
}

func notThere(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, os.ErrNotExist)
}

// Close lets go of the store.
func (s *storage) Close() error {
	if s.note != nil {
		s.note.leave()
	}
	return s.kv.Close()
}

// methods are the challenges that people can be given. Identity providers are for who serves people: they
// take secrets that the commands beside a server need not have.
func (c *Config) methods(hasher proofing.Hasher, mds *webauthn.MDS, withIssuers bool, now func() time.Time) (map[string]proofing.Method, error) {
	rp, err := c.relyingParty(mds, now)
	if err != nil {
		return nil, err
	}
	var oidc *challenges.OIDC
	if withIssuers {
		if oidc, err = c.oidc(now); err != nil {
			return nil, err
		}
	}
	return challenges.Table(challenges.Config{Hasher: hasher, Countries: c.SMS.Countries, Passkeys: rp, OIDC: oidc}), nil
}

// service makes the service over the store. Who serves people adds a Sender and
// a Signer; the verbs of the commands need neither.
func (s *storage) service(c *Config, now func() time.Time, log *slog.Logger) (*proofing.Service, error) {
	policy, err := c.policy()
	if err != nil {
		return nil, err
	}
	hasher, err := s.ring.Hasher()
	if err != nil {
		return nil, err
	}
	methods, err := c.methods(hasher, nil, false, now)
	if err != nil {
		return nil, err
	}
	return &proofing.Service{
		Cases:       store.NewTable[proofing.Case](s.kv, s.ring, "case"),
		People:      store.NewTable[proofing.Person](s.kv, s.ring, "person"),
		Addresses:   store.NewTable[proofing.Address](s.kv, s.ring, "address"),
		Accounts:    store.NewTable[proofing.Account](s.kv, s.ring, "account"),
		Keys:        store.NewTable[proofing.Key](s.kv, s.ring, "eab_key"),
		Authorities: store.NewTable[proofing.Authority](s.kv, s.ring, "authority"),
		Pins:        store.NewTable[proofing.Pin](s.kv, s.ring, "pin"),
		Registry:    store.NewTable[proofing.RegistryEntry](s.kv, s.ring, "registry"),
		Feeds:       store.NewTable[proofing.Feed](s.kv, s.ring, "feed"),
		Pages:       store.NewTable[proofing.Page](s.kv, s.ring, "page"),
		Leases:      store.NewTable[proofing.Lease](s.kv, s.ring, "lease"),
		LogPages:    store.NewTable[proofing.LogPage](s.kv, s.ring, "log_page"),
		LogHeads:    store.NewTable[proofing.LogHead](s.kv, s.ring, "log_head"),
		Brakes:      store.NewTable[proofing.Brake](s.kv, s.ring, "brake"),
		Tokens:      store.NewTable[proofing.SpentToken](s.kv, s.ring, "token"),
		Limiter:     store.NewLimiter(s.kv),
		Methods:     methods,
		Hasher:      hasher,
		Policy:      policy,
		Now:         now,
		Log:         log,

		Appointments:   store.NewTable[proofing.Appointment](s.kv, s.ring, "appointment"),
		Dossiers:       store.NewTable[proofing.Organization](s.kv, s.ring, "organization"),
		Administration: store.NewTable[proofing.Administration](s.kv, s.ring, "administration"),
		Certificates:   store.NewTable[proofing.Certificate](s.kv, s.ring, "certificate"),

		PolicyBooks:     store.NewTable[proofing.PolicyBook](s.kv, s.ring, "policy_book"),
		PolicyProposals: store.NewTable[proofing.PolicyProposal](s.kv, s.ring, "policy_proposal"),
		Configurations:  store.NewTable[proofing.Configuration](s.kv, s.ring, "configuration"),
	}, nil
}
