package audit

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign-id/countersign/proofing"
)

// An export is a folder in the form of C2SP tlog-tiles: checkpoint, tile/<level>/…, tile/entries/…; and beside it, in private/…, what
// the leaves commit to and is not erased, a line of JSON for each.

// private is one such line.
type private struct {
	Index   int64           `json:"index"`
	Salt    string          `json:"salt"`
	Private json.RawMessage `json:"private"`
}

// line is the one form of it.
func (p private) line() ([]byte, error) {
	text, err := proofing.Canonical(p)
	return append(text, '\n'), err
}

const checkpointFile = "checkpoint"

// pathOf is where a tile of some kind is in the folder: level, "entries" or "private".
func pathOf(kind string, number int64, width int) string {
	t := tlog.Tile{H: tileHeight, L: 0, N: number, W: width}
	rest := strings.TrimPrefix(t.Path(), fmt.Sprintf("tile/%d/0/", tileHeight))
	if kind == "private" {
		return filepath.FromSlash(kind + "/" + rest)
	}
	return filepath.FromSlash("tile/" + kind + "/" + rest)
}

// Export writes the log up to the last checkpoint into a folder, which must be empty or not there.
func (t *Tree) Export(ctx context.Context, dir string) (Checkpoint, error) {
	h, err := t.Head(ctx)
	if err != nil {
		return Checkpoint{}, err
	}
	c, err := OpenCheckpoint(h.Checkpoint, h.Verifier)
	if err != nil {
		return c, err
	}
	if there, err := os.ReadDir(dir); err == nil && len(there) > 0 {
		return c, fmt.Errorf("%s is not empty", dir)
	}
	x := exporting{dir: dir}
	for n := int64(1); x.size < c.Size; n++ {
		p, err := t.Page(ctx, n)
		if err != nil {
			return c, err
		}
		for i := range p.Entries[:min(int64(len(p.Entries)), c.Size-x.size)] {
			if err := x.add(&p.Entries[i]); err != nil {
				return c, err
			}
		}
	}
	for _, tile := range append(x.edge.full, x.edge.tiles...) {
		if tile.width() > 0 {
			if err := x.write(pathOf(fmt.Sprint(tile.Level), tile.Number, tile.width()), tile.Hashes); err != nil {
				return c, err
			}
		}
	}
	if err := x.flush(); err != nil {
		return c, err
	}
	return c, x.write(checkpointFile, []byte(h.Checkpoint)) // last: without it nothing is exported
}

// exporting is an export under way.
type exporting struct {
	dir     string
	size    int64
	edge    edge
	entries []byte
	private []byte
}

func (x *exporting) add(e *proofing.Entry) error {
	if len(e.Leaf) > 1<<16-1 {
		return fmt.Errorf("entry %d has %d bytes", x.size, len(e.Leaf))
	}
	x.entries = append(binary.BigEndian.AppendUint16(x.entries, uint16(len(e.Leaf))), e.Leaf...)
	if len(e.Private) > 0 {
		line, err := private{x.size, e.Salt, e.Private}.line()
		if err != nil {
			return fmt.Errorf("private part of entry %d: %w", x.size, err)
		}
		x.private = append(x.private, line...)
	}
	x.edge.add(tlog.RecordHash([]byte(e.Leaf)))
	x.size++
	for _, tile := range x.edge.full {
		if err := x.write(pathOf(fmt.Sprint(tile.Level), tile.Number, tileWidth), tile.Hashes); err != nil {
			return err
		}
	}
	x.edge.full = nil
	if x.size%tileWidth == 0 {
		return x.flush()
	}
	return nil
}

// flush writes the entries since the last tile.
func (x *exporting) flush() error {
	if len(x.entries) == 0 {
		return nil
	}
	number, width := (x.size-1)/tileWidth, int((x.size-1)%tileWidth)+1
	if err := x.write(pathOf("entries", number, width), x.entries); err != nil {
		return err
	}
	if len(x.private) > 0 {
		if err := x.write(pathOf("private", number, width), x.private); err != nil {
			return err
		}
	}
	x.entries, x.private = nil, nil
	return nil
}

func (x *exporting) write(name string, data []byte) error {
	path := filepath.Join(x.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil { // private parts are among it
		return fmt.Errorf("export: %w", err)
	}
	return nil
}
