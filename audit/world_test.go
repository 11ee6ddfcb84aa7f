package audit_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/challenges"
	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

// world is a log over a real store, with a clock that stands unless the test moves it.
type world struct {
	*proofing.Service
	*audit.Tree
	t    testing.TB
	kv   store.KV
	ring *store.Ring
	ca   *proofing.Authority
	at   time.Time
	n    int
}

func newWorld(t testing.TB) *world {
	t.Helper()
	ring, err := store.NewRing(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return newWorldOf(t, ring)
}

// newWorldOf is a log over a new store with these keys.
func newWorldOf(t testing.TB, ring *store.Ring) *world {
	t.Helper()
	kv, err := store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "w.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kv.Close() })
	return worldOver(t, kv, ring)
}

// worldOver is the log over a store and its keys, as another process has it.
func worldOver(t testing.TB, kv store.KV, ring *store.Ring) *world {
	t.Helper()
	w := &world{t: t, kv: kv, ring: ring, at: time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC), ca: &proofing.Authority{Name: "alpha", Profiles: []string{"email"}}}
	hasher, err := ring.Hasher()
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return w.at }
	w.Service = &proofing.Service{
		Cases: store.NewTable[proofing.Case](kv, ring, "case"), People: store.NewTable[proofing.Person](kv, ring, "person"),
		Addresses: store.NewTable[proofing.Address](kv, ring, "address"), Accounts: store.NewTable[proofing.Account](kv, ring, "account"),
		Keys: store.NewTable[proofing.Key](kv, ring, "eab_key"), Authorities: store.NewTable[proofing.Authority](kv, ring, "authority"),
		Registry: store.NewTable[proofing.RegistryEntry](kv, ring, "registry"),
		Feeds:    store.NewTable[proofing.Feed](kv, ring, "feed"), Pages: store.NewTable[proofing.Page](kv, ring, "page"),
		Leases:       store.NewTable[proofing.Lease](kv, ring, "lease"),
		Appointments: store.NewTable[proofing.Appointment](kv, ring, "appointment"), Dossiers: store.NewTable[proofing.Organization](kv, ring, "organization"),
		Administration: store.NewTable[proofing.Administration](kv, ring, "administration"),
		Certificates:   store.NewTable[proofing.Certificate](kv, ring, "certificate"),
		PolicyBooks:    store.NewTable[proofing.PolicyBook](kv, ring, "policy_book"), PolicyProposals: store.NewTable[proofing.PolicyProposal](kv, ring, "policy_proposal"),
		Configurations: store.NewTable[proofing.Configuration](kv, ring, "configuration"),
		LogPages:       store.NewTable[proofing.LogPage](kv, ring, "log_page"), LogHeads: store.NewTable[proofing.LogHead](kv, ring, "log_head"),
		Methods: challenges.Table(challenges.Config{Hasher: hasher}),
		Limiter: store.NewLimiter(kv), Hasher: hasher, Now: clock, Log: slog.New(slog.DiscardHandler),
		Policy: proofing.Policy{
			Origin: "https://proof.example.org", Limits: proofing.DefaultLimits(), FreezeLifetime: 24 * time.Hour,
			Profiles: map[string]*proofing.Profile{"email": {
				Name: "email", Title: "Address", Framework: proofing.R4, Identifiers: []string{"email"}, Methods: []string{"email"},
				CaseLifetime: 7 * 24 * time.Hour, GrantLifetime: 30 * 24 * time.Hour, Retention: 90 * 24 * time.Hour,
			}},
		},
	}
	w.Tree = &audit.Tree{
		Tiles: store.NewTable[audit.Tile](kv, ring, "log_tile"), Heads: store.NewTable[audit.Head](kv, ring, "log_tree"),
		Page: w.LogPage, Hasher: hasher, Origin: "proof.example.org/log", Now: clock,
		Key: func() ed25519.PrivateKey {
			k, _ := ring.LogKey()
			return k.Private()
		},
		MakeKey: func() (ed25519.PrivateKey, error) {
			k, err := ring.MakeLogKey(time.Now())
			return k.Private(), err
		},
	}
	w.Recorder = w.Tree
	w.Start()
	return w
}

// open opens so many cases, each of which makes an entry, and returns their ids.
func (w *world) open(n int) (ids []string) {
	w.t.Helper()
	for range n {
		w.n++
		c, _, err := w.Open(context.Background(), w.ca, proofing.OpenRequest{
			Applicant:  proofing.Applicant{Kind: proofing.ByPublicKey, SPKI: fmt.Sprint("key ", w.n)},
			Identifier: proofing.Identifier{Type: "email", Value: fmt.Sprintf("a%d@example.org", w.n)}, Profile: "email", ExternalID: "<&> \u2028",
		})
		if err != nil {
			w.t.Fatal(err)
		}
		ids = append(ids, c.ID)
	}
	return ids
}

func (w *world) sequence() {
	w.t.Helper()
	if err := w.SequenceOnce(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) head() *audit.Head {
	w.t.Helper()
	h, err := w.Head(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

// leaf is the leaf of an entry.
func (w *world) leaf(place int64) string {
	w.t.Helper()
	e, _, err := w.LogEntry(context.Background(), place)
	if err != nil {
		w.t.Fatal(err)
	}
	return e.Leaf
}
