package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// serveCommand runs the service until it is told to stop.
type serveCommand struct{}

// Run implements the subcommand.
func (serveCommand) Run(g *globals) error {
	c, report, err := loadConfig(g.configFile, g.environ, readSecrets)
	if err != nil {
		return err
	}
	log := newLog(g.stderr, c.Log)
	report.warn(log)
	a, err := newApp(g.ctx, c, log, g.now, nil)
	if err != nil {
		return err
	}
	a.supervisor = newSupervisor(g.environ)
	if a.mailbox != nil {
		log.Info("the mailbox shows what nobody delivers", "mailbox", c.Origin+mailboxPath)
	}
	endpoints := []endpoint{
		{name: "people", address: c.Listeners.People, handler: a.people()},
		{name: "cas", address: c.Listeners.CAs, handler: a.authorities()},
	}
	if c.Listeners.Operators != "" {
		endpoints = append(endpoints, endpoint{name: "operators", address: c.Listeners.Operators, handler: a.operators()})
	}
	err = a.serve(g.ctx, endpoints)
	return errors.Join(err, a.close())
}

// endpoint is one listener with what it serves: one that is open already, or an
// address to open it at.
type endpoint struct {
	name     string
	listener net.Listener
	address  string
	handler  http.Handler
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

// The bounds of a connection. A CA may wait for a minute for its answer, so the
// time to write is longer than that.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 90 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
	stopTimeout       = 20 * time.Second
	ringInterval      = time.Second
)

// serve listens at every endpoint, works off the outbox, and stops when ctx
// ends: it takes no new requests, finishes those that it accepted, and then the
// messages that it has in hand.
func (a *app) serve(ctx context.Context, endpoints []endpoint) error {
	listeners, err := listen(endpoints)
	if err != nil {
		return err
	}
	// The work goes on until the last request has been answered: what that stored is sent too.
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var background sync.WaitGroup
	background.Go(func() { a.service.Work(working) })
	background.Go(func() { a.watchRing(working) })
	var servers []*http.Server
	failed := make(chan error, len(endpoints))
	for i, e := range endpoints {
		s := &http.Server{
			Handler: e.handler, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
			IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		}
		servers = append(servers, s)
		a.log.Info("listening", "for", e.name, "address", listeners[i].Addr().String())
		go func() {
			if err := s.Serve(listeners[i]); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve %s: %w", e.name, err)
			}
		}()
	}
	a.phase.Store(serving)
	a.tellSupervisor(sayReady)
	select {
	case <-ctx.Done():
		a.log.Info("stopping")
	case err = <-failed:
	}
	a.phase.Store(stopping)
	a.tellSupervisor(sayStopping)
	a.service.Stop() // CAs that wait get their answer now
	err = errors.Join(err, shutdown(servers))
	stop()
	background.Wait()
	return err
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

// shutdown lets the servers finish what they accepted, and cuts off what takes
// too long: the store is closed next.
func shutdown(servers []*http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	errs := make([]error, len(servers))
	var all sync.WaitGroup
	for i, s := range servers {
		all.Go(func() {
			if errs[i] = s.Shutdown(ctx); errs[i] != nil {
				errs[i] = errors.Join(fmt.Errorf("stop: %w", errs[i]), s.Close())
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// watchRing reads the key ring again when `countersign keys rotate` has changed
// it beside us. What cannot be read is tried again until it can: an operator mends
// the mode of a file without touching its content.
func (a *app) watchRing(ctx context.Context) {
	var seen time.Time
	said := ""
	for tick := time.NewTicker(ringInterval); ; {
		info, err := os.Stat(a.config.Store.KeyRing)
		if err == nil && !info.ModTime().Equal(seen) {
			if err = a.storage.ring.Reload(); err == nil {
				seen = info.ModTime()
			}
		}
		if err != nil && err.Error() != said {
			a.log.Error("key ring cannot be read again; the keys in memory stay", "error", err)
		}
		said = ""
		if err != nil {
			said = err.Error()
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}
