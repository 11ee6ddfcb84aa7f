package main

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// pin pins a certificate with the operator's own command and returns the pin.
func (d *desk) pin(p *pki, ca string, c tls.Certificate) string {
	d.t.Helper()
	out, _ := d.run(exitOK, "ca", "cert", "add", ca, p.write("client", c).CertFile)
	return strings.TrimSpace(out)
}

// caller is a CA at the end of a connection.
type caller struct {
	t      *testing.T
	base   string
	client *http.Client
	token  string
	header http.Header
}

// call makes one request and returns the status and the answer's object.
func (c caller) call(method, path, body string) (int, map[string]any) {
	c.t.Helper()
	req, err := http.NewRequest(method, c.base+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	for name, v := range c.header {
		req.Header[name] = v
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.client.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(text, &answer); err != nil {
		c.t.Fatalf("%s %s: %s %s", method, path, resp.Status, text)
	}
	if resp.StatusCode == http.StatusUnauthorized && !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), `Bearer realm="countersign"`) {
		c.t.Errorf("%s %s: 401 without its header", method, path)
	}
	return resp.StatusCode, answer
}

func (c caller) refused(why string) {
	c.t.Helper()
	status, answer := c.call("GET", "/v1/preauthorizations/00none", "")
	if detail, _ := answer["detail"].(string); status != http.StatusUnauthorized || answer["type"] != "urn:countersign:error:credentialInvalid" || !strings.Contains(detail, why) {
		c.t.Errorf("%d %v, want 401 with %q", status, answer, why)
	}
}

// accepted says whether the credential is: the object that is asked for does not exist.
func (c caller) accepted() {
	c.t.Helper()
	if status, answer := c.call("GET", "/v1/preauthorizations/00none", ""); status != http.StatusNotFound {
		c.t.Errorf("%d %v, want 404", status, answer)
	}
}

const openForAccount = `{"account": {"url": "https://ca.example/acct/1", "thumbprint": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
	"identifier": {"type": "email", "value": "applicant@example.org"}, "profile": "client"}`

func TestACACallsWithACertificateThatIsPinnedToIt(t *testing.T) {
	p := newPKI(t)
	d := newDesk(t)
	token, other := d.addCA("alpha"), d.addCA("beta")
	s := d.serveTLS(p)
	key := newKey(t)
	mine := p.issue(key, -time.Hour, day)
	pin := d.pin(p, "alpha", mine)
	with := func(own ...tls.Certificate) caller {
		return caller{t: t, base: "https://" + s.cas, client: p.client(own...)}
	}

	// The main calls.
	me := with(mine)
	status, opened := me.call("POST", "/v1/preauthorizations", openForAccount)
	if status != http.StatusCreated {
		t.Fatalf("%d %v", status, opened)
	}
	path := "/v1/preauthorizations/" + opened["id"].(string)
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", path, "", 200},
		{"POST", path + "/challenge", "{}", 200},
		{"POST", "/v1/authorize", strings.Replace(openForAccount, `"identifier": {"type": "email", "value": "applicant@example.org"}`, `"identifiers": [{"type": "email", "value": "applicant@example.org"}]`, 1), 200},
		{"POST", "/v1/accounts", `{"event": "created", "account": {"url": "https://ca.example/acct/1", "thumbprint": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"}}`, 200},
		{"POST", path, `{"status": "deactivated"}`, 200},
	} {
		if status, answer := me.call(c.method, c.path, c.body); status != c.want {
			t.Errorf("%s %s: %d %v", c.method, c.path, status, answer)
		}
	}
	contains(t, s.log.String(), `"ca":"alpha","by":"certificate"`)

	// A renewal for the same key goes on, whoever issued it.
	with(newPKI(t).issue(key, -time.Minute, day)).accepted()

	// Who is not it.
	nobody := "the client certificate is pinned to nobody, or does not hold now"
	with().refused("send one Authorization header with a bearer token, or show a client certificate")
	with(p.fresh()).refused(nobody)
	with(p.issue(key, -2*day, -time.Minute)).refused(nobody)
	with(p.issue(key, time.Hour, day)).refused(nobody)
	theirs := p.fresh()
	d.pin(p, "beta", theirs)
	if status, answer := with(theirs).call("GET", path, ""); status != http.StatusNotFound {
		t.Errorf("another CA's certificate: %d %v", status, answer)
	}

	// Both at once.
	for _, c := range []struct {
		what  string
		own   tls.Certificate
		token string
		why   string // empty: accepted
	}{
		{"a token and a certificate of one CA", mine, token, ""},
		{"a token, and a certificate that is pinned to nobody", p.fresh(), token, ""},
		{"a token, and an expired certificate of the same CA", p.issue(key, -2*day, -time.Minute), token, ""},
		{"a certificate, and a token of another CA", mine, other, "are of different certificate authorities"},
		{"an expired certificate, and a token of another CA", p.issue(key, -2*day, -time.Minute), other, "are of different certificate authorities"},
		{"a certificate, and a token that is none", mine, "csca.alpha.a.b", "the bearer token is not valid"},
	} {
		both := with(c.own)
		both.token = c.token
		if c.why == "" {
			both.accepted()
		} else {
			both.refused(c.why)
		}
		if t.Failed() {
			t.Fatal(c.what)
		}
	}

	// What is taken away ends at once, on the connection that is open too.
	me.accepted()
	_, said := d.run(exitOK, "ca", "cert", "remove", "alpha", pin)
	contains(t, said, "not accepted any more")
	me.refused(nobody)
	d.pin(p, "beta", mine) // and the key may be another's from now on
	me.accepted()
	d.run(exitOK, "ca", "revoke", "beta")
	me.refused(nobody)
}

func TestHeadersThatTellOfACertificateAreNotBelieved(t *testing.T) {
	p := newPKI(t)
	d := newDesk(t)
	d.addCA("alpha")
	c := p.fresh()
	pin := d.pin(p, "alpha", c)
	a := d.app(io.Discard)
	a.config.Listeners.TrustedProxies = []string{"127.0.0.0/8"} // not even from a proxy that may say who the client is
	handler := a.authorities()
	l := localListener(t)
	server := &http.Server{Handler: handler}
	go server.Serve(l)
	t.Cleanup(func() { _ = server.Close() })
	text, err := os.ReadFile(p.write("client", c).CertFile)
	if err != nil {
		t.Fatal(err)
	}
	oneLine := strings.ReplaceAll(string(text), "\n", " ")
	for _, name := range []string{"Client-Cert", "X-Client-Cert", "X-SSL-Client-Cert", "Ssl-Client-Cert", "X-Forwarded-Client-Cert", "X-Forwarded-Tls-Client-Cert"} {
		for _, v := range []string{oneLine, pin, ":" + pin + ":", "Hash=" + pin} {
			caller{t: t, base: "http://" + l.Addr().String(), client: http.DefaultClient, header: http.Header{name: {v}}}.refused("send one Authorization header")
		}
	}
}

func TestCommandsForCertificates(t *testing.T) {
	p := newPKI(t)
	d := newDesk(t)
	d.addCA("alpha")
	d.addCA("beta")
	d.at = time.Now()
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, c tls.Certificate) string { return p.write(name, c).CertFile }
	good := p.fresh()
	for strings.HasPrefix(proofing.PinOf(good.Leaf.RawSubjectPublicKeyInfo), "-") { // which a command takes for a flag unless "--" stands before it
		good = p.fresh()
	}
	file := write("good", good)
	out, said := d.run(exitOK, "ca", "cert", "add", "alpha", file)
	pin := proofing.PinOf(good.Leaf.RawSubjectPublicKeyInfo)
	if out != pin+"\n" || len(pin) != 43 {
		t.Errorf("%q, want %s", out, pin)
	}
	contains(t, said, "pinned the key of CN=test to alpha", "listeners.cas_tls is not set")
	d.run(exitOK, "ca", "cert", "add", "alpha", write("renewed", p.issue(good.PrivateKey.(*ecdsa.PrivateKey), -time.Hour, 200*day)))
	out, _ = d.run(exitOK, "ca", "cert", "list", "alpha")
	if strings.Count(out, pin) != 1 || !strings.Contains(out, when(time.Now().Add(200 * day))[:10]) {
		t.Errorf("the same key is listed twice, or as it was: %s", out)
	}
	out, _ = d.run(exitOK, "ca", "list", "--json")
	contains(t, out, `"pin": "`+pin+`"`)
	for _, tt := range []struct {
		want string
		args []string
	}{
		{"is pinned to the CA alpha: `countersign ca cert remove alpha " + pin, []string{"add", "beta", file}},
		{"no such file", []string{"add", "alpha", filepath.Join(d.dir, "none")}},
		{"there is no certificate in PEM form in it", []string{"add", "alpha", p.write("good", good).KeyFile}},
		{"has expired on", []string{"add", "alpha", write("old", p.issue(newKey(t), -2*day, -time.Hour))}},
		{"is too small: RSA of 1024 bits", []string{"add", "alpha", write("small", p.issue(small, -time.Hour, day))}},
		{`there is no CA "gamma"`, []string{"add", "gamma", file}},
		{`there is no CA "gamma"`, []string{"list", "gamma"}},
		{`the CA beta has no certificate with the pin "` + pin, []string{"remove", "beta", pin}},
	} {
		_, said := d.run(exitUsage, append([]string{"ca", "cert"}, tt.args...)...)
		contains(t, said, tt.want)
	}
	for n := range 15 {
		d.run(exitOK, "ca", "cert", "add", "beta", write(fmt.Sprint("many", n), p.fresh()))
	}
	d.run(exitOK, "ca", "cert", "add", "beta", write("last", p.fresh()))
	if _, said := d.run(exitUsage, "ca", "cert", "add", "beta", write("more", p.fresh())); !strings.Contains(said, "16 certificates at most: remove one first") {
		t.Error(said)
	}
	d.service(func(s *proofing.Service) {
		ca, err := s.Authority(t.Context(), "alpha")
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range ca.Tokens {
			d.run(exitOK, "ca", "token", "alpha", "--revoke", token.ID)
		}
	})
	_, said = d.run(exitOK, "ca", "cert", "remove", "alpha", pin)
	contains(t, said, "alpha cannot call any more until")
}
