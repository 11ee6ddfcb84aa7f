package notify_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/notify"
	"github.com/countersign-id/countersign/proofing"
)

var shortWords = notify.Rendered{Subject: "Your code", Text: "Your code is 314159.\r\n"}

// TestMailOutcomes is the heart: how sure we are, for every way in which every
// phase can end.
func TestMailOutcomes(t *testing.T) {
	const hello = "220 mail.example.org"
	type script = map[string]string
	cases := []struct {
		name     string
		greeting string
		script   script
		outcome  proofing.Outcome // empty: sent
		reason   string
		stored   int // what the server may have at most
	}{
		{"all goes well", hello, nil, "", "", 1},
		{"accepted, then QUIT is refused", hello, script{"QUIT": "500 no"}, "", "", 1},
		{"greeting: not now", "421 too busy", nil, proofing.NotSent, "provider_busy", 0},
		{"greeting: never", "554 no mail here", nil, proofing.Refused, "provider_refused", 0},
		{"greeting: none", "drop", nil, proofing.NotSent, "unreachable", 0},
		{"greeting: not SMTP", "HTTP/1.1 400 Bad Request", nil, proofing.NotSent, "unreachable", 0},
		{"greeting: silence", "hang", nil, proofing.NotSent, "timeout", 0},
		{"EHLO: not now", hello, script{"EHLO": "421 later", "HELO": "421 later"}, proofing.NotSent, "provider_busy", 0},
		{"EHLO: never", hello, script{"EHLO": "550 no", "HELO": "550 no"}, proofing.Refused, "provider_refused", 0},
		{"EHLO: dropped", hello, script{"EHLO": "drop"}, proofing.NotSent, "unreachable", 0},
		{"EHLO: silence", hello, script{"EHLO": "hang"}, proofing.NotSent, "timeout", 0},
		{"MAIL: not now", hello, script{"MAIL": "451 4.3.0 later"}, proofing.NotSent, "provider_busy", 0},
		{"MAIL: never", hello, script{"MAIL": "550 5.1.8 no"}, proofing.Refused, "provider_refused", 0},
		{"MAIL: authenticate first", hello, script{"MAIL": "530 5.7.0 authenticate"}, proofing.Refused, "configuration", 0},
		{"MAIL: dropped", hello, script{"MAIL": "drop"}, proofing.NotSent, "unreachable", 0},
		{"MAIL: silence", hello, script{"MAIL": "hang"}, proofing.NotSent, "timeout", 0},
		{"RCPT: greylisted", hello, script{"RCPT": "450 4.2.0 alice@example.com greylisted"}, proofing.NotSent, "provider_busy", 0},
		{"RCPT: no such address", hello, script{"RCPT": "550 5.1.1 alice@example.com unknown"}, proofing.Refused, "rejected_address", 0},
		{"RCPT: no such address, plainly", hello, script{"RCPT": "550 alice@example.com unknown"}, proofing.Refused, "rejected_address", 0},
		{"RCPT: full", hello, script{"RCPT": "552 5.2.2 mailbox full"}, proofing.Refused, "rejected_address", 0},
		{"RCPT: no relaying", hello, script{"RCPT": "554 5.7.1 relay access denied"}, proofing.Refused, "provider_refused", 0},
		{"RCPT: policy", hello, script{"RCPT": "550 5.7.1 we know your kind"}, proofing.Refused, "provider_refused", 0},
		{"RCPT: dropped", hello, script{"RCPT": "drop"}, proofing.NotSent, "unreachable", 0},
		{"RCPT: nonsense", hello, script{"RCPT": "yes for alice@example.com"}, proofing.NotSent, "unreachable", 0},
		{"RCPT: silence", hello, script{"RCPT": "hang"}, proofing.NotSent, "timeout", 0},
		{"RCPT: endless talk", hello, script{"RCPT": strings.Repeat("250-x\r\n", 1<<18) + "250 x"}, proofing.NotSent, "unreachable", 0},
		{"DATA: not now", hello, script{"DATA": "451 later"}, proofing.NotSent, "provider_busy", 0},
		{"DATA: never", hello, script{"DATA": "554 no"}, proofing.Refused, "provider_refused", 0},
		{"DATA: dropped", hello, script{"DATA": "drop"}, proofing.NotSent, "unreachable", 0},
		{"DATA: silence", hello, script{"DATA": "hang"}, proofing.NotSent, "timeout", 0},
		{"end: not now", hello, script{"DOT": "452 4.3.1 disk full"}, proofing.NotSent, "provider_busy", 1},
		{"end: spam", hello, script{"DOT": "554 5.7.1 alice@example.com does not want this"}, proofing.Refused, "provider_refused", 1},
		{"end: dropped", hello, script{"DOT": "drop"}, proofing.Unknown, "unreachable", 1},
		{"end: silence", hello, script{"DOT": "hang"}, proofing.Unknown, "timeout", 1},
		{"end: nonsense", hello, script{"DOT": "yes for alice@example.com"}, proofing.Unknown, "unreachable", 1},
		{"end: another yes", hello, script{"DOT": "251 alice@example.com"}, proofing.Unknown, "unreachable", 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := startScripted(t)
			server.play(c.greeting, c.script)
			p := newSMTP(t, server.config())
			receipt, err := p.Deliver(ctxFor(t, patience(c.reason)), mailTo("msg-1", "alice@example.com"), shortWords)
			if c.outcome != "" {
				wantFailure(t, err, c.outcome, c.reason, "alice", "314159")
			} else if err != nil || receipt.Reference != "4711.x" {
				t.Errorf("got %+v, %v", receipt, err)
			}
			if got := len(server.stored()); got != c.stored {
				t.Errorf("the server has %d mails, want %d", got, c.stored)
			}
		})
	}
}

// patience is long, so that a busy machine fails no test, except where its end
// is what is tested.
func patience(reason string) time.Duration {
	if reason == "timeout" {
		return 5 * time.Second // what comes before it must have happened by then
	}
	return 20 * time.Second
}

func TestMailUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host, port := splitAddress(t, l.Addr().String())
	_ = l.Close() // so that nobody listens there
	p := newSMTP(t, notify.SMTPConfig{Host: host, Port: port, TLS: "none", From: "noreply@id.example.org"})
	_, err = p.Deliver(ctxFor(t, 20*time.Second), mailTo("msg-1", "alice@example.com"), shortWords)
	wantFailure(t, err, proofing.NotSent, "unreachable", "alice")
}

// TestMailBrokenOff: a mail whose content does not get through is not sent, and
// what did get through is not ended as if it were whole.
func TestMailBrokenOff(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, giveUp := context.WithCancel(ctxFor(t, 20*time.Second))
	defer giveUp()
	whole := make(chan error, 1)
	go func() { whole <- stallInData(l, ctx.Done(), giveUp) }()
	host, port := splitAddress(t, l.Addr().String())
	p := newSMTP(t, notify.SMTPConfig{Host: host, Port: port, TLS: "none", From: "noreply@id.example.org"})
	large := notify.Rendered{Subject: "Your code", Text: strings.Repeat("more than the buffers between us hold\r\n", 1<<18)}
	_, err = p.Deliver(ctx, mailTo("msg-1", "alice@example.com"), large)
	wantFailure(t, err, proofing.NotSent, "timeout")
	_ = l.Close()
	if err := <-whole; !errors.Is(err, errBrokenOff) {
		t.Errorf("the server saw %v", err)
	}
}

var errBrokenOff = errors.New("the mail broke off")

// stallInData takes one mail up to its content, which it does not read until the
// sender has given up.
func stallInData(l net.Listener, givenUp <-chan struct{}, giveUp func()) error {
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	lines := newLineReader(conn)
	for _, answer := range []string{"220 hello", "250 hello", "250 ok", "250 ok"} {
		if _, err := fmt.Fprint(conn, answer, "\r\n"); err != nil {
			return err
		}
		if _, err := lines.next(); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprint(conn, "354 go on\r\n"); err != nil {
		return err
	}
	time.AfterFunc(300*time.Millisecond, giveUp)
	<-givenUp
	if _, err := lines.untilDot(); err != nil {
		return errBrokenOff
	}
	return nil
}

func TestMailCancel(t *testing.T) {
	server := startScripted(t)
	server.play("220 hello", map[string]string{"RCPT": "hang"})
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	start := time.Now()
	_, err := newSMTP(t, server.config()).Deliver(ctx, mailTo("msg-1", "alice@example.com"), shortWords)
	wantFailure(t, err, proofing.NotSent, "timeout")
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("cancelling took %v", took)
	}
}

// TestMailAfterADeadLine: a kept connection that the server has dropped in the
// meantime costs nothing but a new one.
func TestMailAfterADeadLine(t *testing.T) {
	server := startScripted(t)
	server.play("220 hello", map[string]string{"RSET": "drop"})
	p := newSMTP(t, server.config())
	for i := range 3 {
		if _, err := p.Deliver(ctxFor(t, 20*time.Second), mailTo(fmt.Sprintf("msg-%d", i), "alice@example.com"), shortWords); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(server.stored()); got != 3 {
		t.Errorf("the server has %d mails", got)
	}
}

func TestMailTLSAndAuthentication(t *testing.T) {
	offered := func(mechanisms ...string) mailServerOptions { return mailServerOptions{mechanisms: mechanisms} }
	implicit := offered("PLAIN")
	implicit.implicit = true
	cases := []struct {
		name      string
		server    mailServerOptions
		change    func(*notify.SMTPConfig)
		mechanism string // empty: does not get through
		reason    string
		outcome   proofing.Outcome
	}{
		{"STARTTLS and PLAIN", offered("PLAIN"), nil, "PLAIN", "", ""},
		{"STARTTLS and LOGIN", offered("LOGIN"), nil, "LOGIN", "", ""},
		{"STARTTLS and SCRAM", offered("PLAIN", "SCRAM-SHA-256"), nil, "SCRAM-SHA-256", "", ""},
		{"STARTTLS and SCRAM bound to the channel", offered("LOGIN", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"), nil, "SCRAM-SHA-256-PLUS", "", ""},
		{"implicit TLS and PLAIN", implicit, func(c *notify.SMTPConfig) { c.TLS = "implicit" }, "PLAIN", "", ""},
		{"PLAIN by name", offered("SCRAM-SHA-256", "PLAIN"), func(c *notify.SMTPConfig) { c.Auth = "plain" }, "PLAIN", "", ""},
		{"LOGIN by name", offered("PLAIN", "LOGIN"), func(c *notify.SMTPConfig) { c.Auth = "login" }, "LOGIN", "", ""},
		{"SCRAM by name, not offered", offered("PLAIN", "LOGIN"), func(c *notify.SMTPConfig) { c.Auth = "scram-sha-256" }, "", "configuration", proofing.NotSent},
		{"a wrong password by PLAIN", offered("PLAIN"), wrongPassword, "", "configuration", proofing.Refused},
		{"a wrong password by LOGIN", offered("LOGIN"), wrongPassword, "", "configuration", proofing.Refused},
		{"a wrong password by SCRAM", offered("SCRAM-SHA-256"), wrongPassword, "", "configuration", proofing.Refused},
		{"no authentication where it is required", offered("PLAIN"), func(c *notify.SMTPConfig) { c.Username, c.Password = "", "" }, "", "provider_refused", proofing.Refused},
		{"authentication where none is offered", mailServerOptions{}, func(c *notify.SMTPConfig) { c.Username, c.Password = serverUser, serverPassword }, "", "configuration", proofing.NotSent},
		{"no TLS where it is required", mailServerOptions{noTLS: true}, nil, "", "configuration", proofing.NotSent},
		{"a certificate that nobody trusts", offered("PLAIN"), func(c *notify.SMTPConfig) { c.RootCAs = x509.NewCertPool() }, "", "configuration", proofing.NotSent},
		{"a certificate for another name", offered("PLAIN"), func(c *notify.SMTPConfig) { c.Host = "localhost" }, "", "configuration", proofing.NotSent},
		{"implicit TLS where there is none", offered("PLAIN"), func(c *notify.SMTPConfig) { c.TLS = "implicit" }, "", "configuration", proofing.NotSent},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server := startMailServer(t, c.server)
			config := server.config()
			if c.change != nil {
				c.change(&config)
			}
			_, err := newSMTP(t, config).Deliver(ctxFor(t, 30*time.Second), mailTo("msg-1", "alice@example.com"), shortWords)
			mails := server.take()
			if c.mechanism == "" {
				wantFailure(t, err, c.outcome, c.reason, "alice", serverPassword, "314159")
				if len(mails) != 0 {
					t.Errorf("the server took %d mails", len(mails))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(mails) != 1 || mails[0].mechanism != c.mechanism || !mails[0].encrypted {
				t.Errorf("the server took %+v", mails)
			}
		})
	}
}

func wrongPassword(c *notify.SMTPConfig) { c.Password = "wrong" }

func TestMailKeepsItsConnection(t *testing.T) {
	server := startMailServer(t, mailServerOptions{mechanisms: []string{"PLAIN"}})
	p := newSMTP(t, server.config())
	for i := range 5 {
		if _, err := p.Deliver(ctxFor(t, 30*time.Second), mailTo(fmt.Sprintf("msg-%d", i), "alice@example.com"), shortWords); err != nil {
			t.Fatal(err)
		}
	}
	// go-smtp opens a session for each hello: one before STARTTLS and one after.
	if server.mu.Lock(); server.connections > 2 {
		t.Errorf("5 mails took %d sessions", server.connections)
	}
	server.mu.Unlock()
	if got := len(server.take()); got != 5 {
		t.Errorf("the server has %d mails", got)
	}
}

func TestMailToInternationalAddresses(t *testing.T) {
	const grete = "grüße@example.com"
	server := startMailServer(t, mailServerOptions{utf8: true})
	p := newSMTP(t, server.config())
	for _, c := range []struct {
		to   string
		utf8 bool
	}{{grete, true}, {"alice@example.com", false}} {
		if _, err := p.Deliver(ctxFor(t, 30*time.Second), mailTo("msg-1", c.to), shortWords); err != nil {
			t.Fatal(err)
		}
		if mails := server.take(); len(mails) != 1 || mails[0].to != c.to || mails[0].utf8 != c.utf8 {
			t.Errorf("%s: the server took %+v", c.to, mails)
		}
	}
	ascii := startMailServer(t, mailServerOptions{})
	_, err := newSMTP(t, ascii.config()).Deliver(ctxFor(t, 30*time.Second), mailTo("msg-1", grete), shortWords)
	wantFailure(t, err, proofing.Refused, "rejected_address", grete)
}

// TestMailInjection: nothing that a person or a template brings in may end a
// header field or a command.
func TestMailInjection(t *testing.T) {
	server := startMailServer(t, mailServerOptions{})
	p := newSMTP(t, server.config())
	ok := mailTo("msg-1", "alice@example.com")
	for _, to := range []string{
		"alice@example.com\r\nBcc: eve@example.net", "alice@example.com\nRCPT TO:<eve@example.net>", "alice@example.com\r",
		"alice@example.com, eve@example.net", "Alice <alice@example.com>", "<alice@example.com>", "alice@example.com>\x00",
		"alice", "", "@example.com", "\"alice\r\n\"@example.com", "alice@example.com (comment)",
		"=?utf-8?q?a=0d=0aBcc:eve@example.net?= <alice@example.com>", "alice@example.com\u2028",
	} {
		m := ok
		m.To = proofing.Secret(to)
		_, err := p.Deliver(ctxFor(t, 30*time.Second), m, shortWords)
		wantFailure(t, err, proofing.Refused, "rejected_address", "eve@", "alice")
	}
	for _, id := range []string{"", "a\r\nBcc: eve@example.net", "a b", "a>", "a@b", strings.Repeat("a", 129)} {
		m := ok
		m.ID = id
		_, err := p.Deliver(ctxFor(t, 30*time.Second), m, shortWords)
		wantFailure(t, err, proofing.Refused, "configuration", "eve@")
	}
	for _, subject := range []string{"", "code\r\nBcc: eve@example.net", "code\n", "code\x00", "code\u0085", "code\u2028x"} {
		_, err := p.Deliver(ctxFor(t, 30*time.Second), ok, notify.Rendered{Subject: subject, Text: "x"})
		wantFailure(t, err, proofing.Refused, "configuration", "eve@")
	}
	if mails := server.take(); len(mails) != 0 {
		t.Fatalf("the server took %d mails", len(mails))
	}

	// Bodies are content: whatever is in them stays in them.
	body := "a\r\n.\r\nMAIL FROM:<eve@example.net>\r\n\n.\r\rb\n--\x00 \u2028 ü\n"
	if _, err := p.Deliver(ctxFor(t, 30*time.Second), ok, notify.Rendered{Subject: "code", Text: body, HTML: body}); err != nil {
		t.Fatal(err)
	}
	mails := server.take()
	if len(mails) != 1 || mails[0].from != "noreply@id.example.org" {
		t.Fatalf("the server took %+v", mails)
	}
	if got := parseMail(t, mails[0].data); !strings.Contains(got.text, "MAIL FROM:<eve@example.net>") {
		t.Errorf("the text became %q", got.text)
	}
	if bytes.Contains([]byte(mails[0].data), []byte{0}) {
		t.Error("the mail has a NUL")
	}
}

func TestSMTPConfigMistakes(t *testing.T) {
	good := notify.SMTPConfig{Host: "mail.example.org", From: "noreply@id.example.org"}
	if _, err := notify.NewSMTP(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*notify.SMTPConfig){
		"no host":                  func(c *notify.SMTPConfig) { c.Host = "" },
		"no sender":                func(c *notify.SMTPConfig) { c.From = "" },
		"a sender with a name":     func(c *notify.SMTPConfig) { c.From = "X <noreply@id.example.org>" },
		"a name of two lines":      func(c *notify.SMTPConfig) { c.FromName = "a\r\nBcc: eve@example.net" },
		"two answers-to":           func(c *notify.SMTPConfig) { c.ReplyTo = "a@example.org, b@example.org" },
		"a hello of two lines":     func(c *notify.SMTPConfig) { c.Hello = "a\r\nMAIL" },
		"plaintext to the world":   func(c *notify.SMTPConfig) { c.TLS = "none" },
		"an unknown TLS mode":      func(c *notify.SMTPConfig) { c.TLS = "opportunistic" },
		"a port that is none":      func(c *notify.SMTPConfig) { c.Port = 70000 },
		"an unknown mechanism":     func(c *notify.SMTPConfig) { c.Auth = "cram-md5"; c.Username, c.Password = "a", "b" },
		"a user without password":  func(c *notify.SMTPConfig) { c.Username = "a" },
		"a mechanism without user": func(c *notify.SMTPConfig) { c.Auth = "plain" },
		"a user and no mechanism":  func(c *notify.SMTPConfig) { c.Auth = "none"; c.Username, c.Password = "a", "b" },
		"a key that is none":       func(c *notify.SMTPConfig) { c.DKIM = &notify.DKIMConfig{Selector: "s", Key: "x"} },
		"a key without a selector": func(c *notify.SMTPConfig) { c.DKIM = &notify.DKIMConfig{Key: keyPEM(t, ed25519Key(t))} },
		"a selector that is not one": func(c *notify.SMTPConfig) {
			c.DKIM = &notify.DKIMConfig{Selector: "s; l=0", Key: keyPEM(t, ed25519Key(t))}
		},
		"an RSA key that is too short": func(c *notify.SMTPConfig) {
			c.DKIM = &notify.DKIMConfig{Selector: "s", Key: keyPEM(t, rsaKey(t, 1024))}
		},
	} {
		c := good
		spoil(&c)
		if _, err := notify.NewSMTP(c); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	for _, c := range []notify.SMTPConfig{
		{Host: "localhost", TLS: "none", From: good.From}, {Host: "::1", TLS: "none", From: good.From},
		{Host: "mailhog", TLS: "none", AllowPlaintext: true, From: good.From},
	} {
		if _, err := notify.NewSMTP(c); err != nil {
			t.Errorf("%s: %v", c.Host, err)
		}
	}
	var failure *proofing.SendError
	_, err := notify.NewSMTP(notify.SMTPConfig{})
	if errors.As(err, &failure) {
		t.Error("a mistake in the configuration is not a failed send")
	}
}
