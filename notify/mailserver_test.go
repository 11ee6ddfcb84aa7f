package notify_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/countersign-id/countersign/notify"
)

const (
	serverUser     = "mailer"
	serverPassword = "correct horse, battery"
)

// mailServer is a real SMTP server with TLS and authentication.
type mailServer struct {
	host  string
	port  int
	roots *x509.CertPool

	mechanisms []string

	mu          sync.Mutex
	mails       []received
	connections int
}

type received struct {
	from, to  string
	mechanism string // by which the sender authenticated
	encrypted bool
	utf8      bool
	data      string
}

type mailServerOptions struct {
	implicit, noTLS bool
	utf8            bool
	mechanisms      []string // offered over TLS; none: no authentication
}

func startMailServer(t *testing.T, o mailServerOptions) *mailServer {
	t.Helper()
	certificate, roots := newCertificate(t)
	s := &mailServer{roots: roots, mechanisms: o.mechanisms}
	server := smtp.NewServer(smtp.BackendFunc(s.session))
	server.Domain = "mail.example.org"
	server.EnableSMTPUTF8 = o.utf8
	server.ErrorLog = log.New(io.Discard, "", 0) // handshakes that fail are part of the tests
	config := &tls.Config{Certificates: []tls.Certificate{certificate}}
	if !o.noTLS {
		server.TLSConfig = config
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.host, s.port = splitAddress(t, l.Addr().String())
	if o.implicit {
		l = tls.NewListener(l, config)
	}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return s
}

func (s *mailServer) config() notify.SMTPConfig {
	c := notify.SMTPConfig{Host: s.host, Port: s.port, RootCAs: s.roots, From: "noreply@id.example.org"}
	if len(s.mechanisms) > 0 {
		c.Username, c.Password = serverUser, serverPassword
	}
	return c
}

func (s *mailServer) take() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	mails := s.mails
	s.mails = nil
	return mails
}

func (s *mailServer) session(c *smtp.Conn) (smtp.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connections++
	return &mailSession{server: s, conn: c}, nil
}

// mailSession is one conversation; it implements smtp.AuthSession.
type mailSession struct {
	server    *mailServer
	conn      *smtp.Conn
	mechanism string
	mail      received
}

func (s *mailSession) Mail(from string, o *smtp.MailOptions) error {
	if len(s.server.mechanisms) > 0 && s.mechanism == "" {
		return smtp.ErrAuthRequired
	}
	_, encrypted := s.conn.TLSConnectionState()
	s.mail = received{from: from, mechanism: s.mechanism, encrypted: encrypted, utf8: o.UTF8}
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error { s.mail.to = to; return nil }

func (s *mailSession) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mail.data = string(data)
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, s.mail)
	return nil
}

func (s *mailSession) Reset()        { s.mail = received{} }
func (s *mailSession) Logout() error { return nil }

func (s *mailSession) AuthMechanisms() []string { return s.server.mechanisms }

func (s *mailSession) Auth(mechanism string) (sasl.Server, error) {
	done := func(user, password string) error {
		if user != serverUser || password != serverPassword {
			return smtp.ErrAuthFailed
		}
		s.mechanism = mechanism
		return nil
	}
	switch mechanism {
	case "PLAIN":
		return sasl.NewPlainServer(func(_, user, password string) error { return done(user, password) }), nil
	case "LOGIN":
		return &loginServer{check: done}, nil
	case "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS":
		binding := "n,,"
		if strings.HasSuffix(mechanism, "-PLUS") {
			state, _ := s.conn.TLSConnectionState()
			exported, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
			if err != nil {
				return nil, err
			}
			binding = "p=tls-exporter,," + string(exported)
		}
		return &scramServer{binding: binding, done: func() { s.mechanism = mechanism }}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

// loginServer is the server's side of LOGIN.
type loginServer struct {
	check func(user, password string) error
	step  int
	user  string
}

func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	l.step++
	switch l.step {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		l.user = string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.user, string(response))
}

// scramServer is the server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), with
// tls-exporter as channel binding (RFC 9266).
type scramServer struct {
	binding string // the GS2 header with the channel's data
	done    func()

	step               int
	clientFirst, first string
}

func (s *scramServer) Next(response []byte) (challenge []byte, done bool, err error) {
	s.step++
	switch s.step {
	case 1:
		if response == nil {
			s.step = 0
			return []byte{}, false, nil // no initial response: ask for it
		}
		header, _, _ := strings.Cut(s.binding, ",,")
		bare, ok := strings.CutPrefix(string(response), header+",,")
		if !ok {
			return nil, false, smtp.ErrAuthFailed
		}
		_, nonce, _ := strings.Cut(bare, ",r=")
		s.clientFirst = bare
		s.first = fmt.Sprintf("r=%sserver,s=%s,i=4096", nonce, base64.StdEncoding.EncodeToString([]byte("salt")))
		return []byte(s.first), false, nil
	case 2:
		return s.verify(string(response))
	}
	s.done()
	return nil, true, nil
}

func (s *scramServer) verify(final string) (challenge []byte, done bool, err error) {
	withoutProof, proof, _ := strings.Cut(final, ",p=")
	salted, err := pbkdf2.Key(sha256.New, serverPassword, []byte("salt"), 4096, 32)
	if err != nil {
		return nil, false, err
	}
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		_, _ = h.Write([]byte(text))
		return h.Sum(nil)
	}
	message := s.clientFirst + "," + s.first + "," + withoutProof
	clientKey := mac(salted, "Client Key")
	stored := sha256.Sum256(clientKey)
	want := mac(stored[:], message)
	for i := range want {
		want[i] ^= clientKey[i]
	}
	bound := strings.HasPrefix(withoutProof, "c="+base64.StdEncoding.EncodeToString([]byte(s.binding))+",")
	if !bound || proof != base64.StdEncoding.EncodeToString(want) || !strings.Contains(s.clientFirst, "n="+serverUser+",") {
		return nil, false, smtp.ErrAuthFailed
	}
	signature := mac(mac(salted, "Server Key"), message)
	return []byte("v=" + base64.StdEncoding.EncodeToString(signature)), false, nil
}

// newCertificate makes a certificate for 127.0.0.1 and the roots that trust it.
func newCertificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.example.org"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"mail.example.org"},
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}
