package acme_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/acme"
	"github.com/countersign-id/countersign/challenges"
	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

const apiOrigin = "https://ca.proof.example.org"

// world is the interface over a real service and a real embedded store, with a
// clock and a store that the test governs, and every exchange held against the document.
type world struct {
	*proofing.Service
	t        testing.TB
	handler  http.Handler
	contract *contract
	kv       *shakyKV
	keys     ring
	policy   proofing.Policy
	replies  proofing.Table[acme.Reply]
	post     *post
	log      *syncBuffer
	ca       *proofing.Authority
	token    string // of the authority "alpha"
	stranger string // of the authority "beta"

	mu sync.Mutex
	at time.Time
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

// ring adapts the store's key ring, as the wiring does.
type ring struct{ *store.Ring }

func (r ring) SigningKey() *ecdsa.PrivateKey { return r.SigningKeys()[0].Private() }

func (r ring) PublicKeys() []*ecdsa.PublicKey {
	var list []*ecdsa.PublicKey
	for _, k := range r.SigningKeys() {
		list = append(list, &k.Private().PublicKey)
	}
	return list
}

// shakyKV is a back end that fails when it is told to.
type shakyKV struct {
	store.KV
	mu   sync.Mutex
	fail func(call string) bool
	read func(found bool) // is told of each record that is looked up
}

func (k *shakyKV) sabotage(fail func(call string) bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fail = fail
}

func (k *shakyKV) broken(call string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fail != nil && k.fail(call) {
		return fmt.Errorf("the test says no: %w", proofing.ErrUnavailable)
	}
	return nil
}

func (k *shakyKV) Get(ctx context.Context, bucket, name string, known uint64) (store.Item, error) {
	if err := k.broken("get"); err != nil {
		return store.Item{}, err
	}
	item, err := k.KV.Get(ctx, bucket, name, known)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.read != nil {
		k.read(err == nil)
	}
	return item, err
}

func (k *shakyKV) Apply(ctx context.Context, bucket string, ops []store.Op) error {
	if err := k.broken("apply"); err != nil {
		return err
	}
	return k.KV.Apply(ctx, bucket, ops)
}

// post keeps what was sent.
type post struct {
	mu   sync.Mutex
	sent []proofing.Message
}

func (p *post) Send(_ context.Context, m proofing.Message) (proofing.Receipt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, m)
	return proofing.Receipt{Provider: "test"}, nil
}

func (p *post) code(prefix string) proofing.Secret {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range slices.Backward(p.sent) {
		if m.Code != "" && strings.HasPrefix(m.ID, prefix) {
			return m.Code
		}
	}
	return ""
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOver(t, func(now func() time.Time) (store.KV, error) {
		return store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "w.db"), store.Options{Now: now})
	})
}

// newWorldOver is newWorld over another store.
func newWorldOver(t testing.TB, open func(now func() time.Time) (store.KV, error)) *world {
	t.Helper()
	const day = 24 * time.Hour
	w := &world{t: t, at: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), post: &post{}, log: &syncBuffer{}, contract: newContract(t)}
	kv, err := open(w.clock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kv.Close() })
	w.kv = &shakyKV{KV: kv}
	r, err := store.NewRing(w.clock())
	if err != nil {
		t.Fatal(err)
	}
	w.keys = ring{r}
	profile := func(name string, change func(*proofing.Profile)) *proofing.Profile {
		p := &proofing.Profile{Name: name, Title: name, Framework: proofing.R4, Identifiers: []string{"dns", "ip", "email"}, Methods: []string{"email"},
			Require:      proofing.Requirement{ConfirmedAddresses: []proofing.Channel{proofing.ChannelEmail}},
			CaseLifetime: 7 * day, GrantLifetime: 30 * day, RecheckAfter: day, Retention: 90 * day}
		if change != nil {
			change(p)
		}
		return p
	}
	limits := proofing.DefaultLimits()
	limits.AddressHour, limits.AddressDay, limits.ClientHour = 1000, 1000, 1000
	w.policy = proofing.Policy{
		Origin: "https://proof.example.org", Operator: "Example Operator", Digest: "digest", Limits: limits, FreezeLifetime: day,
		Profiles: map[string]*proofing.Profile{
			"client":   profile("client", func(p *proofing.Profile) { p.Identifiers = []string{"email"} }),
			"device":   profile("device", nil),
			"started":  profile("started", func(p *proofing.Profile) { p.RequireStart = true }),
			"reviewed": profile("reviewed", func(p *proofing.Profile) { p.Approvals = 2 }),
			"private":  profile("private", nil),
			"code": profile("code", func(p *proofing.Profile) {
				p.Identifiers, p.CSR = []string{"organization", "email"}, codeSigning
			}),
		},
	}
	w.Service, w.handler = w.process(t)
	w.ca, w.token = w.addCA("alpha")
	_, w.stranger = w.addCA("beta")
	return w
}

// process is a service of its own over the world's store, and its interface.
func (w *world) process(t testing.TB) (*proofing.Service, http.Handler) {
	t.Helper()
	r := w.keys.Ring
	hasher, err := r.Hasher()
	if err != nil {
		t.Fatal(err)
	}
	s := &proofing.Service{
		Cases: store.NewTable[proofing.Case](w.kv, r, "case"), People: store.NewTable[proofing.Person](w.kv, r, "person"),
		Addresses: store.NewTable[proofing.Address](w.kv, r, "address"), Accounts: store.NewTable[proofing.Account](w.kv, r, "account"), Keys: store.NewTable[proofing.Key](w.kv, r, "eab_key"),
		Authorities: store.NewTable[proofing.Authority](w.kv, r, "authority"), Pins: store.NewTable[proofing.Pin](w.kv, r, "pin"), Registry: store.NewTable[proofing.RegistryEntry](w.kv, r, "registry"),
		Feeds: store.NewTable[proofing.Feed](w.kv, r, "feed"), Pages: store.NewTable[proofing.Page](w.kv, r, "page"), Leases: store.NewTable[proofing.Lease](w.kv, r, "lease"),
		LogPages: store.NewTable[proofing.LogPage](w.kv, r, "log_page"), LogHeads: store.NewTable[proofing.LogHead](w.kv, r, "log_head"),
		Tokens:         store.NewTable[proofing.SpentToken](w.kv, r, "token"),
		Appointments:   store.NewTable[proofing.Appointment](w.kv, r, "appointment"),
		Dossiers:       store.NewTable[proofing.Organization](w.kv, r, "organization"),
		Administration: store.NewTable[proofing.Administration](w.kv, r, "administration"),
		Certificates:   store.NewTable[proofing.Certificate](w.kv, r, "certificate"),
		PolicyBooks:    store.NewTable[proofing.PolicyBook](w.kv, r, "policy_book"), PolicyProposals: store.NewTable[proofing.PolicyProposal](w.kv, r, "policy_proposal"),
		Configurations: store.NewTable[proofing.Configuration](w.kv, r, "configuration"),
		Limiter:        store.NewLimiter(w.kv), Methods: challenges.Table(challenges.Config{Hasher: hasher, Countries: []string{"GB", "US"}}),
		Sender: w.post, Signer: acme.NewSigner(w.keys), Hasher: hasher, Now: w.clock, Log: slog.New(slog.DiscardHandler),
		Policy: w.policy,
	}
	s.Start()
	w.replies = store.NewTable[acme.Reply](w.kv, r, "reply")
	return s, acme.New(acme.Options{Service: s, Origin: apiOrigin, Replies: w.replies, Keys: w.keys, Log: slog.New(slog.NewJSONHandler(w.log, nil))})
}

func (w *world) addCA(name string) (*proofing.Authority, string) {
	w.t.Helper()
	ca := &proofing.Authority{ID: w.AuthorityID(name), Name: name, Title: "CA " + name, Created: w.clock(), Profiles: []string{"client", "device", "started", "reviewed", "code"}}
	_, token := ca.NewToken(w.clock())
	if err := w.Authorities.Create(context.Background(), ca.ID, ca); err != nil {
		w.t.Fatal(err)
	}
	return ca, token.Reveal()
}

// do makes one request and holds it and its answer against the document.
func (w *world) do(t testing.TB, method, path, token, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(context.Background(), method, path, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return w.exchange(t, r, body)
}

// exchange is do for a request that the test has made, and exchangeAt at another process.
func (w *world) exchange(t testing.TB, r *http.Request, body string) *httptest.ResponseRecorder {
	t.Helper()
	return w.exchangeAt(t, w.handler, r, body)
}

func (w *world) exchangeAt(t testing.TB, h http.Handler, r *http.Request, body string) *httptest.ResponseRecorder {
	t.Helper()
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	w.contract.check(t, r, []byte(body), answer)
	return answer
}

// object is a JSON object of an answer.
type object map[string]any

func (o object) text(name string) string { s, _ := o[name].(string); return s }

func (o object) object(name string) object { m, _ := o[name].(map[string]any); return m }

func (o object) list(name string) []object {
	var list []object
	items, _ := o[name].([]any)
	for _, i := range items {
		m, _ := i.(map[string]any)
		list = append(list, m)
	}
	return list
}

// want makes a request that must be answered with that status, and returns the answer's object.
func (w *world) want(t testing.TB, status int, method, path, body string, headers ...string) object {
	t.Helper()
	r := w.do(t, method, path, w.token, body, headers...)
	if r.Code != status {
		t.Fatalf("%s %s %s: %d %s, want %d", method, path, body, r.Code, r.Body, status)
	}
	return decode(t, r)
}

func decode(t testing.TB, r *httptest.ResponseRecorder) object {
	t.Helper()
	var o object
	if err := json.Unmarshal(r.Body.Bytes(), &o); err != nil {
		t.Fatalf("%v in %s", err, r.Body)
	}
	return o
}

// thumbprint is RFC 7638's own example.
const thumbprint = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"

// request is the body that opens an e-mail identifier for an account.
func request(profile, address string) string {
	return fmt.Sprintf(`{"account":{"url":"https://ca.example/acct/1","thumbprint":%q},"identifier":{"type":"email","value":%q},"profile":%q}`, thumbprint, address, profile)
}

const applicant = "applicant@example.org"

func (w *world) open(t testing.TB, profile string) object {
	t.Helper()
	return w.want(t, 201, "POST", "/v1/preauthorizations", request(profile, applicant))
}

// prove does at the case's link what a person does.
func (w *world) prove(t testing.TB, caseURL, address string) {
	t.Helper()
	link := proofing.Secret(strings.TrimPrefix(caseURL, "https://proof.example.org/c/"))
	visit := proofing.Visit{Link: link, Browser: "browser", Client: "192.0.2.7", Lang: "en"}
	c, a, err := w.Begin(context.Background(), visit, "email", address)
	if err != nil {
		t.Fatal(err)
	}
	w.work(t)
	if _, _, err := w.Answer(context.Background(), visit, a.ID, w.post.code(c.ID)); err != nil {
		t.Fatal(err)
	}
	w.work(t)
}

func (w *world) work(t testing.TB) {
	t.Helper()
	for range 50 {
		if n, err := w.WorkOnce(context.Background()); err != nil {
			t.Fatal(err)
		} else if n == 0 {
			return
		}
	}
}

// disown says "this was not me".
func (w *world) disown(t testing.TB, id string) {
	t.Helper()
	c, err := w.Get(context.Background(), w.ca, id)
	if err != nil {
		t.Fatal(err)
	}
	ref := strings.TrimPrefix(c.DisownURL("").Reveal(), "/n/")
	if _, err := w.Disown(context.Background(), proofing.Secret(ref)); err != nil {
		t.Fatal(err)
	}
	w.work(t)
}

func path(o object) string { return "/v1/preauthorizations/" + o.text("id") }

// makeCSR is a base64url CSR by a fresh key, with the key's SPKI.
func makeCSR(t testing.TB) (csr, spki string, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: applicant}, EmailAddresses: []string{applicant}}, key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return b64(der), b64(public), key
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
