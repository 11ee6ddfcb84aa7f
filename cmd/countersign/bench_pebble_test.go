package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkPebble prints, in the shape of a row of the hooks but for the echo, how fast Pebble makes accounts with external
// account bindings: with all of RFC 8555 around the binding, in memory alone, over TLS, and with this generator signing beside it.
func BenchmarkPebble(b *testing.B) {
	for range b.N {
		benchPebble(b)
	}
}

func benchPebble(b *testing.B) {
	program, err := filepath.Abs(filepath.Join("..", "..", "bin", "pebble"))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		b.Fatalf("%v: run `make cas`", err)
	}
	p := newPKI(b)
	address, files := freeAddress(b), p.write("pebble", p.fresh())
	secret := make([]byte, 32)
	rand.Read(secret)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": address, "certificate": files.CertFile, "privateKey": files.KeyFile, "externalAccountBindingRequired": true,
		"externalAccountMACKeys": map[string]string{"bench": base64.RawURLEncoding.EncodeToString(secret)},
	}})
	if err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(p.dir, "pebble.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(program, "-config", file)
	cmd.Env = append(os.Environ(), "PEBBLE_WFE_NONCEREJECT=0")
	start(b, cmd)
	awaitPort(b, address)

	wires := make([]*wire, waiters)
	nonces := make([]string, waiters)
	for i := range wires {
		conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: p.trust()})
		if err != nil {
			b.Fatal(err)
		}
		wires[i] = &wire{address: address, conn: conn, in: bufio.NewReaderSize(conn, 8<<10)}
		b.Cleanup(wires[i].close)
		r, err := wires[i].ask([]byte("GET /nonce-plz HTTP/1.1\r\nUser-Agent: bench\r\nHost: " + address + "\r\n\r\n"))
		if err != nil || r.nonce == "" {
			b.Fatalf("newNonce: %d %v %s", r.status, err, r.body)
		}
		nonces[i] = r.nonce
	}
	url := "https://" + address + "/sign-me-up"
	account := func(caller int, o *outcome) bool {
		request, err := pebbleAccount(address, url, nonces[caller], secret)
		if err != nil {
			o.count(reply{}, err, http.StatusCreated, 0)
			return false
		}
		began := time.Now()
		r, err := wires[caller].ask(request)
		o.count(r, err, http.StatusCreated, time.Since(began))
		nonces[caller] = r.nonce
		return err == nil && r.nonce != ""
	}
	rounds, lasts := benchLength()
	var rates, late, cost []float64
	for round := range rounds + 1 {
		used := cpuOf(b, cmd.Process.Pid)
		o := closedLoop(waiters, lasts, account)
		if o.bad+o.refused > 0 {
			b.Errorf("%d bad or refused: %s", o.bad+o.refused, o.first)
		}
		if round > 0 {
			rates, late = append(rates, o.rate()), append(late, milliseconds(o.at(.99)))
			cost = append(cost, (cpuOf(b, cmd.Process.Pid)-used)*1e6/float64(max(o.good, 1)))
		}
	}
	fmt.Printf("%s- | %.0f | %.0f | %.1f | - | - |\n", benchRow("pebble", "newAccount"), median(rates), median(cost), median(late))
	b.ReportMetric(median(late), "p99-ms")
}

// pebbleAccount is a newAccount request by ES256 with a binding in it (RFC 8555 7.3.4).
func pebbleAccount(host, url, nonce string, secret []byte) ([]byte, error) {
	key, err := newSignerKey()
	if err != nil {
		return nil, err
	}
	jwk, err := jwkOf(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	protected := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"alg":"ES256","jwk":%s,"nonce":%q,"url":%q}`, jwk, nonce, url))
	payload := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"termsOfServiceAgreed":true,"externalAccountBinding":%s}`, bindingOf("bench", secret, url, jwk)))
	sum := sha256.Sum256([]byte(protected + "." + payload))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		return nil, err
	}
	var signature [64]byte
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	body := fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, protected, payload, base64.RawURLEncoding.EncodeToString(signature[:]))
	return fmt.Appendf(nil, "POST /sign-me-up HTTP/1.1\r\nUser-Agent: bench\r\nHost: %s\r\nContent-Type: application/jose+json\r\nContent-Length: %d\r\n\r\n%s", host, len(body), body), nil
}
