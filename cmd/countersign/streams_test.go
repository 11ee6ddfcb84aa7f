package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// hoarder is a client of HTTP/2 that asks for much on one connection and takes nothing: its window is shut.
type hoarder struct {
	t       *testing.T
	host    string
	conn    *tls.Conn
	framer  *http2.Framer
	next    uint32
	allowed chan uint32  // the most streams that the server lets it have
	ended   atomic.Int64 // streams that the server has ended
	refused atomic.Int64 // those that it refused
}

func hoard(t *testing.T, p *pki, host string) *hoarder {
	t.Helper()
	conn, err := tls.Dial("tcp", host, &tls.Config{RootCAs: p.trust(), NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	h := &hoarder{t: t, host: host, conn: conn, framer: http2.NewFramer(conn, conn), next: 1, allowed: make(chan uint32, 1)}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := h.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}); err != nil {
		t.Fatal(err)
	}
	go h.read()
	return h
}

func (h *hoarder) read() {
	for {
		f, err := h.framer.ReadFrame()
		if err != nil {
			return
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if n, ok := f.Value(http2.SettingMaxConcurrentStreams); ok {
				h.allowed <- n
			}
		case *http2.RSTStreamFrame:
			h.ended.Add(1)
			if f.ErrCode == http2.ErrCodeRefusedStream {
				h.refused.Add(1)
			}
		}
	}
}

func (h *hoarder) ask(path string) {
	h.t.Helper()
	var head bytes.Buffer
	enc := hpack.NewEncoder(&head)
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", h.host}, {":path", path}} {
		if err := enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			h.t.Fatal(err)
		}
	}
	if err := h.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: h.next, BlockFragment: head.Bytes(), EndStream: true, EndHeaders: true}); err != nil {
		h.t.Fatal(err)
	}
	h.next += 2
}

// specification is longer than what the server keeps of an answer for a stream, so that who does not read it is waited for.
const specification = "/openapi.yaml"

// TestOneConnectionTakesNoMoreThanAQuarter asks for the same on one connection, more often than there are slots, and reads
// nothing of it.
func TestOneConnectionTakesNoMoreThanAQuarter(t *testing.T) {
	t.Parallel()
	const slots = 40
	p, d := newPKI(t), newDesk(t)
	d.rewrite("max_requests: 512", fmt.Sprint("max_requests: ", slots))
	s := d.serveTLS(p)
	gate := s.gates[listenCAs]
	h := hoard(t, p, s.cas)
	if n := <-h.allowed; n != slots/4 {
		t.Errorf("a connection may have %d streams, want %d", n, slots/4)
	}
	for range 2 * slots {
		h.ask(specification)
	}
	eventually(t, "the answers are not stuck", func() bool { return len(gate.requests) == slots/4 })
	eventually(t, "more are not refused", func() bool { return h.refused.Load() == 2*slots-slots/4 })
	if n := len(gate.requests); n != slots/4 {
		t.Errorf("one connection has %d of %d slots", n, slots)
	}
	readAll(t, p.client(), s.cas)
	h.conn.Close()
	eventually(t, "slots do not come back with the connection", func() bool { return len(gate.requests) == 0 })
}

// TestAStreamThatIsNotReadIsEndedAlone has as many of them as a connection may, and asks again on the same.
func TestAStreamThatIsNotReadIsEndedAlone(t *testing.T) {
	t.Parallel()
	const patience, most = 500 * time.Millisecond, 100
	p := newPKI(t)
	s := newDesk(t).serveTLSWith(p, func(a *app) { a.gates[listenCAs].answer = patience })
	gate := s.gates[listenCAs]
	h := hoard(t, p, s.cas)
	for round := range int64(2) {
		began := time.Now()
		for range most {
			h.ask(specification)
		}
		eventually(t, "streams that read nothing stay", func() bool { return h.ended.Load() == (round+1)*most && len(gate.requests) == 0 })
		if late := time.Since(began); late < patience || late > 40*time.Second {
			t.Errorf("they were ended after %v, want %v and little more", late, patience)
		}
	}
	if n := h.refused.Load(); n != 0 {
		t.Errorf("%d streams were refused beside those that were ended", n)
	}
	readAll(t, p.client(), s.cas)
}

// readAll fetches it as somebody does who reads, and once more where this machine lets them pause for too long.
func readAll(t *testing.T, client *http.Client, host string) {
	t.Helper()
	for try := 1; ; try++ {
		resp, err := client.Get("https://" + host + specification)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err == nil && resp.StatusCode == http.StatusOK && resp.ProtoMajor == 2 && n >= 8<<10 {
			return
		}
		if try == 5 {
			t.Fatalf("who reads gets %s, %d bytes, %v", resp.Status, n, err)
		}
	}
}

// TestWhoDoesNotReadAnAnswerOfHTTP1IsLeft asks on connections of their own; an answer that is much longer than what the
// kernel keeps stands for one that is not.
func TestWhoDoesNotReadAnAnswerOfHTTP1IsLeft(t *testing.T) {
	t.Parallel()
	a, _ := narrow(t, io.Discard, 16, 64)
	gate := a.gates[listenPeople]
	gate.answer = 3 * time.Second
	l := localListener(t)
	s := newServers(a.log, a.config.Listeners)
	s.start(endpoint{name: listenPeople, handler: gate.admit(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		piece := make([]byte, 1<<20)
		for range 64 {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	}), nil)}, l)
	defer func() { _ = s.stop() }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	eventually(t, "it is not in hand", func() bool { return len(gate.requests) == 1 })
	eventually(t, "it is in hand for ever", func() bool { return len(gate.requests) == 0 })
}
