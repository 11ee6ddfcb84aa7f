package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

// serveCommand runs the service until it is told to stop.
type serveCommand struct{}

// Run implements the subcommand. The operators' listener comes first and goes last, so that
// somebody can ask what the rest waits for.
func (serveCommand) Run(g *globals) (err error) {
	c, found, err := loadConfig(g.configFile, g.environ, readSecrets)
	if err != nil {
		return err
	}
	level := new(slog.LevelVar)
	log := newLogAt(g.stderr, c.Log, level)
	found.warn(log)
	a := prepareApp(c, log, g.now)
	a.reloads = &reloads{asked: make(chan os.Signal, 1), approved: make(chan struct{}, 1), level: level, read: func() (*Config, *report, error) {
		return loadConfig(g.configFile, g.environ, readSecrets)
	}}
	signal.Notify(a.reloads.asked, syscall.SIGHUP)
	defer signal.Stop(a.reloads.asked)
	a.meters.reloaded(nil, g.now())
	endpoints, err := a.endpoints()
	if err != nil {
		return err
	}
	a.supervisor = newSupervisor(g.environ)
	ended := make(chan struct{})
	defer close(ended)
	a.stopBegins = func() { go g.endLate(ended, c.Listeners.Drain, log) }
	ctx, fail := context.WithCancelCause(g.ctx)
	defer fail(nil)
	if operators, ok := endpoints[listenOperators]; ok {
		stop, err := a.serveOperators(operators, fail)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	defer func() { err = errors.Join(err, failure(ctx)) }()
	if err := a.awaitStore(ctx); err != nil || ctx.Err() != nil {
		return errors.Join(err, a.close())
	}
	err = a.build(ctx, nil)
	if err == nil { // before anybody is served
		err = a.patiently(ctx, "the log cannot be told of the configuration", func() error { return a.tellConfiguration(ctx, proofing.UsedAtStart) })
	}
	if err != nil {
		if ctx.Err() != nil { // it was told to stop while it waited
			err = nil
		}
		return errors.Join(err, a.close())
	}
	a.offer(ctx)
	if a.mailbox != nil {
		log.Info("the mailbox shows what nobody delivers", "mailbox", c.Origin+mailboxPath)
	}
	people, cas := endpoints[listenPeople], endpoints[listenCAs]
	people.handler, cas.handler = &a.reloads.people, &a.reloads.cas
	err = a.serve(ctx, []endpoint{people, cas})
	return errors.Join(err, a.close())
}

// The bounds of a stop. The time to kill us must be longer than all of them together:
// TimeoutStopSec in contrib/systemd, stop_grace_period in docker-compose.yml.
const (
	mostDrain = 30 * time.Second
	// stopMost is for requests (stopTimeout), then a message in hand (claiming it 10 s, sending it 30 s,
	// storing what came of it 20 s: proofing/send.go), then the store, the collector of telemetry and the operators.
	stopMost = stopTimeout + 60*time.Second + 10*time.Second
)

// endLate ends the process where it stands if a stop takes longer than its parts may. What was
// acknowledged stays, as after kill -9.
func (g *globals) endLate(ended <-chan struct{}, drain time.Duration, log *slog.Logger) {
	most, exit := drain+stopMost, os.Exit
	if g.exit != nil {
		most, exit = drain+g.stopMost, g.exit
	}
	late := time.NewTimer(most)
	defer late.Stop()
	select {
	case <-ended:
	case <-late.C:
		log.Error("stopping takes too long; ended with work in hand", "after", most.String())
		exit(exitFailure)
	}
}

// failure is why the context was ended, unless somebody asked for it.
func failure(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// endpoints are the listeners of the configuration, by name, with their certificates and
// without what they serve.
func (a *app) endpoints() (map[string]endpoint, error) {
	all := make(map[string]endpoint)
	for _, l := range a.config.listeners() {
		e := endpoint{name: l.name, address: l.address, askClients: l.name == listenCAs}
		if l.tls.on() {
			var err error
			if e.certificate, err = newShownCertificate(l, a.log, a.now); err != nil {
				return nil, err
			}
			a.certificates = append(a.certificates, e.certificate)
			a.meters.watchExpiry(e.certificate)
		}
		all[l.name] = e
	}
	return all, nil
}

// serveOperators serves the operators' listener until stop is called.
func (a *app) serveOperators(e endpoint, fail context.CancelCauseFunc) (stop func() error, err error) {
	l, err := e.listen()
	if err != nil {
		return nil, err
	}
	e.handler = a.operators()
	s := newServers(a.log, a.config.Listeners)
	s.start(e, l)
	ended := make(chan struct{})
	go func() {
		select {
		case err := <-s.failed:
			fail(err)
		case <-ended:
		}
	}()
	return func() error { close(ended); return s.stop() }, nil
}

const (
	ringInterval        = time.Second
	certificateInterval = time.Second
)

// serve listens at every endpoint, works off the outbox, and stops when ctx
// ends: it says that it is not ready and serves on for as long as listeners.drain says, takes no
// new requests, finishes those that it accepted, and then the messages that it has in hand.
func (a *app) serve(ctx context.Context, endpoints []endpoint) error {
	listeners, err := listen(endpoints)
	if err != nil {
		return err
	}
	// The work goes on until the last request has been answered: what that stored is sent too.
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var background sync.WaitGroup
	crew := a.newCrew(working)
	background.Go(func() { a.watchRing(working) })
	background.Go(func() { a.ageMemory(working, rememberInterval) })
	background.Go(func() { easeCollector(working) })
	background.Go(func() { a.watchStore(working, storeInterval) })
	background.Go(func() { a.watchHooks(working, hooksInterval) })
	background.Go(func() { watchCertificates(working, certificateInterval, a.certificates) })
	a.reloads.show(a)
	if a.reloads != nil {
		background.Go(func() { a.reloads.watchPolicy(working, a.service) })
	}
	s := newServers(a.log, a.config.Listeners)
	for i, e := range endpoints {
		s.start(e, listeners[i])
	}
	a.phase.Store(serving)
	a.tellSupervisor(sayReady)
	now := a
	for on := true; on; {
		on = false
		select {
		case <-ctx.Done():
			a.log.Info("stopping")
		case err = <-s.failed:
		case err = <-a.storage.lost():
			err = a.config.Store.unfit(err)
		case <-a.reloads.signal():
			on = true
			if next := now.reload(working, a.reloads); next != nil {
				crew = crew.relieve(next, working, &background)
				now = next
			}
		case <-a.reloads.policies():
			on = true
			if next := now.takeUp(working, a.reloads); next != nil {
				crew = crew.relieve(next, working, &background)
				now = next
			}
		}
	}
	a.phase.Store(stopping)
	if a.stopBegins != nil {
		a.stopBegins()
	}
	a.tellSupervisor(sayStopping)
	if err == nil && a.config.Listeners.Drain > 0 {
		select {
		case <-time.After(a.config.Listeners.Drain):
		case err = <-s.failed:
		}
	}
	a.service.Stop() // CAs that wait get their answer now
	err = errors.Join(err, s.stop())
	stop()
	crew.wait()
	background.Wait()
	a.router = now.router // which close closes
	return err
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
