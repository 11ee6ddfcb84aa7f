package redistest

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Memory is what a node of a cluster knew of it.
type Memory struct{ addr, slots, nodes string }

// Remember asks a node.
func Remember(s *Server) Memory {
	s.t.Helper()
	return Memory{s.Addr, s.raw("CLUSTER", "SLOTS"), s.raw("CLUSTER", "NODES")}
}

// StartLagging starts a double in the place of a node that is dead. It knows of the cluster what that
// knew, has no key, and believes that it is the master of all that it was. asked tells how often
// it was asked for the layout.
func StartLagging(t testing.TB, m Memory) (asked func() int) {
	t.Helper()
	var mu sync.Mutex
	n := 0
	startDouble(t, listen(t, m.addr), func(command string) string {
		mu.Lock()
		defer mu.Unlock()
		switch word, _, _ := strings.Cut(command, " "); {
		case command == "cluster slots":
			n++
			return m.slots
		case command == "cluster nodes":
			return m.nodes
		case word == "get":
			return "$-1\r\n"
		}
		return unknown
	})
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

// raw is an answer as it was sent: all that comes until nothing more does for a while.
func (s *Server) raw(words ...string) string {
	s.t.Helper()
	conn, err := net.DialTimeout("tcp", s.Addr, time.Second)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(list(words...))); err != nil {
		s.t.Fatal(err)
	}
	text := ""
	for part := make([]byte, 1<<16); ; {
		patience := 5 * time.Second
		if text != "" {
			patience = 300 * time.Millisecond
		}
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		n, err := conn.Read(part)
		if text += string(part[:n]); err != nil {
			return text
		}
	}
}
