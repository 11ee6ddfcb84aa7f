package store

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	errReplaced = errors.New("another server became the master meanwhile")
	errReplica  = errors.New("the server that the sentinels call the master takes itself for a replica")
)

// masters leads to the server that sentinels call the master, and never back to one before it:
// a process that has a connection of one epoch keeps none of a lower. Otherwise a master that was
// replaced and does not know it, since it hung or was started again, would answer reads
// without the changes that its heir has acknowledged. Decision 8 says why the
// client library's own way does not do.
type masters struct {
	name      string
	sentinels []*sentinel
	tcp       func(ctx context.Context, network, addr string) (net.Conn, error)
	tls       *tls.Config   // nil: none
	patience  time.Duration // with one sentinel's answer, and with a connection to a master
	grace     time.Duration // for a majority to answer
	stop      chan struct{}
	asking    sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	term    *term // nil: no sentinel has ever answered
	round   *round
	weighed time.Time // when the last round began that was weighed
	doubted time.Time // since when sentinels contradict the term; zero: they do not
}

// term is the time of one master. It ends when the sentinels name another.
type term struct {
	masterAt
	conns map[*termConn]struct{} // of this term, open; guarded by masters.mu
	over  chan struct{}
}

func newMasters(o RedisOptions) *masters {
	m := &masters{
		name: o.Master, tls: o.TLS, patience: o.Timeout, grace: o.Timeout / 6, stop: make(chan struct{}),
		tcp: redis.NewDialer(&redis.Options{DialTimeout: o.Timeout}), // as without sentinels
	}
	for _, addr := range o.Addresses {
		m.sentinels = append(m.sentinels, newSentinel(o, addr))
	}
	m.asking.Go(m.watch)
	return m
}

// close ends what is under way at the sentinels. Connections to masters are their client's.
func (m *masters) close() error {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	close(m.stop)
	var err error
	for _, s := range m.sentinels {
		err = errors.Join(err, s.client.Close()) // which ends the wait for an answer, as no context does
	}
	m.asking.Wait()
	return err
}

// begin ends the term before, and is done when none of its connections can answer any
// more. The caller holds mu.
func (m *masters) begin(n masterAt) {
	if was := m.term; was != nil {
		close(was.over)
		for c := range was.conns {
			_ = c.TCPConn.Close()
		}
	}
	m.term, m.doubted = &term{masterAt: n, conns: map[*termConn]struct{}{}, over: make(chan struct{})}, time.Time{}
}

// dial connects to the master, as a redis.Options.Dialer.
func (m *masters) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	for {
		t, err := m.find(ctx)
		if err != nil {
			return nil, err
		}
		conn, err := m.connect(ctx, network, t)
		if err == nil || ctx.Err() != nil {
			return conn, err
		}
		select {
		case <-t.over: // the heir may be in reach
		default:
			return nil, err
		}
	}
}

func (m *masters) connect(ctx context.Context, network string, t *term) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, m.patience)
	defer cancel()
	ctx, end := until(ctx, t.over)
	defer end()
	conn, err := m.tcp(ctx, network, t.addr)
	if err != nil {
		return nil, err
	}
	c := &termConn{conn.(*net.TCPConn), m, t}
	if err := m.join(c); err != nil {
		return nil, err
	}
	if m.tls == nil {
		return c, nil
	}
	config := m.tls.Clone()
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(t.addr) // which JoinHostPort made
	}
	secured := tls.Client(c, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = c.Close()
		return nil, err
	}
	return securedConn{secured, c}, nil
}

// join makes a connection one of its term's, unless that ended while it was made.
func (m *masters) join(c *termConn) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.term != c.term {
		_ = c.TCPConn.Close()
		return errReplaced
	}
	c.term.conns[c] = struct{}{}
	return nil
}

// greet refuses a server that has been made a replica, as a redis.Options.OnConnect. One that
// is made a replica later is told by the sentinels to close its connections.
func (m *masters) greet(ctx context.Context, conn *redis.Conn) error {
	info, err := conn.Info(ctx, "replication").Result()
	if isRefusal(err) {
		return nil // it may be refused where less durability is accepted; the sentinels' word must do
	}
	if err != nil {
		return err
	}
	if infoFacts(info)["role"] == "slave" {
		return errReplica
	}
	return nil
}

// termConn is a connection of a term, closed with it.
type termConn struct {
	*net.TCPConn
	masters *masters
	term    *term
}

// Close implements net.Conn.
func (c *termConn) Close() error {
	c.masters.mu.Lock()
	delete(c.term.conns, c)
	c.masters.mu.Unlock()
	return c.TCPConn.Close()
}

// securedConn lets the pool see that the connection was closed, as it sees it without TLS, so
// that nobody is given one whose term is over.
type securedConn struct {
	*tls.Conn
	under *termConn
}

// SyscallConn implements syscall.Conn.
func (c securedConn) SyscallConn() (syscall.RawConn, error) {
	raw, err := c.under.SyscallConn()
	return openConn{raw}, err
}

// openConn says whether a socket is open, and nothing of what stands in it, which is TLS's own.
type openConn struct{ syscall.RawConn }

// Read implements syscall.RawConn.
func (c openConn) Read(func(fd uintptr) bool) error { return c.Control(func(uintptr) {}) }

// until is a context that ends when over is closed, too.
func until(ctx context.Context, over <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-over:
		case <-ctx.Done():
		}
		cancel()
	}()
	return ctx, cancel
}
