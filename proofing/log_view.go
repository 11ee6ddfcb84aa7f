package proofing

import (
	"context"
	"errors"
	"fmt"
)

// Prover shows others what the log states. It is the Recorder's other side.
type Prover interface {
	// Stated is the last checkpoint that was signed, and the key that it is checked by. ErrNotFound before the first.
	Stated(ctx context.Context) (checkpoint, key string, err error)
	// ProofFile shows, to whoever has that key, that a leaf stands at a place of the log of that checkpoint. ErrNotFound for one that is not in it yet.
	ProofFile(ctx context.Context, place int64, leaf string) ([]byte, error)
}

// Logged is an entry of the log as somebody gets to see it.
type Logged struct {
	Entry // without its private part, unless Shown
	Leaf  Leaf
	Place int64 // in the log, from 0 on; -1 while it waits for it
	// Shown: the reader may see what the entry says beside its leaf. It says nothing if that was erased.
	Shown bool
	By    string // the name of who has done it, if the reader may know it
}

// Erased says whether the entry has said something beside its leaf that is not kept any more.
func (e *Logged) Erased() bool { return e.Leaf.Commitment != "" && e.Shown && len(e.Private) == 0 }

// logged is an entry as the reader gets to see it; nil if they do not.
func (r *logReader) logged(ctx context.Context, e *Entry, place int64) (*Logged, error) {
	leaf, err := e.Said()
	if err != nil {
		return nil, err
	}
	x, err := r.scope(ctx, leaf.Of, leaf.Object)
	if err != nil {
		return nil, err
	}
	seen, private := r.sees(&leaf, x)
	if !seen {
		return nil, nil
	}
	v := &Logged{Entry: *e, Leaf: leaf, Place: place, Shown: private}
	if !private {
		v.erase()
	}
	v.By, err = r.nameOf(ctx, leaf.By)
	return v, err
}

// The bounds of one look into the log: how many entries are shown, how many pages looked through, and how many records read for it.
const (
	mostLogged  = 100
	logLookMost = 40
	logLookRead = 400
)

// LogView lists the newest entries that the person of a session gets to see, before a place of the log, 0 for its end. Next is the place before which
// the following ones are, 0 if there are none. Who sees little of a long log gets short pages. What is not in the log yet is not among
// them. Errors: those of Console.
func (s *Service) LogView(ctx context.Context, v Visit, before int64, limit int) (list []*Logged, next int64, err error) {
	r, err := s.logReader(ctx, v)
	if err != nil {
		return nil, 0, err
	}
	h, err := s.LogHead(ctx)
	if err != nil {
		return nil, 0, err
	}
	if before <= 0 || before > h.Size {
		before = h.Size
	}
	limit = min(max(limit, 1), mostLogged)
	for looks := 0; before > 0; looks++ {
		if len(list) >= limit || looks == logLookMost || len(r.scopes) >= logLookRead {
			return list, before, nil
		}
		if _, err := r.entry(ctx, before-1); err != nil {
			return nil, 0, fmt.Errorf("list the log: %w", err)
		}
		p := r.pages[len(r.pages)-1]
		r.pages = r.pages[:0]
		for i := before - 1; i >= p.First && len(list) < limit && len(r.scopes) < logLookRead; i-- {
			e, err := r.logged(ctx, &p.Entries[i-p.First], i)
			if err != nil {
				return nil, 0, fmt.Errorf("list the log: %w", err)
			}
			if before = i; e != nil {
				list = append(list, e)
			}
		}
	}
	return list, 0, nil
}

// LogOf is what the log tells of one object, the newest first, before its entry of that number, 0 for all. Next is the number before which the
// following ones are, 0 if there are none. What waits for the log is among it. ErrNotFound for an object that there is not or of which
// the person of the session sees nothing, which look alike wherever one asks for them to begin, besides the errors of Console.
func (s *Service) LogOf(ctx context.Context, v Visit, object string, before int64, limit int) (of Subject, list []*Logged, next int64, err error) {
	r, err := s.logReader(ctx, v)
	if err != nil {
		return "", nil, 0, err
	}
	j, err := s.journalOf(ctx, object)
	if err != nil {
		return "", nil, 0, err
	}
	logged := int64(len(j.Places))
	if before <= 0 || before > j.Written+1 {
		before = j.Written + 1
	}
	limit = min(max(limit, 1), mostLogged)
	for n := before - 1; n > 0 && before-n <= logLookRead; n-- {
		var e *Entry
		place := int64(-1)
		switch waits := n - logged - 1; {
		case waits < 0:
			place = j.Places[n-1]
			if e, err = r.entry(ctx, place); err != nil {
				return "", nil, 0, fmt.Errorf("list what the log tells of %s: %w", object, err)
			}
		case waits < int64(len(j.Pending)):
			e = &j.Pending[waits]
		default:
			continue
		}
		one, err := r.logged(ctx, e, place)
		if err != nil {
			return "", nil, 0, err
		}
		if one == nil {
			continue
		}
		if len(list) == limit {
			return of, list, n + 1, nil
		}
		of, list = one.Leaf.Of, append(list, one)
	}
	if len(list) == 0 {
		seen, err := r.seesObject(ctx, &j)
		if err != nil {
			return "", nil, 0, err
		}
		if !seen {
			return "", nil, 0, ErrNotFound
		}
	}
	return of, list, 0, nil
}

// journalOf is the journal of the record of that id, whatever it is.
func (s *Service) journalOf(ctx context.Context, object string) (Journal, error) {
	if _, ok := IDBucket(object); !ok {
		return Journal{}, ErrNotFound
	}
	for _, table := range s.journaled() {
		j, err := table.read(ctx, object)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return j, fmt.Errorf("read what the log tells of: %w", err)
		}
		return j, nil
	}
	return Journal{}, ErrNotFound
}

// LoggedAt is the entry at a place of the log. ErrNotFound for what is not there or not the reader's to see, besides the errors of Console.
func (s *Service) LoggedAt(ctx context.Context, v Visit, place int64) (*Logged, error) {
	r, err := s.logReader(ctx, v)
	if err != nil {
		return nil, err
	}
	e, err := r.entry(ctx, place)
	if err != nil {
		return nil, err
	}
	one, err := r.logged(ctx, e, place)
	if err == nil && one == nil {
		err = ErrNotFound
	}
	return one, err
}

// LogProof is the proof that the entry at a place is in the log of the last checkpoint, as a file (see Prover). Errors: those of LoggedAt; and ErrNotFound,
// too, while no checkpoint covers the entry.
func (s *Service) LogProof(ctx context.Context, v Visit, place int64) ([]byte, error) {
	e, err := s.LoggedAt(ctx, v, place)
	if err != nil {
		return nil, err
	}
	if s.Prover == nil {
		return nil, ErrNotFound
	}
	return s.Prover.ProofFile(ctx, place, e.Entry.Leaf)
}

// LogStated is what the log states of itself, and the key that this is checked by: for whoever has a role. ErrNotFound before
// the first checkpoint, besides the errors of Console.
func (s *Service) LogStated(ctx context.Context, v Visit) (checkpoint, key string, err error) {
	if _, _, err := s.Console(ctx, v); err != nil {
		return "", "", err
	}
	if s.Prover == nil {
		return "", "", ErrNotFound
	}
	return s.Prover.Stated(ctx)
}
