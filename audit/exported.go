package audit

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/countersign-id/countersign/proofing"
)

// ErrExportOlder says that an export, which may be whole, cannot be held against a checkpoint that was made after it.
var ErrExportOlder = errors.New("the export is older than the checkpoint that was kept")

// VerifyExport checks an export by the log's verifier key, without us. Every file must be one of an export of that checkpoint, and every byte of it
// as it was; but private parts may be missing, each as a whole, for they can be erased. Checkpoints that somebody has kept must be of its beginning;
// one that is newer than the export is ErrExportOlder.
func VerifyExport(dir, verifierKey string, kept ...string) (v Verdict, err error) {
	signed, err := os.ReadFile(filepath.Join(dir, checkpointFile))
	if err != nil {
		return v, fmt.Errorf("export: %w", err)
	}
	c, err := OpenCheckpoint(string(signed), verifierKey)
	if err != nil {
		return v, err
	}
	x := exported{dir: dir, seen: map[string]bool{checkpointFile: true}}
	r := newReplay(x.compareTile)
	r.want("the checkpoint", c)
	for _, text := range kept {
		k, err := OpenCheckpoint(text, verifierKey)
		if err != nil {
			return v, fmt.Errorf("that was kept: %w", err)
		}
		if k.Size > c.Size {
			return v, fmt.Errorf("%w: the one is of %d entries, and the other of %d", ErrExportOlder, c.Size, k.Size)
		}
		r.want("the checkpoint that was kept", k)
	}
	if err := r.compare(); err != nil {
		return v, err
	}
	for r.size < c.Size {
		if err := x.replayTile(r, int(min(tileWidth, c.Size-r.size))); err != nil {
			return v, err
		}
	}
	if err := r.end(); err != nil {
		return v, err
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if name, err := filepath.Rel(dir, path); err != nil || !x.seen[name] {
			return errors.Join(err, fmt.Errorf("%s does not belong to the export", name))
		}
		return nil
	})
	return Verdict{Entries: r.size, Erased: r.erased, Objects: len(r.places), Covered: c.Size}, err
}

// exported is an export that is read.
type exported struct {
	dir  string
	seen map[string]bool
}

func (x *exported) read(name string) ([]byte, error) {
	x.seen[name] = true
	return os.ReadFile(filepath.Join(x.dir, name))
}

func (x *exported) compareTile(t *Tile) error {
	name := pathOf(fmt.Sprint(t.Level), t.Number, t.width())
	data, err := x.read(name)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if !bytes.Equal(data, t.Hashes) {
		return fmt.Errorf("%s differs from the entries", name)
	}
	return nil
}

// replayTile replays the entries of one tile, of which there are width.
func (x *exported) replayTile(r *replay, width int) error {
	number := r.size / tileWidth
	name := pathOf("entries", number, width)
	data, err := x.read(name)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	told, err := x.readPrivate(pathOf("private", number, width))
	if err != nil {
		return err
	}
	for range width {
		if len(data) < 2 {
			return fmt.Errorf("%s: cut off before entry %d", name, r.size)
		}
		n := int(binary.BigEndian.Uint16(data))
		if data = data[2:]; len(data) < n {
			return fmt.Errorf("%s: cut off in entry %d", name, r.size)
		}
		e := proofing.Entry{Leaf: string(data[:n])}
		data = data[n:]
		if leaf, err := e.Said(); err == nil {
			e.Object, e.Number = leaf.Object, leaf.Number
		}
		if len(told) > 0 && told[0].Index == r.size {
			e.Salt, e.Private = told[0].Salt, told[0].Private
			told = told[1:]
		}
		if err := r.add(&e); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(data) > 0 {
		return fmt.Errorf("%s: %d bytes behind the last entry", name, len(data))
	}
	if len(told) > 0 {
		return fmt.Errorf("%s: a private part of entry %d, which is not among them or comes before", pathOf("private", number, width), told[0].Index)
	}
	return nil
}

// readPrivate reads private parts; that there are none is no fault.
func (x *exported) readPrivate(name string) (told []private, err error) {
	data, err := x.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	for line := range bytes.Lines(data) {
		var p private
		if err := json.Unmarshal(line, &p); err != nil || len(p.Private) == 0 || p.Salt == "" {
			return nil, fmt.Errorf("%s: line %d is no private part", name, len(told)+1)
		}
		if same, err := p.line(); err != nil || !bytes.Equal(same, line) {
			return nil, fmt.Errorf("%s: line %d is not in its one form", name, len(told)+1)
		}
		told = append(told, p)
	}
	return told, nil
}
