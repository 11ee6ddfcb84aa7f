package main

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/countersign-id/countersign/acme"
	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/notify"
	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
	"github.com/countersign-id/countersign/templates"
	"github.com/countersign-id/countersign/web"
	"github.com/countersign-id/countersign/webauthn"
)

// app is the program, put together from a configuration. Everything is made
// here and nothing is decided here: `serve`, `demo`, the commands beside a server and the
// tests all get the same parts.
type app struct {
	config     *Config // what is in force
	read       *Config // what was read last, with a policy of its own; see Config.ruled
	log        *slog.Logger
	now        func() time.Time
	started    time.Time
	storage    *storage
	service    *proofing.Service
	replies    proofing.Table[acme.Reply]
	router     *notify.Router
	mailbox    *notify.Mailbox // nil unless a channel is delivered to it
	site       *web.Site
	pages      *web.Operators // on the listener for operators; made by build
	tree       *audit.Tree    // of the log
	meters     *meters
	phase      phase
	supervisor supervisor
	tracing    *tracing      // nil unless it is configured
	mds        *webauthn.MDS // nil unless it is configured
	// forgets says why the store may forget what it acknowledges; "": it keeps it.
	forgets    atomic.Pointer[string]
	partsDown  atomic.Pointer[string] // the masters of a cluster that took no write when they were last asked
	stopBegins func()                 // unless nil, is called when serve begins to stop
	reloads    *reloads               // nil where the configuration is not read again
	gates      map[string]*gate       // by listener
	shares     *acme.Shares
	// certificates are those that the listeners show, and tokens.
	certificates []*shownCertificate
	tokens       *shownCertificate                      // what Authority Tokens are signed with; nil: none are made
	bar          func(*http.Request) *templates.DemoBar // nil outside the demo
}

// prepareApp is the program before its store is open.
func prepareApp(c *Config, log *slog.Logger, now func() time.Time) *app {
	return &app{started: now(), config: c, log: log, now: now, meters: newMeters()}
}

// newApp puts the program together. home replaces the home page unless it is
// nil. Whoever has an app closes it.
func newApp(ctx context.Context, c *Config, log *slog.Logger, now func() time.Time, home http.Handler) (*app, error) {
	a := prepareApp(c, log, now)
	var err error
	if a.storage, err = openStore(ctx, c.Store, true, now); err != nil {
		return nil, err
	}
	if a.mds, err = c.metadata(ctx, now); err != nil {
		return nil, errors.Join(err, a.close())
	}
	if err := a.build(ctx, home); err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

func (a *app) build(ctx context.Context, home http.Handler) (err error) {
	a.gates = a.newGates()
	a.shares = a.newShares()
	if a.tracing, err = newTracing(a.config.Telemetry, a.log); err != nil {
		return err
	}
	a.log = slog.New(a.tracing.handler(a.log.Handler()))
	traced := *a.storage
	traced.kv = a.tracing.kv(a.storage.kv, a.config.Store.Kind)
	if a.service, err = traced.service(a.config, a.now, a.log); err != nil {
		return err
	}
	if err := a.rule(ctx); err != nil {
		return err
	}
	if a.router, err = a.newRouter(); err != nil {
		return err
	}
	if a.service.Methods, err = a.config.methods(a.service.Hasher, a.mds, true, a.now); err != nil {
		return err
	}
	a.service.Sender, a.service.Caller = a.sender(), a.caller()
	a.service.Signer, a.service.CAA = acme.NewSigner(a.keys()), a.lookup()
	a.service.Lag = func(lag time.Duration) { a.meters.lag.Observe(lag.Seconds()) }
	a.service.Watch = a.meters.watchTexts(a.config.SMS.Countries)
	a.tree = traced.tree(a.config, a.service, a.now)
	a.service.Recorder, a.service.Prover = a.tree, a.tree
	a.service.Start()
	a.replies = store.NewTable[acme.Reply](traced.kv, a.storage.ring, "reply")
	a.meters.watchMemory(a.remembered)
	if l := a.config.tokens(); l.tls.on() {
		if a.tokens, err = newShownCertificate(l, a.log, a.now); err != nil {
			return err
		}
		a.certificates = append(a.certificates, a.tokens)
		a.meters.watchExpiry(a.tokens)
	}
	return a.buildSite(home)
}

// with is the same program, over the same store, with what another configuration decides of
// pages, policy and ways out. Read is that configuration as it was read.
func (a *app) with(c, read *Config) (next *app, err error) {
	next = &app{
		started: a.started, config: c, read: read, log: a.log, now: a.now, storage: a.storage, replies: a.replies, mailbox: a.mailbox, meters: a.meters, tracing: a.tracing,
		gates: a.gates, shares: a.shares, mds: a.mds, tokens: a.tokens,
	}
	if next.router, err = next.newRouter(); err != nil {
		return nil, err
	}
	policy, err := c.policy()
	if err != nil {
		return nil, errors.Join(err, next.router.Close())
	}
	methods, err := c.methods(a.service.Hasher, a.mds, true, a.now)
	if err != nil {
		return nil, errors.Join(err, next.router.Close())
	}
	next.service = a.service.With(policy, methods, next.sender(), next.caller())
	tree := *a.tree
	tree.Anchor.Path = c.Audit.CheckpointFile
	next.tree, next.service.Recorder, next.service.Prover = &tree, &tree, &tree
	next.service.Watch, next.service.CAA = a.meters.watchTexts(c.SMS.Countries), next.lookup()
	if err := next.buildSite(nil); err != nil {
		return nil, errors.Join(err, next.router.Close())
	}
	return next, nil
}

func (a *app) buildSite(home http.Handler) (err error) {
	o := web.Options{Service: a.service, Home: home, Log: a.log, Demo: home != nil, Settings: a.config.shown(), Tokens: a.tokens != nil}
	if a.mailbox != nil {
		o.Mailbox = mailboxPath
	}
	if a.site, err = web.New(o); err != nil {
		return fmt.Errorf("pages: %w", err)
	}
	a.pages = web.NewOperators(web.OperatorsOptions{
		Service: a.service, Names: a.config.Listeners.OperatorsNames, Version: programVersion(), Started: a.started, Outcomes: a.meters.outcomes.list, Log: a.log,
	})
	if a.mailbox != nil { // only where the origin is this machine: validate sees to it
		a.site.Handle("GET "+mailboxPath, http.HandlerFunc(a.showMailbox))
	}
	return nil
}

func (a *app) sender() proofing.Sender { return a.tracing.sender(measuredSender{a.router, a.meters}) }

func (a *app) caller() proofing.Caller {
	return a.tracing.caller(measuredCaller{a.config.caller(), a.meters})
}

func (a *app) lookup() proofing.CAALookup {
	return measuredLookup{a.config.resolver(a.now), a.meters}
}

// mailboxPath is where messages can be read that nobody delivers.
const mailboxPath = "/mailbox"

// showMailbox shows what would have gone out.
func (a *app) showMailbox(w http.ResponseWriter, r *http.Request) {
	page := templates.Mailbox{Frame: a.site.Frame(r, mailboxPath), Origin: a.config.Origin}
	_, query, _ := strings.Cut(page.Home, "?")
	if query != "" {
		page.Query = "?" + query
	}
	if a.bar != nil {
		page.Bar = a.bar(r)
		page.Bar.At = "mailbox"
	}
	for _, m := range a.mailbox.List() {
		page.Mails = append(page.Mails, templates.Mail{Channel: string(m.Channel), To: m.To, Subject: m.Subject, At: m.At, Text: m.Text})
	}
	if err := a.site.Render(w, r, http.StatusOK, page); err != nil {
		a.log.Error("mailbox page", "error", err)
		http.Error(w, "this page cannot be drawn", http.StatusInternalServerError)
	}
}

func (a *app) close() error {
	errs := []error{a.tracing.close()}
	if a.router != nil {
		errs = append(errs, a.router.Close())
	}
	if a.storage != nil {
		errs = append(errs, a.storage.Close())
	}
	return errors.Join(errs...)
}

// mailboxSize is how many messages the mailbox keeps.
const mailboxSize = 200

// newRouter opens the provider of each channel that has one.
func (a *app) newRouter() (*notify.Router, error) {
	c := a.config
	channels := map[proofing.Channel]notify.Config{}
	for channel, provider := range map[proofing.Channel]string{proofing.ChannelEmail: c.Providers.Email, proofing.ChannelPhone: c.Providers.SMS} {
		if provider == providerNone {
			continue
		}
		if provider == providerMailbox && a.mailbox == nil {
			a.mailbox = notify.NewMailbox(mailboxSize, a.now)
		}
		var dkim *notify.DKIMConfig // most operators let their mail server sign
		if c.SMTP.DKIM.Key != "" {
			dkim = &notify.DKIMConfig{Domain: c.SMTP.DKIM.Domain, Selector: c.SMTP.DKIM.Selector, Key: c.SMTP.DKIM.Key}
		}
		channels[channel] = notify.Config{
			Provider: provider,
			Mailbox:  notify.MailboxConfig{Mailbox: a.mailbox},
			SMTP: notify.SMTPConfig{
				Host: c.SMTP.Host, Port: c.SMTP.Port, TLS: c.SMTP.TLS, AllowPlaintext: c.SMTP.AllowPlaintext,
				Username: c.SMTP.Username, Password: c.SMTP.Password,
				From: c.SMTP.From, FromName: c.SMTP.FromName, ReplyTo: c.SMTP.ReplyTo,
				DKIM: dkim,
			},
			Twilio: a.twilio(),
		}
	}
	r, err := notify.NewRouter(notify.Templates{}, channels)
	if err != nil {
		return nil, fmt.Errorf("message providers: %w", err)
	}
	return r, nil
}

// caller calls webhooks.
func (c *Config) caller() *notify.Webhook {
	var allowed []netip.Prefix
	for _, network := range c.Webhooks.AllowNetworks {
		if p, err := netip.ParsePrefix(network); err == nil { // validate has read it
			allowed = append(allowed, p)
		}
	}
	return &notify.Webhook{Client: newEgress(allowed), Body: acme.EventBody(c.apiOrigin())}
}

// smsHook is where Twilio reports what became of a message.
const smsHook = "/hooks/sms/"

func (a *app) twilio() notify.TwilioConfig {
	c := a.config.Twilio
	t := notify.TwilioConfig{
		AccountSID: c.AccountSID, AuthToken: c.AuthToken, From: c.From, MessagingService: c.MessagingServiceSID, BaseURL: c.BaseURL,
	}
	if c.StatusCallbacks {
		origin := a.config.Origin
		t.StatusCallback = func(message string) string { return origin + smsHook + url.PathEscape(message) }
	}
	return t
}

// people is the handler of the listener for people.
func (a *app) people() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", a.site)
	mux.Handle("GET /.well-known/jwks.json", acme.JWKS(a.keys()))
	mux.HandleFunc("GET "+checkpointPath, a.showCheckpoint)
	if a.tokens != nil { // whoever has an account at a CA need not reach the CAs' listener
		o := a.authorityOptions()
		o.Origin = a.config.Origin
		holders := acme.Holders(o)
		mux.Handle(proofing.TokenPath, holders)
		mux.Handle("/v1/nonce", holders)
	}
	if a.config.Twilio.StatusCallbacks {
		if hook := a.router.Callback(proofing.ChannelPhone, a.service.Delivered); hook != nil {
			mux.Handle(smsHook, hook)
		}
	}
	return a.clientAddress(a.tracing.requests(listenPeople, a.meters.measure(listenPeople, a.gates[listenPeople].admit(mux, a.site.Busy))))
}

// authorities is the handler of the listener for CAs.
func (a *app) authorities() http.Handler {
	api := acme.New(a.authorityOptions())
	return a.clientAddress(a.tracing.requests(listenCAs, a.meters.measure(listenCAs, a.gates[listenCAs].admit(api, acme.Busy))))
}

func (a *app) authorityOptions() acme.Options {
	o := acme.Options{Service: a.service, Origin: a.config.apiOrigin(), Replies: a.replies, Keys: a.keys(), Shares: a.shares, Log: a.log}
	if a.tokens != nil {
		o.TokenCertificate = func() *tls.Certificate { return a.tokens.shown.Load().Certificate }
	}
	return o
}

// apiOrigin is where CAs reach us: what the configuration says, or the public
// origin, which a proxy is then taken to share out by path, or this machine.
func (c *Config) apiOrigin() string {
	if c.Listeners.CAsOrigin != "" || !c.local() {
		return cmp.Or(c.Listeners.CAsOrigin, c.Origin)
	}
	host, port, err := net.SplitHostPort(c.Listeners.CAs)
	if err != nil { // validate has read it
		return c.Origin
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "localhost"
	}
	scheme := "http://"
	if c.Listeners.CAsTLS.on() {
		scheme = "https://"
	}
	return scheme + net.JoinHostPort(host, port)
}

// keySource shows the ring's signing keys to the side that signs and publishes.
type keySource struct {
	ring *store.Ring
	now  func() time.Time
}

func (a *app) keys() keySource { return keySource{a.storage.ring, a.now} }

// statementLife is how long after its retirement a key may have signed a
// statement that is still good: a day, and an hour for clocks.
const statementLife = 25 * time.Hour

// SigningKey implements acme.KeySource.
func (k keySource) SigningKey() *ecdsa.PrivateKey { return k.ring.SigningKeys()[0].Private() }

// PublicKeys implements acme.KeySource.
func (k keySource) PublicKeys() []*ecdsa.PublicKey {
	var keys []*ecdsa.PublicKey
	if next, ok := k.ring.NextSigningKey(); ok { // who keeps a copy of the set has it in time
		keys = append(keys, &next.Private().PublicKey)
	}
	for _, s := range k.ring.SigningKeys() {
		if s.Retired.IsZero() || k.now().Sub(s.Retired) < statementLife {
			keys = append(keys, &s.Private().PublicKey)
		}
	}
	return keys
}
