package webauthn

import (
	"bytes"
	"context"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// MDSConfig says where FIDO's metadata comes from and who may sign it.
type MDSConfig struct {
	// Source has the newest edition: a File or a URL.
	Source Source
	// Keep has the last good edition, so that a restart neither forgets it nor falls
	// behind it; nil means that only memory has it.
	Keep Keeper
	// Roots are where the signer's certificates must lead; nil means FIDO's (GlobalSign
	// Root R46, and R3, which signed until August 2026 and still signs across).
	Roots []*x509.Certificate
	// Signer is the name that the signer's certificate must have; empty means FIDO's,
	// mds.fidoalliance.org. Without it any site that has its certificate from the same CA
	// could sign metadata.
	Signer string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// MDS is the FIDO Metadata Service, version 3: the edition in use, and how the next one
// takes its place. Many goroutines may use it.
type MDS struct {
	config MDSConfig
	roots  *x509.CertPool

	refreshing sync.Mutex
	inUse      atomic.Pointer[edition]
}

//go:embed mds_roots.pem
var fidoRoots []byte

const fidoSigner = "mds.fidoalliance.org"

// OpenMDS takes the kept edition into use, if there is one, and fetches nothing. An
// edition that was kept and does not verify is an error: without it an older one could
// take its place.
func OpenMDS(ctx context.Context, c MDSConfig) (*MDS, error) {
	if c.Source == nil {
		return nil, errors.New("webauthn: metadata: there is no source")
	}
	if c.Signer == "" {
		c.Signer = fidoSigner
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	m := &MDS{config: c, roots: x509.NewCertPool()}
	for _, root := range c.Roots {
		m.roots.AddCert(root)
	}
	if len(c.Roots) == 0 {
		roots, err := parseRoots(fidoRoots)
		if err != nil {
			return nil, fmt.Errorf("webauthn: metadata: FIDO's roots: %w", err)
		}
		for _, root := range roots {
			m.roots.AddCert(root)
		}
	}
	kept, err := m.kept(ctx)
	if err != nil {
		return nil, fmt.Errorf("webauthn: metadata: %w", err)
	}
	if kept != nil {
		m.inUse.Store(kept)
	}
	return m, nil
}

func parseRoots(data []byte) (roots []*x509.Certificate, err error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		root, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		roots = append(roots, root)
	}
	return roots, nil
}

func (m *MDS) kept(ctx context.Context) (*edition, error) {
	if m.config.Keep == nil {
		return nil, nil
	}
	data, err := m.config.Keep.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the kept edition: %w", err)
	}
	if data == nil {
		return nil, nil
	}
	e, err := readEdition(data, m.roots, m.config.Signer, m.config.Now())
	if err != nil {
		return nil, fmt.Errorf("the kept edition: %w", err)
	}
	return e, nil
}

// Refresh fetches an edition and takes it into use if it may follow the one in use. An
// edition that does not verify, is older, or is out of date while that in use is not,
// changes nothing and is an error.
func (m *MDS) Refresh(ctx context.Context) error {
	m.refreshing.Lock()
	defer m.refreshing.Unlock()
	data, err := m.config.Source.Fetch(ctx)
	if err != nil {
		return fmt.Errorf("webauthn: metadata: fetch: %w", err)
	}
	now := m.config.Now()
	next, err := readEdition(data, m.roots, m.config.Signer, now)
	if err != nil {
		return fmt.Errorf("webauthn: metadata: %w", err)
	}
	// Another process may have kept a newer one since.
	kept, err := m.kept(ctx)
	if err != nil {
		return fmt.Errorf("webauthn: metadata: %w", err)
	}
	for _, old := range []*edition{kept, m.inUse.Load()} {
		if old == nil {
			continue
		}
		if err := next.mayFollow(old, now); err != nil {
			return fmt.Errorf("webauthn: metadata: %w", err)
		}
	}
	if m.config.Keep != nil && (kept == nil || kept.number < next.number) {
		if err := m.config.Keep.Save(ctx, data); err != nil {
			return fmt.Errorf("webauthn: metadata: keep edition %d: %w", next.number, err)
		}
	}
	if old := m.inUse.Load(); old == nil || old.number < next.number {
		m.inUse.Store(next)
	}
	return nil
}

// mayFollow holds what the numbers promise: they only grow, and an edition does not
// change (MDS 3.1, "no").
func (e *edition) mayFollow(old *edition, now time.Time) error {
	switch {
	case e.number < old.number:
		return fmt.Errorf("edition %d is older than edition %d, which is in use", e.number, old.number)
	case e.number == old.number && !bytes.Equal(e.digest[:], old.digest[:]):
		return fmt.Errorf("there are two different editions %d", e.number)
	case e.number > old.number && !e.fresh(now) && old.fresh(now):
		return fmt.Errorf("edition %d is out of date, and edition %d is not", e.number, old.number)
	}
	return nil
}

// Pauses between refreshes. The metadata is renewed monthly and whenever a status must
// be known at once; a day is soon enough for both.
const (
	refreshEvery = 24 * time.Hour
	refreshAgain = time.Hour
)

// Run refreshes until ctx ends: at once, daily, and hourly after an error, which it
// hands to report.
func (m *MDS) Run(ctx context.Context, report func(error)) {
	for {
		pause := refreshEvery
		if err := m.Refresh(ctx); err != nil && ctx.Err() == nil {
			report(err)
			pause = refreshAgain
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// MDSInfo is what operators want to see of the metadata.
type MDSInfo struct {
	Number     int       // 0: there is none yet
	NextUpdate time.Time // the day, at its beginning in UTC
	Models     int
	Fresh      bool
}

// Info describes the edition in use.
func (m *MDS) Info() MDSInfo {
	e := m.current()
	return MDSInfo{Number: e.number, NextUpdate: e.nextUpdate, Models: e.models, Fresh: e.fresh(m.config.Now())}
}

var noEdition = &edition{}

// current is never nil.
func (m *MDS) current() *edition {
	if m == nil {
		return noEdition
	}
	if e := m.inUse.Load(); e != nil {
		return e
	}
	return noEdition
}
