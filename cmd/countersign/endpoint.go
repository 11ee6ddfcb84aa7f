package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

// endpoint is one listener with what it serves: one that is open already, or an
// address to open it at.
type endpoint struct {
	name        string
	listener    net.Listener
	address     string
	certificate *shownCertificate // nil: it speaks plain HTTP
	askClients  bool              // for a certificate of theirs
	handler     http.Handler
}

func (e endpoint) listen() (net.Listener, error) {
	if e.listener != nil {
		return e.listener, nil
	}
	l, err := net.Listen("tcp", e.address)
	if err != nil {
		return nil, fmt.Errorf("listen for %s: %w", e.name, err)
	}
	return l, nil
}

// listen opens all endpoints or none, so that nobody is served by half of the program.
func listen(endpoints []endpoint) (listeners []net.Listener, err error) {
	for _, e := range endpoints {
		l, err := e.listen()
		if err != nil {
			for _, l := range listeners {
				_ = l.Close()
			}
			return nil, err
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

// The bounds of a connection. A CA may wait for a minute for its answer, so the
// time to write is longer than that: it runs from the head of the request on, and answerTimeout from the
// beginning of the answer. Both are of a stream, where there are streams. A TLS handshake has as long as the header of a request.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 90 * time.Second
	answerTimeout     = 20 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
	stopTimeout       = 20 * time.Second
)

// servers serves endpoints until it is told to stop.
type servers struct {
	log         *slog.Logger
	connections int        // the most of each endpoint
	streams     int        // the most of each connection of HTTP/2
	failed      chan error // gets the first failure
	all         []*http.Server
}

func newServers(log *slog.Logger, l ListenersConfig) *servers {
	// No one connection has more than a quarter of what a listener may have in hand. A hundred are
	// enough for everybody (RFC 9113 6.5.2).
	streams := max(1, min(100, l.MaxRequests/4))
	return &servers{log: log, connections: l.MaxConnections, streams: streams, failed: make(chan error, 1)}
}

// start serves one endpoint at the listener, which it closes in the end.
func (s *servers) start(e endpoint, l net.Listener) {
	server := &http.Server{
		Handler: e.handler, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		HTTP2:    &http.HTTP2Config{MaxConcurrentStreams: s.streams, WriteByteTimeout: answerTimeout},
		ErrorLog: log.New(connectionLog{s.log, e.name}, "", 0),
	}
	if s.connections > 0 {
		l = netutil.LimitListener(l, s.connections)
	}
	serve := server.Serve
	if e.certificate != nil {
		server.TLSConfig = e.certificate.config(e.askClients)
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	s.all = append(s.all, server)
	s.log.Info("listening", "for", e.name, "address", l.Addr().String(), "tls", e.certificate != nil)
	go func() {
		if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
			select {
			case s.failed <- fmt.Errorf("serve %s: %w", e.name, err):
			default: // somebody else has failed already
			}
		}
	}()
}

// stop lets the servers finish what they accepted, and cuts off what takes
// too long: the store is closed next.
func (s *servers) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	errs := make([]error, len(s.all))
	var all sync.WaitGroup
	for i, server := range s.all {
		all.Go(func() {
			if errs[i] = server.Shutdown(ctx); errs[i] != nil {
				errs[i] = errors.Join(fmt.Errorf("stop: %w", errs[i]), server.Close())
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// connectionLog puts what the server of the standard library says into our log. Failed
// handshakes are what every scanner leaves behind; the rest is worth a look.
type connectionLog struct {
	log  *slog.Logger
	name string
}

// Write implements io.Writer.
func (c connectionLog) Write(line []byte) (int, error) {
	level := slog.LevelWarn
	if bytes.HasPrefix(line, []byte("http: TLS handshake error")) {
		level = slog.LevelDebug
	}
	c.log.Log(context.Background(), level, "connection", "for", c.name, "error", string(bytes.TrimSpace(line)))
	return len(line), nil
}
