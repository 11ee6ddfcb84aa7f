package dns

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	typeCAA dnsmessage.Type = 257
	// datagram is the most that comes by UDP without fragments (the DNS flag day of 2020).
	datagram = 1232
	// mostBytes is the most that is read of an answer by TCP.
	mostBytes = 16 << 10
	// tries is how often each resolver is asked: the CA/Browser Forum wants one more before a failure counts (TLS BR 3.2.2.8).
	tries = 2
	// patience is how long one resolver is given for one try.
	patience = 2 * time.Second
)

// fault is why an answer is none, in words for everybody.
type fault struct{ why string }

func (f *fault) Error() string { return f.why }

// ask puts the question to the resolvers in turn until one of them answers it.
func (r *Resolver) ask(ctx context.Context, name string) (answer, error) {
	servers, err := r.servers()
	if err != nil {
		return answer{}, err
	}
	for range tries {
		for _, server := range servers {
			var a answer
			if a, err = exchange(ctx, server, name); err == nil {
				return a, nil
			}
			if err = fmt.Errorf("%s: %w", server, err); ctx.Err() != nil {
				return answer{}, err
			}
		}
	}
	return answer{}, err
}

// exchange asks one resolver once: by UDP, and by TCP what does not fit.
func exchange(ctx context.Context, server netip.AddrPort, name string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	q, err := newQuery(name)
	if err != nil {
		return answer{}, err
	}
	a, truncated, err := q.byUDP(ctx, server)
	if err == nil && truncated {
		a, err = q.byTCP(ctx, server)
	}
	return a, err
}

// query is a question as it goes out.
type query struct {
	id   uint16
	name string
	wire []byte
}

func newQuery(name string) (query, error) {
	q := query{name: name}
	var id [2]byte
	if _, err := rand.Read(id[:]); err != nil {
		return q, err
	}
	q.id = binary.BigEndian.Uint16(id[:])
	full, err := dnsmessage.NewName(name + ".")
	if err != nil {
		return q, &fault{"that is no name of the domain name system"}
	}
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: q.id, RecursionDesired: true})
	var edns dnsmessage.ResourceHeader
	for _, step := range []func() error{
		b.StartQuestions,
		func() error {
			return b.Question(dnsmessage.Question{Name: full, Type: typeCAA, Class: dnsmessage.ClassINET})
		},
		b.StartAdditionals,
		func() error { return edns.SetEDNS0(datagram, dnsmessage.RCodeSuccess, false) },
		func() error { return b.OPTResource(edns, dnsmessage.OPTResource{}) },
	} {
		if err := step(); err != nil {
			return q, &fault{"that is no name of the domain name system"}
		}
	}
	q.wire, err = b.Finish()
	return q, err
}

// dial connects, so that nobody but the resolver can answer, and from a port that the system draws.
func dial(ctx context.Context, network string, server netip.AddrPort) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, server.String())
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		err = conn.SetDeadline(deadline)
	}
	return conn, err
}

func (q query) byUDP(ctx context.Context, server netip.AddrPort) (a answer, truncated bool, err error) {
	conn, err := dial(ctx, "udp", server)
	if err != nil {
		return answer{}, false, err
	}
	defer conn.Close()
	if _, err := conn.Write(q.wire); err != nil {
		return answer{}, false, err
	}
	buf := make([]byte, datagram+1)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return answer{}, false, err
		}
		p, h, ours := q.answered(buf[:n])
		switch {
		case !ours: // an answer to something else, or somebody's guess
		case h.Truncated, n > datagram:
			return answer{}, true, nil
		default:
			a, err := q.read(p, h)
			return a, false, err
		}
	}
}

func (q query) byTCP(ctx context.Context, server netip.AddrPort) (answer, error) {
	conn, err := dial(ctx, "tcp", server)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(q.wire))), q.wire...)); err != nil {
		return answer{}, err
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return answer{}, err
	}
	n := int(binary.BigEndian.Uint16(size[:]))
	if n > mostBytes {
		return answer{}, &fault{"the answer is too large"}
	}
	buf := make([]byte, n)
	if _, err := io.ReadFull(conn, buf); err != nil {
		return answer{}, err
	}
	p, h, ours := q.answered(buf)
	if !ours || h.Truncated {
		return answer{}, &fault{"the answer cannot be read"}
	}
	return q.read(p, h)
}
