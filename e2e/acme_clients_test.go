package e2e

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"html"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

// installed is a client that Debian has; tools/clients.sh installs it.
func installed(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v: run `make clients`", err)
	}
	return path
}

// onPage are the commands that the person's page says to paste, by their client.
var onPage = regexp.MustCompile(`(?s)<details><summary>([^<]+)</summary><pre><code>(.*?)</code></pre>`)

// paste runs a command as a shell does, with what a test must add so that it trusts the CA and stays in its folder.
func paste(t testing.TB, dir, command string, env ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// What the last page says to paste is pasted into the real clients, against Pebble with the exported keys. Three more clients, which
// the page does not name, get their certificates with keys of proofs.
func TestWhatThePageSaysToPasteRegistersAnAccount(t *testing.T) {
	t.Parallel()
	p, b := newProgram(t), newPebble(t)
	ca := p.ca("pebble", b.directory, b.newAccount, "address")
	type made struct{ kid, hmacKey, command string }
	keys := map[string]made{}
	for _, client := range []string{"certbot", "lego", "caddy", "dehydrated", "acmez"} {
		kid, hmacKey, page := ca.keyAndPage(client + "-1@example.org")
		m := made{kid: kid, hmacKey: hmacKey}
		for _, found := range onPage.FindAllStringSubmatch(page, -1) {
			if found[1] == client {
				m.command = strings.NewReplacer("YOU@EXAMPLE.ORG", "client@example.org", "YOUR.NAME", client+".example.org").Replace(html.UnescapeString(found[2]))
			}
		}
		keys[client] = m
	}
	b.run(ca.output("", "eab", "export", "pebble", "pebble"))
	// issued wants a certificate for the client's name in one of the files.
	issued := func(t *testing.T, client string, files ...string) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(files...))
		if err != nil {
			t.Fatal(err)
		}
		wantName(t, text, client+".example.org")
	}

	t.Run("certbot", func(t *testing.T) {
		dir, k := t.TempDir(), keys["certbot"]
		installed(t, "certbot")
		options := " --non-interactive --config-dir c --work-dir w --logs-dir l"
		if out, err := paste(t, dir, strings.Replace(k.command, k.hmacKey, keys["lego"].hmacKey, 1)+options, "REQUESTS_CA_BUNDLE="+b.file); err == nil {
			t.Errorf("with another's MAC key certbot says:\n%s", out)
		}
		out, err := paste(t, dir, k.command+options, "REQUESTS_CA_BUNDLE="+b.file)
		if err != nil || !strings.Contains(out, "Account registered.") {
			t.Fatalf("%v:\n%s", err, out)
		}
		// With the account that it has now. Nobody looks at what it serves, so that any free port does.
		out, err = paste(t, dir, "certbot certonly --standalone --http-01-address 127.0.0.1 --http-01-port "+port(t, free(t))+
			" -d certbot.example.org --server "+b.directory+options, "REQUESTS_CA_BUNDLE="+b.file)
		if err != nil {
			t.Fatalf("%v:\n%s", err, out)
		}
		issued(t, "certbot", dir, "c", "live", "certbot.example.org", "cert.pem")
	})

	t.Run("lego", func(t *testing.T) {
		dir, k := t.TempDir(), keys["lego"]
		installed(t, "lego")
		command, ok := strings.CutSuffix(k.command, " run")
		if !ok {
			t.Fatalf("the page says %q", k.command)
		}
		out, err := paste(t, dir, command+" --http.port 127.0.0.1:"+port(t, free(t))+" run", "LEGO_CA_CERTIFICATES="+b.file)
		if err != nil {
			t.Fatalf("%v:\n%s", err, out)
		}
		issued(t, "lego", dir, ".lego", "certificates", "lego.example.org.crt")
	})

	t.Run("caddy", func(t *testing.T) {
		dir, k := t.TempDir(), keys["caddy"]
		path := installed(t, "caddy")
		options, ok := strings.CutPrefix(k.command, "# in the global options of the Caddyfile:\n")
		if !ok {
			t.Fatalf("the page says %q", k.command)
		}
		// It believes the server, says nothing to anybody else, and serves at ports that anybody may use.
		text := "{\n" + options + "\nacme_ca_root " + b.file + "\nadmin off\ndefault_bind 127.0.0.1\nskip_install_trust\nhttp_port " + port(t, free(t)) + "\nhttps_port " + port(t, free(t)) + "\n}\ncaddy.example.org {\nrespond ok\n}\n"
		if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := start(t, []string{"HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir}, path, "run", "--config", filepath.Join(dir, "Caddyfile"), "--adapter", "caddyfile")
		defer end(cmd, syscall.SIGTERM)
		certificates := filepath.Join(dir, "caddy", "certificates", "*", "caddy.example.org", "caddy.example.org.crt")
		await(t, "Caddy's certificate", time.Minute, func() bool {
			found, _ := filepath.Glob(certificates)
			return len(found) == 1
		})
		found, _ := filepath.Glob(certificates)
		issued(t, "caddy", found[0])
	})

	t.Run("dehydrated", func(t *testing.T) {
		dir, k := t.TempDir(), keys["dehydrated"]
		installed(t, "dehydrated")
		if err := os.WriteFile(filepath.Join(dir, "config"), []byte("CA="+b.directory+"\nEAB_KID="+k.kid+"\nEAB_HMAC_KEY="+k.hmacKey+
			"\nKEY_ALGO=prime256v1\nWELLKNOWN="+dir+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{"dehydrated --config config --register --accept-terms", "dehydrated --config config --cron --domain dehydrated.example.org"} {
			if out, err := paste(t, dir, command, "CURL_CA_BUNDLE="+b.file); err != nil {
				t.Fatalf("%s: %v:\n%s", command, err, out)
			}
		}
		issued(t, "dehydrated", dir, "certs", "dehydrated.example.org", "cert.pem")
	})

	t.Run("acmez", func(t *testing.T) {
		k := keys["acmez"]
		c := acmez.Client{
			Client:           &acme.Client{Directory: b.directory, HTTPClient: b.http(), Logger: slog.New(slog.DiscardHandler)},
			ChallengeSolvers: map[string]acmez.Solver{acme.ChallengeTypeHTTP01: unsolved{}},
		}
		account := acme.Account{TermsOfServiceAgreed: true, PrivateKey: newSigner(t)}
		if err := account.SetExternalAccountBinding(t.Context(), c.Client, acme.EAB{KeyID: k.kid, MACKey: k.hmacKey}); err != nil {
			t.Fatal(err)
		}
		account, err := c.NewAccount(t.Context(), account)
		if err != nil {
			t.Fatal(err)
		}
		chains, err := c.ObtainCertificateForSANs(t.Context(), account, newSigner(t), []string{"acmez.example.org"})
		if err != nil {
			t.Fatal(err)
		}
		wantName(t, chains[0].ChainPEM, "acmez.example.org")
	})
}

// uacme believes the system's certificates alone and gives up on an authorization with a challenge that it does not know, as Pebble's have. At the CA of
// these tests, over plain HTTP, the order is ready from the start, and it gets a certificate.
func TestUacmeTakesAKey(t *testing.T) {
	t.Parallel()
	p, ca := newProgram(t), newOwnCAAt(t, httptest.NewServer)
	asCA := p.ca("own", ca.url("/dir"), ca.url("/new-account"), "address", "device")
	ca.asks(t, p.api, asCA.token, map[string]string{"email": "address", "dns": "device"})
	const name, holder = "uacme.example.org", "uacme@example.org"
	p.command("registry", "add", "own", "dns", name, "--email", holder)
	kid, hmacKey, _ := asCA.keyFor("dns", name, "device", holder)
	_, another := asCA.keyOfProof("another@example.org")
	dir := t.TempDir()
	uacme := installed(t, "uacme") + " -y -t EC -a " + ca.url("/dir")
	if out, err := paste(t, dir, uacme+" -c ./other -e "+kid+":"+another+" new client@example.org"); err == nil {
		t.Errorf("with another's MAC key uacme says:\n%s", out)
	}
	if out, err := paste(t, dir, uacme+" -c ./own -e "+kid+":"+hmacKey+" new client@example.org"); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	if out, err := paste(t, dir, uacme+" -c ./own issue other.example.org"); err == nil {
		t.Errorf("for another name uacme says:\n%s", out)
	}
	if out, err := paste(t, dir, uacme+" -c ./own issue "+name); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "own", name, "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	wantName(t, text, name)
}

// wantName wants the first certificate of a PEM to be for one name.
func wantName(t testing.TB, text []byte, name string) {
	t.Helper()
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("no certificate: %s", text)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if len(cert.DNSNames) != 1 || cert.DNSNames[0] != name {
		t.Errorf("the certificate is for %v, want %s", cert.DNSNames, name)
	}
}

// unsolved answers challenges of a server that looks at none.
type unsolved struct{}

func (unsolved) Present(context.Context, acme.Challenge) error { return nil }
func (unsolved) CleanUp(context.Context, acme.Challenge) error { return nil }

// step registers without a binding and has no option for one, which is why the page names no command for it and says so. Should it learn one, this
// test fails, and the page is to have it.
func TestStepHasNoOptionForAKey(t *testing.T) {
	t.Parallel()
	b, step, dir := newPebble(t), part(t, "step"), t.TempDir()
	b.run(`{"pebble": {"externalAccountBindingRequired": true, "externalAccountMACKeys": {}}}`)
	help, err := paste(t, dir, step+" ca certificate --help", "STEPPATH="+dir)
	if err != nil || !strings.Contains(help, "--acme") {
		t.Fatalf("%v:\n%s", err, help)
	}
	for _, word := range []string{"--eab", "--kid", "account binding"} {
		if strings.Contains(strings.ToLower(help), word) {
			t.Errorf("step has learnt something: %s:\n%s", word, help)
		}
	}
	out, err := paste(t, dir, step+" ca certificate step.example.org c.crt c.key --acme "+b.directory+" --san step.example.org --root "+b.file+
		" --contact client@example.org --standalone --http-listen "+free(t), "STEPPATH="+dir)
	if err == nil || !strings.Contains(out, "must include a value for the 'externalAccountBinding' field") {
		t.Errorf("without a key step says %v:\n%s", err, out)
	}
}
