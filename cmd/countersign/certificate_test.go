package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// withTLS is the least configuration with certificates for people.
func withTLS(c ListenerTLSConfig, more string) string {
	return whole + fmt.Sprintf("listeners:\n  people_tls:\n    cert_file: %s\n    key_file: %s\n%s", c.CertFile, c.KeyFile, more)
}

func TestMistakesInAListenersCertificate(t *testing.T) {
	p := newPKI(t)
	good := p.write("good", p.fresh())
	other := p.write("other", p.fresh())
	spoilt := p.write("spoilt", p.fresh())
	if err := os.WriteFile(spoilt.KeyFile, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	open := p.write("open", p.fresh())
	if err := os.Chmod(open.KeyFile, 0o644); err != nil {
		t.Fatal(err)
	}
	text := func(cert, key string) string {
		return withTLS(ListenerTLSConfig{cert, key}, "  trusted_proxies: [10.0.0.0/8]\n")
	}
	for _, tt := range []struct{ name, text, want string }{
		{"no such file", text(p.dir+"/none.pem", good.KeyFile), "c.yaml:11: listeners.people_tls.cert_file: cannot be read: "},
		{"no such key", text(good.CertFile, p.dir+"/none.key"), "c.yaml:12: listeners.people_tls.key_file: cannot be read: "},
		{"a folder", text(p.dir, good.KeyFile), "c.yaml:11: listeners.people_tls.cert_file: " + p.dir + " must be a regular file"},
		{"the two exchanged", text(good.KeyFile, good.CertFile), "there is no certificate in PEM form in it"},
		{"another's key", text(good.CertFile, other.KeyFile), "c.yaml:12: listeners.people_tls.key_file: " + other.KeyFile + " is not the key of the certificate in " + good.CertFile + ": private key does not match public key"},
		{"an encrypted key", text(spoilt.CertFile, spoilt.KeyFile), "c.yaml:12: listeners.people_tls.key_file: the key in " + spoilt.KeyFile + " is encrypted"},
		{"a key for everybody", text(open.CertFile, open.KeyFile), "c.yaml:12: listeners.people_tls.key_file: " + open.KeyFile + " can be read or written by everybody on this machine (mode 0644): run chmod o-rwx"},
		{"a certificate alone", whole + "listeners: {cas_tls: {cert_file: /a}}\n", "c.yaml:9: listeners.cas_tls.key_file: is missing: cert_file and key_file go together"},
		{"a key alone", whole + "listeners: {operators: \":1\", operators_tls: {key_file: /a}}\n", "c.yaml:9: listeners.operators_tls.cert_file: is missing"},
		{"an origin in the clear", strings.Replace(text(good.CertFile, good.KeyFile), "https://proof.example.org", "http://localhost:8080", 1), "c.yaml:1: origin: must be https, since its listener speaks TLS"},
		{"an origin for CAs in the clear", withTLS(good, "  trusted_proxies: [10.0.0.0/8]\n  cas_origin: http://localhost:1\n  cas_tls: {cert_file: "+good.CertFile+", key_file: "+good.KeyFile+"}\n"), "listeners.cas_origin: must be https, since its listener speaks TLS"},
		{"a certificate for another host", withTLS(good, ""), "warning: listeners.people_tls.cert_file: the certificate is not for proof.example.org"},
		{"plain HTTP for other machines", whole + "listeners: {people: \"0.0.0.0:8080\"}\n", "c.yaml:9: warning: listeners.people: speaks plain HTTP to other machines: give it a certificate (listeners.people_tls), or name the TLS proxy"},
		{"too few requests", whole + "listeners: {max_requests: 0}\n", "listeners.max_requests: must be from 16 to 1048576, not 0"},
		{"too few connections", whole + "listeners: {max_connections: 1}\n", "listeners.max_connections: must be at least 16, not 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, got := read(tt.text)
			wantLines(t, got, tt.want)
		})
	}
	if _, got := read(text(good.CertFile, good.KeyFile)); len(got) != 0 {
		t.Errorf("a good pair: %q", got)
	}
	if _, r := readConfig("c.yaml", []byte(text(p.dir+"/none.pem", good.KeyFile)), nil, storeSecrets); r.failed() {
		t.Error("a command that administers the store reads the listeners' keys")
	}
}

func TestWhatIsSaidOfTheEndOfACertificate(t *testing.T) {
	p := newPKI(t)
	key := newKey(t)
	for _, tt := range []struct {
		name        string
		from, until time.Duration
		want        string
	}{
		{"one of three months, new", -time.Hour, 90 * day, ""},
		{"one of three months, in its last weeks", -80 * day, 10*day + time.Hour, "in 10 days"},
		{"one of six days, new", -time.Hour, 6 * day, ""},
		{"one of six days, on the fifth", -125 * time.Hour, 19 * time.Hour, "in 18 hours"},
		{"one that has ended", -90 * day, -time.Minute, "has expired on"},
		{"one of tomorrow", day, 90 * day, "is not valid before"},
	} {
		files := p.write("a", p.issue(key, tt.from, tt.until))
		c, r := readConfig("c.yaml", []byte(withTLS(files, "  trusted_proxies: [10.0.0.0/8]\n")), nil, readSecrets)
		said := ""
		for _, f := range r.findings {
			said += f.in("c.yaml")
			if !f.Warning {
				t.Errorf("%s: a mistake: %s", tt.name, said)
			}
		}
		if tt.want == "" && said != "" || !strings.Contains(said, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, said, tt.want)
		}
		_ = c
	}
}

// aShown is a certificate that is shown, and the log of what becomes of it.
func aShown(t *testing.T, p *pki) (*shownCertificate, *syncBuffer) {
	t.Helper()
	log := &syncBuffer{}
	s, err := newShownCertificate(listener{name: "people", tls: p.write("a", p.fresh())}, newLog(log, LogConfig{Level: "info", Format: "json"}), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return s, log
}

func TestAPairThatIsNoGoodLeavesTheOneBeforeAndIsToldOnce(t *testing.T) {
	p := newPKI(t)
	spoil := map[string]func(files ListenerTLSConfig) error{
		"a key of another": func(f ListenerTLSConfig) error {
			text, err := os.ReadFile(p.write("b", p.fresh()).KeyFile)
			if err != nil {
				return err
			}
			return os.WriteFile(f.KeyFile, text, 0o600)
		},
		"no key":              func(f ListenerTLSConfig) error { return os.Remove(f.KeyFile) },
		"half a certificate":  func(f ListenerTLSConfig) error { return os.Truncate(f.CertFile, 100) },
		"a key for everybody": func(f ListenerTLSConfig) error { return os.Chmod(f.KeyFile, 0o644) },
		"one that has ended": func(ListenerTLSConfig) error {
			p.write("a", p.issue(newKey(t), -90*day, -time.Hour))
			return nil
		},
	}
	for name, spoil := range spoil {
		s, log := aShown(t, p)
		before := s.shown.Load()
		s.look()
		if err := spoil(*s.files.Load()); err != nil {
			t.Fatal(err)
		}
		s.look()
		if said := log.String(); said != "" {
			t.Errorf("%s: told at the first look, which may fall between two files: %s", name, said)
		}
		for range 3 {
			s.look()
		}
		if n := strings.Count(log.String(), "certificate cannot be reloaded; the one before stays"); n != 1 || s.shown.Load() != before {
			t.Errorf("%s: told %d times, kept %t: %s", name, n, s.shown.Load() == before, log)
		}
		_ = os.Chmod(s.files.Load().KeyFile, 0o600)
		next := p.fresh()
		p.write("a", next)
		s.look()
		if s.shown.Load().Leaf.SerialNumber.Cmp(next.Leaf.SerialNumber) != 0 {
			t.Errorf("%s: what mends it is not taken up: %s", name, log)
		}
	}
}

func TestTheEndOfTheCertificateInUseIsToldOnceADay(t *testing.T) {
	p := newPKI(t)
	s, log := aShown(t, p)
	at := time.Now()
	s.now = func() time.Time { return at }
	told := func(msg string) int { return strings.Count(log.String(), msg) }
	for range 3 {
		s.look()
	}
	if log.String() != "" {
		t.Errorf("a new one: %s", log)
	}
	at = at.Add(80 * day)
	for range 3 {
		s.look()
	}
	at = at.Add(day)
	s.look()
	if n := told("certificate in use ends soon"); n != 2 {
		t.Errorf("told %d times on two days: %s", n, log)
	}
	at = at.Add(20 * day)
	s.look()
	if told("certificate in use does not hold") != 1 {
		t.Errorf("after its end: %s", log)
	}
}
