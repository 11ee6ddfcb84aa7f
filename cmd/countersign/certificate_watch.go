package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"
)

// shownCertificate is the certificate that a listener shows, or that tokens are signed with. It follows its files.
type shownCertificate struct {
	listener string
	fits     func(pair) error // unless nil, says what is wrong with a pair that is whole
	log      *slog.Logger
	now      func() time.Time
	files    atomic.Pointer[ListenerTLSConfig]
	shown    atomic.Pointer[pair]

	// What the one who looks remembers.
	doubt, told string    // what was wrong at the last look, and what the log says of it
	warned      time.Time // when the log last had its end
}

// newShownCertificate reads the pair; without one that is whole nothing is served.
func newShownCertificate(l listener, log *slog.Logger, now func() time.Time) (*shownCertificate, error) {
	p, err := l.tls.load()
	if err == nil && l.fits != nil {
		err = l.fits(p)
	}
	if err != nil {
		return nil, usageError{fileError{l.tlsPath(), err}}
	}
	s := &shownCertificate{listener: l.name, fits: l.fits, log: log, now: now}
	s.files.Store(&l.tls)
	s.shown.Store(&p)
	return s, nil
}

// config is what the listener's handshakes go by. With askClients a client may show a
// certificate, of which the handshake checks that the client has its key, and nothing else.
func (s *shownCertificate) config(askClients bool) *tls.Config {
	c := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.shown.Load().Certificate, nil },
	}
	if askClients {
		c.ClientAuth = tls.RequestClientCert
	}
	return c
}

// look takes up what the files have now. The contents are compared and not the times:
// those of files that were moved, mounted or restored say little.
func (s *shownCertificate) look() {
	p, err := s.files.Load().load()
	if err == nil && p.sum != s.shown.Load().sum {
		_, _, err = remaining(p.Leaf, s.now())
		if err == nil && s.fits != nil {
			err = s.fits(p)
		}
		if err == nil {
			s.shown.Store(&p)
			s.warned = time.Time{}
			s.log.Info("certificate reloaded", "for", s.listener, "subject", p.Leaf.Subject.String(), "not_after", p.Leaf.NotAfter)
		}
	}
	s.tell(err)
	s.warn()
}

// tell logs a fault once. A renewal writes two files, and a look between them sees a
// pair that does not match: only what is still so at the next look is worth a word.
func (s *shownCertificate) tell(err error) {
	fault := ""
	if err != nil {
		fault = err.Error()
	}
	if fault != "" && fault == s.doubt && fault != s.told {
		setting := ""
		if at, ok := errors.AsType[fileError](err); ok {
			setting = at.setting
		}
		s.log.Error("certificate cannot be reloaded; the one before stays", "for", s.listener, "setting", setting, "error", err)
		s.told = fault
	}
	if fault == "" {
		s.told = ""
	}
	s.doubt = fault
}

// warn says once a day that the certificate in use ends soon, or has ended.
func (s *shownCertificate) warn() {
	now := s.now()
	if now.Sub(s.warned) < day {
		return
	}
	_, warning, err := remaining(s.shown.Load().Leaf, now)
	switch {
	case err != nil:
		s.log.Error("certificate in use does not hold", "for", s.listener, "error", err)
	case warning != nil:
		s.log.Warn("certificate in use ends soon", "for", s.listener, "error", warning)
	default:
		return
	}
	s.warned = now
}

// watchCertificates looks at the files of all of them until the context ends.
func watchCertificates(ctx context.Context, interval time.Duration, all []*shownCertificate) {
	for tick := time.NewTicker(interval); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
			for _, s := range all {
				s.look()
			}
		}
	}
}
