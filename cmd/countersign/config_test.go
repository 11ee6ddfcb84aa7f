package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// whole is the least configuration without a mistake or a warning.
const whole = `origin: https://proof.example.org
operator: {name: Example, contact: help@example.org}
smtp: {host: mail.example.org, from: no-reply@example.org}
profiles:
  device:
    identifiers: [dns]
    methods: [email]
    require: {confirmed_addresses: [email]}
`

// read returns the findings as lines, in the order of the file.
func read(text string, environ ...string) (*Config, []string) {
	c, r := readConfig("c.yaml", []byte(text), environ, readSecrets)
	var b strings.Builder
	r.print(&b)
	if b.Len() == 0 {
		return c, nil
	}
	return c, strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d lines, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("line %d:\n got %s\nwant %s", i, got[i], want[i])
		}
	}
}

func TestTheLeastConfigurationIsAccepted(t *testing.T) {
	c, got := read(whole)
	wantLines(t, got)
	if c.SMTP.TLS != tlsStart || c.Limits.AddressHour != 6 || len(c.SMS.Countries) != 0 {
		t.Errorf("defaults are not kept: %+v", c)
	}
}

func TestEachMistakeNamesItsLineAndPath(t *testing.T) {
	tests := []struct {
		name, text string
		want       string
	}{
		{"an unknown key", whole + "orign: x\n", "c.yaml:9: orign: unknown key; did you mean `origin`? known here: origin, operator"},
		{"an unknown key inside", whole + "log:\n  lvl: x\n", "c.yaml:10: log.lvl: unknown key; did you mean `level`? known here: level, format"},
		{"a duplicate", whole + "origin: https://b.example\n", "c.yaml:9: origin: is set twice; first on line 1"},
		{"a duplicate profile", whole + "  device: {}\n", "c.yaml:9: profiles.device: is set twice; first on line 5"},
		{"a section for a value", whole + "log: {level: {a: b}}\n", "c.yaml:9: log.level: must be a single value, not a section"},
		{"a list for a section", whole + "log: [info]\n", "c.yaml:9: log: must be a section of keys and values, not a list"},
		{"a value for a list", whole + "sms: {countries: DE}\n", "c.yaml:9: sms.countries: must be a list, such as [a, b], not a single value"},
		{"no value", whole + "log:\n", "c.yaml:9: log: has no value: give it one, or leave it out"},
		{"a word for a number", whole + "limits:\n  address_day: many\n", "c.yaml:10: limits.address_day: must be a whole number"},
		{"a number too large", whole + "limits: {attempts_per_case: 99999999999999999999}\n", "limits.attempts_per_case: must be a whole number"},
		{"yes for true", whole + "assurance: {require_attestation: yes}\n", "c.yaml:9: assurance.require_attestation: must be true or false"},
		{"a number for a duration", whole + "limits: {cooldown: 30}\n", `limits.cooldown: must be a duration such as "90s"`},
		{"a short duration", whole + "limits: {cooldown: 1s}\n", "limits.cooldown: must be 5s to 1h, not 1s"},
		{"too much precision", whole + "limits: {ca_spend_day: 0.1234567}\n", "limits.ca_spend_day: must be an amount"},
		{"a hundred and one failures", whole + "limits: {failures_in_row: 101}\n", "limits.failures_in_row: must be at most 100, not 101 (SP 800-63B 5.2.2"},
		{"a brake that is neither on nor off", whole + "sms: {brake: {ranges: maybe}}\n", `sms.brake.ranges: must be one of enforce, report, off, not "maybe"`},
		{"a brake that a few people set off", whole + "sms: {brake: {range_unanswered: 2}}\n", "sms.brake.range_unanswered: must be 5 to 1000000, not 2"},
		{"a brake that lets go too early", whole + "sms: {brake: {window: 2h}}\n", "sms.brake.hold: must be at least sms.brake.window (2h), not 1h"},
		{"a brake for ever", whole + "sms: {brake: {hold: 8d}}\n", "sms.brake.hold: must be 15m to 7d, not 8d"},
		{"a limit of nothing", whole + "limits: {address_hour: 0}\n", "limits.address_hour: must be at least 1, not 0"},
		{"a policy that nobody could approve", whole + profiles(500), "c.yaml:4: profiles: the policy part of the configuration (profiles, assurance and issuers above all) is too long to be kept and approved: in its canonical form it has "},
		{"an anchor", whole + "log: &a {level: info}\n", "c.yaml:9: log: anchors and aliases are not used here"},
		{"a tag", whole + "log: {level: !!str info}\n", "c.yaml:9: log.level: tags are not used here: remove !!str"},
		{"a merge", whole + "<<: {a: b}\n", `c.yaml:9: "<<": unknown key`},
		{"a list as a key", whole + "[a]: b\n", "c.yaml:9: a key must be a plain word"},
		{"no YAML", "a: b\n  c: [\n", "c.yaml:2: not YAML: its indentation fits no line above"},
		{"a second document", whole + "---\na: b\n", "a second document begins here"},
		{"an unknown log level", whole + "log: {level: loud}\n", `c.yaml:9: log.level: must be one of debug, info, warn, error, not "loud"`},
		{"no port", whole + "listeners: {people: localhost}\n", `listeners.people: must be host:port, such as 127.0.0.1:8080, not "localhost"`},
		{"one listener for both", whole + "listeners: {people: \"127.0.0.1:1\", cas: \"127.0.0.1:1\"}\n", "listeners.cas: must differ from listeners.people"},
		{"an origin for CAs in the clear", whole + "listeners: {cas_origin: http://api.example.org}\n", "c.yaml:9: listeners.cas_origin: must be https"},
		{"an origin for CAs with a path", whole + "listeners: {cas_origin: https://api.example.org/v1}\n", "c.yaml:9: listeners.cas_origin: must be a scheme and a host"},
		{"a name with a port", whole + "listeners: {operators_names: [\"desk.example.org:8082\"]}\n", "listeners.operators_names[0]: must be a host name alone"},
		{"a proxy that is no network", whole + "listeners: {trusted_proxies: [10.0.0.1]}\n", "listeners.trusted_proxies[0]: must be a network"},
		{"one file for both", whole + "store: {path: a, key_ring: a}\n", "store.key_ring: must be a file of its own"},
		{"an empty path", whole + "store: {path: ''}\n", "store.path: is missing"},
		{"an unknown kind of store", whole + "store: {kind: etcd}\n", `store.kind: must be one of sqlite, redis, not "etcd"`},
		{"redis, and no kind of store", whole + "store:\n  redis:\n    addresses: ['localhost:1']\n", `store.kind: is not set, though store.redis is: write "kind: redis" to use it`},
		{"redis, and the other kind of store", whole + "store:\n  kind: sqlite\n  redis:\n    addresses: ['localhost:1']\n", "warning: store.redis: is not used: store.kind is sqlite"},
		{"redis without an address", whole + "store: {kind: redis}\n", "c.yaml:9: store.redis.addresses: is missing"},
		{"a server without a port", whole + redisStore("addresses: [localhost]"), `c.yaml:12: store.redis.addresses[0]: must be host:port, such as 127.0.0.1:6379, not "localhost"`},
		{"several servers", whole + redisStore("addresses: ['localhost:1', 'localhost:2']"), "store.redis.addresses: are several"},
		{"sentinels and a cluster", whole + redisStore("addresses: ['localhost:1']\n    master_name: m\n    cluster: true"), "c.yaml:14: store.redis.cluster: is not for sentinels"},
		{"redis in the clear", whole + redisStore("addresses: ['10.0.0.1:6379']"), "store.redis.addresses[0]: would be reached without TLS"},
		{"a literal password of redis", whole + redisStore("addresses: ['localhost:1']\n    password: hunter2"), "store.redis.password: a secret does not belong in this file"},
		{"a user of redis without a password", whole + redisStore("addresses: ['localhost:1']\n    username: a"), "store.redis.username: needs a password"},
		{"a password for no sentinels", whole + redisStore("addresses: ['localhost:1']\n    sentinel_password: env:KEY"), "store.redis.sentinel_password: is for sentinels"},
		{"certificates without TLS", whole + redisStore("addresses: ['localhost:1']\n    tls: {ca_file: /a}"), "store.redis.tls.enabled: must be true"},
		{"a certificate without its key", whole + redisStore("addresses: ['localhost:1']\n    tls: {enabled: true, cert_file: /a}"), "store.redis.tls.key_file: "},
		{"a prefix with a tag", whole + redisStore("addresses: ['localhost:1']\n    prefix: '{a}'"), "store.redis.prefix: must be 1 to 32 of"},
		{"too many replicas", whole + redisStore("addresses: ['localhost:1']\n    replicas: 99"), "store.redis.replicas: must be 0 to 16, not 99"},
		{"sentinels that wait for no replica", whole + redisStore("addresses: ['localhost:1']\n    master_name: m"), "warning: store.redis.replicas: is 0 where another server takes over"},
		{"a cluster that waits for no replica", whole + redisStore("addresses: ['localhost:1']\n    cluster: true\n    replicas: 0"), "c.yaml:14: warning: store.redis.replicas: is 0 where another server takes over"},
		{"a store that may forget", whole + redisStore("addresses: ['localhost:1']\n    accept_less_durable: true"), "warning: store.redis.accept_less_durable: "},
		{"an unknown provider", whole + "providers: {sms: pigeon}\n", `providers.sms: must be one of twilio, mailbox, none, not "pigeon"`},
		{"the mailbox for everybody", whole + "providers: {email: mailbox}\n", "providers.email: mailbox shows every code"},
		{"the mailbox for the network", strings.Replace(whole, "https://proof.example.org", "http://localhost:8080", 1) + "listeners: {people: \"0.0.0.0:8080\", trusted_proxies: [10.0.0.0/8]}\nproviders: {email: mailbox}\n", "providers.email: mailbox shows every code to whoever reaches 0.0.0.0:8080"},
		{"a proxy that is everybody", whole + "listeners: {trusted_proxies: [\"::/0\"]}\n", "listeners.trusted_proxies[0]: is everybody"},
		{"twilio without its section", whole + "providers: {sms: twilio}\n", "providers.sms: twilio needs the section twilio"},
		{"two senders", whole + twilio("from: '+15005550006'\n  messaging_service_sid: MG00000000000000000000000000000000"), "c.yaml:9: twilio: exactly one of from and messaging_service_sid"},
		{"a number without a plus", whole + twilio("from: 15005550006"), `c.yaml:12: twilio.from: must be a number in E.164 form, such as +15005550006, not "15005550006"`},
		{"a foreign base URL in the clear", whole + twilio("from: +15005550006\n  base_url: http://example.org"), "twilio.base_url: must be an https URL"},
		{"a country in small letters", whole + "sms: {countries: [de]}\n", "c.yaml:9: sms.countries[0]: must be a code of two capital letters"},
		{"a country twice", whole + "sms: {countries: [DE,\n DE]}\n", "c.yaml:10: sms.countries[1]: DE is listed twice"},
		{"a price for no country", whole + "sms: {prices: {germany: 1}}\n", "sms.prices.germany: must be a code of two capital letters"},
		{"no price", whole + twilio("from: +15005550006") + "providers: {sms: twilio}\nsms: {countries: [DE]}\n", "sms.countries[0]: messages to DE have no price"},
		{"an unknown framework", whole + "assurance: {framework: sp800-63-2}\n", `assurance.framework: must be one of sp800-63-4, sp800-63-3, sp800-63-3+63bsup1, not "sp800-63-2"`},
		{"a literal secret", smtp("username: a\n  password: hunter2"), "smtp.password: a secret does not belong in this file"},
		{"a secret that is not there", smtp("username: a\n  password: env:NOT_SET"), `smtp.password: the environment variable "NOT_SET" is not set`},
		{"a password for nobody", smtp("username: a"), "smtp.username: username and password go together"},
		{"plain mail to another machine", smtp("tls: none"), "smtp.tls: none would send codes in the clear"},
		{"port zero", smtp("port: 0"), "smtp.port: must be 1 to 65535, not 0"},
		{"a name beside an address", smtp("reply_to: A <a@example.org>"), "smtp.reply_to: must be a bare e-mail address"},
		{"a signature without a selector", smtp("dkim: {domain: example.org, key: env:KEY}"), "smtp.dkim.selector: is missing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, got := read(tt.text, "TOKEN=t", "KEY=k")
			wantLines(t, got, tt.want)
		})
	}
}

func redisStore(more string) string { return "store:\n  kind: redis\n  redis:\n    " + more + "\n" }

func twilio(more string) string {
	return "twilio:\n  account_sid: AC00000000000000000000000000000000\n  auth_token: env:TOKEN\n  " + more + "\n"
}

// profiles are so many more profiles.
func profiles(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "  p%03d: {title: %q, identifiers: [dns], methods: [email], require: {confirmed_addresses: [email]}}\n", i, strings.Repeat("x", 15))
	}
	return b.String()
}

func smtp(more string) string {
	return strings.Replace(whole, "smtp: {host: mail.example.org, from: no-reply@example.org}",
		"smtp:\n  host: mail.example.org\n  from: no-reply@example.org\n  "+more, 1)
}

func TestOriginsOfAllKinds(t *testing.T) {
	tests := map[string]string{
		"https://proof.example.org":      "",
		"https://proof.example.org:8443": "",
		"http://localhost:8080":          "",
		"http://127.0.0.1":               "",
		"http://[::1]:8080":              "",
		"http://proof.example.org":       "must be https: http is only for this machine",
		"http://127.0.0.1.example.org":   "must be https: http is only for this machine",
		"https://proof.example.org/":     "must be a scheme and a host",
		"https://proof.example.org/a":    "must be a scheme and a host",
		"https://u@proof.example.org":    "must be a scheme and a host",
		"https://Proof.example.org":      "must be a scheme and a host in lower case",
		"proof.example.org":              "must be a scheme and a host",
		"ftp://proof.example.org":        "must be https, not ftp",
		"https://":                       "must be a scheme and a host",
	}
	for origin, want := range tests {
		_, got := read(strings.Replace(whole, "https://proof.example.org", origin, 1))
		if want == "" {
			wantLines(t, got)
		} else {
			wantLines(t, got, "c.yaml:1: origin: "+want)
		}
	}
}

func TestAllMistakesAreReportedAtOnceInTheOrderOfTheFile(t *testing.T) {
	_, got := read(`origin: ftp://x
nonsense: 1
limits:
  cooldown: soon
  address_hour: 0
smtp:
  port: 99999
  password: hunter2
profiles:
  ev:
    ev: true
    identifiers: [dns, cat]
    methods: [sms, kba]
    require: {aal: 2, fal: 1, phishing_resistant: true}
    grant_lifetime: 399d
`, "COUNTERSIGN_SMTP_HOSST=x")
	wantLines(t, got,
		"COUNTERSIGN_SMTP_HOSST: is no setting",
		"c.yaml: operator.name: is missing",
		"c.yaml: operator.contact: is missing",
		"c.yaml:1: origin: must be https, not ftp",
		"c.yaml:2: nonsense: unknown key",
		"c.yaml:4: limits.cooldown: must be a duration",
		"c.yaml:5: limits.address_hour: must be at least 1",
		"c.yaml:6: smtp.host: is missing",
		"c.yaml:6: smtp.from: is missing",
		"c.yaml:7: smtp.port: must be 1 to 65535, not 99999",
		"c.yaml:8: smtp.password: a secret does not belong in this file",
		"c.yaml:10: profiles.ev.approvals: must be at least 1 for EV",
		"c.yaml:10: warning: profiles.ev.csr: is not set in an EV profile",
		`c.yaml:12: profiles.ev.identifiers[1]: there is no identifier type "cat"`,
		"c.yaml:13: profiles.ev.methods[0]: sms needs a provider",
		"c.yaml:13: profiles.ev.methods[1]: \"kba\" is refused",
		"c.yaml:13: profiles.ev.methods[0]: sms must not be the only authenticator of an EV profile",
		"c.yaml:14: profiles.ev.require.aal: AAL2 cannot be reached",
		"c.yaml:14: profiles.ev.require.fal: FAL1 cannot be reached",
		"c.yaml:14: profiles.ev.require.phishing_resistant: cannot be reached",
		"c.yaml:14: warning: profiles.ev.require.binding_age: is not set in an EV profile",
		"c.yaml:15: profiles.ev.grant_lifetime: must be at most 398d for EV, not 399d",
	)
}

func TestTheEnvironmentOverridesTheFile(t *testing.T) {
	c, got := read(whole,
		"COUNTERSIGN_SMTP_HOST=other.example.org", "COUNTERSIGN_LIMITS_COOLDOWN=1m", "COUNTERSIGN_SMS_COUNTRIES=NO, DE",
		"COUNTERSIGN_SMTP_USERNAME=a", "COUNTERSIGN_SMTP_PASSWORD=hunter2", "COUNTERSIGN_LIMITS_CA_SPEND_DAY=7.5",
		"COUNTERSIGN_TWILIO_STATUS_CALLBACKS=", "COUNTERSIGN_CONFIG=c.yaml", "OTHER=x")
	wantLines(t, got)
	if c.SMTP.Host != "other.example.org" || c.Limits.Cooldown != time.Minute || c.SMTP.Password != "hunter2" ||
		c.Limits.CASpendDay != 7_500_000 || !reflect.DeepEqual(c.SMS.Countries, []string{"NO", "DE"}) {
		t.Errorf("not overridden: %+v", c)
	}
}

func TestMistakesInTheEnvironmentNameTheVariable(t *testing.T) {
	_, got := read(whole, "COUNTERSIGN_SMTP_PORT=x", "COUNTERSIGN_LOG_LEVEL=loud")
	wantLines(t, got, "COUNTERSIGN_SMTP_PORT: smtp.port: must be a whole number", "COUNTERSIGN_LOG_LEVEL: log.level: must be one of")
}

func TestAVariableThatASecretReferenceNamesIsNoMistake(t *testing.T) {
	c, got := read(smtp("username: a\n  password: env:COUNTERSIGN_MAIL"), "COUNTERSIGN_MAIL=hunter2")
	wantLines(t, got)
	if c.SMTP.Password.Reveal() != "hunter2" {
		t.Error("the secret was not read")
	}
}

func TestNoTwoSettingsShareAVariable(t *testing.T) {
	seen := make(map[string]string)
	var c Config
	overridable("", reflect.ValueOf(&c).Elem(), func(path string, _ reflect.Value) {
		if other, ok := seen[variable(path)]; ok {
			t.Errorf("%s and %s are both %s", path, other, variable(path))
		}
		seen[variable(path)] = path
	})
	if len(seen) < 40 {
		t.Errorf("only %d settings", len(seen))
	}
}

func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := []struct {
		name, path string
		value      proofing.Secret
		fault      string
	}{
		{"one newline is dropped", write("a", "s3cret\n\n", 0o600), "s3cret\n", ""},
		{"without a newline", write("b", "s3cret", 0o400), "s3cret", ""},
		{"of another system", write("c", "s3cret\r\n", 0o600), "s3cret", ""},
		{"for the group", write("d", "s3cret", 0o640), "", "can be read by others than its owner (mode 0640): run chmod 600"},
		{"for the world", write("e", "s3cret", 0o604), "", "can be read by others"},
		{"empty", write("f", "\n", 0o600), "", "is empty"},
		{"too large", write("g", strings.Repeat("x", maxSecret+1), 0o600), "", "is larger than"},
		{"a folder", dir, "", "must be a regular file"},
		{"missing", filepath.Join(dir, "none"), "", "no such file"},
		{"relative", "secret", "", "must be an absolute path"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			value, err := secretFile(tt.path)
			if value != tt.value {
				t.Errorf("got %q", value.Reveal())
			}
			if tt.fault == "" && err != nil || tt.fault != "" && (err == nil || !strings.Contains(err.Error(), tt.fault)) {
				t.Errorf("got error %v, want %q", err, tt.fault)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

func TestFindingsNeverRepeatASecret(t *testing.T) {
	_, got := read(smtp("username: a\n  password: hunter2\n  dkim: {selector: a, key: hunter2}"))
	if text := strings.Join(got, "\n"); strings.Contains(text, "hunter2") || len(got) != 2 {
		t.Error(text)
	}
}

func TestMoney(t *testing.T) {
	for text, want := range map[string]Money{"0": 0, "0.05": 50_000, "50": 50_000_000, "1.000001": 1_000_001, "999999999.999999": 999_999_999_999_999} {
		got, err := parseMoney(text)
		if err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
		if again, err := parseMoney(got.String()); err != nil || again != got {
			t.Errorf("%s is written %s", text, got)
		}
	}
	for _, text := range []string{"", "-1", "+1", "1.", ".5", "1e3", "1,5", "0.0000001", "1000000000", "0x1"} {
		if got, err := parseMoney(text); err == nil {
			t.Errorf("%q is read as %d", text, got)
		}
	}
	if s := Money(50_000_000).String(); s != "50.00" {
		t.Error(s)
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{"90s": 90 * time.Second, "398d": 398 * day, "1d12h": 36 * time.Hour, "0s": 0, "1.5h": 90 * time.Minute} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "1", "-1s", "+1s", "d", "-1d", "1d-1h", "1d+1h", "1.5d", "200000d", "1y", "106751d24h"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q is read as %s", text, got)
		}
	}
}

func TestTheExampleIsAcceptedAsItIs(t *testing.T) {
	c, got := read(configExample)
	for _, line := range got {
		if !strings.Contains(line, ": warning: ") {
			t.Error(line)
		}
	}
	if len(c.Profiles) != 4 {
		t.Errorf("%d profiles", len(c.Profiles))
	}
	limits := defaultConfig().Limits
	if c.Limits != limits {
		t.Errorf("the example does not show the default limits:\n%+v\n%+v", c.Limits, limits)
	}
}

var commentedOut = regexp.MustCompile(`(?m)^#(\S|  )`)

func TestTheExampleShowsEverySetting(t *testing.T) {
	text := commentedOut.ReplaceAllString(configExample, "$1")
	// What the example leaves for one machine becomes what it says to change.
	p := newPKI(t)
	files := p.write("listener", p.fresh())
	for _, name := range []string{listenPeople, listenCAs, listenOperators, "tokens"} {
		text = strings.NewReplacer("/etc/countersign/"+name+".pem", files.CertFile, "/etc/countersign/"+name+".key", files.KeyFile).Replace(text)
	}
	text = strings.NewReplacer("http://localhost:8080", "https://proof.example.org", "http://127.0.0.1:8081", "https://ca.proof.example.org", "email: mailbox", "email: smtp",
		"sms: mailbox", "sms: twilio", "file:/etc/countersign/dkim.pem", "env:KEY", "file:/etc/countersign/twilio", "env:TOKEN", "file:/etc/countersign/collector", "env:TOKEN",
		"file:/etc/countersign/staff-client", "env:TOKEN", "file:/etc/countersign/staff-decryption.pem", "file:"+files.KeyFile).Replace(text)
	c, r := readConfig("c.yaml", []byte(text), []string{"SMTP_PASSWORD=a", "KEY=b", "TOKEN=c", "REDIS_PASSWORD=d", "SENTINEL_PASSWORD=e"}, readSecrets)
	for _, f := range r.findings {
		if !f.Warning {
			t.Error(f.in("c.yaml"))
		}
	}
	overridable("", reflect.ValueOf(c).Elem(), func(path string, _ reflect.Value) {
		if path != "twilio.messaging_service_sid" && !r.given(path) {
			t.Errorf("%s is not shown", path)
		}
	})
	for _, f := range settings(reflect.TypeFor[IssuerConfig]()) {
		if !regexp.MustCompile(`(?m)^#    #?` + f.name + `:`).MatchString(configExample) {
			t.Errorf("issuers: %s is not shown", f.name)
		}
	}
	for _, f := range settings(reflect.TypeFor[ProfileConfig]()) {
		if !strings.Contains(configExample, "\n    "+f.name+":") {
			t.Errorf("profiles: %s is not shown", f.name)
		}
	}
}

func FuzzConfig(f *testing.F) {
	for _, seed := range []string{whole, configExample, "", "a: &a [*a]", "profiles: {a: {require: {aal: 9}}}", "? [a]\n: b", "a: b\n---\nc: d", "\t", "limits: {cooldown: 106751d24h}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, r := readConfig("c.yaml", []byte(text), nil, readSecrets)
		for _, finding := range r.findings {
			if line := finding.in("c.yaml"); strings.ContainsAny(line, "\n\x1b") {
				t.Errorf("a finding garbles the terminal: %q", line)
			}
		}
		if r.failed() {
			return
		}
		p, err := c.policy()
		if err != nil || p.Digest == "" || len(p.Profiles) == 0 {
			t.Errorf("an accepted configuration makes no policy: %v", err)
		}
		for name, profile := range p.Profiles {
			if r := profile.Require; (r.FAL > 0 || r.IAL > 1) && !profile.Offers(methodOIDC) || r.AAL > 1 && !profile.Offers(methodFIDO) && !profile.Offers(methodOIDC) ||
				r.PhishingResistant && !profile.Offers(methodFIDO) {
				t.Errorf("profile %s can never be met", name)
			}
		}
	})
}

func TestAMisspeltKeyIsOneMistake(t *testing.T) {
	mailbox := strings.Replace(whole, "smtp:", "providers: {email: mailbox}\nsmtp:", 1)
	for text, want := range map[string]string{
		strings.Replace(mailbox, "origin:", "orgin:", 1):      "c.yaml:1: orgin: unknown key; did you mean `origin`? known here: ",
		strings.Replace(mailbox, "origin: https", "#", 1):     "c.yaml: origin: is missing",
		strings.Replace(whole, "smtp:", "smpt:", 1):           "c.yaml:3: smpt: unknown key; did you mean `smtp`?",
		strings.Replace(whole, "operator:", "operater:", 1):   "c.yaml:2: operater: unknown key; did you mean `operator`?",
		strings.Replace(mailbox, "{email: ", "{emial: ", 1):   "c.yaml:3: providers.emial: unknown key; did you mean `email`?",
		strings.Replace(whole, "profiles:", "profile:", 1):    "c.yaml:4: profile: unknown key; did you mean `profiles`?",
		whole + "nothing: 1\n":                                "c.yaml:9: nothing: unknown key; known here: origin",
		strings.Replace(whole, "methods", "method", 1) + "\n": "c.yaml:7: profiles.device.method: unknown key; did you mean `methods`?",
	} {
		_, got := read(text)
		if !strings.Contains(text, "method:") { // what a profile without methods cannot do is true all the same
			wantLines(t, got, want)
		} else {
			contains(t, strings.Join(got, "\n"), want)
		}
	}
}

func TestWhatIsNotYAMLNamesItsLine(t *testing.T) {
	for text, want := range map[string]string{
		"a: b\noperator:\n  name: x\n  contact help@example.org\nsmtp:\n  host: a\n":                 "c.yaml:4: not YAML: “contact …”: is no `key: value`",
		"a: b\n\n# comment\noperator\nsmtp:\n  host: a\n":                                            "c.yaml:4: not YAML: “operator”: is no `key: value`",
		"a: b\nlimits:\n  cooldown 30s\n  address_hour: 3\n":                                         "c.yaml:3: not YAML: “cooldown …”: is no `key: value`",
		"a: b\noperator:\n  name: x\n   contact: y\nsmtp:\n  host: a\n":                              "c.yaml:4: not YAML: “contact …”: its indentation",
		"a: b\noperator:\n  name: x\n contact: y\nsmtp:\n  host: a\n":                                "c.yaml:4: not YAML: “contact …”: its indentation",
		"a: b\noperator:\n\tname: x\n":                                                               "c.yaml:3: not YAML: “name …”: a tab indents it",
		"a: b\noperator: {name: x\nsmtp: {host: a}\n":                                                "c.yaml:2: not YAML: “operator …”: a { or [ on this line is not closed",
		"a: b\nsms: {countries: [DE,\n  AT}\nlog: {}\n":                                              "c.yaml:2: not YAML: “sms …”: a { or [ on this line is not closed",
		"a: b\nlog: [a,\n  b\n":                                                                      "c.yaml:2: not YAML: “log …”: a { or [",
		"a: \"b\noperator: {}\n":                                                                     "c.yaml:1: not YAML: a quote in it is not closed",
		"a: b\noperator: x: y\n":                                                                     "c.yaml:2: not YAML: “operator …”: a value with \": \" in it must be quoted",
		"a: b\noperator: {name: @x}\n":                                                               "c.yaml:2: not YAML: “operator …”: a value that begins with @ must be quoted",
		"a: |\n  any thing: [\n\n  {\nb: 'it''s' # {\nc: [1,\n 2\n]\nd:\n- a\n- b: c\n  e: f\ng h\n": "c.yaml:13: not YAML: is no `key: value`",
		"a: b\nsmtp:\n  password hunter2\n  host: x\n":                                               "c.yaml:3: not YAML: “password …”: is no",
		"a: b\nHunter2 hunter2\n":                                                                    "c.yaml:2: not YAML: is no",
		"a: b\n\"x\n":                                                                                "c.yaml:2: not YAML: is no",
		"a: b\nlog: {level: a\n  b: c]}\n":                                                           "c.yaml:1: not YAML near line 1: did not",
		"a: b\nlog: *none\n":                                                                         "c.yaml: not YAML: unknown anchor",
	} {
		_, got := read(text)
		wantLines(t, got, want)
		if strings.Contains(got[0], "hunter2") {
			t.Error(got[0])
		}
	}
}

func TestRulesForCSRsHaveTheirDefaults(t *testing.T) {
	c, got := read(whole + "    csr: {purpose: code-signing}\n")
	wantLines(t, got)
	p := c.Profiles["device"].CSR.policy()
	if p.CommonName != proofing.CommonNameNoDomain || p.MinRSABits != 3072 || p.ClientAuth || !reflect.DeepEqual(p.Keys, []proofing.KeyKind{"rsa", "p-256", "p-384"}) {
		t.Errorf("%+v", p)
	}
	c, got = read(whole + "    csr: {purpose: other, min_rsa_bits: 2048, keys: [rsa, p-521]}\n")
	wantLines(t, got)
	if p := c.Profiles["device"].CSR.policy(); p.CommonName != proofing.CommonNameAuthorized || p.MinRSABits != 2048 || !reflect.DeepEqual(p.Keys, []proofing.KeyKind{"rsa", "p-521"}) {
		t.Errorf("%+v", p)
	}
	c, got = read(whole)
	wantLines(t, got)
	if p := c.Profiles["device"].CSR.policy(); !reflect.DeepEqual(p, proofing.CSRPolicy{}) {
		t.Errorf("what is not said has rules: %+v", p)
	}
}

func TestAllMistakesInRulesForCSRsAreReported(t *testing.T) {
	const at = "c.yaml:9: profiles.device.csr"
	for section, want := range map[string][]string{
		"{}":             {at + ".purpose: is missing"},
		"{purpose: tls}": {at + ".purpose: must be one of code-signing, other"},
		"{client_auth: true, keys: [p-224, rsa, rsa], min_rsa_bits: 1024, common_name: any}": {
			at + ".purpose: is missing", at + ".client_auth: is for purpose: code-signing", at + `.keys[0]: must be one of rsa, p-256, p-384, p-521, not "p-224"`,
			at + `.keys[2]: "rsa" is listed twice`, at + ".min_rsa_bits: must be 2048 to 8192, not 1024", at + ".common_name: must be one of no-domain, domain, authorized"},
		"{purpose: code-signing, keys: [], min_rsa_bits: 2048}":      {at + ".keys: is empty", at + ".min_rsa_bits: must be 3072 to 8192, not 2048"},
		"{purpose: code-signing, keys: [p-256], min_rsa_bits: 4096}": {at + ".min_rsa_bits: is for rsa"},
		"{purpose: code-signing, common_name: domain}":               {"warning: profiles.device.csr.common_name: lets domain names into code-signing certificates"},
		"{purpose: code-signing, common_name: authorized}":           {"warning: profiles.device.csr.common_name: lets domain names into code-signing certificates"},
	} {
		_, got := read(whole + "    csr: " + section + "\n")
		slices.Sort(got)
		slices.Sort(want)
		t.Run(section, func(t *testing.T) { wantLines(t, got, want...) })
	}
	_, got := read(strings.Replace(whole, "[dns]", "[email]", 1) + "    csr: {purpose: other, common_name: domain}\n")
	wantLines(t, got, at+".common_name: domain needs dns among the identifiers")
}
