package audit

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/countersign-id/countersign/proofing"
)

// Stated implements proofing.Prover.
func (t *Tree) Stated(ctx context.Context) (checkpoint, key string, err error) {
	h, err := t.Head(ctx)
	if err == nil && h.Checkpoint == "" {
		err = fmt.Errorf("no checkpoint yet: %w", proofing.ErrNotFound)
	}
	if err != nil {
		return "", "", err
	}
	return h.Checkpoint, h.Verifier, nil
}

// ProofFile implements proofing.Prover: the file is the JSON of an Inclusion.
func (t *Tree) ProofFile(ctx context.Context, place int64, leaf string) ([]byte, error) {
	h, err := t.Head(ctx)
	if err != nil {
		return nil, err
	}
	if place >= h.Size {
		return nil, fmt.Errorf("entry %d is in no checkpoint yet: %w", place, proofing.ErrNotFound)
	}
	p, err := t.Prove(ctx, place, leaf)
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the proof of entry %d: %w", place, err)
	}
	return append(text, '\n'), nil
}
