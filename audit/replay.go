package audit

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/countersign-id/countersign/proofing"
)

// replay goes through a log from its first entry on and holds everything against everything else. It trusts nothing that it is given.
type replay struct {
	size   int64
	erased int64
	// places are where the entries of each object are, in the order of their numbers, and of is the kind of its record.
	places map[string][]int64
	of     map[string]proofing.Subject
	// status is what the newest entry of a request or a role says that it has become.
	status map[string]string
	// content is what the log says of the content of records, by their ids.
	content map[string]contents
	whole   []whole // from the left: subtrees that are full
	edge    edge
	// wanted are the roots that somebody has stated, by size, with what states them.
	wanted map[int64][]statement
	// tile is told each tile as it becomes full, and at the end those that are not.
	tile func(*Tile) error
}

// whole is a subtree over a power of two of leaves.
type whole struct {
	size int64
	root tlog.Hash
}

type statement struct {
	what string
	root tlog.Hash
}

func newReplay(tile func(*Tile) error) *replay {
	return &replay{places: map[string][]int64{}, of: map[string]proofing.Subject{}, status: map[string]string{}, content: map[string]contents{}, wanted: map[int64][]statement{}, tile: tile}
}

// want has the root over the first size entries compared with what is stated.
func (r *replay) want(what string, c Checkpoint) {
	r.wanted[c.Size] = append(r.wanted[c.Size], statement{what, c.Root})
}

// add takes the next entry.
func (r *replay) add(e *proofing.Entry) error {
	if err := r.judge(e); err != nil {
		return fmt.Errorf("entry %d: %w", r.size, err)
	}
	hash := tlog.RecordHash([]byte(e.Leaf))
	r.size++
	last := whole{1, hash}
	for n := len(r.whole); n > 0 && r.whole[n-1].size == last.size; n-- {
		last = whole{2 * last.size, tlog.NodeHash(r.whole[n-1].root, last.root)}
		r.whole = r.whole[:n-1]
	}
	r.whole = append(r.whole, last)
	r.edge.add(hash)
	for _, tile := range r.edge.full {
		if err := r.tile(tile); err != nil {
			return err
		}
	}
	r.edge.full = nil
	return r.compare()
}

// compare compares what is stated of as many entries as there are by now.
func (r *replay) compare() error {
	for _, s := range r.wanted[r.size] {
		if root := r.root(); root != s.root {
			return fmt.Errorf("%s states another root over the first %d entries than they have: an entry was changed, added or taken away", s.what, r.size)
		}
	}
	delete(r.wanted, r.size)
	return nil
}

func (r *replay) root() tlog.Hash {
	if len(r.whole) == 0 {
		root, _ := tlog.TreeHash(0, nil) // of nothing
		return root
	}
	n := len(r.whole) - 1
	root := r.whole[n].root
	for n--; n >= 0; n-- {
		root = tlog.NodeHash(r.whole[n].root, root)
	}
	return root
}

// end is for what is known once there are no more entries.
func (r *replay) end() error {
	for _, tile := range r.edge.tiles {
		if tile.width() > 0 {
			if err := r.tile(tile); err != nil {
				return err
			}
		}
	}
	for size, all := range r.wanted {
		return fmt.Errorf("%s states %d entries, and there are %d", all[0].what, size, r.size)
	}
	return nil
}

// judge holds one entry against its form, against what it commits to, and against the entries of its object before it.
func (r *replay) judge(e *proofing.Entry) error {
	leaf, err := readLeaf(e.Leaf)
	if err != nil {
		return err
	}
	if e.Object != leaf.Object || e.Number != leaf.Number {
		return fmt.Errorf("it is filed as number %d of %s, and says that it is number %d of %s", e.Number, e.Object, leaf.Number, leaf.Object)
	}
	if of, known := r.of[leaf.Object]; known && of != leaf.Of {
		return fmt.Errorf("%s is a %s here, and was a %s before", leaf.Object, leaf.Of, of)
	}
	if next := int64(len(r.places[leaf.Object])) + 1; leaf.Number != next {
		return fmt.Errorf("it is number %d of %s, and number %d is next: an entry was added, taken away or moved", leaf.Number, leaf.Object, next)
	}
	switch erased := len(e.Private) == 0; {
	case erased != (e.Salt == ""):
		return errors.New("of its private part one half is missing")
	case erased && leaf.Commitment != "":
		r.erased++
	case !erased && (leaf.Commitment == "" || !e.Opens()):
		return errors.New("its private part is not what it commits to")
	}
	if status := statusBy(leaf); status != "" {
		r.status[leaf.Object] = status
	}
	r.tell(e, &leaf)
	r.of[leaf.Object] = leaf.Of
	r.places[leaf.Object] = append(r.places[leaf.Object], r.size)
	return nil
}

// statusBy is what a leaf says that a request or a role has become; empty for a leaf that says nothing of that.
func statusBy(leaf proofing.Leaf) string {
	switch {
	case leaf.Of == proofing.SubjectCase && leaf.Kind == proofing.EntryOpened:
		return string(proofing.CaseOpen)
	case leaf.Of == proofing.SubjectCase && leaf.Kind == proofing.EntryStatus:
		return textOf(leaf.Facts, "to")
	case leaf.Of == proofing.SubjectAppointment:
		return textOf(leaf.Facts, "status")
	}
	return ""
}

// readLeaf reads a leaf in the one form that it can have.
func readLeaf(text string) (leaf proofing.Leaf, err error) {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&leaf); err != nil || leaf.Type != proofing.LeafType {
		return leaf, errors.New("its leaf is none of ours")
	}
	canonical, err := proofing.Canonical(leaf)
	if err != nil || string(canonical) != text {
		return leaf, errors.New("its leaf is not in its one form")
	}
	if _, err := base64.RawURLEncoding.Strict().DecodeString(leaf.Commitment); err != nil {
		return leaf, errors.New("its commitment is no hash")
	}
	return leaf, nil
}
