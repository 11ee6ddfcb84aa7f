package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-id/countersign/challenges"
	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

const origin = "https://proof.example.org"

// house is a service over a real store and the real methods; only its clock and its
// message provider are the test's own.
type house struct {
	t    testing.TB
	svc  *proofing.Service
	ca   *proofing.Authority
	site *Site
	kv   *switched
	sent *provider
	logs *bytes.Buffer
	mu   sync.Mutex
	at   time.Time
	// asked are the routes that were asked for while held counts them: see holding.
	asked map[string]bool
	held  bool
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

func (h *house) wait(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = h.at.Add(d)
}

// provider keeps what was sent; err is what it answers instead.
type provider struct {
	mu       sync.Mutex
	messages []proofing.Message
	err      error
}

func (p *provider) Send(_ context.Context, m proofing.Message) (proofing.Receipt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return proofing.Receipt{}, p.err
	}
	p.messages = append(p.messages, m)
	return proofing.Receipt{Provider: "test"}, nil
}

func (p *provider) last() proofing.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.messages[len(p.messages)-1]
}

// switched is a back end that can be taken away.
type switched struct {
	store.KV
	down bool
}

func (s *switched) Get(ctx context.Context, bucket, name string, known uint64) (store.Item, error) {
	if s.down {
		return store.Item{}, proofing.ErrUnavailable
	}
	return s.KV.Get(ctx, bucket, name, known)
}

func profiles() map[string]*proofing.Profile {
	day := 24 * time.Hour
	all := map[string]*proofing.Profile{}
	for _, p := range []*proofing.Profile{
		{Name: "server", Title: "Server certificate", Methods: []string{"email", "sms"}, Require: proofing.Requirement{ConfirmedAddresses: []proofing.Channel{"email", "phone"}}},
		{Name: "strong", Title: "Strong certificate", Methods: []string{"email", "sms"}, Require: proofing.Requirement{AAL: 1}},
		{Name: "both", Title: "Everything", Methods: []string{"email", "sms"}, Require: proofing.Requirement{ConfirmedAddresses: []proofing.Channel{"email", "phone"}, AAL: 1, IAL: 1, AllMethods: []string{"sms"}}},
		{Name: "beyond", Title: "Out of reach", Methods: []string{"email"}, Require: proofing.Requirement{AAL: 2}},
		{Name: "mail", Title: "Mail certificate", Methods: []string{"email"}, SelfService: true},
		{Name: "review", Title: "Reviewed certificate", Methods: []string{"email"}, Approvals: 1},
		{Name: "later", Title: "Started by the authority", Methods: []string{"email"}, RequireStart: true},
	} {
		p.Framework, p.Identifiers = proofing.R3, []string{"dns", "email", "organization"}
		p.CaseLifetime, p.GrantLifetime, p.Retention = 3*day, 30*day, 90*day
		all[p.Name] = p
	}
	return all
}

func newHouse(t testing.TB) *house {
	t.Helper()
	return newHouseOver(t, func(now func() time.Time) (store.KV, error) {
		return store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "store.db"), store.Options{Now: now})
	})
}

// newHouseOver is newHouse over another back end.
func newHouseOver(t testing.TB, open func(now func() time.Time) (store.KV, error)) *house {
	t.Helper()
	h := &house{t: t, sent: &provider{}, logs: &bytes.Buffer{}, at: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}
	kv, err := open(h.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kv.Close() })
	h.kv = &switched{KV: kv}
	ring, err := store.NewRing(h.at)
	if err != nil {
		t.Fatal(err)
	}
	hasher, err := ring.Hasher()
	if err != nil {
		t.Fatal(err)
	}
	h.svc = &proofing.Service{
		Cases: store.NewTable[proofing.Case](h.kv, ring, "case"), People: store.NewTable[proofing.Person](h.kv, ring, "person"),
		Addresses: store.NewTable[proofing.Address](h.kv, ring, "address"), Accounts: store.NewTable[proofing.Account](h.kv, ring, "account"), Keys: store.NewTable[proofing.Key](h.kv, ring, "eab_key"),
		Feeds: store.NewTable[proofing.Feed](h.kv, ring, "feed"), Pages: store.NewTable[proofing.Page](h.kv, ring, "page"), Leases: store.NewTable[proofing.Lease](h.kv, ring, "lease"),
		LogPages: store.NewTable[proofing.LogPage](h.kv, ring, "log_page"), LogHeads: store.NewTable[proofing.LogHead](h.kv, ring, "log_head"),
		Authorities: store.NewTable[proofing.Authority](h.kv, ring, "authority"), Registry: store.NewTable[proofing.RegistryEntry](h.kv, ring, "registry"),
		Appointments: store.NewTable[proofing.Appointment](h.kv, ring, "appointment"), Dossiers: store.NewTable[proofing.Organization](h.kv, ring, "organization"),
		Administration: store.NewTable[proofing.Administration](h.kv, ring, "administration"),
		Certificates:   store.NewTable[proofing.Certificate](h.kv, ring, "certificate"),
		PolicyBooks:    store.NewTable[proofing.PolicyBook](h.kv, ring, "policy_book"), PolicyProposals: store.NewTable[proofing.PolicyProposal](h.kv, ring, "policy_proposal"),
		Configurations: store.NewTable[proofing.Configuration](h.kv, ring, "configuration"),
		Limiter:        store.NewLimiter(h.kv), Methods: challenges.Table(challenges.Config{Hasher: hasher, Countries: []string{"FR", "GB"}}),
		Sender: h.sent, Hasher: hasher, Now: h.now, Log: slog.New(slog.DiscardHandler),
		Policy: proofing.Policy{
			Origin: origin, Operator: "Example Operations", Contact: "help@example.org", Profiles: profiles(), Limits: proofing.DefaultLimits(),
			FreezeLifetime: 24 * time.Hour, OperatorFacts: proofing.OperatorFacts{AcceptUnverifiedLineType: true},
		},
	}
	h.authority("example", "Example CA")
	if h.ca, err = h.svc.Authority(t.Context(), "example"); err != nil {
		t.Fatal(err)
	}
	h.site, err = New(Options{Service: h.svc, Log: slog.New(slog.NewTextHandler(h.logs, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) authority(name, title string) {
	h.t.Helper()
	ca := &proofing.Authority{ID: h.svc.AuthorityID(name), Name: name, Title: title, Created: h.at}
	for p := range h.svc.Policy.Profiles {
		ca.Profiles = append(ca.Profiles, p)
	}
	if err := h.svc.Authorities.Create(h.t.Context(), ca.ID, ca); err != nil {
		h.t.Fatal(err)
	}
}

const thumbprint = "3Zqx9fKd0aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567"

// open opens a case for the test's account.
func (h *house) open(profile, idType, value string) *proofing.Case {
	h.t.Helper()
	c, _, err := h.svc.Open(h.t.Context(), h.ca, proofing.OpenRequest{
		Applicant: proofing.Applicant{Kind: proofing.ByAccount, URL: "https://ca.example/acct/1", Thumbprint: thumbprint},
		Profile:   profile, Identifier: proofing.Identifier{Type: idType, Value: value},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// work lets the outbox send and apply all that is due.
func (h *house) work() {
	h.t.Helper()
	for range 10 {
		n, err := h.svc.WorkOnce(h.t.Context())
		if err != nil {
			h.t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// stored is the record as it is kept, for telling whether anything has changed.
func (h *house) stored(c *proofing.Case) string {
	h.t.Helper()
	have, err := h.svc.Cases.Get(h.t.Context(), c.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	raw, err := json.Marshal(have)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(raw)
}

func path(link proofing.Secret) string { return strings.TrimPrefix(link.Reveal(), origin) }

// browser is one browser with its cookies.
type browser struct {
	*house
	cookie   string
	language string
	site     string // Sec-Fetch-Site; empty: none sent
	host     string
}

func (h *house) browser() *browser {
	return &browser{house: h, site: "same-origin", host: "evil.example"}
}

func (b *browser) send(method, target string, form url.Values) *httptest.ResponseRecorder {
	b.t.Helper()
	target, _, _ = strings.Cut(target, "#") // which a browser keeps to itself
	if method == "POST" && form != nil && !form.Has(sealField) {
		form = maps.Clone(form)
		form.Set(sealField, b.seal()) // as the page has it that the form is of
	}
	r := httptest.NewRequest(method, target, strings.NewReader(form.Encode()))
	r.Host = b.host
	if b.house.held {
		_, pattern := b.house.site.mux.Handler(r)
		b.house.asked[pattern] = true
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if b.site != "" {
		r.Header.Set("Sec-Fetch-Site", b.site)
	}
	if b.language != "" {
		r.Header.Set("Accept-Language", b.language)
	}
	if b.cookie != "" {
		r.Header.Set("Cookie", b.cookie)
	}
	w := httptest.NewRecorder()
	b.house.site.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		b.keep(c)
	}
	b.checkEveryResponse(target, w)
	return w
}

// seal is what the forms of the browser's pages have in them now.
func (b *browser) seal() string {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", b.cookie)
	return b.house.site.sealFor(httptest.NewRecorder(), r)
}

// keep takes a cookie in, in the place of the one of its name.
func (b *browser) keep(c *http.Cookie) {
	var all []string
	for _, have := range strings.Split(b.cookie, "; ") {
		if name, _, _ := strings.Cut(have, "="); name != "" && name != c.Name {
			all = append(all, have)
		}
	}
	if c.MaxAge >= 0 {
		all = append(all, c.Name+"="+c.Value)
	}
	b.cookie = strings.Join(all, "; ")
}

// checkEveryResponse holds what is true of every answer, errors included.
func (b *browser) checkEveryResponse(target string, w *httptest.ResponseRecorder) {
	b.t.Helper()
	for name, want := range map[string]string{
		"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Cross-Origin-Opener-Policy": "same-origin",
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
	} {
		if got := w.Header().Get(name); got != want {
			b.t.Errorf("%s: %s is %q", target, name, got)
		}
	}
	if cache := w.Header().Get("Cache-Control"); cache != "no-store" && !strings.HasPrefix(target, "/static/") {
		b.t.Errorf("%s: Cache-Control is %q", target, cache)
	}
	if to := w.Header().Get("Location"); to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.HasPrefix(to, `/\`)) {
		b.t.Errorf("%s redirects to %q", target, to)
	}
	body := w.Body.String()
	if strings.Contains(body, "evil.example") {
		b.t.Errorf("%s: the request's Host is in the page", target)
	}
	if forms, sealed := strings.Count(body, `<form method="post"`), strings.Count(body, `<input type="hidden" name="seal" value="`+b.seal()+`"></form>`); forms != sealed && b.seal() != "" {
		b.t.Errorf("%s: %d of %d forms are of this session", target, sealed, forms)
	}
	if strings.Contains(body, "<style") || strings.Contains(body, " style=") || strings.Contains(body, " onclick") {
		b.t.Errorf("%s: inline style or script that the policy forbids", target)
	}
}

func (b *browser) get(target string) *httptest.ResponseRecorder {
	b.t.Helper()
	return b.send("GET", target, nil)
}

func (b *browser) post(target string, pairs ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return b.send("POST", target, form)
}

// want fails unless the answer has the status and the words.
func (h *house) want(w *httptest.ResponseRecorder, status int, words ...string) {
	h.t.Helper()
	if w.Code != status {
		h.t.Fatalf("status %d, want %d:\n%s", w.Code, status, w.Body)
	}
	for _, s := range words {
		if !strings.Contains(w.Body.String(), s) {
			h.t.Errorf("%q is missing in:\n%s", s, w.Body)
		}
	}
}

// begin asks for a code and returns the attempt and the message that went out.
func (b *browser) begin(c *proofing.Case, method, address string) (*proofing.Attempt, proofing.Message) {
	b.t.Helper()
	b.get(path(c.CaseURL(origin)))
	b.want(b.post(path(c.CaseURL(origin))+"/begin", "method", method, "address", address), http.StatusSeeOther)
	b.work()
	return b.current(c, method), b.sent.last()
}

func (h *house) current(c *proofing.Case, method string) *proofing.Attempt {
	h.t.Helper()
	have, err := h.svc.Cases.Get(h.t.Context(), c.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	return have.Current(method)
}

// prove confirms an address by its code.
func (b *browser) prove(c *proofing.Case, method, address string) {
	b.t.Helper()
	a, m := b.begin(c, method, address)
	b.want(b.post(path(c.CaseURL(origin))+"/answer", "attempt", a.ID, "code", m.Code.Reveal()), http.StatusSeeOther)
	b.work()
}

// entitle registers an address as a holder of a name.
func (h *house) entitle(name, address string) {
	h.t.Helper()
	_, err := h.svc.Register(h.t.Context(), "example", proofing.Identifier{Type: "dns", Value: name}, "",
		proofing.Holder{Channel: proofing.ChannelEmail, Address: proofing.Secret(address)},
		proofing.Holder{Channel: proofing.ChannelPhone, Address: proofing.Secret(address)})
	if err != nil {
		h.t.Fatal(err)
	}
}

var errTest = errors.New("test")
