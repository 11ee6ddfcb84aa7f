package main

import (
	"crypto/ed25519"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/proofing"
	"github.com/countersign-id/countersign/store"
)

// tree is the log's tree over the store.
func (s *storage) tree(c *Config, service *proofing.Service, now func() time.Time) *audit.Tree {
	return &audit.Tree{
		Tiles:  store.NewTable[audit.Tile](s.kv, s.ring, "log_tile"),
		Heads:  store.NewTable[audit.Head](s.kv, s.ring, "log_tree"),
		Page:   service.LogPage,
		Hasher: service.Hasher,
		Key: func() ed25519.PrivateKey {
			k, _ := s.ring.LogKey()
			return k.Private()
		},
		MakeKey: func() (ed25519.PrivateKey, error) {
			k, err := s.ring.MakeLogKey(now())
			return k.Private(), err
		},
		Origin: c.logOrigin(),
		Anchor: audit.Anchor{Path: c.Audit.CheckpointFile},
		Now:    now,
	}
}

// logOrigin is what a log is called that begins now.
func (c *Config) logOrigin() string {
	_, host, _ := strings.Cut(c.Origin, "://")
	return host + "/log"
}

// checkpointPath is where anybody gets the log's last checkpoint.
const checkpointPath = "/log/checkpoint"

// showCheckpoint shows it. Whoever keeps it can tell later whether the log is still the one that it was.
func (a *app) showCheckpoint(w http.ResponseWriter, r *http.Request) {
	text, err := a.tree.Checkpoint(r.Context())
	switch {
	case errors.Is(err, proofing.ErrNotFound):
		http.Error(w, "the log has no checkpoint yet", http.StatusNotFound)
	case err != nil:
		a.log.ErrorContext(r.Context(), "checkpoint not shown", "error", err)
		w.Header().Set("Retry-After", "5")
		http.Error(w, "the log cannot be read at the moment", http.StatusServiceUnavailable)
	default:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = io.WriteString(w, text)
	}
}
