package proofing_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/challenges"
	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

// world is the service over a real embedded store, with a clock that the test
// moves and a provider that keeps what it is given.
type world struct {
	*proofing.Service
	t     testing.TB
	ca    *proofing.Authority
	other *proofing.Authority
	post  *post
	hook  *endpoint
	kv    store.KV
	ring  *store.Ring
	mu    sync.Mutex
	at    time.Time
	// forges: the test changes records behind the log's back, so that they do not agree in the end.
	forges bool
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

// post is a provider that a test can make fail.
type post struct {
	mu   sync.Mutex
	sent []proofing.Message
	fail func(proofing.Message) error
}

func (p *post) Send(_ context.Context, m proofing.Message) (proofing.Receipt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		if err := p.fail(m); err != nil {
			return proofing.Receipt{}, err
		}
	}
	p.sent = append(p.sent, m)
	return proofing.Receipt{Provider: "test", Reference: m.ID}, nil
}

func (p *post) all(kind string) []proofing.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.sent), func(m proofing.Message) bool { return m.Kind != kind })
}

// forget forgets what was sent.
func (p *post) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = nil
}

// last is the newest message of a kind.
func (p *post) last(t testing.TB, kind string) proofing.Message {
	t.Helper()
	all := p.all(kind)
	if len(all) == 0 {
		t.Fatalf("no %s was sent", kind)
	}
	return all[len(all)-1]
}

func profiles() map[string]*proofing.Profile {
	const day = 24 * time.Hour
	both := []proofing.Channel{proofing.ChannelEmail, proofing.ChannelPhone}
	all := []string{"dns", "ip", "email", "permanent-identifier", "hardware-module", "organization"}
	return map[string]*proofing.Profile{
		"email": {Name: "email", Title: "Address", Framework: proofing.R4, Identifiers: []string{"email"}, Methods: []string{"email"},
			Require:      proofing.Requirement{ConfirmedAddresses: []proofing.Channel{proofing.ChannelEmail}},
			CaseLifetime: 7 * day, GrantLifetime: 30 * day, RecheckAfter: day, Retention: 90 * day, SelfService: true},
		"client": {Name: "client", Title: "Client certificate", Framework: proofing.R4, Identifiers: []string{"email"}, Methods: []string{"email", "sms"},
			Require:      proofing.Requirement{ConfirmedAddresses: both},
			CaseLifetime: 7 * day, GrantLifetime: 30 * day, RecheckAfter: day, Retention: 90 * day},
		"device": {Name: "device", Title: "Device", Framework: proofing.R3, Identifiers: all, Methods: []string{"email"},
			Require:      proofing.Requirement{ConfirmedAddresses: both[:1]},
			CaseLifetime: 7 * day, GrantLifetime: 30 * day, Retention: 90 * day},
		"reviewed": {Name: "reviewed", Title: "Reviewed device", Framework: proofing.R3, Identifiers: all, Methods: []string{"email"}, ReviewEntitlement: true,
			Require:      proofing.Requirement{ConfirmedAddresses: both[:1]},
			CaseLifetime: 7 * day, GrantLifetime: 30 * day, Retention: 90 * day},
		"sign": {Name: "sign", Title: "Code signing", Framework: proofing.R4, Identifiers: []string{"email"}, Methods: []string{"email", "sms"}, RequireStart: true,
			Require:      proofing.Requirement{AAL: 1, AllMethods: []string{"email"}},
			CaseLifetime: 7 * day, GrantLifetime: 30 * day, Retention: 90 * day},
		"ev": {Name: "ev", Title: "EV code signing", Framework: proofing.R4, Identifiers: []string{"email"}, Methods: []string{"email"}, EV: true, Approvals: 2,
			Require:      proofing.Requirement{ConfirmedAddresses: both[:1]},
			CaseLifetime: 7 * day, GrantLifetime: 30 * day, Retention: 900 * day},
	}
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, at: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), post: &post{}, hook: &endpoint{}}
	kv, err := store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "w.db"), store.Options{Now: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kv.Close() })
	w.over(kv)
	return w
}

// over makes the service anew over a back end.
func (w *world) over(kv store.KV) {
	w.t.Helper()
	w.kv = kv
	ring, err := store.NewRing(w.clock())
	if err != nil {
		w.t.Fatal(err)
	}
	w.overRing(kv, ring)
	ctx := context.WithoutCancel(w.t.Context())
	w.ca, w.other = w.addCA(ctx, "alpha"), w.addCA(ctx, "beta")
}

func (w *world) overRing(kv store.KV, ring *store.Ring) {
	w.ring = ring
	hasher, err := ring.Hasher()
	if err != nil {
		w.t.Fatal(err)
	}
	limits := proofing.DefaultLimits()
	limits.AddressHour, limits.AddressDay, limits.ClientHour = 1000, 1000, 1000 // tests of limits set their own
	w.Service = &proofing.Service{
		Cases: store.NewTable[proofing.Case](kv, ring, "case"), People: store.NewTable[proofing.Person](kv, ring, "person"),
		Addresses: store.NewTable[proofing.Address](kv, ring, "address"), Accounts: store.NewTable[proofing.Account](kv, ring, "account"), Keys: store.NewTable[proofing.Key](kv, ring, "eab_key"),
		Authorities: store.NewTable[proofing.Authority](kv, ring, "authority"), Pins: store.NewTable[proofing.Pin](kv, ring, "pin"), Registry: store.NewTable[proofing.RegistryEntry](kv, ring, "registry"),
		Brakes: store.NewTable[proofing.Brake](kv, ring, "brake"), Feeds: store.NewTable[proofing.Feed](kv, ring, "feed"), Pages: store.NewTable[proofing.Page](kv, ring, "page"),
		LogPages: store.NewTable[proofing.LogPage](kv, ring, "log_page"), LogHeads: store.NewTable[proofing.LogHead](kv, ring, "log_head"),
		Leases: store.NewTable[proofing.Lease](kv, ring, "lease"), Caller: w.hook,
		Tokens:         store.NewTable[proofing.SpentToken](kv, ring, "token"),
		Appointments:   store.NewTable[proofing.Appointment](kv, ring, "appointment"),
		Dossiers:       store.NewTable[proofing.Organization](kv, ring, "organization"),
		Administration: store.NewTable[proofing.Administration](kv, ring, "administration"),
		Certificates:   store.NewTable[proofing.Certificate](kv, ring, "certificate"),
		PolicyBooks:    store.NewTable[proofing.PolicyBook](kv, ring, "policy_book"), PolicyProposals: store.NewTable[proofing.PolicyProposal](kv, ring, "policy_proposal"),
		Configurations: store.NewTable[proofing.Configuration](kv, ring, "configuration"),
		Limiter:        store.NewLimiter(kv), Methods: challenges.Table(challenges.Config{Hasher: hasher, Countries: []string{"GB", "US"}}),
		Sender: w.post, Signer: signer{}, Hasher: hasher, Now: w.clock, Log: slog.New(slog.DiscardHandler),
		Policy: proofing.Policy{
			Origin: "https://proof.example.org", Operator: "Example Operator", Profiles: profiles(), Digest: "digest",
			Limits: limits, FreezeLifetime: 24 * time.Hour,
		},
	}
	w.Start()
}

// signer stands in for the real one, which is tested where it lives.
type signer struct{}

func (signer) Sign(typ string, claims map[string]any) (string, error) { return "signed." + typ, nil }

func (w *world) addCA(ctx context.Context, name string) *proofing.Authority {
	w.t.Helper()
	ca := &proofing.Authority{ID: w.AuthorityID(name), Name: name, Title: "CA " + name, Created: w.clock()}
	for p := range w.Policy.Profiles {
		ca.Profiles = append(ca.Profiles, p)
	}
	if err := w.Authorities.Create(ctx, ca.ID, ca); err != nil {
		w.t.Fatal(err)
	}
	return ca
}

// request is an e-mail identifier of an account.
func request(profile string) proofing.OpenRequest {
	return proofing.OpenRequest{
		Applicant:  proofing.Applicant{Kind: proofing.ByAccount, URL: "https://ca.example/acct/1", Thumbprint: "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
		Identifier: proofing.Identifier{Type: "email", Value: "applicant@example.org"}, Profile: profile,
	}
}

func (w *world) open(profile string) *proofing.Case {
	w.t.Helper()
	c, _, err := w.Open(w.t.Context(), w.ca, request(profile))
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// visit is a request of a browser to the case.
func visit(c *proofing.Case, browser string) proofing.Visit {
	return proofing.Visit{Link: proofing.Secret(c.ID + "." + c.LinkSecret.Reveal()), Browser: proofing.Secret(browser), Client: "192.0.2.7", Lang: "en"}
}

// work does what the worker would have done by now.
func (w *world) work() {
	w.t.Helper()
	for range 50 {
		n, err := w.WorkOnce(context.WithoutCancel(w.t.Context()))
		if err != nil {
			w.t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
	w.t.Fatal("the outbox is never empty")
}

// prove sends a code to an address and answers it, all in one browser.
func (w *world) prove(c *proofing.Case, browser, method, address string) *proofing.Case {
	w.t.Helper()
	ctx := w.t.Context()
	_, a, err := w.Begin(ctx, visit(c, browser), method, address)
	if err != nil {
		w.t.Fatalf("begin %s: %v", method, err)
	}
	w.work()
	mine := slices.DeleteFunc(w.post.all(method+"_code"), func(m proofing.Message) bool { return !strings.HasPrefix(m.ID, c.ID+".") })
	if len(mine) == 0 {
		w.t.Fatalf("no %s code was sent for the case", method)
	}
	c, _, err = w.Answer(ctx, visit(c, browser), a.ID, mine[len(mine)-1].Code)
	if err != nil {
		w.t.Fatalf("answer %s: %v", method, err)
	}
	w.work()
	return c
}

func (w *world) reload(c *proofing.Case) *proofing.Case {
	w.t.Helper()
	ca := w.ca
	if c.CA != ca.Name {
		ca = w.other
	}
	c, err := w.Service.Get(w.t.Context(), ca, c.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func wantErr(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func wantLimit(t testing.TB, what string, err error, limit string) {
	t.Helper()
	if l, ok := errors.AsType[*proofing.LimitError](err); !ok || l.Limit != limit {
		t.Errorf("%s: %v, want limit %s", what, err, limit)
	}
}

func wantInput(t testing.TB, what string, err error, code string) {
	t.Helper()
	if i, ok := errors.AsType[*proofing.InputError](err); !ok || i.Code != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}
