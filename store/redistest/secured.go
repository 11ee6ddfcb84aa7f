package redistest

import (
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
	"path/filepath"
	"testing"
	"time"
)

// TLS is a certificate for servers on this machine, and how clients know it.
type TLS struct {
	pair      tls.Certificate
	roots     *x509.CertPool
	cert, key string // files
}

// NewTLS makes a certificate that is its own root.
func NewTLS(t testing.TB) *TLS {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, text, text, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &TLS{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), roots: x509.NewCertPool()}
	for file, block := range map[string]*pem.Block{s.cert: {Type: "CERTIFICATE", Bytes: der}, s.key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if s.pair, err = tls.LoadX509KeyPair(s.cert, s.key); err != nil {
		t.Fatal(err)
	}
	s.roots.AddCert(s.pair.Leaf)
	return s
}

// Client is for those who connect; nil of nil.
func (s *TLS) Client() *tls.Config {
	if s == nil {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.roots}
}

// Server is for those who listen; nil of nil.
func (s *TLS) Server() *tls.Config {
	if s == nil {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{s.pair}}
}

// Start starts a server and returns where it speaks TLS.
func (s *TLS) Start(t testing.TB, settings ...string) string {
	t.Helper()
	return s.start(t, nil, settings)
}

// StartSentinel starts a sentinel that watches servers by TLS, and returns where it speaks TLS itself.
func (s *TLS) StartSentinel(t testing.TB, settings ...string) string {
	t.Helper()
	return s.start(t, []string{"--sentinel"}, settings)
}

func (s *TLS) start(t testing.TB, kind, settings []string) string {
	t.Helper()
	port := FreePorts(t, 2)
	server := New(t, port, append([]string{"--tls-port", fmt.Sprint(port + 1), "--tls-replication", "yes", "--tls-auth-clients", "no",
		"--tls-cert-file", s.cert, "--tls-key-file", s.key, "--tls-ca-cert-file", s.cert}, settings...)...)
	server.kind = kind
	server.Start()
	return fmt.Sprintf("127.0.0.1:%d", port+1)
}
