package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificates makes a CA and one certificate, for this machine and for a client
// of it, and returns the folder of their files.
func certificates(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for name, c := range map[string]*x509.Certificate{"ca.pem": ca, "cert.pem": leaf} {
		der, err := x509.CreateCertificate(rand.Reader, c, ca, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		write(name, "CERTIFICATE", der)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write("key.pem", "PRIVATE KEY", der)
	return dir
}

// startRedis starts a server that speaks TLS alone and wants a client's certificate
// and a password, and returns its address.
func startRedis(t *testing.T, certs string, args ...string) (address string) {
	t.Helper()
	l := localListener(t)
	address = l.Addr().String()
	l.Close()
	startRedisAt(t, address, certs, args...)
	return address
}

func startRedisAt(t *testing.T, address, certs string, args ...string) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("redis-server is not installed; run: sh tools/redis.sh")
	}
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.Command(path, append([]string{"--bind", "127.0.0.1", "--port", "0", "--tls-port", port, "--dir", t.TempDir(), "--save", "",
		"--tls-cert-file", filepath.Join(certs, "cert.pem"), "--tls-key-file", filepath.Join(certs, "key.pem"), "--tls-ca-cert-file", filepath.Join(certs, "ca.pem"),
		"--appendonly", "yes", "--maxmemory-policy", "noeviction", "--requirepass", "s3cret"}, args...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// onRedis moves the desk's store to that server. Redis judges expiry by its own clock, so
// the desk's is right too.
func (d *desk) onRedis(address, certs, more string) {
	d.t.Helper()
	d.at = time.Now()
	secret := filepath.Join(d.dir, "redis-password")
	text, err := os.ReadFile(d.config)
	if err == nil {
		err = os.WriteFile(secret, []byte("s3cret\n"), 0o600)
	}
	section := fmt.Sprintf("  kind: redis\n  redis:\n    addresses: [%q]\n    password: file:%s\n    tls: {enabled: true, ca_file: %s/ca.pem, cert_file: %[3]s/cert.pem, key_file: %[3]s/key.pem}\n%s", address, secret, certs, more)
	if err == nil {
		err = os.WriteFile(d.config, []byte(strings.Replace(string(text), "  kind: sqlite\n", section, 1)), 0o600)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

func TestAStoreOnRedis(t *testing.T) {
	t.Parallel()
	certs := certificates(t)
	address := startRedis(t, certs, "--appendfsync", "always")
	d := newPatient(t)
	d.onRedis(address, certs, "")
	if _, said := d.run(exitUsage, "ca", "list"); !strings.Contains(said, "there is no store at redis at "+address) {
		t.Error(said)
	}
	d.expect(d.doctor(exitOK), "store", "warn", "holds nothing yet")
	d.addCA("alpha")
	d.expect(d.doctor(exitOK), "store", "ok", "redis at "+address+" opens, writes and reads")
	d.at = d.at.Add(-10 * time.Minute)
	d.expect(d.doctor(exitFailure), "store", "FAIL", "away from the store's")
	d.at = d.at.Add(10 * time.Minute)
	if out, _ := d.run(exitOK, "ca", "list"); !strings.Contains(out, "alpha") {
		t.Error(out)
	}
	for _, args := range [][]string{{"backup", filepath.Join(d.dir, "b")}, {"restore", filepath.Join(d.dir, "b")}} {
		if _, said := d.run(exitUsage, args...); !strings.Contains(said, "has backups of its own") {
			t.Errorf("%s: %s", args[0], said)
		}
	}

	second := newPatient(t) // another machine, without the ring and then with its own
	second.onRedis(address, certs, "")
	if _, said := second.run(exitUsage, "ca", "list"); !strings.Contains(said, "is missing: put your copy of it there") {
		t.Error(said)
	}
	elsewhere := newDesk(t)
	elsewhere.addCA("beta")
	copyFile(t, filepath.Join(elsewhere.dir, "s.keys"), filepath.Join(second.dir, "s.keys"))
	if _, said := second.run(exitUsage, "ca", "list"); !strings.Contains(said, "is not the key ring of the store redis at") {
		t.Error(said)
	}
	copyFile(t, filepath.Join(d.dir, "s.keys"), filepath.Join(second.dir, "s.keys"))
	if out, _ := second.run(exitOK, "ca", "list"); !strings.Contains(out, "alpha") {
		t.Error(out)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheDoctorOnARedisThatMayForget(t *testing.T) {
	t.Parallel()
	certs := certificates(t)
	address := startRedis(t, certs, "--appendfsync", "everysec")
	d := newPatient(t)
	d.onRedis(address, certs, "")
	d.expect(d.doctor(exitFailure), "store", "FAIL", `its appendfsync is "everysec" and must be "always"`)
	lax := newPatient(t)
	lax.onRedis(address, certs, "    accept_less_durable: true\n")
	lax.addCA("alpha")
	d.expect(lax.doctor(exitOK), "store", "ok", "opens, writes and reads")
	stranger := newPatient(t)
	stranger.onRedis(address, certificates(t), "    accept_less_durable: true\n")
	d.expect(stranger.doctor(exitFailure), "store", "FAIL", "certificate")
}

func TestEachConnectionToRedisShowsTheCertificateOfNow(t *testing.T) {
	p := newPKI(t)
	one, two := p.fresh(), p.fresh()
	files := p.write("redis", one)
	o, err := RedisConfig{TLS: RedisTLSConfig{Enabled: true, CertFile: files.CertFile, KeyFile: files.KeyFile}}.options()
	if err != nil {
		t.Fatal(err)
	}
	shows := func(when string, want tls.Certificate) {
		t.Helper()
		got, err := o.TLS.GetClientCertificate(&tls.CertificateRequestInfo{})
		if err != nil || !bytes.Equal(got.Certificate[0], want.Certificate[0]) {
			t.Errorf("%s it shows another: %v", when, err)
		}
	}
	shows("at first", one)
	p.write("redis", two)
	shows("after its renewal", two)
	p.put(files.CertFile, "CERTIFICATE", one.Certificate[0])
	shows("when half of the pair was replaced", two)
}
