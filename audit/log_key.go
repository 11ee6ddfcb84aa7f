package audit

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign-id/countersign/proofing"
)

// LogKey is the public key of a log, and the name that it signs under.
type LogKey struct {
	verifier note.Verifier
	text     string
}

// ParseLogKey reads the key as the log publishes it: a verifier key of C2SP signed-note, "name+hash+key".
func ParseLogKey(text string) (LogKey, error) {
	verifier, err := note.NewVerifier(strings.TrimSpace(text))
	if err != nil {
		return LogKey{}, fmt.Errorf("read the log's key: %w", err)
	}
	return LogKey{verifier, strings.TrimSpace(text)}, nil
}

// String is the key as the log publishes it.
func (k LogKey) String() string { return k.text }

// Name is the log's.
func (k LogKey) Name() string { return k.verifier.Name() }

// Included implements Log (RFC 6962 2.1.1).
func (k LogKey) Included(checkpoint string, index int64, leaf []byte, proof []proofing.Octets) error {
	size, root, err := k.open(checkpoint)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return stated{size, root}.Included("", index, leaf, proof)
}

// stated is what a checkpoint states that has been verified. It implements Log for that one.
type stated struct {
	size int64
	root tlog.Hash
}

// Included implements Log.
func (s stated) Included(_ string, index int64, leaf []byte, proof []proofing.Octets) error {
	path := make(tlog.RecordProof, len(proof))
	for i, hash := range proof {
		if len(hash) != tlog.HashSize {
			return fmt.Errorf("hash %d of the proof has %d bytes, not %d", i, len(hash), tlog.HashSize)
		}
		path[i] = tlog.Hash(hash)
	}
	if index < 0 || index >= s.size {
		return fmt.Errorf("entry %d is not among the %d of the checkpoint", index, s.size)
	}
	if err := tlog.CheckRecord(path, s.size, s.root, index, tlog.RecordHash(leaf)); err != nil {
		return fmt.Errorf("entry %d is not in the log of the checkpoint: %w", index, err)
	}
	return nil
}

// open reads a checkpoint that the log has signed, of one entry at least.
func (k LogKey) open(checkpoint string) (size int64, root tlog.Hash, err error) {
	c, err := openCheckpoint(checkpoint, k.verifier)
	if err == nil && c.Size < 1 {
		err = errors.New("it is of no entries")
	}
	return c.Size, c.Root, err
}
