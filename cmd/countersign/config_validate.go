package main

import (
	"errors"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// validate reports everything that is wrong with the values themselves and with
// how they fit together. It calls nobody.
func (c *Config) validate(r *report) {
	c.validateOrigins(r)
	c.validateOperator(r)
	c.validateListeners(r)
	c.validateWebhooks(r)
	c.validateDNS(r)
	c.validateAudit(r)
	c.validateTelemetry(r)
	c.validateStore(r)
	c.validateProviders(r)
	if r.given("smtp") {
		c.validateSMTP(r)
	}
	if r.given("twilio") {
		c.validateTwilio(r)
	}
	c.validateSMS(r)
	c.validatePasskeys(r)
	c.validateIssuers(r)
	validateFramework(r, "assurance.framework", c.Assurance.Framework)
	c.validateLimits(r)
	oneOf(r, "log.level", c.Log.Level, "debug", "info", "warn", "error")
	oneOf(r, "log.format", c.Log.Format, "json", "text")
	c.judge(r)
	if !r.failed() {
		c.validateSize(r)
	}
}

// validateSize says whether the policy part is one that administrators can approve: what they could not, one person would change. An approved one was kept, however long it is with
// the defaults of this release.
func (c *Config) validateSize(r *report) {
	if c.approved != nil {
		return
	}
	text, err := c.policyPart().text()
	if err == nil {
		err = proofing.CheckPolicySize(text)
	}
	if large, ok := errors.AsType[*proofing.InputError](err); ok {
		r.mistake("profiles", "the policy part of the configuration (profiles, assurance and issuers above all) is too long to be kept and approved: in its canonical form it has %s; have fewer or shorter profiles", large.Detail)
	} else if err != nil {
		r.mistake("profiles", "%v", err)
	}
}

// faulty says whether the path has a mistake already, so that a value that could
// not be read, or whose key is misspelt, is not also called missing.
func faulty(r *report, path string) bool {
	return slices.ContainsFunc(r.findings, func(f finding) bool { return f.Path == path && !f.Warning }) ||
		slices.ContainsFunc(r.meant, func(m string) bool {
			return (path == m || strings.HasPrefix(path, m+".")) && !r.given(m)
		})
}

func need(r *report, path, value string) {
	if strings.TrimSpace(value) == "" && !faulty(r, path) {
		r.mistake(path, "is missing")
	}
	if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		r.mistake(path, "must be one line")
	}
}

func oneOf(r *report, path, value string, values ...string) {
	if !slices.Contains(values, value) && !faulty(r, path) {
		r.mistake(path, "must be one of %s, not %q", strings.Join(values, ", "), value)
	}
}

func (c *Config) validateOrigins(r *report) {
	need(r, "origin", c.Origin)
	if !faulty(r, "origin") {
		validateOrigin(r, "origin", c.Origin)
	}
	if c.Listeners.CAsOrigin != "" {
		validateOrigin(r, "listeners.cas_origin", c.Listeners.CAsOrigin)
	}
}

func validateOrigin(r *report, path, origin string) {
	u, err := url.Parse(origin)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || origin != u.Scheme+"://"+u.Host || origin != strings.ToLower(origin):
		r.mistake(path, "must be a scheme and a host in lower case, such as https://proof.example.org, with no path and no / at the end")
	case u.Scheme == "https":
	case u.Scheme != "http":
		r.mistake(path, "must be https, not %s", u.Scheme)
	case !isLoopback(u.Hostname()):
		r.mistake(path, "must be https: http is only for this machine (localhost), because what goes to %s would carry secrets in the clear", u.Hostname())
	}
}

// local says whether nobody but this machine can reach the origin.
func (c *Config) local() bool {
	u, err := url.Parse(c.Origin)
	return err == nil && isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

func (c *Config) validateOperator(r *report) {
	need(r, "operator.name", c.Operator.Name)
	need(r, "operator.contact", c.Operator.Contact)
	if faulty(r, "operator.contact") {
		return
	}
	if u, err := url.Parse(c.Operator.Contact); err == nil && u.Scheme == "https" && u.Host != "" {
		return
	}
	if !isAddress(c.Operator.Contact) {
		r.mistake("operator.contact", "must be an e-mail address or an https link for people who need help")
	}
}

// isAddress accepts a bare e-mail address.
func isAddress(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Name == "" && a.Address == s
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)

// validatePair wants both files of a certificate or none.
func (l listener) validatePair(r *report) {
	if (l.tls.CertFile == "") == (l.tls.KeyFile == "") || faulty(r, l.tlsPath()) {
		return
	}
	missing := "cert_file"
	if l.tls.KeyFile == "" {
		missing = "key_file"
	}
	r.mistake(join(l.tlsPath(), missing), "is missing: cert_file and key_file go together")
}

func (c *Config) validateListeners(r *report) {
	c.tokens().validatePair(r)
	for _, l := range c.listeners() {
		if _, port, err := net.SplitHostPort(l.address); err != nil || !isPort(port) {
			r.mistake(l.path(), "must be host:port, such as 127.0.0.1:8080, not %q", l.address)
		}
		l.validatePair(r)
		// What stands before a plain listener, and is not named, shows only as a missing setting.
		if l.name != listenOperators && !l.tls.on() && !listensLocally(l.address) && len(c.Listeners.TrustedProxies) == 0 && !faulty(r, l.path()) && !faulty(r, "listeners.trusted_proxies") {
			r.warning(l.path(), "speaks plain HTTP to other machines: give it a certificate (%s), or name the TLS proxy before it in listeners.trusted_proxies", l.tlsPath())
		}
	}
	for path, plain := range map[string]bool{
		"origin":               c.Listeners.PeopleTLS.on() && strings.HasPrefix(c.Origin, "http:"),
		"listeners.cas_origin": c.Listeners.CAsTLS.on() && strings.HasPrefix(c.Listeners.CAsOrigin, "http:"),
	} {
		if plain && !faulty(r, path) {
			r.mistake(path, "must be https, since its listener speaks TLS")
		}
	}
	if n := c.Listeners.MaxConnections; n < 16 && !faulty(r, "listeners.max_connections") {
		r.mistake("listeners.max_connections", "must be at least 16, not %d: a browser or a proxy takes several", n)
	}
	if n := c.Listeners.MaxRequests; (n < 16 || n > 1<<20) && !faulty(r, "listeners.max_requests") {
		r.mistake("listeners.max_requests", "must be from 16 to %d, not %d: more are refused as soon as so many are in hand", 1<<20, n)
	}
	within(r, "listeners.drain", c.Listeners.Drain, 0, mostDrain)
	if c.Listeners.People == c.Listeners.CAs && !faulty(r, "listeners.people") {
		r.mistake("listeners.cas", "must differ from listeners.people: what CAs may call is not for everybody")
	}
	if o := c.Listeners.Operators; o != "" && (o == c.Listeners.People || o == c.Listeners.CAs) {
		r.mistake("listeners.operators", "must differ from the other listeners: figures are not for everybody")
	}
	for i, name := range c.Listeners.OperatorsNames {
		if !hostName.MatchString(name) {
			r.mistake("listeners.operators_names["+strconv.Itoa(i)+"]", "must be a host name alone, such as desk.example.org, not %q", name)
		}
	}
	for i, network := range c.Listeners.TrustedProxies {
		path := "listeners.trusted_proxies[" + strconv.Itoa(i) + "]"
		if p, err := netip.ParsePrefix(network); err != nil {
			r.mistake(path, "must be a network such as 10.0.0.0/8, not %q", network)
		} else if p.Bits() == 0 {
			r.mistake(path, "is everybody: any client could then name itself as it likes, and escape its limits")
		}
	}
}

func (c *Config) validateWebhooks(r *report) {
	for i, network := range c.Webhooks.AllowNetworks {
		path := "webhooks.allow_networks[" + strconv.Itoa(i) + "]"
		if p, err := netip.ParsePrefix(network); err != nil {
			r.mistake(path, "must be a network such as 10.20.0.0/16, not %q", network)
		} else if p.Bits() == 0 {
			r.mistake(path, "is everything: name the networks in which webhooks are")
		}
	}
}

// The least that the log keeps: for EV a dossier's age (CSBR 3.2.9, 398 days), a certificate's life (460) and two years (5.4.3).
const (
	leastRetention   = 30 * day
	leastRetentionEV = (398 + 460 + 731) * day
)

func (c *Config) validateAudit(r *report) {
	least := leastRetention
	for _, p := range c.Profiles {
		if p.EV {
			least = leastRetentionEV
		}
	}
	within(r, "audit.retention", c.Audit.Retention, least, 100*366*day)
	if f := c.Audit.CheckpointFile; f != "" && c.Store.Kind == storeSQLite && f == c.Store.Path {
		r.mistake("audit.checkpoint_file", "must not be the store")
	}
}

func (c *Config) validateTelemetry(r *report) {
	const path = "telemetry.otlp_endpoint"
	if n := c.Telemetry.SampleOneIn; n < 1 && !faulty(r, "telemetry.sample_one_in") {
		r.mistake("telemetry.sample_one_in", "must be at least 1, which follows every request, not %d", n)
	}
	if !c.Telemetry.on() || faulty(r, path) {
		return
	}
	u, err := url.Parse(c.Telemetry.OTLPEndpoint)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		r.mistake(path, "must be the URL of a collector, such as https://collector.example:4318")
	case u.User != nil:
		r.mistake(path, "must not hold a credential: write it into telemetry.authorization")
	case u.RawQuery != "" || u.Fragment != "":
		r.mistake(path, "must have no query and no fragment")
	case strings.HasSuffix(strings.TrimSuffix(u.Path, "/"), "/v1/traces"):
		r.mistake(path, "must end before /v1/traces, which is added")
	case u.Scheme == "http" && c.Telemetry.Authorization != "" && !isLoopback(u.Hostname()):
		r.mistake(path, "must be https: telemetry.authorization would be sent in plain")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		r.warning(path, "sends traces in plain: they name routes, times and outcomes")
	}
}

func isPort(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 1 && n <= 65535
}

func (c *Config) validateProviders(r *report) {
	oneOf(r, "providers.email", c.Providers.Email, providerSMTP, providerMailbox, providerNone)
	oneOf(r, "providers.sms", c.Providers.SMS, providerTwilio, providerMailbox, providerNone)
	if c.Providers.Email == providerSMTP && !r.given("smtp") && !faulty(r, "smtp") && !faulty(r, "providers.email") {
		r.mistake("providers.email", "smtp needs the section smtp, which is missing")
	}
	if c.Providers.SMS == providerTwilio && !r.given("twilio") && !faulty(r, "twilio") {
		r.mistake("providers.sms", "twilio needs the section twilio, which is missing")
	}
	for _, p := range []struct{ path, value string }{{"providers.email", c.Providers.Email}, {"providers.sms", c.Providers.SMS}} {
		switch {
		case p.value != providerMailbox:
		case !listensLocally(c.Listeners.People) && (c.local() || faulty(r, "origin")):
			r.mistake(p.path, "mailbox shows every code to whoever reaches %s: let listeners.people be on this machine, such as 127.0.0.1:8080", c.Listeners.People)
		case faulty(r, "origin"): // who reaches the page is judged once the origin is known
		case c.local():
			r.warning(p.path, "mailbox sends nothing to anybody: it shows messages, codes included, on a page, to try things out")
		default:
			r.mistake(p.path, "mailbox shows every code to whoever opens its page: it is only for an origin on this machine (localhost)")
		}
	}
}

// listensLocally says whether nobody but this machine can connect to the address.
func listensLocally(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && isLoopback(host)
}

func (c *Config) validateSMTP(r *report) {
	s := c.SMTP
	need(r, "smtp.host", s.Host)
	if r.given("smtp.port") && !isPort(strconv.Itoa(s.Port)) && !faulty(r, "smtp.port") {
		r.mistake("smtp.port", "must be 1 to 65535, not %d", s.Port)
	}
	oneOf(r, "smtp.tls", s.TLS, tlsStart, tlsImplicit, tlsNone)
	if s.TLS == tlsNone && s.Host != "" && !isLoopback(s.Host) && !s.AllowPlaintext {
		r.mistake("smtp.tls", "none would send codes in the clear to another machine: use starttls or implicit")
	}
	if (s.Username == "") != (s.Password == "") && !faulty(r, "smtp.password") && !faulty(r, "smtp.username") {
		r.mistake("smtp.username", "username and password go together: set both or neither")
	}
	need(r, "smtp.from", s.From)
	for _, a := range []struct{ path, value string }{{"smtp.from", s.From}, {"smtp.reply_to", s.ReplyTo}} {
		if a.value != "" && !isAddress(a.value) {
			r.mistake(a.path, "must be a bare e-mail address, not %q", a.value)
		}
	}
	if r.given("smtp.dkim") {
		need(r, "smtp.dkim.selector", s.DKIM.Selector)
		needSecret(r, "smtp.dkim.key", s.DKIM.Key)
	}
}

// needSecret is need for what may have several lines, as a key in PEM form has.
func needSecret(r *report, path string, s proofing.Secret) {
	if s == "" && !faulty(r, path) {
		r.mistake(path, "is missing")
	}
}

var (
	accountSID = regexp.MustCompile(`^AC[0-9a-f]{32}$`)
	serviceSID = regexp.MustCompile(`^MG[0-9a-f]{32}$`)
	e164       = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	country    = regexp.MustCompile(`^[A-Z]{2}$`)
)

func (c *Config) validateTwilio(r *report) {
	t := c.Twilio
	if !accountSID.MatchString(t.AccountSID) {
		r.mistake("twilio.account_sid", "must be AC and 32 hexadecimal digits")
	}
	needSecret(r, "twilio.auth_token", t.AuthToken)
	switch {
	case (t.From == "") == (t.MessagingServiceSID == ""):
		r.mistake("twilio", "exactly one of from and messaging_service_sid must be set")
	case t.From != "" && !e164.MatchString(t.From):
		r.mistake("twilio.from", "must be a number in E.164 form, such as +15005550006, not %q", t.From)
	case t.MessagingServiceSID != "" && !serviceSID.MatchString(t.MessagingServiceSID):
		r.mistake("twilio.messaging_service_sid", "must be MG and 32 hexadecimal digits")
	}
	if t.BaseURL == "" {
		return
	}
	u, err := url.Parse(t.BaseURL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		r.mistake("twilio.base_url", "must be an https URL without user or query")
	}
}

func (c *Config) validateSMS(r *report) {
	for i, code := range c.SMS.Countries {
		path := "sms.countries[" + strconv.Itoa(i) + "]"
		switch {
		case !country.MatchString(code):
			r.mistake(path, "must be a code of two capital letters (ISO 3166-1), such as DE, not %q", code)
		case slices.Index(c.SMS.Countries, code) < i:
			r.mistake(path, "%s is listed twice", code)
		}
	}
	for code := range c.SMS.Prices {
		if code != defaultPrice && !country.MatchString(code) {
			r.mistake(join("sms.prices", code), "must be a code of two capital letters (ISO 3166-1) or %q", defaultPrice)
		}
	}
	c.validateBrake(r)
	if c.Providers.SMS != providerTwilio {
		return
	}
	for i, code := range c.SMS.Countries {
		if c.price(code) == 0 {
			r.mistake("sms.countries["+strconv.Itoa(i)+"]", "messages to %s have no price: add it to sms.prices, or a default, since a message without one would never meet limits.ca_spend_day", code)
		}
	}
}

func (c *Config) validatePasskeys(r *report) {
	p := c.Passkeys
	if p.MetadataURL != "" && p.MetadataFile == "" {
		r.mistake("passkeys.metadata_file", "is missing: what metadata_url brings is kept there")
	}
	if p.MetadataURL != "" && !strings.HasPrefix(p.MetadataURL, "https://") {
		r.mistake("passkeys.metadata_url", "must be an https URL")
	}
	if !faulty(r, "origin") {
		if _, err := c.relyingParty(nil, time.Now); err != nil {
			r.mistake("passkeys.rp_id", "%q does not fit the origin %s: %s", c.rpID(), c.Origin, strings.ReplaceAll(err.Error(), "\n", "; "))
		}
	}
	within(r, "people.cooling", c.People.Cooling, time.Hour, 30*day)
	if c.People.Retention != 0 { // a month of it is the warning
		within(r, "people.retention", c.People.Retention, 180*day, 20*365*day)
	}
}

func (c *Config) validateBrake(r *report) {
	b := c.SMS.Brake
	for _, m := range []struct {
		path string
		mode proofing.BrakeMode
	}{{"sms.brake.ranges", b.Ranges}, {"sms.brake.countries", b.Countries}} {
		oneOf(r, m.path, string(m.mode), string(proofing.BrakeEnforce), string(proofing.BrakeReport), string(proofing.BrakeOff))
	}
	for _, n := range []struct {
		path               string
		value, least, most int64
	}{
		{"sms.brake.range_unanswered", b.RangeUnanswered, 5, 1_000_000}, {"sms.brake.country_unanswered", b.CountryUnanswered, 20, 1_000_000},
		{"sms.brake.times", b.Times, 2, 100}, {"sms.brake.assumed_percent", b.AssumedPercent, 20, 90},
	} {
		if (n.value < n.least || n.value > n.most) && !faulty(r, n.path) {
			r.mistake(n.path, "must be %d to %d, not %d", n.least, n.most, n.value)
		}
	}
	within(r, "sms.brake.window", b.Window, 15*time.Minute, day)
	within(r, "sms.brake.hold", b.Hold, 15*time.Minute, 7*day)
	if b.Hold < b.Window && !faulty(r, "sms.brake.hold") && !faulty(r, "sms.brake.window") {
		r.mistake("sms.brake.hold", "must be at least sms.brake.window (%s), not %s: what led to a brake would bring it back at once", formatDuration(b.Window), formatDuration(b.Hold))
	}
}

func validateFramework(r *report, path string, f proofing.Framework) {
	oneOf(r, path, string(f), string(proofing.R4), string(proofing.R3), string(proofing.R3Sup1))
}

func (c *Config) validateLimits(r *report) {
	l := c.Limits
	for _, n := range []struct {
		name  string
		value int64
	}{
		{"address_hour", l.AddressHour}, {"address_day", l.AddressDay}, {"prefix_hour", l.PrefixHour},
		{"client_hour", l.ClientHour}, {"client_opens_hour", l.ClientOpensHour}, {"ca_messages_day", l.CAMessagesDay},
		{"attempts_per_case", int64(l.AttemptsPerCase)}, {"codes_per_attempt", int64(l.CodesPerAttempt)}, {"failures_in_row", l.FailuresInRow},
	} {
		if path := join("limits", n.name); n.value < 1 && !faulty(r, path) {
			r.mistake(path, "must be at least 1, not %d: nothing would ever be sent or answered", n.value)
		}
	}
	if l.FailuresInRow > 100 {
		r.mistake("limits.failures_in_row", "must be at most 100, not %d (SP 800-63B 5.2.2; SP 800-63B-4 3.2.2)", l.FailuresInRow)
	}
	within(r, "limits.cooldown", l.Cooldown, 5*time.Second, time.Hour)
	within(r, "limits.freeze_lifetime", l.FreezeLifetime, time.Hour, 30*day)
}

// within bounds a duration from both sides.
func within(r *report, path string, d, least, most time.Duration) {
	if (d < least || d > most) && !faulty(r, path) {
		r.mistake(path, "must be %s to %s, not %s", formatDuration(least), formatDuration(most), formatDuration(d))
	}
}
