package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"github.com/countersign-id/countersign/proofing"
)

// SMTPConfig says through which server mail goes, and in whose name.
type SMTPConfig struct {
	Host string
	// Port is 587 if not set, or 465 with TLS "implicit".
	Port int
	// TLS is "starttls" (the default; a server that does not offer it gets no
	// mail), "implicit", or "none", which is for a server on this machine.
	TLS string
	// AllowPlaintext lets TLS "none" reach another machine: for development.
	AllowPlaintext bool
	// RootCAs are trusted to name the server; nil means the system's.
	RootCAs *x509.CertPool

	// Auth is "auto" (the default when Username is set), "plain", "login",
	// "scram-sha-256", or "none".
	Auth     string
	Username string
	Password proofing.Secret

	From     string // a bare address; also the sender of the envelope
	FromName string
	ReplyTo  string // a bare address, or empty
	// Hello is the name in EHLO; the domain of From if empty.
	Hello string
	DKIM  *DKIMConfig // nil: mails are not signed here
}

// DKIMConfig is the key that signs mails.
type DKIMConfig struct {
	Domain   string // of the signature; the domain of From if empty
	Selector string
	Key      proofing.Secret // PEM: RSA of 2048 bits or more, or Ed25519
}

// The values of SMTPConfig.TLS.
const (
	tlsStart    = "starttls"
	tlsImplicit = "implicit"
	tlsNone     = "none"
)

// Connections are kept for the next mail, since a new one costs a TLS handshake.
const (
	idleLines    = 4                // kept at most
	idleFor      = 20 * time.Second // and for so long
	mailsPerLine = 50               // servers tend to cut a line that sends for ever
	probeTimeout = 3 * time.Second  // for a kept line to show that it is alive
)

// SMTP delivers mail through one SMTP server. It speaks through go-mail's
// protocol client, one command at a time, rather than through its Send: only so
// is it known how far a delivery came, and that no QUIT follows a message that
// broke off (it would end the message, and a server would take the half of it).
type SMTP struct {
	addr      string
	host      string
	hello     string
	tlsMode   string
	tlsConfig *tls.Config
	auth      authenticator
	writer    *mailWriter
	dialer    net.Dialer

	mu     sync.Mutex
	idle   []*line
	closed bool
}

// NewSMTP checks the configuration; it does not call the server.
func NewSMTP(c SMTPConfig) (*SMTP, error) {
	if c.Host == "" {
		return nil, errors.New("no host")
	}
	if c.TLS == "" {
		c.TLS = tlsStart
	}
	if c.Port == 0 {
		c.Port = 587
		if c.TLS == tlsImplicit {
			c.Port = 465
		}
	}
	switch {
	case c.TLS != tlsStart && c.TLS != tlsImplicit && c.TLS != tlsNone:
		return nil, fmt.Errorf("there is no TLS mode %q", c.TLS)
	case c.TLS == tlsNone && !isLoopback(c.Host) && !c.AllowPlaintext:
		return nil, errors.New(`TLS "none" would send codes in the clear to another machine`)
	case c.Port < 1 || c.Port > 65535:
		return nil, fmt.Errorf("there is no port %d", c.Port)
	}
	auth, err := newAuthenticator(c)
	if err != nil {
		return nil, err
	}
	w, err := newMailWriter(c)
	if err != nil {
		return nil, err
	}
	if c.Hello == "" {
		c.Hello = w.domain
	}
	if err := oneLine(c.Hello); err != nil {
		return nil, fmt.Errorf("hello: %w", err)
	}
	return &SMTP{
		addr: net.JoinHostPort(c.Host, strconv.Itoa(c.Port)), host: c.Host, hello: c.Hello,
		tlsMode:   c.TLS,
		tlsConfig: &tls.Config{ServerName: c.Host, RootCAs: c.RootCAs, MinVersion: tls.VersionTLS12},
		auth:      auth, writer: w,
	}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Deliver implements Provider.
func (s *SMTP) Deliver(ctx context.Context, m proofing.Message, r Rendered) (proofing.Receipt, error) {
	l, err := s.writer.write(m, r)
	if err != nil {
		return proofing.Receipt{}, err
	}
	over, err := s.connect(ctx)
	if err != nil {
		return proofing.Receipt{}, err
	}
	answer, err := over.send(ctx, l)
	if err != nil {
		over.cut()
		return proofing.Receipt{}, err
	}
	s.keep(over)
	return proofing.Receipt{Provider: "smtp", Reference: queueID(answer)}, nil
}

// queuedAs is how the common servers name the mail that they have taken.
var queuedAs = regexp.MustCompile(`(?i)queued as ([A-Za-z0-9._=-]{1,80})`)

func queueID(answer string) string {
	if found := queuedAs.FindStringSubmatch(answer); found != nil {
		return found[1]
	}
	return ""
}

// connect returns a kept line that is still alive, or a new one.
func (s *SMTP) connect(ctx context.Context) (*line, error) {
	for l := s.take(); l != nil; l = s.take() {
		if l.alive(ctx) {
			return l, nil
		}
		l.cut()
	}
	return s.dial(ctx)
}

// dial opens a line up to and including the authentication.
func (s *SMTP) dial(ctx context.Context) (*line, error) {
	raw, err := s.dialer.DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return nil, failure(ctx, "dial", err)
	}
	l := &line{raw: &boundedConn{Conn: raw, left: maxAnswers}}
	defer l.guard(ctx)()
	if phase, err := s.greet(l); err != nil {
		l.cut()
		return nil, failure(ctx, phase, err)
	}
	return l, nil
}

// greet brings a new connection to where it takes mail, and says which phase
// failed.
func (s *SMTP) greet(l *line) (phase string, err error) {
	var conn net.Conn = l.raw
	if s.tlsMode == tlsImplicit {
		secure := tls.Client(l.raw, s.tlsConfig)
		if err := secure.Handshake(); err != nil {
			return "tls", err
		}
		conn = secure
	}
	if l.client, err = smtp.NewClient(conn, s.host); err != nil {
		return "greeting", err
	}
	if err := l.client.Hello(s.hello); err != nil {
		return "ehlo", err
	}
	if s.tlsMode == tlsStart {
		if offered, _ := l.client.Extension("STARTTLS"); !offered {
			return "starttls", errNoStartTLS
		}
		if err := l.client.StartTLS(s.tlsConfig); err != nil {
			return "starttls", err
		}
	}
	if err := s.auth.authenticate(l.client); err != nil {
		return "auth", err
	}
	return "", nil
}

// take returns the line that was kept last, or nil.
func (s *SMTP) take() *line {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.idle) == 0 {
		return nil
	}
	l := s.idle[len(s.idle)-1]
	s.idle = s.idle[:len(s.idle)-1]
	l.expiry.Stop() // too late to stop is no harm: drop finds the line gone
	return l
}

// keep puts a line away for the next mail, or ends it.
func (s *SMTP) keep(l *line) {
	s.mu.Lock()
	full := s.closed || len(s.idle) >= idleLines || l.mails >= mailsPerLine
	if !full {
		l.expiry = time.AfterFunc(idleFor, func() { s.drop(l) })
		s.idle = append(s.idle, l)
	}
	s.mu.Unlock()
	if full {
		go l.quit() // bounded by its own time; the mail is out and need not wait
	}
}

// drop ends a line if it is still kept.
func (s *SMTP) drop(l *line) {
	s.mu.Lock()
	for i, kept := range s.idle {
		if kept == l {
			s.idle = append(s.idle[:i], s.idle[i+1:]...)
			s.mu.Unlock()
			l.quit()
			return
		}
	}
	s.mu.Unlock()
}

// Close ends the kept lines. Deliveries under way are not disturbed.
func (s *SMTP) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	for l := s.take(); l != nil; l = s.take() {
		l.quit()
	}
	return nil
}
