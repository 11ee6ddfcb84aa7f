package e2e

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	stdlog "log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-acme/lego/v4/certificate"
	"github.com/go-acme/lego/v4/lego"
	legolog "github.com/go-acme/lego/v4/log"
	"github.com/go-acme/lego/v4/registration"
	"golang.org/x/crypto/acme"
)

// pebble is Let's Encrypt's test server, with the keys that countersign has exported.
type pebble struct {
	*root
	directory, newAccount string
	address               string
	cmd                   *exec.Cmd
}

func newPebble(t testing.TB) *pebble {
	t.Helper()
	address := free(t)
	origin := "https://localhost:" + port(t, address)
	return &pebble{root: newRoot(t), address: address, directory: origin + "/dir", newAccount: origin + "/sign-me-up"}
}

// run starts it, or starts it again, with an export beside the configuration that it has anyway. It believes every challenge, and
// refuses no good nonce, which it otherwise does to one of twenty: dehydrated does not try again.
func (b *pebble) run(exported string) {
	b.t.Helper()
	var config map[string]map[string]any
	if err := json.Unmarshal([]byte(exported), &config); err != nil {
		b.t.Fatal(err)
	}
	cert, key := b.server("pebble")
	maps.Copy(config["pebble"], map[string]any{"listenAddress": b.address, "certificate": cert, "privateKey": key})
	text, err := json.Marshal(config)
	if err != nil {
		b.t.Fatal(err)
	}
	file := filepath.Join(b.dir, "pebble.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		b.t.Fatal(err)
	}
	if b.cmd != nil {
		end(b.cmd, syscall.SIGTERM)
	}
	b.cmd = start(b.t, []string{"PEBBLE_VA_ALWAYS_VALID=1", "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0"}, part(b.t, "pebble"), "-config", file)
	await(b.t, "Pebble", 20*time.Second, b.answers(b.directory))
}

// register makes an account with golang.org/x/crypto/acme. Without a kid there is no binding.
func (b *pebble) register(kid, hmacKey string) error {
	b.t.Helper()
	account := &acme.Account{Contact: []string{"mailto:applicant@example.org"}}
	if kid != "" {
		raw, err := base64.RawURLEncoding.DecodeString(hmacKey)
		if err != nil {
			b.t.Fatal(err)
		}
		account.ExternalAccountBinding = &acme.ExternalAccountBinding{KID: kid, Key: raw}
	}
	c := &acme.Client{Key: newSigner(b.t), DirectoryURL: b.directory, HTTPClient: b.http()}
	registered, err := c.Register(context.Background(), account, acme.AcceptTOS)
	if err == nil && registered.Status != acme.StatusValid {
		b.t.Errorf("the account is %s", registered.Status)
	}
	return err
}

func newSigner(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// refused wants an ACME server's no, of a type, with words in it.
func refused(t testing.TB, what string, err error, typ, words string) {
	t.Helper()
	if no, ok := errors.AsType[*acme.Error](err); !ok || no.ProblemType != "urn:ietf:params:acme:error:"+typ || !strings.Contains(no.Detail, words) {
		t.Errorf("%s: %v, want %s: %s", what, err, typ, words)
	}
}

// legoUser is a person with lego, which writes their address into its own log. So it is nobody's who proves it to the program.
type legoUser struct {
	key      crypto.PrivateKey
	resource *registration.Resource
}

func (u *legoUser) GetEmail() string                        { return "lego-user@example.org" }
func (u *legoUser) GetRegistration() *registration.Resource { return u.resource }
func (u *legoUser) GetPrivateKey() crypto.PrivateKey        { return u.key }

// unasked answers challenges of a server that looks at none.
type unasked struct{}

func (unasked) Present(_, _, _ string) error { return nil }
func (unasked) CleanUp(_, _, _ string) error { return nil }

// Pebble has the keys that the program exports, and asks nobody. Whoever has proved an address gets in with the key of the proof, by
// two clients that nobody here wrote; whose key was revoked gets in no more once it has been exported again.
func TestPebbleBelievesTheKeysOfProofs(t *testing.T) {
	t.Parallel()
	legolog.Logger = stdlog.New(logWriter{}, "", 0)
	p, b := newProgram(t), newPebble(t)
	ca := p.ca("pebble", b.directory, b.newAccount, "address")
	kid, hmacKey := ca.keyOfProof("pebble-1@example.org")
	other, otherKey := ca.keyOfProof("pebble-2@example.org")
	b.run(ca.output("", "eab", "export", "pebble", "pebble"))

	if err := b.register(kid, hmacKey); err != nil {
		t.Errorf("x/crypto/acme with the key of a proof: %v", err)
	}
	if err := b.register(other, otherKey); err != nil {
		t.Errorf("x/crypto/acme with the key of another: %v", err)
	}
	refused(t, "without a key", b.register("", ""), "externalAccountRequired", "")
	refused(t, "with another's MAC key", b.register(kid, otherKey), "unauthorized", "")

	t.Run("lego gets a certificate", func(t *testing.T) {
		user := &legoUser{key: newSigner(t)}
		config := lego.NewConfig(user)
		config.CADirURL, config.HTTPClient, config.Certificate.Timeout = b.directory, b.http(), 5*time.Minute
		c, err := lego.NewClient(config)
		if err != nil {
			t.Fatal(err)
		}
		user.resource, err = c.Registration.RegisterWithExternalAccountBinding(registration.RegisterEABOptions{TermsOfServiceAgreed: true, Kid: kid, HmacEncoded: hmacKey})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Challenge.SetHTTP01Provider(unasked{}); err != nil {
			t.Fatal(err)
		}
		got, err := c.Certificate.Obtain(certificate.ObtainRequest{Domains: []string{"lego.example.org"}, PrivateKey: newSigner(t)})
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(got.Certificate)
		if block == nil {
			t.Fatalf("no certificate: %s", got.Certificate)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(cert.DNSNames, []string{"lego.example.org"}) {
			t.Errorf("the certificate is for %v", cert.DNSNames)
		}
	})

	ca.command("eab", "revoke", "pebble", other)
	again := ca.output("", "eab", "export", "pebble", "pebble")
	if strings.Contains(again, other) || strings.Contains(again, otherKey) || !strings.Contains(again, kid) {
		t.Errorf("after one of the keys was revoked there is\n%s", again)
	}
	b.run(again)
	refused(t, "with the revoked key", b.register(other, otherKey), "unauthorized", "not known")
	if err := b.register(kid, hmacKey); err != nil {
		t.Errorf("with the key that is left: %v", err)
	}
}
