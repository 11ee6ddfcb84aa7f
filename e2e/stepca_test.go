package e2e

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/acme"
)

// stepCA is step-ca as it is given out, managed by step, with a provisioner for ACME.
type stepCA struct {
	*root
	at, directory, newAccount string
	acme                      *acme.Client
	proofs                    *httptest.Server // answers http-01 for localhost
	proof                     atomic.Value     // what it answers, a string
}

// asAdmin is how step says who manages the CA.
var asAdmin = []string{"--admin-subject", "step", "--admin-provisioner", "admin@example.org", "--admin-password-file"}

// newStepCA makes a CA under the root that step manages, and starts it.
func newStepCA(t testing.TB, r *root) *stepCA {
	t.Helper()
	s := initStepCA(t, r, "--remote-management")
	s.run()
	return s
}

// initStepCA makes a CA under the root.
func initStepCA(t testing.TB, r *root, more ...string) *stepCA {
	t.Helper()
	address := free(t)
	at := "https://localhost:" + port(t, address)
	s := &stepCA{root: r, at: at, directory: at + "/acme/acme/directory", newAccount: at + "/acme/acme/new-account"}
	s.proofs = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(s.proof.Load().(string))) }))
	t.Cleanup(s.proofs.Close)
	if err := os.WriteFile(s.password(), []byte(secret("the password of a CA", rand.Text())), 0o600); err != nil {
		t.Fatal(err)
	}
	s.step(append([]string{"ca", "init", "--deployment-type", "standalone", "--name", "Example", "--dns", "localhost", "--address", address, "--provisioner", "admin@example.org",
		"--password-file", s.password(), "--root", r.file, "--key", r.keyFile, "--acme"}, more...)...)
	return s
}

func (s *stepCA) config() string { return filepath.Join(s.dir, "config", "ca.json") }

// run starts the CA, and has an account there.
func (s *stepCA) run() (stop func()) {
	s.t.Helper()
	cmd := start(s.t, s.env(), part(s.t, "step-ca"), s.config(), "--password-file", s.password(),
		"--insecure", "--acme-http-port", port(s.t, s.proofs.Listener.Addr().String()))
	await(s.t, "step-ca", 20*time.Second, s.answers(s.at+"/health"))
	s.acme = &acme.Client{Key: newSigner(s.t), DirectoryURL: s.directory, HTTPClient: s.http(), RetryBackoff: retryNonces}
	if _, err := s.acme.Register(context.Background(), &acme.Account{}, acme.AcceptTOS); err != nil {
		s.t.Fatal(err)
	}
	return func() { end(cmd, syscall.SIGTERM) }
}

// retryNonces tries again what a client must, and nothing that the server calls its own fault: x/crypto/acme would for as long as it may.
func retryNonces(n int, _ *http.Request, resp *http.Response) time.Duration {
	if n > 10 || resp.StatusCode >= http.StatusInternalServerError {
		return -1
	}
	return 20 * time.Millisecond
}

func (s *stepCA) password() string { return filepath.Join(s.dir, "password") }

func (s *stepCA) env() []string { return []string{"STEPPATH=" + s.dir} }

// step runs a command of step and returns what it printed.
func (s *stepCA) step(args ...string) string {
	s.t.Helper()
	cmd := exec.Command(part(s.t, "step"), args...)
	cmd.Env = append(os.Environ(), s.env()...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("step %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// manage is step for a command of the administrator.
func (s *stepCA) manage(args ...string) string {
	s.t.Helper()
	return s.step(slices.Concat(args, asAdmin, []string{s.password()})...)
}

// ready makes an order for the one name that this machine can prove, and proves it by http-01, as any ACME client does. It returns where to finalize.
func (s *stepCA) ready() (finalize string) {
	s.t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), slowest)
	defer stop()
	order, err := s.acme.AuthorizeOrder(ctx, acme.DomainIDs("localhost"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, u := range order.AuthzURLs {
		authz, err := s.acme.GetAuthorization(ctx, u)
		if err != nil {
			s.t.Fatal(err)
		}
		i := slices.IndexFunc(authz.Challenges, func(c *acme.Challenge) bool { return c.Type == "http-01" })
		proof, err := s.acme.HTTP01ChallengeResponse(authz.Challenges[i].Token)
		if err != nil {
			s.t.Fatal(err)
		}
		s.proof.Store(proof)
		if _, err := s.acme.Accept(ctx, authz.Challenges[i]); err != nil {
			s.t.Fatal(err)
		}
	}
	if order, err = s.acme.WaitOrder(ctx, order.URI); err != nil {
		s.t.Fatal(err)
	}
	return order.FinalizeURL
}

// finalizeAgain is finalize for a client that tries again while the CA says that the fault is its own: that is what step-ca makes of a program that
// cannot say yet whether a grant holds. The order stays ready meanwhile.
func (s *stepCA) finalizeAgain(at string, csr []byte) (cert *x509.Certificate, err error) {
	s.t.Helper()
	for began := time.Now(); ; time.Sleep(time.Second) {
		cert, err = s.finalize(at, csr)
		if no, ok := errors.AsType[*acme.Error](err); !ok || no.ProblemType != "urn:ietf:params:acme:error:serverInternal" || time.Since(began) > askAgain {
			return cert, err
		}
	}
}

// finalize sends a CSR for an order, and checks the certificate if there is one.
func (s *stepCA) finalize(at string, csr []byte) (*x509.Certificate, error) {
	s.t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), slowest)
	defer stop()
	chain, _, err := s.acme.CreateOrderCert(ctx, at, csr, true)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(chain[0])
	if err != nil {
		s.t.Fatal(err)
	}
	between := x509.NewCertPool()
	for _, der := range chain[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			s.t.Fatal(err)
		}
		between.AddCert(c)
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: s.pool, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}}); err != nil {
		s.t.Errorf("the certificate: %v", err)
	}
	return cert, nil
}

// order asks for a certificate for a key: an order, its proof, and a CSR.
func (s *stepCA) order(key crypto.Signer) (*x509.Certificate, error) {
	s.t.Helper()
	finalize := s.ready()
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{"localhost"}}, key)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.finalize(finalize, csr)
}

// connect has step-ca ask a CA of the program about a profile, by webhooks of both kinds.
func (s *stepCA) connect(ca *program, name, profile string) {
	s.t.Helper()
	for hook, kind := range map[string]string{"countersign": "ENRICHING", "judge": "AUTHORIZING"} {
		printed := strings.Fields(ca.output("", "ca", "step-ca", "add", name, hook, "--kind", kind, "--profile", profile))
		if len(printed) < 5 || printed[0] != "step" {
			s.t.Fatalf("ca step-ca add prints %v", printed)
		}
		ca.output(s.manage(printed[1:]...), "ca", "step-ca", "connect", name, hook)
	}
}

// step-ca knows nothing of us but the webhooks that `countersign ca step-ca` prints commands for. It issues for a key once a person
// has shown that they speak for an organization, puts that into the subject, and issues no more once that was taken back.
func TestStepCAIssuesForWhomAPersonHasProved(t *testing.T) {
	t.Parallel()
	r := newRoot(t)
	p := newService(t, layout{store: func(dir string) string { return "path: " + filepath.Join(dir, "c.db") }, root: r})
	s := newStepCA(t, r)
	ca, email := p.ca("step", s.directory, s.newAccount, "organization"), secret("an address", "code-signer@example.org")
	s.connect(ca, "step", "organization")
	ca.command("registry", "add", "step", "organization", "Example Ltd", "--email", email)

	key := newSigner(t)
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	refuses := func(what, words string) {
		t.Helper()
		_, err := s.order(key)
		refused(t, what, err, "unauthorized", words)
	}
	const nobody = "nobody has shown who is behind this key"
	refuses("before there is a case", nobody)
	status, opened := ca.call("POST", "/v1/preauthorizations", map[string]any{
		"public_key": b64(spki), "identifier": map[string]any{"type": "organization", "value": "Example Ltd"}, "profile": "organization",
	})
	if status != http.StatusCreated {
		t.Fatal(status, opened)
	}
	link := opened["case_url"].(string)
	secret("the link of a case", strings.TrimPrefix(link, p.people))
	refuses("while the case is open", "Example Ltd: a person must show who they are")
	ca.person(link).prove("email", email)
	_, proved := ca.call("GET", "/v1/preauthorizations/"+opened["id"].(string)+"?wait=60", nil)
	wantStatus(t, proved, "valid")

	// What step-ca does by itself is to put the names of the order into the certificate, and those nobody has proved to us.
	refuses("with step-ca's own template", "the certificate has a name of the type dns")
	s.manage("ca", "provisioner", "update", "acme", "--x509-template", filepath.Join("..", "contrib", "step-ca", "code-signing.tpl"))
	cert, err := s.order(key)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(cert.Subject.Organization, []string{"Example Ltd"}) || len(cert.DNSNames)+len(cert.EmailAddresses)+len(cert.IPAddresses)+len(cert.URIs) > 0 {
		t.Errorf("the certificate is for %s and %v", cert.Subject, cert.DNSNames)
	}
	if !slices.Equal(cert.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}) || cert.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Errorf("the certificate is good for %v, %b", cert.ExtKeyUsage, cert.KeyUsage)
	}
	if public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(cert.PublicKey) {
		t.Error("the certificate has another key")
	}
	_, err = s.order(newSigner(t))
	refused(t, "another key", err, "unauthorized", nobody)

	end(p.cmd, syscall.SIGKILL)
	_, err = s.order(key)
	refused(t, "while nobody answers", err, "serverInternal", "")
	p.run()

	ca.command("case", "revoke", opened["id"].(string))
	refuses("after the case was revoked", nobody)
}
