package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/countersign-id/countersign/proofing"
)

var (
	// ErrNotEmpty: there is something in the store that is to be copied to.
	ErrNotEmpty = errors.New("the store is not empty")
	// ErrChanged: the two stores differ after all was copied, so somebody has changed one of them.
	ErrChanged = errors.New("the store changed while it was copied")
	// ErrAlready: the store was moved there before, and nothing is left to do.
	ErrAlready = errors.New("the store was moved there before")
)

// Copy moves what one store holds to another, empty one: values as they were sealed,
// counters, and when each expires. Versions are new.
//
// At any moment at most one of the two can be claimed. The source is marked before anything is read, and the
// target until everything in it has been read back and found equal; the mark of the key
// ring goes over last. A Copy that ended in the middle, in whatever way, is run again: it goes on
// where the two differ. It can be given up with Reopen for the source and Erase for the target.
type Copy struct {
	From, To           Movable
	FromPlace, ToPlace string // for people, and to tell one target from another
	Ring               *Ring  // of both
	Now                func() time.Time
	// Progress is told from time to time how far it is, by several goroutines, unless it is nil.
	Progress func(Progress)

	life time.Duration // of the note in the target; 0 means PresenceLife
}

// Progress is how far a Copy is.
type Progress struct {
	Checking         bool // all is copied, and is read back
	Values, Counters int  // compared so far
}

// Total is what was copied, or erased.
type Total struct{ Values, Counters int }

// Run copies. The error wraps ErrInUse while anybody uses either store, as far as notes tell it.
func (c Copy) Run(ctx context.Context) (Total, error) {
	if c.life == 0 {
		c.life = PresenceLife
	}
	total, err := c.run(ctx)
	if err != nil {
		return Total{}, fmt.Errorf("store: copy %s to %s: %w", c.FromPlace, c.ToPlace, err)
	}
	return total, nil
}

func (c Copy) run(ctx context.Context) (Total, error) {
	mark, err := c.checkSource(ctx)
	if err != nil {
		return Total{}, err
	}
	if err := unused(ctx, c.From); err != nil {
		return Total{}, err
	}
	hold, err := c.take(ctx, mark)
	if err != nil {
		return Total{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var keep sync.WaitGroup
	keep.Go(func() { hold.keep(ctx, cancel) })
	held := c
	held.To = heldTarget{c.To, hold.note}
	total, moved, err := held.fill(ctx)
	cancel(nil)
	keep.Wait()
	if err == nil {
		err = c.finish(context.WithoutCancel(ctx), hold, moved)
	}
	if err != nil {
		hold.leave(ctx)
	}
	return total, err
}

// Begin marks the source and does no more, and says whether it was not marked before. Run does it too; Begin is for
// whoever then looks, in a way of their own, that nobody has the source open.
func (c Copy) Begin(ctx context.Context) (fresh bool, err error) {
	mark, err := c.checkSource(ctx)
	if err == nil {
		var version uint64
		if _, version, err = readMark(ctx, c.To, halfName); err == nil && version == 0 {
			err = c.checkEmpty(ctx, mark)
		}
	}
	if err == nil {
		_, err = c.mark(ctx)
	}
	if err != nil {
		return false, fmt.Errorf("store: copy %s to %s: %w", c.FromPlace, c.ToPlace, err)
	}
	return mark.Since.IsZero(), nil
}

// checkSource finds the source to be this ring's, and on its way to no other place.
func (c Copy) checkSource(ctx context.Context) (Mark, error) {
	if err := Owns(ctx, c.From, c.Ring); err != nil {
		return Mark{}, err
	}
	half, _, err := readMark(ctx, c.From, halfName)
	if err != nil {
		return Mark{}, err
	}
	mark, _, err := readMark(ctx, c.From, movedName)
	if err == nil && (!half.Since.IsZero() || !mark.Since.IsZero() && mark.Place != c.ToPlace) {
		err = InPlace(ctx, c.From)
	}
	return mark, err
}

// hold keeps others from writing to the target: its mark, which only its last holder can renew.
type hold struct {
	note    *Presence
	mark    Mark
	version uint64 // of the mark
	err     error
}

// take takes a target that is empty, or holds what a Copy before left, whose place this one takes.
// Who comes second at the same moment is told so by the mark's version.
func (c Copy) take(ctx context.Context, source Mark) (*hold, error) {
	half, version, err := readMark(ctx, c.To, halfName)
	if err != nil {
		return nil, err
	}
	if version == 0 {
		if err := c.checkEmpty(ctx, source); err != nil {
			return nil, err
		}
	} else if err := unused(ctx, c.To); err != nil {
		return nil, err
	}
	if half.Since.IsZero() || half.Place != c.FromPlace {
		half = Mark{Place: c.FromPlace, Since: c.Now()}
	}
	h := &hold{note: newPresence(c.To, "a copy of "+c.FromPlace, c.life), mark: half, version: version}
	h.mark.Run = h.note.name
	err = h.renew(ctx)
	if errors.Is(err, ErrConflict) {
		err = fmt.Errorf("%w by another copy", ErrInUse)
	}
	return h, err
}

func (c Copy) checkEmpty(ctx context.Context, source Mark) error {
	errSome := errors.New("some")
	for _, bucket := range allBuckets() {
		items, err := c.To.Scan(ctx, bucket, "", "", 1)
		if err == nil && len(items) > 0 {
			err = errSome
		}
		if errors.Is(err, errSome) && source.Done && InPlace(ctx, c.To) == nil && Owns(ctx, c.To, c.Ring) == nil {
			return ErrAlready
		}
		if errors.Is(err, errSome) {
			return fmt.Errorf("%w: %s", ErrNotEmpty, c.ToPlace)
		}
		if err != nil {
			return err
		}
	}
	err := c.To.EachCounter(ctx, func(string, []Counter) error { return errSome })
	if errors.Is(err, errSome) {
		return fmt.Errorf("%w: %s has counters", ErrNotEmpty, c.ToPlace)
	}
	return err
}

// renew puts mark and note, if the mark is still the one that was put last.
func (h *hold) renew(ctx context.Context) error {
	err := h.put(ctx)
	if errors.Is(err, ErrConflict) && h.version != 0 {
		// A put whose answer was lost may have been made: then the mark is ours, and newer than we know.
		mine, version, readErr := readMark(ctx, h.note.KV, halfName)
		if readErr != nil || mine.Run != h.mark.Run {
			return errors.Join(err, readErr)
		}
		h.version = version
		err = h.put(ctx)
	}
	return err
}

func (h *hold) put(ctx context.Context) error {
	began := time.Now()
	mark, err := markOp(halfName, h.mark, h.version)
	if err != nil {
		return err
	}
	note, err := h.note.op(ctx)
	if err != nil {
		return err
	}
	if err := h.note.KV.Apply(ctx, markBucket, []Op{mark, note}); err != nil {
		return err
	}
	mine, version, err := readMark(ctx, h.note.KV, halfName)
	if err == nil && mine.Run != h.mark.Run {
		err = ErrConflict
	}
	if err == nil {
		h.version = version
		h.note.beat.Store(&began)
	}
	return err
}

// heldTarget is the target for the Copy that holds it: one that was paused until another took its
// place changes nothing there.
type heldTarget struct {
	Movable
	note *Presence
}

// Apply implements KV.
func (t heldTarget) Apply(ctx context.Context, bucket string, ops []Op) error {
	return t.note.Apply(ctx, bucket, ops)
}

// SetCounters implements Movable.
func (t heldTarget) SetCounters(ctx context.Context, bucket string, counters []Counter) error {
	if err := t.note.holds("set counters"); err != nil {
		return err
	}
	return t.Movable.SetCounters(ctx, bucket, counters)
}

// leave lets the next one begin at once; if it does not get through, the note runs out.
func (h *hold) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.note.life)
	defer cancel()
	_ = h.note.Leave(ctx)
}

// keep renews the hold until the context ends, which it ends itself when the hold is lost
// or could be: a process that slept too long must not write over what another copied.
func (h *hold) keep(ctx context.Context, end context.CancelCauseFunc) {
	tick := time.NewTicker(h.note.life / 5)
	defer tick.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := h.renew(context.WithoutCancel(ctx))
		switch {
		case err == nil:
			last = time.Now()
		case errors.Is(err, ErrConflict):
			h.err = fmt.Errorf("%w by another copy", ErrInUse)
		case time.Since(last) > h.note.life/2:
			h.err = err
		}
		if h.err != nil {
			end(h.err)
			return
		}
	}
}

// fill marks the source, copies, and reads everything back. moved is the version of the source's mark.
func (c Copy) fill(ctx context.Context) (total Total, moved uint64, err error) {
	if moved, err = c.mark(ctx); err != nil {
		return Total{}, 0, err
	}
	if _, err = c.compare(ctx, true); err != nil {
		return Total{}, 0, err
	}
	d, err := c.compare(ctx, false)
	if err != nil {
		return Total{}, 0, err
	}
	if d.values+d.counters > 0 {
		return Total{}, 0, fmt.Errorf("%w: %d values and %d counters differ: %s", ErrChanged, d.values, d.counters, d)
	}
	return Total{d.seen.Values, d.seen.Counters}, moved, nil
}

// mark sees to it that nobody begins to use the source, and then that nobody has just begun.
func (c Copy) mark(ctx context.Context) (uint64, error) {
	_, version, err := readMark(ctx, c.From, movedName)
	if err != nil || version != 0 {
		return version, err
	}
	op, err := markOp(movedName, Mark{Place: c.ToPlace, Since: c.Now()}, 0)
	if err == nil {
		err = c.From.Apply(ctx, markBucket, []Op{op})
	}
	if err != nil {
		return 0, err
	}
	if _, version, err = readMark(ctx, c.From, movedName); err != nil {
		return 0, err
	}
	if err := unused(ctx, c.From); err != nil {
		return 0, errors.Join(err, c.From.Apply(context.WithoutCancel(ctx), markBucket, []Op{{Name: movedName, If: Match, Version: version, Delete: true}}))
	}
	return version, nil
}

// finish gives the source up for good and then lets the target be claimed: whoever dies in between
// leaves two that cannot be, and a Copy to run again.
func (c Copy) finish(ctx context.Context, h *hold, moved uint64) error {
	if h.err != nil {
		return h.err
	}
	done, err := markOp(movedName, Mark{Place: c.ToPlace, Since: c.Now(), Done: true}, moved)
	if err == nil {
		err = c.From.Apply(ctx, markBucket, []Op{done})
	}
	if errors.Is(err, ErrConflict) {
		return fmt.Errorf("%w: somebody took the source into use again", ErrChanged)
	}
	if err != nil {
		return err
	}
	ring, err := c.From.Get(ctx, markBucket, markName, 0)
	if err != nil {
		return err
	}
	if err := h.renew(ctx); err != nil {
		return err
	}
	err = c.To.Apply(ctx, markBucket, []Op{
		{Name: halfName, If: Match, Version: h.version, Delete: true},
		{Name: h.note.name, If: Any, Delete: true},
		{Name: markName, If: Any, Value: ring.Value},
	})
	if err == nil {
		err = Claim(ctx, c.To, c.Ring)
	}
	return err
}

// Erase removes everything from a store that was moved or is half a copy. Of any
// other it removes nothing (ErrNotMoved).
func Erase(ctx context.Context, kv Movable, place string) (Total, error) {
	err := InPlace(ctx, kv)
	if err == nil {
		return Total{}, fmt.Errorf("store: erase %s: %w", place, ErrNotMoved)
	}
	if !errors.Is(err, ErrMoved) && !errors.Is(err, ErrHalf) {
		return Total{}, err
	}
	if err := unused(ctx, kv); err != nil {
		return Total{}, fmt.Errorf("store: erase %s: %w", place, err)
	}
	if err := unfit(ctx, kv, place); err != nil {
		return Total{}, fmt.Errorf("store: erase %s: %w", place, err)
	}
	c := Copy{From: emptyStore{}, To: kv, Now: time.Now}
	d, err := c.compare(ctx, true)
	if err != nil {
		return Total{}, fmt.Errorf("store: erase %s: %w", place, err)
	}
	// The marks go last and together: what is not erased to the end is still not to be used.
	return Total{d.values, d.counters}, kv.Apply(ctx, markBucket, []Op{
		{Name: markName, If: Any, Delete: true}, {Name: movedName, If: Any, Delete: true}, {Name: halfName, If: Any, Delete: true},
	})
}

// unfit lets nobody reopen what is being erased.
func unfit(ctx context.Context, kv KV, place string) error {
	_, moved, err := readMark(ctx, kv, movedName)
	if err != nil {
		return err
	}
	_, half, err := readMark(ctx, kv, halfName)
	if err != nil {
		return err
	}
	op, err := markOp(halfName, Mark{Place: "what was in " + place, Since: time.Now(), Run: "erase"}, half)
	if err != nil {
		return err
	}
	ops := []Op{op}
	if moved != 0 {
		ops = append(ops, Op{Name: movedName, If: Match, Version: moved, Delete: true})
	}
	return kv.Apply(ctx, markBucket, ops)
}

// ErrNotMoved: the store is in use, for all that it says.
var ErrNotMoved = errors.New("the store is in its place")

// emptyStore is one without anything in it.
type emptyStore struct{}

func (emptyStore) Get(context.Context, string, string, uint64) (Item, error) {
	return Item{}, proofing.ErrNotFound
}
func (emptyStore) Scan(context.Context, string, string, string, int) ([]Item, error) { return nil, nil }
func (emptyStore) Apply(context.Context, string, []Op) error                         { return ErrInvalid }
func (emptyStore) Add(context.Context, string, string, int64, time.Duration) (int64, time.Time, error) {
	return 0, time.Time{}, ErrInvalid
}
func (emptyStore) Confirm(context.Context, string, string, uint64) error            { return ErrConflict }
func (emptyStore) Close() error                                                     { return nil }
func (emptyStore) EachCounter(context.Context, func(string, []Counter) error) error { return nil }
func (emptyStore) Counters(context.Context, string, []string) ([]Counter, error)    { return nil, nil }
func (emptyStore) SetCounters(context.Context, string, []Counter) error             { return ErrInvalid }
