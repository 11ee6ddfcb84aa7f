package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign-id/countersign/proofing"
)

// Anchor is a file outside the store that has the last checkpoint. A backup of the store does not bring it back, so that it shows when one was
// restored which is older than what was shown to others. The zero value is none.
type Anchor struct{ Path string }

// LossError: the store's log is not what the anchor says was there.
type LossError struct {
	Path string
	Size int64     // of the store's log
	Was  int64     // by the anchor
	Root tlog.Hash // by the anchor
}

func (e *LossError) Error() string {
	if e.Size < e.Was {
		return fmt.Sprintf("the log of the store has %d entries, and %s shows that it had %d: an older backup was restored, or this is another store. %s", e.Size, e.Path, e.Was, lossAdvice)
	}
	return fmt.Sprintf("the log of the store has %d entries, and the first %d of them are not those that %s was made of: another history was restored. %s", e.Size, e.Was, e.Path, lossAdvice)
}

const lossAdvice = "Nothing is entered into it, or two histories would go out under one name: restore the newer store, or run `countersign audit accept-loss` and tell whoever keeps checkpoints"

// read is the anchor as it is; "" if there is none.
func (a Anchor) read() (string, error) {
	if a.Path == "" {
		return "", nil
	}
	text, err := os.ReadFile(a.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("checkpoint file: %w", err)
	}
	return string(text), nil
}

// Admit implements proofing.Recorder: the log may go on if it is longer than the anchor's, or the same, and begins like it.
func (t *Tree) Admit(ctx context.Context) error {
	// The anchor first: it is written after the head, and so the head is never behind it.
	shown, err := t.Anchor.read()
	if err != nil || shown == "" {
		return err
	}
	h, err := t.Head(ctx)
	if errors.Is(err, proofing.ErrNotFound) {
		return t.admitEmpty(shown)
	}
	if err != nil {
		return err
	}
	return t.compare(ctx, h, shown)
}

// admitEmpty is Admit for a store whose log has nothing in it.
func (t *Tree) admitEmpty(shown string) error {
	lines := strings.SplitAfterN(shown, "\n", 4) // the key it was signed by is not here
	c, err := parseCheckpoint(strings.Join(lines[:min(3, len(lines))], ""))
	if err != nil {
		return fmt.Errorf("checkpoint file %s: %w", t.Anchor.Path, err)
	}
	return &LossError{Path: t.Anchor.Path, Was: c.Size, Root: c.Root}
}

// admit is Admit for a head that was read before.
func (t *Tree) admit(ctx context.Context, h *Head) error {
	shown, err := t.Anchor.read()
	if err != nil || shown == "" {
		return err
	}
	if c, err := OpenCheckpoint(shown, h.Verifier); err == nil && c.Size > h.Size { // another process may be ahead
		if h, err = t.Head(ctx); err != nil {
			return err
		}
	}
	return t.compare(ctx, h, shown)
}

func (t *Tree) compare(ctx context.Context, h *Head, shown string) error {
	if shown == h.Checkpoint {
		return nil
	}
	c, err := OpenCheckpoint(shown, h.Verifier)
	if err != nil {
		return fmt.Errorf("checkpoint file %s is not of this log: %w", t.Anchor.Path, err)
	}
	if c.Size > h.Size {
		return &LossError{Path: t.Anchor.Path, Size: h.Size, Was: c.Size, Root: c.Root}
	}
	root, err := t.Root(ctx, c.Size)
	if err != nil {
		return err
	}
	if root != c.Root {
		return &LossError{Path: t.Anchor.Path, Size: h.Size, Was: c.Size, Root: c.Root}
	}
	return nil
}

// Root is the root over the first leaves of the tree.
func (t *Tree) Root(ctx context.Context, size int64) (tlog.Hash, error) {
	root, err := tlog.TreeHash(size, t.hashes(ctx))
	if err != nil {
		return root, fmt.Errorf("root over %d entries: %w", size, err)
	}
	return root, nil
}

// drop writes the head's checkpoint to the file, unless that is at it already or further.
func (a Anchor) drop(h *Head) error {
	if a.Path == "" || h.Checkpoint == "" {
		return nil
	}
	shown, err := a.read()
	if err != nil || shown == h.Checkpoint {
		return err
	}
	if c, err := OpenCheckpoint(shown, h.Verifier); err == nil && c.Size > h.Size {
		return nil
	}
	if err := writeWhole(a.Path, h.Checkpoint); err != nil {
		return fmt.Errorf("checkpoint file: %w", err)
	}
	return nil
}

// PutAside moves the file out of the way, under a name that says of how many entries it is, and returns that name.
func (a Anchor) PutAside(size int64) (string, error) {
	aside := fmt.Sprintf("%s.lost-%d", a.Path, size)
	if err := os.Rename(a.Path, aside); err != nil {
		return "", fmt.Errorf("checkpoint file: %w", err)
	}
	return aside, nil
}

// writeWhole puts a file in the place of another so that there is always one of the two, whole, also after a power cut.
func writeWhole(path, text string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil // it is in place; some systems cannot sync a folder
	}
	_ = dir.Sync()
	return dir.Close()
}
