package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/countersign-id/countersign/proofing"
)

// server is a name server by another library than ours, on this machine, by UDP and TCP. What it answers
// is as if it had resolved it for others.
type server struct {
	t    testing.TB
	addr netip.AddrPort

	mu    sync.Mutex
	zone  map[string][]mdns.RR // by name in lower case; a name without records is there, and empty
	does  map[string]func(w mdns.ResponseWriter, q, a *mdns.Msg)
	asked []string // "udp example.org."
}

func newServer(t testing.TB, zone ...string) *server {
	t.Helper()
	s := &server{t: t, zone: map[string][]mdns.RR{}, does: map[string]func(mdns.ResponseWriter, *mdns.Msg, *mdns.Msg){}}
	for _, line := range zone {
		s.add(line)
	}
	// The same port for both: one that is free for UDP may not be for TCP.
	var packets net.PacketConn
	var streams net.Listener
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if packets, err = net.ListenPacket("udp", l.Addr().String()); err == nil {
			streams = l
			break
		}
		l.Close()
	}
	if streams == nil {
		t.Fatal("no port is free for both")
	}
	s.addr = netip.MustParseAddrPort(streams.Addr().String())
	for _, one := range []*mdns.Server{{PacketConn: packets, Handler: s}, {Listener: streams, Handler: s}} {
		ready := make(chan struct{})
		one.NotifyStartedFunc = func() { close(ready) }
		go func() { _ = one.ActivateAndServe() }()
		<-ready
		t.Cleanup(func() { _ = one.Shutdown() })
	}
	return s
}

func (s *server) add(line string) {
	s.t.Helper()
	rr, err := mdns.NewRR(line)
	if err != nil || rr == nil {
		s.t.Fatalf("%s: %v", line, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.ToLower(rr.Header().Name)
	s.zone[name] = append(s.zone[name], rr)
}

// when has the server do something else with questions for a name.
func (s *server) when(name string, do func(w mdns.ResponseWriter, q, a *mdns.Msg)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.does[name] = do
}

func (s *server) questions() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.asked, " ")
}

const soa = "org. 300 IN SOA ns.org. hostmaster.org. 1 3600 600 86400 60"

// ServeDNS implements dns.Handler.
func (s *server) ServeDNS(w mdns.ResponseWriter, q *mdns.Msg) {
	a := new(mdns.Msg).SetReply(q)
	a.RecursionAvailable = true
	name := strings.ToLower(q.Question[0].Name)
	s.mu.Lock()
	s.asked = append(s.asked, w.RemoteAddr().Network()+" "+strings.TrimSuffix(name, "."))
	do := s.does[name]
	s.fill(a, name, q.Question[0].Qtype)
	s.mu.Unlock()
	if do != nil {
		do(w, q, a)
		return
	}
	send(w, q, a)
}

// send sends what fits.
func send(w mdns.ResponseWriter, q, a *mdns.Msg) {
	if w.RemoteAddr().Network() == "udp" {
		size := mdns.MinMsgSize
		if o := q.IsEdns0(); o != nil {
			size = int(o.UDPSize())
		}
		a.Truncate(size)
	}
	_ = w.WriteMsg(a)
}

// fill is what a resolver puts into its answer.
func (s *server) fill(a *mdns.Msg, name string, qtype uint16) {
	for range 20 {
		records, there := s.zone[name]
		if !there {
			a.Rcode = mdns.RcodeNameError
			break
		}
		next := ""
		for _, rr := range records {
			switch c, ok := rr.(*mdns.CNAME); {
			case ok:
				a.Answer, next = append(a.Answer, rr), strings.ToLower(c.Target)
			case rr.Header().Rrtype == qtype:
				a.Answer = append(a.Answer, rr)
			}
		}
		if next == "" {
			break
		}
		name = next
	}
	if len(a.Answer) == 0 || a.Answer[len(a.Answer)-1].Header().Rrtype != qtype {
		rr, _ := mdns.NewRR(soa)
		a.Ns = append(a.Ns, rr)
	}
}

func rcodeOf(code int) func(mdns.ResponseWriter, *mdns.Msg, *mdns.Msg) {
	return func(w mdns.ResponseWriter, q, _ *mdns.Msg) {
		a := new(mdns.Msg).SetRcode(q, code)
		a.RecursionAvailable = true
		_ = w.WriteMsg(a)
	}
}

func silent(mdns.ResponseWriter, *mdns.Msg, *mdns.Msg) {}

// clock is one that the test turns.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func (s *server) resolver(c *clock) *Resolver {
	return New(Options{Servers: []netip.AddrPort{s.addr}, Now: c.now})
}

// text is what a lookup brought, for comparison.
func text(set proofing.CAASet, err error) string {
	if err != nil {
		failed, ok := errors.AsType[*proofing.CAALookupError](err)
		if !ok {
			return "another error: " + err.Error()
		}
		return failed.At + ": " + failed.Why
	}
	var parts []string
	for _, r := range set.Records {
		parts = append(parts, fmt.Sprintf("%d %s %q", r.Flags, r.Tag, r.Value))
	}
	return strings.TrimSpace(set.At + ": " + strings.Join(parts, ", "))
}

func lookup(r *Resolver, name string) string { return text(r.CAA(context.Background(), name)) }
