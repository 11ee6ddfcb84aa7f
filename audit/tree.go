package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign-id/countersign/proofing"
)

// Tree is the log's tree over a store. It implements proofing.Recorder. Several processes may have one over the same store.
type Tree struct {
	Tiles  proofing.Table[Tile]
	Heads  proofing.Table[Head]
	Page   func(ctx context.Context, number int64) (*proofing.LogPage, error) // of the log; proofing.ErrNotFound for the one after the last, and for that alone
	Hasher proofing.Hasher
	// Key is the log's key, nil if this process's key ring has none, and MakeKey makes it.
	Key     func() ed25519.PrivateKey
	MakeKey func() (ed25519.PrivateKey, error)
	// Origin is the name of a log that begins here. One that is there keeps its own.
	Origin string
	Anchor Anchor
	Now    func() time.Time
}

// Head is what the tree has taken in, and the last checkpoint.
type Head struct {
	Origin string `json:"origin"`
	// Verifier is the key that the log is checked by. It never changes: whoever keeps checkpoints knows the log by it.
	Verifier string `json:"verifier"`
	// Page is the number of the page to be taken in next, and Size the number of leaves in those before it.
	Page       int64     `json:"page"`
	Size       int64     `json:"size"`
	At         time.Time `json:"at,omitzero"`
	Checkpoint string    `json:"checkpoint,omitempty"` // signed
}

// Indexes implements proofing.Record.
func (*Head) Indexes() []proofing.Index { return nil }

// ExpiresAt implements proofing.Record.
func (*Head) ExpiresAt() time.Time { return time.Time{} }

func (t *Tree) headID() string { return proofing.FixedID(t.Hasher.Sum("log tree")) }

// Head is the tree's head; proofing.ErrNotFound if nothing has been taken in yet.
func (t *Tree) Head(ctx context.Context) (*Head, error) {
	h, err := t.Heads.Get(ctx, t.headID())
	if err != nil {
		return nil, fmt.Errorf("head of the log's tree: %w", err)
	}
	return h, nil
}

// Checkpoint is the last one that was signed, as it is shown to everybody; proofing.ErrNotFound before the first.
func (t *Tree) Checkpoint(ctx context.Context) (string, error) {
	h, err := t.Head(ctx)
	if err == nil && h.Checkpoint == "" {
		err = fmt.Errorf("no checkpoint yet: %w", proofing.ErrNotFound)
	}
	if err != nil {
		return "", err
	}
	return h.Checkpoint, nil
}

// ErrForeignKey: the key ring has no key of the log, or another.
var ErrForeignKey = errors.New("the key ring of this machine has not the log's key: copy the key ring of the machine on which the log began")

// begin is the head, which is made with the log's key when it is first asked for, and the key.
func (t *Tree) begin(ctx context.Context) (*Head, ed25519.PrivateKey, error) {
	h, err := t.Head(ctx)
	if errors.Is(err, proofing.ErrNotFound) {
		key, err := t.MakeKey()
		if err != nil {
			return nil, nil, fmt.Errorf("make the log's key: %w", err)
		}
		verifier, err := VerifierKey(t.Origin, key.Public().(ed25519.PublicKey))
		if err != nil {
			return nil, nil, err
		}
		h = &Head{Origin: t.Origin, Verifier: verifier, Page: 1}
		if err := t.Heads.Create(ctx, t.headID(), h); err != nil && !errors.Is(err, proofing.ErrExists) {
			return nil, nil, fmt.Errorf("begin the log's tree: %w", err)
		}
		h, err = t.Head(ctx) // another may have been first
		if err != nil {
			return nil, nil, err
		}
	} else if err != nil {
		return nil, nil, err
	}
	return h, t.Key(), t.Own(h)
}

// Own says whether this process has the key of the log: ErrForeignKey if not.
func (t *Tree) Own(h *Head) error {
	key := t.Key()
	if key == nil {
		return ErrForeignKey
	}
	mine, err := VerifierKey(h.Origin, key.Public().(ed25519.PublicKey))
	if err == nil && mine != h.Verifier {
		err = ErrForeignKey
	}
	return err
}

// batch is how many pages are taken in at once.
const batch = 64

// Record implements proofing.Recorder: it takes in the pages that are there, and signs the checkpoint of what they make.
func (t *Tree) Record(ctx context.Context) error {
	for {
		h, key, err := t.begin(ctx)
		if err != nil {
			return err
		}
		if err := t.admit(ctx, h); err != nil {
			return err
		}
		next, err := t.takeIn(ctx, h, key)
		if err != nil {
			return err
		}
		if next == nil {
			return t.drop(ctx, h)
		}
	}
}

// takeIn takes in the next pages and returns the head that they make; nil if there are none.
func (t *Tree) takeIn(ctx context.Context, h *Head, key ed25519.PrivateKey) (*Head, error) {
	read := t.hashes(ctx)
	var e *edge
	next := *h
	for range batch {
		p, err := t.Page(ctx, next.Page)
		if errors.Is(err, proofing.ErrNotFound) || errors.Is(err, proofing.ErrLogPageLost) && e != nil { // then the next call says so
			break
		}
		if err != nil {
			return nil, err
		}
		if p.Number != next.Page || p.First != next.Size+int64(added(e, h)) {
			return nil, fmt.Errorf("page %d of the log begins with entry %d, and the one before it ends with %d", p.Number, p.First, next.Size+int64(added(e, h))-1)
		}
		if e == nil {
			if e, err = edgeOf(read, h.Size); err != nil {
				return nil, fmt.Errorf("edge of the log's tree: %w", err)
			}
		}
		for i := range p.Entries {
			e.add(tlog.RecordHash([]byte(p.Entries[i].Leaf)))
		}
		next.Page++
	}
	if e == nil {
		return nil, nil
	}
	for _, tile := range e.changed(h.Size) {
		if err := t.grow(ctx, tile); err != nil {
			return nil, err
		}
		read.known[[2]int64{int64(tile.Level), tile.Number}] = tile
	}
	root, err := tlog.TreeHash(e.size, read)
	if err != nil {
		return nil, fmt.Errorf("root of the log's tree: %w", err)
	}
	next.Size, next.At = e.size, t.Now().UTC().Truncate(time.Millisecond)
	if next.Checkpoint, err = (Checkpoint{h.Origin, e.size, root}).Sign(key); err != nil {
		return nil, err
	}
	after, err := t.Heads.Update(ctx, t.headID(), func(have *Head) error {
		if have.Size < next.Size {
			*have = next
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store the head of the log's tree: %w", err)
	}
	return after, nil
}

// added is how many leaves the edge has that the head has not.
func added(e *edge, h *Head) int {
	if e == nil {
		return 0
	}
	return int(e.size - h.Size)
}
