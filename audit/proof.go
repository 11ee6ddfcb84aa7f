package audit

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/tlog"
)

// Inclusion shows that a leaf is in the log that a checkpoint states, without anything else of it (RFC 6962 2.1.1).
type Inclusion struct {
	Index      int64    `json:"index"`
	Leaf       string   `json:"leaf"` // the canonical JSON of a proofing.Leaf
	Path       []string `json:"path"` // hashes, base64, from the leaf up
	Checkpoint string   `json:"checkpoint"`
}

// Consistency shows that the log of one checkpoint begins with that of an older one (RFC 6962 2.1.2).
type Consistency struct {
	Old  string   `json:"old"`
	New  string   `json:"new"`
	Path []string `json:"path"`
}

// Prove is the proof that a leaf is in the log of the last checkpoint.
func (t *Tree) Prove(ctx context.Context, index int64, leaf string) (*Inclusion, error) {
	h, err := t.Head(ctx)
	if err != nil {
		return nil, err
	}
	if index < 0 || index >= h.Size {
		return nil, fmt.Errorf("entry %d is not in the checkpoint of %d entries", index, h.Size)
	}
	path, err := tlog.ProveRecord(h.Size, index, t.hashes(ctx))
	if err != nil {
		return nil, fmt.Errorf("prove entry %d: %w", index, err)
	}
	return &Inclusion{Index: index, Leaf: leaf, Path: encodeHashes(path), Checkpoint: h.Checkpoint}, nil
}

// Verify checks the proof by the log's verifier key, and returns the checkpoint that it rests on.
func (p *Inclusion) Verify(verifierKey string) (Checkpoint, error) {
	c, err := OpenCheckpoint(p.Checkpoint, verifierKey)
	if err != nil {
		return c, err
	}
	path, err := decodeHashes(p.Path)
	if err != nil {
		return c, err
	}
	if p.Index < 0 || p.Index >= c.Size {
		return c, fmt.Errorf("entry %d is not in a log of %d entries", p.Index, c.Size)
	}
	if err := tlog.CheckRecord(path, c.Size, c.Root, p.Index, tlog.RecordHash([]byte(p.Leaf))); err != nil {
		return c, fmt.Errorf("entry %d is not in the log: %w", p.Index, err)
	}
	return c, nil
}

// ErrOrder says that of two checkpoints the newer one was named as the older.
var ErrOrder = errors.New("name the older checkpoint first")

// ProveConsistent is the proof that the log of one checkpoint begins with that of an older one. Without a newer one it is that of the last checkpoint. Errors: a *LossError
// where the log has less than one of them states, and ErrOrder.
func (t *Tree) ProveConsistent(ctx context.Context, old, newer string) (*Consistency, error) {
	h, err := t.Head(ctx)
	if err != nil {
		return nil, err
	}
	if newer == "" {
		newer = h.Checkpoint
	}
	older, err := OpenCheckpoint(old, h.Verifier)
	if err != nil {
		return nil, err
	}
	c, err := OpenCheckpoint(newer, h.Verifier)
	if err != nil {
		return nil, err
	}
	switch {
	case c.Size > h.Size:
		return nil, &LossError{Path: "the newer checkpoint", Size: h.Size, Was: c.Size, Root: c.Root}
	case older.Size > h.Size:
		return nil, &LossError{Path: "the checkpoint", Size: h.Size, Was: older.Size, Root: older.Root}
	case older.Size > c.Size:
		return nil, fmt.Errorf("%w: the first is of %d entries, and the second of %d", ErrOrder, older.Size, c.Size)
	}
	p := &Consistency{Old: old, New: newer, Path: []string{}}
	if older.Size > 0 {
		path, err := tlog.ProveTree(c.Size, older.Size, t.hashes(ctx))
		if err != nil {
			return nil, fmt.Errorf("prove that %d entries begin with %d: %w", c.Size, older.Size, err)
		}
		p.Path = encodeHashes(path)
	}
	_, _, err = p.Verify(h.Verifier)
	return p, err
}

// Verify checks the proof by the log's verifier key, and returns both checkpoints.
func (p *Consistency) Verify(verifierKey string) (older, newer Checkpoint, err error) {
	if older, err = OpenCheckpoint(p.Old, verifierKey); err != nil {
		return older, newer, err
	}
	if newer, err = OpenCheckpoint(p.New, verifierKey); err != nil {
		return older, newer, err
	}
	path, err := decodeHashes(p.Path)
	if err != nil {
		return older, newer, err
	}
	switch {
	case older.Size > newer.Size:
		err = fmt.Errorf("the newer log has %d entries and the older one %d", newer.Size, older.Size)
	case older.Size == 0:
	default:
		err = tlog.CheckTree(path, newer.Size, newer.Root, older.Size, older.Root)
	}
	if err != nil {
		return older, newer, fmt.Errorf("the log of %d entries does not begin with that of %d: %w", newer.Size, older.Size, err)
	}
	return older, newer, nil
}

// ReadProof reads a proof of either kind, as it is given out.
func ReadProof(text []byte) (*Inclusion, *Consistency, error) {
	var in Inclusion
	if readStrict(text, &in) == nil && in.Leaf != "" {
		return &in, nil, nil
	}
	var of Consistency
	if err := readStrict(text, &of); err != nil || of.Old == "" {
		return nil, nil, errors.New("it is no proof that an entry is in the log, and none that the log begins like an older one")
	}
	return nil, &of, nil
}

// readStrict reads one JSON value that has no member but those of to, and nothing behind it.
func readStrict(text []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something behind it")
	}
	return nil
}

// AgreesWith holds a checkpoint that somebody has kept against the one that something rests on: one must be the beginning of the other. Where they are of as many
// entries that is seen at once; otherwise it takes a proof between the two.
func AgreesWith(kept, stated, verifierKey string, proof *Consistency) error {
	k, err := OpenCheckpoint(kept, verifierKey)
	if err != nil {
		return err
	}
	s, err := OpenCheckpoint(stated, verifierKey)
	if err != nil {
		return err
	}
	if k.Size == s.Size {
		if k.Root != s.Root {
			return fmt.Errorf("the log of the checkpoint that was kept has other entries among its %d: there are two histories under one name", k.Size)
		}
		return nil
	}
	if proof == nil {
		return fmt.Errorf("%w: the one that was kept is of %d entries, and this rests on one of %d", ErrProofNeeded, k.Size, s.Size)
	}
	older, newer, err := proof.Verify(verifierKey)
	if err != nil {
		return err
	}
	if k.Size > s.Size {
		k, s = s, k
	}
	if older != k || newer != s {
		return fmt.Errorf("the proof is between checkpoints of %d and %d entries, and not between those of %d and %d", older.Size, newer.Size, k.Size, s.Size)
	}
	return nil
}

// ErrProofNeeded says that two checkpoints cannot be compared without a proof between them.
var ErrProofNeeded = errors.New("a proof between the checkpoints is needed")

func encodeHashes(path []tlog.Hash) []string {
	text := make([]string, len(path))
	for i, h := range path {
		text[i] = base64.StdEncoding.EncodeToString(h[:])
	}
	return text
}

func decodeHashes(text []string) (path []tlog.Hash, err error) {
	for _, t := range text {
		h, err := base64.StdEncoding.Strict().DecodeString(t)
		if err != nil || len(h) != tlog.HashSize {
			return nil, fmt.Errorf("%q is no hash", t)
		}
		path = append(path, tlog.Hash(h))
	}
	return path, nil
}
