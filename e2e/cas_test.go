package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// part is a program of others that is run beside ours: bin/<name>, which `make tools` has built from what tools/ pins.
func part(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "bin", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run `make cas`", err)
	}
	return path
}

// root is a certificate authority of the test's own, by which the parts believe each other's TLS.
type root struct {
	t         testing.TB
	dir       string
	cert      *x509.Certificate
	key       *ecdsa.PrivateKey
	file      string // the certificate, in PEM
	keyFile   string
	pool      *x509.CertPool
	transport *http.Transport // which believes it
}

func newRoot(t testing.TB) *root {
	t.Helper()
	r := &root{t: t, dir: t.TempDir(), pool: x509.NewCertPool()}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Root of a test"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	r.file, r.keyFile = r.issue("root", template)
	r.pool.AddCert(r.cert)
	r.transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: r.pool}}
	t.Cleanup(r.transport.CloseIdleConnections)
	return r
}

// issue makes a certificate and its key, and writes both in PEM. The first one is the root's own.
func (r *root) issue(name string, template *x509.Certificate) (cert, key string) {
	r.t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		r.t.Fatal(err)
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		r.t.Fatal(err)
	}
	parent, signer := r.cert, r.key
	if parent == nil {
		parent, signer = template, own
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, own.Public(), signer)
	if err != nil {
		r.t.Fatal(err)
	}
	if r.cert == nil {
		r.key = own
		if r.cert, err = x509.ParseCertificate(der); err != nil {
			r.t.Fatal(err)
		}
	}
	text, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		r.t.Fatal(err)
	}
	write := func(file, kind string, der []byte) string {
		file = filepath.Join(r.dir, file)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			r.t.Fatal(err)
		}
		return file
	}
	return write(name+".crt", "CERTIFICATE", der), write(name+".key", "PRIVATE KEY", text)
}

// server makes a certificate for a server on this machine.
func (r *root) server(name string) (cert, key string) {
	r.t.Helper()
	return r.issue(name, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

// http is a client that believes the root, and no other.
func (r *root) http() *http.Client {
	return &http.Client{Transport: r.transport, Timeout: slowest}
}

// answers is answers for a server that shows a certificate of the root.
func (r *root) answers(url string) func() bool {
	return func() bool {
		resp, err := r.http().Get(url)
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}
}

// ca is the same program as another CA calls it, which is added with the program's own command.
func (p *program) ca(name, directory, newAccount string, profiles ...string) *program {
	p.t.Helper()
	args := []string{"ca", "add", name, "--directory", directory, "--new-account", newAccount}
	for _, profile := range profiles {
		args = append(args, "--profile", profile)
	}
	copied := *p
	copied.token = secret("a CA's token", strings.TrimSpace(p.output("", args...)))
	return &copied
}

// output is command for one whose standard output is used; it is given what it reads.
func (p *program) output(input string, args ...string) string {
	p.t.Helper()
	cmd := exec.Command(binary, append([]string{"--config", p.file(0)}, args...)...)
	cmd.Env, cmd.Stdin = append(os.Environ(), p.env()...), strings.NewReader(input)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("countersign %s: %v\n%s%s", strings.Join(args, " "), err, out, &said)
	}
	return string(out)
}

// keyOfProof has a person prove an address and take the key that this ends in.
func (p *program) keyOfProof(email string) (kid, hmacKey string) {
	p.t.Helper()
	kid, hmacKey, _ = p.keyAndPage(email)
	return kid, hmacKey
}

// keyAndPage is keyOfProof with the page on which the person sees the key.
func (p *program) keyAndPage(email string) (kid, hmacKey, page string) {
	p.t.Helper()
	return p.keyFor("email", email, "address", email)
}

// keyFor is keyAndPage for any identifier, to which who reads the mailbox is entitled.
func (p *program) keyFor(kind, value, profile, email string) (kid, hmacKey, page string) {
	p.t.Helper()
	status, opened := p.call("POST", "/v1/preauthorizations", map[string]any{
		"result": "eab_key", "identifier": map[string]any{"type": kind, "value": value}, "profile": profile,
	})
	if status != http.StatusCreated {
		p.t.Fatal(status, opened)
	}
	h := p.person(opened["case_url"].(string))
	h.prove("email", email)
	_, page, err := h.submit(h.page+"/key", url.Values{})
	if err != nil {
		p.t.Fatal(err)
	}
	found, shown := kidOnPage.FindStringSubmatch(page), hmacOnPage.FindStringSubmatch(page)
	if found == nil || shown == nil {
		p.t.Fatalf("no key is shown:\n%s", page)
	}
	return found[1], secret("a MAC key", shown[1]), page
}
