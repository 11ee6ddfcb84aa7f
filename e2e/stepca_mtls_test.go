package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// write has the provisioner for ACME in ca.json ask webhooks, which have no secret there: its file has no place for one.
func (s *stepCA) write(hooks []map[string]any, template string) {
	s.t.Helper()
	text, err := os.ReadFile(s.config())
	if err != nil {
		s.t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		s.t.Fatal(err)
	}
	provisioners, _ := config["authority"].(map[string]any)["provisioners"].([]any)
	for _, p := range provisioners {
		if p, _ := p.(map[string]any); p["type"] == "ACME" {
			p["options"] = map[string]any{"webhooks": hooks, "x509": map[string]any{"templateFile": template}}
		}
	}
	if text, err = json.Marshal(config); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.config(), text, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// pin pins the certificate that step-ca shows, as a server and as a client, and returns the pin.
func (s *stepCA) pin(ca *program, name string) string {
	s.t.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(s.at, "https://"), &tls.Config{RootCAs: s.pool, MinVersion: tls.VersionTLS12})
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	file := filepath.Join(s.dir, "shown.pem")
	shown := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: conn.ConnectionState().PeerCertificates[0].Raw})
	if err := os.WriteFile(file, shown, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(ca.output("", "ca", "cert", "add", name, file))
}

// A webhook that is written into ca.json has no secret. step-ca is known by its certificate alone then, which it shows because the listener asks for it: not
// before its key is pinned, and not once that is another's, as after each start of step-ca.
func TestStepCAIsKnownByItsCertificateWhereAWebhookHasNoSecret(t *testing.T) {
	t.Parallel()
	r := newRoot(t)
	p := newService(t, layout{store: func(dir string) string { return "path: " + filepath.Join(dir, "c.db") }, root: r})
	s := initStepCA(t, r)
	ca, email := p.ca("step", s.directory, s.newAccount, "organization"), secret("an address", "code-signer@example.org")
	ca.command("registry", "add", "step", "organization", "Example Ltd", "--email", email)
	var hooks []map[string]any
	for hook, kind := range map[string]string{"countersign": "ENRICHING", "judge": "AUTHORIZING"} {
		printed := strings.Fields(ca.output("", "ca", "step-ca", "add", "step", hook, "--kind", kind, "--profile", "organization"))
		id := "id-of-" + hook
		hooks = append(hooks, map[string]any{"id": id, "name": hook, "url": printed[slices.Index(printed, "--url")+1], "kind": kind, "certType": "X509"})
		ca.output("", "ca", "step-ca", "connect", "step", hook, "--id", id, "--without-secret")
	}
	template, err := filepath.Abs(filepath.Join("..", "contrib", "step-ca", "code-signing.tpl"))
	if err != nil {
		t.Fatal(err)
	}
	s.write(hooks, template)
	stop := s.run()

	key := newSigner(t)
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	status, opened := ca.call("POST", "/v1/preauthorizations", map[string]any{
		"public_key": b64(spki), "identifier": map[string]any{"type": "organization", "value": "Example Ltd"}, "profile": "organization",
	})
	if status != http.StatusCreated {
		t.Fatal(status, opened)
	}
	ca.person(opened["case_url"].(string)).prove("email", email)
	_, proved := ca.call("GET", "/v1/preauthorizations/"+opened["id"].(string)+"?wait=60", nil)
	wantStatus(t, proved, "valid")

	unknown := func(when string) {
		t.Helper()
		_, err := s.order(key)
		refused(t, when, err, "unauthorized", "this call is from no webhook that is registered")
	}
	unknown("while no certificate of it is pinned")
	pin := s.pin(ca, "step")
	cert, err := s.order(key)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(cert.Subject.Organization, []string{"Example Ltd"}) || len(cert.DNSNames) > 0 {
		t.Errorf("the certificate is for %s and %v", cert.Subject, cert.DNSNames)
	}
	_, err = s.order(newSigner(t))
	refused(t, "another key", err, "unauthorized", "nobody has shown who is behind this key")

	stop() // and it has made itself another key
	s.run()
	unknown("after it was started again")
	if again := s.pin(ca, "step"); again == pin {
		t.Error("the key is the same as before")
	}
	if _, err := s.order(key); err != nil {
		t.Errorf("pinned again: %v", err)
	}
}
