package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

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
	c, err := unsigned(shown) // the key it was signed by is not here
	if err != nil {
		return fmt.Errorf("checkpoint file %s: %w", t.Anchor.Path, err)
	}
	return &LossError{Path: t.Anchor.Path, Was: c.Size, Root: c.Root}
}

// unsigned is what a checkpoint says, whoever has signed it.
func unsigned(shown string) (Checkpoint, error) {
	lines := strings.SplitAfterN(shown, "\n", 4)
	return parseCheckpoint(strings.Join(lines[:min(3, len(lines))], ""))
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

// drop writes the head's checkpoint to the file, unless that is at it already or further. What is there is read and replaced under one lock, or a process
// that was paused between the two would put an older checkpoint over the newer one of another.
func (t *Tree) drop(ctx context.Context, h *Head) error {
	if t.Anchor.Path == "" || h.Checkpoint == "" {
		return nil
	}
	return t.Anchor.alone(func() error {
		shown, err := t.Anchor.read()
		if err != nil || shown == h.Checkpoint {
			return err
		}
		if shown != "" {
			// It may be another file by now than the one that the log was admitted by.
			if c, err := OpenCheckpoint(shown, h.Verifier); err == nil && c.Size > h.Size {
				return nil
			}
			if err := t.compare(ctx, h, shown); err != nil {
				return err
			}
		}
		if err := writeWhole(t.Anchor.Path, h.Checkpoint); err != nil {
			return fmt.Errorf("checkpoint file: %w", err)
		}
		return nil
	})
}

// ErrAnchorChanged: the checkpoint file is another one by now than the one that showed the loss.
var ErrAnchorChanged = errors.New("the checkpoint file is not the one any more that showed the loss: somebody else has accepted it meanwhile, or the log went on")

// PutAside moves the file that has shown a loss out of the way, under a name that says of how many entries it is, and returns that name. It moves no other
// file (ErrAnchorChanged), and none over one that was put aside before.
func (a Anchor) PutAside(loss *LossError) (aside string, err error) {
	err = a.alone(func() error {
		shown, err := a.read()
		if err != nil {
			return err
		}
		if c, err := unsigned(shown); err != nil || c.Size != loss.Was || c.Root != loss.Root {
			return ErrAnchorChanged
		}
		aside = fmt.Sprintf("%s.lost-%d", a.Path, loss.Was)
		for n := 2; ; n++ {
			have, err := os.ReadFile(aside)
			if errors.Is(err, fs.ErrNotExist) || err == nil && string(have) == shown {
				break
			}
			if err != nil {
				return fmt.Errorf("checkpoint file: %w", err)
			}
			aside = fmt.Sprintf("%s.lost-%d.%d", a.Path, loss.Was, n)
		}
		if err := os.Rename(a.Path, aside); err != nil {
			return fmt.Errorf("checkpoint file: %w", err)
		}
		return nil
	})
	return aside, err
}

// How long somebody waits for whoever is at the file, and how often they look. Whoever is there takes milliseconds, unless it was paused.
const (
	anchorWait = 5 * time.Second
	anchorLook = 10 * time.Millisecond
)

// alone does something to the file that nobody else does anything to meanwhile, in this process or another of this machine. The lock ends with the process
// that has it. Its file stays: two who each lock a file of their own by that name would be two at once.
func (a Anchor) alone(work func() error) error {
	name := filepath.Join(filepath.Dir(a.Path), "."+filepath.Base(a.Path)+".lock")
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if errors.Is(err, fs.ErrPermission) { // another user made it, such as root by accept-loss
		f, err = os.Open(name)
	}
	if err != nil {
		return fmt.Errorf("checkpoint file: %w", err)
	}
	defer f.Close()
	for end := time.Now().Add(anchorWait); ; time.Sleep(anchorLook) {
		locked, err := lock(f)
		if err != nil {
			return fmt.Errorf("checkpoint file: lock %s: %w", name, err)
		}
		if locked {
			return work()
		}
		if time.Now().After(end) {
			return fmt.Errorf("checkpoint file: another process has held %s for %s: if it is paused, let it go on or end it", name, anchorWait)
		}
	}
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
