package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTokensAreSignedWithACertificateForES256(t *testing.T) {
	p := newPKI(t)
	with := func(files ListenerTLSConfig) string {
		_, r := readConfig("c.yaml", []byte(whole+"authority_tokens:\n  cert_file: "+files.CertFile+"\n  key_file: "+files.KeyFile+"\n"), nil, readSecrets)
		said := ""
		for _, f := range r.findings {
			said += f.in("c.yaml") + "\n"
		}
		return said
	}
	big, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	long, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := p.write("good", p.fresh())
	for what, tt := range map[string]struct {
		files ListenerTLSConfig
		want  string
	}{
		"RSA":             {p.write("rsa", p.issue(big, -time.Hour, day)), "authority_tokens.key_file: Authority Tokens are signed with ES256: the key must be on P-256"},
		"P-384":           {p.write("p384", p.issue(long, -time.Hour, day)), "the key must be on P-256"},
		"one alone":       {ListenerTLSConfig{CertFile: good.CertFile}, "authority_tokens.key_file: is missing"},
		"no file":         {ListenerTLSConfig{CertFile: p.dir + "/none", KeyFile: good.KeyFile}, "authority_tokens.cert_file: cannot be read"},
		"one that is old": {p.write("old", p.issue(newKey(t), -2*day, -day)), "warning: authority_tokens.cert_file: the certificate has expired"},
	} {
		if said := with(tt.files); !strings.Contains(said, tt.want) {
			t.Errorf("%s: %s", what, said)
		}
	}
	if said := with(good); strings.Contains(said, tokenCertificate) {
		t.Errorf("a good one: %s", said)
	}

	// Another one is taken up while the service runs, unless it cannot sign.
	log := &syncBuffer{}
	c := Config{AuthorityTokens: good}
	s, err := newShownCertificate(c.tokens(), newLog(log, LogConfig{Level: "info", Format: "json"}), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	p.write("good", p.issue(big, -time.Hour, 90*day))
	for range 3 {
		s.look()
	}
	if _, ok := s.shown.Load().PrivateKey.(*ecdsa.PrivateKey); !ok || !strings.Contains(log.String(), "the one before stays") {
		t.Errorf("an RSA key is taken up: %s", log)
	}
	next := p.fresh()
	p.write("good", next)
	s.look()
	if !s.shown.Load().Leaf.Equal(next.Leaf) {
		t.Error("its successor is not taken up")
	}
}

func TestAnOperatorSaysWhichAuthorityTokensACATakes(t *testing.T) {
	d := newDesk(t)
	d.addCA("example")
	_, said := d.run(exitOK, "ca", "authority-tokens", "allow", "example", "--type", "email", "--type", "email")
	contains(t, said, "that have a grant: email\n", "until authority_tokens in the configuration has a certificate")
	out, _ := d.run(exitOK, "ca", "list", "--json")
	contains(t, out, `"authority_tokens": [`, `"email"`)
	_, said = d.run(exitUsage, "ca", "authority-tokens", "allow", "example", "--type", "dns")
	contains(t, said, `there is no type "dns"`)
	d.run(exitOK, "ca", "authority-tokens", "refuse", "example")
	if out, _ = d.run(exitOK, "ca", "list", "--json"); strings.Contains(out, "authority_tokens") {
		t.Errorf("they are still made:\n%s", out)
	}
}

func TestTheProgramMakesAuthorityTokensWithTheCertificateOfItsConfiguration(t *testing.T) {
	d := newDesk(t)
	token := d.addCA("example")
	d.run(exitOK, "ca", "authority-tokens", "allow", "example", "--type", "email")
	p := newPKI(t)
	files := p.write("tokens", p.fresh())
	d.rewrite("#authority_tokens:\n", "authority_tokens:\n", "#  cert_file: /etc/countersign/tokens.pem", "  cert_file: "+files.CertFile, "#  key_file: /etc/countersign/tokens.key", "  key_file: "+files.KeyFile)
	a := d.app(io.Discard)
	ask := func(a *app) string {
		const body = `{"profile":"client","atc":{"tktype":"email","tkvalue":"applicant@example.org","fingerprint":"SHA256 36:C6:CE:AE:F8:B4:9C:4D:08:1D:B6:AD:C1:05:F1:78:BF:07:91:F5:5D:B1:7D:5C:FC:7F:7C:29:71:27:80:94"}}`
		q := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/authority-tokens", strings.NewReader(body))
		q.Header.Set("Authorization", "Bearer "+token)
		q.Header.Set("Content-Type", "application/json")
		answer := httptest.NewRecorder()
		a.authorities().ServeHTTP(answer, q)
		return answer.Body.String()
	}
	// It has come as far as the account, which has no authorization.
	contains(t, ask(a), "this account has no authorization for the identifier")
	again, err := a.with(a.config, a.read)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, ask(again), "this account has no authorization for the identifier")
	// Whoever has an account asks where people come.
	alone := httptest.NewRecorder()
	again.people().ServeHTTP(alone, httptest.NewRequestWithContext(t.Context(), "GET", again.config.Origin+"/v1/nonce", nil))
	if alone.Code != http.StatusNoContent || alone.Header().Get("Replay-Nonce") == "" {
		t.Errorf("on the listener for people: %d %v", alone.Code, alone.Header())
	}
	empty := httptest.NewRecorder()
	again.people().ServeHTTP(empty, httptest.NewRequestWithContext(t.Context(), "POST", again.config.Origin+"/v1/authority-tokens", nil))
	contains(t, empty.Body.String(), "send application/jose+json")
	if !slices.Contains(a.certificates, a.tokens) {
		t.Error("nobody looks whether the certificate's files have changed")
	}
}
