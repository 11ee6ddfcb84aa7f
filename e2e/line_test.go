package e2e

import (
	"bytes"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
)

// fault is how a line is spoilt. Its zero value is a good line.
type fault struct {
	latency time.Duration // of each piece, in each direction
	frozen  bool          // nothing passes, and nobody is told
	deaf    bool          // half open: what the server says is lost
	refused bool          // new connections are reset
	// A connection is reset when so many bytes of a direction have passed; 0: never.
	cutUp, cutDown int
	// Or when the client has said these words, which still pass with cutAfter.
	cutAt    string
	cutAfter bool
}

// line is a TCP proxy that a test spoils. It gives each connection to the next of its
// servers that takes it.
type line struct {
	addr     string
	servers  []string
	listener net.Listener

	mu      sync.Mutex
	fault   fault
	changed chan struct{} // closed at the next change of the fault
	conns   map[*net.TCPConn]bool
	next    int
	shown   int // times that a fault has done something to somebody
}

func newLine(t testing.TB, servers ...string) *line {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &line{addr: l.Addr().String(), servers: servers, listener: l, changed: make(chan struct{}), conns: map[*net.TCPConn]bool{}}
	go p.accept()
	t.Cleanup(func() {
		_ = l.Close()
		p.spoil(fault{})
		p.cutAll()
	})
	return p
}

// spoil puts another fault in the place of the one before.
func (p *line) spoil(f fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
	close(p.changed)
	p.changed = make(chan struct{})
}

// under spoils the line, has somebody meet the fault, and mends it again: a fault that came and went while nobody used the line would show
// nothing, and on a slow machine that is a matter of seconds. It lasts a while at least.
func (p *line) under(t testing.TB, f fault, least time.Duration, meet func()) {
	t.Helper()
	p.mu.Lock()
	before := p.shown
	p.mu.Unlock()
	began := time.Now()
	p.spoil(f)
	if f.refused {
		p.cutAll() // a connection that is kept would never be refused
	}
	if meet != nil {
		meet()
	}
	await(t, fmt.Sprintf("somebody to meet %+v on the line", f), 90*time.Second, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.shown > before
	})
	time.Sleep(time.Until(began.Add(least)))
	p.spoil(fault{})
}

// show notes that the fault has done something.
func (p *line) show() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown++
}

// cutAll resets every connection.
func (p *line) cutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		reset(c)
	}
}

func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

// now is the fault, once nothing is frozen.
func (p *line) now() fault {
	for {
		p.mu.Lock()
		f, changed := p.fault, p.changed
		p.mu.Unlock()
		if !f.frozen {
			return f
		}
		p.show()
		<-changed
	}
}

func (p *line) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.carry(c.(*net.TCPConn))
	}
}

func (p *line) carry(client *net.TCPConn) {
	if p.now().refused {
		p.show()
		reset(client)
		return
	}
	server := p.dial()
	if server == nil {
		reset(client)
		return
	}
	p.mu.Lock()
	p.conns[client], p.conns[server] = true, true
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.pump(client, server, true) })
	both.Go(func() { p.pump(server, client, false) })
	both.Wait()
	p.mu.Lock()
	delete(p.conns, client)
	delete(p.conns, server)
	p.mu.Unlock()
	_ = client.Close()
	_ = server.Close()
}

func (p *line) dial() *net.TCPConn {
	p.mu.Lock()
	first := p.next
	p.next++
	p.mu.Unlock()
	for n := range p.servers {
		c, err := net.DialTimeout("tcp", p.servers[(first+n)%len(p.servers)], 2*time.Second)
		if err == nil {
			return c.(*net.TCPConn)
		}
	}
	return nil
}

// pump carries one direction until either end is closed.
func (p *line) pump(from, to *net.TCPConn, up bool) {
	defer func() { _ = to.CloseWrite() }()
	piece, passed := make([]byte, 16<<10), 0
	for {
		n, err := from.Read(piece)
		if err != nil {
			return
		}
		f := p.now()
		if f.latency > 0 || f.deaf && !up {
			p.show()
		}
		time.Sleep(f.latency)
		limit := f.cutDown
		if up {
			limit = f.cutUp
		}
		said := up && f.cutAt != "" && bytes.Contains(piece[:n], []byte(f.cutAt))
		cut := said || limit > 0 && passed+n > limit
		switch {
		case said && !f.cutAfter:
			n = 0
		case !said && cut:
			n = max(limit-passed, 0)
		}
		passed += n
		if up || !f.deaf {
			if _, err := to.Write(piece[:n]); err != nil {
				return
			}
		}
		if cut {
			p.show()
			if said && f.cutAfter {
				time.Sleep(50 * time.Millisecond) // the server is to act on it before it learns
			}
			reset(from)
			reset(to)
			return
		}
	}
}
