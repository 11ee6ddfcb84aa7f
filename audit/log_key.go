package audit

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign-id/countersign/proofing"
)

// LogKey is the public key of a log, and the name that it signs under.
type LogKey struct{ verifier note.Verifier }

// ParseLogKey reads the key as the log publishes it: a verifier key of C2SP signed-note, "name+hash+key".
func ParseLogKey(text string) (LogKey, error) {
	verifier, err := note.NewVerifier(strings.TrimSpace(text))
	if err != nil {
		return LogKey{}, fmt.Errorf("read the log's key: %w", err)
	}
	return LogKey{verifier}, nil
}

// Name is the log's.
func (k LogKey) Name() string { return k.verifier.Name() }

// Included implements Log (RFC 6962 2.1.1).
func (k LogKey) Included(checkpoint string, index int64, leaf []byte, proof []proofing.Octets) error {
	size, root, err := k.open(checkpoint)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	path := make(tlog.RecordProof, len(proof))
	for i, hash := range proof {
		if len(hash) != tlog.HashSize {
			return fmt.Errorf("hash %d of the proof has %d bytes, not %d", i, len(hash), tlog.HashSize)
		}
		path[i] = tlog.Hash(hash)
	}
	if index < 0 || index >= size {
		return fmt.Errorf("entry %d is not among the %d of the checkpoint", index, size)
	}
	if err := tlog.CheckRecord(path, size, root, index, tlog.RecordHash(leaf)); err != nil {
		return fmt.Errorf("entry %d is not in the log of the checkpoint: %w", index, err)
	}
	return nil
}

// open reads a checkpoint (C2SP tlog-checkpoint) that the log has signed, and nobody beside it: in the one form in which it can be written.
func (k LogKey) open(checkpoint string) (size int64, root tlog.Hash, err error) {
	n, err := note.Open([]byte(checkpoint), note.VerifierList(k.verifier))
	if err != nil {
		return 0, root, err
	}
	if len(n.Sigs) != 1 || len(n.UnverifiedSigs) > 0 {
		return 0, root, errors.New("it has signatures of others")
	}
	// Base64 has more than one text for the same bytes, and the library takes them all.
	signature, err := base64.StdEncoding.Strict().DecodeString(n.Sigs[0].Base64)
	if err != nil || checkpoint != n.Text+"\n— "+n.Sigs[0].Name+" "+base64.StdEncoding.EncodeToString(signature)+"\n" {
		return 0, root, errors.New("its signature is not written as it should be")
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) < 4 {
		return 0, root, errors.New("it has no origin, size and root")
	}
	if lines[0] != k.Name() {
		return 0, root, fmt.Errorf("it is of the log %q, and the key is of %q", lines[0], k.Name())
	}
	if size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || size < 1 || strconv.FormatInt(size, 10) != lines[1] {
		return 0, root, fmt.Errorf("its size %q is no number of entries", lines[1])
	}
	hash, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(hash) != tlog.HashSize {
		return 0, root, fmt.Errorf("its root is not %d bytes in base64", tlog.HashSize)
	}
	return size, tlog.Hash(hash), nil
}
