package notify_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/countersign-id/countersign/notify"
)

// scriptedServer answers each command with what the script has for it; verbs
// that it does not name get what a willing server answers. Two answers are deeds:
// "drop" closes the connection and "hang" says nothing more.
type scriptedServer struct {
	host string
	port int

	mu       sync.Mutex
	greeting string
	script   map[string]string
	data     []string // the mails whose final dot came
}

var willing = map[string]string{
	"EHLO": "250-mail.example.org\r\n250 8BITMIME", "HELO": "250 mail.example.org", "MAIL": "250 ok", "RCPT": "250 ok",
	"DATA": "354 go on", "DOT": "250 2.0.0 Ok: queued as 4711.x", "RSET": "250 ok", "QUIT": "221 bye",
}

func startScripted(t *testing.T) *scriptedServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &scriptedServer{}
	s.host, s.port = splitAddress(t, l.Addr().String())
	var group sync.WaitGroup
	over := make(chan struct{})
	group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer func() { _ = conn.Close() }()
				s.converse(conn, over)
			})
		}
	})
	t.Cleanup(func() {
		close(over)
		_ = l.Close()
		group.Wait()
	})
	return s
}

func (s *scriptedServer) config() notify.SMTPConfig {
	return notify.SMTPConfig{Host: s.host, Port: s.port, TLS: "none", From: "noreply@id.example.org"}
}

// play sets the script and forgets what came before.
func (s *scriptedServer) play(greeting string, script map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.greeting, s.script, s.data = greeting, script, nil
}

func (s *scriptedServer) stored() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data
}

func (s *scriptedServer) answerTo(verb string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if verb == "" {
		return s.greeting
	}
	if answer, ok := s.script[verb]; ok {
		return answer
	}
	if answer, ok := willing[verb]; ok {
		return answer
	}
	return "500 what?"
}

var errOver = errors.New("the conversation is over")

func (s *scriptedServer) converse(conn net.Conn, over <-chan struct{}) {
	// A connection must not outlive the test, whatever the other side does.
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-over:
			_ = conn.Close()
		case <-stop:
		}
	}()
	say := func(verb string) error {
		switch answer := s.answerTo(verb); answer {
		case "drop":
			return errOver
		case "hang":
			_, _ = io.Copy(io.Discard, conn)
			return errOver
		default:
			_, err := io.WriteString(conn, answer+"\r\n")
			return err
		}
	}
	if say("") != nil {
		return
	}
	lines := newLineReader(conn)
	for {
		line, err := lines.next()
		if err != nil {
			return
		}
		verb := strings.ToUpper(line[:min(4, len(line))])
		if say(verb) != nil {
			return
		}
		if verb != "DATA" || !strings.HasPrefix(s.answerTo("DATA"), "354") {
			continue
		}
		mail, err := lines.untilDot()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.data = append(s.data, mail)
		s.mu.Unlock()
		if say("DOT") != nil {
			return
		}
	}
}

// lineReader reads what an SMTP client sends.
type lineReader struct{ r *bufio.Reader }

func newLineReader(r io.Reader) lineReader { return lineReader{bufio.NewReader(r)} }

func (l lineReader) next() (string, error) {
	line, err := l.r.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

// untilDot reads a mail up to and including its final dot.
func (l lineReader) untilDot() (string, error) {
	var mail strings.Builder
	for {
		line, err := l.next()
		if err != nil {
			return "", err
		}
		if line == "." {
			return mail.String(), nil
		}
		mail.WriteString(strings.TrimPrefix(line, ".") + "\n")
	}
}
