package main

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// served is an app whose listeners speak TLS on addresses of this machine.
type served struct {
	*app
	people, cas string // host:port
	log         *syncBuffer
	stop        func() error
}

// serveTLS serves the desk's program with certificates of the PKI.
func (d *desk) serveTLS(p *pki) *served { return d.serveTLSWith(p, func(*app) {}) }

// serveTLSWith is the same with an app that was changed.
func (d *desk) serveTLSWith(p *pki, change func(*app)) *served {
	d.t.Helper()
	log := &syncBuffer{}
	a := d.app(log)
	change(a)
	a.config.Listeners.PeopleTLS = p.write("people", p.fresh())
	a.config.Listeners.CAsTLS = p.write("cas", p.fresh())
	all, err := a.endpoints()
	if err != nil {
		d.t.Fatal(err)
	}
	people, cas := all[listenPeople], all[listenCAs]
	people.listener, cas.listener = localListener(d.t), localListener(d.t)
	people.handler, cas.handler = a.people(), a.authorities()
	ctx, stop := context.WithCancel(d.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.serve(ctx, []endpoint{people, cas}) }()
	s := &served{app: a, people: people.listener.Addr().String(), cas: cas.listener.Addr().String(), log: log}
	s.stop = sync.OnceValue(func() error { stop(); return <-ended })
	d.t.Cleanup(func() {
		if err := s.stop(); err != nil {
			d.t.Error(err)
		}
	})
	return s
}

// client trusts the PKI, and shows a certificate if it has one.
func (p *pki) client(own ...tls.Certificate) *http.Client {
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.trust(), Certificates: own}, ForceAttemptHTTP2: true}
	p.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for began := time.Now(); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal(what)
		}
	}
}

func TestAListenerSpeaksTLSOfItsOwn(t *testing.T) {
	p := newPKI(t)
	s := newDesk(t).serveTLS(p)
	resp, err := p.client().Get("https://" + s.people + "/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 || resp.TLS.Version != tls.VersionTLS13 {
		t.Errorf("%s by %s, TLS %x", resp.Status, resp.Proto, resp.TLS.Version)
	}
	if a, b := resp.TLS.PeerCertificates[0].SerialNumber, s.certificates[1].shown.Load().Leaf.SerialNumber; a.Cmp(b) == 0 {
		t.Error("people see the certificate of the CAs' listener")
	}
	for version, ok := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true} {
		conn, err := tls.Dial("tcp", s.people, &tls.Config{RootCAs: p.trust(), MinVersion: tls.VersionTLS10, MaxVersion: version})
		if (err == nil) != ok {
			t.Errorf("TLS %x: %v", version, err)
		}
		if err == nil {
			conn.Close()
		}
	}
	resp, err = http.Get("http://" + s.people + "/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("plain HTTP at a TLS listener: %s", resp.Status)
	}
	if _, figures := probe(t, s.operators(), "/metrics"); !strings.Contains(figures, `countersign_certificate_expiry_timestamp_seconds{listener="people"}`) {
		t.Error("no figure for the end of the certificate")
	}
	if log := s.log.String(); strings.Contains(log, "TLS handshake error") {
		t.Errorf("failed handshakes are in the log at its usual level: %s", log)
	}
}

func TestACertificateIsReplacedUnderLoadWithoutAFailedRequest(t *testing.T) {
	p := newPKI(t)
	s := newDesk(t).serveTLS(p)
	files := s.config.Listeners.CAsTLS
	var asked, failed atomic.Int64
	seen := sync.Map{} // serial numbers
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for n := range 4 {
		clients.Go(func() {
			client := p.client()
			for ctx.Err() == nil {
				if n%2 == 0 { // half of them shake hands each time
					client.CloseIdleConnections()
				}
				resp, err := client.Get("https://" + s.cas + "/openapi.yaml")
				if err != nil {
					failed.Add(1)
					t.Log(err)
					continue
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				asked.Add(1)
				seen.Store(resp.TLS.PeerCertificates[0].SerialNumber.String(), true)
			}
		})
	}
	for range 3 {
		next := p.fresh()
		p.write("cas", next)
		eventually(t, "the new certificate is not shown", func() bool { _, ok := seen.Load(next.Leaf.SerialNumber.String()); return ok })
	}
	stop()
	clients.Wait()
	if failed.Load() > 0 || asked.Load() < 50 {
		t.Errorf("%d requests failed, %d did not", failed.Load(), asked.Load())
	}
	if n := strings.Count(s.log.String(), `"msg":"certificate reloaded"`); n != 3 {
		t.Errorf("told %d times of 3 certificates of %s:\n%s", n, files.CertFile, s.log)
	}
	if strings.Contains(s.log.String(), "cannot be reloaded") {
		t.Errorf("a look between two files of a renewal is told: %s", s.log)
	}
}

func TestASlowHandshakeIsCutOff(t *testing.T) {
	t.Parallel()
	s := newDesk(t).serveTLS(newPKI(t))
	conn, err := net.Dial("tcp", s.people)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(readHeaderTimeout + 16*time.Second)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := conn.Read(make([]byte, 1)); err == nil || time.Since(began) > readHeaderTimeout+15*time.Second { // the whole of a request has more
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}

func TestMoreConnectionsThanAListenerTakesWait(t *testing.T) {
	a := newDesk(t).app(io.Discard)
	a.config.Listeners.MaxConnections = 2
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	l := localListener(t)
	go func() {
		ended <- a.serve(ctx, []endpoint{{name: "people", listener: l, handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })}})
	}()
	defer func() { stop(); <-ended }()
	var held []net.Conn
	for range 2 {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
	}
	time.Sleep(100 * time.Millisecond) // both are accepted
	answered := make(chan error, 1)
	go func() {
		resp, err := http.Get("http://" + l.Addr().String())
		if err == nil {
			resp.Body.Close()
		}
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Fatalf("a third connection is served: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	held[0].Close()
	if err := <-answered; err != nil {
		t.Error(err)
	}
	held[1].Close()
}
