package redistest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Double answers in the place of a server.
type Double struct {
	Addr string
	t    testing.TB
	l    net.Listener
	say  func(command string) string // an answer of the protocol; "": none

	mu     sync.Mutex
	closed bool
	inside map[net.Conn]bool
}

// startDouble starts one that ends with the test.
func startDouble(t testing.TB, l net.Listener, say func(command string) string) *Double {
	d := &Double{Addr: l.Addr().String(), t: t, l: l, say: say, inside: map[net.Conn]bool{}}
	var all sync.WaitGroup
	all.Go(func() {
		for conn, err := d.l.Accept(); err == nil; conn, err = d.l.Accept() {
			all.Go(func() { d.serve(conn) })
		}
	})
	t.Cleanup(func() {
		d.Close()
		all.Wait()
	})
	return d
}

func (d *Double) serve(conn net.Conn) {
	defer conn.Close()
	d.mu.Lock()
	d.inside[conn] = true
	if d.closed {
		_ = conn.Close()
	}
	d.mu.Unlock()
	for r := bufio.NewReader(conn); ; {
		words, err := answer(r) // a command is a list as well
		if err != nil {
			break
		}
		if said := d.say(strings.ToLower(strings.ReplaceAll(words, "\n", " "))); said != "" {
			if _, err := conn.Write([]byte(said)); err != nil {
				break
			}
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.inside, conn)
}

// Close ends the double: connections to it are refused.
func (d *Double) Close() {
	_ = d.l.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for conn := range d.inside {
		_ = conn.Close()
	}
}

// AwaitInside waits until so many connections are open.
func (d *Double) AwaitInside(n int) {
	d.t.Helper()
	awaitNumber(d.t, "connections to a double", func() int {
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(d.inside)
	}, func(is int) bool { return is == n })
}

// SaidBySentinel answers as a sentinel does, what the test has it say. As in one that is
// finishing a failover, SENTINEL MASTER has the new epoch beside an old address, and
// only GET-MASTER-ADDR-BY-NAME the right one.
type SaidBySentinel struct {
	*Double
	master string

	mu      sync.Mutex
	epoch   int
	address string
	hangs   bool
}

// StartSaying starts one that knows a master of this name, with TLS unless config is nil.
func StartSaying(t testing.TB, master string, config *tls.Config) *SaidBySentinel {
	t.Helper()
	s := &SaidBySentinel{master: master}
	l := listen(t, "127.0.0.1:0")
	if config != nil {
		l = tls.NewListener(l, config)
	}
	s.Double = startDouble(t, l, s.answer)
	return s
}

// Name has the sentinel name another master.
func (s *SaidBySentinel) Name(epoch int, address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch, s.address = epoch, address
}

// Hang has the sentinel answer no more, on connections that it goes on taking.
func (s *SaidBySentinel) Hang() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hangs = true
}

func (s *SaidBySentinel) answer(command string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.hangs:
		return ""
	case command == "sentinel master "+s.master:
		return list("name", s.master, "ip", "127.0.0.1", "port", "1", "flags", "master", "config-epoch", strconv.Itoa(s.epoch))
	case command == "sentinel get-master-addr-by-name "+s.master:
		host, port, _ := net.SplitHostPort(s.address)
		return list(host, port)
	case strings.HasPrefix(command, "sentinel "):
		return "-ERR No such master with that name\r\n"
	}
	return unknown
}

const unknown = "-ERR unknown command\r\n"

func list(words ...string) string {
	text := fmt.Sprintf("*%d\r\n", len(words))
	for _, word := range words {
		text += fmt.Sprintf("$%d\r\n%s\r\n", len(word), word)
	}
	return text
}
