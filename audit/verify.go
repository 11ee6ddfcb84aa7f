package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/countersign-id/countersign/proofing"
)

// Verdict is what was found to be whole.
type Verdict struct {
	Entries int64 // in the log
	Erased  int64 // whose private part is erased
	Objects int   // of which it tells
	Covered int64 // entries that the last checkpoint covers
}

// Verify replays the log of the store: the form of every entry, the numbers of each object's, what private parts are committed to, the
// order of the pages, the tree, its tiles, the checkpoint, the checkpoint file, and what records say of their places. The error names the first thing
// that is wrong. It may run beside a server: what is entered meanwhile is not looked at.
func (t *Tree) Verify(ctx context.Context, s *proofing.Service) (v Verdict, err error) {
	r := newReplay(t.compareTile(ctx))
	h, err := t.Head(ctx)
	switch {
	case errors.Is(err, proofing.ErrNotFound):
		h = nil
	case err != nil:
		return v, err
	default:
		if err := t.wantStated(r, h); err != nil {
			return v, err
		}
		v.Covered = h.Size
	}
	shown, err := t.Anchor.read()
	if err != nil {
		return v, err
	}
	if shown != "" && h == nil {
		return v, t.admitEmpty(shown)
	}
	if shown != "" {
		c, err := OpenCheckpoint(shown, h.Verifier)
		if err != nil {
			return v, fmt.Errorf("%s: %w", t.Anchor.Path, err)
		}
		if head, err := t.Head(ctx); err != nil || c.Size > head.Size { // read again: a server may write both
			return v, errors.Join(err, &LossError{Path: t.Anchor.Path, Size: h.Size, Was: c.Size})
		}
		if c.Size <= h.Size {
			r.want(t.Anchor.Path, c)
		}
	}
	counted, err := s.LogHead(ctx)
	if err != nil {
		return v, err
	}
	next, err := t.replayPages(ctx, r)
	if err != nil {
		return v, err
	}
	if counted.Next > next || counted.Size > r.size {
		return v, fmt.Errorf("%d pages with %d entries are counted, and page %d is missing", counted.Next-1, counted.Size, next)
	}
	if counted.Next == next && counted.Size != r.size || h != nil && h.Page == next && h.Size != r.size {
		return v, fmt.Errorf("the %d pages have %d entries, and that is not how many are counted: one was added or taken away", next-1, r.size)
	}
	if err := r.end(); err != nil {
		return v, err
	}
	if err := t.compareRecords(ctx, s, r, next); err != nil {
		return v, err
	}
	v.Entries, v.Erased, v.Objects = r.size, r.erased, len(r.places)
	return v, nil
}

// wantStated has the last checkpoint compared.
func (t *Tree) wantStated(r *replay, h *Head) error {
	if err := t.Own(h); err != nil {
		return err
	}
	if h.Checkpoint == "" {
		return nil
	}
	c, err := OpenCheckpoint(h.Checkpoint, h.Verifier)
	if err != nil {
		return err
	}
	if c.Size != h.Size || c.Origin != h.Origin {
		return fmt.Errorf("the last checkpoint is of %d entries of %q, and filed as one of %d of %q", c.Size, c.Origin, h.Size, h.Origin)
	}
	r.want("the last checkpoint", c)
	return nil
}

// compareTile compares tiles with those in the store. These may have more by now, or not have been written yet beyond the last checkpoint.
func (t *Tree) compareTile(ctx context.Context) func(*Tile) error {
	return func(want *Tile) error {
		have, err := t.Tiles.Get(ctx, t.tileID(want.Level, want.Number))
		h, headErr := t.Head(ctx)
		if errors.Is(headErr, proofing.ErrNotFound) {
			return nil
		}
		if headErr != nil {
			return headErr
		}
		// The hashes of the tile that the checkpoint covers.
		covered := h.Size>>(tileHeight*want.Level) - want.Number*tileWidth
		if covered <= 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("tile %d of level %d: %w", want.Number, want.Level, err)
		}
		n := min(len(have.Hashes), len(want.Hashes))
		if !bytes.Equal(have.Hashes[:n], want.Hashes[:n]) || int64(have.width()) < min(covered, int64(want.width())) {
			return fmt.Errorf("tile %d of level %d %w", want.Number, want.Level, errDiffers)
		}
		return nil
	}
}

// replayPages replays all pages and returns the number of the one that there is not.
func (t *Tree) replayPages(ctx context.Context, r *replay) (next int64, err error) {
	if err := r.compare(); err != nil { // of a log with nothing in it
		return 0, err
	}
	var before *proofing.LogPage
	for next = 1; ; next++ {
		p, err := t.Page(ctx, next)
		if errors.Is(err, proofing.ErrNotFound) {
			return next, nil
		}
		if err != nil {
			return next, err
		}
		switch {
		case p.Number != next:
			return next, fmt.Errorf("page %d says that it is page %d", next, p.Number)
		case p.First != r.size:
			return next, fmt.Errorf("page %d begins with entry %d, and the one before it ends with %d", next, p.First, r.size-1)
		case len(p.Entries) == 0:
			return next, fmt.Errorf("page %d is empty", next)
		case before != nil && p.At.Before(before.At):
			return next, fmt.Errorf("page %d is of %s, and the one before it of %s", next, p.At, before.At)
		}
		for i := range p.Entries {
			if err := r.add(&p.Entries[i]); err != nil {
				return next, fmt.Errorf("page %d: %w", next, err)
			}
		}
		before = p
	}
}

// compareRecords compares with the log what records know of their places in it, and what requests and roles say that they are. A record that is gone knows nothing, and
// may be gone.
func (t *Tree) compareRecords(ctx context.Context, s *proofing.Service, r *replay, next int64) error {
	for _, object := range slices.Sorted(maps.Keys(r.places)) {
		rec, err := recorded(ctx, s, r, r.of[object], object)
		if errors.Is(err, proofing.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("record of %s: %w", object, err)
		}
		j := rec.journal
		if err := t.comparePlaces(ctx, object, j, r, next); err != nil {
			return err
		}
		if len(j.Pending) > 0 || len(j.Places) != len(r.places[object]) { // it has told of something since
			continue
		}
		if said := r.status[object]; rec.status != said {
			return fmt.Errorf("the record of %s says that it is %q, and the log %q: %w", object, rec.status, said, errUntold)
		}
		if rec.wrong != nil {
			return rec.wrong
		}
	}
	// Cases of authorities of which the log tells nothing.
	for q := (proofing.Query{Index: "ca", Below: "~", Limit: 500}); ; {
		cases, after, err := s.Cases.List(ctx, q)
		if err != nil {
			return fmt.Errorf("list cases: %w", err)
		}
		for _, c := range cases {
			if r.places[c.ID] == nil {
				if c.Journal.Written == 0 {
					return fmt.Errorf("there is a request %s of which the log tells nothing, and each has an entry from its first moment: it was put there without one", c.ID)
				}
				if err := t.comparePlaces(ctx, c.ID, c.Journal, r, next); err != nil {
					return err
				}
			}
		}
		if q.After = after; after == "" {
			return nil
		}
	}
}

// errUntold is what is wrong with a record that does not say what the log says of it.
var errUntold = errors.New("it was changed without an entry")

// record is what a record says, as far as the log says it too.
type record struct {
	journal proofing.Journal
	// status is that of a request or a role; of others it is empty.
	status string
	// wrong is what of its content is not as the log has it. It counts once all of its entries are in the log that was replayed.
	wrong error
}

// recorded reads a record of one moment, and holds its content against the log.
func recorded(ctx context.Context, s *proofing.Service, r *replay, of proofing.Subject, object string) (record, error) {
	switch of {
	case proofing.SubjectCase:
		c, err := s.Cases.Get(ctx, object)
		if err != nil {
			return record{}, err
		}
		return record{c.Journal, string(c.Status), r.heldCase(ctx, s, c)}, nil
	case proofing.SubjectAppointment:
		a, err := s.Appointments.Get(ctx, object)
		if err != nil {
			return record{}, err
		}
		return record{a.Journal, string(a.Status), nil}, nil
	case proofing.SubjectOrganization:
		o, err := s.Dossiers.Get(ctx, object)
		if err != nil {
			return record{}, err
		}
		return record{o.Journal, "", r.content[object].heldItems(o)}, nil
	case proofing.SubjectCertificate:
		c, err := s.Certificates.Get(ctx, object)
		if err != nil {
			return record{}, err
		}
		return record{c.Journal, "", r.heldCertificate(c)}, nil
	case proofing.SubjectAuthenticator:
		a, err := s.Addresses.Get(ctx, object)
		if err != nil {
			return record{}, err
		}
		return record{a.Journal, "", r.heldKey(s, a)}, nil
	case proofing.SubjectPolicy:
		b, err := s.PolicyBooks.Get(ctx, object)
		if err != nil {
			return record{}, err
		}
		return record{b.Journal, "", r.heldPolicies(ctx, s, b)}, nil
	}
	j, err := s.Journal(ctx, of, object)
	return record{journal: j}, err
}

func (t *Tree) comparePlaces(ctx context.Context, object string, j proofing.Journal, r *replay, next int64) error {
	for i, place := range j.Places {
		if place >= r.size { // it was entered since
			if _, err := t.Page(ctx, next); err == nil {
				return nil
			}
		}
		if i >= len(r.places[object]) || place != r.places[object][i] {
			return fmt.Errorf("the record of %s has entry %d at %d of the log, and it is not there", object, i+1, place)
		}
	}
	n := int64(len(j.Places) + len(j.Pending))
	if entered := int64(len(r.places[object])); n < entered { // it was read after the log: it knows of all that is there, or was set back
		return fmt.Errorf("the record of %s has written %d entries, and the log has %d of it: it was set back", object, n, entered)
	}
	if n != j.Written {
		return fmt.Errorf("the record of %s has written %d entries, and %d are in the log or on their way", object, j.Written, n)
	}
	if len(j.Pending) > 0 && j.Pending[0].Number != int64(len(j.Places))+1 {
		return fmt.Errorf("the record of %s has entry %d on its way after %d that are in the log", object, j.Pending[0].Number, len(j.Places))
	}
	return nil
}
