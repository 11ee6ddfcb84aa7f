package redistest

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Door stands before a server. While it is shut, connections are made as the system makes
// them for a process that is stopped, and go no further.
type Door struct {
	Addr string
	t    testing.TB
	to   string

	mu      sync.Mutex
	open    chan struct{} // closed while the door is open
	shut    bool
	waiting int
	passed  int
	inside  map[net.Conn]bool
}

// OpenDoor opens one before a server, until the test ends.
func OpenDoor(t testing.TB, to string) *Door {
	t.Helper()
	d := &Door{t: t, to: to, open: make(chan struct{}), inside: map[net.Conn]bool{}}
	close(d.open)
	l := listen(t, "127.0.0.1:0")
	d.Addr = l.Addr().String()
	var all sync.WaitGroup
	all.Go(func() {
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			all.Go(func() { d.pass(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		d.Shut()
		d.Open()
		all.Wait()
	})
	return d
}

func listen(t testing.TB, at string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (d *Door) pass(client net.Conn) {
	defer client.Close()
	d.mu.Lock()
	d.waiting++
	open := d.open
	d.mu.Unlock()
	<-open
	server, err := net.Dial("tcp", d.to)
	d.mu.Lock()
	d.waiting--
	if err != nil {
		d.mu.Unlock()
		return
	}
	d.passed++
	d.inside[server] = true
	d.mu.Unlock()
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	_, _ = io.Copy(client, server)
	d.mu.Lock()
	delete(d.inside, server)
	d.mu.Unlock()
}

// Shut ends every connection, and lets none through.
func (d *Door) Shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.shut {
		d.shut, d.open = true, make(chan struct{})
	}
	for server := range d.inside {
		_ = server.Close()
	}
}

// Open lets those through that wait, and all others.
func (d *Door) Open() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut {
		d.shut = false
		close(d.open)
	}
}

// Passed is how many connections have come through.
func (d *Door) Passed() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.passed
}

// Inside is how many connections are through now.
func (d *Door) Inside() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.inside)
}

// AwaitInside waits until so many are.
func (d *Door) AwaitInside(n int) {
	d.t.Helper()
	awaitNumber(d.t, "connections", d.Inside, func(is int) bool { return is == n })
}

// AwaitWaiting waits until so many connections or more wait before the door.
func (d *Door) AwaitWaiting(n int) {
	d.t.Helper()
	awaitNumber(d.t, "connections that wait", func() int {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.waiting
	}, func(is int) bool { return is >= n })
}

func awaitNumber(t testing.TB, of string, is func() int, right func(int) bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !right(is()); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d %s", is(), of)
		}
	}
}
