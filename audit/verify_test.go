package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-id/countersign/audit"
	"github.com/countersign-id/countersign/proofing"
)

// tampered is a log of which somebody who has the store and its keys has changed something.
var tampered = map[string]struct {
	change func(w *world)
	found  string
}{
	"a leaf is edited": {func(w *world) {
		w.edit(2, func(p *proofing.LogPage) {
			p.Entries[1].Leaf = strings.Replace(p.Entries[1].Leaf, "alpha", "omega", 1)
		})
	}, "entry was changed"},
	"an entry is taken away": {func(w *world) {
		w.edit(2, func(p *proofing.LogPage) { p.Entries = append(p.Entries[:1], p.Entries[2:]...) })
	}, "page 3 begins"},
	"the last entry is taken away": {func(w *world) {
		w.edit(3, func(p *proofing.LogPage) { p.Entries = p.Entries[:len(p.Entries)-1] })
	}, "is missing"},
	"the last entry is taken away, and counted off": {func(w *world) {
		w.edit(3, func(p *proofing.LogPage) { p.Entries = p.Entries[:len(p.Entries)-1] })
		w.editHead(func(h *proofing.LogHead) { h.Size-- })
	}, "one was added or taken away"},
	"the last page is taken away":     {func(w *world) { w.drop(3) }, "page 3 is missing"},
	"a page in between is taken away": {func(w *world) { w.drop(2) }, "page 2 is missing"},
	"an entry is added": {func(w *world) {
		w.edit(3, func(p *proofing.LogPage) { p.Entries = append(p.Entries, w.forged()) })
	}, "one was added or taken away"},
	"an entry of an object comes twice": {func(w *world) {
		w.edit(3, func(p *proofing.LogPage) { p.Entries = append(p.Entries, p.Entries[0]) })
	}, "an entry was added"},
	"two entries are exchanged": {func(w *world) {
		w.edit(2, func(p *proofing.LogPage) { p.Entries[0], p.Entries[1] = p.Entries[1], p.Entries[0] })
	}, "entry was changed"},
	"private words are edited": {func(w *world) {
		w.edit(1, func(p *proofing.LogPage) {
			p.Entries[0].Private = json.RawMessage(strings.Replace(string(p.Entries[0].Private), "example", "exempel", 1))
		})
	}, "not what it commits to"},
	"a salt is taken away": {func(w *world) {
		w.edit(1, func(p *proofing.LogPage) { p.Entries[0].Salt = "" })
	}, "one half is missing"},
	"pages go back in time": {func(w *world) {
		w.edit(3, func(p *proofing.LogPage) { p.At = p.At.Add(-time.Hour) })
	}, "the one before it of"},
	"a page has another number": {func(w *world) {
		w.edit(2, func(p *proofing.LogPage) { p.Number = 3 })
	}, "says that it is page 3"},
	"a record has another place": {func(w *world) {
		w.editCase(func(c *proofing.Case) { c.Journal.Places[0]++ })
	}, "it is not there"},
	"a record has written more": {func(w *world) {
		w.editCase(func(c *proofing.Case) { c.Journal.Written++ })
	}, "are in the log or on their way"},
	"a record was set back to before its last entry": {func(w *world) {
		w.editCase(func(c *proofing.Case) { c.Journal.Places, c.Journal.Written = c.Journal.Places[:0], 0 })
	}, "it was set back"},
	"a request is granted without an entry": {func(w *world) {
		w.editCase(func(c *proofing.Case) { c.Status = proofing.CaseGranted })
	}, "changed without an entry"},
	"a request is put there without an entry": {func(w *world) {
		e, _, err := w.LogEntry(context.Background(), 4)
		if err != nil {
			w.t.Fatal(err)
		}
		invented, err := w.Cases.Get(context.Background(), e.Object)
		if err != nil {
			w.t.Fatal(err)
		}
		invented.ID, invented.Natural, invented.Journal = proofing.NewID(nil), "", proofing.Journal{}
		if err := w.Cases.Create(context.Background(), invented.ID, invented); err != nil {
			w.t.Fatal(err)
		}
	}, "of which the log tells nothing"},
	"a tile is edited": {func(w *world) {
		w.editTile(func(tile *audit.Tile) { tile.Hashes[40] ^= 1 })
	}, "differs from the pages"},
	"a tile is cut": {func(w *world) {
		w.editTile(func(tile *audit.Tile) { tile.Hashes = tile.Hashes[:32] })
	}, "differs from the pages"},
	"the checkpoint is an older one": {func(w *world) {
		w.editTree(func(h *audit.Head) { h.Size-- })
	}, "filed as one of"},
	"the checkpoint is edited": {func(w *world) {
		w.editTree(func(h *audit.Head) { h.Checkpoint = strings.Replace(h.Checkpoint, "\n9\n", "\n8\n", 1) })
	}, "checkpoint"},
	"the key is another": {func(w *world) {
		w.editTree(func(h *audit.Head) { h.Verifier = strings.Replace(h.Verifier, "example", "exempel", 1) })
	}, "key"},
}

func TestWhateverIsChangedInTheStoreIsFound(t *testing.T) {
	for name, c := range tampered {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for range 3 {
				w.open(3)
				w.sequence()
				w.at = w.at.Add(time.Minute)
			}
			v, err := w.Tree.Verify(t.Context(), w.Service)
			if err != nil || v != (audit.Verdict{Entries: 9, Objects: 9, Covered: 9}) {
				t.Fatalf("before: %+v, %v", v, err)
			}
			c.change(w)
			if _, err := w.Tree.Verify(t.Context(), w.Service); err == nil || !strings.Contains(err.Error(), c.found) {
				t.Errorf("found: %v, want %q", err, c.found)
			}
		})
	}
}

func (w *world) pageID(n int64) string {
	p := proofing.FixedID(w.Service.Hasher.Sum("log page", string(rune('0'+n))))
	if _, err := w.LogPages.Get(context.Background(), p); err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) edit(n int64, edit func(*proofing.LogPage)) {
	w.t.Helper()
	if _, err := w.LogPages.Update(context.Background(), w.pageID(n), func(p *proofing.LogPage) error { edit(p); return nil }); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) drop(n int64) {
	w.t.Helper()
	if err := w.LogPages.Delete(context.Background(), w.pageID(n)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) editHead(edit func(*proofing.LogHead)) {
	w.t.Helper()
	h, err := w.LogHead(context.Background())
	if err == nil {
		_, err = w.LogHeads.Update(context.Background(), h.ID, func(h *proofing.LogHead) error { edit(h); return nil })
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) editCase(edit func(*proofing.Case)) {
	w.t.Helper()
	e, _, err := w.LogEntry(context.Background(), 4)
	if err == nil {
		_, err = w.Cases.Update(context.Background(), e.Object, func(c *proofing.Case) error { edit(c); return nil })
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) editTile(edit func(*audit.Tile)) {
	w.t.Helper()
	id := proofing.FixedID(w.Service.Hasher.Sum("log tile", "0", "0"))
	if _, err := w.Tiles.Update(context.Background(), id, func(tile *audit.Tile) error { edit(tile); return nil }); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) editTree(edit func(*audit.Head)) {
	w.t.Helper()
	id := proofing.FixedID(w.Service.Hasher.Sum("log tree"))
	if _, err := w.Heads.Update(context.Background(), id, func(h *audit.Head) error { edit(h); return nil }); err != nil {
		w.t.Fatal(err)
	}
}

// forged is an entry that nothing has written.
func (w *world) forged() proofing.Entry {
	var j proofing.Journal
	j.Write(proofing.Note{Of: proofing.SubjectCase, Object: proofing.NewID(nil), Kind: "status", By: proofing.ByService, At: w.at})
	return j.Pending[0]
}

// exported is a small log in a folder, with its key.
func exported(t *testing.T, entries int) (dir, key string) {
	t.Helper()
	w := newWorld(t)
	w.open(entries)
	w.sequence()
	dir = filepath.Join(t.TempDir(), "log")
	if c, err := w.Tree.Export(t.Context(), dir); err != nil || c.Size != int64(entries) {
		t.Fatalf("%+v, %v", c, err)
	}
	return dir, w.head().Verifier
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return names
}

// TestEveryByteOfAnExportCounts changes each byte of an export in turn, and takes each away: every change is found.
func TestEveryByteOfAnExportCounts(t *testing.T) {
	dir, key := exported(t, 3)
	if v, err := audit.VerifyExport(dir, key); err != nil || v.Entries != 3 || v.Erased != 0 {
		t.Fatalf("%+v, %v", v, err)
	}
	changed := 0
	for _, name := range files(t, dir) {
		whole, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range whole {
			for what, data := range map[string][]byte{
				"a bit of it":   flip(whole, i, 1),
				"its case":      flip(whole, i, 0x20),
				"all of it":     flip(whole, i, 0xff),
				"it taken away": append(bytes.Clone(whole[:i]), whole[i+1:]...),
				"a space added": append(append(bytes.Clone(whole[:i]), ' '), whole[i:]...),
			} {
				if err := os.WriteFile(name, data, 0o600); err != nil {
					t.Fatal(err)
				}
				if _, err := audit.VerifyExport(dir, key); err == nil {
					t.Errorf("byte %d of %s with %s is not found: %q", i, filepath.Base(name), what, data[max(0, i-20):min(len(data), i+20)])
				}
				changed++
			}
		}
		if err := os.WriteFile(name, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if changed < 5000 {
		t.Errorf("only %d changes", changed)
	}
}

func flip(data []byte, i int, bits byte) []byte {
	data = bytes.Clone(data)
	data[i] ^= bits
	return data
}

// TestWhatMayBeMissingOfAnExport: what is erased, each as a whole, and nothing else.
func TestWhatMayBeMissingOfAnExport(t *testing.T) {
	dir, key := exported(t, 300)
	for _, name := range files(t, dir) {
		whole, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		v, err := audit.VerifyExport(dir, key)
		if erasable := strings.Contains(name, "private"); erasable != (err == nil) {
			t.Errorf("without %s: %+v, %v", name, v, err)
		} else if erasable && v.Erased == 0 {
			t.Errorf("without %s nothing is erased", name)
		}
		if err := os.WriteFile(name, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		if lines := bytes.SplitAfter(whole, []byte("\n")); strings.Contains(name, "private") {
			if err := os.WriteFile(name, bytes.Join(lines[1:], nil), 0o600); err != nil {
				t.Fatal(err)
			}
			if v, err := audit.VerifyExport(dir, key); err != nil || v.Erased != 1 {
				t.Errorf("with a line less of %s: %+v, %v", name, v, err)
			}
			lines[0], lines[1] = lines[1], lines[0]
			if err := os.WriteFile(name, bytes.Join(lines, nil), 0o600); err != nil {
				t.Fatal(err)
			}
			if v, err := audit.VerifyExport(dir, key); err == nil {
				t.Errorf("with lines of %s exchanged: %+v", name, v)
			}
			if err := os.WriteFile(name, whole, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "note"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.VerifyExport(dir, key); err == nil {
		t.Error("a file that does not belong is not found")
	}
	if _, err := audit.VerifyExport(t.TempDir(), key); err == nil {
		t.Error("an empty folder is an export")
	}
	_, foreign := exported(t, 1)
	if _, err := audit.VerifyExport(dir, foreign); err == nil {
		t.Error("another log's key verifies it")
	}
}

// TestAnErasedLogIsWhole erases everything beside the leaves.
func TestAnErasedLogIsWhole(t *testing.T) {
	w := newWorld(t)
	w.Policy.LogRetention = time.Hour
	w.open(40)
	w.sequence()
	before := w.head().Checkpoint
	w.at = w.at.Add(2 * time.Hour)
	w.sequence()
	v, err := w.Tree.Verify(t.Context(), w.Service)
	if err != nil || v.Erased != 40 || w.head().Checkpoint != before {
		t.Errorf("%+v, %v", v, err)
	}
	dir := filepath.Join(t.TempDir(), "log")
	if _, err := w.Tree.Export(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if v, err := audit.VerifyExport(dir, w.head().Verifier); err != nil || v.Erased != 40 {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := w.Tree.Export(t.Context(), dir); err == nil {
		t.Error("an export was written over another")
	}
}
